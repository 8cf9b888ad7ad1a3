#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp: the plugin and its daemon, with the servers dnsmasq and kea
# shellcheck disable=SC2016,SC2030,SC2031 # conditions for eval in single quotes; tests are subshells
load lib
load check
load dhcp
load cnitool
load cnitool

prepare() {
	lan
}

# short_leases [FIRST-LAST] - kea with leases of 6 seconds
short_leases() {
	kea4_on lan "${1:-10.5.0.50 - 10.5.0.99}" '"valid-lifetime": 6, "renew-timer": 2, "rebind-timer": 4'
}

@test "dhcp: ADD, CHECK, STATUS and DEL, over bridge and macvlan" {
	local conf type

	need_dnsmasq
	dnsmasq_on lan
	daemon
	for conf in "$DHCP_CONF" "$DHCP_MACVLAN"; do
		type=$(jq -r .type <<<"$conf")
		new_netns c1
		add "$type" "$conf"
		has '.ips[0].gateway == "10.5.0.1" and (.ips[0].address | test("^10\\.5\\.0\\.[5-9][0-9]/24$"))'
		sees c1 10.5.0.1
		is "$(leases | cut -d' ' -f3)" "$(result '.ips[0].address' | sed 's/\/24//')"
		conf=$(chained "$conf")
		cni CHECK "$type" "$conf"
		ok
		cni STATUS "$type" "$conf"
		ok
		del "$type" "$conf"
		wait_for "the release" no_leases
		[[ ! $(ls /run/cni/dhcp) ]]
		del "$type" "$conf"
		del_netns c1
	done
}

@test "dhcp: the reference's plugin with our daemon" {
	local reference=/usr/lib/cni

	[[ -x $reference/dhcp ]] || skip "the reference's dhcp is not installed"
	need_dnsmasq
	dnsmasq_on lan
	daemon
	new_netns c1
	mkdir -p /run/.rig/mixed
	cp "$reference/dhcp" "$reference/macvlan" /run/.rig/mixed
	CPLUG_BIN=/run/.rig/mixed
	add macvlan "$(with "$DHCP_MACVLAN" '.cniVersion = "1.0.0"')"
	has '.ips[0].gateway == "10.5.0.1"'
	is "$(leases | wc -l)" 1
	route c1 '.dst == "default" and .gateway == "10.5.0.1"'
	# Its bridge removes the interface before it releases.
	del macvlan "$(with "$DHCP_MACVLAN" '.cniVersion = "1.0.0"')"
	wait_for "the release" no_leases
}

@test "dhcp: without a daemon ADD, CHECK and STATUS say how to start it, DEL and GC succeed" {
	new_netns c1
	remember
	cni ADD dhcp "$DHCP_CONF"
	failed 106 'none listens on /run/cni/dhcp.sock .*systemctl enable --now cni-dhcp.socket'
	cni STATUS dhcp "$DHCP_CONF"
	failed 50 'cni-dhcp.socket'
	# Not 107, a difference that a repair would mend: without a daemon it is not known.
	cni CHECK dhcp "$DHCP_CONF"
	failed 106 'none listens on /run/cni/dhcp.sock .*systemctl enable --now cni-dhcp.socket'
	run -1 "$CPLUG_BIN/dhcp" list
	[[ $output == *'no DHCP daemon listens on /run/cni/dhcp.sock (start it: systemctl enable --now cni-dhcp.socket, or: dhcp daemon)' ]]
	cni DEL dhcp "$DHCP_CONF"
	ok
	# There is no lease that would not be released.
	is "$errors" ''
	cni GC dhcp "$(with "$DHCP_CONF" '."cni.dev/valid-attachments" = []')"
	ok
	assert_same_snapshot
	# What a dead daemon has left behind is the same, and a new daemon replaces it.
	daemon
	end_daemon KILL
	[[ -S /run/cni/dhcp.sock ]]
	cni STATUS dhcp "$DHCP_CONF"
	failed 50 'cni-dhcp.socket'
	daemon
	cni STATUS dhcp "$DHCP_CONF"
	ok
	# But not the socket of one that lives.
	run "$CPLUG_BIN/dhcp" daemon
	((status == 1))
	[[ $output == *'another daemon listens'* ]]
}

