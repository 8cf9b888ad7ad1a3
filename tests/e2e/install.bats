#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# make install and make uninstall touch only files of cplug.
load lib

prepare() {
	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root/opt/cni/bin"
	cd "$CPLUG_TOP" || return
}

# setup_cplug install|uninstall [NAME=VALUE...] - as make does, without building
setup_cplug() {
	local verb=$1

	shift
	status=0
	output=$(env DESTDIR="$root" BINDIR=/opt/cni/bin CONFDIR=/etc/cni/net.d SBINDIR=/usr/local/bin \
		MANDIR=/usr/share/man SYSTEMDDIR=/usr/lib/systemd/system NETAVARKDIR=/usr/lib/netavark FORCE= NAMES="bridge host-local cnitool" "$@" \
		contrib/setup "$verb" "$CPLUG_BIN/cplug" 2>&1) || status=$?
	printf '%s\n' "$output"
}

files() {
	(cd "$root" && find . ! -type d | sort)
}

@test "install: installs hard links, pages and units, and uninstall removes exactly these" {
	echo other >"$root/opt/cni/bin/bandwidth"
	setup_cplug install
	is "$status" 0
	[[ $root/opt/cni/bin/bridge -ef $root/opt/cni/bin/cplug && -x $root/opt/cni/bin/host-local ]]
	is "$(readlink "$root/usr/local/bin/cnitool")" /opt/cni/bin/cnitool
	is "$(readlink "$root/usr/lib/netavark/cplug")" /opt/cni/bin/cplug
	contains "$(files)" 'man8/cplug-bridge.8'
	contains "$(files)" 'system/cplug-gc.timer'
	contains_not "$(files)" 'cplug-new'
	# Again, over itself.
	setup_cplug install
	is "$status" 0
	setup_cplug uninstall
	is "$status" 0
	is "$(files)" ./opt/cni/bin/bandwidth
	setup_cplug uninstall
	is "$status" 0
}

@test "install: the reference's files are replaced only with FORCE=1, and uninstall leaves them" {
	printf '#!/bin/sh\necho reference\n' >"$root/opt/cni/bin/bridge"
	chmod +x "$root/opt/cni/bin/bridge"
	setup_cplug install
	is "$status" 1
	contains "$output" 'belong to other programs'
	contains "$output" '/opt/cni/bin/bridge$'
	contains "$output" 'FORCE=1, after reading docs/upgrade.md'
	is "$(files)" ./opt/cni/bin/bridge
	setup_cplug uninstall
	contains "$output" 'bridge stays: it does not belong to cplug'
	is "$(files)" ./opt/cni/bin/bridge
	# Beside them.
	setup_cplug install BINDIR=/opt/cplug/bin
	is "$status" 0
	is "$("$root/opt/cni/bin/bridge")" reference
	is "$(readlink "$root/usr/local/bin/cnitool")" /opt/cplug/bin/cnitool
	contains "$(cat "$root/usr/share/man/man8/cplug.8")" '/opt/cplug/bin'
	contains "$(cat "$root/usr/lib/systemd/system/cplug-restore.service")" '/opt/cplug/bin/cnitool restore'
	setup_cplug uninstall BINDIR=/opt/cplug/bin
	is "$(files)" ./opt/cni/bin/bridge
	setup_cplug install FORCE=1
	is "$status" 0
	[[ $root/opt/cni/bin/bridge -ef $root/opt/cni/bin/cplug ]]
}

@test "install: the reference's cnitool in SBINDIR is not replaced without FORCE=1 either" {
	mkdir -p "$root/usr/local/bin"
	echo reference >"$root/usr/local/bin/cnitool"
	setup_cplug install
	is "$status" 1
	is "$(files)" ./usr/local/bin/cnitool
	setup_cplug install FORCE=1
	is "$status" 0
	is "$(readlink "$root/usr/local/bin/cnitool")" /opt/cni/bin/cnitool
}
