#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# group commit: DELs at the same time delete their links in one request
# shellcheck disable=SC2016,SC2030,SC2031 # eval expands; each test has a CONF of its own
load lib

LOCK=/run/cni/cplug/doomed.lock
STEP=${SWEEP_TOOLS:-$CPLUG_TOP/build/default/tests/sweep}/step
CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
MANY=$([[ ${VMTEST-} ]] && echo 6 || echo 20)

prepare() {
	warm_up bridge "$CONF"
	# As long as a slow machine needs.
	export CNI_TEST_LOCK_TIMEOUT_MS=60000
}

# hold - takes the lock of deletions; release gives it back
hold() {
	exec 7>>"$LOCK"
	flock 7
}

release() {
	exec 7>&-
}

# doomed - prints how many links are in a group of doomed ones
doomed() {
	ip -j link show | jq '[.[] | select((.group | tonumber? // 0) as $g | $g >= 1073741824 and $g < 1610612736)] | length'
}

are_doomed() {
	[[ $(doomed) == "$1" ]]
}

# start_del ID [COMMAND...] - DEL in the background, in the environment of COMMAND; its status goes to
# ID.status, its messages to ID.log
start_del() {
	local id=$1 netns=/run/netns/$1

	shift
	(
		exec 3>&- 4>&- 7>&-
		status=0
		CNI_DEBUG=1 CNI_COMMAND=DEL CNI_CONTAINERID=$id CNI_NETNS=$netns CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			"$@" "$CPLUG_BIN/bridge" <<<"$CONF" >/dev/null 2>"$BATS_TEST_TMPDIR/$id.log" || status=$?
		echo "$status" >"$BATS_TEST_TMPDIR/$id.status"
	) &
}

# ended ID STATUS - asserts that the DEL ended with this status
ended() {
	[[ $(<"$BATS_TEST_TMPDIR/$1.status") == "$2" ]] ||
		fail "$1: status $(cat "$BATS_TEST_TMPDIR/$1.status" "$BATS_TEST_TMPDIR/$1.log")"
}

@test "group commit: DELs that wait are all done by one request, and leave another attachment alone" {
	local i requests

	new_netns stays
	add bridge "$CONF" stays
	remember
	for ((i = 0; i < MANY; i++)); do
		new_netns "c$i"
		add bridge "$CONF" "c$i"
	done
	hold
	for ((i = 0; i < MANY; i++)); do start_del "c$i"; done
	wait_for "all links to be doomed" are_doomed "$MANY"
	release
	wait
	for ((i = 0; i < MANY; i++)); do
		ended "c$i" 0
		no_link "c$i" eth0
		del_netns "c$i"
	done
	assert_same_snapshot
	sees stays 10.1.0.1
	# A slow machine lets a holder go before all have joined it.
	requests=$(cat "$BATS_TEST_TMPDIR"/c*.log | grep -c 'delete the doomed group')
	((requests >= 1 && requests <= MANY / 3)) || fail "$requests requests for $MANY attachments"
	[[ $(stat -c '%a %U' "$LOCK") == '600 root' ]]
}

@test "group commit: a DEL waits for no other one that is stopped" {
	unset CNI_TEST_LOCK_TIMEOUT_MS
	new_netns c1
	add bridge "$CONF" c1
	new_netns c2
	add bridge "$CONF" c2
	hold
	del bridge "$CONF" c1
	no_link c1 eth0
	# What it has put into the group goes with it, too.
	remember
	del bridge "$CONF" c2
	no_link c2 eth0
	release
}

@test "group commit: DELs that are killed at any change, alone or with others waiting, lose nothing" {
	local n steps=1

	[[ -x $STEP ]] || skip 'the tracer is not built (make build/default/tests/sweep/step)'
	new_netns stays
	add bridge "$CONF" stays
	for n in c1 c2; do new_netns "$n"; done
	remember
	for ((n = 1; n <= steps; n++)); do
		add bridge "$CONF" c1
		add bridge "$CONF" c2
		hold
		# LeakSanitizer does not work under a tracer.
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 start_del c1 "$STEP" "$BATS_TEST_TMPDIR/steps" kill "$n"
		wait_for "c1 to wait or to be killed" eval '[[ -e $BATS_TEST_TMPDIR/c1.status ]] || are_doomed 1'
		start_del c2
		wait_for "c2 to wait" eval 'ip -j link show | grep -q group && [[ $(doomed) -ge 1 ]]'
		release
		wait
		ended c2 0
		no_link c2 eth0
		[[ $(<"$BATS_TEST_TMPDIR/c1.status") == 137 ]] && steps=$((n + 1))
		del bridge "$CONF" c1
		del bridge "$CONF" c2
		assert_same_snapshot
		rm -f "$BATS_TEST_TMPDIR"/c?.status
	done
	# At least the elements, the group, the link and the lease.
	((n > 5)) || fail "only $n steps: $(cat "$BATS_TEST_TMPDIR/steps")"
	sees stays 10.1.0.1
}

@test "group commit: CHECK finds a link that a killed DEL has left in the group, and repair saves it" {
	local before veth

	new_netns c1
	new_netns c2
	add bridge "$CONF" c2
	add bridge "$CONF" c1
	veth=$(host_end)
	CONF=$(chained "$CONF")
	hold
	# shellcheck disable=SC2016 # the inner shell's
	start_del c1 bash -c 'echo $$ >"$0"; exec "$@"' "$BATS_TEST_TMPDIR/pid"
	wait_for "c1 to be doomed" are_doomed 1
	kill -KILL "$(<"$BATS_TEST_TMPDIR/pid")"
	wait
	release
	cni CHECK bridge "$CONF" c1
	failed 107 "half deleted"
	CPLUG_REPAIR=1 cni CHECK bridge "$CONF" c1
	ok
	link - "$veth" '.group == "default"'
	# Its elements are there again, too.
	cni CHECK bridge "$CONF" c1
	ok
	before=$CONF
	CONF=$(with "$CONF" 'del(.prevResult)')
	hold
	start_del c2
	wait_for "c2 to be doomed" are_doomed 1
	release
	wait
	no_link c2 eth0
	cni CHECK bridge "$before" c1
	ok
	del bridge "$CONF" c1
}

@test "group commit: a damaged file of the lock, and none, are no obstacle" {
	unset CNI_TEST_LOCK_TIMEOUT_MS
	new_netns c1
	add bridge "$CONF" c1
	echo nonsense >"$LOCK"
	hold
	del bridge "$CONF" c1
	release
	no_link c1 eth0
	add bridge "$CONF" c1
	rm -rf /run/cni/cplug
	: >/run/cni/cplug
	del bridge "$CONF" c1
	no_link c1 eth0
	rm /run/cni/cplug
}
