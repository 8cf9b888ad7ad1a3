# SPDX-License-Identifier: GPL-2.0-or-later
#
# bench.mk - how fast, compared in one run: see docs/performance.md
#
# The tools are static, so that starting them costs what the kernel takes; what is
# measured is the release form (make static).

BENCH       := build/bench
BENCH_TOOLS := $(patsubst bench/%.c,$(BENCH)/%,$(wildcard bench/*.c))
BENCH_CNI    = $(abspath build/static/bin)

##@ Measuring
bench: static $(BENCH_TOOLS) ## measure everything, under 15 minutes; writes bench/RESULTS.md
	$(Q)touch $(BENCH)/results
	$(Q)bench/run $(BENCH) $(BENCH_CNI) $(BENCH)/results
	$(Q)bench/report $(BENCH)/results bench

bench-quick: static $(BENCH_TOOLS) ## the same in small, under a minute; writes build/bench/RESULTS.md
	$(Q)touch $(BENCH)/quick
	$(Q)bench/run --quick $(BENCH) $(BENCH_CNI) $(BENCH)/quick
	$(Q)bench/report $(BENCH)/quick $(BENCH)

$(BENCH)/%: bench/%.c bench/bench.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE -O2 -static -o $@ $<

.PHONY: bench bench-quick
