#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool gc: everything of ours on the machine that has no living owner, and nothing else
load lib
load cnitool

NET='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":"strict","dns":{"nameservers":["10.1.0.1"]},
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	can_ask || skip "this kernel cannot be asked whether a namespace lives (Linux 6.18 can)"
}

# can_ask - does the kernel tell whether a namespace lives?  Then an address is reclaimed, as
# soon as the kernel has removed the namespace that is gone.
can_ask() {
	local tries conf='{"cniVersion":"1.0.0","name":"probe","ipam":{"type":"host-local","dataDir":"/run/.rig/probe","subnet":"10.9.0.0/30"}}'

	new_netns probe probe2
	raw ADD host-local probe <<<"$conf" >/dev/null
	ip netns del probe
	for tries in {1..15}; do
		raw ADD host-local probe2 <<<"$conf" >/dev/null 2>&1 && break
		((tries < 15)) || return 1
		sleep 0.02
	done
	raw DEL host-local probe2 <<<"$conf"
	ip netns del probe2
}

# forget - nobody knows any more what was plugged in, or what the network was
forget() {
	rm -f /var/lib/cni/results/* "$NETCONFPATH"/*
}

# no_veths N - the kernel has removed links with their namespaces, but N
no_veths() {
	wait_for "$1 veths" veths_are "$1"
}

veths_are() {
	[[ $(ip -j link show type veth | jq '[.[].ifname | select(startswith("veth"))] | length') == "$1" ]]
}

things() {
	snapshot | grep -v last_reserved | sort
}

# rehearses - --dry-run tells what gc then does, and does nothing; a second gc finds nothing
rehearses() {
	local said

	things >"$BATS_TEST_TMPDIR/dry"
	tool gc --dry-run
	ok
	said=${output//would remove/removed}
	is "$(things | diff "$BATS_TEST_TMPDIR/dry" -)" ''
	tool gc
	ok
	is "$output" "$said"
	told=$output
	tool gc
	ok
	is "$output" ''
}

@test "gc: a container that nobody remembers, of a network that is not configured: everything" {
	net "$NET"
	things >"$BATS_TEST_TMPDIR/before"
	plug c1 -p 8080:80
	forget
	del_netns c1
	no_veths 0
	rehearses
	contains "$told" '^removed 10\.1\.0\.2 in /var/lib/cni/networks/net1 of net1/cnitool-[0-9a-f]*/eth0: its network namespace is gone$'
	contains "$told" '^removed fd00:1::2 in '
	contains "$told" '^removed elements of table inet cplug of net1/.*: the link of their attachment is gone$'
	contains "$told" '^removed elements of table bridge cplug of net1/'
	contains "$told" '^removed /etc/netns/c1/resolv.conf of net1/.*: there is no namespace named c1$'
	contains "$told" '^removed bridge br1 of net1: '
	is "$(things | diff "$BATS_TEST_TMPDIR/before" - | grep -Ev ' sysctl |^[0-9-]')" ''
}

@test "gc: a container that lives stays, remembered or not; in doubt it lives" {
	net "$NET"
	plug c1 -p 8081:80
	plug c2 -p 8082:80
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	forget
	tool gc
	ok
	is "$output" ''
	is "$(things | diff "$BATS_TEST_TMPDIR/before" - | grep -Ev '/results/|^[0-9]')" ''
}

@test "gc: a namespace without its name, or under /proc of a process that ended, lives" {
	net "$NET"
	new_netns c1
	nsenter --net=/run/netns/c1 sleep 300 3>&- &
	holder=$!
	wait_for "the holder" bash -c "[[ \$(readlink /proc/$holder/ns/net) != \"\$(readlink /proc/self/ns/net)\" ]]"
	nsenter --net=/run/netns/c1 sleep 300 3>&- &
	passing=$!
	wait_for "the other" bash -c "[[ \$(readlink /proc/$passing/ns/net) == \"\$(readlink /proc/$holder/ns/net)\" ]]"
	tool add --quiet net1 "$passing"
	ok
	kill "$passing"
	wait "$passing" || :
	del_netns c1
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	is "$(things | diff "$BATS_TEST_TMPDIR/before" -)" ''
	kill "$holder"
	wait "$holder" || :
	no_veths 0
	tool gc
	ok
	contains "$output" "its network namespace /proc/$passing/ns/net is gone"
}

@test "gc: elements that no index lists; not those of who lives, nor an administrator's" {
	net "$NET"
	plug c1 -p 8081:80
	plug c2 -p 8082:80
	forget
	del_netns c1
	no_veths 1
	nft add element inet cplug masq4 '{ 192.0.2.1 comment "mine" : drop }'
	nft add element inet cplug ports4 '{ tcp . 99 comment "veth and more" : 192.0.2.1 . 99 }'
	key=$(nft -j list set inet cplug attachments | jq -r '.. | .elem? // empty | objects | select(.comment | test("net1/'"cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)"'")) | .val.concat[0]' | head -1)
	nft delete element inet cplug attachments "{ \"$key\" . 0x62000000 }"
	nft delete element inet cplug attachments "{ \"$key\" . 0x62000001 }" 2>/dev/null || :
	rehearses
	contains "$told" '^removed elements \(stray\) of table inet cplug of net1/.*: no index lists them$'
	contains_not "$(nft list ruleset)" 'tcp \. 8081'
	contains "$(nft list ruleset)" 'tcp \. 8082'
	contains "$(nft list ruleset)" '192\.0\.2\.1 comment "mine"'
	contains "$(nft list ruleset)" 'tcp \. 99'
}

