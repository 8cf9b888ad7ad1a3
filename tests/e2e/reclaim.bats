#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# reclaim: host-local reclaims leases of containers that died without DEL
#
# ADD reclaims them when the range is exhausted, unless the namespace may still exist.  Linux
# 6.18 can tell.  On older kernels the plugin looks at every process of the machine, so these
# tests run in the machine's PID namespace.  host-local uses the path of the namespace only.

bats_require_minimum_version 1.5.0

BIN=${CPLUG_BIN:-$BATS_TEST_DIRNAME/../../bin}

# kernel_answers - true if the kernel can tell whether a namespace exists
kernel_answers() {
	[[ $(printf '6.18\n%s\n' "$(uname -r)" | sort -V | head -n1) == 6.18 ]]
}

# sees_everything - true if the namespaces of every process can be read, in the initial PID and
# user namespaces
sees_everything() {
	local pid

	[[ $(readlink /proc/self/ns/pid) == 'pid:[4026531836]' &&
		$(awk '{ print $3 }' /proc/self/uid_map) == 4294967295 ]] || return
	for pid in /proc/[0-9]*; do
		[[ ! -d $pid ]] || readlink "$pid/ns/net" >/dev/null || [[ ! -d $pid ]] ||
			[[ $(awk '{ print $3 }' "$pid/stat") == Z ]] || return
	done
}

# no_leak_check - the leak sanitizer does not work under ptrace
no_leak_check() {
	export ASAN_OPTIONS+=:detect_leaks=0
}

setup() {
	((EUID == 0)) || skip "needs root"
	kernel_answers || sees_everything ||
		skip "needs Linux 6.18, or the permission to look at every process"
	DATA=$BATS_TEST_TMPDIR/data
	holders=()
}

teardown() {
	local pid

	for pid in "${holders[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
}

