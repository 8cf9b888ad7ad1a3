#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 6: DEL leaks, or fails, when something is gone already
load ../lib

BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":true,"dns":{"nameservers":["192.0.2.53"]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","snat":true,
	"capabilities":{"portMappings":true}}'
PORTS='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
	{"hostPort":5353,"containerPort":53,"protocol":"udp","hostIP":"127.0.0.1"}]}'


# attach ID - the whole chain
attach() {
	ip netns add "$1"
	add bridge "$BRIDGE" "$1"
	add portmap "$(chained "$(with "$PORTMAP" ".runtimeConfig = $PORTS")")" "$1"
	RESULT=$output
}

# nothing_of ID - no lease, no link, no element, no file
nothing_of() {
	! grep -rq "^$1" /var/lib/cni/networks --include='10.*' --include='fd*' || fail "a lease of $1"
	contains_not "$(nft list ruleset)" "/$1/eth0"
	[[ ! -e /etc/netns/$1 ]] || fail "a resolv.conf of $1"
	is "$(ip -br link show type veth)" ''
}

# twice [NETNS [CONF-FILTER]] - DEL of the chain, and again
twice() {
	for _ in 1 2; do
		del portmap "$(with "$PORTMAP" "${2-.}")" c1 "${1-c1}"
		del bridge "$(with "$BRIDGE" "${2-.}")" c1 "${1-c1}"
	done
	nothing_of c1
}

# what is shared and stays
prepare() {
	attach c1
	twice
	ip netns del c1
}

@test "pain 06: everything is there" {
	remember
	attach c1
	twice c1 ".runtimeConfig = $PORTS | .prevResult = $RESULT"
	ip netns del c1
	assert_same_snapshot
}

@test "pain 06: no CNI_NETNS, prevResult, runtimeConfig, and the namespace is gone" {
	remember
	attach c1
	ip netns del c1
	twice ''
	wait_for "the link" assert_same_snapshot
	assert_same_snapshot
	attach c1
	twice ''
	ip netns del c1
	assert_same_snapshot
}

@test "pain 06: CNI_NETNS leads to nothing, or to something that is no namespace" {
	remember
	attach c1
	ip netns del c1
	twice /run/netns/c1
	assert_same_snapshot
	attach c1
	umount /run/netns/c1 # the file stays
	twice /run/netns/c1
	rm /run/netns/c1
	assert_same_snapshot
}

@test "pain 06: the container's end, or the host's, was deleted" {
	remember
	attach c1
	in_ns c1 ip link del eth0
	twice
	ip netns del c1
	assert_same_snapshot
	attach c1
	ip link del "$(jq -r '.interfaces[] | select(.name | startswith("veth")) | .name' <<<"$RESULT")"
	twice ''
	ip netns del c1
	assert_same_snapshot
}

@test "pain 06: the bridge was deleted" {
	attach c1
	ip link del br1
	twice
	ip netns del c1
	attach c1 # and it comes again
	twice ''
}

@test "pain 06: the tables were deleted, or the ruleset flushed" {
	attach c1
	nft delete table inet cplug
	nft delete table bridge cplug
	twice
	ip netns del c1
	attach c1
	nft flush ruleset
	twice ''
	is "$(nft list ruleset)" ''
	ip netns del c1
}

@test "pain 06: leases and resolv.conf were deleted" {
	remember
	attach c1
	rm -r /var/lib/cni/networks /etc/netns/c1
	twice
	ip netns del c1
	assert_same_snapshot
}

@test "pain 06: prevResult is of somebody else, empty, or nonsense" {
	remember
	attach c1
	twice c1 '.prevResult = {cniVersion: "1.1.0"}'
	ip netns del c1
	assert_same_snapshot
	attach c1
	twice c1 '.prevResult = {cniVersion: "1.1.0", ips: [{address: "192.0.2.1/24"}], interfaces: [{name: "x"}]}'
	ip netns del c1
	assert_same_snapshot
	attach c1
	cni DEL portmap "$(with "$PORTMAP" '.prevResult = "nonsense"')"
	ok
	cni DEL bridge "$(with "$BRIDGE" '.prevResult = {cniVersion: "1.1.0", ips: 5}')"
	ok
	twice ''
	ip netns del c1
	assert_same_snapshot
}
