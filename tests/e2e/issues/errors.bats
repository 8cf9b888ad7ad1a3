#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Errors are meaningless, wrong, or not JSON.  (make check-fault makes every system call fail.)
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
WEB='.runtimeConfig.portMappings = [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]'

# tells CODE PATTERN - asserts that the last call failed with one document, and that its
# sentence ends with a remedy in parentheses
tells() {
	failed "$1" "$2"
	contains "$error" '\(.*\)$'
	((${#error} < 400)) || fail "the sentence is too long"
	# It is for people: no formatting mistakes, pointers or errno numbers.
	contains_not "$error" '%!|0x[0-9a-f]{6}|\berrno\b|\(null\)'
}

@test "errors: each names action, object, reason, owner and remedy" {
	warm_up bridge "$CONF"
	new_netns c1 c2
	# An interface.
	in_ns c1 ip link add eth0 type bridge
	cni ADD bridge "$CONF"
	tells 101 'container: add interface eth0: it exists already, kind bridge'
	in_ns c1 ip link del eth0
	# The namespace.
	cni ADD bridge "$CONF" c9 c9
	tells 8 '/run/netns/c9.*No such file or directory.*create'
	# A route, with the kernel's extended error.
	cni ADD bridge "$(with "$CONF" '.ipam.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.77"}]')"
	tells 100 'container: add route 192.0.2.0/24 via 203.0.113.77 on eth0: Network is unreachable \(Nexthop has invalid gateway\)'
	failed 100 'ipam.routes\[0\].gw: 203.0.113.77 is in no subnet of eth0 .give a gateway in one of them'
	# The bridge.
	ip link add br7 type veth peer name br8
	cni ADD bridge "$(with "$CONF" '.bridge = "br7"')"
	tells 102 'br7: the name belongs to an interface that is not a bridge but a veth .*choose another'
	# An address and its owner.
	add bridge "$(with "$CONF" "$WEB")"
	cni ADD bridge "$(with "$CONF" '.ipam.subnet = "10.9.0.0/24"')" c2
	tells 102 '"br1" already has an IP address different from 10.9.0.1/24: 10.1.0.1/24 \(remove it, set forceAddress'
	cni ADD bridge "$(with "$CONF" '.runtimeConfig.ips = ["10.1.0.3"]')" c2
	failed 104 '10.1.0.3.*container c1 \(eth0\) has it'
	# A port and its owner.
	cni ADD bridge "$(with "$CONF" "$WEB")" c2
	tells 105 'publish host port 8080/tcp: it belongs to net1/c1/eth0 .*choose another port'
	# The IPAM plugin.
	cni ADD bridge "$(with "$CONF" '.ipam.type = "nope"')" c2
	failed 106 "failed to find plugin \"nope\" in path \[$CPLUG_BIN\]"
	# A file.
	mount -t tmpfs -o ro tmpfs /var/lib/cni
	cni ADD bridge "$CONF" c2
	failed 112 '/var/lib/cni/networks.*Read-only file system'
}

@test "errors: a name conflict on the host is not attributed to the container" {
	new_netns c1
	ip link add web0 type bridge
	in_ns c1 ip link add other type bridge
	cni ADD bridge "$(with "$CONF" '.hostIfName = "web0"')"
	tells 102 'host: add interface web0: the name is in use'
}

@test "errors: the document has the specified keys and the configuration's cniVersion" {
	local version

	for version in 0.3.1 0.4.0 1.0.0 1.1.0; do
		cni ADD bridge "$(with "$CONF" ".cniVersion = \"$version\"")" c9 c9
		failed 8
		has "(keys - [\"details\"]) == [\"cniVersion\", \"code\", \"msg\"] and .cniVersion == \"$version\""
	done
}

# waiting - starts an ADD and returns when it waits for a lock; sets pid
waiting() {
	exec 9</var/lib/cni/networks/net1/lock
	flock 9
	printf '%s' "$CONF" >"$BATS_TEST_TMPDIR/conf"
	rm -f "$BATS_TEST_TMPDIR/err"
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		CNI_DEBUG=1 CNI_TEST_LOCK_TIMEOUT_MS=100000 "$CPLUG_BIN/bridge" <"$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 9<&- 3>&- 4>&- &
	pid=$!
	# This is the last step before the lock.
	wait_for "the ADD's last step before the lock" grep -q 'host: set veth.* up' "$BATS_TEST_TMPDIR/err"
}

