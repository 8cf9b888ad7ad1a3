#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# GC and STATUS are not implemented, or report success without doing anything.
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":"strict","capabilities":{"portMappings":true},"dns":{"nameservers":["10.1.0.1"]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/16"}],[{"subnet":"fd01::/64"}]]}}'

# ports N - prints CONF with two mappings and a range
ports() {
	with "$CONF" ".runtimeConfig.portMappings = [{hostPort: (10000 + $1), containerPort: 80},
		{hostPort: (20000 + $1), containerPort: 53, protocol: \"udp\", hostIP: \"127.0.0.5\"},
		{hostPort: (30000 + $1 * 10), hostPortEnd: (30009 + $1 * 10), containerPort: 1000}]"
}

# valid ID... - prints CONF with these containers as cni.dev/valid-attachments
valid() {
	with "$CONF" ".\"cni.dev/valid-attachments\" = [$(printf '{"containerID":"%s","ifname":"eth0"},' "$@" | sed 's/,$//')]"
}


# lost N - ADD of a container that is not in GC's list; two of three lose their namespace
lost() {
	new_netns "lost$1"
	add bridge "$(ports "$1")" "lost$1" >/dev/null
	(($1 % 3 == 0)) || del_netns "lost$1"
}

@test "gc: after 100 lost and three valid containers, only the state of the valid three is left" {
	local i

	new_netns keep1 keep2 keep3
	for i in 1 2 3; do add bridge "$(ports $((900 + i)))" "keep$i"; done
	remember fresh
	for i in {1..100}; do lost "$i"; done
	cni GC bridge "$(valid keep3 keep1 keep2)" '' '' ''
	ok
	is "$output" ''
	for i in {3..100..3}; do del_netns "lost$i"; done
	assert_same_snapshot fresh
	sees keep1 10.1.0.1
}

@test "gc: links are deleted in one request, and a foreign link group is left alone" {
	local i before

	new_netns keep1 lost1 lost2 lost3 lost4 lost5
	add bridge "$CONF" keep1
	before=$(ip -o link | wc -l)
	ip link add mine type veth peer name yours
	ip link set mine group 77
	for i in 1 2 3 4 5; do add bridge "$CONF" "lost$i"; done
	CNI_DEBUG=1 cni GC bridge "$(valid keep1)" '' '' ''
	ok
	contains "$errors" 'delete 5 interfaces, as group'
	is "$(grep -c 'delete interface' <<<"$errors")" 0
	link - mine '.group == "77"'
	is "$(ip -o link | wc -l)" $((before + 2))
}

@test "gc: continues after objects that cannot be removed, and reports all of them" {
	local leases=/var/lib/cni/networks/net1

	new_netns keep1 lost1 lost2 lost3
	add bridge "$(ports 900)" keep1
	remember
	add bridge "$(ports 1)" lost1
	add bridge "$(ports 2)" lost2
	add bridge "$(ports 3)" lost3
	# A mount point cannot be removed.
	mount --bind $leases/10.1.0.3 $leases/10.1.0.3
	mount --bind /etc/netns/lost2/resolv.conf /etc/netns/lost2/resolv.conf
	cni GC bridge "$(valid keep1)" '' '' ''
	failed '' '/etc/netns/lost2/resolv.conf: Device or resource busy'
	failed '' '10.1.0.3: Device or resource busy'
	# Everything else is gone.
	[[ ! -e $leases/10.1.0.4 && ! -e $leases/10.1.0.5 && ! -e /etc/netns/lost3 && ! -e $leases/fd01::3 ]]
	prints_not 'lost' nft list ruleset
	no_link lost1 eth0
	umount $leases/10.1.0.3 /etc/netns/lost2/resolv.conf
	cni GC bridge "$(valid keep1)" '' '' ''
	ok
	assert_same_snapshot
}

@test "gc: 10,000 valid attachments and 5,000 leases without one" {
	local leases=/var/lib/cni/networks/net1 i

	new_netns keep1
	add bridge "$CONF" keep1
	remember
	mkdir -p $leases
	for ((i = 0; i < 5000; i++)); do printf 'junk%d\r\neth0' "$i" >"$leases/10.1.$((10 + i / 250)).$((i % 250))"; done
	jq -c '."cni.dev/valid-attachments" = [range(10000) | {containerID: "alive\(.)", ifname: "eth0"}] +
		[{containerID: "keep1", ifname: "eth0"}]' <<<"$CONF" >"$BATS_TEST_TMPDIR/conf"
	# A quadratic comparison of the two lists would exceed the deadline.
	cni GC bridge "$BATS_TEST_TMPDIR/conf" '' '' ''
	ok
	assert_same_snapshot
}

@test "status: reports an exhausted range, a read-only folder, a foreign interface, missing nftables" {
	local conf

	conf=$(with "$CONF" '.ipam = {type: "host-local", subnet: "10.9.0.0/30"}')
	new_netns c1
	add bridge "$conf"
	cni STATUS bridge "$conf" '' '' ''
	failed 50 'no IP addresses available in range set: 10\.9\.0\.'
	del bridge "$conf"
	cni STATUS bridge "$conf" '' '' ''
	ok
	mount -t tmpfs -o ro tmpfs /var/lib/cni
	cni STATUS bridge "$CONF" '' '' ''
	failed 50 'no lease can be written in /var/lib/cni: Read-only'
	umount /var/lib/cni
	ip link add taken type veth peer name other
	cni STATUS bridge "$(with "$CONF" '.bridge = "taken"')" '' '' ''
	failed 50 'bridge taken: the name belongs to an interface that is not a bridge but a veth'
	cni STATUS bridge "$(with "$CONF" '.ipam.dataDir = "/etc/passwd/leases"')" '' '' ''
	failed 50 'no lease can be written in /etc/passwd'
	if command -v setpriv >/dev/null; then
		cni_without_admin STATUS
		failed 50 'nftables cannot be used'
	fi
}

# cni_without_admin COMMAND - calls bridge without CAP_NET_ADMIN, which stands in for a kernel
# without nf_tables
cni_without_admin() {
	local status_=0

	output=$(CNI_COMMAND=$1 CNI_PATH=$CPLUG_BIN setpriv --bounding-set -net_admin --inh-caps -net_admin \
		"$CPLUG_BIN/bridge" <<<"$CONF" 2>/dev/null) || status_=$?
	status=$status_
}
