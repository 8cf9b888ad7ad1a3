#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: blocks that nodes claim in a real etcd, and addresses in them
# shellcheck disable=SC2030,SC2031,SC2016 # each test is a process; scripts in single quotes

load cluster

# Blocks of four addresses, of which two are for containers: .1 is the gateway.
SMALL='[{"subnet": "10.40.0.0/24", "block": 29}]'

prepare() {
	need_cluster
	start_etcd
	new_node n1 n2
}

@test "cluster: the first ADD claims a block; the second asks etcd nothing" {
	local c

	c=$(conf '[{"subnet": "10.40.0.0/16"}, {"subnet": "fd00:40::/64"}]')
	called n1 ADD "$c" c1
	ok
	has '.ips | length == 2'
	has '.ips[0].address | test("^10\\.40\\.[0-9]+\\.[0-9]+/26$")'
	has '.ips[1].address | test("^fd00:40:.*/122$")'
	has '.ips[0].gateway != null and .ips[1].gateway != null'
	[[ $(etcd_keys | grep -c /blocks/net1/) == 2 ]]
	[[ $(etcd_keys | grep -c /nodes/n1/net1) == 3 ]]
	stop_member m1
	called n1 ADD "$c" c2
	ok
	called n1 CHECK "$(chained "$c")" c1
	failed 107
	called n1 STATUS "$c"
	ok
	called n1 DEL "$c" c1
	ok
	called n1 DEL "$c" c1
	ok
}

@test "cluster: nodes get different blocks, and values say whose a block is" {
	local c a b word

	c=$(conf "$SMALL")
	a=$(address_of n1 "$c" c1)
	b=$(address_of n2 "$c" c1)
	[[ $a && $b && $a != "$b" ]]
	[[ $(blocks n1) != "$(blocks n2)" ]]
	etcdctl get --prefix /cplug/v1/blocks/net1/ --print-value-only |
		jq -se '[.[] | select(.version == 1 and .network == "net1" and (.block | endswith("/29"))) | .node] | sort == ["n1", "n2"]'
	output=$(on n1 "$CPLUG_BIN/cplug-etcd" list net1)
	has '.blocks | length == 2'
	for word in reclaim list; do
		output=$(on n1 "$CPLUG_BIN/cplug-etcd" "$word" n2/net1) && fail "a slash is accepted"
		has '.code == 2 and (.msg | test("\"n2/net1\" is not the name of a"))'
	done
	[[ $(etcd_keys | grep -c /blocks/net1/) == 2 ]]
}

@test "cluster: CHECK finds the lease, and a repair claims a lost one again" {
	local c file

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	c=$(chained "$c")
	called n1 CHECK "$c" c1
	ok
	file=$(find "$NODES/n1/cni/networks/net1" -name '10.40.*')
	rm "$file"
	called n1 CHECK "$c" c1
	failed 107
	CPLUG_REPAIR=1 called n1 CHECK "$c" c1
	ok
	[[ -e $file ]]
}

@test "cluster: full blocks get another one; GC gives the empty ones back" {
	local c i first

	c=$(conf "$SMALL")
	for i in {1..6}; do
		called n1 ADD "$c" "c$i"
		ok
	done
	[[ $(wc -w <<<"$(blocks n1)") == 2 ]]
	[[ $(cd "$NODES/n1/cni/networks/net1" && echo 10.40.* | wc -w) == 6 ]]
	first=$(blocks n1)
	called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = [{containerID: "c1", ifname: "eth0"}]')"
	ok
	[[ $(wc -w <<<"$(blocks n1)") == 1 && $first == *"$(blocks n1)"* ]]
	[[ $(etcd_keys | grep -c /blocks/net1/) == 1 ]]
	called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = []')"
	ok
	[[ ! $(blocks n1) ]]
	run ! grep -q /blocks/ <<<"$(etcd_keys)"
	# Without the list nothing is given back.
	called n1 ADD "$c" c1
	ok
	called n1 DEL "$c" c1
	ok
	called n1 GC "$c"
	ok
	[[ $(blocks n1) ]]
}

