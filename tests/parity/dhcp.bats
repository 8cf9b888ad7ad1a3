#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp: our plugin with the reference's daemon, and the reference's plugin, on the same server
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2153 # conditions for eval in single quotes; tests are subshells
load ../e2e/lib
load parity
load ../e2e/dhcp

prepare() {
	[[ $REFERENCE && -x $REFERENCE/dhcp ]] || skip "the reference's dhcp is not installed"
	need_dnsmasq
	lan
	dnsmasq_on lan
	mkdir -p /run/cni
	"$REFERENCE/dhcp" daemon >/run/daemon.log 2>&1 3>&- 4>&- &
	DAEMON=$!
	wait_for "the reference's daemon" listens_at /run/cni/dhcp.sock
}

# needs_release - skips the test if no server hears the RELEASE of the reference's daemon: versions that
# know CNI 1.1.0 send it from 0.0.0.0
needs_release() {
	by reference
	cni VERSION dhcp '{"cniVersion":"1.0.0"}'
	by ours
	[[ $output != *'"1.1.0"'* ]] || skip "no server hears the RELEASE of this version of the reference"
}

@test "dhcp: our plugin gets from the reference's daemon what the reference's plugin gets" {
	local theirs conf

	conf=$(with "$DHCP_CONF" '.cniVersion = "1.0.0"')
	new_netns c1
	by reference
	add bridge "$conf"
	theirs=$(normal)
	del bridge "$conf"
	by ours
	add bridge "$conf"
	is "$(normal | jq -S 'del(.routes[].priority)' | sed 's/"10.5.0.[0-9]*\/24"/ADDRESS/')" \
		"$(jq -S 'del(.routes[].priority)' <<<"$theirs" | sed 's/"10.5.0.[0-9]*\/24"/ADDRESS/')"
	has '.routes[0].priority == 7'
	route c1 '.dst == "default" and .gateway == "10.5.0.1" and .metric == 7'
	sees c1 10.5.0.1
}

@test "dhcp: the link is up before the reference's daemon asks, and there when it releases" {
	local conf

	needs_release
	for conf in "$DHCP_CONF" "$DHCP_MACVLAN"; do
		new_netns c1
		add "$(jq -r .type <<<"$conf")" "$conf"
		prints_not 'network is down' cat /run/daemon.log
		[[ $(leases | wc -l) == 1 ]]
		del "$(jq -r .type <<<"$conf")" "$conf"
		wait_for "the release" no_leases
		del_netns c1
	done
}

@test "dhcp: CHECK and GC with the reference's daemon say what cannot be known, and change nothing" {
	local conf before

	new_netns c1
	add bridge "$DHCP_CONF"
	before=$(leases)
	conf=$(chained "$DHCP_CONF")
	cni CHECK bridge "$conf"
	ok
	[[ $errors == *"is the reference's"* ]] || fail "no warning"
	cni GC bridge "$(with "$DHCP_CONF" '."cni.dev/valid-attachments" = []')"
	ok
	[[ $errors == *"is the reference's"* ]] || fail "no warning"
	cni STATUS bridge "$DHCP_CONF"
	ok
	is "$(leases)" "$before"
}

@test "dhcp: an ADD that fails later releases the lease" {
	needs_release
	new_netns c1
	CNI_TEST_FAIL_AT=2 cni ADD bridge "$DHCP_CONF"
	((status == 1))
	wait_for "the release" no_leases
}

# options HEX - prints the fixed part of a message without its transaction id, and its options, sorted,
# on one line.  The maximum size (57) and the padding are of newer versions of the reference alone.
options() {
	local hex=$1 at=480 code n value list=''

	while code=$((16#${hex:at:2})) && ((code != 255)); do
		n=$((16#${hex:at+2:2}))
		value=${hex:at+4:2*n}
		# Old versions of the reference list the codes in random order.
		((code != 55)) || value=$(fold -w2 <<<"$value" | sort | tr -d '\n')
		((code == 57)) || list+="$code=$value"$'\n'
		at=$((at + 4 + 2 * n))
	done
	echo "${hex:0:8} ${hex:16:464} $(sort -n <<<"$list" | tr '\n' ' ')"
}

# packets FOLDER - prints what the daemon of a suite sends for ADD of one container, at T1, and for DEL
packets() {
	local conf dump line

	conf=$(with "$DHCP_MACVLAN" '.cniVersion = "1.0.0" | .mac = "02:00:00:00:00:aa" | .ipam += {request: [{option: "121"}],
		provide: [{option: "12", fromArg: "K8S_POD_NAME"}, {option: "60", value: "vend"}]}')
	export CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAME=pod1'
	"$1/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- &
	DAEMON=$!
	wait_for "the daemon" listens_at /run/cni/dhcp.sock
	nsenter --net=/run/netns/lan -- tcpdump -lnxi eth0 --immediate-mode 'udp dst port 67' \
		>/run/dump 2>/run/dump.err 3>&- 4>&- &
	dump=$!
	wait_for "tcpdump" grep -q listening /run/dump.err
	new_netns c1
	CPLUG_BIN=$1
	cni ADD macvlan "$conf" >/run/add
	wait_for "DISCOVER, REQUEST and the renewal" eval '(($(grep -c "BOOTP/DHCP, Request" /run/dump) >= 3))'
	cni DEL macvlan "$conf" >/run/add
	wait_for "RELEASE" eval '(($(grep -c "BOOTP/DHCP, Request" /run/dump) >= 4))'
	kill "$dump" "$DAEMON"
	ip netns del c1
	rm -f /run/cni/dhcp.sock
	# The message begins behind 28 bytes of IP and UDP.
	awk '/BOOTP/ { print line; line = ""; next } /0x/ { for (i = 2; i <= NF; i++) line = line $i }
		END { print line }' /run/dump | cut -c57- | grep . |
		while read -r line; do options "$line"; done | sort -u
}

# renewal MESSAGES - prints the REQUEST that has a client address
renewal() {
	grep -E '^[0-9a-f]{8} 0{8}0a0500.* 53=03 ' <<<"$1"
}

@test "dhcp: DISCOVER, REQUEST, the renewal and RELEASE have the reference's fields and options" {
	local theirs ours

	command -v tcpdump >/dev/null || skip "tcpdump is not installed"
	setpriv --reuid 1 --regid 1 --clear-groups true || skip "tcpdump cannot change the user"
	kill "$DNSMASQ" "$DAEMON"
	rm -f /run/cni/dhcp.sock
	scripted lan 'lease=600 t1=2'
	theirs=$(packets "$REFERENCE")
	ours=$(packets "$OURS")
	[[ $(wc -l <<<"$theirs") == 4 && $theirs == *'55=010379'* ]]
	is "$(renewal "$ours" | cut -d' ' -f1,2)" "$(renewal "$theirs" | cut -d' ' -f1,2)"
	is "$(grep -vxF "$(renewal "$ours")" <<<"$ours")" "$(grep -vxF "$(renewal "$theirs")" <<<"$theirs")"
	# Version 1.1.1 sends 50 and 54, which RFC 2131 (4.3.6) forbids, and none of the others; 1.9.1 this:
	is "$(renewal "$ours" | tr -s ' ' | cut -d' ' -f3-)" '12=706f6431 53=03 55=010379 60=76656e64 61=0063312f6e6574322f65746830 '
}
