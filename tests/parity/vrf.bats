#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's vrf and ours have the same results, effects and errors, and take each other's interfaces out.
# Kernels and references without it skip these tests.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

# Without routes through a gateway: the reference loses them when the interface joins.
BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local",
		"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
VRF='{"cniVersion":"1.0.0","name":"net1","type":"vrf","vrfname":"blue"}'

prepare() {
	needs_kind vrf
	world
	# Ours stays.
	mkdir -p /run/cni/cplug
	touch /run/cni/cplug/netns.lock
}

@test "parity: vrf" { same "$BRIDGE" "$VRF"; }
@test "parity: vrf with table" { same "$BRIDGE" "$(with "$VRF" '.table = 77')"; }
@test "parity: vrf's CHECK and DEL of the reference work with our attachment" {
	warm_up bridge "$BRIDGE"
	check_and_delete reference "$BRIDGE" "$VRF"
}
@test "parity: our vrf's CHECK and DEL work with an attachment of the reference" {
	warm_up bridge "$BRIDGE"
	check_and_delete ours "$BRIDGE" "$VRF"
}

@test "parity: vrf's errors" {
	local whose

	new_netns c1
	for whose in reference ours; do
		by $whose
		cni ADD vrf "$VRF"
		failed
		cni ADD vrf "$(with "$VRF" '.vrfname = ""')"
		failed
	done
}
