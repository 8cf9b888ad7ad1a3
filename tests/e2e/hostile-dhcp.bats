#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # for eval
# The DHCP plugin and its daemon against containers and authors of network configurations
# (docs/security.md).

load lib
load dhcp
load dhcp-server
load dhcp6

prepare() {
	lan6
	new_netns c1
}

# wait_in_line NETWORK N - begins N ADDs of a network whose server is silent, in c1
wait_in_line() {
	local conf i

	conf=$(with "$DHCP_CONF" ".name = \"$1\"")
	for ((i = 0; i < $2; i++)); do
		raw ADD dhcp "$1-$i" c1 <<<"$conf" >"/run/out-$1-$i" 2>&1 3>&- 4>&- &
	done
}

# waiting - prints the number of ADDs that wait
waiting() {
	"$CPLUG_BIN/dhcp" list --json | jq length
}

@test "hostile-dhcp: ADDs of two networks whose server is silent do not keep the other networks out" {
	daemon
	need_dnsmasq
	new_netns c2
	ip link add silent type veth peer name eth0 netns c1
	ip link set silent up
	wait_in_line neta 128
	wait_for "those of one network" eval '[[ $(waiting) == 128 ]]'
	wait_in_line netb 128
	wait_for "those that make room" eval '[[ $(cat /run/out-neta-* | grep -c "of network neta") == 32 ]]'
	wait_for "those that are refused" eval '[[ $(cat /run/out-netb-* | grep -c "of network netb") == 32 ]]'
	is "$(waiting)" 192
	cni STATUS dhcp "$DHCP_CONF"
	ok
	dnsmasq_on lan
	add macvlan "$DHCP_MACVLAN" c2
	is "$(waiting)" 192
	del macvlan "$DHCP_MACVLAN" c2
	end_daemon TERM
}

# many_addresses NS N - gives eth0 of NS N IPv6 addresses more
many_addresses() {
	local i

	for ((i = 0; i < $2; i++)); do
		printf 'address add fd00:66:%x::1/128 dev eth0 nodad\n' "$i"
	done >/run/batch
	in_ns "$1" ip -batch /run/batch
}

@test "hostile-dhcp: a container with 20,000 IPv6 addresses gets, renews and releases a lease" {
	server6 valid=60 t1=2 rapid=1
	daemon
	warm_up_link
	ip link add link lan0 name eth0 netns c1 type macvlan mode bridge
	in_ns c1 ip link set eth0 up
	many_addresses c1 20000
	cni ADD dhcp "$DHCP6_CONF" c1 c1 eth0
	ok
	has '.ips[0].address == "fd00:5::50/128"'
	in_ns c1 ip address add fd00:5::50/128 dev eth0
	wait_for "a renewal" hears6 1 'RENEW for fd00:5::50 .* REPLY'
	wait_for "the lifetimes" eval '(($(valid6 c1 fd00:5::50) <= 60))'
	cni DEL dhcp "$DHCP6_CONF" c1 c1 eth0
	ok
	wait_for "the release" hears6 1 'RELEASE for fd00:5::50'
	# A renewal can be under way, and removes what it adds.
	wait_for "the end of the changes" eval '! pgrep -P "$DAEMON"'
	! has_address6 fd00:5::50/128 || fail "the address is still there"
	end_daemon TERM
}

# uint3 N - prints a number of gob in four bytes
uint3() {
	# shellcheck disable=SC2059 # escapes
	printf "$(printf '\\xfd\\x%02x\\x%02x\\x%02x' $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
}

# slow_gob N - prints an answer: a list of N empty lists, whose type has a definition of N fields
slow_gob() {
	printf '\x07\xff\x81\x02\x02\xff\x84\x00' # type 65: a list of type 66
	uint3 $((5 + 2 * $1))                     # type 66
	printf '\xff\x83\x02\x03\x00'
	yes $'\x01' | head -n "$1" | tr '\n' '\000'
	uint3 $((7 + $1))
	printf '\xff\x82\x00'
	uint3 "$1"
	head -c "$1" /dev/zero
}

# false_daemon - listens on /run/false.sock, and answers each call with /run/answer; without that file never
false_daemon() {
	cat >/run/false <<-'END'
		#!/bin/bash
		head -c 5 >/dev/null
		[[ ! -e /run/answer ]] || { printf 'HTTP/1.0 200 Connected to Go RPC\n\n'; sleep 0.3; cat /run/answer; }
		exec cat >/dev/null
	END
	chmod +x /run/false
	socat UNIX-LISTEN:/run/false.sock,fork EXEC:/run/false </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the false daemon" listens_at /run/false.sock
}

