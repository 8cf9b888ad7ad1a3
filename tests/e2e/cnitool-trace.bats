#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool trace: where the time of an ADD and a DEL goes
# shellcheck disable=SC2030,SC2031 # each test is a process
# shellcheck disable=SC2016 # programs of jq and bash
load lib
load cnitool

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}},
		{"type":"portmap","capabilities":{"portMappings":true}}]}'
	new_netns c1
	unset TRACEPARENT OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_SERVICE_NAME
}

@test "cnitool trace: bars of the plugins and their steps; nothing is left" {
	tool add --quiet net1 c1 -p 8080:80
	tool del net1 c1
	remember
	tool trace net1 c1 -p 8080:80
	ok
	is "$errors" ''
	is "$(grep -oE '^(ADD net1|  (bridge|portmap) ADD|DEL net1|  (bridge|portmap) DEL)' <<<"$output" | tr '\n' ',')" \
		'ADD net1,  bridge ADD,  portmap ADD,DEL net1,  portmap DEL,  bridge DEL,'
	contains "$output" '^    [a-z].* [0-9]+[.][0-9]{3} ms  *█'
	# One short step has its own line.
	contains_not "$output" '\(1 shorter'
	assert_same_snapshot
	tool trace --keep --quiet net1 c1
	ok
	is "$output" ''
	tool list net1
	contains "$output" /run/netns/c1
}

@test "cnitool trace: spans in OTLP/JSON, one document a line; TRACEPARENT" {
	local file=$BATS_TEST_TMPDIR/traces.jsonl

	export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 OTEL_SERVICE_NAME=node1
	tool trace net1 c1 --otlp "$file"
	ok
	OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=file://$file tool trace net1 c1
	ok
	is "$(wc -l <"$file")" 2
	while read -r output; do
		has '.resourceSpans[0].resource.attributes == [{"key": "service.name", "value": {"stringValue": "node1"}}]'
		has '[.resourceSpans[0].scopeSpans[0].spans[] | .traceId] | unique == ["0af7651916cd43dd8448eb211c80319c"]'
		has '[.resourceSpans[0].scopeSpans[0].spans[] | select(.parentSpanId == "b7ad6b7169203331").name] == ["ADD net1", "DEL net1"]'
		has '.resourceSpans[0].scopeSpans[0].spans | map(.spanId) | (unique | length) == length and all(test("^[0-9a-f]{16}$"))'
		# Each span lies within its parent, by the clock of the day.
		has '.resourceSpans[0].scopeSpans[0].spans as $s | [$s[] | . as $c | $s[] | select(.spanId == $c.parentSpanId) |
			(.startTimeUnixNano <= $c.startTimeUnixNano and .endTimeUnixNano >= $c.endTimeUnixNano)] | length > 10 and all'
		has '.resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano | tonumber / 1e9 - now | fabs < 600'
		has '[.resourceSpans[0].scopeSpans[0].spans[].name] | index("bridge ADD") and index("start") and index("exit") and
			any(startswith("container: add address 10.1.0."))'
	done <"$file"
	# Not a trace's name: a new one begins.
	TRACEPARENT=00-00000000000000000000000000000000-b7ad6b7169203331-01 tool trace --json net1 c1
	ok
	has '.resourceSpans[0].scopeSpans[0].spans[0] | (.traceId | test("^[0-9a-f]{32}$")) and .traceId != "0af7651916cd43dd8448eb211c80319c" and (has("parentSpanId") | not)'
	OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 tool trace net1 c1
	ok
	contains "$errors" 'OTEL_EXPORTER_OTLP_ENDPOINT: the trace is not exported, because only file:///PATH is supported'
	tool trace net1 c1 --otlp /nowhere/x
	is "$status" 1
	contains "$errors" 'cannot append the trace to /nowhere/x'
}

@test "cnitool trace: an ADD that fails is told, exported, and undone" {
	remember
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}},
		{"type":"portmap","backend":"nonsense"}]}'
	tool trace net1 c1 --otlp "$BATS_TEST_TMPDIR/t"
	is "$status" 1
	contains "$errors" 'plugin type="portmap" name="net1" failed'
	contains "$output" '^ADD net1'
	contains_not "$output" '^DEL net1'
	output=$(cat "$BATS_TEST_TMPDIR/t")
	has '.resourceSpans[0].scopeSpans[0].spans[0].status | .code == 2 and (.message | test("portmap"))'
}

@test "cnitool trace: another suite's plugin has one bar; its stderr and warnings are passed on" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/strange" <<-'END'
		#!/bin/sh
		echo "a word of its own" >&2
		[ "$CNI_COMMAND" != ADD ] || printf '{"cniVersion":"1.0.0"}'
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/strange"
	net '{"cniVersion":"1.0.0","name":"net2","plugins":[{"type":"strange"}]}' 20-net
	CNI_PATH=$BATS_TEST_TMPDIR/bin tool trace net2 c1
	ok
	contains "$output" '^  strange ADD  '
	contains "$errors" '^a word of its own$'
	contains_not "$output" '^    '
}

# strange - makes a plugin of another suite, with the script on stdin, the only one of network net2
strange() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/strange"
	echo '[ "$CNI_COMMAND" != ADD ] || echo "{\"cniVersion\": \"1.0.0\"}"' >>"$BATS_TEST_TMPDIR/bin/strange"
	chmod +x "$BATS_TEST_TMPDIR/bin/strange"
	net '{"cniVersion":"1.0.0","name":"net2","plugins":[{"type":"strange"}]}' 20-net
	export CNI_PATH=$BATS_TEST_TMPDIR/bin
}

@test "cnitool trace: times that another suite's plugin writes are within the plugin's" {
	strange <<-'END'
		#!/bin/bash
		at=$(awk '{printf "%d", ($1 + 3600) * 1000000}' /proc/uptime)
		for us in 5 -5 3600000000 9223372036854775807 -9223372036854775807; do
			for at in "$at" 1 -1 9223372036854775807 -9223372036854775807; do
				echo "{\"level\":\"debug\",\"plugin\":\"s\",\"pid\":$((++pid)),\"at\":$at,\"us\":$us,\"msg\":\"step\"}" >&2
			done
		done
		printf 'a\0b\n' >&2
	END
	tool trace net2 c1 --json
	ok
	has '.resourceSpans[0].scopeSpans[0].spans as $s | [$s[] | . as $c | $s[] | select(.spanId == $c.parentSpanId) |
		(.startTimeUnixNano <= $c.startTimeUnixNano and $c.startTimeUnixNano <= $c.endTimeUnixNano and
			$c.endTimeUnixNano <= .endTimeUnixNano)] | length > 50 and all'
	tool trace net2 c1
	ok
	contains "$output" '^  strange ADD  '
	contains "$output" '^DEL net2'
	((${#output} < 10000))
	contains "$errors" '^a b$'
}

@test "cnitool trace: what a plugin writes to stderr has a bound" {
	strange <<-'END'
		#!/bin/sh
		[ "$CNI_COMMAND" = DEL ] || yes "a word of its own" | head -c 50000000 >&2
	END
	tool trace net2 c1
	ok
	contains "$output" '^  strange ADD  '
	contains "$output" '^  strange DEL  '
	contains "$errors" 'wrote more than 8 MiB to stderr; the rest is left out$'
	((${#errors} < 9 << 20 && ${#errors} > 7 << 20))
}
