#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 9: seconds of IPv6 duplicate address detection before anything works
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":5353,"containerPort":53,"protocol":"udp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# tentative NS IFNAME - addresses that cannot be used yet
tentative() {
	in_ns "$1" ip -6 -j address show dev "$2" tentative | jq -r '[.[].addr_info[]?.local] | join(" ")'
}

@test "pain 9: every address can be used when ADD returns, the bridge's own included" {
	new_netns c1
	add bridge "$CONF"
	is "$(tentative c1 eth0)" ''
	is "$(tentative - br1)" ''
	# There is one to be tentative, once the bridge has a carrier.
	wait_for "a link-local address" grep -q 'fe80.*br1' /proc/net/if_inet6
	is "$(tentative - br1)" ''
	# A service binds at once.
	in_ns c1 timeout 5 socat -u /dev/null 'UDP6-SENDTO:[fd00:1::1]:9,bind=[fd00:1::2]'
}

@test "pain 9: a router asks for the first container's address at once" {
	local seen=$BATS_TEST_TMPDIR/seen

	new_netns c1
	# Whoever forwards needs a link-local address of its own to ask from.
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
	# A single datagram; the kernel queues some, and drops them after three questions.
	echo question | in_ns out socat -u - 'UDP6:[2001:db8:9::1]:5353'
	wait_for "the datagram" grep -q question "$seen"
}

@test "pain 9: the gateway of a VLAN, too" {
	has_vlan_filtering || skip "this kernel's bridges know no VLANs"
	new_netns c1
	add bridge "$(with "$CONF" '.vlan = 7')"
	is "$(tentative - br1.7)" ''
}