@test "dhcp: cnitool check, check --repair and restore name the daemon that is missing, and no difference" {
	local verb sentence='none listens on /run/cni/dhcp.sock (start it: systemctl enable --now cni-dhcp.socket, or: dhcp daemon)'

	need_dnsmasq
	dnsmasq_on lan
	daemon
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$(jq -c '{cniVersion, name, plugins: [del(.cniVersion, .name)]}' <<<"$DHCP_CONF")"
	plug c1
	tool check net1 c1
	ok
	end_daemon TERM
	remember
	for verb in 'check net1 c1' 'check --repair net1 c1' restore; do
		# shellcheck disable=SC2086 # words
		tool $verb
		((status)) || fail "$verb succeeds"
		[[ $errors$output == *"$sentence"* ]] || fail "$verb: $errors"
		[[ $errors$output != *differ* ]] || fail "$verb: $errors"
	done
	assert_same_snapshot
	daemon
	tool check net1 c1
	ok
	tool del net1 c1
	ok
}

@test "dhcp: options, names of options, DNS and priority" {
	need_dnsmasq
	dnsmasq_on lan --dhcp-range=10.5.0.50,10.5.0.99,255.255.255.0,2m --dhcp-option=6,10.5.0.7,10.5.0.8 \
		--dhcp-option=15,example.test --dhcp-option=119,a.test,b.example.test --dhcp-option=26,1400 \
		--dhcp-option=121,172.16.0.0/12,10.5.0.2,10.77.0.0/16,0.0.0.0,0.0.0.0/0,10.5.0.1
	daemon
	new_netns c1
	export CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAME=pod1'
	add bridge "$(with "$DHCP_CONF" '.ipam += {serverMTU: true, request: [
		{option: "domain-name-servers"}, {option: "domain-name"}, {option: "domain-search"}, {option: "121"}],
		provide: [{option: "host-name", value: "x", fromArg: "K8S_POD_NAME"}, {option: "60", value: "vend"}]}')"
	has '.dns == {nameservers: ["10.5.0.7", "10.5.0.8"], domain: "example.test", search: ["a.test", "b.example.test"]}'
	has '.routes == [{dst: "172.16.0.0/12", gw: "10.5.0.2", mtu: 1400, priority: 7},
		{dst: "10.77.0.0/16", gw: "0.0.0.0", mtu: 1400, priority: 7, scope: 253},
		{dst: "0.0.0.0/0", gw: "10.5.0.1", mtu: 1400, priority: 7}]'
	route c1 '.dst == "10.77.0.0/16" and .scope == "link" and (has("gateway") | not)'
	cni CHECK bridge "$(chained "$(with "$DHCP_CONF" '.ipam.serverMTU = true')")"
	ok
	is "$(leases | cut -d' ' -f4)" pod1
	grep -q 'vendor class: vend' /run/dnsmasq.log
	CNI_DEBUG=1 cni ADD bridge "$(with "$DHCP_CONF" '.ipam += {famly: "6", request: [{option: "6", "x-unknown": 1}]}')" c2 c1 eth1
	ok
	is "$(grep -o '[^ ]*: unknown key, ignored' <<<"$errors" | sort | xargs)" \
		'ipam.famly: unknown key, ignored ipam.request[0].x-unknown: unknown key, ignored'
	del bridge "$DHCP_CONF" c2 c1 eth1
	cni ADD bridge "$(with "$DHCP_CONF" '.ipam.request = [{option: "nothing"}] | .ipam.family = "5"
		| .ipam.provide = [{option: 300}]')" c2 c1 eth1
	failed 7 'ipam.request\[0\].option'
	[[ $error == *ipam.family* && $error == *'ipam.provide[0].option'* ]]
	cni ADD bridge "$(with "$DHCP_CONF" '.ipam.provide = [{option: "53", value: "x"}]')" c2 c1 eth1
	failed 7 'ipam.provide\[0\]: option 53'
}

