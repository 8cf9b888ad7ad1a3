#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses of containers that died without DEL are never freed.
#
# kills.bats sends SIGKILL at random instants, reclaim.bats tests each case.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","ipMasq":true,
	"isDefaultGateway":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/28"}}'
CAPACITY=13

reclaims() {
	kernel_knows_netns ||
		skip 'before Linux 6.18 liveness is known only in the initial PID namespace (reclaim.bats)'
}

# all_fit PREFIX - asserts that as many containers as there are addresses get one, and no more
all_fit() {
	local i

	for ((i = 0; i < CAPACITY; i++)); do
		ip netns add "$1$i"
		add bridge "$CONF" "$1$i"
	done
	ip netns add "$1more"
	cni ADD bridge "$CONF" "$1more"
	failed 103 'no IP addresses available'
}

@test "lost addresses: ADD reclaims the addresses of many containers that died without DEL" {
	local i

	reclaims
	for ((i = 0; i < 3 * CAPACITY; i++)); do
		ip netns add "dead$i"
		add bridge "$CONF" "dead$i"
		end_netns "dead$i"
	done
	all_fit new
	sees new5 10.1.0.1
}

@test "lost addresses: ADD does not reclaim the address of a living container" {
	local i

	ip netns add living
	add bridge "$CONF" living
	for ((i = 1; i < CAPACITY; i++)); do
		ip netns add "dead$i"
		add bridge "$CONF" "dead$i"
		end_netns "dead$i"
	done
	ip netns add new
	cni ADD bridge "$CONF" new
	((status)) || has '.ips[0].address != "10.1.0.2/28"'
	is "$(addresses living eth0)" 10.1.0.2/28
	grep -q living /var/lib/cni/networks/net1/10.1.0.2
	sees living 10.1.0.1
}

@test "lost addresses: after a boot ADD reclaims all addresses, and reports it" {
	local i

	all_fit old
	for ((i = 0; i < CAPACITY; i++)); do ip netns del "old$i"; done
	ip link del br1
	echo 11111111-2222-3333-4444-555555555555 >/run/.rig/boot_id
	mount --bind /run/.rig/boot_id /proc/sys/kernel/random/boot_id
	ip netns add first
	add bridge "$CONF" first
	contains "$errors" 'reclaimed 10.1.0.[0-9]* of container old[0-9]* \(eth0\): it was made before the machine booted'
	del bridge "$CONF" first
	all_fit new
}

@test "lost addresses: GC frees addresses without a valid attachment" {
	local i conf

	ip netns add living
	add bridge "$CONF" living
	remember leases
	for ((i = 1; i < CAPACITY; i++)); do
		ip netns add "dead$i"
		add bridge "$CONF" "dead$i"
		ip netns del "dead$i"
	done
	is "$(grep -l dead /var/lib/cni/networks/net1/10.* | wc -l)" $((CAPACITY - 1))
	conf=$(with "$CONF" '. + {"cni.dev/valid-attachments": [{"containerID": "living", "ifname": "eth0"}]}')
	cni GC bridge "$conf" '' ''
	ok
	wait_for "deletion of the veth pairs" assert_same_snapshot leases
	assert_same_snapshot leases
}
