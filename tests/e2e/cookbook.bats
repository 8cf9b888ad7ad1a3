#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The recipes of docs/cookbook.md that can run here are run as they stand there.
#
# A recipe with the comment "run" has blocks of commands (sh) and their output (blocks without a language,
# in which … stands for any text, and white space is compared as one space).
load lib

PAGE=$CPLUG_TOP/docs/cookbook.md

# section TITLE - prints a section of the page
section() {
	awk -v title="## $1" '/^## / { inside = $0 == title } inside' "$PAGE"
}

# blocks TITLE - writes the blocks of a section to files in W: N.sh, and N.out with the output of N.sh
blocks() {
	section "$1" | awk -v dir="$W" '
		/^```sh$/ { n++; file = sprintf("%s/%02d.sh", dir, n); next }
		/^```$/ && !file && !other { file = sprintf("%s/%02d.out", dir, n); next }
		/^```/ && !file && !other { other = 1; next }
		/^```/ { if (file) close(file); file = ""; other = 0; next }
		file { print >file }'
}

# words FILE - its words, with single spaces
words() {
	tr -s ' \t\n' ' ' <"$1" | sed 's/^ //; s/ $//'
}

# run_blocks TITLE - runs the blocks in one shell, and compares their output
run_blocks() {
	local block want

	rm -f "$W"/*
	blocks "$1"
	for block in "$W"/*.sh; do
		[[ -e $block ]] || fail "$1 has no commands"
		printf '{\n%s\n} >%q\n' "$(cat "$block")" "${block%.sh}.got"
	done >"$W/script"
	bash -eu "$W/script" || fail "a command of \"$1\" failed: $(cat "$W"/*.got)"
	for want in "$W"/*.out; do
		[[ -e $want ]] || continue
		block=${want%.out}
		# shellcheck disable=SC2053 # a pattern
		[[ $(words "$block.got") == $(words "$want" | sed 's/[][*?\\]/\\&/g; s/…/*/g') ]] ||
			fail "output of $block.sh: $(diff "$block.got" "$want")"
	done
}

# lacks NEEDS - prints what a recipe needs and this machine does not have
lacks() {
	local need

	for need in $1; do
		case $need in
		bridge-vlan) has_vlan_filtering || echo "bridge VLAN filtering" ;;
		redirect) has_redirect || echo "tc filter u32 with mirred" ;;
		tap) [[ -r /dev/net/tun && -w /dev/net/tun ]] || echo "/dev/net/tun that may be opened" ;;
		ifb | macvlan) has_kind "$need" || echo "interfaces of kind $need" ;;
		busybox-brctl) busybox brctl --help 2>/dev/null || [[ $(busybox --list) == *brctl* ]] || echo "brctl" ;;
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
		--dhcp-leasefile="$BATS_TEST_TMPDIR/leases" --pid-file="$BATS_TEST_TMPDIR/dnsmasq.pid" --user=root
}

# recipe TITLE - the network of the recipes, and then the recipe
recipe() {
	local mark lacking

	mark=$(section "$1" | sed -n 's/^<!-- run:* *\(.*\)-->$/\1/p')
	lacking=$(lacks "$(sed -n 's/.*needs \([^;]*\).*/\1/p' <<<"$mark")")
	[[ ! $lacking ]] || skip "this machine has no $lacking"
	W=$BATS_TEST_TMPDIR/blocks
	mkdir "$W" "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexec busybox brctl "$@"\n' >"$BATS_TEST_TMPDIR/bin/brctl"
	chmod +x "$BATS_TEST_TMPDIR/bin/brctl"
	export PATH=$CPLUG_BIN:$PATH:$BATS_TEST_TMPDIR/bin
	private_folder /etc/cni/net.d
	[[ $mark != *wire\ * ]] || wire "$(awk '{ print $NF }' <<<"$mark")"
	run_blocks "The network of these recipes"
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
