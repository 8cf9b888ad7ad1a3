#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool assign, unassign: addresses of a living attachment
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

BRIDGE='"type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true'
LOCAL='"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24","rangeEnd":"10.1.0.99"}],[{"subnet":"fd00:1::/64"}]]}'
STATIC='"ipam":{"type":"static","addresses":[{"address":"10.2.0.5/24","gateway":"10.2.0.1"}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"plugins\":[{$BRIDGE,$LOCAL},{\"type\":\"firewall\",\"backend\":\"nftables\"},
		{\"type\":\"sbr\"}]}"
	net "{\"cniVersion\":\"0.4.0\",\"name\":\"net2\",\"plugins\":[{\"type\":\"ptp\",$STATIC}]}" 20-net
}

# leased NET - prints the addresses that have a lease
leased() {
	find "/var/lib/cni/networks/$1" -name '[0-9f]*' -printf '%f\n' | sort
}

# cached NET - prints the addresses of the cached result
cached() {
	jq -r '.result.ips[].address' /var/lib/cni/results/"$1"-*
}

# refuses STATUS TEXT ARGUMENT... - the command fails with this sentence, and nothing is changed
refuses() {
	local want=$1 text=$2

	shift 2
	remember
	cached net1 >"$BATS_TEST_TMPDIR/cached"
	tool "$@"
	is "$status" "$want"
	contains "$errors" "$text"
	is "$(wc -l <<<"$errors")" 1
	assert_same_snapshot
	is "$(cached net1)" "$(<"$BATS_TEST_TMPDIR/cached")"
}

@test "cnitool assign: addresses of host-local come and go while the container lives" {
	world
	plug warmup
	tool del net1 warmup
	ok
	del_netns warmup
	new_netns c1
	remember
	tool add --quiet net1 c1
	ok
	tool assign net1 c1 10.1.0.50
	ok
	is "$output$errors" ''
	is "$(addresses c1 eth0)" '10.1.0.3/24 10.1.0.50/24 fd00:1::3/64'
	is "$(leased net1)" $'10.1.0.3\n10.1.0.50\nfd00:1::3'
	is "$(cat /var/lib/cni/networks/net1/10.1.0.50)" "$(cat /var/lib/cni/networks/net1/10.1.0.3)"
	sees - 10.1.0.50
	tcp_answer world 7 hello
	is "$(in_ns c1 socat -t 3 - TCP:203.0.113.2:7,bind=10.1.0.50 <<<question)" 'hello from 203.0.113.1'
	tool assign --json net1 c1 10.1.0.51/24 fd00:1::99 10.1.0.50
	ok
	has '.network == "net1" and .ips == ["10.1.0.3/24", "fd00:1::3/64", "10.1.0.50/24", "10.1.0.51/24", "fd00:1::99/64"]'
	tool check net1 c1
	ok
	# Another container does not get a leased address, and a restore knows them.
	new_netns c2
	tool assign net1 c1 10.1.0.4
	ok
	tool add --quiet net1 c2
	ok
	is "$(addresses c2 eth0 | cut -d' ' -f1)" 10.1.0.5/24
	tool assign net1 c2 10.1.0.50
	is "$status" 1
	contains "$errors" '10.1.0.50 is leased to'
	is "$(addresses c2 eth0 | cut -d' ' -f1)" 10.1.0.5/24
	is "$(jq -r '.result.ips | length' /var/lib/cni/results/net1-*-eth0 | sort)" $'2\n6'
	tool del net1 c2
	ok
	del_netns c2
	nft flush ruleset
	in_ns c1 ip address del 10.1.0.51/24 dev eth0
	tool restore
	ok
	is "$(addresses c1 eth0)" '10.1.0.3/24 10.1.0.4/24 10.1.0.50/24 10.1.0.51/24 fd00:1::3/64 fd00:1::99/64'
	tool unassign net1 c1 10.1.0.50 fd00:1::99
	ok
	is "$output$errors" ''
	is "$(addresses c1 eth0)" '10.1.0.3/24 10.1.0.4/24 10.1.0.51/24 fd00:1::3/64'
	is "$(leased net1)" $'10.1.0.3\n10.1.0.4\n10.1.0.51\nfd00:1::3'
	run ! grep -q '10\.1\.0\.50' <(nft list ruleset)
	grep -q '10\.1\.0\.51' <(nft list ruleset)
	tool check net1 c1
	ok
	tool gc
	ok
	is "$(leased net1)" $'10.1.0.3\n10.1.0.4\n10.1.0.51\nfd00:1::3'
	tool del net1 c1
	ok
	assert_same_snapshot
}

