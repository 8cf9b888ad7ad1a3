#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# host-local: empty lease files, a lock that is held, and differences that CHECK misses.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge",
	"ipam":{"type":"host-local","subnet":"10.1.0.0/28"}}'
NET=/var/lib/cni/networks/net1

prepare() {
	ip netns add any # host-local only uses the path
}

# lease VERB ID [CONF] - calls host-local
lease() {
	cni "$1" host-local "${3-$CONF}" "$2" any
}

@test "host-local: lease files that a power failure left empty do not occupy addresses" {
	local i

	mkdir -p "$NET"
	for i in {2..14}; do : >"$NET/10.1.0.$i"; done
	for i in {2..14}; do
		lease ADD "c$i"
		ok
	done
	prints '' find "$NET" -name '10.*' -size 0
	lease ADD more
	failed 103
}

@test "host-local: ADD names the process that holds the lock, and succeeds after it was killed" {
	local holder

	lease ADD c1
	flock --no-fork "$NET/lock" sleep 300 </dev/null >/dev/null 2>&1 3>&- 4>&- &
	holder=$!
	wait_for "the holder" grep -q "FLOCK .* $holder " /proc/locks
	CNI_TEST_LOCK_TIMEOUT_MS=100 lease ADD c2
	failed 11 "held by process $holder"
	kill -KILL "$holder"
	lease ADD c2
	ok
}

@test "host-local: 150 parallel ADDs succeed with different addresses" {
	local i conf=${CONF/10.1.0.0\/28/10.1.0.0\/22}

	for i in {1..150}; do
		(
			exec 3>&- 4>&-
			raw ADD host-local "c$i" any <<<"$conf" >"$BATS_TEST_TMPDIR/out.$i" || :
		) &
	done
	wait
	is "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR"/out.* | grep -c '^10\.')" 150
	is "$(jq -r '.ips[0].address' "$BATS_TEST_TMPDIR"/out.* | sort | uniq -d)" ''
}

@test "host-local: CHECK reports a missing lease and a lease of another container" {
	lease ADD c1
	ok
	lease CHECK c1 "$(with "$CONF" '.prevResult = {cniVersion: "1.0.0", ips: [{address: "10.1.0.9/28"}]}')"
	failed 107 '10.1.0.9 is not leased'
	lease ADD c2
	lease CHECK c1 "$(chained "$CONF")"
	failed 107 '10.1.0.3 is leased to container c2'
}

@test "host-local: ADD of the same container again, after DEL, without DEL, and while it lives" {
	lease ADD c1
	ok
	# The runtime calls DEL.
	lease DEL c1
	ok
	lease ADD c1
	ok
	# The runtime does not call DEL, but the namespace is gone.
	kernel_knows_netns ||
		skip 'before Linux 6.18 liveness is known only in the initial PID namespace (reclaim.bats)'
	end_netns any
	ip netns add any
	lease ADD c1
	ok
	is "$(grep -l c1 "$NET"/10.* | wc -l)" 1
	# The container lives: the second ADD is an error.
	lease ADD c1
	failed 104 'duplicate allocation'
}

@test "host-local: ADD and STATUS report a range set whose ranges are all full" {
	local i conf

	conf=$(with "$CONF" '.ipam |= (del(.subnet) | .ranges = [[{subnet: "10.1.0.0/30"}, {subnet: "10.2.0.0/30"},
		{subnet: "10.3.0.0/30", rangeStart: "10.3.0.2", rangeEnd: "10.3.0.2"}]])')
	for i in 1 2 3; do
		lease ADD "c$i" "$conf"
		ok
	done
	lease ADD more "$conf"
	failed 103
	lease STATUS '' "$(with "$conf" '.cniVersion = "1.1.0"')"
	failed 50
}
