#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A container cannot reach itself through its own published port.
load ../lib

# Without hairpinMode: users should not need to set it.
CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTS='[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":5353,"containerPort":53,"protocol":"udp"}]'

prepare() {
	world
	new_netns c1 c2
}

# itself FILTER - asserts that c1 reaches itself at every address of the host, of both families
itself() {
	local ip

	add bridge "$(with "$CONF" ".runtimeConfig.portMappings = $PORTS | $1")" c1
	tcp_answer c1 80 web
	udp_answer c1 53 names
	for ip in 203.0.113.1 10.1.0.1 2001:db8:113::1 fd00:1::1; do
		contains "$(ask c1 tcp "$ip" 8080)" '^web from'
		contains "$(ask c1 udp "$ip" 5353)" '^names from'
	done
	# Other containers and the world reach it as usual.
	add bridge "$CONF" c2
	contains "$(ask c2 tcp 203.0.113.1 8080)" '^web from'
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	# Direct connections from other containers are not masqueraded.
	is "$(ask c2 tcp 10.1.0.2 80)" 'web from 10.1.0.3'
}

through_firewall() {
	has_br_netfilter || skip "this kernel has no br_netfilter"
	sysctl_set net/bridge/bridge-nf-call-iptables "$1"
	sysctl_set net/bridge/bridge-nf-call-ip6tables "$1"
	itself .
}
@test "hairpin: a container reaches itself through its published ports, with br_netfilter" { through_firewall 1; }
@test "hairpin: a container reaches itself through its published ports, without br_netfilter" { through_firewall 0; }
@test "hairpin: a container reaches itself through portmap's ports; DEL and a failed ADD undo hairpin mode" {
	local portmap before

	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-iptables 1
	portmap='{"cniVersion":"1.0.0","name":"net1","type":"portmap","runtimeConfig":{"portMappings":'$PORTS'}}'
	add bridge "$CONF"
	before=$output end=$(host_end)
	add portmap "$(chained "$portmap")"
	tcp_answer c1 80 web
	contains "$(ask c1 tcp 203.0.113.1 8080)" '^web from'
	contains "$(ask c1 tcp 2001:db8:113::1 8080)" '^web from'
	# CHECK of bridge accepts hairpin mode, and CHECK of portmap requires it.
	output=$before
	cni CHECK bridge "$(chained "$CONF")"
	ok
	ip link set "$end" type bridge_slave hairpin off
	output=$before
	cni CHECK portmap "$(chained "$portmap")"
	failed 107 "hairpin mode of bridge port $end"
	# An ADD that fails later restores it.
	del portmap "$portmap"
	output=$before
	CNI_TEST_FAIL_AT=2 cni ADD portmap "$(chained "$portmap")"
	failed 111
	is "$(bridge -d -j link show dev "$end" | jq '.[0].hairpin')" false
	# Without snat portmap does not set hairpin mode.
	output=$before
	add portmap "$(with "$(chained "$portmap")" '.snat = false')"
	is "$(bridge -d -j link show dev "$end" | jq '.[0].hairpin')" false
}
@test "hairpin: a container reaches itself through its published ports, with promiscMode" { itself '.promiscMode = true'; }
@test "hairpin: a container reaches itself through its published ports, with hairpinMode" { itself '.hairpinMode = true'; }
@test "hairpin: a container reaches itself through its published ports, with portIsolation" {
	# With br_netfilter the bridge forwards translated packets itself, but not to isolated ports.
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-iptables 0
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-ip6tables 0
	itself '.portIsolation = true'
}

@test "hairpin: bridge sets hairpin mode only for a container with published ports" {
	add bridge "$CONF" c1
	is "$(bridge -d -j link show dev "$(host_end)" | jq '.[0].hairpin')" false
	add bridge "$(with "$CONF" ".runtimeConfig.portMappings = $PORTS")" c2
	is "$(bridge -d -j link show dev "$(host_end)" | jq '.[0].hairpin')" true
}