@test "dhcp: a daemon that is killed goes on with its leases without asking for them" {
	local before

	need_dnsmasq
	dnsmasq_on lan
	daemon
	new_netns c1 c2
	add bridge "$DHCP_CONF" c1
	add bridge "$DHCP_CONF" c2
	before=$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(del(.renewIn, .expiresIn)) | sort_by(.containerID)')
	[[ $before == *c2* ]]
	end_daemon KILL
	: >/run/dnsmasq.log
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(del(.renewIn, .expiresIn)) | sort_by(.containerID)')" "$before"
	# Killed between DEL of the link and the release, for instance.
	end_daemon TERM
	[[ ! -e /run/cni/dhcp.sock ]]
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq length)" 2
	prints_not 'DHCPDISCOVER|DHCPREQUEST' cat /run/dnsmasq.log
	del bridge "$DHCP_CONF" c1
	wait_for "the release" eval '[[ $(leases | wc -l) == 1 ]]'
}

@test "dhcp: a lease is renewed; the sockets are open only meanwhile" {
	need_kea
	short_leases
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	wait_for "three renewals" eval '(($(grep -c "DHCP4_LEASE_ALLOC\|LEASE_RENEW" /run/kea.log) >= 4))'
	is "$(addresses c1 eth0)" "$(result '.ips[0].address')"
	wait_for "a moment without sockets" eval '[[ ! $(in_ns c1 ss -Hnlu) && ! $(in_ns c1 ss -Hn0) ]]'
	cni CHECK macvlan "$(chained "$DHCP_MACVLAN")"
	ok
}

@test "dhcp: a server with another range refuses, and the container gets its new address" {
	local old

	need_kea
	short_leases
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	old=$(result '.ips[0].address')
	kill "$KEA"
	wait_for "the end of kea" bash -c "! kill -0 $KEA"
	short_leases '10.5.0.150 - 10.5.0.199'
	wait_for "a new address" eval '[[ $(addresses c1 eth0) == 10.5.0.1[5-9]* ]]'
	[[ $(addresses c1 eth0) != *"$old"* ]]
	wait_for "the default route" route c1 '.dst == "default" and .gateway == "10.5.0.1"'
	sees c1 10.5.0.1
	cni CHECK macvlan "$(chained "$DHCP_MACVLAN")"
	failed 107
}

@test "dhcp: check --repair gives a new address its masquerade and published ports; check and restore agree" {
	need_kea
	kea4_on lan "10.5.0.50 - 10.5.0.50" '"valid-lifetime": 6, "renew-timer": 2, "rebind-timer": 4'
	daemon
	new_netns c1 c2
	export NETCONFPATH=$BATS_TEST_TMPDIR CNI_PATH=$CPLUG_BIN
	net '{"cniVersion":"1.1.0","name":"net1","plugins":[
		{"type":"bridge","bridge":"br0","ipMasq":true,"ipam":{"type":"dhcp","arpProbe":0}},
		{"type":"portmap","capabilities":{"portMappings":true}}, {"type":"firewall"}]}'
	tool add net1 c1 -p 8080:80
	ok
	kill "$KEA"
	wait_for "the end of kea" bash -c "! kill -0 $KEA"
	kea4_on lan "10.5.0.150 - 10.5.0.150" '"valid-lifetime": 6, "renew-timer": 2, "rebind-timer": 4'
	wait_for "a new address" eval '[[ $(addresses c1 eth0) == 10.5.0.150/24 ]]'
	wait_for "the default route" route c1 '.dst == "default" and .gateway == "10.5.0.1"'
	tool check net1 c1
	((status))
	contains "$output" 'DHCP lease .*: an address of prevResult \(is: 10\.5\.0\.150/24\)'
	contains "$(nft list ruleset)" '10\.5\.0\.50 '
	tool check --repair net1 c1
	ok
	is "$(addresses c1 eth0)" 10.5.0.150/24
	prints_not '10\.5\.0\.50 ' nft list ruleset
	contains "$(nft list map inet cplug masq4)" '10\.5\.0\.150 comment'
	contains "$(nft list map inet cplug ports4)" 'tcp \. 8080 comment .* : 10\.5\.0\.150 \. 80'
	is "$(jq -c '[.result.ips[].address, .result.routes[].gw]' /var/lib/cni/results/net1-*)" '["10.5.0.150/24","10.5.0.1"]'
	tool check net1 c1
	ok
	tool restore
	ok
	is "$output" ''
	tool del net1 c1
	ok
}

