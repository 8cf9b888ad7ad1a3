#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool pool: namespaces that are attached beforehand
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

# Kills at each STRIDE-th system call of give, fill and destroy; of take at each, or each third where the
# sanitizers make every call ten times as slow.
STRIDE=${POOL_STRIDE:-7} TAKE_STRIDE=1
if [[ ! ${POOL_STRIDE-} ]] && grep -q __asan_init "$CPLUG_BIN/cnitool"; then
	STRIDE=29 TAKE_STRIDE=3
fi
POOL=/run/cni/cplug/pool/net1
CHAIN='{"cniVersion":"1.1.0","name":"net1","plugins":[
	{"type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
		"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}},
	{"type":"portmap","capabilities":{"portMappings":true}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$CHAIN"
	# What the network leaves on the host is there before.
	plug warmup -p 9999:9
	tool del net1 warmup
	del_netns warmup
	remember
}

# slots STATE - prints how many slots are in the state
slots() {
	find "$POOL/$1" -type f | wc -l
}

# holds SIZE TAKEN - the pool is whole: SIZE free slots and TAKEN taken ones, each of them attached
# and its own, and nothing else
holds() {
	is "$(slots free) free, $(slots taken) taken, $(slots new) new" "$1 free, $2 taken, 0 new"
	is "$(find /run/netns -name 'net1-*' | wc -l)" "$(($1 + $2))"
	is "$(find /var/lib/cni/results -name 'net1-*' | wc -l)" "$(($1 + $2))"
	is "$(find /var/lib/cni/networks/net1 -name '10.*' | wc -l)" "$(($1 + $2))"
	is "$(ip -j link show type veth | jq '[.[] | select(.ifname | startswith("veth"))] | length')" "$(($1 + $2))"
}

# is_empty - destroys the pool, and with it goes all that it had
is_empty() {
	tool pool destroy net1
	ok
	is_gone
}

# is_gone - the pool is gone, and with it all that it had
is_gone() {
	[[ ! -e $POOL ]] || fail "there is still a pool"
	rmdir /run/cni/cplug/pool
	is "$(find /var/lib/cni/results -type f)" ''
	assert_same_snapshot
}

# take - takes a slot; sets slot
take() {
	tool pool take net1
	ok
	slot=$output
	[[ -e /run/netns/$slot ]] || fail "no namespace $slot"
}

@test "cnitool pool: slots are ordinary attachments, from create to destroy" {
	local first

	tool pool create net1 --size 3
	ok
	is "$output$errors" ''
	holds 3 0
	tool pool list
	ok
	is "$output" 'net1: 3 of 3 free, 0 taken'
	tool gc
	ok
	is "$output" ''
	holds 3 0
	nft flush ruleset
	tool restore
	ok
	take
	first=$slot
	sees "$slot" 10.1.0.1
	tool check net1 "$slot"
	ok
	tool publish net1 "$slot" 8080:80
	ok
	tool inspect net1 "$slot"
	ok
	take
	[[ $slot != "$first" ]]
	holds 1 2
	tool pool list --json net1
	ok
	has ".pools[0] | .network == \"net1\" and .size == 3 and (.free | length == 1) and (.taken | sort == ([\"$first\", \"$slot\"] | sort))"
	tool pool fill
	ok
	holds 3 2
	sees "$first" 10.1.0.1
	tool pool give net1 "$first"
	ok
	tool pool give net1 "/run/netns/$slot"
	ok
	holds 3 0
	[[ ! -e /run/netns/$first ]]
	tool pool take --json net1
	ok
	has '.network == "net1" and (.netns | startswith("/run/netns/net1-"))'
	slot=$(jq -r .netns <<<"$output")
	tool pool resize net1 --size 1
	ok
	holds 1 1
	tool pool destroy net1
	ok
	contains "$errors" '1 slots? of network "net1" stays? until (it is|they are) given back'
	holds 0 1
	sees "${slot##*/}" 10.1.0.1
	tool pool give net1 "$slot"
	ok
	is_gone
}

@test "cnitool pool: a slot whose namespace is deleted, or whose attachment is, is made anew" {
	tool pool create net1 --size 3
	ok
	take
	tool del net1 "$slot"
	ok
	ip netns del "$slot"
	ip netns del "$(find "$POOL/free" -type f -printf '%f\n' -quit)"
	# The one that is dead is not given out.
	take
	sees "$slot" 10.1.0.1
	tool pool fill net1
	ok
	holds 3 1
	tool pool give net1 "$slot"
	ok
	is_empty
}

@test "cnitool pool: what cannot be looked at is neither gone nor of size 0" {
	local error

	can_trace || skip "strace cannot trace"
	no_leak_check
	tool pool create net1 --size 2
	ok
	take
	for error in EIO ENOMEM; do
		strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -P "/run/netns/$slot" -e trace=access,faccessat,faccessat2 \
			-e inject=access,faccessat,faccessat2:error="$error":when=1 "$CPLUG_BIN/cnitool" pool fill net1
		contains "$(<"$BATS_TEST_TMPDIR/trace")" "$error .*INJECTED"
		holds 2 1
		strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -P "$POOL/size" -e trace=read,pread64 \
			-e inject=read,pread64:error="$error" "$CPLUG_BIN/cnitool" pool fill net1 || :
		contains "$(<"$BATS_TEST_TMPDIR/trace")" "$error .*INJECTED"
		holds 2 1
	done
	sees "$slot" 10.1.0.1
	tool pool give net1 "$slot"
	ok
	is_empty
}

@test "cnitool pool: a fill that waits while the pool is resized or destroyed does not undo it" {
	local holder pid size

	tool pool create net1 --size 2
	ok
	take
	for size in 1 ''; do
		# /proc/locks tells who waits for a process that lives.
		flock --no-fork "$POOL" sleep 300 </dev/null >/dev/null 2>&1 3>&- 4>&- &
		holder=$!
		wait_for "the holder" grep -q "FLOCK .* $holder " /proc/locks
		"$CPLUG_BIN/cnitool" pool fill net1 3>&- 4>&- &
		pid=$!
		wait_for "fill to wait for the lock" grep -q -- "-> FLOCK .* $pid " /proc/locks
		if [[ $size ]]; then
			echo "$size" >"$POOL/size"
		else
			# As destroy does, of a pool that has a taken slot.
			rm "$POOL/size"
		fi
		kill "$holder"
		wait "$pid"
		holds "${size:-0}" 1
	done
	tool pool give net1 "$slot"
	ok
	is_gone
}

@test "cnitool pool: takers at the same time get different slots, and none that is being made" {
	local i pids=()

	tool pool create net1 --size 20
	ok
	for ((i = 0; i < 20; i++)); do
		"$CPLUG_BIN/cnitool" pool take net1 >"$BATS_TEST_TMPDIR/taken.$i" 2>"$BATS_TEST_TMPDIR/wrong.$i" 3>&- &
		pids+=($!)
	done
	"$CPLUG_BIN/cnitool" pool fill net1 3>&- &
	pids+=($!)
	for i in "${pids[@]}"; do wait "$i" || fail "$(cat "$BATS_TEST_TMPDIR"/wrong.*)"; done
	is "$(cat "$BATS_TEST_TMPDIR"/taken.* | sort -u | wc -l)" 20
	tool pool fill
	ok
	holds 20 20
	while read -r slot; do
		"$CPLUG_BIN/cnitool" pool give net1 "$slot" 3>&- &
	done < <(cat "$BATS_TEST_TMPDIR"/taken.*)
	wait
	holds 20 0
	is_empty
}

@test "cnitool pool: what does not fit is told in a sentence" {
	local action

	for action in fill take destroy 'list' 'give x'; do
		# shellcheck disable=SC2086 # words
		tool pool ${action%% *} net1 ${action#"${action%% *}"}
		is "$status" 1
		contains "$errors" 'network "net1" has no pool: cnitool pool create net1 --size N'
	done
	tool pool list
	is "$status $output$errors" '0 '
	for size in '' 0x4 -1 10001 100000 1.5; do
		tool pool create net1 --size "$size"
		is "$status" 2
		contains "$errors" 'pool: expected --size N, from 0 to 10000'
	done
	tool pool create net1
	is "$status" 2
	tool pool create nonet --size 1
	is "$status" 1
	contains "$errors" 'no net(work)? .*nonet'
	for action in frobnicate 'take net1 x' create 'list net1 x' 'give net1'; do
		# shellcheck disable=SC2086 # words
		tool pool $action
		is "$status" 2
		contains "$errors" 'pool: expected create, resize, fill, take, give, list or destroy'
	done
	tool pool take ../etc
	contains "$errors" 'invalid characters found in network name'
	tool pool create net1 --size 1
	ok
	for name in x ../free/x c1; do
		tool pool give net1 "$name"
		is "$status" 1
		contains "$errors" "was not taken from the pool of network \"net1\""
	done
	take
	tool pool take net1
	is "$status" 1
	contains "$errors" 'the pool of network "net1" is empty: cnitool pool fill net1'
	# fill makes nothing in a pool of size 0.
	tool pool resize net1 --size 0
	ok
	tool pool take net1
	is "$status" 1
	contains "$errors" 'the pool of network "net1" has size 0: cnitool pool resize net1 --size N'
	tool pool resize net1 --size 1
	ok
	tool pool give net1 "$slot"
	ok
	# What cannot be printed is not taken.
	tool pool fill
	ok
	status=0
	"$CPLUG_BIN/cnitool" pool take net1 >/dev/full 2>/dev/null || status=$?
	is "$status" 1
	tool pool fill
	ok
	holds 1 0
	tool pool destroy net1
	ok
	# A network that is full: the slots that fit stay, and can be taken.
	net '{"cniVersion":"1.1.0","name":"small","plugins":[{"type":"bridge","bridge":"br2","ipam":{"type":"host-local","subnet":"10.2.0.0/29"}}]}' 20-net
	tool pool create small --size 20
	is "$status" 1
	contains "$errors" '(no|all) .*address'
	tool pool take small
	ok
	tool pool give small "$output"
	ok
	tool pool list small
	is "$output" 'small: 4 of 20 free, 0 taken'
	tool pool destroy small
	ok
	ip link del br2
	rmdir /run/cni/cplug/pool
	is "$(find /run/netns -name 'small-*')" ''
}

# struck N ARGUMENT... - cnitool; it and its processes are killed at their N-th system call.  Sets
# status and output
struck() {
	local n=$1

	shift
	status=0
	# LeakSanitizer does not work under a tracer.
	output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/calls" \
		-e inject=all:signal=KILL:when="$n" "$CPLUG_BIN/cnitool" "$@" 2>"$BATS_TEST_TMPDIR/err" 3>&-) || status=$?
}

# killed STRIDE COMMAND - COMMAND gets the number of a system call: each STRIDE-th of the longest
# process that it starts
killed() {
	local n calls

	"$2" 60000
	calls=$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/calls" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $1 }')
	echo "$2: $calls system calls"
	((calls > 20)) || fail "$2: only $calls system calls"
	for ((n = 1; n <= calls; n += $1)); do
		echo "$2: killed at $n"
		"$2" "$n"
	done
}

# Killed, a take has either printed a name, which is a taken slot's, or its slot is removed.
strike_take() {
	local name other result

	struck "$1" pool take net1
	name=$output
	result=$status
	other=$("$CPLUG_BIN/cnitool" pool take net1)
	[[ $other && $other != "$name" ]] || fail "two takers got $name"
	tool pool fill
	ok
	sees "$other" 10.1.0.1
	tool pool give net1 "$other"
	ok
	((result)) || [[ -e $POOL/taken/$name ]] || fail "$name was taken and is not there"
	if [[ $name && -e $POOL/taken/$name ]]; then
		tool pool give net1 "$name"
		ok
	fi
	holds 3 0
}

strike_give() {
	take
	struck "$1" pool give net1 "$slot"
	tool pool fill
	ok
	if [[ -e $POOL/taken/$slot ]]; then
		tool pool give net1 "$slot"
		ok
	fi
	holds 3 0
}

strike_fill() {
	take
	tool pool give net1 "$slot"
	ok
	struck "$1" pool fill net1
	tool pool fill
	ok
	holds 3 0
}

strike_destroy() {
	tool pool create net1 --size 2
	ok
	struck "$1" pool destroy net1
	tool pool create net1 --size 2
	ok
	holds 2 0
	tool pool destroy net1
	ok
}

@test "cnitool pool: killed at any system call, no slot is lost and none is given out twice" {
	can_trace || skip "strace cannot trace"
	tool pool create net1 --size 3
	ok
	killed "$TAKE_STRIDE" strike_take
	killed "$STRIDE" strike_give
	killed "$STRIDE" strike_fill
	tool pool destroy net1
	ok
	killed "$STRIDE" strike_destroy
	[[ ! -e $POOL ]]
	rmdir /run/cni/cplug/pool
	assert_same_snapshot
}

@test "cnitool pool: a folder, a FIFO or another namespace's name is no slot" {
	ip netns add victim
	tool pool create net1 --size 1
	ok
	mkdir "$POOL/free/victim" "$POOL/new/victim" "$POOL/new/net1-0123abcd" "$POOL/taken/victim"
	: >"$POOL/free/aaa"
	mkfifo "$POOL/free/net1-00000000"
	take
	contains "$slot" '^net1-[0-9a-f]{8}$'
	tool pool take net1
	is "$status" 1
	contains "$errors" 'the pool of network "net1" is empty'
	tool pool give net1 victim
	is "$status" 1
	tool pool give net1 "$slot"
	ok
	tool pool fill
	ok
	tool pool fill net1
	ok
	[[ -e /run/netns/victim ]]
	ip netns exec victim true
}

@test "cnitool pool: fill goes on after a file in the place of a pool, a network that fails, and a slot that fails" {
	tool pool create net1 --size 1
	ok
	for name in 10.9.0.2 lock last_reserved_ip.0; do
		: >"${POOL%/*}/$name"
	done
	take
	tool pool fill
	ok
	is "$(slots free)" 1
	tool pool list
	contains_not "$output" 'lock'
	# A network that is not configured any more.
	mkdir -p "${POOL%/*}/gone/"{new,free,taken} "${POOL%/*}/agone/"{new,free,taken}
	echo 1 | tee "${POOL%/*}/gone/size" >"${POOL%/*}/agone/size"
	take
	tool pool fill
	is "$status" 1
	contains "$errors" 'gone'
	is "$(slots free)" 1
	# A slot whose DEL fails: its namespace is gone, and an IPAM plugin of others refuses.
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/refuse" <<-'END'
		#!/bin/sh
		[ "$CNI_COMMAND" != DEL ] || exit 1
		echo {}
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/refuse"
	export CNI_PATH=$BATS_TEST_TMPDIR/bin:$CPLUG_BIN
	net "$(jq -c '.plugins += [{type: "refuse"}]' <<<"$CHAIN")"
	take
	tool pool fill net1
	ok
	ip netns del "$slot"
	take
	tool pool fill net1
	is "$status" 1
	contains "$errors" 'refuse'
	is "$(slots free)" 1
}

@test "cnitool pool: many slots are removed at a time, and one that fails is told" {
	local bin=$BATS_TEST_TMPDIR/bin

	# A DEL that ends when three others run at the same time, or fails after a while.
	mkdir "$bin" "$BATS_TEST_TMPDIR/here"
	cat >"$bin/gather" <<-END
		#!/bin/bash
		[ "\$CNI_COMMAND" = DEL ] || { echo {}; exit; }
		[ ! -e $bin/refused ] || [ "\$(cat $bin/refused)" != "\${CNI_NETNS##*/}" ] || exit 1
		: >$BATS_TEST_TMPDIR/here/\$CNI_CONTAINERID
		for ((n = 0; n < 100; n++)); do
			here=($BATS_TEST_TMPDIR/here/*)
			((\${#here[@]} < 4)) || exit 0
			sleep 0.1
		done
		exit 1
	END
	chmod +x "$bin/gather"
	export CNI_PATH=$bin:$CPLUG_BIN
	net "$(jq -c '.plugins += [{type: "gather"}]' <<<"$CHAIN")"
	tool pool create net1 --size 9
	ok
	tool pool resize net1 --size 5
	ok
	is "$(slots free) $(slots new)" '5 0'
	# The others are removed nevertheless.
	find "$POOL/free" -type f -printf '%f\n' | head -n1 >"$bin/refused"
	tool pool destroy net1
	is "$status" 1
	contains "$errors" 'gather'
	is "$(slots free) $(slots new)" '0 1'
	rm "$bin/refused"
	is_empty
}

@test "cnitool pool: one that was destroyed is gone with the last slot that is given back" {
	local first

	tool pool create net1 --size 2
	ok
	take
	first=$slot
	take
	tool pool destroy net1
	ok
	contains "$errors" '2 slots of network "net1" stay until they are given back, and then the pool is gone'
	tool pool give net1 "$first"
	ok
	tool pool list
	is "$output" "net1: 0 of 0 free, 1 taken: $slot"
	tool pool give net1 "$slot"
	ok
	tool pool list
	is "$output" ''
	is_gone
}

@test "cnitool pool: destroy while a slot is given back, and create while it destroys" {
	local bin=$BATS_TEST_TMPDIR/bin give create destroy

	# A DEL that waits, of one slot or of each.
	mkdir "$bin"
	cat >"$bin/linger" <<-END
		#!/bin/bash
		[ "\$CNI_COMMAND" = DEL ] || { echo {}; exit; }
		: >$bin/here
		while [[ -s $bin/wait && "\${CNI_NETNS##*/}" == \$(<$bin/wait) ]]; do sleep 0.1; done
	END
	chmod +x "$bin/linger"
	export CNI_PATH=$bin:$CPLUG_BIN
	net "$(jq -c '.plugins += [{type: "linger"}]' <<<"$CHAIN")"
	tool pool create net1 --size 2
	ok
	take
	echo "$slot" >"$bin/wait"
	"$CPLUG_BIN/cnitool" pool give net1 "$slot" &
	give=$!
	wait_for give test -e "$bin/here"
	tool pool destroy net1
	ok
	contains "$errors" '1 slots of network "net1" stay until they are given back, and then the pool is gone'
	rm "$bin/wait" "$bin/here"
	wait $give
	is_gone

	tool pool create net1 --size 1
	ok
	echo 'net1-*' >"$bin/wait"
	"$CPLUG_BIN/cnitool" pool destroy net1 &
	destroy=$!
	wait_for destroy test -e "$bin/here"
	"$CPLUG_BIN/cnitool" pool create net1 --size 2 &
	create=$!
	wait_for create eval "find /proc/$create/fd -lname $POOL | grep ."
	rm "$bin/wait"
	wait $destroy
	wait $create
	holds 2 0
	is_empty
}

@test "cnitool pool: slots that cannot be removed at the same time are removed one after the other" {
	local bin=$BATS_TEST_TMPDIR/bin

	# A DEL that fails beside another one, as where only few processes are allowed.
	mkdir "$bin"
	cat >"$bin/lonely" <<-END
		#!/bin/sh
		[ "\$CNI_COMMAND" = DEL ] || { echo {}; exit; }
		mkdir $bin/busy 2>/dev/null || exit 1
		sleep 0.2
		rmdir $bin/busy
	END
	chmod +x "$bin/lonely"
	export CNI_PATH=$bin:$CPLUG_BIN
	net "$(jq -c '.plugins += [{type: "lonely"}]' <<<"$CHAIN")"
	tool pool create net1 --size 9
	ok
	tool pool resize net1 --size 5
	ok
	is "$errors $(slots free) $(slots new)" ' 5 0'
	is_empty
}
