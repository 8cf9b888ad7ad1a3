#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's sbr and ours have the same results and effects, and delete each other's rules.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24","gw":"10.1.0.9"}]}}'
SBR='{"cniVersion":"1.0.0","name":"net1","type":"sbr"}'

@test "parity: sbr" { same "$BRIDGE" "$SBR"; }
@test "parity: sbr without a default route" { same "$(with "$BRIDGE" '.ipam.routes = []')" "$SBR"; }
@test "parity: sbr, two addresses" {
	same "$(with "$BRIDGE" '.isGateway = false | del(.ipam.subnet) |
		.ipam.ranges = [[{subnet: "10.1.0.0/24"}], [{subnet: "10.3.0.0/24"}]]')" "$SBR"
}

@test "parity: sbr's result in each version that the reference supports" {
	local v

	for v in 0.3.1 0.4.0 1.0.0; do
		same "$(with "$BRIDGE" ".cniVersion = \"$v\"")" "$(with "$SBR" ".cniVersion = \"$v\"")"
		wipe
		del_netns c1
		output=
	done
}

@test "parity: sbr, IPv6" {
	local whose

	# The reference copies routes of each family into the tables of the other.
	for whose in reference ours; do
		new_netns c1
		by $whose
		output=
		add bridge "$(with "$BRIDGE" '.ipam = {type: "host-local", subnet: "fd00:1::/64", routes: [{dst: "::/0"}]}')"
		add sbr "$(chained "$SBR")"
		{ in_ns c1 ip -6 rule; in_ns c1 ip -6 route show table 100 | sed 's/ proto [a-z]*//; / dev lo/d; /^fe80\|^ff00/d'; } |
			LC_ALL=C sort >"$BATS_TEST_TMPDIR/$whose.six"
		by ours
		wipe
		del_netns c1
	done
	diff -u "$BATS_TEST_TMPDIR"/{reference,ours}.six
}

@test "parity: each sbr's DEL deletes the rules of the other, and our CHECK accepts the reference's" {
	local whose one other conf before

	for whose in 'reference ours' 'ours reference'; do
		read -r one other <<<"$whose"
		new_netns c1
		by "$one"
		output=
		add bridge "$BRIDGE"
		before=$(in_ns c1 ip rule)
		conf=$(chained "$SBR")
		add sbr "$conf"
		[[ $(in_ns c1 ip rule) != "$before" ]] || fail "no rule"
		by ours
		cni CHECK sbr "$conf"
		ok
		by "$other"
		del sbr "$conf"
		is "$(in_ns c1 ip rule)" "$before"
		by ours
		wipe
		del_netns c1
	done
}

@test "parity: sbr's errors" {
	local whose

	new_netns c1
	by ours
	add bridge "$BRIDGE"
	for whose in reference ours; do
		by $whose
		cni ADD sbr "$SBR"
		failed
		cni ADD sbr "$(with "$(chained "$SBR")" '.prevResult = {cniVersion: "1.0.0", interfaces: []}')"
		failed
	done
}
