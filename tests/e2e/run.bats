#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool run executes a command in a container with networks.
# shellcheck disable=SC2016,SC2030,SC2031 # scripts in single quotes; each test is a process
load lib

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	network net1 br1 10.1.0
	network net2 br2 10.2.0
}

# network NAME BRIDGE PREFIX - writes the configuration of a network
network() {
	jq -n --arg name "$1" --arg bridge "$2" --arg prefix "$3" '{cniVersion: "1.0.0", name: $name,
		plugins: [{type: "bridge", bridge: $bridge, isGateway: true, ipMasq: true,
			capabilities: {portMappings: true, ips: true, mac: true},
			dns: {nameservers: ["\($prefix).1"], search: ["\($name).test"], options: ["ndots:2"]},
			ipam: {type: "host-local", ranges: [[{subnet: "\($prefix).0/24"}]],
				routes: [{dst: "0.0.0.0/0"}]}}]}' >"$NETCONFPATH/$1.conflist"
}

# run_in NET ARGUMENT... - cnitool run; sets status, output, errors
run_in() {
	status=0
	"$CPLUG_BIN/cnitool" run "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out")
	errors=$(cat "$BATS_TEST_TMPDIR/err")
	printf 'cnitool run %s -> %d\n%s\n%s\n' "$*" "$status" "$output" "$errors"
	((status != 99)) || fail "a sanitizer reported an error"
}

container=

# background NET ARGUMENT... SCRIPT - starts SCRIPT by cnitool run, and waits until it runs; sets
# container to cnitool's PID
background() {
	rm -f "$BATS_TEST_TMPDIR/ready"
	"$CPLUG_BIN/cnitool" run "${@:1:$#-1}" -- bash -c "touch '$BATS_TEST_TMPDIR/ready'; ${*: -1}" \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	container=$!
	wait_for "the container" test -e "$BATS_TEST_TMPDIR/ready"
}

# ended - waits for the container of background; sets status, output, errors
ended() {
	status=0
	wait "$container" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out")
	errors=$(cat "$BATS_TEST_TMPDIR/err")
	printf -- '-> %d\n%s\n%s\n' "$status" "$output" "$errors"
}

# baseline [NET] - creates the shared objects of the networks, and saves a snapshot
baseline() {
	run_in "net1,net2${1+,$1}" true
	ok
	remember
}

nothing_is_left() {
	prints '' ls /run/netns
	prints '' find /var/lib/cni/results /var/lib/cni/runs -type f
	assert_same_snapshot
}

# rootfs - creates a root folder with busybox, and a symlink in /etc that leaves it
rootfs() {
	local busybox name

	busybox=$(type -P busybox) || skip "busybox is not installed"
	! ldd "$busybox" >/dev/null 2>&1 || skip "busybox is not static"
	mkdir -p "$BATS_TEST_TMPDIR/root/bin" "$BATS_TEST_TMPDIR/root/etc"
	cp "$busybox" "$BATS_TEST_TMPDIR/root/bin/busybox"
	for name in sh cat ls ip hostname id mount; do ln -s busybox "$BATS_TEST_TMPDIR/root/bin/$name"; done
	ln -s /outside "$BATS_TEST_TMPDIR/root/etc/resolv.conf"
}

# ---- the container ---------------------------------------------------------

@test "run: the command has interfaces, addresses, hostname and files in /etc, of which nothing is left" {
	baseline
	run_in net1,net2 --name web -- bash -c '
		ip -j address | jq -r ".[] | .ifname, (.addr_info[] | select(.scope == \"global\") | .local)"
		hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf'
	ok
	is "$output" "lo
eth0
10.1.0.3
eth1
10.2.0.3
web
web
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
10.1.0.3	web
10.2.0.3	web
nameserver 10.1.0.1
nameserver 10.2.0.1
search net1.test net2.test
options ndots:2"
	nothing_is_left
}

