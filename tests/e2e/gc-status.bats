#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# GC removes what is not in the list of valid attachments; STATUS tells the truth
load lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","capabilities":{"portMappings":true}}'

# gc TYPE CONF VALID-JSON - with the key absent if VALID is "absent"
gc() {
	if [[ $3 == absent ]]; then
		cni GC "$1" "$2" '' '' ''
	else
		cni GC "$1" "$(with "$2" ".\"cni.dev/valid-attachments\" = $3")" '' '' ''
	fi
	ok
	is "$output" ''
}

# ports N - a mapping of port 8000+N
ports() {
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: (8000 + $1), containerPort: 80, protocol: \"tcp\"}]"
}

@test "gc: what is not valid goes, what is valid stays" {
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

@test "gc: also of containers whose namespace is gone" {
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
	gc bridge "$CONF" '[{containerID: "keep", ifname: "eth0"}]'
	assert_same_snapshot
}

@test "gc: when nothing is valid, what attachments shared goes, too" {
	new_netns c1
	add bridge "$(ports 1)"
	gc bridge "$CONF" '[]'
	no_link - br1
	no_link c1 eth0
	is "$(nft list ruleset)" ''
	is "$(find /var/lib/cni/networks/net1 -name '10.*')" ''
}

@test "gc: without a list, or with null, nothing is known and nothing removed" {
	new_netns c1
	add bridge "$(ports 1)"
	remember
	gc bridge "$CONF" absent
	assert_same_snapshot
	gc bridge "$CONF" null
	assert_same_snapshot
	cni GC bridge "$(with "$CONF" '."cni.dev/valid-attachments" = [{containerID: "c1"}]')" '' '' ''
	failed 7 'valid-attachments.*\[0\]: expected'
	assert_same_snapshot
}

@test "gc: another network's attachments are not ours" {
	local other

	other=$(with "$CONF" '.name = "net2" | .bridge = "br2" | .ipam.subnet = "10.2.0.0/24"')
	new_netns c1
	add bridge "$other"
	remember
	gc bridge "$CONF" '[]'
	assert_same_snapshot
	sees c1 10.2.0.1
}

@test "gc: of two interfaces, the one that is not valid" {
	new_netns c1
	add bridge "$CONF"
	add bridge "$CONF" c1 c1 eth1
	gc bridge "$CONF" '[{containerID: "c1", ifname: "eth0"}]'
	sees c1 10.1.0.1
	no_link c1 eth1
	[[ -e /var/lib/cni/networks/net1/10.1.0.2 && ! -e /var/lib/cni/networks/net1/10.1.0.3 ]]
}

@test "gc: portmap, by itself" {
	new_netns c1 c2
	add bridge "$(with "$CONF" 'del(.capabilities)')"
	add portmap "$(chained "$(with "$PORTMAP" '.runtimeConfig.portMappings = [{hostPort: 8001, containerPort: 80}]')")"
	add bridge "$(with "$CONF" 'del(.capabilities)')" c2
	add portmap "$(chained "$(with "$PORTMAP" '.runtimeConfig.portMappings = [{hostPort: 8002, containerPort: 80}]')")" c2
	gc portmap "$PORTMAP" '[{containerID: "c2", ifname: "eth0"}]'
	contains_not "$(nft list ruleset)" 8001
	contains "$(nft list ruleset)" 8002
}

@test "gc: host-local, by itself" {
	new_netns c1 c2
	add bridge "$CONF"
	add bridge "$CONF" c2
	gc host-local "$CONF" '[{containerID: "c2", ifname: "eth0"}]'
	is "$(cd /var/lib/cni/networks/net1 && echo 10.*)" 10.1.0.3
}

@test "status: ready" {
	local type

	for type in bridge host-local portmap loopback; do
		cni STATUS "$type" "$(with "$CONF" ".type = \"$type\"")" '' '' ''
		ok
		is "$output" ''
	done
}

@test "status: no free address" {
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

@test "status: the data directory cannot be written" {
	mount -t tmpfs -o ro tmpfs /var/lib/cni
	cni STATUS bridge "$CONF" '' '' ''
	failed 50 '/var/lib/cni'
}

@test "status: a wrong configuration, a delegate that is not there" {
	cni STATUS bridge "$(with "$CONF" '.mtu = "x"')" '' '' ''
	failed 7
	cni STATUS bridge "$(with "$CONF" '.ipam.type = "nope"')" '' '' ''
	failed '' 'nope'
}