@test "dhcp: a repair refuses a new address that ADD would refuse" {
	local conf

	scripted lan 'lease=6 t1=2 first=10.5.0.50'
	daemon
	new_netns c1
	conf=$(with "$DHCP_CONF" '.ipam.arpProbe = 0')
	add bridge "$conf"
	conf=$(chained "$conf")
	script 'lease=6 t1=2 first=10.5.0.150 router=10.5.0.150'
	wait_for "a new address" eval '[[ $(addresses c1 eth0) == 10.5.0.150/24 ]]'
	CPLUG_REPAIR=1 cni CHECK bridge "$conf"
	failed 7 'gateway: 10\.5\.0\.150 is also the container'
	is "$(addresses c1 eth0)" 10.5.0.150/24
}

# granted N - true if ISC's server has sent more than N acknowledgements
granted() {
	(($(grep -c DHCPACK /run/dhcpd4.log) > $1))
}

@test "dhcp: ISC's server: renewals, the release, and another range after its restart" {
	command -v dhcpd >/dev/null || skip "isc-dhcp-server is not installed"
	dhcpd_on lan '10.5.0.50 10.5.0.99'
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	has '.ips[0].address == "10.5.0.50/24" and .ips[0].gateway == "10.5.0.1"'
	sees c1 10.5.0.1
	wait_for "three renewals" granted 3
	is "$(grep -c DHCPDISCOVER /run/dhcpd4.log)" 1
	del macvlan "$DHCP_MACVLAN"
	wait_for "the release" grep -q 'DHCPRELEASE of 10.5.0.50 from .*(found)' /run/dhcpd4.log
	add macvlan "$DHCP_MACVLAN"
	kill "$DHCPD"
	wait_for "the end of dhcpd" bash -c "! kill -0 $DHCPD"
	dhcpd_on lan '10.5.0.150 10.5.0.199'
	wait_for "a new address" eval '[[ $(addresses c1 eth0) == 10.5.0.1[5-9][0-9]/24 ]]'
	wait_for "the default route" route c1 '.dst == "default" and .gateway == "10.5.0.1"'
}

@test "dhcp: a network that loses each third message, and doubles each second, in both directions" {
	local address

	command -v dhcpd >/dev/null || skip "isc-dhcp-server is not installed"
	dhcpd_on lan '10.5.0.50 10.5.0.99'
	nft -f - <<-'END'
		table netdev weather {
			chain there {
				type filter hook ingress device "lan0-port" priority 0
				udp dport 67 numgen inc mod 2 == 0 dup to "lan-port"
				udp dport 67 numgen inc mod 3 == 0 counter drop
			}
			chain back {
				type filter hook ingress device "lan-port" priority 0
				udp dport 68 numgen inc mod 2 == 0 dup to "lan0-port"
				udp dport 68 numgen inc mod 3 == 0 counter drop
			}
		}
	END
	daemon --timeout 300ms --resendmax 1s
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	address=$(result '.ips[0].address')
	wait_for "renewals" granted 8
	nft -j list table netdev weather | jq -e '[.. | .counter? | select(. != null) | .packets] | all(. > 0)'
	is "$(addresses c1 eth0)" "$address"
	prints_not 'expired|refused' cat /run/daemon.log
}

@test "dhcp: a lease that expires is taken from the container; it comes back with the server" {
	need_kea
	short_leases
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	kill "$KEA"
	wait_for "the end of the lease" eval '[[ ! $(addresses c1 eth0) ]]'
	[[ ! $(in_ns c1 ip -4 route show) ]]
	short_leases
	wait_for "a new lease" eval '[[ $(addresses c1 eth0) == 10.5.0.* ]]'
	wait_for "the default route" route c1 '.dst == "default" and .gateway == "10.5.0.1"'
}

