#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# One attachment that hangs does not keep cnitool from the others.
load lib
load cnitool

NET1='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
SLOW='{"cniVersion":"1.1.0","name":"anet","plugins":[{"type":"bridge","bridge":"br2",
	"ipam":{"type":"slow"}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$BATS_TEST_TMPDIR:$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "$SLOW" 10-anet
	net "$NET1" 20-net1
	# An IPAM plugin that never answers in namespaces whose path matches the text of the file "hang", while
	# that exists, and ignores SIGTERM.
	cat >"$BATS_TEST_TMPDIR/slow" <<-'END'
		#!/bin/bash
		[[ ! -e ${0%/*}/hang || $CNI_COMMAND == ADD || ! $CNI_NETNS =~ $(<"${0%/*}/hang") ]] || { trap '' TERM; while :; do sleep 1; done; }
		[[ $CNI_COMMAND != ADD ]] ||
			echo '{"cniVersion":"1.1.0","ips":[{"address":"10.2.0.2/24"}]}'
	END
	chmod +x "$BATS_TEST_TMPDIR/slow"
	new_netns c1 c2
	tool add -q anet c1
	ok
	tool add -q net1 c2
	ok
	touch "$BATS_TEST_TMPDIR/hang"
}

# bounded CONDITION ARGUMENT... - calls cnitool with limits of 1 (FIRST), 5 and 25 seconds until CONDITION is
# true, which says that net1 was in time: its plugins answer at once, but a busy machine may need longer than a
# limit; sets limit
bounded() {
	local condition=$1

	shift
	for limit in "${FIRST-1}" 5 25; do
		[[ $1 != restore ]] || nft flush ruleset
		SECONDS=0
		tool "$@" --timeout "$limit"
		((SECONDS < 30 + limit)) || fail "it took $SECONDS s"
		! eval "$condition" || break
	done
}

@test "bounds: restore reports a container whose plugin does not answer, and restores the others" {
	local before
	before=$(nft list table inet cplug)
	# shellcheck disable=SC2016 # for eval
	bounded 'grep -q "^restored .* on network net1" <<<"$output"' restore
	is "$status" 1
	contains "$errors" "eth0 of cnitool-.* on network anet: .*no answer within $limit s"
	contains "$errors" '1 of 2 attachments could not be restored'
	contains "$output" '^restored eth0 of cnitool-.* on network net1'
	is "$(nft list table inet cplug)" "$before"
}

@test "bounds: restore comes to a network that does not answer once before the others, and then last" {
	local file id pid

	file=$(echo /var/lib/cni/results/anet-*)
	for id in a{1..9}; do
		jq -c --arg id "$id" '.containerId = $id' "$file" >"/var/lib/cni/results/anet-$id-eth0"
		touch -r "$file" "/var/lib/cni/results/anet-$id-eth0"
	done
	nft flush ruleset
	"$CPLUG_BIN/cnitool" restore --timeout 2 >/dev/null 2>&1 3>&- &
	pid=$!
	SECONDS=0
	wait_for "the other network" eval 'nft list table inet cplug 2>/dev/null | grep -q 10.1.0.2'
	# Four seconds at most for one that ignores SIGTERM, and some for a busy machine.
	((SECONDS < 30)) || fail "it took $SECONDS s"
	kill -0 "$pid" || fail "it did not come to the others of the slow network"
	kill "$pid"
	wait "$pid" || :
}

# silent NETWORK CONF - a cached attachment of c1, older than all others
silent() {
	local file

	file=$(echo /var/lib/cni/results/anet-cnitool-*)
	jq -c --arg net "$1" --arg conf "$(jq -c --arg net "$1" '.name = $net' <<<"$2" | base64 -w 0)" \
		'.networkName = $net | .config = $conf' "$file" >"/var/lib/cni/results/$1-${file##*/anet-}"
	touch -d 2000-01-01 "/var/lib/cni/results/$1-${file##*/anet-}"
}

@test "bounds: many networks that do not answer: restore comes to the others, and gives up the rest" {
	local i

	# shellcheck disable=SC2016 # the script's
	printf '#!/bin/sh\n[ "$CNI_COMMAND" != CHECK ] || exec sleep 1000\n' >"$BATS_TEST_TMPDIR/silent"
	chmod +x "$BATS_TEST_TMPDIR/silent"
	for i in {10..24}; do
		silent "s$i" '{"cniVersion":"1.1.0","plugins":[{"type":"bridge","bridge":"br2","ipam":{"type":"silent"}}]}'
	done
	rm /var/lib/cni/results/anet-*
	# The others have a second, which can be too short on a busy machine.
	for i in 1 2 3; do
		nft flush ruleset
		tool restore --timeout 2
		is "$status" 1
		[[ $output != *'on network net1'* ]] || break
	done
	contains "$output" '^restored eth0 of cnitool-.* on network net1'
	contains "$errors" 'on network s10: .*no answer within 2 s'
	contains "$errors" 'on network s24: not tried again, because plugins did not answer for too long'
	contains "$errors" '15 of 16 attachments could not be restored'
	is "$(grep -c 'on network s' <<<"$errors")" 15
	run ! grep 'within 1 s' <<<"$errors"
}

@test "bounds: restore waits only for a time for all plugins of an attachment, also if each answers late" {
	cat >"$BATS_TEST_TMPDIR/late" <<-'END'
		#!/bin/sh
		echo >>"${0%/*}/calls"
		[ "$CNI_COMMAND" != CHECK ] || exec sleep 1.5
	END
	chmod +x "$BATS_TEST_TMPDIR/late"
	silent late "$(jq -nc '{cniVersion: "1.1.0", plugins: [range(40) | {type: "bridge", bridge: "br2", ipam: {type: "late"}}]}')"
	rm /var/lib/cni/results/anet-*
	# shellcheck disable=SC2016 # for eval
	FIRST=2 bounded ': >"$BATS_TEST_TMPDIR/seen"; cp "$BATS_TEST_TMPDIR/calls" "$BATS_TEST_TMPDIR/seen"; rm "$BATS_TEST_TMPDIR/calls"
		grep -q "^restored .* on network net1" <<<"$output"' restore
	is "$status" 1
	contains "$output" '^restored eth0 of cnitool-.* on network net1'
	(($(wc -l <"$BATS_TEST_TMPDIR/seen") <= limit + 2))
}

@test "bounds: restore --json tells which attachment failed, and exits with 1" {
	bounded "json_holds '.restored != []' <<<\"\$output\"" restore --json
	is "$status" 1
	has '.failed | length == 1 and .[0].network == "anet" and (.[0].msg | test("no answer"))'
	has '.restored | length == 1 and .[0].network == "net1"'
}

@test "bounds: gc reports a container whose plugin does not answer, and removes the others" {
	end_netns c1 c2
	# shellcheck disable=SC2016 # for eval
	bounded 'grep -q "^removed eth0 .* on network net1" <<<"$output"' gc
	is "$status" 1
	contains "$errors" "cnitool: .*stale attachment cnitool-.* eth0.*network anet.*no answer within $limit s"
	contains "$output" 'removed eth0 of cnitool-.* on network net1'
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
	prints '' find /var/lib/cni/results -name 'net1-*'
	is "$(find /var/lib/cni/results -name 'anet-*' | wc -l)" 1

	rm "$BATS_TEST_TMPDIR/hang"
	tool gc
	ok
	prints '' ls /var/lib/cni/results
}

@test "bounds: gc --json prints what was removed and what failed" {
	end_netns c1 c2
	bounded "json_holds '.removed != []' <<<\"\$output\"" gc --json
	is "$status" 1
	has '.removed | length == 1 and .[0].network == "net1"'
	has '.failed | length >= 1 and (.[0].msg | test("no answer"))'
}

@test "bounds: check, del and status end when a plugin does not answer" {
	local verb

	SECONDS=0
	for verb in check del; do
		tool "$verb" --timeout 1 anet c1
		is "$status" 1
		contains "$errors" 'no answer within 1 s'
	done
	((SECONDS < 40))
}

@test "bounds: --timeout takes seconds, from 1 to a day" {
	local value

	for value in 0 -1 x 1s 86401 99999999999; do
		tool check --timeout="$value" net1 c2
		is "$status" 2
		contains "$errors" '--timeout: expected seconds, from 1 to 86400'
	done
	tool check --timeout 60 net1 c2
	ok
}

# long_file ID CONFIG_BYTES ARGUMENTS - remembers an attachment of c2 with a long configuration and many
# arguments
long_file() {
	head -c "$2" /dev/zero | tr '\0' ' ' | cat - <(printf '%s' "$NET1") | base64 -w 0 |
		jq -Rc --arg id "$1" --argjson n "$3" '{kind: "cniCacheV1", containerId: $id, config: .,
			ifName: "eth7", networkName: "net1", netns: "/run/netns/c2",
			cniArgs: [range($n) | ["a\(.)", "b"]], result: {cniVersion: "1.1.0"}}' \
			>"/var/lib/cni/results/net1-$1-eth7"
}

