# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# leg.bash - what every plugin that gives one interface must do:  load leg
#
# TYPE is the plugin, CONF a dual-stack configuration whose master is uplink (see world() in
# tests/tools/rig.bash), L2 one without ipam, PEER an address that its containers reach, PEER6 one of
# IPv6 (or empty); with PEER6, both are gateways.
# shellcheck disable=SC2015,SC2153,SC2154 # ok and failed end the test; TYPE, CONF, L2, PEER, PEER6: the test's; status: of cni

# conf FILTER - prints CONF, changed by FILTER
conf() {
	with "$CONF" "$1"
}

# Every protocol version has its result, and CHECK, STATUS and GC where it has them.
leg_versions() {
	local v conf

	cni VERSION "$TYPE" '{"cniVersion":"1.1.0"}'
	ok
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
	new_netns c1
	add "$TYPE" "$CONF"
	del "$TYPE" "$CONF"
	remember
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		conf=$(conf ".cniVersion = \"$v\"")
		add "$TYPE" "$conf"
		has ".cniVersion == \"$v\""
		case $v in
		0.1.0 | 0.2.0)
			has '.ip4.ip and .ip6.ip and (has("ips") | not)'
			[[ ! ${PEER6-} ]] || has ".ip4.gateway == \"$PEER\" and .ip6.gateway == \"$PEER6\""
			;;
		0.*) has '.interfaces[0].name == "eth0" and (.ips | map(.version) == ["4", "6"]) and all(.ips[]; .interface == 0)' ;;
		*) has '.interfaces[0].name == "eth0" and all(.ips[]; .interface == 0 and (has("version") | not))' ;;
		esac
		conf=$(chained "$conf")
		case $v in
		0.[1-3].*) cni CHECK "$TYPE" "$conf" && failed 1 ;;
		*) cni CHECK "$TYPE" "$conf" && ok ;;
		esac
		cni STATUS "$TYPE" "$conf" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		cni GC "$TYPE" "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
		[[ $v == 1.1.0 ]] && ok || failed 1
		prints '' tentative_addresses c1
		[[ ! ${PEER6-} ]] || sees c1 "$PEER6"
		del "$TYPE" "$conf"
		assert_same_snapshot
	done
}

# A DEL that cannot delete the interface keeps its addresses leased.
leg_del_refused() {
	local n kept=0

	can_trace || skip "no strace"
	new_netns c1
	add "$TYPE" "$CONF"
	del "$TYPE" "$CONF"
	remember
	for n in {1..9}; do
		add "$TYPE" "$CONF"
		refused_del "$n" "$TYPE" "$(chained "$CONF")"
		[[ ! $left ]] || kept=$((kept + 1))
		del "$TYPE" "$CONF"
		assert_same_snapshot
	done
	((kept && kept < 9)) || fail "left $kept times"
}

tentative_addresses() {
	in_ns "$1" ip -6 -j address show dev eth0 tentative | jq -r '[.[].addr_info[]?.local] | join(" ")'
}

# DEL works twice, without prevResult, without a namespace, with a missing one and a wrong
# configuration; $1: a filter that makes the configuration wrong.
leg_del() {
	local conf

	new_netns c1
	remember
	add "$TYPE" "$CONF"
	conf=$(chained "$CONF")
	del "$TYPE" "$conf"
	assert_same_snapshot
	del "$TYPE" "$conf"
	add "$TYPE" "$CONF"
	del "$TYPE" "$CONF"
	assert_same_snapshot
	add "$TYPE" "$CONF"
	del "$TYPE" "$(conf "$1")"
	assert_same_snapshot
	add "$TYPE" "$CONF"
	del "$TYPE" "$CONF" c1 /run/netns/never
	prints '' find /var/lib/cni/networks/net1 -name '[0-9]*'
	in_ns c1 ip link del eth0
	add "$TYPE" "$CONF"
	del "$TYPE" "$(chained "$CONF")" c1 ''
	prints '' find /var/lib/cni/networks/net1 -name '[0-9]*'
	in_ns c1 ip link del eth0
	assert_same_snapshot
	del_netns c1
	remember
	new_netns c1
	add "$TYPE" "$CONF"
	conf=$(chained "$CONF")
	del_netns c1
	del "$TYPE" "$conf"
	del "$TYPE" "$CONF"
	assert_same_snapshot
}

# The lease goes also if the parent is gone, and GC frees it.
leg_del_without_parent() {
	new_netns c1
	add "$TYPE" "$CONF"
	ip link del uplink
	no_link c1 eth0
	del "$TYPE" "$CONF"
	prints '' find /var/lib/cni/networks/net1 -name '[0-9]*'
}

# ADD fails at each change and leaves no difference; a kill at each is removed by DEL.
leg_accidents() {
	new_netns c1 c2
	add "$TYPE" "$CONF" c2
	del "$TYPE" "$CONF" c2
	unwinds "$TYPE" "$CONF"
	cni ADD "$TYPE" "$(conf '.ipam.routes = [{dst: "192.0.2.0/24", gw: "10.99.0.77"}]')"
	failed '' '192\.0\.2\.0.*(unreachable|invalid gateway)'
	cni ADD "$TYPE" "$(conf '.ipam.type = "nothing-of-the-kind"')"
	failed '' 'nothing-of-the-kind'
	assert_same_snapshot
}

# A foreign interface of that name makes ADD fail, and DEL leaves it.
leg_name_taken() {
	new_netns c1
	in_ns c1 ip link add eth0 type veth peer name other
	remember
	cni ADD "$TYPE" "$CONF"
	failed 101 'eth0.*exists already'
	assert_same_snapshot
	del "$TYPE" "$CONF"
	assert_same_snapshot
}

