#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# concurrency: parallel calls
#
# CONCURRENCY_ROUNDS is the number of rounds with 64 parallel containers: 3, in make soak 200.
# After CONCURRENCY_LIMIT seconds no new round starts.
load lib

ROUNDS=${CONCURRENCY_ROUNDS:-$([[ ${VMTEST-} ]] && echo 1 || echo 3)}
LIMIT=${CONCURRENCY_LIMIT:-300}
CONTAINERS=$([[ ${VMTEST-} ]] && echo 12 || echo 64)
NETWORKS=4
CHURN=${SOAK_TOOLS:-$CPLUG_TOP/build/default/tests/soak}/churn

# conf I [MORE] - prints the configuration of container I: one of several networks, its own ports
conf() {
	local net=$(($1 % NETWORKS)) port=$((7000 + $1))

	printf '{"cniVersion":"1.1.0","name":"net%d","type":"bridge","bridge":"br%d",' $net $net
	printf '"isDefaultGateway":true,"ipMasq":true,"macspoofchk":%s,' \
		"$( ((net)) && echo false || echo true)"
	printf '"ipam":{"type":"host-local","ranges":[[{"subnet":"10.9.%d.0/24"}],' $net
	printf '[{"subnet":"fd00:9:%d::/64"}]]},"capabilities":{"portMappings":true},' $net
	printf '"runtimeConfig":{"portMappings":[{"hostPort":%d,"containerPort":80,"protocol":"tcp"},' $port
	printf '{"hostPort":%d,"containerPort":53,"protocol":"udp"}]}%s}' $port "${2-}"
}

# start VERB I [MORE] - starts a call in the background, which writes its exit status to VERB.I
start() {
	local to=$BATS_TEST_TMPDIR/$1.$2 id=c$2

	[[ $1 != GC ]] || id=
	rm -f "$to"
	(
		exec 3>&- 4>&-
		if raw "$1" bridge "$id" <<<"$(conf "$2" "${3-}")" >"$to.out" 2>"$to.err"; then
			echo 0 >"$to"
		else
			echo $? >"$to"
		fi
	) &
}

