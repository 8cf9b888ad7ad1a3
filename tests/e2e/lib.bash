# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib.bash - what every end-to-end test starts from:  load lib
#
# Each test runs in namespaces of its own (tests/tools/rig.bash tells how, and
# what new_netns, world, ask, snapshot and the rest do).  A plugin is called by
# hand, as the CNI contract has it:
#
#	new_netns c1
#	cni ADD bridge "$CONF"         # for container c1, in /run/netns/c1, eth0
#	ok                             # it exited 0
#	has '.ips[0].address == "10.1.0.2/24"'
#	cni DEL bridge "$CONF" c1 '' eth1
#	failed 7 'mtu'
#
# CPLUG_BIN is the folder of the plugins under test.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/tools/rig.bash
source "$(dirname "${BASH_SOURCE[0]}")/../tools/rig.bash"

CPLUG_TOP=$(cd "$RIG_TOOLS/../.." && pwd)
CPLUG_BIN=${CPLUG_BIN:-$CPLUG_TOP/bin}
export CPLUG_BIN

# The process that is to run one test becomes the same in new namespaces.  (The
# file is also read by processes that only want to know its set-up functions.)
enter_test() {
	local -a self

	mapfile -d '' self </proc/$$/cmdline
	[[ ${self[*]} == *bats-exec-test* ]] || return 0
	if ! rig_is_inside; then
		rmdir "$BATS_TEST_TMPDIR"
		rig_exec "${self[@]}" >&3 3>&-
	fi
	rig_furnish
}
enter_test

# ---- calling a plugin ------------------------------------------------------

# The sanitizers' words must not get lost in a stream that nobody reads.
sanitizers_write_to() {
	export ASAN_OPTIONS=log_path=$1:exitcode=99
	export UBSAN_OPTIONS=log_path=$1:exitcode=99:print_stacktrace=1
	export LSAN_OPTIONS=exitcode=99
}

