#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A bridge that an administrator made before: its MAC must not follow the lowest port's.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br0","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

mac_of() { ip -j link show "$1" | jq -r '.[0].address'; }

@test "existing bridge: the first ADD with isGateway fixes the MAC that its result names" {
	local n mac

	ip link add br0 type bridge
	new_netns c1
	add bridge "$CONF"
	mac=$(mac_of br0)
	has ".interfaces[0].mac == \"$mac\""
	for n in {2..12}; do
		new_netns "c$n"
		add bridge "$CONF" "c$n"
		is "$(mac_of br0)" "$mac"
	done
	for n in {2..12}; do
		del bridge "$CONF" "c$n"
		is "$(mac_of br0)" "$mac"
	done
}

@test "existing bridge: without isGateway its MAC is left to the administrator" {
	ip link add br0 type bridge
	new_netns c1
	add bridge "$(with "$CONF" 'del(.isGateway)')"
	# It follows its port: nothing was set.
	is "$(mac_of br0)" "$(ip -j link show master br0 | jq -r '.[0].address')"
}
