#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel walks a list of all network namespaces whose sysctls were opened in /proc, at each
# opening of a sysctl (lib/sys/procfs.h).  An ADD does not make a long list longer.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

sleep_at_least() {
	(($(pgrep -c -x sleep) >= $1))
}

# Opens a sysctl in /proc in this namespace, and in N newer ones, which live until the test ends.
fill_proc() {
	local i

	sysctl_get net/ipv6/conf/lo/accept_ra >/dev/null
	for ((i = 0; i < $1; i++)); do
		unshare --net bash -c 'read -r _ </proc/sys/net/ipv6/conf/lo/accept_ra && exec sleep infinity' \
			3>&- &
		echo "$!" >>"$BATS_TEST_TMPDIR/pids"
	done
	wait_for "the namespaces" sleep_at_least "$1"
}

teardown() {
	[[ ! -e $BATS_TEST_TMPDIR/pids ]] || xargs kill <"$BATS_TEST_TMPDIR/pids" || true
}

@test "slow proc: with many namespaces in /proc, an ADD sets sysctls elsewhere" {
	local trace=$BATS_TEST_TMPDIR/trace added

	can_trace || skip "strace may not trace here"
	! grep -q __asan_init "$CPLUG_BIN/cplug" || skip "LeakSanitizer does not work under strace"
	new_netns c1
	fill_proc 300
	added=$(CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 \
		CNI_PATH=$CPLUG_BIN strace -qq -e trace=openat,fsopen,fsmount -o "$trace" \
		"$CPLUG_BIN/bridge" <<<"$CONF")
	grep -q '^fsmount(.* = [0-9]' "$trace"
	run ! grep '"/proc/sys/net/ipv./conf/eth0/' "$trace"
	grep -q '"sys/net/ipv6/conf/eth0/accept_ra"' "$trace"
	for knob in accept_ra autoconf accept_dad; do
		is "$(in_ns c1 cat "/proc/sys/net/ipv6/conf/eth0/$knob")" 0
	done
	output=$added
	cni CHECK bridge "$(chained "$CONF")"
	ok
	del bridge "$CONF"
	# A read-only /proc/sys is respected all the same.
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	cni ADD bridge "$(with "$CONF" 'del(.isGateway)')"
	umount /proc/sys
	ok
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/autoconf)" 1
}
