#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bridge: every key except VLANs (bridge-vlan.bats)
load lib
# shellcheck source=tests/tools/frame.bash
source "$RIG_TOOLS/frame.bash"

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}}'
DUAL='{"cniVersion":"1.0.0","name":"net6","type":"bridge","bridge":"br6","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.6.0.0/24"}],[{"subnet":"fd00:6::/64"}]]}}'
L2='{"cniVersion":"1.0.0","name":"wire","type":"bridge","bridge":"brl2"}'

# conf FILTER - prints CONF after applying FILTER (jq)
conf() {
	with "$CONF" "$1"
}

# ---- ADD and DEL -----------------------------------------------------------

@test "bridge: ADD creates link, address, route and gateway, and returns them" {
	new_netns c1
	add bridge "$CONF"
	has '.interfaces | length == 3'
	has '.interfaces[0].name == "br1" and (.interfaces[0] | has("sandbox") | not)'
	has '.interfaces[2].name == "eth0" and .interfaces[2].sandbox == "/run/netns/c1"'
	has '.ips == [{interface: 2, address: "10.1.0.2/24", gateway: "10.1.0.1"}]'
	has '.routes == [{dst: "0.0.0.0/0"}]'
	is "$(addresses c1 eth0)" 10.1.0.2/24
	is "$(addresses - br1)" 10.1.0.1/24
	route c1 '.dst == "default" and .gateway == "10.1.0.1" and .dev == "eth0"'
	is "$(sysctl_get net/ipv4/ip_forward)" 1
	link - "$(host_end)" '.master == "br1" and (.flags | any(. == "UP"))'
	link - br1 ".address == \"$(result '.interfaces[0].mac')\""
	link - "$(host_end)" ".address == \"$(result '.interfaces[1].mac')\""
	link c1 eth0 ".address == \"$(result '.interfaces[2].mac')\""
	sees c1 10.1.0.1
	sees - 10.1.0.2
}

@test "bridge: ADD, then DEL, leaves no difference" {
	warm_up bridge "$DUAL"
	new_netns c1
	remember
	add bridge "$DUAL"
	is "$(addresses c1 eth0)" '10.6.0.3/24 fd00:6::3/64'
	del bridge "$DUAL"
	assert_same_snapshot
}

@test "bridge: DEL works twice, without prevResult, without a namespace, and with a missing one" {
	local conf

	conf=$(with "$DUAL" '.ipMasq = true | .macspoofchk = true')
	warm_up bridge "$conf"
	new_netns c1
	remember
	add bridge "$conf"
	is "$(addresses c1 eth0)" '10.6.0.3/24 fd00:6::3/64'
	del bridge "$(chained "$conf")"
	assert_same_snapshot
	del bridge "$conf"
	assert_same_snapshot

	add bridge "$conf"
	del bridge "$conf" c1 ''
	assert_same_snapshot

	add bridge "$conf"
	del bridge "$conf" c1 /run/netns/never
	assert_same_snapshot

	del_netns c1
	remember
	new_netns c1
	add bridge "$conf"
	del_netns c1
	del bridge "$(chained "$conf")"
	del bridge "$conf"
	assert_same_snapshot
}

@test "bridge: DEL that cannot delete the link keeps its address leased" {
	local n kept=0

	can_trace || skip "no strace"
	warm_up bridge "$CONF"
	new_netns c1
	remember
	for n in {1..9}; do
		add bridge "$CONF"
		refused_del "$n" bridge "$(chained "$CONF")"
		[[ ! $left ]] || kept=$((kept + 1))
		del bridge "$CONF"
		assert_same_snapshot
	done
	((kept && kept < 9)) || fail "left $kept times"
}

@test "bridge: DEL works after the bridge was deleted and the ruleset flushed" {
	new_netns c1
	add bridge "$(conf '.ipMasq = true | .macspoofchk = true')"
	ip link del br1
	nft flush ruleset
	del bridge "$(conf '.ipMasq = true | .macspoofchk = true')"
	no_link c1 eth0
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}

@test "bridge: DEL and GC work with invalid options" {
	local conf wrong

	conf=$(conf '.cniVersion = "1.1.0"')
	wrong=$(with "$conf" '.resolvConf = true | .hostIfName = 5 | .bridge = [] | .log = {level: "loud"}')
	warm_up bridge "$conf"
	new_netns c1
	remember
	add bridge "$conf"
	del bridge "$wrong"
	contains "$errors" 'resolvConf: expected a string'
	contains "$errors" '(DEL takes the default)'
	assert_same_snapshot
	add bridge "$conf"
	cni GC bridge "$(with "$wrong" '."cni.dev/valid-attachments" = [{containerID: "c9", ifname: "eth0"}]')"
	ok
	assert_same_snapshot
}

@test "bridge: DEL of an attachment that never existed succeeds, and creates nothing" {
	new_netns c1
	del bridge "$CONF"
	no_link - br1
}

@test "bridge: ADD fails if the container already has an interface of that name" {
	new_netns c1
	in_ns c1 ip link add eth0 type veth peer name other
	warm_up bridge "$CONF"
	remember
	cni ADD bridge "$CONF"
	failed 101 'eth0'
	assert_same_snapshot
}

@test "bridge: ADD fails if the link with the bridge's name is not a bridge" {
	ip link add br1 type veth peer name other
	new_netns c1
	remember
	cni ADD bridge "$CONF"
	failed '' 'br1.*not a bridge'
	assert_same_snapshot
}

@test "bridge: the bridge's default name is cni0" {
	new_netns c1
	add bridge "$(conf 'del(.bridge)')"
	has '.interfaces[0].name == "cni0"'
}

@test "bridge: ADD rejects a bridge name that is too long for the VLAN interface, and changes nothing" {
	new_netns c1
	remember
	cni ADD bridge "$(conf '.bridge = "bridge000001" | .vlan = 100')"
	failed 7 'bridge000001.100 is longer'
	assert_same_snapshot
}

@test "bridge: eight parallel first ADDs succeed with different addresses" {
	local i pids=()

	for i in 1 2 3 4 5 6 7 8; do new_netns "c$i"; done
	for i in 1 2 3 4 5 6 7 8; do
		raw ADD bridge "c$i" <<<"$(conf '.ipMasq = true')" >"$BATS_TEST_TMPDIR/$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	is "$(cat "$BATS_TEST_TMPDIR"/[1-8] | jq -r '.ips[0].address' | sort -u | wc -l)" 8
	for i in 1 2 3 4 5 6 7 8; do sees "c$i" 10.1.0.1; done
}