@test "bounds: long cache files keep restore, list and gc from no other attachment" {
	local i

	rm "$BATS_TEST_TMPDIR/hang"
	long_file a0 10 30000
	long_file a1 2000000 10
	for i in {2..15}; do
		sed "s/\"a1\"/\"a$i\"/" /var/lib/cni/results/net1-a1-eth7 >"/var/lib/cni/results/net1-a$i-eth7"
	done
	long_file z1 3500000 10 # longer than 4 MiB
	nft flush ruleset
	tool restore
	is "$status" 1
	contains "$output" '^restored eth0 of cnitool-.* on network net1: '
	contains "$errors" 'net1-z1-eth7: left out: File too large'
	contains "$errors" '16 of 18 attachments could not be restored'
	tool list net1
	ok
	contains "$output" 'eth0 .* 10\.1\.0\.2'
	end_netns c1 c2
	tool gc
	prints '' find /var/lib/cni/results -name '*-cnitool-*'
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}

# heavy_file ID - a cached attachment of c2 whose configuration takes 60 times its length as JSON
heavy_file() {
	local list

	list=$({
		printf '{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","more":['
		yes '[],' | head -n 900000 | tr -d '\n'
		printf '[]]}]}'
	} | base64 -w0)
	printf '{"kind":"cniCacheV1","containerId":"%s","config":"%s","ifName":"eth7","networkName":"net1","netns":"/run/netns/c2","result":{"cniVersion":"1.1.0","interfaces":[{"name":"eth7","sandbox":"/run/netns/c2"}]}}' \
		"$1" "$list" >"/var/lib/cni/results/net1-$1-eth7"
}

