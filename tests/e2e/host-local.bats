#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# host-local: every key and verb.  It uses no namespace, so each test only has its own folder.
# shellcheck disable=SC2030,SC2031,SC2016 # each test is a process; scripts in single quotes

bats_require_minimum_version 1.5.0
load ../tools/assert

setup() {
	BIN=${CPLUG_BIN:-$BATS_TEST_DIRNAME/../../bin}
	DATA=$BATS_TEST_TMPDIR/data
	NET=$DATA/net1
	INDEX=$DATA/.cplug/net1.index
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}]]}'
	MORE='{}'
	VERSION=1.1.0
	# host-local does not use the namespace: pass our own.
	export CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=1 CNI_PATH=$BIN
	unset CNI_ARGS
}

conf() {
	jq -n --arg dir "$DATA" --arg version "$VERSION" --argjson ipam "$IPAM" --argjson more "$MORE" \
		'{cniVersion: $version, name: "net1", type: "bridge",
		  ipam: ({type: "host-local", dataDir: $dir} + $ipam)} + $more'
}

# raw COMMAND [ID [IFNAME]] - executes the plugin
raw() {
	CNI_COMMAND=$1 CNI_CONTAINERID=${2-c1} CNI_IFNAME=${3-eth0} "$BIN/host-local"
}

# cni COMMAND [ID [IFNAME]] - calls the plugin with conf; sets status, output and stderr
cni() {
	local text
	text=$(conf)
	run --separate-stderr raw "$@" <<<"$text"
}

# ok COMMAND [ID [IFNAME]] - asserts that the call succeeds
ok() {
	cni "$@"
	[[ $status == 0 ]] || fail "$* ended with $status: $output"
}

# failed CODE TEXT - asserts that the last call failed with CODE, and TEXT in msg or details
failed() {
	[[ $status == 1 ]] || fail "status $status: $output"
	[[ $(jq -r .code <<<"$output") == "$1" ]] || fail "not code $1: $output"
	[[ $(jq -r '.msg + "|" + (.details // "")' <<<"$output") == *"$2"* ]] || fail "not \"$2\": $output"
}

ips() {
	jq -r '[.ips[].address] | join(" ")' <<<"$output"
}

# gets ID ADDRESSES - asserts that ADD assigns ADDRESSES
gets() {
	ok ADD "$1"
	[[ $(ips) == "$2" ]] || fail "$1 got $(ips), not $2"
}

leases() {
	[[ ! -d $NET ]] || (cd "$NET" && find . -type f ! -name lock ! -name 'last_*' -printf '%f\n' | sort | xargs)
}

# lease ADDRESS ID [IFNAME] - writes a lease file as the reference does
lease() {
	mkdir -p "$NET"
	printf '%s\r\n%s' "$2" "${3-eth0}" >"$NET/$1"
}

# with_prev ADDRESS… - sets MORE to a prevResult with these addresses
with_prev() {
	MORE=$(jq -n --arg version "$VERSION" --args \
		'{prevResult: {cniVersion: $version, ips: [$ARGS.positional[] | {address: .}]}}' "$@")
}

# with_valid ID/IFNAME… - sets MORE to a list of valid attachments
with_valid() {
	MORE=$(jq -n --args '{"cni.dev/valid-attachments":
		[$ARGS.positional[] | split("/") | {containerID: .[0], ifname: .[1]}]}' "$@")
}

# ---- ADD ----

@test "host-local: the first address follows the gateway's, and files are the same as the reference's" {
	gets c1 10.2.2.2/29
	[[ $(jq -c . <<<"$output") == '{"cniVersion":"1.1.0","ips":[{"address":"10.2.2.2/29","gateway":"10.2.2.1"}]}' ]]
	cmp "$NET/10.2.2.2" <(printf 'c1\r\neth0')
	cmp "$NET/last_reserved_ip.0" <(printf 10.2.2.2)
	[[ $(cd "$NET" && stat -c '%n %a' -- *) == $'10.2.2.2 600\nlast_reserved_ip.0 600\nlock 750' ]]
	[[ -z $stderr ]]
}