# published BRIDGE IPAM - prints a configuration whose ADD for c2 fails behind the gateway: the port is c1's
published() {
	conf '.isDefaultGateway = true | .capabilities.portMappings = true | .bridge = "'"$1"'" | .ipam = '"$2"' |
		.runtimeConfig.portMappings = [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]'
}

@test "bridge: a failed ADD leaves no gateway on a bridge that was there before, and takes none from another container" {
	local ipam bridge round other

	ip link add br5 type bridge
	ip link add br6 type bridge
	ip link set br5 address 02:00:00:00:00:05 up
	ip link set br6 address 02:00:00:00:00:06 up
	ip address add 10.6.0.1/24 dev br6
	sysctl_set net/ipv4/ip_forward 1
	sysctl_set net/ipv6/conf/all/forwarding 1
	new_netns c1 c2 c3
	add bridge "$(published br1 '{type: "host-local", ranges: [[{subnet: "10.1.0.0/24"}], [{subnet: "fd00:1::/64"}]]}')"
	remember
	for ipam in '{type: "host-local", ranges: [[{subnet: "10.5.0.0/24"}], [{subnet: "fd00:5::/64"}]]}' \
		'{type: "static", addresses: [{address: "10.5.0.9/24"}, {address: "fd00:5::9/64", gateway: "fe80::1"}]}' \
		'{type: "static", addresses: [{address: "fd00:5::9/64", gateway: "fd00:6::1"}]}'; do
		for bridge in br5 br6; do
			cni ADD bridge "$(published $bridge "${ipam//10.5/10.${bridge#br}}")" c2
			failed 105 'it belongs to net1/c1/eth0'
			assert_same_snapshot
		done
	done
	# Beside an ADD that fails others succeed, and keep their gateway.
	ipam='{type: "host-local", ranges: [[{subnet: "10.5.0.0/24"}], [{subnet: "fd00:5::/64"}]]}'
	other=$(with "$(published br5 "$ipam")" 'del(.runtimeConfig)')
	for round in {1..12}; do
		raw ADD bridge c2 <<<"$(published br5 "$ipam")" >/dev/null 2>&1 &
		raw ADD bridge c3 <<<"$other" >"$BATS_TEST_TMPDIR/c3" || fail "round $round: $(<"$BATS_TEST_TMPDIR/c3")"
		wait
		is "$(addresses - br5)" '10.5.0.1/24 fd00:5::1/64'
		del bridge "$other" c3
		ip address flush dev br5
	done
}

# monitored ADDRESS - true if `ip monitor` tells of an address that comes and goes
monitored() {
	ip address add "$1/32" dev up1
	ip address del "$1/32" dev up1
	grep -q "$1" "$BATS_TEST_TMPDIR/monitor"
}

@test "bridge: a failed ADD leaves no gateway on a bridge with ports of others, and none for a moment where a route is in its way" {
	local monitor

	ip link add up0 type veth peer name up1
	ip address add 192.0.2.10/24 dev up0
	ip link set up1 up
	ip link set up0 up
	ip link add br5 type bridge
	ip link set br5 address 02:00:00:00:00:05 up
	ip link add port0 type veth peer name port1
	ip link set port0 master br5 up
	new_netns c1 c2 c4
	# Another network's, on both bridges.
	add bridge "$(conf '.name = "other" | .bridge = "br5" | del(.isDefaultGateway, .isGateway)')" c4
	add bridge "$(published br1 '{type: "host-local", ranges: [[{subnet: "10.1.0.0/24"}]]}')"
	sysctl_set net/ipv4/ip_forward 0
	remember
	cni ADD bridge "$(published br5 '{type: "host-local", ranges: [[{subnet: "10.5.0.0/24"}], [{subnet: "fd00:5::/64"}]]}')" c2
	failed 105 'it belongs to net1/c1/eth0'
	assert_same_snapshot
	# The uplink's router.
	ip -o monitor address >"$BATS_TEST_TMPDIR/monitor" 3>&- 4>&- &
	monitor=$!
	wait_for "the monitor" monitored 192.0.2.98
	cni ADD bridge "$(conf '.bridge = "br5" | .ipam = {type: "host-local", ranges:
		[[{subnet: "192.0.2.0/24", rangeStart: "192.0.2.77", gateway: "192.0.2.1"}]]}')" c2
	failed 102 '192\.0\.2\.77 is reached through up0'
	assert_same_snapshot
	wait_for "the monitor" monitored 192.0.2.99
	kill "$monitor"
	contains_not "$(<"$BATS_TEST_TMPDIR/monitor")" '192\.0\.2\.1/24'
}

# ---- gateway and routes ----------------------------------------------------

@test "bridge: without isGateway the bridge has no address, and forwarding stays off" {
	new_netns c1
	add bridge "$(conf '.isGateway = false')"
	prints '' addresses - br1
	is "$(sysctl_get net/ipv4/ip_forward)" 0
}

@test "bridge: the gateway is the subnet's first address if the IPAM returns none" {
	new_netns c1
	mkdir -p /run/.rig/fakes
	printf '#!/bin/sh\necho "{\\"cniVersion\\":\\"1.0.0\\",\\"ips\\":[{\\"address\\":\\"10.1.0.9/24\\"}]}"\n' >/run/.rig/fakes/spy
	chmod +x /run/.rig/fakes/spy
	CNI_PATH=$CPLUG_BIN:/run/.rig/fakes cni ADD bridge "$(conf '.ipam = {type: "spy"}')"
	ok
	has '.ips[0].gateway == "10.1.0.1"'
	is "$(addresses - br1)" 10.1.0.1/24
}

@test "bridge: isDefaultGateway implies isGateway, and adds a default route of each family" {
	new_netns c1
	add bridge "$DUAL"
	has '[.routes[].dst] | sort == ["0.0.0.0/0", "::/0"]'
	route c1 '.dst == "default" and .gateway == "10.6.0.1"'
	route c1 '.dst == "default" and .gateway == "fd00:6::1"' -6 2>/dev/null ||
		in_ns c1 ip -6 route show default | grep -q 'via fd00:6::1'
	is "$(addresses - br6)" '10.6.0.1/24 fd00:6::1/64'
	is "$(sysctl_get net/ipv6/conf/all/forwarding)" 1
}

@test "bridge: isDefaultGateway adds no second default route to the IPAM's" {
	new_netns c1
	add bridge "$(conf '.isDefaultGateway = true')"
	is "$(in_ns c1 ip route show default | wc -l)" 1
	is "$(in_ns c1 ip route show default | grep -c 'via 10.1.0.1')" 1
	cni CHECK bridge "$(chained "$(conf '.isDefaultGateway = true')")"
	ok
}