@test "dhcp: the lease of a container whose namespace is gone is forgotten, and no other one takes it over" {
	need_kea
	short_leases
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	end_netns c1
	wait_for "the end of the lease" eval '[[ $("$CPLUG_BIN/dhcp" list --json) == "[]" ]]'
	[[ ! $(ls /run/cni/dhcp) ]]
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	del_netns c1
	new_netns c1
	wait_for "the end of the lease" eval '[[ $("$CPLUG_BIN/dhcp" list --json) == "[]" ]]'
}

@test "dhcp: GC releases what is not valid, of this network" {
	need_dnsmasq
	dnsmasq_on lan
	daemon
	new_netns c1 c2 c3
	add bridge "$DHCP_CONF" c1
	add bridge "$DHCP_CONF" c2
	add macvlan "$DHCP_MACVLAN" c3
	cni GC bridge "$(with "$DHCP_CONF" '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}]')"
	ok
	is "$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(.containerID) | sort')" '["c2","c3"]'
	wait_for "the release" eval '[[ $(leases | wc -l) == 2 ]]'
	"$CPLUG_BIN/dhcp" list | grep -q '^c2  *net1  *eth0  *10\.5\.0\.'
}

@test "dhcp: without a server ADD fails after -resendtimeout; SIGTERM ends it before" {
	local pid

	daemon -timeout 100ms -resendtimeout=1s
	new_netns c1
	warm_up_link
	cni ADD macvlan "$DHCP_MACVLAN"
	failed 11 'no DHCP server gave an address'
	no_link c1 eth0
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	end_daemon TERM
	daemon
	raw ADD macvlan <<<"$DHCP_MACVLAN" >/run/out 2>/dev/null &
	pid=$!
	wait_for "the daemon to search" eval '[[ $("$CPLUG_BIN/dhcp" list --json) != "[]" ]]'
	kill -TERM "$(pgrep -P "$pid" macvlan)"
	wait "$pid" || status=$?
	((status == 1))
	json_holds '.code == 109' </run/out
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	no_link c1 eth0
}

@test "dhcp: ADDs of a network whose server is silent do not keep the other networks out" {
	local i

	daemon
	need_dnsmasq
	new_netns c1 c2
	ip link add silent type veth peer name eth0 netns c1
	ip link set silent up
	for i in {1..140}; do
		raw ADD dhcp "id$i" c1 <<<"$DHCP_CONF" >"/run/out$i" 2>&1 3>&- 4>&- &
	done
	wait_for "128 that wait" eval '[[ $("$CPLUG_BIN/dhcp" list --json | jq length) == 128 ]]'
	cni ADD dhcp "$DHCP_CONF"
	failed 11 '128 ADDs of network net1 wait for a lease'
	cni STATUS dhcp "$DHCP_CONF"
	ok
	dnsmasq_on lan
	add macvlan "$DHCP_MACVLAN" c2
	del macvlan "$DHCP_MACVLAN" c2
	# A DEL ends the ADD that waits, and makes room.
	cni DEL dhcp "$DHCP_CONF" "$("$CPLUG_BIN/dhcp" list --json | jq -r '.[0].containerID')" c1
	ok
	is "$("$CPLUG_BIN/dhcp" list --json | jq length)" 127
	end_daemon TERM
}

@test "dhcp: clients that send nonsense, nothing or too much do not disturb others" {
	local i

	daemon
	for ((i = 0; i < 300; i++)); do
		socat -u OPEN:/dev/null,ignoreeof UNIX-CONNECT:/run/cni/dhcp.sock </dev/null >/dev/null 2>&1 3>&- 4>&- &
	done
	head -c 300000 /dev/urandom | socat -t1 - UNIX-CONNECT:/run/cni/dhcp.sock >/dev/null 2>&1 || :
	{
		printf 'CONNECT /_goRPC_ HTTP/1.0\n\n'
		sleep 0.2
		head -c 300000 /dev/urandom
	} | socat -t1 - UNIX-CONNECT:/run/cni/dhcp.sock >/dev/null 2>&1 || :
	printf 'GET / HTTP/1.0\n\n' | socat -t1 - UNIX-CONNECT:/run/cni/dhcp.sock || :
	wait_for "an answer" eval 'cni STATUS dhcp "$DHCP_CONF" && ((status == 0))'
	is "$(stat -c %a /run/cni/dhcp.sock)" 600
	((EUID == 0)) || return 0
	chmod 755 /run/cni && chmod 666 /run/cni/dhcp.sock
	! setpriv --reuid 12345 --clear-groups "$CPLUG_BIN/dhcp" list 2>/dev/null || fail "another user may call"
}