@test "host-local: addresses are assigned round-robin, and ADD fails if the range is full" {
	for i in 2 3 4 5 6; do gets "c$i" "10.2.2.$i/29"; done
	ok DEL c6
	ok DEL c3
	gets c7 10.2.2.3/29 # the last one was .6, so the search wraps around
	gets c8 10.2.2.6/29
	cni ADD c9
	failed 103 'no IP addresses available in range set: 10.2.2.1-10.2.2.6'
	failed 103 'failed to allocate for range 0'
	failed 103 "$NET"
	[[ $(leases) == '10.2.2.2 10.2.2.3 10.2.2.4 10.2.2.5 10.2.2.6' ]]
}

@test "host-local: ADD returns one address of each range set, routes, and DNS of resolvConf" {
	printf 'nameserver 10.0.0.53\ndomain a.example\nsearch b c\noptions ndots:2\n' >"$BATS_TEST_TMPDIR/resolv.conf"
	IPAM=$(jq -n --arg file "$BATS_TEST_TMPDIR/resolv.conf" '{resolvConf: $file,
		ranges: [[{subnet: "10.2.2.0/24", gateway: "10.2.2.254"}], [{subnet: "fd00:5::/64"}]],
		routes: [{dst: "0.0.0.0/0"}, {dst: "10.9.0.0/16", gw: "10.2.2.9", mtu: 1400}]}')
	gets c1 '10.2.2.1/24 fd00:5::2/64'
	[[ $(jq -c '[.ips[].gateway], .routes, .dns' <<<"$output") == '["10.2.2.254","fd00:5::1"]
[{"dst":"0.0.0.0/0"},{"dst":"10.9.0.0/16","gw":"10.2.2.9","mtu":1400}]
{"domain":"a.example","nameservers":["10.0.0.53"],"options":["ndots:2"],"search":["b","c"]}' ]]
	cmp "$NET/last_reserved_ip.1" <(printf fd00:5::2)
	IPAM=$(jq '.resolvConf = "/none/such"' <<<"$IPAM")
	cni ADD c2
	failed 112 '/none/such: No such file or directory'
	[[ $(leases) == '10.2.2.1 fd00:5::2' ]]
}

@test "host-local: the ranges of a set form one pool" {
	IPAM='{"ranges": [[{"subnet": "10.1.0.0/30"}, {"subnet": "10.2.0.0/30", "rangeEnd": "10.2.0.3"}]]}'
	gets c1 10.1.0.2/30
	gets c2 10.2.0.2/30
	gets c3 10.2.0.3/30
	cni ADD c4
	failed 103 'range set: 10.1.0.1-10.1.0.2,10.2.0.1-10.2.0.3'
	ok DEL c1
	gets c4 10.1.0.2/30
}

@test "host-local: range sets come from ipRanges, the single range and ranges, in this order" {
	IPAM='{"subnet": "10.3.0.0/24", "rangeStart": "10.3.0.9", "ranges": [[{"subnet": "10.4.0.0/24"}]]}'
	MORE='{"runtimeConfig": {"ipRanges": [[{"subnet": "10.5.0.0/24"}]]}}'
	gets c1 '10.5.0.2/24 10.3.0.9/24 10.4.0.2/24'
	[[ $(cat "$NET"/last_reserved_ip.{0,1,2}) == 10.5.0.210.3.0.910.4.0.2 ]]
}

@test "host-local: requested addresses of CNI_ARGS, args.cni and runtimeConfig are combined" {
	IPAM='{"ranges": [[{"subnet": "10.2.0.0/24"}], [{"subnet": "10.3.0.0/24"}], [{"subnet": "fd00::/64"}]]}'
	MORE='{"args": {"cni": {"ips": ["10.3.0.7/8", "10.2.0.9"]}}, "runtimeConfig": {"ips": ["fd00::77/128"]}}'
	export CNI_ARGS='IgnoreUnknown=1;IP=10.2.0.9;K8S_POD_NAME=x'
	gets c1 '10.2.0.9/24 10.3.0.7/24 fd00::77/64'
	unset CNI_ARGS
	MORE='{}'
	gets c2 '10.2.0.10/24 10.3.0.8/24 fd00::78/64'
	export CNI_ARGS='FOO=1'
	cni ADD c3
	failed 4 'unknown args'
	export CNI_ARGS='IP=nonsense'
	cni ADD c3
	failed 4 'IP=nonsense'
}

@test "host-local: an unavailable requested address is an error with owner or reason" {
	gets c1 10.2.2.2/29
	export CNI_ARGS=IP=10.2.2.2
	cni ADD c2 net0
	failed 104 'requested IP address 10.2.2.2 is not available in range set 10.2.2.1-10.2.2.6: container c1 (eth0) has it'
	export CNI_ARGS=IP=10.2.2.1
	cni ADD c2
	failed 104 "requested ip 10.2.2.1 is subnet's gateway"
	export CNI_ARGS=IP=10.9.9.9
	cni ADD c2
	failed 104 'failed to allocate all requested IPs: 10.9.9.9'
	unset CNI_ARGS
	MORE='{"runtimeConfig": {"ips": ["10.2.2.3", "10.2.2.4"]}}'
	cni ADD c2
	failed 104 'failed to allocate all requested IPs: 10.2.2.4'
	MORE='{"runtimeConfig": {"ips": ["x", 5]}}'
	cni ADD c2
	failed 7 'runtimeConfig.ips[0]: expected an IP address'
	failed 7 'runtimeConfig.ips[1]: expected a string'
	[[ $(leases) == 10.2.2.2 ]]
	[[ $(<"$NET/last_reserved_ip.0") == 10.2.2.2 ]]
	# As in the reference, a container that requests an address twice gets two.
	MORE='{"runtimeConfig": {"ips": ["10.2.2.5"]}}'
	gets c1 10.2.2.5/29
}

@test "host-local: a second ADD without DEL is rejected" {
	gets c1 10.2.2.2/29
	cni ADD c1
	failed 104 '10.2.2.2 has been allocated to c1, duplicate allocation is not allowed'
	ok ADD c1 eth1
	[[ $(leases) == '10.2.2.2 10.2.2.3' ]]
	printf c7 >"$NET/10.2.2.6" # the old format is valid for every interface
	cni ADD c7
	failed 104 '10.2.2.6 has been allocated to c7'
}

@test "host-local: an invalid configuration is rejected with all mistakes" {
	IPAM='{"ranges": [[{"subnet": "10.2.2.5/29"}], [{"subnet": "10.3.0.0/31"}]], "dataDir": "'$DATA'"}'
	cni ADD
	failed 7 'ipam.ranges[0][0].subnet: invalid range set 0: Network has host bits set'
	failed 7 'ipam.ranges[1][0].subnet: invalid range set 1: Network 10.3.0.0/31 too small to allocate from'
	IPAM='{}'
	cni ADD
	failed 7 'no IP ranges specified'
	MORE='{"ipam": null}'
	cni ADD
	failed 7 "IPAM config missing 'ipam' key"
	VERSION=0.2.0 MORE='{}' IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}], [{"subnet": "10.3.2.0/29"}]]}'
	cni ADD
	failed 7 'CNI version 0.2.0 does not support more than 1 address per family'
	[[ ! -e $DATA ]]
}

