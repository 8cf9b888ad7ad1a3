# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of lib.bash
#
# cnitool.bash - what the tests of cnitool have in common (load it after lib)

# net JSON [NAME] - configures a network
net() {
	printf '%s' "$1" >"$NETCONFPATH/${2:-10-net}.conflist"
}

# tool ARGUMENT... - cnitool; sets status, output, errors
tool() {
	status=0
	"$CPLUG_BIN/cnitool" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out")
	errors=$(cat "$BATS_TEST_TMPDIR/err")
	printf 'cnitool %s -> %d\n%s\n%s\n' "$*" "$status" "$output" "$errors"
	((status != 99)) || fail "a sanitizer spoke"
}

# plug NETNS [OPTION...] - a container of net1
plug() {
	new_netns "$1"
	tool add --quiet net1 "$@"
	ok
}
