#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bandwidth: limits of rates, on the host's end of a veth pair, or in the container
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check

TYPE=bandwidth
BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
LIMITS='{"cniVersion":"1.1.0","name":"net1","type":"bandwidth",
	"ingressRate":8000000,"ingressBurst":80000,"egressRate":16000000,"egressBurst":160000}'
MACVLAN='{"cniVersion":"1.1.0","name":"net1","type":"macvlan","master":"uplink",
	"ipam":{"type":"host-local","subnet":"203.0.113.0/24","rangeStart":"203.0.113.10"}}'

prepare() {
	ip link add probe type ifb 2>/dev/null || skip "this kernel has no ifb"
	tc qdisc add dev probe root tbf rate 1mbit burst 10000 latency 25ms 2>/dev/null ||
		skip "this kernel has no tbf"
	ip link del probe
	# Loading the module makes two.
	ip link del ifb0 2>/dev/null || :
	ip link del ifb1 2>/dev/null || :
}

# limits FILTER - prints LIMITS, changed by FILTER
limits() {
	with "$LIMITS" "$1"
}

# attached [ID [IFNAME]] - ADD of bridge; sets CONF to the configuration of bandwidth
attached() {
	add bridge "$BRIDGE" "${1-c1}" "${1-c1}" "${2-eth0}"
	CONF=$(chained "$LIMITS")
	VETH=$(host_end)
}

# limited [FILTER] - ADD of bridge and bandwidth; sets IFB, and CHECK to the configuration of CHECK
limited() {
	attached
	CONF=$(with "$CONF" "${1-.}")
	add bandwidth "$CONF"
	IFB=$(result '.interfaces[] | select(.name | startswith("bw")) | .name' | head -n1)
	CHECK=$(with "$CONF" ".prevResult = $(jq -c . <<<"$output")")
}

# tbf NS DEV - prints the token bucket of a link as tc does, without the number of references
tbf() {
	in_ns "$1" tc qdisc show dev "$2" root | sed 's/ refcnt [0-9]*//; s/ *$//'
}

# passed NS DEV - prints how many bytes the token bucket of a link has sent
passed() {
	in_ns "$1" tc -s qdisc show dev "$2" root | awk '$1 == "Sent" { print $2; exit }'
}

@test "bandwidth: ingress is limited at the host's end, egress at an ifb; DEL leaves nothing" {
	new_netns c1
	warm_up bridge "$BRIDGE"
	remember bare
	attached
	remember
	add bandwidth "$CONF"
	is "$(jq -c 'del(.interfaces[3])' <<<"$output")" "$(jq -c '.prevResult' <<<"$CONF")"
	has '.interfaces | length == 4'
	has '.interfaces[3] | (.name | test("^bwp[0-9a-f]{12}$")) and (has("sandbox") | not)'
	IFB=$(result '.interfaces[3].name')
	CHECK=$(chained "$LIMITS")
	link - "$IFB" ".linkinfo.info_kind == \"ifb\" and .mtu == 1500 and (.flags | any(. == \"UP\"))"
	link - "$IFB" ".address == \"$(result '.interfaces[3].mac')\" and .ifalias == \"cplug net1/c1/eth0\""
	is "$(ip -6 address show dev "$IFB")" ''
	is "$(tbf - "$VETH")" 'qdisc tbf 1: root rate 8Mbit burst 10000b lat 25ms'
	is "$(tbf - "$IFB")" 'qdisc tbf 1: root rate 16Mbit burst 20000b lat 25ms'
	contains "$(tc qdisc show dev "$VETH")" 'qdisc (fq_codel|bfifo) 2: parent 1:1 '
	contains "$(tc qdisc show dev "$IFB")" 'qdisc (fq_codel|bfifo) 2: parent 1:1 '
	is "$(tc filter show dev "$VETH" ingress | grep -c 'mirred')" 1
	contains "$(tc filter show dev "$VETH" ingress)" "Egress Redirect to device $IFB"
	sees c1 10.1.0.1
	sees c1 fd00:1::1
	sees - "$(result '.ips[0].address | split("/")[0]')"
	(($(passed - "$VETH") > 300 && $(passed - "$IFB") > 300)) || fail "traffic passes elsewhere"
	silent "after ADD"
	cni CHECK bridge "$(with "$BRIDGE" ".prevResult = $(jq -c .prevResult <<<"$CHECK")")"
	ok
	del bandwidth "$CONF"
	assert_same_snapshot
	del bandwidth "$CHECK"
	del bandwidth "$LIMITS"
	sees c1 10.1.0.1
	del bridge "$BRIDGE"
	assert_same_snapshot bare
}

# milliseconds BYTES COMMAND... - prints how long it takes to send BYTES to COMMAND, which answers at
# the end
milliseconds() {
	local began ended bytes=$1

	shift
	began=$(date +%s%N)
	contains "$(head -c "$bytes" /dev/zero | "$@")" received
	ended=$(date +%s%N)
	echo $(((ended - began) / 1000000))
}

