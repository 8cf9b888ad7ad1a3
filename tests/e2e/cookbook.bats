#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The recipes of docs/cookbook.md that can run here are run as they stand there: those with the comment "run".
load lib
# shellcheck source=tests/e2e/recipes.bash
source "$CPLUG_TOP/tests/e2e/recipes.bash"

# lacks NEEDS - prints what a recipe needs and this machine does not have
lacks() {
	local need

	for need in $1; do
		case $need in
		bridge-vlan) has_vlan_filtering || echo "bridge VLAN filtering" ;;
		redirect) has_redirect || echo "tc filter u32 with mirred" ;;
		tap) [[ -r /dev/net/tun && -w /dev/net/tun ]] || echo "/dev/net/tun that may be opened" ;;
		ifb | macvlan) has_kind "$need" || echo "interfaces of kind $need" ;;
		busybox-brctl) busybox brctl --help >/dev/null 2>&1 || echo "brctl" ;;
		user-namespaces) unshare --user --map-root-user --net --mount true 2>/dev/null || echo "user namespaces" ;;
		*) type -P "$need" >/dev/null || echo "program $need" ;;
		esac
	done
}

# wire NAME - an interface of the host with a DHCP server on its network
wire() {
	new_netns lan
	ip link add "$1" type veth peer name eth0 netns lan
	ip link set "$1" up
	in_ns lan ip address add 192.0.2.1/24 dev eth0
	in_ns lan ip link set eth0 up
	in_ns lan dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 --dhcp-range=192.0.2.100,192.0.2.199,1h \
		--dhcp-leasefile="$BATS_TEST_TMPDIR/leases" --pid-file="$BATS_TEST_TMPDIR/dnsmasq.pid" --user= --group=
}

# recipe TITLE - the network of the recipes, and then the recipe
recipe() {
	local mark lacking

	mark=$(section "$1" | sed -n 's/^<!-- run:* *\(.*\)-->$/\1/p')
	lacking=$(lacks "$(sed -n 's/.*needs \([^;]*\).*/\1/p' <<<"$mark")")
	[[ ! $lacking ]] || skip "this machine has no $lacking"
	recipe_host
	[[ $mark != *wire\ * ]] || wire "$(awk '{ print $NF }' <<<"$mark")"
	run_blocks "$1"
}

@test "cookbook: each recipe is run, or says what it was checked against" {
	local title

	while read -r title; do
		[[ $title != 'The network of these recipes' ]] || continue
		if section "$title" | grep -q '^<!-- run'; then
			grep -qxF "	recipe \"$title\"" "$BATS_TEST_FILENAME" || fail "$title has no test"
		else
			section "$title" | tr '\n' ' ' | grep -Eq 'Checked against|`tests/runtimes/' || fail "$title names no source"
		fi
	done < <(sed -n 's/^## //p' "$PAGE")
	(($(grep -c '^## ' "$PAGE") > 20)) || fail "fewer than 20 recipes"
}

@test "cookbook: ip netns" {
	recipe "ip netns"
}

@test "cookbook: a container by hand, with older tools, and with cnitool" {
	recipe "A container by hand"
}

@test "cookbook: a command in a network" {
	recipe "A command in a network"
}

@test "cookbook: a pool of namespaces" {
	recipe "A pool of namespaces"
}

@test "cookbook: published ports and ranges" {
	recipe "Published ports and ranges"
}

@test "cookbook: dual stack" {
	recipe "Dual stack"
}

@test "cookbook: a VLAN for each tenant" {
	recipe "A VLAN for each tenant"
}

@test "cookbook: macvlan and DHCP" {
	recipe "macvlan and DHCP"
}

@test "cookbook: two networks and source based routing" {
	recipe "Two networks and source based routing"
}

@test "cookbook: a rate limit and a live change" {
	recipe "A rate limit and a live change"
}

@test "cookbook: without root" {
	recipe "Without root"
}

@test "cookbook: Firecracker's network" {
	recipe "Firecracker"
}

@test "cookbook: systemd-nspawn's network" {
	recipe "systemd-nspawn"
}

@test "cookbook: moving from the reference" {
	recipe "Moving from the reference"
}
