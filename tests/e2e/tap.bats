#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# tap: devices for virtual machines.  Systems without /dev/net/tun skip these tests.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg
load cnitool

TYPE=tap
CONF='{"cniVersion":"1.1.0","name":"net1","type":"tap",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"192.0.2.0/24"}],[{"subnet":"2001:db8:2::/64"}]],
		"routes":[{"dst":"198.51.100.0/24"}]}}'
L2='{"cniVersion":"1.1.0","name":"vm","type":"tap"}'
FULL='{"cniVersion":"1.1.0","name":"net1","type":"tap","multiQueue":true,"owner":31234,"group":31567,
	"vnetHdr":true,"mtu":1400,"mac":"02:00:00:00:00:07","promisc":true,"bridge":"br0",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"192.0.2.0/24"}]]}}'

prepare() {
	ip tuntap add mode tap name probe 2>/dev/null || skip "no /dev/net/tun"
	ip link del probe
}

@test "tap: ADD creates device, addresses and route, and returns them; DEL leaves no difference" {
	new_netns c1
	remember
	add tap "$CONF"
	has '.interfaces | length == 1'
	has '.interfaces[0].name == "eth0" and .interfaces[0].sandbox == "/run/netns/c1" and .interfaces[0].mtu == 1500'
	has '.ips | map(.address) == ["192.0.2.2/24", "2001:db8:2::2/64"] and all(.[]; .interface == 0)'
	link c1 eth0 ".address == \"$(result '.interfaces[0].mac')\" and .ifalias == \"cplug net1/c1/eth0\" and .group == \"default\""
	link c1 eth0 '.linkinfo.info_kind == "tun" and .linkinfo.info_data.type == "tap" and .linkinfo.info_data.pi == false and .linkinfo.info_data.persist == true'
	link c1 eth0 '.flags | any(. == "UP")'
	prints '192.0.2.2/24 2001:db8:2::2/64' addresses c1 eth0
	route c1 '.dst == "198.51.100.0/24" and .dev == "eth0"'
	del tap "$CONF"
	assert_same_snapshot
}

@test "tap: cnitool lists, restores and collects attachments" { leg_tool; }
@test "tap: every protocol version has its result, and CHECK, GC and STATUS where it has them" { leg_versions; }
@test "tap: DEL works in every order and with a wrong configuration" { leg_del '.owner = "me" | .multiQueue = 5 | .bridge = 7 | .mtu = "much"'; }
@test "tap: DEL that cannot delete the interface keeps its addresses leased" { leg_del_refused; }
@test "tap: ADD that fails or is killed at any change leaves nothing" { leg_accidents; }
@test "tap: an interface of that name makes ADD fail and stays" { leg_name_taken; }
@test "tap: an interface of another attachment makes ADD fail, and stays" { leg_name_of_another; }
@test "tap: without ipam the attachment is layer 2 only" { leg_layer2; }

@test "tap: queues, owner, group, header, MTU, MAC, promisc and bridge together, compared and repaired" {
	new_netns c1
	in_ns c1 ip link add br0 address 02:00:00:00:00:b0 type bridge
	in_ns c1 ip link set br0 up
	remember
	add tap "$FULL"
	link c1 eth0 '.mtu == 1400 and .address == "02:00:00:00:00:07" and .master == "br0" and (.flags | any(. == "PROMISC"))'
	link c1 eth0 '.linkinfo.info_data | .multi_queue == true and .vnet_hdr == true and .pi == false'
	contains "$(in_ns c1 ip -d link show dev eth0)" 'user 31234 group 31567'
	has '.interfaces[0].mac == "02:00:00:00:00:07" and .interfaces[0].mtu == 1400'
	CHECK=$(chained "$FULL")
	silent "after ADD"
	mutate 'bridge of eth0.*br0' 'in_ns c1 ip link set eth0 nomaster' 'in_ns c1 ip link set eth0 master br0'
	mutate 'interface eth0.*promiscuous' 'in_ns c1 ip link set eth0 promisc off' 'in_ns c1 ip link set eth0 promisc on'
	mutate 'MTU of eth0' 'in_ns c1 ip link set eth0 mtu 1300' 'in_ns c1 ip link set eth0 mtu 1400'
	mutate 'MAC of eth0' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:99' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:07'
	for wrong in '.owner = 1' '.group = 1' '.multiQueue = false'; do
		cni CHECK tap "$(with "$CHECK" "$wrong")"
		failed 107 'of eth0: expected'
	done
	in_ns c1 ip link del eth0
	cni CHECK tap "$CHECK"
	failed 107 'eth0'
	CPLUG_REPAIR=1 cni CHECK tap "$CHECK"
	ok
	silent "after the repair"
	del tap "$CHECK"
	assert_same_snapshot
}

@test "tap: CHECK without addresses notices that the device is gone" {
	local conf

	new_netns c1
	add tap "$L2"
	conf=$(chained "$L2")
	cni CHECK tap "$conf"
	ok
	in_ns c1 ip link del eth0
	cni CHECK tap "$conf"
	failed 107 'eth0'
	in_ns c1 ip tuntap add mode tun name eth0
	cni CHECK tap "$conf"
	failed 107 'eth0'
}

@test "tap: owner and group alone, and none" {
	local want conf header

	new_netns c1
	for want in '.owner = 0' '.group = 4294967294' '.owner = 65534 | .group = 0' '.owner = null'; do
		conf=$(with "$L2" "$want")
		add tap "$conf"
		# The reference's devices have the header if both are given.
		header=false
		[[ $want != *owner*group* ]] || header=true
		link c1 eth0 ".linkinfo.info_data.vnet_hdr == $header"
		cni CHECK tap "$(chained "$conf")"
		ok
		del tap "$conf"
	done
}

@test "tap: wrong values are named, and nothing is changed" {
	new_netns c1
	in_ns c1 ip link add br1 type veth peer name br2
	remember
	cni ADD tap "$(with "$L2" '.owner = -1 | .group = "staff" | .multiQueue = "yes"')"
	failed 7 'owner.*group.*multiQueue|multiQueue.*owner.*group'
	cni ADD tap "$(with "$L2" '.bridge = "nosuch"')"
	failed 7 'bridge: there is no bridge nosuch in the container'
	cni ADD tap "$(with "$L2" '.bridge = "br1"')"
	failed 7 'bridge: there is no bridge br1 in the container'
	cni ADD tap "$(with "$L2" '.mac = "01:00:5e:00:00:01"')"
	failed 7 'mac'
	assert_same_snapshot
}

@test "tap: selinuxContext is accepted where SELinux is not in use" {
	[[ ! -e /sys/fs/selinux/enforce ]] || skip "SELinux is in use"
	new_netns c1
	add tap "$(with "$L2" '.selinuxContext = "system_u:system_r:container_t:s0"')"
	link c1 eth0 '.linkinfo.info_kind == "tun"'
}

@test "tap: selinuxContext is refused where SELinux is in use" {
	# A file where the kernel's would be.
	mount -t tmpfs tmpfs /sys/fs
	mkdir /sys/fs/selinux
	echo 1 >/sys/fs/selinux/enforce
	new_netns c1
	remember
	cni ADD tap "$(with "$L2" '.selinuxContext = "system_u:system_r:container_t:s0"')"
	failed 7 'selinuxContext: not supported on a host with SELinux'
	assert_same_snapshot
	add tap "$L2"
	del tap "$L2"
	umount /sys/fs
}
