#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bridge: VLANs.  Requires a kernel with bridge VLAN filtering (Debian's has it: make check-vm).
load lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"vlan":100,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
L2='{"cniVersion":"1.0.0","name":"wire","type":"bridge","bridge":"br1"}'

prepare() {
	has_vlan_filtering || skip "this kernel has no bridge VLAN filtering"
}

# vlans IFNAME - prints the VLANs of a port, as "100:pvid,untagged 101 200-202"
vlans() {
	bridge -j vlan show dev "$1" | jq -r '[.[0].vlans[] |
		"\(.vlan)\(if .vlanEnd then "-\(.vlanEnd)" else "" end)" +
		(if .flags then ":" + (.flags | map({"PVID": "pvid", "Egress Untagged": "untagged"}[.]) | join(",")) else "" end)]
		| join(" ")'
}

@test "bridge-vlan: vlan makes the port an untagged member of that VLAN alone" {
	new_netns c1
	add bridge "$(with "$L2" '.vlan = 100')"
	link - br1 '.linkinfo.info_data.vlan_filtering == 1'
	is "$(vlans "$(host_end)")" 100:pvid,untagged
}

@test "bridge-vlan: preserveDefaultVlan keeps VLAN 1" {
	new_netns c1
	add bridge "$(with "$L2" '.vlan = 100 | .preserveDefaultVlan = true')"
	contains "$(vlans "$(host_end)")" '^1.* 100:pvid,untagged$'
}

@test "bridge-vlan: vlanTrunk accepts IDs, ranges, overlaps, and both in one entry" {
	new_netns c1 c2 c3
	add bridge "$(with "$L2" '.vlanTrunk = [{id: 101}, {minID: 200, maxID: 202}]')"
	is "$(vlans "$(host_end)")" '1:pvid,untagged 101 200 201 202'
	add bridge "$(with "$L2" '.vlan = 100 | .vlanTrunk = [{id: 101, minID: 200, maxID: 202}, {minID: 201, maxID: 203}]')" c2
	is "$(vlans "$(host_end)")" '100:pvid,untagged 101 200 201 202 203'
	add bridge "$(with "$L2" '.vlanTrunk = []')" c3
	is "$(vlans "$(host_end)")" '1:pvid,untagged'
	link - br1 '.linkinfo.info_data.vlan_filtering == 1'
}

@test "bridge-vlan: vlanTrunk with all VLANs" {
	new_netns c1
	add bridge "$(with "$L2" '.vlanTrunk = [{minID: 1, maxID: 4094}]')"
	is "$(bridge -j vlan show dev "$(host_end)" | jq '[.[0].vlans[] | (.vlanEnd // .vlan) - .vlan + 1] | add')" 4094
}

@test "bridge-vlan: invalid VLAN IDs and ranges are rejected" {
	local bad

	new_netns c1
	for bad in '.vlan = 4095' '.vlan = -1' '.vlanTrunk = [{id: 0}]' '.vlanTrunk = [{id: 4095}]' \
		'.vlanTrunk = [{minID: 5}]' '.vlanTrunk = [{maxID: 5}]' '.vlanTrunk = [{minID: 9, maxID: 5}]'; do
		cni ADD bridge "$(with "$L2" "$bad")"
		failed 7 vlan
	done
}

@test "bridge-vlan: the gateway address is on the bridge's VLAN interface" {
	new_netns c1 c2
	add bridge "$CONF"
	has '.interfaces | length == 4'
	has '.interfaces[3].name == "br1.100" and (.interfaces[3] | has("sandbox") | not)'
	is "$(addresses - br1.100)" 10.1.0.1/24
	prints '' addresses - br1
	sees c1 10.1.0.1
	cni CHECK bridge "$(chained "$CONF")"
	ok
	add bridge "$CONF" c2
	has '.interfaces[3].name == "br1.100"'
	sees c2 10.1.0.1
	sees c2 10.1.0.2
}

@test "bridge-vlan: ADD, then DEL, leaves no difference" {
	local conf

	for conf in "$CONF" "$(with "$L2" '.vlanTrunk = [{minID: 200, maxID: 300}]')"; do
		warm_up bridge "$conf"
		new_netns c1
		remember
		add bridge "$conf"
		del bridge "$(chained "$conf")"
		assert_same_snapshot
		add bridge "$conf"
		del_netns c1
		del bridge "$conf"
		new_netns c1
		assert_same_snapshot
		del_netns c1
	done
}

@test "bridge-vlan: containers in different VLANs cannot reach each other" {
	new_netns c1 c2 c3
	add bridge "$CONF"
	add bridge "$(with "$L2" '.vlan = 200')" c2
	add bridge "$CONF" c3
	in_ns c2 ip address add 10.1.0.77/24 dev eth0
	sees c1 10.1.0.3
	sees_not c1 10.1.0.77
}

@test "bridge-vlan: a trunk port forwards tagged frames" {
	new_netns c1 c2
	add bridge "$(with "$L2" '.vlanTrunk = [{id: 101}]')"
	add bridge "$(with "$L2" '.vlan = 101')" c2
	in_ns c1 ip link add link eth0 name eth0.101 type vlan id 101
	in_ns c1 ip link set eth0.101 up
	in_ns c1 ip address add 192.168.7.1/24 dev eth0.101
	in_ns c2 ip address add 192.168.7.2/24 dev eth0
	sees c1 192.168.7.2
}

@test "bridge-vlan: ADD turns VLAN filtering on for an existing bridge" {
	ip link add br1 type bridge
	new_netns c1
	add bridge "$(with "$L2" '.vlan = 100')"
	link - br1 '.linkinfo.info_data.vlan_filtering == 1'
	is "$(vlans "$(host_end)")" 100:pvid,untagged
}

@test "bridge-vlan: a gateway of the VLAN that a killed or failed ADD has not finished is finished by the next, or goes with GC" {
	local gc n first fault

	can_trace || skip "strace cannot trace"
	gc=$(with "$CONF" '.cniVersion = "1.1.0" | ."cni.dev/valid-attachments" = []')
	new_netns c1 c2
	faulty_add 999 error=ENOMEM bridge "$CONF" && fail "ADD fails"
	first=$(grep -n 'RTM_NEWLINK.*br1\.100' "$BATS_TEST_TMPDIR/requests" | head -n 1)
	first=${first%%:*}
	((first > 3))
	del bridge "$CONF"
	cni GC bridge "$gc"
	for n in {1..6}; do
		fault=$( ((n % 2)) && echo error=ENOMEM || echo signal=KILL)
		faulty_add $((first + n)) "$fault" bridge "$CONF" || fail "$fault: ADD has $n requests"
		del bridge "$CONF"
		if ((n % 3 != 1)); then
			add bridge "$CONF" c2
			sees c2 10.1.0.1
			del bridge "$CONF" c2
		fi
		cni GC bridge "$gc"
		prints '' ip -br link show type bridge
		prints '' ip -br link show type veth
	done
}