@test "host-local: the result has the format of its cniVersion" {
	for VERSION in 0.1.0 0.2.0; do
		ok ADD "c$VERSION"
		[[ $(jq -r '.ip4.ip' <<<"$output") == 10.2.2.*/29 ]]
	done
	for VERSION in 0.3.1 0.4.0 1.0.0; do
		ok ADD "c$VERSION"
		[[ $(ips) == 10.2.2.*/29 ]]
	done
}

# ---- DEL ----

@test "host-local: DEL frees the leases of one interface of the container, and succeeds without any" {
	ok DEL c1
	[[ ! -e $DATA ]] # DEL creates nothing
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}], [{"subnet": "fd00:5::/64"}]]}'
	gets c1 '10.2.2.2/29 fd00:5::2/64'
	ok ADD c1 eth1
	gets c2 '10.2.2.4/29 fd00:5::4/64'
	ok DEL c1
	[[ -z $output ]]
	[[ $(leases) == '10.2.2.3 10.2.2.4 fd00:5::3 fd00:5::4' ]]
	ok DEL c1
	ok DEL nobody
	CNI_NETNS='' ok DEL c2
	[[ $(leases) == '10.2.2.3 fd00:5::3' ]]
}

@test "host-local: DEL works with invalid ranges and CNI_ARGS" {
	for broken in '{}' '{"ranges": "x"}' '{"ranges": [[{"subnet": "10.2.2.5/29"}]]}' '{"subnet": 5}'; do
		IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}]]}'
		ok ADD c1
		contains "$(leases)" '^10\.2\.2\.[2-6]$'
		# shellcheck disable=SC2034 # conf() reads it
		IPAM=$broken
		CNI_ARGS=broken ok DEL c1
		prints '' leases
	done
}

