#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# GC removes attachments that are not in the list of valid ones; STATUS reports problems.
load lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","capabilities":{"portMappings":true}}'

# gc TYPE CONF VALID - asserts that GC succeeds silently; VALID is JSON, or "absent"
gc() {
	if [[ $3 == absent ]]; then
		cni GC "$1" "$2" '' '' ''
	else
		cni GC "$1" "$(with "$2" ".\"cni.dev/valid-attachments\" = $3")" '' '' ''
	fi
	ok
	is "$output" ''
}

# ports N - prints CONF with host port 8000+N
ports() {
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: (8000 + $1), containerPort: 80, protocol: \"tcp\"}]"
}

@test "gc: removes attachments that are not valid, and leaves valid ones alone" {
	local i

	warm_up bridge "$(ports 0)"
	new_netns keep lost1 lost2
	add bridge "$(ports 0)" keep
	remember
	for i in 1 2; do
		add bridge "$(ports "$i")" "lost$i"
	done
	gc bridge "$CONF" '[{containerID: "keep", ifname: "eth0"}]'
	assert_same_snapshot
	sees keep 10.1.0.1
}

@test "gc: removes attachments whose namespace is gone" {
	local i

	warm_up bridge "$(ports 0)"
	new_netns keep
	add bridge "$CONF" keep
	remember
	for i in 1 2 3; do
		new_netns "lost$i"
		add bridge "$(ports "$i")" "lost$i"
		del_netns "lost$i"
	done
	assert_other_snapshot
	gc bridge "$CONF" '[{containerID: "keep", ifname: "eth0"}]'
	assert_same_snapshot
}

@test "gc: without valid attachments, removes the shared objects, too" {
	new_netns c1
	add bridge "$(ports 1)"
	gc bridge "$CONF" '[]'
	no_link - br1
	no_link c1 eth0
	prints '' nft list ruleset
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}

@test "gc: without a list, with null, or with an invalid list, removes nothing" {
	local entry

	new_netns c1
	add bridge "$(ports 1)"
	remember
	gc bridge "$CONF" absent
	assert_same_snapshot
	gc bridge "$CONF" null
	assert_same_snapshot
	for entry in '{containerID: "c1"}' '{containerID: "", ifname: ""}' '{containerID: "c1", ifname: ""}'; do
		cni GC bridge "$(with "$CONF" ".\"cni.dev/valid-attachments\" = [$entry]")" '' '' ''
		failed 7 'valid-attachments.*\[0\]: expected'
		assert_same_snapshot
	done
}

@test "gc: leaves a bridge alone that has ports, or that another network or an administrator made" {
	local other

	other=$(with "$CONF" '.name = "net2" | .ipam.subnet = "10.2.0.0/24" | del(.isGateway, .isDefaultGateway, .ipMasq)')
	new_netns c1 c2
	# net1 made it, net2 has a port.
	add bridge "$CONF" c1
	add bridge "$other" c2
	gc bridge "$CONF" '[]'
	no_link c1 eth0
	link - br1 '.ifalias == "cplug net1"'
	link c2 eth0 '.ifname == "eth0"'
	del bridge "$other" c2
	gc bridge "$CONF" '[]'
	no_link - br1
	# net2 made it.
	add bridge "$other" c2
	del bridge "$other" c2
	gc bridge "$CONF" '[]'
	link - br1 '.ifalias == "cplug net2"'
	gc bridge "$other" '[]'
	no_link - br1
	# An administrator made it.
	ip link add br1 type bridge
	gc bridge "$CONF" '[]'
	link - br1 '.ifname == "br1"'
}

@test "gc: the interface of a VLAN goes with its bridge, when no network has a container on it" {
	local one other

	has_vlan_filtering || skip "this kernel has no bridge VLAN filtering"
	one=$(with "$CONF" '.vlan = 5')
	other=$(with "$CONF" '.name = "net2" | .ipam.subnet = "10.2.0.0/24" | .vlan = 6')
	new_netns c1 c2
	add bridge "$one" c1
	add bridge "$other" c2
	gc bridge "$one" '[]'
	no_link c1 eth0
	link - br1.5 '.ifname == "br1.5"'
	link - br1.6 '.ifname == "br1.6"'
	sees c2 10.2.0.1
	del bridge "$other" c2
	gc bridge "$one" '[]'
	no_link - br1
	no_link - br1.5
	no_link - br1.6
}

@test "gc: leaves the interface that an attachment gave to this host itself, as to a container" {
	ip link add eth7 type veth peer name theirs
	ip link set eth7 alias "cplug net1/outer/eth7"
	new_netns lost
	add bridge "$CONF" lost
	gc bridge "$CONF" '[]'
	no_link lost eth0
	link - eth7 '.ifalias == "cplug net1/outer/eth7"'
}

