#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: servers that are not etcd, an etcd that lies, and files that are not what they should be
# shellcheck disable=SC2030,SC2031,SC2016 # each test is a process; scripts in single quotes

load cluster

SMALL='[{"subnet": "10.40.0.0/24", "block": 29}]'

prepare() {
	need_cluster python3
	new_node n1
	quick n1 http://127.0.0.1:4001
}

# quick NODE ENDPOINT... - another cluster.conf; with a short timeout if none is etcd, which can be slow on a busy
# machine (QUICK_LIMIT: another one, in milliseconds)
quick() {
	local file=$NODES/$1/etc/cluster.conf limit=${QUICK_LIMIT:-200}

	shift
	[[ " $* " != *:2379\ * ]] || limit=20000
	jq --argjson limit "$limit" '.timeout = $limit | .endpoints = $ARGS.positional' "$file" --args "$@" >/run/x
	cat /run/x >"$file"
}

# has_a_block BRIDGE - etcd, and node n1 with an attachment of conf $c, whose block is $block; BRIDGE has
# the block's gateway
has_a_block() {
	need_cluster
	start_etcd
	new_node n1
	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	block=$(blocks n1)
	ip link add "$1" type bridge
	ip address add "$(jq -r '.ips[0].gateway' <<<"$output")/29" dev "$1"
}

# impostor PORT KIND - starts one; its requests are in the file $BATS_TEST_TMPDIR/KIND
impostor() {
	"$CPLUG_TOP/tests/cluster/impostor" "$1" "$2" </dev/null >"$BATS_TEST_TMPDIR/$2" 2>&1 3>&- 4>&- &
	IMPOSTOR=$!
	wait_for "the impostor" grep -q ready "$BATS_TEST_TMPDIR/$2"
}

dismiss() {
	kill -9 "$IMPOSTOR"
	wait "$IMPOSTOR" 2>/dev/null || :
}

# state - writes a blocks.json of an earlier boot: the next ADD asks etcd whose its block is
state() {
	mkdir -p "$NODES/n1/cni/networks/net1"
	printf '%s\n' "${1-{\"version\": 1, \"node\": \"n1\", \"instance\": \"i1\", \"boot\": \"ab\", \"blocks\": [\"10.40.0.8/29\"]\}}" \
		>"$NODES/n1/cni/networks/net1/blocks.json"
}

@test "hostile: answers that are none change nothing, and the next member is asked" {
	local c kind

	c=$(conf "$SMALL")
	for kind in empty list text nothing null types short deep huge objects foreign nul not-base64 gzip redirect \
		trickle silent endless headers; do
		echo "# $kind"
		impostor 4001 "$kind"
		state
		# These 16 MiB take longer than 0.2 s on a slow machine.
		[[ $kind != objects ]] || QUICK_LIMIT=20000 quick n1 http://127.0.0.1:4001
		called n1 ADD "$c" c1
		# The memory of a call has a limit, and says so.
		if [[ $kind == objects ]]; then
			failed '' 'need more than 256 MiB .correct endpoints in /etc/cplug/cluster.conf'
		else
			failed 11 'etcd does not answer: http://127.0.0.1:4001: .*correct endpoints in /etc/cplug/cluster.conf'
		fi
		called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = []')"
		[[ $(blocks n1) == 10.40.0.8/29 ]]
		called n1 STATUS "$c"
		failed
		dismiss
		quick n1 http://127.0.0.1:4001
	done
	impostor 4001 empty
	start_etcd
	quick n1 http://127.0.0.1:4001 http://127.0.0.1:2379
	rm -r "$NODES/n1/cni/networks"
	for i in {1..8}; do
		called n1 ADD "$c" "c$i"
		ok
	done
}