@test "bridge: routes with metric, MTU, MSS, table and scope are added, checked and removed" {
	local conf check was now

	conf=$(conf '.cniVersion = "1.1.0" | .ipam.routes = [
		{dst: "0.0.0.0/0", priority: 100},
		{dst: "192.0.2.0/24", gw: "10.1.0.254", mtu: 1280, advmss: 1200},
		{dst: "198.51.100.0/24", table: 100},
		{dst: "198.51.101.0/24", table: 1000},
		{dst: "10.9.0.0/16", scope: 253}]')
	warm_up bridge "$conf"
	new_netns c1
	remember
	add bridge "$conf"
	has '.routes | length == 5'
	route c1 '.dst == "default" and .metric == 100'
	route c1 '.dst == "192.0.2.0/24" and .gateway == "10.1.0.254" and (.metrics[0] | .mtu == 1280 and .advmss == 1200)'
	route c1 '.dst == "198.51.100.0/24" and .gateway == "10.1.0.1"' table 100
	route c1 '.dst == "198.51.101.0/24"' table 1000
	route c1 '.dst == "10.9.0.0/16" and .scope == "link" and (has("gateway") | not)'
	check=$(chained "$conf")
	cni CHECK bridge "$check"
	ok
	# CHECK looks at each of these values.
	while IFS='|' read -r was now; do
		# shellcheck disable=SC2086 # words
		in_ns c1 ip route del $was
		# shellcheck disable=SC2086
		in_ns c1 ip route add $now
		cni CHECK bridge "$check"
		failed 107 "route ${was%% *}"
		# shellcheck disable=SC2086
		in_ns c1 ip route del $now
		# shellcheck disable=SC2086
		in_ns c1 ip route add $was
		cni CHECK bridge "$check"
		ok
	done <<-'END'
		0.0.0.0/0 via 10.1.0.1 metric 100|0.0.0.0/0 via 10.1.0.1 metric 101
		192.0.2.0/24 via 10.1.0.254 mtu 1280 advmss 1200|192.0.2.0/24 via 10.1.0.254 mtu 1281 advmss 1200
		192.0.2.0/24 via 10.1.0.254 mtu 1280 advmss 1200|192.0.2.0/24 via 10.1.0.254 mtu 1280 advmss 1201
		192.0.2.0/24 via 10.1.0.254 mtu 1280 advmss 1200|192.0.2.0/24 via 10.1.0.253 mtu 1280 advmss 1200
		198.51.100.0/24 via 10.1.0.1 table 100|198.51.100.0/24 via 10.1.0.1 table 101
	END
	del bridge "$conf"
	assert_same_snapshot
}

@test "bridge: ADD with an invalid route fails with the kernel's message, and is rolled back" {
	warm_up bridge "$CONF"
	new_netns c1
	remember
	cni ADD bridge "$(conf '.ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.77"}]')"
	failed '' '192\.0\.2\.0.*(unreachable|invalid gateway)'
	assert_same_snapshot
}

@test "bridge: a /32 address with a gateway outside the prefix" {
	local conf answer

	answer='{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/32","gateway":"169.254.1.1"}],
		"routes":[{"dst":"169.254.1.1/32","scope":253},{"dst":"0.0.0.0/0","gw":"169.254.1.1"}]}'
	mkdir -p /run/.rig/fakes
	# shellcheck disable=SC2016 # a script in single quotes
	printf '#!/bin/sh\n[ $CNI_COMMAND != ADD ] || echo %q\n' "$(jq -c . <<<"$answer")" >/run/.rig/fakes/spy
	chmod +x /run/.rig/fakes/spy
	export CNI_PATH=$CPLUG_BIN:/run/.rig/fakes
	conf=$(conf '.isGateway = false | .ipam = {type: "spy"} | .cniVersion = "1.1.0"')
	warm_up bridge "$conf"
	new_netns c1
	remember
	add bridge "$conf"
	is "$(addresses c1 eth0)" 10.1.0.9/32
	cni CHECK bridge "$(chained "$conf")"
	ok
	del bridge "$conf"
	assert_same_snapshot
}

@test "bridge: ADD fails if the bridge has another address, which forceAddress replaces" {
	ip link add br1 type bridge
	ip address add 10.99.0.1/24 dev br1
	new_netns c1
	remember
	cni ADD bridge "$CONF"
	failed '' '10\.99\.0\.1'
	add bridge "$(conf '.forceAddress = true')"
	is "$(addresses - br1)" 10.1.0.1/24
	sees c1 10.1.0.1
}

@test "bridge: a failed ADD gives the bridge back the addresses that forceAddress replaced" {
	warm_up bridge "$CONF"
	ip address del 10.1.0.1/24 dev br1
	ip address add 10.99.0.1/24 dev br1
	ip address add 10.98.0.1/24 dev br1
	new_netns c1
	remember
	cni ADD bridge "$(conf '.forceAddress = true | .ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.77"}]')"
	failed '' '192\.0\.2\.0'
	assert_same_snapshot
}

@test "bridge: ADD restores the bridge's flushed address and sets it up" {
	new_netns c1 c2
	add bridge "$CONF"
	ip address flush dev br1
	ip link set br1 down
	add bridge "$CONF" c2
	is "$(addresses - br1)" 10.1.0.1/24
	sees c1 10.1.0.1
	sees c2 10.1.0.1
}

# ---- L2 --------------------------------------------------------------------

@test "bridge: without ipam containers are connected on layer 2 only" {
	warm_up bridge "$L2"
	new_netns c1 c2
	remember
	add bridge "$L2"
	has '(has("ips") | not) and (.interfaces | length == 3)'
	cni CHECK bridge "$(chained "$L2")"
	ok
	add bridge "$L2" c2
	in_ns c1 ip address add 192.168.7.1/24 dev eth0
	in_ns c2 ip address add 192.168.7.2/24 dev eth0
	sees c1 192.168.7.2
	del bridge "$L2"
	del bridge "$L2" c2
	assert_same_snapshot
}

@test "bridge: ADD without ipam fails before cniVersion 0.3.0, and changes nothing" {
	warm_up bridge "$L2"
	new_netns c1
	remember
	cni ADD bridge "$(with "$L2" '.cniVersion = "0.2.0"')"
	failed
	assert_same_snapshot
}

@test "bridge: disableContainerInterface leaves the link down, and is rejected with ipam" {
	new_netns c1
	add bridge "$(with "$L2" '.disableContainerInterface = true')"
	link c1 eth0 '.flags | any(. == "UP") | not'
	new_netns c2
	cni ADD bridge "$(conf '.disableContainerInterface = true')" c2
	failed 7 'disableContainerInterface|DisableContainerInterface'
}

# ---- link settings ---------------------------------------------------------

