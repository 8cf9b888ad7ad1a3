#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Traffic between containers, through published ports, and to the world.
load lib

# Ports are published by bridge itself, and by portmap chained after it.
DUAL='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"hairpinMode":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true}}'
MAPPINGS='[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":5353,"containerPort":53,"protocol":"udp"}]'

WORLD6=2001:db8:113::2
HOST6=2001:db8:113::1

prepare() {
	world
	new_netns c1 c2
}

# up PLUGIN ID [MAPPINGS [FILTER]] - ADD of a container with ports published by PLUGIN
up() {
	local mappings=${3-$MAPPINGS} conf

	conf=$(with "$DUAL" "${4-.}")
	case $1 in
	bridge) add bridge "$(with "$conf" ".runtimeConfig.portMappings = $mappings")" "$2" ;;
	portmap)
		add bridge "$conf" "$2"
		add portmap "$(chained "$(with "$PORTMAP" ".runtimeConfig.portMappings = $mappings")")" "$2"
		;;
	esac
}

# down PLUGIN ID [MAPPINGS] - DEL
down() {
	[[ $1 != portmap ]] || del portmap "$(with "$PORTMAP" ".runtimeConfig.portMappings = ${3-$MAPPINGS}")" "$2"
	del bridge "$(with "$DUAL" ".runtimeConfig.portMappings = ${3-$MAPPINGS}")" "$2"
}

# answers NS PROTOCOL PORT ADDRESS... - asserts that each address answers
answers() {
	local ns=$1 protocol=$2 port=$3 address

	shift 3
	for address; do
		ask "$ns" "$protocol" "$address" "$port" || fail "$ns gets no answer from $address $protocol $port"
	done
}

# ---- containers ------------------------------------------------------------

@test "traffic: containers reach each other, the host and the world" {
	up bridge c1 '[]'
	up bridge c2 '[]'
	sees c1 10.1.0.3
	sees c1 fd00:1::3
	sees - 10.1.0.2
	sees - fd00:1::2
	sees c1 203.0.113.2
	sees c1 $WORLD6
}

@test "traffic: the world sees the host's address, another container the container's" {
	up bridge c1 '[]'
	up bridge c2 '[]'
	tcp_answer world 7000 outside
	tcp_answer c2 7000 inside
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	is "$(ask c1 tcp $WORLD6 7000)" 'outside from [2001:0db8:0113:0000:0000:0000:0000:0001]'
	is "$(ask c1 tcp 10.1.0.3 7000)" 'inside from 10.1.0.2'
	is "$(ask c1 tcp fd00:1::3 7000)" 'inside from [fd00:0001:0000:0000:0000:0000:0000:0002]'
}

@test "traffic: without ipMasq connections keep the container's address" {
	add bridge "$(with "$DUAL" '.ipMasq = false')"
	tcp_answer world 7000 outside
	ask_in_vain c1 tcp 203.0.113.2 7000
	in_ns world ip route add 10.1.0.0/24 via 203.0.113.1
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 10.1.0.2'
}

@test "traffic: ipMasq applies to one family, and not to exceptions" {
	tcp_answer world 7000 outside
	in_ns world ip route add 10.1.0.0/24 via 203.0.113.1
	in_ns world ip -6 route add fd00:1::/64 via $HOST6
	add bridge "$(with "$DUAL" '.ipMasq = {v4: true, v6: false}')"
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	is "$(ask c1 tcp $WORLD6 7000)" 'outside from [fd00:0001:0000:0000:0000:0000:0000:0002]'
	del bridge "$(with "$DUAL" '.ipMasq = {v4: true, v6: false}')"
	add bridge "$(with "$DUAL" '.ipMasq = {v4: true, v6: true, except: ["203.0.113.0/24"]}')" c2
	is "$(ask c2 tcp 203.0.113.2 7000)" 'outside from 10.1.0.3'
	is "$(ask c2 tcp $WORLD6 7000)" 'outside from [2001:0db8:0113:0000:0000:0000:0000:0001]'
}

