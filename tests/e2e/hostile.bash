# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of lib.bash
#
# hostile.bash - what hostile.bats and hostile-files.bats have in common (load it after lib)

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"cni0","isGateway":true,
	"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

# (The bridge, which is shared and stays, is there.)
prepare() {
	warm_up bridge "$CONF"
	new_netns c1
	remember
}

# refused COMMAND TYPE CONF [ID [NETNS [IFNAME]]] - one sentence, soon, and nothing changed
refused() {
	local start=$SECONDS

	cni "$@"
	failed
	[[ $error ]] || fail "no sentence"
	((SECONDS - start < RIG_DEADLINE)) || fail "it took $((SECONDS - start)) s"
	assert_same_snapshot
}

# huge N - N times "a", for what is too large for an argument
huge() {
	head -c "$1" /dev/zero | tr '\0' a
}