@test "host-local: DEL frees leases of the old format, without interface name" {
	lease 10.2.2.3 c1 eth0
	lease 10.2.2.4 c2
	printf c1 >"$NET/10.2.2.5"
	printf 'c2\n' >"$NET/10.2.2.6"
	ok DEL c1
	[[ $(leases) == '10.2.2.4 10.2.2.5 10.2.2.6' ]]
	ok DEL c1
	[[ $(leases) == '10.2.2.4 10.2.2.6' ]]
	ok DEL c2
	ok DEL c2 eth7
	prints '' leases
}

# ---- CHECK, GC, STATUS ----

@test "host-local: CHECK compares the leases with prevResult" {
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}], [{"subnet": "fd00:5::/64"}]]}'
	ok ADD c1
	ok CHECK c1
	with_prev 10.2.2.2/29 fd00:5::2/64 192.0.2.1/24
	ok CHECK c1
	cni CHECK c1 eth1
	failed 107 '10.2.2.2 is leased to container c1 (eth0), not to container c1 (eth1)'
	with_prev 10.2.2.3/29 fd00:5::2/64
	cni CHECK c1
	failed 107 '10.2.2.3 is not leased to container c1 (eth0)'
	with_prev 192.0.2.1/24
	cni CHECK c1
	failed 107 'no address of prevResult'
	with_prev 10.2.2.2/29 fd00:5::2/64
	: >"$NET/10.2.2.2"
	rm "$NET/fd00:5::2"
	cni CHECK c1
	failed 107 'empty or damaged'
	failed 107 "$NET/fd00:5::2: No such file"
	MORE='{}'
	cni CHECK c1
	failed 107 'Failed to find address added by container c1 (eth0)'
	rm -r "$DATA"
	cni CHECK c1
	failed 107 'Failed to find address'
	[[ ! -e $DATA ]]
}

@test "host-local: GC removes leases that are not valid, and none without a list" {
	for i in 2 3 4; do gets "c$i" "10.2.2.$i/29"; done
	printf c5 >"$NET/10.2.2.5"
	: >"$NET/10.2.2.6"
	all=$(leases)
	for MORE in '{}' '{"cni.dev/valid-attachments": null}'; do
		ok GC '' ''
		[[ $(leases) == "$all" ]]
	done
	with_valid c2/eth0 c3/eth1 c5/eth9
	ok GC '' ''
	[[ $(leases) == '10.2.2.2 10.2.2.5' ]]
	[[ -e $NET/last_reserved_ip.0 && -e $NET/lock ]]
	MORE='{}'
	gets c6 10.2.2.6/29
	with_valid
	ok GC '' ''
	prints '' leases
	rm -r "$DATA"
	ok GC '' ''
	[[ ! -e $DATA ]]
}

