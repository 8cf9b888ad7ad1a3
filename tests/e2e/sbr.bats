#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# sbr: replies leave by the interface whose address they come from.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check

TYPE=sbr
ONE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]],
		"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}'
TWO='{"cniVersion":"1.1.0","name":"net2","type":"bridge","bridge":"br2","isGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.2.0.0/24"}],[{"subnet":"fd00:2::/64"}]],
		"routes":[{"dst":"198.51.100.0/24","gw":"10.2.0.9"}]}}'
SBR='{"cniVersion":"1.1.0","name":"net2","type":"sbr"}'

prepare() {
	warm_up bridge "$ONE"
	warm_up bridge "$TWO"
	mkdir -p /run/cni/cplug
	touch /run/cni/cplug/netns.lock
	new_netns c1
}

# attached - ADD of the second network as eth1; sets CONF to the configuration of sbr
attached() {
	add bridge "$TWO" c1 c1 eth1
	CONF=$(chained "$SBR")
}

# sbr COMMAND [CONF] - for eth1 of c1
sbr() {
	cni "$1" sbr "${2-$CONF}" c1 c1 eth1
}

# rules_of c1 - prints the rules that are not the kernel's, without priorities
rules_of() {
	{ in_ns "$1" ip rule; in_ns "$1" ip -6 rule; } | sed -n 's/^[0-9]*:	\(from [0-9a-f]*[.:].*\)/\1/p' | sed 's/ *$//' | sort
}

@test "sbr: each address has a rule and a table; main has no route of the interface; DEL puts all back" {
	add bridge "$ONE"
	attached
	in_ns c1 ip route add 203.0.113.7/32 dev eth1 src 10.2.0.3 metric 5
	remember
	add sbr "$CONF" c1 c1 eth1
	is "$(jq -S . <<<"$output")" "$(jq -S .prevResult <<<"$CONF")"
	is "$(rules_of c1)" $'from 10.2.0.3 lookup 100\nfrom fd00:2::3 lookup 101'
	route c1 '.dst == "default" and .gateway == "10.2.0.1" and .dev == "eth1"' table 100
	route c1 '.dst == "10.2.0.0/24" and .dev == "eth1" and .prefsrc == "10.2.0.3"' table 100
	route c1 '.dst == "198.51.100.0/24" and .gateway == "10.2.0.9"' table 100
	contains "$(in_ns c1 ip -6 route show table 101)" '^default via fd00:2::1 dev eth1'
	contains "$(in_ns c1 ip -6 route show table 101)" '^fd00:2::/64 dev eth1'
	contains_not "$(in_ns c1 ip -6 route show table 100 2>&1)" 'fd00:2'
	is "$(in_ns c1 ip route show dev eth1)" ''
	contains_not "$(in_ns c1 ip -6 route show dev eth1)" 'fd00:2'
	contains "$(in_ns c1 ip -6 route show dev eth1)" '^fe80::/64'
	route c1 '.dst == "default" and .dev == "eth0"'
	CHECK=$CONF
	sbr CHECK
	ok
	sbr DEL
	ok
	assert_same_snapshot
	sbr DEL
	ok
	assert_same_snapshot
	del bridge "$TWO" c1 c1 eth1
	in_ns c1 ip link show dev eth0
}

@test "sbr: traffic: a reply leaves by the network that the request came through" {
	local ns

	add bridge "$ONE"
	attached
	# A host behind the second network's bridge, and one that must not be asked: the packet filter
	# of the host drops what comes in by the wrong bridge (rp_filter, and a rule for IPv6).
	new_netns world
	ip link add to-world type veth peer name eth0 netns world
	ip address add 203.0.113.1/24 dev to-world
	ip address add 2001:db8:113::1/64 dev to-world nodad
	ip link set to-world up
	in_ns world ip address add 203.0.113.2/24 dev eth0
	in_ns world ip address add 2001:db8:113::2/64 dev eth0 nodad
	in_ns world ip link set eth0 up
	in_ns world ip route add default via 203.0.113.1
	in_ns world ip -6 route add default via 2001:db8:113::1
	sysctl_set net/ipv4/ip_forward 1
	sysctl_set net/ipv6/conf/all/forwarding 1
	nft 'add table inet strict; add chain inet strict f { type filter hook prerouting priority raw; }
		add rule inet strict f iifname "br1" ip saddr 10.2.0.0/24 drop
		add rule inet strict f iifname "br1" ip6 saddr fd00:2::/64 drop'
	run in_ns world ping -q -c1 -W1 10.2.0.3
	((status)) || fail "the reply does not leave by the wrong network"
	run in_ns world ping -q -c1 -W1 fd00:2::3
	((status)) || fail "the IPv6 reply does not leave by the wrong network"
	add sbr "$CONF" c1 c1 eth1
	sees world 10.2.0.3
	sees world fd00:2::3
	sees world 10.1.0.3
	sees world fd00:1::3
	sees c1 203.0.113.2
	# From its own address the container is routed through the second network.
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I 10.2.0.3 203.0.113.2
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I fd00:2::3 2001:db8:113::2
	in_ns c1 ip route get 203.0.113.2 from 10.2.0.3 | grep -q 'dev eth1'
	in_ns c1 ip route get 203.0.113.2 | grep -q 'dev eth0'
}

