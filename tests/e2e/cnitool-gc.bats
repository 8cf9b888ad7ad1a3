#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool gc removes every object of the plugins without a living owner, and nothing else.
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool
load hostile

NET='{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":true,"macspoofchk":"strict","dns":{"nameservers":["10.1.0.1"]},
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}]}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	kernel_knows_netns || skip "this kernel cannot tell whether a namespace exists (Linux 6.18 can)"
}

# forget - removes all cached results and network configurations
forget() {
	rm -f /var/lib/cni/results/* "$NETCONFPATH"/*
}

# no_veths N - waits until the kernel has removed all veth links but N
no_veths() {
	wait_for "$1 veths" veths_are "$1"
}

veths_are() {
	[[ $(ip -j link show type veth | jq '[.[].ifname | select(startswith("veth"))] | length') == "$1" ]]
}

# group_of MARK - the device group of a new link that will have the mark (FNV-1a, lib/value/mark.h)
group_of() {
	local i h=2166136261

	for ((i = 0; i < ${#1}; i++)); do
		printf -v c %d "'${1:i:1}"
		((h = (h ^ c) * 16777619 & 0xffffffff))
	done
	echo $((h & 0x1fffffff | 3 << 29))
}

# alias_of NETWORK ID IFNAME - a mark that is longer than an alias
alias_of() {
	local text="cplug $1/$2/$3"

	printf '%s#veth%s' "${text:0:239}" "$(printf %s "$1/$2/$3" | sha512sum | cut -c1-11)"
}

things() {
	snapshot | grep -v last_reserved | sort
}

# same_things NAME - asserts that things prints what it printed into NAME
same_things() {
	things | diff "$BATS_TEST_TMPDIR/$1" - || fail "something is left, or missing"
}

# differences NAME PATTERN - prints diff's lines between NAME and things that do not match PATTERN
differences() {
	local text status=0

	text=$(things | diff "$BATS_TEST_TMPDIR/$1" -) || status=$?
	((status < 2)) || return 1
	grep -Ev "$2" <<<"$text" || :
}

# rehearses - asserts that gc --dry-run prints what gc then does, and changes nothing; and that a
# second gc finds nothing.  Sets told to gc's output.
rehearses() {
	local said

	things >"$BATS_TEST_TMPDIR/dry"
	tool gc --dry-run
	ok
	said=${output//would remove/removed}
	same_things dry
	tool gc
	ok
	is "$output" "$said"
	told=$output
	tool gc
	ok
	is "$output" ''
}

@test "gc: removes all objects of a dead container without cached result and configuration" {
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
	prints '' differences before ' sysctl |^[0-9-]'
}

@test "gc: leaves a container alone whose cached result cannot be read" {
	local file

	no_leak_check
	net "$(jq -c '.plugins[0].ipam = {"type":"static","addresses":[{"address":"10.1.0.2/24"}]}' <<<"$NET")"
	plug c1 -p 8081:80
	things >"$BATS_TEST_TMPDIR/before"
	file=$(echo /var/lib/cni/results/*)
	if can_trace; then
		strace -qq -f -o /dev/null -P "$file" -e inject=read,pread64:error=EIO "$CPLUG_BIN/cnitool" gc
		same_things before
	fi
	: >"$file"
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	contains "$errors" 'left out: it is empty'
	same_things before
}

@test "gc: leaves a living container alone, with and without cached result" {
	net "$NET"
	plug c1 -p 8081:80
	plug c2 -p 8082:80
	is "$(addresses c2 eth0)" '10.1.0.3/24 fd00:1::3/64'
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	forget
	tool gc
	ok
	is "$output" ''
	prints '' differences before '/results/|^[0-9]'
}

# survives CONF - gc leaves an attachment alone whose namespace only an unnamed process keeps
survives() {
	local holder passing

	net "$1"
	new_netns c1
	nsenter --net=/run/netns/c1 sleep 300 3>&- &
	holder=$!
	wait_for "the holder" bash -c "[[ \$(readlink /proc/$holder/ns/net) != \"\$(readlink /proc/self/ns/net)\" ]]"
	nsenter --net=/run/netns/c1 sleep 300 3>&- &
	passing=$!
	wait_for "the second process" bash -c "[[ \$(readlink /proc/$passing/ns/net) == \"\$(readlink /proc/$holder/ns/net)\" ]]"
	tool add --quiet net1 "$passing"
	ok
	kill "$passing"
	wait "$passing" || :
	del_netns c1
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	same_things before
	kill "$holder"
	wait "$holder" || :
	no_veths 0
	tool gc
	ok
	contains "$output" "its network namespace /proc/$passing/ns/net is gone"
}

@test "gc: leaves a namespace alone that has lost its name or the process that named it" {
	survives "$NET"
}

# There is no lease that tells which namespace it was made for.
@test "gc: leaves a namespace alone that has lost its name, also without IPAM" {
	survives "$(with "$NET" '.plugins = [{type: "bridge", bridge: "br1"}]')"
}

@test "gc: removes elements without index entry, except those of living containers and foreign ones" {
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
	prints_not 'tcp \. 8081' nft list ruleset
	contains "$(nft list ruleset)" 'tcp \. 8082'
	contains "$(nft list ruleset)" '192\.0\.2\.1 comment "mine"'
	contains "$(nft list ruleset)" 'tcp \. 99'
}

@test "gc: leaves foreign leases, links, files, sysctls and tables alone" {
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
	same_things before
}

@test "gc: removes leases in a folder that only a cached configuration names" {
	net "$(with "$NET" '.plugins[0].ipam.dataDir = "/run/leases"')"
	plug c1
	plug c2
	rm "$NETCONFPATH"/*
	# The cached configuration of c2 names the folder.
	rm "/var/lib/cni/results/net1-cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)-eth0"
	del_netns c1
	no_veths 1
	tool gc
	ok
	contains "$output" '^removed 10\.1\.0\.2 in /run/leases/net1 of '
	[[ -e /run/leases/net1/10.1.0.3 && ! -e /run/leases/net1/10.1.0.2 ]]
}

# volume - a container of the network evil, whose data directory /run/volume only its cached configuration names; and a
# dead one of net1
volume() {
	new_netns e1
	net '{"cniVersion":"1.1.0","name":"evil","plugins":[{"type":"bridge","bridge":"br2",
		"ipam":{"type":"host-local","subnet":"10.5.0.0/24","dataDir":"/run/volume"}}]}'
	tool add -q evil e1
	ok
	net "$NET"
	plug c1
	del_netns c1
	no_veths 1
}

# holding FOLDER COMMAND... - executes it while the folder's lock is held
holding() {
	local lock

	exec {lock}>"$1/lock"
	flock "$lock"
	CNI_TEST_LOCK_TIMEOUT_MS=${WAIT-200} "${@:2}"
	exec {lock}<&-
}

# collected - gc has removed the attachment of net1
collected() {
	contains "$output" '^removed eth0 of cnitool-[0-9a-f]* on network net1: '
	is "$(find /var/lib/cni/networks/net1 -name '10.*')" ''
}

@test "gc: a container's data directory keeps no other network from gc, whatever is in it" {
	local net

	volume
	for net in net1 other; do
		mkdir "/run/volume/$net"
		printf 'zz\r\neth0' >"/run/volume/$net/10.5.0.9"
	done
	: >/run/volume/net2
	WAIT=600000 holding /run/volume/net1 soon tool gc
	ok
	is "$errors" ''
	collected
	# Its own folder, too.
	plug c2
	del_netns c2
	no_veths 1
	holding /run/volume/evil tool gc
	ok
	contains "$errors" 'warn: leases of network evil in /run/volume are left alone: lock /run/volume/evil/lock: held by '
	collected
	tool del evil e1
	ok
}

@test "gc: reads a limited number of leases in a container's data directory" {
	volume
	printf '/run/volume/evil/10.5.%s\n' {0..66}.{0..255} | xargs touch
	soon tool gc
	ok
	contains "$errors" 'warn: leases of network evil in /run/volume are left alone: .* more than 16384 leases'
	collected
	[[ -e /run/volume/evil/10.5.66.255 ]]
}

@test "gc: a file among the folders of leases is no network's" {
	net "$NET"
	plug c1
	del_netns c1
	no_veths 0
	: >/var/lib/cni/networks/10.5.0.9
	tool gc
	ok
	is "$errors" ''
	collected
}

@test "gc: removes route_localnet and the local route ::1 after nft flush ruleset" {
	net "$NET"
	plug c1 -p 8080:80
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	nft flush ruleset
	tool gc
	ok
	contains "$output" '^removed route_localnet of br1: no container behind it has published ports$'
	contains "$output" '^removed local route ::1 on br1: '
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
	tool restore
	ok
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	tool gc
	is "$output" ''
}

@test "gc: removes route_localnet of an administrator's bridge after nft flush ruleset" {
	ip link add br1 type bridge
	net "$NET"
	plug c1 -p 8080:80
	nft flush ruleset
	tool gc
	ok
	contains "$output" '^removed route_localnet of br1: no container behind it has published ports$'
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
}

@test "gc: puts an emptied chain guard back" {
	net "$NET"
	plug c1 -p 8080:80
	nft flush chain inet cplug guard
	tool gc
	ok
	is "$output" ''
	contains "$(nft list chain inet cplug guard)" '127\.0\.0\.0/8 drop'
	tool gc
	is "$output" ''
}

@test "gc: closes the loopback routes of a container's own link that nothing needs" {
	local port

	net '{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"ptp","capabilities":{"portMappings":true},
		"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
	plug c1 -p 8080:80
	plug c2 -p 8081:80
	port=$(ip -j link show | jq -r 'map(select(.ifalias // "" | startswith("cplug net1/")))[0].ifname')
	is "$(sysctl_get "net/ipv4/conf/$port/route_localnet")" 127
	# As after a DEL of portmap that was killed before it closed the route.
	nft delete element inet cplug localnet4 "{ \"$port\" }"
	tool gc
	ok
	contains "$output" "^removed route_localnet of $port: no container behind it has published ports\$"
	is "$(sysctl_get "net/ipv4/conf/$port/route_localnet")" 0
	tool restore
	ok
	is "$(sysctl_get "net/ipv4/conf/$port/route_localnet")" 127
	nft flush ruleset
	tool gc
	ok
	is "$(cat /proc/sys/net/ipv4/conf/veth*/route_localnet)" $'0\n0'
	tool restore
	ok
	is "$(cat /proc/sys/net/ipv4/conf/veth*/route_localnet)" $'127\n127'
	tool gc
	is "$output" ''
}