@test "host-local: STATUS reports an exhausted range set and a read-only folder" {
	ok STATUS '' ''
	[[ ! -e $DATA ]]
	for i in 2 3 4 5; do gets "c$i" "10.2.2.$i/29"; done
	ok STATUS '' ''
	gets c6 10.2.2.6/29
	cni STATUS '' ''
	failed 50 'no IP addresses available in range set: 10.2.2.1-10.2.2.6'
	: >"$NET/10.2.2.4" # an empty file is no lease
	ok STATUS '' ''
	rm -r "$DATA"
	unshare -rm true || skip 'user namespaces are not allowed'
	ro() { unshare -rm sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && "$@"' - "$BATS_TEST_TMPDIR" \
		env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_IFNAME="$3" "$BIN/host-local"; }
	run --separate-stderr ro STATUS '' '' <<<"$(conf)"
	failed 50 "no lease can be written in $BATS_TEST_TMPDIR: Read-only file system"
	run --separate-stderr ro ADD c1 eth0 <<<"$(conf)"
	failed 112 'Read-only file system'
}

# ---- crashes ----

@test "host-local: empty and damaged files are no leases" {
	lease 10.2.2.3 c3
	: >"$NET/10.2.2.2"
	head -c 40 /dev/zero >"$NET/10.2.2.4"
	printf 'c5\r\net\0\0\0\0\0' >"$NET/10.2.2.5"
	lease 10.2.2.6 c6
	gets c1 10.2.2.2/29
	[[ $stderr == *"$NET/10.2.2.2 is empty or damaged"* ]]
	gets c2 10.2.2.4/29
	export CNI_ARGS=IP=10.2.2.5
	gets c4 10.2.2.5/29
	cmp "$NET/10.2.2.5" <(printf 'c4\r\neth0')
	unset CNI_ARGS
	cni ADD c5
	failed 103 'no IP addresses'
}

@test "host-local: files of other programs that are named like an address are neither replaced nor removed" {
	local n=1 text files

	mkdir -p "$NET"
	for text in 'ansible_user: root\n' '# a comment\n' 'c 5\r\neth0' '\n' 'web\nprod\nx' 'c1\r\neth0\0\0x'; do
		n=$((n + 1))
		printf "%b" "$text" >"$NET/10.2.2.$n"
	done
	printf 'name\nvalue' >"$NET/10.2.2.100" # which could be read as container and interface
	head -c 300000 /dev/zero | tr '\0' a >"$NET/10.2.2.101"
	files=$(cd "$NET" && sha1sum 10.2.2.*)
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/24"}]]}'
	gets c1 10.2.2.8/24
	CNI_ARGS=IP=10.2.2.3 cni ADD c2
	failed 104 "10.2.2.3 is another program's file"
	MORE='{"cni.dev/valid-attachments": []}'
	ok GC ''
	[[ ! -e $NET/10.2.2.8 ]]
	[[ $(cd "$NET" && sha1sum 10.2.2.*) == "$files" ]]
	[[ $stderr == *"$NET/10.2.2.2: left alone, it is not a lease"* ]]
}

@test "host-local: a failed ADD is rolled back, including last_reserved_ip" {
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}], [{"subnet": "fd00:5::/126"}]]}'
	gets c0 '10.2.2.2/29 fd00:5::2/126'
	ok DEL c0
	gets c1 '10.2.2.3/29 fd00:5::3/126'
	before=$(cd "$NET" && grep -r . | sort)
	for n in 1 2; do
		CNI_TEST_FAIL_AT=$n cni ADD c2
		failed 111 'made to fail'
		[[ $(cd "$NET" && grep -r . | sort) == "$before" ]]
	done
	gets c2 '10.2.2.4/29 fd00:5::2/126'
	before=$(cd "$NET" && grep -r . | sort)
	cni ADD c3 # the second set is full
	failed 103 'failed to allocate for range 1'
	[[ $(cd "$NET" && grep -r . | sort) == "$before" ]]
	text=$(conf)
	! raw ADD c3 <<<"$text" >/dev/full || fail 'ADD succeeds with a full stdout'
	[[ $(cd "$NET" && grep -r . | sort) == "$before" ]]
}

