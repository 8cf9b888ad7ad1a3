# SPDX-License-Identifier: GPL-2.0-or-later
#
# cplug - the CNI plugin suite in C.  `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
# The PATH of an ordinary user may lack the folders of ip, nft and tc.
export PATH := $(PATH):/usr/sbin:/sbin

# Goals that test or lint install missing packages first, because the lines below look for
# libraries (not with make -n).  `make` and `make install` never install packages.
goals = $(filter $(1),$(MAKECMDGOALS))
DEPS := $(if $(filter-out check-fresh check-packages,$(call goals,check check-%)),build test) $(if $(call goals,check-fresh),fresh) $(if $(call goals,demo),build demo) \
	$(if $(call goals,lint lint-%),build lint) $(if $(call goals,docs-site lint lint-site),site) $(if $(call goals,deps),build test) \
	$(if $(call goals,check-cluster bench-cluster),cluster) $(if $(call goals,check-runtimes),runtimes) $(if $(call goals,check-vm check-vm-all),vm) \
	$(if $(call goals,bench bench-%),build bench) \
	$(if $(call goals,deb rpm apk),build packages) $(if $(call goals,check-packages dist image),build packages fresh) \
	$(if $(filter 1,$(SAN)),san)
ifneq ($(strip $(DEPS)),)
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
$(if $(shell tests/tools/deps $(DEPS) >&2 && echo done),,$(error tests/tools/deps $(strip $(DEPS)) failed))
endif
endif

# ---- sources ---------------------------------------------------------------
# The floors of lib/, lowest first.  A file includes headers of its own floor and of lower ones
# (make lint-floors).
FLOORS := base value sys netlink nft firewall cni

# Every plugin type is a name of the one executable, bin/cplug.
PLUGINS := $(shell sed -n 's/^.*[[:space:]]X(\([a-z0-9_]*\)).*/\1/p' plugins/list.h | tr _ -)
NAMES   := $(PLUGINS) cnitool

