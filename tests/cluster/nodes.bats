#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: nodes as namespaces on a wire, three members of etcd, BIRD on each node.  NODES_N nodes (5)
# shellcheck disable=SC2030,SC2031,SC2016 # each test is a process; scripts in single quotes

load cluster

N=${NODES_N:-5}
CONF='{"cniVersion": "1.1.0", "name": "net1", "type": "bridge", "bridge": "cni0", "isDefaultGateway": true,
	"ipam": {"type": "cluster", "ranges": [{"subnet": "10.40.0.0/20", "block": 28}]}}'

prepare() {
	local i

	need_cluster bird birdc
	ip link add wire type bridge
	ip link set wire up
	start_members
	for ((i = 1; i <= N; i++)); do
		wire "n$i" "$(address_of_node "n$i")"
		ENDPOINTS='["http://192.168.200.1:2379", "http://192.168.200.2:2379", "http://192.168.200.3:2379"]' new_node "n$i"
		start_bird "n$i" "$N"
	done
}

# plug NODE ID COMMAND - the plugin bridge on a node, for the container NODE-ID
plug() {
	CNI_COMMAND=${3-ADD} CNI_CONTAINERID=$2 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/$1-$2 CNI_PATH=$CPLUG_BIN \
		on "$1" "$CPLUG_BIN/bridge" <<<"${4-$CONF}"
}

# start NODE ID - a container; prints its address
start() {
	new_netns "$1-$2"
	plug "$1" "$2" | jq -r '.ips[0].address | split("/")[0]'
}

# has_route NODE BLOCK - BIRD has put the route of another node's block into the kernel
has_route() {
	in_ns "$1" ip -j route show "$2" proto bird | jq -e 'any(.[]; .type != "unreachable")' >/dev/null
}

