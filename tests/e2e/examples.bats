#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Each file of conf-examples/ works: cnitool add, check, traffic, del.
load lib
# shellcheck source=tests/tools/chain.bash
source "$RIG_TOOLS/chain.bash"

EXAMPLES=$CPLUG_TOP/conf-examples

# tool VERB [ID] - calls cnitool for the example's network and container c1
tool() {
	NETCONFPATH=$EXAMPLES CNI_PATH=$CPLUG_BIN CAP_ARGS=$(jq -c '.capArgs // {}' "$file") \
		"$CPLUG_BIN/cnitool" "$1" "$(jq -r .name "$file")" "/run/netns/${2-c1}"
}

# example NAME [COMMAND] - add, check, COMMAND, del
example() {
	local lacks gateway asked=

	file=$EXAMPLES/$1.conflist
	chain_load "$file"
	lacks=$(chain_lacks)
	[[ ! $lacks ]] || skip "this kernel has no $lacks"
	[[ ! -e /run/netns/world ]] || chain_parents world
	new_netns warmup c1
	tool add warmup
	tool del warmup
	del_netns warmup
	# DEL leaves lo up, because other programs in the container may use it.
	[[ $1 != *loopback* ]] || in_ns c1 ip link set lo up
	remember
	[[ $1 != *loopback* ]] || in_ns c1 ip link set lo down
	output=$(tool add)
	printf '%s\n' "$output"
	prints '' tool check
	# A dummy interface, and a tap device without a program, lead to no gateway; ping is not in the VRF.
	[[ $1 == *dummy* || $1 == *tap* || $1 == *vrf* ]] ||
		while read -r gateway; do
			sees c1 "$gateway"
			asked=yes
		done < <(result '.ips[]?.gateway // empty')
	if [[ ${2-} ]]; then "$2"; else [[ $asked ]] || fail "no gateway was asked"; fi
	prints '' tool del
	assert_same_snapshot
	tool del
}

@test "examples: every file has a test and a description" {
	local file name

	for file in "$EXAMPLES"/*.conflist; do
		name=${file##*/}
		grep -q "example ${name%.conflist}" "$BATS_TEST_FILENAME" || fail "$name has no test"
		json_holds '.about | length > 20' <"$file" || fail "$name has no description"
		# Before 1.1.0, STATUS and GC never reach a plugin.
		json_holds '.cniVersions // [.cniVersion] | index("1.1.0")' <"$file" ||
			fail "$name does not name version 1.1.0"
	done
}

outside() {
	has '.ips | length > 0'
	is "$(addresses c1 eth0)" "$(result '[.ips[].address] | sort | join(" ")')"
	sees c1 203.0.113.2
}
@test "examples: 10-bridge: the container reaches the world" {
	world
	example 10-bridge outside
}

routed_outside() {
	outside
	sees - "$(result '.ips[0].address | split("/")[0]')"
}
@test "examples: 11-ptp: the container reaches the world and the host reaches it" {
	world
	example 11-ptp routed_outside
}

@test "examples: 12-ptp-netkit: the same with a pair of kind netkit" {
	world
	example 12-ptp-netkit routed_outside
}

dual_outside() {
	outside
	sees c1 2001:db8:113::2
}
@test "examples: 20-dual-stack: the container reaches the world over IPv4 and IPv6" {
	world
	example 20-dual-stack dual_outside
}

published() {
	tcp_answer c1 80 web
	udp_answer c1 53 names
	is "$(ask world tcp 203.0.113.1 "$1")" 'web from 203.0.113.2'
	ask - tcp 127.0.0.1 "$1"
	ask - udp 127.0.0.1 "$2"
}
ports_30() {
	published 8030 5330
	is "$(ask world udp 203.0.113.1 5330)" 'names from 203.0.113.2'
	is "$(ask world tcp 2001:db8:113::1 8030)" 'web from [2001:0db8:0113:0000:0000:0000:0000:0002]'
}
@test "examples: 30-ports: the published ports answer" {
	world
	example 30-ports ports_30
}

ports_31() {
	published 8031 5331
	ask_in_vain world udp 203.0.113.1 5331
}
@test "examples: 31-portmap-chain: the published ports answer, a port at 127.0.0.1 only locally" {
	world
	example 31-portmap-chain ports_31
}

