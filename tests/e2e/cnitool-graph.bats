#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool graph: what is plugged where, as text, DOT, Mermaid, SVG and JSON
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
		"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
}

# cnitool_id NETNS - the container id that cnitool gives it
cnitool_id() {
	printf 'cnitool-%.20s' "$(printf '/run/netns/%s' "$1" | sha512sum)"
}

# drawn LINE - asserts that the tree has this line, whatever its branches
drawn() {
	sed 's/^[│├└─ ]*//; s/ *$//' <<<"$output" | grep -qxF -- "$1" || fail "no line \"$1\""
}

@test "cnitool graph: a tree of bridge, pair, addresses, lease, masquerade and ports" {
	plug c1 --id one -p 8080:80 -p 127.0.0.1:53:5353/udp -p 9000-9003:7000-7003
	plug c2 --id two
	tool graph
	ok
	drawn 'host'
	drawn 'br1 (bridge, up)  [net1]'
	drawn "$(ip -j link show type veth | jq -r '.[] | select(.ifalias == "cplug net1/one/eth0").ifname') (veth, up)  [net1/one]"
	drawn 'c1: eth0 (veth, up)'
	drawn '10.1.0.2/24 (lease of net1)'
	drawn 'masqueraded'
	drawn 'port 8080/tcp -> 80'
	drawn 'ports 9000-9003/tcp -> 7000-7003'
	drawn 'port 127.0.0.1:53/udp -> 5353'
	drawn 'c2: eth0 (veth, up)'
	contains_not "$output" ' $'
	is "$errors" ''
	# The kernel is asked, not the cache.
	rm -rf /var/lib/cni/results
	in_ns c1 ip address add 192.0.2.7/32 dev eth0
	in_ns c2 ip link set eth0 down
	nft flush map inet cplug ports4
	tool graph
	ok
	drawn '192.0.2.7/32'
	drawn 'c2: eth0 (veth, down)'
	contains_not "$output" 'port 8080'
}

@test "cnitool graph: one network, one namespace, neither" {
	net '{"cniVersion":"1.0.0","name":"net2","plugins":[{"type":"ptp","ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}]}' 20-net
	plug c1
	new_netns c2 c3
	tool add --quiet net2 c2
	ok
	tool graph net1
	ok
	drawn 'c1: eth0 (veth, up)'
	contains_not "$output" c2
	tool graph c2
	ok
	drawn 'c2: eth0 (veth, up)'
	contains_not "$output" c1
	contains_not "$output" br1
	# Nothing is plugged in.
	tool graph c3
	ok
	is "$output" c3
	tool graph nothing
	is "$status" 1
	contains "$errors" 'there is no network "nothing", and no network namespace /run/netns/nothing'
	tool graph --format png
	is "$status" 2
	contains "$errors" 'expected text, dot, mermaid or svg'
}

# parent_of NETNS - the interface that the first one of NETNS is plugged into, in JSON output
parent_of() {
	jq -r --arg ns "$1" '.interfaces as $all | [$all[] | select(.namespace == $ns)][0].pluggedInto as $i |
		$all[] | select(.id == $i).name' <<<"$output"
}

# uplink - makes the host's interface up0
uplink() {
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
}

@test "cnitool graph: macvlan" {
	has_kind macvlan || skip "this kernel has no macvlan"
	uplink
	net '{"cniVersion":"1.0.0","name":"mac","plugins":[{"type":"macvlan","master":"up0",
		"ipam":{"type":"host-local","subnet":"10.3.0.0/24"}}]}' 30-net
	new_netns c1
	tool add --quiet mac c1
	ok
	tool graph --json
	ok
	is "$(parent_of c1)" up0
	tool graph c1
	drawn 'c1: eth0 (macvlan, up)  [mac/'"$(cnitool_id c1)]"
	drawn '10.3.0.2/24 (lease of mac)'
}

@test "cnitool graph: VLAN" {
	has_kind vlan || skip "this kernel has no VLAN interfaces"
	uplink
	net '{"cniVersion":"1.0.0","name":"tag","plugins":[{"type":"vlan","master":"up0","vlanId":42,
		"ipam":{"type":"host-local","subnet":"10.4.0.0/24"}}]}' 40-net
	new_netns c1
	tool add --quiet tag c1
	ok
	tool graph --json
	ok
	is "$(parent_of c1)" up0
	tool graph c1
	drawn 'VLAN 42'
}

