#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 5: lists of rules that grow with the containers, and are rewritten
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":true,"onConflict":"replace","capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# publishing PORT - CONF with a port
publishing() {
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: $1, containerPort: 80, protocol: \"tcp\"}]"
}

# skeleton - every chain and rule, by handle: what is rewritten gets another
skeleton() {
	nft -j -a list ruleset | jq -c '.nftables[] | (.chain, .rule) | select(. != null)
		| {family, table, chain, name, handle}'
}

@test "pain 05: chains and rules are the same with one container as with thirty" {
	local i one

	new_netns c0
	add bridge "$(publishing 8000)" c0
	one=$(skeleton)
	for i in {1..29}; do
		ip netns add "c$i"
		add bridge "$(publishing $((8000 + i)))" "c$i"
	done
	is "$(skeleton)" "$one"
	for i in {1..29}; do del bridge "$CONF" "c$i"; done
	is "$(skeleton)" "$one"
}

@test "pain 05: an element goes only with its own container: ADD a, ADD b of a's address, DEL a" {
	local b

	new_netns a b
	world
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.9' add bridge "$(publishing 8080)" a
	# IPAM has forgotten a (rm -rf /var/lib/cni)
	rm -r /var/lib/cni/networks
	in_ns a ip address flush dev eth0 scope global
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.9' add bridge "$(publishing 8080)" b
	b=$(chained "$(publishing 8080)")
	tcp_answer b 80 b
	nft list ruleset >"$BATS_TEST_TMPDIR/with"
	del bridge "$CONF" a
	is "$(grep -o '10\.1\.0\.9.*' "$BATS_TEST_TMPDIR/with")" \
		"$(nft list ruleset | grep -o '10\.1\.0\.9.*')"
	cni CHECK bridge "$b" b
	ok
	is "$(ask world tcp 203.0.113.1 8080)" 'b from 203.0.113.2'
	sees b 203.0.113.2
}
