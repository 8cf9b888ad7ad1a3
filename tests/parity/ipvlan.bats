#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's ipvlan and ours have the same results, effects and errors, and delete each other's interfaces.
# Kernels and references without it skip these tests.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"ipvlan","master":"uplink",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24","gw":"203.0.113.9"}],
		"ranges":[[{"subnet":"203.0.113.0/24","rangeStart":"203.0.113.10","gateway":"203.0.113.2"}]]}}'
DUAL=$(with "$BASE" '.ipam.routes += [{dst: "::/0"}] | .ipam.ranges += [[{subnet: "2001:db8:113::/64",
	rangeStart: "2001:db8:113::10", gateway: "2001:db8:113::2"}]]')

prepare() {
	needs_kind ipvlan
	world
}

@test "parity: ipvlan" { same "$BASE"; }
@test "parity: ipvlan, dual stack" { same "$DUAL"; }
@test "parity: ipvlan in mode l3" { same "$(with "$BASE" '.mode = "l3" | .ipam.routes = [{dst: "198.51.100.0/24"}]')"; }
@test "parity: ipvlan in mode l3s" { same "$(with "$BASE" '.mode = "l3s" | .ipam.routes = []')"; }
@test "parity: ipvlan with mtu" { same "$(with "$BASE" '.mtu = 1400')"; }
@test "parity: ipvlan's CHECK and DEL of the reference work with our attachment" {
	check_and_delete reference "$BASE"
}
@test "parity: our ipvlan's CHECK and DEL work with an attachment of the reference" {
	check_and_delete ours "$DUAL"
}

@test "parity: ipvlan's errors" {
	local whose filter

	new_netns c1
	for filter in '.mode = "twisted"' '.master = "nosuch"'; do
		for whose in reference ours; do
			by $whose
			cni ADD ipvlan "$(with "$BASE" "$filter")"
			failed
		done
	done
	# The reference of Debian 12 accepts it.
	cni ADD ipvlan "$(with "$BASE" '.mtu = 9000')"
	failed
}
