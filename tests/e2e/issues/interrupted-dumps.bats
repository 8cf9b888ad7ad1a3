#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# An interrupted netlink dump (NLM_F_DUMP_INTR) makes ADD fail.
load ../lib

BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":true,"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}'
LOOPBACK='{"cniVersion":"1.1.0","name":"lo","type":"loopback"}'
CHURN=${SOAK_TOOLS:-$CPLUG_TOP/build/default/tests/soak}/churn

@test "interrupted dumps: no call fails while links, addresses, routes and rules change constantly" {
	local i result

	[[ -x $CHURN ]] || skip "needs $CHURN (make check makes it)"
	world
	new_netns c1
	"$CHURN" 0 </dev/null >"$BATS_TEST_TMPDIR/churn" 2>&1 3>&- 4>&- &
	for i in {1..200}; do
		printf 'route replace 198.51.%d.0/24 via 203.0.113.2\nroute del 198.51.%d.0/24\n' "$i" "$i"
		printf 'address add 192.0.2.%d/32 dev uplink\naddress del 192.0.2.%d/32 dev uplink\n' "$i" "$i"
		printf 'rule add pref %d lookup main\nrule del pref %d\n' "$i" "$i"
	done >"$BATS_TEST_TMPDIR/batch"
	# shellcheck disable=SC2016  # the inner shell's
	bash -c 'while ip -batch "$1"; do :; done' - "$BATS_TEST_TMPDIR/batch" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	for i in {1..25}; do
		add loopback "$LOOPBACK" c1 c1 lo
		add bridge "$BRIDGE"
		link c1 eth0 '.flags | any(. == "UP")'
		result=$(chained "$BRIDGE")
		cni CHECK bridge "$result"
		ok
		cni GC bridge "$(with "$BRIDGE" '. + {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}')" '' ''
		ok
		cni STATUS bridge "$BRIDGE" '' ''
		ok
		del bridge "$BRIDGE"
		del loopback "$LOOPBACK" c1 c1 lo
	done
	kill -0 %1
	kill -0 %2
}
