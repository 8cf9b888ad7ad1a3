#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's vlan and ours have the same results, effects and errors, and delete each other's interfaces.
# Kernels and references without it skip these tests.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"vlan","master":"uplink","vlanId":5,
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"192.0.2.0/24","gw":"198.51.100.9"}],
		"ranges":[[{"subnet":"198.51.100.0/24","rangeStart":"198.51.100.10","gateway":"198.51.100.2"}]]}}'
DUAL=$(with "$BASE" '.ipam.routes += [{dst: "::/0"}] | .ipam.ranges += [[{subnet: "2001:db8:51::/64",
	rangeStart: "2001:db8:51::10", gateway: "2001:db8:51::2"}]]')

prepare() {
	needs_kind vlan
	world
}

@test "parity: vlan" { same "$BASE"; }
@test "parity: vlan, dual stack" { same "$DUAL"; }
@test "parity: vlan with mtu" { same "$(with "$BASE" '.mtu = 1400')"; }
@test "parity: vlan with dns" {
	same "$(with "$BASE" '.dns = {nameservers: ["198.51.100.2"], search: ["a.org"]} | .resolvConf = "off"')"
}
@test "parity: vlan's CHECK and DEL of the reference work with our attachment" {
	check_and_delete reference "$BASE"
}
@test "parity: our vlan's CHECK and DEL work with an attachment of the reference" {
	check_and_delete ours "$DUAL"
}

@test "parity: vlan's errors" {
	local whose filter

	new_netns c1
	for filter in '.vlanId = 4095' '.vlanId = -1' '.mtu = 9000' '.master = "nosuch"'; do
		for whose in reference ours; do
			by $whose
			cni ADD vlan "$(with "$BASE" "$filter")"
			failed
		done
	done
}
