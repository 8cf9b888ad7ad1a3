#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# IPv6 addresses are unusable for seconds because of duplicate address detection (DAD).
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":5353,"containerPort":53,"protocol":"udp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# tentative NS IFNAME - prints the addresses that are still subject to DAD
tentative() {
	local json

	json=$(in_ns "$1" ip -6 -j address show dev "$2" tentative) || return
	jq -r '[.[].addr_info[]?.local] | join(" ")' <<<"$json"
}

@test "dad: no address of container or bridge is tentative when ADD returns" {
	new_netns c1
	add bridge "$CONF"
	prints '' tentative c1 eth0
	prints '' tentative - br1
	# The bridge has a link-local address only once it has a carrier.
	wait_for "a link-local address" grep -q 'fe80.*br1' /proc/net/if_inet6
	prints '' tentative - br1
	# A service can bind to the address immediately.
	in_ns c1 socat -u /dev/null 'UDP6-SENDTO:[fd00:1::1]:9,bind=[fd00:1::2]'
}

@test "dad: the host resolves the first container's address immediately" {
	local seen=$BATS_TEST_TMPDIR/seen

	new_netns c1
	# A forwarding host sends neighbour solicitations from its link-local address.
	add bridge "$CONF"
	in_ns c1 socat -u UDP6-RECVFROM:53 "OPEN:$seen,creat" 3>&- 4>&- &
	wait_for "a server" in_ns c1 bash -c 'ss -Hnlu "sport = :53" | grep -q .'
	new_netns out
	ip link add out0 type veth peer name eth0 netns out
	ip link set out0 addrgenmode none up
	ip address add 2001:db8:9::1/64 dev out0 nodad
	in_ns out ip link set eth0 addrgenmode none up
	in_ns out ip address add 2001:db8:9::2/64 dev eth0 nodad
	wait_for "the wire" in_ns out ip -6 route get 2001:db8:9::1
	# A single datagram: the kernel queues it, and drops it after three solicitations.
	echo question | in_ns out socat -u - 'UDP6:[2001:db8:9::1]:5353'
	wait_for "the datagram" grep -q question "$seen"
}

@test "dad: the gateway address of a VLAN is not tentative when ADD returns" {
	has_vlan_filtering || skip "this kernel has no bridge VLAN filtering"
	new_netns c1
	add bridge "$(with "$CONF" '.vlan = 7')"
	prints '' tentative - br1.7
}
