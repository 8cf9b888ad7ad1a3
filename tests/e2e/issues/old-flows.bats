#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Old conntrack entries still translate a published port to its former owner.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"},
	"runtimeConfig":{"portMappings":[
		{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
		{"hostPort":5353,"containerPort":53,"protocol":"udp"}]}}'

prepare() {
	world
	new_netns a b
}

# hear NS - writes datagrams to UDP port 53 of NS into heard.NS
hear() {
	in_ns "$1" socat -u UDP4-RECV:53 "OPEN:$BATS_TEST_TMPDIR/heard.$1,creat,append" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the receiver in $1" bash -c "nsenter --net=/run/netns/$1 ss -Hnul 'sport = :53' | grep -q ."
}

# send_steadily - sends a datagram every 20 ms, always from the same port
send_steadily() {
	# shellcheck disable=SC2016  # the inner shell's
	in_ns world bash -c 'while echo datagram && sleep 0.02; do :; done |
		socat -u - UDP4-SENDTO:203.0.113.1:5353,bind=203.0.113.2:6000' </dev/null >/dev/null 2>&1 3>&- 4>&- &
}

@test "old flows: the port's new owner receives the datagrams of a sender that never pauses" {
	add bridge "$CONF" a
	hear a
	send_steadily
	wait_for 'a datagram at a' test -s "$BATS_TEST_TMPDIR/heard.a"
	del bridge "$CONF" a
	# These datagrams go to the host, which creates a conntrack entry for them.
	sleep 0.2
	add bridge "$CONF" b
	hear b
	wait_for 'a datagram at b' test -s "$BATS_TEST_TMPDIR/heard.b"
}

@test "old flows: the new owner receives the datagrams if the old owner died without DEL" {
	local link

	add bridge "$CONF" a
	link=$(host_end)
	hear a
	send_steadily
	wait_for 'a datagram at a' test -s "$BATS_TEST_TMPDIR/heard.a"
	ip link del "$link"
	add bridge "$CONF" b
	hear b
	wait_for 'a datagram at b' test -s "$BATS_TEST_TMPDIR/heard.b"
	del bridge "$CONF" a
	: >"$BATS_TEST_TMPDIR/heard.b"
	wait_for 'another datagram at b' test -s "$BATS_TEST_TMPDIR/heard.b"
}

# open_connection PORT - starts a client that connects from PORT to a, whose link is down; sets
# client to its PID
open_connection() {
	in_ns a ip link set eth0 down
	echo question | in_ns world socat -t 5 - "TCP4:203.0.113.1:8080,bind=203.0.113.2:$1" \
		>"$BATS_TEST_TMPDIR/answer" 2>/dev/null 3>&- 4>&- &
	client=$!
	wait_for 'the flow' bash -c 'conntrack -L -p tcp --orig-port-dst 8080 2>/dev/null | grep -q SYN_SENT'
}

@test "old flows: an unanswered connection reaches the new owner" {
	local client

	add bridge "$CONF" a
	open_connection 6001
	del bridge "$CONF" a
	add bridge "$CONF" b
	tcp_answer b 80 b
	wait "$client"
	is "$(cat "$BATS_TEST_TMPDIR/answer")" 'b from 203.0.113.2'
}

@test "old flows: an unanswered connection reaches the new owner without DEL, and after a flush" {
	local client link

	add bridge "$CONF" a
	link=$(host_end)
	open_connection 6001
	ip link del "$link"
	add bridge "$CONF" b
	tcp_answer b 80 b
	wait "$client"
	is "$(cat "$BATS_TEST_TMPDIR/answer")" 'b from 203.0.113.2'
	del bridge "$CONF" b
	del bridge "$CONF" a

	add bridge "$CONF" a
	open_connection 6002
	nft flush ruleset
	add bridge "$CONF" b
	wait "$client"
	is "$(cat "$BATS_TEST_TMPDIR/answer")" 'b from 203.0.113.2'
}

