#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests under the RTNL lock, the kernel's single network lock, are slow, as are moves of links
# between namespaces.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# changes TRACE - prints the number of rtnetlink requests that change something: those with
# NLM_F_ACK, without netfilter batches
changes() {
	grep 'NLM_F_ACK' <<<"$1" | grep -vc 'NFNL' || :
}

# watch NS FILE - writes link events of a namespace to FILE, from now on
watch() {
	local ns=$1 file=$2

	in_ns "$ns" ip -o monitor link >"$file" 3>&- 4>&- &
	# shellcheck disable=SC2016 # the inner shell's
	wait_for "the monitor" in_ns "$ns" bash -c \
		'ip link set lo mtu "$((40000 + RANDOM))" && grep -q lo "$0"' "$file"
}

# names FILE - prints the names of all links with events
names() {
	sed -n 's/^\(Deleted \)\?[0-9]*: \([^:@]*\).*/\2/p' "$1" | grep -vx lo | sort -u | paste -sd ' '
}

@test "few requests: ADD and DEL send as few requests with many containers as with one" {
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
	# A veth pair, the host's end without IPv6, its two ends up, two addresses, two routes, an announcement.
	(($(changes "$later") <= 9))
	# The bridge, and the port until it forwards; a kernel before 6.2 is asked for the pair, too.
	(($(grep -c RTM_GETLINK <<<"$later") <= 3))
	# The only dump of links and routes is that of the default routes.
	contains_not "$later" 'RTM_(GETLINK|GETNEIGH|GETRULE).*NLM_F_DUMP'
	is "$(grep -c 'RTM_GETROUTE.*NLM_F_DUMP' <<<"$later")" 1
	first=$(sent DEL bridge "$CONF" c2)
	is "$(grep -c RTM_DELLINK <<<"$first")" 1
	(($(changes "$first") <= 1))
}

@test "few requests: links are created in their final place; none is moved or renamed" {
	local host=$BATS_TEST_TMPDIR/host inside=$BATS_TEST_TMPDIR/inside end

	new_netns c1
	watch - "$host"
	watch c1 "$inside"
	add bridge "$CONF"
	end=$(host_end)
	ip link set lo mtu 12345
	in_ns c1 ip link set lo mtu 12345
	wait_for "the last event" grep -q 'mtu 12345' "$host"
	wait_for "the last event" grep -q 'mtu 12345' "$inside"
	# A moved link would be reported as deleted, a renamed one with both names.
	is "$(names "$host")" "br1 $end"
	is "$(names "$inside")" eth0
	contains_not "$(cat "$host" "$inside")" '^Deleted'
}
