#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Configurations of a hostile author (docs/security.md, Multus): forged prevResults, lists that are too
# long.  Such an author writes prevResult into the first plugin of a list.
# shellcheck disable=SC2030,SC2031 # tests are subshells
load lib
load hostile
load cnitool

BRIDGE='{"cniVersion":"1.1.0","name":"victim","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"evil","type":"portmap",
	"runtimeConfig":{"portMappings":[{"hostPort":9999,"containerPort":2379,"protocol":"tcp"}]}}'
FIREWALL='{"cniVersion":"1.1.0","name":"evil","type":"firewall"}'

prepare() {
	:
}

# forged CONF ADDRESS [LINK...] - prints CONF with a prevResult of one address, and these links of the host
forged() {
	local conf=$1 address=$2

	shift 2
	jq -c --arg address "$address" '.prevResult = {cniVersion: "1.1.0",
		interfaces: ([{name: "eth0", sandbox: "/run/netns/c1"}] + [$ARGS.positional[] | {name: .}]),
		ips: [{address: $address, interface: 0}]}' --args "$@" <<<"$conf"
}

@test "hostile-conf: a published port never leads to the host's loopback" {
	local address

	new_netns c1 c2
	# The bridge of another network has route_localnet, because a port is published there.
	add bridge "$(with "$BRIDGE" '.runtimeConfig = {portMappings: [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]}')" c2
	tcp_answer - 2379 secret 127.0.0.1
	remember
	for address in 127.0.0.1/8 127.0.0.9/8 ::1/128 ::ffff:127.0.0.1/128 0.0.0.0/8 0.0.0.1/8 ::/64 224.0.0.1/24 \
		255.255.255.255/32 ff02::1/64; do
		cni ADD portmap "$(forged "$PORTMAP" "$address")"
		[[ $address != 127* ]] || ask_in_vain c2 tcp 10.1.0.1 9999
		failed 7 'no address that a container can have'
		assert_same_snapshot
	done
	ask - tcp 127.0.0.1 2379
}

@test "hostile-conf: an IPAM plugin cannot give a container an address of the host's loopback" {
	local address plugin folder=$BATS_TEST_TMPDIR/plugins

	new_netns c1
	mkdir "$folder"
	printf '#!/bin/sh\ncat "%s/answer"\n' "$folder" >"$folder/foreign"
	chmod +x "$folder/foreign"
	warm_up bridge "$BRIDGE"
	remember
	for address in 127.0.0.2/8 ::1/128 224.0.0.5/24 ff02::5/64 0.0.0.0/0; do
		printf '{"cniVersion":"1.1.0","ips":[{"address":"%s","gateway":"10.1.0.1"}]}' "$address" >"$folder/answer"
		[[ $address != *:* ]] || sed -i 's/10\.1\.0\.1/fd00:1::1/' "$folder/answer"
		for plugin in bridge ptp; do
			CNI_PATH=$folder:$CPLUG_BIN cni ADD "$plugin" "$(with "$BRIDGE" \
				'del(.isDefaultGateway) | .ipam = {type: "foreign"}')"
			failed 7 'no address that a container can have'
			assert_same_snapshot
		done
	done
}

@test "hostile-conf: no ingress policy for the host's uplink, or for a neighbour's port" {
	local victim port policy

	world
	new_netns c1 c2
	add bridge "$BRIDGE" c2
	port=$(host_end)
	victim=$(chained "$(with "$FIREWALL" '.name = "victim" | .ingressPolicy = "same-bridge"')")
	add firewall "$victim" c2
	sees c2 203.0.113.2
	remember
	for policy in same-bridge isolated; do
		cni ADD firewall "$(forged "$(with "$FIREWALL" ".ingressPolicy = \"$policy\"")" 203.0.113.2/24 uplink)"
		failed 108 'uplink, which leads to the world'
		assert_same_snapshot
	done
	sees c2 203.0.113.2
	# Policy rules lead to the world, too.
	for port in four six; do
		ip link add "up-$port" up type bridge
	done
	ip address add 198.51.100.2/24 dev up-four
	ip address add 192.0.2.2/24 dev up-six
	ip route add default via 198.51.100.1 table 77
	ip -6 route add default dev up-six table 78
	ip rule add from 198.51.100.2 lookup 77
	ip -6 rule add fwmark 5 lookup 78
	remember
	for port in '198.51.100.3/24 up-four' '192.0.2.3/24 up-six'; do
		# shellcheck disable=SC2086 # address and link
		cni ADD firewall "$(forged "$(with "$FIREWALL" '.ingressPolicy = "isolated"')" $port)"
		failed 108 "${port#* }, which leads to the world"
		assert_same_snapshot
	done
	port=$(jq -r '.prevResult.interfaces[1].name' <<<"$victim")
	# The neighbour's port is not taken for the attachment's.
	cni ADD firewall "$(forged "$(with "$FIREWALL" '.ingressPolicy = "isolated"')" 10.1.0.99/24 "$port")"
	failed 7 'no link of the host'
	assert_same_snapshot
	cni ADD portmap "$(forged "$PORTMAP" 10.1.0.99/24 "$port")"
	contains "$(bridge -d link show dev "$port")" 'hairpin off'
}

