#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Another program breaks the bridge between two ADDs.
#
# ADD repairs it, or fails without a change and names the conflicting address, link or route.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd01::/64"}]]}}'

prepare() {
	new_netns c1 c2
	add bridge "$CONF"
}

@test "broken bridge: ADD restores the bridge's deleted addresses" {
	ip address flush dev br1
	sees_not c1 10.1.0.1
	add bridge "$CONF" c2
	is "$(addresses - br1)" '10.1.0.1/24 fd01::1/64'
	sees c1 10.1.0.1
	sees c2 fd01::1
	in_ns c1 ping -n -q -c 1 -W "$RIG_DEADLINE" 10.1.0.3
}

@test "broken bridge: ADD sets the bridge up again, and creates it again" {
	ip link set br1 down
	add bridge "$CONF" c2
	sees c2 10.1.0.1
	sees c1 10.1.0.1
	ip link del br1
	del bridge "$CONF" c2
	add bridge "$CONF" c2
	sees c2 fd01::1
}

@test "broken bridge: ADD turns IP forwarding on again" {
	world
	echo 0 >/proc/sys/net/ipv4/ip_forward
	echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
	sees_not c1 203.0.113.2
	add bridge "$CONF" c2
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
}

@test "broken bridge: after a change of the subnet ADD fails, or replaces the address with forceAddress" {
	local conf

	conf=$(with "$CONF" '.ipam.ranges = [[{subnet: "10.2.0.0/24"}], [{subnet: "fd01::/64"}]]')
	remember
	cni ADD bridge "$conf" c2
	failed 102 '"br1" already has an IP address different from 10\.2\.0\.1/24: 10\.1\.0\.1/24 \(remove it, set forceAddress'
	assert_same_snapshot
	add bridge "$(with "$conf" '.forceAddress = true')" c2
	is "$(addresses - br1)" '10.2.0.1/24 fd01::1/64'
	sees c2 10.2.0.1
}

@test "broken bridge: ADD fails if a more specific host route covers the container's address" {
	ip link add mine type veth peer name yours
	ip link set mine up
	ip link set yours up
	ip route add 10.1.0.0/29 dev mine
	remember
	cni ADD bridge "$CONF" c2
	failed 102 '10\.1\.0\.3 is reached through mine, not through br1, by the route 10\.1\.0\.0/29 .*another subnet'
	assert_same_snapshot
	ip route del 10.1.0.0/29 dev mine
	ip -6 route add blackhole fd01::/120
	remember
	cni ADD bridge "$CONF" c2
	failed 102 'fd01::3 is not reached through br1: a route or rule rejects it'
	assert_same_snapshot
	ip -6 route del blackhole fd01::/120
	add bridge "$CONF" c2
	sees c2 10.1.0.1
}

@test "broken bridge: ADD ignores host routes that do not cover the container's address" {
	ip link add mine type veth peer name yours
	ip link set mine up
	ip link set yours up
	ip route add 10.0.0.0/8 dev mine
	ip route add 10.1.0.128/25 dev mine
	add bridge "$CONF" c2
	sees c2 10.1.0.1
}

@test "broken bridge: ADD names the kind of the interface that has the bridge's name" {
	del bridge "$CONF"
	ip link del br1
	ip link add br1 type veth peer name other
	cni ADD bridge "$CONF" c2
	failed 102 'bridge br1: the name belongs to an interface that is not a bridge but a veth'
}

@test "broken bridge: ADD rejects an MTU below 1280 if bridge or container have IPv6 addresses" {
	local conf

	conf=$(with "$CONF" '.mtu = 1000')
	remember
	cni ADD bridge "$conf" c2
	failed 7 'mtu: .*IPv6 needs at least 1280'
	assert_same_snapshot
	cni ADD bridge "$(with "$conf" '.ipam = {type: "host-local", subnet: "10.1.0.0/24"}')" c2
	failed 7 'mtu: 1000 would take fd01::1/64 from bridge br1'
	assert_same_snapshot
	add bridge "$(with "$conf" '.bridge = "br2" | .name = "net2" | .ipam = {type: "host-local", subnet: "10.2.0.0/24"}')" c2
	sees c2 10.2.0.1
	cni ADD bridge "$(with "$conf" '.bridge = "br3"  | .name = "net3"')" c2 c2 eth1
	failed 7 'mtu: 1000 is too small for fd01::2/64: IPv6 needs at least 1280'
}
