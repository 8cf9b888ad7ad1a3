#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp with DHCPv6: the plugin and its daemon, with dnsmasq, kea, and a server that does what a script says
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # conditions for eval in single quotes; tests are subshells; for dhcp.bash
load lib
load check
load dhcp
load dhcp6

# A renewal of DHCPv6 starts a child, which sets the lifetimes: soak has 100,000, in seven minutes.
DHCP_FAST_RENEWALS=${DHCP6_FAST_RENEWALS:-2000}

prepare() {
	lan6
	new_netns c1
}

@test "dhcp6: dnsmasq: an address, the route of the router, DNS, CHECK, and a release" {
	local address

	need_dnsmasq
	dnsmasq_on lan "$RANGE6" --enable-ra '--dhcp-option=option6:dns-server,[fd00:5::53]' \
		--dhcp-option=option6:domain-search,a.test,b.example.test
	daemon
	add macvlan "$DHCP6_CONF"
	has '(.ips | length) == 1 and (.ips[0].address | test("^fd00:5::[5-9][0-9a-f]/128$")) and (.routes | length) == 0'
	has '.dns == {nameservers: ["fd00:5::53"], search: ["a.test", "b.example.test"]}'
	address=$(result '.ips[0].address')
	[[ " $(addresses6 c1) " == *" $address "* ]]
	wait_for "the route" has_default6 c1
	sees c1 fd00:5::1
	wait_for "the lifetime" eval '(($(valid6 c1 '"${address%/*}"') <= 120))'
	# The kernel's route to the address would end before it.
	[[ $(in_ns c1 ip -6 route show) != *"${address%/*} "* ]]
	cni CHECK macvlan "$(chained "$DHCP6_CONF")"
	ok
	"$CPLUG_BIN/dhcp" list | grep -q "^c1  *net6  *eth0  *$address "
	is "$(leases6 | cut -d' ' -f3)" "${address%/*}"
	del macvlan "$DHCP6_CONF"
	wait_for "the release" no_leases6
	[[ ! $(ls /run/cni/dhcp) ]]
	del macvlan "$DHCP6_CONF"
}

@test "dhcp6: kea: family 46 over bridge; renewals, and the sockets are open only meanwhile" {
	need_dnsmasq
	kea6_on lan '"preferred-lifetime": 5, "valid-lifetime": 6, "renew-timer": 2, "rebind-timer": 4'
	dnsmasq_on lan "$RANGE4"
	daemon
	add bridge "$DHCP6_BRIDGE"
	has '(.ips | length) == 2 and (.ips[0].address | test("^10\\.5\\.0\\.")) and .ips[1].address == "fd00:5::50/128"'
	has '.ips[0].gateway == "10.5.0.1" and (.ips[1] | has("gateway") | not) and .dns.nameservers == ["fd00:5::53"]'
	wait_for "renewals" eval '(($(grep -c DHCP6_LEASE_RENEW /run/kea6.log) >= 3))'
	has_address6 fd00:5::50/128
	sees c1 10.5.0.1
	wait_for "a moment without sockets" eval '[[ ! $(in_ns c1 ss -Hnlu) && ! $(in_ns c1 ss -Hn0) && ! $(in_ns c1 ss -HnA netlink) ]]'
	cni CHECK bridge "$(chained "$DHCP6_BRIDGE")"
	ok
	is "$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(.address | test("^(10.5.0.|fd00:5::50/128)"))')" '[true,true]'
	del bridge "$DHCP6_BRIDGE"
	wait_for "the release" grep -q DHCP6_RELEASE_NA /run/kea6.log
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
}

# renewed6 N - true if ISC's server has answered at least N renewals
renewed6() {
	(($(grep -A2 '^Renew message' /run/dhcpd6.log | grep -c 'Sending Reply') >= $1))
}

