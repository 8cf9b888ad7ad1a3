#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# More hostile input: files in the wrong places, sizes, and invalid types in DEL.

load lib
load hostile

@test "hostile files: a dataDir that is no folder is rejected; the administrator's symlinks are followed" {
	local dir

	echo precious >/run/file
	ln -s /run/nowhere /run/dangling
	ln -s loop /run/loop
	mkfifo /run/fifo
	remember
	for dir in /run/file /run/file/x /run/loop /run/fifo /dev/null /proc/self/fd/0 /proc/nothing /sys/x; do
		refused ADD bridge "$(with "$CONF" ".ipam.dataDir = \"$dir\"")"
		contains "$error" "$dir"
	done
	cni ADD bridge "$(with "$CONF" '.ipam.dataDir = "/run/dangling"')"
	failed
	[[ ! -e /run/nowhere && $(cat /run/file) == precious ]]
	# The administrator chooses dataDir, so symlinks and ".." are followed.
	mkdir -p /run/real/below
	ln -s /run/real /run/link
	for dir in /run/link /run/real/below/../; do
		add bridge "$(with "$CONF" ".ipam.dataDir = \"$dir\"")"
		[[ -e /run/real/net1/lock ]]
		del bridge "$(with "$CONF" ".ipam.dataDir = \"$dir\"")"
	done
}

@test "hostile files: ADD skips folders, devices and symlinks in place of lease files and index" {
	local name

	mkdir -p /var/lib/cni/networks/net1 /run/elsewhere
	for name in last_reserved_ip.0 10.1.0.2 10.1.0.3; do
		rm -rf "/var/lib/cni/networks/net1/$name"
		mkdir "/var/lib/cni/networks/net1/$name"
	done
	# The first two are empty when they are read.
	mkfifo /var/lib/cni/networks/net1/10.1.0.4
	mknod /var/lib/cni/networks/net1/10.1.0.5 c 1 3 2>/dev/null || mkfifo /var/lib/cni/networks/net1/10.1.0.5
	mknod /var/lib/cni/networks/net1/10.1.0.6 c 1 5 2>/dev/null || mkfifo /var/lib/cni/networks/net1/10.1.0.6
	ln -s /dev/zero /var/lib/cni/networks/net1/10.1.0.7
	rm -rf /var/lib/cni/networks/.cplug
	ln -s /run/elsewhere /var/lib/cni/networks/.cplug
	cni ADD bridge "$CONF"
	ok
	[[ $(result '.ips[0].address') == 10.1.0.8/24 ]]
	del bridge "$CONF"
	prints '' ls -A /run/elsewhere
}

@test "hostile files: other files of /proc as CNI_NETNS are rejected" {
	local path

	for path in /proc/uptime /proc/self/mem /proc/kmsg /proc/self /proc/sysrq-trigger /proc/self/fd/0; do
		refused ADD bridge "$CONF" c1 "$path"
		contains "$error" "$path: it is not a namespace|$path.*No such"
	done </dev/null
}

