#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: the commands of docs/cluster.md, "Three nodes by hand", run on three nodes as they stand there
# shellcheck disable=SC2016 # scripts in single quotes

load cluster
# shellcheck source=tests/e2e/recipes.bash
source "$CPLUG_TOP/tests/e2e/recipes.bash"

FOLDERS=(/etc/cplug /etc/cni /etc/bird /var/lib/cni /var/lib/etcd /run/bird /opt/cni/bin)
declare -A PID=()

# start_node N - a namespace with the address 192.0.2.1N, whose folders are its own
start_node() {
	local name=n$1

	wire "$name" "192.0.2.1$1" 24
	nsenter --net="/run/netns/$name" -- unshare --mount --propagation private sleep infinity 3>&- 4>&- &
	PID[$1]=$!
	# Before unshare executes sleep, the mounts of its new namespace still are the test's, too.
	wait_for "the mount namespace of $name" bash -c '[[ $(</proc/$1/comm) == sleep ]]' - "${PID[$1]}"
	at "$1" 'for f in '"${FOLDERS[*]}"' /run/netns; do mount -t tmpfs -o mode=0755 tmpfs "$f"; done
		cp -l "$CPLUG_BIN"/* /opt/cni/bin 2>/dev/null || cp "$CPLUG_BIN"/* /opt/cni/bin'
}

# at N COMMAND - runs a command of a shell on a node, in the folder of the sources
at() {
	nsenter --net --mount -t "${PID[$1]}" -- env N="$1" PATH="/opt/cni/bin:$PATH" bash -euc "cd $CPLUG_TOP; $2" 3>&- 4>&-
}

reaches() {
	at "$1" "ip netns exec c$1 ping -n -q -c 1 -W 1 $2"
}

# start_nodes SECTION [PROGRAM...] - writes the commands of the page's section to W, and starts three nodes
start_nodes() {
	local n folder

	need_cluster "${@:2}"
	W=$BATS_TEST_TMPDIR/blocks
	mkdir "$W"
	PAGE=$CPLUG_TOP/docs/cluster.md blocks "$1"
	for folder in "${FOLDERS[@]}"; do [[ $folder == /run/* ]] || private_folder "$folder"; done
	mkdir -p /run/bird
	ip link add wire type bridge
	ip link set wire up
	for n in 1 2 3; do start_node "$n"; done
}

@test "by hand: ten commands on three nodes make a cluster" {
	local n command
	local -a commands address

	start_nodes "Three nodes by hand" bird
	mapfile -t commands <"$W/01.sh"
	is "${#commands[@]}" 10
	for command in "${commands[@]}"; do
		for n in 1 2 3; do
			printf 'n%d# %s\n' "$n" "$command"
			at "$n" "$command" >"$BATS_TEST_TMPDIR/out.$n"
		done
	done
	for n in 1 2 3; do
		address[n]=$(jq -r '.ips[0].address | split("/")[0]' "$BATS_TEST_TMPDIR/out.$n")
		[[ ${address[n]} == 10.40.* ]]
	done
	for n in 1 2 3; do
		wait_for "the way to n$((n % 3 + 1))" reaches "$n" "${address[n % 3 + 1]}"
	done
	for n in 1 2 3; do
		at "$n" 'cnitool del cluster "c$N"; cnitool gc'
		output=$(at "$n" 'cnitool cluster list')
	done
	has '.blocks == []'
}

@test "by hand: certificates, and a user of etcd" {
	local n

	start_nodes "With TLS, and a user of etcd" openssl
	at 1 "$(<"$W/01.sh")" 2>/dev/null
	is "$(at 1 'cd /etc/cplug && ls')" "$(printf '%s\n' ca-key.pem etcd-ca.pem etcd-client-key.pem etcd-client.pem etcd-server-key.pem etcd-server.pem)"
	for n in 2 3; do at 1 'cd /etc/cplug && tar c etcd-*' | at "$n" 'cd /etc/cplug && tar x'; done
	for n in 1 2 3; do at "$n" "$(grep -v cnitool "$W/02.sh")"; done
	for n in 1 2 3; do
		wait_for "etcd, for n$n" at "$n" "$(grep cnitool "$W/02.sh")"
		at "$n" 'mkdir -p /etc/cni/net.d; cp contrib/cluster/10-cluster.conflist /etc/cni/net.d/'
	done
	at 1 'ip netns add c1; cnitool add --quiet cluster c1'
	at 1 "$(<"$W/03.sh")"
	run ! at 1 'cnitool cluster list'
	contains "$output" 'user name is empty'
	for n in 1 2 3; do
		output=$(at "$n" "$(<"$W/04.sh")")
		has '.nodes == {n1: 2}'
	done
	at 1 'cnitool del cluster c1; cnitool gc'
	output=$(at 2 'cnitool cluster list')
	has '.blocks == []'
}
