#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's tuning and ours have the same results, effects and errors, and each restores what
# the other has saved.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
BASE='{"cniVersion":"1.0.0","name":"net1","type":"tuning","mac":"02:00:00:00:00:42","mtu":1400,"promisc":true,
	"allmulti":true,"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1","net.ipv4.ip_forward":"1"}}'

# tuned - prints what tuning changes, in the container
tuned() {
	in_ns c1 ip -j link show dev eth0 | jq -c '.[0] | [.mtu, .txqlen, .address, (.flags | contains(["PROMISC"]), contains(["ALLMULTI"]))]'
	in_ns c1 cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/arp_filter
}

@test "parity: tuning" { same "$BRIDGE" "$BASE"; }
@test "parity: tuning of nothing" { same "$BRIDGE" "$(with "$BASE" 'del(.mac, .mtu, .promisc, .allmulti, .sysctl)')"; }
@test "parity: tuning, sources of the MAC address" {
	same "$BRIDGE" "$(with "$BASE" '.runtimeConfig.mac = "02:00:00:00:00:43"')"
	wipe
	del_netns c1
	output=
	same "$BRIDGE" "$(with "$BASE" '.runtimeConfig.mac = "02:00:00:00:00:43" |
		.args.cni = {mac: "02:00:00:00:00:44", mtu: 1300, sysctl: {"net.ipv4.ip_forward": "0"}}')"
}

@test "parity: tuning's result in each version that the reference supports" {
	local v

	for v in 0.3.0 0.3.1 0.4.0 1.0.0; do
		same "$(with "$BRIDGE" ".cniVersion = \"$v\"")" "$(with "$BASE" ".cniVersion = \"$v\"")"
		wipe
		del_netns c1
		output=
	done
}

@test "parity: tuning, allmulti and sysctl alone" {
	same "$BRIDGE" "$(with "$BASE" '{cniVersion, name, type, allmulti: false, sysctl: {"net.ipv4.conf.all.arp_ignore": "1"}}')"
}

@test "parity: tuning's CHECK of the reference accepts ours, and ours the reference's" {
	local one other conf

	# The CHECK of 1.1 does not know IFNAME.
	BASE=${BASE/IFNAME/eth0}
	for one in reference ours; do
		new_netns c1
		by $one
		output=
		add bridge "$BRIDGE"
		conf=$(chained "$BASE")
		add tuning "$conf"
		conf=$(chained "$BASE")
		for other in reference ours; do
			by $other
			cni CHECK tuning "$conf"
			ok
			in_ns c1 ip link set eth0 mtu 1450
			cni CHECK tuning "$conf"
			failed
			in_ns c1 ip link set eth0 mtu 1400
		done
		by ours
		del tuning "$conf"
		del bridge "$BRIDGE"
		del_netns c1
	done
}

@test "parity: each tuning's DEL restores what the other has saved" {
	local whose one other conf before

	for whose in 'reference ours' 'ours reference'; do
		read -r one other <<<"$whose"
		new_netns c1
		by "$one"
		output=
		add bridge "$BRIDGE"
		before=$(tuned)
		# The reference does not restore sysctls.
		conf=$(chained "$(with "$BASE" 'del(.sysctl)')")
		add tuning "$conf"
		[[ $(tuned) != "$before" ]] || fail "not tuned"
		by "$other"
		del tuning "$conf"
		is "$(tuned)" "$before"
		[[ ! -e /run/cni/tuning/c1_eth0.json ]] || fail "the document is left"
		by ours
		del bridge "$BRIDGE"
		del_netns c1
	done
}

@test "parity: tuning's errors" {
	local whose filter

	new_netns c1
	by ours
	add bridge "$BRIDGE"
	BASE=$(chained "$BASE")
	for filter in '.sysctl = {"kernel.hostname": "x"}' '.sysctl = {"net.ipv4.nosuch": "1"}' '.sysctl = {"net.ipv4.ip_forward": 1}' \
		'.mac = "x"' 'del(.prevResult)' '.mtu = "y"' '.sysctl = {"net.ipv4.ip_local_port_range": "x"}'; do
		for whose in reference ours; do
			by $whose
			cni ADD tuning "$(with "$BASE" "$filter")"
			failed
		done
	done
	for whose in reference ours; do
		by $whose
		cni ADD tuning "$(with "$BASE" '.sysctl = {"kernel.hostname": "x"}')"
		failed '' 'invalid net sysctl key: \\?"kernel'
		# 1.1 takes the last of two.
		grep -qa 'duplicated sysctl' "$REFERENCE/tuning" || [[ $whose == ours ]] || continue
		# shellcheck disable=SC2001 # jq would join the keys
		cni ADD tuning "$(sed 's/"net.ipv4.ip_forward":"1"/&,"net.ipv4.ip_forward":"0"/' <<<"$BASE")"
		failed '' 'duplicated sysctl keys are not allowed'
	done
}

@test "parity: tuning's allow-list" {
	local whose line

	private_folder /etc/cni
	mkdir -p /etc/cni/tuning
	new_netns c1
	by ours
	add bridge "$BRIDGE"
	BASE=$(chained "$(with "$BASE" '{cniVersion, name, type, sysctl: {"net.ipv4.conf.IFNAME.arp_filter": "1"}}')")
	printf 'x' >/etc/cni/tuning/allowlist.conf
	by reference
	cni ADD tuning "$BASE"
	((status)) || skip "the reference has no allow-list"
	for line in '^net\.ipv4\.conf\.IFNAME\.[a-z_]*$' 'arp_filter' 'net\.ipv\d\.' '^net\.(ipv4|ipv6)\.conf\.[^.]+\.\w+$' '[[:alpha:]]+_f' \
		'(?i)ARP_' 'ARP_' 'net.ipv6' '^arp_filter' 'conf\.eth0\.' 'a{2}' 'ipv\d{2}' '\bconf\b' '(' '*' '[z-a]'; do
		printf '\n%s\n' "$line" >/etc/cni/tuning/allowlist.conf
		by reference
		cni ADD tuning "$BASE"
		whose=$status
		by ours
		cni ADD tuning "$BASE"
		is "$line: $status" "$line: $whose"
	done
}
