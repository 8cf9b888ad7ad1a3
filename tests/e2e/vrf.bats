#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vrf: routing domains in the container.  Kernels without this kind of link skip these tests.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load cnitool

TYPE=vrf
BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24"},{"dst":"::/0"}],
		"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
VRF='{"cniVersion":"1.1.0","name":"net1","type":"vrf","vrfname":"blue"}'

prepare() {
	has_kind vrf || skip "this kernel has no vrf interfaces"
	warm_up bridge "$BRIDGE"
	mkdir -p /run/cni/cplug
	touch /run/cni/cplug/netns.lock
}

# attached [ID [IFNAME]] - ADD of bridge; sets CONF to the configuration of vrf
attached() {
	add bridge "$BRIDGE" "${1-c1}" "${1-c1}" "${2-eth0}"
	CONF=$(chained "$VRF")
}

# detached - DEL of vrf and bridge, after which nothing is left
detached() {
	del vrf "$CONF"
	no_link c1 blue
	link c1 eth0 'has("master") | not'
	del bridge "$BRIDGE"
	assert_same_snapshot nothing
}

@test "vrf: the interface joins with its addresses and routes; DEL takes it out, and the VRF with the last member" {
	new_netns c1
	attached
	remember
	add vrf "$CONF"
	is "$(jq -c '.ips' <<<"$output")" "$(jq -c '.prevResult.ips' <<<"$CONF")"
	CHECK=$(chained "$VRF")
	link c1 blue '.linkinfo.info_kind == "vrf" and .linkinfo.info_data.table == 1 and .ifalias == "cplug net1" and (.flags | any(. == "UP"))'
	link c1 eth0 '.master == "blue"'
	prints "$(jq -r '[.ips[].address] | sort | join(" ")' <<<"$output")" addresses c1 eth0
	route c1 '.dst == "default" and .gateway == "10.1.0.1"' table 1
	route c1 '.dst == "198.51.100.0/24"' table 1
	contains "$(in_ns c1 ip -6 route show table 1)" '^default via fd00:1::1'
	is "$(in_ns c1 ip route show)" ''
	in_ns c1 ip vrf exec blue true 2>/dev/null || :
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I blue 10.1.0.1
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I blue fd00:1::1
	silent "after ADD"
	cni CHECK bridge "$(with "$BRIDGE" ".prevResult = $(jq -c .prevResult <<<"$CHECK")")"
	ok
	mutate 'master of eth0.*blue' 'in_ns c1 ip link set eth0 nomaster' 'in_ns c1 ip link set eth0 master blue'
	mutate 'VRF blue' 'in_ns c1 ip link set blue down' 'in_ns c1 ip link set blue up'
	cni CHECK vrf "$(with "$CHECK" '.table = 7')"
	failed 107 'table of VRF blue: expected 7, found 1'
	del vrf "$CHECK"
	no_link c1 blue
	link c1 eth0 'has("master") | not'
	del vrf "$CHECK"
	del bridge "$BRIDGE"
}

@test "vrf: a repair makes the VRF again, and takes the interface back with its routes" {
	local change back

	new_netns c1
	attached
	add vrf "$CONF"
	CHECK=$(chained "$VRF")
	back=$(chained "$BRIDGE")
	for change in 'link set eth0 nomaster' 'link set blue down' 'link del blue'; do
		eval "in_ns c1 ip $change"
		cni CHECK vrf "$CHECK"
		failed 107 blue
		# In the order of the list.
		CPLUG_REPAIR=1 cni CHECK bridge "$back"
		ok
		CPLUG_REPAIR=1 cni CHECK vrf "$CHECK"
		ok
		silent "after $change"
		cni CHECK bridge "$back"
		ok
		is "$(in_ns c1 ip route show)" ''
		route c1 '.dst == "default" and .gateway == "10.1.0.1"' table 1
		contains "$(in_ns c1 ip -6 route show table 1)" '^default via fd00:1::1'
		in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I blue 10.1.0.1
	done
}

@test "vrf: cnitool restores the VRF and its member, and collects those of dead containers" {
	local change

	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$(jq -nc --argjson bridge "$BRIDGE" --argjson vrf "$VRF" \
		'{cniVersion: "1.1.0", name: "net1", plugins: [$bridge, $vrf | del(.cniVersion, .name)]}')"
	plug c1
	remember
	for change in 'link set eth0 nomaster' 'link del blue' 'link del eth0'; do
		eval "in_ns c1 ip $change"
		tool check net1 c1
		is "$status" 1
		tool restore --json
		has '(.restored | length == 1) and .failed == []'
		# A VRF that is made anew has another MAC.
		[[ $change != *nomaster ]] || assert_same_snapshot
		tool restore --json
		has '.restored == [] and .failed == [] and (.whole | length == 1)'
		in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" -I blue 10.1.0.1
	done
	remember
	plug c2
	end_netns c2
	tool gc
	ok
	assert_same_snapshot
	tool del net1 c1
	ok
	no_link c1 blue
}