@test "errors: a crash prints an error document with code 111, and DEL cleans up" {
	local sig

	warm_up bridge "$CONF"
	new_netns c1
	remember
	for sig in SEGV BUS ILL FPE ABRT; do
		waiting
		kill -$sig "$pid"
		status=0
		wait "$pid" || status=$?
		exec 9<&-
		((status > 128)) || fail "exit status $status"
		output=$(cat "$BATS_TEST_TMPDIR/out")
		jq -se 'length == 1 and .[0].code == 111 and (.[0].msg | test("crashed.*report"))' <<<"$output"
		# The trace shows the last steps.
		contains "$(cat "$BATS_TEST_TMPDIR/err")" 'add veth pair'
		del bridge "$CONF"
		assert_same_snapshot
	done
}

@test "errors: SIGTERM and a lock that is held print an error document, and nothing is left" {
	warm_up bridge "$CONF"
	new_netns c1
	remember
	waiting
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	exec 9<&-
	output=$(cat "$BATS_TEST_TMPDIR/out")
	failed 109 'interrupted by signal 15 \(Terminated\)'
	assert_same_snapshot
	flock /var/lib/cni/networks/net1/lock sh -c 'echo >/run/.rig/held; exec sleep 60' 3>&- 4>&- &
	pid=$!
	wait_for "the lock holder" test -e /run/.rig/held
	CNI_TEST_LOCK_TIMEOUT_MS=100 cni ADD bridge "$CONF"
	kill "$pid"
	failed 11 "lock /var/lib/cni/networks/net1/lock: held by process $pid \(flock\) for 0.1 seconds"
	assert_same_snapshot
}

@test "errors: CNI_DEBUG traces each step as a line of text or JSON" {
	new_netns c1
	CNI_DEBUG=json add bridge "$CONF"
	jq -se 'length > 10 and all(.[]; (.us | type == "number") and .plugin == "bridge"
		and .command == "ADD" and (.msg | length > 0))' <<<"$errors"
	CNI_DEBUG=1 cni DEL bridge "$CONF"
	contains "$errors" '^ *[0-9]+ us bridge DEL: '
}

@test "errors: a stack that is limited too far is named, and nothing is left" {
	if grep -q __asan_init "$CPLUG_BIN/bridge"; then skip "sanitizers need a larger stack"; fi
	warm_up bridge "$CONF"
	new_netns c1
	remember
	status=0
	output=$(
		ulimit -s 28 # of which the kernel takes up to 8 at random
		env -i CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 "CNI_PATH=$CPLUG_BIN" \
			"$CPLUG_BIN/bridge" <<<"$CONF"
	) || status=$?
	is "$status" 139
	has '.code == 111 and (.msg | test("raise the limit \\(ulimit -s\\)"))'
	del bridge "$CONF"
	assert_same_snapshot
}

@test "errors: a name that the kernel keeps for itself is told with the remedy" {
	local name

	new_netns c1
	for name in all default; do
		cni ADD bridge '{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"'$name'"}'
		failed 100 "add bridge $name: Invalid argument"
		failed 100 'the kernel keeps the names all and default for itself .choose another'
		cni ADD bridge '{"cniVersion":"1.1.0","name":"net1","type":"bridge"}' c1 c1 "$name"
		failed 100 'the kernel keeps the names all and default for itself .choose another'
		if has_tun; then
			cni ADD tap '{"cniVersion":"1.1.0","name":"net1","type":"tap"}' c1 c1 "$name"
			failed 100 "add $name: the kernel keeps the names all and default for itself .choose another"
		fi
		ip link add dev0 type veth peer name dev1
		cni ADD host-device '{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"dev0"}' c1 c1 "$name"
		failed 100 'the kernel keeps the names all and default for itself .choose another'
		ip link del dev0
	done
}

@test "errors: a device that cannot leave its namespace is told with the remedy" {
	new_netns c1
	ip link add dev0 type bridge
	remember
	cni ADD host-device '{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"dev0"}'
	failed 100 'the kernel lets no bridge, VRF or tunnel, for example, leave its namespace .select another device'
	assert_same_snapshot
}
