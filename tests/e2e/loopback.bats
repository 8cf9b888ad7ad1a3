#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# loopback sets lo up, and does not disturb other users of lo.
load lib

CONF='{"cniVersion":"1.0.0","name":"lo-net","type":"loopback"}'

@test "loopback: ADD sets lo up and returns its addresses" {
	new_netns c1
	add loopback "$CONF"
	has '.cniVersion == "1.0.0"'
	has '.interfaces == [{name: "lo", mac: "00:00:00:00:00:00", sandbox: "/run/netns/c1"}]'
	has '[.ips[].address] | sort == ["127.0.0.1/8", "::1/128"]'
	has 'all(.ips[]; .interface == 0 and (has("gateway") | not))'
	sees c1 127.0.0.1
	sees c1 ::1
}

@test "loopback: ADD ignores CNI_IFNAME" {
	new_netns c1
	add loopback "$CONF" c1 c1 eth7
	has '.interfaces[0].name == "lo"'
}

@test "loopback: the result has the format of its cniVersion" {
	local v

	new_netns c1
	for v in 0.1.0 0.2.0; do
		add loopback "$(with "$CONF" ".cniVersion = \"$v\"")"
		has ".cniVersion == \"$v\" and .ip4.ip == \"127.0.0.1/8\" and .ip6.ip == \"::1/128\" and (has(\"ips\") | not)"
	done
	for v in 0.3.0 0.3.1 0.4.0; do
		add loopback "$(with "$CONF" ".cniVersion = \"$v\"")"
		has ".cniVersion == \"$v\" and ([.ips[].version] | sort == [\"4\", \"6\"])"
	done
}

@test "loopback: ADD returns prevResult unchanged" {
	local prev='{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:01","sandbox":"/x"}],
		"ips":[{"address":"10.1.0.2/24","interface":0}],"dns":{"domain":"example.org"}}'

	new_netns c1
	add loopback "$(with "$CONF" ".prevResult = $prev")"
	is "$(jq -Sc . <<<"$output")" "$(jq -Sc . <<<"$prev")"
	sees c1 127.0.0.1
}

@test "loopback: CHECK fails if lo is down" {
	new_netns c1
	add loopback "$CONF"
	cni CHECK loopback "$(chained "$CONF")"
	ok
	is "$output" ''
	in_ns c1 ip link set lo down
	cni CHECK loopback "$CONF"
	failed '' 'lo'
}

@test "loopback: ADD fails if lo has an address that is not a loopback address" {
	new_netns c1
	in_ns c1 ip address add 192.0.2.1/32 dev lo
	cni ADD loopback "$CONF"
	failed '' '192\.0\.2\.1'
}

@test "loopback: DEL leaves foreign addresses on lo" {
	new_netns c1
	add loopback "$CONF"
	sees c1 127.0.0.1
	in_ns c1 ip address add 127.0.0.53/8 dev lo
	del loopback "$CONF"
	is "$(in_ns c1 ip -j address show dev lo | jq -r '[.[0].addr_info[] | select(.family == "inet") | .local] | join(" ")')" \
		'127.0.0.1 127.0.0.53'
}

@test "loopback: DEL works twice, without a namespace, and with a missing one" {
	new_netns c1
	add loopback "$CONF"
	sees c1 127.0.0.1
	del loopback "$CONF"
	del loopback "$CONF"
	del loopback "$CONF" c1 ''
	del loopback "$CONF" c1 /run/netns/never
}

@test "loopback: ADD fails without a namespace" {
	cni ADD loopback "$CONF" c1 /run/netns/never
	failed '' '/run/netns/never'
}
