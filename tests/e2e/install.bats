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
		MANDIR=/usr/share/man SHAREDIR=/usr/share ZSHDIR=/usr/share/zsh/site-functions SYSTEMDDIR=/usr/lib/systemd/system NETAVARKDIR=/usr/lib/netavark FORCE= NAMES="bridge host-local cnitool" "$@" \
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
	contains "$(files)" 'man5/cplug.conf.5'
	contains "$(files)" 'system/cplug-gc.timer'
	contains "$(files)" 'bash-completion/completions/cnitool$'
	contains "$(files)" 'zsh/site-functions/_cnitool$'
	contains "$(files)" 'fish/vendor_completions.d/cnitool.fish$'
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
	contains "$output" 'FORCE=1, after reading docs/migrating.md'
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

# ---- cnitool install, for images without a shell ----

cnitool() { "$CPLUG_BIN/cnitool" "$@"; }

# written FILE PATTERN PID - waits until a line of FILE matches, while PID lives
written() {
	until grep -qs "$2" "$1"; do
		kill -0 "$3" || return
		sleep 0.01
	done
}

@test "cnitool install: installs every name while plugins are called, and uninstall removes them" {
	local bin=$root/opt/cni/bin name

	cnitool install "$bin"
	for name in bridge host-local cnitool; do [[ $bin/$name -ef $bin/cplug ]]; done
	(while [[ ! -e $root/end ]]; do
		CNI_COMMAND=VERSION "$bin/bridge" <<<'{"cniVersion": "1.0.0"}' >/dev/null || echo failed >>"$root/failed"
		echo call >>"$root/calls"
	done) 3>&- &
	for _ in 1 2 3 4 5; do cnitool install "$bin"; done
	written "$root/calls" call $!
	touch "$root/end"
	wait $!
	[[ -s $root/calls && ! -e $root/failed ]]
	# No temporary name stays.
	is "$(find "$bin" -name '.*' -type f)" ''
	cmp "$CPLUG_BIN/cplug" "$bin/tap"
	run cnitool uninstall "$bin"
	is "$status" 0
	is "$output" "cplug is removed from $bin"
	is "$(files)" "$(printf '%s\n' ./calls ./end)"
}

@test "cnitool install: another suite's executables need --force, and come back" {
	local bin=$root/opt/cni/bin

	printf '#!/bin/sh\necho reference\n' >"$bin/bridge"
	chmod 755 "$bin/bridge"
	run ! cnitool install "$bin"
	contains "$output" 'has executables of another suite: bridge; nothing was installed'
	is "$(files)" ./opt/cni/bin/bridge
	cnitool install --force "$bin"
	[[ $bin/bridge -ef $bin/cplug ]]
	# Again, and of a newer version: what was kept stays kept.
	cnitool install --force "$bin"
	run cnitool uninstall "$bin"
	is "$status" 0
	is "$output" "cplug is removed from $bin; back again: bridge"
	is "$(files)" ./opt/cni/bin/bridge
	is "$("$bin/bridge")" reference
	run cnitool uninstall "$bin"
	is "$status" 0
	is "$output" "nothing of cplug is in $bin"
	# Neither what is not ours, nor a folder in the place of an executable.
	cnitool uninstall "$bin"
	is "$("$bin/bridge")" reference
	mkdir "$bin/dhcp"
	run ! cnitool install --force "$bin"
	contains "$output" 'dhcp: '
	is "$("$bin/bridge")" reference
}

@test "cnitool install: a program that was copied into one of the names is under all, and is not kept" {
	local bin=$root/opt/cni/bin

	printf '#!/bin/sh\necho reference\n' >"$bin/bridge"
	chmod 755 "$bin/bridge"
	cnitool install --force "$bin"
	# cp(1) writes into the file that all names are, as installers of other suites do.
	echo loopback >"$bin/loopback"
	is "$(<"$bin/cnitool")" loopback
	cnitool install "$bin"
	cmp "$CPLUG_BIN/cplug" "$bin/tap"
	echo loopback >"$bin/loopback"
	run cnitool uninstall "$bin"
	is "$status" 0
	is "$output" "cplug is removed from $bin; back again: bridge"
	is "$(files)" ./opt/cni/bin/bridge
	is "$("$bin/bridge")" reference
}

