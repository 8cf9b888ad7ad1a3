#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# If one plugin of a chain fails in DEL, the objects of the plugins before it leak.
# shellcheck disable=SC2016 # a script in single quotes
load ../lib

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"hairpinMode":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'

prepare() {
	# Create the shared objects of both plugins.
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

# without_nft COMMAND... - runs COMMAND without CAP_NET_ADMIN: nf_tables and rtnetlink return EPERM
without_nft() {
	setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$@"
}

# chain_del [WRAPPER...] - DEL as libcni does it: in reverse order, stopping after a failure
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

@test "failing chain: if nftables rejects portmap's DEL, bridge's DEL removes lease and ports" {
	plugged
	chain_del without_nft
	is "$chain_status" 0
	contains "$(cat "$BATS_TEST_TMPDIR/warned")" "left to the bridge's DEL"
	prints '' cat "$BATS_TEST_TMPDIR/said"
	assert_same_snapshot
}

@test "failing chain: the same if DEL of bandwidth has deleted the link" {
	plugged
	ip link del "$(host_end)"
	chain_del without_nft
	is "$chain_status" 0
	contains "$(cat "$BATS_TEST_TMPDIR/warned")" "left to the bridge's DEL"
	assert_same_snapshot
}

# del_bridge ID [STRACE-OPTION...] - DEL of the bridge plugin of $conf under strace; sets status
del_bridge() {
	status=0
	CNI_COMMAND=DEL CNI_CONTAINERID=$1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=socket \
		"${@:2}" "$CPLUG_BIN/bridge" <<<"$conf" >"$BATS_TEST_TMPDIR/said" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/said")
}

@test "failing chain: if nftables fails, bridge's DEL removes link, resolv.conf and lease, and reports it" {
	local conf nth

	can_trace || skip "no strace"
	conf=$(with "$BRIDGE" '.dns = {nameservers: ["10.1.0.1"]}')
	add bridge "$conf"
	[[ -e /etc/netns/c1/resolv.conf && -e /var/lib/cni/networks/net1/10.1.0.3 ]]
	# Which of the sockets is that of netfilter?
	del_bridge never
	nth=$(grep -n NETLINK_NETFILTER "$BATS_TEST_TMPDIR/trace" | head -n 1 | cut -d: -f1)
	del_bridge c1 -e "inject=socket:error=ENOBUFS:when=$nth"
	failed '' 'nf_tables|netfilter|nftables'
	no_link c1 eth0
	[[ ! -e /etc/netns/c1/resolv.conf ]]
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
	contains "$(nft list ruleset)" net1/c1/eth0
	# A second DEL finishes.
	del bridge "$conf"
	assert_same_snapshot
}

@test "failing chain: portmap's DEL fails if no cplug bridge follows, and a second DEL succeeds" {
	plugged
	ip link set "$(jq -r '.interfaces[1].name' <<<"$main")" alias ''
	chain_del without_nft
	is "$chain_status" 1
	json_holds '.msg | length > 0' <"$BATS_TEST_TMPDIR/said"
	ip link set "$(jq -r '.interfaces[1].name' <<<"$main")" alias cplug\ net1/c1/eth0
	chain_del
	is "$chain_status" 0
	assert_same_snapshot
}

@test "failing chain: cnitool del calls the other plugins if one is not installed" {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$BATS_TEST_TMPDIR/bin:$CPLUG_BIN
	mkdir -p "$NETCONFPATH" "$BATS_TEST_TMPDIR/bin" /var/lib/cni/results
	printf '#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || jq -c .prevResult\n' >"$BATS_TEST_TMPDIR/bin/third"
	chmod +x "$BATS_TEST_TMPDIR/bin/third"
	jq -nc --argjson b "$BRIDGE" --argjson p "$PORTMAP" '{cniVersion: "1.0.0", name: "net1",
		plugins: [$b, $p, {type: "third"}]}' >"$NETCONFPATH/10.conflist"
	remember
	"$CPLUG_BIN/cnitool" add --quiet net1 c1 -p 8080:80
	rm "$BATS_TEST_TMPDIR/bin/third"
	! "$CPLUG_BIN/cnitool" del net1 c1 2>"$BATS_TEST_TMPDIR/err" || fail "del succeeded"
	contains "$(cat "$BATS_TEST_TMPDIR/err")" 'third'
	# Only the cache file is left, so that del can be repeated.
	rm /var/lib/cni/results/*
	assert_same_snapshot
}

@test "failing chain: cnitool gc removes an attachment whose runtime was killed before it saved the result" {
	kernel_knows_netns || skip "this kernel cannot tell whether a namespace exists (Linux 6.18 can)"
	plugged
	del_netns c1
	wait_for "deletion of the veth pair" bash -c '! ip -j link show type veth | grep -q veth'
	"$CPLUG_BIN/cnitool" gc
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
	prints_not 8080 nft list ruleset
}
