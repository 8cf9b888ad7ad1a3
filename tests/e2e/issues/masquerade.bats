#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Masquerading: rules per container, and no choice of family or destination.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# rules - prints the number of the host's nftables rules and chains
rules() {
	nft -j list ruleset | jq -c '{rules: [.nftables[].rule? // empty] | length, chains: [.nftables[].chain? // empty] | length}'
}

@test "masquerade: the number of rules does not depend on the number of containers" {
	local one id

	new_netns c{0..60}
	add bridge "$(with "$CONF" '.runtimeConfig.portMappings = [{hostPort: 8000, containerPort: 80}]')" c0
	one=$(rules)
	jq -e '.rules > 0' <<<"$one"
	for id in {1..60}; do
		cni ADD bridge "$(with "$CONF" ".runtimeConfig.portMappings = [{hostPort: $((8000 + id)), containerPort: 80}]")" "c$id"
		ok
	done
	is "$(rules)" "$one"
	# DEL and ADD of the same container, as when its virtual machine restarts.
	for id in 1 2 3; do
		del bridge "$CONF" c7
		add bridge "$CONF" c7
	done
	is "$(rules)" "$one"
	for id in {0..60}; do del bridge "$CONF" "c$id"; done
	is "$(rules)" "$one"
}

@test "masquerade: only the family that ipMasq names is masqueraded" {
	local conf

	world
	new_netns c1 c2
	conf=$(with "$CONF" '.ipMasq = {v4: true, v6: false}')
	add bridge "$conf"
	in_ns world ip -6 route add fd00:1::/64 via 2001:db8:113::1
	tcp_answer world 7000 outside
	tcp_answer c1 7000 inside
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	is "$(ask c1 tcp 2001:db8:113::2 7000)" 'outside from [fd00:0001:0000:0000:0000:0000:0000:0002]'
	# From outside to the container.
	is "$(ask world tcp fd00:1::2 7000)" 'inside from [2001:0db8:0113:0000:0000:0000:0000:0002]'
	cni CHECK bridge "$(chained "$conf")"
	ok
	del bridge "$conf"
	# The other family.
	add bridge "$(with "$CONF" '.ipMasq = {v4: false, v6: true}')" c2
	in_ns world ip route add 10.1.0.0/24 via 203.0.113.1
	is "$(ask c2 tcp 203.0.113.2 7000)" 'outside from 10.1.0.3'
	is "$(ask c2 tcp 2001:db8:113::2 7000)" 'outside from [2001:0db8:0113:0000:0000:0000:0000:0001]'
}

# Bridged multicast passes postrouting where bridge-nf-call-iptables is on.
@test "masquerade: packets to multicast groups and to the subnet are not masqueraded" {
	new_netns c1
	add bridge "$CONF"
	contains "$(nft list chain inet cplug masq-net1-10.1.0.0/24)" 'ip daddr 224\.0\.0\.0/4 return'
	contains "$(nft list chain inet cplug masq-net1-10.1.0.0/24)" 'ip daddr 10\.1\.0\.0/24 return'
	contains "$(nft list chain inet cplug masq-net1-fd00_1__/64)" 'ip6 daddr ff00::/8 return'
	contains "$(nft list chain inet cplug masq-net1-fd00_1__/64)" 'ip6 daddr fd00:1::/64 return'
}

@test "masquerade: destinations in ipMasq.except are not masqueraded" {
	local conf

	world
	new_netns c1
	in_ns world ip address add 192.0.2.1/32 dev lo
	in_ns world ip -6 address add 2001:db8:2::1/128 dev lo
	in_ns world ip route add 10.1.0.0/24 via 203.0.113.1
	in_ns world ip -6 route add fd00:1::/64 via 2001:db8:113::1
	conf=$(with "$CONF" '.ipMasq = {except: ["192.0.2.0/24", "2001:db8:2::/48"]}')
	add bridge "$conf"
	tcp_answer world 7000 outside
	is "$(ask c1 tcp 192.0.2.1 7000)" 'outside from 10.1.0.2'
	is "$(ask c1 tcp 2001:db8:2::1 7000)" 'outside from [fd00:0001:0000:0000:0000:0000:0000:0002]'
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	is "$(ask c1 tcp 2001:db8:113::2 7000)" 'outside from [2001:0db8:0113:0000:0000:0000:0000:0001]'
	# Invalid values.
	cni ADD bridge "$(with "$CONF" '.ipMasq = {v4: "yes", except: ["10.0.0.0/33"]}')" c1 c1 eth1
	failed 7 'ipMasq\.v4.*ipMasq\.except\[0\]'
}

@test "masquerade: the setting of one network does not affect another" {
	local other

	world
	new_netns c1 c2
	other=$(with "$CONF" '.name = "net2" | .bridge = "br2" | .ipMasq = false
		| .ipam.ranges = [[{subnet: "10.2.0.0/24"}], [{subnet: "fd00:2::/64"}]]')
	add bridge "$CONF" c1
	add bridge "$other" c2
	in_ns world ip route add 10.2.0.0/24 via 203.0.113.1
	tcp_answer world 7000 outside
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	is "$(ask c2 tcp 203.0.113.2 7000)" 'outside from 10.2.0.2'
	# A network without ipMasq is not masqueraded on the path to the other one either.
	tcp_answer c1 7000 first
	is "$(ask c2 tcp 10.1.0.2 7000)" 'first from 10.2.0.2'
}
