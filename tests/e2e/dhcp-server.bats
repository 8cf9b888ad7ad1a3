#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp: leases of five seconds, and servers that change, refuse, forge or are silent
# shellcheck disable=SC2016,SC2030,SC2031 # conditions for eval; tests are subshells
load lib
load dhcp
load dhcp-server
load cnitool

# Renewals of the test that counts them: soak has the ten.
DHCP_RENEWALS=${DHCP_RENEWALS:-3}

prepare() {
	lan
	new_netns c1
}

# ready [WORD...] - server and daemon; short waits for answers
ready() {
	scripted_on lan "$@"
	daemon --timeout 1s --resendmax 2s
}

@test "dhcp: a lease of five seconds is renewed by unicast, again and again" {
	local before

	ready lease=5 t1=2
	add macvlan "$DHCP_MACVLAN"
	has '.ips[0].address == "10.5.0.50/24" and .ips[0].gateway == "10.5.0.1"'
	before=$SECONDS
	wait_for "$DHCP_RENEWALS renewals" hears lan "$DHCP_RENEWALS" 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	((SECONDS - before >= 2 * DHCP_RENEWALS - 2)) || fail "renewals came too early"
	is "$(heard lan DISCOVER)" 1
	is "$(heard lan 'REQUEST from 0.0.0.0')" 1
	has_address c1 10.5.0.50/24
	sees c1 10.5.0.1
	del macvlan "$DHCP_MACVLAN"
	wait_for "the release" hears lan 1 'RELEASE from 10.5.0.50 for 10.5.0.50 -'
	echo "# renewals: $DHCP_RENEWALS" >&3
}

@test "dhcp: what a renewal changes is applied" {
	ready lease=5 t1=2
	add macvlan "$DHCP_MACVLAN"
	has_router c1 10.5.0.1
	script lan lease=5 t1=2 router=10.5.0.254
	wait_for "the new router" has_router c1 10.5.0.254
	has_address c1 10.5.0.50/24
	script lan lease=5 t1=2 router=10.5.0.254 mask=255.255.0.0
	wait_for "the new mask" has_address c1 10.5.0.50/16
	has_router c1 10.5.0.254
	is "$(heard lan DISCOVER)" 1
}

@test "dhcp: a server with another range refuses, and the container gets an address of it" {
	ready lease=5 t1=2
	add macvlan "$DHCP_MACVLAN"
	script lan lease=5 t1=2 first=10.5.0.150
	wait_for "the refusal" hears lan 1 'REQUEST from 10.5.0.50 for 10.5.0.50 NAK'
	wait_for "the new address" has_address c1 10.5.0.150/24
	has_router c1 10.5.0.1
	sees c1 10.5.0.1
	wait_for "a renewal of it" hears lan 1 'REQUEST from 10.5.0.150 for 10.5.0.150 ACK'
}

