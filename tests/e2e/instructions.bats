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
# and for every plugin that this kernel can run, with the peak of its memory:
#
#	COMPILER/LIBC/MACHINE PLUGIN/VERB INSTRUCTIONS KIB
#
# The tests are skipped for others, and fail if a count exceeds its line by 5 %, or the memory by 64 KiB:
# the kernel maps more or fewer pages of the file around a fault.  Record new lines with
# INSTRUCTIONS=record bats FILE, also if a count is far below its line.
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

# call VERB CONF PROGRAM... - runs a plugin by PROGRAM.  Of the environment only what a runtime sets: getenv()
# and strings cost by their sizes.
call() {
	local verb=$1 conf=$2

	shift 2
	printf '%s' "$conf" | env -i PATH="$PATH" CNI_COMMAND="$verb" CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH="$CPLUG_BIN" "$@"
}

# count VERB PLUGIN CONF - prints the number of instructions of one call
count() {
	local out=$BATS_TEST_TMPDIR/callgrind
	local -a from=()

	! nm "$CPLUG_BIN/$2" 2>/dev/null | grep -q ' main$' || from=(--toggle-collect=main)
	call "$1" "$3" valgrind --quiet --vgdb=no --tool=callgrind "${from[@]}" --callgrind-out-file="$out" \
		"$CPLUG_BIN/$2" >"$BATS_TEST_TMPDIR/result"
	sed -n 's/^\(summary\|totals\): //p' "$out" | head -n 1
}

# can_count - skips the test where counts are not comparable; sets who and expected
can_count() {
	expected=${BATS_TEST_DIRNAME}/instructions.expected
	[[ ! ${VMTEST-} ]] || skip "an emulated processor is too slow"
	type -P valgrind strings >/dev/null || skip "valgrind or strings is not installed"
	who=$(built)
	[[ ${INSTRUCTIONS-} == record ]] || grep -q "^$who $1" "$expected" ||
		skip "no recorded counts for $who"
}

@test "instructions: ADD, DEL and VERSION take at most 5 % more instructions than recorded" {
	local expected who verb now limit failed=''

	can_count VERSION
	new_netns c1
	# Create the shared objects.
	add bridge "$CONF"
	cni DEL bridge "$CONF"
	for verb in VERSION ADD DEL; do
		now=$(count "$verb" bridge "$CONF")
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

# compare NAME INSTRUCTIONS KIB - records, or compares with what is recorded; sets failed
compare() {
	local max_instructions max_kib

	if [[ ${INSTRUCTIONS-} == record ]]; then
		echo "$who $*" >&3
		return
	fi
	read -r max_instructions max_kib < <(awk -v who="$who" -v name="$1" \
		'$1 == who && $2 == name { print $3, $4 }' "$expected") || max_instructions=0 max_kib=0
	echo "$1: $2 instructions, expected $max_instructions; $3 KiB, expected $max_kib"
	(($2 <= max_instructions * 105 / 100 && $3 <= max_kib + 64)) || failed=yes
}

# peak VERB PLUGIN CONF - prints the peak of the call's memory in KiB
peak() {
	call "$1" "$3" "$RIG_SERVERS/peak" "$CPLUG_BIN/$2"
}

# measured PLUGIN CONF - compares the verbs, and their memory
measured() {
	local verb new=${2/'"1.0.0"'/'"1.1.0"'}
	local -A instructions=() kib=() input=()

	# What the first call creates for all, as tables of nftables, is no part of the count.
	call ADD "$2" "$CPLUG_BIN/$1" >/dev/null
	call DEL "$2" "$CPLUG_BIN/$1"
	input=([ADD]=$2 [DEL]=$2 [STATUS]=$new
		[GC]="${new%\}},\"cni.dev/valid-attachments\":[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}]}")
	for verb in ADD CHECK STATUS GC DEL; do
		instructions[$verb]=$(count "$verb" "$1" "${input[$verb]}")
		[[ $verb != ADD ]] || input[CHECK]=$(jq -c --slurpfile result "$BATS_TEST_TMPDIR/result" \
			'.prevResult = $result[0]' <<<"$2")
		[[ $verb == ADD || $verb == DEL ]] || kib[$verb]=$(peak "$verb" "$1" "${input[$verb]}")
	done
	for verb in ADD DEL; do
		kib[$verb]=$(peak "$verb" "$1" "$2")
	done
	for verb in ADD CHECK STATUS GC DEL; do
		compare "$1/$verb" "${instructions[$verb]}" "${kib[$verb]}"
	done
}

@test "instructions: each verb of each plugin, and its memory, are as recorded" {
	local expected who failed='' base=''
	local ipam='"ipam":{"type":"host-local","ranges":[[{"subnet":"10.2.0.0/24"}]]}'
	local head='{"cniVersion":"1.0.0","name":"each"'

	can_count '[a-z]'
	need_server peak
	new_netns c1
	ip link add wire0 type veth peer name wire1
	ip link add nic0 type veth peer name nic1
	ip link set wire0 up
	ip link set wire1 up
	measured loopback "$head,\"type\":\"loopback\"}"
	measured static "$head,\"type\":\"x\",\"ipam\":{\"type\":\"static\",\"addresses\":[{\"address\":\"10.2.0.9/24\"}]}}"
	measured host-local "$head,\"type\":\"x\",$ipam}"
	measured ptp "$head,\"type\":\"ptp\",\"ipMasq\":true,$ipam}"
	measured host-device "$head,\"type\":\"host-device\",\"device\":\"nic0\",$ipam}"
	! has_kind macvlan || measured macvlan "$head,\"type\":\"macvlan\",\"master\":\"wire0\",$ipam}"
	[[ ! -c /dev/net/tun ]] || measured tap "$head,\"type\":\"tap\",$ipam}"

	# Behind a bridge, whose result they get.
	add bridge "$head,\"type\":\"bridge\",\"bridge\":\"each0\",\"isGateway\":true,$ipam}"
	base=$(jq -c . <<<"$output")
	measured portmap "$head,\"type\":\"portmap\",\"prevResult\":$base,\"runtimeConfig\":{\"portMappings\":[
		{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]}}"
	measured firewall "$head,\"type\":\"firewall\",\"backend\":\"nftables\",\"prevResult\":$base}"
	! has_kind ifb || measured bandwidth "$head,\"type\":\"bandwidth\",\"prevResult\":$base,
		\"ingressRate\":100000000,\"ingressBurst\":100000,\"egressRate\":100000000,\"egressBurst\":100000}"
	measured tuning "$head,\"type\":\"tuning\",\"prevResult\":$base,\"mtu\":1400,
		\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"}}"
	measured sbr "$head,\"type\":\"sbr\",\"prevResult\":$base}"
	[[ ! $failed ]]
}
