#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool set: the rates of a living attachment
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

BRIDGE='{"type":"bridge","bridge":"br1","isGateway":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

prepare() {
	ip link add probe type ifb 2>/dev/null || skip "this kernel has no ifb"
	ip link del probe
	ip link del ifb0 2>/dev/null || :
	ip link del ifb1 2>/dev/null || :
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
}

# limited JSON - net1, with these keys of the bandwidth plugin
limited() {
	net "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"plugins\":[$BRIDGE,{\"type\":\"bandwidth\",$1}]}"
}

# rates - prints the rates of net1's only container as tc does: ingress, and egress if limited
rates() {
	tc -j qdisc show | jq -r '[.[] | select(.kind == "tbf")] | sort_by(.dev | startswith("veth") | not) |
		map("\(.dev[:3]) \(.options.rate * 8 / 1000000)") | join(", ")'
}

@test "cnitool set: rates change in place, are remembered, and end with DEL" {
	limited '"ingressRate":8000000,"ingressBurst":80000,"egressRate":16000000,"egressBurst":160000'
	new_netns warmup
	tool add net1 warmup
	tool del net1 warmup
	del_netns warmup
	new_netns c1
	remember
	tool add --quiet net1 c1
	ok
	is "$(rates)" 'vet 8, bwp 16'
	tool set net1 c1 --ingress 50M --egress 60M
	ok
	is "$output$errors" ''
	is "$(rates)" 'vet 50, bwp 60'
	contains "$(tc qdisc show)" 'burst 6250b'
	tool set net1 c1 --egress 2g
	ok
	is "$(rates)" 'vet 50, bwp 2000'
	tool check net1 c1
	ok
	tool set --json net1 /run/netns/c1 --ingress=1000K
	ok
	has '.network == "net1" and .ifname == "eth0" and .ingressRate == 1000000 and .egressRate == 2000000000'
	tc qdisc del dev "$(tc -j qdisc show | jq -r '.[] | select(.kind == "tbf" and (.dev | startswith("veth"))) | .dev')" root
	tool restore
	ok
	is "$(rates)" 'vet 1, bwp 2000'
	sees c1 10.1.0.1
	tool set net1 c1 --ingress 0 --egress 0
	ok
	is "$(rates)" ''
	prints '' ip link show type ifb
	tool check net1 c1
	ok
	tool set net1 c1 --egress 3M
	ok
	is "$(rates)" 'bwp 3'
	tool del net1 c1
	ok
	assert_same_snapshot
	# A new attachment has the configured rates.
	tool add --quiet net1 c1
	is "$(rates)" 'vet 8, bwp 16'
}

@test "cnitool set: limits of the runtime change, too, and those that are not named stay" {
	limited '"capabilities":{"bandwidth":true}'
	new_netns c1
	tool add --quiet net1 c1 --cap-args '{"bandwidth":{"IngressRate":8000000,"IngressBurst":4294967295,"egressRate":4000000}}'
	ok
	is "$(rates)" 'vet 8, bwp 4'
	tool set net1 c1 --egress 5M
	ok
	is "$(rates)" 'vet 8, bwp 5'
	tool check net1 c1
	ok
	json_holds '.capabilityArgs.bandwidth.IngressRate == 8000000 and .capabilityArgs["cplug.bandwidth"] ==
		{ingressRate: 8000000, ingressBurst: 4294967295, egressRate: 5000000, egressBurst: 0}' </var/lib/cni/results/net1-*
	# without limits at first
	new_netns c2
	tool add --quiet net1 c2
	tool set net1 c2 --ingress 7M
	ok
	contains "$(rates)" 'vet 7'
	tool del net1 c2
	ok
	rm "$NETCONFPATH"/*
	tool set net1 c1 --egress 6M
	ok
	is "$(rates)" 'vet 8, bwp 6'
}

@test "cnitool set: no packet is lost while the rates change" {
	local i

	limited '"ingressRate":100000000,"egressRate":100000000'
	new_netns c1
	tool add --quiet net1 c1
	in_ns c1 ping -q -i 0.005 -c 600 10.1.0.1 >"$BATS_TEST_TMPDIR/ping" 3>&- &
	for ((i = 1; i <= 20; i++)); do
		tool set net1 c1 --ingress "$((100 + i))M" --egress "$((200 + i))M"
		ok
	done
	wait $!
	contains "$(cat "$BATS_TEST_TMPDIR/ping")" '600 packets transmitted, 600 received'
	is "$(rates)" 'vet 120, bwp 220'
}

@test "cnitool set: what does not fit is told, and nothing is changed" {
	limited '"ingressRate":8000000'
	new_netns c1 c2
	tool set net1 c1 --ingress 5M
	((status == 1)) || fail "status $status"
	contains "$errors" 'c1 has no interface on network "net1": see cnitool list'
	tool add --quiet net1 c1
	remember
	for rate in '' M 5X 5MM -5 1.5M 99999999999999999999 9999999999999T; do
		tool set net1 c1 --egress "$rate"
		((status == 2)) || fail "status $status for $rate"
		contains "$errors" '--egress .*: expected bits per second, like 50M or 1G'
	done
	for rate in 1 7; do
		tool set net1 c1 --ingress $rate
		((status == 2)) || fail "status $status for $rate"
		contains "$errors" "--ingress $rate: the kernel limits bytes, so the least rate is 8 bits per second"
	done
	tool set net1 c1
	((status == 2)) || fail "status $status"
	contains "$errors" 'set: expected --ingress RATE or --egress RATE'
	assert_same_snapshot
	net "{\"cniVersion\":\"1.0.0\",\"name\":\"net2\",\"plugins\":[$BRIDGE]}" 20-net
	tool add --quiet net2 c2
	tool set net2 c2 --egress 5M
	((status == 1)) || fail "status $status"
	contains "$errors" 'network "net2" has no bandwidth plugin: add \{"type": "bandwidth"\} to the plugins in '
	# The link has another queueing discipline: nothing is remembered.
	veth=$(ip -j link show master br1 | jq -r '.[0].ifname')
	tc qdisc replace dev "$veth" root handle 5: pfifo limit 10
	tool set net1 c1 --ingress 5M
	((status == 1)) || fail "status $status"
	contains "$errors" 'it has a queueing discipline already'
	json_holds 'has("capabilityArgs") | not' </var/lib/cni/results/net1-*
	del_netns c1
	tool set net1 c1 --ingress 5M
	((status == 1)) || fail "status $status"
	is "$errors" 'cnitool: the network namespace of eth0 on network "net1" is gone: cnitool gc removes what is left'
	json_holds 'has("capabilityArgs") | not' </var/lib/cni/results/net1-*
}
