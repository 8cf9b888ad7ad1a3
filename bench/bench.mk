# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench.mk - how fast, compared in one run: see docs/performance.md
#
# What is measured is the release form (make static).  The tools, and with them the floor, are
# made in the same way, with the same C library: starting a process costs them as much.

BENCH       := build/bench
BENCH_TOOLS := $(patsubst bench/%.c,$(BENCH)/%,$(wildcard bench/*.c)) $(BENCH)/nothing-system
BENCH_CNI    = $(abspath $(STATIC_DIR)/bin)

##@ Measuring
bench: bench-tools ## measure everything, under 15 minutes; writes bench/RESULTS.md
	$(Q)touch $(BENCH)/results
	$(Q)bench/run $(BENCH) $(BENCH_CNI) $(BENCH)/results
	$(Q)bench/report $(BENCH)/results bench

bench-quick: bench-tools ## the same in small, under a minute; writes build/bench/RESULTS.md
	$(Q)touch $(BENCH)/quick
	$(Q)bench/run --quick $(BENCH) $(BENCH_CNI) $(BENCH)/quick
	$(Q)bench/report $(BENCH)/quick $(BENCH)

ifeq ($(STATIC),1)
bench-tools: all $(BENCH_TOOLS)
else
bench-tools:
	+$(Q)$(MAKE) --no-print-directory STATIC=1 $@
endif

$(BENCH)/%: $(BUILD)/bench/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(ALL_LDFLAGS) $(LIBS)

# As the system's compiler makes it, with the system's C library.
$(BENCH)/nothing-system: bench/nothing.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -static -o $@ $<

.PHONY: bench bench-quick bench-tools