@test "dhcp6: ISC's server: family 46 over bridge, renewals, the release, and another range after its restart" {
	command -v dhcpd >/dev/null || skip "isc-dhcp-server is not installed"
	dhcpd_on lan '10.5.0.50 10.5.0.99'
	dhcpd6_on lan 'fd00:5::50 fd00:5::50'
	daemon
	add bridge "$DHCP6_BRIDGE"
	has '[.ips[].address] == ["10.5.0.50/24", "fd00:5::50/128"] and .dns.nameservers == ["fd00:5::53"]'
	sees c1 10.5.0.1
	wait_for "three renewals" renewed6 3
	is "$(grep -c '^Solicit message' /run/dhcpd6.log)" 1
	is "$(addresses6 c1)" fd00:5::50/128
	cni CHECK bridge "$(chained "$DHCP6_BRIDGE")"
	ok
	del bridge "$DHCP6_BRIDGE"
	wait_for "the release of DHCPv6" grep -q 'releases address fd00:5::50' /run/dhcpd6.log
	wait_for "the release of DHCPv4" grep -q 'DHCPRELEASE of 10.5.0.50 from .*(found)' /run/dhcpd4.log
	add bridge "$DHCP6_BRIDGE"
	kill "$DHCPD6"
	wait_for "the end of dhcpd" bash -c "! kill -0 $DHCPD6"
	dhcpd6_on lan 'fd00:5::90 fd00:5::90'
	wait_for "the new address" has_address6 fd00:5::90/128
	wait_for "the end of the old address" eval '! has_address6 fd00:5::50/128'
	wait_for "a renewal of it" renewed6 2
}

@test "dhcp6: a lease of five seconds: four messages or two, renewals, and the kernel knows its end" {
	server6 valid=5 t1=2
	daemon
	add macvlan "$(with "$DHCP6_CONF" '.ipam.rapidCommit = false')"
	is "$(heard6 'REQUEST for fd00:5::50 by .* REPLY')" 1
	wait_for "renewals" hears6 3 'RENEW for fd00:5::50 .* REPLY'
	has_address6 fd00:5::50/128
	(($(valid6 c1 fd00:5::50) <= 5))
	is "$(heard6 SOLICIT)" 1
	del macvlan "$DHCP6_CONF"
	wait_for "the release" hears6 1 'RELEASE for fd00:5::50'
	script6 rapid=1 valid=60
	add macvlan "$DHCP6_CONF"
	is "$(heard6 SOLICIT) $(heard6 REQUEST)" '2 1'
	# The same identifiers as before.
	is "$(grep -o 'by [0-9a-f]*' /run/server6-lan.log | sort -u | wc -l)" 1
}

@test "dhcp6: silence: REBIND, expiry without the address, and a lease again" {
	local check

	server6 valid=5 t1=2 t2=3 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	script6 mode=silent
	wait_for "a rebinding" hears6 1 'REBIND for fd00:5::50 .* -'
	has_address6 fd00:5::50/128
	wait_for "the end of the lease" eval '! has_address6 fd00:5::50/128'
	wait_for "a search" hears6 2 'SOLICIT for fd00:5::50'
	script6 valid=5 rapid=1
	wait_for "the lease" has_address6 fd00:5::50/128
	# Without the daemon the kernel ends it, once the address has its lifetime: after its DAD (hold6.c).
	wait_for "the lifetime" eval '[[ $(in_ns c1 ip -6 address show dev eth0 dynamic) == *fd00:5::50/128* ]]'
	end_daemon KILL
	wait_for "the end of the lease" eval '! has_address6 fd00:5::50/128'
	check=$(chained "$DHCP6_CONF")
	cni CHECK macvlan "$check"
	failed 106 'none listens on /run/cni/dhcp.sock'
	# The next daemon mends it.
	daemon
	wait_for "the lease" has_address6 fd00:5::50/128
	cni CHECK macvlan "$check"
	ok
}

