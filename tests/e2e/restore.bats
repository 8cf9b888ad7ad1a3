#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool restore and check --repair put back removed objects, and change nothing else.
# shellcheck disable=SC2030,SC2031 # tests are subshells
load lib
load cnitool

# ONE uses every option of bridge, CHAIN publishes ports with portmap.
PLAIN='{"type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,"hairpinMode":true,
	"macspoofchk":"strict","dns":{"nameservers":["10.1.0.1"]},
	"capabilities":{"portMappings":true,"ips":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]],
		"routes":[{"dst":"198.51.100.0/24","priority":7}]}}'
ONE='{"cniVersion":"1.1.0","name":"net1","plugins":['$PLAIN']}'
CHAIN='{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"loopback"},
	{"type":"bridge","bridge":"br1","isGateway":true,"ipMasq":true,"hairpinMode":true,
		"ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}},
	{"type":"portmap","capabilities":{"portMappings":true}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
}

# things - prints a snapshot without the order of tables, and without anycast routes, which
# depend on whether forwarding was on when the address was added
things() {
	snapshot | grep -v ' route anycast ' | sort
}

remember() {
	things >"$BATS_TEST_TMPDIR/before.snapshot"
}

assert_same_snapshot() {
	things >"$BATS_TEST_TMPDIR/now.snapshot"
	diff -U0 "$BATS_TEST_TMPDIR/before.snapshot" "$BATS_TEST_TMPDIR/now.snapshot" ||
		fail "something is left, or missing"
}

# changed COMMAND - asserts that COMMAND has removed something
changed() {
	things >"$BATS_TEST_TMPDIR/now.snapshot"
	! cmp -s "$BATS_TEST_TMPDIR/before.snapshot" "$BATS_TEST_TMPDIR/now.snapshot" ||
		fail "nothing was removed: $1"
}

# host_veth - prints the name of the only veth link on the host
host_veth() {
	ip -j link show type veth | jq -r '[.[].ifname | select(startswith("veth"))][0]'
}

# mends COMMAND... - COMMAND removes something; asserts that check reports it and check --repair
# restores the state before
mends() {
	remember
	"$@"
	changed "$*"
	tool check net1 c1
	is "$status" 1
	tool check --repair net1 c1
	ok
	contains "$output" '^restored eth0 of .* on network net1: '
	assert_same_snapshot
	tool check --repair net1 c1
	ok
	is "$output" ''
}

@test "restore: the host's loopback is closed before the first attachment is repaired" {
	net "$ONE"
	plug c1 -p 8080:80
	nft flush ruleset
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	tool restore --dry-run
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	# The repair of the only attachment fails, because another container has its address.
	printf 'c9\r\neth0' >/var/lib/cni/networks/net1/10.1.0.2
	tool restore
	is "$status" 1
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
}

# empty FAMILY SET... - removes all elements
empty() {
	local family=$1 set

	shift
	for set; do
		nft flush map "$family" cplug "$set" 2>/dev/null || nft flush set "$family" cplug "$set"
	done
}

@test "repair: restores the ruleset, tables, rules of a chain, elements of sets and maps" {
	net "$ONE"
	plug c1 -p 8080:80
	mends nft flush ruleset
	mends nft delete table inet cplug
	mends nft delete table bridge cplug
	mends nft flush chain inet cplug ports
	mends nft flush chain inet cplug masq-net1-10.1.0.0/24
	mends nft flush chain bridge cplug strict
	mends empty inet masq4
	mends empty inet "$(nft -j list table inet cplug | jq -r '[.nftables[].set.name | values | select(test("^masq4-"))][0]')"
	mends empty inet ports6
	mends empty inet published4
	mends empty bridge macs
}

@test "repair: restores addresses, routes, MTU, MAC address and state in the container" {
	net "$ONE"
	plug c1 -p 8080:80
	mends in_ns c1 ip address del 10.1.0.2/24 dev eth0
	mends in_ns c1 ip -6 address del fd00:1::2/64 dev eth0
	mends in_ns c1 ip route del default
	mends in_ns c1 ip -6 route del default
	mends in_ns c1 ip route del 198.51.100.0/24
	mends in_ns c1 ip link set eth0 mtu 1400
	mends in_ns c1 ip link set eth0 address 02:00:00:00:00:99
	mends in_ns c1 ip link set eth0 down
}

@test "repair: restores bridge port, bridge, address and sysctl on the host" {
	net "$ONE"
	plug c1 -p 8080:80
	mends ip link set "$(host_veth)" nomaster
	mends ip link set "$(host_veth)" down
	mends ip link set "$(host_veth)" type bridge_slave hairpin off
	mends ip address del 10.1.0.1/24 dev br1
	mends ip link set br1 down
	mends ip link set br1 address 02:00:00:00:00:99
	mends sysctl_set net/ipv4/conf/br1/route_localnet 0
}

@test "repair: restores lease and resolv.conf" {
	net "$ONE"
	plug c1
	mends rm /var/lib/cni/networks/net1/10.1.0.2
	mends rm /etc/netns/c1/resolv.conf
}

@test "repair: creates a deleted veth pair or bridge again, and published ports answer" {
	net "$ONE"
	world
	plug c1 -p 8080:80
	tcp_answer c1 80 web
	mends ip link del "$(host_veth)"
	ask world tcp 203.0.113.1 8080
	mends ip link del br1
	ask world tcp 203.0.113.1 8080
}

@test "repair: tuning has changed the MTU of the container's end: the host's end keeps its own" {
	local main

	new_netns c1
	for main in '{"type":"ptp"' '{"type":"ptp","mtu":1480' '{"type":"bridge","bridge":"br2"'; do
		net "$(jq -cn --argjson main "$main,\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}" \
			'{cniVersion: "1.1.0", name: "net1", plugins: [$main, {type: "tuning", mtu: 1400}]}')"
		tool add --quiet net1 c1
		ok
		mends in_ns c1 ip address flush dev eth0
		mends ip link set "$(host_veth)" mtu 1300
		mends in_ns c1 ip link set eth0 mtu 1300
		mends ip link del "$(host_veth)"
		tool assign net1 c1 10.1.0.77
		ok
		tool check net1 c1
		ok
		tool del net1 c1
		ok
	done
}

