# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2119,SC2120 # functions with optional arguments
#
# lib.bash - common functions of the end-to-end tests:  load lib
#
# Each test runs in its own namespaces (tests/tools/rig.bash, which also documents new_netns,
# world, ask, snapshot and others).  The tests call plugins directly, as a CNI runtime does:
#
#	new_netns c1
#	cni ADD bridge "$CONF"         # container c1, /run/netns/c1, eth0
#	ok                             # the plugin exited with 0
#	has '.ips[0].address == "10.1.0.2/24"'
#	cni DEL bridge "$CONF" c1 '' eth1
#	failed 7 'mtu'
#
# CPLUG_BIN is the folder of the plugins under test.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/tools/rig.bash
source "${BASH_SOURCE[0]%/*}/../tools/rig.bash"
# shellcheck source=tests/tools/assert.bash
source "$RIG_TOOLS/assert.bash"

CPLUG_TOP=$(cd "$RIG_TOOLS/../.." && pwd)
CPLUG_BIN=${CPLUG_BIN:-$CPLUG_TOP/bin}
export CPLUG_BIN

# Executes the bats process of this test again, in new namespaces.  Other bats processes,
# which only read the file (to list its tests, for example), are left alone.
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

# sanitizers_write_to PATH - reports go to PATH.PID, because some tests discard stderr
sanitizers_write_to() {
	export ASAN_OPTIONS=log_path=$1:exitcode=99
	export UBSAN_OPTIONS=log_path=$1:exitcode=99:print_stacktrace=1
	export LSAN_OPTIONS=exitcode=99
}

