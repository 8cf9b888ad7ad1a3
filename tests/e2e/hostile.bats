#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Invalid and hostile input: one error message, no change, no hang.

load lib
load hostile

@test "hostile: an invalid network name is rejected" {
	local name

	for name in ../x .. . a/b /etc/x 'a b' $'a\nb' '' -x; do
		refused ADD bridge "$(jq -c --arg n "$name" '.name = $n' <<<"$CONF")"
		refused ADD host-local "$(jq -c --arg n "$name" '.name = $n' <<<"$CONF")"
	done
	[[ ! -e /var/lib/cni/x ]]
}

@test "hostile: an invalid container ID is rejected" {
	local id

	for id in ../x .. /etc/x 'a b' $'a\nb' -x a/../b; do
		refused ADD bridge "$CONF" "$id" c1
		refused DEL bridge "$CONF" "$id" c1
	done
}

@test "hostile: an invalid interface name is rejected" {
	local name

	for name in ../x .. . a/b a:b 'a b' 0123456789abcdef; do
		refused ADD bridge "$CONF" c1 c1 "$name"
	done
}

@test "hostile: an invalid type of the IPAM plugin is rejected" {
	local type

	for type in ../bin/x /bin/true .. bridge loopback; do
		refused ADD bridge "$(jq -c --arg t "$type" '.ipam.type = $t' <<<"$CONF")"
	done
}

@test "hostile: a symlink in place of a network's lease folder is not followed" {
	mkdir -p /var/lib/cni/networks /var/lib/cni/elsewhere
	rm -r /var/lib/cni/networks/net1
	ln -s /var/lib/cni/elsewhere /var/lib/cni/networks/net1
	remember
	refused ADD bridge "$CONF"
	prints '' ls -A /var/lib/cni/elsewhere
}

@test "hostile: symlinks in place of leases and lock are not followed" {
	mkdir -p /var/lib/cni/networks/net1
	echo precious >/var/lib/cni/precious
	ln -sf /var/lib/cni/precious /var/lib/cni/networks/net1/10.1.0.2
	ln -sf /var/lib/cni/precious /var/lib/cni/networks/net1/last_reserved_ip.0
	cni ADD bridge "$CONF"
	is "$(cat /var/lib/cni/precious)" precious
	rm -f /var/lib/cni/networks/net1/lock
	ln -s /var/lib/cni/new /var/lib/cni/networks/net1/lock
	cni ADD bridge "$CONF" c1 c1 eth1
	failed
	[[ ! -e /var/lib/cni/new ]]
}

@test "hostile: a FIFO in place of lock, lease, index or resolv.conf does not block a call" {
	rm -r /var/lib/cni/networks
	mkdir -p /var/lib/cni/networks/net1 /var/lib/cni/networks/.cplug
	mkfifo /var/lib/cni/networks/net1/lock
	cni ADD bridge "$CONF"
	cni DEL bridge "$CONF"
	rm /var/lib/cni/networks/net1/lock
	rm -f /var/lib/cni/networks/.cplug/net1.index
	mkfifo /var/lib/cni/networks/net1/10.1.0.2 /var/lib/cni/networks/.cplug/net1.index
	cni ADD bridge "$CONF"
	cni DEL bridge "$CONF"
	rm -r /var/lib/cni/networks
	mkfifo /run/fifo
	remember
	refused ADD bridge "$(with "$CONF" '.ipam.resolvConf = "/run/fifo"')"
}

@test "hostile: the path of a namespace is resolved once, because it may lead elsewhere the next time" {
	local opened

	can_trace || skip "no strace"
	ASAN_OPTIONS+=:detect_leaks=0 CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 \
		CNI_IFNAME=lo CNI_PATH=$CPLUG_BIN \
		strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=open,openat,open_by_handle_at "$CPLUG_BIN/loopback" \
		<<<'{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'
	opened=$(grep -F '"/run/netns/c1"' "$BATS_TEST_TMPDIR/trace")
	is "$(wc -l <<<"$opened")" 1
	contains "$opened" 'O_PATH'
	# What is opened then is what was looked at: by its handle, which the kernel has since 6.18, or through /proc.
	contains "$(cat "$BATS_TEST_TMPDIR/trace")" \
		'"/proc/self/fd/[0-9]+", O_RDONLY|open_by_handle_at\((-10003|FD_NSFS_ROOT), .* = [0-9]+$'
}

@test "hostile: a FIFO, folder, file, device or other kind of namespace as CNI_NETNS is rejected" {
	local path

	mkfifo /run/fifo
	echo >/run/file
	remember
	for path in /run/fifo /run /run/file /dev/null /dev/zero /proc/self/ns/mnt /proc/self/ns/user; do
		refused ADD bridge "$CONF" c1 "$path"
		refused CHECK bridge "$CONF" c1 "$path"
		contains "$error" "$path"
	done
}

@test "hostile: a missing namespace and the host's own are rejected" {
	refused ADD bridge "$CONF" c1 /run/netns/none
	refused ADD bridge "$CONF" c1 /proc/self/ns/net
	# A DEL cannot fail for ever: the container's namespace is taken for gone.
	cni DEL bridge "$CONF" c1 /proc/self/ns/net
	ok
	assert_same_snapshot
}

