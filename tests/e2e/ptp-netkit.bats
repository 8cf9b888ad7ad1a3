#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ptp with "linkType": "netkit".  Kernels without netkit (before 6.7) skip most of these tests:
# tests/vm/vmtest --kernel backports -- bats tests/e2e/ptp-netkit.bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg

TYPE=ptp
CONF='{"cniVersion":"1.1.0","name":"net1","type":"ptp","linkType":"netkit","ipMasq":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"10.11.0.0/24"}],[{"subnet":"fd00:11::/64"}]]}}'

prepare() {
	warm_up ptp "$(conf 'del(.linkType)')"
	rm -rf /var/lib/cni/networks/net1 /var/lib/cni/networks/.cplug
}

need_netkit() {
	has_kind netkit || skip "this kernel has no links of kind netkit"
}

publishing() {
	conf ".runtimeConfig.portMappings = [{hostPort: $1, containerPort: 80}]"
}

@test "netkit: a kernel without it is named with the key, and nothing stays" {
	! has_kind netkit || skip "this kernel has links of kind netkit"
	new_netns c1
	remember
	cni ADD ptp "$CONF"
	failed 100 'the kernel has no such links \(set linkType to "veth"'
	assert_same_snapshot
}

@test "netkit: a wrong linkType and a MAC are named, and nothing stays" {
	new_netns c1
	remember
	cni ADD ptp "$(conf '.linkType = "tun"')"
	failed 7 'linkType'
	cni ADD ptp "$(conf '.mac = "02:00:00:00:00:01"')"
	failed 7 'linkType: links of kind netkit have no MAC'
	assert_same_snapshot
}

@test "netkit: ADD creates the pair in place, addresses and routes; DEL leaves no difference" {
	local host

	need_netkit
	new_netns c1
	remember
	add ptp "$CONF"
	host=$(host_end)
	link c1 eth0 '.linkinfo.info_kind == "netkit" and (.flags | any(. == "UP"))'
	link - "$host" '.linkinfo.info_kind == "netkit" and .ifalias == "cplug net1/c1/eth0" and (.flags | any(. == "UP"))'
	prints '10.11.0.2/24 fd00:11::2/64' addresses c1 eth0
	sees c1 10.11.0.1
	sees c1 fd00:11::1
	sees - 10.11.0.2
	sees - fd00:11::2
	cni CHECK ptp "$(chained "$CONF")"
	ok
	del ptp "$CONF"
	assert_same_snapshot
	del ptp "$CONF"
}

@test "netkit: ADD that fails or is killed at any change leaves nothing" {
	need_netkit
	leg_accidents
}

@test "netkit: an interface of that name makes ADD fail and stays" {
	need_netkit
	leg_name_taken
}

@test "netkit: containers reach each other and the world; published ports answer" {
	need_netkit
	world
	new_netns c1 c2
	add ptp "$(publishing 8080)"
	add ptp "$(publishing 8081)" c2
	sees c1 10.11.0.3
	sees c2 fd00:11::2
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
	tcp_answer c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	contains "$(ask - tcp 127.0.0.1 8080)" '^web'
	contains "$(ask - tcp ::1 8080)" '^web'
	contains "$(ask c1 tcp 203.0.113.1 8080)" '^web'
	contains "$(ask c2 tcp 203.0.113.1 8080)" '^web'
}

@test "netkit: CHECK names each difference and another kind of link, and a repair puts them right" {
	local host

	need_netkit
	new_netns c1
	add ptp "$CONF"
	host=$(host_end) CHECK=$(chained "$CONF")
	silent "after ADD"
	mutate "interface $host.*up.*down" "ip link set $host down" 'CPLUG_REPAIR=1 cni CHECK ptp "$CHECK"'
	mutate "route to 10.11.0.2" "ip route del 10.11.0.2" "ip route add 10.11.0.2 dev $host scope host"
	mutate 'interface eth0' 'in_ns c1 ip link del eth0' 'CPLUG_REPAIR=1 cni CHECK ptp "$CHECK"'
	sees c1 10.11.0.1
	cni CHECK ptp "$(with "$CHECK" '.linkType = "veth"')"
	failed 107 'eth0.*veth.*netkit'
}

@test "netkit: GC removes the pair of a dead container, and leaves the others" {
	need_netkit
	new_netns c1 c2
	add ptp "$(publishing 8080)"
	add ptp "$(publishing 8081)" c2
	cni GC ptp "$(conf '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}]')" '' '' ''
	ok
	no_link c1 eth0
	sees c2 10.11.0.1
	prints '' bash -c 'nft list ruleset | grep net1/c1/ || :'
}
