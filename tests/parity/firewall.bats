#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's firewall and ours have the same results; each understands and deletes the rules of
# the other.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
FIREWALL='{"cniVersion":"1.0.0","name":"net1","type":"firewall","backend":"iptables"}'

rules() {
	iptables -S CNI-FORWARD
	ip6tables -S CNI-FORWARD
}

# bridged - ADD of bridge; sets conf to the configuration of firewall
bridged() {
	type -P iptables >/dev/null || skip "iptables is not installed"
	new_netns c1
	iptables -P FORWARD DROP
	ip6tables -P FORWARD DROP
	by ours
	add bridge "$BRIDGE"
	conf=$(chained "$FIREWALL")
}

@test "parity: firewall" { same "$BRIDGE" "$FIREWALL"; }

@test "parity: firewall's rules are the reference's, and one for published ports" {
	local theirs

	bridged
	by reference
	add firewall "$conf"
	theirs=$(rules)
	del firewall "$conf"
	iptables -F
	iptables -X
	ip6tables -F
	ip6tables -X
	by ours
	add firewall "$conf"
	is "$(rules | grep -v 'ctstate DNAT')" "$theirs"
	is "$(rules | grep -c 'ctstate DNAT')" 2
}

@test "parity: the reference checks and deletes what our firewall has added" {
	bridged
	add firewall "$conf"
	by reference
	cni CHECK firewall "$conf"
	ok
	# It adds nothing twice.
	before=$(rules)
	add firewall "$conf"
	is "$(rules)" "$before"
	del firewall "$conf"
	is "$(rules | grep '10.1.0\|fd00' | grep -vc DNAT)" 0
	by ours
	del firewall "$FIREWALL"
	prints_not '10\.1\.0\|fd00:1' rules
}

@test "parity: our firewall deletes what the reference has added" {
	bridged
	by reference
	add firewall "$conf"
	by ours
	del firewall "$conf"
	prints_not '10\.1\.0\|fd00:1' rules
	by reference
	add firewall "$conf"
	by ours
	add firewall "$conf"
	cni CHECK firewall "$conf"
	ok
	del firewall "$FIREWALL"
	prints_not '10\.1\.0\|fd00:1' rules
}

@test "parity: what the reference's DEL leaves of ours goes with GC, or with the next ADD of the address" {
	local gc

	bridged
	add firewall "$conf"
	by reference
	del firewall "$conf"
	is "$(rules | grep -c 'ctstate DNAT')" 2
	by ours
	gc=$(with "$FIREWALL" '.cniVersion = "1.1.0" | ."cni.dev/valid-attachments" = []')
	cni GC firewall "$gc" '' '' ''
	ok
	prints_not '10\.1\.0\|fd00:1' rules
	prints_not '10\.1\.0\|fd00:1' nft list ruleset
	# The address belongs to another container.
	add firewall "$conf"
	by reference
	del firewall "$conf"
	by ours
	del bridge "$BRIDGE"
	new_netns c2
	add bridge "$(with "$BRIDGE" '.args.cni.ips = ["10.1.0.2", "fd00:1::2"]')" c2
	conf=$(chained "$FIREWALL")
	add firewall "$conf" c2
	is "$(rules | grep -c 'ctstate DNAT')" 2
	is "$(rules | grep -c 'j ACCEPT')" 6
	cni CHECK firewall "$conf" c2
	ok
	# A late DEL of the first container takes nothing of the second.
	del firewall "$FIREWALL"
	cni CHECK firewall "$conf" c2
	ok
	del firewall "$FIREWALL" c2
	prints_not '10\.1\.0\|fd00:1' rules
	prints_not '10\.1\.0\|fd00:1' nft list ruleset
}
