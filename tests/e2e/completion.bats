#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of cnitool's command line, which it tells the shells itself
load lib
load cnitool

SCRIPTS=$CPLUG_TOP/contrib/completion

setup() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir "$NETCONFPATH"
	net '{"cniVersion":"1.0.0","name":"web","plugins":[{"type":"bridge","bridge":"br1","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
	net '{"cniVersion":"1.0.0","name":"data","plugins":[{"type":"bridge","bridge":"br2","ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}]}' 20
	new_netns box other
}

# candidates WORD... - the words that cnitool tells, without what they are
candidates() {
	tool __complete "$@"
	ok
	is "$errors" ''
	candidates=$(cut -f 1 <<<"$output" | paste -sd ' ')
}

# offers WANTED WORD...
offers() {
	local wanted=$1

	shift
	candidates "$@"
	is "$candidates" "$wanted"
}

needs_shell() {
	type -P "$1" >/dev/null || skip "$1 is not installed"
	# What a completed line calls: it notes its words.
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/cnitool" <<-END
		#!/bin/bash
		[[ \$1 != __complete ]] || exec $CPLUG_BIN/cnitool "\$@"
		echo "\$*" >>$BATS_TEST_TMPDIR/ran
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/cnitool"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH HOME=$BATS_TEST_TMPDIR/home TERM=dumb
	mkdir -p "$HOME/folder"
	: >"$HOME/some.conflist"
	cd "$HOME" || return
}

# ran - the lines that were called; empties the list
ran() {
	ran=$(cat "$BATS_TEST_TMPDIR/ran")
	rm "$BATS_TEST_TMPDIR/ran"
}

# ---- what cnitool tells ----------------------------------------------------

@test "completion: verbs, also after options and help" {
	local verb help

	help=$("$CPLUG_BIN/cnitool" --help)
	candidates ''
	(($(wc -w <<<"$candidates") >= 16))
	for verb in $candidates; do
		contains "$help" "[ ]$verb( |\$)"
		tool "$verb" --help
		ok
	done
	contains "$output" 'usage:'
	tool __complete ''
	contains "$output" $'^add\tattach a network namespace'
	offers restore re
	offers restore --json re
	offers restore --net-conf-path /x re
	offers restore help re
	offers '' nonsense ''
	offers '' zz
}

@test "completion: the options of the verb, and what their values are" {
	local option

	tool del --help
	help=$output
	candidates del -
	for option in $candidates; do contains "$help" "$option( |\$)"; done
	is "$(wc -w <<<"$candidates")" "$(grep -c '^  -' <<<"$help")"
	offers '--cap-args --cache-dir' del --ca
	offers --dry-run gc --dry
	offers '' del --dry
	offers --net-conf-path --net
	offers :dir del --cache-dir ''
	offers :dir del web box --cache-dir=/var
	offers :dir --cache-dir ''
	offers :file install --conf=
	offers '' del --id ''
}

@test "completion: networks, in lists as well" {
	offers 'web data' add ''
	offers web status w
	offers 'web data' list ''
	offers 'web data' restore web ''
	offers 'web,web web,data' run web,
	offers 'data' run --name x d
	candidates run web ''
	is "$candidates" :command
	offers :command run web -- ''
	offers :file run web -- ls ''
	mkdir "$BATS_TEST_TMPDIR/empty"
	offers '' add --net-conf-path "$BATS_TEST_TMPDIR/empty" ''
	offers '' status web ''
}

