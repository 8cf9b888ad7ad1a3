#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# static (IPAM): every key, source and verb; alone, and with bridge
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # jq scripts in single quotes; tests are subshells
load lib

BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br0","isGateway":true,
	"ipam":{"type":"static","routes":[{"dst":"0.0.0.0/0"},{"dst":"2001:db8:9::/48","gw":"2001:db8:1::fe"}],
		"dns":{"nameservers":["10.1.0.1"],"search":["example.test"]},
		"addresses":[{"address":"10.1.0.5/24","gateway":"10.1.0.1"},{"address":"2001:db8:1::5/64"}]}}'

setup() {
	IPAM='{"addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}]}'
	MORE='{}'
	VERSION=1.1.0
	unset CNI_ARGS
}

# call COMMAND - calls static alone with IPAM and MORE
call() {
	local conf

	conf=$(jq -nc --arg version "$VERSION" --argjson ipam "$IPAM" --argjson more "$MORE" \
		'{cniVersion: $version, name: "net1", type: "bridge", ipam: ({type: "static"} + $ipam)} + $more')
	CNI_NETNS_OVERRIDE=1 cni "$1" static "$conf" c1 /proc/self/ns/net
}

# refused IPAM CODE PATTERN - asserts that ADD fails
refused() {
	IPAM=$1
	call ADD
	failed "$2" "$3"
}

@test "static: addresses, gateways, routes and dns of ipam become the result" {
	IPAM='{"addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "2001:db8::5/64"}],
		"routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.9", "mtu": 1400, "priority": 5}],
		"dns": {"nameservers": ["10.1.0.1"], "domain": "example.test", "search": ["a.test"], "options": ["ndots:2"]}}'
	call ADD
	ok
	has '.ips == [{address: "10.1.0.5/24", gateway: "10.1.0.1"}, {address: "2001:db8::5/64"}]'
	has '.routes == [{dst: "0.0.0.0/0"}, {dst: "10.9.0.0/16", gw: "10.1.0.9", mtu: 1400, priority: 5}]'
	has '.dns == {nameservers: ["10.1.0.1"], domain: "example.test", search: ["a.test"], options: ["ndots:2"]}'
}

@test "static: every protocol version; before 0.3.0 one address per family" {
	local v

	cni VERSION static '{"cniVersion":"1.1.0"}'
	ok
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
	IPAM='{"addresses": [{"address": "10.1.0.5/24"}, {"address": "2001:db8::5/64"}]}'
	for VERSION in 0.1.0 0.2.0; do
		call ADD
		ok
		has '.ip4.ip == "10.1.0.5/24" and .ip6.ip == "2001:db8::5/64"'
	done
	for VERSION in 0.3.0 0.3.1 0.4.0; do
		call ADD
		ok
		has '.ips | map(.version) == ["4", "6"]'
	done
	IPAM='{"addresses": [{"address": "10.1.0.5/24"}, {"address": "10.1.0.6/24"}]}'
	for VERSION in 0.3.0 1.0.0 1.1.0; do
		call ADD
		ok
		has '.ips | map(.address) == ["10.1.0.5/24", "10.1.0.6/24"]'
	done
	VERSION=0.2.0
	refused "$IPAM" 7 'CNI version 0.2.0 does not support more than 1 address per family'
}

@test "static: IP of CNI_ARGS is appended, GATEWAY belongs to its addresses alone" {
	export CNI_ARGS='IP=10.2.0.7/16, 2001:db8:2::7/64;GATEWAY=10.2.0.1,2001:db8:2::1'
	IPAM='{"addresses": [{"address": "10.2.0.5/16"}]}'
	call ADD
	ok
	has '.ips == [{address: "10.2.0.5/16"}, {address: "10.2.0.7/16", gateway: "10.2.0.1"},
		{address: "2001:db8:2::7/64", gateway: "2001:db8:2::1"}]'
	CNI_ARGS='IP=10.2.0.7/16;GATEWAY=10.9.0.1'
	call ADD
	ok
	has '.ips[1] == {address: "10.2.0.7/16"}'
	contains "$errors" 'GATEWAY=10.9.0.1 is in the subnet of no address'
	CNI_ARGS='IP=10.2.0.7'
	call ADD
	failed 4 "the 'ip' field is expected to be in CIDR notation.*got: '10.2.0.7'"
	CNI_ARGS='IP=10.2.0.7/16;GATEWAY=there'
	call ADD
	failed 4 'GATEWAY=there is not an IP address'
	CNI_ARGS='IP=10.2.0.5/16'
	call ADD
	failed 4 'IP=10.2.0.5/16 is already in ipam.addresses\[0\]'
}

