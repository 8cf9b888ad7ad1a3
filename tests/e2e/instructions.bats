#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# instructions: the cost of a call, independent of the machine's load
#
# The number of instructions hardly depends on the machine, unlike time.  It is counted from
# main() on, or from the start if there are no symbols (as in the release form).  Because it
# depends on compiler and libc, instructions.expected has a line for each known pair and verb:
#
#	COMPILER/LIBC/MACHINE VERB INSTRUCTIONS
#
# The test is skipped for others, and fails if a count exceeds its line by 5 %.  Record new
# lines with INSTRUCTIONS=record bats FILE, also if a count is far below its line.
load lib

CONF='{"cniVersion":"1.0.0","name":"count","type":"bridge","bridge":"cni0",
	"isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}]]},
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'

# built - prints compiler, C library and machine as the build tells them.  The program under test is asked
# only if it is called without the build: it must not decide whether to skip.
built() {
	local libc=glibc

	if [[ ${CPLUG_BUILT-} ]]; then
		printf '%s\n' "$CPLUG_BUILT"
		return
	fi
	! grep -q __asan_init "$CPLUG_BIN/bridge" || libc=sanitizers
	strings -a "$CPLUG_BIN/bridge" | grep -q GLIBC_ || libc=musl
	printf '%s\n' "$(strings -a "$CPLUG_BIN/bridge" | sed -n 's/^GCC: (\(.*\)) .*/\1/p' |
		sort -V | tail -n 1 | tr ' ' _)/$libc/$(uname -m)"
}

# count VERB - prints the number of instructions of one call
count() {
	local out=$BATS_TEST_TMPDIR/callgrind
	local -a from=()

	! nm "$CPLUG_BIN/bridge" 2>/dev/null | grep -q ' main$' || from=(--toggle-collect=main)
	# Of the environment only what a runtime sets: getenv() and strings cost by their sizes.
	printf '%s' "$CONF" | env -i PATH="$PATH" CNI_COMMAND="$1" CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH="$CPLUG_BIN" \
		valgrind --quiet --vgdb=no --tool=callgrind "${from[@]}" --callgrind-out-file="$out" \
		"$CPLUG_BIN/bridge" >/dev/null
	sed -n 's/^\(summary\|totals\): //p' "$out" | head -n 1
}

@test "instructions: ADD, DEL and VERSION take at most 5 % more instructions than recorded" {
	local expected=${BATS_TEST_DIRNAME}/instructions.expected who verb now limit failed=''

	[[ ! ${VMTEST-} ]] || skip "an emulated processor is too slow"
	type -P valgrind strings >/dev/null || skip "valgrind or strings is not installed"
	who=$(built)
	new_netns c1
	# Create the shared objects.
	add bridge "$CONF"
	cni DEL bridge "$CONF"
	[[ ${INSTRUCTIONS-} == record ]] || grep -q "^$who " "$expected" ||
		skip "no recorded counts for $who"
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