@test "hostile: a list that has no end ends the request, and the lock of the claims is free" {
	local c word

	c=$(conf "$SMALL")
	impostor 4001 pages
	CNI_TEST_LOCK_TIMEOUT_MS=60000 called n1 ADD "$c" c1
	failed 11 'etcd does not answer in time: after [0-9]+ keys below /cplug/v1/config/ it has more .correct endpoints in /etc/cplug/cluster.conf'
	called n1 STATUS "$c"
	failed 51 'etcd does not answer in time'
	# So does what an administrator asks.
	for word in list 'reclaim n2' 'forget net1'; do
		# shellcheck disable=SC2086 # a word and its argument
		output=$(on n1 timeout 300 "$CPLUG_BIN/cplug-etcd" $word) && fail "$word succeeds"
		jq -e '.code == 11 and (.msg | test("etcd does not answer in time: after [0-9]+ keys below "))' <<<"$output"
	done
	dismiss
	start_etcd
	quick n1 http://127.0.0.1:2379
	called n1 ADD "$c" c1
	ok
}

@test "hostile: a redirect is not followed" {
	impostor 4002 text
	impostor 4001 redirect
	called n1 ADD "$(conf "$SMALL")" c1
	failed 11 '127.0.0.1:4001: .*HTTP status 302'
	[[ $(wc -l <"$BATS_TEST_TMPDIR/redirect") -ge 2 && $(<"$BATS_TEST_TMPDIR/text") == ready ]]
}

@test "hostile: blocks that etcd gives this node, and that are none of its range, are not leased" {
	local c kind block

	c=$(conf "$SMALL")
	for kind in outside host-bits length no-block instance; do
		echo "# $kind"
		impostor 4001 "$kind"
		called n1 ADD "$c" c1
		ok
		block=$(blocks n1)
		[[ $block =~ ^10\.40\.0\.([0-9]+)/29$ ]] && ((BASH_REMATCH[1] % 8 == 0))
		[[ $block != 10.40.0.64/29 || $kind != instance ]] || (($(grep -c txn "$BATS_TEST_TMPDIR/instance") > 1))
		rm -r "$NODES/n1/cni/networks"
		dismiss
	done
}

@test "hostile: a damaged blocks.json is told with its key, and stays" {
	local c text pattern file=$NODES/n1/cni/networks/net1/blocks.json

	c=$(conf "$SMALL")
	start_etcd
	quick n1 http://127.0.0.1:2379
	while IFS='|' read -r text pattern; do
		state "$text"
		called n1 ADD "$c" c1
		failed 112 "$pattern"
		called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = []')"
		failed 112 "$pattern"
		[[ $(<"$file") == "$text" ]]
	done <<-'END'
		|blocks.json
		[]|blocks.json
		{"version": 1, "instance": "i", "blocks": ["10.40.0.9/29"]}|blocks\[0\]: host bits are set; the network address is 10.40.0.8
		{"version": 1, "instance": "i", "blocks": [7, "x", "10.40.0.8"]}|blocks\[0\]: expected
		{"version": 1, "instance": "i", "blocks": {"a": 1}}|blocks: expected
		{"version": 1, "blocks": []}|instance: it is missing
		{"version": 1, "instance": "12345678901234567890123456789012345678901234567890123456789012345", "blocks": []}|instance: it has more than 64 characters
		{"version": -1, "instance": "i", "blocks": []}|version
	END
	# Blocks that are larger than the range, or of another one, are not leased.
	state '{"version": 1, "node": "n1", "instance": "i1", "blocks": ["0.0.0.0/0", "10.0.0.0/8", "10.50.0.0/29"]}'
	called n1 ADD "$c" c1
	ok
	has '.ips[0].address | test("^10\\.40\\.0\\.[0-9]+/29$")'
	rm "$file"
	mkfifo "$file"
	called n1 ADD "$c" c2
	failed 112 blocks.json
}

