#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attachments whose namespace is gone, or whose path leads to another one.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,
	"dns":{"nameservers":["10.1.0.1"]},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

leases() { (cd /var/lib/cni/networks/net1 && echo 10.*); }

@test "dead namespaces: DEL with the host's own namespace frees everything but touches no link of it" {
	new_netns c1
	add bridge "$CONF"
	ip link add eth0 type veth peer name eth0p
	cni DEL bridge "$CONF" c1 "/proc/$$/ns/net"
	ok
	contains "$errors" "plugin's own namespace"
	is "$(leases)" '10.*'
	[[ ! -e /etc/netns/c1/resolv.conf ]] || fail "resolv.conf is left"
	is "$(ip -j link show master br1)" '[]'
	ip link show dev eth0 >/dev/null
	# A second DEL succeeds, too.
	cni DEL bridge "$CONF" c1 "/proc/$$/ns/net"
	ok
}

@test "dead namespaces: ADD and CHECK with the host's own namespace are refused" {
	cni ADD bridge "$CONF" c1 "/proc/$$/ns/net"
	failed 8 'should not be the same'
	contains_not "$(ip link)" br1
}

@test "dead namespaces: an attachment can be added again while its namespace is destroyed" {


	for _ in {1..12}; do
		new_netns c1
		add bridge "$CONF"
		# Without DEL: the kernel removes the veth pair some time after the namespace.
		ip netns del c1
	done
	new_netns c1
	add bridge "$CONF"
	sees c1 10.1.0.1
}

@test "dead namespaces: an attachment that lives elsewhere is not taken over" {
	new_netns c1 c2
	add bridge "$CONF"
	cni ADD bridge "$CONF" c1 c2
	failed 102 'in use by cplug net1/c1/eth0'
	sees c1 10.1.0.1
}

@test "dead namespaces: DEL by another path of the namespace removes resolv.conf" {
	local pid

	new_netns c1
	add bridge "$CONF"
	[[ -e /etc/netns/c1/resolv.conf ]]
	in_ns c1 sleep 60 3>&- &
	pid=$!
	wait_for "the process" bash -c "[[ \$(readlink /proc/$pid/ns/net) != \$(readlink /proc/self/ns/net) ]]"
	cni DEL bridge "$CONF" c1 "/proc/$pid/ns/net"
	ok
	[[ ! -e /etc/netns/c1/resolv.conf ]] || fail "resolv.conf is left"
	kill "$pid"
}

# The limits of the container's side would stay for good, because the runtime takes the DEL for done.
@test "dead namespaces: a DEL that has no file descriptor left takes no living namespace for gone" {
	local n conf

	has_kind ifb || skip "the kernel has no ifb"
	new_netns c1
	ip -n c1 link add eth0 type ifb
	conf=$(jq -nc '{cniVersion: "1.0.0", name: "net1", type: "bandwidth", ingressRate: 8000000, ingressBurst: 800000,
		egressRate: 8000000, egressBurst: 800000, prevResult: {interfaces: [{name: "eth0", sandbox: "/run/netns/c1"}]}}')
	add bandwidth "$conf"
	is "$(ip -n c1 -j link show type ifb | jq length)" 2
	for n in {4..12}; do
		status=0
		CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			bash -c 'exec 3>&- 4>&-; ulimit -n "$1"; exec "$2"' - "$n" "$CPLUG_BIN/bandwidth" <<<"$conf" >/dev/null 2>&1 || status=$?
		echo "$n descriptors: $status"
		[[ $status != 0 ]] || break
	done
	((n > 4)) || fail "4 descriptors are sufficient"
	is "$(ip -n c1 -j link show type ifb | jq length)" 1
	is "$status" 0
}
