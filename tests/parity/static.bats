#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# static and the reference's static have the same results.

bats_require_minimum_version 1.5.0
load ../tools/assert

setup() {
	OURS=${CPLUG_BIN:-$BATS_TEST_DIRNAME/../../bin}/static
	THEIRS=${REFERENCE_BIN:-/usr/lib/cni}/static
	[[ -x $THEIRS ]] || skip "$THEIRS is not installed"
	export CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=1 CNI_PATH=/nowhere CNI_CONTAINERID=c1 CNI_IFNAME=eth0
}

# both FILTER [ARGS] - calls both with a configuration changed by FILTER (jq); asserts that the
# results are the same
both() {
	local conf ours theirs

	conf=$(jq -nc '{cniVersion: "1.0.0", name: "net1", type: "bridge", ipam: {type: "static",
		addresses: [{address: "10.1.0.5/24", gateway: "10.1.0.1"}, {address: "2001:db8::5/64"}],
		routes: [{dst: "0.0.0.0/0"}, {dst: "10.9.0.0/16", gw: "10.1.0.9"}],
		dns: {nameservers: ["10.1.0.1"], search: ["a.test", "b.test"]}}} | '"$1")
	ours=$(CNI_COMMAND=ADD CNI_ARGS=${2-} "$OURS" <<<"$conf") || fail "ours fails: $ours"
	theirs=$(CNI_COMMAND=ADD CNI_ARGS=${2-} "$THEIRS" <<<"$conf") || fail "the reference fails: $theirs"
	[[ $(jq -S 'if .dns == {} then del(.dns) else . end' <<<"$ours") == \
		"$(jq -S 'if .dns == {} then del(.dns) else . end' <<<"$theirs")" ]] ||
		fail "$1 ${2-}: $(diff <(jq -S . <<<"$ours") <(jq -S . <<<"$theirs"))"
}

@test "parity: static: addresses, routes and DNS of the configuration, in all versions" {
	both .
	both 'del(.ipam.dns, .ipam.routes)'
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		both ".cniVersion = \"$v\""
	done
}

@test "parity: static: CNI_ARGS, args.cni and runtimeConfig" {
	both 'del(.ipam.addresses[0].gateway)' 'IP=10.1.0.7/24' # we give it the gateway of its subnet
	both . 'IP=10.2.0.7/16,2001:db8:2::7/64;GATEWAY=10.2.0.1,2001:db8:2::1'
	both . 'IP=10.1.0.7/24;GATEWAY=10.1.0.2'
	both 'del(.ipam.addresses)' 'IP=10.2.0.7/16;GATEWAY=10.2.0.1'
	both '.args.cni.ips = ["10.3.0.7/16"]' 'IP=10.2.0.7/16'
	both '.runtimeConfig.ips = ["10.4.0.7/16", "2001:db8:4::7/64"]'
	both '.runtimeConfig.ips = ["10.4.0.7/16"] | .args.cni.ips = ["10.3.0.7/16"]'
	both '.runtimeConfig.ips = []'
}

@test "parity: static: the reference's errors are errors" {
	local filter

	for filter in '.ipam.addresses[0].address = "10.1.0.5"' '.runtimeConfig.ips = ["10.4.0.7"]' \
		'.args.cni.ips = ["10.4.0.7"]' '.cniVersion = "0.2.0" | .ipam.addresses[1].address = "10.1.0.6/24"' \
		'del(.ipam)'; do
		run both "$filter"
		contains "$output" 'ours fails'
	done
}
