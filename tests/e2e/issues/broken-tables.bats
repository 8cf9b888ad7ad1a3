#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# An administrator or another program changes cplug's nftables tables: a repair puts back what the kernel
# lets it change, and says at once what to do about the rest.
load ../lib
load ../cnitool

NET='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"macspoofchk":"strict","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	echo "$NET" >"$NETCONFPATH/net1.conflist"
	new_netns c1 c2
	tool add net1 c1
	is "$status" 0
}

# repaired TEXT - asserts that check tells TEXT, and that restore repairs it
repaired() {
	tool check net1 c1
	is "$status" 1
	contains "$output" "$1"
	tool restore
	is "$status" 0
	tool check net1 c1
	is "$status" 0
}

@test "broken tables: a dormant table is active after a repair" {
	local family

	for family in inet bridge; do
		nft add table "$family" cplug '{ flags dormant; }'
		repaired 'active \(is: dormant\)'
	done
}

@test "broken tables: a chain that drops has policy accept after a repair" {
	nft add chain inet cplug guard '{ policy drop; }'
	repaired 'policy accept \(is: .* policy drop\)'
	nft add chain bridge cplug prerouting '{ policy drop; }'
	repaired 'policy accept \(is: .* policy drop\)'
}

@test "broken tables: a map of another type fails a repair after few attempts, and an ADD, with the remedy" {
	can_trace || skip "strace is not allowed"
	export ASAN_OPTIONS+=:detect_leaks=0 # does not work under ptrace
	nft delete table inet cplug
	nft add table inet cplug
	nft add map inet cplug masq4 '{ type ipv4_addr : mark; }'
	run strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=writev,sendmsg "$CPLUG_BIN/cnitool" restore
	is "$status" 1
	contains "$output" 'masq4\): delete the table, then cnitool restore'
	contains_not "$output" 'ruleset changed'
	(($(grep -c 'writev\|sendmsg' "$BATS_TEST_TMPDIR/trace") < 500)) || fail "each attempt makes the same change"
	tool add net1 c2
	is "$status" 1
	contains "$errors" 'add element to masq4\): delete the table, then cnitool restore'
	nft delete table inet cplug
	tool restore
	is "$status" 0
	tool check net1 c1
	is "$status" 0
}

@test "broken tables: the policy of iptables' chain FORWARD is left alone" {
	local conf='{"cniVersion":"1.1.0","name":"net1","type":"firewall","backend":"iptables"}'

	nft add table ip filter
	nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }'
	add bridge "$(jq '.plugins[0] + {cniVersion, name}' <<<"$NET")" c2
	cni ADD firewall "$(chained "$conf")" c2
	ok
	contains "$(nft list chain ip filter FORWARD)" 'policy drop'
}