@test "hostile: cluster.conf that is a link, a FIFO, of another user, or huge is refused" {
	local c file=$NODES/n1/etc/cluster.conf

	c=$(conf "$SMALL")
	mv "$file" "$file.real"
	ln -s cluster.conf.real "$file"
	called n1 ADD "$c" c1
	failed '' 'cluster.conf: '
	rm "$file"
	mkfifo -m 600 "$file"
	called n1 ADD "$c" c1
	failed 7 'cluster.conf: it must be a regular file of root'
	rm "$file"
	{ printf '{"endpoints": ["http://127.0.0.1:4001"], "x": "' && head -c 100000 /dev/zero | tr '\0' x && printf '"}'; } >"$file"
	chmod 644 "$file"
	called n1 ADD "$c" c1
	failed '' 'cluster.conf'
	cp "$file.real" "$file"
	chmod 664 "$file"
	called n1 ADD "$c" c1
	failed 7 'chown root, chmod go-w'
	[[ ! -e $NODES/n1/cni/networks/net1/blocks.json ]]
}

@test "hostile: names of networks are no paths and no other keys" {
	local c name

	start_etcd
	quick n1 http://127.0.0.1:2379
	c=$(conf "$SMALL")
	for name in ../x a/b .. . '' '*' $'a\nb'; do
		called n1 ADD "$(jq -c --arg n "$name" '.name = $n' <<<"$c")" c1
		failed 7
	done
	[[ ! $(etcd_keys) ]]
}

# requests - prints how many the silent impostor has got
requests() {
	grep -c '^/' "$BATS_TEST_TMPDIR/silent" || :
}

# are_waiting N - true if N processes other than the test have opened the lock of the claims
are_waiting() {
	(($(find /proc/[0-9]*/fd -lname '*/net1.claim' ! -name 200 2>/dev/null | wc -l) == $1))
}

# fail_together CONF PATTERN - 20 ADDs that wait for the lock of the claims fail, with this sentence; not each
# of them asks the silent impostor
fail_together() {
	local i before
	local -a pids=()

	called n1 ADD "$1" c0
	failed 11 "$2"
	before=$(requests)
	exec 200<"$NODES/n1/cni/networks/.cplug/net1.claim"
	flock 200
	for i in {1..20}; do
		CNI_TEST_LOCK_TIMEOUT_MS=600000 ipam n1 ADD "$1" "c$i" >"$BATS_TEST_TMPDIR/answer.$i" 3>&- 200<&- &
		pids+=($!)
	done
	wait_for "20 ADDs at the lock" are_waiting 20
	exec 200<&-
	for i in "${pids[@]}"; do wait "$i" || :; done
	for i in {1..20}; do
		output=$(<"$BATS_TEST_TMPDIR/answer.$i")
		status=1
		failed 11 "$2"
	done
	echo "$(requests) requests, $before before"
	(($(requests) < before + 20))
}

@test "hostile: ADDs that wait while etcd is silent fail together, and name the endpoint" {
	local c

	impostor 4001 silent
	c=$(conf "$SMALL")
	fail_together "$c" 'etcd does not answer: http://127.0.0.1:4001: .*correct endpoints'
	dismiss
	start_etcd
	quick n1 http://127.0.0.1:2379
	called n1 ADD "$c" c1
	ok
}

@test "hostile: after a boot, and with a requested address, ADDs that wait for a silent etcd fail together, too" {
	local c want

	c=$(conf "$SMALL")
	start_etcd
	quick n1 http://127.0.0.1:2379
	called n1 ADD "$c" c1
	ok
	reboots n1
	impostor 4001 silent
	quick n1 http://127.0.0.1:4001
	for want in '' 10.40.0.250; do
		[[ ! $want ]] || c=$(with "$c" ".args.cni.ips = [\"$want\"]")
		fail_together "$c" 'etcd does not answer: http://127.0.0.1:4001: '
	done
}

# evil RANGE BLOCK [MORE] - a configuration of another network, which its author wrote
evil() {
	jq -cn --arg s "$1" --argjson b "$2" --argjson more "${3:-{\}}" '{cniVersion: "1.1.0", name: "evil", type: "bridge",
		ipam: ({type: "cluster", ranges: [{subnet: $s, block: $b}]} + $more), "cni.dev/valid-attachments": []}'
}