@test "bridge: mtu sets the MTU of both ends and the bridge; invalid values are rejected" {
	new_netns c1
	add bridge "$(conf '.mtu = 1400')"
	link c1 eth0 '.mtu == 1400'
	link - "$(host_end)" '.mtu == 1400'
	link - br1 '.mtu == 1400'
	new_netns c2
	cni ADD bridge "$(conf '.mtu = 70000')" c2
	failed 7 mtu
	cni ADD bridge "$(conf '.mtu = -1')" c2
	failed 7 mtu
}

@test "bridge: without mtu the MTU is that of the default route's link" {
	world
	ip link set uplink mtu 1380
	new_netns c1 c2 c3
	add bridge "$CONF"
	link c1 eth0 '.mtu == 1380'
	add bridge "$(conf '.mtu = "auto"')" c2
	link c2 eth0 '.mtu == 1380'
	add bridge "$(conf '.mtu = 1500')" c3
	link c3 eth0 '.mtu == 1500'
}

@test "bridge: without mtu the MTU is the smallest of the default routes' nexthops" {
	local n

	for n in 1 2; do
		ip link add "up$n" mtu "14${n}0" type veth peer name "down$n"
		ip address add "192.0.2.$n/30" dev "up$n"
		ip address add "2001:db8:$n::1/64" dev "up$n" nodad
		ip link set "down$n" up
		ip link set "up$n" up
	done
	ip route add default nexthop dev up2 nexthop dev up1
	new_netns c1 c2
	add bridge "$CONF"
	link c1 eth0 '.mtu == 1410'
	ip route del default
	ip -6 route add default nexthop via 2001:db8:2::9 dev up2 nexthop via 2001:db8:1::9 dev up1
	add bridge "$CONF" c2
	link c2 eth0 '.mtu == 1410'
}

@test "bridge: a 1.1.0 result contains the MTU of each interface, an older one none" {
	new_netns c1 c2
	# The administrator's MTU of the bridge stays.
	ip link add br1 type bridge
	ip link set br1 mtu 1300
	add bridge "$(conf '.mtu = 1400 | .cniVersion = "1.1.0"')"
	has '.interfaces | map(.mtu) == [1300, 1400, 1400]'
	link - br1 '.mtu == 1300'
	link c1 eth0 '.mtu == 1400'
	add bridge "$(conf '.mtu = 1400 | .cniVersion = "1.0.0"')" c2
	has '.interfaces | map(has("mtu")) == [false, false, false]'
}

@test "bridge: the MTU of the bridge in a 1.1.0 result is the one after its port joined" {
	new_netns c1 c2
	ip link add br1 type bridge
	link - br1 '.mtu == 1500'
	add bridge "$(conf '.mtu = 1400 | .cniVersion = "1.1.0"')"
	link - br1 '.mtu == 1400'
	has '.interfaces | map(.mtu) == [1400, 1400, 1400]'
	add bridge "$(conf '.mtu = 1350 | .cniVersion = "1.1.0"')" c2
	link - br1 '.mtu == 1350'
	has '.interfaces | map(.mtu) == [1350, 1350, 1350]'
}

@test "bridge: hairpinMode and promiscMode are set, and exclude each other" {
	new_netns c1 c2
	add bridge "$(conf '.hairpinMode = true')"
	link - "$(host_end)" '.linkinfo.info_slave_data.hairpin == true'
	add bridge "$(conf '.bridge = "br2" | .name = "net2" | .promiscMode = true | .ipam.subnet = "10.2.0.0/24"')" c2
	link - br2 '.flags | any(. == "PROMISC")'
	link - "$(host_end)" '.linkinfo.info_slave_data.hairpin == false'
	new_netns c3
	cni ADD bridge "$(conf '.hairpinMode = true | .promiscMode = true')" c3
	failed 7 'hairpin'
}

@test "bridge: portIsolation separates isolated containers from each other only" {
	local conf

	conf=$(conf '.portIsolation = true')
	new_netns c1 c2 c3
	add bridge "$conf"
	link - "$(host_end)" '.linkinfo.info_slave_data.isolated == true'
	add bridge "$conf" c2
	add bridge "$CONF" c3
	sees c1 10.1.0.1
	sees c1 10.1.0.4
	sees_not c1 10.1.0.3
}

@test "bridge: the MAC address comes from CNI_ARGS, args.cni or runtimeConfig; the last one wins" {
	local conf=$CONF

	new_netns c1 c2 c3
	CNI_ARGS='IgnoreUnknown=1;MAC=02:AA:00:00:00:01' cni ADD bridge "$conf"
	ok
	link c1 eth0 '.address == "02:aa:00:00:00:01"'
	has '.interfaces[2].mac == "02:aa:00:00:00:01"'
	conf=$(conf '.args.cni.mac = "02-aa-00-00-00-02"')
	CNI_ARGS='IgnoreUnknown=1;MAC=02:aa:00:00:00:01' cni ADD bridge "$conf" c2
	ok
	link c2 eth0 '.address == "02:aa:00:00:00:02"'
	conf=$(with "$conf" '.runtimeConfig.mac = "02aa.0000.0003"')
	CNI_ARGS='IgnoreUnknown=1;MAC=02:aa:00:00:00:01' cni ADD bridge "$conf" c3
	ok
	link c3 eth0 '.address == "02:aa:00:00:00:03"'
}

@test "bridge: MAC in CNI_ARGS needs no IgnoreUnknown" {
	new_netns c1
	CNI_ARGS='MAC=02:aa:00:00:00:01' cni ADD bridge "$CONF"
	ok
	link c1 eth0 '.address == "02:aa:00:00:00:01"'
}

@test "bridge: ADD rejects invalid MAC addresses" {
	new_netns c1
	remember
	for mac in 2:0:0:0:0:3 nonsense 02:00:00:00:00; do
		cni ADD bridge "$(conf ".runtimeConfig.mac = \"$mac\"")"
		failed '' "$mac"
	done
	warm_up bridge "$CONF"
	remember
	cni ADD bridge "$(conf '.runtimeConfig.mac = "01:00:5e:00:00:01"')"
	failed 7 '01:00:5e:00:00:01 is a multicast address'
	assert_same_snapshot
}

@test "bridge: MAC addresses of bridge and host's end are set explicitly, so that udev keeps them" {
	local sys=$BATS_TEST_TMPDIR/sys

	new_netns c1
	add bridge "$CONF"
	mkdir "$sys"
	mount -t sysfs sysfs "$sys"
	# NET_ADDR_SET of linux/netdevice.h
	is "$(cat "$sys/class/net/br1/addr_assign_type")" 3
	is "$(cat "$sys/class/net/$(host_end)/addr_assign_type")" 3
}