@test "dhcp6: another server takes over after T2" {
	ip netns add lan2
	ip link add lan2-port type veth peer name eth0 netns lan2
	ip link set lan2-port master br0 up
	in_ns lan2 sysctl -qw net.ipv6.conf.eth0.accept_dad=0
	in_ns lan2 ip link set eth0 up
	SERVER6_NS=lan2 server6 mode=silent
	server6 valid=5 t1=2 t2=3 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	SERVER6_NS=lan2 script6 server=2 valid=5 t1=2
	script6 mode=silent
	SERVER6_NS=lan2 wait_for "the other server" hears6 1 'REBIND for fd00:5::50 .* REPLY'
	SERVER6_NS=lan2 wait_for "a renewal" hears6 1 'RENEW for fd00:5::50 .* REPLY'
	has_address6 fd00:5::50/128
	is "$(SERVER6_NS=lan2 heard6 'SOLICIT .* ADVERTISE')" 0
}

@test "dhcp6: status codes: NoBinding, a withdrawn address, NoAddrsAvail, failures" {
	server6 valid=5 t1=2 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	# The server has lost its leases: REQUEST, and the lease goes on.
	script6 valid=5 t1=2 renew=3
	wait_for "a request" hears6 1 'REQUEST for fd00:5::50 .* REPLY'
	script6 valid=5 t1=2
	has_address6 fd00:5::50/128
	# UnspecFail changes nothing.
	script6 valid=5 t1=2 status=1
	wait_for "a renewal" hears6 1 'RENEW for fd00:5::50 .* REPLY'
	has_address6 fd00:5::50/128
	# The server moves to another range.
	script6 valid=5 t1=2 withdraw=1 first=fd00:5::90
	wait_for "the new address" has_address6 fd00:5::90/128
	! has_address6 fd00:5::50/128 || fail "the old address is still there"
	wait_for "a renewal of it" hears6 1 'RENEW for fd00:5::90'
	cni CHECK macvlan "$(chained "$DHCP6_CONF")"
	failed 107
}

@test "dhcp6: the daemon is killed and started again: CONFIRM, and no SOLICIT; NotOnLink starts over" {
	server6 valid=60 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	end_daemon KILL
	daemon
	wait_for "the confirmation" hears6 1 'CONFIRM for fd00:5::50 .* REPLY'
	end_daemon TERM
	daemon
	wait_for "the confirmation" hears6 2 'CONFIRM for fd00:5::50 .* REPLY'
	is "$("$CPLUG_BIN/dhcp" list --json | jq -r '.[].address')" fd00:5::50/128
	is "$(heard6 SOLICIT)" 1
	is "$(grep -o 'by [0-9a-f]*' /run/server6-lan.log | sort -u | wc -l)" 1
	end_daemon KILL
	script6 valid=60 rapid=1 confirm=4 first=fd00:5::90
	daemon
	wait_for "the new address" has_address6 fd00:5::90/128
	! has_address6 fd00:5::50/128 || fail "the old address is still there"
	# A silent server: the lease goes on.
	end_daemon KILL
	script6 mode=silent
	daemon
	wait_for "a confirmation" hears6 1 'CONFIRM for fd00:5::90 .* -'
	has_address6 fd00:5::90/128
	is "$("$CPLUG_BIN/dhcp" list --json | jq -r '.[].address')" fd00:5::90/128
}

@test "dhcp6: a record of the version before is read, and one of a later version" {
	local file=/run/cni/dhcp/net7:c1:eth0.json

	need_dnsmasq
	server6 valid=60 rapid=1
	dnsmasq_on lan "$RANGE4"
	daemon
	add bridge "$DHCP6_BRIDGE"
	end_daemon TERM
	jq 'del(.version, .dhcpv6)' "$file" >/run/old
	jq '.version = 9 | .more = {x: 1} | .dhcpv6.more = 1' "$file" >/run/new
	cat /run/new >"$file"
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(.address) | length')" 2
	end_daemon TERM
	cat /run/old >"$file"
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq -c 'map(.address)')" "[\"$(result '.ips[0].address')\"]"
	is "$(heard6 SOLICIT)" 1
	prints_not damaged cat /run/daemon.log
}

