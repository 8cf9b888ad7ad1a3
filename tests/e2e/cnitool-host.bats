#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What cnitool does to the host that it runs on: mounts, folders, and plugins that are copies.
load lib
load cnitool

NET='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$NET"
}

# chroot_folder - makes a folder with this system's programs, and a cnitool; sets root
chroot_folder() {
	local dir

	root=$BATS_TEST_TMPDIR/root
	mkdir -p "$root"/{proc,sys,dev,etc,run/netns,tmp,var/lib/cni,opt/cni/bin}
	for dir in usr bin sbin lib lib32 lib64; do
		if [[ -L /$dir ]]; then
			cp -P "/$dir" "$root/$dir"
		elif [[ -d /$dir ]]; then
			mkdir "$root/$dir"
			mount --rbind "/$dir" "$root/$dir"
		fi
	done
	# Of its mounts, none may be left out in a user namespace.
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	cp "$CPLUG_BIN"/* "$root/opt/cni/bin"
	cp -r "$NETCONFPATH" "$root/tmp/net.d"
	echo host >"$root/etc/hosts"
	touch "$root/etc/resolv.conf" "$root/etc/hostname"
	mount --make-rshared /
}

# in_chroot COMMAND... - as in a root shell of the chroot
in_chroot() {
	chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin NETCONFPATH=/tmp/net.d \
		CNI_PATH=/opt/cni/bin "$@"
}

@test "host: run in a chroot whose root is no mount point mounts nothing on the host" {
	local before out

	chroot_folder
	before=$(grep -v ' /run/netns' /proc/self/mountinfo)
	out=$(in_chroot /opt/cni/bin/cnitool run net1 --name web -- \
		sh -c 'cat /proc/1/comm; cat /etc/hosts; pwd; ls /proc | grep -c "^[0-9]"')
	contains "$out" cnitool
	contains "$out" 'web'
	[[ $(tail -n1 <<<"$out") -lt 6 ]]
	is "$(grep -v ' /run/netns' /proc/self/mountinfo | grep -v "$root/run/netns")" "$before"
	prints host cat "$root/etc/hosts"
	[[ -d $root/proc/$$ || -e $root/proc/self/stat ]]
	# Also while the command runs.
	# shellcheck disable=SC2094 # another process reads
	in_chroot /opt/cni/bin/cnitool run none -- sh -c 'echo up; read x' \
		< <(wait_for "the command" grep -q up "$BATS_TEST_TMPDIR/log"
			grep -v ' /run/netns' /proc/self/mountinfo | grep -v "$root/run/netns" >"$BATS_TEST_TMPDIR/mounts"
			echo) >"$BATS_TEST_TMPDIR/log"
	prints "$before" cat "$BATS_TEST_TMPDIR/mounts"
}

@test "host: run in a chroot keeps the working directory, and --rootfs works there" {
	chroot_folder
	mkdir -p "$root/tmp/inner/etc"
	cp -P "$root"/{bin,sbin,lib,lib64} "$root/tmp/inner/" 2>/dev/null || true
	mkdir -p "$root/tmp/inner/usr"
	mount --rbind /usr "$root/tmp/inner/usr"
	prints /tmp in_chroot sh -c 'cd /tmp && /opt/cni/bin/cnitool run none -- pwd'
	if [[ -L /bin ]]; then
		prints / in_chroot /opt/cni/bin/cnitool run none --rootfs /tmp/inner -- pwd
	fi
}

@test "host: run fails, and mounts nothing, where its mounts cannot be made private" {
	local before status=0

	! grep -q __asan_init "$CPLUG_BIN/cnitool" || skip "the sanitizers do not start without /proc"
	chroot_folder
	umount "$root/proc"
	before=$(grep -v ' /run/netns' /proc/self/mountinfo)
	in_chroot /opt/cni/bin/cnitool run host -- echo ran >"$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
	is "$status" 125
	contains "$(cat "$BATS_TEST_TMPDIR/out")" 'cannot make its mounts private.*mount --bind DIR DIR'
	is "$(grep -v ' /run/netns' /proc/self/mountinfo)" "$before"
}

# read_only_cache - makes /var/lib/cni read-only, so that the cache is elsewhere
read_only_cache() {
	# It may be a folder of another mount.
	mount --bind /var/lib/cni /var/lib/cni
	mount -o remount,ro,bind /var/lib/cni
	[[ -d /tmp/cplug-0 ]] || mkdir -m 700 /tmp/cplug-0
	mount -t tmpfs -o mode=0700 tmpfs /tmp/cplug-0
}

@test "host: XDG_RUNTIME_DIR of another user, or that others can write, is not used" {
	local dir=$BATS_TEST_TMPDIR/xdg

	((UID == 0)) || skip "needs root"
	[[ $(wc -l </proc/self/uid_map) -eq 1 && $(awk '{print $3}' /proc/self/uid_map) -gt 65534 ]] ||
		skip "needs another user"
	read_only_cache
	mkdir -m 700 "$dir"
	export XDG_RUNTIME_DIR=$dir
	new_netns c1
	for mode in 'chown 65534 DIR' 'chown 0 DIR; chmod 770 DIR' 'chmod 707 DIR'; do
		eval "${mode//DIR/\"$dir\"}"
		tool add -q net1 c1
		ok
		contains "$errors" "XDG_RUNTIME_DIR $dir is not used: it does not belong to us alone"
		prints '' ls -A "$dir"
		tool del net1 c1
		ok
	done
	chmod 700 "$dir"
	tool add -q net1 c1
	ok
	is "$(ls -A "$dir")" cni
	mkdir -m 700 "$BATS_TEST_TMPDIR/other"
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/link
	ln -s "$BATS_TEST_TMPDIR/other" "$XDG_RUNTIME_DIR"
	tool list
	contains "$errors" 'is not used'
	umount /tmp/cplug-0
	rmdir --ignore-fail-on-non-empty /tmp/cplug-0
}

@test "host: plugins that are copies know each other: host-local is called in process" {
	local bin=$BATS_TEST_TMPDIR/copies

	can_trace || skip "strace cannot trace"
	# LeakSanitizer does not work under ptrace.
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	mkdir "$bin"
	for name in bridge host-local cnitool; do cp -L "$CPLUG_BIN/$name" "$bin/$name"; done
	[[ $(stat -c %i "$bin/bridge") != "$(stat -c %i "$bin/host-local")" ]]
	new_netns c1
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$bin \
		strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,capset,prctl "$bin/bridge" \
		<<<"$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" >/dev/null
	is "$(grep -c execve "$BATS_TEST_TMPDIR/trace")" 1
	contains "$(cat "$BATS_TEST_TMPDIR/trace")" 'PR_SET_NO_NEW_PRIVS'
	# restore repairs with plugins that are its own.
	CPLUG_BIN=$bin CNI_PATH=$bin tool add -q net1 c1 -i eth1
	ok
	in_ns c1 ip link del eth1
	CPLUG_BIN=$bin CNI_PATH=$bin tool restore
	ok
	link c1 eth1 true
	# One changed byte: another program.
	printf 'x' | dd of="$bin/host-local" bs=1 seek=$(($(stat -c %s "$bin/host-local") - 1)) conv=notrunc 2>/dev/null
	CNI_COMMAND=CHECK CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$bin \
		strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=execve "$bin/bridge" \
		<<<"$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" >/dev/null || true
	CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$bin \
		strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=execve "$bin/bridge" \
		<<<"$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" >/dev/null || true
	is "$(grep -c execve "$BATS_TEST_TMPDIR/trace")" 2
}

@test "host: restore says so when the plugins are not those of its version" {
	local bin=$BATS_TEST_TMPDIR/others

	mkdir "$bin"
	cp -L "$CPLUG_BIN"/{bridge,host-local} "$bin"
	printf x | tee -a "$bin/bridge" >>"$bin/host-local"
	new_netns c1
	tool add -q net1 c1
	ok
	CNI_PATH=$bin tool restore
	ok
	contains "$errors" '^cnitool: 1 of 1 attachments passed over: none of their plugins is of cplug'
	CNI_PATH=$bin tool restore --json
	has '.notes | length == 1'
	tool restore
	is "$errors" ''
}

@test "host: run unplugs a network whose cached result became unreadable, and says so" {
	tool run net1 --name web -- sh -c 'echo "{" >/var/lib/cni/results/net1-web-eth0'
	is "$status" 125
	contains "$errors" 'net1-web-eth0: this is no result of an earlier ADD'
	is "$(ip -j link show type veth | jq length)" 0
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}
