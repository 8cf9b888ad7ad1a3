#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # the dollars of bash -c and of jq
# Files, folders and JSON of others that cnitool and the netavark driver read (docs/security.md)
load lib
load cnitool

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	mkdir "$NETCONFPATH"
}

# peak COMMAND... - runs it; sets status, and PEAK to its largest resident memory in MiB
peak() {
	local kib

	type -P /usr/bin/time >/dev/null || skip "time is not installed"
	status=0
	/usr/bin/time -q -f %M -o "$BATS_TEST_TMPDIR/peak" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	output=$(head -c 2000 "$BATS_TEST_TMPDIR/out")
	kib=$(cat "$BATS_TEST_TMPDIR/peak")
	PEAK=$((kib / 1024))
	printf '%s -> %d, %d MiB\n%s\n' "$*" "$status" "$PEAK" "$output"
}

# sanitized - is it a build with sanitizers, whose memory says nothing?
sanitized() {
	grep -q __asan_init "$CPLUG_BIN/cnitool"
}

# repeated N TEXT - prints the text N times
repeated() {
	yes "$2" | head -n "$1" | tr -d '\n'
}

@test "hostile-tool: install and uninstall do not follow a link to a folder of the host" {
	local dir=$BATS_TEST_TMPDIR/bin host=$BATS_TEST_TMPDIR/host

	mkdir "$dir" "$host"
	echo bridge >"$host/bridge"
	echo tuning >"$host/tuning"
	ln -s "$host" "$dir/.cplug-replaced"
	echo other >"$dir/bridge"
	tool install --force "$dir"
	((status == 1))
	contains "$errors" '\.cplug-replaced'
	is "$(cat "$dir/bridge")" other
	is "$(cat "$host/bridge")" bridge
	rm "$dir/bridge"
	tool install "$dir"
	ok
	tool uninstall "$dir"
	((status == 1))
	is "$(cat "$host/bridge" "$host/tuning")" $'bridge\ntuning'
	rm "$dir/.cplug-replaced"
	tool uninstall "$dir"
	ok
	# What others have put into a folder of that name comes back as theirs.
	echo other >"$dir/bridge"
	tool install --force "$dir"
	ok
	tool uninstall "$dir"
	ok
	is "$(cat "$dir/bridge")" other
}

@test "hostile-tool: validate shows no control characters of a file" {
	local file=$BATS_TEST_TMPDIR/x.conflist

	printf '{"cniVersion":"1.0.0","name":"x\\u001b]0;a\\u0007","\\u009b31m\\u001b[2J":1,"plugins":[{"type":"bri\\u001b[1mdge"},
		{"type":"bridge","ipam":{"type":"a\\nx.conflist: valid\\u009b"}}]}' >"$file"
	tool validate "$file"
	((status == 1))
	contains "$output" 'plugins\[0\]: bri\?\[1mdge'
	contains "$output" 'a x\.conflist: valid\?\? is not one'
	LC_ALL=C run ! grep -q $'[\x01-\x08\x0b-\x1f\x7f]\|\xc2[\x80-\x9f]' "$BATS_TEST_TMPDIR/out"
	run ! grep -q ': valid$' "$BATS_TEST_TMPDIR/out"
	cp "$file" "$BATS_TEST_TMPDIR/"$'a\e[2J\n.conflist'
	tool validate "$BATS_TEST_TMPDIR/"$'a\e[2J\n.conflist' "$BATS_TEST_TMPDIR/"$'none\e[2J'
	((status == 2))
	tool validate "$BATS_TEST_TMPDIR/"$'a\e[2J\n.conflist'
	((status == 1))
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
	tool schema $'a\e[2J'
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/err"
}

@test "hostile-tool: no verb that calls plugins shows control characters of a type" {
	local args shown='plugin type=\\?"a\?\?\?\[31m FAKE LINE'

	printf '{"cniVersion":"1.1.0","name":"x","plugins":[{"type":"a\\u009b\\u001b[31m\\nFAKE LINE"}]}' \
		>"$NETCONFPATH/10.conflist"
	new_netns c1
	for args in 'status x' gc 'add x c1' 'check x c1' 'del x c1' 'add x c1 --json' 'status x --json'; do
		# shellcheck disable=SC2086 # words
		tool $args
		((status != 0)) || [[ $args == del* ]]
		[[ $args == check* || $args == del* ]] || contains "$output$errors" "$shown"
		run ! grep -q '^FAKE' <<<"$output$errors"
		LC_ALL=C run ! grep -q $'[\x01-\x08\x0b-\x1f\x7f]\|\xc2[\x80-\x9f]' "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
	done
}

