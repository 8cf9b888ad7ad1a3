#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Router advertisements, SLAAC, disable_ipv6, and hosts without IPv6.
load ../lib
# shellcheck source=tests/tools/frame.bash
source "$RIG_TOOLS/frame.bash"

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
FOUR=$(with "$CONF" '.ipam.ranges = [[{subnet: "10.1.0.0/24"}]]')

# advertise NS PREFIX - sends a router advertisement from NS
advertise() {
	local mac

	mac=$(mac_of "$1" eth0)
	send_frame "$1" eth0 "$(frame_ra "$mac" fe80::1:2:3 "$2")"
}

# has_link_local IFNAME - true if it has a link-local address that is not tentative
has_link_local() {
	ip -6 address show dev "$1" scope link -tentative | grep -q inet6
}

# knob NS FAMILY/conf/IFNAME/KEY - prints a sysctl of NS
knob() {
	in_ns "$1" cat "/proc/sys/net/$2"
}

@test "router advertisements: containers and host take no address or route from them, however early" {
	local sender n

	new_netns rogue c1 c2 c3 c4
	add bridge "$CONF" rogue
	# A container that advertises all the time.
	mac=$(mac_of rogue eth0)
	frame=$(frame_ra "$mac" fe80::1:2:3 2001:db8:bad::)
	(while :; do send_frame rogue eth0 "$frame"; done) 3>&- 4>&- &
	sender=$!
	for n in 1 2 3 4; do add bridge "$CONF" c$n; done
	advertise rogue 2001:db8:bad::
	for n in 1 2 3 4; do
		sees c$n fd00:1::1
		prints_not 'bad|proto ra|1:2:3' in_ns c$n ip -6 address show
		prints_not 'bad|proto ra|1:2:3' in_ns c$n ip -6 route show
		is "$(knob c$n ipv6/conf/eth0/accept_ra)" 0
		is "$(knob c$n ipv6/conf/eth0/autoconf)" 0
	done
	kill $sender
	# Neither does the host, on the bridge or on its ends of the veth pairs.
	prints_not 'bad|proto ra|1:2:3' ip -6 address show
	prints_not 'bad|proto ra|1:2:3' ip -6 route show
	for dev in $(ip -j link show master br1 | jq -r '.[].ifname'); do
		is "$dev $(knob - "ipv6/conf/$dev/accept_ra") $(knob - "ipv6/conf/$dev/autoconf")" "$dev 0 0"
		is "$(ip -6 address show dev "$dev")" ''
	done
	is "$(knob - ipv6/conf/br1/accept_ra)" 0
}

@test "router advertisements: a bridge that was too small for IPv6 does not accept them later" {
	local small

	small=$(with "$CONF" '.mtu = 576 | .isGateway = false | .isDefaultGateway = false | del(.ipam)')
	echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
	new_netns c1 c2 c3
	add bridge "$small" c1
	add bridge "$(with "$small" '.mtu = 1500')" c2
	del bridge "$small" c1
	advertise c2 2001:db8:bad::
	prints_not 'bad|proto ra' ip -6 address show
	prints_not 'bad|proto ra' ip -6 route show
	link - br1 '.mtu == 576'
	# Nor does one that a container of the own network makes smaller; another network's cannot.
	small=$(with "$small" '.bridge = "br2"')
	add bridge "$(with "$small" '.mtu = 1500')" c1 c1 eth1
	remember
	cni ADD bridge "$(with "$small" '.name = "other"')" c3 c3 eth1
	failed 7 'mtu: 576 would turn IPv6 off on bridge br2, which another network made'
	assert_same_snapshot
	add bridge "$small" c3 c3 eth1
	del bridge "$small" c3 c3 eth1
	link - br2 '.mtu == 576'
}