@test "sbr: more addresses, gateways, and interfaces: each has a table of its own" {
	add bridge "$(with "$TWO" '.isGateway = false | .ipam.ranges += [[{subnet: "10.3.0.0/24", gateway: "10.3.0.254"}]]')" c1 c1 eth1
	CONF=$(chained "$SBR")
	add sbr "$CONF" c1 c1 eth1
	is "$(rules_of c1)" $'from 10.2.0.3 lookup 100\nfrom 10.3.0.1 lookup 102\nfrom fd00:2::3 lookup 101'
	route c1 '.dst == "default" and .gateway == "10.3.0.254"' table 102
	route c1 '.dst == "10.3.0.0/24"' table 102
	contains_not "$(in_ns c1 ip route show table 102)" '10\.2\.'
	sbr CHECK
	ok
	# Tables that a rule or a route uses are left alone.
	in_ns c1 ip rule add from 192.0.2.1 lookup 103
	in_ns c1 ip link set lo up
	in_ns c1 ip route add 192.0.2.0/24 dev lo table 104
	add bridge "$ONE" c1 c1 eth5
	cni ADD sbr "$(with "$(chained "$SBR")" '.name = "net1"')" c1 c1 eth5
	ok
	contains "$(rules_of c1)" '^from 10\.1\.0\.[0-9]* lookup 105$'
	contains "$(rules_of c1)" '^from fd00:1::[0-9]* lookup 106$'
	sbr DEL
	contains "$(rules_of c1)" '^from 10\.1\.0\.[0-9]* lookup 105$'
	contains_not "$(rules_of c1)" '10\.[23]\.0'
	contains "$(rules_of c1)" '192.0.2.1 lookup 103'
}

# A plugin that is not cplug's may say so, beside a default route that it makes itself.
@test "sbr: CHECK looks for the default route of the address's family, also with a gateway of the other one" {
	attached
	in_ns c1 ip route add default via 10.2.0.1 dev eth1
	CONF=$(with "$CONF" '(.prevResult.ips[] | select(.address == "10.2.0.3/24")).gateway = "fe80::1"')
	sbr ADD
	ok
	contains "$(in_ns c1 ip route show table 100)" '^default via 10\.2\.0\.1 dev eth1'
	sbr CHECK
	ok
	in_ns c1 ip route del default table 100
	sbr CHECK
	failed 107 'route 0\.0\.0\.0/0 in table 100'
}

@test "sbr: gateways of the configuration win over those of prevResult" {
	attached
	CONF=$(with "$CONF" '.gateways = ["10.2.0.77", "fd00:2::77"]')
	add sbr "$CONF" c1 c1 eth1
	route c1 '.dst == "default" and .gateway == "10.2.0.77"' table 100
	contains "$(in_ns c1 ip -6 route show table 101)" '^default via fd00:2::77'
	sbr CHECK
	ok
	sbr CHECK "$(with "$CONF" '.gateways = ["10.2.0.78"]')"
	failed 107 'route 0\.0\.0\.0/0 in table 100: expected via 10\.2\.0\.78'
	sbr DEL
	del bridge "$TWO" c1 c1 eth1
	attached
	remember
	sbr ADD "$(with "$CONF" '.gateways = ["10.2.0.7", "10.2.0.8"]')"
	failed 7 'gateways\[1\]: only one gateway of each family'
	sbr ADD "$(with "$CONF" '.gateways = ["x"]')"
	failed 7 'gateways\[0\]'
	for gw in 0.0.0.0 0.1.2.3 127.0.0.1 224.0.0.1 255.255.255.255 :: ::1 ff02::1; do
		sbr ADD "$(with "$CONF" ".gateways = [\"$gw\"]")"
		failed 7 "gateways\[0\]: $gw is no host's address \(name a router\)"
	done
	sbr ADD "$(with "$CONF" '.gateways = ["192.0.2.9"]')"
	failed 100 '0\.0\.0\.0/0 via 192\.0\.2\.9.*(invalid gateway|unreachable)'
	failed 100 'gateways: each must be in the subnet of an address of eth1'
	assert_same_snapshot
}

