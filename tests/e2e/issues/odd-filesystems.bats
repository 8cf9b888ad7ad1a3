#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A limit of file sizes, and data directories without hard links (exFAT, some NFS and FUSE servers).

load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"dns":{"nameservers":["10.0.0.53"]},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
LEASES=/var/lib/cni/networks/net1

prepare() {
	warm_up bridge "$CONF"
	new_netns c1
	printf '%s' "$CONF" >/run/.rig/conf
}

# plugin COMMAND [PROGRAM...] - calls bridge, by PROGRAM; its answer goes through a pipe
plugin() {
	local command=$1

	shift
	CNI_COMMAND=$command CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		"$@" "$CPLUG_BIN/bridge" </run/.rig/conf 2>&1 | cat
	return "${PIPESTATUS[0]}"
}

@test "file size limit: ADD fails with an error, and is rolled back" {
	remember
	status=0
	output=$(ulimit -f 0 && plugin ADD) || status=$?
	failed 112 'File too large'
	no_link c1 eth0
	assert_same_snapshot
	output=$(plugin ADD)
	has '.ips[0].address == "10.1.0.3/24"'
	# DEL writes no file that grows.
	(ulimit -f 0 && plugin DEL)
	no_link c1 eth0
	[[ ! -e $LEASES/10.1.0.3 ]]
}

@test "file size limit: a delegate gets the signal as usual" {
	mkdir -p /run/.rig/bin
	cat >/run/.rig/bin/foreign <<-'END'
		#!/bin/sh
		grep SigIgn /proc/self/status >/run/.rig/ignored
		echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}]}'
	END
	chmod +x /run/.rig/bin/foreign
	CNI_PATH=/run/.rig/bin add bridge "$(with "$CONF" '.ipam = {type: "foreign"}')"
	is "$(cut -f2 /run/.rig/ignored)" "$(sed -n 's/^SigIgn:\t//p' /proc/self/status)"
}

@test "no hard links: ADD makes the lease and resolv.conf, and DEL removes them" {
	local errno address

	can_trace || skip "strace is not allowed"
	# shellcheck disable=SC2030,SC2031 # each test is a process
	export ASAN_OPTIONS+=:detect_leaks=0 # does not work under ptrace
	remember
	for errno in EPERM EOPNOTSUPP EMLINK; do
		output=$(plugin ADD strace -qq -o /dev/null -e trace=linkat -e inject=linkat:error=$errno)
		has '.ips[0].address | startswith("10.1.0.")'
		address=$(result '.ips[0].address')
		cmp "$LEASES/${address%/*}" <(printf 'c1\r\neth0')
		is "$(stat -c %a "$LEASES/${address%/*}")" 600
		grep -q '^nameserver 10.0.0.53' /etc/netns/c1/resolv.conf
		cni CHECK bridge "$(chained "$CONF")"
		ok
		cni ADD bridge "$CONF" c1 c1 eth1
		ok
		[[ $(result '.ips[0].address') != "$address" ]]
		del bridge "$CONF" c1 c1 eth1
		plugin DEL strace -qq -o /dev/null -e trace=linkat -e inject=linkat:error=$errno
		assert_same_snapshot
	done
	# The address of another lease is not taken.
	printf 'c9\r\neth0' >"$LEASES/${address%/*}"
	status=0
	output=$(CNI_ARGS=IP=${address%/*} plugin ADD strace -qq -o /dev/null -e trace=linkat -e inject=linkat:error=EPERM) || status=$?
	failed 104 'container c9'
}

@test "no hard links: a data directory on a FAT file system" {
	local conf

	type -P mkfs.vfat >/dev/null || skip "mkfs.vfat is not installed"
	grep -qw vfat /proc/filesystems || modprobe vfat 2>/dev/null || skip "this kernel has no vfat"
	truncate -s 4M /run/.rig/fat
	mkfs.vfat /run/.rig/fat >/dev/null
	mkdir /run/.rig/data
	mount -o loop /run/.rig/fat /run/.rig/data 2>/dev/null || skip "loop devices cannot be mounted"
	conf=$(with "$CONF" '.ipam.dataDir = "/run/.rig/data"')
	add bridge "$conf"
	has '.ips[0].address == "10.1.0.2/24"'
	cmp /run/.rig/data/net1/10.1.0.2 <(printf 'c1\r\neth0')
	del bridge "$conf"
	[[ ! -e /run/.rig/data/net1/10.1.0.2 ]]
	umount /run/.rig/data
}

@test "interface names with % are refused by name, because the kernel would expand them" {
	local key

	remember
	cni ADD bridge "$CONF" c1 c1 'eth%d'
	failed 4 'contains %'
	for key in bridge hostIfName; do
		cni ADD bridge "$(with "$CONF" ".$key = \"x%d\"")"
		failed 7 "$key: .*contains %"
	done
	cni ADD macvlan "$(with "$CONF" '.type = "macvlan" | .master = "x%d"')"
	failed 7 'master: .*contains %'
	assert_same_snapshot
}

@test "no hard links: a process that holds the lock of the temporary file does not stop ADD for ever" {
	local folder=/etc/netns/c1

	can_trace || skip "strace is not allowed"
	# shellcheck disable=SC2030,SC2031 # each test is a process
	export ASAN_OPTIONS+=:detect_leaks=0 # does not work under ptrace
	mkdir -p "$folder"
	exec {held}>"$folder/.resolv.conf.cplug-new"
	flock "$held"
	status=0
	output=$(CNI_TEST_LOCK_TIMEOUT_MS=200 plugin ADD timeout 20 strace -qq -o /dev/null -e trace=linkat \
		-e inject=linkat:error=EPERM) || status=$?
	exec {held}>&-
	is "$status" 0
	contains "$output" "lock $folder/.resolv.conf.cplug-new: held by .* .the container goes without resolv.conf"
}