@test "hostile-conf: a host end that another suite made counts only if it leads into CNI_NETNS" {
	local conf id port

	new_netns c1 c2
	ip link add br9 up type bridge
	for id in c1 c2; do
		ip link add "ref-$id" up master br9 type veth peer name eth0 netns "$id"
		in_ns "$id" ip link set dev eth0 up
	done
	# Both ends of this pair are on the host.
	ip link add ref-host up master br9 type veth peer name other-host
	remember
	for port in ref-c2 ref-host; do
		cni ADD firewall "$(forged "$(with "$FIREWALL" '.ingressPolicy = "isolated"')" 10.9.0.1/24 $port)"
		failed 7 'no link of the host'
		assert_same_snapshot
	done
	for port in ref-c2 ref-host; do
		conf=$(forged "$PORTMAP" 10.9.0.1/24 $port)
		add portmap "$conf"
		contains "$(bridge -d link show dev $port)" 'hairpin off'
		cni CHECK portmap "$conf"
		ok
		del portmap "$conf"
	done
	conf=$(forged "$PORTMAP" 10.9.0.1/24 ref-c2 ref-c1)
	add portmap "$conf"
	contains "$(bridge -d link show dev ref-c1)" 'hairpin on'
	contains "$(bridge -d link show dev ref-c2)" 'hairpin off'
	cni CHECK portmap "$conf"
	ok
	del portmap "$conf"
	add firewall "$(forged "$(with "$FIREWALL" '.ingressPolicy = "isolated"')" 10.9.0.1/24 ref-c1 br9)"
}

@test "hostile-conf: lists that are too long are refused soon" {
	local conf=$BATS_TEST_TMPDIR/long

	new_netns c1
	jq -nc --argjson conf "$FIREWALL" '$conf | .backend = "iptables" | .prevResult = {cniVersion: "1.1.0",
		ips: [range(16000) | {address: "10.\(. / 250 | floor).\(. % 250).2/24"}]}' >"$conf"
	soon cni ADD firewall "$conf"
	failed 108 'more than 256 addresses'
	soon cni DEL firewall "$conf"
	ok
	is "$(nft list ruleset)" ''
}

@test "hostile-conf: thousands of sysctls for tuning are refused soon" {
	local command conf=$BATS_TEST_TMPDIR/long

	new_netns c1
	jq -nc '{cniVersion: "1.1.0", name: "evil", type: "tuning",
		sysctl: ([range(60000) | {key: "net.ipv4.conf.x\(.).y", value: "1"}] | from_entries),
		prevResult: {cniVersion: "1.1.0", interfaces: [{name: "eth0", sandbox: "/run/netns/c1"}]}}' >"$conf"
	for command in ADD STATUS; do
		soon cni $command tuning "$conf"
		failed 7 'at most 1024 sysctls'
	done
	soon del tuning "$conf"
}

# folder PATH - an ADD of host-local that makes PATH a folder
folder() {
	cni ADD host-local "$(jq -nc --arg d "${1%/*}" --arg n "${1##*/}" '{cniVersion: "1.0.0", name: $n, type: "bridge",
		ipam: {type: "host-local", dataDir: $d, ranges: [[{subnet: "10.9.0.0/24"}]]}}')"
	[[ -d $1 ]]
}

@test "hostile-conf: folders in the place of cplug's locks and socket keep no other network from its work" {
	local sbr cache=/var/lib/cni/cnitool.lock name

	new_netns c1 c2
	# Other IPAM plugins make these folders, ours does not.
	for name in netns nft doomed gc; do
		mkdir -p /run/cni/cplug/$name.lock
	done
	add bridge "$BRIDGE" c2
	sbr=$(jq -c --argjson prev "$output" '{cniVersion, name, type: "sbr", prevResult: $prev}' <<<"$BRIDGE")
	cni ADD sbr "$sbr" c2
	ok
	[[ -f /run/cni/cplug/netns.lock && -f /run/cni/cplug/gc.lock ]]
	cni DEL sbr "$sbr" c2
	ok
	del bridge "$BRIDGE" c2
	[[ -f /run/cni/cplug/nft.lock && -f /run/cni/cplug/doomed.lock ]]
	folder $cache
	run "$CPLUG_BIN/cnitool" list
	((status == 0))
	run "$CPLUG_BIN/cnitool" gc
	((status == 0))
	[[ -f $cache ]]
	folder /run/cni/dhcp.sock
	"$CPLUG_BIN/dhcp" daemon </dev/null 3>&- 4>&- &
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
	kill $!
}

