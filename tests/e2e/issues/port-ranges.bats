#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Port ranges and large sets of published ports.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
HOST6=2001:db8:113::1

prepare() {
	world
	new_netns c1 c2
}

# publishing MAPPINGS - prints the configuration with MAPPINGS
publishing() {
	with "$CONF" ".runtimeConfig.portMappings = $1"
}

# range FIRST LAST - prints mappings: a range with the same container ports
range() {
	printf '[{"hostPort":%d,"hostPortEnd":%d,"protocol":"tcp"}]' "$1" "$2"
}

# port PORT - prints mappings: a single port with the same container port
port() {
	printf '[{"hostPort":%d,"containerPort":%d,"protocol":"tcp"}]' "$1" "$1"
}

# elements MAP - prints the number of its elements
elements() {
	nft -j list map inet cplug "$1" | jq '[.nftables[].map.elem? // empty | .[]] | length'
}

@test "port ranges: a range of 10,000 ports is one element per family, and its ports answer" {
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

@test "port ranges: 1,000 single ports of both families are published and removed" {
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

@test "port ranges: ADD of a wide range sends no more requests than that of a narrow one" {
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

@test "port ranges: ADD fails if a host service uses a port of the range, which onConflict overrides" {
	local wide

	wide=$(publishing "$(range 1024 65535)")
	warm_up bridge "$CONF"
	tcp_answer - 54321 service
	remember
	cni ADD bridge "$wide"
	failed 105 'host port 54321/tcp: the host listens there: tcp 0\.0\.0\.0:54321.*process [0-9]+ \(socat'
	assert_same_snapshot
	is "$(ask world tcp 203.0.113.1 54321)" 'service from 203.0.113.2'
	host_allows '{"replaceAcrossNetworks":true}'
	cni ADD bridge "$(with "$wide" '.onConflict = "replace"')"
	ok
	tcp_answer c1 54321 inside
	is "$(ask world tcp 203.0.113.1 54321)" 'inside from 203.0.113.2'
	del bridge "$wide"
	is "$(ask world tcp 203.0.113.1 54321)" 'service from 203.0.113.2'
}

@test "port ranges: conflicts between a range and a single port, in both orders" {
	local outcome range

	add bridge "$(publishing "$(port 65000)")"
	outcome=$output
	cni ADD bridge "$(publishing "$(range 1024 65535)")" c2
	failed 105 'host port 65000/tcp: it belongs to net1/c1/eth0'
	# At both ends of a narrow range, which is looked up port by port.
	for range in '64990 65000' '65000 65010'; do
		# shellcheck disable=SC2086 # two numbers
		cni ADD bridge "$(publishing "$(range $range)")" c2
		failed 105 'host port 65000/tcp: it belongs to net1/c1/eth0'
	done
	for range in '64990 64999' '65001 65010'; do
		# shellcheck disable=SC2086 # two numbers
		add bridge "$(publishing "$(range $range)")" c2
		del bridge "$CONF" c2
	done
	# The same port of another protocol or another address is no conflict.
	output=$outcome
	del bridge "$CONF" c1
	add bridge "$(publishing '[{"hostPort":65000,"containerPort":1,"protocol":"udp"},
		{"hostPort":65000,"containerPort":1,"protocol":"tcp","hostIP":"127.0.0.1"}]')"
	add bridge "$(publishing "$(range 1024 65535)")" c2
	cni ADD bridge "$(publishing "$(port 65000)")" c1 c1 eth1
	failed 105 'host port 65000/tcp: it belongs to net1/c2/eth0'
	# A container that died without DEL does not keep its ports.
	ip link del "$(ip -j link show master br1 | jq -r '.[] | .ifname' | tail -n 1)"
	add bridge "$(publishing "$(port 65000)")" c1 c1 eth1
}

# The kernel's time for a deletion grows with the square of their number, and other calls wait for it.
@test "port ranges: 1,024 ranges are published and removed, one more is refused" {
	local many more

	many=$(jq -nc '[range(1024) | {hostPort: 1, hostPortEnd: 65535, protocol: "tcp",
		hostIP: "10.5.\(. / 256 | floor).\(. % 256)"}]')
	more=$(jq -c '. + [{hostPort: 1, hostPortEnd: 2, protocol: "udp"}]' <<<"$many")
	cni ADD bridge "$(publishing "$more")"
	failed 7 'runtimeConfig.portMappings: more than 1024 ranges'
	add bridge "$(publishing "$many")"
	is "$(elements hostportranges4)" 1024
	del bridge "$(publishing "$more")"
	is "$(elements hostportranges4)" 0
}

# One entry of 60 bytes was 65,534 elements, and 150 MB.
@test "port ranges: the ports of shifted ranges count: 20,000 are published, one more is refused" {
	local shifted='{hostPort: 20000, hostPortEnd: 29999, containerPort: 10000, protocol: "udp"},
		{hostPort: 20000, hostPortEnd: 29999, containerPort: 10000, protocol: "tcp"}'
	local single='{hostPort: 80, containerPort: 80}' wide='{hostPort: 1, hostPortEnd: 65534, containerPort: 2}'
	local remedy='a range whose containerPort is its hostPort counts once' many

	for many in "$shifted, $single" "$single, $shifted"; do
		cni ADD bridge "$(publishing "[$many]")"
		failed 7 "^runtimeConfig.portMappings: more than 20000 ports with those of 20000-29999/tcp.*$remedy"
	done
	cni ADD bridge "$(publishing "[$wide]")"
	failed 7 'more than 20000 ports with those of 1-65534/tcp'
	cni ADD bridge "$(publishing '[{hostPort: 90, hostPortEnd: 80, containerPort: 2}]')"
	failed 7 'hostPortEnd: is less than hostPort'
	contains_not "$output" 'more than'
	# What is in the list twice is one mapping, and ports that keep their numbers are one element.
	add bridge "$(publishing "[$shifted, $shifted]")"
	is "$(elements ports4)" 20000
	del bridge "$(publishing "[$wide]")"
	is "$(elements ports4)" 0
	add bridge "$(publishing '[{hostPort: 1, hostPortEnd: 65535, containerPort: 1}]')"
}