@test "dhcp6: forged, malformed, lost and doubled answers" {
	local forge before request='RENEW|REBIND|SOLICIT'

	server6 valid=5 t1=2 forge=1 rapid=1
	daemon
	(sleep 1.5 && script6 valid=5 t1=2 lose=3 twice=1) 3>&- 4>&- &
	add macvlan "$DHCP6_CONF"
	has '.ips[0].address == "fd00:5::50/128"'
	wait_for "renewals" hears6 2 'RENEW for fd00:5::50 .* REPLY'
	# On a busy machine the lease of 5 s can end before its renewal; then the daemon starts over.
	for forge in 2 3; do
		script6 valid=60 t1=2 forge=$forge first=fd00:5::90
		before=$(heard6 "$request")
		wait_for "a request" hears6 $((before + 1)) "$request"
		script6 valid=60 t1=2
	done
	wait_for "a request" hears6 $((before + 2)) "$request"
	wait_for "the address" has_address6 fd00:5::50/128
	is "$(heard6 'for fd00:5::90')" 0
}

@test "dhcp6: without a server ADD fails after -resendtimeout; of family 46 it gives the other lease back" {
	need_dnsmasq
	warm_up_link
	daemon -resendtimeout 2s
	dnsmasq_on lan "$RANGE4"
	: >/run/dnsmasq.log
	: >/run/leases
	remember
	cni ADD macvlan "$DHCP6_CONF"
	failed 11 'no DHCPv6 server gave an address to eth0'
	cni ADD macvlan "$(with "$DHCP6_CONF" '.ipam.family = "46"')"
	failed 11 'no DHCPv6 server gave an address to eth0'
	wait_for "the release" no_leases
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	: >/run/dnsmasq.log
	: >/run/daemon.log
	: >/run/leases
	assert_same_snapshot
	cni ADD macvlan "$(with "$DHCP6_CONF" '.ipam.request = [{option: "6"}]')"
	failed 7 'ipam.request.*options of DHCPv4'
}

@test "dhcp6: a duplicate is declined: by dad at ADD, and of a later address" {
	server6 valid=60 rapid=1
	in_ns lan ip address add fd00:5::50/64 dev eth0 nodad
	daemon
	cni ADD macvlan "$(with "$DHCP6_CONF" '.dad = true')"
	failed '' 'fd00:5::50.*another host'
	wait_for "the decline" hears6 1 'DECLINE for fd00:5::50'
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	script6 valid=5 t1=2 rapid=1 first=fd00:5::60
	in_ns lan ip address add fd00:5::70/64 dev eth0 nodad
	add macvlan "$(with "$DHCP6_CONF" '.dad = true')"
	script6 valid=5 t1=2 rapid=1 withdraw=1 first=fd00:5::70
	wait_for "the decline" hears6 1 'DECLINE for fd00:5::70'
	script6 valid=5 t1=2 rapid=1 first=fd00:5::80
	wait_for "another address" has_address6 fd00:5::80/128
	! has_address6 fd00:5::70/128 || fail "the duplicate is still there"
}

@test "dhcp6: the reference's plugin with our daemon, family 46" {
	local reference=/usr/lib/cni conf

	[[ -x $reference/dhcp ]] || skip "the reference's dhcp is not installed"
	need_dnsmasq
	dnsmasq_on lan "$RANGE4" "$RANGE6" --enable-ra
	daemon
	mkdir -p /run/.rig/mixed
	cp "$reference/dhcp" "$reference/macvlan" /run/.rig/mixed
	CPLUG_BIN=/run/.rig/mixed
	conf=$(with "$DHCP6_CONF" '.cniVersion = "1.0.0" | .ipam.family = "46"')
	add macvlan "$conf"
	has '(.ips | length) == 2 and (.ips[1].address | test("^fd00:5::.*/128$"))'
	has_address6 "$(result '.ips[1].address')"
	wait_for "the route" has_default6 c1
	del macvlan "$conf"
	wait_for "the releases" no_leases
}

