#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's ptp and ours have the same results, effects and errors, and each deals with the
# other's pairs.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"ptp",
	"ipam":{"type":"host-local","subnet":"10.11.0.0/24","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24"}]}}'
DUAL=$(with "$BASE" 'del(.ipam.subnet) | .ipam.routes += [{dst: "::/0"}]
	| .ipam.ranges = [[{subnet: "10.11.0.0/24"}], [{subnet: "fd00:11::/64"}]]')

# ptp_effects - the effects, without the flag of addresses that the kernel adds no route for, and the
# local routes that exist only after duplicate address detection
ptp_effects() {
	effects | sed 's/ noprefixroute true//' | grep -v ' local fd00.* dev VETH' | sort -u
}

# alike CONF - asserts that ADD of both has the same result and effects
alike() {
	local whose

	for whose in reference ours; do
		new_netns c1
		by $whose
		add ptp "$1"
		normal >"$BATS_TEST_TMPDIR/$whose.result"
		ptp_effects >"$BATS_TEST_TMPDIR/$whose.effects"
		del ptp "$(chained "$1")"
		del_netns c1
		rm -rf /var/lib/cni/networks/net1 /var/lib/cni/networks/.cplug
	done
	diff -U0 "$BATS_TEST_TMPDIR"/{reference,ours}.result || fail "the results differ"
	diff -U0 "$BATS_TEST_TMPDIR"/{reference,ours}.effects || fail "the effects differ"
}

@test "parity: ptp" { alike "$BASE"; }
@test "parity: ptp, dual stack" { alike "$DUAL"; }
@test "parity: ptp with mtu" { alike "$(with "$BASE" '.mtu = 1400')"; }
@test "parity: ptp with dns" {
	alike "$(with "$BASE" '.dns = {nameservers: ["10.11.0.1"]} | .resolvConf = "off"')"
}

@test "parity: ptp's CHECK and DEL of the reference work with our attachment" {
	local conf

	# The reference's CHECK does not find its own routes without gw, except the default route.
	conf=$(with "$BASE" '.ipam.routes = [{dst: "0.0.0.0/0"}]')
	new_netns c1
	by ours
	add ptp "$conf"
	conf=$(chained "$conf")
	by reference
	cni CHECK ptp "$conf"
	ok
	del ptp "$conf"
	no_link c1 eth0
}

@test "parity: our ptp's CHECK, repair and DEL work with an attachment of the reference" {
	local conf

	new_netns c1
	by reference
	add ptp "$DUAL"
	conf=$(chained "$DUAL")
	by ours
	cni CHECK ptp "$conf"
	ok
	in_ns c1 ip route del default
	cni CHECK ptp "$conf"
	failed 107 '0.0.0.0/0'
	CPLUG_REPAIR=1 cni CHECK ptp "$conf"
	ok
	cni CHECK ptp "$conf"
	ok
	sees c1 10.11.0.1
	del ptp "$conf"
	no_link c1 eth0
	prints '' find /var/lib/cni/networks/net1 -name '10*'
}