@test "cluster: without etcd GC keeps the blocks, and says so" {
	local c

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	stop_member m1
	called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = []')"
	ok
	[[ $errors == *'the blocks stay'* ]]
	[[ $(blocks n1) ]]
	called n1 ADD "$c" c2
	ok
}

@test "cluster: etcd away and blocks full: ADD names the endpoint and the remedy, STATUS 51" {
	local c i

	c=$(conf "$SMALL")
	for i in {1..5}; do
		called n1 ADD "$c" "c$i"
		ok
	done
	called n1 STATUS "$c"
	ok
	stop_member m1
	called n1 ADD "$c" c6
	failed 11 'http://127.0.0.1:2379: .*start it there, or correct endpoints in /etc/cplug/cluster.conf'
	called n1 STATUS "$c"
	failed 51 'http://127.0.0.1:2379'
	called n1 DEL "$c" c5
	ok
	called n1 STATUS "$c"
	ok
	start_etcd
	called n1 ADD "$c" c5
	ok
	called n1 ADD "$c" c6
	ok
}

@test "cluster: five nodes claim the last block: one wins, the others say why" {
	local c i won=0 text
	local -a pids=()

	new_node n3 n4 n5
	c=$(conf '[{"subnet": "10.40.0.0/29", "block": 29}]')
	for i in {1..5}; do
		ipam "n$i" ADD "$c" c1 >"$BATS_TEST_TMPDIR/answer.$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || :; done
	for i in {1..5}; do
		text=$(<"$BATS_TEST_TMPDIR/answer.$i")
		if jq -e '.ips' <<<"$text" >/dev/null; then
			won=$((won + 1))
		else
			jq -e '.code == 103 and (.msg | test("every block of 10.40.0.0/29 is claimed .*cnitool cluster reclaim NODE"))' <<<"$text"
		fi
	done
	((won == 1)) || fail "$won nodes have won"
	[[ $(etcd_keys | grep -c /blocks/) == 1 ]]
	# The others have no room, and etcd has none: not available.
	for i in {1..5}; do
		jq -e .code "$BATS_TEST_TMPDIR/answer.$i" >/dev/null || continue
		called "n$i" STATUS "$c"
		failed 50 'every block is claimed'
	done
}

@test "cluster: many ADDs at once on one node claim one block" {
	local c i
	local -a pids=()

	c=$(conf '[{"subnet": "10.40.0.0/16"}]')
	for i in {1..20}; do
		ipam n1 ADD "$c" "c$i" >"$BATS_TEST_TMPDIR/answer.$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	[[ $(cat "$BATS_TEST_TMPDIR"/answer.* | jq -r '.ips[].address' | sort -u | wc -l) == 20 ]]
	[[ $(wc -w <<<"$(blocks n1)") == 1 ]]
}

@test "cluster: a requested address brings its block; that of another node is named" {
	local c address

	c=$(conf '[{"subnet": "10.40.0.0/16"}]' '{"capabilities": {"ips": true}, "runtimeConfig": {"ips": ["10.40.7.77"]}}')
	called n1 ADD "$c" c1
	ok
	has '.ips[0].address == "10.40.7.77/26"'
	[[ $(blocks n1) == 10.40.7.64/26 ]]
	called n1 ADD "$c" c2
	failed 104 'container c1 \(eth0\) has it'
	called n2 ADD "$c" c1
	failed 104 'the block 10.40.7.64/26 belongs to node n1'
	c=$(with "$c" '.runtimeConfig.ips = ["10.41.0.1"]')
	called n2 ADD "$c" c1
	failed 104 '10.41.0.1: it lies in no range of ipam.ranges'
	c=$(with "$c" '.runtimeConfig.ips = ["10.40.7.65"]')
	called n1 ADD "$c" c3
	failed 104 'gateway'
	# An address that no container can have brings no block: none would give it back before GC.
	for address in 10.40.8.64 10.40.8.65 10.40.8.127; do
		called n1 ADD "$(with "$c" ".runtimeConfig.ips = [\"$address\"]")" c3
		failed 104 "requested ip $address: its block has it for the network, the gateway or broadcasts"
	done
	[[ $(blocks n1) == 10.40.7.64/26 ]]
}