@test "host-local: after SIGKILL at every system call DEL frees the leases, and no address is assigned twice" {
	local text command call n count=0

	command -v strace || skip 'strace is not installed'
	strace -o /dev/null true || skip 'ptrace is not allowed'
	# The sanitizers make hundreds of additional system calls.
	[[ $CPLUG_BIN != */san/* ]] || skip 'too slow'
	# shellcheck disable=SC2034 # conf() reads it
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/28"}], [{"subnet": "fd00:5::/64"}]]}'
	ok ADD keep
	text=$(conf)
	traced() { # COMMAND STRACE-OPTION…
		CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_IFNAME=eth0 \
			strace -qq "${@:2}" "$BIN/host-local" <<<"$text" >/dev/null
	}
	killed() { # COMMAND CALL N - true if the call was killed at the N-th system call of that name
		! { traced "$1" -o /dev/null -e inject="$2:signal=KILL:when=$3"; } 2>/dev/null
	}
	traced ADD -o "$BATS_TEST_TMPDIR/ADD"
	traced DEL -o "$BATS_TEST_TMPDIR/DEL"
	for command in ADD DEL; do
		while read -r call; do
			# After calls that only read, the state is that after the call before.
			[[ ${CPLUG_SOAK-} || $call == @(link|unlink|mkdir|utimens)at || $call == @(p|)write* ||
				$call == @(ftruncate|flock|close) ]] || continue
			for ((n = 1; ; n++)); do
				[[ $command == ADD ]] || raw ADD c1 <<<"$text" >/dev/null
				killed $command "$call" $n || break
				prints '' find "$NET" -name '[1f]*' ! -size 8c ! -size 10c
				raw DEL c1 <<<"$text"
				[[ $(leases) == '10.2.2.2 fd00:5::2' ]] || fail "$command killed in $call $n: $(leases)"
				count=$((count + 1))
			done
			ok DEL c1
		done < <(sed 's/(.*//' "$BATS_TEST_TMPDIR/$command" | sort -u)
	done
	((count > 50)) || fail "only $count kills"
	for i in {3..14}; do ok ADD "x$i"; done
	[[ $(leases | tr ' ' '\n' | grep -c ^10) == 13 ]]
}

@test "host-local: after SIGKILL between a change and its undo record DEL frees the leases" {
	# shellcheck disable=SC2034 # conf() reads it
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}], [{"subnet": "fd00:5::/64"}]]}'
	for n in 1 2; do
		CNI_TEST_CRASH_AT=$n cni ADD c1
		[[ $status != 0 && $(leases | wc -w) == "$n" ]]
		ok DEL c1
		ok DEL c1
		prints '' leases
	done
}

# ---- the lock ----

@test "host-local: if the lock is held, ADD, DEL and GC fail and name its holder; STATUS and CHECK succeed" {
	gets c1 10.2.2.2/29
	# /proc/locks names the process that took the lock, if it still exists.
	flock --no-fork -x "$NET/lock" sleep 100 &
	holder=$!
	while flock -n "$NET/lock" true; do sleep 0.01; done
	for verb in ADD DEL; do
		CNI_TEST_LOCK_TIMEOUT_MS=60 cni $verb c2
		failed 11 "lock $NET/lock: held by process"
	done
	with_valid
	CNI_TEST_LOCK_TIMEOUT_MS=60 cni GC '' ''
	failed 11 'for 0.06 seconds'
	MORE='{}'
	ok STATUS '' '' # does not lock
	ok CHECK c1
	(sleep 0.1; kill $holder) &
	gets c2 10.2.2.3/29 # waits for the lock
	wait $holder || :
}

@test "host-local: 40 parallel ADDs, some with DEL, leave the right leases" {
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/26"}]]}'
	text=$(conf)
	for i in {1..40}; do
		raw ADD "c$i" <<<"$text" >"$BATS_TEST_TMPDIR/out.$i" &
		((i % 3)) || raw DEL "c$i" <<<"$text" &
	done
	wait
	for i in {1..40}; do
		json_holds '.ips[0].address' <"$BATS_TEST_TMPDIR/out.$i"
		((i % 3)) || ok DEL "c$i"
	done
	for i in {1..40}; do
		((i % 3)) || continue
		address=$(jq -r '.ips[0].address | split("/")[0]' "$BATS_TEST_TMPDIR/out.$i")
		cmp "$NET/$address" <(printf 'c%d\r\neth0' "$i")
	done
	[[ $(leases | wc -w) == 27 ]]
}

