#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ptp: a veth pair between the host and one container, and routes on both sides
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load leg
load cnitool

TYPE=ptp
PEER=10.11.0.1
CONF='{"cniVersion":"1.1.0","name":"net1","type":"ptp",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"10.11.0.0/24"}],[{"subnet":"fd00:11::/64"}]]}}'
FULL='{"cniVersion":"1.1.0","name":"net1","type":"ptp","ipMasq":true,"mtu":1400,"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80},{"hostPort":8081,"containerPort":81,"hostIP":"127.0.0.1"}]},
	"dns":{"nameservers":["10.11.0.1"]},
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"10.11.0.0/24"}],[{"subnet":"fd00:11::/64"}]]}}'

prepare() {
	warm_up ptp "$FULL"
	rm -rf /var/lib/cni/networks/net1 /var/lib/cni/networks/.cplug
}

@test "ptp: ADD creates the pair, addresses and the reference's routes; DEL leaves no difference" {
	local host

	new_netns c1
	remember
	add ptp "$CONF"
	host=$(host_end)
	has '.interfaces | length == 2 and (.[0] | has("sandbox") | not) and .[1].name == "eth0" and .[1].sandbox == "/run/netns/c1"'
	has '.ips == [{interface: 1, address: "10.11.0.2/24", gateway: "10.11.0.1"}, {interface: 1, address: "fd00:11::2/64", gateway: "fd00:11::1"}]'
	has '.routes == [{dst: "0.0.0.0/0"}, {dst: "::/0"}]'
	prints '10.11.0.2/24 fd00:11::2/64' addresses c1 eth0
	is "$(in_ns c1 ip -4 route show | sed 's/ *$//' | sort)" "$(sort <<-END
		default via 10.11.0.1 dev eth0
		10.11.0.0/24 via 10.11.0.1 dev eth0 src 10.11.0.2
		10.11.0.1 dev eth0 scope link src 10.11.0.2
	END
	)"
	contains "$(in_ns c1 ip -6 route show)" '^fd00:11::1 dev eth0 src fd00:11::2'
	contains "$(in_ns c1 ip -6 route show)" '^fd00:11::/64 via fd00:11::1 dev eth0 src fd00:11::2'
	route - ".dst == \"10.11.0.2\" and .dev == \"$host\" and .scope == \"host\""
	contains "$(ip -6 route show)" "^fd00:11::2 dev $host"
	prints '10.11.0.1/32 fd00:11::1/128' addresses - "$host"
	link - "$host" '.ifalias == "cplug net1/c1/eth0" and (.flags | any(. == "UP"))'
	sees c1 10.11.0.1
	sees c1 fd00:11::1
	sees - 10.11.0.2
	sees - fd00:11::2
	del ptp "$CONF"
	assert_same_snapshot
}

@test "ptp: routes through other gateways of the subnet are added, as the reference does" {
	local routed='.ipam.routes += [{"dst":"192.168.0.0/16","gw":"10.11.0.7"},{"dst":"fd01::/48","gw":"fd00:11::7"}]' check

	new_netns c1
	remember
	add ptp "$(with "$CONF" "$routed")"
	has '.routes[2] == {dst: "192.168.0.0/16", gw: "10.11.0.7"}'
	prints '192.168.0.0/16 via 10.11.0.7 dev eth0 onlink ' in_ns c1 ip route show 192.168.0.0/16
	contains "$(in_ns c1 ip -6 route show fd01::/48)" '^fd01::/48 via fd00:11::7 dev eth0 .*onlink'
	check=$(chained "$(with "$CONF" "$routed")")
	cni CHECK ptp "$check"
	ok
	in_ns c1 ip route del 192.168.0.0/16
	in_ns c1 ip -6 route del fd01::/48
	cni CHECK ptp "$check"
	failed 107 'route 192\.168\.0\.0/16 on eth0'
	CPLUG_REPAIR=1 cni CHECK ptp "$check"
	cni CHECK ptp "$check"
	ok
	contains "$(in_ns c1 ip -6 route show fd01::/48)" 'onlink'
	del ptp "$check"
	assert_same_snapshot
}

@test "ptp: cnitool lists, restores and collects attachments" { leg_tool; }