@test "bandwidth: neither direction is faster than its rate, over IPv4 and IPv6" {
	local bytes=1000000 to took

	new_netns c1
	limited
	serve c1 5001 "head -c $bytes >/dev/null; echo received"
	serve - 5001 "head -c $bytes >/dev/null; echo received"
	for to in 10.1.0.2 '[fd00:1::2]'; do
		took=$(milliseconds "$bytes" socat -t "$RIG_DEADLINE" - "TCP:$to:5001")
		# 8 Mbit/s: one second, of which the burst saves 10 ms
		((took > 950)) || fail "ingress to $to took $took ms"
	done
	for to in 10.1.0.1 '[fd00:1::1]'; do
		took=$(milliseconds "$bytes" in_ns c1 socat -t "$RIG_DEADLINE" - "TCP:$to:5001")
		((took > 475)) || fail "egress to $to took $took ms"
	done
}

@test "bandwidth: a container that is attached twice to a network has two limits" {
	local first

	new_netns c1
	attached
	add bandwidth "$CONF"
	first=$(result '.interfaces[3].name')
	attached c1 eth1
	cni ADD bandwidth "$(with "$CONF" '.egressRate = 32000000')" c1 c1 eth1
	ok
	has ".interfaces[3].name != \"$first\""
	contains "$(tbf - "$first")" 'rate 16Mbit'
	contains "$(tbf - "$(result '.interfaces[3].name')")" 'rate 32Mbit'
	del bandwidth "$LIMITS" c1 c1 eth1
	link - "$first" true
	del bandwidth "$LIMITS"
	prints '' ip link show type ifb
}

@test "bandwidth: CHECK names every difference, and a repair puts it right in place" {
	new_netns c1
	limited
	CHECK_REPAIRS=${CHECK_REPAIRS-}
	mutate "ingress limit of $VETH" "tc qdisc del dev $VETH root" "tc qdisc add dev $VETH root handle 1: tbf rate 8mbit burst 10000 latency 25ms && requeue $VETH"
	mutate "ingress limit of $VETH.*rate 2000000 B/s" "tc qdisc change dev $VETH handle 1: root tbf rate 16mbit burst 10000 latency 25ms && requeue $VETH" "retbf $VETH 8mbit 10000"
	mutate "ingress limit of $VETH.*burst 20000 B" "tc qdisc change dev $VETH handle 1: root tbf rate 8mbit burst 20000 latency 25ms && requeue $VETH" "retbf $VETH 8mbit 10000"
	mutate "ingress limit of $VETH.*queue" "tc qdisc replace dev $VETH parent 1:1 handle 7: pfifo limit 1000" "requeue $VETH"
	mutate "egress limit of $IFB" "tc qdisc del dev $IFB root" "tc qdisc add dev $IFB root handle 1: tbf rate 16mbit burst 20000 latency 25ms && requeue $IFB 40000"
	mutate "ifb $IFB.*up.*down" "ip link set $IFB down" "ip link set $IFB up"
	mutate "MTU of ifb $IFB.*1500.*1400" "ip link set $IFB mtu 1400" "ip link set $IFB mtu 1500"
	mutate "redirection of $VETH to $IFB" "tc filter del dev $VETH ingress" "refilter"
	mutate "redirection of $VETH to $IFB" "tc qdisc del dev $VETH ingress" "tc qdisc add dev $VETH ingress && refilter"
	sees c1 10.1.0.1
	if [[ $CHECK_REPAIRS ]]; then
		ip link del "$IFB"
		named "the ifb is gone" "ifb $IFB"
		CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
		ok
		silent "after the repair"
		sees c1 10.1.0.1
	fi
}

@test "bandwidth: a repair restores all that CHECK finds" {
	CHECK_REPAIRS=1
	eval "$(sed -n '/^@test "bandwidth: CHECK names/,/^}/p' "$BATS_TEST_FILENAME" | sed '1d; $d')"
}

# requeue DEV [BYTES] - gives the token bucket of a link its queue
requeue() {
	tc qdisc replace dev "$1" parent 1:1 handle 2: fq_codel 2>/dev/null ||
		tc qdisc replace dev "$1" parent 1:1 handle 2: bfifo limit "${2-20000}"
}

# retbf DEV RATE BURST - changes the token bucket
retbf() {
	tc qdisc change dev "$1" handle 1: root tbf rate "$2" burst "$3" latency 25ms
	requeue "$1"
}

refilter() {
	tc filter add dev "$VETH" parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1 \
		action mirred egress redirect dev "$IFB"
}