@test "dhcp: a renewed address that another attachment has stays with that, also after a flushed ruleset" {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir "$NETCONFPATH"
	ready lease=6 t1=2
	new_netns v1
	net '{"cniVersion":"1.1.0","name":"leased","plugins":[
		{"type":"bridge","bridge":"br0","ipMasq":true,"ipam":{"type":"dhcp","arpProbe":0}},
		{"type":"portmap","capabilities":{"portMappings":true}}]}' 20-leased
	net '{"cniVersion":"1.1.0","name":"net1","plugins":[
		{"type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}},
		{"type":"portmap","capabilities":{"portMappings":true}}]}'
	tool add leased c1 -p 8090:80
	ok
	tool add net1 v1 -p 8080:80
	ok
	script lan lease=6 t1=2 first=10.1.0.2 router=10.1.0.1
	wait_for "the other's address" has_address c1 10.1.0.2/24
	nft flush ruleset
	# The older attachment comes first.
	tool restore
	is "$status" 1
	contains "$errors" 'the DHCP server gave it 10\.1\.0\.2, which belongs to net1/[^/]*/eth0 '
	contains "$errors" '1 of 2 attachments could not be restored'
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/'
	tool check net1 v1
	ok
	tool publish net1 v1 8082:82
	ok
	tool check --repair leased c1
	is "$status" 1
	contains "$errors" 'the DHCP server gave it 10\.1\.0\.2, which'
	# After the other's end the address is free.
	tool del net1 v1
	ok
	tool check --repair leased c1
	ok
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* leased/'
	# The same if the daemon has no lease, and asks for one because of the repair.
	tool add net1 v1 -p 8080:80
	ok
	has '.ips[0].address == "10.1.0.3/24"'
	end_daemon KILL
	rm /run/cni/dhcp/*
	script lan lease=60 first=10.1.0.3 router=10.1.0.1
	daemon --timeout 1s --resendmax 2s
	nft flush ruleset
	tool check --repair leased c1
	is "$status" 1
	contains "$errors" 'the DHCP server gave it 10\.1\.0\.3, which belongs to net1/[^/]*/eth0 '
	contains_not "$(nft list ruleset)" '10\.1\.0\.3'
	tool restore
	is "$status" 1
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.3 comment "veth[0-9a-f]* net1/'
	tool check net1 v1
	ok
	tool del net1 v1
	ok
	tool check --repair leased c1
	ok
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.3 comment "veth[0-9a-f]* leased/'
	# A daemon that is away keeps no repair from the rest.
	end_daemon TERM
	nft flush ruleset
	tool restore
	contains "$(nft list ruleset)" '8090 .*leased/'
	tool del leased c1
	ok
}

# masqueraded_for NETWORK - prints the addresses
masqueraded_for() {
	nft list map inet cplug masq4 | grep -oE "[0-9.]+ comment \"veth[0-9a-f]+ $1/" | cut -d' ' -f1
}

@test "dhcp: the address that a lease has left is free for the next container, and no other one is" {
	local next='{"cniVersion":"1.1.0","name":"next","type":"bridge","bridge":"br1","ipMasq":true,
		"ipam":{"type":"static","addresses":[{"address":"10.5.0.50/24"}]}}'
	local leased='{"cniVersion":"1.1.0","name":"leased","type":"bridge","bridge":"br0","ipMasq":true,
		"ipam":{"type":"dhcp","arpProbe":0}}'

	ready lease=6 t1=2
	new_netns c2
	add bridge "$leased"
	is "$(masqueraded_for leased)" 10.5.0.50
	cni ADD bridge "$next" c2
	failed 104 '10\.5\.0\.50.* belongs to leased/c1/eth0 '
	# A container that uses its address elsewhere has not left it.
	in_ns c1 ip address add 10.99.0.1/32 dev eth0
	in_ns c1 ip address del 10.5.0.50/24 dev eth0
	cni ADD bridge "$next" c2
	failed 104 ' belongs to leased/c1/eth0 '
	in_ns c1 ip address flush dev eth0
	# What it has got back is its own again.
	script lan lease=6 t1=2 first=10.5.0.150
	wait_for "the new address" has_address c1 10.5.0.150/24
	script lan lease=6 t1=2
	wait_for "the first address" has_address c1 10.5.0.50/24
	cni ADD bridge "$next" c2
	failed 104 ' belongs to leased/c1/eth0 '
	script lan lease=6 t1=2 first=10.5.0.151
	wait_for "another address" has_address c1 10.5.0.151/24
	# The next daemon knows it, too.
	end_daemon KILL
	daemon --timeout 1s --resendmax 2s
	add bridge "$next" c2
	is "$(masqueraded_for next)" 10.5.0.50
	is "$(masqueraded_for leased)" ""
	# The DEL of the one leaves the other's alone.
	end_daemon KILL
	del bridge "$leased"
	is "$(masqueraded_for next)" 10.5.0.50
	del bridge "$next" c2
	# That DEL did not reach the daemon, so its document is there; but the next link of that name, in
	# the same namespace, has not got the address by a lease.
	contains "$(jq -c .left /run/cni/dhcp/leased:c1:eth0.json)" '"10\.5\.0\.50"'
	add bridge "$(with "$leased" '.ipam = {type: "static", addresses: [{address: "10.5.0.50/24"}]}')"
	cni ADD bridge "$next" c2
	failed 104 '10\.5\.0\.50.* belongs to leased/c1/eth0 '
}

