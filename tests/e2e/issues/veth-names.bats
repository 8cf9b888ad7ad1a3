#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Names of the host's ends of the veth pairs.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

# name_of CONF ID [IFNAME] - prints the name of the host's end, by ADD and DEL of a probe
name_of() {
	new_netns probe
	add bridge "$1" "$2" probe "${3-eth0}" >&2
	host_end
	del bridge "$1" "$2" probe "${3-eth0}" >&2
	del_netns probe
}

@test "veth names: the name is a hash of network, container and interface" {
	local name a b c

	name=$(name_of "$CONF" c1)
	is "$(name_of "$CONF" c1)" "$name"
	contains "$name" '^veth[0-9a-f]{11}$'
	# It can be computed from a log.
	is "$name" "veth$(printf 'net1/c1/eth0' | sha512sum | head -c 11)"
	a=$(name_of "$CONF" c2)
	b=$(name_of "$CONF" c1 eth1)
	c=$(name_of "$(with "$CONF" '.name = "net2"')" c1)
	is "$(printf '%s\n' "$name" "$a" "$b" "$c" | sort -u | wc -l)" 4
}

@test "veth names: containers whose IDs have a long common prefix get different names" {
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

# occupy NAME KIND... - creates a foreign interface
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
	# DEL after the failed ADD leaves the foreign interface alone.
	del bridge "$CONF"
	assert_same_snapshot
	del bridge "$CONF" c1 ''
	[[ $1 == veth ]] || assert_same_snapshot
	ip link del "$name" 2>/dev/null || :
	add bridge "$CONF"
	is "$(host_end)" "$name"
}

@test "veth names: ADD fails, and leaves alone a foreign bridge with the name" { collision bridge; }
@test "veth names: ADD fails, and leaves alone a foreign veth with the name" { collision veth peer name theirs; }

@test "veth names: ADD fails if the container already has an interface eth0" {
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

@test "veth names: ADD fails and names the owner if another attachment has hostIfName" {
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

@test "veth names: hostIfName of a container that died without DEL is free for the next one at once" {
	local conf n

	conf=$(with "$CONF" '.hostIfName = "web0"')
	for n in 1 2 3; do
		new_netns "c$n" "next$n"
		add bridge "$conf" "c$n"
		add_at_end "c$n" bridge "$conf" "next$n"
		link - web0 ".ifalias == \"cplug net1/next$n/eth0\""
		# It is not the dead one's.
		del bridge "$conf" "c$n" ''
		sees "next$n" 10.1.0.1
		del bridge "$conf" "next$n"
		no_link - web0
	done
}

@test "veth names: ADD fails, and leaves alone a foreign interface with hostIfName" {
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

@test "veth names: ADD fails, and names the key, if hostIfName is the bridge of this network or of another" {
	local conf

	new_netns c1 c2
	cni ADD bridge "$(with "$CONF" '.hostIfName = "br1"')"
	failed 7 'hostIfName: "br1" is also the name in bridge \(choose another\)'
	no_link - br1
	add bridge "$CONF"
	conf=$(with "$CONF" '.name = "net2" | .ipam.subnet = "10.2.0.0/24" | .hostIfName = "br1"')
	for conf in "$(with "$conf" '.bridge = "br2"')" "$(with "$conf" '.type = "ptp"')"; do
		cni ADD "$(jq -r .type <<<"$conf")" "$conf" c2
		failed 102 'br1: the name is in use, kind bridge, alias cplug net1 \(.*choose another hostIfName'
		del "$(jq -r .type <<<"$conf")" "$conf" c2
	done
	sees c1 10.1.0.1
}

@test "veth names: alias and peer index connect the container's interface with the host's end" {
	new_netns c1
	add bridge "$CONF"
	link - "$(host_end)" '.ifalias == "cplug net1/c1/eth0"'
	is "$(in_ns c1 ip -j link show dev eth0 | jq '.[0].link_index')" \
		"$(ip -j link show dev "$(host_end)" | jq '.[0].ifindex')"
}