@test "ptp: every protocol version has its result, and CHECK, GC and STATUS where it has them" {
	local v conf

	new_netns c1
	remember
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		conf=$(conf ".cniVersion = \"$v\"")
		add ptp "$conf"
		case $v in
		0.1.0 | 0.2.0) has '(.ip4.ip | startswith("10.11.0.")) and .ip6.gateway == "fd00:11::1"' ;;
		0.*) has '.interfaces[1].name == "eth0" and (.ips | map(.version) == ["4", "6"]) and all(.ips[]; .interface == 1)' ;;
		*) has '.interfaces[1].name == "eth0" and all(.ips[]; .interface == 1)' ;;
		esac
		conf=$(chained "$conf")
		case $v in
		0.[1-3].*) cni CHECK ptp "$conf" && failed 1 ;;
		*) cni CHECK ptp "$conf" && ok ;;
		esac
		cni STATUS ptp "$conf" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		cni GC ptp "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		sees c1 10.11.0.1
		del ptp "$conf"
		assert_same_snapshot
	done
}

@test "ptp: DEL works in every order and with a wrong configuration" {
	local conf

	new_netns c1
	remember
	for conf in '.' '.mtu = "much" | .ipMasq = 7' '.ipMasq = true'; do
		add ptp "$(with "$FULL" 'del(.dns, .runtimeConfig)')"
		del ptp "$(conf "$conf")"
		del ptp "$(conf "$conf")"
		in_ns c1 true
		no_link c1 eth0
		prints '' find /var/lib/cni/networks/net1 -name '10*'
	done
	add ptp "$CONF"
	del ptp "$CONF" c1 /run/netns/never
	no_link c1 eth0
	assert_same_snapshot
}

@test "ptp: DEL that cannot delete the interface keeps its addresses leased" { leg_del_refused; }
@test "ptp: ADD that fails or is killed at any change leaves nothing" { leg_accidents; }
@test "ptp: an interface of that name makes ADD fail and stays" { leg_name_taken; }
@test "ptp: an interface of another attachment makes ADD fail, and stays" { leg_name_of_another; }
@test "ptp: a repair makes the pair again" { leg_repair; }

@test "ptp: containers share the gateway and reach each other, another network and the world" {
	world
	new_netns c1 c2 c3
	add ptp "$(conf '.ipMasq = true')"
	add ptp "$(conf '.ipMasq = true')" c2
	add ptp '{"cniVersion":"1.1.0","name":"net2","type":"ptp","ipam":{"type":"host-local","subnet":"10.12.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}}' c3
	sees c1 10.11.0.3
	sees c2 fd00:11::2
	sees c3 10.11.0.2
	sees c1 203.0.113.2
	sees c1 2001:db8:113::2
	# Not masqueraded, so the world does not know it.
	sees_not c3 203.0.113.2
	del ptp "$CONF" c2
	sees c1 10.11.0.1
	sees c1 203.0.113.2
}

@test "ptp: the host's end has an IPv6 address of its own if the container has one, and is without it otherwise" {
	new_netns c1 c2
	sysctl_set net/ipv6/conf/all/forwarding 1
	add ptp "$CONF"
	contains "$(ip -6 address show dev "$(host_end)")" 'inet6 fe80::[^ ]* scope link'
	add ptp '{"cniVersion":"1.1.0","name":"net2","type":"ptp","ipam":{"type":"host-local","subnet":"10.12.0.0/24"}}' c2
	is "$(ip -6 address show dev "$(result '.interfaces[0].name')")" ''
	sees - 10.12.0.2
}

@test "ptp: published ports answer from outside, from the host, its loopback and the container itself" {
	world
	new_netns c1
	add ptp "$FULL"
	tcp_answer c1 80 web
	tcp_answer c1 81 inside
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	contains "$(ask - tcp 203.0.113.1 8080)" '^web'
	is "$(ask - tcp 127.0.0.1 8080)" 'web from 10.11.0.1'
	contains "$(ask - tcp ::1 8080)" '^web'
	is "$(ask - tcp 127.0.0.1 8081)" 'inside from 10.11.0.1'
	contains "$(ask c1 tcp 203.0.113.1 8080)" '^web'
	ask_in_vain world tcp 203.0.113.1 8081
}

@test "ptp: MTU and DNS; IPv6 with MTU below 1280 is refused" {
	new_netns c1
	add ptp "$FULL"
	link c1 eth0 '.mtu == 1400'
	link - "$(host_end)" '.mtu == 1400'
	has '.dns == {nameservers: ["10.11.0.1"]}'
	in_ns c1 true
	del ptp "$FULL"
	cni ADD ptp "$(conf '.mtu = 1279')"
	failed 7 'mtu: 1279 is too small'
	# By default that of the host's default routes.
	ip link add wire mtu 1380 type veth peer name far mtu 1380
	ip address add 192.0.2.1/24 dev wire
	ip link set far up
	ip link set wire up
	ip route add default via 192.0.2.2
	add ptp "$CONF"
	link c1 eth0 '.mtu == 1380'
	link - "$(host_end)" '.mtu == 1380'
}