@test "bridge: the host's end has a fixed name, and an alias with network and container" {
	local first

	new_netns c1
	add bridge "$CONF"
	first=$(host_end)
	ip -d link show dev "$first" | grep -q 'alias.*net1.*c1'
	del bridge "$CONF"
	add bridge "$CONF"
	is "$(host_end)" "$first"
}

@test "bridge: hostIfName sets the name of the host's end, and fails if it is in use" {
	local conf

	conf=$(conf '.hostIfName = "web0"')
	warm_up bridge "$CONF"
	new_netns c1
	remember
	add bridge "$conf"
	has '.interfaces[1].name == "web0"'
	link - web0 '.master == "br1"'
	new_netns c2
	cni ADD bridge "$conf" c2
	failed '' 'web0'
	del_netns c2
	del bridge "$conf"
	assert_same_snapshot
}

@test "bridge: DEL after a failed ADD leaves the conflicting link" {
	local other

	other=$(conf '.name = "other" | .bridge = "br9" | .ipam.ranges = [[{"subnet": "10.9.0.0/24"}]]')
	new_netns c1 c2
	ip link add somebodys type veth peer name peer netns c2
	add bridge "$CONF"
	cni ADD bridge "$other"
	failed 101 'eth0'
	cni ADD bridge "$(with "$other" '.hostIfName = "somebodys"')" c2
	failed 102 'somebodys'
	remember
	del bridge "$other"
	del bridge "$(with "$other" '.hostIfName = "somebodys"')" c2
	assert_same_snapshot
	# On the same bridge.
	cni ADD bridge "$(with "$other" '.bridge = "br1"')"
	failed 101 'eth0'
	del bridge "$(with "$other" '.bridge = "br1"')"
	sees c1 10.1.0.1
}

@test "bridge: IPv6 addresses are usable immediately; enabledad turns DAD on" {
	new_netns c1 c2
	add bridge "$DUAL"
	in_ns c1 ip -6 -j address show dev eth0 |
		json_holds '[.[0].addr_info[] | select(.scope == "global")] | length == 1 and (.[0] | has("tentative") | not)'
	in_ns c1 socat -u /dev/null 'UDP6-SENDTO:[fd00:6::1]:9,bind=[fd00:6::2]'
	sees c1 fd00:6::1
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" 0
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/accept_dad)" 0
	is "$(cat "/proc/sys/net/ipv6/conf/$(host_end)/accept_ra")" 0
	is "$(cat /proc/sys/net/ipv6/conf/br6/accept_ra)" 0
	add bridge "$(with "$DUAL" '.enabledad = true')" c2
	is "$(in_ns c2 cat /proc/sys/net/ipv6/conf/eth0/accept_dad)" 1
	in_ns c2 ip -6 -j address show dev eth0 |
		json_holds '[.[0].addr_info[] | select(.scope == "global")] | length == 1 and (.[0] | has("tentative") | not)'
}

@test "bridge: containers ignore router advertisements" {
	new_netns c1
	add bridge "$DUAL"
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" 0
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/autoconf)" 0
}

# ---- macspoofchk -----------------------------------------------------------

@test "bridge: macspoofchk true drops frames with another source MAC address" {
	local conf

	conf=$(conf '.macspoofchk = true')
	warm_up bridge "$conf"
	new_netns c1 c2
	remember
	add bridge "$conf"
	add bridge "$conf" c2
	sees c1 10.1.0.1
	sees c1 10.1.0.4
	in_ns c1 ip link set eth0 address 02:00:00:00:00:99
	in_ns c1 ip route replace default via 10.1.0.1
	sees_not c1 10.1.0.1
	sees c2 10.1.0.1
	del bridge "$conf"
	del bridge "$conf" c2
	assert_same_snapshot
}

@test "bridge: macspoofchk "strict" also drops packets and ARP with another source IP address" {
	local conf

	conf=$(with "$DUAL" '.macspoofchk = "strict"')
	warm_up bridge "$conf"
	new_netns c1 c2
	remember
	add bridge "$conf"
	add bridge "$conf" c2
	sees c1 10.6.0.1
	sees c1 fd00:6::1
	sees c2 10.6.0.3
	in_ns c1 ip address add 10.6.0.77/24 dev eth0
	in_ns c1 ip address add fd00:6::77/64 dev eth0 nodad
	sees_not c1 10.6.0.1 -I 10.6.0.77
	sees_not c1 fd00:6::1 -I fd00:6::77
	sees_not c2 10.6.0.77
	sees c1 10.6.0.1
	del bridge "$conf"
	del bridge "$conf" c2
	assert_same_snapshot
}

@test "bridge: macspoofchk true passes other source IP addresses" {
	new_netns c1
	add bridge "$(conf '.macspoofchk = true')"
	in_ns c1 ip address add 10.1.0.77/24 dev eth0
	in_ns c1 ping -n -q -c 1 -W "$RIG_DEADLINE" -I 10.1.0.77 10.1.0.1
}

# ---- macspoofchk "strict": one rule at a time ------------------------------

# watched RULE... - starts to count what arrives in c2, by rule
watched() {
	local rule

	in_ns c2 nft 'add table netdev w; add chain netdev w in { type filter hook ingress device eth0 priority 0; }'
	for rule; do in_ns c2 nft "add rule netdev w in $rule counter"; done
}

# arrived NUMBER - prints how many packets the rule has seen
arrived() {
	in_ns c2 nft list chain netdev w in | grep -o 'packets [0-9]*' | sed -n "$1s/packets //p"
}

# passes HEX WHAT, dropped HEX WHAT - the first rule of watched() counts a frame from c1, or does
# not count it before the frame LAST arrives
passes() {
	local before

	before=$(arrived 1)
	send_frame c1 eth0 "$1"
	wait_for "the frame: $2" eval "((\$(arrived 1) > $before))"
}

dropped() {
	local before last

	before=$(arrived 1) last=$(arrived 2)
	send_frame c1 eth0 "$1"
	send_frame c1 eth0 "$LAST"
	wait_for "the last frame" eval "((\$(arrived 2) > $last))"
	is "$2: $(arrived 1)" "$2: $before"
}