@test "repair: names an interface that the container renamed, and makes no second one" {
	net "$ONE"
	plug c1
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name wan
	remember
	tool check --repair net1 c1
	is "$status" 1
	contains "$errors" 'no interface eth0, but its other end .* is there: it was renamed'
	assert_same_snapshot
}

@test "repair: does not break an established connection" {
	net "$ONE"
	world
	plug c1 -p 8080:80
	serve c1 80 "cat"
	coproc CLIENT { in_ns world socat - TCP:203.0.113.1:8080 2>/dev/null; }
	echo one >&"${CLIENT[1]}"
	read -r -t "$RIG_DEADLINE" line <&"${CLIENT[0]}"
	is "$line" one
	nft flush ruleset
	in_ns c1 ip route del default
	tool check --repair net1 c1
	ok
	echo two >&"${CLIENT[1]}"
	read -r -t "$RIG_DEADLINE" line <&"${CLIENT[0]}"
	is "$line" two
}

@test "repair: fails, and changes nothing, if another container has the address" {
	net "$ONE"
	plug c1
	printf 'other\r\neth0' >/var/lib/cni/networks/net1/10.1.0.2
	in_ns c1 ip address del 10.1.0.2/24 dev eth0
	remember
	tool check --repair net1 c1
	is "$status" 1
	contains "$errors" '10\.1\.0\.2 is leased to container other'
	assert_same_snapshot
}