# ticks - prints the CPU time of the daemon in hundredths of a second
ticks() {
	awk '{ print $14 + $15 }' "/proc/$DAEMON/stat"
}

@test "dhcp: without a descriptor for one more connection, the daemon sleeps, and goes on afterwards" {
	local before i pids=()

	ulimit -Sn 24
	daemon
	ulimit -Sn "$(ulimit -Hn)"
	for ((i = 0; i < 40; i++)); do
		socat -u OPEN:/dev/null,ignoreeof UNIX-CONNECT:/run/cni/dhcp.sock </dev/null >/dev/null 2>&1 3>&- 4>&- &
		pids+=($!)
	done
	wait_for "no descriptor" eval '(($(ls /proc/$DAEMON/fd | wc -l) >= 23))'
	before=$(ticks)
	sleep 2
	(($(ticks) - before <= 8))
	kill "${pids[@]}" 2>/dev/null || :
	wait_for "an answer" eval 'cni STATUS dhcp "$DHCP_CONF" && ((status == 0))'
}

@test "dhcp: what a renewal changes is applied: routes and mask" {
	scripted lan 'lease=8 t1=2 router=10.5.0.1'
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	route c1 '.dst == "default" and .gateway == "10.5.0.1"'
	script 'lease=8 t1=2 router=10.5.0.2'
	wait_for "the other router" route c1 '.dst == "default" and .gateway == "10.5.0.2"'
	is "$(in_ns c1 ip -4 route show default | wc -l)" 1
	script 'lease=8 t1=2 router=10.5.0.2 mask=255.255.0.0'
	wait_for "the other mask" eval '[[ $(addresses c1 eth0) == */16 ]]'
	route c1 '.dst == "default" and .gateway == "10.5.0.2"'
}

@test "dhcp: a rogue server, forged answers, lost and doubled messages do not end a lease" {
	local before address

	scripted lan 'lease=5 t1=2 lose=3 twice=1'
	daemon -timeout 300ms
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	address=$(result '.ips[0].address')
	wait_for "renewals" more_messages REQUEST 5
	script 'lease=5 t1=2 forge=1'
	before=$(messages REQUEST)
	wait_for "a renewal with forged answers" more_messages REQUEST "$before"
	script 'lease=5 t1=2'
	before=$(messages REQUEST)
	wait_for "more renewals" more_messages REQUEST "$((before + 2))"
	is "$(addresses c1 eth0)" "$address"
	prints_not expired cat /run/daemon.log
}