# many_plugins ID N - the same with a list of N plugins
many_plugins() {
	local list

	list=$({
		printf '{"cniVersion":"1.1.0","name":"net1","plugins":['
		yes '{"type":"loopback"},' | head -n "$2" | tr -d '\n'
		printf '{"type":"loopback"}]}'
	} | base64 -w0)
	printf '{"kind":"cniCacheV1","containerId":"%s","config":"%s","ifName":"eth7","networkName":"net1","netns":"/run/netns/c2","result":{"cniVersion":"1.1.0","interfaces":[{"name":"eth7","sandbox":"/run/netns/c2"}]}}' \
		"$1" "$list" >"/var/lib/cni/results/net1-$1-eth7"
}

@test "bounds: restore and gc read no JSON that takes much memory, name the file's owner, and go on" {
	! grep -q __asan_init "$CPLUG_BIN/cnitool" || skip "the sanitizer's shadow memory has no limit"
	rm "$BATS_TEST_TMPDIR/hang"
	heavy_file a1
	heavy_file a2
	many_plugins a3 3000
	yes '[],' | head -n 900000 | tr -d '\n' | sed 's/^/{"kind":"cniCacheV1","more":[/; s/$/[]]}/' >/var/lib/cni/results/net1-a4-eth7
	sed 's/^{"kind":"cniCacheV1",/{/' /var/lib/cni/results/net1-a4-eth7 >"$NETCONFPATH/15-heavy.conflist"
	nft flush ruleset
	ulimit -v 170000
	SECONDS=0
	tool restore
	((SECONDS < 60))
	is "$status" 1
	contains "$output" '^restored eth0 of cnitool-.* on network net1: '
	contains "$errors" 'eth7 of a1 on network net1: .*takes more than 128 MiB of memory'
	contains "$errors" 'eth7 of a3 on network net1: .*plugins: .*256'
	contains "$errors" 'net1-a4-eth7: left out: its JSON takes too much memory'
	end_netns c1 c2
	tool gc
	contains "$errors" '15-heavy.conflist: its JSON takes more than 128 MiB of memory'
	prints '' find /var/lib/cni/results -name '*-cnitool-*'
	prints '' find /var/lib/cni/networks/net1 -name '10.*'
}

@test "bounds: gc leaves an attachment alone whose cached configuration takes too much memory, and says so" {
	rm "$BATS_TEST_TMPDIR/hang" "$NETCONFPATH/20-net1.conflist"
	heavy_file a1
	sed -i 's|/run/netns/c2|/run/netns/gone|g' /var/lib/cni/results/net1-a1-eth7
	tool gc
	is "$status" 1
	contains "$errors" 'stale attachment a1 eth7 on network net1 is left alone, because .*more than 128 MiB of memory'
	run ! grep 'configured any more' <<<"$errors"
	[[ -e /var/lib/cni/results/net1-a1-eth7 ]]
	tool gc --dry-run --json
	is "$status" 1
	has '.removed == [] and ([.kept[].containerID] | index("a1")) and (.failed[0].msg | test("left alone"))'
}

@test "bounds: the systemd units have time-outs" {
	local unit

	for unit in "$CPLUG_TOP"/contrib/systemd/*.service; do
		grep -q '^TimeoutStartSec=[0-9]' "$unit" || fail "$unit"
	done
}

@test "bounds: an interface on one of a slow network is restored behind it, with one call" {
	net '{"cniVersion":"1.0.0","name":"upper","plugins":[{"type":"macvlan","master":"eth0","linkInContainer":true,
		"ipam":{"type":"static","addresses":[{"address":"10.5.0.60/24"}]}}]}' 30-upper
	rm "$BATS_TEST_TMPDIR/hang"
	new_netns c3
	tool add -q anet c3
	ok
	tool add -q -i mv0 upper c3
	ok
	# Only c1 hangs, which makes the network of c3's eth0 a slow one.
	echo /c1 >"$BATS_TEST_TMPDIR/hang"
	ip -n c3 link delete eth0
	no_link c3 mv0
	# shellcheck disable=SC2016 # for eval
	bounded 'grep -q "^restored eth0 .* on network anet" <<<"$output"' restore
	is "$status" 1
	contains "$errors" '1 of 4 attachments could not be restored'
	contains "$output" '^restored mv0 of .* on network upper'
	tool check upper c3 -i mv0
	ok
}
