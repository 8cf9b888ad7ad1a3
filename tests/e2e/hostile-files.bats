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