@test "hostile: a container ID as long as the environment allows" {
	local id

	id=$(huge 100000)
	cni ADD bridge "$CONF" "$id" c1
	if ((status)); then failed; else link c1 eth0 '.flags | any(. == "UP")'; fi
	cni DEL bridge "$CONF" "$id" c1
	no_link c1 eth0
	[[ ! -e /var/lib/cni/networks/net1 ]] || prints '' find /var/lib/cni/networks/net1 -name '10.*'
}

@test "hostile: names, types and paths of 1 MiB are rejected with a short message" {
	huge 1048576 >"$BATS_TEST_TMPDIR/long"
	for key in '.name' '.bridge' '.ipam.type' '.ipam.subnet' '.ipam.dataDir' '.cniVersion'; do
		jq -c --rawfile s "$BATS_TEST_TMPDIR/long" "$key = \$s" <<<"$CONF" >"$BATS_TEST_TMPDIR/conf"
		refused ADD bridge "$BATS_TEST_TMPDIR/conf"
		((${#output} < 10000)) || fail "output of ${#output} bytes"
	done
}

@test "hostile: JSON of depth 100,000 is rejected" {
	{
		printf '{"cniVersion":"1.0.0","name":"n","type":"bridge","x":'
		huge 100000 | tr a '['
		huge 100000 | tr a ']'
		printf '}'
	} >"$BATS_TEST_TMPDIR/conf"
	refused ADD bridge "$BATS_TEST_TMPDIR/conf"
	failed 6
}

@test "hostile: NUL characters, invalid UTF-8, lone surrogates and invalid JSON are rejected" {
	local text

	for text in '{"cniVersion":"1.0.0","name":"a\u0000b"}' '{"name":"\xff\xfe"}' '{"name":"\\ud800"}' \
		'{"na\\u0000me":"x"}' '' ' ' '[]' 'null' '1' '"x"' '{' '{}{}' '{"a":1,}' '\xef\xbb\xbf{}' \
		'{"name":"x"}\x00'; do
		printf '%b' "$text" >"$BATS_TEST_TMPDIR/conf"
		refused ADD bridge "$BATS_TEST_TMPDIR/conf"
	done
}

@test "hostile: numbers out of range are rejected" {
	local change

	for change in '.mtu = -1' '.mtu = 65536' '.mtu = 1e300' '.mtu = 1.5' '.vlan = 4095' '.vlan = -1' \
		'.mtu = 18446744073709551616' '.ipam.subnet = "10.1.0.0/33"' '.ipam.subnet = "10.1.0.0/-1"' \
		'.ipam.subnet = "10.1.0.0/32"' '.ipam.rangeStart = "10.1.1.1"' \
		'.runtimeConfig.portMappings = [{hostPort: 65536, containerPort: 80}]' \
		'.runtimeConfig.portMappings = [{hostPort: 80, containerPort: -1}]'; do
		refused ADD bridge "$(with "$CONF" "$change")"
	done
	printf '%s' "${CONF/\"isGateway\"/\"mtu\":99999999999999999999999999,\"isGateway\"}" \
		>"$BATS_TEST_TMPDIR/conf"
	refused ADD bridge "$BATS_TEST_TMPDIR/conf"
}

@test "hostile: 10,000 requested addresses, and 10,000 addresses in prevResult" {
	jq -c '.runtimeConfig.ips = [range(10000) | "10.9.\(. / 256 | floor).\(. % 256)/16"]' <<<"$CONF" \
		>"$BATS_TEST_TMPDIR/conf"
	refused ADD bridge "$BATS_TEST_TMPDIR/conf"
	jq -c '.type = "portmap" | .runtimeConfig.portMappings = [{hostPort: 80, containerPort: 80}]
		| .prevResult = {cniVersion: "1.0.0", interfaces: [],
			ips: [range(10000) | {address: "10.9.\(. / 256 | floor).\(. % 256)/16", interface: 7}]}' \
		<<<"$CONF" >"$BATS_TEST_TMPDIR/conf"
	add portmap "$BATS_TEST_TMPDIR/conf"
	del portmap "$BATS_TEST_TMPDIR/conf"
}

@test "hostile: invalid CNI_ARGS are rejected, or have no effect" {
	local args

	for args in '=' ';' 'IP' 'IP=' 'IP=1;;' 'MAC=zz' 'IP=10.1.0.5=6' 'IP=999.1.1.1' "$(huge 100000)"; do
		export CNI_ARGS=$args
		cni ADD bridge "$CONF"
		if ((status)); then
			failed
			((${#output} < 10000))
			assert_same_snapshot
		else
			link c1 eth0 '.flags | any(. == "UP")'
			del bridge "$CONF"
		fi
		unset CNI_ARGS
	done
}

@test "hostile: DEL with an invalid prevResult fails with a message or succeeds, and removes everything" {
	local prev

	add bridge "$CONF"
	for prev in '[]' '"x"' '{"cniVersion":"9.9.9"}' '{"ips":5}' '{"ips":[{"address":"x"}]}' \
		'{"cniVersion":"1.0.0","interfaces":[{"name":5}],"ips":[{"address":"10.1.0.2/24","interface":99}]}'; do
		cni DEL bridge "$(jq -c --argjson p "$prev" '.prevResult = $p' <<<"$CONF")"
		((status == 0)) || failed
	done
	no_link c1 eth0
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}