@test "hostile-tool: list shows no control characters of a file" {
	printf '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"a\\u001b[31m\\nb"}]}' >"$NETCONFPATH/10.conflist"
	tool list
	ok
	contains "$output" 'a\?\[31m b'
	run ! grep -q $'\e' "$BATS_TEST_TMPDIR/out"
}

@test "hostile-tool: validate reads a pipe, and what is wrong there is not valid" {
	echo '{"name":"x","cniVersion":"1.0.0","plugins":[{"type":"bridge"}]}' >"$BATS_TEST_TMPDIR/good"
	echo '{"name":"x","cniVersion":"1.0.0","plugins":[{"type":"bridge","mtu":3}]}' >"$BATS_TEST_TMPDIR/bad"
	run bash -c 'cat "$1" | "$0" validate -' "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/good"
	((status == 0))
	is "$output" "-: valid"
	run bash -c 'cat "$1" | "$0" validate -' "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/bad"
	((status == 1))
	contains "$output" 'plugins\[0\]\.mtu'
	run bash -c '"$0" validate - <"$1"' "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/bad"
	((status == 1))
	contains_not "$output" 'valid$'
	# Nothing that blocks, and no device, is opened.
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	ln -s /dev/zero "$BATS_TEST_TMPDIR/zero"
	for file in fifo zero .; do
		run timeout 10 "$CPLUG_BIN/cnitool" validate "$BATS_TEST_TMPDIR/$file"
		((status == 2))
	done
}

@test "hostile-tool: validate needs a bounded amount of memory" {
	local what

	sanitized && skip "the sanitizer's memory is not cplug's"
	for what in '{},' '[],' '"",' '{"a":[]},'; do
		{
			printf '{"name":"x","cniVersion":"1.0.0","plugins":[{"type":"bridge","x":['
			repeated $((15000000 / ${#what})) "$what"
			printf '0]}]}'
		} >"$BATS_TEST_TMPDIR/big.conflist"
		peak timeout 120 "$CPLUG_BIN/cnitool" validate "$BATS_TEST_TMPDIR/big.conflist"
		((status == 1))
		((PEAK <= 520))
	done
	contains "$(cat "$BATS_TEST_TMPDIR/err")" 'out of memory'
}

@test "hostile-tool: the netavark driver needs a bounded amount of memory, and its lists are bounded" {
	local filter net='{"name":"a","id":"a","subnets":[{"subnet":"10.77.0.0/24"}],"network_interface":"cp0"}'
	local request='{container_id: "c1", network: $n, port_mappings: [{host_port: 80, container_port: 80, range: 1}],
		network_options: {interface_name: "eth0"}}'

	while read -r filter; do
		jq -nc --argjson n "$net" "$filter" >"$BATS_TEST_TMPDIR/in"
		(($(stat -c %s "$BATS_TEST_TMPDIR/in") > 1000000))
		peak timeout 120 bash -c '"$0" create <"$1"' "$CPLUG_BIN/cplug" "$BATS_TEST_TMPDIR/in"
		((status == 1))
		contains "$output" '"error":"options\.'
		sanitized || ((PEAK <= 520))
	done <<-'END'
		$n * {options: {vlan_trunk: ("1," * 700000 + "1")}}
		$n * {options: {dns_search: ("a," * 700000 + "a")}}
		$n * {options: {mode: "macvlan", source_macs: ("02:00:00:00:00:01," * 70000)}}
	END
	jq -nc --argjson n "$net" "$request | .port_mappings[0].protocol = (\"tcp,\" * 700000 + \"tcp\")" >"$BATS_TEST_TMPDIR/in"
	peak timeout 120 bash -c '"$0" setup /run/netns/none <"$1"' "$CPLUG_BIN/cplug" "$BATS_TEST_TMPDIR/in"
	((status == 1))
	contains "$output" '"error":"port_mappings\[0\]\.protocol: '
	sanitized || ((PEAK <= 520))
	sanitized && return
	# Where no list is: the whole document.
	{
		printf '{"name":"a","id":"a","labels":['
		repeated 2600000 '{},'
		printf '0]}'
	} >"$BATS_TEST_TMPDIR/in"
	peak timeout 120 bash -c '"$0" create <"$1"' "$CPLUG_BIN/cplug" "$BATS_TEST_TMPDIR/in"
	((status == 1))
	contains "$output" '"error":"out of memory'
	((PEAK <= 520))
}