@test "gc: leaves attachments of other networks alone" {
	local other

	other=$(with "$CONF" '.name = "net2" | .bridge = "br2" | .ipam.subnet = "10.2.0.0/24"')
	new_netns c1
	add bridge "$other"
	remember
	gc bridge "$CONF" '[]'
	assert_same_snapshot
	sees c1 10.2.0.1
}

@test "gc: of two interfaces in a container, removes the one that is not valid" {
	new_netns c1
	add bridge "$CONF"
	add bridge "$CONF" c1 c1 eth1
	gc bridge "$CONF" '[{containerID: "c1", ifname: "eth0"}]'
	sees c1 10.1.0.1
	no_link c1 eth1
	[[ -e /var/lib/cni/networks/net1/10.1.0.2 && ! -e /var/lib/cni/networks/net1/10.1.0.3 ]]
}

@test "gc: portmap removes the ports of attachments that are not valid" {
	new_netns c1 c2
	add bridge "$(with "$CONF" 'del(.capabilities)')"
	add portmap "$(chained "$(with "$PORTMAP" '.runtimeConfig.portMappings = [{hostPort: 8001, containerPort: 80}]')")"
	add bridge "$(with "$CONF" 'del(.capabilities)')" c2
	add portmap "$(chained "$(with "$PORTMAP" '.runtimeConfig.portMappings = [{hostPort: 8002, containerPort: 80}]')")" c2
	gc portmap "$PORTMAP" '[{containerID: "c2", ifname: "eth0"}]'
	prints_not 8001 nft list ruleset
	contains "$(nft list ruleset)" 8002
}

@test "gc: host-local removes the leases of attachments that are not valid" {
	new_netns c1 c2
	add bridge "$CONF"
	add bridge "$CONF" c2
	gc host-local "$CONF" '[{containerID: "c2", ifname: "eth0"}]'
	is "$(cd /var/lib/cni/networks/net1 && echo 10.*)" 10.1.0.3
}

@test "status: succeeds silently for each plugin, and fails for a network without a valid name" {
	local type

	for type in bridge host-local portmap loopback; do
		cni STATUS "$type" "$(with "$CONF" ".type = \"$type\"")" '' '' ''
		ok
		is "$output" ''
		cni STATUS "$type" "$(with "$CONF" ".type = \"$type\" | .name = \"a/b\"")" '' '' ''
		failed 7 'name'
	done
}

@test "status: fails with code 50 if no address is free" {
	local conf

	conf=$(with "$CONF" '.ipam.subnet = "10.1.0.0/30"')
	new_netns c1
	add bridge "$conf"
	cni STATUS bridge "$conf" '' '' ''
	failed 50 '10\.1\.0\.'
	del bridge "$conf"
	cni STATUS bridge "$conf" '' '' ''
	ok
}

@test "status: fails with code 50 if the lease folder is read-only" {
	mount -t tmpfs -o ro tmpfs /var/lib/cni
	cni STATUS bridge "$CONF" '' '' ''
	failed 50 '/var/lib/cni'
}

@test "status: fails if the configuration is invalid or the IPAM plugin is missing" {
	cni STATUS bridge "$(with "$CONF" '.mtu = "x"')" '' '' ''
	failed 7
	cni STATUS bridge "$(with "$CONF" '.ipam.type = "nope"')" '' '' ''
	failed '' 'nope'
}

# A runtime that asks STATUS must not wait for the first container to learn of a typing mistake.
@test "status: a wrong value in the configuration of each plugin is told" {
	local line

	while read -r line; do
		cni STATUS "$(jq -r .type <<<"$line")" "$(jq -c '{cniVersion: "1.1.0", name: "net1"} + .' <<<"$line")" '' '' ''
		failed 7
	done <<-'END'
		{"type":"bridge","mtu":"x"}
		{"type":"ptp","mtu":"x","ipam":{"type":"static","addresses":[{"address":"10.1.0.5/24","gateway":"10.1.0.1"}]}}
		{"type":"macvlan","mode":"x"}
		{"type":"ipvlan","mode":"x"}
		{"type":"vlan","vlanId":-1}
		{"type":"host-device","hwaddr":"x"}
		{"type":"tap","owner":-1}
		{"type":"dummy","mtu":1,"ipam":{"type":"static"}}
		{"type":"portmap","snat":"x"}
		{"type":"portmap","conditionsV4":["-p","tcp"]}
		{"type":"firewall","backend":"x"}
		{"type":"bandwidth","ingressRate":-1}
		{"type":"tuning","sysctl":{"kernel.x":"1"}}
		{"type":"sbr","table":0}
		{"type":"vrf","vrfname":"a b"}
		{"type":"static","ipam":{"type":"static","routes":[{"dst":"0.0.0.0"}]}}
		{"type":"static","ipam":{"type":"static","routes":[{"gw":"10.1.0.1"}]}}
		{"type":"static","ipam":{"type":"static","dns":{"search":"x"}}}
		{"type":"host-local","ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0","mtu":-1}]}}
		{"type":"host-local","ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0","gw":"fd00::1"}]}}
	END
}