@test "run: the command has its own namespaces, /proc and /sys" {
	local kind hidden

	# Mounts of the machine's own /run/netns are hidden below the test's /run, but listed.
	hidden=$(mount | grep -c /run/netns/ || :)
	run_in net1 -- bash -c 'echo $$; ls /sys/class/net; readlink /proc/self/ns/{net,mnt,uts,ipc,pid,cgroup}; mount | grep -c /run/netns/'
	is "$(head -n 4 <<<"$output" | paste -sd ' ')" '2 bonding_masters eth0 lo' ||
		is "$(head -n 3 <<<"$output" | paste -sd ' ')" '2 eth0 lo'
	# And its own name.
	is "$(tail -n 1 <<<"$output")" $((hidden + 1))
	for kind in net mnt uts ipc pid cgroup; do
		contains "$output" "^$kind:"
		contains_not "$output" "$(readlink /proc/self/ns/$kind)"
	done
	# Mounts do not propagate to the host.
	run_in none -- mount -t tmpfs tmpfs /run
	ok
	[[ -d /run/netns ]]
}

@test "run: the names in /run/netns are namespaces, also its own, and those that are made later" {
	ip netns add early
	for _ in {1..10}; do
		run_in net1 --name own -- sh -c 'cd /run/netns && stat -f -c "%n %T" -- *'
		ok
		is "$output" $'cplug-own nsfs\nearly nsfs'
	done
	# ip looks up the name of the peer's namespace, and complains of a file that is no namespace.
	run_in net1 ip address show dev eth0
	is "$errors" ''
	background net1 "until test -e '$BATS_TEST_TMPDIR/made'; do sleep 0.05; done; stat -f -c %T /run/netns/late"
	ip netns add late
	touch "$BATS_TEST_TMPDIR/made"
	ended
	is "$output" nsfs
	ip netns del late
	ip netns del early
}

@test "run: the command reaches lo, the gateway and the world" {
	world
	run_in net1 -- bash -c 'ping -n -q -c 1 127.0.0.1 && ping -n -q -c 1 10.1.0.1 && ping -n -q -c 1 203.0.113.2'
	ok
	is "$(grep -c '1 received' <<<"$output")" 3
}