@test "hostile-dhcp: the answer of a false daemon, whose definitions take long to read, ends ADD and DEL" {
	local conf

	command -v socat >/dev/null || skip "socat is not installed"
	false_daemon
	slow_gob 240000 >/run/answer
	conf=$(with "$DHCP_CONF" '.ipam.daemonSocketPath = "/run/false.sock"')
	for command in ADD CHECK DEL; do
		SECONDS=0
		status=0
		timeout -s KILL 60 "$BASH" -c "$(declare -f raw); raw $command dhcp" <<<"$conf" >/run/out 2>&1 || status=$?
		((SECONDS < 30)) || fail "$command took $SECONDS s"
		is "$status" 1
		grep -q "DHCP daemon at /run/false.sock: DHCP.[A-Z][a-z]*: Bad message" /run/out || fail "$(cat /run/out)"
	done
}

@test "hostile-dhcp: a server that offers the host's own address gets no masquerade for it, also without ARP probe" {
	local conf

	daemon
	need_dnsmasq
	ip address add 10.5.0.50/24 dev br0
	dnsmasq_on lan --dhcp-range=10.5.0.50,10.5.0.50,255.255.255.0,2m
	conf=$(with "$DHCP_CONF" '.ipMasq = true | .ipam.arpProbe = 0')
	cni ADD bridge "$conf"
	failed 102 '10\.5\.0\.50 is an address of the host itself'
	wait_for "the release" no_leases
	no_link c1 eth0
	prints_not '10\.5\.0\.50' nft list ruleset
	add bridge "$(with "$conf" '.ipMasq = false')"
	has '.ips[0].address == "10.5.0.50/24"'
	end_daemon TERM
}

@test "hostile-dhcp: with isGateway, a server cannot give the host an address of its other networks, nor an impossible one" {
	local conf offer first mask router

	ip link add up0 type veth peer name up1
	ip link set up1 up
	ip link set up0 up
	ip address add 192.0.2.10/24 dev up0
	ip route add 198.51.100.0/24 via 192.0.2.1
	ip route add default via 192.0.2.1
	conf=$(with "$DHCP_CONF" '.isGateway = true')
	scripted_on lan lease=60
	daemon --timeout 300ms --resendmax 1s --resendtimeout 4s
	for offer in 192.0.2.77/255.255.255.128/192.0.2.1 192.0.2.77/255.255.255.0/192.0.2.1 \
		10.5.0.50/128.0.0.0/10.5.0.1 198.51.100.7/255.255.255.0/198.51.100.1 \
		10.5.0.50/255.255.255.0/10.5.0.255 169.254.169.50/255.255.255.0/169.254.169.254; do
		IFS=/ read -r first mask router <<<"$offer"
		script lan "lease=60 first=$first mask=$mask router=$router"
		cni ADD bridge "$conf"
		failed 102 "br0 does not get the gateway ${router//./\\.}/.* from DHCP"
		is "$(addresses - br0)" ''
		no_link c1 eth0
	done
	script lan lease=60 first=10.5.0.50 mask=255.255.255.0 router=10.5.0.1
	add bridge "$conf"
	is "$(addresses - br0)" 10.5.0.1/24
	del bridge "$conf"
	# Its own narrower network hides the other link's of the same prefix.
	ip route add 10.0.0.0/8 via 192.0.2.7 metric 100
	script lan lease=60 first=10.5.0.50 mask=255.0.0.0 router=10.5.0.2
	cni ADD bridge "$(with "$conf" '.forceAddress = true')"
	failed 102 'br0 does not get the gateway 10\.5\.0\.2/8 from DHCP'
	is "$(addresses - br0)" 10.5.0.1/24
	end_daemon TERM
}

@test "hostile-dhcp: a server cannot give a neighbour's address by an ACK after an offer of another, nor by a renewal" {
	another_lan victim 02:00:00:00:00:60 10.5.0.60/24
	scripted_on lan lease=5 t1=2 ack=10.5.0.60
	daemon --timeout 200ms --resendmax 1s --resendtimeout 2s
	cni ADD bridge "$DHCP_CONF"
	failed 11 'no DHCP server gave an address to eth0'
	hears lan 1 'REQUEST from 0.0.0.0 for 10.5.0.50 ACK'
	no_link c1 eth0
	script lan lease=5 t1=2
	add bridge "$DHCP_CONF"
	has '.ips[0].address == "10.5.0.51/24"'
	in_ns c1 ip -4 monitor address >/run/addresses 3>&- 4>&- &
	script lan lease=5 t1=2 ack=10.5.0.60
	wait_for "the refusal" grep -q 'renewed another address' /run/daemon.log
	script lan lease=60
	wait_for "an offered address" has_address c1 10.5.0.51/24
	kill $!
	contains "$(cat /run/addresses)" '10\.5\.0\.51'
	contains_not "$(cat /run/addresses)" '10\.5\.0\.60'
	del bridge "$DHCP_CONF"
	end_daemon TERM
}
