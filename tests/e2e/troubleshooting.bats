#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of docs/troubleshooting.md work, and its remedies help.
load lib
# shellcheck source=tests/e2e/recipes.bash
source "$CPLUG_TOP/tests/e2e/recipes.bash"

prepare() {
	recipe_host
	PAGE=$CPLUG_TOP/docs/troubleshooting.md
	new_netns blue
	cnitool add web blue -p 8080:80 -q
}

@test "troubleshooting: each command runs" {
	local title n=0

	while read -r title; do
		section "$title" | grep -q '^```sh$' || continue
		run_blocks "$title"
		n=$((n + 1))
	done < <(sed -nE 's/^##+ //p' "$PAGE")
	((n >= 15)) || fail "only $n sections have commands"
}

@test "troubleshooting: 20 symptoms, each in the contents" {
	local title n=0

	while read -r title; do
		grep -qiF "](#$(tr 'A-Z ' 'a-z-' <<<"$title" | tr -d '.,'))" "$PAGE" || fail "$title is not in the contents"
		n=$((n + 1))
	done < <(sed -n 's/^### //p' "$PAGE")
	((n >= 20)) || fail "only $n symptoms"
}

@test "troubleshooting: no free address: gc releases the lease of a dead container" {
	ip netns add dead
	cnitool add web dead -q
	end_netns dead
	[[ -e /var/lib/cni/networks/web/10.77.0.3 ]]
	run_blocks "No IP addresses available"
	[[ -e /var/lib/cni/networks/web/10.77.0.2 && ! -e /var/lib/cni/networks/web/10.77.0.3 ]] || fail "the lease is left"
}

@test "troubleshooting: leftovers: gc removes those of a dead container, and leaves the other one" {
	new_netns dead
	cnitool add web dead -p 8081:80 -q
	end_netns dead
	run_blocks "Interfaces, leases or rules are left"
	cnitool check web blue
	! nft list map inet cplug ports4 | grep -q 8081 || fail "the port is left"
}

@test "troubleshooting: a flushed ruleset: restore brings it back" {
	nft flush ruleset
	run cnitool check web blue
	((status == 1)) || fail "check sees nothing"
	run_blocks "Everything stopped when a firewall restarted"
	cnitool check web blue
}

@test "troubleshooting: a port in use: the commands show the owner" {
	run cnitool add web blue -i eth1 -p 8080:80 -q
	[[ $output == *'web/'*'/eth0'* ]] || fail "the error does not name the owner: $output"
	run_blocks "A host port is in use"
	grep -q 8080 "$W"/*.got || fail "the port is not shown"
}

@test "troubleshooting: forwarding that was switched off: check and restore" {
	sysctl_set net/ipv4/ip_forward 0
	run cnitool check web blue
	((status == 1)) || fail "check sees nothing"
	cnitool restore
	is "$(sysctl_get net/ipv4/ip_forward)" 1
}

@test "troubleshooting: another firewall that drops: status names it" {
	nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'
	run cnitool status web
	[[ $output == *FORWARD* ]] || fail "status: $output"
}
