#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dummy: interfaces that drop their packets.  Kernels without this kind of link skip these tests.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg
load cnitool

TYPE=dummy
PEER=192.0.2.2
CONF='{"cniVersion":"1.1.0","name":"net1","type":"dummy",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"192.0.2.0/24"}],[{"subnet":"2001:db8:2::/64"}]],
		"routes":[{"dst":"198.51.100.0/24"}]}}'

prepare() {
	has_kind dummy || skip "this kernel has no dummy interfaces"
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	mkdir -p "$NETCONFPATH"
}

@test "dummy: ADD creates link, addresses and route, and returns them; DEL leaves no difference" {
	new_netns c1
	in_ns c1 ip link set lo up
	remember
	add dummy "$CONF"
	has '.interfaces | length == 1'
	has '.interfaces[0].name == "eth0" and .interfaces[0].sandbox == "/run/netns/c1" and .interfaces[0].mtu == 1500'
	has '.ips | map(.address) == ["192.0.2.2/24", "2001:db8:2::2/64"]'
	has 'all(.ips[]; .interface == 0) and .routes == [{dst: "198.51.100.0/24"}] and (has("dns") | not)'
	link c1 eth0 ".address == \"$(result '.interfaces[0].mac')\" and .ifalias == \"cplug net1/c1/eth0\" and .group == \"default\""
	link c1 eth0 '.linkinfo.info_kind == "dummy" and (.flags | any(. == "UP"))'
	prints '192.0.2.2/24 2001:db8:2::2/64' addresses c1 eth0
	route c1 '.dst == "198.51.100.0/24" and .dev == "eth0"'
	sees c1 192.0.2.2
	sees c1 2001:db8:2::2
	sees_not c1 192.0.2.1
	del dummy "$CONF"
	assert_same_snapshot
}

@test "dummy: every protocol version has its result, and CHECK, GC and STATUS where it has them" { leg_versions; }

@test "dummy: DEL works in every order and with a wrong configuration" { leg_del '.mtu = "much" | .mac = "x" | .resolvConf = true | .dad = 5'; }
@test "dummy: DEL that cannot delete the interface keeps its addresses leased" { leg_del_refused; }
@test "dummy: ADD that fails or is killed at any change leaves nothing" { leg_accidents; }
@test "dummy: an interface of that name makes ADD fail and stays" { leg_name_taken; }
@test "dummy: an interface of another attachment makes ADD fail, and stays" { leg_name_of_another; }
@test "dummy: a repair makes the link again" { leg_repair; }

@test "dummy: DEL and GC work with invalid options" {
	local wrong

	wrong=$(conf '.mtu = "much" | .mac = "x" | .resolvConf = true | .dad = 5')
	new_netns c1
	remember
	cni ADD dummy "$wrong"
	failed 7 'mtu.*resolvConf|resolvConf.*mtu'
	assert_same_snapshot
	add dummy "$CONF"
	del dummy "$wrong"
	assert_same_snapshot
	add dummy "$CONF"
	cni GC dummy "$(with "$wrong" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	prints '' find /var/lib/cni/networks/net1 -name '*2'
}

@test "dummy: ADD and CHECK require ipam" {
	local ipam

	new_netns c1
	remember
	for ipam in 'del(.ipam)' '.ipam = {}'; do
		cni ADD dummy "$(conf "$ipam")"
		failed 7 'ipam: missing: a dummy interface requires an IPAM configuration'
		del dummy "$(conf "$ipam")"
	done
	assert_same_snapshot
}

@test "dummy: ADD fails without a difference if no address is free" {
	new_netns c1 c2
	add dummy "$(conf '.ipam.ranges[0][0].rangeEnd = "192.0.2.2"')" c2
	remember
	cni ADD dummy "$(conf '.ipam.ranges[0][0].rangeEnd = "192.0.2.2"')"
	failed '' 'no IP addresses available'
	assert_same_snapshot
}

@test "dummy: a link whose ADD was killed is recognised by its group" {
	new_netns c1
	CNI_TEST_CRASH_AT=2 cni ADD dummy "$CONF"
	((status > 128)) || fail "not killed: $status"
	link c1 eth0 '.group != "default" and (has("ifalias") | not)'
	del dummy "$CONF"
	no_link c1 eth0
}

