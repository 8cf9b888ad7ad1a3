#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ipvlan: interfaces that share the MAC address of a parent, which is "uplink" here; another host
# on that wire is the namespace "world".  Kernels without this kind of link skip these tests.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg
load cnitool

TYPE=ipvlan
PEER=203.0.113.2
CONF='{"cniVersion":"1.1.0","name":"net1","type":"ipvlan","master":"uplink",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"203.0.113.0/24","rangeStart":"203.0.113.10","gateway":"203.0.113.2"}],
		[{"subnet":"2001:db8:113::/64","rangeStart":"2001:db8:113::10","gateway":"2001:db8:113::2"}]]}}'
L2='{"cniVersion":"1.1.0","name":"wire","type":"ipvlan","master":"uplink"}'

prepare() {
	has_kind ipvlan || skip "this kernel has no ipvlan interfaces"
	world
}

@test "ipvlan: ADD creates link, addresses and routes, and returns them; DEL leaves no difference" {
	new_netns c1 c2
	remember
	add ipvlan "$CONF"
	has '.interfaces | length == 1'
	has ".interfaces[0].name == \"eth0\" and .interfaces[0].mac == \"$(ip -j link show dev uplink | jq -r '.[0].address')\""
	has '.ips | map(.address) == ["203.0.113.10/24", "2001:db8:113::10/64"]'
	link c1 eth0 '.ifalias == "cplug net1/c1/eth0" and .group == "default"'
	link c1 eth0 '.linkinfo.info_kind == "ipvlan" and .linkinfo.info_data.mode == "l2"'
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
	add ipvlan "$CONF" c2
	sees c2 203.0.113.10
	del ipvlan "$CONF" c2
	del ipvlan "$CONF"
	assert_same_snapshot
}

@test "ipvlan: cnitool lists, restores and collects attachments" { leg_tool; }
@test "ipvlan: every protocol version has its result, and CHECK, GC and STATUS where it has them" { leg_versions; }
@test "ipvlan: DEL works in every order and with a wrong configuration" { leg_del '.mode = "twisted" | .flag = 5 | .master = 7 | .mtu = "much"'; }
@test "ipvlan: DEL frees the lease without the parent" { leg_del_without_parent; }
@test "ipvlan: DEL that cannot delete the interface keeps its addresses leased" { leg_del_refused; }
@test "ipvlan: ADD that fails or is killed at any change leaves nothing" { leg_accidents; }
@test "ipvlan: an interface of that name makes ADD fail and stays" { leg_name_taken; }
@test "ipvlan: the parent is found, up, and large enough" { leg_parent; }
@test "ipvlan: CHECK reports a renamed parent" { leg_parent_renamed; }
@test "ipvlan: without ipam the attachment is layer 2 only" { leg_layer2; }
@test "ipvlan: a repair makes the link again" { leg_repair; }
@test "ipvlan: linkInContainer looks the parent up in the container" { leg_in_container; }

@test "ipvlan: modes and flags are set, compared and repaired" {
	local mode flag conf

	new_netns c1
	for mode in l2 l3 l3s; do
		for flag in bridge private vepa; do
			conf=$(conf ".mode = \"$mode\" | .flag = \"$flag\"")
			add ipvlan "$conf"
			link c1 eth0 ".linkinfo.info_data.mode == \"$mode\""
			in_ns c1 ip -d link show dev eth0 | grep -q "mode $mode $flag"
			CHECK=$(chained "$conf")
			silent "after ADD"
			cni CHECK ipvlan "$(with "$CHECK" '.flag = "bridge"')"
			[[ $flag == bridge ]] && ok || failed 107 "flag of eth0: expected bridge, found $flag"
			cni CHECK ipvlan "$(with "$CHECK" '.flag = "vepa"')"
			[[ $flag == vepa ]] && ok || failed 107 "flag of eth0: expected vepa, found $flag"
			del ipvlan "$conf"
		done
	done
	add ipvlan "$(conf '.mode = "l3"')"
	CHECK=$(chained "$CONF")
	cni CHECK ipvlan "$CHECK"
	failed 107 'mode of eth0: expected l2, found l3'
	CPLUG_REPAIR=1 cni CHECK ipvlan "$CHECK"
	ok
	link c1 eth0 '.linkinfo.info_data.mode == "l2"'
	silent "after the repair"
}

@test "ipvlan: wrong values are named, and nothing is changed" {
	new_netns c1
	remember
	cni ADD ipvlan "$(conf '.mode = "l4" | .flag = "open"')"
	failed 7 'mode: unknown ipvlan mode: "l4" \(expected l2, l3 or l3s\)'
	failed 7 'flag: unknown ipvlan flag: "open" \(expected bridge, private or vepa\)'
	assert_same_snapshot
}

@test "ipvlan: a parent that has macvlan interfaces is named with the reason" {
	has_kind macvlan || skip "this kernel has no macvlan interfaces"
	new_netns c1 c2
	ip link add eth0 netns c2 link uplink type macvlan
	remember
	cni ADD ipvlan "$CONF"
	failed '' 'ipvlan eth0 on uplink: Device or resource busy'
	failed '' 'either ipvlan or macvlan'
	assert_same_snapshot
}

@test "ipvlan: in a list it takes parent, addresses, routes and DNS of the plugin before it" {
	local conf

	conf='{"cniVersion":"1.1.0","name":"net1","type":"ipvlan","prevResult":{"cniVersion":"1.1.0",
		"interfaces":[{"name":"uplink"}],"ips":[{"address":"203.0.113.77/24","gateway":"203.0.113.2"}],
		"routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["203.0.113.2"]}}}'
	new_netns c1
	remember
	add ipvlan "$conf"
	has '.interfaces | length == 1 and .[0].name == "eth0"'
	has '.ips == [{interface: 0, address: "203.0.113.77/24", gateway: "203.0.113.2"}]'
	has '.routes == [{dst: "0.0.0.0/0"}] and .dns.nameservers == ["203.0.113.2"]'
	link c1 eth0 '.linkinfo.info_kind == "ipvlan"'
	sees c1 203.0.113.2
	CHECK=$(chained "$conf")
	silent "after ADD"
	in_ns c1 ip address del 203.0.113.77/24 dev eth0
	cni CHECK ipvlan "$CHECK"
	failed 107 '203.0.113.77'
	CPLUG_REPAIR=1 cni CHECK ipvlan "$CHECK"
	ok
	in_ns c1 ip link del eth0
	CPLUG_REPAIR=1 cni CHECK ipvlan "$CHECK"
	failed 7 'master: missing.*a repair cannot'
	CPLUG_REPAIR=1 cni CHECK ipvlan "$(with "$CHECK" '.master = "uplink"')"
	ok
	sees c1 203.0.113.2
	del ipvlan "$CHECK"
	assert_same_snapshot
	cni ADD ipvlan "$(with "$conf" '.prevResult.interfaces += [{name: "lo"}]')"
	failed 7 'chained master failure. PrevResult lacks a single named interface'
	assert_same_snapshot
}