@test "run: a port is published while the command runs" {
	world
	background net1 -p 8080:80 -p 127.0.0.1:8081:80 --ip 10.1.0.77 --mac 02:00:00:00:00:77 \
		'exec socat TCP4-LISTEN:80,fork,reuseaddr SYSTEM:"read q; echo hello"'
	wait_for "the server" ask - tcp 10.1.0.77 80
	is "$(ask world tcp 203.0.113.1 8080)" hello
	is "$(ask - tcp 127.0.0.1 8081)" hello
	link "/proc/$(pgrep -ox socat)/ns/net" eth0 '.address == "02:00:00:00:00:77"'
	kill "$container"
	ended
	is "$status" 143
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "run: the command has the caller's environment, folder, input and output, which options change" {
	local out

	out=$(cd /tmp && FOO=1 GONE=2 "$CPLUG_BIN/cnitool" run none -e BAR=3 -e GONE -- \
		bash -c 'echo $FOO $BAR ${GONE-unset} $PWD; cat' <<<input)
	is "$out" "1 3 unset /tmp
input"
	run_in none -w /usr -- pwd
	is "$output" /usr
	run_in none -w /nonexistent -- pwd
	is "$status" 125
	run_in none hostname
	contains "$output" '^cplug-[0-9a-f]{8}$'
	run_in none --hostname other --name me -- hostname
	is "$output" other
}

@test "run: without a command executes $SHELL" {
	is "$(SHELL=/bin/sh "$CPLUG_BIN/cnitool" run none <<<'echo $0')" /bin/sh
}

@test "run: --rootfs: the command sees its root folder only, and symlinks in it do not lead outside" {
	rootfs
	baseline
	run_in net1 --rootfs "$BATS_TEST_TMPDIR/root" -- sh -c '
		ls / | grep -v ready; cat /etc/hosts; ls /sys/class/net; ip -o addr show eth0; echo x >/dev/null
		head -c 1 /dev/zero >/dev/full; ls -d /proc/2 /dev/pts /dev/shm; mount'
	contains "$output" "$(printf '^bin\ndev\netc\nproc\nsys$')"
	contains "$output" '^10.1.0.3	cplug-'
	contains "$output" 'inet 10.1.0.3/24'
	contains "$output" '^eth0$'
	contains "$output" '^/proc/2$'
	contains_not "$output" " on $BATS_TEST_TMPDIR"
	# The symlink in its /etc was not followed.
	[[ ! -e /outside ]]
	nothing_is_left
	run_in none --rootfs /nonexistent -- sh
	is "$status" 125
	contains "$errors" 'rootfs /nonexistent'
}

@test "run: --user: the command is root in a user namespace, with and without --rootfs" {
	rootfs
	baseline
	run_in net1 --user -- bash -c 'id -u; cat /proc/self/uid_map; ip -o -4 address show eth0; cat /etc/hostname; ip link add dummy0 type dummy 2>&1 || ip link set eth0 mtu 1400'
	ok
	contains "$output" 'inet 10.1.0.3/24'
	is "$(head -n 1 <<<"$output")" 0
	run_in net1 --user --rootfs "$BATS_TEST_TMPDIR/root" -- sh -c 'id; ls /sys/class/net; cat /proc/self/setgroups'
	ok
	contains "$output" uid=0
	contains "$output" deny
	nothing_is_left
}

# ---- networks --------------------------------------------------------------

@test "run: the network may be host, none, or that of another container" {
	run_in host -- readlink /proc/self/ns/net
	is "$output" "$(readlink /proc/self/ns/net)"
	run_in none -- ip -o link
	is "$(wc -l <<<"$output")" 1
	contains "$output" 'lo: <LOOPBACK,UP'
	background net1 --name first 'exec sleep 100'
	wait_for "sleep" pgrep -x sleep
	for other in first cplug-first /run/netns/cplug-first "$(pgrep -x sleep)"; do
		run_in "container:$other" -- ip -o -4 address show eth0
		contains "$output" 'inet 10.1.0.2/24'
	done
	kill "$container"
	ended
	run_in container:nothing true
	is "$status" 125
	contains "$errors" 'container:nothing: there is no network namespace'
	run_in host -p 80:80 true
	is "$status" 125
	contains "$errors" '-p cannot be honoured'
}

@test "run: --ip and --mac apply to the given network, or to the first with the capability" {
	jq '.plugins[0].capabilities = {}' "$NETCONFPATH/net1.conflist" >"$NETCONFPATH/net3.conflist"
	sed -i 's/net1/net3/; s/br1/br3/; s/10\.1\./10.3./' "$NETCONFPATH/net3.conflist"
	run_in net3,net1,net2 --ip 10.1.0.50 --ip net2=10.2.0.60 -- bash -c 'ip -o -4 address'
	ok
	contains "$output" 'eth1 .* 10.1.0.50/24'
	contains "$output" 'eth2 .* 10.2.0.60/24'
	run_in net1 --ip net3=10.3.0.9 true
	is "$status" 125
	contains "$errors" '"net3" is none of the networks asked for'
	run_in net3 --mac 02:00:00:00:00:01 true
	contains "$errors" 'no plugin of network "net3" declares the capability mac'
	run_in nothing true
	contains "$errors" 'no net configuration with name "nothing"'
	prints '' ls /run/netns
}

@test "run: if ADD to a network fails, the container is removed from those before it" {
	network bad br3 10.3.0
	cp "$NETCONFPATH/bad.conflist" "$BATS_TEST_TMPDIR/good.conflist"
	baseline bad
	jq '.plugins += [{type: "portmap", snat: "wrong"}]' "$BATS_TEST_TMPDIR/good.conflist" \
		>"$NETCONFPATH/bad.conflist"
	run_in net1,bad true
	is "$status" 125
	contains "$errors" 'plugin type="portmap" name="bad" failed \(add\): snat'
	nothing_is_left
	jq '.plugins += [{type: "missing"}]' "$BATS_TEST_TMPDIR/good.conflist" >"$NETCONFPATH/bad.conflist"
	run_in net1,bad true
	is "$status" 125
	contains "$errors" 'network "bad": failed to find plugin "missing"'
	nothing_is_left
}

@test "run: attach, check, detach and container: take the name of the running container" {
	baseline
	background net1 --name web 'sleep 1000'
	"$CPLUG_BIN/cnitool" attach -q net2 web -i eth5
	link cplug-web eth5 true
	"$CPLUG_BIN/cnitool" check net2 web --id web -i eth5
	run_in container:web ip link show eth5
	ok
	contains "$output" eth5
	"$CPLUG_BIN/cnitool" detach net2 web
	no_link cplug-web eth5
	kill "$container"
	ended
	nothing_is_left
}

@test "run: gc leaves a running container alone" {
	baseline
	background net1 --name web 'sleep 1000'
	snapshot >"$BATS_TEST_TMPDIR/running"
	run -0 "$CPLUG_BIN/cnitool" gc
	contains_not "$output" web
	snapshot | diff "$BATS_TEST_TMPDIR/running" -
	kill "$container"
	ended
	nothing_is_left
}

@test "run: fails if the container cannot be removed from its network, unless the command failed" {
	mkdir -p "$BATS_TEST_TMPDIR/fakes"
	printf '#!/bin/sh\n[ $CNI_COMMAND != ADD ] || { jq -c .prevResult; exit; }\n%s\n' \
		'echo "{\"code\":77,\"msg\":\"not now\"}"; exit 1' >"$BATS_TEST_TMPDIR/fakes/stuck"
	chmod +x "$BATS_TEST_TMPDIR/fakes/stuck"
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR/fakes
	jq '.name = "net3" | .plugins += [{type: "stuck"}]' "$NETCONFPATH/net1.conflist" >"$NETCONFPATH/net3.conflist"
	run_in net3 -- echo finished
	is "$status" 125
	is "$output" finished
	contains "$errors" 'not now.*cnitool gc will try again'
	run_in net3 -- bash -c 'exit 7'
	is "$status" 7
	contains "$errors" 'not now.*cnitool gc will try again'
}

@test "run: gc and list know that the container lives, and leave it alone" {
	baseline
	background net1 --name web 'sleep 1000'
	link cplug-web eth0 true
	prints '' "$CPLUG_BIN/cnitool" gc net1
	link cplug-web eth0 true
	"$CPLUG_BIN/cnitool" list net1 --json | json_holds '.networks[0].attachments | length == 1 and .[0].alive'
	kill "$container"
	ended
	nothing_is_left
}

@test "run: interfaces that were attached meanwhile are removed, too" {
	baseline
	background net1 --name web 'exec sleep 100'
	wait_for "sleep" pgrep -x sleep
	"$CPLUG_BIN/cnitool" attach net2 "$(pgrep -x sleep)" --ip 10.2.0.99 -q
	"$CPLUG_BIN/cnitool" attach net2 cplug-web -q
	is "$(addresses cplug-web eth1)" 10.2.0.99/24
	is "$(find /var/lib/cni/results -name 'net2-web-*' | wc -l)" 2
	"$CPLUG_BIN/cnitool" detach net2 cplug-web -i eth2
	no_link cplug-web eth2
	kill "$container"
	ended
	nothing_is_left
}

# ---- exit and signals ------------------------------------------------------

@test "run: returns the command's exit status, or 125 to 127 if it was not executed" {
	local code

	for code in 0 1 7 255; do
		run_in none -- bash -c "exit $code"
		is "$status" $code
	done
	run_in none -- bash -c 'kill -9 $$'
	is "$status" 137
	run_in none -- bash -c 'kill -TERM $$'
	is "$status" 143
	run_in none -- /nonexistent
	is "$status" 127
	contains "$errors" 'cannot run /nonexistent: No such file'
	run_in none -- /etc/passwd
	is "$status" 126
	run_in none --bogus
	is "$status" 125
}

@test "run: passes signals on to the command" {
	local sig

	baseline
	for sig in TERM INT HUP QUIT USR1 USR2; do
		rm -f "$BATS_TEST_TMPDIR/set"
		background net1 "trap 'echo $sig; exit 5' $sig; touch '$BATS_TEST_TMPDIR/set'
			while :; do sleep 0.05; done"
		wait_for "the trap" test -e "$BATS_TEST_TMPDIR/set"
		kill -"$sig" "$container"
		ended
		is "$output" "$sig"
		is "$status" 5
	done
	nothing_is_left
}

@test "run: SIGTERM during ADD leaves nothing" {
	network slow br3 10.3.0
	cp "$NETCONFPATH/slow.conflist" "$BATS_TEST_TMPDIR/fast.conflist"
	baseline slow
	mkdir "$BATS_TEST_TMPDIR/plugins"
	printf '#!/bin/sh\n[ $CNI_COMMAND != ADD ] || { touch %s/begun; exec sleep 100; }\n' "$BATS_TEST_TMPDIR" \
		>"$BATS_TEST_TMPDIR/plugins/slow"
	chmod +x "$BATS_TEST_TMPDIR/plugins/slow"
	jq '.plugins += [{type: "slow"}]' "$BATS_TEST_TMPDIR/fast.conflist" >"$NETCONFPATH/slow.conflist"
	CNI_PATH=$CNI_PATH:$BATS_TEST_TMPDIR/plugins "$CPLUG_BIN/cnitool" run net1,slow true \
		>"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	container=$!
	wait_for "the slow plugin" test -e "$BATS_TEST_TMPDIR/begun"
	kill "$container"
	ended
	is "$status" 125
	contains "$errors" 'interrupted by signal 15'
	nothing_is_left
}

@test "run: SIGKILL also ends the command, and gc removes the rest" {
	baseline
	# gc also removes the empty table.
	nft delete table inet cplug
	remember
	background net1,net2 --name web 'exec sleep 100'
	kill -9 "$container"
	ended
	wait_for "the end of the command" bash -c '! pgrep -x sleep'
	"$CPLUG_BIN/cnitool" list
	"$CPLUG_BIN/cnitool" list | grep -c 'web .*gone' | grep -qx 2
	output=$("$CPLUG_BIN/cnitool" gc)
	is "$output" "removed eth0 of web on network net1: the cnitool run of its container was killed
removed eth1 of web on network net2: the cnitool run of its container was killed"
	nothing_is_left
}

@test "run: a name is in use while its container runs, and free after SIGKILL" {
	baseline
	for _ in 1 2; do
		background net1 --name web 'exec sleep 100'
		run_in net1 --name web true
		is "$status" 125
		contains "$errors" 'a container named web is running'
		kill -9 "$container"
		ended
	done
	run_in net1 --name web true
	ok
	nothing_is_left
}

@test "run: reaps orphans, and kills all processes when the command ends" {
	# kill also finds a zombie.
	background net1 "orphan=\$(sleep 0.05 >/dev/null & echo \$!)
		while kill -0 \$orphan && ((SECONDS < $RIG_DEADLINE)); do :; done 2>/dev/null
		kill -0 \$orphan 2>/dev/null || echo reaped
		(setsid sleep 200 >/dev/null 2>&1 &)"
	ended
	is "$status" 0
	is "$output" reaped
	run -1 pgrep -fx 'sleep 200'
}

@test "run: eight parallel containers" {
	local i

	baseline
	for i in {1..8}; do
		"$CPLUG_BIN/cnitool" run net1,net2 -- bash -c 'ip -o -4 address show eth0 && ping -n -q -c 1 10.1.0.1' \
			>"$BATS_TEST_TMPDIR/out.$i" 3>&- &
	done
	for i in {1..8}; do wait -n; done
	is "$(grep -ho '10\.1\.0\.[0-9]*/24' "$BATS_TEST_TMPDIR"/out.* | sort -u | wc -l)" 8
	nothing_is_left
}

# ---- terminals -------------------------------------------------------------

# shown PATTERN - the terminal shows a line that matches PATTERN (grep -E)
shown() {
	tr -d '\r' <"$BATS_TEST_TMPDIR/out" | grep -Eq -- "$1"
}

# typed [CONDITION LINE]... - types each line into an interactive shell in a container, once its
# condition is true; sets status, output
typed() {
	type -P script >/dev/null || skip "script(1) is not installed"
	{
		while (($#)) && wait_for "$1" eval "$1"; do
			# shellcheck disable=SC2059 # the line contains escapes
			printf "$2"
			shift 2
		done
	} | TERM=dumb PS1='' timeout "$RIG_DEADLINE" script -qec "$CPLUG_BIN/cnitool run none bash --norc -i" /dev/null \
		>"$BATS_TEST_TMPDIR/out" || status=$?
	output=$(tr -d '\r' <"$BATS_TEST_TMPDIR/out")
	printf '%s\n' "$output"
}

@test "run: an interactive shell has a terminal and job control" {
	status=0
	typed true 'echo $((40 + 2))\n' \
		'shown "^42$"' 'sleep 100\n' \
		'pgrep -fx "sleep 100"' '\003' \
		'! pgrep -fx "sleep 100"' 'echo after $?\n' \
		'shown "after 130"' 'sleep 200\n' \
		'pgrep -fx "sleep 200"' '\032' \
		'shown "Stopped +sleep 200"' 'kill %%1; wait %%1\n' \
		'! pgrep -fx "sleep 200"' 'exit 3\n'
	is "$status" 3
	contains "$output" '^42$'
	contains "$output" 'after 130'
	contains "$output" 'Stopped +sleep 200'
	contains_not "$output" 'no job control'
}