# Before it was told first, 16,384 addresses took 8 seconds: the record compares each route with each.
@test "sbr: an interface has at most 56 addresses" {
	local many

	attached
	many=$(with "$CONF" '(.prevResult.ips[0] | del(.gateway)) as $ip | .prevResult.ips =
		[range(57) | . as $n | $ip + {address: "10.2.\($n / 256 | floor).\($n % 256)/32"}]')
	remember
	sbr ADD "$many"
	failed 108 'more than 56 addresses of eth1'
	assert_same_snapshot
	sbr ADD "$(with "$many" '.prevResult.ips |= .[:56]')"
	ok
}

@test "sbr: addSourceHints keeps routes to the links in table main, with the source address" {
	attached
	remember
	CONF=$(with "$CONF" '.addSourceHints = true')
	add sbr "$CONF" c1 c1 eth1
	is "$(in_ns c1 ip -j route show dev eth1 | jq -c '[.[] | [.dst, .prefsrc]]')" '[["10.2.0.0/24","10.2.0.3"]]'
	contains "$(in_ns c1 ip -6 route show dev eth1)" '^fd00:2::/64 .*src fd00:2::3'
	in_ns c1 ip route get 10.2.0.1 | grep -q 'dev eth1 src 10.2.0.3'
	in_ns c1 ip -6 route get fd00:2::1 | grep -q 'dev eth1.* src fd00:2::3'
	sees c1 10.2.0.1
	sees c1 fd00:2::1
	sbr CHECK
	ok
	sbr CHECK "$(with "$CONF" '.addSourceHints = false')"
	failed 107 'in table main: expected absent'
	sbr DEL "$SBR"
	ok
	assert_same_snapshot
}

@test "sbr: with table only rules are added" {
	attached
	remember
	CONF=$(with "$CONF" '.table = 500')
	in_ns c1 ip route show >"$BATS_TEST_TMPDIR/routes"
	add sbr "$CONF" c1 c1 eth1
	is "$(rules_of c1)" $'from 10.2.0.3 lookup 500\nfrom fd00:2::3 lookup 500'
	is "$(in_ns c1 ip route show)" "$(cat "$BATS_TEST_TMPDIR/routes")"
	sbr CHECK
	ok
	in_ns c1 ip rule del from 10.2.0.3
	sbr CHECK
	failed 107 'policy rule from 10\.2\.0\.3: expected lookup 500'
	CPLUG_REPAIR=1 sbr CHECK
	ok
	in_ns c1 ip rule add from 10.2.0.3 lookup 7
	sbr DEL
	is "$(rules_of c1)" 'from 10.2.0.3 lookup 7'
	in_ns c1 ip rule del from 10.2.0.3
	assert_same_snapshot
	for n in 0 -1 '"x"' 4294967296; do
		sbr ADD "$(with "$CONF" ".table = $n")"
		failed 7 table
	done
}

@test "sbr: CHECK names what is missing or too much, and a repair puts it right" {
	local change

	attached
	add sbr "$CONF" c1 c1 eth1
	for change in 'policy rule from 10\.2\.0\.3|ip rule del from 10.2.0.3' \
		'policy rule from fd00:2::3|ip -6 rule del from fd00:2::3' \
		'route 0\.0\.0\.0/0 in table 100|ip route del default table 100' \
		'route 10\.2\.0\.0/24 in table 100|ip route flush table 100' \
		'route ::/0 in table 101|ip -6 route flush table 101' \
		'route 10\.2\.0\.0/24 on eth1 in table main: expected absent|ip route add 10.2.0.0/24 dev eth1 src 10.2.0.3' \
		'on eth1 in table main: expected absent|ip -6 route add fd00:2::/64 dev eth1'; do
		rules_of c1 >"$BATS_TEST_TMPDIR/good"
		# shellcheck disable=SC2086 # a command
		in_ns c1 ${change#*|}
		sbr CHECK
		failed 107 "${change%%|*}"
		CPLUG_REPAIR=1 sbr CHECK
		ok
		json_holds '.repaired | length > 0' <<<"$output"
		is "$(rules_of c1)" "$(cat "$BATS_TEST_TMPDIR/good")"
		sbr CHECK
		ok
	done
	in_ns c1 ip link del eth1
	sbr CHECK
	failed 107 'interface eth1: expected present'
	# The interface is gone, and prevResult has the addresses.
	sbr DEL
	ok
	is "$(rules_of c1)" ''
}

@test "sbr: DEL never fails on what is gone, and makes no files" {
	attached
	# Without the namespace DEL finds it by the record.
	remember
	add sbr "$CONF" c1 c1 eth1
	cni DEL sbr "$CONF" c1 '' eth1
	ok
	assert_same_snapshot
	add sbr "$CONF" c1 c1 eth1
	rm -rf /run/cni
	cni DEL sbr "$CONF" c1 /run/netns/never eth1
	ok
	cni DEL sbr "$CONF" c1 '' eth1
	ok
	[[ ! -e /run/netns/never && ! -e /run/cni ]]
	# Without prevResult, and with a wrong configuration, by the interface's addresses.
	sbr DEL "$(with "$SBR" '.gateways = 5')"
	ok
	contains "$errors" '(DEL deletes rules of any table)'
	is "$(rules_of c1)" ''
	[[ ! -e /run/cni ]]
	in_ns c1 ip link del eth1
	sbr DEL "$SBR"
	ok
	sbr ADD "$(with "$SBR" '.x = 1')"
	failed 108
	sbr ADD "$CONF"
	failed '' 'eth1'
	cni GC sbr "$(with "$SBR" '. + {"cni.dev/valid-attachments": []}')" '' '' ''
	ok
	cni STATUS sbr "$SBR" '' '' ''
	ok
	cni VERSION sbr "$SBR"
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
}

@test "sbr: every protocol version, and an attachment without addresses" {
	local v conf

	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		add bridge "$(with "$TWO" ".cniVersion = \"$v\"")" c1 c1 eth1
		conf=$(with "$(chained "$SBR")" ".cniVersion = \"$v\"")
		sbr ADD "$conf"
		ok
		has ".cniVersion == \"$v\""
		contains "$(rules_of c1)" '^from 10\.2\.0\.[0-9]+ lookup 100$'
		sbr DEL "$conf"
		ok
		is "$(rules_of c1)" ''
		del bridge "$(with "$TWO" ".cniVersion = \"$v\"")" c1 c1 eth1
	done
	add bridge "$(with "$TWO" 'del(.ipam, .isGateway)')" c1 c1 eth1
	sbr ADD "$(chained "$SBR")"
	failed 108 'no address of eth1'
}