@test "static: args.cni.ips replaces the configuration, runtimeConfig.ips replaces both" {
	export CNI_ARGS='IP=10.1.0.8/24'
	MORE='{"args": {"cni": {"ips": ["10.1.0.9/24"]}}}'
	call ADD
	ok
	has '.ips == [{address: "10.1.0.9/24", gateway: "10.1.0.1"}]'
	MORE='{"args": {"cni": {"ips": ["10.1.0.9/24"]}}, "runtimeConfig": {"ips": ["10.1.0.10/24", "10.3.0.1/24"]}}'
	call ADD
	ok
	has '.ips == [{address: "10.1.0.10/24", gateway: "10.1.0.1"}, {address: "10.3.0.1/24"}]'
	MORE='{"runtimeConfig": {"ips": ["10.1.0.10"]}}'
	call ADD
	failed 7 "runtimeConfig.ips\[0\]: an entry in the 'ips' field is NOT in CIDR notation.*got: '10.1.0.10'"
	MORE='{"runtimeConfig": {"ips": []}}'
	call ADD
	ok
	has '.ips | map(.address) == ["10.1.0.5/24", "10.1.0.8/24"]'
}

@test "static: an address that is asked for does not get itself as its gateway" {
	MORE='{"runtimeConfig": {"ips": ["10.1.0.1/24"]}}'
	call ADD
	ok
	has '.ips == [{address: "10.1.0.1/24"}]'
}

@test "static: whole subnets, point-to-point and host prefixes, IPv4 in IPv6 notation" {
	local a

	for a in 10.1.0.0/31 10.1.0.1/31 10.1.0.1/32 2001:db8::/127 2001:db8::1/128 2001:db8::/64 10.1.1.255/16; do
		IPAM="{\"addresses\": [{\"address\": \"$a\"}]}"
		call ADD
		ok
		has ".ips == [{address: \"$a\"}]"
	done
	IPAM='{"addresses": [{"address": "::ffff:10.1.0.5/120"}]}'
	call ADD
	ok
	has '.ips == [{address: "10.1.0.5/24"}]'
}

@test "static: an unusable address is named" {
	refused '{}' 7 'ipam.addresses: missing'
	refused '{"addresses": []}' 7 'ipam.addresses: missing'
	refused '{"addresses": [{}]}' 7 'ipam.addresses\[0\].address: missing'
	refused '{"addresses": ["10.1.0.5/24"]}' 7 'ipam.addresses\[0\]'
	refused '{"addresses": [{"address": "10.1.0.5"}]}' 7 'ipam.addresses\[0\].address: expected an address with prefix length'
	refused '{"addresses": [{"address": "10.1.0.5/33"}]}' 7 'ipam.addresses\[0\].address'
	refused '{"addresses": [{"address": "10.1.0.0/24"}]}' 7 'network address'
	refused '{"addresses": [{"address": "10.1.0.255/24"}]}' 7 'broadcast address'
	refused '{"addresses": [{"address": "0.0.0.0/0"}]}' 7 "no host's address"
	refused '{"addresses": [{"address": "0.0.0.5/8"}]}' 7 "no host's address"
	refused '{"addresses": [{"address": "10.9.0.5/0"}]}' 7 'prefix length 0'
	refused '{"addresses": [{"address": "::/0"}]}' 7 "no host's address"
	refused '{"addresses": [{"address": "224.0.0.5/24"}]}' 7 'multicast'
	refused '{"addresses": [{"address": "ff02::1/64"}]}' 7 'multicast'
	refused '{"addresses": [{"address": "127.0.0.5/8"}]}' 7 'loopback'
	refused '{"addresses": [{"address": "10.1.0.5/24"}, {"address": "10.1.0.5/16"}]}' 7 \
		'addresses\[1\].address: 10.1.0.5/16 is already in ipam.addresses\[0\]'
	refused '{"addresses": [{"address": "10.1.0.5/24", "gateway": "10.1.0.0/24"}]}' 7 'addresses\[0\].gateway'
	refused '{"addresses": [{"address": "10.1.0.5/24"}], "dns": {"nameservers": "10.1.0.1"}}' 7 'ipam.dns.nameservers'
	refused "$(jq -nc '{addresses: [range(300) | {address: "10.1.\(. / 200 | floor).\(. % 200 + 1)/16"}]}')" 7 'more than 256 addresses'
}