@test "dhcp6: IPv6 that is off is switched on; SLAAC is left alone" {
	need_dnsmasq
	dnsmasq_on lan --dhcp-range=fd00:5::50,fd00:5::99,slaac,64,2m --enable-ra
	in_ns c1 sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.default.forwarding=1
	daemon
	add macvlan "$DHCP6_CONF"
	has_address6 "$(result '.ips[0].address')"
	wait_for "the route" has_default6 c1
	wait_for "the address of SLAAC" eval '[[ $(addresses6 c1) == *fd00:5::*/64* ]]'
	sees c1 fd00:5::1
}

@test "dhcp6: the lease of a container that is gone is released from the host's link" {
	local link

	for link in lan0 br0; do
		wait_for "the link-local address of $link" eval '[[ $(ip -6 -o address show dev '$link' scope link -tentative) ]]'
	done
	server6 valid=600 rapid=1
	daemon
	# DEL while no daemon runs: the next one finds the file.
	add macvlan "$DHCP6_CONF"
	end_daemon KILL
	del macvlan "$DHCP6_CONF"
	daemon
	wait_for "the release" hears6 1 'RELEASE for fd00:5::50'
	wait_for "the end of the lease" eval '[[ ! $(ls /run/cni/dhcp) ]]'
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	# A daemon that runs notices when it wants to renew that there is no namespace any more.
	script6 valid=5 t1=2 rapid=1
	add bridge "$(with "$DHCP6_BRIDGE" '.ipam.family = "6"')"
	end_netns c1
	wait_for "the release" hears6 2 'RELEASE for fd00:5::5'
	wait_for "the end of the lease" eval '[[ ! $(ls /run/cni/dhcp) ]]'
	is "$("$CPLUG_BIN/dhcp" list --json)" '[]'
	is "$(grep -c forgotten /run/daemon.log)" 2
	prints_not 'not released|not changed' cat /run/daemon.log
}

@test "dhcp6: the leases of containers that are gone when the daemon starts are released, of each family" {
	local family link

	need_dnsmasq
	for link in lan0 br0; do
		wait_for "the link-local address of $link" eval '[[ $(ip -6 -o address show dev '$link' scope link -tentative) ]]'
	done
	dnsmasq_on lan "$RANGE4" "$RANGE6"
	daemon
	# The host has no address of the network: the RELEASE of DHCPv4 needs the link, too.
	for family in 4 6 46; do
		new_netns "m$family"
		new_netns "b$family"
		add macvlan "$(with "$DHCP6_CONF" ".ipam.family = \"$family\"")" "m$family"
		add bridge "$(with "$DHCP6_BRIDGE" ".ipam.family = \"$family\"")" "b$family"
	done
	is "$(leases6 | wc -l)" 4
	end_daemon KILL
	for family in 4 6 46; do
		end_netns "m$family"
		end_netns "b$family"
	done
	daemon
	wait_for "the releases of DHCPv6" no_leases6
	wait_for "the releases of DHCPv4" no_leases
	[[ ! $(ls /run/cni/dhcp) ]]
	is "$(grep -c forgotten /run/daemon.log)" 6
	prints_not 'not released|not changed' cat /run/daemon.log
}

@test "dhcp6: the leases of containers that are gone are released on the link that a macvlan without master has" {
	need_dnsmasq
	wait_for "the link-local address of lan0" eval '[[ $(ip -6 -o address show dev lan0 scope link -tentative) ]]'
	dnsmasq_on lan "$RANGE4" "$RANGE6"
	daemon
	# The link of the default route is the parent; the host has no address of the network.
	ip route add default dev lan0
	add macvlan "$(with "$DHCP6_CONF" 'del(.master) | .ipam.family = "46"')"
	is "$(jq -r .parent /run/cni/dhcp/net6:c1:eth0.json)" lan0
	# That link, and not the one that the default route has later.
	ip route replace default dev lo
	end_daemon KILL
	end_netns c1
	daemon
	wait_for "the release of DHCPv6" no_leases6
	wait_for "the release of DHCPv4" no_leases
	[[ ! $(ls /run/cni/dhcp) ]]
	prints_not 'not released|not changed' cat /run/daemon.log
}