@test "bandwidth: a repair adds, changes and removes limits as they are configured now" {
	local rest

	new_netns c1
	limited
	CHECK=$(with "$CHECK" '.ingressRate = 50000000 | del(.ingressBurst) | del(.egressRate, .egressBurst)')
	cni CHECK bandwidth "$CHECK"
	failed 107 "\"ifb $IFB\",\"want\":\"absent\""
	named "another configuration" "ingress limit of $VETH.*rate 6250000 B/s.*rate 1000000 B/s"
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	silent "after the repair"
	is "$(tbf - "$VETH")" 'qdisc tbf 1: root rate 50Mbit burst 6250b lat 25ms'
	prints '' ip link show type ifb
	prints '' tc filter show dev "$VETH" ingress
	sees c1 10.1.0.1
	CHECK=$(with "$CHECK" 'del(.ingressRate) | .egressRate = 1000000')
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	silent "after the repair"
	contains_not "$(tbf - "$VETH")" tbf
	contains "$(tbf - "$IFB")" 'rate 1Mbit burst 3036b'
	sees c1 10.1.0.1
	CHECK=$(with "$CHECK" 'del(.egressRate)')
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	prints '' ip link show type ifb
	sees c1 10.1.0.1
	CHECK=$(with "$CHECK" '.shapedSubnets = ["10.1.0.0/24"] | .ingressRate = 1000000')
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	silent "after the repair"
	CHECK=$(with "$CHECK" 'del(.shapedSubnets)')
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	silent "after the repair"
	prints '' ip link show type ifb
	contains "$(tbf - "$VETH")" 'rate 1Mbit'
	CHECK=$(with "$CHECK" '.shapedSubnets = ["10.1.0.0/24"]')
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	silent "after the repair"
	contains_not "$(tbf - "$VETH")" tbf
}

@test "bandwidth: without limits the result is passed on, and CHECK finds nothing missing" {
	new_netns c1
	attached
	remember
	for zero in 'del(.ingressRate, .ingressBurst, .egressRate, .egressBurst)' '.[] |= (numbers |= 0)' \
		'del(.ingressRate, .ingressBurst, .egressRate, .egressBurst) | .runtimeConfig.bandwidth = {}'; do
		add bandwidth "$(with "$CONF" "$zero")"
		is "$(jq -c . <<<"$output")" "$(jq -c .prevResult <<<"$CONF")"
		cni CHECK bandwidth "$(with "$CONF" "$zero")"
		ok
		del bandwidth "$(with "$CONF" "$zero")"
		assert_same_snapshot
	done
	# A limit that an administrator has set is not ours to report.
	tc qdisc add dev "$VETH" root handle 1: tbf rate 8mbit burst 10000 latency 25ms
	cni CHECK bandwidth "$(with "$CONF" "$zero")"
	ok
	del bandwidth "$CONF"
	contains "$(tbf - "$VETH")" 'rate 8Mbit'
	cni ADD bandwidth "$CONF"
	failed 102 "limit the rate of $VETH: it has a queueing discipline already"
	prints '' ip link show type ifb
}

