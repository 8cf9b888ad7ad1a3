#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vlan: a VLAN of a parent, which is "uplink" here; another host in VLAN 5 is the namespace
# "world".  Kernels without this kind of link skip these tests.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg
load cnitool

TYPE=vlan
PEER=198.51.100.2
CONF='{"cniVersion":"1.1.0","name":"net1","type":"vlan","master":"uplink","vlanId":5,
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"198.51.100.0/24","rangeStart":"198.51.100.10","gateway":"198.51.100.2"}],
		[{"subnet":"2001:db8:51::/64","rangeStart":"2001:db8:51::10","gateway":"2001:db8:51::2"}]]}}'
L2='{"cniVersion":"1.1.0","name":"wire","type":"vlan","master":"uplink","vlanId":6}'

prepare() {
	has_kind vlan || skip "this kernel has no vlan interfaces"
	world
	in_ns world ip link add eth0.5 link eth0 type vlan id 5
	in_ns world ip address add 198.51.100.2/24 dev eth0.5
	in_ns world ip address add 2001:db8:51::2/64 dev eth0.5 nodad
	in_ns world ip link set eth0.5 up
}

@test "vlan: ADD creates link, addresses and routes, and returns them; DEL leaves no difference" {
	new_netns c1
	remember
	add vlan "$CONF"
	has '.interfaces | length == 1'
	has '.interfaces[0].name == "eth0" and .interfaces[0].sandbox == "/run/netns/c1" and .interfaces[0].mtu == 1500'
	has '.ips | map(.address) == ["198.51.100.10/24", "2001:db8:51::10/64"]'
	link c1 eth0 ".address == \"$(result '.interfaces[0].mac')\" and .ifalias == \"cplug net1/c1/eth0\" and .group == \"default\""
	link c1 eth0 '.linkinfo.info_kind == "vlan" and .linkinfo.info_data.id == 5 and .linkinfo.info_data.protocol == "802.1Q"'
	# The MAC address is the parent's, as the reference's.
	link c1 eth0 ".address == \"$(result '.interfaces[0].mac')\""
	has ".interfaces[0].mac == \"$(ip -j link show dev uplink | jq -r '.[0].address')\""
	sees c1 198.51.100.2
	sees c1 2001:db8:51::2
	del vlan "$CONF"
	assert_same_snapshot
}

@test "vlan: cnitool lists, restores and collects attachments" { leg_tool; }
@test "vlan: every protocol version has its result, and CHECK, GC and STATUS where it has them" { leg_versions; }
@test "vlan: DEL works in every order and with a wrong configuration" { leg_del '.vlanId = "five" | .protocol = "x" | .master = 7 | .mtu = "much"'; }
@test "vlan: DEL frees the lease without the parent" { leg_del_without_parent; }
@test "vlan: DEL that cannot delete the interface keeps its addresses leased" { leg_del_refused; }
@test "vlan: ADD that fails or is killed at any change leaves nothing" { leg_accidents; }
@test "vlan: an interface of that name makes ADD fail and stays" { leg_name_taken; }
@test "vlan: the parent is found, up, and large enough" { leg_parent; }
@test "vlan: CHECK reports a renamed parent" { leg_parent_renamed; }
@test "vlan: without ipam the attachment is layer 2 only" { leg_layer2; }
@test "vlan: a repair makes the link again" { leg_repair; }

@test "vlan: linkInContainer looks the parent up in the container" { leg_in_container; }

@test "vlan: a VLAN that the parent has already is named" {
	new_netns c1 c2
	add vlan "$CONF"
	remember
	cni ADD vlan "$CONF" c2
	failed '' 'vlan eth0 on uplink: File exists'
	failed '' 'a parent has each VLAN id once'
	assert_same_snapshot
	# Another protocol is another VLAN.
	add vlan "$(conf '.protocol = "802.1ad" | .name = "other"')" c2
	link c2 eth0 '.linkinfo.info_data.protocol == "802.1ad" and .linkinfo.info_data.id == 5'
	sees_not c2 198.51.100.2
}

@test "vlan: the VLAN of a namespace that the kernel is still destroying is waited for" {
	local n

	for n in 1 2 3 4 5; do
		new_netns c1
		add vlan "$CONF"
		del_netns c1
		del vlan "$CONF"
		new_netns c1
		add vlan "$CONF"
		del vlan "$CONF"
		del_netns c1
	done
}