@test "hostile files: IDs and names of 1 MiB in lists and prevResult" {
	huge 1048576 >"$BATS_TEST_TMPDIR/long"
	add bridge "$CONF"
	jq -c --rawfile s "$BATS_TEST_TMPDIR/long" '.cniVersion = "1.1.0" | ."cni.dev/valid-attachments" =
		[{containerID: $s, ifname: $s}, {containerID: "c1", ifname: "eth0"}]' <<<"$CONF" >"$BATS_TEST_TMPDIR/conf"
	cni GC bridge "$BATS_TEST_TMPDIR/conf"
	((status == 0)) || failed
	sees c1 10.1.0.1
	for key in '.prevResult.interfaces[2].name' '.prevResult.interfaces[2].sandbox' '.prevResult.ips[0].address' \
		'.prevResult.dns.domain' '.runtimeConfig.mac' '.log.level' '.resolvConf' '.hostIfName'; do
		jq -c --rawfile s "$BATS_TEST_TMPDIR/long" --argjson prev "$output" \
			".prevResult = {cniVersion: \"1.0.0\", interfaces: [{}, {}, {}], ips: [{}]} | $key = \$s" \
			<<<"$CONF" >"$BATS_TEST_TMPDIR/conf" 2>/dev/null || jq -c --rawfile s "$BATS_TEST_TMPDIR/long" \
			"$key = \$s" <<<"$CONF" >"$BATS_TEST_TMPDIR/conf"
		cni CHECK bridge "$BATS_TEST_TMPDIR/conf"
		failed
		((${#output} < 10000)) || fail "$key: output of ${#output} bytes"
	done
	del bridge "$CONF"
}

@test "hostile files: 10,000 routes, name servers, port mappings or ranges" {
	local list

	for list in '.ipam.routes = [range(10000) | {dst: "10.\(. / 250 + 20 | floor).\(. % 250).0/24"}]' \
		'.dns.nameservers = [range(10000) | "10.0.0.1"]' \
		'.runtimeConfig.portMappings = [range(10000) | {hostPort: 80, containerPort: (. + 1)}]' \
		'.ipam.ranges = [range(10000) | [{subnet: "10.\(. / 250 + 20 | floor).\(. % 250).0/24"}]] | del(.ipam.subnet)'; do
		with "$CONF" "$list" >"$BATS_TEST_TMPDIR/conf"
		cni ADD bridge "$BATS_TEST_TMPDIR/conf" >/dev/null
		if ((status)); then
			failed
			((${#output} < 10000)) || fail "output of ${#output} bytes"
			assert_same_snapshot
		else
			link c1 eth0 '.flags | any(. == "UP")'
			cni DEL bridge "$BATS_TEST_TMPDIR/conf"
			ok
		fi
		no_link c1 eth0
	done
}

@test "hostile files: DEL succeeds with an ipam.type that cannot exist" {
	local type

	for type in '"../x"' '"a/b"' '"."' '"bridge"' '"cnitool"' 5 '{}' '[]' true '""' null; do
		add bridge "$CONF"
		cni DEL bridge "$(with "$CONF" ".ipam.type = $type")"
		((status == 0)) || [[ $type == '"cnitool"' ]] || fail "DEL with ipam.type $type: $output"
		no_link c1 eth0
		del bridge "$CONF"
		assert_same_snapshot
	done
	# A plugin that may be installed later must be called, so DEL fails.
	cni DEL bridge "$(with "$CONF" '.ipam.type = "nope"')"
	failed 106 nope
}

# is_plain - true unless the plugins run under valgrind or with a sanitizer, which reserve memory
is_plain() {
	[[ $(head -c 4 "$CPLUG_BIN/bridge") == $'\x7fELF' ]] && ! grep -q __asan_ "$CPLUG_BIN/bridge"
}

# in_memory MIB COMMAND TYPE CONF - as cni, with a limited address space
in_memory() {
	local mib=$1

	shift
	! is_plain || ulimit -S -v $((mib << 10))
	cni "$@"
	ulimit -S -v unlimited
}

# too_long KEY FILTER - asserts that ADD refuses a list of $CONF, with FILTER, and needs little memory
too_long() {
	with "$CONF" "$2" >"$BATS_TEST_TMPDIR/conf"
	in_memory 192 ADD bridge "$BATS_TEST_TMPDIR/conf"
	failed 7 "$1: too long"
	assert_same_snapshot
}

@test "hostile files: lists have an upper length, which the error names, and need memory in proportion" {
	too_long args.cni.ips '.args.cni.ips = [range(15000) | "10.2.\(. / 250 | floor).\(. % 250)"]'
	contains "$error" 'args.cni.ips: too long: 15000 entries, at most 64 are allowed'
	too_long runtimeConfig.ips '.runtimeConfig.ips = [range(15000) | "10.2.\(. / 250 | floor).\(. % 250)"]'
	too_long ipMasq.except '.ipMasq = {except: [range(15000) | "10.\(. / 250 | floor).\(. % 250).0/24"]}'
	too_long conditionsV4 '.conditionsV4 = [range(8000) | "-s"]'
	too_long conditionsV4 '.conditionsV4 = [[range(8000) | "-s"] | join(" ")]'
	too_long dns.search '.dns.search = [range(15000) | "a\(.)"]'
	too_long ipam.ranges '.ipam.ranges = [range(20000) | [{subnet: "10.1.0.0/24"}]] | del(.ipam.subnet)'
	too_long 'ipam.ranges\[0\]' '.ipam.ranges = [[range(2000) | {subnet: "10.1.0.0/24"}]] | del(.ipam.subnet)'
	too_long ipam.routes '.ipam.routes = [range(2049) | {dst: "10.0.0.0/8"}]'
	too_long runtimeConfig.portMappings '.runtimeConfig.portMappings = [range(25000) | {hostPort: 80, containerPort: 80}]'
	too_long vlanTrunk '.vlanTrunk = [range(5000) | {id: 5}]'
}

@test "hostile files: prevResult, CNI_ARGS and the result of an IPAM plugin have upper lengths, too" {
	local args

	with "$CONF" '.prevResult = {cniVersion: "1.0.0", ips: [range(17000) | {address: "10.1.0.2/24"}]}' >"$BATS_TEST_TMPDIR/conf"
	in_memory 192 CHECK bridge "$BATS_TEST_TMPDIR/conf"
	failed 108 'prevResult.ips: too long'
	in_memory 192 DEL bridge "$BATS_TEST_TMPDIR/conf"
	ok
	args=IgnoreUnknown=1$(printf ';a=%d' {1..9000})
	CNI_ARGS=$args cni ADD bridge "$CONF"
	failed 4 'ARGS: too long'
	mkdir -p /run/.rig/bin
	cat >/run/.rig/bin/foreign <<-'END'
		#!/bin/sh
		[ "$CNI_COMMAND" = ADD ] || exit 0
		jq -nc '{cniVersion: "1.0.0", ips: [range(17000) | {address: "10.1.0.9/24"}]}'
	END
	chmod +x /run/.rig/bin/foreign
	CNI_PATH=/run/.rig/bin in_memory 192 ADD bridge "$(with "$CONF" '.ipam = {type: "foreign"}')"
	failed 106 'ips: too long'
	assert_same_snapshot
}

@test "hostile files: a request that needs more memory than a call may have is refused, and rolled back" {
	# Each element takes one byte and a comma, and a value in memory.
	printf '{"x":[%s1],%s' "$(head -c 20000000 /dev/zero | tr '\0' 1 | sed 's/1/1,/g')" "${CONF:1}" >"$BATS_TEST_TMPDIR/conf"
	cni ADD bridge "$BATS_TEST_TMPDIR/conf"
	failed 110 'the request needs more than 256 MiB'
	assert_same_snapshot
	cni DEL bridge "$CONF"
	ok
}

@test "hostile files: the limit of the address space does not reach an IPAM plugin that is executed" {
	mkdir -p /run/.rig/bin
	cat >/run/.rig/bin/foreign <<-'END'
		#!/bin/sh
		cat /proc/self/limits >/run/.rig/limits
		cat /proc/$PPID/limits >/run/.rig/limits-of-ours
		echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}]}'
	END
	chmod +x /run/.rig/bin/foreign
	CNI_PATH=/run/.rig/bin add bridge "$(with "$CONF" '.ipam = {type: "foreign"}')"
	grep -q '^Max address space  *unlimited' /run/.rig/limits
	! is_plain || grep -q '^Max address space  *536870912' /run/.rig/limits-of-ours
}
