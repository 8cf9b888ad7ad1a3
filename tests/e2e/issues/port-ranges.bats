#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 24: port ranges and large sets of published ports
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
HOST6=2001:db8:113::1

prepare() {
	world
	new_netns c1 c2
}

# publishing MAPPINGS - the configuration that publishes them
publishing() {
	with "$CONF" ".runtimeConfig.portMappings = $1"
}

# range FIRST LAST - mappings: a range that keeps its numbers
range() {
	printf '[{"hostPort":%d,"hostPortEnd":%d,"protocol":"tcp"}]' "$1" "$2"
}

# port PORT - a single one that does
port() {
	printf '[{"hostPort":%d,"containerPort":%d,"protocol":"tcp"}]' "$1" "$1"
}

# elements MAP - how many it has
elements() {
	nft -j list map inet cplug "$1" | jq '[.nftables[].map.elem? // empty | .[]] | length'
}

@test "pain 24: 10,000 ports are one element, of each family, and all of them answer" {
	local wide port

	wide=$(publishing "$(range 20000 29999)")
	add bridge "$wide"
	is "$(elements portranges4) $(elements portranges6)" '1 1'
	is "$(elements ports4) $(elements ports6)" '0 0'
	for port in 20000 24321 29999; do
		tcp_answer c1 $port "port $port"
		is "$(ask world tcp 203.0.113.1 $port)" "port $port from 203.0.113.2"
		contains "$(ask world tcp $HOST6 $port)" "^port $port from \[2001:0db8:0113"
		contains "$(ask - tcp 127.0.0.1 $port)" "^port $port"
	done
	tcp_answer c1 30000 beyond
	ask_in_vain world tcp 203.0.113.1 30000
	cni CHECK bridge "$(chained "$wide")"
	ok
	del bridge "$wide"
	is "$(elements portranges4) $(elements portranges6)" '0 0'
	ask_in_vain world tcp 203.0.113.1 24321
}

@test "pain 24: 1,000 single ports of both families come and go in one transaction each" {
	local many

	warm_up bridge "$(publishing "$(port 1)")"
	remember
	many=$(publishing "$(jq -nc '[range(1000) | {hostPort: (8000 + .), containerPort: (3000 + .), protocol: "tcp"}]')")
	add bridge "$many"
	is "$(elements ports4) $(elements ports6)" '1000 1000'
	tcp_answer c1 3000 first
	tcp_answer c1 3999 last
	is "$(ask world tcp 203.0.113.1 8000)" 'first from 203.0.113.2'
	contains "$(ask world tcp $HOST6 8999)" '^last from \['
	cni CHECK bridge "$(chained "$many")"
	ok
	del bridge "$many"
	assert_same_snapshot
}

@test "pain 24: a wide range asks the kernel no more than a narrow one, whoever listens" {
	local wide narrow

	can_trace || skip "no strace"
	warm_up bridge "$(publishing "$(port 1)")"
	narrow=$(sent ADD bridge "$(publishing "$(range 20000 20001)")")
	del bridge "$CONF"
	wide=$(sent ADD bridge "$(publishing "$(range 1024 65535)")" c2)
	echo "narrow:" "$narrow"
	echo "wide:" "$wide"
	(($(wc -l <<<"$wide") <= $(wc -l <<<"$narrow")))
	contains "$(elements portranges4)" '^1$'
}

@test "pain 24: a service of the host in a wide range, and its end" {
	local wide

	wide=$(publishing "$(range 1024 65535)")
	warm_up bridge "$CONF"
	tcp_answer - 54321 service
	remember
	cni ADD bridge "$wide"
	failed 105 'host port 54321/tcp: the host listens there: tcp 0\.0\.0\.0:54321.*process [0-9]+ \(socat'
	assert_same_snapshot
	is "$(ask world tcp 203.0.113.1 54321)" 'service from 203.0.113.2'
	cni ADD bridge "$(with "$wide" '.onConflict = "replace"')"
	ok
	tcp_answer c1 54321 inside
	is "$(ask world tcp 203.0.113.1 54321)" 'inside from 203.0.113.2'
	del bridge "$wide"
	is "$(ask world tcp 203.0.113.1 54321)" 'service from 203.0.113.2'
}

@test "pain 24: a single port at the far end of another's wide range, and the other way round" {
	local outcome

	add bridge "$(publishing "$(port 65000)")"
	outcome=$output
	cni ADD bridge "$(publishing "$(range 1024 65535)")" c2
	failed 105 'host port 65000/tcp: it belongs to net1/c1/eth0'
	# One of its own is no rival, nor are another protocol's and another address's.
	output=$outcome
	del bridge "$CONF" c1
	add bridge "$(publishing '[{"hostPort":65000,"containerPort":1,"protocol":"udp"},
		{"hostPort":65000,"containerPort":1,"protocol":"tcp","hostIP":"127.0.0.1"}]')"
	add bridge "$(publishing "$(range 1024 65535)")" c2
	cni ADD bridge "$(publishing "$(port 65000)")" c1 c1 eth1
	failed 105 'host port 65000/tcp: it belongs to net1/c2/eth0'
	# A container that is gone without DEL does not keep its ports.
	ip link del "$(ip -j link show master br1 | jq -r '.[] | .ifname' | tail -n 1)"
	add bridge "$(publishing "$(port 65000)")" c1 c1 eth1
}