@test "bandwidth: the runtime's limits count, in any case, unless the configuration has its own" {
	local bare

	bare=$(limits 'del(.ingressRate, .ingressBurst, .egressRate, .egressBurst) | .capabilities.bandwidth = true')
	new_netns c1
	attached
	# as containerd and CRI-O write them
	CONF=$(with "$CONF" "$(jq -c . <<<"$bare") + {prevResult} |
		.runtimeConfig.bandwidth = {IngressRate: 8000000, IngressBurst: 4294967295, EgressRate: 0, EgressBurst: 0}")
	add bandwidth "$CONF"
	contains "$(tc -d qdisc show dev "$VETH" root)" 'rate 8Mbit'
	prints '' ip link show type ifb
	cni CHECK bandwidth "$CONF"
	ok
	del bandwidth "$CONF"
	add bandwidth "$(with "$CONF" '.runtimeConfig.bandwidth = {egressRate: 1000000000, egressBurst: 34359738359}')"
	contains "$(tbf - "$(result '.interfaces[3].name')")" 'rate 1Gbit'
	del bandwidth "$CONF"
	add bandwidth "$(with "$CONF" '.ingressRate = 4000000 | .ingressBurst = 0')"
	contains "$(tbf - "$VETH")" 'rate 4Mbit burst 3036b'
	prints '' ip link show type ifb
}

@test "bandwidth: the default burst is what is sent in 1 ms, and at least two packets" {
	local rate burst queue

	new_netns c1
	attached
	while read -r rate burst queue; do
		add bandwidth "$(with "$CONF" "{cniVersion, name, type, prevResult, ingressRate: $rate}")"
		contains "$(tbf - "$VETH")" " burst $burst lat"
		contains "$(tc qdisc show dev "$VETH")" "(fq_codel 2: |bfifo 2: .* limit $queue$)"
		cni CHECK bandwidth "$(with "$CONF" "{cniVersion, name, type, prevResult, ingressRate: $rate}")"
		ok
		del bandwidth "$LIMITS"
	done <<-END
		10000 3036b 15180b
		1000000 3036b 15180b
		100000000 12500b 37500b
		1000000000 125000b 375000b
	END
}

# passes NS ADDRESS DEV - prints how many bytes of a ping of 1,000 bytes the token bucket of DEV sends
passes() {
	local before

	before=$(passed - "$3")
	in_ns "$1" ping -n -q -c 1 -s 1000 -W "$RIG_DEADLINE" "$2" >/dev/null
	echo $(($(passed - "$3") - before))
}

# limited_to ADDRESS, unlimited_to ADDRESS - both directions between c1 and ADDRESS
limited_to() {
	local dev

	for dev in "$in" "$out"; do
		(($(passes c1 "$1" "$dev") > 1000)) || fail "$1 is not limited by $dev"
	done
}

# Neighbour discovery has other addresses.
unlimited_to() {
	local dev

	for dev in "$in" "$out"; do
		(($(passes c1 "$1" "$dev") < 900)) || fail "$1 is limited by $dev"
	done
}

@test "bandwidth: other subnets are not limited; or only some are" {
	local in out

	world
	new_netns c1
	BRIDGE=$(with "$BRIDGE" '.ipMasq = true | .ipam.routes = [{dst: "0.0.0.0/0"}, {dst: "::/0"}]')
	limited '.unshapedSubnets = ["10.1.0.0/16", "fd00:1::/48"]'
	has '[.interfaces[3:][].name[:3]] == ["bwi", "bwp"]'
	in=$(result '.interfaces[3].name')
	out=$(result '.interfaces[4].name')
	contains_not "$(tbf - "$VETH")" tbf
	silent "after ADD"
	remember limited
	unlimited_to 10.1.0.1
	unlimited_to fd00:1::1
	limited_to 203.0.113.2
	limited_to 2001:db8:113::2
	mutate "redirection of $VETH to $out" "tc filter del dev $VETH ingress prio 1" "tc filter add dev $VETH ingress protocol ip prio 1 u32 match ip dst 10.1.0.0/16 flowid 1:cbce"
	mutate "redirection of $VETH to $in" "tc filter del dev $VETH egress prio 3" "tc filter add dev $VETH egress protocol all prio 3 u32 match u32 0 0 flowid 1:2 action mirred egress redirect dev $in"
	cni CHECK bandwidth "$(with "$CHECK" '.unshapedSubnets[1] = "fd00:2::/48"')"
	failed 107 "redirection of $VETH to $out"
	tc qdisc del dev "$VETH" clsact
	CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"
	ok
	assert_same_snapshot limited
	del bandwidth "$LIMITS"
	prints '' tc qdisc show dev "$VETH" clsact
	prints '' ip link show type ifb
	add bandwidth "$(with "$CONF" 'del(.unshapedSubnets) | .shapedSubnets = ["203.0.113.2/32"]')"
	unlimited_to 10.1.0.1
	unlimited_to 2001:db8:113::2
	limited_to 203.0.113.2
	del bandwidth "$LIMITS"
	prints '' ip link show type ifb
	del bridge "$BRIDGE"
}

@test "bandwidth: an interface without an end on the host is limited in the container" {
	has_kind macvlan || skip "this kernel has no macvlan interfaces"
	world
	new_netns c1
	add macvlan "$MACVLAN"
	CONF=$(chained "$LIMITS")
	remember
	add bandwidth "$CONF"
	has '.interfaces[1] | (.name | startswith("bwi")) and .sandbox == "/run/netns/c1"'
	IFB=$(result '.interfaces[1].name') CHECK=$(chained "$LIMITS")
	is "$(tbf c1 eth0)" 'qdisc tbf 1: root rate 16Mbit burst 20000b lat 25ms'
	is "$(tbf c1 "$IFB")" 'qdisc tbf 1: root rate 8Mbit burst 10000b lat 25ms'
	silent "after ADD"
	cni CHECK macvlan "$(with "$MACVLAN" ".prevResult = $(jq -c .prevResult <<<"$CHECK")")"
	ok
	sees c1 203.0.113.2
	(($(passed c1 eth0) > 90 && $(passed c1 "$IFB") > 90)) || fail "traffic passes elsewhere"
	mutate 'egress limit of eth0' 'in_ns c1 tc qdisc change dev eth0 handle 1: root tbf rate 1gbit burst 20000 latency 25ms' 'CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"'
	mutate "ifb $IFB" "in_ns c1 ip link del $IFB" 'CPLUG_REPAIR=1 cni CHECK bandwidth "$CHECK"'
	sees c1 203.0.113.2
	del bandwidth "$CHECK"
	assert_same_snapshot
	# with subnets
	add bandwidth "$(with "$CONF" '.shapedSubnets = ["203.0.113.2/32"]')"
	sees c1 203.0.113.2
	(($(passed c1 "$(result '.interfaces[1].name')") >= 90)) || fail "not limited"
	(($(passed c1 "$(result '.interfaces[2].name')") >= 90)) || fail "not limited"
	del bandwidth "$LIMITS"
	assert_same_snapshot
	# The interface is gone.
	add bandwidth "$CONF"
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name other
	del bandwidth "$LIMITS"
	prints '' in_ns c1 ip link show type ifb
	in_ns c1 tc qdisc del dev other root
	in_ns c1 tc qdisc del dev other ingress
	in_ns c1 ip link set other name eth0
	# The container is gone.
	add bandwidth "$CONF"
	del bandwidth "$LIMITS" c1 ''
	del macvlan "$MACVLAN" c1 ''
}

@test "bandwidth: ipvlan and vlan interfaces are limited in the container" {
	local kind tested=''

	world
	new_netns c1
	for kind in ipvlan vlan; do
		has_kind $kind || continue
		tested=yes
		MACVLAN=$(with "$MACVLAN" ".type = \"$kind\" | if .type == \"vlan\" then .vlanId = 5 else . end")
		add $kind "$MACVLAN"
		CONF=$(chained "$LIMITS")
		remember
		add bandwidth "$CONF"
		CHECK=$(chained "$LIMITS")
		is "$(tbf c1 eth0)" 'qdisc tbf 1: root rate 16Mbit burst 20000b lat 25ms'
		is "$(tbf c1 "$(result '.interfaces[1].name')")" 'qdisc tbf 1: root rate 8Mbit burst 10000b lat 25ms'
		silent "after ADD"
		[[ $kind == vlan ]] || sees c1 203.0.113.2
		del bandwidth "$LIMITS"
		assert_same_snapshot
		del $kind "$MACVLAN"
	done
	[[ $tested ]] || skip "this kernel has neither"
}

@test "bandwidth: a device of the host is limited in the container, and comes back without limits" {
	local device='{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"eth5"}'

	new_netns c1 world
	# The wire's other end is elsewhere, as a switch is.
	ip link add eth5 type veth peer name wire netns world
	in_ns world ip link set wire up
	ip link set eth5 up
	add host-device "$device"
	del host-device "$device"
	remember
	add host-device "$device"
	CONF=$(chained "$LIMITS")
	add bandwidth "$CONF"
	CHECK=$(with "$LIMITS" ".prevResult = $(jq -c . <<<"$output")")
	contains "$(tbf c1 eth0)" 'rate 16Mbit'
	silent "after ADD"
	del bandwidth "$CHECK"
	del host-device "$device"
	assert_same_snapshot
	# DEL of bandwidth never came.
	add host-device "$device"
	add bandwidth "$CONF"
	del host-device "$device"
	contains_not "$(tbf - eth5)" tbf
	del bandwidth "$CHECK"
	assert_same_snapshot
	# A pair whose other end is on the host is limited there.
	in_ns world ip link set wire netns $$
	ip link set wire up
	remember
	add host-device "$device"
	add bandwidth "$(chained "$LIMITS")"
	contains "$(tbf - wire)" 'rate 8Mbit'
	contains_not "$(tbf c1 eth0)" tbf
	del bandwidth "$LIMITS"
	contains_not "$(tbf - wire)" tbf
	del host-device "$device"
	assert_same_snapshot
}

@test "bandwidth: the pair of another plugin is found by what the host's end says" {
	new_netns c1 stranger
	ip link add hand type veth peer name eth0 netns c1
	ip link set hand up
	in_ns c1 ip link set eth0 up
	remember
	CONF=$(limits '.prevResult = {cniVersion: "1.1.0", interfaces: [{name: "eth0", sandbox: "/run/netns/c1"}]}')
	add bandwidth "$CONF"
	contains "$(tbf - hand)" 'rate 8Mbit'
	cni CHECK bandwidth "$CONF"
	ok
	del bandwidth "$LIMITS"
	assert_same_snapshot
}

# The container's eth0 is a pair within the container, or with a third namespace, whose ifindex is
# that of a stranger's link on the host; prevResult names the stranger's.
@test "bandwidth: neither the container nor prevResult makes it limit or delete a stranger's link" {
	local index

	new_netns c1 c2
	attached c2
	index=$(ip -j link show dev "$VETH" | jq '.[0].ifindex')
	ip link add bwpffffffffffff type ifb
	CONF=$(limits ".prevResult = {cniVersion: \"1.1.0\", interfaces: [{name: \"$VETH\"}, {name: \"br1\"},
		{name: \"bwpffffffffffff\"}, {name: \"eth0\", sandbox: \"/run/netns/c1\"}]}")
	in_ns c1 ip link add eth0 type veth peer name other index "$index"
	remember
	add bandwidth "$CONF"
	contains_not "$(tbf - "$VETH")" tbf
	contains "$(tbf c1 eth0)" 'rate 16Mbit'
	del bandwidth "$CONF"
	assert_same_snapshot
	in_ns c1 ip link del eth0
	in_ns c2 ip link add other index "$index" type veth peer name eth0 netns c1
	remember
	add bandwidth "$CONF"
	contains_not "$(tbf - "$VETH")" tbf
	del bandwidth "$CONF"
	assert_same_snapshot
	# a link of the derived name without the mark
	add bandwidth "$CONF"
	IFB=$(result '.interfaces[-1].name')
	del bandwidth "$CONF"
	in_ns c1 ip link del eth0
	attached
	for IFB in "${IFB/bwi/bwp}" "$IFB"; do
		ip link add "$IFB" type ifb
		remember
		[[ $IFB == bwi* ]] || {
			cni ADD bandwidth "$CONF"
			failed 102 "$IFB"
			assert_same_snapshot
		}
		del bandwidth "$CONF"
		link - "$IFB" true
	done
}

@test "bandwidth: every protocol version has its result, and CHECK, GC and STATUS where it has them" {
	local v conf

	cni VERSION bandwidth '{"cniVersion":"1.1.0"}'
	ok
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
	new_netns c1
	warm_up bridge "$BRIDGE"
	remember
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		add bridge "$(with "$BRIDGE" ".cniVersion = \"$v\"")"
		conf=$(chained "$(limits ".cniVersion = \"$v\"")")
		add bandwidth "$conf"
		has ".cniVersion == \"$v\""
		case $v in
		0.1.0 | 0.2.0) has '.ip4.ip == "10.1.0.2/24" or (.ip4.ip | startswith("10.1.0."))' ;;
		*) has '.interfaces[3].name | startswith("bwp")' ;;
		esac
		conf=$(with "$conf" ".prevResult = $(jq -c . <<<"$output")")
		case $v in
		0.[1-3].*) cni CHECK bandwidth "$conf" && failed 1 ;;
		*) cni CHECK bandwidth "$conf" && ok ;;
		esac
		cni STATUS bandwidth "$conf" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		cni GC bandwidth "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		(($(ip -j link show type ifb | jq length) == 1)) || fail "the ifb is gone"
		del bandwidth "$conf"
		del bridge "$(with "$BRIDGE" ".cniVersion = \"$v\"")"
		assert_same_snapshot
	done
}

