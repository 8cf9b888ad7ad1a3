#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool's help, and colours on a terminal
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

@test "help: one screen, each verb in one group, no line wider than a terminal" {
	local verb lines

	tool --help
	ok
	is "$errors" ''
	contains "$output" '^usage: cnitool \[OPTIONS\] VERB'
	(($(wc -l <<<"$output") <= 40)) || fail "more than 40 lines"
	is "$(awk 'length > 100' <<<"$output")" ''
	for verb in $("$CPLUG_BIN/cnitool" __complete '' | cut -f 1); do
		is "$(grep -c "^  $verb " <<<"$output")" 1
	done
	(($(grep -c '^[a-z ]*:$' <<<"$output") >= 3)) || fail "no groups"
	lines=$output
	tool help
	is "$output" "$lines"
	tool
	is "$status" 2
	is "$errors" "$lines"
}

@test "help: an unknown verb is one line" {
	tool bogus
	is "$status" 2
	is "$output" ''
	is "$errors" 'cnitool: unknown verb bogus: try cnitool --help'
	tool stauts net1
	is "$status" 2
	is "$errors" 'cnitool: unknown verb stauts (did you mean status?): try cnitool --help'
	tool help Ad
	is "$errors" 'cnitool: unknown verb Ad (did you mean add?): try cnitool --help'
}

# shown VARIABLES COMMAND... - what cnitool shows on a terminal
shown() {
	shown=$("$CPLUG_TOP/tests/tools/type-keys" '' env "$1" "${@:2}" | tr -d '\r') || :
	printf '%q\n' "$shown"
}

@test "colour: errors begin in red on a terminal" {
	local red=$'\e[1;31mcnitool:\e[0m'

	cd "$CPLUG_BIN"
	unset NO_COLOR
	shown TERM=xterm ./cnitool bogus
	is "$shown" "$red unknown verb bogus: try cnitool --help"
	shown TERM=xterm ./cnitool add nowhere nothing
	is "${shown%% no net*}" "$red"
	shown TERM=xterm ./cnitool add nowhere
	is "${shown%% add:*}" "$red"
	export TERM=xterm
	shown NO_COLOR= ./cnitool bogus
	is "$shown" "$red unknown verb bogus: try cnitool --help"
}

@test "colour: none with NO_COLOR, on a dumb terminal, in a pipe, and in JSON" {
	export TERM=xterm
	cd "$CPLUG_BIN"
	shown NO_COLOR=1 ./cnitool bogus
	is "$shown" 'cnitool: unknown verb bogus: try cnitool --help'
	unset NO_COLOR
	shown TERM=dumb ./cnitool bogus
	is "$shown" 'cnitool: unknown verb bogus: try cnitool --help'
	shown TERM= ./cnitool bogus
	is "$shown" 'cnitool: unknown verb bogus: try cnitool --help'
	tool bogus
	contains_not "$errors" $'\e'
	shown TERM=xterm ./cnitool add nowhere nothing --json
	contains_not "$shown" $'\e'
	contains "$shown" '"msg"'
	shown TERM=xterm ./cnitool add nowhere --json
	contains_not "$shown" $'\e'
	shown TERM=xterm ./cnitool --help
	contains_not "$shown" $'\e'
}