@test "vrf: VERSION, STATUS and GC succeed, and GC leaves the VRF of a live container" {
	new_netns c1
	attached
	add vrf "$CONF"
	CHECK=$(chained "$VRF")
	cni VERSION vrf "$VRF"
	ok
	has '.supportedVersions | index("0.3.1") and index("1.1.0")'
	cni STATUS vrf "$VRF" '' '' ''
	ok
	remember
	cni GC vrf "$(with "$VRF" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
	ok
	assert_same_snapshot
	silent "after GC"
}

@test "vrf: more interfaces of a container join, each VRF has a table of its own" {
	new_netns c1
	attached
	add vrf "$CONF"
	attached c1 eth1
	cni ADD vrf "$CONF" c1 c1 eth1
	ok
	link c1 eth1 '.master == "blue"'
	attached c1 eth2
	cni ADD vrf "$(with "$CONF" '.vrfname = "red"')" c1 c1 eth2
	ok
	link c1 red '.linkinfo.info_data.table == 2'
	attached c1 eth3
	cni ADD vrf "$(with "$CONF" '.vrfname = "green" | .table = 500')" c1 c1 eth3
	ok
	link c1 green '.linkinfo.info_data.table == 500'
	del vrf "$VRF" c1 c1 eth0
	link c1 blue true
	in_ns c1 ip link del eth1
	del vrf "$VRF" c1 c1 eth1
	no_link c1 blue
}

@test "vrf: the table of a VRF without routes is not free" {
	new_netns c1
	attached
	in_ns c1 ip link add idle type vrf table 1
	add vrf "$CONF"
	link c1 blue '.linkinfo.info_data.table == 2'
	del vrf "$CONF"
	no_link c1 blue
	link c1 idle '.linkinfo.info_data.table == 1'
}

@test "vrf: a failed ADD leaves a VRF that was there as it was found" {
	local at

	new_netns c1
	attached
	in_ns c1 ip link add blue type vrf table 7
	in_ns c1 ip link add br9 type bridge
	in_ns c1 ip link set eth0 master br9
	remember
	cni ADD vrf "$CONF"
	failed '' 'eth0 has already a master set: br9'
	assert_same_snapshot
	in_ns c1 ip link set eth0 nomaster
	remember
	for ((at = 1; at < 20; at++)); do
		CNI_TEST_FAIL_AT=$at cni ADD vrf "$CONF"
		((status)) || break
		assert_same_snapshot
	done
	((at > 2))
	link c1 blue '.flags | any(. == "UP")'
}

@test "vrf: a failed ADD leaves the VRF that it made to an interface which has joined it" {
	local pipe=$BATS_TEST_TMPDIR/answer conf waits

	new_netns c1
	attached
	conf=$CONF
	attached c1 eth1
	# The answer of eth0's ADD finds no room, until there is no reader any more.
	mkfifo "$pipe"
	exec 7<>"$pipe"
	head -c 65536 /dev/zero >&7
	raw ADD vrf c1 c1 eth0 <<<"$conf" >"$pipe" 2>"$BATS_TEST_TMPDIR/err" 3>&- 4>&- 7>&- &
	waits=$!
	wait_for "eth0 in the VRF" link c1 eth0 '.master == "blue"'
	cni ADD vrf "$CONF" c1 c1 eth1
	ok
	exec 7>&-
	status=0
	wait "$waits" || status=$?
	is "$status" 1
	link c1 eth0 'has("master") | not'
	link c1 eth1 '.master == "blue"'
	route c1 '.dst == "default" and .gateway == "10.1.0.1"' table 1
	cni DEL vrf "$CONF" c1 c1 eth1
	ok
	no_link c1 blue
}