@test "repair: a failure at any step is rolled back" {
	local n

	net "$ONE"
	plug c1 -p 8080:80
	empty inet ports4 ports6
	empty bridge guarded macs
	in_ns c1 ip -6 address del fd00:1::2/64 dev eth0
	in_ns c1 ip address del 10.1.0.2/24 dev eth0
	in_ns c1 ip link set eth0 mtu 1400 address 02:00:00:00:00:99
	ip link set "$(host_veth)" type bridge_slave hairpin off
	rm /var/lib/cni/networks/net1/10.1.0.2 /etc/netns/c1/resolv.conf
	remember
	for ((n = 1; n < 40; n++)); do
		CNI_TEST_FAIL_AT=$n tool check --repair net1 c1
		((status)) || break
		assert_same_snapshot
	done
	((n > 7 && n < 40))
}

# Above, the routes go with the addresses.
@test "repair: a failure takes routes away that were added to addresses that stayed" {
	local n

	net "$ONE"
	plug c1
	in_ns c1 ip route del default
	in_ns c1 ip -6 route del default
	rm /etc/netns/c1/resolv.conf
	remember
	for ((n = 1; n < 10; n++)); do
		CNI_TEST_FAIL_AT=$n tool check --repair net1 c1
		((status)) || break
		assert_same_snapshot
	done
	((n > 1 && n < 10))
	route c1 '.dst == "default"'
}

@test "restore: republishes portmap's ports of fifty containers after nft flush ruleset" {
	local i

	net "$CHAIN"
	world
	for ((i = 1; i <= 50; i++)); do
		plug "c$i" -p "$((8000 + i)):80"
		serve "c$i" 80 "read -r q; echo $i"
	done
	remember
	nft flush ruleset
	ask_in_vain world tcp 203.0.113.1 8001
	tool restore --dry-run
	ok
	contains "$output" '^would restore eth0 of .* on network net1: '
	ask_in_vain world tcp 203.0.113.1 8001
	tool restore
	ok
	for ((i = 1; i <= 50; i++)); do
		is "$(ask world tcp 203.0.113.1 $((8000 + i)))" "$i"
	done
	assert_same_snapshot
	tool restore --json
	has '.restored == [] and .failed == [] and (.whole | length == 50)'
	assert_same_snapshot
}

# tell - changes something; have both monitors written?
tell() {
	ip link set lo mtu "$((40000 + RANDOM))"
	nft 'add table ip listens; delete table ip listens'
	[[ -s $BATS_TEST_TMPDIR/events && -s $BATS_TEST_TMPDIR/rules ]]
}

# are_silent - have the monitors written nothing for half a second?
are_silent() {
	local before

	before=$(stat -c %s "$BATS_TEST_TMPDIR"/{events,rules})
	sleep 0.5
	[[ $(stat -c %s "$BATS_TEST_TMPDIR"/{events,rules}) == "$before" ]]
}

@test "restore: leaves complete attachments alone: no netlink event, no change of the ruleset" {
	local generation

	net "$ONE"
	plug c1 -p 8080:80
	generation=$(nft list ruleset | sha512sum)
	ip monitor link address route >>"$BATS_TEST_TMPDIR/events" 2>&1 3>&- &
	nft monitor >>"$BATS_TEST_TMPDIR/rules" 2>&1 3>&- &
	# Those of ADD come late on a busy machine.
	wait_for "both monitors" tell
	wait_for "the end of the events" are_silent
	: >"$BATS_TEST_TMPDIR/events"
	: >"$BATS_TEST_TMPDIR/rules"
	tool restore
	ok
	is "$output" ''
	tool restore --json
	ok
	has '.whole | length == 1'
	is "$(nft list ruleset | sha512sum)" "$generation"
	wait_for "what the monitors have seen" are_silent
	prints '' cat "$BATS_TEST_TMPDIR/events"
	prints '' cat "$BATS_TEST_TMPDIR/rules"
}