# ---- the index ----

# folder_reads COMMAND ID - prints the number of getdents64 calls
folder_reads() {
	local text
	text=$(conf)
	CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_IFNAME=eth0 strace -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=getdents64 "$BIN/host-local" <<<"$text" >/dev/null
	grep -c getdents "$BATS_TEST_TMPDIR/trace" || :
}

@test "host-local: the folder is read only after another program changed it" {
	strace -o /dev/null true || skip 'strace is not installed'
	gets c1 10.2.2.2/29
	[[ $(folder_reads ADD c2) == 0 ]]
	[[ $(folder_reads DEL c2) == 0 ]]
	[[ $(folder_reads DEL c2) == 0 ]]
	lease 10.2.2.4 foreign
	[[ $(folder_reads ADD c3) != 0 ]]
	[[ $(folder_reads DEL c3) == 0 ]]
	gets c3 10.2.2.6/29
	[[ $(folder_reads DEL foreign) == 0 ]] # in the index by now
	rm "$NET/10.2.2.6"
	[[ $(folder_reads DEL c3) != 0 ]]
	[[ $(leases) == 10.2.2.2 ]]
}

@test "host-local: a lease takes at most 30 system calls" {
	local text calls

	! grep -q __asan_init "$BIN/host-local" || skip "the sanitizers make system calls of their own"
	strace -o /dev/null true || skip 'strace is not installed'
	gets c1 10.2.2.2/29
	text=$(conf)
	CNI_COMMAND=ADD CNI_CONTAINERID=c2 CNI_IFNAME=eth0 strace -qq -o "$BATS_TEST_TMPDIR/trace" "$BIN/host-local" \
		<<<"$text" >/dev/null
	# From the folder to the result.
	calls=$(sed -n '/^open[a-z0-9]*(.*\/data"/,/^write(1,/p' "$BATS_TEST_TMPDIR/trace" | wc -l)
	echo "$((calls - 1)) system calls"
	((calls > 15 && calls - 1 <= 30))
}

@test "host-local: if the index is damaged or missing, the lease files are authoritative" {
	gets c1 10.2.2.2/29
	lease 10.2.2.3 foreign
	gets c2 10.2.2.4/29 # skips the foreign lease
	rm "$INDEX"
	gets c3 10.2.2.5/29
	: >"$INDEX"
	ok DEL c1
	gets c4 10.2.2.6/29
	head -c 20000 /dev/urandom >"$INDEX"
	gets c5 10.2.2.2/29
	cni ADD c6
	failed 103 'no IP addresses'
	rm "$NET/10.2.2.3"
	gets c6 10.2.2.3/29
	rm -r "$DATA/.cplug"
	ok DEL c6
	[[ ! -e $DATA/.cplug ]] # DEL creates no folders
	: >"$DATA/.cplug"       # prevents the index
	gets c7 10.2.2.3/29
	cni ADD c8
	failed 103 'no IP addresses'
	ok DEL c7
	[[ $(leases) == '10.2.2.2 10.2.2.4 10.2.2.5 10.2.2.6' ]]
	rm "$DATA/.cplug"
	ln -s /nowhere "$DATA/.cplug"
	gets c7 10.2.2.3/29
}

@test "host-local: ranges may change between calls" {
	gets c1 10.2.2.2/29
	IPAM='{"ranges": [[{"subnet": "10.2.0.0/16", "rangeStart": "10.2.2.1"}]]}'
	gets c2 10.2.2.3/16
	# shellcheck disable=SC2034 # conf() reads it
	IPAM='{"ranges": [[{"subnet": "10.7.0.0/16"}], [{"subnet": "10.2.2.0/29"}]]}'
	gets c3 '10.7.0.2/16 10.2.2.4/29'
	ok DEL c1
	ok DEL c2
	ok DEL c3
	prints '' leases
}

