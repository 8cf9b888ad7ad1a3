#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's bandwidth and ours have the same results, qdiscs, filters and errors, and ours deals
# with the reference's attachments.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
LIMITS='{"cniVersion":"1.0.0","name":"net1","type":"bandwidth",
	"ingressRate":8000000,"ingressBurst":80000,"egressRate":16000000,"egressBurst":160000}'

eval "parity_$(declare -f prepare)"
prepare() {
	parity_prepare
	[[ -x $REFERENCE/bandwidth ]] || skip "the reference has no bandwidth"
	ip link add probe type ifb 2>/dev/null || skip "this kernel has no ifb"
	ip link del probe
}

# shaping - prints what tc shows of the host's links; without our queue, what the kernel counts, and the
# reference's second action, which no packet reaches
shaping() {
	local dev

	for dev in $(ip -j link show | jq -r '.[].ifname | select(test("^(veth|bw)"))' | sort); do
		tc qdisc show dev "$dev" | grep -v 'parent 1:1'
		tc filter show dev "$dev" ingress
	done | sed -E 's/veth[0-9a-f]+/VETH/g; s/bwp[0-9a-f]+/IFB/g; s/ refcnt [0-9]+//; s/order [0-9]+: mirred/mirred/
		s/index [0-9]+ ref 1 bind 1//; s/\*flowid/flowid/; s/ parent ffff: protocol/ protocol/
		/mirred .* pass$/d; s/[[:space:]]+$//; /^$/d'
}

# attach ours|reference FILTER - ADD of our bridge, and bandwidth; writes result and shaping
attach() {
	new_netns c1
	by ours
	add bridge "$BRIDGE"
	CONF=$(chained "$(with "$LIMITS" "$2")")
	by "$1"
	add bandwidth "$CONF"
	normal | sed -E 's/bwp[0-9a-f]{12}/IFB/' >"$BATS_TEST_TMPDIR/$1.result"
	shaping >"$BATS_TEST_TMPDIR/$1.shaping"
	CONF=$(with "$CONF" ".prevResult = $(jq -c . <<<"$output")")
}

detach() {
	by "$1"
	del bandwidth "$CONF"
	prints '' ip link show type ifb
	by ours
	del bridge "$BRIDGE"
	del_netns c1
	rm -rf /var/lib/cni/networks
}

# alike FILTER - asserts that ADD of both has the same result and effects
alike() {
	local whose

	for whose in reference ours; do
		attach $whose "$1"
		detach $whose
	done
	cat "$BATS_TEST_TMPDIR/ours.shaping"
	diff -U0 "$BATS_TEST_TMPDIR"/{reference,ours}.result || fail "the results differ"
	diff -U0 "$BATS_TEST_TMPDIR"/{reference,ours}.shaping || fail "the qdiscs or filters differ"
}

@test "parity: bandwidth" {
	alike .
	contains "$(cat "$BATS_TEST_TMPDIR/ours.shaping")" 'qdisc tbf 1: root rate 8Mbit burst 10000b lat 25ms'
	contains "$(cat "$BATS_TEST_TMPDIR/ours.shaping")" 'mirred \(Egress Redirect to device IFB\) stolen'
}
@test "parity: bandwidth in one direction" {
	alike 'del(.egressRate, .egressBurst)'
	alike 'del(.ingressRate, .ingressBurst)'
}
@test "parity: bandwidth with the bursts of containerd and CRI-O" {
	alike '.ingressBurst = 4294967295 | .egressBurst = 4294967295'
	# Go's netlink library counts in 32 bits.
	alike '.ingressRate = 1000000000 | .ingressBurst = 4294967295'
}
@test "parity: bandwidth without limits" {
	alike '.ingressRate = 0 | .ingressBurst = 0 | .egressRate = 0 | .egressBurst = 0'
}
@test "parity: bandwidth from the runtime" {
	alike '.runtimeConfig.bandwidth = {ingressRate: 5000000, ingressBurst: 60000} | del(.ingressRate, .ingressBurst, .egressRate, .egressBurst)'
	alike '.runtimeConfig.bandwidth = {ingressRate: 5000000, ingressBurst: 60000}'
}

@test "parity: bandwidth's errors name the same" {
	local whose

	new_netns c1
	by ours
	add bridge "$BRIDGE"
	CONF=$(chained "$LIMITS")
	remember
	for whose in reference ours; do
		by $whose
		cni ADD bandwidth "$(with "$CONF" 'del(.egressRate)')"
		failed '' 'if burst is set, rate must also be set'
		cni ADD bandwidth "$(with "$CONF" '.ingressBurst = 34359738360')"
		failed '' 'burst cannot be more than 4 ?GB'
		cni ADD bandwidth "$(with "$CONF" '.ingressRate = "1"')"
		failed
		assert_same_snapshot
	done
}

@test "parity: the reference's CHECK accepts our limits on the host's end" {
	# It looks for an ifb of its own name.
	attach ours 'del(.egressRate, .egressBurst)'
	by reference
	cni CHECK bandwidth "$CONF"
	ok
	detach reference
}

@test "parity: our repair and DEL deal with an attachment of the reference" {
	attach reference .
	by ours
	cni CHECK bandwidth "$CONF"
	failed 107 'ifb bwp'
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CONF"
	ok
	cni CHECK bandwidth "$CONF"
	ok
	sees c1 10.1.0.1
	detach ours
	attach reference .
	detach ours
}
