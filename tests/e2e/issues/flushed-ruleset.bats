#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reload of a firewall flushes the ruleset, and nothing restores it.
# (restore.bats tests cnitool restore with fifty containers.)
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"hairpinMode":true,"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
LIST='{"cniVersion":"1.0.0","name":"net1","plugins":['$CONF']}'

published() { # PORT
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: $1, containerPort: 80, protocol: \"tcp\"}]"
}

# cached ID PORT - writes the cache file that libcni (containerd) keeps of an attachment
cached() {
	jq -nc --arg id "$1" --argjson port "$2" --arg config "$(base64 -w0 <<<"$LIST")" --argjson result "$output" '{
		kind: "cniCacheV1", containerId: $id, config: $config, ifName: "eth0", networkName: "net1",
		capabilityArgs: {portMappings: [{hostPort: $port, containerPort: 80, protocol: "tcp"}]},
		result: $result}' >"/var/lib/cni/results/net1-$1-eth0"
}

@test "flushed ruleset: cnitool restore republishes the ports of any libcni runtime's containers" {
	local i

	world
	mkdir -p /var/lib/cni/results
	for i in 1 2 3; do
		new_netns "c$i"
		add bridge "$(published $((8080 + i)))" "c$i"
		cached "c$i" $((8080 + i))
		tcp_answer "c$i" 80 "web$i"
	done
	nft flush ruleset
	ask_in_vain world tcp 203.0.113.1 8081
	CNI_PATH=$CPLUG_BIN "$CPLUG_BIN/cnitool" restore
	for i in 1 2 3; do
		contains "$(ask world tcp 203.0.113.1 $((8080 + i)))" "web$i"
	done
	# Outgoing connections are masqueraded again.
	tcp_answer world 90 outside
	contains "$(ask c1 tcp 203.0.113.2 90)" 'outside from .*203\.0\.113\.1'
}

@test "flushed ruleset: the next ADD creates the table again, and CHECK reports missing ports" {
	world
	new_netns c1 c2
	add bridge "$(published 8081)" c1
	check=$(chained "$(published 8081)")
	nft flush ruleset
	cni CHECK bridge "$check" c1
	failed 107 'host port 8081/tcp'
	add bridge "$(published 8082)" c2
	tcp_answer c2 80 web
	ask world tcp 203.0.113.1 8082
}

@test "flushed ruleset: the systemd units are valid, and run after the services that flush" {
	local unit

	command -v systemd-analyze >/dev/null || skip "needs systemd-analyze"
	mkdir "$BATS_TEST_TMPDIR/units"
	for unit in "$CPLUG_TOP"/contrib/systemd/*; do
		sed 's|/opt/cni/bin/[a-z]*|/bin/true|' "$unit" >"$BATS_TEST_TMPDIR/units/${unit##*/}"
	done
	run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/units/*
	((status == 0)) || [[ $output == *"Failed to"* ]] || fail "$output"
	for word in After PartOf ReloadPropagatedFrom WantedBy; do
		contains "$(cat "$CPLUG_TOP/contrib/systemd/cplug-restore.service")" "^$word=.*nftables\.service firewalld\.service"
	done
}
