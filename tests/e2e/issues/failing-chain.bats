#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 3: one failing plugin in a chained DEL leaks what the plugins before it made
# shellcheck disable=SC2016 # a script
load ../lib

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"hairpinMode":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'

prepare() {
	# What is shared, of portmap, too, is there.
	new_netns c1
	plugged
	del portmap "$PORTMAP"
	del bridge "$BRIDGE"
	del_netns c1
	new_netns c1
	remember
}

plugged() {
	add bridge "$BRIDGE"
	main=$output
	add portmap "$(chained "$PORTMAP")"
}

# without_nft COMMAND... - nf_tables refuses it (EPERM), and so does rtnetlink
without_nft() {
	setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$@"
}

# chain_del - as libcni does it: backwards, and no further after a failure
chain_del() {
	chain_status=0
	output=$main
	printf '%s' "$(chained "$PORTMAP")" >"$BATS_TEST_TMPDIR/request"
	CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		"$@" "$CPLUG_BIN/portmap" <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/said" 2>"$BATS_TEST_TMPDIR/warned" ||
		chain_status=$?
	cat "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/warned"
	((chain_status == 0)) || return 0
	del bridge "$(chained "$BRIDGE")"
}

@test "pain 3: nftables refuses portmap's DEL: the bridge's frees the address, and takes the ports" {
	plugged
	chain_del without_nft
	is "$chain_status" 0
	contains "$(cat "$BATS_TEST_TMPDIR/warned")" "left to the bridge's DEL"
	is "$(cat "$BATS_TEST_TMPDIR/said")" ''
	assert_same_snapshot
}

@test "pain 3: without a bridge of ours behind it a failure is told, and a second DEL does it" {
	plugged
	ip link set "$(jq -r '.interfaces[1].name' <<<"$main")" alias ''
	chain_del without_nft
	is "$chain_status" 1
	jq -e '.msg | length > 0' "$BATS_TEST_TMPDIR/said"
	ip link set "$(jq -r '.interfaces[1].name' <<<"$main")" alias cplug\ net1/c1/eth0
	chain_del
	is "$chain_status" 0
	assert_same_snapshot
}

@test "pain 3: a plugin of the chain that is gone does not keep cnitool from the others" {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$BATS_TEST_TMPDIR/bin:$CPLUG_BIN
	mkdir -p "$NETCONFPATH" "$BATS_TEST_TMPDIR/bin" /var/lib/cni/results
	printf '#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || jq -c .prevResult\n' >"$BATS_TEST_TMPDIR/bin/third"
	chmod +x "$BATS_TEST_TMPDIR/bin/third"
	jq -nc --argjson b "$BRIDGE" --argjson p "$PORTMAP" '{cniVersion: "1.0.0", name: "net1",
		plugins: [$b, $p, {type: "third"}]}' >"$NETCONFPATH/10.conflist"
	remember
	"$CPLUG_BIN/cnitool" add --quiet net1 c1 -p 8080:80
	rm "$BATS_TEST_TMPDIR/bin/third"
	! "$CPLUG_BIN/cnitool" del net1 c1 2>"$BATS_TEST_TMPDIR/err" || fail "nothing was said"
	contains "$(cat "$BATS_TEST_TMPDIR/err")" 'third'
	# Only that there is something to be repeated is remembered.
	rm /var/lib/cni/results/*
	assert_same_snapshot
}

@test "pain 3: the runtime was killed between ADD and saving: gc frees all of it" {
	plugged
	del_netns c1
	wait_for "the link to go" bash -c '! ip -j link show type veth | grep -q veth'
	"$CPLUG_BIN/cnitool" gc
	[[ ! -e /var/lib/cni/networks/net1/10.1.0.2 ]] || skip "this kernel cannot be asked whether a namespace lives"
	contains_not "$(nft list ruleset)" 8080
}