@test "dhcp: silence: rebinding, expiry without address, and a lease again" {
	ready lease=5 t1=2 t2=3
	add macvlan "$DHCP_MACVLAN"
	script lan mode=silent
	wait_for "a rebinding" hears lan 1 'REQUEST from 0.0.0.0 for 10.5.0.50 -'
	has_address c1 10.5.0.50/24
	wait_for "the end of the lease" has_address c1 ''
	has_router c1 ''
	wait_for "a search" hears lan 2 'DISCOVER'
	script lan lease=5
	wait_for "the lease" has_address c1 10.5.0.50/24
	has_router c1 10.5.0.1
	sees c1 10.5.0.1
}

@test "dhcp: another server takes over after T2" {
	another_lan lan2 02:00:00:00:00:77 10.5.0.77/24
	# Long enough for a busy machine to start the other server before the lease ends.
	ready lease=20 t1=2 t2=3
	add macvlan "$DHCP_MACVLAN"
	script lan mode=silent
	scripted_on lan2 server=10.5.0.77 lease=5 t1=2
	wait_for "the other server" hears lan2 1 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	has_address c1 10.5.0.50/24
	is "$(heard lan2 DISCOVER)" 0
}

@test "dhcp: rogue servers that guess or refuse change nothing" {
	another_lan bad1 02:00:00:00:00:66 10.5.0.66/24
	another_lan bad2 02:00:00:00:00:67 10.5.0.67/24
	scripted_on bad1 server=10.5.0.66 first=10.5.0.200 forge=1 twice=1
	scripted_on bad2 server=10.5.0.67 mode=rogue
	ready lease=5 t1=2
	add macvlan "$DHCP_MACVLAN"
	has '.ips[0].address == "10.5.0.50/24"'
	wait_for "the rogue NAK" hears bad2 1 'REQUEST from 0.0.0.0 for 10.5.0.50 NAK'
	wait_for "a renewal" hears lan 1 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	has_address c1 10.5.0.50/24
	is "$(heard lan DISCOVER)" 1
}

@test "dhcp: an ADD that is refused first, or loses each second message, waits and succeeds" {
	ready mode=nak
	(sleep 1 && script lan lease=60 lose=2 twice=1) 3>&- &
	add macvlan "$DHCP_MACVLAN"
	has '.ips[0].address == "10.5.0.50/24"'
	hears lan 1 'REQUEST from 0.0.0.0 for 10.5.0.50 NAK'
	hears lan 2 'DISCOVER'
}

@test "dhcp: a lease of no time, and without mask" {
	ready lease=0
	add macvlan "$DHCP_MACVLAN"
	wait_for "a renewal" hears lan 1 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	is "$(heard lan 'REQUEST from 10.5.0.50')" 1
	# An ACK without mask prolongs it; a new lease needs one.
	script lan lease=5 mask=0.0.0.0 router=10.5.0.254
	wait_for "two renewals" hears lan 3 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	has_address c1 10.5.0.50/24
	has_router c1 10.5.0.1
	new_netns c2
	cni ADD macvlan "$DHCP_MACVLAN" c2
	((status == 1))
	[[ $error == *'DHCP option Subnet Mask not found in DHCPACK'* ]] || fail "$error"
}