@test "bandwidth: DEL works twice, without prevResult, namespace or link, with a wrong configuration" {
	new_netns c1
	warm_up bridge "$BRIDGE"
	remember
	limited
	del bandwidth "$(with "$CONF" '.ingressBurst = "many" | .egressRate = -1')"
	prints '' ip link show type ifb
	del bandwidth "$CHECK"
	add bandwidth "$CONF"
	del bandwidth "$LIMITS" c1 ''
	prints '' ip link show type ifb
	contains_not "$(tbf - "$VETH")" tbf
	add bandwidth "$CONF"
	del bandwidth "$LIMITS" c1 /run/netns/never
	prints '' ip link show type ifb
	add bandwidth "$CONF"
	in_ns c1 ip link del eth0
	del bandwidth "$LIMITS"
	prints '' ip link show type ifb
	del bridge "$BRIDGE"
	assert_same_snapshot
	limited
	del_netns c1
	del bandwidth "$LIMITS"
	del bridge "$BRIDGE"
	new_netns c1
	assert_same_snapshot
}

# whole_list TYPE... - ADD of a list; sets LISTED to the result, LIST to the configurations
whole_list() {
	local type

	LIST=()
	for type; do
		case $type in
		bridge) LIST+=("$(with "$BRIDGE" '.ipMasq = true')") ;;
		ptp) LIST+=("$(with "$BRIDGE" 'del(.bridge, .isGateway) | .type = "ptp"')") ;;
		bandwidth) LIST+=("$LIMITS") ;;
		portmap) LIST+=("$(limits '{cniVersion, name, runtimeConfig: {portMappings: [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]}}')") ;;
		tuning) LIST+=("$(limits '{cniVersion, name, mtu: 1400, mac: "02:00:00:00:00:42", sysctl: {"net.ipv4.conf.IFNAME.arp_filter": "1"}}')") ;;
		*) LIST+=("$(limits '{cniVersion, name}')") ;;
		esac
		LIST[-1]=$(with "${LIST[-1]}" ".type = \"$type\"")
		[[ $type == bridge || $type == ptp ]] || LIST[-1]=$(chained "${LIST[-1]}")
		add "$type" "${LIST[-1]}"
	done
	LISTED=$(jq -c . <<<"$output")
	VETH=$(host_end)
	IFB=$(result '.interfaces[] | select(.name | startswith("bwp")) | .name')
}

