#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool gc, restore and check --repair with a whole list: bridge, firewall, bandwidth, tuning, sbr.
load lib

prepare() {
	local bandwidth=''

	! has_kind ifb || bandwidth='{"type":"bandwidth","ingressRate":50000000,"egressRate":50000000},'
	mkdir -p /run/net.d
	cat >/run/net.d/net1.conflist <<-END
		{"cniVersion":"1.1.0","name":"net1","plugins":[
			{"type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local",
				"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
			{"type":"firewall"}, $bandwidth
			{"type":"tuning","mtu":1400,"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}},
			{"type":"sbr","addSourceHints":true}]}
	END
	export CNI_PATH=$CPLUG_BIN NETCONFPATH=/run/net.d
	new_netns c1 c2
	tool add net1 c2
	tool del net1 c2
}

tool() {
	"$CPLUG_BIN/cnitool" "$@" >"$BATS_TEST_TMPDIR/tool" 2>&1 || { cat "$BATS_TEST_TMPDIR/tool"; return 1; }
}

# damage - what a flushed ruleset, and programs in the container, leave
damage() {
	nft flush ruleset
	in_ns c1 ip rule del from "$(address_of c1)"
	in_ns c1 bash -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter'
	in_ns c1 ip link set eth0 mtu 1500
}

# one_is_left - gc, after which one attachment has saved values
one_is_left() {
	tool gc
	[[ $(find /run/cni/tuning -type f | wc -l) == 1 ]]
}

address_of() {
	in_ns "$1" ip -4 -j address show dev eth0 | jq -r '.[0].addr_info[0].local'
}

@test "chain: check --repair and restore put back what a flushed ruleset and the container have lost" {
	local repair size record='/run/cni/cplug/sbr/net1:*:eth0.json'

	remember
	for repair in 'check --repair net1 c1' restore; do
		tool add net1 c1
		snapshot | grep -v /run/cni/cplug/sbr >"$BATS_TEST_TMPDIR/attached"
		size=
		for _ in 1 2 3; do
			damage
			run -1 tool check net1 c1
			# shellcheck disable=SC2086 # a command
			tool $repair
			tool check net1 c1
			snapshot | grep -v /run/cni/cplug/sbr | diff -U0 "$BATS_TEST_TMPDIR/attached" -
			# The record does not grow with each repair.
			# shellcheck disable=SC2086 # a pattern
			[[ ! $size ]] || is "$(stat -c %s $record)" "$size"
			# shellcheck disable=SC2086
			size=$(stat -c %s $record)
		done
		sees c1 10.1.0.1
		tool del net1 c1
		assert_same_snapshot
	done
}

@test "chain: gc removes everything of a container whose namespace is gone, and of one whose DEL never came" {
	remember
	tool add net1 c1
	tool add net1 c2
	del_netns c2
	# The kernel deletes a namespace some time after its name.
	wait_for "gc of c2" one_is_left
	tool check net1 c1
	tool del net1 c1
	del_netns c1
	new_netns c1 c2
	assert_same_snapshot
	# As after a reboot: namespaces, links and ruleset are gone, files are not.
	tool add net1 c1
	tool add net1 c2
	nft flush ruleset
	end_netns c1 c2
	ip link del br1
	tool gc
	prints '' find /run/cni /var/lib/cni/networks/net1 -name '*c1*' -o -name '10.*' -o -name 'fd00*'
	new_netns c1
	tool add net1 c1
	sees c1 10.1.0.1
	tool check net1 c1
}

# CRI-O calls CHECK right after every ADD, and ends the pod if it finds a difference.
# checks_at_once MAIN CHAINED... - adds a container to a list of these plugins, which CHECK finds as ADD made it, a
# repair leaves as it is, and DEL removes
checks_at_once() {
	echo "$*"
	local list

	list=$(printf ',%s' "$@")
	printf '{"cniVersion":"1.1.0","name":"net1","plugins":[%s]}' "${list:1}" >/run/net.d/net1.conflist
	tool add net1 c1
	snapshot >"$BATS_TEST_TMPDIR/added"
	tool check net1 c1
	tool check --repair net1 c1
	cmp "$BATS_TEST_TMPDIR/added" <(snapshot)
	tool del net1 c1
	no_link c1 eth0
}

@test "chain: CHECK right after ADD finds no difference, in whichever order the plugins are" {
	local ipam='"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}'
	local bandwidth='{"type":"bandwidth","ingressRate":8000000,"egressRate":8000000}'
	local tuning='{"type":"tuning","mtu":1300,"mac":"02:00:00:00:00:09","sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}}'
	local main sbr

	ip link add up0 type veth peer name up1
	ip link set up0 up
	ip link set up1 up
	has_kind ifb || bandwidth='{"type":"firewall"}'
	for main in '{"type":"ptp",'"$ipam}" '{"type":"bridge","bridge":"br1","isGateway":true,'"$ipam}" \
		'{"type":"host-device","device":"up0",'"$ipam}" '{"type":"macvlan","master":"up1",'"$ipam}"; do
		[[ $main != *macvlan* ]] || has_kind macvlan || continue
		for sbr in '{"type":"sbr"}' '{"type":"sbr","addSourceHints":true}' '{"type":"sbr","table":200}' \
			'{"type":"sbr","gateways":["10.1.0.77","fd00:1::77"]}'; do
			[[ $main != *ptp* || $sbr != *gateways* ]] || continue
			checks_at_once "$main" "$bandwidth" "$tuning" "$sbr"
			[[ $sbr == '{"type":"sbr"}' ]] || continue
			checks_at_once "$main" "$sbr" "$tuning" "$bandwidth"
			[[ $main == *bridge* ]] && has_kind vrf || continue
			checks_at_once "$main" '{"type":"vrf","vrfname":"blue"}' "$bandwidth" "$tuning" "$sbr"
		done
	done
}
