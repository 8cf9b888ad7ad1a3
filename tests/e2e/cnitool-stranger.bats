#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A namespace at the path of a dead container (a reused process number or name) is not the
# container's: cnitool neither plugs nor unplugs it.  On networks without leases.
load lib
load cnitool

L2='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1"}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$L2"
}

# sleeper [PID] - starts a process in a new network namespace, with that number; sets pid
sleeper() {
	if [[ ${1-} ]]; then
		echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid || skip "needs ns_last_pid"
	fi
	unshare --net sleep 1000 3>&- &
	pid=$!
	wait_for "its namespace" has_own_netns "$pid"
}

has_own_netns() {
	[[ $(readlink /proc/self/ns/net) != "$(readlink "/proc/$1/ns/net")" ]]
}

# reuse - a container of net1 dies, and a stranger gets its process number; sets pid
reuse() {
	local first

	sleeper
	first=$pid
	tool add -q net1 "$pid"
	ok
	foresee_end "$pid"
	kill -9 "$pid"
	wait "$pid" || true
	await_end "$pid"
	sleeper "$first"
	[[ $pid == "$first" ]] || skip "the process number was taken"
}

cached() {
	ls /var/lib/cni/results
}

# identity FILTER - changes the identity in every cached result
identity() {
	local file

	for file in /var/lib/cni/results/*; do
		jq -c "$1" "$file" >"$BATS_TEST_TMPDIR/x"
		cp "$BATS_TEST_TMPDIR/x" "$file"
	done
}

@test "stranger: restore does not plug a process that got the number of a dead container" {
	reuse
	tool restore
	ok
	is "$output" ''
	no_link "/proc/$pid/ns/net" eth0
	tool check --repair net1 "$pid"
	is "$status" 1
	contains "$errors" 'leads to another network namespace than that of eth0 on network "net1"'
	tool check net1 "$pid"
	is "$status" 1
	contains "$errors" 'leads to another network namespace'
	no_link "/proc/$pid/ns/net" eth0
	tool list
	contains "$output" 'gone: cnitool gc'
}

@test "stranger: the same inode number with another cookie is another namespace" {
	reuse
	identity ".cplug.netnsInode = $(stat -Lc %i "/proc/$pid/ns/net")"
	tool restore
	ok
	no_link "/proc/$pid/ns/net" eth0
	tool check net1 "$pid"
	is "$status" 1
	contains "$errors" 'leads to another network namespace'
}

@test "stranger: gc removes the attachment, del and detach too, and the stranger's eth0 stays" {
	local verb

	for verb in gc "del net1" "detach net1"; do
		reuse
		ip -n "$(ip netns attach st "$pid" && echo st)" link add eth0 type bridge
		if [[ $verb == gc ]]; then
			tool gc
		else
			# shellcheck disable=SC2086 # words
			tool $verb "$pid"
		fi
		ok
		[[ $verb != gc ]] || contains "$output" "is gone: /proc/$pid/ns/net leads to another one"
		prints '' cached
		link st eth0 true
		del_netns st
		kill -9 "$pid"
		wait "$pid" || true
	done
}

@test "stranger: plugins get DEL without the namespace" {
	# A plugin that notes the namespace of each DEL.
	cat >"$BATS_TEST_TMPDIR/noted" <<-'END'
		#!/bin/bash
		[[ $CNI_COMMAND != DEL ]] || echo "DEL netns=$CNI_NETNS" >>"${0%/*}/calls"
		[[ $CNI_COMMAND != ADD ]] || echo '{"cniVersion":"1.1.0"}'
	END
	chmod +x "$BATS_TEST_TMPDIR/noted"
	CNI_PATH=$BATS_TEST_TMPDIR
	net '{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"noted"}]}'
	plug c1
	tool del net1 c1
	ok
	is "$(cat "$BATS_TEST_TMPDIR/calls")" 'DEL netns=/run/netns/c1'
	for verb in gc 'del net1 c1'; do
		tool add -q net1 c1
		ok
		end_netns c1
		new_netns c1
		# shellcheck disable=SC2086 # words
		tool $verb
		ok
		is "$(tail -n 1 "$BATS_TEST_TMPDIR/calls")" 'DEL netns='
	done
}

@test "stranger: add to the new namespace removes the old attachment first" {
	reuse
	tool add -q net1 "$pid"
	ok
	link "/proc/$pid/ns/net" eth0 true
	is "$(ip -j link show type veth | jq length)" 1
	tool check net1 "$pid"
	ok
	tool del net1 "$pid"
	ok
	no_link "/proc/$pid/ns/net" eth0
}

@test "stranger: attach does not take the id of a dead container, whose name was given again" {
	plug c1 --id old
	del_netns c1
	new_netns c1
	tool attach -q net1 c1
	ok
	tool list --json
	has '[.networks[].attachments[] | select(.alive) | .containerID] | length == 1 and .[0] != "old"'
}

@test "stranger: an attachment of another boot is gone" {
	plug c1
	identity '.cplug.boot = "00000000-0000-4000-8000-000000000000"'
	in_ns c1 ip link del eth0
	tool restore
	ok
	no_link c1 eth0
	tool gc
	ok
	prints '' cached
}

@test "stranger: gc keeps an attachment whose path is gone, but whose namespace lives" {
	sleeper
	tool add -q net1 "$pid"
	ok
	ip netns attach st "$pid"
	kill -9 "$pid"
	wait "$pid" || true
	tool gc
	ok
	is "$output" ''
	link st eth0 true
	end_netns st
	tool gc
	ok
	contains "$output" 'removed eth0'
	prints '' cached
}

@test "stranger: caches of older versions and of libcni, without identity, work" {
	plug c1
	plug c2
	identity 'del(.cplug)'
	tool check net1 c1
	ok
	in_ns c1 ip link del eth0
	tool restore
	ok
	link c1 eth0 true
	end_netns c2
	tool gc
	ok
	contains "$output" 'removed eth0 of .*: its network namespace /run/netns/c2 is gone'
	tool del net1 c1
	ok
	prints '' cached
}

@test "stranger: del with the path of the caller's own namespace takes it for gone" {
	sleeper
	tool add -q net1 "$pid" --id one
	ok
	ip link add eth0 type bridge
	tool del net1 /proc/self/ns/net --id one
	ok
	link - eth0 true
	prints '' cached
}

@test "stranger: add does not go on in a namespace that comes to the path while a plugin runs" {
	local dir=$BATS_TEST_TMPDIR/plugins

	mkdir "$dir"
	cat >"$dir/slow" <<-'END'
		#!/bin/bash
		request=$(cat)
		[[ $CNI_COMMAND == ADD ]] || exit 0
		umount "$CNI_NETNS"
		mount --bind /run/netns/v1 "$CNI_NETNS"
		jq .prevResult <<<"$request"
	END
	chmod +x "$dir/slow"
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1"},{"type":"slow"},
		{"type":"tuning","sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}}]}'
	new_netns c1 v1
	ip -n v1 link add eth0 type veth peer name p0
	tool add --cni-path "$CPLUG_BIN:$dir" net1 c1
	is "$status" 1
	contains "$errors" '/run/netns/c1 has come to another network namespace meanwhile'
	is "$(in_ns v1 sysctl -n net.ipv4.conf.eth0.arp_filter)" 0
	in_ns v1 ip link show eth0 >/dev/null
	is "$(cached)" ''
	is "$(ip -br link show master br1)" ''
}