@test "vlan: wrong values are named, and nothing is changed" {
	new_netns c1
	remember
	cni ADD vlan "$(conf '.vlanId = 4095 | .protocol = "802.1x"')"
	failed 7 'vlanId'
	failed 7 'protocol: unknown VLAN protocol: "802.1x" \(expected 802.1Q or 802.1ad\)'
	cni ADD vlan "$(conf '.vlanId = -1')"
	failed 7 'vlanId'
	cni ADD vlan "$(conf '.mac = "01:00:5e:00:00:01"')"
	failed 7 'mac'
	assert_same_snapshot
}

@test "vlan: mac gives the link an address of its own" {
	new_netns c1
	CNI_ARGS='MAC=02:00:00:00:00:05' cni ADD vlan "$CONF"
	ok
	has '.interfaces[0].mac == "02:00:00:00:00:05"'
	link c1 eth0 '.address == "02:00:00:00:00:05"'
	sees c1 198.51.100.2
}

@test "vlan: CHECK names VLAN id, protocol, parent, MTU, MAC, addresses and routes" {
	ip link add other type veth peer name others
	ip link set other up
	new_netns c1
	add vlan "$CONF"
	CHECK=$(chained "$CONF")
	silent "after ADD"
	mutate 'up' 'in_ns c1 ip link set eth0 down' 'in_ns c1 ip link set eth0 up; in_ns c1 ip route add default via 198.51.100.2; in_ns c1 ip -6 route add default via 2001:db8:51::2'
	mutate 'MTU' 'in_ns c1 ip link set eth0 mtu 1400' 'in_ns c1 ip link set eth0 mtu 1500'
	mutate '198.51.100.10/24' 'in_ns c1 ip address del 198.51.100.10/24 dev eth0' \
		'in_ns c1 ip address add 198.51.100.10/24 dev eth0; in_ns c1 ip route add default via 198.51.100.2'
	mutate '0.0.0.0/0' 'in_ns c1 ip route del default' 'in_ns c1 ip route add default via 198.51.100.2'
	for wrong in '.vlanId = 6' '.protocol = "802.1ad"' '.master = "other"'; do
		cni CHECK vlan "$(with "$CHECK" "$wrong")"
		failed 107
	done
	cni CHECK vlan "$(with "$CHECK" '.vlanId = 6')"
	failed 107 'VLAN id of eth0: expected 6, found 5'
	cni CHECK vlan "$(with "$CHECK" '.protocol = "802.1ad"')"
	failed 107 'VLAN protocol of eth0: expected 802.1ad, found 802.1Q'
	cni CHECK vlan "$(with "$CHECK" '.master = "other"')"
	failed 107 'master of eth0: expected other, found uplink'
}

@test "vlan: no module of the kernel is loaded by the name of a master" {
	local type

	[[ ${VMTEST-} ]] || skip "loads modules: only in the virtual machine"
	! grep -qE '^(ipip|sctp|sit) ' /proc/modules || skip "the modules are there already"
	new_netns c1
	mkdir -p /run/.rig/bin
	printf '#!/bin/sh\necho "{}"\n' >/run/.rig/bin/foreign
	chmod +x /run/.rig/bin/foreign
	for type in macvlan ipvlan vlan; do
		cni ADD "$type" '{"cniVersion": "1.1.0", "name": "net1", "type": "'$type'", "master": "tunl0", "vlanId": 5}'
		failed 7 'there is no interface tunl0'
		# With a foreign IPAM plugin no capability is dropped: CAP_SYS_MODULE loads a module of any name.
		CNI_PATH=/run/.rig/bin cni ADD "$type" '{"cniVersion": "1.1.0", "name": "net1", "type": "'$type'", "master": "sctp",
			"vlanId": 5, "ipam": {"type": "foreign"}}'
		failed 7 'there is no interface sctp'
	done
	cni ADD tuning '{"cniVersion": "1.1.0", "name": "net1", "type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.forwarding": "1"},
		"prevResult": {"cniVersion": "1.1.0", "interfaces": [{"name": "sit0", "sandbox": "/run/netns/c1"}]}}' c1 c1 sit0
	failed '' 'there is no interface sit0'
	# Not by ip(8), which would load the module itself.
	run ! grep -E '^(ipip|sctp|sit) ' /proc/modules
}