@test "sbr: STATUS: a wrong configuration, and a folder in which no record can be saved" {
	cni STATUS sbr "$SBR" '' '' ''
	ok
	is "$output" ''
	cni STATUS sbr "$(with "$SBR" '.table = "main"')" '' '' ''
	failed 7 'table'
	cni STATUS sbr "$(with "$SBR" '.gateways = ["10.2.0.1", "10.2.0.2"]')" '' '' ''
	failed 7 'only one gateway of each family'
	mount -o remount,bind,ro /run
	cni STATUS sbr "$SBR" '' '' ''
	mount -o remount,bind,rw /run
	failed 50 'nothing can be saved in /run/cni/cplug/sbr, because of .*: Read-only'
}

@test "sbr: ADD that fails or is killed at any change leaves the container as it was" {
	local n

	attached
	remember
	for ((n = 1; n < 20; n++)); do
		CNI_TEST_FAIL_AT=$n sbr ADD
		((status)) || break
		failed
		assert_same_snapshot
	done
	((n > 4 && n < 20)) || fail "$n steps"
	sbr DEL
	for ((n = 1; n < 20; n++)); do
		del bridge "$TWO" c1 c1 eth1
		attached
		remember
		CNI_TEST_CRASH_AT=$n sbr ADD
		((status)) || break
		sbr DEL
		ok
		assert_same_snapshot
	done
	((n > 4 && n < 20)) || fail "$n steps"
}

