#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# powerloss: damage by power failures, full disks and users
#
# With any file in place of leases and resolv.conf, every call ends with a result or one error
# message, no address is assigned twice, and nothing is left in the end.  POWERLOSS_STEP is the
# number of bytes between the lengths to which an index is truncated.
load lib

STEP=${POWERLOSS_STEP:-1597}
DATA=/run/leases
NET=$DATA/net1
INDEX=$DATA/.cplug/net1.index
CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","ipam":{"type":"host-local",
	"dataDir":"/run/leases","subnet":"10.1.0.0/28"}}'
FULL=$(jq -c '. + {"cni.dev/valid-attachments": [{"containerID": "keep", "ifname": "eth0"}]}' <<<"$CONF")

prepare() {
	# host-local does not use the namespace.
	ip netns add c1
	mkdir -p "$DATA"
}

# local_cni COMMAND ID [CONF] - calls host-local
local_cni() {
	CNI_ARGS='' cni "$1" host-local "${3-$CONF}" "$2" c1
}

# answers - asserts that the last call succeeded, or failed with one error message
answers() {
	((status == 0)) && return
	failed
	[[ $error ]] || fail 'no error message'
}

leases() {
	[[ ! -d $NET ]] || (cd "$NET" && find . -type f -name '10.*' -printf '%f\n' | sort | xargs)
}

# fresh - creates leases of two containers: .2 for keep, .3 for c1
fresh() {
	rm -rf "$DATA"
	mkdir -p "$DATA"
	local_cni ADD keep
	ok
	local_cni ADD c1
	ok
	has '.ips[0].address == "10.1.0.3/28"'
}

