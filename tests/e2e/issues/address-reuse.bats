#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Peers keep the old MAC address after an IP address moves to another container.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
ADDRESSES='"10.1.0.7","fd00:1::7"'

# The peers: a container, the host, and a machine whose link is a port of the bridge.
prepare() {
	new_netns c1 peer lan
	add bridge "$CONF" peer
	ip link add lan0 type veth peer name eth0 netns lan
	ip link set lan0 master br1 up
	in_ns lan ip address add 10.1.0.99/24 dev eth0
	in_ns lan ip address add fd00:1::99/64 dev eth0 nodad
	in_ns lan ip link set eth0 up
	wait_for "the wire" in_ns lan ping -c 1 -W 1 10.1.0.1
}

# moves_to ID - ADD of a container with the two addresses; sets mac to its MAC address
moves_to() {
	add bridge "$(with "$CONF" ".args.cni.ips = [$ADDRESSES]")" "$1"
	has '[.ips[].address] == ["10.1.0.7/24", "fd00:1::7/64"]'
	mac=$(result '.interfaces[] | select(.sandbox != null) | .mac')
}

# known NS ADDRESS - prints MAC and state of the neighbour entry
known() {
	local dev=eth0

	[[ $1 != - ]] || dev=br1
	in_ns "$1" ip -j neigh show to "$2" dev "$dev" | jq -r '.[0] | "\(.lladdr) \(.state[0])"'
}

# peers_see_it - each peer sends one ping, which is lost if it goes to the old owner
peers_see_it() {
	local ns ip

	for ns in peer - lan; do
		for ip in 10.1.0.7 fd00:1::7; do
			sees "$ns" "$ip" || fail "$ns does not see $ip: $(known "$ns" "$ip")"
			contains "$(known "$ns" "$ip")" "^$mac (REACHABLE|DELAY|STALE)"
		done
	done
}

@test "address reuse: the first packet of every peer reaches the new owner of an address" {
	local id

	moves_to c1
	peers_see_it
	for id in c2 c3 c4; do
		new_netns "$id"
		del bridge "$CONF" "$([[ $id == c2 ]] && echo c1 || echo "c$((${id#c} - 1))")"
		moves_to "$id"
		peers_see_it
	done
}

@test "address reuse: ADD updates the peers' neighbour entries before they send a packet" {
	local old ns ip

	moves_to c1
	peers_see_it
	old=$mac
	del bridge "$CONF" c1
	new_netns c2
	moves_to c2
	[[ $mac != "$old" ]]
	# The peers send nothing meanwhile.
	for ns in peer - lan; do
		for ip in 10.1.0.7 fd00:1::7; do
			wait_for "an update of $ip at $ns" grep -q "$mac" <(known "$ns" "$ip") ||
				fail "$ns: $ip is at $(known "$ns" "$ip"), not $mac"
		done
	done
}

@test "address reuse: a bridge with STP, whose ports start forwarding after two seconds" {
	moves_to c1
	peers_see_it
	del bridge "$CONF" c1
	# The listening and learning states last a second each.
	ip link set br1 type bridge stp_state 1 forward_delay 200 hello_time 100 max_age 600
	wait_for "the wire" bash -c 'bridge -j link show dev lan0 | grep -q forwarding'
	new_netns c2
	moves_to c2
	peers_see_it
}
