#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 18: races at first use: the bridge, its address, the tables, the chains
#
# (concurrency.bats does more of it.)
load ../lib

N=24

# conf I - one of four networks; those of the last cannot be
conf() {
	printf '{"cniVersion":"1.0.0","name":"net%d","type":"bridge","bridge":"br%d",' $(($1 % 4)) $(($1 % 4))
	printf '"isDefaultGateway":true,"ipMasq":true,"macspoofchk":true,'
	printf '"capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":['
	printf '{"hostPort":%d,"containerPort":80,"protocol":"tcp"}]},' $((8000 + $1))
	printf '"ipam":{"type":"host-local","subnet":"10.%d.0.0/24"%s}}' $(($1 % 4)) \
		"$( (($1 % 4 != 3)) || printf ',"routes":[{"dst":"192.0.2.0/24","gw":"198.51.100.1"}]')"
}

# all_at_once VERB - of every container, what came of it in out.I and status.I
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

@test "pain 18: the first containers of several networks come at once, some in vain" {
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
		is "$(find /var/lib/cni/networks -name '10.*')" ''
		is "$(ip -br link show type veth)" ''
		contains_not "$(nft list ruleset)" '/c[0-9]*/eth0'
		for i in 0 1 2 3; do ip link del "br$i"; done
		nft flush ruleset
	done
}