# host_addresses - prints the addresses that the test gave the host, on one line
host_addresses() {
	ip -j -4 address show | jq -r '[.[] | select(.ifname != "lo" or .addr_info[1]) | .addr_info[] | select(.local != "127.0.0.1")
		| "\(.local)/\(.prefixlen)"] | sort | join(" ")'
}

@test "hostile: a network does not take the host's addresses, by its ranges or its blocks.json" {
	local before

	need_cluster
	start_etcd
	new_node n1
	jq '.networks = {"*": ["192.0.0.0/16", "10.77.0.0/24"]}' "$NODES/n1/etc/cluster.conf" >/run/x
	cat /run/x >"$NODES/n1/etc/cluster.conf"
	ip link add up0 type veth peer name upp
	ip address add 192.0.2.1/24 dev up0
	ip address add 203.0.113.9/32 dev lo
	ip link set up0 up
	before=$(host_addresses)
	[[ $before == '192.0.2.1/24 203.0.113.9/32' ]]
	called n1 ADD "$(evil 192.0.2.0/24 24)" c1
	failed 102 'the block 192.0.2.0/24 has an address of this host: choose another range'
	called n1 ADD "$(evil 192.0.0.0/16 18)" c1
	ok
	mkdir -p /run/volume/evil
	echo '{"version": 1, "node": "n1", "instance": "i1", "boot": "ab", "blocks": ["192.0.2.0/24", "203.0.113.8/32"]}' \
		>/run/volume/evil/blocks.json
	etcdctl del --prefix /cplug >/dev/null
	called n1 ADD "$(evil 10.77.0.0/24 29 '{"dataDir": "/run/volume"}')" c1
	ok
	[[ $errors == *'203.0.113.8/32 is not this node'* ]]
	called n1 GC "$(evil 10.77.0.0/24 29 '{"dataDir": "/run/volume"}')" ''
	ok
	[[ $(host_addresses) == "$before" ]]
}

@test "hostile: of a network that another instance has in etcd, routes and gateways stay" {
	local c

	need_cluster
	start_etcd
	new_node n1
	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	ip route show proto 76 >/run/routes
	[[ -s /run/routes ]]
	mkdir -p /run/volume/net1
	jq '.boot = "ab" | .instance = "i1"' "$NODES/n1/cni/networks/net1/blocks.json" >/run/volume/net1/blocks.json
	called n1 GC "$(with "$c" '.ipam.dataDir = "/run/volume" | .["cni.dev/valid-attachments"] = []')" ''
	ok
	ip route show proto 76 | diff /run/routes -
}

@test "hostile: what etcd says of a dead node takes no routes and gateways of the blocks that live here" {
	local c block key

	has_a_block br1
	ip route show proto 76 >/run/routes
	[[ -s /run/routes ]]
	for key in 10.40.0.240-29 "${block/\//-}"; do
		etcdctl put "/cplug/v1/nodes/dead/net1/$key" \
			"{\"version\":1,\"node\":\"dead\",\"network\":\"net1\",\"block\":\"$block\"}" >/dev/null
		on n1 "$CPLUG_BIN/cplug-etcd" reclaim --force dead >/run/out 2>/run/err
		is "$(jq -c .reclaimed /run/out)" '[]'
		contains "$(</run/err)" "$key is removed, but node dead does not have that block"
		ip route show proto 76 | diff /run/routes -
		[[ $(ip -4 -o address show dev br1) == *10.40.0.* ]]
		[[ ! $(etcdctl get --prefix /cplug/v1/nodes/dead) ]]
		[[ $(etcdctl get --prefix /cplug/v1/blocks/net1) ]]
	done
}