# strict_pair - c1 and c2 on a bridge; sets M1, M2 (MAC addresses) and LAST
strict_pair() {
	local conf address

	conf=$(with "$DUAL" '.macspoofchk = "strict"')
	new_netns c1 c2
	add bridge "$conf"
	add bridge "$conf" c2
	M1=$(mac_of c1 eth0) M2=$(mac_of c2 eth0)
	# No other ARP and neighbour discovery, which the rules would hide from each other.
	for address in 10.6.0.2 fd00:6::2 "$(linklocal "$M1")"; do
		in_ns c2 ip neighbour replace "$address" lladdr "$M1" nud permanent dev eth0
	done
	# shellcheck disable=SC2016 # wait_for evaluates it
	wait_for "the end of duplicate address detection" eval '[[ ! $(in_ns c1 ip -6 address show tentative) ]]'
	LAST=$(frame_udp "$M1" "$M2" 10.6.0.2 10.6.0.3 9 last)
	watched "ether saddr $M1 $1" 'udp dport 9'
}

OWN4=10.6.0.2 OWN6=fd00:6::2

@test "bridge: macspoofchk "strict" drops IPv4 packets with another source, also with static neighbours" {
	strict_pair 'udp dport 7'
	passes "$(frame_udp "$M1" "$M2" $OWN4 10.6.0.3 7 x)" own
	dropped "$(frame_udp "$M1" "$M2" 10.6.0.77 10.6.0.3 7 x)" foreign
	dropped "$(frame_udp "$M1" "$M2" 10.6.0.1 10.6.0.3 7 x)" "the gateway's"
	dropped "$(frame_udp "$M1" "$M2" 127.0.0.1 10.6.0.3 7 x)" loopback
	# DHCP: a client has no address yet.
	passes "$(frame_udp "$M1" ff:ff:ff:ff:ff:ff 0.0.0.0 255.255.255.255 7 x)" DHCP
}

@test "bridge: macspoofchk "strict" drops ARP with another sender address or MAC" {
	local request=0001 reply=0002

	strict_pair 'arp htype 1'
	passes "$(frame_arp "$M1" ff:ff:ff:ff:ff:ff $request "$M1" $OWN4 10.6.0.9)" "own request"
	passes "$(frame_arp "$M1" "$M2" $reply "$M1" $OWN4 10.6.0.3)" "own reply"
	dropped "$(frame_arp "$M1" "$M2" $reply "$M1" 10.6.0.1 10.6.0.3)" "the gateway's address"
	dropped "$(frame_arp "$M1" "$M2" $request "$M1" 10.6.0.1 10.6.0.3)" "the gateway's address, asked"
	dropped "$(frame_arp "$M1" "$M2" $reply "$M2" $OWN4 10.6.0.3)" "another MAC"
	dropped "$(frame_arp "$M1" "$M2" $reply 02:00:00:00:00:99 $OWN4 10.6.0.3)" "an unknown MAC"
	dropped "$(frame_arp "$M1" "$M2" $request 02:00:00:00:00:99 $OWN4 10.6.0.3)" "an unknown MAC, asked"
}

@test "bridge: macspoofchk "strict" drops neighbour advertisements of others' addresses and MACs" {
	local ll all=ff02::1

	strict_pair 'icmpv6 type nd-neighbor-advert'
	ll=$(linklocal "$M1")
	passes "$(frame_na "$M1" $OWN6 $all $OWN6 "$M1")" own
	passes "$(frame_na "$M1" "$ll" $all "$ll" "$M1")" "own link-local"
	passes "$(frame_na "$M1" "$ll" $all $OWN6 "$M1")" "own, from the link-local address"
	passes "$(frame_na "$M1" $OWN6 $all $OWN6 '')" "without a MAC"
	dropped "$(frame_na "$M1" $OWN6 $all fd00:6::1 "$M1")" "the gateway's address"
	dropped "$(frame_na "$M1" "$ll" $all fd00:6::1 "$M1")" "the gateway's address, from link-local"
	dropped "$(frame_na "$M1" fe80::1 $all fd00:6::1 "$M1")" "from a foreign link-local address"
	dropped "$(frame_na "$M1" $OWN6 $all $OWN6 "$M2")" "another MAC"
	dropped "$(frame_na "$M1" fd00:6::1 $all $OWN6 "$M1")" "a foreign source"
	# A second option, and extension headers.
	dropped "$(frame_na "$M1" $OWN6 $all $OWN6 "$M1" "0201$(hex_mac "$M2")")" "a second MAC"
	dropped "$(frame_na "$M1" $OWN6 $all $OWN6 '' "0e01000000000000" "0201$(hex_mac "$M2")")" "a MAC behind another option"
	dropped "$(frame_na "$M1" $OWN6 $all $OWN6 '' "0202$(hex_mac "$M2")0000000000000000")" "a longer option"
	dropped "$(frame_extended "$(frame_na "$M1" $OWN6 $all fd00:6::1 "$M1")")" "behind an extension header"
	dropped "$(frame_extended "$(frame_na "$M1" $OWN6 $all $OWN6 "$M2")")" "MAC behind an extension header"
}

@test "bridge: macspoofchk "strict" drops neighbour solicitations with another MAC, and for others from ::" {
	local ll to=ff02::1:ff00:3 dad=0e01aabbccddeeff

	strict_pair 'icmpv6 type nd-neighbor-solicit'
	ll=$(linklocal "$M1")
	passes "$(frame_ns "$M1" $OWN6 $to fd00:6::3 "$M1")" own
	passes "$(frame_ns "$M1" "$ll" $to fd00:6::3 "$M1")" "own link-local"
	passes "$(frame_ns "$M1" $OWN6 $to fd00:6::3 '')" "without a MAC"
	passes "$(frame_ns "$M1" :: $to $OWN6 '')" DAD
	passes "$(frame_ns "$M1" :: $to "$ll" '' $dad)" "DAD with a nonce"
	dropped "$(frame_ns "$M1" $OWN6 $to fd00:6::3 "$M2")" "another MAC"
	dropped "$(frame_ns "$M1" fd00:6::1 $to fd00:6::3 "$M1")" "a foreign source"
	dropped "$(frame_ns "$M1" fe80::1 $to fd00:6::3 "$M1")" "a foreign link-local source"
	dropped "$(frame_ns "$M1" :: $to fd00:6::3 '')" "DAD of another's address"
	dropped "$(frame_ns "$M1" :: $to fd00:6::3 '' $dad)" "DAD with a nonce of another's address"
	dropped "$(frame_ns "$M1" :: $to $OWN6 "$M2")" "DAD with a MAC"
	dropped "$(frame_ns "$M1" $OWN6 $to fd00:6::3 '' $dad "0101$(hex_mac "$M2")")" "a MAC behind a nonce"
}