@test "restore: restores the given networks only; an unknown network is an error" {
	net "$ONE"
	plug c1
	tool restore net2
	is "$status" 1
	contains "$errors" 'net2'
	net "${ONE//net1/net2}" 20-net2
	nft flush ruleset
	tool restore net2
	ok
	is "$output" ''
	tool restore net2 net1
	ok
	contains "$output" 'net1'
}

@test "restore: --dry-run names what it would repair, and changes nothing" {
	net "$ONE"
	plug c1
	in_ns c1 ip address del 10.1.0.2/24 dev eth0
	remember
	tool restore --dry-run
	ok
	contains "$output" '^would restore eth0 of .*10\.1\.0\.2/24'
	assert_same_snapshot
}

@test "restore: uses the configuration that add had, not the network's of today" {
	local link

	net "$ONE"
	plug c1
	link=$(host_veth)
	remember
	net "$(jq -c '.plugins[0] |= (.bridge = "br2" | .mtu = 1400 | .ipMasq = false)' <<<"$ONE")"
	ip link del "$link"
	tool restore
	ok
	link - "$link" '.master == "br1" and .mtu == 1500'
	assert_same_snapshot
}

@test "restore: an attachment whose cached file cannot be looked at stays" {
	local error file

	can_trace || skip "strace cannot trace"
	no_leak_check
	net "$ONE"
	plug c1 -p 8080:80
	file=$(echo /var/lib/cni/results/*)
	for error in EIO ENOMEM; do
		nft flush ruleset
		strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -P "$file" -e trace=access,faccessat,faccessat2 \
			-e inject=access,faccessat,faccessat2:error="$error" "$CPLUG_BIN/cnitool" restore >/dev/null
		contains "$(<"$BATS_TEST_TMPDIR/trace")" "$error .*INJECTED"
		tool check net1 c1
		ok
	done
}

@test "restore: an attachment that is deleted meanwhile is not made again" {
	mkdir "$BATS_TEST_TMPDIR/plugins"
	cat >"$BATS_TEST_TMPDIR/plugins/fixed" <<-'PLUGIN'
		#!/usr/bin/env bash
		cat >/dev/null
		case $CNI_COMMAND in
		ADD) echo '{"cniVersion":"1.1.0","ips":[{"address":"10.1.0.2/24"}]}' ;;
		CHECK) [[ ! -e /run/deleted ]] || rm -f /var/lib/cni/results/* ;;
		esac
	PLUGIN
	chmod +x "$BATS_TEST_TMPDIR/plugins/fixed"
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR/plugins
	net "$(jq -c '.plugins[0].ipam = {"type":"fixed"}' <<<"$ONE")"
	plug c1
	in_ns c1 ip link del eth0
	tool restore
	ok
	link c1 eth0 true
	in_ns c1 ip link del eth0
	touch /run/deleted
	tool restore
	contains "$errors" 'was deleted meanwhile'
	no_link c1 eth0
	prints_not 'c1' nft list ruleset
}

@test "restore: reads the caches of containerd and podman, without netns, and of single plugins" {
	net "$ONE"
	plug c1
	plug c2
	mkdir -p /run/containers/cni/results /var/lib/cni/cache/results
	mv /var/lib/cni/results/net1-*-eth0 "$BATS_TEST_TMPDIR"
	set -- "$BATS_TEST_TMPDIR"/net1-*-eth0
	jq -c 'del(.netns)' "$1" >/run/containers/cni/results/one
	jq -c --arg plugin "$(jq -c '.name = "net1" | .cniVersion = "1.0.0"' <<<"$PLAIN" | base64 -w0)" \
		'.config = $plugin' "$2" >/var/lib/cni/cache/results/two
	rm "$NETCONFPATH"/*
	remember
	nft flush ruleset
	tool restore --json
	has '(.restored | length == 2) and .failed == []'
	assert_same_snapshot
}

@test "restore: warns of each invalid cache file, and continues" {
	net "$ONE"
	plug c1
	cd /var/lib/cni/results
	: >empty
	head -c 100 net1-*-eth0 >truncated
	echo '{"cniVersion":"1.0.0","ips":[]}' >foreign
	head -c 100 /dev/urandom >noise
	nft flush ruleset
	tool restore
	ok
	contains "$output" net1
	is "$(grep -c 'left out' <<<"$errors")" 4
	contains "$errors" 'empty'
}

@test "restore: skips containers without namespace, and unfinished adds" {
	net "$ONE"
	plug c1
	plug c2
	plug c3
	for file in /var/lib/cni/results/*; do
		[[ $(jq -r .netns "$file") != */c3 ]] || jq -c 'del(.result)' "$file" >"$BATS_TEST_TMPDIR/x"
		[[ $(jq -r .netns "$file") != */c3 ]] || cp "$BATS_TEST_TMPDIR/x" "$file"
	done
	del_netns c2
	nft flush ruleset
	tool restore --json
	has '(.restored | length == 1) and .failed == []'
}

