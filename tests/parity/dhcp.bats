#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp: our plugin with the reference's daemon, and the reference's plugin, on the same server
# shellcheck disable=SC2030,SC2031 # tests are subshells
load ../e2e/lib
load parity
load ../e2e/dhcp

prepare() {
	[[ $REFERENCE && -x $REFERENCE/dhcp ]] || skip "the reference's dhcp is not installed"
	need_dnsmasq
	lan
	dnsmasq_on lan
	mkdir -p /run/cni
	"$REFERENCE/dhcp" daemon >/run/daemon.log 2>&1 3>&- 4>&- &
	wait_for "the reference's daemon" test -S /run/cni/dhcp.sock
}

@test "dhcp: our plugin gets from the reference's daemon what the reference's plugin gets" {
	local theirs conf

	conf=$(with "$DHCP_CONF" '.cniVersion = "1.0.0"')
	new_netns c1
	by reference
	add bridge "$conf"
	theirs=$(normal)
	del bridge "$conf"
	by ours
	add bridge "$conf"
	is "$(normal | jq -S 'del(.routes[].priority)' | sed 's/"10.5.0.[0-9]*\/24"/ADDRESS/')" \
		"$(jq -S 'del(.routes[].priority)' <<<"$theirs" | sed 's/"10.5.0.[0-9]*\/24"/ADDRESS/')"
	has '.routes[0].priority == 7'
	route c1 '.dst == "default" and .gateway == "10.5.0.1" and .metric == 7'
	sees c1 10.5.0.1
}

@test "dhcp: the link is up before the reference's daemon asks, and there when it releases" {
	local conf

	for conf in "$DHCP_CONF" "$DHCP_MACVLAN"; do
		new_netns c1
		add "$(jq -r .type <<<"$conf")" "$conf"
		prints_not 'network is down' cat /run/daemon.log
		[[ $(leases | wc -l) == 1 ]]
		del "$(jq -r .type <<<"$conf")" "$conf"
		wait_for "the release" no_leases
		del_netns c1
	done
}

@test "dhcp: CHECK and GC with the reference's daemon say what cannot be known, and change nothing" {
	local conf before

	new_netns c1
	add bridge "$DHCP_CONF"
	before=$(leases)
	conf=$(chained "$DHCP_CONF")
	cni CHECK bridge "$conf"
	ok
	[[ $errors == *"is the reference's"* ]] || fail "no warning"
	cni GC bridge "$(with "$DHCP_CONF" '."cni.dev/valid-attachments" = []')"
	ok
	[[ $errors == *"is the reference's"* ]] || fail "no warning"
	cni STATUS bridge "$DHCP_CONF"
	ok
	is "$(leases)" "$before"
}

@test "dhcp: an ADD that fails later releases the lease" {
	new_netns c1
	CNI_TEST_FAIL_AT=2 cni ADD bridge "$DHCP_CONF"
	((status == 1))
	wait_for "the release" no_leases
}