@test "dummy: mtu, and mac of the configuration, of CNI_ARGS and of runtimeConfig" {
	local conf

	conf=$(conf '.mac = "02:AA:00:00:00:01" | .mtu = 9000')
	new_netns c1 c2 c3
	add dummy "$conf"
	has '.interfaces[0].mac == "02:aa:00:00:00:01" and .interfaces[0].mtu == 9000'
	link c1 eth0 '.address == "02:aa:00:00:00:01" and .mtu == 9000'
	CNI_ARGS='MAC=02:aa:00:00:00:02' cni ADD dummy "$conf" c2
	ok
	link c2 eth0 '.address == "02:aa:00:00:00:02"'
	CNI_ARGS='MAC=02:aa:00:00:00:02' cni ADD dummy "$(with "$conf" '.runtimeConfig.mac = "02:aa:00:00:00:03"')" c3
	ok
	link c3 eth0 '.address == "02:aa:00:00:00:03"'
	cni ADD dummy "$(conf '.mtu = 1279')" c3 c3 eth1
	failed 7 'mtu: 1279 is too small for 2001:db8:2::'
}

@test "dummy: IPv6 addresses are usable when ADD returns, also with dad" {
	local dad

	new_netns c1
	in_ns c1 ip link set lo up
	for dad in false true; do
		add dummy "$(conf ".dad = $dad")"
		prints '[]' bash -c 'nsenter --net=/run/netns/c1 ip -6 -j address show dev eth0 tentative | jq -c "[.[].addr_info[]?]"'
		in_ns c1 socat -u /dev/null "UDP6-SENDTO:[::1]:9,bind=[$(result '.ips[1].address | split("/")[0]')]"
		del dummy "$CONF"
	done
}

@test "dummy: dns in the result comes from the configuration, or else from the IPAM; GC removes resolv.conf" {
	local conf

	conf=$(conf '.dns = {nameservers: ["192.0.2.53"], search: ["a.org"]}')
	new_netns c1
	remember
	add dummy "$conf"
	has '.dns == {nameservers: ["192.0.2.53"], search: ["a.org"]}'
	grep -q 'nameserver 192.0.2.53' /etc/netns/c1/resolv.conf
	in_ns c1 ip link del eth0
	cni GC dummy "$(with "$conf" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	assert_same_snapshot
	printf 'nameserver 192.0.2.54\n' >/run/.rig/resolv
	add dummy "$(conf '.ipam.resolvConf = "/run/.rig/resolv"')"
	has '.dns == {nameservers: ["192.0.2.54"]}'
	del dummy "$CONF"
	assert_same_snapshot
}

# The kernel deletes this route when eth0 goes down.
ROUTES_BACK='in_ns c1 ip route replace 198.51.100.0/24 via 192.0.2.1'

changes() {
	local conf

	conf=$(conf '.dns = {nameservers: ["192.0.2.53"]} | .mac = "02:00:00:00:00:42"')
	new_netns c1
	add dummy "$conf"
	CHECK=$(chained "$conf")
	silent "after ADD"
	mutate 'MAC of eth0' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:99' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:42'
	mutate 'interface eth0.*up.*down' 'in_ns c1 ip link set eth0 down' "in_ns c1 ip link set eth0 up; $ROUTES_BACK"
	mutate '192\.0\.2\.2/24' 'in_ns c1 ip address del 192.0.2.2/24 dev eth0' \
		"in_ns c1 ip address add 192.0.2.2/24 brd + dev eth0; $ROUTES_BACK"
	mutate '198\.51\.100\.0/24' 'in_ns c1 ip route del 198.51.100.0/24' "$ROUTES_BACK"
	mutate 'resolv.conf' 'mv /etc/netns/c1/resolv.conf /run/x' 'mv /run/x /etc/netns/c1/resolv.conf'
	knob c1 net/ipv6/conf/eth0/keep_addr_on_down 0
}

@test "dummy: CHECK reports each change of link, addresses, routes, sysctls and files" {
	changes
	in_ns c1 ip link del eth0
	in_ns c1 ip link add eth0 address 02:00:00:00:00:42 type veth
	named 'another kind' 'interface eth0.*dummy.*veth'
}

@test "dummy: CHECK repairs each of these changes" {
	CHECK_REPAIRS=1
	changes
}

@test "dummy: cnitool lists, restores and collects attachments" { PEER='' leg_tool; }
