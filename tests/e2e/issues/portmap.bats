#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports capture the wrong packets, and DEL deletes the wrong rules.
load ../lib
# shellcheck source=tests/tools/frame.bash
source "$RIG_TOOLS/frame.bash"

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
OTHER='{"cniVersion":"1.0.0","name":"net2","type":"bridge","bridge":"br2","isGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.2.0.0/24"}],[{"subnet":"fd00:2::/64"}]]}}'
HOST6=2001:db8:113::1

prepare() {
	world
	new_netns c1 c2
}

# publish PLUGIN CONF ID IFNAME MAPPINGS [FILTER] - ADD; PLUGIN, which publishes, is bridge, or
# portmap chained after it; FILTER (jq) changes its configuration
publish() {
	local caps ports=".capabilities.portMappings = true | .runtimeConfig.portMappings = $5 | ${6-.}"

	case $1 in
	bridge) add bridge "$(with "$2" "$ports")" "$3" "$3" "$4" ;;
	portmap)
		add bridge "$2" "$3" "$3" "$4"
		caps=$(with "$2" '{cniVersion, name, type: "portmap"}')
		add portmap "$(chained "$(with "$caps" "$ports")")" "$3" "$3" "$4"
		;;
	esac
}

# unpublish PLUGIN CONF ID IFNAME - DEL without runtimeConfig and prevResult, as runtimes call it
unpublish() {
	[[ $1 == bridge ]] || del portmap "$(with "$2" '{cniVersion, name, type: "portmap"}')" "$3" "$3" "$4"
	del bridge "$2" "$3" "$3" "$4"
}

port() {
	printf '[{"hostPort":%d,"containerPort":80,"protocol":"tcp"%s}]' "$1" "${2+,\"hostIP\":\"$2\"}"
}

two_networks() {
	publish "$1" "$CONF" c1 eth0 "$(port 8080)"
	publish "$1" "$OTHER" c1 eth1 "$(port 8081)"
	tcp_answer c1 80 web
	in_ns c1 ip route replace default via 10.1.0.1
	in_ns c1 ip -6 route replace default via fd00:1::1
	unpublish "$1" "$OTHER" c1 eth1
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	contains "$(ask world tcp $HOST6 8080)" '^web from'
	ask_in_vain world tcp 203.0.113.1 8081
}
@test "portmap: DEL of one network leaves the ports of the container's other network (bridge)" { two_networks bridge; }
@test "portmap: DEL of one network leaves the ports of the container's other network (portmap)" { two_networks portmap; }

two_interfaces() {
	publish "$1" "$CONF" c1 eth0 "$(port 8080)"
	publish "$1" "$CONF" c1 eth1 "$(port 8081)"
	unpublish "$1" "$CONF" c1 eth0
	tcp_answer c1 80 web
	tcp_answer world 7000 outside
	in_ns c1 ip route replace default via 10.1.0.1 dev eth1
	is "$(ask world tcp 203.0.113.1 8081)" 'web from 203.0.113.2'
	ask_in_vain world tcp 203.0.113.1 8080
	# It is still masqueraded.
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
}
@test "portmap: DEL of one interface leaves the ports of the other one in the same network (bridge)" { two_interfaces bridge; }
@test "portmap: DEL of one interface leaves the ports of the other one in the same network (portmap)" { two_interfaces portmap; }

@test "portmap: conditionsV4 and conditionsV6 of one network do not affect another" {
	publish portmap "$CONF" c1 eth0 "$(port 8080)"
	publish portmap "$OTHER" c2 eth0 "$(port 8081)" '.conditionsV4 = ["ip", "saddr", "198.51.100.0/24"]
		| .conditionsV6 = ["ip6", "saddr", "2001:db8:51::/64"]'
	tcp_answer c1 80 one
	tcp_answer c2 80 two
	in_ns c2 ip route add default via 10.2.0.1
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	contains "$(ask world tcp $HOST6 8080)" '^one from'
	ask_in_vain world tcp 203.0.113.1 8081
	unpublish portmap "$OTHER" c2 eth0
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
}

specific() {
	ip address add 203.0.113.5/24 dev uplink
	publish "$1" "$CONF" c1 eth0 "$(port 8080)"
	publish "$1" "$CONF" c2 eth0 "$(port 8080 203.0.113.5)"
	tcp_answer c1 80 any
	tcp_answer c2 80 specific
	is "$(ask world tcp 203.0.113.1 8080)" 'any from 203.0.113.2'
	is "$(ask world tcp 203.0.113.5 8080)" 'specific from 203.0.113.2'
	contains "$(ask world tcp $HOST6 8080)" '^any from'
	unpublish "$1" "$CONF" c2 eth0
	is "$(ask world tcp 203.0.113.5 8080)" 'any from 203.0.113.2'
}
@test "portmap: a port with hostIP wins over an earlier one without (bridge)" { specific bridge; }
@test "portmap: a port with hostIP wins over an earlier one without (portmap)" { specific portmap; }

localnet() {
	publish "$1" "$CONF" c1 eth0 "$(port 8080)"
	publish "$1" "$CONF" c2 eth0 "$(port 8081)"
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	is "$(sysctl_get net/ipv4/conf/all/route_localnet)" 0
	is "$(sysctl_get net/ipv4/conf/uplink/route_localnet)" 0
	unpublish "$1" "$CONF" c1 eth0
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	tcp_answer c2 80 web
	ask - tcp 127.0.0.1 8081
	unpublish "$1" "$CONF" c2 eth0
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
}
@test "portmap: route_localnet is on only while a port is published (bridge)" { localnet bridge; }
@test "portmap: route_localnet is on only while a port is published (portmap)" { localnet portmap; }

# CVE-2020-8558
from_outside() {
	local heard=$BATS_TEST_TMPDIR/heard to

	: >"$heard"
	socat -u UDP4-RECV:7777,bind=127.0.0.1 "OPEN:$heard,append" 3>&- 4>&- &
	wait_for "the service" bash -c 'ss -Hnlu "sport = :7777" | grep -q .'
	publish "$1" "$CONF" c1 eth0 "$(port 8080)"
	publish "$1" "$CONF" c2 eth0 '[]'
	for to in 127.0.0.1 127.1.2.3; do
		send_frame world eth0 "$(frame_udp "$(mac_of world eth0)" "$(mac_of - uplink)" 203.0.113.2 $to 7777 world)"
		send_frame c2 eth0 "$(frame_udp "$(mac_of c2 eth0)" "$(mac_of - br1)" 10.1.0.3 $to 7777 neighbour)"
	done
	# Datagrams arrive in order.
	echo host | socat -u - UDP4:127.0.0.1:7777
	wait_for "the host's own datagram" grep -q host "$heard"
	is "$(cat "$heard")" host
}
@test "portmap: the host drops packets to 127.0.0.0/8 from outside and from containers (bridge)" { from_outside bridge; }
@test "portmap: the host drops packets to 127.0.0.0/8 from outside and from containers (portmap)" { from_outside portmap; }