@test "traffic: containers of two networks are masqueraded, also after DEL of one" {
	local other

	other=$(with "$DUAL" '.name = "net2" | .bridge = "br2"
		| .ipam.ranges = [[{subnet: "10.2.0.0/24"}], [{subnet: "fd00:2::/64"}]]')
	up bridge c1 '[]'
	add bridge "$other" c2
	sees c1 203.0.113.2
	sees c2 203.0.113.2
	sees c1 10.2.0.2
	del bridge "$other" c2
	sees c1 203.0.113.2
}

# ---- published ports -------------------------------------------------------

published_tcp() {
	up "$1" c1
	add bridge "$DUAL" c2
	tcp_answer c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	is "$(ask world tcp $HOST6 8080)" 'web from [2001:0db8:0113:0000:0000:0000:0000:0002]'
	answers - tcp 8080 203.0.113.1 10.1.0.1 127.0.0.1 127.0.0.2 $HOST6 fd00:1::1
	answers c2 tcp 8080 203.0.113.1 10.1.0.1 $HOST6 fd00:1::1
	answers c1 tcp 8080 203.0.113.1 10.1.0.1 $HOST6 fd00:1::1
	# The container's port is not published under its own number.
	ask_in_vain world tcp 203.0.113.1 80
	down "$1" c1
	ask_in_vain world tcp 203.0.113.1 8080
	ask_in_vain - tcp 127.0.0.1 8080
}
@test "traffic: a published TCP port answers the world, the host and containers until DEL (bridge)" { published_tcp bridge; }
@test "traffic: a published TCP port answers the world, the host and containers until DEL (portmap)" { published_tcp portmap; }

published_udp() {
	up "$1" c1
	add bridge "$DUAL" c2
	udp_answer c1 53 names
	is "$(ask world udp 203.0.113.1 5353)" 'names from 203.0.113.2'
	answers world udp 5353 203.0.113.1 $HOST6
	answers - udp 5353 203.0.113.1 10.1.0.1 127.0.0.1 $HOST6
	answers c2 udp 5353 203.0.113.1 $HOST6
	answers c1 udp 5353 203.0.113.1 $HOST6
	down "$1" c1
	ask_in_vain world udp 203.0.113.1 5353
}
@test "traffic: a published UDP port answers the world, the host and containers until DEL (bridge)" { published_udp bridge; }
@test "traffic: a published UDP port answers the world, the host and containers until DEL (portmap)" { published_udp portmap; }

# The kernel drops packets to ::1 from other links than lo, and with br_netfilter the answer is
# translated before the host receives it (docs/nft.md).
published_to_localhost6() {
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-ip6tables 0
	up "$1" c1
	tcp_answer c1 80 web
	udp_answer c1 53 names
	answers - tcp 8080 ::1
	answers - udp 5353 ::1
	down "$1" c1
	ask_in_vain - tcp ::1 8080
}
@test "traffic: published ports answer the host at ::1 until DEL (bridge)" { published_to_localhost6 bridge; }
@test "traffic: published ports answer the host at ::1 until DEL (portmap)" { published_to_localhost6 portmap; }

# With br_netfilter bridged packets pass the firewall, and an answer of a container to itself
# leaves through the port it came from.
hairpin() {
	has_br_netfilter || skip "this kernel has no br_netfilter"
	up "$1" c1
	add bridge "$DUAL" c2
	tcp_answer c1 80 web
	udp_answer c1 53 names
	for on in 1 0; do
		sysctl_set net/bridge/bridge-nf-call-iptables $on
		sysctl_set net/bridge/bridge-nf-call-ip6tables $on
		answers c1 tcp 8080 203.0.113.1 10.1.0.1 $HOST6
		answers c1 udp 5353 203.0.113.1
		answers c2 tcp 8080 203.0.113.1 10.1.0.1 $HOST6
		answers world tcp 8080 203.0.113.1
		sees c2 10.1.0.2
	done
}
@test "traffic: a container reaches itself through its ports, with and without br_netfilter (bridge)" { hairpin bridge; }
@test "traffic: a container reaches itself through its ports, with and without br_netfilter (portmap)" { hairpin portmap; }

@test "traffic: a container reaches itself through its ports without hairpinMode" {
	has_br_netfilter || skip "this kernel has no br_netfilter"
	up bridge c1 "$MAPPINGS" '.hairpinMode = false'
	tcp_answer c1 80 web
	sysctl_set net/bridge/bridge-nf-call-iptables 1
	answers c1 tcp 8080 203.0.113.1
}

comes_and_goes() {
	warm_up_both
	remember
	up "$1" c1
	assert_other_snapshot
	down "$1" c1
	assert_same_snapshot
}
warm_up_both() {
	new_netns w
	up bridge w
	down bridge w
	up portmap w
	down portmap w
	del_netns w
}
@test "traffic: ADD and DEL with published ports leave no difference (bridge)" { comes_and_goes bridge; }
@test "traffic: ADD and DEL with published ports leave no difference (portmap)" { comes_and_goes portmap; }

no_way_to_localhost() {
	local heard=$BATS_TEST_TMPDIR/heard

	socat -u UDP4-RECV:7777,bind=127.0.0.1 "OPEN:$heard,creat,append" 3>&- 4>&- &
	wait_for "the service" bash -c 'ss -Hnlu "sport = :7777" | grep -q .'
	up "$1" c1
	add bridge "$DUAL" c2
	# A container that routes 127.0.0.1 to the host.
	in_ns c2 ip link set lo down
	in_ns c2 ip route flush table local dev lo
	in_ns c2 bash -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet'
	in_ns c2 ip route add 127.0.0.1 via 10.1.0.1
	sees c2 10.1.0.1
	echo intruder | in_ns c2 socat -u - UDP4:127.0.0.1:7777
	# Datagrams arrive in order.
	echo host | socat -u - UDP4:127.0.0.1:7777
	wait_for "the host's own datagram" grep -q host "$heard"
	is "$(cat "$heard")" host
}
@test "traffic: containers cannot reach services at the host's 127.0.0.1 (bridge)" { no_way_to_localhost bridge; }
@test "traffic: containers cannot reach services at the host's 127.0.0.1 (portmap)" { no_way_to_localhost portmap; }

# ---- old neighbour and conntrack entries -----------------------------------

# One ping each, which is lost if it goes to the old owner.
@test "traffic: an address that moved to another container answers the first ping" {
	new_netns c3
	up bridge c1 '[]'
	up bridge c2 '[]'
	sees c1 10.1.0.3
	sees c1 fd00:1::3
	sees - 10.1.0.3
	sees - fd00:1::3
	del bridge "$DUAL" c2
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.3' cni ADD bridge "$(with "$DUAL" '.args.cni.ips = ["fd00:1::3"]')" c3
	ok
	has '[.ips[].address] == ["10.1.0.3/24", "fd00:1::3/64"]'
	sees c1 10.1.0.3
	sees c1 fd00:1::3
	sees - 10.1.0.3
	sees - fd00:1::3
}

# steady_udp - sends from the same port until an answer arrives, and prints it
steady_udp() {
	local line='' end=$((SECONDS + RIG_DEADLINE))

	while [[ ! $line ]] && ((SECONDS < end)); do
		line=$(echo question | in_ns world socat -t "$([[ ${VMTEST-} ]] && echo 5 || echo 0.3)" - \
			'UDP4:203.0.113.1:5353,bind=203.0.113.2:6000,reuseaddr' | head -n1)
	done
	echo "$line"
}

flows_follow() {
	up "$1" c1
	udp_answer c1 53 one
	is "$(steady_udp)" 'one from 203.0.113.2'
	conntrack -L -p udp --orig-port-dst 5353 2>/dev/null | grep -q 'src=10.1.0.2' || fail "there is no flow"
	down "$1" c1
	prints '' conntrack -L -p udp --orig-port-dst 5353
	up "$1" c2
	udp_answer c2 53 two
	is "$(steady_udp)" 'two from 203.0.113.2'
}
@test "traffic: a UDP client that keeps its port reaches the port's new owner (bridge)" { flows_follow bridge; }
@test "traffic: a UDP client that keeps its port reaches the port's new owner (portmap)" { flows_follow portmap; }

@test "traffic: ADD removes a UDP flow that is older than the published port" {
	udp_answer - 5353 host
	is "$(steady_udp)" 'host from 203.0.113.2'
	# Make the kernel track it: without any rule it does not.
	up bridge c2 '[{"hostPort":1,"containerPort":1,"protocol":"udp"}]'
	is "$(steady_udp)" 'host from 203.0.113.2'
	host_allows '{"replaceAcrossNetworks":true}'
	up bridge c1 "$MAPPINGS" '.onConflict = "replace"'
	udp_answer c1 53 one
	is "$(steady_udp)" 'one from 203.0.113.2'
}