@test "completion: namespaces; those of the network where it is attached" {
	candidates add web ''
	is "$(tr ' ' '\n' <<<"$candidates" | sort | paste -sd ' ')" 'box other'
	offers box attach web b
	offers :file add web /
	tool add -q web box
	ok
	tool add -q data other
	ok
	offers box del web ''
	offers other check data ''
	offers box detach --json web ''
	offers box inspect web ''
	offers other pool give data ''
	rm "$NETCONFPATH"/*
	offers 'data web' del ''
}

@test "completion: the ports that the container serves" {
	in_ns box socat TCP-LISTEN:8080,fork,reuseaddr /dev/null 3>&- &
	in_ns box socat -u UDP-RECV:5353 /dev/null 3>&- &
	# shellcheck disable=SC2016 # for eval
	wait_for "the services" eval '(($(in_ns box ss -Hltun | wc -l) == 2))'
	offers '8080:8080 5353:5353/udp' add web box -p ''
	offers '80:8080 80:5353/udp' add web box --publish 80:
	offers 127.0.0.1:80:8080 add web box -p 127.0.0.1:80:8
	offers --publish=8080:8080 add web box --publish=8
	offers '80:8080 80:5353/udp' publish web box 80:
	tool add -q web box --cap-args '{"portMappings":[{"hostPort":80,"containerPort":8080},
		{"hostPort":53,"containerPort":5353,"protocol":"udp"}]}'
	ok
	offers '80/tcp 53/udp' unpublish web box ''
	offers 53/udp unpublish web box 80 5
	offers "$(jq -r '.result.ips[].address | sub("/.*"; "")' /var/lib/cni/results/web-*-eth0 | paste -sd' ')" unassign web box ''
	tool del web box
	offers 'create resize fill take give list destroy' pool ''
	offers web pool take w
	offers '' add web other -p ''
	offers '' add web missing -p ''
	offers '' run web -p ''
}

@test "completion: plugin types and files" {
	offers dummy schema du
	offers :file validate ''
	offers 'text dot mermaid svg' graph --format ''
	offers --format=mermaid graph --format=m
	offers :dir install ''
	offers '' version ''
}

@test "completion: a name that a shell would interpret is not offered, and nothing hangs" {
	# shellcheck disable=SC2016 # no command
	for name in 'a b' '$(touch x)' 'a;b' "a'b" $'a\nb' 'a`b'; do
		: >"/run/netns/$name"
	done
	candidates add web ''
	is "$(tr ' ' '\n' <<<"$candidates" | sort | paste -sd ' ')" 'box other'
	printf '{' >"$NETCONFPATH/30.conflist"
	offers 'web data' add ''
	tool __complete
	ok
	offers 'web data' add --no-such-option ''
	offers --id add --id
	offers '' add --id ''
}

# ---- in the shells ---------------------------------------------------------

@test "completion: bash" {
	needs_shell bash
	# in_bash LINE - what is offered at the end of the line
	in_bash() {
		# shellcheck disable=SC2016 # of the inner shell
		bash --norc --noprofile -c 'source "$1"; COMP_WORDBREAKS=" :="
			COMP_LINE=$2 COMP_POINT=${#2}; _cnitool 2>/dev/null; echo "${COMPREPLY[*]}"' - "$SCRIPTS/cnitool.bash" "$1"
	}
	is "$(in_bash 'cnitool re')" restore
	is "$(in_bash 'cnitool add ')" 'web data'
	is "$(in_bash 'cnitool status --net-conf-path=')" folder
	is "$(in_bash 'cnitool install f')" folder
	contains "$(in_bash 'cnitool run web -- cni')" '(^| )cnitool( |$)'
	"$CPLUG_TOP/tests/tools/type-keys" "source $SCRIPTS/cnitool.bash\n"'cnitool vers\t\ncnitool add w\tb\t\ncnitool validate som\t\ncnitool gc --cache-dir=f\t\nexit\n' \
		bash --norc --noprofile -i
	ran
	is "$ran" $'version\nadd web box\nvalidate some.conflist\ngc --cache-dir=folder/'
}

@test "completion: zsh" {
	needs_shell zsh
	"$CPLUG_TOP/tests/tools/type-keys" "fpath=($SCRIPTS \$fpath); autoload -U compinit; compinit -u -D\n"'cnitool vers\t\ncnitool add w\tb\t\ncnitool validate som\t\ncnitool gc --cache-dir=f\t\nexit\n' \
		zsh -f -i
	ran
	# zsh removes the slash again.
	is "$ran" $'version\nadd web box\nvalidate some.conflist\ngc --cache-dir=folder'
}

@test "completion: fish" {
	needs_shell fish
	# in_fish LINE
	in_fish() {
		fish --no-config -c "source $SCRIPTS/cnitool.fish; complete -C '$1'" | cut -f 1 | paste -sd ' '
	}
	is "$(in_fish 'cnitool re')" restore
	is "$(in_fish 'cnitool add ' | tr ' ' '\n' | sort | paste -sd ' ')" 'data web'
	is "$(in_fish 'cnitool add w')" web
	is "$(in_fish 'cnitool add web b')" box
	is "$(in_fish 'cnitool install fo')" folder/
	is "$(in_fish 'cnitool validate som')" some.conflist
	contains "$(in_fish 'cnitool run web -- cnitoo')" cnitool
}

@test "completion: the scripts have no mistakes that the shells see" {
	bash -n "$SCRIPTS/cnitool.bash"
	! type -P zsh >/dev/null || zsh -n "$SCRIPTS/_cnitool"
	! type -P fish >/dev/null || fish --no-execute "$SCRIPTS/cnitool.fish"
}
