# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench.mk - performance compared with the reference plugins: see docs/performance.md
#
# Measures the release form (make static).  The tools, including the floor, are linked in the same
# form with the same C library, because that determines the cost of starting a process.

BENCH       := build/bench
BENCH_TOOLS := $(patsubst bench/%.c,$(BENCH)/%,$(wildcard bench/*.c)) $(BENCH)/nothing-system
BENCH_CNI    = $(abspath $(STATIC_DIR)/bin)
export REFERENCE

##@ Measuring
bench: bench-tools ## measure everything, 18 minutes; writes bench/RESULTS.md; REFERENCE=DIR: beside these plugins, too
	$(Q)touch $(BENCH)/results
	$(Q)bench/run $(BENCH) $(BENCH_CNI) $(BENCH)/results
	$(Q)bench/report $(BENCH)/results bench

bench-quick: bench-tools ## measure a few cases, under a minute on an idle machine; writes build/bench/RESULTS.md
	$(Q)touch $(BENCH)/quick
	$(Q)bench/run --quick $(BENCH) $(BENCH_CNI) $(BENCH)/quick
	$(Q)bench/report $(BENCH)/quick $(BENCH)

# The plugins that need a kernel with their kind of links.
bench-vm: bench-tools ## measure ipvlan, vlan, dummy and vrf on Debian's kernel, in a virtual machine; writes build/bench/vm/RESULTS.md
	$(Q)mkdir -p $(BENCH)/vm && touch $(BENCH)/vm/results
	$(Q)BENCH_CASES='ipvlan|vlan|dummy|vrf' tests/vm/vmtest --timeout 5400 --write $(BENCH)/vm -- \
		bench/run --only cases $(BENCH) $(BENCH_CNI) $(BENCH)/vm/results
	$(Q)bench/report $(BENCH)/vm/results $(BENCH)/vm

ifeq ($(STATIC),1)
bench-tools: all $(BENCH_TOOLS)
else
bench-tools:
	+$(Q)$(MAKE) --no-print-directory STATIC=1 $@
endif

# compat/strerror.c, which a wrapped name needs, is not part of the tools; compat/relr.c relocates them.
$(BENCH)/%: $(BUILD)/bench/%.o $(patsubst %,$(BUILD)/compat/%.o,$(filter relr,$(COMPAT)))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(filter-out %--wrap=strerror,$(ALL_LDFLAGS)) $(LIBS)

# The empty program made with the system's C library.
$(BENCH)/nothing-system: bench/nothing.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -static -o $@ $<

.PHONY: bench bench-quick bench-vm bench-tools
