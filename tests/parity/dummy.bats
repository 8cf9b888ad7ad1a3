#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's dummy and ours have the same results, effects and errors, and delete each other's interfaces.
# Kernels and references without it skip these tests.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"dummy","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

prepare() {
	needs_kind dummy
	world
}

@test "parity: dummy" { same "$BASE"; }
@test "parity: dummy, dual stack with routes" {
	same "$(with "$BASE" 'del(.ipam.subnet) | .ipam.routes = [{dst: "198.51.100.0/24"}]
		| .ipam.ranges = [[{subnet: "10.1.0.0/24"}], [{subnet: "fd00:1::/64"}]]')"
}
@test "parity: dummy's CHECK and DEL of the reference work with our attachment" {
	check_and_delete reference "$BASE"
}
@test "parity: our dummy's CHECK and DEL work with an attachment of the reference" {
	check_and_delete ours "$BASE"
}
