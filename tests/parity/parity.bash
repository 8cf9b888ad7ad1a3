# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2030,SC2031,SC2154 # each test is a process; variables of lib.bash
#
# parity.bash - calls the reference plugins (the distribution's containernetworking-plugins) and
# ours alike, and compares:  load ../e2e/lib; load parity

OURS=$CPLUG_BIN
for REFERENCE in /usr/lib/cni /usr/libexec/cni /opt/cni/bin ''; do
	[[ ! $REFERENCE || (-x $REFERENCE/bridge && ! -e $REFERENCE/cplug) ]] && break
done

prepare() {
	[[ $REFERENCE ]] || skip "the reference plugins are not installed"
	# Both find the same default route.
	world
}

# needs_kind KIND - skips the test if the kernel or the reference does not have it
needs_kind() {
	[[ -x $REFERENCE/$1 ]] || skip "the reference has no $1"
	has_kind "$1" || skip "this kernel has no $1 interfaces"
}

# by ours|reference - selects the plugins to call
by() {
	case $1 in
	ours) CPLUG_BIN=$OURS ;;
	reference) CPLUG_BIN=$REFERENCE ;;
	esac
}

# normal - prints the result without random values, and without the empty dns that some versions of
# the reference print
normal() {
	jq -S '
		(.interfaces[]? | .mac? | select(. != null and . != "00:00:00:00:00:00")) |= "MAC"
		| (.interfaces[]? | .name? | select(startswith("veth"))) |= "VETH"
		| if .dns == {} then del(.dns) else . end' <<<"$output"
}

# effects - prints links, addresses, routes, rules and forwarding of container and host, without the
# rulesets (nftables here, iptables there) and our additions (aliases, no DAD, ports at ::1)
effects() {
	snapshot | grep -E ': (address|route|rule.|neighbour|link) |sysctl net/(ipv4/ip_forward|ipv6/conf/all/forwarding):' |
		sed -E 's/ nodad true//; s/ protocol (boot|static|kernel)//; s/ ifalias .* kind/ kind/
			s/veth[0-9a-f]+/VETH/g; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g; s/ promiscuity [0-9]+//' |
		grep -v ' anycast \|local fd00.* dev br\|local ::1 dev br' | LC_ALL=C sort -u
}

# switched_on - prints the sysctls of the container that are 1, of those that the reference sets;
# those of IPv6 only if eth0 has an IPv6 address, because ours leaves them alone without
switched_on() {
	local version=4

	[[ $(addresses c1 eth0) != *::* ]] || version=46
	snapshot | grep -E "^c1: sysctl net/ipv[$version]/conf/eth0/(arp_notify|ndisc_notify|keep_addr_on_down|enhanced_dad):1\$" || :
}

# attached ours|reference CONF [CONF...] - ADD of a chain; writes result and effects to files
attached() {
	local whose=$1 conf

	shift
	by "$whose"
	for conf; do
		[[ ! ${output-} || $conf == "$1" ]] || conf=$(chained "$conf")
		add "$(jq -r .type <<<"$conf")" "$conf"
	done
	normal >"$BATS_TEST_TMPDIR/$whose.result"
	effects >"$BATS_TEST_TMPDIR/$whose.effects"
	switched_on >"$BATS_TEST_TMPDIR/$whose.switched-on"
}

# wipe - restores the host's state
wipe() {
	local link

	for link in $(ip -j link show type bridge | jq -r '.[].ifname // empty'); do ip link del "$link"; done
	in_ns c1 ip link del eth0 2>/dev/null || :
	nft flush ruleset
	rm -rf /var/lib/cni/*
	sysctl_set net/ipv4/ip_forward 0
	sysctl_set net/ipv6/conf/all/forwarding 0
	del_netns c1
	new_netns c1
}

# same CONF [CONF...] - asserts that ADD by the reference and ADD by ours have the same result
# and effects
same() {
	new_netns c1
	attached reference "$@"
	by reference
	wipe
	output=
	attached ours "$@"
	diff -u "$BATS_TEST_TMPDIR/reference.result" "$BATS_TEST_TMPDIR/ours.result" || fail "the results differ"
	diff -u "$BATS_TEST_TMPDIR/reference.effects" "$BATS_TEST_TMPDIR/ours.effects" || fail "the effects differ"
	# Ours may set more.
	LC_ALL=C prints '' comm -23 "$BATS_TEST_TMPDIR"/{reference,ours}.switched-on
}

# check_and_delete ours|reference CONF... - asserts that CHECK of the last plugin and DEL of all work
# on this side with an attachment that the other one made
check_and_delete() {
	local mine=$1 other=reference conf result i

	shift
	[[ $mine == ours ]] || other=ours
	new_netns c1
	by "$other"
	remember
	output=
	for conf; do
		[[ ! $output ]] || conf=$(chained "$conf")
		add "$(jq -r .type <<<"$conf")" "$conf"
	done
	result=$output
	by "$mine"
	cni CHECK "$(jq -r .type <<<"$conf")" "$(with "$conf" ".prevResult = $result")"
	ok
	for ((i = $#; i > 0; i--)); do
		del "$(jq -r .type <<<"${!i}")" "$(with "${!i}" ".prevResult = $result")"
	done
	assert_same_snapshot
}
