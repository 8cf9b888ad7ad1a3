#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports do not answer at localhost and ::1.
load ../lib
# shellcheck source=tests/tools/frame.bash
source "$RIG_TOOLS/frame.bash"

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTS='[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8080,"containerPort":80,"protocol":"udp"}]'
HOST6=2001:db8:113::1

# up PLUGIN [MAPPINGS] - c1 publishes MAPPINGS by PLUGIN (bridge or portmap)
up() {
	local ports=".capabilities.portMappings = true | .runtimeConfig.portMappings = ${2-$PORTS}"

	world
	new_netns c1 c2
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-ip6tables "${BR_NETFILTER:-0}"
	case $1 in
	bridge) add bridge "$(with "$CONF" "$ports")" ;;
	portmap)
		add bridge "$CONF"
		add portmap "$(chained "$(with "$CONF" "{cniVersion, name, type: \"portmap\"} | $ports")")"
		;;
	esac
	tcp_answer c1 80 web
	udp_answer c1 80 web
}

five_addresses() {
	local address protocol

	up "$1"
	for protocol in tcp udp; do
		for address in 127.0.0.1 127.0.0.2 203.0.113.1 $HOST6 ::1; do
			contains "$(ask - "$protocol" "$address" 8080)" '^web from' ||
				fail "the host gets no answer from $address $protocol"
		done
	done
	# A client bound to an address.
	contains "$(echo q | socat -t 2 - TCP4:127.0.0.1:8080,bind=127.0.0.9)" '^web from 10\.1\.0\.1$'
}
@test "localhost: a published port answers at five addresses of the host (bridge)" { five_addresses bridge; }
@test "localhost: a published port answers at five addresses of the host (portmap)" { five_addresses portmap; }


with_br_netfilter() {
	has_br_netfilter || skip "the kernel has no br_netfilter"
	BR_NETFILTER=1 five_addresses "$1"
	is "$(sysctl_get net/bridge/bridge-nf-call-ip6tables)" 1
}
@test "localhost: it also does where bridged packets pass the firewall (bridge)" { with_br_netfilter bridge; }
@test "localhost: it also does where bridged packets pass the firewall (portmap)" { with_br_netfilter portmap; }

strangers() {
	local ns dev to

	up bridge
	add bridge "$CONF" c2
	: >"$BATS_TEST_TMPDIR/heard"
	socat -u UDP4-RECV:7777,bind=127.0.0.1 "OPEN:$BATS_TEST_TMPDIR/heard,append" 3>&- 4>&- &
	wait_for "the service" bash -c 'ss -Hnlu "sport = :7777" | grep -q .'
	in_ns c1 nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }
		add rule inet t c udp sport 9999 counter'
	for ns in world c2; do
		to=$(mac_of - br1)
		[[ $ns != world ]] || to=$(mac_of - uplink)
		dev=eth0
		for port in 7777 8080; do
			send_frame $ns $dev "$(frame_udp "$(mac_of $ns $dev)" "$to" 203.0.113.2 127.0.0.1 $port stranger)"
			send_frame $ns $dev "$(frame_udp "$(mac_of $ns $dev)" "$to" 10.1.0.3 127.0.0.2 $port stranger)"
			send_frame $ns $dev "$(frame_udp "$(mac_of $ns $dev)" "$to" 127.0.0.1 127.0.0.1 $port stranger)"
			send_frame $ns $dev "$(frame_udp "$(mac_of $ns $dev)" "$to" fd00:1::3 ::1 $port stranger)"
		done
	done
	echo host | socat -u - UDP4:127.0.0.1:7777
	wait_for "the host's own datagram" grep -q host "$BATS_TEST_TMPDIR/heard"
	is "$(cat "$BATS_TEST_TMPDIR/heard")" host
	contains "$(in_ns c1 nft list chain inet t c)" 'packets 0 '
}

@test "localhost: other hosts and containers cannot reach 127.0.0.0/8 or ::1, published or not" { strangers; }

@test "localhost: nor can they where bridged packets pass the firewall" {
	has_br_netfilter || skip "the kernel has no br_netfilter"
	BR_NETFILTER=1 strangers
}

@test "localhost: only the host can reach a port published at 127.0.0.1 or ::1" {
	up bridge '[{"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":"127.0.0.1"},
		{"hostPort":8081,"containerPort":80,"protocol":"tcp","hostIP":"::1"}]'
	is "$(ask - tcp 127.0.0.1 8080)" 'web from 10.1.0.1'
	contains "$(ask - tcp ::1 8081)" '^web from'
	ask_in_vain - tcp 127.0.0.2 8080
	ask_in_vain - tcp 203.0.113.1 8080
	ask_in_vain world tcp 203.0.113.1 8080
	ask_in_vain world tcp $HOST6 8081
}