@test "gc: of a configured network, removes attachments without cached result, unless their namespace lives" {
	net "$NET"
	plug c1
	new_netns c2
	add bridge "$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" c2
	# The namespace exists: another program's ADD may be running.
	tool gc
	ok
	is "$output" ''
	link c2 eth0 true
	# Without the index the link and the elements still show it.
	rm -r /var/lib/cni/networks/.cplug
	tool gc
	ok
	is "$output" ''
	link c2 eth0 true
	del_netns c2
	no_veths 1
	rehearses
	contains "$told" '^removed 10\.1\.0\.3 in .* of net1/c2/eth0: no runtime remembers its attachment$'
	contains "$told" '^removed elements of table inet cplug of net1/c2/eth0: '
	link c1 eth0 true
	tool check net1 c1
	ok
}

STATIC='"ipam":{"type":"static","addresses":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}]}'

# collects_beside PLUGIN... - asserts that gc changes nothing of an ADD that no cache has, after each plugin
collects_beside() {
	local plugin conf prev=null
	local -a done=()

	net "$(jq -cn '{cniVersion: "1.1.0", name: "net1", plugins: $ARGS.positional}' --jsonargs "$@")"
	new_netns c1
	for plugin; do
		conf=$(jq -c --argjson prev "$prev" '. + {cniVersion: "1.1.0", name: "net1"} +
			if $prev then {prevResult: $prev} else {} end' <<<"$plugin")
		add "$(jq -r .type <<<"$conf")" "$conf"
		prev=$(jq -c . <<<"$output")
		done=("$conf" "${done[@]}")
		things >"$BATS_TEST_TMPDIR/before"
		tool gc
		ok
		is "$output" ''
		same_things before
	done
	for conf in "${done[@]}"; do del "$(jq -r .type <<<"$conf")" "$conf"; done
	tool gc
	ok
	is "$output" ''
}

@test "gc: an ADD under way that no lease of host-local shows keeps its link" {
	collects_beside "{\"type\":\"ptp\",\"ipMasq\":true,$STATIC}" '{"type":"firewall","backend":"nftables"}'
}

@test "gc: an ADD under way that has no link on the host keeps its elements" {
	has_kind macvlan || skip "this kernel has no macvlan interfaces"
	ip link add wire0 type veth peer name wire1
	ip link set wire0 up
	collects_beside "{\"type\":\"macvlan\",\"master\":\"wire0\",$STATIC}" '{"type":"firewall","backend":"nftables"}' \
		'{"type":"tuning","mtu":1400}'
}

@test "gc: an ADD under way that has neither keeps its document" {
	ip link add nic0 type veth peer name nic1
	collects_beside "{\"type\":\"host-device\",\"device\":\"nic0\",$STATIC}" '{"type":"tuning","mtu":1400}' \
		'{"type":"sbr"}'
}

@test "gc: waits for an ADD, and beside one that does not end removes only what is certainly dead" {
	local holder gc dir=/var/lib/cni/networks/net1

	net "$NET"
	plug c1
	plug c2
	forget
	net "$NET"
	del_netns c1
	no_veths 1
	# Nothing is known about this one.
	rm -r /var/lib/cni/networks/.cplug
	in_ns c2 ip link del eth0
	no_veths 0
	nft delete table inet cplug
	flock --no-fork -s /run/cni/cplug/gc.lock sleep 60 3>&- &
	holder=$!
	wait_for "the lock" grep -q "FLOCK .* $holder " /proc/locks
	CNI_TEST_LOCK_TIMEOUT_MS=200 tool gc
	is "$status" 1
	is "$(grep -c 'lock /run/cni/cplug/gc.lock: held by .* for 0.2 seconds' <<<"$errors")" 1
	contains "$output" '^removed /etc/netns/c1/resolv.conf of net1/'
	[[ -e $dir/10.1.0.2 && -e $dir/10.1.0.3 ]]
	"$CPLUG_BIN/cnitool" gc >"$BATS_TEST_TMPDIR/gc" 3>&- &
	gc=$!
	wait_for "gc to wait for the lock" grep -q -- "-> FLOCK .* $gc " /proc/locks
	kill "$holder"
	wait "$gc"
	contains "$(<"$BATS_TEST_TMPDIR/gc")" '^removed 10\.1\.0\.2 in '
	[[ ! -e $dir/10.1.0.2 ]]
	tool gc
	is "$output" ''
}

@test "gc: a container id that is used again is another container's" {
	local conf

	conf=$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")
	net "$NET"
	plug c1 --id again
	del_netns c1
	no_veths 0
	new_netns c2
	# Another lease, and the link of the same name.
	add bridge "$conf" again c2
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	link c2 eth0 true
	same_things before
}

@test "gc: an ADD under way keeps the resolv.conf of its namespace" {
	has_kind macvlan || skip "this kernel has no macvlan interfaces"
	ip link add wire0 type veth peer name wire1
	ip link set wire0 up
	collects_beside "{\"type\":\"macvlan\",\"master\":\"wire0\",\"dns\":{\"nameservers\":[\"10.1.0.1\"]},$STATIC}"
}

@test "gc: ADD waits for gc, and no longer than its limit; other verbs do not" {
	local conf holder add

	conf=$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")
	new_netns c1
	mkdir -p /run/cni/cplug
	flock --no-fork /run/cni/cplug/gc.lock sleep 60 3>&- &
	holder=$!
	wait_for "the lock" grep -q "FLOCK .* $holder " /proc/locks
	add bridge "$conf" c1 3>&- &
	add=$!
	wait_for "ADD to wait for the lock" grep -q -- '-> FLOCK ' /proc/locks
	no_link c1 eth0
	kill "$holder"
	wait "$add"
	link c1 eth0 true
	flock --no-fork /run/cni/cplug/gc.lock sleep 60 3>&- &
	holder=$!
	wait_for "the lock" grep -q "FLOCK .* $holder " /proc/locks
	del bridge "$conf" c1
	CNI_TEST_LOCK_TIMEOUT_MS=200 add bridge "$conf" c1
	link c1 eth0 true
	del bridge "$conf" c1
	kill "$holder"
}

@test "gc: a network whose leases cannot be read gets no GC, because an ADD may be under way" {
	net "$NET"
	plug c1
	new_netns c2
	add bridge "$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$NET")" c2
	things >"$BATS_TEST_TMPDIR/before"
	exec {lock}</var/lib/cni/networks/net1/lock
	flock "$lock"
	CNI_TEST_LOCK_TIMEOUT_MS=200 tool gc
	exec {lock}<&-
	is "$status" 1
	contains "$errors" 'net1'
	same_things before
}

