# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of lib.bash
#
# hostile.bash - functions of hostile*.bats:  load lib; load hostile

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"cni0","isGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

prepare() {
	warm_up bridge "$CONF"
	new_netns c1
	remember
}

# refused COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - asserts that the call fails before the deadline
# with one sentence, and changes nothing
refused() {
	local start=$SECONDS

	cni "$@"
	failed
	[[ $error ]] || fail "no error message"
	((SECONDS - start < RIG_DEADLINE)) || fail "it took $((SECONDS - start)) s"
	assert_same_snapshot
}

# huge N - prints N times "a", which may be too long for an argument
huge() {
	head -c "$1" /dev/zero | tr '\0' a
}

# soon COMMAND... - executes it, and fails if that takes longer than the deadline of a test
soon() {
	local start=$SECONDS

	"$@"
	((SECONDS - start < RIG_DEADLINE)) || fail "it took $((SECONDS - start)) s: $*"
}