@test "gc: what is not ours stays: leases of the reference, links, files, tables" {
	mkdir -p /var/lib/cni/networks/ref /etc/netns/gone /run/elsewhere/data
	printf 'c9\r\neth0' >/var/lib/cni/networks/ref/10.8.0.2
	: >/var/lib/cni/networks/ref/lock
	echo 10.8.0.2 >/var/lib/cni/networks/ref/last_reserved_ip.0
	echo 'nameserver 192.0.2.1' >/etc/netns/gone/resolv.conf
	ip link add vethdeadbeef012 type veth peer name other
	ip link add br9 type bridge
	sysctl_set net/ipv4/conf/br9/route_localnet 1
	nft add table inet mine
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	is "$(things | diff "$BATS_TEST_TMPDIR/before" -)" ''
}

@test "gc: leases in a folder that only a remembered configuration names" {
	net "$(with "$NET" '.plugins[0].ipam.dataDir = "/run/leases"')"
	plug c1
	plug c2
	rm "$NETCONFPATH"/*
	# c2's is remembered: so the folder is known.
	rm "/var/lib/cni/results/net1-cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)-eth0"
	del_netns c1
	no_veths 1
	tool gc
	ok
	contains "$output" '^removed 10\.1\.0\.2 in /run/leases/net1 of '
	[[ -e /run/leases/net1/10.1.0.3 && ! -e /run/leases/net1/10.1.0.2 ]]
}

@test "gc: after nft flush ruleset the ways from the host's loopback are closed" {
	net "$NET"
	plug c1 -p 8080:80
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 1
	nft flush ruleset
	tool gc
	ok
	contains "$output" '^removed route_localnet of br1: nobody behind it has published ports$'
	contains "$output" '^removed local route ::1 on br1: '
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
	tool restore
	ok
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 1
	tool gc
	is "$output" ''
}

@test "gc: of a configured network what nobody remembers goes with its GC, unless it is seen to live" {
	net "$NET"
	plug c1
	new_netns c2
	add bridge "$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" c2
	# Its namespace lives: perhaps another program's ADD is just under way.
	tool gc
	ok
	is "$output" ''
	link c2 eth0 true
	# A lease of which nothing is known.
	rm -r /var/lib/cni/networks/.cplug
	rehearses
	contains "$told" '^removed 10\.1\.0\.3 in .* of net1/c2/eth0: no runtime remembers its attachment$'
	contains "$told" '^removed veth veth.* of net1/c2/eth0: '
	no_link c2 eth0
	link c1 eth0 true
	tool check net1 c1
	ok
}

@test "gc: attachments that podman or containerd remember are nobody's leftovers" {
	net "$NET"
	plug c1 -p 8080:80
	mkdir -p /run/containers/cni
	mv /var/lib/cni/results /run/containers/cni/
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	is "$(things | diff "$BATS_TEST_TMPDIR/before" -)" ''
}

@test "gc: disableGC, and NET: other networks are not touched" {
	net "$NET"
	plug c1
	forget
	del_netns c1
	no_veths 0
	net "$(with "$NET" '.disableGC = true')"
	tool gc
	ok
	is "$output" ''
	forget
	tool gc net2
	ok
	is "$output" ''
	tool gc net1
	ok
	contains "$output" '^removed 10\.1\.0\.2 '
}

@test "gc: it goes on after failures, and tells them all" {
	net "$NET"
	plug c1
	forget
	del_netns c1
	no_veths 0
	mkdir -p /var/lib/cni/networks/net0
	cp -a /var/lib/cni/networks/net1/. /var/lib/cni/networks/net0
	exec {lock}</var/lib/cni/networks/net0/lock
	flock "$lock"
	CNI_TEST_LOCK_TIMEOUT_MS=200 tool gc
	is "$status" 1
	contains "$errors" 'net0'
	contains "$output" '^removed elements of table inet cplug'
	contains "$output" '^removed 10\.1\.0\.2 in /var/lib/cni/networks/net1'
}

@test "gc: --json: kind, object, owner, reason, and whether it is removed" {
	net "$NET"
	plug c1
	forget
	del_netns c1
	no_veths 0
	tool gc --dry-run --json
	ok
	has '.dryRun and (.leftovers | length >= 4 and all(.removed == false)
		and any(.kind == "lease" and .owner[:5] == "net1/" and (.reason | test("gone"))))'
	tool gc --json
	has '.leftovers | length >= 4 and all(.removed)'
	tool gc --json
	has '.leftovers == [] and .removed == [] and .kept == []'
}

@test "gc: leases of another boot" {
	net "$NET"
	plug c1
	forget
	echo 11111111-2222-3333-4444-555555555555 >/run/.rig/boot_id
	mount --bind /run/.rig/boot_id /proc/sys/kernel/random/boot_id
	tool gc
	umount /proc/sys/kernel/random/boot_id
	ok
	contains "$output" '^removed 10\.1\.0\.2 in .*: it was made before the machine booted$'
}