@test "vrf: a failed ADD takes nothing back from an interface that joins its VRF meanwhile" {
	local trace=$BATS_TEST_TMPDIR/trace at conf first n

	can_trace || skip "strace is not allowed"
	new_netns c1
	attached
	conf=$CONF
	attached c1 eth1
	in_ns c1 ip link add br9 type bridge
	in_ns c1 ip link set eth0 master br9
	# Each of its last requests waits: how eth0's ADD fails, and the way back.
	failing() {
		CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			strace -qq -o "$trace" -e trace=sendto "$@" "$CPLUG_BIN/vrf" <<<"$conf" >/dev/null 2>&1 3>&- 4>&-
	}
	run ! failing
	n=$(grep -c '^sendto' "$trace")
	((n > 8))
	for ((at = n - 4; at <= n; at++)); do
		failing -e inject=sendto:delay_enter=3000000:when="$at" 3>&- 4>&- &
		first=$!
		wait_for "the VRF" eval 'in_ns c1 ip link show dev blue || ! kill -0 "$first"'
		cni ADD vrf "$CONF" c1 c1 eth1
		ok
		status=0
		wait "$first" || status=$?
		is "$status" 1
		cni CHECK vrf "$CONF" c1 c1 eth1
		ok
		cni DEL vrf "$CONF" c1 c1 eth1
		ok
		no_link c1 blue
	done
}

@test "vrf: DEL needs no folder that can be written" {
	new_netns c1
	remember nothing
	attached
	cni ADD vrf "$CONF"
	mount -o remount,bind,ro /run
	cni DEL vrf "$CONF"
	mount -o remount,bind,rw /run
	ok
	no_link c1 blue
	detached
}

@test "vrf: DEL leaves a VRF with the alias of another program" {
	new_netns c1
	attached
	in_ns c1 ip link add blue type vrf table 7
	in_ns c1 ip link set blue alias mine up
	add vrf "$CONF"
	link c1 eth0 '.master == "blue"'
	del vrf "$CONF"
	link c1 eth0 'has("master") | not'
	link c1 blue '.ifalias == "mine"'
}

@test "vrf: what does not fit is named, and nothing is changed; DEL never fails on what is gone" {
	new_netns c1
	attached
	in_ns c1 ip link add other type vrf table 9
	in_ns c1 ip link add br9 type bridge
	remember
	cni ADD vrf "$(with "$CONF" 'del(.vrfname)')"
	failed 7 'vrfname: missing: configuration is expected to have a valid vrf name'
	cni ADD vrf "$(with "$CONF" '.vrfname = "a/b"')"
	failed 7 'vrfname: "a/b": interface name contains'
	contains_not "$error" missing
	cni ADD vrf "$(with "$CONF" '.vrfname = "br9"')"
	failed 102 'br9 is not a VRF'
	cni ADD vrf "$(with "$CONF" '.vrfname = "other" | .table = 8')"
	failed 7 'VRF other already exists with table 9, not 8'
	cni ADD vrf "$(with "$CONF" '.table = 254')"
	failed 7 'table: 254'
	cni ADD vrf "$VRF"
	failed 108
	assert_same_snapshot
	in_ns c1 ip link set eth0 master br9
	cni ADD vrf "$CONF"
	failed 102 'eth0 has already a master set: br9'
	no_link c1 blue
	del vrf "$CONF"
	del vrf "$CONF" c1 ''
	del vrf "$CONF" c1 /run/netns/never
}

@test "vrf: ADD that fails or is killed at any change leaves the container as it was" {
	local n

	new_netns c1
	in_ns c1 ip link set lo up
	remember nothing
	attached
	remember
	each_change FAIL vrf "$CONF" failed
	detached
	# DEL does not give the interface its routes back: it is deleted next.
	for ((n = 1; n < 40; n++)); do
		attached
		CNI_TEST_CRASH_AT=$n cni ADD vrf "$CONF"
		((status)) || break
		((status > 128)) || fail "not killed: $status"
		detached
	done
	((n > 2 && n < 40)) || fail "$n steps"
	detached
}

@test "vrf: more routes than the undo stack holds move in one change, and come back when ADD fails" {
	local i

	new_netns c1
	attached
	for i in {1..100}; do
		printf 'route add 198.18.%d.0/24 via 10.1.0.1\n' "$i"
	done | in_ns c1 ip -batch -
	remember
	each_change FAIL vrf "$CONF" failed
	is "$(in_ns c1 ip route show table 1 | grep -c '^198\.18\.')" 100
	is "$(in_ns c1 ip route show | grep -c '^198\.18\.')" 0
	link c1 eth0 '.master == "blue"'
}

@test "vrf: a free table is found with few requests, however many VRFs have the first ones" {
	local i n

	can_trace || skip "strace is not allowed"
	new_netns c1
	attached
	for i in {1..100}; do
		printf 'link add v%d type vrf table %d\n' "$i" "$i"
	done | in_ns c1 ip -batch -
	n=$(sent ADD vrf "$CONF" | wc -l)
	((n > 100 && n < 800)) || fail "$n requests"
	link c1 blue '.linkinfo.info_data.table > 100'
}
