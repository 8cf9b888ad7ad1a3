#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 37: names of the host's ends
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

# name_of CONF ID [IFNAME] - what a host's end will be called: it is always the same
name_of() {
	new_netns probe
	add bridge "$1" "$2" probe "${3-eth0}" >&2
	host_end
	del bridge "$1" "$2" probe "${3-eth0}" >&2
	del_netns probe
}

@test "pain 37: a name is computed from network, container and interface" {
	local name a b c

	name=$(name_of "$CONF" c1)
	is "$(name_of "$CONF" c1)" "$name"
	contains "$name" '^veth[0-9a-f]{11}$'
	# Whoever reads a log can compute it, too.
	is "$name" "veth$(printf 'net1/c1/eth0' | sha512sum | head -c 11)"
	a=$(name_of "$CONF" c2)
	b=$(name_of "$CONF" c1 eth1)
	c=$(name_of "$(with "$CONF" '.name = "net2"')" c1)
	is "$(printf '%s\n' "$name" "$a" "$b" "$c" | sort -u | wc -l)" 4
}

@test "pain 37: containers whose ids begin alike have names of their own" {
	local long n

	long=$(printf 'a%.0s' {1..64})
	new_netns n1 n2 n3
	for n in 1 2 3; do add bridge "$CONF" "$long$n" n$n; done
	is "$(ip -j link show master br1 | jq length)" 3
	for n in 1 2 3; do
		is "$(ip -j link show master br1 | jq -r ".[] | select(.ifalias == \"cplug net1/$long$n/eth0\") | .ifname" | wc -l)" 1
		sees n$n 10.1.0.1
	done
	del bridge "$CONF" "${long}2" n2
	sees n1 10.1.0.1
	sees n3 10.1.0.1
}

# occupy NAME KIND... - somebody else's interface
occupy() {
	local name=$1

	shift
	ip link add "$name" type "$@"
	ip address add 192.0.2.1/24 dev "$name"
	ip link set "$name" up
}

collision() {
	local name

	warm_up bridge "$CONF"
	name=$(name_of "$CONF" c1)
	new_netns c1
	occupy "$name" "$@"
	remember
	cni ADD bridge "$CONF"
	failed 102 "host: add interface $name: the name is in use, kind ${1} \(remove that interface"
	assert_same_snapshot
	# A runtime's DEL after the failed ADD: what is not ours stays.
	del bridge "$CONF"
	assert_same_snapshot
	del bridge "$CONF" c1 ''
	[[ $1 == veth ]] || assert_same_snapshot
	ip link del "$name" 2>/dev/null || :
	add bridge "$CONF"
	is "$(host_end)" "$name"
}

@test "pain 37: the name belongs to somebody's bridge: told, and left alone" { collision bridge; }
@test "pain 37: the name belongs to somebody's veth: told, and left alone" { collision veth peer name theirs; }

@test "pain 37: an interface in the container's way is told apart from one in the host's" {
	warm_up bridge "$CONF"
	new_netns c1
	in_ns c1 ip link add eth0 type bridge
	remember
	cni ADD bridge "$CONF"
	failed 101 'container: add interface eth0: it exists already, kind bridge'
	assert_same_snapshot
	del bridge "$CONF"
	assert_same_snapshot
}

@test "pain 37: hostIfName that another attachment has is told with its owner" {
	local conf

	conf=$(with "$CONF" '.hostIfName = "web0"')
	new_netns c1 c2
	add bridge "$conf" c1
	remember
	cni ADD bridge "$conf" c2
	failed 102 'host: add interface web0: the name is in use by cplug net1/c1/eth0 \(DEL'
	del bridge "$conf" c2
	sees c1 10.1.0.1
	link - web0 '.ifalias == "cplug net1/c1/eth0" and .master == "br1"'
	del bridge "$conf" c1
	no_link - web0
}

@test "pain 37: hostIfName that is somebody's own is told, and left alone" {
	local conf

	conf=$(with "$CONF" '.hostIfName = "web0"')
	warm_up bridge "$CONF"
	new_netns c1
	occupy web0 bridge
	remember
	cni ADD bridge "$conf"
	failed 102 'web0: the name is in use, kind bridge .*choose another hostIfName'
	del bridge "$conf"
	del bridge "$conf" c1 ''
	assert_same_snapshot
}

@test "pain 37: the way from a container's interface to its host's end is one look" {
	new_netns c1
	add bridge "$CONF"
	link - "$(host_end)" '.ifalias == "cplug net1/c1/eth0"'
	is "$(in_ns c1 ip -j link show dev eth0 | jq '.[0].link_index')" \
		"$(ip -j link show dev "$(host_end)" | jq '.[0].ifindex')"
}