@test "router advertisements: a bridge that was too small is made anew when its network needs IPv6" {
	local small

	small=$(with "$FOUR" '.mtu = 1000')
	new_netns c1 c2
	add bridge "$small" c1
	# As long as a container of it lives, the sentence names the remedy.
	cni ADD bridge "$CONF" c2
	failed 7 'mtu: 1000 is too small for fd00:1::.*when its last container is gone'
	del bridge "$small" c1
	link - br1 '.mtu == 1000'
	add bridge "$CONF" c2
	sees c2 fd00:1::1
	link - br1 '.mtu == 1500'
	is "$(knob - ipv6/conf/br1/accept_ra)" 0
	# It follows its ports again.
	add bridge "$(with "$FOUR" '.mtu = 1400')" c1
	link - br1 '.mtu == 1400'
}

@test "router advertisements: accept_ra is off before the bridge and both ends are up" {
	new_netns c1
	CNI_DEBUG=1 add bridge "$CONF"
	# shellcheck disable=SC2016 # awk's
	awk -v host="$(host_end)" '
		/sysctl .*conf\/br1\/accept_ra = 0/ { bridge = 1 }
		/set bridge br1 up/ { if (!bridge) exit 1; up++ }
		index($0, "conf/" host "/accept_ra = 0") { port = 1 }
		index($0, "host: set " host " up") { if (!port) exit 1; up++ }
		/sysctl .*conf\/eth0\/accept_ra = 0/ { container = 1 }
		/container: set eth0 up/ { if (!container) exit 1; up++ }
		END { exit up != 3 }
	' <<<"$errors"
}

@test "router advertisements: ADD turns forwarding on, and the host keeps the default route it learned" {
	new_netns router c1
	ip link add uplink type veth peer name eth0 netns router
	in_ns router ip link set eth0 up
	sysctl_set net/ipv6/conf/uplink/accept_ra 1
	sysctl_set net/ipv6/conf/uplink/accept_dad 0
	ip link set uplink up
	wait_for "the link" has_link_local uplink
	advertise router 2001:db8:1::
	wait_for "the address of the router's prefix" bash -c 'ip -6 address show dev uplink | grep -q 2001:db8:1:'
	contains "$(ip -6 route show default)" 'via fe80::1:2:3 dev uplink proto ra'
	is "$(sysctl_get net/ipv6/conf/all/forwarding)" 0
	add bridge "$CONF"
	is "$(sysctl_get net/ipv6/conf/all/forwarding)" 1
	contains "$(ip -6 route show default)" 'via fe80::1:2:3 dev uplink proto ra'
	is "$(sysctl_get net/ipv6/conf/uplink/accept_ra)" 2
	# The host still accepts advertisements.
	advertise router 2001:db8:2::
	wait_for "the address of another prefix" bash -c 'ip -6 address show dev uplink | grep -q 2001:db8:2:'
	del bridge "$CONF"
	contains "$(ip -6 route show default)" 'via fe80::1:2:3 dev uplink proto ra'
}

@test "router advertisements: ADD does not change accept_ra = 0 of an uplink" {
	world
	new_netns c1
	sysctl_set net/ipv6/conf/uplink/accept_ra 0
	add bridge "$CONF"
	is "$(sysctl_get net/ipv6/conf/all/forwarding)" 1
	is "$(sysctl_get net/ipv6/conf/uplink/accept_ra)" 0
}

@test "router advertisements: the host keeps the route it learned on an existing bridge" {
	new_netns router c1
	ip link add br1 type bridge
	ip link add port type veth peer name eth0 netns router
	ip link set port master br1
	in_ns router ip link set eth0 up
	ip link set port up
	sysctl_set net/ipv6/conf/br1/accept_ra 1
	sysctl_set net/ipv6/conf/br1/accept_dad 0
	ip link set br1 up
	wait_for "the link" has_link_local br1
	advertise router 2001:db8:1::
	wait_for "the route" bash -c 'ip -6 route show default | grep -q "dev br1 proto ra"'
	# Without addresses.
	add bridge "$(with "$CONF" 'del(.ipam, .isDefaultGateway, .ipMasq)')"
	is "$(sysctl_get net/ipv6/conf/br1/accept_ra)" 1
	# With addresses and forwarding.
	add bridge "$CONF" c1 c1 eth1
	is "$(sysctl_get net/ipv6/conf/br1/accept_ra)" 2
	contains "$(ip -6 route show default)" 'via fe80::1:2:3 dev br1 proto ra'
	advertise router 2001:db8:2::
	wait_for "the address of another prefix" bash -c 'ip -6 address show dev br1 | grep -q 2001:db8:2:'
}