@test "bridge: macspoofchk "strict" drops frames with a VLAN tag, and a reloaded ruleset is no difference" {
	local frame

	strict_pair 'vlan id 5'
	frame=$(frame_na "$M1" $OWN6 ff02::1 fd00:6::1 "$M1")
	dropped "${frame:0:24}81000005${frame:24}" "tagged advertisement"
	frame=$(frame_udp "$M1" "$M2" $OWN4 10.6.0.3 7 x)
	dropped "${frame:0:24}88a8000581000005${frame:24}" "two tags"
	nft list ruleset >/run/ruleset
	nft flush ruleset
	nft -f /run/ruleset
	cni CHECK bridge "$(chained "$(with "$DUAL" '.macspoofchk = "strict"')")" c2
	ok
}

@test "bridge: macspoofchk "strict" drops router advertisements, redirects and foreign link-local sources" {
	local ll

	strict_pair 'ip6 hoplimit 255 @th,0,8 != { 135, 136 }'
	ll=$(linklocal "$M1")
	dropped "$(frame_ra "$M1" "$ll" 2001:db8:66::)" "router advertisement"
	dropped "$(frame_ra "$M1" fe80::1 2001:db8:66::)" "router advertisement, foreign source"
	dropped "$(frame_ip6 "$M1" "$M2" "$ll" fd00:6::3 58 "8900000000000000$(hex_ip6 2001:db8::1)$(hex_ip6 2001:db8::1)" 2)" redirect
	dropped "$(frame_udp "$M1" "$M2" fe80::1 fd00:6::3 7 x)" "foreign link-local source"
	dropped "$(frame_udp "$M1" "$M2" "$(linklocal "$M2")" fd00:6::3 7 x)" "a neighbour's link-local source"
	dropped "$(frame_udp "$M1" "$M2" :: fd00:6::3 7 x)" "UDP from ::"
	dropped "$(frame_ip6 "$M1" "$M2" "$ll" ff02::2 58 "8500000000000000""0101$(hex_mac "$M2")" 2)" "router solicitation of another MAC"
	passes "$(frame_udp "$M1" "$M2" "$ll" fd00:6::3 7 x)" "own link-local source"
	passes "$(frame_ip6 "$M1" 33:33:00:00:00:02 "$ll" ff02::2 58 "8500000000000000""0101$(hex_mac "$M1")" 2)" "router solicitation"
	passes "$(frame_ip6 "$M1" 33:33:00:00:00:16 :: ff02::16 58 "8f00000000000000" 2)" "multicast listener report"
}

# ---- several networks ------------------------------------------------------

@test "bridge: one container in two networks; DEL of one leaves the other" {
	local other

	other=$(conf '.name = "net2" | .bridge = "br2" | .ipMasq = true
		| .ipam = {type: "host-local", subnet: "10.2.0.0/24"}')
	warm_up bridge "$CONF"
	warm_up bridge "$other"
	new_netns c1
	remember
	add bridge "$CONF"
	remember first
	add bridge "$other" c1 c1 eth1
	sees c1 10.1.0.1
	sees c1 10.2.0.1
	del bridge "$other" c1 c1 eth1
	assert_same_snapshot first
	sees c1 10.1.0.1
	del bridge "$CONF"
	assert_same_snapshot
}

@test "bridge: two interfaces of one container in one network; DEL of one leaves the other" {
	local conf

	conf=$(conf '.ipMasq = true | .macspoofchk = true | .ipam.routes = []')
	warm_up bridge "$conf"
	new_netns c1
	remember
	add bridge "$conf"
	remember first
	add bridge "$conf" c1 c1 eth1
	is "$(addresses c1 eth0)" 10.1.0.3/24
	is "$(addresses c1 eth1)" 10.1.0.4/24
	cni CHECK bridge "$(chained "$conf")" c1 c1 eth1
	ok
	del bridge "$conf" c1 c1 eth1
	assert_same_snapshot first
	sees c1 10.1.0.1
	del bridge "$conf"
	assert_same_snapshot
}

# ---- CHECK -----------------------------------------------------------------

@test "bridge: CHECK succeeds if two interfaces have the same default route" {
	local conf

	new_netns c1
	add bridge "$DUAL"
	conf=$(chained "$DUAL")
	add bridge "$DUAL" c1 c1 eth1
	route c1 '.dst == "default" and .dev == "eth0"'
	route c1 '.dst == "default" and .dev == "eth1"'
	cni CHECK bridge "$(chained "$DUAL")" c1 c1 eth1
	ok
	cni CHECK bridge "$conf"
	ok
}

@test "bridge: CHECK succeeds after ADD, and with foreign addresses and routes" {
	local conf

	new_netns c1
	add bridge "$DUAL"
	conf=$(chained "$DUAL")
	cni CHECK bridge "$conf"
	ok
	is "$output" ''
	in_ns c1 ip address add 192.0.2.9/24 dev eth0
	in_ns c1 ip route add 198.51.100.0/24 dev eth0
	ip address add 10.77.0.1/24 dev br6
	new_netns c2
	add bridge "$DUAL" c2
	cni CHECK bridge "$conf"
	ok
}

@test "bridge: CHECK fails without prevResult" {
	new_netns c1
	add bridge "$CONF"
	cni CHECK bridge "$CONF"
	failed '' 'prevResult'
}

@test "bridge: CHECK fails if an address is missing" {
	new_netns c1
	add bridge "$CONF"
	in_ns c1 ip address del 10.1.0.2/24 dev eth0
	cni CHECK bridge "$(chained "$CONF")"
	failed '' '10\.1\.0\.2'
}

@test "bridge: CHECK fails if a route is missing" {
	new_netns c1
	add bridge "$CONF"
	in_ns c1 ip route del default
	cni CHECK bridge "$(chained "$CONF")"
	failed '' '(0\.0\.0\.0/0|default)'
}

@test "bridge: CHECK fails if the host's end has no master, or if link or bridge is missing" {
	local conf

	new_netns c1 c2
	add bridge "$CONF"
	conf=$(chained "$CONF")
	ip link set "$(host_end)" nomaster
	cni CHECK bridge "$conf"
	failed
	in_ns c1 ip link del eth0
	cni CHECK bridge "$conf"
	failed '' 'eth0'
	add bridge "$CONF" c2
	conf=$(chained "$CONF")
	ip link del br1
	cni CHECK bridge "$conf" c2
	failed '' 'br1'
}

@test "bridge: CHECK fails if the MAC address differs" {
	new_netns c1
	add bridge "$CONF"
	in_ns c1 ip link set eth0 address 02:00:00:00:00:99
	in_ns c1 ip route replace default via 10.1.0.1
	cni CHECK bridge "$(chained "$CONF")"
	failed '' 'eth0'
}

@test "bridge: CHECK fails if the bridge has lost its address" {
	new_netns c1
	add bridge "$CONF"
	ip address flush dev br1
	cni CHECK bridge "$(chained "$CONF")"
	failed '' '10\.1\.0\.1'
}

@test "bridge: CHECK fails if the rules of ipMasq and macspoofchk are missing" {
	local conf

	new_netns c1
	add bridge "$(conf '.ipMasq = true')"
	conf=$(chained "$(conf '.ipMasq = true')")
	cni CHECK bridge "$conf"
	ok
	nft flush ruleset
	cni CHECK bridge "$conf"
	failed
	new_netns c2
	add bridge "$(conf '.macspoofchk = true')" c2
	conf=$(chained "$(conf '.macspoofchk = true')")
	cni CHECK bridge "$conf" c2
	ok
	nft flush ruleset
	cni CHECK bridge "$conf" c2
	failed
}

@test "bridge: CHECK calls the IPAM plugin's CHECK" {
	new_netns c1
	add bridge "$CONF"
	rm /var/lib/cni/networks/net1/10.1.0.2
	cni CHECK bridge "$(chained "$CONF")"
	failed
}

# ---- DNS -------------------------------------------------------------------

DNS='.dns = {nameservers: ["10.1.0.1", "fd00::1"], domain: "example.org", search: ["a.org", "b.org"], options: ["ndots:2"]}'

@test "bridge: dns in the result comes from the configuration, or else from the IPAM" {
	new_netns c1 c2
	add bridge "$(conf "$DNS")"
	has '.dns.nameservers == ["10.1.0.1", "fd00::1"] and .dns.domain == "example.org"
		and .dns.search == ["a.org", "b.org"] and .dns.options == ["ndots:2"]'
	printf 'nameserver 192.0.2.53\nsearch c.org\n' >/run/.rig/resolv
	add bridge "$(conf '.ipam.resolvConf = "/run/.rig/resolv"')" c2
	has '.dns == {nameservers: ["192.0.2.53"], search: ["c.org"]}'
}

@test "bridge: resolv.conf is written for a named namespace, and removed by DEL" {
	warm_up bridge "$CONF"
	new_netns c1
	remember
	add bridge "$(conf "$DNS")"
	is "$(grep -v '^#' /etc/netns/c1/resolv.conf | sort | xargs)" \
		'domain example.org nameserver 10.1.0.1 nameserver fd00::1 options ndots:2 search a.org b.org'
	ip netns exec c1 cat /etc/resolv.conf | grep -q 'nameserver 10.1.0.1'
	del bridge "$(conf "$DNS")"
	assert_same_snapshot
}

@test "bridge: resolvConf "off" and a path; a foreign resolv.conf is left alone" {
	new_netns c1 c2 c3
	add bridge "$(conf "$DNS | .resolvConf = \"off\"")"
	[[ ! -e /etc/netns/c1/resolv.conf ]]
	host_allows "{\"resolvConfFolders\": [\"$BATS_TEST_TMPDIR\"]}"
	add bridge "$(conf "$DNS | .resolvConf = \"$BATS_TEST_TMPDIR/resolv.conf\"")" c2
	grep -q 'nameserver 10.1.0.1' "$BATS_TEST_TMPDIR/resolv.conf"
	del bridge "$(conf "$DNS | .resolvConf = \"$BATS_TEST_TMPDIR/resolv.conf\"")" c2
	[[ ! -e $BATS_TEST_TMPDIR/resolv.conf ]]
	mkdir -p /etc/netns/c3
	echo 'nameserver 192.0.2.1' >/etc/netns/c3/resolv.conf
	cni ADD bridge "$(conf "$DNS")" c3
	is "$(cat /etc/netns/c3/resolv.conf)" 'nameserver 192.0.2.1'
	cni DEL bridge "$(conf "$DNS")" c3
	ok
	is "$(cat /etc/netns/c3/resolv.conf)" 'nameserver 192.0.2.1'
}