# new_holder - starts a process in a new network namespace; sets holder to its PID
new_holder() {
	unshare --net sleep 300 </dev/null >/dev/null 2>&1 3>&- &
	holder=$!
	holders+=("$holder")
	until [[ $(readlink "/proc/$holder/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do
		:
	done
}

end_holder() { # PID
	kill "$1"
	wait "$1" 2>/dev/null || :
}

conf() {
	printf '{"cniVersion":"1.0.0","name":"net1","type":"bridge","ipam":{"type":"host-local",'
	printf '"dataDir":"%s","subnet":"%s"}}' "$DATA" "${subnet-10.1.0.0/29}"
}

lease() { # ID PID [COMMAND...] - ADD for a container
	local id=$1 pid=$2

	shift 2
	run --separate-stderr env CNI_COMMAND=ADD CNI_CONTAINERID="$id" CNI_IFNAME=eth0 \
		CNI_NETNS="/proc/$pid/ns/net" CNI_PATH="$BIN" "$@" "$BIN/host-local" <<<"$(conf)"
}

# ready - STATUS of the network, as a runtime asks before it starts the first container
ready() {
	run --separate-stderr env CNI_COMMAND=STATUS CNI_PATH="$BIN" "$BIN/host-local" \
		<<<"$(conf | sed 's/"1.0.0"/"1.1.0"/')"
}

# fill_with_dead - leases all five addresses to namespaces that are gone, and makes another holder
fill_with_dead() {
	for i in 1 2 3 4 5; do
		new_holder
		lease "dead$i" "$holder"
		[ "$status" -eq 0 ]
		end_holder "$holder"
	done
	new_holder
}

# lease_all - leases all five addresses to a container that lives
lease_all() {
	new_holder
	for i in 1 2 3 4 5; do
		lease "live$i" "$holder"
		[ "$status" -eq 0 ]
	done
	new_holder
}

@test "reclaim: ADD reclaims the addresses of deleted namespaces" {
	fill_with_dead
	for i in 1 2 3 4 5; do
		lease "new$i" "$holder"
		[ "$status" -eq 0 ]
	done
	[[ $(ls "$DATA/net1") != *dead* ]]
	lease "new6" "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
}

@test "reclaim: STATUS counts the leases that ADD reclaims, so a runtime that asks it starts the next container" {
	for n in 1 2 3 4 5; do
		new_holder
		lease "dead$n" "$holder"
		((status == 0))
	done
	ready
	((status != 0))
	[[ $output == *'no IP addresses available in range set: 10.1.0.1-10.1.0.6'* ]]

	end_holder "$holder"
	find "$DATA" -type f -exec md5sum {} + | sort >"$BATS_TEST_TMPDIR/before"
	ready
	[[ $status == 0 && -z $output && -z $stderr ]]
	find "$DATA" -type f -exec md5sum {} + | sort | cmp - "$BATS_TEST_TMPDIR/before"
	new_holder
	lease next "$holder"
	((status == 0))
	ready
	((status != 0))
}

@test "reclaim: ADD reports the reclaimed address, its owner and the reason" {
	new_holder
	for i in 1 2 3 4 5; do
		lease "dead$i" "$holder"
		[ "$status" -eq 0 ]
	done
	end_holder "$holder"
	new_holder
	lease new "$holder"
	[ "$status" -eq 0 ]
	[[ $stderr == *"reclaimed 10.1.0.2 of"*dead1*"its network namespace is gone"* ]]
}

# The index still says that the lease of this container was made for the dead namespace.
@test "reclaim: ADD does not reclaim leases that another program made anew for the same container" {
	local i file

	new_holder
	for i in 1 2 3 4 5; do
		lease "same$i" "$holder"
		[ "$status" -eq 0 ]
	done
	end_holder "$holder"
	for i in 1 2 3 4 5; do
		file=$(grep -l "same$i" "$DATA"/net1/10.*)
		# In place, so that the folder does not change.
		printf 'same%s\r\neth0' "$i" >"$file"
		touch -d "$( ((i % 2)) && echo '+1 minute' || echo '-1 minute')" "$file"
	done
	new_holder
	lease new "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
	[[ $(cat "$DATA"/net1/10.*) != *new* ]]
}

# new_mounter PID - bind-mounts the network namespace of PID in a new mount namespace (from ours
# it might be copied into others); sets mounter to the PID of its process
new_mounter() {
	local ready=$BATS_TEST_TMPDIR/ready

	: >"$BATS_TEST_TMPDIR/netns"
	# shellcheck disable=SC2016  # the inner shell expands them
	unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && : >"$3" && exec sleep 300' \
		- "/proc/$1/ns/net" "$BATS_TEST_TMPDIR/netns" "$ready" </dev/null >/dev/null 2>&1 3>&- &
	mounter=$!
	holders+=("$mounter")
	until [[ -e $ready ]]; do :; done
}

@test "reclaim: ADD does not reclaim leases of namespaces that only a mount or a descriptor keeps" {
	local keeper end=$((SECONDS + 60))

	new_holder
	new_mounter "$holder"
	for i in 1 2 3; do
		lease "mounted$i" "$holder"
		[ "$status" -eq 0 ]
	done
	end_holder "$holder"
	new_holder
	# shellcheck disable=SC2217  # sleep only holds the descriptor
	sleep 300 <"/proc/$holder/ns/net" >/dev/null 2>&1 3>&- &
	keeper=$!
	holders+=("$keeper")
	until [[ $(readlink "/proc/$keeper/fd/0") == net:* ]]; do :; done
	for i in 1 2; do
		lease "open$i" "$holder"
		[ "$status" -eq 0 ]
	done
	end_holder "$holder"
	new_holder
	lease new "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
	end_holder "$mounter"
	# The kernel removes a mount namespace asynchronously.
	until lease new "$holder" && ((status == 0)); do
		((SECONDS < end))
	done
	[[ $(ls "$DATA/net1") == *10.1.0.5* ]]
	grep -q open1 "$DATA/net1/10.1.0.5"
}

# Any user can have so many descriptors that reading their links takes minutes, under the network's
# lock.  On Linux 6.18 nothing is read.
@test "reclaim: ADD gives up where reading all descriptors takes too long" {
	strace -qq -e inject=readlinkat:delay_exit=1 true 2>/dev/null || skip "no strace that can delay calls"
	fill_with_dead
	lease new "$holder" strace -f -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=readlinkat,open_by_handle_at \
		-e inject=open_by_handle_at:error=EOPNOTSUPP -e inject=readlinkat:delay_exit=1200000
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
	[[ $stderr == *"ended after"*"descriptors"* ]]
}

# On Linux 6.18 nothing is read.
@test "reclaim: what of /proc cannot be read for a moment may be a living container's" {
	local error n

	strace -qq -e inject=getdents64:error=EIO true 2>/dev/null || skip "no strace that can fail calls"
	no_leak_check
	lease_all
	for n in {1..6}; do
		for error in openat:error=ENFILE:when=$((n + 16))..999 getdents64:error=EIO:when=$n; do
			lease new "$holder" strace -qq -o /dev/null -e "inject=$error" \
				-e inject=open_by_handle_at:error=EOPNOTSUPP
			[ "$status" -eq 1 ]
			[ "$(grep -l live "$DATA"/net1/10.* | wc -l)" -eq 5 ]
		done
	done
}

@test "reclaim: processes that the mount of /proc hides may be living containers'" {
	strace -qq -e inject=open_by_handle_at:error=EIO true 2>/dev/null || skip "no strace that can fail calls"
	no_leak_check
	lease_all
	# shellcheck disable=SC2016  # the inner shell expands them
	lease new "$holder" unshare --mount sh -c 'mount -t proc -o hidepid=4 proc /proc &&
		exec strace -qq -o /dev/null -e inject=open_by_handle_at:error=EOPNOTSUPP \
		setpriv --bounding-set=-all,+net_admin,+sys_admin --inh-caps=-all "$@"' -
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
}

@test "reclaim: ADD reclaims leases of an earlier boot" {
	new_holder
	for i in 1 2 3 4 5; do
		lease "old$i" "$holder"
		[ "$status" -eq 0 ]
	done
	lease new "$holder"
	[ "$status" -eq 1 ]
	ready
	[ "$status" -eq 1 ]
	echo 11111111-2222-3333-4444-555555555555 >"$BATS_TEST_TMPDIR/boot_id"
	for command in STATUS ADD; do
		# shellcheck disable=SC2016  # the inner shell expands them
		run --separate-stderr env CNI_COMMAND=$command CNI_CONTAINERID=new CNI_IFNAME=eth0 \
			CNI_NETNS="/proc/$holder/ns/net" CNI_PATH="$BIN" \
			unshare --mount bash -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$2"' \
			- "$BATS_TEST_TMPDIR/boot_id" "$BIN/host-local" <<<"$(conf | sed 's/"1.0.0"/"1.1.0"/')"
		[ "$status" -eq 0 ]
	done
	[[ $stderr == *"before the machine booted"* ]]
}

@test "reclaim: ADD does not reclaim leases of the reference plugin, because their namespace is unknown" {
	mkdir -p "$DATA/net1"
	for i in 2 3 4 5 6; do
		printf 'theirs%s\r\neth0' "$i" >"$DATA/net1/10.1.0.$i"
	done
	new_holder
	lease new "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
}

@test "reclaim: ADD of the same container succeeds after its namespace was deleted" {
	new_holder
	lease same "$holder"
	[ "$status" -eq 0 ]
	lease same "$holder"
	[ "$status" -eq 1 ]
	[[ $output == *"duplicate allocation is not allowed"* ]]
	end_holder "$holder"
	new_holder
	lease same "$holder"
	[ "$status" -eq 0 ]
	[ "$(find "$DATA/net1" -name '10.*' | wc -l)" -eq 1 ]
}

@test "reclaim: ADD reclaims the address of an ADD that was killed at any system call" {
	local call n killed=0 subnet=10.1.0.0/30 # one address only

	command -v strace >/dev/null || skip 'strace is not installed'
	strace -o /dev/null true || skip 'ptrace is not allowed'
	# The sanitizers make hundreds of additional system calls.
	[[ $BIN != */san/* ]] || skip 'too slow'
	for call in openat linkat pwrite64 write renameat utimensat flock close; do
		for ((n = 1; ; n++)); do
			# Every second time without index, or with an outdated one.
			((n % 2)) || rm -rf "$DATA"
			((n % 4 != 3)) || touch "$DATA/net1"
			new_holder
			lease dead "$holder" strace -o /dev/null -e "inject=$call:signal=KILL:when=$n"
			end_holder "$holder"
			((status != 0)) || break
			new_holder
			lease "new$n" "$holder"
			[[ $status == 0 ]] || {
				echo "killed at $call $n: $output"
				return 1
			}
			end_holder "$holder"
			killed=$((killed + 1))
		done
	done
	((killed > 30))
}