@test "router advertisements: IPv4 works on a host without IPv6" {
	world
	new_netns c1
	in_ns c1 bash -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
	# With ipv6.disable=1 this folder is empty.
	mount -t tmpfs tmpfs /proc/sys/net/ipv6
	conf=$(with "$FOUR" '.capabilities.portMappings = true
		| .runtimeConfig.portMappings = [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]')
	add bridge "$conf"
	chained=$(chained "$conf")
	contains_not "$errors" 'warn:'
	tcp_answer_4 c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	cni CHECK bridge "$chained"
	ok
	del bridge "$FOUR"
	# A network with IPv6 fails with an error that says so.
	cni ADD bridge "$CONF"
	((status == 0)) || failed '' 'fd00:1::|ipv6|IPv6'
}

tcp_answer_4() {
	in_ns "$1" socat "TCP4-LISTEN:$2,fork,reuseaddr" "SYSTEM:read -r q; echo \"$3 from \$SOCAT_PEERADDR\"" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "a server" in_ns "$1" bash -c "ss -Hnlt 'sport = :$2' | grep -q ."
}

@test "router advertisements: IPv6 addresses work in a container with disable_ipv6 = 1" {
	new_netns c1
	in_ns c1 bash -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	in_ns c1 ip link set lo up
	add bridge "$CONF"
	sees c1 fd00:1::1
	sees c1 ::1
}

@test "router advertisements: ADD with an IPv6 address says that IPv6 is switched off on the host, and how to switch it on" {
	local ptp off='IPv6 is switched off there: sysctl -w net\.ipv6\.conf\.all\.disable_ipv6=0'

	ptp=$(with "$CONF" '.name = "net2" | .type = "ptp" | del(.bridge, .isGateway)')
	new_netns c1
	sysctl_set net/ipv6/conf/all/disable_ipv6 1
	cni ADD bridge "$CONF"
	failed 100 "host: add address fd00:1::1/64 to br1: Permission denied \($off"
	cni ADD ptp "$ptp"
	failed 100 "host: add address fd00:1::1/128 to veth[0-9a-f]+: Permission denied \($off"
	sysctl -qw net.ipv6.conf.all.disable_ipv6=0
	add bridge "$CONF"
	sees c1 fd00:1::1
}

# without_sysctls - /proc is mounted with subset=pid
without_sysctls() {
	mount -t proc -o subset=pid proc /proc || skip "the kernel has no subset=pid"
	[[ ! -e /proc/sys ]]
}

@test "router advertisements: ADD tells that there is no /proc/sys, where forwarding must be turned on" {
	new_netns c1
	sysctl_set net/ipv4/ip_forward 0
	without_sysctls
	cni ADD bridge "$CONF"
	ok
	contains "$errors" 'sysctl net/ipv[46]/.* cannot be set to .*, nor any other: there is no /proc/sys/net here .mount /proc without subset=pid'
	is "$(grep -c 'nor any other' <<<"$errors")" 1
	cni DEL bridge "$CONF"
	ok
}

@test "router advertisements: all verbs work with a read-only /proc/sys if no sysctl must change" {
	world
	new_netns c1
	sysctl_set net/ipv4/ip_forward 1
	sysctl_set net/ipv6/conf/all/forwarding 1
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	! echo 1 2>/dev/null >/proc/sys/net/ipv4/ip_forward || skip "it is not read-only"
	add bridge "$CONF"
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
	cni CHECK bridge "$(chained "$CONF")"
	ok
	del bridge "$CONF"
}

@test "router advertisements: ADD reports a read-only /proc/sys if forwarding must be turned on" {
	new_netns c1
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	cni ADD bridge "$CONF"
	contains "$errors$output" 'ip_forward.*Read-only file system'
	cni DEL bridge "$CONF"
	ok
}