@test "static: all mistakes are reported at once" {
	refused '{"addresses": [{"address": "10.1.0.5"}, {"address": "10.1.0.6/24", "gateway": 5}]}' 7 'addresses\[0\].address'
	contains "$error" 'addresses\[1\].gateway'
}

@test "static: CHECK compares prevResult with the addresses, DEL and GC have nothing to do" {
	call ADD
	MORE="{\"prevResult\": $output}"
	call CHECK
	ok
	MORE=$(jq -c '.prevResult.ips[0].address = "10.1.0.6/24"' <<<"$MORE")
	call CHECK
	failed 107 'address of eth0 in prevResult: expected 10.1.0.5/24'
	MORE=$(jq -c '.prevResult.ips[0] |= {address: "10.1.0.5/24", gateway: "10.1.0.2"}' <<<"$MORE")
	call CHECK
	failed 107 'gateway of 10.1.0.5/24 in prevResult: expected 10.1.0.1, found 10.1.0.2'
	MORE=$(jq -c 'del(.prevResult.ips[0].gateway)' <<<"$MORE")
	call CHECK
	failed 107 'gateway of 10.1.0.5/24 in prevResult: expected 10.1.0.1, found none'
	MORE='{}'
	call CHECK
	failed 108
	IPAM='{"addresses": 5}'
	call DEL
	ok
	MORE='{"cni.dev/valid-attachments": []}'
	call GC
	ok
}

@test "static: STATUS needs no address, and names a wrong one" {
	IPAM='{}'
	CNI_ARGS='IP=wrong' call STATUS
	ok
	IPAM='{"addresses": [{"address": "10.1.0.0/24"}]}'
	call STATUS
	failed 7 'network address'
}

@test "static: bridge gives its addresses, gateway, routes and DNS to the container" {
	local chained

	new_netns c1
	warm_up bridge "$BRIDGE"
	remember
	add bridge "$BRIDGE"
	has '.ips | map(.address) == ["10.1.0.5/24", "2001:db8:1::5/64"] and map(.gateway) == ["10.1.0.1", "2001:db8:1::1"]'
	has '.dns == {nameservers: ["10.1.0.1"], search: ["example.test"]}'
	prints '10.1.0.5/24 2001:db8:1::5/64' addresses c1 eth0
	route c1 '.dst == "default" and .gateway == "10.1.0.1"'
	in_ns c1 ping -c1 -W"$RIG_DEADLINE" 10.1.0.1
	chained=$(chained "$BRIDGE")
	cni CHECK bridge "$chained"
	ok
	in_ns c1 ip address del 10.1.0.5/24 dev eth0
	cni CHECK bridge "$chained"
	failed 107
	del bridge "$BRIDGE"
	assert_same_snapshot
}

@test "static: a wrong address fails before bridge changes anything" {
	new_netns c1
	remember
	cni ADD bridge "$(with "$BRIDGE" '.ipam.addresses[0].address = "10.1.0.255/24"')"
	failed 7 'ipam.addresses\[0\].address: 10.1.0.255/24 is the subnet.s broadcast address'
	assert_same_snapshot
}
