#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# reclaim.bats - leases of containers that died without DEL are given back
#
# (An exhausted range gives them to the next ADD; what is in doubt stays.)  Linux 6.18 tells
# whether a namespace lives.  Before, the plugin looks at every process of the machine, so
# these tests run outside of a pid namespace.  host-local touches no network: a lease needs
# but the path of a namespace.

bats_require_minimum_version 1.5.0

BIN=${CPLUG_BIN:-$BATS_TEST_DIRNAME/../../bin}

# The kernel can be asked about a namespace.
kernel_answers() {
	[[ $(printf '6.18\n%s\n' "$(uname -r)" | sort -V | head -n1) == 6.18 ]]
}

# Every process can be looked at: one that even root may not could hold any namespace.
sees_everything() {
	local pid

	[[ $(readlink /proc/self/ns/pid) == 'pid:[4026531836]' &&
		$(awk '{ print $3 }' /proc/self/uid_map) == 4294967295 ]] || return
	for pid in /proc/[0-9]*; do
		[[ ! -d $pid ]] || readlink "$pid/ns/net" >/dev/null || [[ ! -d $pid ]] ||
			[[ $(awk '{ print $3 }' "$pid/stat") == Z ]] || return
	done
}

setup() {
	((EUID == 0)) || skip "needs root"
	kernel_answers || sees_everything ||
		skip "needs Linux 6.18, or the right to look at every process"
	DATA=$BATS_TEST_TMPDIR/data
	holders=()
}

teardown() {
	local pid

	for pid in "${holders[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
}

# A process in a network namespace of its own: its pid is $holder.
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

@test "reclaim: addresses of namespaces that are gone serve the next containers" {
	for i in 1 2 3 4 5; do
		new_holder
		lease "dead$i" "$holder"
		[ "$status" -eq 0 ]
		end_holder "$holder"
	done
	new_holder
	for i in 1 2 3 4 5; do
		lease "new$i" "$holder"
		[ "$status" -eq 0 ]
	done
	[[ $(ls "$DATA/net1") != *dead* ]]
	lease "new6" "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
}

@test "reclaim: says whose address it takes, and why" {
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

# A mount namespace of its own holds what PID is in; its pid is $mounter.  (A mount in ours
# might be copied into somebody else's.)
new_mounter() { # PID
	local ready=$BATS_TEST_TMPDIR/ready

	: >"$BATS_TEST_TMPDIR/netns"
	# shellcheck disable=SC2016  # the inner shell expands them
	unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && : >"$3" && exec sleep 300' \
		- "/proc/$1/ns/net" "$BATS_TEST_TMPDIR/netns" "$ready" </dev/null >/dev/null 2>&1 3>&- &
	mounter=$!
	holders+=("$mounter")
	until [[ -e $ready ]]; do :; done
}

@test "reclaim: a namespace that only a mount, or a descriptor, holds is alive" {
	local keeper end=$((SECONDS + 20))

	new_holder
	new_mounter "$holder"
	for i in 1 2 3; do
		lease "mounted$i" "$holder"
		[ "$status" -eq 0 ]
	done
	end_holder "$holder"
	new_holder
	# shellcheck disable=SC2217  # it holds what it does not read
	sleep 300 <"/proc/$holder/ns/net" >/dev/null 2>&1 3>&- &
	keeper=$!
	holders+=("$keeper")
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
	# the kernel takes its time with a mount namespace
	until lease new "$holder" && ((status == 0)); do
		((SECONDS < end))
	done
	[[ $(ls "$DATA/net1") == *10.1.0.5* ]]
	grep -q open1 "$DATA/net1/10.1.0.5"
}

@test "reclaim: leases of another boot" {
	new_holder
	for i in 1 2 3 4 5; do
		lease "old$i" "$holder"
		[ "$status" -eq 0 ]
	done
	lease new "$holder"
	[ "$status" -eq 1 ]
	echo 11111111-2222-3333-4444-555555555555 >"$BATS_TEST_TMPDIR/boot_id"
	# shellcheck disable=SC2016  # the inner shell expands them
	run --separate-stderr env CNI_COMMAND=ADD CNI_CONTAINERID=new CNI_IFNAME=eth0 \
		CNI_NETNS="/proc/$holder/ns/net" CNI_PATH="$BIN" \
		unshare --mount bash -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$2"' \
		- "$BATS_TEST_TMPDIR/boot_id" "$BIN/host-local" <<<"$(conf)"
	[ "$status" -eq 0 ]
	[[ $stderr == *"before the machine booted"* ]]
}

@test "reclaim: leases that the reference made stay, for nothing is known of them" {
	mkdir -p "$DATA/net1"
	for i in 2 3 4 5 6; do
		printf 'theirs%s\r\neth0' "$i" >"$DATA/net1/10.1.0.$i"
	done
	new_holder
	lease new "$holder"
	[ "$status" -eq 1 ]
	[ "$(jq .code <<<"$output")" -eq 103 ]
}

@test "reclaim: the same container may come again after its namespace died" {
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

@test "reclaim: whenever an ADD was killed, its address is not lost" {
	local call n killed=0 subnet=10.1.0.0/30 # one address only

	command -v strace >/dev/null || skip 'no strace'
	strace -o /dev/null true || skip 'no ptrace'
	# the sanitizers have system calls of their own, hundreds of them
	[[ $BIN != */san/* ]] || skip 'too slow'
	for call in openat linkat pwrite64 write renameat utimensat flock close; do
		for ((n = 1; ; n++)); do
			# every other time without an index, or with one not to be believed
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