# address_in BLOCK N - prints the N-th address of a block
address_in() {
	local first=${1%/*}

	echo "${first%.*}.$((${first##*.} + $2))"
}

all_addresses() {
	find "$NODES"/*/cni/networks/net1 -name '10.40.*' -printf '%f\n' | sort
}

@test "nodes: containers of all nodes reach each other; strays end at the block's node" {
	local -A address=()
	local i k block

	for ((i = 1; i <= N; i++)); do
		for k in a b; do
			address[n$i-$k]=$(start "n$i" $k)
			[[ ${address[n$i-$k]} ]]
		done
		block=$(blocks "n$i")
		in_ns "n$i" ip -j route show "$block" proto 76 | json_holds '.[0] | .type == "unreachable" and .metric == 1048576'
	done
	[[ $(all_addresses | uniq -d | wc -l) == 0 && $(all_addresses | wc -l) == $((2 * N)) ]]
	for ((i = 1; i <= N; i++)); do
		for ((k = 1; k <= N; k++)); do
			((i == k)) || wait_for "the route from n$i to the block of n$k" has_route "n$i" "$(blocks "n$k")"
		done
	done
	for ((i = 1; i <= N; i++)); do
		k=$((i % N + 1))
		sees "n$i-a" "${address[n$k-b]}"
		sees "n$i-a" "${address[n$i-b]}"
	done
	# The last address of the block of n2 has no container: unreachable, not a loop.
	block=$(blocks n2)
	run ! in_ns n1 ping -n -c 1 -W 2 "$(address_in "$block" 13)"
	# The blocks go, and so do the routes.
	for ((i = 1; i <= N; i++)); do
		for k in a b; do plug "n$i" $k DEL >/dev/null; done
		plug "n$i" '' GC "$(with "$CONF" '.["cni.dev/valid-attachments"] = []')"
		[[ ! $(in_ns "n$i" ip route show proto 76) ]]
	done
	for ((i = 2; i <= N; i++)); do
		wait_for "the end of BIRD's routes on n$i" bash -c '! nsenter --net="/run/netns/$1" ip route show proto bird | grep -q 10.40' - "n$i"
	done
	run ! grep -q /blocks/ <<<"$(etcd_keys)"
}

@test "nodes: a member of etcd, the leader, and all are killed: no address twice" {
	local i k leader given

	for ((i = 1; i <= N; i++)); do [[ $(start "n$i" a) ]]; done
	leader=$(etcdctl --endpoints "$ETCD_ENDPOINTS" endpoint status -w json |
		jq -r '.[] | select(.Status.leader == .Status.header.member_id) | .Endpoint')
	leader=e${leader#192.168.200.}
	leader=${leader%:*}
	stop_member "$leader"
	# 14 addresses a block, of which 13 are for containers: each node needs a second block now.
	for ((i = 1; i <= N; i++)); do
		for ((k = 1; k <= 14; k++)); do
			CNI_NETNS_OVERRIDE=1 wait_for "an address without the leader" in_block "n$i" "x$k"
		done
		[[ $(wc -w <<<"$(blocks "n$i")") == 2 ]]
	done
	for i in 1 2 3; do [[ e$i == "$leader" ]] || stop_member "e$i"; done
	for ((i = 1; i <= N; i++)); do in_block "n$i" y; done
	given=$(all_addresses)
	[[ $(uniq -d <<<"$given" | wc -l) == 0 && $(wc -l <<<"$given") == $((16 * N)) ]]
}

@test "nodes: route reflectors: the routes lead to the nodes, and not through the reflector" {
	local i block address

	for ((i = 1; i <= N; i++)); do
		wait_for "BIRD of n$i" test -s "$NODES/n$i/bird.pid"
		kill -9 "$(<"$NODES/n$i/bird.pid")"
		rm "$NODES/n$i/bird.pid"
		start_bird "n$i" "$N" n1 n2
	done
	for i in 3 4; do
		wait_for "sessions of n$i" bash -c '(($(birdc -s "$1" show protocols | grep -c "BGP.*Established") == 2))' - "$NODES/n$i/bird.ctl"
	done
	address=$(start n3 a)
	[[ $(start n4 a) ]]
	block=$(blocks n3)
	for ((i = 1; i <= N; i++)); do
		((i == 3)) || wait_for "the route from n$i to n3" has_route "n$i" "$block"
		((i == 3)) || in_ns "n$i" ip -j route show "$block" proto bird |
			json_holds 'map(select(.type != "unreachable")) | length == 1 and .[0].gateway == "192.168.1.3"'
	done
	wait_for "the route back" has_route n3 "$(blocks n4)"
	sees n4-a "$address"
	# One reflector is enough.
	kill -9 "$(<"$NODES/n1/bird.pid")"
	in_block n5 a
	wait_for "the route to n5" has_route n4 "$(blocks n5)"
}

@test "nodes: a bridge has a gateway for each block; with a block its gateway goes, and the next owner is reached" {
	local first second k block a b
	local -a list

	a=$(start n1 a)
	first=$(blocks n1)
	for ((k = 1; k <= 12; k++)); do in_block n1 "x$k"; done
	b=$(start n1 b)
	# shellcheck disable=SC2207 # words
	list=($(blocks n1))
	[[ ${#list[@]} == 2 && $a && $b ]]
	for block in "${list[@]}"; do
		[[ $block == "$first" ]] || second=$block
		[[ " $(addresses n1 cni0) " == *" $(address_in "$block" 1)/28 "* ]]
	done
	sees n1-a "$b"
	[[ $(start n2 a) ]]
	wait_for "the route to the second block" has_route n2 "$second"
	wait_for "the route back" has_route n1 "$(blocks n2)"
	sees n2-a "$a"
	sees n2-a "$b"
	plug n1 b DEL
	plug n1 '' GC "$(with "$CONF" '.["cni.dev/valid-attachments"] = [{containerID: "a", ifname: "eth0"}]')"
	[[ $(blocks n1) == "$first" && $(addresses n1 cni0) == "$(address_in "$first" 1)/28" ]]
	# The other node takes it.
	new_netns n2-c
	plug n2 c ADD "$(with "$CONF" ".runtimeConfig.ips = [\"$(address_in "$second" 5)\"]")"
	wait_for "the route to the block's next owner" has_route n1 "$second"
	sees n1-a "$(address_in "$second" 5)"
}

# in_block NODE ID - leases an address without a container
in_block() {
	ipam "$1" ADD "$CONF" "$2" >/dev/null
}

@test "nodes: a partition: the node goes on inside its block, and claims when the wire is back" {
	local i

	[[ $(start n1 a) && $(start n2 a) ]]
	in_ns n1 nft -f - <<-'END'
		table inet cut {
			chain in { type filter hook input priority 0; iifname "eth0" drop; }
			chain out { type filter hook output priority 0; oifname "eth0" drop; }
		}
	END
	for ((i = 1; i <= 12; i++)); do in_block n1 "x$i"; done
	called n1 ADD "$CONF" x13
	failed 11 'etcd does not answer: .*192.168.200.1:2379: no answer within 1 s'
	in_block n2 y
	in_ns n1 nft delete table inet cut
	in_block n1 x13
	[[ $(wc -w <<<"$(blocks n1)") == 2 && $(all_addresses | uniq -d | wc -l) == 0 ]]
}

@test "nodes: a node is killed and reclaimed; with its old state it leases nothing twice" {
	local i block

	for ((i = 1; i <= N; i++)); do [[ $(start "n$i" a) ]]; done
	block=$(blocks n1)
	wait_for "the route to n1" has_route n2 "$block"
	kill -9 "$(<"$NODES/n1/bird.pid")"
	ip link set w-n1 down
	# BIRD of n2 keeps the route for a while: n1 may run.
	output=$(on n2 "$CPLUG_BIN/cnitool" cluster reclaim n1) && fail "a node is reclaimed that has routes"
	has '.code == 102 and (.msg | test("n1 seems to run.*--force: its 1 block then go"))'
	[[ $(etcd_keys | grep -c /nodes/n1/) == 2 ]]
	output=$(on n2 "$CPLUG_BIN/cnitool" cluster reclaim --force n1)
	has '.reclaimed | length == 1'
	called n2 ADD "$(with "$CONF" ".runtimeConfig.ips = [\"$(address_in "$block" 2)\"]")" other
	ok
	ip link set w-n1 up
	reboots n1
	wait_for "an address of another block" in_block n1 b
	[[ " $(blocks n1) " != *" $block "* ]]
	[[ ! $(in_ns n1 ip route show "$block" proto 76) ]]
}