@test "cnitool assign: a connection of the container goes on" {
	plug c1
	in_ns c1 socat TCP-LISTEN:5000,reuseaddr EXEC:cat </dev/null >/dev/null 2>&1 3>&- &
	wait_for "the echo" in_ns c1 sh -c 'ss -Hnlt sport = :5000 | grep -q .'
	coproc socat - TCP:10.1.0.2:5000
	echo one >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	is "$line" one
	tool assign net1 c1 10.1.0.50
	ok
	echo two >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	is "$line" two
	tool unassign net1 c1 10.1.0.50
	ok
	echo three >&"${COPROC[1]}"
	read -r line <&"${COPROC[0]}"
	is "$line" three
	kill "$COPROC_PID"
}

@test "cnitool assign: static needs a prefix length where no address tells it, and an older version works" {
	new_netns c1
	tool add --quiet net2 c1
	ok
	tool assign net2 c1 10.2.0.6
	ok
	tool assign net2 c1 198.51.100.7
	is "$status" 2
	contains "$errors" 'assign 198.51.100.7: name its prefix length, like /24'
	# The host's end of ptp has the gateway's address.
	tool assign net2 c1 198.51.100.7/32
	is "$status" 1
	contains "$errors" '198.51.100.7/32 has no gateway'
	is "$(addresses c1 eth0)" '10.2.0.5/24 10.2.0.6/24'
	is "$(jq -c '.result.ips[1]' /var/lib/cni/results/net2-*)" \
		"$(jq -c '.result.ips[0] | .address = "10.2.0.6/24"' /var/lib/cni/results/net2-*)"
	sees - 10.2.0.6
	tool check net2 c1
	ok
	tool unassign net2 c1 10.2.0.6
	ok
	is "$(addresses c1 eth0)" 10.2.0.5/24
	tool del net2 c1
	ok
}

@test "cnitool assign: the first IPv6 address of a ptp container is reached, also from another container" {
	local host ptp='"cniVersion":"1.0.0","name":"net3","plugins":[{"type":"ptp","ipam":{"type":"host-local","ranges":'

	new_netns c1 c2
	net "{${ptp}[[{\"subnet\":\"10.3.0.0/24\"}]]}}]}" 30-net
	tool add --quiet net3 c1
	ok
	host=$(ip -j link show type veth | jq -r '.[0].ifname')
	is "$(ip -6 address show dev "$host")" ''
	net "{${ptp}[[{\"subnet\":\"10.3.0.0/24\"}],[{\"subnet\":\"fd00:3::/64\"}]]}}]}" 30-net
	tool assign net3 c1 fd00:3::50
	ok
	contains "$(ip -6 address show dev "$host")" 'inet6 fe80::'
	tool add --quiet net3 c2
	ok
	ip -6 neigh flush all
	sees c2 fd00:3::50
	sees - fd00:3::50
	tool check net3 c1
	ok
}

@test "cnitool assign: what cannot be is one sentence, and changes nothing" {
	plug c1
	refuses 2 'assign 10.1.0.100: it lies in no range of the network' assign net1 c1 10.1.0.100
	refuses 2 'assign 10.1.0.1: ' assign net1 c1 10.1.0.1
	refuses 2 "assign 10.1.0.255: it is the subnet's broadcast address" assign net1 c1 10.1.0.255
	tool add --quiet net2 c1 -i eth1
	ok
	refuses 2 "assign 10.2.0.255: it is the subnet's broadcast address" assign net2 c1 10.2.0.255 -i eth1
	refuses 2 "assign 10.2.0.0/24: it is the subnet's network address" assign net2 c1 10.2.0.0/24 -i eth1
	tool del net2 c1 -i eth1
	ok
	refuses 2 'assign 10.1.0.9/16: its subnet is 10.1.0.0/24' assign net1 c1 10.1.0.9/16
	refuses 2 'expected an address' assign net1 c1 10.1.0.9 here
	refuses 2 'no interface can have this address' assign net1 c1 224.0.0.5
	refuses 2 'unassign 10.1.0.77: the interface has no such address' unassign net1 c1 10.1.0.77
	tool assign net1 c1 10.1.0.60
	ok
	refuses 2 'it is the first of its subnet, and 10.1.0.60 would go with it' unassign net1 c1 10.1.0.2
	net '{"cniVersion":"1.0.0","name":"net3","plugins":[{"type":"bridge","bridge":"br3"}]}' 30-net
	tool add --quiet net3 c1 -i eth1
	ok
	refuses 1 'network "net3" has no IPAM' assign net3 c1 10.3.0.4/24 -i eth1
	new_netns c2
	tool add --quiet net2 c2
	ok
	refuses 2 'it is the only address' unassign net2 c2 10.2.0.5
	# Of a namespace that is gone, it is one sentence with the way out.
	end_netns c1
	for verb in assign unassign; do
		refuses 1 'the network namespace of eth0 on network "net1" is gone: cnitool gc removes what is left' \
			"$verb" net1 c1 10.1.0.60
	done
}

