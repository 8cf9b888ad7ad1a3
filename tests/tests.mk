# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests.mk - test, check, demonstrate.   What the tests need is installed by
# tests/tools/deps before anything is built (see DEPS_OF in the Makefile).

# Unit tests: each tests/unit/test_*.c is a program, linked with everything; the main()
# of main.c steps aside.
UNIT_SOURCES  := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
UNIT_OBJECTS  := $(filter-out $(BUILD)/main.o,$(OBJECTS)) $(BUILD)/tests/main.o

# The release form is what is tested; the other where something is loaded into it.
TESTED := $(if $(filter 1,$(SAN)),$(BIN),$(RELEASE))
tested: all $(if $(filter 1,$(SAN)),,release)

run_tests = $(Q)CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) FAULT_TOOLS=$(abspath $(FAULT)) SOAK_TOOLS=$(abspath $(SOAK)) UNIT_PROGRAMS="$(abspath $(UNIT_PROGRAMS))" tests/run

# What makes tests hard: links that come and go.
SOAK          := $(BUILD)/tests/soak

# Faults: a sanitizer has allocators and ways to die of its own.
FAULT         := $(BUILD)/tests/fault
FAULT_SOURCES := $(wildcard tests/fault/*.c)
ifneq ($(SAN),1)
FAULT_PROGRAMS := $(FAULT)/fault $(FAULT)/alloc.so
endif

# Valgrind: wrappers of the plugins.
VALGRIND := $(BUILD)/valgrind

##@ Testing
check: tested $(UNIT_PROGRAMS) $(FAULT_PROGRAMS) $(SOAK)/churn ## all fast tests (SAN=1: with the sanitizers): unit, end-to-end, sweep, fault, parity
	$(run_tests) unit parity e2e sweep $(if $(FAULT_PROGRAMS),fault)

check-unit: $(UNIT_PROGRAMS) ## the pure modules
	$(run_tests) unit

check-e2e: tested $(SOAK)/churn ## end to end: plugins by hand in namespaces, real traffic
	$(run_tests) e2e

check-sweep: tested ## fail and crash at every step of every example: nothing may be left
	$(run_tests) sweep

check-fault: tested $(FAULT_PROGRAMS) ## fail or kill at every few system calls and allocations: nothing may be left
	$(run_tests) fault

check-valgrind: all $(VALGRIND)/self.so ## most of the end-to-end tests with the plugins under valgrind (many minutes)
	$(Q)tests/valgrind/wrap $(BIN) $(VALGRIND)
	$(Q)CPLUG_BIN=$(abspath $(VALGRIND)/bin) RIG_DEADLINE=60 TEST_LIMIT=3000 tests/run valgrind

check-parity: tested ## the same configurations through the reference plugins and ours
	$(run_tests) parity

check-vm: tested $(UNIT_PROGRAMS) $(SOAK)/churn ## everything again on Debian's stock kernel, in a virtual machine
	$(Q)CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) UNIT_PROGRAMS="$(abspath $(UNIT_PROGRAMS))" \
		tests/vm/vmtest --timeout 3600 --mem 2048 --modules "br_netfilter" -- tests/run unit e2e parity

check-runtimes: tested ## podman and containerd from the distribution, with our plugins
	$(Q)tests/runtimes/run $(abspath $(TESTED))

demo: tested ## a container's whole life, in private namespaces
	$(Q)tests/demo $(abspath $(TESTED))

$(UNIT_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(UNIT_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) $(LIBS) -lcmocka

$(FAULT)/fault: $(filter-out $(FAULT)/alloc.o,$(FAULT_SOURCES:%.c=$(BUILD)/%.o))
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) -ljansson -lmnl

$(FAULT)/alloc.so: tests/fault/alloc.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

$(SOAK)/churn: $(BUILD)/tests/soak/churn.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) -lmnl

$(BUILD)/tests/main.o: $(BUILD)/main.o
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym main=plugins_main $< $@

$(VALGRIND)/self.so: tests/valgrind/self.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

-include $(UNIT_SOURCES:%.c=$(BUILD)/%.d) $(FAULT_SOURCES:%.c=$(BUILD)/%.d) $(BUILD)/tests/soak/churn.d

# Fuzzers: each tests/fuzz/fuzz_*.c, with clang, its sanitizers, and a false kernel
# (tests/fuzz/fuzz.c).  What they learn stays in build/fuzz/corpus; the seeds are in
# tests/fuzz/corpus.
FUZZ_TIME    ?= 60
FUZZ         := build/fuzz
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS      := $(FUZZ_SOURCES:tests/fuzz/%.c=$(FUZZ)/%)
FUZZ_FLAGS   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_CFLAGS  = -std=gnu11 $(CPPFLAGS) -U_FORTIFY_SOURCE -O1 -g $(FUZZ_FLAGS)
FUZZ_OBJECTS := $(SOURCES:%.c=$(FUZZ)/%.o) $(FUZZ)/tests/fuzz/fuzz.o

fuzz: $(FUZZERS) ## every fuzzer for FUZZ_TIME seconds (60); FUZZ_ONLY=name for one
	$(Q)tests/fuzz/run $(FUZZ) $(FUZZ_TIME) $(or $(FUZZ_ONLY),$(FUZZERS:$(FUZZ)/fuzz_%=%))

$(FUZZERS): $(FUZZ)/%: $(FUZZ)/tests/fuzz/%.o $(FUZZ_OBJECTS)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) \
		-Wl,--wrap=recv,--wrap=sendto,--wrap=writev

$(FUZZ)/main.o: FUZZ_CFLAGS += -Dmain=plugins_main
$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

soak: tested $(FAULT_PROGRAMS) $(SOAK)/churn $(FUZZERS) ## the long form, half an hour: every fault, hundreds of kills and rounds at once, the fuzzers
	$(Q)CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) FAULT_TOOLS=$(abspath $(FAULT)) SOAK_TOOLS=$(abspath $(SOAK)) \
		tests/soak/run build/soak $(FUZZ) $(FUZZERS:$(FUZZ)/fuzz_%=%)

-include $(FUZZ_OBJECTS:.o=.d) $(FUZZ_SOURCES:%.c=$(FUZZ)/%.d)

##@ Looking over
C_SOURCES := $(SOURCES) $(wildcard compat/*.c tests/unit/*.c tests/fault/*.c tests/fuzz/*.c tests/soak/*.c bench/*.c)
C_HEADERS := $(wildcard lib/*/*.h plugins/*.h plugins/*/*.h ipam/*/*.h cnitool/*.h tests/unit/*.h tests/fault/*.h tests/fuzz/*.h)
SCRIPTS    = $(shell git ls-files -z --cached --others --exclude-standard | \
	xargs -0 grep -lIE '^\#!.*(bash|bats)|^\# shellcheck shell=bash' 2>/dev/null)
LINT      := build/lint
LINT_FLAGS = -std=gnu11 $(WARN) -Werror $(HARDEN) -O2 -D_FORTIFY_SOURCE=2 $(CPPFLAGS)

lint: lint-headers lint-floors lint-gcc lint-clang lint-analyzer lint-tidy lint-cppcheck lint-scripts lint-format ## all of what follows

lint-headers: $(C_HEADERS:%=$(LINT)/headers/%.o) ## every header compiles by itself
lint-gcc: $(C_SOURCES:%.c=$(LINT)/gcc/%.o) ## gcc has nothing to say
lint-clang: $(C_SOURCES:%.c=$(LINT)/clang/%.o) ## nor clang
lint-analyzer: $(C_SOURCES:%.c=$(LINT)/analyzer/%.o) ## nor gcc's static analyser (-fanalyzer)
lint-tidy: $(C_SOURCES:%.c=$(LINT)/tidy/%.ok) ## nor clang-tidy (.clang-tidy)

lint-floors: ## a file includes only what stands below it (FLOORS in the Makefile), and nothing in a circle
	$(call say,CHECK,floors)
	$(Q)tests/tools/floors $(FLOORS)

lint-docs: ## documents agree with the tree: links, paths, make targets, error codes, plugins
	$(call say,CHECK,docs)
	$(Q)tests/tools/docs

# cppcheck does not see what the cleanup attribute releases, nor that a function
# called with an address filled it in; it dislikes readdir(), which is safe in glibc
# and musl; and it chokes on __attribute__((noreturn)).
CPPCHECK_QUIRKS := --suppress=resourceLeak --suppress=uninitvar --suppress=readdirCalled \
	--suppress=missingIncludeSystem --inline-suppr --library=posix -Dnoreturn=

lint-cppcheck: ## nor cppcheck
	$(call say,CHECK,cppcheck)
	$(Q)mkdir -p $(LINT)/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		$(CPPCHECK_QUIRKS) --cppcheck-build-dir=$(LINT)/cppcheck -D_GNU_SOURCE -Ilib -I. \
		main.c lib plugins ipam cnitool compat

lint-scripts: ## nor shellcheck
	$(call say,CHECK,shellcheck)
	$(Q)shellcheck $(SCRIPTS)

lint-format: ## clang-format would change nothing
	$(call say,CHECK,clang-format)
	$(Q)clang-format --dry-run --Werror $(C_SOURCES) $(C_HEADERS)

format: ## let clang-format have its way
	$(Q)clang-format -i $(C_SOURCES) $(C_HEADERS)

$(LINT)/headers/%.h.o: %.h
	@mkdir -p $(@D)
	$(Q)gcc $(LINT_FLAGS) -MMD -MP -x c -c -o $@ $<

$(LINT)/gcc/%.o: %.c
	@mkdir -p $(@D)
	$(call say,GCC,$<)
	$(Q)gcc $(LINT_FLAGS) -MMD -MP -c -o $@ $<

$(LINT)/analyzer/%.o: %.c
	@mkdir -p $(@D)
	$(call say,ANALYZE,$<)
	$(Q)gcc $(LINT_FLAGS) -fanalyzer -MMD -MP -c -o $@ $<

$(LINT)/clang/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(LINT_FLAGS) -MMD -MP -c -o $@ $<

# The objects of lint-clang tell by their dependency files when to look again.
$(LINT)/tidy/%.ok: $(LINT)/clang/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)$(CLANG_TIDY) --quiet $*.c -- $(LINT_FLAGS) -w \
		$(if $(filter lib/base/tx,$*),,-include tests/tools/analyzer.h) 2>/dev/null
	@touch $@

-include $(C_HEADERS:%=$(LINT)/headers/%.d)
-include $(C_SOURCES:%.c=$(LINT)/gcc/%.d) $(C_SOURCES:%.c=$(LINT)/clang/%.d) \
	$(C_SOURCES:%.c=$(LINT)/analyzer/%.d)

.PHONY: tested check check-unit check-e2e check-sweep check-parity check-vm check-runtimes demo
.PHONY: check-fault check-valgrind soak fuzz
.PHONY: lint lint-headers lint-floors lint-gcc lint-clang lint-analyzer lint-tidy lint-cppcheck lint-scripts \
	lint-docs lint-format format