@test "gc: the lock of a folder that each user can open does not stop cnitool; that of its file names the holder" {
	net "$NET"
	plug c1
	chmod 755 /var/lib/cni/results
	exec {folder}</var/lib/cni/results
	flock "$folder"
	status=0
	timeout 20 "$CPLUG_BIN/cnitool" gc >/dev/null || status=$?
	is "$status" 0
	exec {folder}<&-
	is "$(stat -c %a /var/lib/cni/cnitool.lock)" 600
	exec {lock}</var/lib/cni/cnitool.lock
	flock "$lock"
	CNI_TEST_LOCK_TIMEOUT_MS=200 tool gc
	exec {lock}<&-
	is "$status" 1
	contains "$errors" 'lock /var/lib/cni/cnitool.lock: held by .* for 0.2 seconds'
}

# mark_link NAME ALIAS - a link of another kind than veth and bridge
mark_link() {
	ip link add "$1" type ifb
	ip link set "$1" alias "$2"
}

@test "gc: removes links of any kind that belong to a dead attachment, by alias or device group" {
	local id long

	ip link add probe type ifb 2>/dev/null || skip "this kernel has no ifb"
	ip link del probe
	net "$NET"
	plug c1
	plug c2
	id=cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)
	long=$(printf 'x%.0s' {1..240})
	# podman has cached two more containers whose namespaces are gone; one has a long id.
	mkdir -p /run/containers/cni/results
	for c in gone "$long"; do
		printf '{"kind":"cniCacheV1","containerId":"%s","config":"","ifName":"eth0","networkName":"net1","netns":"/run/netns/gone","result":{"cniVersion":"1.1.0"}}' \
			"$c" >"/run/containers/cni/results/${c:0:9}"
	done
	mark_link dead0 'cplug net1/gone/eth0'
	mark_link alive0 "cplug net1/$id/eth0"
	mark_link foreign0 'cplugged by hand'
	mark_link other0 'cplug net2/unknown/eth0'
	# The interface that an outer cplug gave to this namespace.
	mark_link eth0 'cplug net1/gone/eth0'
	# The alias of a long id ends in a hash; a link whose ADD was killed has its group only.
	mark_link dead1 "$(alias_of net1 "$long" eth0)"
	ip link add dead2 type ifb
	ip link set dead2 group "$(group_of 'cplug net1/gone/eth0')"
	rehearses
	contains "$told" '^removed ifb dead0 of net1/gone/eth0: its network namespace /run/netns/gone is gone$'
	contains "$told" '^removed ifb dead1 of net1/x*/eth0: '
	contains "$told" '^removed ifb dead2 of net1/gone/eth0: '
	is "$(ip -j link show type ifb | jq -r '[.[].ifname] | sort | join(" ")')" 'alive0 eth0 foreign0 other0'
}

