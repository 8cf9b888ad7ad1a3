#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# kills: SIGKILL at random instants
#
# tests/fault kills at system calls; random instants also hit the middle of one.  KILL_ROUNDS is
# the number of rounds: 40, in make soak 500.  After KILL_LIMIT seconds no new round starts.
load lib

ROUNDS=${KILL_ROUNDS:-$([[ ${VMTEST-} ]] && echo 15 || echo 40)}
LIMIT=${KILL_LIMIT:-300}

# A chain with every option that creates objects on the host.
BRIDGE='{"cniVersion":"1.1.0","name":"kills","type":"bridge","bridge":"cni0",
	"isDefaultGateway":true,"ipMasq":true,"macspoofchk":true,"resolvConf":"auto",
	"ipam":{"type":"host-local","subnet":"10.1.0.0/28"},"dns":{"nameservers":["192.0.2.53"]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"kills","type":"portmap",
	"capabilities":{"portMappings":true}}'
CAPACITY=12 # 14 addresses without those of the bridge and of "keep"

# portmap N PREVRESULT - prints its configuration, with ports of the N-th container
portmap() {
	local port=$((8000 + $1))

	printf '%s,"prevResult":%s,"runtimeConfig":{"portMappings":[' "${PORTMAP%\}}" "$2"
	printf '{"hostPort":%d,"containerPort":80,"protocol":"tcp"},' "$port"
	printf '{"hostPort":%d,"containerPort":53,"protocol":"udp"}]}}' "$port"
}

# killed VERB TYPE CONF ID - a call that is killed after a random time, unless it ends before
#
# Sets output and status.  Asserts that the call succeeds or is killed.
killed() {
	local after=$((RANDOM * 32768 + RANDOM))

	after=$((after % (TIME * 5 / 4)))
	status=0
	output=$(CNI_COMMAND=$1 CNI_CONTAINERID=$4 CNI_NETNS=/run/netns/$4 CNI_IFNAME=eth0 \
		CNI_PATH=$CPLUG_BIN timeout -s KILL "$(printf '0.%06d' "$after")" \
		"$CPLUG_BIN/$2" <<<"$3" 2>>"$BATS_TEST_TMPDIR/stderr") || status=$?
	((status == 0 || status == 137)) || fail "$*: exit status $status: $output"
	KILLED=$((KILLED + (status == 137)))
}

# killed_add ID N - ADD of both plugins, of which one may be killed
killed_add() {
	ADDS=$((ADDS + 1))
	if ((RANDOM % 2)); then
		killed ADD bridge "$BRIDGE" "$1"
		((status == 0)) || return 0
		((RANDOM % 2)) || return 0
	else
		output=$(raw ADD bridge "$1" <<<"$BRIDGE")
	fi
	killed ADD portmap "$(portmap "$2" "$output")" "$1"
}

# forgetful VERB ID - calls both plugins with the required arguments only
forgetful() {
	cni "$1" portmap "$PORTMAP" "$2" ''
	ok
	cni "$1" bridge "$BRIDGE" "$2" ''
	ok
}

prepare() {
	world
	warm_up bridge "$BRIDGE"
	new_netns timing
	lasts raw ADD bridge timing <<<"$BRIDGE" >/dev/null
	TIME=$took
	add portmap "$(portmap 999 '{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.9/28"}]}')" timing
	forgetful DEL timing
	del_netns timing
	KILLED=0 ADDS=0
	new_netns keep
	add bridge "$BRIDGE" keep
	link keep eth0 '.flags | any(. == "UP")'
	remember
}

# collect - GC of both plugins: only keep is valid
collect() {
	local valid='. + {"cni.dev/valid-attachments": [{"containerID": "keep", "ifname": "eth0"}]}'

	cni GC portmap "$(with "$PORTMAP" "$valid")" '' ''
	ok
	cni GC bridge "$(with "$BRIDGE" "$valid")" '' ''
	ok
}

# tell - prints the counts that tests/soak/run adds up
tell() {
	printf '# %s: %d\n' rounds "$rounds" 'kills survived' "$KILLED" ADDs "$ADDS" >&3
}

@test "kills: killed ADDs without DEL do not reduce the capacity of a /28" {
	local i rounds

	for ((i = 0; i < ROUNDS && SECONDS < LIMIT; i++)); do
		ip netns add "dead$i"
		killed_add "dead$i" "$i"
		ip netns del "dead$i"
		# On older kernels GC frees the leases.
		kernel_knows_netns || ((i % CAPACITY)) || collect
	done
	((KILLED > i / 10)) || fail "only $KILLED calls were killed"
	rounds=$i
	kernel_knows_netns || collect
	for ((i = 0; i < CAPACITY; i++)); do
		new_netns "c$i"
		ADDS=$((ADDS + 1))
		add bridge "$BRIDGE" "c$i"
		add portmap "$(portmap "$i" "$output")" "c$i"
	done
	http_server c7 80 seven
	contains "$(ask world tcp 203.0.113.1 8007)" 200
	for ((i = 0; i < CAPACITY; i++)); do
		forgetful DEL "c$i"
		del_netns "c$i"
	done
	collect
	assert_same_snapshot
	tell
}

@test "kills: DEL with the required arguments only cleans up after a killed ADD or DEL" {
	local i id rounds

	for ((i = 0; i < ROUNDS && SECONDS < LIMIT; i++)); do
		id=c$((i % 3))
		ip netns add "$id"
		killed_add "$id" "$i"
		if ((RANDOM % 2)); then
			killed DEL portmap "$PORTMAP" "$id"
			killed DEL bridge "$BRIDGE" "$id"
		fi
		((RANDOM % 2)) || ip netns del "$id"
		forgetful DEL "$id"
		forgetful DEL "$id"
		[[ ! -e /run/netns/$id ]] || ip netns del "$id"
		(((i + 1) % 20)) || assert_same_snapshot
	done
	wait_for "deletion of the last links" assert_same_snapshot
	((KILLED > i / 10)) || fail "only $KILLED calls were killed"
	rounds=$i
	tell
}
