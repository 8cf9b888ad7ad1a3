#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool inspect: everything about one attachment
# shellcheck disable=SC2016 # programs of jq and bash
load lib
load cnitool

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
		"capabilities":{"portMappings":true},"dns":{"nameservers":["192.0.2.53"]},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
}

# part FILTER - prints a part of the last answer
part() {
	jq -c "$1" <<<"$output"
}

# both_ends_agree - asks for c1; has no packet of IPv6 passed while the counters of the two ends were read?
both_ends_agree() {
	tool inspect net1 c1 --id one --json
	json_holds '.interfaces as [$in, $out] | $in.txPackets == $out.rxPackets' <<<"$output"
}

@test "cnitool inspect: interface, host's end, bridge, addresses, routes, lease, ports, flows" {
	plug c1 --id one -p 8080:80
	plug c2 --id two
	in_ns c1 ping -c 3 -i 0.1 -W "$RIG_DEADLINE" 10.1.0.1
	wait_for "a moment without packets" both_ends_agree
	ok
	has '.network == "net1" and .containerID == "one" and .ifname == "eth0" and .netns == "/run/netns/c1" and .alive'
	has '.plugins == ["bridge"] and (.configuration | endswith("/10-net.conflist")) and .ageSeconds >= 0 and .ageSeconds < 300'
	is "$(part '[.interfaces[] | [.namespace, .kind]]')" '[["c1","veth"],["host","veth"],["host","bridge"]]'
	has '.interfaces as [$in, $out, $br] | $in.name == "eth0" and $in.pluggedInto == $out.id and $out.pluggedInto == $br.id and $br.name == "br1"'
	has '.interfaces as [$in, $out] | $in.txPackets >= 3 and $in.txBytes > 200'
	has '.interfaces[0].facts == ["10.1.0.2/24 (lease of net1)", "masqueraded", "port 8080/tcp -> 80"]'
	has '.routes | index("0.0.0.0/0 via 10.1.0.1") and index("10.1.0.0/24")'
	has '.leases | length == 1 and (.[0] | test("^10.1.0.2 in /var/lib/cni/networks/net1 for [0-9]+ s$"))'
	has '.nftables | index("inet cplug masq4: 1") and index("inet cplug ports4: 1")'
	has '.result.ips[0].address == "10.1.0.2/24" and .resolvConf.nameservers == ["192.0.2.53"]'
	has '.flows >= 0'
	# The same for people.
	tool inspect net1 c1 --id one
	ok
	contains "$output" '^containerID: one$'
	contains "$output" '^    name: eth0$'
	contains "$output" '^      - port 8080/tcp -> 80$'
	is "$errors" ''
}

@test "cnitool inspect: flows of the container's address are counted" {
	plug c1 --id one
	plug c2 --id two
	serve c1 7000 'read -r q; echo hi'
	tool inspect net1 c1 --id one --json
	has '.flows == 0'
	is "$(ask - tcp 10.1.0.2 7000)" hi
	tool inspect net1 c1 --id one --json
	has '.flows == 1'
	tool inspect net1 c2 --id two --json
	has '.flows == 0'
}

@test "cnitool inspect: rates of both directions" {
	has_kind ifb || skip "this kernel has no ifb"
	slow_net
	new_netns c1
	tool add --quiet slow c1
	tool inspect slow c1 --json
	ok
	has '[.interfaces[] | select(.kind == "veth" and .namespace == "host").facts[]] == ["sends at most 8 Mbit/s"]'
	has '[.interfaces[] | select(.kind == "ifb").facts[]] == ["sends at most 2.5 Mbit/s"]'
}

@test "cnitool inspect: after the namespace is gone; a reused path; nothing attached" {
	plug c1 --id one
	del_netns c1
	tool inspect net1 c1 --id one --json
	ok
	has '.alive == false and (.leases | length == 1) and .result.ips[0].address == "10.1.0.2/24"'
	new_netns c1
	in_ns c1 ip link set lo up
	tool inspect net1 c1 --id one --json
	ok
	has '.alive == false and .routes == []'
	tool inspect net1 c2
	is "$status" 1
	contains "$errors" 'has no interface on network "net1"'
}

@test "cnitool inspect: what a container chooses is escaped and bounded" {
	plug c1 --id one
	in_ns c1 bash -c 'for i in {1..600}; do echo "route add 198.51.$((i / 250)).$((i % 250))/32 dev eth0"; done | ip -b -'
	in_ns c1 ip link set dev eth0 alias $'cplug net1/\e[31m/x'
	printf '#cplug net1/one/eth0\nnameserver \e[31m\n' >/etc/netns/c1/resolv.conf
	tool inspect net1 c1 --id one
	ok
	[[ $output != *$'\e'* ]] || fail "not escaped"
	contains "$output" '^    - \\x1b\[31m$'
	(($(grep -c ' 198.51.' <<<"$output") <= 256)) || fail "not bounded"
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name other
	tool inspect net1 c1 --id one --json
	ok
	has '.alive and .routes == [] and (.interfaces | map(.name) | index("br1"))'
}