@test "restore: reports an attachment that cannot be restored, and restores the others" {
	net "$ONE"
	plug c1
	plug c2
	printf 'other\r\neth0' >/var/lib/cni/networks/net1/10.1.0.2
	nft flush ruleset
	tool restore
	is "$status" 1
	contains "$errors" '1 of 2 attachments could not be restored'
	contains "$errors" '10\.1\.0\.2 is leased to container other'
	contains "$output" restored
	tool restore --json
	is "$status" 1
	has '(.failed | length == 1) and (.failed[0].msg | test("leased"))'
}

@test "restore: rejects a namespace that was recreated with the same name" {
	local file

	net "$ONE"
	plug c1
	# A cache of an older version, without the identity of the namespace: host-local knows it.
	for file in /var/lib/cni/results/*; do
		jq -c 'del(.cplug)' "$file" >"$BATS_TEST_TMPDIR/x"
		cp "$BATS_TEST_TMPDIR/x" "$file"
	done
	del_netns c1
	new_netns c1
	tool restore
	is "$status" 1
	contains "$errors" 'another network namespace'
	no_link c1 eth0
}

@test "repair: calls CHECK of foreign plugins, and reports their failure" {
	mkdir "$BATS_TEST_TMPDIR/plugins"
	cat >"$BATS_TEST_TMPDIR/plugins/other" <<-'PLUGIN'
		#!/usr/bin/env bash
		request=$(cat)
		[[ $CNI_COMMAND != ADD ]] || jq -c .prevResult <<<"$request"
		[[ $CNI_COMMAND != CHECK || ! -e /run/broken ]] || {
			echo '{"cniVersion":"1.0.0","code":117,"msg":"other is broken"}'
			exit 1
		}
	PLUGIN
	chmod +x "$BATS_TEST_TMPDIR/plugins/other"
	export CNI_PATH=$CPLUG_BIN:$BATS_TEST_TMPDIR/plugins
	net "$(jq -c '.plugins += [{"type":"other"}]' <<<"$ONE")"
	plug c1
	nft flush ruleset
	touch /run/broken
	tool check --repair net1 c1
	is "$status" 1
	contains "$errors" 'type="other".*other is broken'
	rm /run/broken
	tool check net1 c1
	ok
}

@test "check: fails with a clear message for an attachment that was never added" {
	net "$ONE"
	new_netns c1
	tool check net1 c1
	is "$status" 1
	contains "$errors" 'eth0 of /run/netns/c1 on network "net1" was never added'
	tool check --repair net1 c1
	is "$status" 1
	contains "$errors" 'was never added'
}

@test "check: CHECK of the plugin succeeds without output" {
	local conf

	conf=$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$ONE")
	new_netns c1
	add bridge "$conf"
	conf=$(chained "$conf")
	cni CHECK bridge "$conf"
	ok
	is "$output" ''
	in_ns c1 ip link set eth0 mtu 1400
	cni CHECK bridge "$conf"
	failed 107 'MTU of eth0'
}