@test "cnitool install: another suite that is also called cplug needs --force, and comes back" {
	local bin=$root/opt/cni/bin

	printf '#!/bin/sh\necho reference\n' >"$bin/bridge"
	chmod 755 "$bin/bridge"
	ln "$bin/bridge" "$bin/cplug"
	run ! cnitool install "$bin"
	contains "$output" 'has executables of another suite: cplug bridge; nothing was installed'
	is "$("$bin/bridge")" reference
	cnitool install --force "$bin"
	# cplug has its name from now on; a copy into a name of cplug's is none of that suite.
	echo loopback >"$bin/loopback"
	run cnitool uninstall "$bin"
	is "$status" 0
	contains "$output" 'back again: (cplug, bridge|bridge, cplug)'
	is "$("$bin/bridge") $("$bin/cplug")" 'reference reference'
	run cnitool uninstall "$bin"
	is "$output" "nothing of cplug is in $bin"
}

@test "cnitool install: uninstall succeeds after a killed installation, and where another suite is back" {
	local bin=$root/opt/cni/bin n

	printf '#!/bin/sh\necho reference\n' >"$bin/bridge"
	cp "$bin/bridge" "$bin/portmap"
	cp -r "$bin" "$root/reference"
	cnitool install --force "$bin"
	install "$root/reference/bridge" "$bin/bridge"
	for n in 'cplug is removed from' 'nothing of cplug is in'; do
		run cnitool uninstall "$bin"
		is "$status" 0
		contains "$output" "^$n $bin.*; .cplug-replaced stays, with executables whose names another suite has"
	done
	is "$(<"$bin/bridge")" "$(<"$root/reference/bridge")"
	is "$(<"$bin/portmap")" "$(<"$root/reference/portmap")"
	is "$(ls "$bin/.cplug-replaced")" bridge
}

@test "cnitool install: --conf copies a network that can be read, and no other" {
	echo '{ "cniVersion": "1.0.0", "name": "pods", "plugins": [ { "type": "bridge" } ] }' >"$root/10-pods.conflist"
	echo '{ "name": ' >"$root/11-bad.conflist"
	cnitool install --conf "$root/10-pods.conflist" --net-conf-path "$root/net.d" "$root/opt/cni/bin"
	cmp "$root/10-pods.conflist" "$root/net.d/10-pods.conflist"
	run ! cnitool install --conf "$root/11-bad.conflist" --net-conf-path "$root/net.d" "$root/opt/cni/bin"
	is "$(ls "$root/net.d")" 10-pods.conflist
	# What cannot be read is found before anything is installed.
	for file in "$root/11-bad.conflist" "$root/missing"; do
		run ! cnitool install --conf "$root/10-pods.conflist" --conf "$file" --net-conf-path "$root/new" "$root/bin"
		[[ ! -e $root/bin && ! -e $root/new ]]
	done
	contains "$output" 'missing: No such file or directory; nothing was installed'
}

@test "cnitool install: --wait stays until SIGTERM, and needs nothing but its own file" {
	local pid

	! readelf -l "$CPLUG_BIN/cplug" | grep -q INTERP || skip 'not the static executable'
	mkdir -p "$root/image/host"
	cp "$CPLUG_BIN/cplug" "$root/image/cnitool"
	unshare --root="$root/image" /cnitool install --wait /host >"$root/out" 2>&1 3>&- &
	pid=$!
	written "$root/out" 'is installed' "$pid"
	kill -0 "$pid"
	kill "$pid"
	wait "$pid"
	[[ $root/image/host/bridge -ef $root/image/host/cplug ]]
}