@test "dhcp: an address that another host uses is declined, and the next one is taken" {
	another_lan rival 02:00:00:00:00:88 10.5.0.50/24
	ready lease=60
	add macvlan "$DHCP_MACVLAN"
	has '.ips[0].address == "10.5.0.51/24"'
	is "$(heard lan 'DECLINE from 0.0.0.0 for 10.5.0.50 -')" 1
	is "$(heard lan DISCOVER)" 2
	grep -q '10.5.0.50 declined: 02:00:00:00:00:88 uses it' /run/daemon.log
	has_address c1 10.5.0.51/24
	sees c1 10.5.0.1
	wait_for "a moment without sockets" eval '[[ ! $(in_ns c1 ss -Hnlu) && ! $(in_ns c1 ss -Hn0) ]]'
	# Not if the configuration does not want it.
	del macvlan "$DHCP_MACVLAN"
	in_ns rival ip address add 10.5.0.52/24 dev eth0
	add macvlan "$(with "$DHCP_MACVLAN" '.ipam.arpProbe = 0')"
	has '.ips[0].address == "10.5.0.52/24"'
}

@test "dhcp: the probe of an address delays ADD by its own time alone" {
	local conf added=0 deleted=0

	ready lease=60
	conf=$(with "$DHCP_MACVLAN" '.mac = "02:00:00:00:00:aa" | .ipam.arpProbe = 1500')
	lasts add macvlan "$conf"
	((took >= 1490000)) || fail "the address was used before the probe ended"
	has_address c1 10.5.0.50/24
	del macvlan "$conf"
	# The end of a probe is not missed, whenever the acknowledgement comes: an ADD that misses it ends when
	# its sockets are closed, after 15 seconds.  DEL says how slow the machine is.
	for _ in {1..25}; do
		lasts add macvlan "$(with "$conf" '.ipam.arpProbe = 3')"
		((added >= took)) || added=$took
		lasts del macvlan "$conf"
		((deleted >= took)) || deleted=$took
	done
	((added - deleted < 14000000)) || fail "an ADD waited for its sockets to be closed"
	# A container that gives up meanwhile leaves nothing.
	raw ADD macvlan <<<"$(with "$conf" '.ipam.arpProbe = 10000')" >/run/out 2>/dev/null &
	wait_for "the acknowledgement" hears lan 27 'REQUEST from 0.0.0.0 for 10.5.0.50 ACK'
	kill -TERM "$(pgrep -P "$!" macvlan)"
	wait_for "the release" hears lan 27 'RELEASE .* for 10.5.0.50 -'
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	[[ ! $(ls /run/cni/dhcp) ]]
}

@test "dhcp: a renewal that is due before the probe has ended does not make ADD fail" {
	ready lease=10 t1=2 t2=8
	raw ADD macvlan <<<"$(with "$DHCP_MACVLAN" '.ipam.arpProbe = 1900')" >/run/out &
	wait_for "the acknowledgement" hears lan 1 'REQUEST from 0.0.0.0 for 10.5.0.50 ACK'
	# As on a busy machine: both are due when the daemon goes on.
	kill -STOP "$DAEMON"
	sleep 2.2
	kill -CONT "$DAEMON"
	wait "$!" || fail "$(cat /run/out)"
	# The renewal is sent from the address, which the container has only after ADD.
	grep -q 'open a UDP socket on eth0: Cannot assign requested address' /run/daemon.log
	has_address c1 10.5.0.50/24
	wait_for "a renewal" hears lan 1 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	is "$(heard lan DISCOVER)" 1
}

# flap - the parent of the container's interface loses its carrier, and gets it again
flap() {
	ip link set lan0 down
	ip link set lan0 up
}

@test "dhcp: after a restart a lease is confirmed if the link was down meanwhile, else used as it is" {
	ready lease=600
	add macvlan "$DHCP_MACVLAN"
	end_daemon KILL
	flap
	daemon --timeout 1s
	wait_for "the question" hears lan 2 'REQUEST from 0.0.0.0 for 10.5.0.50 ACK'
	has_address c1 10.5.0.50/24
	end_daemon TERM
	daemon
	sleep 1.5
	is "$(heard lan REQUEST)" 2
	is "$(heard lan DISCOVER)" 1
	# Another network: the server refuses the address at once, not at T1.
	end_daemon KILL
	flap
	script lan lease=600 first=10.5.0.150
	daemon --timeout 1s
	wait_for "the refusal" hears lan 1 'REQUEST from 0.0.0.0 for 10.5.0.50 NAK'
	wait_for "the new address" has_address c1 10.5.0.150/24
	has_router c1 10.5.0.1
	# A server that is silent does not end a lease.
	end_daemon KILL
	flap
	script lan mode=silent
	daemon --timeout 200ms
	wait_for "three questions" hears lan 3 'REQUEST from 0.0.0.0 for 10.5.0.150 -'
	has_address c1 10.5.0.150/24
	is "$(heard lan DISCOVER)" 2
}

