#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# instructions: what a call costs, whatever the load of the machine
#
# Time depends on the machine and its mood; the number of instructions does not (from main()
# on, where it can be told: the release form has no symbols).  It does depend on the compiler and libc, so instructions.expected has lines
# for those we know:
#
#	COMPILER VERB INSTRUCTIONS
#
# and others are skipped.  A count 5 % above its line fails; one far below asks for
# a new line (instructions.expected is made by INSTRUCTIONS=record bats FILE).
load lib

CONF='{"cniVersion":"1.0.0","name":"count","type":"bridge","bridge":"cni0",
	"isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}]]},
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'

# compiler - the one that made the plugins, and the C library they use
compiler() {
	local libc=glibc

	strings -a "$CPLUG_BIN/bridge" | grep -q GLIBC_ || libc=musl
	printf '%s\n' "$(strings -a "$CPLUG_BIN/bridge" | sed -n 's/^GCC: (\(.*\)) .*/\1/p' |
		head -n 1 | tr ' ' _)/$libc/$(uname -m)"
}

# count VERB - the instructions of one call
count() {
	local out=$BATS_TEST_TMPDIR/callgrind
	local -a from=()

	! nm "$CPLUG_BIN/bridge" 2>/dev/null | grep -q ' main$' || from=(--toggle-collect=main)
	printf '%s' "$CONF" | CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 \
		CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN valgrind --quiet --vgdb=no --tool=callgrind \
		"${from[@]}" --callgrind-out-file="$out" "$CPLUG_BIN/bridge" >/dev/null
	sed -n 's/^\(summary\|totals\): //p' "$out" | head -n 1
}

@test "instructions: ADD, DEL and VERSION take no more than they did" {
	local expected=${BATS_TEST_DIRNAME}/instructions.expected who verb now limit failed=''

	[[ ! ${VMTEST-} ]] || skip "an emulated processor is too slow"
	type -P valgrind strings >/dev/null || skip "there is no valgrind, or no strings"
	! grep -q __asan_init "$CPLUG_BIN/bridge" || skip "the sanitizers count, too"
	who=$(compiler)
	new_netns c1
	# What is shared comes with the first.
	add bridge "$CONF"
	cni DEL bridge "$CONF"
	[[ ${INSTRUCTIONS-} == record ]] || grep -q "^$who " "$expected" ||
		skip "no counts for $who"
	for verb in VERSION ADD DEL; do
		now=$(count "$verb")
		if [[ ${INSTRUCTIONS-} == record ]]; then
			echo "$who $verb $now" >&3
			continue
		fi
		limit=$(awk -v who="$who" -v verb="$verb" '$1 == who && $2 == verb { print $3 }' "$expected")
		echo "$verb: $now instructions, expected $limit"
		((now <= limit * 105 / 100)) || failed=yes
	done
	[[ ! $failed ]]
}
