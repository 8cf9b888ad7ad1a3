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

@test "existing bridge: CHECK and repair leave a MAC alone that follows the ports" {
	local conf check port

	conf=$(with "$CONF" 'del(.isGateway)')
	ip link add br0 type bridge
	new_netns c1
	add bridge "$conf"
	# The result has the MAC that the bridge took from its first port.
	has ".interfaces[0].mac == \"$(mac_of br0)\""
	check=$(chained "$conf") port=$(host_end)
	ip link add low0 address 02:00:00:00:00:01 type veth peer name low1
	ip link set low0 master br0 up
	is "$(mac_of br0)" 02:00:00:00:00:01
	cni CHECK bridge "$check"
	ok
	# A repair of something else does not give the bridge a MAC either.
	ip link set br0 down
	cni CHECK bridge "$check"
	failed 107 'bridge br0: expected up'
	CPLUG_REPAIR=1 cni CHECK bridge "$check"
	ok
	is "$(mac_of br0)" 02:00:00:00:00:01
	# Without a port the MAC is zero; the container's port, made again, is the only one.
	ip link del low0
	ip link del "$port"
	is "$(mac_of br0)" 00:00:00:00:00:00
	CPLUG_REPAIR=1 cni CHECK bridge "$check"
	ok
	is "$(mac_of br0)" "$(ip -j link show master br0 | jq -r '.[0].address')"
	# A MAC that was set is the network's: CHECK compares it.
	ip link set br0 address 02:00:00:00:00:02
	del bridge "$conf"
	add bridge "$conf"
	has '.interfaces[0].mac == "02:00:00:00:00:02"'
	ip link set br0 address 02:00:00:00:00:03
	cni CHECK bridge "$(chained "$conf")"
	failed 107 'MAC of br0: expected 02:00:00:00:00:02, found 02:00:00:00:00:03'
}

# flags IFNAME - prints of a bridge whether it is up, promiscuous, and filters VLANs
flags() {
	ip -d -j link show dev "$1" | jq -r '.[0] | [(.flags | index("UP") != null), (.flags | index("PROMISC") != null),
		.linkinfo.info_data.vlan_filtering == 1] | join(" ")'
}

@test "existing bridge: a failed ADD leaves it as it was found: promiscuous mode, VLAN filtering, down" {
	local at conf found

	new_netns c1 c2
	add bridge "$CONF"
	# Of an administrator, who has it down, and of another network's living container.
	ip link add admin0 type bridge
	for br in admin0 br0; do
		found=$(flags $br)
		conf=$(with "$CONF" ".name = \"on$br\" | .promiscMode = true | .ipam.subnet = \"10.${#br}.0.0/24\"")
		conf=$(with "$conf" ".bridge = \"$br\" | del(.isGateway)")
		if has_vlan_filtering; then conf=$(with "$conf" '.vlanTrunk = [{id: 7}]'); fi
		for ((at = 1; at < 20; at++)); do
			CNI_TEST_FAIL_AT=$at cni ADD bridge "$conf" c2
			((status)) || break
			is "$at $(flags $br)" "$at $found"
		done
		((at > 3))
		# An ADD that succeeds sets them, and DEL leaves them.
		found=$(flags $br)
		if has_vlan_filtering; then is "$found" 'true true true'; else is "$found" 'true true false'; fi
		del bridge "$conf" c2
		is "$(flags $br)" "$found"
	done
}

@test "existing bridge: a failed ADD leaves what another ADD needs that came meanwhile" {
	local bin=$BATS_TEST_TMPDIR/bin conf needs

	new_netns c1 c2 c3
	ip link add br0 type bridge
	conf=$(with "$CONF" '.promiscMode = true')
	needs=$(with "$conf" '.name = "net2" | .ipam.subnet = "10.2.0.0/24"')
	mkdir "$bin"
	# The IPAM plugin of the first ADD fails after a second ADD has ended.
	printf '%s' "$needs" >"$bin/needs.conf"
	cat >"$bin/late" <<-END
		#!/bin/sh
		[ "\$CNI_COMMAND" = ADD ] || exit 0
		CNI_PATH=$CPLUG_BIN CNI_CONTAINERID=c2 CNI_NETNS=/run/netns/c2 $CPLUG_BIN/bridge <$bin/needs.conf >&2 || exit 2
		echo '{"cniVersion":"1.1.0","code":11,"msg":"late"}'
		exit 1
	END
	chmod +x "$bin/late"
	CNI_PATH=$bin:$CPLUG_BIN cni ADD bridge "$(with "$conf" '.ipam = {type: "late"}')"
	failed 11 late
	is "$(flags br0)" 'true true false'
	# The container that came meanwhile is no reason for the next one.
	ip link set br0 promisc off
	CNI_PATH=$CPLUG_BIN CNI_TEST_FAIL_AT=4 cni ADD bridge "$conf" c3
	failed
	is "$(flags br0)" 'true false false'
}

# addresses IFNAME - prints them
addresses() {
	ip -j address show dev "$1" | jq -r '[.[0].addr_info[].local] | sort | join(" ")'
}

# add_down IP... - adds a bridge that is down, without link-local addresses of the kernel
add_down() {
	local ip

	ip link add a0 type bridge
	ip link set a0 addrgenmode none
	for ip in "$@"; do ip address add "$ip/24" dev a0; done
}

@test "existing bridge: a failed ADD costs a bridge that was down no address" {
	local bin=$BATS_TEST_TMPDIR/bin conf ip

	new_netns c1
	conf=$(with "$CONF" '.bridge = "a0" | .promiscMode = true')
	# The kernel drops IPv6 addresses of a link that goes down.
	for ip in fd00:5::1 fe80::1; do
		add_down 192.0.2.1 $ip
		CNI_TEST_FAIL_AT=2 cni ADD bridge "$conf"
		failed
		is "$(addresses a0)" "192.0.2.1 $ip"
		is "$(flags a0)" 'true false false'
		ip link del a0
	done
	# With IPv4 alone nothing is lost.
	add_down 192.0.2.1
	CNI_TEST_FAIL_AT=2 cni ADD bridge "$conf"
	failed
	is "$(addresses a0) $(flags a0)" '192.0.2.1 false false false'
	# The administrator puts it into use while the ADD waits for its IPAM plugin.
	mkdir "$bin"
	cat >"$bin/late" <<-'END'
		#!/bin/sh
		[ "$CNI_COMMAND" = ADD ] || exit 0
		ip link set a0 up
		ip address add 198.51.100.1/24 dev a0
		ip route add 203.0.113.0/24 via 198.51.100.2
		echo '{"cniVersion":"1.1.0","code":11,"msg":"late"}'
		exit 1
	END
	chmod +x "$bin/late"
	CNI_PATH=$bin:$CPLUG_BIN cni ADD bridge "$(with "$conf" '.ipam = {type: "late"}')"
	failed 11 late
	is "$(addresses a0) $(flags a0)" '192.0.2.1 198.51.100.1 true false false'
	contains "$(ip route show 203.0.113.0/24)" a0
}
