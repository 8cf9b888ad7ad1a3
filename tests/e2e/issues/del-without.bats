#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# DEL leaks or fails if objects or arguments are missing.
load ../lib

BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":true,"dns":{"nameservers":["192.0.2.53"]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","snat":true,
	"capabilities":{"portMappings":true}}'
PORTS='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
	{"hostPort":5353,"containerPort":53,"protocol":"udp","hostIP":"127.0.0.1"}]}'


# has_lease ID - true if a lease file is the container's
has_lease() {
	grep -rq "^$1" /var/lib/cni/networks --include='10.*' --include='fd*'
}

# attach ID - ADD of bridge and portmap; RESULT is the chain's result.  Asserts that what nothing_of
# looks for is there.
attach() {
	ip netns add "$1"
	add bridge "$BRIDGE" "$1"
	add portmap "$(chained "$(with "$PORTMAP" ".runtimeConfig = $PORTS")")" "$1"
	RESULT=$output
	has_lease "$1"
	contains "$(nft list ruleset)" "/$1/eth0"
	[[ -e /etc/netns/$1 ]]
}

# nothing_of ID - asserts that no lease, nftables element, file or veth pair is left
nothing_of() {
	! has_lease "$1" || fail "a lease of $1"
	prints_not "/$1/eth0" nft list ruleset
	[[ ! -e /etc/netns/$1 ]] || fail "a resolv.conf of $1"
	prints '' ip -br link show type veth
}

# twice [NETNS [FILTER]] - DEL of the chain, twice; FILTER (jq) changes the configurations
twice() {
	for _ in 1 2; do
		del portmap "$(with "$PORTMAP" "${2-.}")" c1 "${1-c1}"
		del bridge "$(with "$BRIDGE" "${2-.}")" c1 "${1-c1}"
	done
	nothing_of c1
}

# Create the shared objects.
prepare() {
	attach c1
	twice
	ip netns del c1
}

@test "DEL: complete arguments, twice" {
	remember
	attach c1
	twice c1 ".runtimeConfig = $PORTS | .prevResult = $RESULT"
	ip netns del c1
	assert_same_snapshot
}

@test "DEL: without CNI_NETNS, prevResult and runtimeConfig, before and after the namespace is deleted" {
	remember
	attach c1
	ip netns del c1
	twice ''
	wait_for "deletion of the veth pair" assert_same_snapshot
	assert_same_snapshot
	attach c1
	twice ''
	ip netns del c1
	assert_same_snapshot
}

@test "DEL: CNI_NETNS does not exist, or is not a namespace" {
	remember
	attach c1
	ip netns del c1
	twice /run/netns/c1
	assert_same_snapshot
	attach c1
	umount /run/netns/c1 # leaves the file
	twice /run/netns/c1
	rm /run/netns/c1
	assert_same_snapshot
}

@test "DEL: the veth pair was deleted, at either end" {
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

@test "DEL: the bridge was deleted" {
	attach c1
	ip link del br1
	twice
	ip netns del c1
	attach c1 # creates the bridge again
	twice ''
}

@test "DEL: the nftables tables were deleted, or the ruleset flushed" {
	attach c1
	nft delete table inet cplug
	nft delete table bridge cplug
	twice
	ip netns del c1
	attach c1
	nft flush ruleset
	twice ''
	prints '' nft list ruleset
	ip netns del c1
}

@test "DEL: leases and resolv.conf were deleted" {
	remember
	attach c1
	rm -r /var/lib/cni/networks /etc/netns/c1
	twice
	ip netns del c1
	assert_same_snapshot
}

@test "DEL: prevResult is empty, of another attachment, or invalid" {
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

@test "DEL: and GC, with a path of the DHCP daemon that is too long for a socket" {
	local command conf

	conf='{"cniVersion":"1.1.0","name":"net1","type":"macvlan","cni.dev/valid-attachments":[],
		"ipam":{"type":"dhcp","daemonSocketPath":"/'$(printf '%0200d' 0)'"}}'
	for command in DEL GC; do
		cni "$command" dhcp "$conf"
		ok
		contains "$errors" 'daemonSocketPath: .* is longer than 107 bytes \(so it has no lease\)'
	done
	cni STATUS dhcp "$conf"
	failed 50 'daemonSocketPath'
}
