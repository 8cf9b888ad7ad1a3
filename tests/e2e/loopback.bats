#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# loopback: lo comes up, and nobody else's use of it is disturbed
load lib

CONF='{"cniVersion":"1.0.0","name":"lo-net","type":"loopback"}'

@test "loopback: ADD brings lo up and tells its addresses" {
	new_netns c1
	add loopback "$CONF"
	has '.cniVersion == "1.0.0"'
	has '.interfaces == [{name: "lo", mac: "00:00:00:00:00:00", sandbox: "/run/netns/c1"}]'
	has '[.ips[].address] | sort == ["127.0.0.1/8", "::1/128"]'
	has 'all(.ips[]; .interface == 0 and (has("gateway") | not))'
	sees c1 127.0.0.1
	sees c1 ::1
}
