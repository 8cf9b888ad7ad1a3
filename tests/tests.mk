# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests.mk - targets that test, demonstrate and lint.  tests/tools/deps installs what they need
# before anything is built (see DEPS in the Makefile).

# Unit tests: each tests/unit/test_*.c is a program, linked with all objects; main() of main.c is
# renamed.
# test_etcd is that of the helper for etcd, with a libcurl of its own.
UNIT_SOURCES  := $(filter-out $(if $(HELPER_SOURCES),,tests/unit/test_etcd.c),$(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
UNIT_OBJECTS  := $(filter-out $(BUILD)/main.o,$(OBJECTS)) $(BUILD)/tests/main.o

# Servers and small tools of the tests, at the place where tests/tools/rig.bash looks for them.
SERVERS := build/tests/udp_server build/tests/dhcp_server build/tests/dhcp6_server build/tests/peak

# The tests use the release form, and the dynamic one with LD_PRELOAD.
TESTED := $(if $(filter 1,$(SAN)),$(BIN),$(RELEASE))
tested: all $(SERVERS) $(if $(filter 1,$(SAN)),,release) fast-dhcp

# The form that is tested once more, with a clock that a test makes fast: daemons see years.
FAST_DHCP := $(BUILD)/tests/fast_dhcp
fast-dhcp: $(if $(filter 1,$(SAN)),all,release)
	+$(Q)$(MAKE) --no-print-directory $(if $(filter $(STATIC_DIR)/bin,$(TESTED)),STATIC=1 $(STATIC_DIR)/tests/fast_dhcp,$(FAST_DHCP))

$(FAST_DHCP): $(filter-out $(BUILD)/lib/%,$(OBJECTS)) $(BUILD)/tests/tools/fast_clock.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wl,--wrap=clock_gettime,--wrap=timerfd_settime -o $@ $^ $(ALL_LDFLAGS) $(LIBS)

# The compiler, C library and machine of the programs under test, which have no say in it.
compiler = $(shell $(CC) --version | sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' | tr ' ' _)
built = $(if $(filter 1,$(SAN)),sanitizers,$(compiler)/$$(test -e $(STATIC_DIR)/compat/malloc.o && echo musl || echo glibc)/$$(uname -m))

run_tests = $(Q)CPLUG_BUILT="$(built)" CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) FAULT_TOOLS=$(abspath $(FAULT)) SOAK_TOOLS=$(abspath $(SOAK)) \
	SWEEP_TOOLS=$(abspath $(SWEEP)) UNIT_PROGRAMS="$(abspath $(UNIT_PROGRAMS))" tests/run

# The program that creates and deletes links during tests.
SOAK          := $(BUILD)/tests/soak

# The tracer of the sweep.
SWEEP         := $(BUILD)/tests/sweep

# Fault injection: not with the sanitizers, which replace the allocator and exit differently.
FAULT         := $(BUILD)/tests/fault
FAULT_SOURCES := $(wildcard tests/fault/*.c)
ifneq ($(SAN),1)
FAULT_PROGRAMS := $(FAULT)/fault $(FAULT)/alloc.so
endif

# Wrappers that run the plugins under valgrind.
VALGRIND := $(BUILD)/valgrind

##@ Testing
# Samples of the sweep and of the faults, another one in each run (TEST_SEED repeats one).
check: export SWEEP_STRIDE ?= 10
check: export FAULT_MODES ?= one
check: tested $(UNIT_PROGRAMS) $(FAULT_PROGRAMS) $(SOAK)/churn $(SWEEP)/step ## all fast tests (SAN=1: with the sanitizers): unit, end-to-end, parity, samples of sweep and fault
	$(run_tests) unit parity e2e sweep $(if $(FAULT_PROGRAMS),fault)

unit-programs: $(UNIT_PROGRAMS)

check-unit: $(UNIT_PROGRAMS) ## unit tests of the modules
	$(run_tests) unit

check-e2e: tested $(SOAK)/churn ## end-to-end tests: plugins in namespaces, with traffic
	$(run_tests) e2e

check-sweep: tested $(SWEEP)/step ## stop, crash and fail at every step of every example; nothing may be left
	$(run_tests) sweep

check-fault: tested $(FAULT_PROGRAMS) ## fail or kill at system calls and allocations; nothing may be left
	$(run_tests) fault

check-cluster: tested ## nodes with a real etcd and BIRD in namespaces: claims, kills, partitions, routes
	$(run_tests) cluster

bench-cluster: tested bench-tools ## a cluster of NODES (100) nodes with CONTAINERS (50) containers each: traffic, faults, figures in build/bench/cluster.md
	$(Q)NODES=$(NODES) CONTAINERS=$(CONTAINERS) tests/cluster/bench $(BENCH) $(abspath $(TESTED)) $(abspath $(BIN)) $(BENCH)/cluster.md

check-valgrind: all $(VALGRIND)/self.so ## most of the end-to-end tests with the plugins under valgrind (many minutes)
	$(Q)tests/valgrind/wrap $(BIN) $(VALGRIND)
	$(Q)CPLUG_BIN=$(abspath $(VALGRIND)/bin) RIG_DEADLINE=300 TEST_LIMIT=3000 tests/run valgrind

check-parity: tested ## compare with the reference plugins
	$(run_tests) parity

# Longer time limits than the goal of an idle machine, because busy ones emulate slowly.
run_in_vm = $(Q)CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) SWEEP_TOOLS=$(abspath $(SWEEP)) \
	SOAK_TOOLS=$(abspath $(SOAK)) UNIT_PROGRAMS="$(abspath $(UNIT_PROGRAMS))" tests/vm/suites

check-vm: tested $(SWEEP)/step ## end-to-end tests, parity and sweep of what few kernels have, on Debian's, in a virtual machine (40 minutes)
	$(run_in_vm) --timeout 14400 device-vm examples-vm e2e-vm parity-vm sweep-vm

check-vm-sample: tested $(SWEEP)/step ## of these only the examples and a sample of the sweep (8 minutes); skipped without a virtual machine
	$(run_in_vm) --timeout 5400 --sample device-vm examples-vm sweep-vm

check-vm-all: tested $(UNIT_PROGRAMS) $(SOAK)/churn $(SWEEP)/step ## all unit, end-to-end and parity tests in the virtual machine (hours)
	$(run_in_vm) --timeout 43200 e2e unit parity sweep-vm

check-vacuous: tested $(SOAK)/churn ## end-to-end tests that pass although all plugins were replaced by an empty program
	$(Q)CPLUG_BUILT="$(built)" SOAK_TOOLS=$(abspath $(SOAK)) nice -n 19 tests/vacuous/run $(TESTED) $(VACUOUS)

check-mutants: tested ## small wrong changes, each of which a test must notice: a sample of 30 minutes (MUTANTS=pattern)
	$(Q)tests/mutants/run '$(MUTANTS)'

check-runtimes: tested ## tests with the distribution's podman and containerd, and podman 5 of Debian 13
	$(Q)tests/runtimes/run $(abspath $(TESTED))

check-fresh: ## make demo and make check on minimal Debian systems, as root and as an ordinary user (hours)
	$(Q)tests/fresh/run $(FRESH)

check-packages: ## build the packages; install and remove Debian's on a fresh system (SUITES="bookworm trixie")
	$(Q)tests/packages/run $(SUITES)

check-same-bytes: ## builds in two folders give the same bytes
	$(Q)tests/tools/same-bytes

demo: tested ## the life of a container, in private namespaces
	$(Q)tests/demo $(abspath $(TESTED))

$(UNIT_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(UNIT_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) $(LIBS) -lcmocka

# fake_curl.h has what sends; the rest, like the parser of URLs, is libcurl's.
$(BUILD)/tests/unit/test_etcd: LIBS += -lcurl
$(BUILD)/tests/unit/test_etcd: $(filter-out %/main.o,$(HELPER_OBJECTS))

$(FAULT)/fault: $(filter-out $(FAULT)/alloc.o,$(FAULT_SOURCES:%.c=$(BUILD)/%.o))
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) -ljansson -lmnl

$(FAULT)/alloc.so: tests/fault/alloc.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

$(SWEEP)/step: $(BUILD)/tests/sweep/step.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS)

$(SERVERS): build/tests/%: tests/tools/%.c tests/tools/script.h
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) $(CFLAGS) -o $@ $<

$(SOAK)/churn: $(BUILD)/tests/soak/churn.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) -lmnl

$(BUILD)/tests/main.o: $(BUILD)/main.o
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --redefine-sym main=plugins_main $< $@

$(VALGRIND)/self.so: tests/valgrind/self.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

-include $(UNIT_SOURCES:%.c=$(BUILD)/%.d) $(FAULT_SOURCES:%.c=$(BUILD)/%.d) $(BUILD)/tests/soak/churn.d $(BUILD)/tests/sweep/step.d

# Fuzzers: each tests/fuzz/fuzz_*.c, made with clang, its sanitizers, and a fake kernel
# (tests/fuzz/fuzz.c).  The seeds are in tests/fuzz/corpus, new inputs in build/fuzz/corpus.
FUZZ_TIME    ?= 60
FUZZ         := build/fuzz
FUZZ_SOURCES := $(filter-out $(if $(HELPER_SOURCES),,tests/fuzz/fuzz_etcd.c),$(wildcard tests/fuzz/fuzz_*.c))
FUZZERS      := $(FUZZ_SOURCES:tests/fuzz/%.c=$(FUZZ)/%)
FUZZ_FLAGS   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_CFLAGS  = -std=gnu11 $(CPPFLAGS) -U_FORTIFY_SOURCE -O1 -g $(FUZZ_FLAGS)
FUZZ_OBJECTS := $(SOURCES:%.c=$(FUZZ)/%.o) $(FUZZ)/tests/fuzz/fuzz.o

fuzz: $(FUZZERS) ## each fuzzer for FUZZ_TIME seconds (60); FUZZ_ONLY=name for one
	$(Q)tests/fuzz/run $(FUZZ) $(FUZZ_TIME) $(or $(FUZZ_ONLY),$(FUZZERS:$(FUZZ)/fuzz_%=%))

$(FUZZERS): $(FUZZ)/%: $(FUZZ)/tests/fuzz/%.o $(FUZZ_OBJECTS)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) \
		-Wl,--wrap=recv,--wrap=sendto,--wrap=writev,--wrap=connect,--wrap=free

$(FUZZ)/fuzz_etcd: LIBS += -lcurl
$(FUZZ)/fuzz_etcd: $(patsubst %.c,$(FUZZ)/%.o,$(filter-out %/main.c,$(HELPER_SOURCES)))

$(FUZZ)/main.o: FUZZ_CFLAGS += -Dmain=plugins_main
$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

soak: tested $(FAULT_PROGRAMS) $(SOAK)/churn $(SWEEP)/step $(FUZZERS) ## the long tests, 40 minutes: every step of the sweep, every fault, hundreds of kills and parallel rounds, the fuzzers
	$(Q)CPLUG_BIN=$(abspath $(TESTED)) CPLUG_DYNAMIC=$(abspath $(BIN)) FAULT_TOOLS=$(abspath $(FAULT)) SOAK_TOOLS=$(abspath $(SOAK)) \
		SWEEP_TOOLS=$(abspath $(SWEEP)) tests/soak/run build/soak $(FUZZ) $(FUZZERS:$(FUZZ)/fuzz_%=%)

-include $(FUZZ_OBJECTS:.o=.d) $(HELPER_SOURCES:%.c=$(FUZZ)/%.d) $(FUZZ_SOURCES:%.c=$(FUZZ)/%.d)

##@ Linting
C_SOURCES := $(SOURCES) $(HELPER_SOURCES) $(wildcard compat/*.c tests/unit/*.c tests/fault/*.c tests/fuzz/*.c tests/soak/*.c tests/sweep/*.c tests/tools/*.c bench/*.c)
C_HEADERS := $(wildcard lib/*/*.h plugins/*.h plugins/*/*.h ipam/*/*.h $(if $(HELPER),ipam/*/*/*.h) cnitool/*.h tests/unit/*.h tests/fault/*.h tests/fuzz/*.h)
SCRIPTS    = $(shell git ls-files -z --cached --others --exclude-standard | \
	xargs -0 grep -lIE '^\#!.*(bash|bats)|^\# shellcheck shell=bash' 2>/dev/null)
LINT      := build/lint
LINT_FLAGS = -std=gnu11 $(WARN) -Werror $(HARDEN) -O2 -D_FORTIFY_SOURCE=2 $(CPPFLAGS)

# clang's static analyser is nine tenths of clang-tidy's time.  TIDY_SHARE=I/N: it analyses only one
# of N files; which, is a matter of their names.
TIDY_SHARE ?= 1/1
TIDY       := $(LINT)/tidy$(if $(filter 1/1,$(TIDY_SHARE)),,-$(subst /,-,$(TIDY_SHARE)))

LINTS := headers floors loaders ternaries sizes docs site mutants clang analyzer tidy cppcheck scripts format \
	$(if $(BASE),subjects)

lint: $(LINTS:%=lint-%) ## all of the following; lint-subjects with BASE

lint-headers: $(C_HEADERS:%=$(LINT)/headers/%.o) ## each header compiles alone
lint-clang: $(C_SOURCES:%.c=$(LINT)/clang/%.ok) ## no warnings of clang
lint-analyzer: $(C_SOURCES:%.c=$(LINT)/analyzer/%.o) ## no warnings of gcc and its static analyser (-fanalyzer)
lint-tidy: $(C_SOURCES:%.c=$(TIDY)/%.ok) ## no warnings of clang-tidy (.clang-tidy)

lint-floors: ## no includes upwards (FLOORS in the Makefile) or in a circle
	$(call say,CHECK,floors)
	$(Q)tests/tools/floors $(FLOORS)

lint-loaders: ## no link is looked up by a name in a way that loads a module of the kernel
	$(call say,CHECK,loaders)
	$(Q)tests/tools/loaders $(SOURCES) $(HELPER_SOURCES)

lint-docs: ## documents agree with the tree: links, paths, targets, codes, plugins, keys, options
	$(call say,CHECK,docs)
	$(Q)CPPFLAGS='$(CPPFLAGS)' tests/tools/docs
	$(Q)tests/tools/keys

lint-site: ## the site of the documentation: no dead link, nothing loaded from elsewhere
	$(call say,CHECK,site)
	$(Q)docs/site/build $(LINT)/site
	$(Q)tests/tools/site $(LINT)/site

lint-ternaries: ## at most one ?: a statement, none around a call in return or TRY()
	$(call say,CHECK,ternaries)
	$(Q)tests/tools/ternaries $(C_SOURCES) $(C_HEADERS)

lint-sizes: ## functions of at most 60 lines, files in lib/ and ipam/cluster/ of at most 500
	$(call say,CHECK,sizes)
	$(Q)tests/tools/measure --limits

lint-mutants: ## the old text of each wrong change in tests/mutants/list is in its file, once
	$(call say,CHECK,mutants)
	$(Q)MUTANTS_MINUTES=0 tests/mutants/run

lint-subjects: ## commit subjects since BASE=COMMIT: "module: what", at most 72 columns
	$(call say,CHECK,subjects)
	$(Q)tests/tools/subjects $(or $(BASE),$(error lint-subjects: set BASE))

measure: ## table of lines, functions, parameters and ?: for each folder
	$(Q)tests/tools/measure $(FLOORS)

# cppcheck does not know the cleanup attribute, nor that a function initialises a variable whose
# address it gets; it warns of readdir(), which is safe in glibc and musl; and it cannot parse
# __attribute__((noreturn)).
CPPCHECK_QUIRKS := --suppress=resourceLeak --suppress=uninitvar --suppress=readdirCalled \
	--suppress=missingIncludeSystem \
	--suppress=normalCheckLevelMaxBranches --inline-suppr --library=posix -Dnoreturn=

lint-cppcheck: ## no warnings of cppcheck
	$(call say,CHECK,cppcheck)
	$(Q)mkdir -p $(LINT)/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		$(CPPCHECK_QUIRKS) --cppcheck-build-dir=$(LINT)/cppcheck -D_GNU_SOURCE -Ilib -I. \
		main.c lib plugins ipam cnitool compat

lint-scripts: ## no warnings of shellcheck
	$(call say,CHECK,shellcheck)
	$(Q)shellcheck $(SCRIPTS)

lint-format: ## clang-format would change nothing
	$(call say,CHECK,clang-format)
	$(Q)clang-format --dry-run --Werror $(C_SOURCES) $(C_HEADERS)

format: ## format the C sources with clang-format
	$(Q)clang-format -i $(C_SOURCES) $(C_HEADERS)

$(LINT)/headers/%.h.o: %.h
	@mkdir -p $(@D)
	$(Q)gcc $(LINT_FLAGS) -MMD -MP -x c -c -o $@ $<

# gcc 14 does not know that a failed assertion of cmocka, or err(), does not return.
ANALYZER_TESTS := -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-fd-use-without-check

# gcc 12 loses the buffer of an answer, which the client owns, when the descriptor is passed on.
ANALYZER_server := -Wno-analyzer-malloc-leak

$(LINT)/analyzer/%.o: %.c
	@mkdir -p $(@D)
	$(call say,ANALYZE,$<)
	$(Q)gcc $(LINT_FLAGS) -fanalyzer $(if $(filter tests/% bench/%,$<),$(ANALYZER_TESTS)) \
		$(if $(filter ipam/dhcp/server.c,$<),$(ANALYZER_server)) -MMD -MP -c -o $@ $<

$(LINT)/clang/%.ok: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$<)
	$(Q)clang $(LINT_FLAGS) -MMD -MP -MT $@ -MF $(@:.ok=.d) -fsyntax-only $<
	@touch $@

# The option for a file that is not in TIDY_SHARE.
tidy_checks = $(shell n=$$(printf %s '$*' | cksum | cut -d' ' -f1); \
	test $$((n % $(notdir $(TIDY_SHARE)) + 1)) = $(patsubst %/,%,$(dir $(TIDY_SHARE))) || echo '--checks=-clang-analyzer-*')

# The dependency files of lint-clang say when a source must be checked again.
$(TIDY)/%.ok: $(LINT)/clang/%.ok .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)$(CLANG_TIDY) --quiet $(tidy_checks) $*.c -- $(LINT_FLAGS) -w \
		$(if $(filter lib/base/tx,$*),,-include tests/tools/analyzer.h) \
		$(if $(filter tests/unit/%,$*),-include tests/tools/analyzer_tests.h) 2>/dev/null
	@touch $@

-include $(C_HEADERS:%=$(LINT)/headers/%.d)
-include $(C_SOURCES:%.c=$(LINT)/clang/%.d) $(C_SOURCES:%.c=$(LINT)/analyzer/%.d)

.PHONY: tested unit-programs fast-dhcp check check-unit check-e2e check-cluster bench-cluster check-sweep check-parity check-vm check-vm-sample check-vm-all check-runtimes check-fresh check-packages check-same-bytes demo
.PHONY: check-fault check-valgrind check-vacuous check-mutants soak fuzz
.PHONY: lint lint-headers lint-floors lint-clang lint-analyzer lint-tidy lint-cppcheck lint-scripts \
	lint-docs lint-site lint-loaders lint-mutants lint-ternaries lint-sizes lint-subjects lint-format format measure
