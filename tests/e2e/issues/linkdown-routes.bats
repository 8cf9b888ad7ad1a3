#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ignore_routes_with_linkdown, a default of FRR and Cumulus: the kernel passes over routes of
# links without carrier, and a new bridge has none.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local",
	"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

setup() {
	sysctl_set net/ipv4/conf/all/ignore_routes_with_linkdown 1
	sysctl_set net/ipv6/conf/all/ignore_routes_with_linkdown 1
}

@test "linkdown routes: the first container starts, with and without a default route" {
	new_netns c1 c2
	add bridge "$CONF"
	sees c1 10.1.0.1
	sees c1 fd00:1::1
	del bridge "$CONF"
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip address add 192.0.2.2/24 dev up0
	ip -6 address add 2001:db8::2/64 dev up0 nodad
	ip route add default via 192.0.2.1
	ip -6 route add default via 2001:db8::1
	add bridge "$CONF"
	add bridge "$CONF" c2
	sees c1 10.1.0.1
	sees c1 "$(jq -r '.ips[0].address | split("/")[0]' <<<"$output")"
}

@test "linkdown routes: a route that hides the container is still an error" {
	new_netns c1
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip route add 10.1.0.0/28 dev up0
	cni ADD bridge "$CONF"
	failed 102 '10\.1\.0\.2 is reached through up0'
}
