#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# firewall with the real firewalld, on a system bus of its own
load lib

NET1='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap",
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":7000,"protocol":"tcp"}]}}'
FIREWALL='{"cniVersion":"1.1.0","name":"net1","type":"firewall"}'

prepare() {
	local tool

	for tool in firewalld firewall-cmd dbus-daemon; do
		type -P $tool >/dev/null || skip "$tool is not installed"
	done
	world
	new_netns c1 c2
	private_folder /etc/firewalld
	mkdir -p /run/dbus
	dbus-daemon --system --nopidfile --nosyslog --nofork </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the system bus" test -S /run/dbus/system_bus_socket
}

start_firewalld() {
	firewalld --nofork --nopid --log-file /run/firewalld.log </dev/null >/dev/null 2>&1 3>&- 4>&- &
	FIREWALLD=$!
	wait_for "firewalld" firewall-cmd -q --state
}

# attach [FILTER [ID]] - ADD of bridge, portmap and firewall
attach() {
	add bridge "$NET1" "${2-c1}"
	[[ ${2-c1} != c1 ]] || add portmap "$(chained "$PORTMAP")" c1
	cni ADD firewall "$(chained "$(with "$FIREWALL" "${1-.}")")" "${2-c1}"
}

sources() {
	firewall-cmd --zone="${1-trusted}" --list-sources | xargs -n1 | sort | xargs
}

servers() {
	tcp_answer c1 7000 web
	tcp_answer world 7000 world
}

passes() {
	ask "$1" tcp 203.0.113.2 7000 >/dev/null
	ask "$1" tcp 2001:db8:113::2 7000 >/dev/null
	ask world tcp 203.0.113.1 8080 >/dev/null
}

@test "firewall-firewalld: chosen where firewalld drops; traffic passes; CHECK, repair and DEL know the zone" {
	start_firewalld
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	CNI_DEBUG=1 attach
	ok
	contains "$errors" 'backend: firewalld, because forwarded traffic of bridge br1 is dropped'
	conf=$(chained "$FIREWALL")
	is "$(sources)" '10.1.0.2/32 fd00:1::2/128'
	servers
	passes c1
	# The sources of one container are not taken for those of the next.
	CNI_DEBUG=1 attach . c2
	ok
	contains "$errors" 'backend: firewalld'
	passes c2
	cni CHECK firewall "$conf"
	ok
	firewall-cmd -q --zone=trusted --remove-source=10.1.0.2/32
	cni CHECK firewall "$conf"
	failed 107 'source 10.1.0.2 of zone trusted of firewalld'
	CPLUG_REPAIR=1 cni CHECK firewall "$conf"
	ok
	passes c1
	# A reload forgets the sources.
	firewall-cmd -q --reload
	cni CHECK firewall "$conf"
	failed 107 'firewalld'
	CPLUG_REPAIR=1 cni CHECK firewall "$conf"
	ok
	cni DEL firewall "$FIREWALL" c1 ''
	ok
	cni DEL firewall "$FIREWALL" c1 ''
	ok
	is "$(sources)" ''
	cni DEL firewall "$FIREWALL" c2 ''
	ok
	prints_not 'eth0' nft list table inet cplug-firewall
}

@test "firewall-firewalld: a zone of the configuration; what goes wrong is named; GC removes sources" {
	start_firewalld
	attach '.backend = "firewalld" | .firewalldZone = "internal"'
	ok
	conf=$(chained "$(with "$FIREWALL" '.backend = "firewalld"')")
	is "$(sources internal)" '10.1.0.2/32 fd00:1::2/128'
	# A second ADD with the same zone is success; with another one firewalld says why not.
	cni ADD firewall "$(with "$conf" '.firewalldZone = "internal"')"
	ok
	cni ADD firewall "$conf"
	failed 100 'ZONE_CONFLICT'
	attach '.backend = "firewalld" | .firewalldZone = "nosuch"' c2
	failed 100 'INVALID_ZONE'
	prints_not 'c2/eth0' nft list table inet cplug-firewall
	cni ADD firewall "$(with "$conf" '.firewalldZone = "internal"')"
	ok
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	is "$(sources internal)" ''
	for zone in '"a b"' '"eighteen-characters"' '"x\ny"'; do
		cni ADD firewall "$(with "$conf" ".firewalldZone = $zone")"
		failed 7 'firewalldZone'
	done
}

@test "firewall-firewalld: without firewalld ADD fails and names it, and DEL succeeds" {
	attach '.backend = "firewalld"'
	failed '' 'firewalld'
	prints_not 'eth0' nft list table inet cplug-firewall
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "firewalld"')" '' ''
	failed 50 'firewalld'
	start_firewalld
	cni ADD firewall "$(add bridge "$NET1" c2 >/dev/null; chained "$(with "$FIREWALL" '.backend = "firewalld"')")" c2 ||:
	kill "$FIREWALLD"
	wait "$FIREWALLD" || :
	cni DEL firewall "$FIREWALL" c2 ''
	ok
}