@test "dhcp: after a restart an infinite lease is confirmed, and one that expired meanwhile is searched for" {
	ready lease=4294967295
	add macvlan "$DHCP_MACVLAN"
	end_daemon KILL
	script lan lease=5 t1=2
	daemon --timeout 1s
	wait_for "the question" hears lan 2 'REQUEST from 0.0.0.0 for 10.5.0.50 ACK'
	wait_for "a renewal" hears lan 1 'REQUEST from 10.5.0.50 for 10.5.0.50 ACK'
	end_daemon KILL
	script lan mode=silent
	sleep 5.5
	daemon --timeout 1s
	wait_for "the end of the lease" has_address c1 ''
	script lan lease=600
	wait_for "the lease" has_address c1 10.5.0.50/24
	has_router c1 10.5.0.1
}

@test "dhcp: DEL releases the lease at a server behind a relay" {
	local answered try

	need_dnsmasq
	ip netns add far
	ip -n far link add eth0 type veth peer name eth1 netns lan
	ip -n far link set eth0 up
	ip -n far address add 10.6.0.1/24 dev eth0
	ip -n far route add 10.5.0.0/24 via 10.6.0.2
	ip -n lan link set eth1 up
	ip -n lan address add 10.6.0.2/24 dev eth1
	in_ns lan sysctl -qw net.ipv4.ip_forward=1
	dnsmasq_on lan --dhcp-relay=10.5.0.1,10.6.0.1
	dnsmasq_on far --dhcp-range=10.5.0.50,10.5.0.99,255.255.255.0,2m --dhcp-option=3,10.5.0.1
	daemon
	add macvlan "$DHCP_MACVLAN"
	is "$(leases | wc -l)" 1
	# The kernel has to ask for the router's MAC first.
	in_ns c1 ip neigh flush all
	lasts del macvlan "$DHCP_MACVLAN"
	answered=$took
	wait_for "the release" no_leases
	# Without an answer DEL does not wait long.  The one before says how slow the machine is, and one of three is
	# not delayed by others.
	for try in 1 2 3; do
		add macvlan "$DHCP_MACVLAN"
		in_ns c1 ip neigh flush all
		ip -n lan link set eth0 down
		lasts del macvlan "$DHCP_MACVLAN"
		((took - answered > 3000000)) || break
		((try < 3)) || fail "DEL waited"
		ip -n lan link set eth0 up
	done
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
}

