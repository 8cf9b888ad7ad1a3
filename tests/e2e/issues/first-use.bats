#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Races between the first ADDs that create bridge, address, tables and chains.
#
# concurrency.bats has more of them.
load ../lib

N=24

# conf I - prints the configuration of one of four networks; ADD to the fourth fails
conf() {
	printf '{"cniVersion":"1.0.0","name":"net%d","type":"bridge","bridge":"br%d",' $(($1 % 4)) $(($1 % 4))
	printf '"isDefaultGateway":true,"ipMasq":true,"macspoofchk":true,'
	printf '"capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":['
	printf '{"hostPort":%d,"containerPort":80,"protocol":"tcp"}]},' $((8000 + $1))
	printf '"ipam":{"type":"host-local","subnet":"10.%d.0.0/24"%s}}' $(($1 % 4)) \
		"$( (($1 % 4 != 3)) || printf ',"routes":[{"dst":"192.0.2.0/24","gw":"198.51.100.1"}]')"
}

# all_at_once VERB - calls bridge for all containers in parallel; writes out.I and status.I
all_at_once() {
	local i

	for ((i = 0; i < N; i++)); do
		(
			exec 3>&- 4>&-
			raw "$1" bridge "c$i" <<<"$(conf "$i")" >"$BATS_TEST_TMPDIR/out.$i" 2>&1 && echo 0 || echo 1
		) >"$BATS_TEST_TMPDIR/status.$i" &
	done
	wait
}

@test "first use: parallel first ADDs to four networks, of which one always fails, leave nothing after DEL" {
	local i

	for ((i = 0; i < N; i++)); do ip netns add "c$i"; done
	for _ in 1 2 3; do
		all_at_once ADD
		for ((i = 0; i < N; i++)); do
			is "$i: $(cat "$BATS_TEST_TMPDIR/status.$i")" "$i: $((i % 4 == 3))"
			((i % 4 == 3)) || sees "c$i" "10.$((i % 4)).0.1"
		done
		all_at_once DEL
		for ((i = 0; i < N; i++)); do is "$(cat "$BATS_TEST_TMPDIR/status.$i")" 0; done
		prints '' find /var/lib/cni/networks -name '10.*'
		prints '' ip -br link show type veth
		prints_not '/c[0-9]*/eth0' nft list ruleset
		for i in 0 1 2 3; do ip link del "br$i"; done
		nft flush ruleset
	done
}

@test "first use: a first ADD that fails or is killed at any request leaves nothing after GC, and hinders no other" {
	local conf gc n fault

	can_trace || skip "strace cannot trace"
	conf=$(with "$(conf 0)" '.cniVersion = "1.1.0" | .macspoofchk = "strict"')
	gc=$(with "$conf" '."cni.dev/valid-attachments" = []')
	new_netns c1 c2
	add bridge "$conf"
	del bridge "$conf"
	cni GC bridge "$gc"
	prints '' ip -br link show type bridge
	remember
	for fault in error=ENOMEM signal=KILL; do
		for ((n = 1; n < 100; n++)); do
			faulty_add "$n" "$fault" bridge "$conf" || break
			del bridge "$conf"
			if ((n % 2)); then
				add bridge "$conf" c2
				link - br0 '.ifalias == "cplug net0"'
				is "$n: $(sysctl_get net/ipv6/conf/br0/accept_ra)" "$n: 0"
				del bridge "$conf" c2
			fi
			cni GC bridge "$gc"
			assert_same_snapshot
		done
		((n > 10 && n < 100)) || fail "$fault: $n requests"
		del bridge "$conf"
		cni GC bridge "$gc"
	done
}
