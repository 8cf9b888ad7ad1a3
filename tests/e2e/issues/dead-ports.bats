#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Host ports of a container that died without DEL stay occupied, or win over a new container.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]},
	"runtimeConfig":{"portMappings":[
		{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
		{"hostPort":5353,"containerPort":53,"protocol":"udp"}]}}'

# dies ID - deletes the namespace, and with it the veth pair, without DEL
dies() {
	local link

	link=$(host_end)
	ip netns del "$1"
	wait_for "deletion of $link" bash -c "! ip link show dev $link"
}

# answers_as NAME - asserts that container NAME answers on the host's ports: to the world, over
# both families, and to the host
answers_as() {
	tcp_answer "$1" 80 "$1"
	udp_answer "$1" 53 "$1"
	contains "$(ask world tcp 203.0.113.1 8080)" "^$1 from"
	contains "$(ask world udp 203.0.113.1 5353)" "^$1 from"
	contains "$(ask world tcp 2001:db8:113::1 8080)" "^$1 from"
	contains "$(ask - tcp 127.0.0.1 8080)" "^$1 from"
}

@test "dead ports: the next container gets the ports of one that died without DEL" {
	world
	new_netns one
	add bridge "$CONF" one
	dies one
	new_netns two
	add bridge "$CONF" two
	answers_as two
	# A late DEL of the dead container removes nothing.
	del bridge "$CONF" one ''
	contains "$(ask world tcp 203.0.113.1 8080)" '^two from'
}

@test "dead ports: the next container gets the ports after SIGKILL at every step of ADD" {
	local n

	world
	for ((n = 1; n < 100; n++)); do
		ip netns add "dead$n"
		CNI_TEST_CRASH_AT=$n cni ADD bridge "$CONF" "dead$n"
		ip netns del "dead$n"
		wait_for "deletion of the veth pair" bash -c '! ip -br link show type veth | grep -q "^veth"'
		((status)) || break
	done
	((n > 4 && n < 100)) || fail "$n crash points"
	new_netns two
	add bridge "$CONF" two
	answers_as two
}

@test "dead ports: the next container gets the ports, with the portmap plugin" {
	local chain link

	chain='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},"snat":true}'
	world
	new_netns one
	add bridge "$(with "$CONF" 'del(.runtimeConfig)')" one
	link=$(host_end)
	add portmap "$(chained "$(with "$chain" ".runtimeConfig = $(jq -c .runtimeConfig <<<"$CONF")")")" one
	ip netns del one
	wait_for "deletion of $link" bash -c "! ip link show dev $link"
	new_netns two
	add bridge "$(with "$CONF" 'del(.runtimeConfig)')" two
	add portmap "$(chained "$(with "$chain" ".runtimeConfig = $(jq -c .runtimeConfig <<<"$CONF")")")" two
	answers_as two
}
