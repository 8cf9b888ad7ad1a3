# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2016,SC2034 # for eval; for the tests
#
# dhcp6.bash - a network with DHCPv6 servers and a router, for the tests of dhcp:  load dhcp; load dhcp6

DHCP6_CONF='{"cniVersion":"1.1.0","name":"net6","type":"macvlan","master":"lan0","ipam":{"type":"dhcp","family":"6"}}'
DHCP6_BRIDGE='{"cniVersion":"1.1.0","name":"net7","type":"bridge","bridge":"br0","ipam":{"type":"dhcp","family":"46"}}'
RANGE6=--dhcp-range=fd00:5::50,fd00:5::99,64,2m
RANGE4=--dhcp-range=10.5.0.50,10.5.0.99,255.255.255.0,2m

# lan6 - lan, whose server also has fd00:5::1
lan6() {
	lan
	in_ns lan ip address add fd00:5::1/64 dev eth0 nodad
	wait_for "the link-local address of the server" eval '[[ $(in_ns lan ip -6 -o address show dev eth0 scope link -tentative) ]]'
}

# addresses6 NS - prints the global IPv6 addresses of eth0, with their lengths
addresses6() {
	in_ns "$1" ip -6 -j address show dev eth0 scope global | jq -r '.[].addr_info[]? | select(.local) | "\(.local)/\(.prefixlen)"' | sort | xargs
}

# valid6 NS ADDRESS - prints the seconds that the address of eth0 is valid
valid6() {
	in_ns "$1" ip -6 -j address show dev eth0 | jq --arg a "$2" '.[].addr_info[]? | select(.local == $a) | .valid_life_time'
}

# has_default6 NS - is there a default route from a router advertisement?
has_default6() {
	[[ $(in_ns "$1" ip -6 -j route show default proto ra | jq -r '.[].gateway') == fe80:* ]]
}

# leases6 - prints the IPv6 leases of dnsmasq
leases6() {
	[[ ! -e /run/leases ]] || grep -A100 '^duid' /run/leases | grep -v '^duid' || :
}

no_leases6() {
	[[ ! $(leases6) ]]
}

# kea6_on NS SETTINGS - starts kea in NS with the pool fd00:5::50 to fd00:5::99 and JSON members SETTINGS;
# sets KEA6 to its process
kea6_on() {
	command -v kea-dhcp6 >/dev/null || skip "kea-dhcp6 is not installed"
	mkdir -p /run/kea
	cat >/run/kea6.json <<-END
		{"Dhcp6": {"interfaces-config": {"interfaces": ["eth0"]},
			"lease-database": {"type": "memfile", "persist": false}, $2,
			"server-id": {"type": "LL", "persist": false},
			"loggers": [{"name": "kea-dhcp6", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
			"subnet6": [{"id": 1, "subnet": "fd00:5::/64", "interface": "eth0", "rapid-commit": true,
				"pools": [{"pool": "fd00:5::50 - fd00:5::99"}],
				"option-data": [{"name": "dns-servers", "data": "fd00:5::53"}]}]}}
	END
	KEA_PIDFILE_DIR=/run/kea KEA_LOCKFILE_DIR=/run/kea nsenter --net="/run/netns/$1" -- \
		kea-dhcp6 -c /run/kea6.json </dev/null >>/run/kea6.log 2>&1 3>&- 4>&- &
	KEA6=$!
	wait_for "kea" grep -q DHCP6_STARTED /run/kea6.log
}

# dhcpd6_on NS POOL - starts ISC's server for DHCPv6 in NS, with leases of 6 seconds; sets DHCPD6 to its process
dhcpd6_on() {
	isc_server "$1" 6 <<-END
		authoritative;
		default-lease-time 6; min-lease-time 6; max-lease-time 6; preferred-lifetime 5;
		option dhcp-renewal-time 2; option dhcp-rebinding-time 4; option dhcp6.name-servers fd00:5::53;
		subnet6 fd00:5::/64 { range6 $2; }
	END
	DHCPD6=$ISC
}

# server6 [WORD...] - starts tests/tools/dhcp6_server.c in the namespace lan, or in $SERVER6_NS
server6() {
	local ns=${SERVER6_NS-lan}

	need_server dhcp6_server
	script6 "$@"
	: >"/run/server6-$ns.log"
	in_ns "$ns" "$RIG_SERVERS/dhcp6_server" eth0 "/run/script6-$ns" \
		</dev/null >>"/run/server6-$ns.log" 2>&1 3>&- 4>&- &
	wait_for "the server" is_served "$ns"
}

# script6 [WORD...] - from now on the server behaves so
script6() {
	echo "$*" >/run/script6.new
	mv /run/script6.new "/run/script6-${SERVER6_NS-lan}"
}

# heard6 REGEX - the number of messages that match: "RENEW for fd00:5::50 by 01234567 REPLY"
heard6() {
	grep -cE "$1" "/run/server6-${SERVER6_NS-lan}.log" || :
}

# hears6 N REGEX - succeeds if at least N messages match
hears6() {
	(($(heard6 "$2") >= $1))
}

# has_address6 ADDRESS - does eth0 of c1 have the address?
has_address6() {
	[[ " $(addresses6 c1) " == *" $1 "* ]]
}
