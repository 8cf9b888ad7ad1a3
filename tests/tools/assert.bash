# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# assert.bash - assertions for bats files
#
# They return 1 and say why on stderr.  They also fail if the command or the input that they
# look at is missing: "$(command)" loses the exit status, and `jq -e` of jq 1.6 exits with 0
# without any input.

# fail TEXT - prints TEXT and fails
fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# is ACTUAL EXPECTED - asserts equality.  Use prints if a command is to print nothing.
is() {
	[[ $1 == "$2" ]] || fail "expected: $2"$'\n'"but it is: $1"
}

# contains TEXT PATTERN - asserts that PATTERN (grep -E) matches
contains() {
	grep -Eq -- "$2" <<<"$1" || fail "no $2 in: $1"
}

# contains_not TEXT PATTERN - asserts that PATTERN (grep -E) does not match
contains_not() {
	! grep -Eq -- "$2" <<<"$1" || fail "$2 is in: $1"
}

# prints EXPECTED COMMAND... - asserts that COMMAND succeeds and prints exactly EXPECTED
prints() {
	local expected=$1 actual status=0

	shift
	actual=$("$@") || status=$?
	((status == 0)) || fail "exit status $status: $*" || return 1
	is "$actual" "$expected"
}

# prints_not PATTERN COMMAND... - asserts that COMMAND succeeds and prints nothing that
# matches PATTERN (grep -E)
prints_not() {
	local pattern=$1 actual status=0

	shift
	actual=$("$@") || status=$?
	((status == 0)) || fail "exit status $status: $*" || return 1
	contains_not "$actual" "$pattern"
}

# json_holds FILTER [JQ-OPTION...] - succeeds if standard input is one JSON document for which
# FILTER (jq) is true
json_holds() {
	local filter=$1

	shift
	jq -se "$@" "length == 1 and (.[0] | $filter)" >/dev/null
}