# So does an interface of another attachment, which GC leaves as well.
leg_name_of_another() {
	new_netns c1
	warm_up "$TYPE" "$CONF"
	add "$TYPE" "$(conf '.name = "other"')"
	remember
	cni ADD "$TYPE" "$CONF"
	failed 101 'eth0'
	del "$TYPE" "$CONF"
	assert_same_snapshot
	cni GC "$TYPE" "$(conf '."cni.dev/valid-attachments" = [{containerID: "c9", ifname: "eth0"}]')" '' '' ''
	ok
	assert_same_snapshot
	del "$TYPE" "$(conf '.name = "other"')"
	no_link c1 eth0
}

# The parent is found, up, and large enough, or named.
leg_parent() {
	new_netns c1
	add "$TYPE" "$(conf 'del(.master)')"
	sees c1 "$PEER"
	del "$TYPE" "$(conf 'del(.master)')"
	ip link set uplink down
	remember
	cni ADD "$TYPE" "$CONF"
	failed '' 'master uplink is down'
	cni STATUS "$TYPE" "$CONF" '' '' ''
	failed 50 'master uplink is down'
	cni ADD "$TYPE" "$(conf '.master = "nosuch"')"
	failed 7 'no interface nosuch'
	cni STATUS "$TYPE" "$(conf '.master = "nosuch"')" '' '' ''
	failed 50 'no interface nosuch'
	cni ADD "$TYPE" "$(conf '.mtu = 1501')"
	failed 7 'invalid MTU 1501, must be \[0, master MTU\(1500\)\].*uplink'
	assert_same_snapshot
	ip link set uplink up
	cni STATUS "$TYPE" "$CONF" '' '' ''
	ok
	is "$output" ''
}

# CHECK reports a parent that is not found under its name as a difference.
leg_parent_renamed() {
	local check

	new_netns c1
	add "$TYPE" "$CONF"
	check=$(chained "$CONF")
	ip link set uplink down
	ip link set uplink name downlink up
	cni CHECK "$TYPE" "$check"
	# The first difference, or in the details: the routes of a VLAN go with its parent's carrier.
	failed 107 'master uplink.*present'
	ip link set downlink down
	ip link set downlink name uplink up
	CPLUG_REPAIR=1 cni CHECK "$TYPE" "$check"
	ok
	cni CHECK "$TYPE" "$check"
	ok
}

# linkInContainer: the parent is one of the container's.
leg_in_container() {
	local conf

	conf=$(conf '.linkInContainer = true | .master = "wan0" | .ipam.routes = []')
	new_netns c1
	cni ADD "$TYPE" "$conf"
	failed 7 'container.*no interface wan0'
	ip link set uplink netns c1 name wan0
	in_ns c1 ip link set wan0 up
	remember
	add "$TYPE" "$conf"
	link c1 eth0 '.link == "wan0"'
	sees c1 "$PEER"
	cni CHECK "$TYPE" "$(chained "$conf")"
	ok
	del "$TYPE" "$conf"
	assert_same_snapshot
	cni STATUS "$TYPE" "$conf" '' '' ''
	ok
}

# Without ipam the link is up and has no address.
leg_layer2() {
	new_netns c1
	remember
	add "$TYPE" "$L2"
	has '(has("ips") | not) and (.interfaces | length == 1)'
	link c1 eth0 '.flags | any(. == "UP")'
	prints '' addresses c1 eth0
	cni CHECK "$TYPE" "$(chained "$L2")"
	ok
	del "$TYPE" "$L2"
	assert_same_snapshot
}

# A repair makes a link again that is gone, with its MAC, addresses and routes.
leg_repair() {
	local conf

	new_netns c1
	# PEER may be an address of the container's own.
	in_ns c1 ip link set lo up
	add "$TYPE" "$CONF"
	conf=$(chained "$CONF")
	in_ns c1 ip link del eth0
	cni CHECK "$TYPE" "$conf"
	failed 107
	CPLUG_REPAIR=1 cni CHECK "$TYPE" "$conf"
	ok
	cni CHECK "$TYPE" "$conf"
	ok
	sees c1 "$PEER"
}

# cnitool lists the attachment, gives back what a container without a namespace has, and makes a link
# again that is gone; needs cnitool.bash.
leg_tool() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$(jq -c '{cniVersion, name, plugins: [del(.cniVersion, .name)]}' <<<"$CONF")"
	plug c1
	# PEER may be an address of the container's own.
	in_ns c1 ip link set lo up
	tool del net1 c1
	ok
	tool gc
	ok
	remember
	# Not beside c1, because a parent has each VLAN id once.
	plug c2
	tool list --json
	has '[.. | objects | select(.ifname? == "eth0")] | length == 1'
	end_netns c2
	tool gc
	ok
	assert_same_snapshot
	tool add --quiet net1 c1
	ok
	remember
	in_ns c1 ip link del eth0
	tool check net1 c1
	is "$status" 1
	contains "$output" 'eth0'
	tool restore --json
	has '(.restored | length == 1) and .failed == []'
	assert_same_snapshot
	[[ ! ${PEER-} ]] || sees c1 "$PEER"
	[[ ! ${PEER6-} ]] || sees c1 "$PEER6"
	tool restore --json
	has '.restored == [] and .failed == [] and (.whole | length == 1)'
	tool gc
	ok
	assert_same_snapshot
	tool del net1 c1
	ok
	no_link c1 eth0
}