# raw COMMAND TYPE [ID [NETNS [IFNAME]]] - executes the plugin with the caller's streams
#
# Defaults: ID c1; NETNS (a name or a path, '' for none) the same as ID; IFNAME eth0.  Other
# variables (CNI_ARGS, CNI_TEST_…) come from the environment.
raw() {
	local id=${3-c1} netns

	netns=${4-$id}
	[[ ! $netns || $netns == */* ]] || netns=/run/netns/$netns
	CNI_COMMAND=$1 CNI_CONTAINERID=$id CNI_NETNS=$netns CNI_IFNAME=${5-eth0} \
		CNI_PATH=${CNI_PATH-$CPLUG_BIN} "$CPLUG_BIN/$2"
}

# cni COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - calls a plugin and records the outcome
#
# CONF is JSON, a file name, or - for standard input.  Sets status (exit status), output
# (stdout), errors (stderr) and error (msg of the error document).
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
	output=$(<"$BATS_TEST_TMPDIR/stdout")
	errors=$(<"$BATS_TEST_TMPDIR/stderr")
	error=
	if ((status)) && [[ $output =~ \"msg\":\ *\"([^\"\\]*)\" ]]; then
		error=${BASH_REMATCH[1]}
	elif ((status)); then
		error=$(jq -r '.msg // empty' <<<"$output" 2>/dev/null) || error=
	fi
	# bats shows this if the test fails.
	printf '%s %s %s -> %d\n' "$command" "$type" "$*" "$status"
	[[ ! $output ]] || printf '%s\n' "$output"
	[[ ! $errors ]] || printf 'stderr: %s\n' "$errors"
	((status != 99)) || fail "a sanitizer reported an error"
}

# sent COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - prints the netlink datagrams that a
# successful call sends, as strace shows them, one per line
sent() {
	local command=$1 type=$2 conf=$3 trace=$BATS_TEST_TMPDIR/trace

	shift 3
	# LeakSanitizer does not work under ptrace.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$command CNI_CONTAINERID=${1-c1} \
		CNI_NETNS=/run/netns/${2-${1-c1}} CNI_IFNAME=${3-eth0} CNI_PATH=$CPLUG_BIN \
		strace -qq -f -v -s 4096 -o "$trace" -e trace=sendto,sendmsg \
		"$CPLUG_BIN/$type" <<<"$conf" >"$BATS_TEST_TMPDIR/sent.out" ||
		fail "$command $type: $(cat "$BATS_TEST_TMPDIR/sent.out")"
	grep 'AF_NETLINK' "$trace" || :
}

# refused_del N TYPE CONF - DEL of c1 whose N-th request by sendto() fails; asserts that no address
# is free that c1 still has, and sets left to yes if c1 still has eth0
refused_del() {
	local leases

	status=0
	left=
	# LeakSanitizer does not work under ptrace.
	output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=DEL CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -qq -o /dev/null -e "inject=sendto:error=EIO:when=$1" \
		"$CPLUG_BIN/$2" <<<"$3") || status=$?
	in_ns c1 ip link show dev eth0 >/dev/null 2>&1 || return 0
	# shellcheck disable=SC2034 # for the caller
	left=yes
	((status == 1)) || fail "exit status $status, but eth0 is left"
	leases=$(grep -l '^c1' /var/lib/cni/networks/*/*) || fail "freed, after request $1 was refused"
	[[ $leases ]]
}

# faulty_add N FAULT TYPE CONF - ADD of c1 whose N-th request by sendto() meets the fault, as strace's option
# inject has it (error=ENOMEM, signal=KILL); true if there was one, so that ADD did not succeed.  The file
# requests has all requests.
faulty_add() {
	! ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 \
		CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace -qq -s 500 -o "$BATS_TEST_TMPDIR/requests" -e trace=sendto \
		-e "inject=sendto:$2:when=$1" "$CPLUG_BIN/$3" <<<"$4" >/dev/null 2>&1
}

# can_trace - true if strace is installed and allowed to trace
can_trace() {
	strace -o /dev/null true 2>/dev/null
}

# no_leak_check - the leak sanitizer does not work under ptrace
no_leak_check() {
	export ASAN_OPTIONS+=:detect_leaks=0
}

# host_allows JSON - writes /etc/cplug/cplug.conf, which is the test's own
host_allows() {
	[[ -d /etc/cplug ]] || private_folder /etc/cplug
	printf '%s\n' "$1" >/etc/cplug/cplug.conf
	chmod 644 /etc/cplug/cplug.conf
}

# ok - asserts that the last call succeeded
ok() {
	((status == 0)) || fail "exit status $status: $error"
}

# failed [CODE [PATTERN]] - asserts that the last call failed with one error document with
# this code, whose msg or details match PATTERN (grep -Ei)
failed() {
	local text

	((status == 1)) || fail "exit status $status, not 1"
	text=$(jq -rse 'select(length == 1) | .[0] | select((.code | type == "number") and (.msg | type == "string"))
		| .code, .msg, .details // ""' <<<"$output" 2>/dev/null) || fail "not one error object: $output"
	[[ ! ${1-} || ${text%%$'\n'*} == "$1" ]] || fail "not code $1: $output"
	[[ ! ${2-} ]] || grep -Eiq -- "$2" <<<"${text#*$'\n'}" ||
		fail "the error does not contain: $2"
}

# has FILTER - asserts that the last output is one JSON document for which FILTER (jq) is true
has() {
	json_holds "$1" <<<"$output" || fail "the result does not satisfy $1: $output"
}

# result FILTER - prints a part of the last output (jq -r)
result() {
	jq -r "$1" <<<"$output"
}

# with CONF FILTER - prints CONF after applying FILTER (jq)
with() {
	jq -c "$2" <<<"$1"
}

# chained CONF - prints CONF with the last output as its prevResult.  Without jq, which starts slowly,
# where the text of two objects can be joined.
chained() {
	if [[ $1 == '{'*:*'}' && $1 != *'"prevResult"'* && $output == '{'*'}' ]]; then
		printf '%s,"prevResult":%s}\n' "${1%\}}" "$output"
	else
		jq -c --argjson prev "$output" '.prevResult = $prev' <<<"$1"
	fi
}

# link NS IFNAME FILTER - asserts that FILTER (jq) is true for a link (ip -d -j link show)
link() {
	in_ns "$1" ip -d -j link show dev "$2" | json_holds ".[0] | $3" ||
		fail "$1: $2 does not satisfy $3: $(in_ns "$1" ip -d link show dev "$2")"
}

# no_link NS IFNAME - asserts that the namespace exists, and has no such link
no_link() {
	in_ns "$1" true || fail "$1 cannot be entered" || return 1
	! in_ns "$1" ip link show dev "$2" 2>/dev/null || fail "$1 still has $2"
}

# addresses NS IFNAME - prints global addresses with prefix length, sorted, on one line
addresses() {
	local json

	json=$(in_ns "$1" ip -j address show dev "$2") || return
	jq -r '[.[].addr_info[]? | select(.scope == "global") | "\(.local)/\(.prefixlen)"] | sort | join(" ")' \
		<<<"$json"
}

# route NS FILTER [ARGUMENT...] - asserts that FILTER (jq) is true for a route
# (ip -j route show ARGUMENT…)
route() {
	local ns=$1 filter=$2

	shift 2
	in_ns "$ns" ip -j route show "$@" | json_holds "any(.[]; $filter)" ||
		fail "$ns has no route with $filter: $(in_ns "$ns" ip route show "$@")"
}

# host_end - prints the name of the host's end of the veth pair, from the last result
host_end() {
	result '.interfaces[] | select(.sandbox == null and (.name | startswith("veth"))) | .name' | head -n1
}

# add TYPE CONF [ID [NETNS [IFNAME]]] - asserts that ADD succeeds
add() {
	cni ADD "$@"
	ok
}

# add_at_end NAME TYPE CONF ID - asserts that ADD succeeds in the moment in which container NAME dies
# without DEL: the kernel destroys its namespace some milliseconds later
add_at_end() {
	local bin=$BATS_TEST_TMPDIR/at-end name=$1

	shift
	mkdir -p "$bin"
	cat >"$bin/$1" <<-END
		#!/bin/bash
		exec 8<"/run/netns/$name"
		ip netns del "$name"
		exec 8<&-
		exec "$CPLUG_BIN/$1"
	END
	chmod +x "$bin/$1"
	local -x CNI_PATH=$CPLUG_BIN
	local -x CPLUG_BIN=$bin
	add "$@"
}

# del TYPE CONF [ID [NETNS [IFNAME]]] - asserts that DEL succeeds without output
del() {
	cni DEL "$@"
	ok
	[[ ! $output ]] || fail "DEL printed $output"
}

# lasts COMMAND... - runs the command; sets took (microseconds)
# shellcheck disable=SC2034  # the tests use it
lasts() {
	local from=${EPOCHREALTIME/[!0-9]/}

	"$@"
	took=$((${EPOCHREALTIME/[!0-9]/} - from))
}

# warm_up TYPE CONF - ADD and DEL of one container.  They leave the shared objects (bridge,
# its address, empty tables, forwarding), which later snapshots must not count as leaks.
warm_up() {
	new_netns warmup
	add "$1" "$2" warmup
	del "$1" "$2" warmup
	del_netns warmup
}

# ---- snapshots -------------------------------------------------------------

# remember [NAME] - saves a snapshot
remember() {
	snapshot >"$BATS_TEST_TMPDIR/${1-before}.snapshot"
}

# assert_same_snapshot [NAME] - asserts that nothing has changed since `remember NAME`
assert_same_snapshot() {
	snapshot >"$BATS_TEST_TMPDIR/now.snapshot"
	diff -U0 "$BATS_TEST_TMPDIR/${1-before}.snapshot" "$BATS_TEST_TMPDIR/now.snapshot" ||
		fail "something is left, or missing"
}

# assert_other_snapshot [NAME] - asserts that something has changed since `remember NAME`: what must be
# gone later is there
assert_other_snapshot() {
	snapshot >"$BATS_TEST_TMPDIR/now.snapshot"
	! diff -q "$BATS_TEST_TMPDIR/${1-before}.snapshot" "$BATS_TEST_TMPDIR/now.snapshot" >/dev/null ||
		fail "nothing has changed"
}

# each_change VERB PLUGIN CONF COMMAND... - runs ADD of c1 again and again, each time stopped after one
# undo record more, until it succeeds.  VERB: FAIL (ADD fails) or CRASH (ADD is killed).  The command
# runs after each; then the state must be that of "remember".  ADD has at least AT_LEAST (2) undo records.
each_change() {
	local verb=$1 plugin=$2 conf=$3 n

	shift 3
	for ((n = 1; n < 40; n++)); do
		export "CNI_TEST_${verb}_AT=$n"
		cni ADD "$plugin" "$conf"
		unset "CNI_TEST_${verb}_AT"
		((status)) || break
		[[ $verb == FAIL ]] || ((status > 128)) || fail "not killed: $status"
		"$@"
		assert_same_snapshot
	done
	((n > ${AT_LEAST:-2} && n < 40)) || fail "$n steps"
}

# unwinds PLUGIN CONF [DEL_CONF] - ADD that fails or is killed at any change leaves the state that it
# found: the failed one by itself, the killed one by DEL.  Ends after DEL.
unwinds() {
	remember
	each_change FAIL "$1" "$2" failed
	del "$1" "$2"
	assert_same_snapshot
	each_change CRASH "$1" "$2" del "$1" "${3-$2}"
	del "$1" "$2"
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
		# Lines "--PID-- WARNING" only say that valgrind does not know a system call.
		[[ $log != *.valgrind.* ]] || grep -q '^==' "$log" || continue
		cat "$log"
		fail "a sanitizer reported an error"
	done
}
