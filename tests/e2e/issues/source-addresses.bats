#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A server behind a published port does not see its clients' addresses.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
		{"hostPort":5353,"containerPort":53,"protocol":"udp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
OTHER='{"cniVersion":"1.0.0","name":"net2","type":"bridge","bridge":"br2","isDefaultGateway":true,
	"ipMasq":{"except":["10.0.0.0/8","fd00::/16"]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.2.0.0/24"}],[{"subnet":"fd00:2::/64"}]]}}'
HOST4=203.0.113.1 HOST6=2001:db8:113::1

# up FILTER - c1 publishes ports (FILTER changes its configuration), c2 is in the same network,
# c3 in another
up() {
	world
	new_netns c1 c2 c3
	add bridge "$(with "$CONF" "$1")" c1
	add bridge "$(with "$CONF" 'del(.runtimeConfig)')" c2
	add bridge "$OTHER" c3
	tcp_answer c1 80 it
	udp_answer c1 53 it
	# With br_netfilter ::1 cannot be answered (docs/nft.md).
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-ip6tables 0
}

# full ADDRESS - prints it as socat does: IPv6 in brackets, without "::"
full() {
	case $1 in
	*:*) expanded "$1" ;;
	*) echo "$1" ;;
	esac
}

expanded() {
	local text=$1 left right n out='' part
	local -a l r

	left=${text%%::*} right=${text##*::}
	IFS=: read -ra l <<<"$left"
	IFS=: read -ra r <<<"$right"
	n=$((8 - ${#l[@]} - ${#r[@]}))
	for part in "${l[@]}"; do out+=$(printf '%04x:' "0x$part"); done
	while ((n-- > 0)); do out+=0000:; done
	for part in "${r[@]}"; do out+=$(printf '%04x:' "0x$part"); done
	echo "[${out%:}]"
}

# seen NS ADDRESS CLIENT - asserts that c1 sees CLIENT if NS asks ADDRESS, with TCP and UDP
seen() {
	local client

	client=$(full "$3")
	is "$1 at $2/tcp: $(ask "$1" tcp "$2" 8080)" "$1 at $2/tcp: it from $client"
	is "$1 at $2/udp: $(ask "$1" udp "$2" 5353)" "$1 at $2/udp: it from $client"
}

@test "source addresses: a server sees its clients' addresses, or the gateway's where answers require it" {
	up .
	# The world, the host and other networks keep their addresses.
	seen world $HOST4 203.0.113.2
	seen world $HOST6 2001:db8:113::2
	seen - $HOST4 $HOST4
	seen - $HOST6 $HOST6
	seen c3 $HOST4 10.2.0.2
	seen c3 $HOST6 fd00:2::2
	# Clients whose answers would not return through the host appear as the gateway.
	seen c2 $HOST4 10.1.0.1
	seen c2 $HOST6 fd00:1::1
	seen c1 $HOST4 10.1.0.1
	seen c1 $HOST6 fd00:1::1
	seen - 127.0.0.1 10.1.0.1
	seen - ::1 fd00:1::1
	# Direct connections are not masqueraded.
	is "$(ask c2 tcp 10.1.0.2 80)" 'it from 10.1.0.3'
	is "$(ask - tcp 10.1.0.2 80)" 'it from 10.1.0.1'
}

@test "source addresses: with snat false no client is masqueraded" {
	up '.snat = false'
	seen world $HOST4 203.0.113.2
	seen world $HOST6 2001:db8:113::2
	seen - $HOST4 $HOST4
	seen c3 $HOST4 10.2.0.2
	ask_in_vain - tcp 127.0.0.1 8080
}

@test "source addresses: with masqAll all clients appear as the gateway" {
	local client

	up '.masqAll = true'
	for client in world - c1 c2 c3; do
		seen "$client" $HOST4 10.1.0.1
		seen "$client" $HOST6 fd00:1::1
	done
	seen - 127.0.0.1 10.1.0.1
	seen - ::1 fd00:1::1
}

@test "source addresses: masqAll of one attachment does not affect another" {
	up '.masqAll = true'
	del bridge "$(with "$CONF" 'del(.runtimeConfig)')" c2
	add bridge "$(with "$CONF" '.runtimeConfig.portMappings = [{hostPort: 8081, containerPort: 80}]')" c2
	tcp_answer c2 80 other
	is "$(ask world tcp $HOST4 8081)" 'other from 203.0.113.2'
	seen world $HOST4 10.1.0.1
}
