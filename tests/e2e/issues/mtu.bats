#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The containers' MTU is larger than the uplink's, and routers drop ICMP "packet too big".
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
SIZE=1048576

# The host's uplink has an MTU of 1400, the link behind the router 1500; host and router drop
# ICMP "fragmentation needed" and ICMPv6 "packet too big".
prepare() {
	local ns

	world
	new_netns c1 server
	ip link set uplink mtu 1400
	in_ns world ip link set eth0 mtu 1400
	in_ns world ip link add eth1 type veth peer name eth0 netns server
	in_ns world ip address add 198.51.100.1/24 dev eth1
	in_ns world ip address add 2001:db8:51::1/64 dev eth1 nodad
	in_ns world ip link set eth1 up
	in_ns server ip address add 198.51.100.2/24 dev eth0
	in_ns server ip address add 2001:db8:51::2/64 dev eth0 nodad
	in_ns server ip link set eth0 up
	in_ns server ip route add default via 198.51.100.1
	in_ns server ip -6 route add default via 2001:db8:51::1
	in_ns world bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	for ns in - world; do
		in_ns "$ns" nft -f - <<-'END'
			table inet middlebox {
				chain in { type filter hook input priority 0; jump no-news; }
				chain through { type filter hook forward priority 0; jump no-news; }
				chain out { type filter hook output priority 0; jump no-news; }
				chain no-news {
					icmp type destination-unreachable icmp code frag-needed drop
					icmpv6 type packet-too-big drop
				}
			}
		END
	done
	wait_for "the route to the server" ping -c 1 -W 1 198.51.100.2
	wait_for "the route to the server" ping -c 1 -W 1 2001:db8:51::2
}

# takes NS PORT - a server that answers with the number of bytes received
takes() {
	serve "$1" "$2" "wc -c"
}

# gives NS PORT - a server that sends SIZE bytes
gives() {
	serve "$1" "$2" "head -c $SIZE /dev/zero"
}

# send NS ADDRESS PORT, receive NS ADDRESS PORT - print the number of bytes transferred
send() {
	head -c $SIZE /dev/zero | in_ns "$1" timeout "${LIMIT:-$RIG_DEADLINE}" \
		socat -t "$RIG_DEADLINE" - "TCP:$2:$3" 3>&- 4>&- || :
}

receive() {
	in_ns "$1" timeout "${LIMIT:-$RIG_DEADLINE}" socat -u "TCP:$2:$3" - 3>&- 4>&- | wc -c
}

@test "mtu: bridge, veth pair and result have the uplink's MTU" {
	add bridge "$CONF"
	has '[.interfaces[].mtu] == [1400, 1400, 1400]'
	link c1 eth0 '.mtu == 1400'
	link - br1 '.mtu == 1400'
	link - "$(host_end)" '.mtu == 1400'
	cni CHECK bridge "$(chained "$CONF")"
	ok
	# A smaller uplink for IPv6.
	ip link add wan6 mtu 1320 type veth peer name eth9 netns world
	ip link set wan6 up
	in_ns world ip link set eth9 up
	ip -6 route replace default via fe80::1 dev wan6
	new_netns c2
	add bridge "$(with "$CONF" 'del(.runtimeConfig) | .bridge = "br2" | .name = "net2"
		| .ipam.ranges = [[{subnet: "10.2.0.0/24"}]]')" c2
	has '[.interfaces[].mtu] == [1320, 1320, 1320]'
}

@test "mtu: the uplink is found in a large routing table, which is not read to its end" {
	local i j

	for i in {0..19}; do
		for j in {0..199}; do echo "route add 100.$i.$j.0/24 dev uplink"; done
	done >"$BATS_TEST_TMPDIR/routes"
	ip -batch "$BATS_TEST_TMPDIR/routes"
	add bridge "$CONF"
	has '[.interfaces[].mtu] == [1400, 1400, 1400]'
	takes c1 80
	is "$(send server 203.0.113.1 8080)" $SIZE
	del bridge "$CONF"
	# A datagram holds some 600 of these 4000 routes.
	can_trace || return 0
	add bridge "$CONF"
	CNI_COMMAND=ADD CNI_CONTAINERID=c9 CNI_NETNS=/run/netns/server CNI_IFNAME=net9 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -e trace=recvfrom -o "$BATS_TEST_TMPDIR/trace" \
		"$CPLUG_BIN/bridge" <<<"$(with "$CONF" 'del(.runtimeConfig)')" >/dev/null
	(($(grep -c 'RTM_NEWROUTE.*RTM_NEWROUTE' "$BATS_TEST_TMPDIR/trace") <= 3))
}

@test "mtu: a megabyte in each direction passes routers that drop ICMP errors" {
	local to

	add bridge "$CONF"
	takes server 7001
	gives server 7002
	for to in 198.51.100.2 '[2001:db8:51::2]'; do
		is "$(send c1 "$to" 7001)" $SIZE
		is "$(receive c1 "$to" 7002)" $SIZE
	done
}

@test "mtu: a megabyte in each direction passes a published port" {
	local to

	add bridge "$CONF"
	takes c1 80
	for to in 203.0.113.1 '[2001:db8:113::1]'; do
		is "$(send server "$to" 8080)" $SIZE
	done
	new_netns c2
	add bridge "$(with "$CONF" '.runtimeConfig.portMappings[0].hostPort = 8081')" c2
	gives c2 80
	for to in 203.0.113.1 '[2001:db8:113::1]'; do
		is "$(receive server "$to" 8081)" $SIZE
	done
}

# Proves that the two tests before it can fail.
@test "mtu: with an MTU of 1500 nothing passes these routers" {
	add bridge "$(with "$CONF" '.mtu = 1500')"
	sees c1 198.51.100.2 # small packets do
	takes server 7001
	is "$(LIMIT=2 send c1 198.51.100.2 7001)" ''
}
