#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference plugins (the distribution's containernetworking-plugins) and ours have the same
# results, effects and errors.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BASE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","mtu":1500,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
DUAL='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","mtu":1500,"isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

@test "parity: bridge" { same "$BASE"; }
@test "parity: bridge with isGateway" { same "$(with "$BASE" '.isGateway = true')"; }
@test "parity: bridge with isGateway and a default route of the IPAM" {
	same "$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0"}]')"
}
@test "parity: bridge with routes with and without gateway" {
	same "$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0", gw: "10.1.0.254"},
		{dst: "192.0.2.0/24"}, {dst: "198.51.100.0/24", gw: "10.1.0.7"}]')"
}
@test "parity: bridge with both families, isDefaultGateway and ipMasq" { same "$DUAL"; }
@test "parity: bridge with mtu and promiscMode" { same "$(with "$BASE" '.mtu = 1400 | .promiscMode = true')"; }
@test "parity: bridge with hairpinMode" { same "$(with "$BASE" '.hairpinMode = true')"; }
@test "parity: bridge without ipam" { same "$(with "$BASE" 'del(.ipam)')"; }
@test "parity: bridge with a MAC address and dns" {
	same "$(with "$BASE" '.runtimeConfig.mac = "02:00:00:00:00:77"
		| .dns = {nameservers: ["10.1.0.1"], domain: "example.org", search: ["a.org"], options: ["ndots:2"]} | .resolvConf = "off"')"
}
@test "parity: bridge with requested addresses" {
	same "$(with "$DUAL" '.args.cni.ips = ["10.1.0.99"] | .runtimeConfig.ips = ["fd00:1::99/64"]')"
}
@test "parity: bridge with ranges of the runtime" {
	same "$(with "$BASE" '.isGateway = true | .ipam = {type: "host-local"} | .runtimeConfig.ipRanges = [[{subnet: "10.9.0.0/24", rangeStart: "10.9.0.9", rangeEnd: "10.9.0.20", gateway: "10.9.0.254"}]]')"
}
@test "parity: bridge and portmap" {
	same "$(with "$DUAL" '.hairpinMode = true')" '{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
		"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'
}
@test "parity: loopback" { same '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'; }

@test "parity: bridge in each cniVersion of the reference" {
	local v

	for v in 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		same "$(with "$DUAL" ".cniVersion = \"$v\"")"
		wipe
		del_netns c1
		output=
	done
}

# ---- CHECK and DEL of each other's attachments -----------------------------

@test "parity: CHECK and DEL of the reference work with our attachment" {
	local conf

	conf=$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0"}]')
	new_netns c1
	by ours
	add bridge "$conf"
	by reference
	cni CHECK bridge "$(chained "$conf")"
	ok
	del bridge "$conf"
	no_link c1 eth0
	is "$(cd /var/lib/cni/networks/net1 && echo 10.*)" '10.*'
}

@test "parity: our CHECK and DEL work with an attachment of the reference" {
	local conf

	conf=$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0"}]')
	new_netns c1
	by reference
	add bridge "$conf"
	by ours
	cni CHECK bridge "$(chained "$conf")"
	ok
	del bridge "$conf"
	no_link c1 eth0
	is "$(cd /var/lib/cni/networks/net1 && echo 10.*)" '10.*'
}

@test "parity: ours and the reference's host-local alternate in the same order of addresses" {
	local i whose conf

	conf=$(with "$BASE" '.ipam.subnet = "10.1.0.0/29"')
	new_netns c1 c2 c3 c4 c5 c6
	for i in 1 2 3 4 5; do
		whose=ours
		((i % 2)) || whose=reference
		by $whose
		add host-local "$conf" "c$i"
		is "$(result '.ips[0].address')" "10.1.0.$((i + 1))/29"
	done
	for whose in ours reference; do
		by $whose
		cni ADD host-local "$conf" c6
		failed '' 'no IP addresses available'
	done
	by reference
	del host-local "$conf" c1
	by ours
	del host-local "$conf" c2
	is "$(cd /var/lib/cni/networks/net1 && echo 10.*)" '10.1.0.4 10.1.0.5 10.1.0.6'
}

# ---- errors ----------------------------------------------------------------

# refused COMMAND CONF [ID [NETNS [IFNAME]]] - asserts that both fail with the same code and message
refused() {
	local theirs

	by reference
	cni "$1" bridge "${@:2}"
	theirs=$(jq -Sc '{code, msg}' <<<"$output")
	by ours
	cni "$1" bridge "${@:2}"
	is "$(jq -Sc '{code, msg}' <<<"$output")" "$theirs"
}

@test "parity: invalid calls have the same code and message" {
	new_netns c1
	refused FOO "$BASE"
	refused ADD "$BASE" c/1
	refused ADD "$BASE" c1 c1 a-name-too-long-x
	refused ADD "$BASE" c1 c1 a/b
	refused ADD "$BASE" '' '' ''
	refused DEL "$BASE" '' '' ''
	refused ADD "$(with "$BASE" 'del(.name)')"
	refused ADD "$(with "$BASE" '.name = "-n"')"
	refused ADD "$(with "$BASE" '.cniVersion = "1.2.0"')"
	refused CHECK "$(with "$BASE" '.cniVersion = "0.3.1"')"
}