@test "cnitool graph: rates" {
	has_kind ifb || skip "this kernel has no ifb"
	slow_net
	new_netns c1
	tool add --quiet slow c1
	ok
	tool graph slow
	ok
	drawn 'sends at most 8 Mbit/s'
	drawn 'sends at most 2.5 Mbit/s'
	# One namespace has both of its limits, and not those of others on the bridge.
	new_netns c3
	tool add --quiet slow c3
	ok
	tool graph --json c1
	ok
	has '[.interfaces[] | select(.kind == "ifb")] | length == 1'
	has '[.interfaces[] | select(.namespace == "c3")] | length == 0'
	tool graph c1
	ok
	drawn 'sends at most 8 Mbit/s'
	drawn 'sends at most 2.5 Mbit/s'
	tool del slow c3
	ok
	# A pair without redirection leads to nothing of the one before.
	plug c2
	tool graph --json
	ok
	has '[.interfaces[] | select(.kind == "bridge") | has("pluggedInto")] == [false, false]'
	has '[.interfaces[] | select(.kind == "ifb") | has("pluggedInto")] == [true]'
}

@test "cnitool graph: VLANs of bridge ports" {
	has_vlan_filtering || skip "this kernel has no VLAN filtering"
	net '{"cniVersion":"1.0.0","name":"tag","plugins":[{"type":"bridge","bridge":"br2","vlan":100,"vlanTrunk":[{"minID":200,"maxID":209},{"id":300}],
		"ipam":{}}]}' 30-net
	new_netns c1
	tool add --quiet tag c1
	ok
	tool graph c1
	ok
	drawn 'VLANs 100 untagged, 200-209, 300'
}

@test "cnitool graph: DOT, Mermaid and SVG are valid, whatever a container calls its interfaces" {
	plug c1
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name 'a"];\<b>&`#[1m'
	in_ns c1 ip link add $'\e[31m\x9b;}' type veth peer name x
	tool graph --format dot
	ok
	[[ $output != *'a"]'* && $output != *$'\e'* ]] || fail "not escaped"
	contains "$output" 'a&#34;&#93;&#59;&#92;&#92;x5c&#60;b&#62;&#38;&#96;&#35;&#91;1m'
	if command -v dot >/dev/null; then
		tool graph --format svg
		ok
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parseString(sys.stdin.read())' <<<"$output"
		[[ $output == *'a&quot;];\x5c&lt;b&gt;&amp;`#[1m (veth, down)'* ]] || fail "another label"
	fi
	! errors=$(PATH=/nowhere "$CPLUG_BIN/cnitool" graph --format svg 2>&1) || fail "drawn without dot"
	contains "$errors" 'needs the program dot: install graphviz, or use --format dot'
	tool graph --format mermaid
	ok
	contains "$output" 'a#34;#93;#59;#92;x5c#60;b#62;#38;#96;#35;#91;1m'
	tool graph
	ok
	[[ $output != *$'\e'* && $output != *$'\x9b'* ]] || fail "not escaped"
	drawn '\x1b[31m\x9b;} (veth, down)'
}

@test "cnitool graph: bounded, without a container's help, and without root" {
	plug c1
	# shellcheck disable=SC2016 # of the inner shell
	in_ns c1 bash -c 'for i in {1..200}; do echo "address add 192.0.2.$((i % 250))/32 dev eth0"; done | ip -b -'
	tool graph c1
	ok
	(($(wc -l <<<"$output") < 60)) || fail "not bounded"
	# A named namespace that is none.
	: >/run/netns/broken
	tool graph
	ok
	drawn 'c1: eth0 (veth, up)'
}

@test "cnitool graph, inspect: no byte of a container's interface name is a terminal's control character" {
	plug c1
	in_ns c1 ip link add $'x\xc2\x9b1m' type bridge
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name $'e\x1b\xff\xc2\x9b1m'
	for words in graph 'graph --json' 'graph --format dot' 'graph --format mermaid' 'inspect net1 c1' 'inspect --json net1 c1' \
		'check --json net1 c1'; do
		# shellcheck disable=SC2086 # words
		tool $words
		! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f\x80-\x9f]' <<<"${output//[│├└─]/}" || fail "$words"
	done
	tool graph --json
	has '.interfaces | any(.name == "x\u009b1m")'
}