# sweep VERB BEFORE AFTER ADDRESS... - kills the command after each change; BEFORE and AFTER: what is cached
sweep() {
	local n steps=1 has did

	for ((n = 1; n <= steps; n++)); do
		plug c1
		[[ $1 == assign ]] || tool assign net1 c1 "${@:4}"
		killed "$n" "$1" net1 c1 "${@:4}"
		has=$(cached net1 | paste -sd' ' | sed 's/10\.1\.0\.[0-9]*\/24 fd00:1::[0-9a-f]*\/64 *//')
		if ((status == 137)); then
			steps=$((n + 1))
		else
			is "$status" 0
			is "$has" "$3"
		fi
		did=yes
		[[ $has != "$2" ]] || did=''
		settle "$n" "$did" "$1" net1 c1 "${@:4}"
		tool del net1 c1
		ok
		del_netns c1
		assert_same_snapshot
	done
	((n > 3)) || fail "only $n steps: $(cat "$BATS_TEST_TMPDIR/steps")"
}

@test "cnitool unassign: while the interface has another name it changes nothing, and a second call finishes it" {
	new_netns c1
	tool add net1 c1
	tool assign net1 c1 10.1.0.77
	ok
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name mine
	in_ns c1 ip link set mine up
	refuses 1 'no interface eth0, but .* renamed' unassign net1 c1 10.1.0.77
	contains "$(addresses c1 mine)" 10.1.0.77
	contains "$(leased net1)" 10.1.0.77
	# The address may be gone already, by another call that failed.
	in_ns c1 ip address del 10.1.0.77/24 dev mine
	refuses 1 'no interface eth0, but .* renamed' unassign net1 c1 10.1.0.77
	in_ns c1 ip link set mine down
	in_ns c1 ip link set mine name eth0
	in_ns c1 ip link set eth0 up
	tool unassign net1 c1 10.1.0.77
	ok
	contains_not "$(leased net1) $(cached net1) $(addresses c1 eth0)" 10.1.0.77
	tool check --repair net1 c1
	ok
	# DEL frees it, too.
	tool assign net1 c1 10.1.0.77
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name mine
	tool del net1 c1
	ok
	is "$(leased net1)" ''
}

@test "cnitool assign: killed at any change, it loses nothing and leaves nothing" {
	can_kill
	plug warmup
	tool del net1 warmup
	del_netns warmup
	remember
	sweep assign '' '10.1.0.50/24' 10.1.0.50
	sweep unassign '10.1.0.50/24' '' 10.1.0.50
}

@test "cnitool assign: after a failure the address stays in another namespace that is at the path by then" {
	local lock=/var/lib/cni/networks/net1/lock holder job

	prepare
	new_netns c1 c2
	tool add --quiet net1 c1
	ok
	in_ns c2 ip link add eth0 type veth peer name eth0-peer
	in_ns c2 ip address add 10.1.0.50/24 dev eth0
	# The repair fails behind host-local, because the host has the address.
	ip address add 10.1.0.50/32 dev lo
	flock --no-fork "$lock" sleep 300 </dev/null >/dev/null 2>&1 3>&- 4>&- &
	holder=$!
	wait_for "the holder" grep -q "FLOCK .* $holder " /proc/locks
	"$CPLUG_BIN/cnitool" assign net1 c1 10.1.0.50 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
	job=$!
	wait_for 'a call that waits for the lock' grep -q -- '-> FLOCK' /proc/locks
	umount /run/netns/c1
	mount --bind /run/netns/c2 /run/netns/c1
	kill "$holder"
	status=0
	wait "$job" || status=$?
	is "$(addresses c2 eth0)" 10.1.0.50/24
	((status)) || fail "it succeeded"
	contains "$(<"$BATS_TEST_TMPDIR/out")" '10\.1\.0\.50 is reached through lo'
	contains "$(<"$BATS_TEST_TMPDIR/out")" 'c1 leads to another network namespace than that of eth0'
	contains_not "$(<"$BATS_TEST_TMPDIR/out")" sbr
	prints '' in_ns c2 ip rule show table 100
}