# false_bus SHELL - a bus that sends the output of SHELL after the line protocol
false_bus() {
	rm -f /run/dbus/system_bus_socket
	printf 'head -n1 >/dev/null; printf "OK 0\\r\\n"\n%s\n' "$1" >"$BATS_TEST_TMPDIR/bus.sh"
	socat UNIX-LISTEN:/run/dbus/system_bus_socket,fork SYSTEM:"bash $BATS_TEST_TMPDIR/bus.sh" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the false bus" listens_at /run/dbus/system_bus_socket
}

@test "firewall-firewalld: a bus that answers nonsense, or nothing after it, makes ADD fail and leaves nothing" {
	local answer

	add bridge "$NET1"
	conf=$(chained "$(with "$FIREWALL" '.backend = "firewalld"')")
	for answer in 'head -c 400 /dev/urandom' 'true' 'printf "l\2\1\1\377\377\377\377\1\0\0\0\1\0\0\0"' \
		'printf "l\2\1\1\0\0\0\0\1\0\0\0\10\0\0\0\5\1u\0\1\0\0\0"' \
		'printf "l\2\1\1\4\0\0\0\1\0\0\0\20\0\0\0\5\1u\0\1\0\0\0\10\1g\0\1s\0\0\377\377\377\377"'; do
		rm -f /run/dbus/system_bus_socket
		socat UNIX-LISTEN:/run/dbus/system_bus_socket SYSTEM:'head -n1 >/dev/null; printf "OK 0\r\n"; '"$answer" \
			</dev/null >/dev/null 2>&1 3>&- 4>&- &
		wait_for "the false bus" listens_at /run/dbus/system_bus_socket
		cni ADD firewall "$conf"
		failed '' 'firewalld'
		prints_not 'c1/eth0' nft list table inet cplug-firewall
	done
}

# For the false bus: hello, yes - answers to call 1 and 2;  many, long, fields, order, type - what other
# users send: many; a long body; long header fields; the other byte order; a field of an unknown type
# shellcheck disable=SC2016
MESSAGES='hello() { printf "l\2\1\1\0\0\0\0\1\0\0\0\10\0\0\0\5\1u\0\1\0\0\0"; }
	yes() { printf "l\2\1\1\4\0\0\0\1\0\0\0\17\0\0\0\5\1u\0\2\0\0\0\10\1g\0\1b\0\0\1\0\0\0"; }
	many() { for _ in {1..500}; do printf "l\4\1\1\0\0\0\0\1\0\0\0\0\0\0\0"; done; }
	long() { printf "l\4\1\1\0\0\100\0\1\0\0\0\0\0\0\0"; head -c $((64 << 16)) /dev/zero; }
	fields() { printf "l\4\1\1\0\0\0\0\1\0\0\0\0\0\2\0"; head -c 131072 /dev/zero; }
	order() { printf "B\4\1\1\0\0\0\4\0\0\0\1\0\0\0\10\10\1\1o\0\0\0\0\010000"; }
	type() { printf "l\4\1\1\0\0\0\0\1\0\0\0\10\0\0\0\52\1x\0\0\0\0\0"; }'

@test "firewall-firewalld: what other users send to the connection is skipped" {
	local other

	add bridge "$NET1"
	conf=$(chained "$(with "$FIREWALL" '.backend = "firewalld"')")
	for other in many long fields order type 'many; long; fields; order; type'; do
		false_bus "$MESSAGES
			hello; $other; yes; sleep 30"
		printf '%s\n' "$other"
		cni ADD firewall "$conf"
		ok
		cni DEL firewall "$conf"
		ok
	done
}

@test "firewall-firewalld: a bus that never comes to the answer costs 25 seconds, and DEL says so" {
	local began

	add bridge "$NET1"
	conf=$(chained "$(with "$FIREWALL" '.backend = "firewalld"')")
	false_bus "$MESSAGES
		hello; yes; sleep 30"
	cni ADD firewall "$conf"
	ok
	false_bus "$MESSAGES"'
		hello; for _ in {1..60}; do long; sleep 1; done'
	began=$SECONDS
	cni DEL firewall "$conf"
	failed '' 'firewalld.*timed out'
	((SECONDS - began >= 24 && SECONDS - began <= 40)) || fail "it took $((SECONDS - began)) seconds"
	# The next DEL still knows the zone.
	false_bus "$MESSAGES
		hello; yes; sleep 30"
	CNI_DEBUG=1 cni DEL firewall "$conf"
	ok
	prints_not 'c1/eth0' nft list table inet cplug-firewall
}