@test "dhcp6: a master inside the container is no link of the host" {
	need_dnsmasq
	dnsmasq_on lan "$RANGE4"
	daemon
	ip link add port1 type veth peer name lan0 netns c1
	ip link set port1 master br0 up
	in_ns c1 ip link set lan0 up
	add macvlan "$(with "$DHCP6_CONF" '.linkInContainer = true | .ipam.family = "4"')"
	is "$(jq -r .parent /run/cni/dhcp/net6:c1:eth0.json)" ''
}

@test "dhcp6: routers are asked if the interface did not accept their advertisements before" {
	local mac=02:00:00:00:00:aa

	need_dnsmasq
	dnsmasq_on lan "$RANGE6" --enable-ra
	in_ns lan nft "add table ip6 t; add chain ip6 t c { type filter hook prerouting priority 0; };
		add rule ip6 t c icmpv6 type nd-router-solicit ip6 hoplimit 255 ether saddr $mac counter"
	in_ns c1 sysctl -qw net.ipv6.conf.default.accept_ra=0
	another_interface "$mac"
	wait_for "the link-local address" eval '[[ $(in_ns c1 ip -6 -o address show dev eth0 scope link -tentative) ]]'
	daemon
	add dhcp "$DHCP6_CONF"
	wait_for "the route" has_default6 c1
	in_ns lan nft list table ip6 t | grep -q 'counter packets 1 '
	# The kernel has asked for one that accepts them.
	in_ns c1 sysctl -qw net.ipv6.conf.default.accept_ra=1
	another_interface "$mac"
	wait_for "the route" has_default6 c1
	in_ns lan nft flush chain ip6 t c
	in_ns lan nft "add rule ip6 t c icmpv6 type nd-router-solicit ether saddr $mac counter"
	add dhcp "$DHCP6_CONF"
	in_ns lan nft list table ip6 t | grep -q 'counter packets 0 '
	# The address of the new interface has the lifetimes of the lease, too.
	in_ns c1 ip address add "$(result '.ips[0].address')" dev eth0
	wait_for "the lifetime" eval '(($(valid6 c1 '"$(result '.ips[0].address | split("/")[0]')"') <= 120))'
}

@test "dhcp6: memory and descriptors after many renewals are what they were after a hundred" {
	server6 valid=1000 t1=2 t2=500 rapid=1
	fast_daemon
	add_many "$DHCP6_CONF"
	does_not_grow heard6 'RENEW .* REPLY'
	is "$(heard6 SOLICIT)" 12
}

@test "dhcp6: a daemon with a thousand leases sleeps, and needs less than 8 MB" {
	server6 valid=3600 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	thousand_leases net6
	# The lease is confirmed, and all are quiet after the ten seconds of CONFIRM.
	wait_for "the confirmations" hears6 1 'CONFIRM for fd00:5::50 .* REPLY'
	wait_for "the end of the confirmations" eval '[[ ! $(in_ns c1 ss -Hnlu) && ! $(in_ns c1 ss -HnA netlink) && ! $(pgrep -P "$DAEMON") ]]'
	sleeps_and_is_small "$DAEMON"
	is "$(heard6 SOLICIT)" 1
}