@test "hostile-conf: a folder in the place of a network's lock is moved away" {
	local folder=/var/lib/cni/networks/victim

	new_netns c1
	folder $folder/lock
	add bridge "$BRIDGE"
	contains "$errors" "a folder was in its place"
	[[ -f $folder/lock ]]
	del bridge "$BRIDGE"
	rm $folder/lock
	folder $folder/lock
	del bridge "$BRIDGE"
}

@test "hostile-conf: no folder below /etc is made, whatever path leads there" {
	local path conf

	private_folder /etc/cni
	new_netns c1
	mkdir -p /etc/cni/there/net
	ln -s /etc /run/link
	remember
	for path in /etc/cni/tuning/allowlist.conf /etc/netns/c1/resolv.conf /etc/nologin/net /run/../etc/cni/net \
		/run/missing/../../etc/cni/net /proc/self/root/etc/cni/net /run/link/nologin /run/link/more/net; do
		conf=$(jq -nc --arg d "${path%/*}" --arg n "${path##*/}" '{cniVersion: "1.0.0", name: $n, type: "bridge",
			ipam: {type: "host-local", dataDir: $d, subnet: "10.9.0.0/24"}}')
		cni ADD host-local "$conf"
		failed 7 'ipam\.dataDir: '
		cni DEL host-local "$conf"
		ok
		[[ ! -e $path ]]
		assert_same_snapshot
	done
	is "$(ls /etc/cni)" there
	[[ ! -e /run/missing ]]
	# What the administrator has made is used.
	add host-local '{"cniVersion":"1.0.0","name":"net","type":"bridge",
		"ipam":{"type":"host-local","dataDir":"/etc/cni/there","subnet":"10.9.0.0/24"}}'
	[[ -f /etc/cni/there/net/10.9.0.2 ]]
}

# not_made PATH TYPE CONF - ADD does not make the folder PATH, and changes nothing; DEL succeeds
not_made() {
	cni ADD "$2" "$3"
	failed 7 'dataDir: '
	cni DEL "$2" "$3"
	ok
	[[ ! -e $1 ]] || fail "$1 was made"
	assert_same_snapshot
}

@test "hostile-conf: no folder is made where cplug and runtimes have files, whether they have them yet or not" {
	local path conf there

	new_netns c1
	ln -s /run /run/link
	mkdir -p /var/lib/cni
	# Each ADD makes this lock.
	cni ADD host-local '{"cniVersion":"1.0.0","name":"net","type":"bridge"}'
	for there in '' yes; do
		[[ ! $there ]] || mkdir -p /run/cni/{cplug/pool/net1,dhcp} /var/lib/cni/{results,cache}
		remember
		for path in /run/cni/cplug /run/cni/cplug/nft.lock /run/cni/cplug/pool/net1/size /run/link/cni/cplug/net \
			/run/./cni//cplug/pool/net1/free /proc/self/root/run/cni/dhcp/net1:c1:eth0.json/net \
			/var/lib/cni/results/net1-c1-eth0 /var/lib/cni/results/.net1-c1-eth0.cplug-new/net /var/lib/cni/cache/results; do
			[[ ! -e $path ]] || continue
			conf=$(jq -nc --arg d "${path%/*}" --arg n "${path##*/}" '{cniVersion: "1.0.0", name: $n, type: "bridge",
				ipam: {type: "host-local", dataDir: $d, subnet: "10.9.0.0/24"}}')
			not_made "$path" host-local "$conf"
			conf=$(jq -nc --arg d "$path" '{cniVersion: "1.0.0", name: "net", type: "tuning", dataDir: $d, mtu: 1400,
				prevResult: {interfaces: [{name: "eth0", sandbox: "/run/netns/c1"}]}}')
			not_made "$path" tuning "$conf"
		done
	done
	# A relative path is one below the working directory.
	remember
	cd /run/cni/cplug
	for path in new/net pool/net1/new/net ../cplug/new/net; do
		not_made "$path" host-local "$(jq -nc --arg d "${path%/*}" '{cniVersion: "1.0.0", name: "net", type: "bridge",
			ipam: {type: "host-local", dataDir: $d, subnet: "10.9.0.0/24"}}')"
		[[ ! -e ${path%/*} ]]
	done
	cd /
	for path in /run/cni/net /run/cni-state/cplug/net /var/lib/cni/networks/net /var/lib/cni/results-of/net; do
		folder $path
	done
}

@test "hostile-conf: no lease is written among the files of cplug and of runtimes, also if the folder is there" {
	local path conf before

	new_netns c1
	ln -s /run /run/link
	mkdir -p /run/cni/{cplug/pool/net1/free,cplug/host-device,dhcp} /run/netns /run/cplug /var/lib/cni/{networks,results,cache,runs}
	cni ADD host-local '{"cniVersion":"1.0.0","name":"net","type":"bridge"}' # makes gc.lock
	for path in /run/cni/{cplug,dhcp,cplug/pool,cplug/pool/net1/free,cplug/host-device} /run/link/cni/cplug/pool /run/./netns \
		/run/cplug /var/lib/cni/{results,cache,runs} /var/lib/cni/networks/../results; do
		conf=$(jq -nc --arg d "${path%/*}" --arg n "${path##*/}" '{cniVersion: "1.0.0", name: $n, type: "bridge",
			ipam: {type: "host-local", dataDir: $d, subnet: "10.9.0.0/24"}}')
		before=$(find "$path")
		cni ADD host-local "$conf"
		failed 7 'ipam\.dataDir: no lease is written below /'
		cni DEL host-local "$conf"
		ok
		is "$(find "$path")" "$before"
	done
	is "$(ls /run/cni/cplug/pool)" net1
}