@test "gc: removes the state documents of dead attachments, whichever plugin wrote them" {
	local id state=/run/cni/cplug

	net "$NET"
	plug c1
	id=cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)
	mkdir -p "$state"/{tuning,other,empty}
	echo '{}' | tee "$state/tuning/net1:$id:eth0.json" "$state/tuning/net1:gone:eth0.json" \
		"$state/other/net1:gone:eth0.json" "$state/other/net2:gone:eth0.json" \
		"$state/other/net1-gone" >/dev/null
	rehearses
	contains "$told" "^removed $state/tuning/net1:gone:eth0.json of net1/gone/eth0: no runtime remembers its attachment$"
	is "$(cd "$state" && find . -type f | sort | paste -sd ' ')" \
		"./gc.lock ./other/net1-gone ./other/net2:gone:eth0.json ./tuning/net1:$id:eth0.json"
}

@test "gc: leaves attachments alone that podman or containerd has cached" {
	net "$NET"
	plug c1 -p 8080:80
	mkdir -p /run/containers/cni
	mv /var/lib/cni/results /run/containers/cni/
	things >"$BATS_TEST_TMPDIR/before"
	tool gc
	ok
	is "$output" ''
	same_things before
}

@test "list, check, inspect and detach know attachments that podman has cached, and keep podman's cache" {
	net "$NET"
	plug c1 -p 8080:80
	mkdir -p /run/containers/cni
	mv /var/lib/cni/results /run/containers/cni/
	tool list net1
	ok
	contains "$output" 'eth0 .*10\.1\.0\.2/24,.* /run/netns/c1$'
	tool check net1 c1
	ok
	nft flush ruleset
	tool check net1 c1
	is "$status" 1
	contains "$output" 'port'
	tool check --repair net1 c1
	ok
	tool inspect --json net1 c1
	ok
	has '.ifname == "eth0" and .network == "net1"'
	prints '' find /var/lib/cni/results -type f
	tool list --cache-dir /var/lib/cni net1
	ok
	contains_not "$output" 10.1.0.2
	tool detach net1 c1
	ok
	prints '' find /run/containers/cni/results -type f
	no_link c1 eth0
}