@test "dhcp6: a change that is under way when the lease is released does not bring the address back" {
	local child

	can_trace || skip "strace may not trace"
	server6 valid=60 rapid=1
	warm_up_link
	# The third message of each process comes late: that of a child that has seen the address, and changes it.
	strace -f -qq -o /run/trace -e trace=sendto -e inject=sendto:delay_enter=4000000:when=3 \
		"$CPLUG_BIN/dhcp" daemon </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
	DAEMON=$(pgrep -P "$!" dhcp)
	ip link add link lan0 name eth0 netns c1 type macvlan mode bridge
	in_ns c1 ip link set eth0 up
	add dhcp "$DHCP6_CONF"
	in_ns c1 ip address add fd00:5::50/128 dev eth0
	wait_for "the change" eval 'child=$(pgrep -P "$DAEMON")'
	wait_for "its two questions" eval '(($(grep -c "^$child " /run/trace) >= 2))'
	del dhcp "$DHCP6_CONF"
	wait_for "the release" hears6 1 'RELEASE for fd00:5::50'
	wait_for "the end of the change" eval '! pgrep -P "$DAEMON"'
	grep -q "^$child .*DELAYED" /run/trace
	is "$(addresses6 c1)" ''
}

@test "dhcp6: the daemon looks for the address after it has begun to listen for it, because ADD may be faster" {
	can_trace || skip "strace may not trace"
	server6 valid=60 rapid=1
	strace -qq -o /run/trace -e trace=bind,?open,openat,epoll_pwait "$CPLUG_BIN/dhcp" daemon </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
	DAEMON=$(pgrep -P "$!" dhcp)
	add macvlan "$DHCP6_CONF"
	wait_for "the lifetime" eval '(($(valid6 c1 fd00:5::50) <= 60))'
	del macvlan "$DHCP6_CONF"
	grep -q 'nl_groups=0x000100' /run/trace
	# Group 9 is RTNLGRP_IPV6_IFADDR.
	is "$(awk '/nl_groups=0x000100/ { listens = 1 } /if_inet6/ { listens = 0 } /epoll_pwait/ && listens { print "it sleeps"; exit }' /run/trace)" ''
}

# change_address - the next renewal brings another address; sets ADDRESS
change_address() {
	[[ ${ADDRESS-} == fd00:5::90 ]] && ADDRESS=fd00:5::50 || ADDRESS=fd00:5::90
	script6 valid=600 t1=300 rapid=1 "first=$ADDRESS"
}

@test "dhcp6: a daemon killed at a system call of a renewal goes on, and completes what the renewal changes" {
	local call kills=0 tried=0 i=0

	can_trace || skip "strace may not trace"
	server6 valid=600 t1=300 rapid=1
	daemon
	add macvlan "$DHCP6_CONF"
	wait_for "the lifetime" eval '(($(valid6 c1 fd00:5::50) <= 600))'
	end_daemon KILL
	due net6
	change_address
	strace -qq -o /run/trace "$CPLUG_BIN/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the other address" eval '[[ $(addresses6 c1) == $ADDRESS/128 ]]'
	wait_for "the end of the renewal" eval '[[ ! $(in_ns c1 ss -Hnlu) && ! $(in_ns c1 ss -HnA netlink) && $(tail -1 /run/trace) == epoll_pwait* ]]'
	kill -KILL "$(pgrep -P "$!")"
	wait "$!" || :
	mapfile -t calls < <(calls_of_renewal /run/trace)
	((${#calls[@]} > 20)) || fail "a renewal with ${#calls[@]} calls"
	for call in "${calls[@]}"; do
		((i++ % DHCP_KILL_STRIDE == 0)) || continue
		due net6
		change_address
		timeout -s KILL 10 strace -q -o /run/trace -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
			"$CPLUG_BIN/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- || :
		tried=$((tried + 1))
		[[ $(tail -1 /run/trace) != '+++ killed by SIGKILL +++' ]] || kills=$((kills + 1))
		daemon
		wait_for "the other address after a death at $call" eval '[[ $(addresses6 c1) == $ADDRESS/128 ]]'
		wait_for "its lifetime after a death at $call" eval '(($(valid6 c1 $ADDRESS) <= 600))'
		end_daemon KILL
	done
	is "$(heard6 SOLICIT)" 1
	((kills)) || fail "the daemon was never killed"
	echo "# system calls of a renewal tried: $tried" >&3
	echo "# kills survived: $kills" >&3
}