SOURCES := main.c $(wildcard lib/*/*.c plugins/*.c plugins/*/*.c ipam/*.c ipam/*/*.c cnitool/*.c)

# ---- build -----------------------------------------------------------------
CC         ?= cc
ifeq ($(origin CC),default)
CC         := $(CROSS_COMPILE)gcc
endif
# The tools that belong to the compiler, which may be a cross compiler.
STRIP      := $(shell $(CC) -print-prog-name=strip)
OBJCOPY    := $(shell $(CC) -print-prog-name=objcopy)
# Runs executables of the compiler's machine: qemu-aarch64-static, for instance.
RUN        ?=
CLANG_TIDY ?= clang-tidy
V          ?= 0
SAN        ?= 0
Q          := $(if $(filter 0,$(V)),@)
comma      := ,
say         = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' $(1) $(2))

# The C library of the release form: musl if it is installed beside the system's, else the
# system's.
LIBC       ?= musl
STATIC_DIR := build/static$(addprefix -,$(filter-out musl,$(LIBC)))

BUILD := $(if $(filter 1,$(SAN)),build/san,$(if $(filter 1,$(STATIC)),$(STATIC_DIR),build/default))
BIN   := $(if $(filter 1,$(SAN)),build/san/bin,$(if $(filter 1,$(STATIC)),$(STATIC_DIR)/bin,bin))

PREFIX  ?= /usr/local
BINDIR  ?= /opt/cni/bin
CONFDIR ?= /etc/cni/net.d
MANDIR  ?= $(PREFIX)/share/man
SBINDIR ?= $(PREFIX)/bin
# Where podman 5 looks for network drivers (netavark_plugin_dirs).  Empty: do not install it.
NETAVARKDIR ?= $(PREFIX)/lib/netavark
# Folders of shell completions: bash's and fish's are below SHAREDIR.
SHAREDIR ?= $(PREFIX)/share
ZSHDIR   ?= $(SHAREDIR)/zsh/site-functions
# Folder of systemd units, like /usr/lib/systemd/system.  Empty: do not install units.
SYSTEMDDIR ?=
DESTDIR ?=

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef \
	-Wwrite-strings -Wpointer-arith -Wcast-qual -Wconversion -Wimplicit-fallthrough
HARDEN := -fstack-protector-strong -fPIE -fvisibility=hidden -ffunction-sections -fdata-sections
NLINC := $(shell pkg-config --cflags libnl-3.0 2>/dev/null || echo -I/usr/include/libnl3)
# 32 bits: sizes of files and inode numbers have 64.
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -iquote lib -iquote . $(NLINC)
CFLAGS ?= -O2 -g
# The debugging information names no folder, so that the bytes do not depend on it.
ALL_CFLAGS = -std=gnu11 $(WARN) $(HARDEN) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
ALL_LDFLAGS = -Wl,--gc-sections -Wl,-z,relro,-z,now $(LDFLAGS)
ifeq ($(SAN),1)
ALL_CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
ALL_LDFLAGS += -fsanitize=address,undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif

# libnl, libnftnl and jansson are linked from their archives if these are installed (Debian has
# them), because five shared libraries cost half a millisecond at every start.
archives := -Wl,-Bstatic -lnftnl -lnl-route-3 -lnl-3 -ljansson -Wl,-Bdynamic
LIBS_DYNAMIC := -lnftnl -lnl-route-3 -lnl-3 -ljansson -lmnl
# Replacements of parts of libraries: link objects of libnl-route, texts of libnl-3 (and more below).
COMPAT := rtnl nlutil
# Position-independent where the C library can: glibc's of armhf cannot.
static := $(if $(filter /%,$(shell $(CC) -print-file-name=rcrt1.o)),-static-pie,-static)
ifeq ($(STATIC),1)
# The release form.  With musl programs start in a third of the time, and are half as large.
MUSL := $(if $(filter musl,$(LIBC)),$(shell CC='$(CC)' compat/musl build/musl))
# Replacements also of the resolver that libnl-3 needs, and of libmnl without archive.
mnl := $(filter /%,$(shell $(CC) -print-file-name=libmnl.a))
COMPAT += nss $(if $(mnl),,mnl)
# No code compares the addresses of constants, so equal ones may be one: 1 kB less.
ALL_CFLAGS += -fno-asynchronous-unwind-tables -fmerge-all-constants $(unaligned)
# The padding that aligns functions and loops is 20 kB.  A call runs most code once, so that it
# gains nothing from the alignment.
unaligned := -falign-functions=1 -falign-jumps=1 -falign-loops=1 -falign-labels=1
smallest := $(shell echo 'int i;' | $(CC) -xc -c -Oz - -o /dev/null 2>/dev/null && echo -Oz || echo -Os)
# These optimise loops and branches, and the code that is made small has none whose time counts.  5 kB
# less with gcc 12.  Without them gcc warns of variables that are set: make lint compiles with them.
plain_flags := -fno-tree-sra -fno-caller-saves -fno-move-loop-invariants -fno-tree-dominator-opts \
	-fno-expensive-optimizations -fno-thread-jumps -fno-ipa-cp -Wno-maybe-uninitialized
plain := $(shell echo 'int i;' | $(CC) -xc -c -Werror $(plain_flags) - -o /dev/null 2>/dev/null && echo '$(plain_flags)')
# Optimised as a whole when linked: 12 kB less.  LTO=0 links four times as fast.
LTO ?= 1
lto_flags := -flto=auto -ffat-lto-objects
lto := $(if $(filter 1,$(LTO)),$(shell t=$$(mktemp) && echo 'int main(void) { return 0; }' | \
	$(CC) -xc - $(lto_flags) -o $$t 2>/dev/null && $(RUN) $$t && echo '$(lto_flags)'; rm -f $$t))
ALL_LDFLAGS += $(lto) $(smallest) $(filter -W%,$(plain))
# Not even the build id depends on debugging information: that of the link-time optimisation names
# the folder.
ALL_LDFLAGS += -Wl,--strip-all
# One segment for code and constants: up to 8 kB of padding less, and two mappings less at each start.
ALL_LDFLAGS += -Wl,-z,noseparate-code
# Nothing unwinds the stack.  Not each linker and start file can do without the tables.
no_unwind := -Wl,-T,compat/unwind.ld -Wl,--no-eh-frame-hdr
ALL_LDFLAGS += $(shell t=$$(mktemp) && echo 'int main(void) { return 0; }' | \
	$(CC) -xc - $(static) $(no_unwind) -o $$t 2>/dev/null && $(RUN) $$t && echo '$(no_unwind)'; rm -f $$t)
libs := -Wl,--start-group -l:libnftnl.a -l:libnl-route-3.a -l:libnl-3.a -l:libjansson.a $(mnl)
ifneq ($(MUSL),)
musl_compat := $(COMPAT) chk env strerror malloc relro relr
musl_cppflags := -nostdinc -isystem $(subst /lib/,/include/,$(MUSL)) \
	-isystem $(shell $(CC) -print-file-name=include) -idirafter build/musl/include
# compat/relr.c applies packed relocations.  A linker that does not know them says so, and writes ordinary ones.
pack := $(if $(findstring pack-relative-relocs,$(shell $(CC) -Wl,--help 2>/dev/null)),-Wl$(comma)-z$(comma)pack-relative-relocs)
crt = $(foreach f,$(1),$(shell $(CC) -print-file-name=$(f)))
musl_ldflags := -static-pie -nostdlib $(pack) -Wl,--wrap=strerror -Wl,--wrap=__libc_start_main $(MUSL)/rcrt1.o $(MUSL)/crti.o $(call crt,crtbeginS.o)
musl_libs := $(libs) $(MUSL)/libc.a -lgcc -Wl,--end-group $(call crt,crtendS.o) $(MUSL)/crtn.o
# The archives are made for another C library: a program that calls them proves that they work.
ifneq ($(shell RUN='$(RUN)' compat/musl build/musl prove $(CC) $(CPPFLAGS) $(musl_cppflags) $(ALL_CFLAGS) -w \
	$(patsubst %,compat/%.c,proof $(musl_compat)) $(ALL_LDFLAGS) $(musl_ldflags) $(musl_libs)),proved)
MUSL :=
endif
endif
ifneq ($(MUSL),)
COMPAT := $(musl_compat)
CPPFLAGS += $(musl_cppflags)
ALL_LDFLAGS += $(musl_ldflags)
LIBS := $(musl_libs)
else
ifeq ($(static),-static)
relr :=
$(shell echo "static: not position-independent, because the C library of $$($(CC) -dumpmachine) has no rcrt1.o" >&2)
else
# Pack relocations if the C library supports it.  The test executes a program, because an old C
# library ignores them silently.
relr := -Wl,-z,pack-relative-relocs
relr_try := static const char *volatile p[] = { "a", "b" }; int main(void) { return p[0][0] != 97; }
relr := $(shell t=$$(mktemp) && printf '%s' '$(relr_try)' | $(CC) -xc - -fPIE -static-pie $(relr) -o $$t \
	2>/dev/null && $(RUN) $$t && echo '$(relr)'; rm -f $$t)
endif
ALL_LDFLAGS += $(static) $(relr)
LIBS := $(libs) -lm -lpthread -Wl,--end-group
endif
else
ALL_LDFLAGS += -pie
LIBS := $(shell printf 'int main(void){return 0;}' | $(CC) -xc - $(archives) -lmnl -lm -o /dev/null 2>/dev/null \
	&& echo '$(archives) -lmnl -lpthread' || echo '$(LIBS_DYNAMIC)')
endif

# The form that is installed, tested and measured: the release form if it can be linked.
# RELEASE=bin selects the other one.
ifndef RELEASE
RELEASE := $(shell printf 'int main(void){return 0;}' | $(CC) -xc - $(static) -l:libnftnl.a -l:libnl-route-3.a \
	-l:libnl-3.a -l:libjansson.a -o /dev/null 2>/dev/null && echo $(STATIC_DIR)/)bin
endif

# The version is in the file VERSION.  The commit is git's, or that of the source archive, which has
# it in the file COMMIT.
VERSION := $(shell cat VERSION)
COMMIT  := $(shell cat COMMIT 2>/dev/null || { test -e .git && git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null; })

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(COMPAT:%=$(BUILD)/compat/%.o)

# The helper of the IPAM plugin cluster: an executable of its own, never static, where libcurl is.
HELPER_SOURCES := $(if $(shell pkg-config --exists libcurl 2>/dev/null && echo yes),$(wildcard ipam/cluster/helper/*.c))
HELPER_OBJECTS := $(HELPER_SOURCES:%.c=$(BUILD)/%.o)
HELPER := $(if $(filter 1,$(STATIC)),,$(if $(HELPER_SOURCES),$(BIN)/cplug-etcd))

##@ Building
all: $(BIN)/cplug $(NAMES:%=$(BIN)/%) $(HELPER) ## build bin/: cplug and a hard link for every plugin, and cnitool

# lib/ is an archive: the linker takes the modules that a plugin uses, and of the libraries what
# those use.
LIB := $(BUILD)/lib.a
$(LIB): $(filter $(BUILD)/lib/%,$(OBJECTS))
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BIN)/cplug: $(filter-out $(BUILD)/lib/%,$(OBJECTS)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o %.a,$^) $(ALL_LDFLAGS) $(LIBS)
	$(if $(filter 1,$(STATIC)),$(Q)$(STRIP) $@)

$(BIN)/cplug-etcd: $(HELPER_OBJECTS) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o %.a,$^) $(ALL_LDFLAGS) $(LIBS) -lcurl

$(NAMES:%=$(BIN)/%): $(BIN)/cplug
	$(Q)ln -f $< $@

# Objects of another compiler, C library or other flags are compiled again.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' >$@
FORCE:

# Only this object knows them.
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' >$@
$(BUILD)/lib/cni/version.o: $(BUILD)/version
$(BUILD)/lib/cni/version.o: ALL_CFLAGS += -DCPLUG_VERSION=$(VERSION) $(COMMIT:%=-DCPLUG_COMMIT=%)

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The time of a call is spent in libraries, in the start, and in the words that every call uses: the
# JSON cursor.  All else is made small (and COLD functions of these): 92 kB less, for 2 % more instructions.
# The replacements of compat/ are linked as they are, because the C library's start calls them.
fast := $(addprefix $(BUILD)/,main.o compat/% lib/value/cj.o)
ifeq ($(STATIC),1)
$(BUILD)/%.o: ALL_CFLAGS += $(if $(filter $(fast),$@),,$(smallest) $(plain)) $(if $(filter $(BUILD)/compat/%,$@),,$(lto))
endif

-include $(OBJECTS:.o=.d) $(HELPER_OBJECTS:.o=.d)

static: $(HELPER) ## the release form: one stripped static executable, build/static/bin
	+$(Q)$(MAKE) --no-print-directory STATIC=1 all
	$(if $(HELPER),$(Q)ln -f $(HELPER) $(STATIC_DIR)/bin/ 2>/dev/null || cp $(HELPER) $(STATIC_DIR)/bin/)

release: $(if $(filter $(STATIC_DIR)/bin,$(RELEASE)),static,all)

# contrib/setup copies, and refuses to replace executables that are not cplug's (FORCE=1).
setup = DESTDIR='$(DESTDIR)' BINDIR='$(BINDIR)' CONFDIR='$(CONFDIR)' SBINDIR='$(SBINDIR)' MANDIR='$(MANDIR)' \
	SHAREDIR='$(SHAREDIR)' ZSHDIR='$(ZSHDIR)' SYSTEMDDIR='$(SYSTEMDDIR)' NETAVARKDIR='$(NETAVARKDIR)' FORCE='$(FORCE)' NAMES='$(NAMES)' contrib/setup

install: release ## install to DESTDIR: BINDIR=/opt/cni/bin, CONFDIR=/etc/cni/net.d; units to SYSTEMDDIR; FORCE=1
	$(Q)$(setup) install $(RELEASE)/cplug

uninstall: ## remove what make install has installed, and nothing else
	$(Q)$(setup) uninstall

deps: ## install what is missing for building and testing (apt, dnf, apk, pacman)
	@:

clean: ## remove build products
	rm -rf build bin

.PHONY: all static release install uninstall deps clean FORCE

include tests/tests.mk
include bench/bench.mk

##@ Packages
deb rpm: ## make a package for Debian (also for Ubuntu), or for rpm, in build/packages
	$(Q)contrib/packages/build $@

apk: ## write the APKBUILD and the source archive for Alpine's abuild, in build/packages/apk
	$(Q)contrib/packages/build $@

dist: ## make the static archives of a release for five architectures, in build/dist (as root)
	$(Q)contrib/packages/dist $(ARCHS)

image: release ## write an image for Kubernetes with what make dist has built, or this machine's form, in build/image
	$(Q)contrib/kubernetes/image $(RELEASE)/cnitool

.PHONY: deb rpm apk dist image

##@ Documentation
docs-site: ## make the documentation a site of plain HTML, in build/site
	$(Q)docs/site/build build/site

.PHONY: docs-site

##@ Help
help: ## this list
	@awk -F':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9 -]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: help