@test "dhcp: the lease of a container that is gone is released from the host" {
	local conf

	conf=$(with "$DHCP_MACVLAN" '.mac = "02:00:00:00:00:aa"')
	ip address add 10.5.0.2/24 dev br0
	ready lease=600
	# DEL while no daemon runs: the next one finds the file.
	add macvlan "$conf"
	end_daemon KILL
	cni GC macvlan "$(with "$conf" '."cni.dev/valid-attachments" = []')"
	ok
	[[ $errors == *'no DHCP daemon listens on /run/cni/dhcp.sock, so a lease is not released'* ]] || fail "GC: $errors"
	ip -n c1 link show eth0 || add macvlan "$conf"
	del macvlan "$conf"
	[[ $errors == *'no DHCP daemon listens on /run/cni/dhcp.sock, so a lease is not released'* ]] || fail "DEL: $errors"
	daemon
	wait_for "the release" hears lan 1 'RELEASE from 10.5.0.2 for 10.5.0.50 -'
	[[ ! $(ls /run/cni/dhcp) ]]
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	# Nor is there a namespace any more.
	add macvlan "$conf"
	end_daemon KILL
	end_netns c1
	daemon
	wait_for "the release" hears lan 2 'RELEASE from 10.5.0.2 for 10.5.0.50 -'
	[[ ! $(ls /run/cni/dhcp) ]]
	# A daemon that runs notices when it wants to renew.
	script lan lease=5 t1=2
	new_netns c1
	add macvlan "$conf"
	end_netns c1
	wait_for "the release" hears lan 3 'RELEASE from 10.5.0.2 for 10.5.0.50 -'
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	prints_not 'not released' cat /run/daemon.log
	# The link's frame is enough for a host that has no address of the network.
	ip address del 10.5.0.2/24 dev br0
	new_netns c1
	add macvlan "$conf"
	end_netns c1
	wait_for "the release" hears lan 4 'RELEASE from 10.5.0.50 for 10.5.0.50 -'
	prints_not 'not released' cat /run/daemon.log
	# Without a way to the server the sentence says what that means.
	new_netns c1
	add macvlan "$conf"
	end_netns c1
	ip link set lan0 down
	ip link set lan0 name lan9
	wait_for "the sentence" grep -q 'not released, so the server keeps the address until the lease ends: host: send to the server 10.5.0.1' /run/daemon.log
}

@test "dhcp: an interface that was made anew with another MAC gets a lease of its own" {
	ready lease=600
	another_interface 02:00:00:00:00:aa
	add dhcp "$DHCP_MACVLAN"
	add dhcp "$DHCP_MACVLAN"
	is "$(heard lan DISCOVER)" 1
	another_interface 02:00:00:00:00:aa
	add dhcp "$DHCP_MACVLAN"
	is "$(heard lan DISCOVER)" 1
	another_interface 02:00:00:00:00:bb
	add dhcp "$DHCP_MACVLAN"
	is "$(heard lan DISCOVER)" 2
	is "$(jq -r .mac '/run/cni/dhcp/net2:c1:eth0.json' | base64 -d | od -An -tx1)" ' 02 00 00 00 00 bb'
	wait_for "the release" hears lan 1 'RELEASE .* for 10.5.0.50 -'
}

# slow_daemon - starts a daemon whose children change an interface two seconds after they began
slow_daemon() {
	can_trace || skip "strace may not trace"
	strace -f -qq -o /run/trace -e trace=alarm,setitimer -e inject=alarm,setitimer:delay_enter=2000000 \
		"$CPLUG_BIN/dhcp" daemon </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
	DAEMON=$(pgrep -P "$!" dhcp)
}

@test "dhcp: changes of an interface are made in the order in which the server wants them" {
	local first

	scripted_on lan lease=600 t1=2
	slow_daemon
	add macvlan "$DHCP_MACVLAN"
	script lan lease=600 t1=2 router=10.5.0.254
	wait_for "the first change" eval 'first=$(pgrep -P "$DAEMON")'
	kill -STOP "$first"
	script lan lease=600 t1=2 router=10.5.0.253
	wait_for "the second change" eval '(($(pgrep -c -P "$DAEMON") == 2))'
	sleep 3
	has_router c1 10.5.0.1
	kill -CONT "$first"
	wait_for "the end of the changes" eval '! pgrep -P "$DAEMON"'
	has_router c1 10.5.0.253
	is "$(in_ns c1 ip -4 route show default | wc -l)" 1
}

@test "dhcp: the end of a container during a change of its interface is told once" {
	scripted_on lan lease=600 t1=2
	slow_daemon
	add macvlan "$DHCP_MACVLAN"
	script lan lease=600 t1=2 router=10.5.0.254
	wait_for "the change" pgrep -P "$DAEMON"
	end_netns c1
	wait_for "the end of the lease" grep -q 'c1/net2/eth0: forgotten: ' /run/daemon.log
	wait_for "the end of the change" eval '! pgrep -P "$DAEMON"'
	prints_not 'not changed' cat /run/daemon.log
}