ports_38() {
	published 8038 5338
}
@test "examples: 38-firewall: the published ports answer behind portmap and firewall" {
	world
	example 38-firewall ports_38
}

on_the_wire() {
	is "$(addresses c1 eth0)" "$(result '[.ips[].address] | sort | join(" ")')"
	sees world "$(result '.ips[0].address | split("/")[0]')"
	sees world "$(result '.ips[1].address | split("/")[0]')"
}
@test "examples: 32-macvlan: a host on the wire and the container reach each other" {
	world
	example 32-macvlan on_the_wire
}

in_the_vrf() {
	link c1 eth0 '.master == "blue"'
	in_ns c1 ping -n -q -c1 -W "$RIG_DEADLINE" -I blue 10.88.37.1
}
@test "examples: 37-vrf: the container reaches the gateway from the VRF" {
	example 37-vrf in_the_vrf
}

slow() {
	contains "$(tc qdisc show dev "$(host_end)")" 'tbf 1: root .*rate 100Mbit'
	contains "$(tc qdisc show dev "$(result '.interfaces[-1].name')")" 'tbf 1: root .*rate 100Mbit'
}
@test "examples: 41-bandwidth: both directions are limited" {
	example 41-bandwidth slow
}

slow_outside() {
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
	contains "$(tc filter show dev "$(host_end)" ingress)" 'match 0a582a00/ffffff00 at 16'
}
@test "examples: 42-bandwidth-subnets: the world is reached through the limit" {
	world
	example 42-bandwidth-subnets slow_outside
}

tuned() {
	link c1 eth0 '.mtu == 1400 and .txqlen == 500 and .address == "02:58:26:00:00:01"'
	is "$(in_ns c1 cat /proc/sys/net/core/somaxconn)" 500
}
@test "examples: 38-tuning: the container is tuned, and reaches the gateways" {
	example 38-tuning tuned
}

from_the_address() {
	in_ns c1 ip rule | grep -q 'from 10.88.39.3 lookup 100'
	in_ns c1 ping -n -q -c1 -W "$RIG_DEADLINE" -I 10.88.39.3 10.88.39.1
}
@test "examples: 39-sbr: the container reaches the gateways, and has a table for each address" {
	example 39-sbr from_the_address
}

@test "examples: 34-ipvlan: a host on the wire and the container reach each other" {
	world
	example 34-ipvlan on_the_wire
}

in_the_vlan() {
	sees c1 10.88.35.1
	sees c1 fd00:88:35::1
}
@test "examples: 35-vlan: a host in the VLAN and the container reach each other" {
	world
	example 35-vlan in_the_vlan
}

the_device() {
	on_the_wire
	no_link - enp3s0
}
@test "examples: 38-host-device: the container has the device, and reaches a host on its wire" {
	world
	example 38-host-device the_device
	ip link show dev enp3s0
}

own_addresses() {
	has '.ips | length > 0'
	is "$(addresses c1 eth0)" "$(result '[.ips[].address] | sort | join(" ")')"
}
leased_by_server() {
	has '.ips[0].address | test("^10\\.88\\.43\\.1[0-9][0-9]/24$")'
	has '.dns.nameservers == ["10.88.43.1"]'
	sees world "$(result '.ips[0].address' | sed 's/\/24//')"
}
@test "examples: 43-dhcp: the address is the server's, a host on the wire reaches it" {
	world
	example 43-dhcp leased_by_server
}

leased_by_servers() {
	has '.ips[1].address | test("^fd00:88:43::1[0-9a-f][0-9a-f]/128$")'
	has '.dns.nameservers == ["fd00:88:43::1"]'
	sees world "$(result '.ips[0].address' | sed 's/\/24//')"
	sees c1 fd00:88:43::1
}
@test "examples: 44-dhcp6: the addresses are the servers', the container reaches a host on the wire" {
	world
	example 44-dhcp6 leased_by_servers
}