@test "host-local: after a boot the index is written again" {
	unshare -rm true || skip 'user namespaces are not allowed'
	gets c1 10.2.2.2/29
	uuidgen >"$BATS_TEST_TMPDIR/boot_id" || echo 12345678-1234-1234-1234-123456789012 >"$BATS_TEST_TMPDIR/boot_id"
	text=$(conf)
	# The index after a power failure: its header without a page of slots.
	dd if=/dev/zero of="$INDEX" bs=4096 seek=1 count=1 conv=notrunc status=none
	unshare -rm sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_IFNAME=eth0 "$2"' \
		- "$BATS_TEST_TMPDIR/boot_id" "$BIN/host-local" <<<"$text"
	prints '' leases
}

@test "host-local: a relative dataDir is below the working directory, as in the reference, and the ADD that makes it warns" {
	cd "$BATS_TEST_TMPDIR"
	DATA=here/leases NET=$BATS_TEST_TMPDIR/here/leases/net1
	gets c1 10.2.2.2/29
	contains "$stderr" 'ipam\.dataDir: "here/leases" is made below the working directory .*\(write an absolute path\)'
	[[ -f $NET/10.2.2.2 ]]
	gets c2 10.2.2.3/29
	contains_not "$stderr" dataDir
	ok DEL c1
	prints 10.2.2.3 leases
}

# An ADD can lease nothing there, so there is nothing that a DEL could release later.
@test "host-local: DEL and GC end where no lease can be: a name that is too long, a loop of links, a file as a folder" {
	local dir long

	long=$(printf '%0300d' 0)
	printf x >"$BATS_TEST_TMPDIR/file"
	ln -s loop "$BATS_TEST_TMPDIR/loop"
	mkdir "$BATS_TEST_TMPDIR/pipe"
	mkfifo "$BATS_TEST_TMPDIR/pipe/net1"
	for dir in "$BATS_TEST_TMPDIR/$long" "$BATS_TEST_TMPDIR/loop" "$BATS_TEST_TMPDIR/pipe" "$(printf '/%0.s0' {1..5000})" "$BATS_TEST_TMPDIR/file" \
		"$BATS_TEST_TMPDIR/file/x"; do
		IPAM=$(jq -n --arg dir "$dir" '{ranges: [[{subnet: "10.2.2.0/29"}]], dataDir: $dir}')
		cni ADD
		failed 112 ''
		cni CHECK
		failed 112 ''
		MORE='{"cni.dev/valid-attachments": []}'
		for command in DEL GC; do
			ok "$command"
			[[ $stderr == *'warn: open /'* ]] || fail "no warning: $stderr"
		done
		MORE='{}'
	done
	IPAM='{"ranges": [[{"subnet": "10.2.2.0/29"}]]}'
	mkdir "$DATA"
	printf x >"$NET"
	cni ADD
	failed 112 ''
	ok DEL
	# A symbolic link may lead to leases of another program.
	ln -sf / "$NET"
	cni DEL
	failed 112 'net1'
}

# ---- symlinks ----

@test "host-local: symlinks and folders in place of leases are not followed or overwritten" {
	mkdir -p "$DATA" "$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$NET"
	cni ADD c1
	failed 112 'net1'
	prints '' ls -A "$BATS_TEST_TMPDIR/elsewhere"
	MORE='{"name": "../x"}'
	cni ADD c1
	failed 7 'invalid characters found in network name'
	rm "$NET"
	MORE='{}'
	gets c1 10.2.2.2/29
	ln -s "$BATS_TEST_TMPDIR/target" "$NET/10.2.2.3"
	gets c2 10.2.2.4/29
	[[ ! -e $BATS_TEST_TMPDIR/target ]]
	mkdir "$NET/10.2.2.5"
	gets c3 10.2.2.6/29
	mv "$DATA" "$DATA.real"
	ln -s "$DATA.real" "$DATA" # dataDir itself may be a symlink
	ok DEL c3
	[[ $(leases) == '10.2.2.2 10.2.2.4' ]]
}
