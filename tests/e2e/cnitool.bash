# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of lib.bash
#
# cnitool.bash - functions for tests of cnitool:  load lib; load cnitool

# net JSON [NAME] - writes a network configuration
net() {
	printf '%s' "$1" >"$NETCONFPATH/${2:-10-net}.conflist"
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