@test "dhcp: a daemon that is killed at a system call of a renewal goes on with the lease" {
	local address before call n

	can_trace || skip "strace may not trace"
	scripted lan 'lease=60 t1=2'
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	address=$(result '.ips[0].address')
	for call in setns:1 socket:2 sendto:1 openat:4 renameat:1 close:3; do
		end_daemon KILL
		n=${call#*:}
		strace -f -qq -o /dev/null -e "inject=${call%:*}:signal=KILL:when=$n" "$CPLUG_BIN/dhcp" daemon \
			</dev/null >/dev/null 2>&1 3>&- 4>&- &
		wait_for "the death at $call" bash -c "! kill -0 $!"
		before=$(messages REQUEST)
		daemon
		wait_for "a renewal" more_messages REQUEST "$before"
		is "$("$CPLUG_BIN/dhcp" list --json | jq -r '.[].address')" "$address"
	done
	is "$(messages DISCOVER)" 1
	is "$(addresses c1 eth0)" "$address"
}

@test "dhcp: list aligns its columns; words that the command does not know are refused" {
	local word head id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

	need_dnsmasq
	dnsmasq_on lan
	daemon
	new_netns c1
	add macvlan "$DHCP_MACVLAN" "$id" c1
	run -0 "$CPLUG_BIN/dhcp" list
	is "${#lines[@]}" 2
	is "${#lines[0]}" "${#lines[1]}"
	# Each column begins where its name does.
	head=${lines[0]%%NETWORK*}
	is "${lines[1]::${#head}+5}" "$id  net2 "
	head=${lines[0]%%ADDRESS*}
	[[ ${lines[1]:${#head}} == 10.5.0.* ]]
	head=${lines[0]%%SERVER*}
	[[ ${lines[1]:${#head}} == '10.5.0.1 '* ]]
	for word in --help -h; do
		run -0 "$CPLUG_BIN/dhcp" daemon "$word"
		[[ $output == *-resendtimeout* ]]
	done
	run -0 "$CPLUG_BIN/dhcp" list -json
	is "$(jq -r '.[].containerID' <<<"$output")" "$id"
	run -2 "$CPLUG_BIN/dhcp" list --yaml
	run -2 "$CPLUG_BIN/dhcp" list /run/a.sock /run/b.sock
	run -2 "$CPLUG_BIN/dhcp" daemon -nonsense
	is "$output" 'dhcp: -nonsense is no option of dhcp daemon (--help lists them)'
	run -2 "$CPLUG_BIN/dhcp" daemon timeout 5s
	is "$output" 'dhcp: timeout is no option of dhcp daemon (--help lists them)'
	run -2 "$CPLUG_BIN/dhcp" daemon -timeout
	is "$output" 'dhcp: -timeout: its value is missing'
	for word in socketpath pidfile hostprefix; do
		run -2 "$CPLUG_BIN/dhcp" daemon -$word run/x
		is "$output" "dhcp: -$word: expected an absolute path, got \"run/x\""
	done
}

# daemon_of SOCKET COMMAND... - starts a daemon by COMMAND, and waits until it answers on SOCKET; sets DAEMON
daemon_of() {
	local socket=$1

	shift
	"$@" </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	DAEMON=$!
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list "$socket"
}

@test "dhcp: the daemon's socket, pidfile and broadcast flag are those of its options" {
	local conf

	need_dnsmasq
	dnsmasq_on lan
	# The flag is the first bit of a 16-bit field, ten bytes behind the header of UDP.
	nft -f - <<-'END'
		table netdev flag {
			chain there {
				type filter hook ingress device "lan0-port" priority 0
				udp dport 67 @th,144,16 0x8000 counter comment "set"
				udp dport 67 @th,144,16 0 counter comment "clear"
			}
		}
	END
	counted() {
		nft -j list table netdev flag | jq -c '[.. | .counter? | select(. != null) | .packets > 0]'
	}
	conf=$(with "$DHCP_MACVLAN" '.ipam.daemonSocketPath = "/run/a/b/dhcp.sock"')
	daemon_of /run/a/b/dhcp.sock "$CPLUG_BIN/dhcp" daemon --socketpath /run/a/b/dhcp.sock -pidfile /run/dhcp.pid
	is "$(</run/dhcp.pid)" "$DAEMON"
	is "$(stat -c %a /run/a /run/a/b /run/a/b/dhcp.sock | xargs)" '700 700 600'
	new_netns c1
	add macvlan "$conf"
	is "$(counted)" '[false,true]'
	end_daemon TERM
	[[ ! -e /run/a/b/dhcp.sock && ! -e /run/dhcp.pid ]]
	daemon_of /run/a/b/dhcp.sock "$CPLUG_BIN/dhcp" daemon -socketpath=/run/a/b/dhcp.sock -broadcast
	new_netns c2
	add macvlan "$conf" c2
	is "$(counted)" '[true,true]'
	sees c2 10.5.0.1
}

@test "dhcp: a daemon with -hostprefix, whose own /run is another one, leases and goes on after its restart" {
	local i

	need_dnsmasq
	dnsmasq_on lan
	new_netns c1
	mkdir -p /run/host /run/cni
	for i in 1 2; do
		# Below the prefix is the host's tree; /run is the container's, and empty.
		daemon_of /run/cni/dhcp.sock unshare -m --propagation private sh -c \
			'mount --rbind / /run/host && mount --rbind /run/host /mnt && mount -t tmpfs none /run &&
			exec "$0/dhcp" daemon -hostprefix /mnt' "$CPLUG_BIN"
		((i == 2)) || add macvlan "$DHCP_MACVLAN"
		is "$("$CPLUG_BIN/dhcp" list --json | jq -r '.[].address')" "$(result '.ips[0].address')"
		[[ -e /run/cni/dhcp/net2:c1:eth0.json ]]
		((i == 2)) || end_daemon KILL
	done
	del macvlan "$DHCP_MACVLAN"
	wait_for "the release" no_leases
}

# activated SOCKETS - starts the daemon as systemd does, with this number of sockets; the first is /run/cni/dhcp.sock
activated() {
	exec python3 - "$1" "$CPLUG_BIN/dhcp" <<-'END'
		import os, socket, sys
		os.makedirs("/run/cni", 0o700, exist_ok=True)
		if os.path.exists("/run/cni/dhcp.sock"):
		    os.unlink("/run/cni/dhcp.sock")
		s = socket.socket(socket.AF_UNIX)
		os.umask(0o177)
		s.bind("/run/cni/dhcp.sock")
		s.listen(16)
		if s.fileno() != 3:
		    os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_FDS=sys.argv[1], LISTEN_PID=str(os.getpid()))
		os.execv(sys.argv[2], ["dhcp", "daemon"])
	END
}

@test "dhcp: the daemon takes the socket that systemd passes, and leaves it there" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	need_dnsmasq
	dnsmasq_on lan
	daemon_of /run/cni/dhcp.sock activated 1
	new_netns c1
	add macvlan "$DHCP_MACVLAN"
	end_daemon TERM
	# The file is systemd's, which listens there while no daemon runs.
	[[ -S /run/cni/dhcp.sock ]]
	daemon_of /run/cni/dhcp.sock activated 1
	is "$("$CPLUG_BIN/dhcp" list --json | jq length)" 1
	del macvlan "$DHCP_MACVLAN"
	wait_for "the release" no_leases
	end_daemon TERM
	run -1 activated 2
	[[ $output == *'LISTEN_FDS: expected one socket, got 2 (see cni-dhcp.socket)' ]]
}

@test "dhcp: the daemon drops what it does not need" {
	local caps

	daemon
	caps=$(sed -n 's/^CapEff:\s*//p' "/proc/$DAEMON/status")
	# NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_PTRACE, DAC_OVERRIDE, DAC_READ_SEARCH
	is "$((0x$caps & ~(1 << 10 | 1 << 12 | 1 << 13 | 1 << 21 | 1 << 19 | 1 << 1 | 1 << 2)))" 0
	grep -q '^NoNewPrivs:	1' "/proc/$DAEMON/status"
}

# commands FILE SECTION - prints the first block of shell commands of a section
commands() {
	awk -v section="## $2" '/^## / { here = $0 == section } /^```$/ && code { exit } code; /^```sh$/ && here { code = 1 }' "$1"
}

@test "dhcp: the commands of the documentation work as they are written" {
	need_dnsmasq
	commands "$BATS_TEST_DIRNAME/../../docs/config/dhcp.md" "Try it by hand" >/run/commands
	[[ $(grep -c '^cnitool' /run/commands) == 4 ]]
	# The folder of the executables, and no ping of the server, which takes three seconds.
	sed -i "s|/tmp/|/run/|g; s|^export PATH=[^ ]*|export PATH=$CPLUG_BIN:\$PATH|
		s|--port=0|--port=0 --no-ping --user= --group=|" /run/commands
	ip link del lan0
	bash -ex /run/commands >/run/output 2>/run/errors 3>&- 4>&- || fail "$(cat /run/errors)"
	kill "$(cat /run/dhcp.pid)" "$(cat /run/dnsmasq.pid)"
	grep -q '^cnitool-[0-9a-f]* *lan *eth0 *192.0.2.1[0-9][0-9]/24 *192.0.2.1 ' /run/output
	grep -q '^default via 192.0.2.1 dev eth0' /run/output
}