# succeeded VERB I... - asserts that these calls succeeded
succeeded() {
	local verb=$1 i to

	shift
	for i; do
		to=$BATS_TEST_TMPDIR/$verb.$i
		[[ $(<"$to") == 0 ]] || fail "$verb c$i: $(cat "$to.out" "$to.err")"
	done
	CALLS=$((CALLS + $#))
	[[ $verb != ADD ]] || ADDS=$((ADDS + $#))
}

# prev_of I - prints its prevResult, as MORE
prev_of() {
	printf ',"prevResult":%s' "$(<"$BATS_TEST_TMPDIR/ADD.$1.out")"
}

all() {
	seq 0 $((CONTAINERS - 1))
}

# each REST - prints every other container, from 0 or from 1
each() {
	seq "$1" 2 $((CONTAINERS - 1))
}

# no_duplicates - asserts that no address was assigned twice
no_duplicates() {
	local twice

	twice=$(jq -r '.ips[].address' "$BATS_TEST_TMPDIR"/ADD.*.out | sort | uniq -d)
	[[ ! $twice ]] || fail "assigned twice: $twice"
}

# flush_now_and_then - flushes the ruleset three times
flush_now_and_then() {
	local i

	for i in 1 2 3; do
		nft flush ruleset
		sleep 0.05
	done
}

# bare - deletes all bridges and tables
bare() {
	local i

	for ((i = 0; i < NETWORKS; i++)); do
		! ip link show "br$i" >/dev/null 2>&1 || ip link del "br$i"
	done
	nft flush ruleset
}

round() {
	local i flushed=$1 valid

	for i in $(all); do start ADD "$i"; done
	((!flushed)) || flush_now_and_then
	wait_calls
	# shellcheck disable=SC2046  # words are wanted
	succeeded ADD $(all)
	no_duplicates
	# CHECK of one half, DEL of the other, and GC with the first half as valid attachments.
	valid=$(each 0 | jq -R '{containerID: "c\(.)", ifname: "eth0"}' | jq -cs .)
	for i in $(each 1); do start DEL "$i"; done
	((flushed)) || for i in $(each 0); do start CHECK "$i" "$(prev_of "$i")"; done
	for ((i = 0; i < NETWORKS; i++)); do
		start GC "$i" ",\"cni.dev/valid-attachments\":$valid"
	done
	wait_calls
	# shellcheck disable=SC2046  # words are wanted
	{
		succeeded DEL $(each 1)
		((flushed)) || succeeded CHECK $(each 0)
		succeeded GC $(seq 0 $((NETWORKS - 1)))
	}
	# DEL of the first half, ADD of the other.
	for i in $(all); do start "$( ((i % 2)) && echo ADD || echo DEL)" "$i"; done
	wait_calls
	# shellcheck disable=SC2046  # words are wanted
	{
		succeeded ADD $(each 1)
		succeeded DEL $(each 0)
	}
	for i in $(each 1); do start DEL "$i"; done
	wait_calls
	# shellcheck disable=SC2046  # words are wanted
	succeeded DEL $(each 1)
}

# wait_calls - waits for all background jobs except churn
wait_calls() {
	local pid

	for pid in $(jobs -pr); do
		[[ $pid == "${churn-}" ]] || wait "$pid"
	done
}

# churn_links - from now on, creates and deletes a thousand links a second on the host
churn_links() {
	[[ -x $CHURN ]] || skip "needs $CHURN (make check makes it)"
	"$CHURN" 1000 >"$BATS_TEST_TMPDIR/churn" 2>&1 </dev/null 3>&- 4>&- &
	churn=$!
}

stop_churn() {
	kill "$churn"
	wait "$churn" || fail "$(cat "$BATS_TEST_TMPDIR/churn")"
	echo "# churn: $(cat "$BATS_TEST_TMPDIR/churn")" >&3
	churn=
}

@test "concurrency: $CONTAINERS parallel ADD, CHECK, DEL and GC succeed and leave nothing, while links churn" {
	local i r

	CALLS=0 ADDS=0
	# Create what stays: forwarding, the folders of the leases.
	new_netns c0
	add bridge "$(conf 0)" c0
	link c0 eth0 '.flags | any(. == "UP")'
	del bridge "$(conf 0)" c0
	del_netns c0
	bare
	remember
	for i in $(all); do ip netns add "c$i"; done
	churn_links
	for ((r = 0; r < ROUNDS && SECONDS < LIMIT; r++)); do
		round $((r % 3 == 1))
		bare
	done
	stop_churn
	for i in $(all); do
		is "$(in_ns "c$i" ip -br link | cut -d' ' -f1)" lo
		ip netns del "c$i"
	done
	wait_for "deletion of the last link" assert_same_snapshot
	assert_same_snapshot
	printf '# %s: %d\n' rounds "$r" calls "$CALLS" ADDs "$ADDS" >&3
}

# ---- the lock ----

LOCAL='{"cniVersion":"1.1.0","name":"net1","type":"bridge",
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
LOCK=/var/lib/cni/networks/net1/lock

# hold_lock - starts a process that holds the lock; sets holder to its PID
hold_lock() {
	ip netns add any
	cni ADD host-local "$LOCAL" first any
	ok
	flock --no-fork "$LOCK" sleep 300 </dev/null >/dev/null 2>&1 3>&- 4>&- &
	holder=$!
	wait_for "the holder" grep -q "FLOCK .* $holder " /proc/locks
}

# waiters N - true if N processes wait for a lock
waiters() {
	[[ $(grep -c -- '-> FLOCK' /proc/locks) == "$1" ]]
}

@test "concurrency: waiting ADDs continue after the lock's holder was killed" {
	local i

	hold_lock
	for i in {1..8}; do
		(
			exec 3>&- 4>&-
			raw ADD host-local "w$i" any <<<"$LOCAL" >"$BATS_TEST_TMPDIR/w$i.out"
		) &
	done
	wait_for "eight waiting processes" waiters 8
	kill -KILL "$holder"
	wait
	is "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR"/w?.out | sort -u | wc -l)" 8
}

@test "concurrency: if the lock's holder is stopped, waiting calls name it, and continue when it ends" {
	hold_lock
	kill -STOP "$holder"
	for verb in ADD DEL; do
		CNI_TEST_LOCK_TIMEOUT_MS=200 cni $verb host-local "$LOCAL" w1 any
		failed 11 "held by process $holder \(sleep, stopped\) for 0.2 seconds"
	done
	(
		exec 3>&- 4>&-
		raw ADD host-local w2 any <<<"$LOCAL" >"$BATS_TEST_TMPDIR/w2.out"
	) &
	wait_for "a waiting process" waiters 1
	kill -TERM "$holder"
	kill -CONT "$holder"
	wait "$!"
	is "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR/w2.out")" 10.1.0.3/24
}

# ---- addresses and ports that move ----

# The old owner still has address and port in nftables, but neither lease nor link.
MOVING='{"cniVersion":"1.1.0","name":"move","type":"bridge","bridge":"cni0",
	"isDefaultGateway":true,"ipMasq":true,"onConflict":"replace",
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"},
	"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'

# add_moving ID - ADD with the address and the port
add_moving() {
	CNI_ARGS='IgnoreUnknown=1;IP=10.1.0.5' cni ADD bridge "$MOVING" "$1"
	ok
	has '.ips[0].address == "10.1.0.5/24"'
}

# release ID - DEL of the lease only
release() {
	cni DEL host-local "$MOVING" "$1"
	ok
}

@test "concurrency: DEL of the old owner leaves address and port of the new owner alone" {
	world
	new_netns a b
	add_moving a
	release a
	in_ns a ip link del eth0
	add_moving b
	CHECKED=$(chained "$MOVING")
	http_server b 80 b
	del bridge "$MOVING" a
	del bridge "$MOVING" a ''
	cni CHECK bridge "$CHECKED" b
	ok
	contains "$(ask world tcp 203.0.113.1 8080)" 200
	sees b 203.0.113.2 # masqueraded, because the world has no route back
	del bridge "$MOVING" b
	prints_not 10.1.0.5 nft list ruleset
}

@test "concurrency: DEL of the old owner during ADD of the new one leaves the new one alone" {
	local i old=a new=b deleting

	new_netns a b
	add_moving a
	for ((i = 0; i < 10 * ROUNDS && SECONDS < LIMIT / 5; i++)); do
		release "$old"
		in_ns "$old" ip link del eth0
		(
			exec 3>&- 4>&-
			raw DEL bridge "$old" <<<"$MOVING"
		) &
		deleting=$!
		((i % 2)) || sleep "0.00$((RANDOM % 10))"
		add_moving "$new"
		wait "$deleting" || fail 'DEL failed'
		cni CHECK bridge "$(chained "$MOVING")" "$new"
		ok
		[[ $old == a ]] && old=b new=a || old=a new=b
	done
	del bridge "$MOVING" "$old"
	del bridge "$MOVING" "$new"
	prints_not 10.1.0.5 nft list ruleset
}
