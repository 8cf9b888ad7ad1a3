#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The number of rules grows with the containers, and each change rewrites them.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":true,"onConflict":"replace","capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# publishing PORT - prints CONF with a published port
publishing() {
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: $1, containerPort: 80, protocol: \"tcp\"}]"
}

# skeleton - prints every chain and rule with its handle; a rewritten object has another handle
skeleton() {
	nft -j -a list ruleset | jq -c '.nftables[] | (.chain, .rule) | select(. != null)
		| {family, table, chain, name, handle}'
}

@test "constant rules: thirty containers have the same chains and rules as one" {
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

@test "constant rules: DEL of a removes no element of b, which has taken over a's address" {
	local b

	new_netns a b
	world
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.9' add bridge "$(publishing 8080)" a
	# The leases are lost, as after rm -rf /var/lib/cni.
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