# podman 4 and containerd 1.6 have such a libcni.
@test "check, publish, inspect, list and gc know attachments that a libcni before 1.2 has cached, without netns" {
	net "$NET"
	new_netns c1
	tool add -q --id 8d0c11 -p 8080:80 net1 c1
	ok
	jq -c 'del(.netns, .cplug)' /var/lib/cni/results/net1-8d0c11-eth0 >"$BATS_TEST_TMPDIR/old"
	cp "$BATS_TEST_TMPDIR/old" /var/lib/cni/results/net1-8d0c11-eth0
	tool check net1 c1
	ok
	tool list net1
	contains "$output" '8d0c11 .*10\.1\.0\.2/24,.* /run/netns/c1$'
	tool publish net1 c1 8090:80
	ok
	contains "$(nft list map inet cplug ports4)" 'tcp \. 8090 '
	tool inspect --json net1 c1
	ok
	has '.netns == "/run/netns/c1" and .alive'
	tool gc
	ok
	is "$output" ''
	cp "$BATS_TEST_TMPDIR/old" /var/lib/cni/results/net1-8d0c11-eth0
	del_netns c1
	no_veths 0
	tool gc
	ok
	contains "$output" '^removed eth0 of 8d0c11 on network net1: its network namespace /run/netns/c1 is gone$'
	prints '' find /var/lib/cni/results -type f
}

@test "gc: leaves networks alone with disableGC, or other than the given one" {
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

@test "gc: continues after failures, and reports them all" {
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

@test "gc: --json prints kind, owner, reason, and whether the object was removed" {
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

@test "gc: removes leases of an earlier boot" {
	net "$NET"
	plug c1
	forget
	del_netns c1
	echo 11111111-2222-3333-4444-555555555555 >/run/.rig/boot_id
	mount --bind /run/.rig/boot_id /proc/sys/kernel/random/boot_id
	tool gc
	umount /proc/sys/kernel/random/boot_id
	ok
	contains "$output" '^removed 10\.1\.0\.2 in .*: it was made before the machine booted$'
}
