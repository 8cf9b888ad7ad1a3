#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# CHECK reports false alarms, or misses differences.
#
# These are the differences that the reference plugins miss.  check-mutations.bats and
# check-nft.bats change every other object, and make the changes that CHECK must accept.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80}]}}'

@test "check: portmap reports a flushed hook chain" {
	local check

	new_netns c1
	add bridge "$CONF"
	add portmap "$(chained "$PORTMAP")"
	check=$(chained "$PORTMAP")
	cni CHECK portmap "$check"
	ok
	nft flush chain inet cplug prerouting
	cni CHECK portmap "$check"
	failed 107 'rule 1 of chain prerouting'
	is "$(jq -r '.details | fromjson | .[].object' <<<"$output")" \
		'rule 1 of chain prerouting of nftables table inet cplug'
}

@test "check: host-local and bridge report a lease of another container; bridge lists all differences" {
	local check

	new_netns c1
	add bridge "$CONF"
	check=$(chained "$CONF")
	printf 'other\r\neth0' >/var/lib/cni/networks/net1/10.1.0.2
	cni CHECK host-local "$check"
	failed 107 '10.1.0.2 is leased to container other \(eth0\), not to container c1 \(eth0\)'
	ip address flush dev br1
	cni CHECK bridge "$check"
	failed 107 '10.1.0.2 is leased to container other'
	json_holds '.details | fromjson | map(.object) | index("lease of 10.1.0.2") != null and
		index("gateway address of br1") != null' <<<"$output"
}

@test "check: no false alarm for an L2 network, for routes with table or priority, or for foreign routes" {
	local conf check

	new_netns c1 c2
	conf=$(with "$CONF" 'del(.ipam, .isDefaultGateway, .ipMasq)')
	add bridge "$conf" c1 c1 eth0
	cni CHECK bridge "$(chained "$conf")"
	ok
	conf=$(with "$CONF" '.ipam.routes = [{dst: "192.0.2.0/24", table: 100}, {dst: "198.51.100.0/24", priority: 50}]')
	add bridge "$conf" c2
	check=$(chained "$conf")
	cni CHECK bridge "$check" c2
	ok
	in_ns c2 ip route add 203.0.113.0/24 via 10.1.0.1
	cni CHECK bridge "$check" c2
	ok
}

@test "check: a network without addresses that has DNS is as ADD left it" {
	local conf

	new_netns c1
	for conf in '{"type":"bridge","bridge":"br7"}' '{"type":"bridge","bridge":"br7","disableContainerInterface":true}' '{"type":"tap"}'; do
		[[ $conf != *tap* ]] || has_tun || continue
		conf=$(jq -c '. + {cniVersion: "1.0.0", name: "net7", dns: {nameservers: ["10.9.9.9"]}}' <<<"$conf")
		add "$(jq -r .type <<<"$conf")" "$conf"
		contains "$(</etc/netns/c1/resolv.conf)" 'nameserver 10\.9\.9\.9'
		cni CHECK "$(jq -r .type <<<"$conf")" "$(chained "$conf")"
		ok
		del "$(jq -r .type <<<"$conf")" "$conf"
		[[ ! -e /etc/netns/c1/resolv.conf ]]
	done
}
