#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's macvlan and ours have the same results, effects and
# errors, and delete each other's interfaces.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"macvlan","master":"uplink",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24","gw":"203.0.113.9"}],
		"ranges":[[{"subnet":"203.0.113.0/24","rangeStart":"203.0.113.10","gateway":"203.0.113.2"}]]}}'
DUAL=$(with "$BASE" '.ipam.routes += [{dst: "::/0"}] | .ipam.ranges += [[{subnet: "2001:db8:113::/64",
	rangeStart: "2001:db8:113::10", gateway: "2001:db8:113::2"}]]')

@test "parity: macvlan" { same "$BASE"; }
@test "parity: macvlan, dual stack" { same "$DUAL"; }
@test "parity: macvlan without master" {
	local conf

	conf=$(with "$BASE" 'del(.master)')
	# With some versions of its netlink library the reference does not know a default route.
	new_netns c1
	by reference
	cni ADD macvlan "$conf"
	[[ $error != *'no default route interface found'* ]] || skip "the reference finds no default route"
	wipe
	del_netns c1
	output=
	same "$conf"
}
@test "parity: macvlan in mode private" { same "$(with "$BASE" '.mode = "private"')"; }
@test "parity: macvlan in mode vepa" { same "$(with "$BASE" '.mode = "vepa"')"; }
@test "parity: macvlan in mode passthru" { same "$(with "$BASE" '.mode = "passthru"')"; }
@test "parity: macvlan with mtu" { same "$(with "$BASE" '.mtu = 1400')"; }
@test "parity: macvlan with an empty ipam" {
	same "$(with "$BASE" '.ipam = {}')"
}
@test "parity: macvlan with dns" {
	same "$(with "$BASE" '.dns = {nameservers: ["203.0.113.2"], domain: "example.org", search: ["a.org"],
		options: ["ndots:2"]} | .resolvConf = "off"')"
}

@test "parity: macvlan's result in each version that the reference supports" {
	local v

	for v in 0.3.0 0.3.1 0.4.0 1.0.0; do
		same "$(with "$DUAL" ".cniVersion = \"$v\"")"
		wipe
		del_netns c1
		output=
	done
}

@test "parity: macvlan's MAC address of configuration, CNI_ARGS and runtimeConfig" {
	local whose n=0 conf

	conf=$(with "$BASE" '.mac = "02:00:00:00:00:01"')
	for whose in reference ours; do
		by $whose
		n=$((n + 1))
		new_netns "a$n" "b$n" "c$n"
		add macvlan "$conf" "a$n"
		link "a$n" eth0 '.address == "02:00:00:00:00:01"'
		CNI_ARGS='IgnoreUnknown=1;MAC=02:00:00:00:00:02' cni ADD macvlan "$conf" "b$n"
		ok
		link "b$n" eth0 '.address == "02:00:00:00:00:02"'
		CNI_ARGS='IgnoreUnknown=1;MAC=02:00:00:00:00:02' \
			cni ADD macvlan "$(with "$conf" '.runtimeConfig.mac = "02:00:00:00:00:03"')" "c$n"
		ok
		link "c$n" eth0 '.address == "02:00:00:00:00:03"'
		for id in "a$n" "b$n" "c$n"; do del macvlan "$conf" "$id"; done
	done
}

@test "parity: macvlan with linkInContainer" {
	local conf

	# 1.1 has not.
	grep -qa linkInContainer "$REFERENCE/macvlan" || skip "the reference's macvlan has no linkInContainer"
	new_netns c1
	ip link set uplink netns c1
	in_ns c1 ip link set uplink up
	conf=$(with "$BASE" '.linkInContainer = true')
	by reference
	add macvlan "$conf"
	link c1 eth0 '.link == "uplink"'
	conf=$(chained "$conf")
	by ours
	cni CHECK macvlan "$conf"
	ok
	del macvlan "$conf"
	no_link c1 eth0
}

@test "parity: macvlan's CHECK and DEL of the reference work with our attachment" {
	local conf

	new_netns c1
	by ours
	remember
	add macvlan "$BASE"
	conf=$(chained "$BASE")
	by reference
	cni CHECK macvlan "$conf"
	ok
	del macvlan "$conf"
	assert_same_snapshot
}

@test "parity: our macvlan's CHECK, repair and DEL work with an attachment of the reference" {
	local conf

	new_netns c1
	by reference
	remember
	add macvlan "$BASE"
	conf=$(chained "$BASE")
	by ours
	cni CHECK macvlan "$conf"
	ok
	in_ns c1 ip link set eth0 type macvlan mode private
	in_ns c1 ip route del default
	cni CHECK macvlan "$conf"
	failed 107 'mode of eth0'
	CPLUG_REPAIR=1 cni CHECK macvlan "$conf"
	ok
	cni CHECK macvlan "$conf"
	ok
	by reference
	cni CHECK macvlan "$conf"
	ok
	by ours
	del macvlan "$conf"
	assert_same_snapshot
}

@test "parity: our macvlan's DEL of an attachment of the reference without repair" {
	local conf

	new_netns c1
	by reference
	remember
	add macvlan "$BASE"
	conf=$(chained "$BASE")
	by ours
	# Another interface than that of prevResult stays.
	del macvlan "$(with "$conf" '.prevResult.interfaces[0].mac = "02:00:00:00:00:99"')"
	link c1 eth0 true
	del macvlan "$conf"
	assert_same_snapshot
	# Without prevResult, the lease tells that the interface is the attachment's.
	by reference
	add macvlan "$BASE"
	by ours
	del macvlan "$BASE"
	assert_same_snapshot
}

@test "parity: macvlan's errors" {
	local whose filter

	new_netns c1
	for filter in '.mode = "twisted"' '.mtu = 9000' '.master = "nosuch"' '.mac = "x"'; do
		for whose in reference ours; do
			by $whose
			cni ADD macvlan "$(with "$BASE" "$filter")"
			failed
		done
	done
	cni ADD macvlan "$(with "$BASE" '.mtu = 9000')"
	failed '' 'invalid MTU 9000, must be \[0, master MTU\(1500\)\]'
	cni ADD macvlan "$(with "$BASE" '.mode = "twisted"')"
	failed '' 'unknown macvlan mode: "twisted"'
}
