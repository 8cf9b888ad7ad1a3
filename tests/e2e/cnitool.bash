# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of lib.bash
#
# cnitool.bash - functions for tests of cnitool:  load lib; load cnitool

# net JSON [NAME] - writes a network configuration
net() {
	printf '%s' "$1" >"$NETCONFPATH/${2:-10-net}.conflist"
}

# slow_net - adds the network slow, with rates of 8 and 2.5 Mbit/s
slow_net() {
	net '{"cniVersion":"1.0.0","name":"slow","plugins":[{"type":"bridge","bridge":"br2","ipam":{"type":"host-local","subnet":"10.5.0.0/24"}},
		{"type":"bandwidth","ingressRate":8000000,"ingressBurst":80000,"egressRate":2500000,"egressBurst":80000}]}' 50-net
}

# tool ARGUMENT... - calls cnitool; sets status, output, errors
tool() {
	status=0
	"$CPLUG_BIN/cnitool" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	output=$(<"$BATS_TEST_TMPDIR/out")
	errors=$(<"$BATS_TEST_TMPDIR/err")
	printf 'cnitool %s -> %d\n%s\n%s\n' "$*" "$status" "$output" "$errors"
	((status != 99)) || fail "a sanitizer reported an error"
}

# plug NETNS [OPTION...] - creates a container and adds it to net1
plug() {
	new_netns "$1"
	tool add --quiet net1 "$@"
	ok
}

STEP=${SWEEP_TOOLS:-$CPLUG_TOP/build/default/tests/sweep}/step

# can_kill - skips the test if killed cannot be used
can_kill() {
	[[ -x $STEP ]] || skip 'the tracer is not built (make build/default/tests/sweep/step)'
}

# killed N ARGUMENT... - calls cnitool, which SIGKILL ends after its change number N; sets status: 137, or its own if
# there are fewer changes, which the file "steps" lists
killed() {
	status=0
	# LeakSanitizer does not work under a tracer.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$STEP" "$BATS_TEST_TMPDIR/steps" kill "$1" \
		"$CPLUG_BIN/cnitool" "${@:2}" 3>&- || status=$?
}

# settle N DONE VERB NET NETNS ARGUMENT... - after killed N: a restore, or the same command again unless it was done (DONE
# is not empty), and then a check; or nothing, so that del finds what the kill left
settle() {
	case $(($1 % 3)) in
	0) tool restore ;;
	1) [[ $2 ]] || tool "${@:3}" ;;
	2) return ;;
	esac
	[[ $2 && $(($1 % 3)) == 1 ]] || ok
	tool check "$4" "$5"
	ok
}
