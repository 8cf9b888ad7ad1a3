#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing restores rules, routes, addresses and links that another program removed.
# shellcheck disable=SC2016 # commands for eval
load ../lib

NET='{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"hairpinMode":true,"macspoofchk":"strict","dns":{"nameservers":["10.1.0.1"]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}},
	{"type":"portmap","capabilities":{"portMappings":true}}]}'

things() {
	snapshot | grep -Ev ' route anycast |last_reserved_ip' | sort
}

tool() {
	CNI_PATH=$CPLUG_BIN NETCONFPATH=$BATS_TEST_TMPDIR/net.d "$CPLUG_BIN/cnitool" "$@"
}

# restores COMMAND - COMMAND removes objects; asserts that cnitool restore puts them back, and
# that a second restore finds nothing to do
restores() {
	eval "$1"
	! diff -q <(things) "$BATS_TEST_TMPDIR/things" || fail "nothing was removed: $1"
	tool restore --quiet
	things | diff -U0 "$BATS_TEST_TMPDIR/things" - || fail "not as before: $1"
	prints '' tool restore || fail "not idempotent: $1"
}

@test "restore: cnitool restore puts back rules, routes, addresses, links and bridge, each and all at once" {
	local c

	mkdir "$BATS_TEST_TMPDIR/net.d"
	printf '%s' "$NET" >"$BATS_TEST_TMPDIR/net.d/10.conflist"
	world
	new_netns c1 c2 c3
	for c in 1 2 3; do
		tool add --quiet net1 "c$c" -p "$((8080 + c)):80"
		tcp_answer "c$c" 80 "web$c"
	done
	things >"$BATS_TEST_TMPDIR/things"
	restores 'nft flush ruleset'
	restores 'for c in c1 c2 c3; do in_ns $c ip route flush dev eth0; in_ns $c ip -6 route flush dev eth0 proto boot; done'
	restores 'for c in c1 c3; do in_ns $c ip address flush dev eth0 scope global; done'
	restores 'ip address flush dev br1 scope global'
	restores 'for c in c1 c2; do in_ns $c ip link del eth0; done'
	restores 'ip link del br1'
	restores 'nft flush ruleset; ip link del br1; for c in c1 c2 c3; do in_ns $c ip link del eth0; done
		rm -r /etc/netns/c1 /var/lib/cni/networks/net1/10.1.0.3'
	for c in 1 2 3; do
		contains "$(ask world tcp 203.0.113.1 $((8080 + c)))" "web$c"
		tool check net1 "c$c"
	done
}

@test "restore: an interface in a container comes after its parent, also if ports of the parent were published later" {
	mkdir "$BATS_TEST_TMPDIR/net.d"
	printf '%s' "$NET" >"$BATS_TEST_TMPDIR/net.d/10.conflist"
	echo '{"cniVersion":"1.0.0","name":"net2","plugins":[{"type":"macvlan","master":"eth0","linkInContainer":true,
		"ipam":{"type":"static","addresses":[{"address":"10.5.0.60/24"}]}}]}' >"$BATS_TEST_TMPDIR/net.d/20.conflist"
	new_netns c1
	tool add --quiet net1 c1
	tool add --quiet -i mv0 net2 c1
	tool publish --quiet net1 c1 8080:80
	ip -n c1 link delete eth0
	no_link c1 mv0
	tool restore --quiet
	tool check net2 c1 -i mv0
	prints '' tool restore
	# What fails for another reason is told once.
	ip -n c1 link delete mv0
	ip -n c1 link add mv0 type dummy 2>/dev/null || ip -n c1 link add mv0 type veth peer name mv1
	run tool restore
	is "$status" 1
	is "$(grep -c 'mv0 of ' <<<"$output")" 1
	tool del --quiet net2 c1 -i mv0
	tool del --quiet net1 c1
}