# raw COMMAND TYPE [ID [NETNS [IFNAME]]] - the plugin itself, with our streams
#
# ID is c1 unless given; NETNS a name or a path, and the container's id unless given
# ('' = none); IFNAME eth0.  CNI_ARGS, CNI_TEST_… and so on are taken from the
# environment.
raw() {
	local id=${3-c1} netns

	netns=${4-$id}
	[[ ! $netns || $netns == */* ]] || netns=/run/netns/$netns
	CNI_COMMAND=$1 CNI_CONTAINERID=$id CNI_NETNS=$netns CNI_IFNAME=${5-eth0} \
		CNI_PATH=${CNI_PATH-$CPLUG_BIN} "$CPLUG_BIN/$2"
}

# cni COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - a call, and what came of it
#
# CONF is JSON, or a file's name, or - for standard input.  Sets status, output
# (stdout), errors (stderr), and error (msg of a failure).
cni() {
	local command=$1 type=$2 conf=$3

	shift 3
	case $conf in
	-) cat ;;
	'{'* | '['*) printf '%s' "$conf" ;;
	*) cat -- "$conf" ;;
	esac >"$BATS_TEST_TMPDIR/stdin"
	status=0
	raw "$command" "$type" "$@" <"$BATS_TEST_TMPDIR/stdin" \
		>"$BATS_TEST_TMPDIR/stdout" 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/stdout")
	errors=$(cat "$BATS_TEST_TMPDIR/stderr")
	error=
	((status == 0)) || error=$(jq -r '.msg // empty' <<<"$output" 2>/dev/null) || error=
	# Shown by bats if the test fails.
	printf '%s %s %s -> %d\n' "$command" "$type" "$*" "$status"
	[[ ! $output ]] || printf '%s\n' "$output"
	[[ ! $errors ]] || printf 'stderr: %s\n' "$errors"
	((status != 99)) || fail "a sanitizer spoke"
}

# sent COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - what a call sends over netlink, a line of
# strace for each datagram.  The call must succeed.
sent() {
	local command=$1 type=$2 conf=$3 trace=$BATS_TEST_TMPDIR/trace

	shift 3
	# Nobody looks for leaks in a process that is being traced.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$command CNI_CONTAINERID=${1-c1} \
		CNI_NETNS=/run/netns/${2-${1-c1}} CNI_IFNAME=${3-eth0} CNI_PATH=$CPLUG_BIN \
		strace -qq -f -v -s 4096 -o "$trace" -e trace=sendto,sendmsg \
		"$CPLUG_BIN/$type" <<<"$conf" >"$BATS_TEST_TMPDIR/sent.out" ||
		fail "$command $type: $(cat "$BATS_TEST_TMPDIR/sent.out")"
	grep 'AF_NETLINK' "$trace" || :
}

# can_trace - is there an strace that may trace?
can_trace() {
	strace -o /dev/null true 2>/dev/null
}

# fail TEXT - the test has failed
fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# ok - the last call succeeded
ok() {
	((status == 0)) || fail "exit status $status: $error"
}

# failed [CODE [WORDS]] - the last call failed, with one JSON document that has
# this code and, in msg or details, these words (a pattern of grep -Ei)
failed() {
	((status == 1)) || fail "exit status $status, not 1"
	jq -se 'length == 1 and (.[0] | (.code | type == "number") and (.msg | type == "string"))' \
		<<<"$output" >/dev/null || fail "not one error object: $output"
	[[ ! ${1-} ]] || jq -e --argjson code "$1" '.code == $code' <<<"$output" >/dev/null ||
		fail "not code $1: $output"
	[[ ! ${2-} ]] || jq -r '.msg, .details // ""' <<<"$output" | grep -Eiq -- "$2" ||
		fail "not told: $2"
}

# has FILTER - the last output satisfies a filter of jq
has() {
	jq -e "$1" <<<"$output" >/dev/null || fail "the result does not satisfy $1: $output"
}

# result FILTER - a part of the last output
result() {
	jq -r "$1" <<<"$output"
}

# with CONF FILTER - CONF changed by a filter of jq
with() {
	jq -c "$2" <<<"$1"
}

# chained CONF - CONF with the last output as its prevResult
chained() {
	jq -c --argjson prev "$output" '.prevResult = $prev' <<<"$1"
}

# link NS IFNAME FILTER - does a link (as ip -d -j link shows it) satisfy a filter?
link() {
	in_ns "$1" ip -d -j link show dev "$2" | jq -e ".[0] | $3" >/dev/null ||
		fail "$1: $2 does not satisfy $3: $(in_ns "$1" ip -d link show dev "$2")"
}

# no_link NS IFNAME
no_link() {
	! in_ns "$1" ip link show dev "$2" 2>/dev/null || fail "$1 still has $2"
}

# addresses NS IFNAME - global addresses with prefix length, sorted, on one line
addresses() {
	in_ns "$1" ip -j address show dev "$2" |
		jq -r '[.[].addr_info[]? | select(.scope == "global") | "\(.local)/\(.prefixlen)"] | sort | join(" ")'
}

# route NS FILTER [ARGUMENT...] - is there a route (of ip -j route show ARGUMENT…)?
route() {
	local ns=$1 filter=$2

	shift 2
	in_ns "$ns" ip -j route show "$@" | jq -e "any(.[]; $filter)" >/dev/null ||
		fail "$ns has no route with $filter: $(in_ns "$ns" ip route show "$@")"
}

# is ACTUAL EXPECTED
is() {
	[[ $1 == "$2" ]] || fail "expected: $2"$'\n'"but it is: $1"
}

# contains TEXT WORDS (a pattern of grep -E)
contains() {
	grep -Eq -- "$2" <<<"$1" || fail "no $2 in: $1"
}

contains_not() {
	! grep -Eq -- "$2" <<<"$1" || fail "$2 is in: $1"
}

# host_end - the name of the host's end of the link, from the last result
host_end() {
	result '.interfaces[] | select(.sandbox == null and (.name | startswith("veth"))) | .name' | head -n1
}

# add TYPE CONF [ID [NETNS [IFNAME]]] - an ADD that must succeed
add() {
	cni ADD "$@"
	ok
}

# del TYPE CONF [ID [NETNS [IFNAME]]] - a DEL that must succeed, and say nothing
del() {
	cni DEL "$@"
	ok
	[[ ! $output ]] || fail "DEL said $output"
}

# warm_up TYPE CONF - one container comes and goes, so that what is shared and
# stays (the bridge, its address, empty tables, forwarding) is there
warm_up() {
	new_netns warmup
	add "$1" "$2" warmup
	del "$1" "$2" warmup
	del_netns warmup
}

# ---- snapshots -------------------------------------------------------------

# remember [NAME] - takes a snapshot
remember() {
	snapshot >"$BATS_TEST_TMPDIR/${1-before}.snapshot"
}

# assert_same_snapshot [NAME] - nothing has changed since
assert_same_snapshot() {
	snapshot >"$BATS_TEST_TMPDIR/now.snapshot"
	diff -U0 "$BATS_TEST_TMPDIR/${1-before}.snapshot" "$BATS_TEST_TMPDIR/now.snapshot" ||
		fail "something is left, or missing"
}

# ---- around each test ------------------------------------------------------

setup() {
	sanitizers_write_to "$BATS_TEST_TMPDIR/sanitizer"
	! declare -F prepare >/dev/null || prepare
}

teardown() {
	local log

	for log in "$BATS_TEST_TMPDIR"/sanitizer.*; do
		[[ -s $log ]] || continue
		# (There are system calls that valgrind does not know: "--PID-- WARNING".)
		[[ $log != *.valgrind.* ]] || grep -q '^==' "$log" || continue
		cat "$log"
		fail "a sanitizer spoke"
	done
}