@test "hostile: networks of cluster.conf says which network has which ranges" {
	local file more

	need_cluster
	start_etcd
	new_node n1
	file=$NODES/n1/etc/cluster.conf
	jq '.networks = {"net1": ["10.40.0.0/16"]}' "$file" >/run/x
	cat /run/x >"$file"
	called n1 ADD "$(conf "$SMALL")" c1
	ok
	called n1 ADD "$(conf '[{"subnet": "8.8.8.8/30", "block": 30}]')" c2
	failed 7 'network "net1" may not have 8.8.8.8/30: "networks" in /etc/cplug/cluster.conf says which'
	called n1 ADD "$(evil 10.40.0.0/24 29)" c2
	failed 7 'network "evil" may not have 10.40.0.0/24'
	# What blocks.json says is not announced, either.
	mkdir -p /run/volume/net1
	printf '{"version": 1, "node": "n1", "instance": "i1", "boot": "%s", "blocks": ["8.8.8.8/30"]}\n' \
		"$(jq -r .boot "$NODES/n1/cni/networks/net1/blocks.json")" >/run/volume/net1/blocks.json
	etcdctl del --prefix /cplug/v1/nodes >/dev/null
	called n1 ADD "$(with "$(conf "$SMALL")" '.ipam.dataDir = "/run/volume"')" c3
	ok
	[[ $(ip route show proto 76) != *8.8.8.8* ]]
	for more in '[]' '{"net1": "10.40.0.0/16"}' '{"net1": ["x"]}'; do
		jq --argjson more "$more" '.networks = $more' "$file" >/run/x
		cat /run/x >"$file"
		called n1 GC "$(with "$(conf "$SMALL")" '.["cni.dev/valid-attachments"] = []')" ''
		[[ $errors == *networks* ]]
	done
}

# announced - prints the blocks that routing daemons announce
announced() {
	ip -j route show proto 76 | jq -r '[.[].dst] | sort | join(" ")'
	ip -j -6 route show proto 76 | jq -r '[.[].dst] | sort | join(" ")'
}

