#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 10: what is done under the kernel's one network lock, and moves between namespaces
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# changes TRACE - how many requests of rtnetlink change something (they want an
# acknowledgement, and are no netfilter batches)
changes() {
	grep 'NLM_F_ACK' <<<"$1" | grep -vc 'NFNL' || :
}

# watch NS FILE - what becomes of links in a namespace, from now on
watch() {
	local ns=$1 file=$2

	in_ns "$ns" ip -o monitor link >"$file" 3>&- 4>&- &
	# shellcheck disable=SC2016 # the inner shell's
	wait_for "the monitor" in_ns "$ns" bash -c \
		'ip link set lo mtu "$((40000 + RANDOM))" && grep -q lo "$0"' "$file"
}

# names FILE - of all links that had something happen to them
names() {
	sed -n 's/^\(Deleted \)\?[0-9]*: \([^:@]*\).*/\2/p' "$1" | grep -vx lo | sort -u | paste -sd ' '
}

@test "pain 10: an ADD takes as few requests with many containers as with one" {
	local first later id

	can_trace || skip "no strace"
	warm_up bridge "$CONF"
	new_netns c1 c2
	first=$(sent ADD bridge "$CONF" c1)
	for id in f{1..40}; do
		new_netns "$id"
		add bridge "$CONF" "$id"
	done
	later=$(sent ADD bridge "$CONF" c2)
	echo "$later"
	is "$(wc -l <<<"$later")" "$(wc -l <<<"$first")"
	# A pair, its host end up, its other end up, two addresses, two routes, an announcement.
	(($(changes "$later") <= 8))
	# Of links and routes nothing is listed but the default routes.
	contains_not "$later" 'RTM_(GETLINK|GETNEIGH|GETRULE).*NLM_F_DUMP'
	is "$(grep -c 'RTM_GETROUTE.*NLM_F_DUMP' <<<"$later")" 1
	first=$(sent DEL bridge "$CONF" c2)
	is "$(grep -c RTM_DELLINK <<<"$first")" 1
	(($(changes "$first") <= 1))
}

@test "pain 10: links are made where they belong: nothing is moved, nothing renamed" {
	local host=$BATS_TEST_TMPDIR/host inside=$BATS_TEST_TMPDIR/inside end

	new_netns c1
	watch - "$host"
	watch c1 "$inside"
	add bridge "$CONF"
	end=$(host_end)
	ip link set lo mtu 12345
	in_ns c1 ip link set lo mtu 12345
	wait_for "the end" grep -q 'mtu 12345' "$host"
	wait_for "the end" grep -q 'mtu 12345' "$inside"
	# A link that is moved away is told as deleted, one that is renamed by both names.
	is "$(names "$host")" "br1 $end"
	is "$(names "$inside")" eth0
	contains_not "$(cat "$host" "$inside")" '^Deleted'
}