@test "old flows: a client that was refused before ADD reaches the container from the same port" {
	local client

	warm_up bridge "$CONF"
	# Before ADD the host refuses, and the client tries again from the same port.
	echo question | in_ns world socat -t 5 - \
		TCP4:203.0.113.1:8080,bind=203.0.113.2:6001,reuseaddr,retry=600,interval=0.1 \
		>"$BATS_TEST_TMPDIR/answer" 2>/dev/null 3>&- 4>&- &
	client=$!
	sleep 0.3
	add bridge "$CONF" a
	tcp_answer a 80 a
	wait "$client"
	is "$(cat "$BATS_TEST_TMPDIR/answer")" 'a from 203.0.113.2'
}

@test "old flows: ADD and DEL leave flows of other ports alone" {
	add bridge "$CONF" a
	udp_answer - 7777 host
	is "$(echo q | in_ns world socat -t 5 - UDP4:203.0.113.1:7777,bind=203.0.113.2:6002 | head -n1)" \
		'host from 203.0.113.2'
	conntrack -L -p udp --orig-port-dst 7777 2>/dev/null | grep -q 6002
	del bridge "$CONF" a
	add bridge "$CONF" b
	conntrack -L -p udp --orig-port-dst 7777 2>/dev/null | grep -q 6002
}

@test "old flows: ADD and DEL of a port at one host address leave flows to the other address alone" {
	local conf

	ip address add 203.0.113.9/24 dev uplink
	conf=$(with "$CONF" '.runtimeConfig.portMappings = [{hostPort: 5353, containerPort: 53, protocol: "udp", hostIP: "203.0.113.9"}]')
	add bridge "$conf" a
	udp_answer a 53 a
	is "$(echo q | in_ns world socat -t 5 - UDP4:203.0.113.9:5353,bind=203.0.113.2:6003 | head -n1)" 'a from 203.0.113.2'
	conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q 6003
	conf=$(with "$conf" '.runtimeConfig.portMappings[0].hostIP = "203.0.113.1"')
	add bridge "$conf" b
	conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q 6003
	del bridge "$conf" b
	conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q 6003
}

@test "old flows: a sender to a secondary address of the host reaches the container" {
	warm_up bridge "$CONF"
	ip address add 203.0.113.9/24 dev uplink
	# Before ADD the datagram goes to the host, which creates a conntrack entry for the client's port.
	echo early | in_ns world socat -u - UDP4-SENDTO:203.0.113.9:5353,bind=203.0.113.2:6004
	conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q 6004
	add bridge "$CONF" a
	udp_answer a 53 a
	is "$(echo q | in_ns world socat -t 5 - UDP4:203.0.113.9:5353,bind=203.0.113.2:6004 | head -n1)" 'a from 203.0.113.2'
}

@test "old flows: DEL after a killed DEL removes ports and flows" {
	local n flows=0

	command -v strace >/dev/null && strace -o /dev/null true || skip 'strace is not installed or not allowed'
	[[ $CPLUG_BIN != */san/* ]] || skip 'too slow'
	add bridge "$CONF" b
	udp_answer b 53 b
	del bridge "$CONF" b
	for ((n = 1; ; n++)); do
		add bridge "$CONF" a
		in_ns a ip link set eth0 down # otherwise the kernel removes the flow itself
		# The datagram is lost, but tracked.
		echo q | in_ns world socat -u - UDP4-SENDTO:203.0.113.1:5353,bind=203.0.113.2:6000
		wait_for 'a flow' bash -c 'conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q src=10.1.0'
		status=0
		CNI_COMMAND=DEL CNI_CONTAINERID=a CNI_NETNS=/run/netns/a CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			strace -qq -o /dev/null -e "inject=sendto,sendmsg,writev:signal=KILL:when=$n" \
			"$CPLUG_BIN/bridge" <<<"$CONF" >/dev/null 2>&1 || status=$?
		((status != 0)) || break
		! conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q src=10.1.0 || flows=$((flows + 1))
		del bridge "$CONF" a ''
		prints '' conntrack -L -p udp --orig-port-dst 5353 || fail "after kill $n"
		prints_not '/a/eth0' nft list ruleset
	done
	((n > 5 && flows > 3)) || fail "only $n kills, and $flows flows"
}