@test "ptp: an IPAM result without a usable gateway, and no ipam, are named; nothing stays" {
	local gw

	new_netns c1
	remember
	cni ADD ptp "$(conf '.ipam = {type: "static", addresses: [{address: "10.11.0.9/24"}]}')"
	failed 7 '10.11.0.9/24 has no gateway'
	for gw in 224.0.0.1 255.255.255.255 127.0.0.1; do
		cni ADD ptp "$(conf ".ipam = {type: \"static\", addresses: [{address: \"10.11.0.9/24\", gateway: \"$gw\"}]}")"
		failed 7 "gateway: $gw is no host's address"
	done
	cni ADD ptp "$(conf 'del(.ipam)')"
	failed 7 'ipam: missing'
	cni ADD ptp "$(conf '.ipMasqBackend = "ipchains"')"
	failed 7 'ipMasqBackend'
	assert_same_snapshot
}

@test "ptp: several addresses of one subnet, host prefixes, and a gateway outside the subnet" {
	local conf

	new_netns c1
	remember
	conf=$(conf '.ipam = {type: "static", routes: [{dst: "0.0.0.0/0"}, {dst: "::/0"}], addresses: [
		{address: "10.11.0.5/24", gateway: "10.11.0.1"}, {address: "10.11.0.6/24", gateway: "10.11.0.1"},
		{address: "10.14.0.7/32", gateway: "10.11.0.1"}, {address: "fd00:14::7/128", gateway: "fe80::1"}]}')
	add ptp "$conf"
	sees - 10.11.0.5
	sees - 10.11.0.6
	sees - 10.14.0.7
	sees - fd00:14::7
	sees c1 10.11.0.1
	cni CHECK ptp "$(chained "$conf")"
	ok
	del ptp "$conf"
	assert_same_snapshot
}

differences() {
	local host

	new_netns c1
	add ptp "$FULL"
	host=$(host_end) CHECK=$(chained "$FULL")
	silent "after ADD"
	mutate "interface $host.*up.*down" "ip link set $host down" 'CPLUG_REPAIR=1 cni CHECK ptp "$CHECK"'
	mutate "MTU of $host" "ip link set $host mtu 1300" "ip link set $host mtu 1400"
	mutate "alias of $host" "ip link set $host alias x" "ip link set $host alias 'cplug net1/c1/eth0'"
	mutate "gateway address of $host.*10.11.0.1/32" "ip address del 10.11.0.1/32 dev $host" "ip address add 10.11.0.1/32 dev $host; ip route replace 10.11.0.2 dev $host scope host"
	mutate "route to 10.11.0.2" "ip route del 10.11.0.2" "ip route add 10.11.0.2 dev $host scope host"
	mutate "route 10.11.0.1/32 on eth0" "in_ns c1 ip route del 10.11.0.1" "in_ns c1 ip route add 10.11.0.1 dev eth0 scope link src 10.11.0.2"
	mutate "route 10.11.0.0/24 on eth0" "in_ns c1 ip route del 10.11.0.0/24" "in_ns c1 ip route add 10.11.0.0/24 via 10.11.0.1 src 10.11.0.2"
	mutate "10.11.0.2/24" "in_ns c1 ip address del 10.11.0.2/24 dev eth0" "in_ns c1 ip address add 10.11.0.2/24 dev eth0 noprefixroute
		in_ns c1 ip route add 10.11.0.1 dev eth0 scope link src 10.11.0.2; in_ns c1 ip route add 10.11.0.0/24 via 10.11.0.1 src 10.11.0.2
		in_ns c1 ip route add default via 10.11.0.1"
	mutate 'masq' 'nft delete element inet cplug masq4 "{ 10.11.0.2 }"' 'CPLUG_REPAIR=1 cni CHECK ptp "$CHECK"'
	mutate 'resolv.conf' 'mv /etc/netns/c1/resolv.conf /run/x' 'mv /run/x /etc/netns/c1/resolv.conf'
	mutate 'net.ipv4.ip_forward' 'sysctl -qw net.ipv4.ip_forward=0' 'sysctl -qw net.ipv4.ip_forward=1'
}

@test "ptp: a rule or route of the host that hides the container makes ADD fail" {
	new_netns c1
	ip route add blackhole 10.11.0.0/24 table 77
	ip rule add to 10.11.0.0/24 lookup 77 priority 100
	remember
	cni ADD ptp "$CONF"
	failed 102 '10\.11\.0\.[0-9]+ is not reached through veth.*: a route or rule rejects it'
	assert_same_snapshot
	ip rule del priority 100
	add ptp "$CONF"
	sees c1 10.11.0.1
}

