#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# DEL fails or leaks if prevResult is missing or damaged.
# shellcheck disable=SC2016,SC2034 # filters of jq, commands for eval
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":"strict","dns":{"nameservers":["10.1.0.1"]},"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8081,"containerPort":81,"protocol":"tcp"}]}}'

# Damaged requests, as jq filters; $prev is the right prevResult.
DAMAGES=('del(.prevResult)' '.prevResult = null' '.prevResult = {}' '.prevResult = {cniVersion: "1.0.0"}'
	'.prevResult = $prev | del(.prevResult.ips)' '.prevResult = $prev | del(.prevResult.interfaces)'
	'.prevResult = ($prev | .cniVersion = "0.2.0")' '.prevResult = ($prev | .cniVersion = "9.9.9")'
	'.prevResult = {cniVersion: "0.2.0", ip4: {ip: "10.1.0.2/24"}}'
	'.prevResult = []' '.prevResult = "result"' '.prevResult = 7' '.prevResult = true'
	'.prevResult = ($prev | .ips = "none")' '.prevResult = ($prev | .ips = [{address: "10.1.0.300/24"}])'
	'.prevResult = ($prev | .ips[0].interface = 99)' '.prevResult = ($prev | .ips[0].interface = -5)'
	'.prevResult = ($prev | .interfaces = {})' '.prevResult = ($prev | .interfaces[0].name = 1)'
	'.prevResult = ($prev | .routes = [{dst: 5}])' '.prevResult = ($prev | .dns = [])'
	'.prevResult = ($prev | .interfaces[].sandbox = "/nowhere")'
	'.prevResult = ($prev | .ips[].address = "192.0.2.1/32")'
	'.prevResult = ($prev | .interfaces[].name = "lo")')

prepare() {
	warm_up bridge "$CONF"
	new_netns c1
	remember
}

@test "prevResult: DEL of bridge and portmap leaves nothing, with every kind of damage" {
	local damage prev

	for damage in "${DAMAGES[@]}"; do
		add bridge "$CONF"
		prev=$output
		add portmap "$(chained "$PORTMAP")"
		for type in portmap bridge; do
			[[ $type == bridge ]] && conf=$CONF || conf=$PORTMAP
			del "$type" "$(jq -c --argjson prev "$prev" "$damage" <<<"$conf")"
		done
		assert_same_snapshot || fail "$damage"
	done
}

@test "prevResult: DEL twice without namespace and runtimeConfig leaves nothing" {
	local damage prev bare

	bare=$(with "$CONF" 'del(.runtimeConfig)')
	for damage in "${DAMAGES[@]:0:8}"; do
		add bridge "$CONF"
		prev=$output
		assert_other_snapshot
		del bridge "$(jq -c --argjson prev "$prev" "$damage" <<<"$bare")" c1 ''
		del bridge "$(jq -c --argjson prev "$prev" "$damage" <<<"$bare")" c1 ''
		assert_same_snapshot || fail "$damage"
	done
}

@test "prevResult: DEL with a truncated request is an error, and changes nothing" {
	local text n

	add bridge "$CONF"
	remember
	text=$(chained "$CONF")
	for n in 1 $((${#text} / 3)) $((${#text} - 1)); do
		printf '%s' "${text:0:n}" >"$BATS_TEST_TMPDIR/cut"
		cni DEL bridge "$BATS_TEST_TMPDIR/cut"
		failed 6
		assert_same_snapshot
	done
	del bridge "$CONF"
}

@test "prevResult: cnitool del works with an empty, truncated, damaged or deleted cache file" {
	local damage file

	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH" /var/lib/cni/results
	jq -c '{cniVersion, name, plugins: [.]}' <<<"$CONF" >"$NETCONFPATH/10-net.conflist"
	remember
	for damage in ': >"$file"' 'truncate -s 100 "$file"' 'echo "{}" >"$file"' 'echo "[1,2" >"$file"' \
		'head -c 300 /dev/urandom >"$file"' 'jq -c ".result = 7" "$file" >/run/x; cp /run/x "$file"; rm /run/x' \
		'jq -c ".result.ips = {}" "$file" >/run/x; cp /run/x "$file"; rm /run/x' 'rm "$file"'; do
		"$CPLUG_BIN/cnitool" add --quiet net1 c1
		file=$(echo /var/lib/cni/results/net1-*-eth0)
		eval "$damage"
		"$CPLUG_BIN/cnitool" del net1 c1 || fail "$damage"
		assert_same_snapshot || fail "$damage"
	done
}

@test "prevResult: an address that another plugin of the list has listed twice is one address for CHECK and repair" {
	local conf twice

	for conf in "$(with "$CONF" '.ipMasq = true | .macspoofchk = "strict" |
		.ipam = {type: "host-local", ranges: [[{subnet: "10.1.0.0/24"}], [{subnet: "fd01::/64"}]]}')" \
		"$(with "$CONF" '.type = "ptp" | .ipMasq = true | del(.bridge)')"; do
		add "$(jq -r .type <<<"$conf")" "$conf"
		twice=$(with "$(chained "$conf")" '.prevResult.ips += .prevResult.ips')
		cni CHECK "$(jq -r .type <<<"$conf")" "$twice"
		ok
		CPLUG_REPAIR=1 cni CHECK "$(jq -r .type <<<"$conf")" "$twice"
		ok
		nft flush ruleset
		CPLUG_REPAIR=1 cni CHECK "$(jq -r .type <<<"$conf")" "$twice"
		ok
		cni CHECK "$(jq -r .type <<<"$conf")" "$twice"
		ok
		del "$(jq -r .type <<<"$conf")" "$twice"
	done
}

@test "prevResult: a listed route that has no way is told with the remedy at the repair" {
	local check

	add bridge "$CONF"
	check=$(chained "$CONF" | jq -c '.prevResult.routes += [{dst: "192.0.2.0/24", gw: "203.0.113.77"}]')
	cni CHECK bridge "$check"
	failed 107 '192.0.2.0/24'
	CPLUG_REPAIR=1 cni CHECK bridge "$check"
	failed 100 'no route of eth0 leads to 203.0.113.77, .*perhaps a plugin of the list names a route that it did not make'
}
