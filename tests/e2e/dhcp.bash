# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # for the tests
#
# dhcp.bash - a network with a DHCP server, for the tests of dhcp:  load dhcp

DHCP_CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br0",
	"ipam":{"type":"dhcp","priority":7}}'
DHCP_MACVLAN='{"cniVersion":"1.1.0","name":"net2","type":"macvlan","master":"lan0",
	"ipam":{"type":"dhcp"}}'

need_dnsmasq() {
	command -v dnsmasq >/dev/null || skip "dnsmasq is not installed"
}

# lan - the bridge br0 of the host, with a namespace "lan" (10.5.0.1) on a port, and the link lan0
# on another
lan() {
	ip netns add lan
	ip link add br0 address 02:00:00:00:00:01 type bridge
	ip link set br0 up
	ip link add lan-port type veth peer name eth0 netns lan
	ip link add lan0 type veth peer name lan0-port
	ip link set lan-port master br0 up
	ip link set lan0-port master br0 up
	ip link set lan0 up
	in_ns lan ip link set lo up
	in_ns lan ip address add 10.5.0.1/24 dev eth0
	in_ns lan ip link set eth0 up
}

# dnsmasq_on NS [OPTION...] - starts a server in NS, which keeps its leases in /run/leases; sets
# DNSMASQ to its process
dnsmasq_on() {
	local ns=$1

	shift
	(($#)) || set -- --dhcp-range=10.5.0.50,10.5.0.99,255.255.255.0,2m
	: >>/run/dnsmasq.log
	in_ns "$ns" dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --user=root \
		--no-ping --dhcp-leasefile=/run/leases --pid-file= --log-dhcp --log-facility=- "$@" \
		</dev/null >>/run/dnsmasq.log 2>&1 3>&- 4>&- &
	DNSMASQ=$!
	wait_for "dnsmasq" eval '[[ $(in_ns '"$ns"' ss -Hnlu "sport = :67") ]]'
}

# leases - prints the leases of dnsmasq: time, MAC, address, name and client identifier
leases() {
	[[ ! -e /run/leases ]] || grep -v '^duid' /run/leases || :
}

no_leases() {
	[[ ! $(leases) ]]
}