# del_list [FROM] - DEL of the list in reverse order with its result, as runtimes do; the first FROM
# plugins only
del_list() {
	local i

	for ((i = ${1-${#LIST[@]}} - 1; i >= 0; i--)); do
		del "$(jq -r .type <<<"${LIST[i]}")" "$(with "${LIST[i]}" ".prevResult = $LISTED")"
	done
}

@test "bandwidth: DEL of a whole list deletes pair and ifb together, and every other plugin's DEL succeeds" {
	local main

	new_netns c1
	for main in bridge ptp; do
		whole_list $main sbr tuning bandwidth portmap firewall
		del_list
		remember $main
		whole_list $main sbr tuning bandwidth portmap firewall
		del_list
		assert_same_snapshot $main
		whole_list $main portmap tuning firewall bandwidth
		cni DEL bandwidth "$(with "${LIST[4]}" ".prevResult = $LISTED")"
		ok
		no_link - "$IFB"
		no_link - "$VETH"
		no_link c1 eth0
		# Again, and with the plugins before it.
		del_list 5
		assert_same_snapshot $main
		prints '' find /var/lib/cni/networks/net1 -name '10.*'
	done
}

@test "bandwidth: DEL of a whole list sends one request to delete links, of one group" {
	can_trace || skip "no strace"
	new_netns c1
	whole_list bridge bandwidth
	CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=sendto "$CPLUG_BIN/bandwidth" <<<"$(with "$LIMITS" ".prevResult = $LISTED")"
	is "$(grep -c 'RTM_DELLINK' "$BATS_TEST_TMPDIR/trace")" 1
	contains "$(grep RTM_DELLINK "$BATS_TEST_TMPDIR/trace")" IFLA_GROUP
	contains_not "$(cat "$BATS_TEST_TMPDIR/trace")" DELQDISC
	no_link - "$VETH"
	no_link - "$IFB"
	del bridge "$(with "$BRIDGE" ".prevResult = $LISTED")"
}

# del_refused N - DEL of bandwidth, whose n-th request is refused
del_refused() {
	CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=sendto -e inject=sendto:error=ENOBUFS:when="$1" \
		"$CPLUG_BIN/bandwidth" <<<"$(with "$LIMITS" ".prevResult = $LISTED")" || :
}

@test "bandwidth: the pair stays if DEL is not of a whole list, or another plugin needs the interface" {
	local filter n

	new_netns c1
	whole_list bridge bandwidth
	# No result, one of an earlier plugin, or of another attachment.
	for filter in 'del(.prevResult)' '.prevResult.interfaces |= .[:3]' '.prevResult.interfaces[3].mac = "02:00:00:00:00:01"'; do
		del bandwidth "$(with "$LIMITS" ".prevResult = $LISTED | $filter")"
		no_link - "$IFB"
		link - "$VETH" '.ifalias == "cplug net1/c1/eth0"'
		LISTED=$(with "$LISTED" 'del(.interfaces[3])')
		add bandwidth "$(with "$LIMITS" ".prevResult = $LISTED")"
		LISTED=$(jq -c . <<<"$output")
	done
	# The reference's sbr fails if the interface is gone, and so does its vrf.
	in_ns c1 ip rule add from 10.1.0.2 table 100
	del bandwidth "$(with "$LIMITS" ".prevResult = $LISTED")"
	no_link - "$IFB"
	link - "$VETH" true
	in_ns c1 ip rule del from 10.1.0.2 table 100
	add bandwidth "$(with "$LIMITS" ".prevResult = $LISTED | del(.prevResult.interfaces[3])")"
	LISTED=$(jq -c . <<<"$output")
	# The container may have as many rules as it likes: the first one is enough.
	seq 3000 | sed 's/.*/rule add from 10.9.0.0\/16 table 100 pref &/' | in_ns c1 ip -batch -
	del bandwidth "$(with "$LIMITS" ".prevResult = $LISTED")"
	no_link - "$IFB"
	link - "$VETH" true
	seq 3000 | sed "s/.*/rule del pref &/" | in_ns c1 ip -batch -
	add bandwidth "$(with "$LIMITS" ".prevResult = $LISTED | del(.prevResult.interfaces[3])")"
	LISTED=$(jq -c . <<<"$output")
	in_ns c1 ip link add name over type bridge
	in_ns c1 ip link set eth0 master over
	del bandwidth "$(with "$LIMITS" ".prevResult = $LISTED")"
	no_link - "$IFB"
	link - "$VETH" true
	in_ns c1 ip link del over
	can_trace || return 0
	# If a request of it is refused, what is left goes one after the other.
	for ((n = 4; n < 16; n++)); do
		add bandwidth "$(with "$LIMITS" ".prevResult = $LISTED | del(.prevResult.interfaces[3])")"
		LISTED=$(jq -c . <<<"$output")
		del_refused "$n"
		del bandwidth "$LIMITS"
		no_link - "$IFB"
		ip link show dev "$VETH" >/dev/null 2>&1 || break
	done
	((n > 6 && n < 16)) || fail "$n requests"
	del bridge "$BRIDGE"
}

@test "bandwidth: GC removes the ifb of an attachment that is gone, and no other" {
	local pair

	new_netns c1 c2
	limited
	pair=$VETH
	attached c2
	cni ADD bandwidth "$CONF" c2
	ok
	cni GC bandwidth "$LIMITS" '' '' ''
	ok
	is "$(ip -j link show type ifb | jq length)" 2
	cni GC bandwidth "$(limits '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}] | .name = "net2"')" '' '' ''
	ok
	is "$(ip -j link show type ifb | jq length)" 2
	cni GC bandwidth "$(limits '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}]')" '' '' ''
	ok
	no_link - "$IFB"
	is "$(ip -j link show type ifb | jq length)" 1
	# The pair is bridge's.
	link - "$pair" true
	sees c2 10.1.0.1
}

@test "bandwidth: what does not fit is named, and nothing is changed" {
	new_netns c1
	attached
	remember
	cni ADD bandwidth "$(with "$CONF" 'del(.ingressRate)')"
	failed 7 'ingressBurst: if burst is set, rate must also be set'
	cni ADD bandwidth "$(with "$CONF" '.egressBurst = 34359738360')"
	failed 7 'egressBurst: a burst cannot be more than 4 GB'
	cni ADD bandwidth "$(with "$CONF" '.ingressRate = "fast" | .egressRate = -1 | .egressBurst = 1.5')"
	failed 7 'ingressRate: .*egressRate: .*egressBurst: '
	cni ADD bandwidth "$(with "$CONF" '.shapedSubnets = ["10.0.0.0/8"] | .unshapedSubnets = ["10.1.0.0/16"]')"
	failed 7 'unshapedSubnets: cannot be used together with shapedSubnets'
	cni ADD bandwidth "$(with "$CONF" '.shapedSubnets = ["10.0.0.0"]')"
	failed 7 'shapedSubnets\[0\]'
	cni ADD bandwidth "$(with "$CONF" '.shapedSubnets = [range(65) | "10.\(.).0.0/16"]')"
	failed 7 'shapedSubnets'
	cni ADD bandwidth "$LIMITS"
	failed 108
	cni CHECK bandwidth "$LIMITS"
	failed 108
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name eth7
	del bandwidth "$CONF"
	in_ns c1 ip link set eth7 name eth0
	in_ns c1 ip link set eth0 up
	cni ADD bandwidth "$(with "$CONF" '.ingressBurst = 8000')"
	ok
	contains "$errors" 'ingressBurst: 1000 bytes are less than the MTU'
	# A rate that the reference accepts: a byte per second is the least.
	del bandwidth "$CONF"
	cni ADD bandwidth "$(with "$CONF" '.ingressRate = 7 | del(.ingressBurst)')"
	ok
	contains "$errors" 'ingressRate: 7 bits per second are less than a byte, so the limit is 8'
	contains "$(tc -j qdisc show | jq -c '[.[] | select(.kind == "tbf") | .options.rate]')" '[[,]1[],]'
	cni ADD bandwidth "$CONF"
	failed 102
	del bandwidth "$CONF"
	new_netns c3
	cni ADD bandwidth "$(limits '.prevResult = {cniVersion: "1.1.0"}')" c3
	failed '' 'there is no interface eth0'
}

@test "bandwidth: ADD that fails or is killed at any change leaves nothing" {
	local filter

	new_netns c1
	attached
	for filter in . '.unshapedSubnets = ["10.0.0.0/8", "fd00::/8"]'; do
		CONF=$(with "$CONF" "$filter")
		AT_LEAST=5 unwinds bandwidth "$CONF" "$LIMITS"
	done
}

@test "bandwidth: STATUS: a wrong configuration is told before the first container" {
	cni STATUS bandwidth "$LIMITS" '' '' ''
	ok
	cni STATUS bandwidth "$(with "$LIMITS" '.ingressRate = "fast"')" '' '' ''
	failed 7 'ingressRate'
	cni STATUS bandwidth "$(with "$LIMITS" '.shapedSubnets = ["10.0.0.0/8"] | .unshapedSubnets = ["fd00::/8"]')" '' '' ''
	failed 7 'together with shapedSubnets'
}

@test "bandwidth: STATUS names the module that the kernel lacks" {
	local module helper

	cni STATUS bandwidth "$LIMITS" '' '' ''
	ok
	[[ ${VMTEST-} ]] || skip "removes modules of the machine: only in the virtual machine"
	[[ -w /proc/sys/kernel/modprobe ]] || skip "this kernel has all modules built in"
	helper=$(cat /proc/sys/kernel/modprobe)
	for module in sch_tbf ifb act_mirred; do
		# This loads all.
		cni STATUS bandwidth "$LIMITS" '' '' ''
		ok
		grep -q "^$module " /proc/modules || skip "$module is built in"
		rmmod "$module" || busybox rmmod "$module" || skip "$module is in use"
		echo /bin/false >/proc/sys/kernel/modprobe
		cni STATUS bandwidth "$LIMITS" '' '' ''
		echo "$helper" >/proc/sys/kernel/modprobe
		failed 50 "it has no $module "
	done
}
