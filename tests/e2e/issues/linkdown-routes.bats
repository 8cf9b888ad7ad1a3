#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# ignore_routes_with_linkdown, a default of FRR and Cumulus: the kernel passes over routes of
# links without carrier, and a new bridge has none.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local",
	"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

setup() {
	sysctl_set net/ipv4/conf/all/ignore_routes_with_linkdown 1
	sysctl_set net/ipv6/conf/all/ignore_routes_with_linkdown 1
}

@test "linkdown routes: the first container starts, with and without a default route" {
	new_netns c1 c2
	add bridge "$CONF"
	sees c1 10.1.0.1
	sees c1 fd00:1::1
	del bridge "$CONF"
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip address add 192.0.2.2/24 dev up0
	ip -6 address add 2001:db8::2/64 dev up0 nodad
	ip route add default via 192.0.2.1
	ip -6 route add default via 2001:db8::1
	add bridge "$CONF"
	add bridge "$CONF" c2
	sees c1 10.1.0.1
	sees c1 "$(jq -r '.ips[0].address | split("/")[0]' <<<"$output")"
}

@test "linkdown routes: a route that hides the container is still an error" {
	new_netns c1
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip route add 10.1.0.0/28 dev up0
	cni ADD bridge "$CONF"
	failed 102 '10\.1\.0\.2 is reached through up0'
}

# traced OPTION... - an ADD of eth0 under strace
traced() {
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 \
		CNI_PATH=$CPLUG_BIN strace -qq "$@" "$CPLUG_BIN/bridge" <<<"$CONF"
}

@test "linkdown routes: the carrier may come between two questions of an ADD" {
	local trace=$BATS_TEST_TMPDIR/trace answer pid

	can_trace || skip "strace may not trace here"
	! grep -q __asan_init "$CPLUG_BIN/cplug" || skip "LeakSanitizer does not work under strace"
	new_netns c1
	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	ip route add default dev up0
	add bridge "$CONF"
	del bridge "$CONF"
	ip link add port0 type veth peer name port1
	ip link set port0 up master br1
	# The first answer after the question for the route to the container comes late, and
	# another port brings the carrier meanwhile.
	traced -e trace=sendto,recvfrom -o "$trace"
	del bridge "$CONF"
	answer=$(awk '/^recvfrom/ { n++ } /RTM_GETROUTE.*rtm_dst_len=32,/ { print n + 1; exit }' "$trace")
	[[ $answer ]]
	wait_for "the end of the carrier" eval 'ip link show dev br1 | grep -q NO-CARRIER'
	traced -e trace=recvfrom -e "inject=recvfrom:delay_exit=4000000:when=$answer" -o "$trace" &
	pid=$!
	wait_for 'the port' ip link show dev vethc0a05ff7b82
	sleep 0.5
	ip link set port1 up
	wait "$pid"
	grep -q DELAYED "$trace"
}