@test "ptp: CHECK names each difference" {
	differences
}

@test "ptp: a repair puts each difference right" {
	CHECK_REPAIRS=1
	differences
}

@test "ptp: GC removes what a dead container left, and leaves the others" {
	new_netns c1 c2
	add ptp "$FULL"
	add ptp "$(with "$FULL" 'del(.runtimeConfig)')" c2
	cni GC ptp "$(with "$FULL" '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}]')" '' '' ''
	ok
	no_link c1 eth0
	sees c2 10.11.0.1
	prints 1 bash -c 'nft list map inet cplug masq4 | grep -c "net1/c2/eth0"'
	prints '' bash -c 'nft list table inet cplug | grep "net1/c1/eth0" || :'
	cni GC ptp "$(with "$FULL" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	no_link c2 eth0
}

@test "ptp: DEL after an ADD that hostIfName made fail leaves the stranger's route_localnet" {
	local conf

	new_netns c1
	conf=$(with "$CONF" '.hostIfName = "cni0"')
	ip link add cni0 type bridge
	nft flush ruleset # no guard: cplug would close a route of its own
	sysctl_set net/ipv4/conf/cni0/route_localnet 1
	cni ADD ptp "$conf"
	failed 102 'cni0: the name is in use'
	del ptp "$conf"
	is "$(cat /proc/sys/net/ipv4/conf/cni0/route_localnet)" 1
}

# former_objects - c1 has ptp with published ports, as the former version left it: a chain of its own
# instead of an element in localnet4.  bridge still writes this, for a bridge with the link's name.
former_objects() {
	FULL=$(with "$FULL" '.hostIfName = "ptp0" | del(.dns)')
	add bridge "$(with "$FULL" '.type = "bridge" | .bridge = "ptp0" | .isGateway = true | del(.hostIfName)')"
	in_ns c1 ip link del eth0
	ip link del ptp0
	rm -r /var/lib/cni/networks/net1
	add ptp "$(with "$FULL" 'del(.ipMasq, .runtimeConfig)')"
	CHECK=$(chained "$FULL")
	sysctl_set net/ipv4/conf/ptp0/route_localnet 127
	contains "$(nft list ruleset)" '10\.11\.0\.2 .*snat4/ptp0/10\.11\.0\.0/24'
}

@test "ptp: DEL and GC remove what the former version wrote" {
	new_netns c1 c2
	former_objects
	add ptp "$(with "$FULL" 'del(.hostIfName) | .runtimeConfig.portMappings |= map(.hostPort += 10)')" c2
	del ptp "$FULL"
	prints '' bash -c 'nft list ruleset | grep net1/c1/ || :'
	no_link c1 eth0
	tcp_answer c2 80 web
	contains "$(ask - tcp 127.0.0.1 8090)" '^web'
	cni GC ptp "$(with "$FULL" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	prints '' nft list tables
}

@test "ptp: CHECK names what the former version wrote, a repair writes it anew, and it works" {
	new_netns c1 c2
	former_objects
	cni CHECK ptp "$CHECK"
	failed 107 'loopback route of ptp0.*return path of 10.11.0.2|return path of 10.11.0.2.*loopback route of ptp0'
	CPLUG_REPAIR=1 cni CHECK ptp "$CHECK"
	ok
	silent "after the repair"
	add ptp "$(with "$FULL" 'del(.hostIfName) | .runtimeConfig.portMappings |= map(.hostPort += 10)')" c2
	tcp_answer c1 80 web
	contains "$(ask - tcp 127.0.0.1 8080)" '^web'
	contains "$(ask c1 tcp 10.11.0.1 8080)" '^web'
	# The former chain is without a user, but the route has one.
	cni GC ptp "$(with "$FULL" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}, {containerID: "c2", ifname: "eth0"}]')" '' '' ''
	ok
	silent "after GC"
	contains "$(ask - tcp 127.0.0.1 8080)" '^web'
	del ptp "$FULL"
	prints '' bash -c 'nft list ruleset | grep net1/c1/ || :'
	# The next network takes the chain away.
	cni ADD ptp "$(with "$FULL" '.name = "net2" | .ipam.ranges = [[{"subnet":"10.12.0.0/24"}]] | del(.hostIfName) | .runtimeConfig.portMappings |= map(.hostPort += 20)')"
	ok
	prints '' bash -c 'nft list ruleset | grep snat4/ptp0 || :'
}