@test "sbr: DEL deletes and restores only the routes of its own ADD, in the same namespace" {
	local n record=/run/cni/cplug/sbr/net2:c1:eth1.json

	attached
	in_ns c1 ip route add 192.0.2.0/24 via 10.2.0.1 dev eth1
	remember
	sbr ADD
	ok
	json_holds '(.moved.routes | any(.route == "192.0.2.0/24 via 10.2.0.1")) and .netnsInode != ""' <$record
	# A route that a program in the container has added to the table stays there; one that it has
	# deleted is no failure.
	in_ns c1 ip route add 203.0.113.0/24 via 10.2.0.1 table 100
	in_ns c1 ip route del 192.0.2.0/24 table 100
	sbr DEL
	ok
	is "$(in_ns c1 ip route show table 100)" '203.0.113.0/24 via 10.2.0.1 dev eth1 '
	in_ns c1 ip route del 203.0.113.0/24 table 100
	assert_same_snapshot
	# A repair keeps the record.
	sbr ADD
	in_ns c1 ip rule del from 10.2.0.3
	in_ns c1 ip route add 10.2.0.0/24 dev eth1 src 10.2.0.3
	CPLUG_REPAIR=1 sbr CHECK
	ok
	sbr DEL
	assert_same_snapshot
	# The record of a namespace that is gone is not for another one.
	sbr ADD
	del_netns c1
	new_netns c1
	attached
	in_ns c1 ip route del 198.51.100.0/24
	remember other
	sbr DEL "$SBR"
	ok
	[[ ! -e $record ]] && ! diff "$BATS_TEST_TMPDIR/other.snapshot" <(snapshot) | grep -q route
	# A record that cannot be read is none.
	sbr ADD
	echo '{' >$record
	sbr DEL
	ok
	is "$(rules_of c1)" ''
	[[ ! -e $record ]]
	# GC removes the records of attachments that are not valid, also very many.
	mkdir -p /run/cni/cplug/sbr
	for n in {1..80}; do echo '{}' >"/run/cni/cplug/sbr/net2:d$n:eth1.json"; done
	echo '{}' >/run/cni/cplug/sbr/net3:d1:eth1.json
	cni GC sbr "$(with "$SBR" '. + {"cni.dev/valid-attachments": [{containerID: "d7", ifname: "eth1"}]}')" '' '' ''
	ok
	is "$(ls /run/cni/cplug/sbr)" $'net2:d7:eth1.json\nnet3:d1:eth1.json'
	rm /run/cni/cplug/sbr/*
	# A namespace that lives gets its routes again.
	remember
	sbr ADD
	cni GC sbr "$(with "$SBR" '. + {"cni.dev/valid-attachments": [{containerID: "c1", ifname: "eth0"}]}')" '' '' ''
	ok
	assert_same_snapshot
}

@test "sbr: a call that hangs in one container does not stop ADD in another one" {
	local hanging

	can_trace || skip "strace is not allowed"
	new_netns c2
	add bridge "$TWO" c2 c2 eth1
	printf '%s' "$(chained "$SBR")" >"$BATS_TEST_TMPDIR/conf2"
	attached
	# The fourth request of ADD waits for a minute, with the lock.
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth1 CNI_PATH=$CPLUG_BIN \
		strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=sendto \
		-e inject=sendto:delay_enter=60000000:when=4 "$CPLUG_BIN/sbr" <<<"$CONF" >/dev/null 2>&1 3>&- 4>&- &
	hanging=$!
	wait_for "the lock" grep -Eq ":($(stat -c %i /run/cni/cplug/*.lock | xargs | tr " " "|")) " /proc/locks
	CNI_TEST_LOCK_TIMEOUT_MS=200 cni ADD sbr "$BATS_TEST_TMPDIR/conf2" c2 c2 eth1
	ok
	CNI_TEST_LOCK_TIMEOUT_MS=200 cni ADD sbr "$CONF" c1 c1 eth1
	failed 11 'lock /run/cni/cplug/netns.lock of network namespace /run/netns/c1: held by process [0-9]+ \(sbr'
	kill "$hanging"
}