# trial [quick] - calls all verbs after a damage; asserts that keep's lease is the only one left
trial() {
	local second

	local_cni ADD c2
	ok
	second=$(result '.ips[0].address')
	[[ $second != 10.1.0.2/* ]] || fail 'an address was assigned twice'
	if [[ ! ${1-} ]]; then
		local_cni ADD c3
		ok
		[[ $(result '.ips[0].address') != @(10.1.0.2/28|"$second") ]] ||
			fail 'an address was assigned twice'
		for verb in STATUS CHECK; do
			local_cni $verb c2
			ok
		done
		local_cni CHECK c1
		answers
		local_cni DEL c3
		ok
	fi
	for id in c1 c1 c2; do
		local_cni DEL "$id"
		ok
	done
	local_cni GC '' "$FULL"
	ok
	local_cni CHECK keep
	ok
	is "$(leases)" 10.1.0.2
}

@test "powerloss: all verbs work with a lease file that is truncated at every byte, empty or missing" {
	local n

	for n in {0..8}; do
		fresh
		truncate -s "$n" "$NET/10.1.0.3"
		trial
	done
	fresh
	rm "$NET/10.1.0.3"
	trial
	fresh
	: >"$NET/10.1.0.5"
	: >"$NET/10.1.0.4"
	trial
}

@test "powerloss: an empty lease file does not occupy its address after DEL" {
	fresh
	: >"$NET/10.1.0.3"
	local_cni DEL c1
	ok
	for i in {3..14}; do
		local_cni ADD "x$i"
		ok
		has '.ips[0].address != "10.1.0.2/28"'
	done
	is "$(leases | wc -w)" 13
	local_cni ADD more
	failed 103
}

@test "powerloss: all verbs work with a last_reserved_ip that is empty, invalid, missing, a folder or a symlink" {
	local content

	for content in '' x 10.1.0 10.1.0.999 fd00::1 10.9.9.9 10.1.0.255 "$(printf '%300s' 1)"; do
		fresh
		printf '%s' "$content" >"$NET/last_reserved_ip.0"
		trial
	done
	fresh
	rm "$NET/last_reserved_ip.0"
	trial
	fresh
	rm "$NET/last_reserved_ip.0"
	mkdir "$NET/last_reserved_ip.0"
	trial
	fresh
	ln -sf /etc/passwd "$NET/last_reserved_ip.0"
	trial
	grep -q root: /etc/passwd
}

@test "powerloss: all verbs work with an index that is truncated, missing, random or a folder" {
	local n size

	fresh
	size=$(stat -c %s "$INDEX")
	for n in 0 8 24 64 100 $(seq 128 "$STEP" $((size - 1))) $((size - 1)); do
		fresh
		truncate -s "$n" "$INDEX"
		trial quick
	done
	fresh
	rm "$INDEX"
	trial
	fresh
	rm -r "$DATA/.cplug"
	trial
	fresh
	head -c "$size" /dev/urandom >"$INDEX"
	trial
	fresh
	rm "$INDEX"
	mkdir "$INDEX"
	trial
}

@test "powerloss: all verbs work after a boot with an index that lacks a page" {
	local page boot=/proc/sys/kernel/random/boot_id

	for page in 0 1 2; do
		fresh
		dd if=/dev/zero of="$INDEX" bs=4096 seek=$page count=1 conv=notrunc status=none
		echo 11111111-2222-3333-4444-555555555555 >/run/.rig/boot_id
		mount --bind /run/.rig/boot_id "$boot"
		trial
		umount "$boot"
	done
}

@test "powerloss: after a boot all addresses are free" {
	for i in {2..14}; do
		local_cni ADD "old$i"
		ok
	done
	local_cni ADD new
	failed 103
	echo 11111111-2222-3333-4444-555555555555 >/run/.rig/boot_id
	mount --bind /run/.rig/boot_id /proc/sys/kernel/random/boot_id
	for i in {2..14}; do
		local_cni ADD "new$i"
		ok
	done
	umount /proc/sys/kernel/random/boot_id
}

@test "powerloss: all verbs end with a lock that is a folder, FIFO or symlink, and work after it was deleted" {
	local kind

	for kind in mkdir mkfifo 'ln -s /etc/passwd' 'ln -s /none'; do
		fresh
		rm "$NET/lock"
		$kind "$NET/lock"
		for verb in STATUS ADD CHECK DEL GC; do
			local_cni $verb c2 "$FULL"
			answers
		done
		[[ ! -e /none ]]
		rm -r "$NET/lock"
		trial
	done
	# A deleted lock file.
	fresh
	rm "$NET/lock"
	trial
}

@test "powerloss: an error of the lock names the file" {
	fresh
	rm "$NET/lock"
	# A folder in its place is moved away (hostile-conf.bats).
	ln -s /nowhere "$NET/lock"
	local_cni ADD c2
	failed 112 "lock $NET/lock: .*(link|loop)"
	local_cni DEL c1
	failed 112 "lock $NET/lock: .*(link|loop)"
	is "$(leases)" '10.1.0.2 10.1.0.3'
}

# full_disk OPTIONS - mounts a small tmpfs with OPTIONS, and creates the leases of keep and c1
full_disk() {
	rm -rf "$DATA"
	mkdir -p "$DATA"
	mount -t tmpfs -o "$1" tmpfs "$DATA"
	local_cni ADD keep
	ok
	local_cni ADD c1
	ok
}

# leave N - fills the file system except for N pages
leave() {
	dd if=/dev/zero of="$DATA/filler" bs=4096 status=none 2>/dev/null || :
	truncate -s -$(($1 * 4096)) "$DATA/filler"
}

@test "powerloss: on a full disk ADD succeeds, or fails without a change; DEL frees the lease" {
	local n before given=0

	for n in 0 1 2 4; do
		full_disk size=128k
		leave "$n"
		before=$(leases)
		local_cni ADD c2
		answers
		if ((status)); then
			failed 112 'No space left on device'
			is "$(leases)" "$before"
		else
			has '.ips[0].address == "10.1.0.4/28"'
			given=$((given + 1))
		fi
		for verb in STATUS CHECK; do
			local_cni $verb keep
			answers
		done
		for id in c1 c1 c2; do
			local_cni DEL "$id"
			ok
		done
		is "$(leases)" 10.1.0.2
		local_cni GC '' "$FULL"
		ok
		rm "$DATA/filler"
		trial
		umount "$DATA"
	done
	((given > 0 && given < 4))
}

@test "powerloss: on a full disk without index, ADD ends and DEL frees the leases" {
	local n

	for n in 0 1 3; do
		full_disk size=128k
		leave "$n"
		rm -rf "$DATA/.cplug"
		local_cni ADD c2
		answers
		for id in c1 c2; do
			local_cni DEL "$id"
			ok
		done
		is "$(leases)" 10.1.0.2
		umount "$DATA"
	done
}

# use_up_inodes - creates files until no inode is free
use_up_inodes() {
	local i=1

	while : 2>/dev/null >"$DATA/filler$i"; do i=$((i + 1)); done
}

@test "powerloss: without free inodes ADD succeeds, or fails with ENOSPC; DEL frees the lease" {
	local n

	for n in 0 1 2 3; do
		full_disk nr_inodes=32
		use_up_inodes
		for ((; n > 0; n--)); do rm "$DATA/filler$n"; done
		local_cni ADD c2
		((status == 0)) || failed 112 'No space left on device'
		for id in c1 c1 c2; do
			local_cni DEL "$id"
			ok
		done
		is "$(leases)" 10.1.0.2
		rm "$DATA"/filler*
		trial
		umount "$DATA"
	done
	full_disk nr_inodes=32
	use_up_inodes
	local_cni STATUS ''
	failed 50 'No space left on device'
	umount "$DATA"
}

@test "powerloss: on a read-only file system each call that writes fails with one message, and leases stay" {
	fresh
	mount --bind "$DATA" "$DATA"
	mount -o remount,bind,ro "$DATA"
	local_cni STATUS ''
	failed 50 'Read-only file system'
	local_cni ADD c2
	failed 112 'Read-only file system'
	local_cni CHECK c1
	ok
	local_cni DEL c1
	failed 112 'Read-only file system'
	local_cni GC '' "$FULL"
	failed 112 'Read-only file system'
	# Nothing has to be written where there is nothing to release, also without a lock.
	for i in 1 2; do
		local_cni DEL c9
		ok
		local_cni GC '' "$(with "$FULL" '.["cni.dev/valid-attachments"] += [{"containerID": "c1", "ifname": "eth0"}]')"
		ok
		mount -o remount,bind,rw "$DATA"
		rm -f "$NET/lock"
		mount -o remount,bind,ro "$DATA"
	done
	local_cni DEL c1
	failed 112 'Read-only file system'
	umount "$DATA"
	is "$(leases)" '10.1.0.2 10.1.0.3'
	trial
}

@test "powerloss: without write permission each call that writes fails with one message, and leases stay" {
	fresh
	# Root without the capabilities that override permissions.
	as_owner() {
		CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 \
			CNI_PATH=$CPLUG_BIN setpriv --bounding-set -dac_override,-dac_read_search \
			"$CPLUG_BIN/host-local" <<<"${3-$CONF}"
	}
	setpriv --bounding-set -dac_override,-dac_read_search true || skip 'setpriv is not installed'
	chmod 500 "$NET"
	for verb in STATUS ADD DEL GC; do
		status=0
		output=$(as_owner $verb "$([[ $verb == ADD ]] && echo c2 || echo c1)" "$FULL") || status=$?
		failed '' 'Permission denied'
	done
	status=0
	output=$(as_owner CHECK c1) || status=$?
	ok
	chmod 755 "$NET"
	is "$(leases)" '10.1.0.2 10.1.0.3'
	trial
}

# ---- resolv.conf ----

RESOLV='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"cni0",
	"ipam":{"type":"host-local","subnet":"10.1.0.0/28"},"dns":{"nameservers":["192.0.2.53"]}}'
FILE=/etc/netns/c1/resolv.conf

@test "powerloss: a resolv.conf that is truncated in its first line is overwritten by ADD, and removed by DEL" {
	local n first='# Written by cplug for net1/c1/eth0'

	ip netns add c2
	for n in $(seq 0 ${#first}); do
		mkdir -p /etc/netns/c1
		head -c "$n" <<<"$first" >"$FILE"
		if ((n % 4 == 0)); then
			cni ADD bridge "$RESOLV"
			ok
			grep -qx 'nameserver 192.0.2.53' "$FILE"
		fi
		cni DEL bridge "$RESOLV"
		ok
		[[ ! -e $FILE ]] || fail "truncated to $n bytes it stays: $(cat "$FILE")"
	done
	# A file of another attachment stays until DEL of its owner.
	mkdir -p /etc/netns/c1
	echo "# Written by cplug for net1/c2/eth0" >"$FILE"
	cni DEL bridge "$RESOLV"
	ok
	[[ -e $FILE ]]
	cni DEL bridge "$RESOLV" c2 ''
	ok
	[[ ! -e $FILE ]]
}

@test "powerloss: if resolv.conf cannot be written, ADD warns, or fails with an explicit path" {
	local place before

	warm_up bridge "$RESOLV"
	remember
	for place in file read-only full 'link /none/such' folder fifo; do
		mkdir -p /etc/netns
		case $place in
		file) : >/etc/netns/c1 ;;
		read-only) mount -t tmpfs -o ro tmpfs /etc/netns ;;
		full)
			mount -t tmpfs -o size=8k tmpfs /etc/netns
			dd if=/dev/zero of=/etc/netns/filler status=none 2>/dev/null || :
			;;
		link*) ln -s /none/such /etc/netns/c1 ;;
		folder) mkdir -p "$FILE" ;;
		fifo) mkdir -p "${FILE%/*}" && mkfifo "$FILE" ;;
		esac
		cni ADD bridge "$RESOLV"
		ok
		contains "$errors" '/etc/netns/'
		cni CHECK bridge "$(chained "$RESOLV")"
		answers
		del bridge "$RESOLV"
		del bridge "$RESOLV" c1 ''
		if [[ $place != @(folder|fifo) ]]; then
			cni ADD bridge "$(with "$RESOLV" ".resolvConf = \"$FILE\"")"
			failed 112 '/etc/netns/'
		fi
		[[ $place != @(read-only|full) ]] || umount /etc/netns
		rm -rf /etc/netns/c1
		assert_same_snapshot
	done
	[[ ! -e /none ]]
}