@test "hostile: without networks in cluster.conf, only private ranges that no other network has are announced" {
	local range c before

	need_cluster
	start_etcd
	new_node n1 n2
	c=$(conf "$SMALL")
	called n1 ADD "$c" c1
	ok
	before=$(announced)
	while read -r range; do
		called n2 ADD "$(evil "$range" "${range#*/}")" c1
		failed 7 'has addresses of .*, which containers of a cluster cannot have|is no range for hosts: it has reserved addresses .*, or is larger than /8'
	done <<-'END'
		0.0.0.0/1
		0.1.0.0/16
		127.0.0.0/8
		127.1.0.0/24
		169.254.7.0/24
		224.0.0.0/4
		240.0.0.0/8
		255.255.255.0/24
		10.0.0.0/7
		::/1
		::/96
		::1:0/112
		fe80::/64
		ff02::/64
		fd00::/8
	END
	while read -r range; do
		called n2 ADD "$(evil "$range" "${range#*/}")" c1
		failed 7 "$range is not of a private network .*\"networks\" in /etc/cplug/cluster.conf, like \{\"evil\": \[\"$range\"\]\}"
	done <<-'END'
		8.8.8.8/30
		203.0.113.0/24
		172.32.0.0/16
		2001:db8::/64
	END
	# Another network's, in each way that ranges overlap; also on the node that has its blocks.
	for range in 10.40.0.0/24 10.40.0.128/25 10.40.0.0/16 "$(blocks n1)"; do
		called n2 ADD "$(evil "$range" 29)" c1
		failed 7 "$range overlaps 10.40.0.0/24 of network \"net1\": choose another range; .*cnitool cluster forget net1"
		called n1 GC "$(evil "$range" 29)" ''
		called n2 STATUS "$(evil "$range" 29)"
		failed 7 "$range overlaps"
	done
	is "$(announced)" "$before"
	[[ $(etcd_keys | grep -c evil) == 0 ]]
	# One range of two is refused: nothing is registered.
	called n2 ADD "$(with "$(evil 10.50.0.0/24 29)" '.ipam.ranges += [{subnet: "10.40.0.0/24", block: 29}]')" c1
	failed 7 'overlaps'
	run ! grep evil <<<"$(etcd_keys)"
	called n2 ADD "$(evil 10.50.0.0/24 29)" c1
	ok
	# A network that is no more: its name is forgotten, and the range is free.
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" forget net1) && fail "a network with blocks is forgotten"
	has '.code == 102 and (.msg | test("network \"net1\" has 1 block"))'
	called n1 DEL "$c" c1
	ok
	called n1 GC "$(with "$c" '.["cni.dev/valid-attachments"] = []')" ''
	ok
	called n2 ADD "$(evil 10.40.0.0/24 29)" c2
	failed 7 'overlaps 10.40.0.0/24 of network "net1"'
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" forget net1)
	has '.forgotten | length == 1 and .[0].subnet == "10.40.0.0/24"'
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" forget net1)
	has '.forgotten == []'
	called n2 ADD "$(evil 10.40.0.0/24 29)" c2
	ok
	called n1 ADD "$c" c1
	failed 7 'of network "evil"'
}

@test "hostile: networks of cluster.conf allows a public range, for one network or for all" {
	local file

	need_cluster
	start_etcd
	new_node n1 n2
	file=$NODES/n1/etc/cluster.conf
	for key in net1 "*"; do
		jq --arg k "$key" '.networks = {($k): ["203.0.113.0/24"]}' "$file" >/run/x
		cat /run/x >"$file"
		called n1 ADD "$(conf '[{"subnet": "203.0.113.0/24", "block": 29}]')" "c${#key}"
		ok
		called n1 ADD "$(conf "$SMALL")" c2
		failed 7 'may not have'
	done
	# What one node's administrator has allowed is registered: the others follow.
	called n2 ADD "$(conf '[{"subnet": "203.0.113.0/24", "block": 29}]')" c1
	ok
}

@test "hostile: ranges and blocks that an older version has registered go on, as they are" {
	local c

	need_cluster
	start_etcd
	new_node n1
	etcdctl put /cplug/v1/config/net1 '{"version":1,"ranges":[{"subnet":"203.0.113.0/24","block":29},{"subnet":"10.40.0.0/24","block":29}]}'
	etcdctl put /cplug/v1/config/net2 '{"version":1,"ranges":[{"subnet":"10.40.0.0/16","block":26}]}'
	c=$(conf '[{"subnet": "203.0.113.0/24", "block": 29}, {"subnet": "10.40.0.0/24", "block": 29}]')
	called n1 ADD "$c" c1
	ok
	has '.ips | length == 2'
	reboots n1
	called n1 ADD "$c" c2
	ok
	called n1 ADD "$(conf '[{"subnet": "10.40.0.0/24", "block": 29}, {"subnet": "10.41.0.0/24", "block": 29}]')" c3
	ok
}

@test "hostile: a forged blocks.json names the block of another network of the node: nothing is taken or announced" {
	local before more c block i=0

	has_a_block br0
	before="$(host_addresses) $(announced)"
	mkdir -p /run/volume/evil
	for more in '' GC; do
		for boot in ab "$(jq -r .boot "$NODES/n1/cni/networks/net1/blocks.json")"; do
			jq -n --arg b "$block" --arg boot "$boot" '{version: 1, node: "n1", instance: "i1", boot: $boot,
				blocks: [$b, "8.8.8.8/30", "10.60.0.0/24", "127.0.0.0/8"]}' >/run/volume/evil/blocks.json
			called n1 "${more:-ADD}" "$(evil 10.77.0.0/24 29 '{"dataDir": "/run/volume"}')" "c$((++i))"
			ok
			is "$(host_addresses) $(announced | sed 's/10\.77\.[0-9./]* *//; s/ $//')" "$before"
		done
	done
	[[ $(blocks n1) == "$block" && $(etcd_keys | grep -c /blocks/net1/) == 1 ]]
}