of_the_node() {
	has '[.ips[].address | split("/")[1]] == ["24", "64"] and (.ips[0].address | startswith("10.88.45."))'
	has '.routes | any(.dst == "10.88.44.0/22" and .mtu == 1450)'
	sees c1 203.0.113.2
}
@test "examples: 45-podcidr: the addresses are of the node's subnets, the container reaches the world" {
	world
	example 45-podcidr of_the_node
}

of_the_blocks() {
	has '[.ips[].address | split("/")[1]] == ["28", "122"] and (.ips[0].address | test("^10\\.88\\.46\\.(1[89]|2[0-9])/"))'
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
}
@test "examples: 46-cluster: the addresses are of the node's blocks, the container reaches the world" {
	world
	example 46-cluster of_the_blocks
}

@test "examples: 33-dummy: the container has the addresses" {
	example 33-dummy own_addresses
}

@test "examples: 36-tap: the container has the addresses" {
	example 36-tap own_addresses
}

joined_by_tap() {
	has '.interfaces | map(.name) | index("tap-eth0")'
	contains "$(in_ns c1 tc filter show dev eth0 ingress)" 'Redirect to device tap-eth0'
	contains "$(in_ns c1 tc filter show dev tap-eth0 ingress)" 'Redirect to device eth0'
}
@test "examples: 39-tap-redirect: the tap is joined to the container's interface" {
	example 39-tap-redirect joined_by_tap
}

no_address() {
	link c1 eth0 '.flags | any(. == "UP")'
	prints '' addresses c1 eth0
}
@test "examples: 40-l2-only: the link is up without address" {
	example 40-l2-only no_address
}

@test "examples: 50-vlan: the gateway answers" {
	example 50-vlan
}

@test "examples: 51-vlan-trunk: the link is up without address" {
	example 51-vlan-trunk no_address
}

spoofs_in_vain() {
	in_ns c1 ip link set eth0 address 02:00:00:00:00:99
	sees_not c1 "$(result '.ips[0].gateway')"
}
@test "examples: 60-macspoofchk: packets with another MAC address are dropped" {
	example 60-macspoofchk spoofs_in_vain
}

as_asked() {
	has '.ips[0].address == "10.88.71.77/24" and .ips[0].gateway == "10.88.71.254"'
	has '.ips[1].address | test("^fd00:88:70::1[0-9a-f]{3}/64$")'
	link c1 eth0 '.address == "02:00:5e:70:00:77"'
}
@test "examples: 70-ip-ranges: the container gets the requested addresses" {
	example 70-ip-ranges as_asked
}

the_one() {
	is "$(addresses c1 eth0)" 10.88.72.42/24
}
@test "examples: 71-runtime-ranges: the container gets the only address of the range" {
	example 71-runtime-ranges the_one
}

replaced() {
	is "$(addresses c1 eth0)" '10.88.73.7/24 fd00:88:73::7/64'
	route c1 '.dst == "default" and .gateway == "10.88.73.1"'
	sees c1 10.88.73.1
}
@test "examples: 72-static: the container gets the requested addresses and the gateway" {
	example 72-static replaced
}

is_up() {
	has '[.ips[].address] | index("127.0.0.1/8")'
	sees c1 127.0.0.1
}
@test "examples: 80-loopback: lo answers" {
	example 80-loopback is_up
}

mtu_and_dns() {
	link c1 eth0 '.mtu == 1400'
	has '.dns.search == ["example.org", "example.net"]'
	ip netns exec c1 grep -q '^nameserver 10.88.90.1' /etc/resolv.conf
}
@test "examples: 90-mtu-dns: MTU and resolv.conf are set" {
	example 90-mtu-dns mtu_and_dns
}

sees_no_other() {
	local other

	new_netns c2
	other=$(tool add c2 | jq -r '.ips[0].address | split("/")[0]')
	sees c2 10.88.91.1
	sees c1 10.88.91.1
	sees - "$other"
	sees_not c1 "$other"
	tool del c2
	del_netns c2
}
@test "examples: 91-isolated: the gateway answers, another container does not" {
	example 91-isolated sees_no_other
}

routes() {
	route c1 '.dst == "192.0.2.0/24" and .metrics[0].mtu == 1280'
	route c1 '.dst == "198.51.100.0/24"' table 100
}
@test "examples: 92-routes: the routes exist" {
	example 92-routes routes
}
