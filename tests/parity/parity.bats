#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The same configuration through the reference plugins (the distribution's
# containernetworking-plugins) and ours: same results, same effects, same refusals
# shellcheck disable=SC2030,SC2031 # each test is meant to be by itself
load ../e2e/lib

OURS=$CPLUG_BIN
for REFERENCE in /usr/lib/cni /usr/libexec/cni /opt/cni/bin ''; do
	[[ ! $REFERENCE || (-x $REFERENCE/bridge && ! -e $REFERENCE/cplug) ]] && break
done

prepare() {
	[[ $REFERENCE ]] || skip "the reference plugins are not installed"
	# What a new link gets from the machine, both get alike.
	world
}

# by ours|reference - whose plugins are called
by() {
	case $1 in
	ours) CPLUG_BIN=$OURS ;;
	reference) CPLUG_BIN=$REFERENCE ;;
	esac
}

# A result without what is random, or differs between versions of the reference
# itself (an empty dns).
normal() {
	jq -S '
		(.interfaces[]? | .mac? | select(. != null and . != "00:00:00:00:00:00")) |= "MAC"
		| (.interfaces[]? | .name? | select(startswith("veth"))) |= "VETH"
		| if .dns == {} then del(.dns) else . end' <<<"$output"
}

# What a container and the host's IP stack look like: links, addresses, routes,
# rules, forwarding.  Not compared: how packets are filtered (nftables here,
# iptables there), and what we do on top (aliases, no DAD, published ports at ::1).
effects() {
	snapshot | grep -E ': (address|route|rule.|neighbour|link) |sysctl net/(ipv4/ip_forward|ipv6/conf/all/forwarding):' |
		sed -E 's/ nodad true//; s/ protocol (boot|static|kernel)//; s/ ifalias .* kind/ kind/
			s/veth[0-9a-f]+/VETH/g; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g; s/ promiscuity [0-9]+//' |
		grep -v ' anycast \|local fd00.* dev br\|local ::1 dev br' | LC_ALL=C sort -u
}

# The sysctls that the reference switches on in a container.
switched_on() {
	snapshot | grep -E '^c1: sysctl net/ipv[46]/conf/eth0/(arp_notify|keep_addr_on_down|enhanced_dad):1$' || :
}

# attached PLUGINS CONF [CONF...] - ADD of a chain; leaves result and effects
attached() {
	local whose=$1 conf

	shift
	by "$whose"
	for conf; do
		[[ ! ${output-} || $conf == "$1" ]] || conf=$(chained "$conf")
		add "$(jq -r .type <<<"$conf")" "$conf"
	done
	normal >"$BATS_TEST_TMPDIR/$whose.result"
	effects >"$BATS_TEST_TMPDIR/$whose.effects"
	switched_on >"$BATS_TEST_TMPDIR/$whose.switched-on"
}

# wipe - the host as it was
wipe() {
	local link

	for link in $(ip -j link show type bridge | jq -r '.[].ifname // empty'); do ip link del "$link"; done
	nft flush ruleset
	rm -rf /var/lib/cni/*
	sysctl_set net/ipv4/ip_forward 0
	sysctl_set net/ipv6/conf/all/forwarding 0
	del_netns c1
	new_netns c1
}

# same CONF [CONF...] - ADD by the one, and by the other
same() {
	new_netns c1
	attached reference "$@"
	by reference
	wipe
	output=
	attached ours "$@"
	diff -u "$BATS_TEST_TMPDIR/reference.result" "$BATS_TEST_TMPDIR/ours.result" || fail "another result"
	diff -u "$BATS_TEST_TMPDIR/reference.effects" "$BATS_TEST_TMPDIR/ours.effects" || fail "other effects"
	# Ours may be more.
	is "$(LC_ALL=C comm -23 "$BATS_TEST_TMPDIR"/{reference,ours}.switched-on)" ''
}

BASE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","mtu":1500,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
DUAL='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","mtu":1500,"isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

@test "parity: bridge with an address" { same "$BASE"; }
@test "parity: bridge, gateway" { same "$(with "$BASE" '.isGateway = true')"; }
@test "parity: bridge, gateway and a default route of the IPAM's" {
	same "$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0"}]')"
}
@test "parity: bridge, routes with and without gateway" {
	same "$(with "$BASE" '.isGateway = true | .ipam.routes = [{dst: "0.0.0.0/0", gw: "10.1.0.254"},
		{dst: "192.0.2.0/24"}, {dst: "198.51.100.0/24", gw: "10.1.0.7"}]')"
}
@test "parity: bridge, dual stack, default gateway, masquerading" { same "$DUAL"; }
@test "parity: bridge, MTU, promiscuous" { same "$(with "$BASE" '.mtu = 1400 | .promiscMode = true')"; }
@test "parity: bridge, hairpin" { same "$(with "$BASE" '.hairpinMode = true')"; }
@test "parity: bridge without ipam" { same "$(with "$BASE" 'del(.ipam)')"; }
@test "parity: bridge, a MAC address and DNS" {
	same "$(with "$BASE" '.runtimeConfig.mac = "02:00:00:00:00:77"
		| .dns = {nameservers: ["10.1.0.1"], domain: "example.org", search: ["a.org"], options: ["ndots:2"]} | .resolvConf = "off"')"
}
@test "parity: bridge, addresses asked for" {
	same "$(with "$DUAL" '.args.cni.ips = ["10.1.0.99"] | .runtimeConfig.ips = ["fd00:1::99/64"]')"
}
@test "parity: bridge, ranges of the runtime" {
	same "$(with "$BASE" '.isGateway = true | .ipam = {type: "host-local"} | .runtimeConfig.ipRanges = [[{subnet: "10.9.0.0/24", rangeStart: "10.9.0.9", rangeEnd: "10.9.0.20", gateway: "10.9.0.254"}]]')"
}
@test "parity: bridge then portmap" {
	same "$(with "$DUAL" '.hairpinMode = true')" '{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
		"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'
}
@test "parity: loopback" { same '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'; }

@test "parity: the result in every version the reference knows" {
	local v

	for v in 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		same "$(with "$DUAL" ".cniVersion = \"$v\"")"
		wipe
		del_netns c1
		output=
	done
}

# ---- one undoes, and checks, what the other did ----------------------------

@test "parity: the reference checks and removes what we added" {
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

@test "parity: we check and remove what the reference added" {
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

@test "parity: addresses are handed out in the same order, in turns" {
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

# ---- refusals --------------------------------------------------------------

# refused COMMAND CONF [ID [NETNS [IFNAME]]] - with the same code and words
refused() {
	local theirs

	by reference
	cni "$1" bridge "${@:2}"
	theirs=$(jq -Sc '{code, msg}' <<<"$output")
	by ours
	cni "$1" bridge "${@:2}"
	is "$(jq -Sc '{code, msg}' <<<"$output")" "$theirs"
}

@test "parity: what the dispatcher refuses, with the same code and words" {
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