@test "dhcp: the next daemon starts while a child of one that was killed changes an interface" {
	scripted_on lan lease=600 t1=2
	slow_daemon
	add macvlan "$DHCP_MACVLAN"
	script lan lease=600 t1=2 router=10.5.0.254
	wait_for "the change" pgrep -P "$DAEMON"
	kill -KILL "$DAEMON"
	daemon
	wait_for "the router" has_router c1 10.5.0.254
	is "$(in_ns c1 ip -4 route show default | wc -l)" 1
}

@test "dhcp: memory and descriptors after many renewals are what they were after a hundred" {
	scripted_on lan lease=1000 t1=2 t2=500
	fast_daemon
	add_many "$DHCP_MACVLAN"
	does_not_grow heard lan 'REQUEST from 10'
	is "$(heard lan DISCOVER)" 12
}

@test "dhcp: a daemon with a thousand leases sleeps, and needs less than 8 MB" {
	ready lease=3600
	add macvlan "$DHCP_MACVLAN"
	thousand_leases net2
	sleeps_and_is_small "$DAEMON"
	is "$(heard lan REQUEST)" 1
}

@test "dhcp: the list has all of ten thousand leases" {
	ready lease=3600
	add macvlan "$DHCP_MACVLAN"
	end_daemon TERM
	printf '/run/cni/dhcp/net2:c%d:eth0.json\n' {2..10000} |
		xargs -n 500 bash -c 'tee "$@" <"/run/cni/dhcp/net2:c1:eth0.json" >/dev/null' _
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq length)" 10000
	"$CPLUG_BIN/dhcp" list >/run/list
	is "$(grep -c ' net2 ' /run/list)" 10000
}

# change_router - the next renewal brings another router; sets ROUTER
change_router() {
	[[ ${ROUTER-} == 10.5.0.254 ]] && ROUTER=10.5.0.1 || ROUTER=10.5.0.254
	script lan lease=600 t1=2 "router=$ROUTER"
}

@test "dhcp: a daemon killed at a system call of a renewal goes on, and completes what the renewal changes" {
	local call kills=0 tried=0 i=0

	can_trace || skip "strace may not trace"
	ready lease=600 t1=2
	add macvlan "$DHCP_MACVLAN"
	end_daemon KILL
	due net2
	change_router
	strace -qq -o /run/trace "$CPLUG_BIN/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the other router" has_router c1 "$ROUTER"
	wait_for "the end of the renewal" eval '[[ $(tail -1 /run/trace) == epoll_pwait* ]]'
	kill -KILL "$(pgrep -P "$!")"
	wait "$!" || :
	mapfile -t calls < <(calls_of_renewal /run/trace)
	((${#calls[@]} > 20)) || fail "a renewal with ${#calls[@]} calls"
	for call in "${calls[@]}"; do
		((i++ % DHCP_KILL_STRIDE == 0)) || continue
		due net2
		change_router
		timeout -s KILL 10 strace -q -o /run/trace -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
			"$CPLUG_BIN/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- || :
		tried=$((tried + 1))
		[[ $(tail -1 /run/trace) != '+++ killed by SIGKILL +++' ]] || kills=$((kills + 1))
		daemon --timeout 1s
		wait_for "the other router after a death at $call" has_router c1 "$ROUTER"
		is "$(in_ns c1 ip -4 route show default | wc -l)" 1
		has_address c1 10.5.0.50/24
		end_daemon KILL
	done
	is "$(heard lan DISCOVER)" 1
	((kills)) || fail "the daemon was never killed"
	echo "# system calls of a renewal tried: $tried" >&3
	echo "# kills survived: $kills" >&3
}

@test "dhcp: when the server is silent ADD gives up, and leaves nothing" {
	warm_up_link
	scripted_on lan mode=silent
	daemon --timeout 300ms --resendmax 1s --resendtimeout 2s
	remember
	cni ADD macvlan "$DHCP_MACVLAN"
	((status == 1))
	[[ $error == *'no more tries'* ]] || fail "$error"
	hears lan 2 'DISCOVER'
	assert_same_snapshot
}