@test "cluster: a node that was killed after its claim finds the block again" {
	local c before

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	before=$(blocks n1)
	# As if it had been killed before it wrote the file.
	jq '.blocks = []' "$NODES/n1/cni/networks/net1/blocks.json" >/run/x
	cp /run/x "$NODES/n1/cni/networks/net1/blocks.json"
	called n1 ADD "$c" c2
	ok
	[[ $(blocks n1) == "$before" ]]
	[[ $(etcd_keys | grep -c /blocks/) == 1 ]]
}

@test "cluster: leases survive etcd, the node, and both" {
	local c a

	c=$(conf "$SMALL")
	a=$(address_of n1 "$c" c1)
	stop_member m1
	start_etcd
	reboots n1
	called n1 ADD "$c" c2
	ok
	[[ $(result '.ips[0].address') != "$a" ]]
	[[ -e $NODES/n1/cni/networks/net1/${a%/*} ]]
	[[ $(etcd_keys | grep -c /blocks/) == 1 ]]
}

@test "cluster: reclaim; the node that comes back with old state leases nothing of its old blocks" {
	local c a b old

	c=$(conf '[{"subnet": "10.40.0.0/28", "block": 28}]')
	a=$(address_of n1 "$c" c1)
	old=$(blocks n1)
	called n2 ADD "$c" c1
	failed 103
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" reclaim n1)
	has '.reclaimed | length == 1 and .[0].node == "n1"'
	run ! grep /n1/ <<<"$(etcd_keys)"
	b=$(address_of n2 "$c" c1)
	[[ $(blocks n2) == "$old" ]]
	reboots n1
	called n1 ADD "$c" c2
	failed 103
	[[ $errors == *"the block $old is not this node"*'start them anew'* ]]
	[[ ! $(blocks n1) ]]
	[[ $a && $b ]]
}

@test "cluster: after a boot without etcd nothing is leased, because the blocks may be another node's" {
	local c

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	reboots n1
	stop_member m1
	called n1 ADD "$c" c2
	failed 11 'etcd does not answer'
	called n1 STATUS "$c"
	failed 51
	called n1 DEL "$c" c1
	ok
	start_etcd
	called n1 ADD "$c" c2
	ok
}

@test "cluster: GC finds out that blocks were reclaimed while the node lived" {
	local c block gc

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	block=$(blocks n1)
	gc=$(with "$c" '.["cni.dev/valid-attachments"] = [{containerID: "c1", ifname: "eth0"}]')
	# No other node has the block yet: the container keeps its address.
	on n2 "$CPLUG_BIN/cplug-etcd" reclaim n1
	called n1 GC "$gc"
	ok
	[[ $errors == *"etcd had no owner for the block $block"* && $(blocks n1) == "$block" ]]
	on n2 "$CPLUG_BIN/cplug-etcd" reclaim n1
	called n2 ADD "$(with "$c" ".runtimeConfig.ips = [\"$(second_of "$block")\"]")" c1
	ok
	called n1 GC "$gc"
	ok
	[[ $errors == *'reclaim n1'* && ! $(blocks n1) ]]
	[[ $(etcd_keys | grep -c /blocks/net1/) == 1 ]]
}

# second_of BLOCK - prints its second address for containers
second_of() {
	awk -F '[./]' '{ print $1 "." $2 "." $3 "." $4 + 3 }' <<<"$1"
}

# lose_data - etcd comes back without anything
lose_data() {
	stop_member m1
	rm -r /run/etcd/m1
	start_etcd
}

@test "cluster: etcd has lost its data: GC, a boot and a claim register the blocks again" {
	local c block why

	c=$(conf "$SMALL")
	for why in GC boot claim; do
		[[ $(address_of n1 "$c" "$why") ]]
		block=$(blocks n1)
		lose_data
		case $why in
		GC) called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = [{containerID: "GC", ifname: "eth0"}]')" ;;
		boot)
			reboots n1
			called n1 ADD "$c" after
			;;
		claim) for i in {1..5}; do called n1 ADD "$c" "x$i"; done ;;
		esac
		ok
		[[ $(grep -o "etcd had no owner for the block $block" <<<"$errors" | wc -l) == 1 || $why == claim ]]
		[[ " $(blocks n1) " == *" $block "* ]]
		[[ $(ip route show proto 76 | wc -l) == $(wc -w <<<"$(blocks n1)") ]]
		is "$(etcdctl get --prefix /cplug/v1/blocks/net1/ --print-value-only | jq -rse 'map(.block) | sort | join(" ")')" "$(blocks n1)"
		[[ $(etcd_keys | grep -c /nodes/n1/net1/) == $(wc -w <<<"$(blocks n1)") ]]
		etcd_keys | grep -x /cplug/v1/config/net1
	done
}

@test "cluster: etcd has lost its data, and another node has the block: one owner, and a warning" {
	local c block i

	c=$(conf '[{"subnet": "10.40.0.0/28", "block": 29}]')
	[[ $(address_of n1 "$c" c1) ]]
	block=$(blocks n1)
	lose_data
	# The other node claims both blocks.
	for i in {1..10}; do called n2 ADD "$c" "c$i"; done
	ok
	[[ " $(blocks n2) " == *" $block "* ]]
	for i in {2..5}; do
		called n1 ADD "$c" "c$i"
		ok
	done
	called n1 ADD "$c" c6
	failed 103
	[[ $errors == *"the block $block is another node's (n2)"*'cnitool gc'* ]]
	called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = [{containerID: "c1", ifname: "eth0"}]')"
	ok
	[[ $errors == *"the block $block is not this node's any longer"*'start them anew'* && ! $(blocks n1) ]]
	is "$(etcdctl get --prefix /cplug/v1/blocks/net1/ --print-value-only | jq -rse 'map(.node) | unique | join(" ")')" n2
}

@test "cluster: GC is killed while it registers the blocks again: the next one does the rest, and no block has two owners" {
	local c gc i ms mine

	c=$(conf "$SMALL")
	for i in {1..15}; do [[ $(address_of n1 "$c" "c$i") ]]; done
	mine=$(blocks n1)
	[[ $(wc -w <<<"$mine") == 3 ]]
	gc=$(with "$c" '.["cni.dev/valid-attachments"] = [range(1; 16) | {containerID: "c\(.)", ifname: "eth0"}]')
	for ms in 0.005 0.01 0.015 0.02 0.03 0.05 0.1; do
		etcdctl del --prefix /cplug >/dev/null
		ipam n1 GC "$gc" >/dev/null 2>&1 3>&- 4>&- &
		sleep "$ms"
		# Of this test's namespace of processes only: plugin and helper.
		kill_children $!
		wait $! || :
		# As many keys of blocks as of the node: one transaction wrote both.
		is "$(etcd_keys | grep -c /blocks/net1/ || :)" "$(etcd_keys | grep -c /nodes/n1/net1/ || :)"
		called n2 ADD "$c" "x$ms"
		ok
		called n1 GC "$gc"
		ok
		[[ $(blocks n1 | tr ' ' '\n' | grep -c .) -ge 2 ]]
		for i in $(blocks n1); do
			is "$(etcdctl get "/cplug/v1/blocks/net1/${i/\//-}" --print-value-only | jq -r .node)" n1
			ip route show "$i" proto 76 | grep -q unreachable
		done
		[[ $(blocks n1) == "$mine" ]] || break
	done
}

# kill_children PID - kills a process and all its descendants
kill_children() {
	local child

	for child in $(pgrep -P "$1"); do kill_children "$child"; done
	kill -9 "$1" 2>/dev/null || :
}

@test "cluster: a claim finds that a block is another node's: from then on nothing is leased in it" {
	local c block i

	c=$(conf "$SMALL")
	[[ $(address_of n1 "$c" c1) ]]
	block=$(blocks n1)
	lose_data
	called n2 ADD "$(with "$c" ".runtimeConfig.ips = [\"$(second_of "$block")\"]")" c2
	ok
	[[ $(blocks n2) == "$block" ]]
	# The block becomes full: the ADD that claims another one is told.
	for i in {2..6}; do
		called n1 ADD "$c" "c$i"
		ok
	done
	[[ $errors == *"the block $block is another node's (n2)"* ]]
	called n1 ADD "$c" c7
	ok
	[[ $errors == *"the block $block is not this node's any longer"* && " $(blocks n1) " != *" $block "* ]]
}

@test "cluster: two machines of one name do not share blocks" {
	local c

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	mkdir -p "$NODES/twin/cni"
	cp -r "$NODES/n1/etc" "$NODES/twin/etc"
	called twin ADD "$c" c1
	failed 102 'the name "n1" belongs to another machine'
	[[ $(etcd_keys | grep -c /blocks/) == 1 ]]
}

@test "cluster: nodes that divide a range in another way are refused; a new range is added" {
	local c

	called n1 ADD "$(conf '[{"subnet": "10.40.0.0/16"}]')" c1
	ok
	called n2 ADD "$(conf '[{"subnet": "10.40.0.0/16", "block": 24}]')" c1
	failed 7 'each node must divide the ranges of network net1 in the same way'
	called n2 ADD "$(conf '[{"subnet": "10.40.64.0/18"}]')" c1
	failed 7 'overlaps 10.40.0.0/16'
	called n2 ADD "$(conf '[{"subnet": "10.40.0.0/16"}, {"subnet": "10.41.0.0/16"}]')" c1
	ok
	called n1 ADD "$(conf '[{"subnet": "10.40.0.0/16"}]')" c2
	ok
	etcdctl get /cplug/v1/config/net1 --print-value-only | jq -e '.version == 1 and (.ranges | length == 2)'
}

@test "cluster: a member that does not answer is followed by the next one" {
	local c

	ENDPOINTS='["http://127.0.0.1:1", "http://127.0.0.1:2379", "http://127.0.0.1:2"]' new_node n3
	c=$(conf "$SMALL")
	called n3 ADD "$c" c1
	ok
}

@test "cluster: user and password; a wrong one is told" {
	local c

	etcdctl user add root:secret
	etcdctl role add cplug
	etcdctl role grant-permission cplug --prefix=true readwrite /cplug/v1
	etcdctl user add cplug:s3cret
	etcdctl user grant-role root root
	etcdctl user grant-role cplug cplug
	etcdctl auth enable
	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	failed 50 'etcd refuses the request'
	echo s3cret >"$NODES/n1/etc/password"
	chmod 600 "$NODES/n1/etc/password"
	with "$(<"$NODES/n1/etc/cluster.conf")" '.user = "cplug" | .passwordFile = "/etc/cplug/password"' >/run/x
	cat /run/x >"$NODES/n1/etc/cluster.conf"
	called n1 ADD "$c" c1
	ok
	echo wrong >"$NODES/n1/etc/password"
	new_node n2
	cp "$NODES/n1/etc"/* "$NODES/n2/etc"
	called n2 ADD "$c" c1
	failed 50 'etcd refuses the request: .*authentication failed'
	run ! grep -r s3cret "$NODES/n1/cni"
}

@test "cluster: cluster.conf must be the administrator's, and its mistakes are told at once" {
	local c file=$NODES/n1/etc/cluster.conf

	c=$(conf "$SMALL")
	chmod 666 "$file"
	called n1 ADD "$c" c1
	failed 7 'cluster.conf: it must be a regular file of root that no other user can write'
	chmod 644 "$file"
	echo '{"endpoints": ["127.0.0.1"], "nod": 1, "node": "a/b", "user": "x", "cert": "/c", "prefix": "p/"}' >"$file"
	called n1 ADD "$c" c1
	failed 7 'endpoints\[0\]: expected a URL.*'
	for key in nod node user cert prefix; do grep -q "$key: " <<<"$error"; done
	rm "$file"
	called n1 ADD "$c" c1
	failed 50 'cluster.conf: there is no such file'
	[[ ! -e $NODES/n1/cni/networks/net1/blocks.json ]]
}

# wrong FILTER SENTENCE - changes n1's cluster.conf; an ADD fails with code 7, and names file, key and remedy
wrong() {
	printf '# %s\n' "$1"
	jq "$1" <<<"$GOOD" >"$NODES/n1/etc/cluster.conf"
	called n1 ADD "$C" c1
	failed 7 "^/etc/cplug/cluster\.conf: $2"
	contains_not "$error" s3cret
}

@test "cluster: a mistake in cluster.conf names the file, the key and the remedy" {
	local url key etc=$NODES/n1/etc file=$NODES/n1/etc/cluster.conf

	C=$(conf "$SMALL")
	GOOD=$(<"$file")
	wrong 'del(.endpoints)' 'endpoints: name the members of etcd, like \["https://10.0.0.1:2379"\]$'
	wrong '.endpoints = "http://127.0.0.1:2379"' 'endpoints: expected a list, got "http://127.0.0.1:2379"$'
	wrong '.endpoints = ["127.0.0.1:2379"]' 'endpoints\[0\]: expected a URL, like https://10.0.0.1:2379, got "127.0.0.1:2379"$'
	for url in https:// https://127.0.0.1:99999 https://fd00::1:2379 'https://a b:2379'; do
		wrong ".endpoints = [\"$url\"]" "endpoints\\[0\\]: \"$url\" is no URL like https://10.0.0.1:2379 or https://\\[fd00::1\\]:2379\$"
	done
	wrong '.endpoints = ["https://cplug:s3cret@127.0.0.1:2379"]' \
		'endpoints\[0\]: etcd takes no user in a URL: write user and passwordFile$'
	for key in ca cert key passwordFile; do
		wrong ".$key = \"\"" "$key: expected an absolute path, got \"\""
		wrong ".$key = \"x.pem\"" "$key: expected an absolute path, got \"x.pem\""
		wrong ".$key = \"/missing\"" "$key: cannot read /missing: No such file or directory"
	done
	wrong '.cert = "/etc/cplug/cluster.conf"' 'cert: cert and key belong together$'
	wrong '.key = "/etc/cplug/cluster.conf"' 'cert: cert and key belong together$'
	wrong '.user = "cplug"' 'user: user and passwordFile belong together$'
	: >"$etc/empty"
	ln -s empty "$etc/link"
	wrong '.user = "cplug" | .passwordFile = "/etc/cplug/empty"' 'passwordFile: the first line of /etc/cplug/empty has no password$'
	wrong '.user = "cplug" | .passwordFile = "/etc/cplug/link"' 'passwordFile: /etc/cplug/link must be a regular file of root'
	echo s3cret >"$etc/password"
	wrong '.passwordFile = "/etc/cplug/password"' 'user: user and passwordFile belong together$'
	wrong '.user = "" | .passwordFile = "/etc/cplug/password"' 'user: name etcd'\''s user, or remove user and passwordFile$'
	wrong '.user = 7 | .passwordFile = "/etc/cplug/password"' 'user: expected a string, got 7$'
	wrong '.prefix = "cplug"' 'prefix: expected a prefix of keys, like /cplug/v1, got "cplug"$'
	wrong '.node = "a/b"' 'node: "a/b" is no name of a node: '
	wrong '.timeout = "1s"' 'timeout: expected a whole number from 50 to 60000, got "1s"$'
	wrong '.networks = {"net1": "10.0.0.0/8"}' 'networks.net1: expected a list, got "10.0.0.0/8"$'
	wrong '.timout = 5' 'timout: unknown key \(there are endpoints, .*timeout, networks\)$'
	rm "$file"
	ln -s empty "$file"
	called n1 ADD "$C" c1
	failed 7 'cluster.conf: it must be a regular file of root that no other user can write'
	[[ ! -e $NODES/n1/cni/networks/net1/blocks.json ]]
}

@test "cluster: without the helper one sentence says what is missing" {
	local bin=/run/plugins

	mkdir "$bin"
	cp "$CPLUG_BIN/cplug" "$bin/cluster"
	CPLUG_BIN=$bin called n1 ADD "$(conf "$SMALL")" c1
	failed 50 'cplug-etcd, which talks to etcd, is not installed'
}

@test "cluster: wrong configurations are told with path and remedy" {
	local c

	called n1 ADD "$(conf '[]')"
	failed 7 'ipam.ranges: name the cluster'
	called n1 ADD "$(conf '"10.40.0.0/16"')"
	failed 7 '^ipam.ranges: expected a list, got "10.40.0.0/16"$'
	called n1 ADD "$(conf "$SMALL" '{"ipam": {"dataDir": "x"}}')"
	failed 7 'ipam.dataDir: expected an absolute path, got "x"'
	called n1 ADD "$(conf '[{"subnet": "10.40.0.1/16"}]')"
	failed 7 'ipam.ranges\[0\].subnet: host bits are set; the network address is 10.40.0.0'
	for c in 0.0.0.0/0 0.0.0.0/1 127.0.0.0/8 169.254.0.0/16 224.0.0.0/4 ::/0 fe80::/16 ff00::/16; do
		called n1 ADD "$(conf "[{\"subnet\": \"$c\"}]")"
		failed 7 "ipam.ranges\[0\].subnet: $c has addresses of .*, which containers of a cluster cannot have"
	done
	called n1 ADD "$(conf '[{"subnet": "10.40.0.0/16", "block": 31}]')"
	failed 7 'ipam.ranges\[0\].block: the prefix of a block of 10.40.0.0/16 has a length of 16 to 30, not 31'
	called n1 ADD "$(conf '[{"subnet": "fd00:40::/48", "block": 120}]')"
	failed 7 'has a length of 48 to 110, not 120'
	called n1 ADD "$(conf '[{"subnet": "10.40.0.0/16"}, {"subnet": "10.40.0.0/24"}]')"
	failed 7 'overlaps 10.40.0.0/16'
	called n1 ADD "$(conf '[[{"subnet": "10.40.0.0/16"}]]')"
	failed 7 'expected a range'
	c=$(conf "$SMALL")
	mkdir -p "$NODES/n1/cni/networks/net1"
	echo '{"version": 2}' >"$NODES/n1/cni/networks/net1/blocks.json"
	called n1 ADD "$c"
	failed 112 'blocks.json|version'
}

@test "cluster: reclaim refuses a node whose routes this machine has, and names what --force does" {
	local c

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	# As a routing daemon has it.
	ip link add wire type bridge
	ip address add 192.168.9.1/24 dev wire
	ip link set wire up
	ip route add "$(blocks n1)" via 192.168.9.2
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" reclaim n1) && fail "it is reclaimed"
	has '.code == 102 and (.msg | test("node n1 seems to run.*shares its address")) and (.details | test("10.40.0"))'
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" reclaim n1 --force)
	has '.reclaimed | length == 1'
	run ! grep /n1/ <<<"$(etcd_keys)"
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" reclaim n3)
	has '.reclaimed == []'
}

@test "cluster: a node that lost its state folder is reclaimed on the node itself: no route stays" {
	local c

	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	[[ $(ip route show proto 76) == "unreachable $(blocks n1) "* ]]
	rm -r "$NODES/n1/cni/networks"
	called n1 ADD "$c" c2
	failed 102 'belongs to another machine'
	output=$(on n1 "$CPLUG_BIN/cplug-etcd" reclaim n1)
	has '.reclaimed | length == 1'
	is "$(ip route show proto 76)" ''
	called n1 ADD "$c" c2
	ok
	is "$(ip route show proto 76 | wc -l)" 1
}

@test "cluster: list tells nodes and ages; cnitool runs the helper; --help and --version need no etcd" {
	local c word

	c=$(conf "$SMALL")
	for word in c1 c2 c3 c4 c5 c6; do [[ $(address_of n1 "$c" "$word") ]]; done
	[[ $(address_of n2 "$c" c1) ]]
	output=$(CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/cnitool" cluster list net1)
	has '.nodes == {n1: 2, n2: 1} and (.blocks | length == 3 and all(.age >= 0 and .node and .claimed))'
	stop_member m1
	for word in --help --version; do
		output=$("$CPLUG_BIN/cplug-etcd" $word)
		[[ $output == 'cplug-etcd '* ]]
	done
	[[ $("$CPLUG_BIN/cnitool" cluster -- --help) == *'usage: cplug-etcd ACTION'* ]]
	# An unknown action is named; options may be anywhere.
	output=$("$CPLUG_BIN/cplug-etcd" lst net1) && fail "lst is accepted"
	has '.code == 2 and (.msg | test("there is no action \"lst\": say list"))'
	output=$("$CPLUG_BIN/cplug-etcd" join --locl 1.2.3.4) && fail "--locl is accepted"
	has '.code == 2 and (.msg | test("join does not take \"--locl\", or not with this value: say list"))'
	output=$("$CPLUG_BIN/cplug-etcd" reclaim) && fail "reclaim needs a node"
	has '.msg | test("an argument is missing")'
	start_etcd
	for word in '--json list net1' 'list --json net1' 'list net1 --json'; do
		# shellcheck disable=SC2086 # words
		output=$(CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/cnitool" cluster $word)
		has '.nodes == {n1: 2, n2: 1}'
	done
	for word in '-q list' 'list --quiet'; do
		# shellcheck disable=SC2086 # words
		is "$(CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/cnitool" cluster $word)" ''
	done
	for word in '' list\ a\ b reclaim 'reclaim a b' 'list --force' '--force list' claims; do
		# shellcheck disable=SC2086 # words
		output=$("$CPLUG_BIN/cplug-etcd" $word </dev/null) && fail "$word is accepted"
		has '.code == 2 and (.msg | test("say list"))'
	done
	output=$(CNI_PATH=/nowhere "$CPLUG_BIN/cnitool" cluster list 2>&1) && fail "there is no helper"
	[[ $output == *'cplug-etcd, which talks to etcd, is not in /nowhere'* ]]
}

@test "cluster: 50,000 blocks are listed, and the last free ones are found" {
	local c

	stop_member m1
	start_etcd --max-txn-ops 10000
	python3 - <<-'END'
		import base64, json, urllib.request
		b64 = lambda text: base64.b64encode(text.encode()).decode()
		for n in range(0, 50000, 5000):
		    puts = []
		    for i in range(n, n + 5000):
		        block = f"10.{64 + i // 16384}.{i // 64 % 256}.{i % 64 * 4}"
		        value = {"version": 1, "node": "n9", "instance": "x", "network": "net1", "block": block + "/30",
		                 "claimed": "2026-01-01T00:00:00Z"}
		        puts.append({"request_put": {"key": b64(f"/cplug/v1/blocks/net1/{block}-30"), "value": b64(json.dumps(value))}})
		    urllib.request.urlopen("http://127.0.0.1:2379/v3/kv/txn", json.dumps({"success": puts}).encode()).read()
	END
	on n1 "$CPLUG_BIN/cplug-etcd" list net1 >/run/list
	jq -c '.nodes, (.blocks | length)' /run/list
	jq -e '.nodes == {n9: 50000} and (.blocks | length == 50000 and (map(.block) | unique | length == 50000))' /run/list
	c=$(conf '[{"subnet": "10.64.0.0/14", "block": 30}]')
	called n1 ADD "$c" c1
	ok
	has '.ips[0].address | test("^10\\.67\\.")'
}