@test "hostile-conf: a folder in the place of a document or a cached result is moved away" {
	local conf file results=/var/lib/cni/results

	new_netns c1
	export NETCONFPATH=$BATS_TEST_TMPDIR
	net '{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br2","ipam":{"type":"host-local","subnet":"10.5.0.0/24"}}]}'
	tool add net1 c1
	ok
	file=$(ls $results)
	tool del net1 c1
	ok
	mkdir "$results/$file" "$results/.$file.cplug-new"
	tool add net1 c1
	ok
	contains "$errors" "/$file: a folder was in its place"
	[[ -f $results/$file ]]
	tool del net1 c1
	ok
	mkdir "$results/$file"
	tool del net1 c1
	ok
	add bridge "$BRIDGE"
	conf=$(chained '{"cniVersion":"1.1.0","name":"victim","type":"sbr"}')
	mkdir -p /run/cni/cplug/sbr/victim:c1:eth0.json
	cni ADD sbr "$conf"
	ok
	[[ -f /run/cni/cplug/sbr/victim:c1:eth0.json ]]
	cni DEL sbr "$conf"
	ok
	mkdir -p /run/cni/cplug/sbr/victim:c1:eth0.json
	cni DEL sbr "$conf"
	ok
}

@test "hostile-conf: forceAddress takes no gateway of another network, and no address of the host's uplink" {
	local evil

	evil=$(with "$BRIDGE" '.name = "evil" | .forceAddress = true | .ipam = {type: "host-local", subnet: "10.1.0.128/25"}')
	new_netns c1 c2
	add bridge "$BRIDGE" c2
	is "$(addresses - br1)" '10.1.0.1/24 fd00:1::1/64'
	remember
	cni ADD bridge "$evil"
	failed 102 'forceAddress: 10\.1\.0\.1/24 of br1 is not replaced by 10\.1\.0\.129/25, because the bridge belongs to network victim .*replaceAcrossNetworks in /etc/cplug/cplug\.conf'
	cni ADD bridge "$(with "$evil" '.ipam.subnet = "fd00::/16"')"
	failed 102 'fd00:1::1/64 of br1 is not replaced .* network victim '
	assert_same_snapshot
	sees c2 10.1.0.1
	# Without a mark on the bridge, those of its ports tell.
	ip link set br1 alias ''
	cni ADD bridge "$evil"
	failed 102 '10\.1\.0\.1/24 of br1 is not replaced .* network victim '
	del bridge "$BRIDGE" c2
	ip address replace 10.1.0.1/24 dev br1
	ip route add default via 10.1.0.77
	cni ADD bridge "$evil"
	failed 102 '10\.1\.0\.1/24 of br1 is not replaced .* belongs to the host, whose default route it has '
	host_allows '{"replaceAcrossNetworks":true}'
	add bridge "$evil"
	is "$(addresses - br1)" '10.1.0.129/25 fd00:1::1/64'
}

@test "hostile-conf: forceAddress replaces what the own network has, also with others on its bridge" {
	local guest='{"cniVersion":"1.1.0","name":"guest","type":"bridge","bridge":"br1"}'

	new_netns c1 c2 c3
	add bridge "$BRIDGE" c1
	add bridge "$guest" c2
	add bridge "$(with "$BRIDGE" '.forceAddress = true | .ipam.ranges = [[{subnet: "10.2.0.0/24"}]]')" c3
	is "$(addresses - br1)" '10.2.0.1/24 fd00:1::1/64'
}
