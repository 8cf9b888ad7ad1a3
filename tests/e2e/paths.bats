#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Rules per network in table inet cplug: their number depends on the networks, not the containers.
load lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# network N - prints the configuration of the N-th network, with a published port
network() {
	with "$CONF" ".name = \"net$1\" | .bridge = \"br$1\" |
		.ipam.ranges = [[{subnet: \"10.$1.0.0/24\"}], [{subnet: \"fd00:$1::/64\"}]] |
		.runtimeConfig.portMappings = [{hostPort: (8000 + $1), containerPort: 80, protocol: \"tcp\"}]"
}

# rules CHAIN - prints the number of its rules that jump to another chain
rules() {
	nft list chain inet cplug "$1" | grep -c goto
}

@test "paths: one rule per network and family, independent of the number of containers" {
	local i

	for i in 1 2 3 4; do
		new_netns "c$i"
		add bridge "$CONF" "c$i"
	done
	is "$(rules masqueraded)" 2
	is "$(rules strays)" 2
	new_netns other
	add bridge "$(network 2)" other
	is "$(rules masqueraded)" 4
	is "$(rules published)" 2
}

@test "paths: ADD and DEL in many networks do not accumulate rules and sets" {
	local i

	new_netns keep
	add bridge "$(network 1)" keep
	for i in 2 3 4 5; do
		new_netns "c$i"
		add bridge "$(network "$i")" "c$i"
		del bridge "$(network "$i")" "c$i"
	done
	# Those of the last network stay until the next change of the rules.
	is "$(rules masqueraded)" 4
	is "$(rules published)" 4
	is "$(nft list sets | grep -Ec 'set (masq|published)[46]-')" 8
	contains "$(nft list table inet cplug)" 'masq-net1-10.1.0.0/24'
	sees keep 10.1.0.1
}

@test "paths: two networks with the same subnet have separate exceptions" {
	local other

	other=$(with "$(network 1)" '.name = "net1b" | .ipMasq = {except: ["192.0.2.0/24"]} |
		.ipam.ranges = [[{subnet: "10.1.0.0/24", rangeStart: "10.1.0.100"}]] | del(.runtimeConfig)')
	new_netns c1 c2
	add bridge "$(network 1)" c1
	add bridge "$other" c2
	prints_not 192.0.2 nft list chain inet cplug masq-net1-10.1.0.0/24
	contains "$(nft list table inet cplug)" 'daddr 192.0.2.0/24 return'
	is "$(nft list chain inet cplug masqueraded | grep -c 'ip saddr')" 2
}

@test "paths: CHECK reports a deleted rule, and DEL succeeds without it" {
	local handle conf chain

	conf=$(network 1)
	new_netns c1
	add bridge "$conf" c1
	conf=$(chained "$conf")
	for chain in masqueraded strays published; do
		handle=$(nft -a list chain inet cplug "$chain" | sed -n 's/.*ip [sd]addr.*# handle //p')
		nft delete rule inet cplug "$chain" handle "$handle"
		cni CHECK bridge "$conf" c1
		failed 107 "chain $chain of nftables table inet cplug"
	done
	del bridge "$conf" c1
	prints_not 'comment "veth' nft list table inet cplug
}

@test "paths: CHECK reports a deleted element, and DEL succeeds without it" {
	local conf set

	conf=$(network 1)
	new_netns c1
	add bridge "$conf" c1
	conf=$(chained "$conf")
	set=$(nft list sets | sed -n 's/.*set \(masq4-[0-9a-f]*\).*/\1/p')
	nft delete element inet cplug "$set" '{ 10.1.0.2 }'
	cni CHECK bridge "$conf" c1
	failed 107 "masquerade of 10.1.0.2 .*set $set"
	del bridge "$conf" c1
	prints_not 'comment "veth' nft list table inet cplug
}

@test "paths: after a saved ruleset was loaded again, DEL removes its container's elements only" {
	local conf saved=$BATS_TEST_TMPDIR/saved

	conf=$(with "$(network 1)" '.conditionsV4 = ["!", "-s", "192.0.2.0/24"] | .conditionsV6 = ["ip6 saddr != 2001:db8:99::/48"]')
	new_netns c1 c2
	add bridge "$conf" c1
	# A second group, which the search must skip.
	add bridge "$(with "$(network 2)" '.conditionsV4 = ["!", "-s", "192.0.2.1"]')" c2
	nft list ruleset >"$saved"
	nft flush ruleset
	nft -f "$saved"
	nft list ruleset | diff "$saved" -
	del bridge "$conf" c1
	prints_not 'comment "veth.*/c1/' nft list table inet cplug
	contains "$(nft list table inet cplug)" 'tcp . 8002 comment "veth.*/c2/'
}

@test "paths: with dropInvalid false there is no rule that drops invalid packets" {
	new_netns c1
	add bridge "$(with "$(network 1)" '.ipMasq = {dropInvalid: false}')" c1
	prints_not goto nft list chain inet cplug strays
	is "$(rules masqueraded)" 2
}