@test "bridge: DEL does not remove an edited resolv.conf" {
	new_netns c1
	add bridge "$(conf "$DNS")"
	echo 'nameserver 192.0.2.1' >/etc/netns/c1/resolv.conf
	del bridge "$(conf "$DNS")"
	is "$(cat /etc/netns/c1/resolv.conf)" 'nameserver 192.0.2.1'
}

# ---- masquerading ----------------------------------------------------------

@test "bridge: ipMasqBackend accepts the reference's names, and rejects others" {
	local backend

	new_netns c1
	for backend in nftables iptables; do
		cni ADD bridge "$(conf ".ipMasq = true | .ipMasqBackend = \"$backend\"")"
		ok
		del bridge "$(conf ".ipMasq = true | .ipMasqBackend = \"$backend\"")"
	done
	cni ADD bridge "$(conf '.ipMasq = true | .ipMasqBackend = "pf"')"
	failed 7 'ipMasqBackend'
}

@test "bridge: the number of rules does not grow with containers; elements name their owner" {
	local rules

	new_netns c1 c2 c3
	add bridge "$(conf '.ipMasq = true')"
	rules=$(nft -j list ruleset | jq '[.nftables[] | select(.rule)] | length')
	add bridge "$(conf '.ipMasq = true')" c2
	add bridge "$(conf '.ipMasq = true')" c3
	is "$(nft -j list ruleset | jq '[.nftables[] | select(.rule)] | length')" "$rules"
	nft list ruleset | grep -q 'comment ".*c2.*"' || fail "no element names its owner"
}

@test "bridge: ADD creates the rules again after nft flush ruleset" {
	world
	new_netns c1 c2
	add bridge "$(conf '.ipMasq = true')"
	nft flush ruleset
	add bridge "$(conf '.ipMasq = true')" c2
	sees c2 203.0.113.2
}

@test "bridge: CHECK and repair list the routes once for all routes of the result" {
	local dumps file=$BATS_TEST_TMPDIR/prev

	new_netns c1
	add bridge "$(with "$CONF" '.ipam.routes = [range(300) | {dst: "10.9.\(. % 250).\(. / 250 | floor)/32"}]')"
	chained "$CONF" >"$file"
	cni CHECK bridge "$file"
	ok
	in_ns c1 ip route del 10.9.7.1/32
	in_ns c1 ip route del 10.9.249.0/32
	cni CHECK bridge "$file"
	failed 107 'route 10\.9\.7\.1/32 on eth0'
	has '.details | fromjson | length == 2'
	CPLUG_REPAIR=1 cni CHECK bridge "$file"
	ok
	# strace does not know the type of a socket of another namespace: 0x1a is RTM_GETROUTE.
	dumps=$(sent CHECK bridge "$(cat "$file")" |
		grep -Ec 'nlmsg_type=(RTM_GETROUTE|0x1a) .*(NLM_F_DUMP|0x300)|RTM_GETROUTE, .*NLM_F_DUMP')
	is "$dumps" 1
}
