#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Gateways, MACs and routes that cannot work, and unusual ones that can.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../lib

# conf RANGES - a bridge with isDefaultGateway whose host-local has these range sets
conf() {
	jq -n --argjson ranges "$1" '{cniVersion: "1.1.0", name: "net1", type: "bridge", bridge: "br1",
		isDefaultGateway: true, ipam: {type: "host-local", ranges: $ranges}}'
}

# fixed IPS [ROUTES] - the same with an IPAM plugin that answers with these
fixed() {
	cat >"$BATS_TEST_TMPDIR/fixed" <<-END
		#!/bin/sh
		cat >/dev/null
		[ "\$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.1.0","ips":$1,"routes":${2-[]},
			"interfaces":[{"name":"other0"},{"name":"other1"}]}'
	END
	chmod +x "$BATS_TEST_TMPDIR/fixed"
	with "$(conf '[]')" '.ipam = {type: "fixed"}'
}

@test "gateways: one outside the subnet, of another family, or the container's own is refused" {
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR

	new_netns c1
	cni ADD bridge "$(fixed '[{"address":"10.1.0.2/24","gateway":"10.2.0.1"}]')"
	failed 7 'gateway: 10\.2\.0\.1 is outside 10\.1\.0\.0/24'
	cni ADD bridge "$(fixed '[{"address":"10.1.0.2/24","gateway":"fd00::1"}]')"
	failed 7 'gateway: fd00::1 is of another family'
	cni ADD bridge "$(fixed '[{"address":"10.1.0.2/24","gateway":"10.1.0.2"}]')"
	failed 7 "gateway: 10\.1\.0\.2 is also the container's address"
}

@test "gateways: IPv6 gateways that are link-local or outside the subnet work" {
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR
	local gw prev

	for gw in fe80::1 fd00:2::1; do
		new_netns c1
		add bridge "$(fixed '[{"address":"fd00:1::2/64","gateway":"'$gw'"}]')"
		prev=$output
		contains "$(in_ns c1 ip -6 route show default)" "via $gw"
		ping -6 -c1 -W"$RIG_DEADLINE" fd00:1::2
		in_ns c1 ping -6 -c1 -W"$RIG_DEADLINE" -I eth0 "$gw"
		cni CHECK bridge "$(with "$(fixed '[]')" ".prevResult = $prev")"
		ok
		del bridge "$(fixed '[]')"
		ip link del br1
		del_netns c1
	done
}

@test "gateways: interfaces in the IPAM plugin's result do not shift the indexes" {
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR

	new_netns c1
	add bridge "$(fixed '[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":1}]')"
	has '[.interfaces[].name] | length == 3 and .[2] == "eth0"'
	has '.ips[0].interface == 2'
	contains "$(in_ns c1 ip -4 address show eth0)" '10\.1\.0\.2/24'
	sees c1 10.1.0.1
}

@test "gateways: a route that is given twice is named" {
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR

	new_netns c1
	cni ADD bridge "$(fixed '[{"address":"10.1.0.2/24","gateway":"10.1.0.1"}]' \
		'[{"dst":"192.0.2.0/24"},{"dst":"192.0.2.0/24"}]')"
	failed 7 'ipam\.routes\[1\]: the route to 192\.0\.2\.0/24 is given twice'
}

@test "gateways: a MAC that no interface can have is named" {
	local conf

	new_netns c1
	conf=$(conf '[[{"subnet":"10.1.0.0/24"}]]')
	CNI_ARGS='MAC=01:00:5e:00:00:01' cni ADD bridge "$conf"
	failed 7 'mac: 01:00:5e:00:00:01 is a multicast address'
	cni ADD bridge "$(with "$conf" '.runtimeConfig.mac = "00:00:00:00:00:00"')"
	failed 7 'mac: 00:00:00:00:00:00 is no address'
}

# The reference's host-local, too, leases it where rangeEnd names it.
@test "gateways: CHECK accepts a subnet's broadcast address, of which ADD warns where the host does not reach it" {
	local conf prev

	conf=$(conf '[[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.255","rangeEnd":"10.1.0.255"}]]')
	new_netns c1
	add bridge "$conf"
	prev=$output
	contains "$errors" '10\.1\.0\.255 is a broadcast address on br1.*exclude it'
	cni CHECK bridge "$(with "$conf" ".prevResult = $prev")"
	ok
	# A route that is really lost is still told.
	ip address del 10.1.0.1/24 dev br1
	cni CHECK bridge "$(with "$conf" ".prevResult = $prev")"
	failed 107 "the host's route to 10\.1\.0\.255"
	del bridge "$conf"
	ip link del br1
	conf=$(with "$conf" '.type = "ptp" | del(.bridge, .isDefaultGateway)')
	add ptp "$conf"
	prev=$output
	contains_not "$errors" broadcast
	ping -c1 -W"$RIG_DEADLINE" 10.1.0.255
	cni CHECK ptp "$(with "$conf" ".prevResult = $prev")"
	ok
}

# A router has the first address of an IPv6 prefix as well (RFC 4291, 2.6.1), but for /127.
@test "gateways: the subnet-router anycast address is no container's behind bridge, and host-local does not give it" {
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR
	local address conf prev

	new_netns c1
	for address in fd00:1::/64 fd00:1::10/124; do
		cni ADD bridge "$(fixed '[{"address":"'$address'"}]')"
		failed 102 "host: ${address/\//\\/} is the subnet-router anycast address of its prefix"
	done
	conf=$(conf '[[{"subnet":"fd00:1::/64"}]]')
	cni ADD bridge "$(with "$conf" '.ipam.ranges[0][0] += {rangeStart: "fd00:1::", rangeEnd: "fd00:1::"}')"
	failed 102 'host: fd00:1::/64 is the subnet-router anycast address'
	add bridge "$(with "$conf" '.ipam.ranges[0][0].rangeStart = "fd00:1::"')"
	is "$(jq -r '.ips[].address' <<<"$output")" fd00:1::2/64
	ping -6 -c1 -W"$RIG_DEADLINE" fd00:1::2
	del bridge "$conf"
	ip link del br1
	for address in fd00:1::/127 fd00:1::/64; do
		conf=$(fixed '[{"address":"'$address'","gateway":"fd00:1::1"}]')
		[[ $address == */127 ]] || conf=$(with "$conf" '.type = "ptp" | del(.bridge, .isDefaultGateway)')
		add "$(jq -r .type <<<"$conf")" "$conf"
		prev=$output
		ping -6 -c1 -W"$RIG_DEADLINE" fd00:1::
		cni CHECK "$(jq -r .type <<<"$conf")" "$(with "$conf" ".prevResult = $prev")"
		ok
		del "$(jq -r .type <<<"$conf")" "$conf"
	done
}

# The kernel adds no connected route to a prefix of 0/8, such as 0.0.0.0/0.
@test "gateways: CHECK and repair expect no connected route where the kernel adds none" {
	has_tun || skip "needs /dev/net/tun that may be opened"
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR
	local address conf prev

	for address in 10.1.0.2/0 1.1.0.2/7; do
		new_netns c1
		conf=$(with "$(fixed '[{"address":"'$address'"}]')" '.type = "tap" | del(.bridge, .isDefaultGateway)')
		add tap "$conf"
		prev=$output
		is "$(in_ns c1 ip -4 route show)" ''
		cni CHECK tap "$(with "$conf" ".prevResult = $prev")"
		ok
		del tap "$conf"
		del_netns c1
	done
}
