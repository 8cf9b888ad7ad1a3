#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The number of rules grows with the containers, and each change rewrites them.
# shellcheck disable=SC2030,SC2031 # each test is a process
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
	[[ $one ]] || fail "no rules"
	for i in {1..29}; do
		ip netns add "c$i"
		add bridge "$(publishing $((8000 + i)))" "c$i"
	done
	is "$(skeleton)" "$one"
	for i in {1..29}; do del bridge "$CONF" "c$i"; done
	is "$(skeleton)" "$one"
}

PTP='{"cniVersion":"1.0.0","name":"net2","type":"ptp","ipMasq":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],
		"ranges":[[{"subnet":"10.2.0.0/24"}],[{"subnet":"fd00:2::/64"}]]}}'

# publish PORT CONF - prints CONF with a published port
publish() {
	with "$2" ".runtimeConfig.portMappings = [{hostPort: $1, containerPort: 80, protocol: \"tcp\"}]"
}

# published_by N - asserts that container cN's port answers: on the host's address, on 127.0.0.1 and
# [::1], and to the container itself
published_by() {
	local port=$((8000 + $1)) to

	for to in 203.0.113.1 127.0.0.1 ::1; do
		contains "$(ask - tcp "$to" "$port")" "^c$1 from"
	done
	contains "$(ask "c$1" tcp 203.0.113.1 "$port")" "^c$1 from 10.2.0"
}

@test "constant rules: thirty containers of ptp have the same chains and rules as one" {
	local i one

	world
	new_netns c0
	add ptp "$(publish 8000 "$PTP")" c0
	one=$(skeleton)
	for i in {1..29}; do
		ip netns add "c$i"
		add ptp "$(publish $((8000 + i)) "$PTP")" "c$i"
	done
	is "$(skeleton)" "$one"
	for i in {0..29}; do
		tcp_answer "c$i" 80 "c$i"
		published_by "$i"
	done
	is "$(ask world tcp 203.0.113.1 8017)" 'c17 from 203.0.113.2'
	del ptp "$PTP" c17
	for i in 0 16 18 29; do published_by "$i"; done
	ask_in_vain - tcp 127.0.0.1 8017
	for i in {0..29}; do del ptp "$PTP" "c$i"; done
	is "$(skeleton)" "$one"
	prints '' bash -c 'nft list table inet cplug | grep net2/ || :'
}

@test "constant rules: portmap behind ptp adds no chain and no rule for a container" {
	local i one plain prev

	world
	plain=$(with "$PTP" 'del(.capabilities)')
	for i in {0..4}; do
		new_netns "c$i"
		add ptp "$plain" "c$i"
		prev=$output
		add portmap "$(publish $((8000 + i)) '{"cniVersion":"1.0.0","name":"net2","type":"portmap","capabilities":{"portMappings":true}}' |
			jq -c --argjson prev "$prev" '.prevResult = $prev')" "c$i"
		[[ ${one-} ]] || one=$(skeleton)
		tcp_answer "c$i" 80 "c$i"
	done
	is "$(skeleton)" "$one"
	for i in {0..4}; do published_by "$i"; done
	del portmap '{"cniVersion":"1.0.0","name":"net2","type":"portmap"}' c3
	prints 0 cat "/proc/sys/net/ipv4/conf/$(result_link c3)/route_localnet"
	for i in 0 1 2 4; do published_by "$i"; done
}

# result_link ID - prints the name of the host's end of net2's container ID
result_link() {
	ip -j link show | jq -r --arg alias "cplug net2/$1/eth0" '.[] | select(.ifalias == $alias) | .ifname'
}

@test "constant rules: DEL of a removes no element of b, which has taken over a's address" {
	local b

	new_netns a b
	world
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.9' add bridge "$(publishing 8080)" a
	# The leases are lost, as after rm -rf /var/lib/cni.
	rm -r /var/lib/cni/networks
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.9' cni ADD bridge "$(publishing 8080)" b
	failed 104 '10\.1\.0\.9 belongs to net1/a/eth0'
	in_ns a ip link del eth0
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

# del_traced ID [STRACE-OPTION...] - DEL under strace
del_traced() {
	CNI_COMMAND=DEL CNI_CONTAINERID=$1 CNI_NETNS=/run/netns/$1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=writev \
		"${@:2}" "$CPLUG_BIN/bridge" <<<"$CONF"
}

@test "constant rules: DEL removes no element that changed hands after DEL looked at it" {
	local -x nth

	can_trace || skip "no strace"
	new_netns c0 c1
	add bridge "$(publishing 8079)" c0
	add bridge "$(publishing 8080)" c1
	# The deletion is the first change-set, a batch of several buffers; it is delayed.
	del_traced c0
	nth=$(grep -n '}, {iov_base=' "$BATS_TEST_TMPDIR/trace" | head -n 1 | cut -d: -f1)
	rm "$BATS_TEST_TMPDIR/trace"
	del_traced c1 -e "inject=writev:delay_enter=5000000:when=$nth" &
	wait_for "the lookups" bash -c "((\$(wc -l <'$BATS_TEST_TMPDIR/trace') >= nth - 1))"
	nft -f - <<-'END'
		delete element inet cplug ports4 { tcp . 8080 }
		add element inet cplug ports4 { tcp . 8080 comment "veth00000000001 net9/other/eth0" : 10.9.0.9 . 80 }
	END
	wait $!
	no_link c1 eth0
	contains "$(nft list map inet cplug ports4)" 'net9/other/eth0'
}
