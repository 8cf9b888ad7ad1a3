#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: nodes that share no link: join makes a wire of VXLAN, over which BIRD exchanges the blocks
# shellcheck disable=SC2030,SC2031,SC2016 # each test is a process; scripts in single quotes

load cluster

CONF='{"cniVersion": "1.1.0", "name": "net1", "type": "bridge", "bridge": "cni0", "isDefaultGateway": true,
	"ipam": {"type": "cluster", "ranges": [{"subnet": "10.40.0.0/20", "block": 28}, {"subnet": "fd00:40::/64", "block": 122}]}}'

# segment NAME PREFIX - a network of the router r
segment() {
	ip link add "$1" type veth peer name "$1" netns r
	ip link add "b-$1" type bridge
	ip link set "b-$1" up
	ip link set "$1" master "b-$1" up
	in_ns r ip address add "$2.1/24" dev "$1"
	in_ns r ip link set "$1" up
}

# node NAME SEGMENT PREFIX N - a node with the address PREFIX.N, its default route through r
node() {
	new_netns "$1"
	ip link add "w-$1" type veth peer name eth0 netns "$1"
	ip link set "w-$1" master "b-$2" up
	in_ns "$1" ip link set lo up
	in_ns "$1" ip address add "$3.$4/24" dev eth0
	in_ns "$1" ip link set eth0 up
	in_ns "$1" ip route add default via "$3.1"
	ENDPOINTS='["http://192.168.10.1:2379"]' new_node "$1"
}

prepare() {
	need_cluster
	ip link add probe0 type vxlan id 1 dstport 4789 2>/dev/null || skip "this kernel has no interfaces of kind vxlan"
	ip link del probe0
	new_netns r
	in_ns r ip link set lo up
	in_ns r sysctl -qw net.ipv4.ip_forward=1
	segment sa 192.168.10
	segment sb 192.168.20
	node n1 sa 192.168.10 11
	node n2 sb 192.168.20 12
	node n3 sb 192.168.20 13
	start_member m1 192.168.10.1 m1=http://192.168.10.1:2380 r
	export ETCD_ENDPOINTS=192.168.10.1:2379
	wait_for "etcd" in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" endpoint health
}

# wire_keys - prints the keys of the wire
wire_keys() {
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get --prefix /cplug/v1/wire --keys-only | sed '/^$/d'
}

# tool NODE WORD... - cnitool cluster on a node; sets status, output and error
tool() {
	local node=$1

	shift
	status=0
	output=$(CNI_PATH=$CPLUG_BIN NETCONFPATH=/run/net.d on "$node" "$CPLUG_BIN/cnitool" cluster "$@" 2>&1) || status=$?
	printf 'cluster %s -> %d\n%s\n' "$*" "$status" "$output"
	# shellcheck disable=SC2034 # for ok() and failed()
	error=$(jq -r '.msg // empty' <<<"$output" 2>/dev/null) || error=
}

# links, entries - print the names of the links of n1, and all of its wire
links() {
	in_ns n1 ip -j link show | jq -r '.[].ifname'
}

entries() {
	in_ns n1 ip -o -d link show cplug-vxlan
	in_ns n1 bridge fdb show dev cplug-vxlan
	in_ns n1 ip neigh show dev cplug-vxlan nud permanent
}

# joins NODE
joins() {
	local i=${1#n} segment

	segment=$((i == 1 ? 10 : 20))
	tool "$1" join --local "192.168.$segment.1$i" --address "10.41.0.$i/24" --address "fd00:41::$i/64"
	ok
}

start_bird() {
	local i

	{
		printf 'router id 10.41.0.%s;\nprotocol device {}\ndefine CPLUG_AS = 64512;\n' "${1#n}"
		echo "include \"$CPLUG_TOP/contrib/bird/cplug.conf\";"
		for i in 1 2 3; do
			[[ n$i == "$1" ]] ||
				echo "protocol bgp n$i from cplug_peer { neighbor 10.41.0.$i as CPLUG_AS; connect delay time 1; error wait time 1, 2; connect retry time 1; }"
		done
	} >"$NODES/$1/bird.conf"
	in_ns "$1" bird -f -c "$NODES/$1/bird.conf" -s "$NODES/$1/bird.ctl" -P "$NODES/$1/bird.pid" \
		</dev/null >"$NODES/$1/bird.log" 2>&1 3>&- 4>&- &
}

plug() {
	CNI_COMMAND=${3-ADD} CNI_CONTAINERID=$2 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/$1-$2 CNI_PATH=$CPLUG_BIN \
		on "$1" "$CPLUG_BIN/bridge" <<<"${4-$CONF}"
}

reaches() {
	in_ns "$1" ping -n -q -c 1 -W 1 "$2" >/dev/null
}

@test "vxlan: join makes a wire without learning and flooding; leave gives everything back" {
	local i before entries

	before=$(links)
	joins n1
	has '.node == "n1" and .peers == []'
	joins n2
	has '.peers | map(.node) == ["n1"]'
	joins n3
	joins n1
	joins n2
	in_ns n1 ip -j -d link show cplug-vxlan | json_holds '.[0] | .mtu == 1450 and .linkinfo.info_data.id == 76
		and .linkinfo.info_data.port == 4789 and .linkinfo.info_data.learning == false'
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" '["192.168.20.12","192.168.20.13"]'
	for i in 2 3; do
		sees n1 "10.41.0.$i"
		sees n1 "fd00:41::$i"
		sees n$i 10.41.0.1
	done
	sees n2 10.41.0.3
	# Large packets fit: nothing is cut into pieces.
	in_ns n1 ping -n -q -c 1 -W 5 -M 'do' -s 1422 10.41.0.2
	# Again: nothing changes.
	entries=$(entries)
	joins n1
	is "$(entries)" "$entries"
	# A device that was lost comes back with the MAC that the others know.
	in_ns n1 ip link del cplug-vxlan
	joins n1
	sees n2 10.41.0.1
	mkdir /run/empty
	cd /run/empty
	tool n3 leave
	ok
	# Its gc remembers nothing in the current folder.
	is "$(ls -A)" ''
	cd /
	no_link n3 cplug-vxlan
	is "$(wire_keys | tr '\n' ' ')" '/cplug/v1/wire/10.41.0.1 /cplug/v1/wire/10.41.0.2 /cplug/v1/wire/fd00:41::1 /cplug/v1/wire/fd00:41::2 '
	joins n1
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" '["192.168.20.12"]'
	run ! grep -q 10.41.0.3 <<<"$(in_ns n1 ip neigh show dev cplug-vxlan)"
	# A node that is gone for good leaves the wire, too: its addresses are free, and the others forget it.
	tool n1 reclaim n2
	ok
	is "$(wire_keys | tr '\n' ' ')" '/cplug/v1/wire/10.41.0.1 /cplug/v1/wire/fd00:41::1 '
	joins n1
	has '.peers == []'
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" '[]'
	tool n1 leave
	ok
	tool n1 leave
	ok
	tool n2 leave
	ok
	is "$(wire_keys)" ''
	is "$(links)" "$before"
}

@test "vxlan: what does not fit is refused, and nothing is changed" {
	local words sentence

	joins n1
	tool n2 join --local 192.168.20.12 --address 10.41.0.1/24
	failed 102 '10.41.0.1 is the address of node n1'
	tool n2 join --local 192.168.20.99 --address 10.41.0.2/24
	failed 7 'does not have the address 192.168.20.99: --local'
	tool n2 join --local 192.168.20.12 --address 10.41.0.2/24 --vni 5
	failed 7 'node n1 has joined with --vni 76 --port 4789'
	no_link n2 cplug-vxlan
	is "$(wire_keys | wc -l)" 2
	in_ns n2 ip link add cplug-vxlan type bridge
	tool n2 join --local 192.168.20.12 --address 10.41.0.2/24
	failed 102 'cplug-vxlan is in use by an interface of kind "bridge"'
	tool n2 leave
	failed 102 'cplug-vxlan is in use'
	in_ns n2 ip link del cplug-vxlan
	for words in '' '--local 192.168.20.12' '--address 10.41.0.2/24' '--local x --address 10.41.0.2/24' \
		'--local 192.168.20.12 --address 10.41.0.2' '--local 192.168.20.12 --address' '--local 192.168.20.12 --address 10.41.0.2/24 --vni 0' \
		'--local 192.168.20.12 --address 10.41.0.2/24 --port 70000' \
		'--local 192.168.20.12 --address 10.41.0.2/24 --address 10.41.0.3/24 --address 10.41.0.4/24'; do
		# shellcheck disable=SC2086 # words
		tool n2 join $words
		failed 2 'say list'
	done
	# Each value that cannot be is named, with what is needed.
	while IFS=@ read -r words sentence; do
		# shellcheck disable=SC2086 # words
		tool n2 join $words
		failed 2 "join $sentence"
	done <<-'END'
		--local 192.168.20.12@needs --local and --address
		--local x --address 10.41.0.2/24@--local "x": it takes this node's address
		--local 127.0.0.1 --address 10.41.0.2/24@--local "127.0.0.1": it takes this node's address
		--local 192.168.20.12 --address 10.41.0.2@--address "10.41.0.2": it takes an address of a host with prefix length
		--local 192.168.20.12 --address 224.0.0.2/24@--address "224.0.0.2/24": it takes an address of a host
		--local 192.168.20.12 --address 10.41.0.0/24@--address "10.41.0.0/24": it takes an address of a host, and not that of a network
		--local 192.168.20.12 --address 10.41.0.255/24@--address "10.41.0.255/24": it takes an address of a host, and not
		--local 192.168.20.12 --address 10.41.0.2/32@--address "10.41.0.2/32": it takes a prefix in which the other nodes
		--local 192.168.20.12 --address 10.41.0.2/24 --address 10.42.0.2/24@--address "10.42.0.2/24": it takes one address of IPv4 and one of IPv6
		--local 192.168.20.12 --address 192.168.0.2/16@--address "192.168.0.2/16": it takes a prefix that is the wire's alone
		--local 192.168.20.12 --address 10.41.0.2/24 --vni 0@--vni "0": it takes a number from 1 to 16777215
		--local 192.168.20.12 --address 10.41.0.2/24 --port@--port "": it takes a number from 1 to 65535
	END
	no_link n2 cplug-vxlan
	is "$(wire_keys | wc -l)" 2
	# Another address, and another VNI, for the only node.
	tool n1 join --local 192.168.10.11 --address 10.41.0.9/24 --vni 7
	ok
	is "$(wire_keys)" /cplug/v1/wire/10.41.0.9
	in_ns n1 ip -j -d link show cplug-vxlan | json_holds '.[0].linkinfo.info_data.id == 7'
	is "$(in_ns n1 ip -j -4 address show dev cplug-vxlan | jq -r '.[0].addr_info[].local')" 10.41.0.9
}

# as_machine ID NODE WORD... - as tool, on a machine with another ID
as_machine() {
	local id=$1

	shift
	[[ -e /etc/machine-id ]] || skip "this machine has no /etc/machine-id"
	printf '%s\n' "$id" >/run/machine-id
	on() {
		local node=$1

		shift
		real_on "$node" bash -c 'mount --bind /run/machine-id /etc/machine-id && exec "$@"' - "$@"
	}
	tool "$@"
	eval "$(declare -f real_on | sed '1s/real_on/on/')"
}
eval "$(declare -f on | sed '1s/on/real_on/')"

ID1=0123456789abcdef0123456789abcdef
ID2=fedcba9876543210fedcba9876543210

@test "vxlan: a second machine with the name of a node is refused, and takes nothing" {
	local before file=$NODES/n2/etc/cluster.conf

	as_machine $ID1 n1 join --local 192.168.10.11 --address 10.41.0.1/24
	ok
	joins n3
	before="$(wire_values) $(entries)"
	run ! grep -q $ID1 <<<"$before"
	jq '.node = "n1"' "$file" >/run/x
	cat /run/x >"$file"
	for words in 'join --local 192.168.20.12 --address 10.41.0.2/24' 'join --local 192.168.20.12 --address 10.41.0.1/24' leave; do
		# shellcheck disable=SC2086 # words
		as_machine $ID2 n2 $words
		failed 102 'the name "n1" belongs to another machine on the wire, at 192.168.10.11: write another name to "node" in /etc/cplug/cluster.conf; .*cnitool cluster reclaim n1'
		no_link n2 cplug-vxlan
		is "$(wire_values) $(entries)" "$before"
	done
	# The machine itself goes on, also at another address.
	as_machine $ID1 n1 join --local 192.168.10.11 --address 10.41.0.7/24
	ok
	# Installed anew, it takes its place back.
	as_machine $ID2 n1 join --local 192.168.10.11 --address 10.41.0.7/24
	failed 102 'belongs to another machine'
	as_machine $ID2 n1 reclaim n1
	ok
	as_machine $ID2 n1 join --local 192.168.10.11 --address 10.41.0.7/24
	ok
	# What an older version has written, has no instance: the next join writes it.
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" put /cplug/v1/wire/10.41.0.7 "$(wire_value 10.41.0.7 | jq -c 'del(.instance)')"
	as_machine $ID1 n1 join --local 192.168.10.11 --address 10.41.0.7/24
	ok
	wire_value 10.41.0.7 | jq -e '.instance | length == 32'
	# A machine without an ID is not compared.
	as_machine uninitialized n1 join --local 192.168.10.11 --address 10.41.0.7/24
	ok
	wire_value 10.41.0.7 | jq -e 'has("instance") | not'
	as_machine '' n1 leave
	ok
}

wire_value() {
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get "/cplug/v1/wire/$1" --print-value-only
}

wire_values() {
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get --prefix /cplug/v1/wire
}

@test "vxlan: values of etcd that cannot be true are left out with a warning; the others go on" {
	local change before fdb

	joins n1
	joins n2
	joins n3
	joins n1
	before=$(entries)
	fdb='["192.168.20.12","192.168.20.13"]'
	while read -r change; do
		echo "# $change"
		jq -cn '{version: 1, node: "bad", local: "192.168.20.66", mac: "02:00:00:00:00:66", vni: 76, port: 4789, addresses: ["10.41.0.66/24"]}' |
			jq -c "$change" >/run/value
		in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" put /cplug/v1/wire/10.41.0.66 </run/value >/dev/null
		joins n1
		[[ $output == *'left out'* ]]
		is "$(entries)" "$before"
		is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" "$fdb"
	done <<-'END'
		.local = "127.0.0.1"
		.local = "0.0.0.0"
		.local = "224.0.0.1"
		.local = "255.255.255.255"
		.local = "169.254.1.1"
		.local = "::"
		.local = "::1"
		.local = "ff02::1"
		.local = "fe80::1"
		.local = "fd00::66"
		.local = "x"
		.local = 7
		.local = "192.168.20.12"
		.local = "192.168.10.11"
		.mac = "00:00:00:00:00:00"
		.mac = "01:00:5e:00:00:01"
		.mac = "ff:ff:ff:ff:ff:ff"
		.mac = "02"
		.vni = 0
		.vni = 5
		.vni = 16777216
		.port = 70000
		.port = 4790
		.addresses = []
		.addresses = ["10.41.0.2/24"]
		.addresses = ["10.41.0.66/24", "10.41.0.2/24"]
		.addresses = ["127.0.0.1/24"]
		.addresses = ["10.41.0.66/24", "fd00:41::66/64", "10.41.0.67/24"]
		.node = ""
		.node = "../x"
		.node = "n2"
		.node = 3
		[]
		"text"
	END
	# The address of a wire that one of them names is taken all the same, until its node is reclaimed.
	jq -cn '{version: 1, node: "bad", local: "ff02::1", addresses: ["10.41.0.66/24"]}' >/run/value
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" put /cplug/v1/wire/10.41.0.66 </run/value
	tool n3 join --local 192.168.20.13 --address 10.41.0.66/24
	((status == 1))
	[[ $output == *'"code":102,"msg":"10.41.0.66 is the address of node bad'* ]]
	tool n3 reclaim bad
	ok
	run ! grep 10.41.0.66 <<<"$(wire_keys)"
}

@test "vxlan: thousands of nodes are read in one go; many keys of one node are removed" {
	joins n1
	in_ns r python3 - <<-'END'
		import base64, json, urllib.request
		b64 = lambda text: base64.b64encode(text.encode()).decode()
		def put(list):
		    puts = [{"request_put": {"key": b64(f"/cplug/v1/wire/{k}"), "value": b64(json.dumps(v))}} for k, v in list]
		    for i in range(0, len(puts), 100):
		        urllib.request.urlopen("http://192.168.10.1:2379/v3/kv/txn", json.dumps({"success": puts[i:i + 100]}).encode()).read()
		def node(i):
		    a = f"10.41.{i // 250 + 1}.{i % 250 + 1}"
		    return a, {"version": 1, "node": f"x{i}", "local": f"192.168.{i // 250 + 30}.{i % 250 + 1}",
		               "mac": f"02:00:00:00:{i // 256:02x}:{i % 256:02x}", "vni": 76, "port": 4789, "addresses": [a + "/16"]}
		put(node(i) for i in range(5000))
		put((f"stale{i}", {"node": "gone", "addresses": []}) for i in range(300))
	END
	joins n1 2>/dev/null
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq length)" 5000
	tool n1 reclaim gone
	ok
	is "$(wire_keys | wc -l)" 5002
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" del --prefix /cplug/v1/wire/10.41.1 >/dev/null
	joins n1
	[[ $(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq length) -lt 5000 ]]
}

@test "vxlan: the nodes' own network is IPv6" {
	local i

	in_ns r sysctl -qw net.ipv6.conf.all.forwarding=1
	in_ns r ip address add fd00:10::1/64 dev sa nodad
	in_ns r ip address add fd00:20::1/64 dev sb nodad
	in_ns n1 ip address add fd00:10::11/64 dev eth0 nodad
	in_ns n1 ip route add default via fd00:10::1
	for i in 2 3; do
		in_ns n$i ip address add fd00:20::1$i/64 dev eth0 nodad
		in_ns n$i ip route add default via fd00:20::1
	done
	tool n1 join --local fd00:10::11 --address 10.41.0.1/24 --address fd00:41::1/64
	ok
	for i in 2 3; do
		tool n$i join --local "fd00:20::1$i" --address "10.41.0.$i/24" --address "fd00:41::$i/64"
		ok
	done
	for i in 1 2; do
		tool n$i join --local "fd00:$((i * 10))::1$i" --address "10.41.0.$i/24" --address "fd00:41::$i/64"
		ok
		has '.peers | length == 2'
	done
	in_ns n1 ip -j -d link show cplug-vxlan | json_holds '.[0] | .mtu == 1430 and .linkinfo.info_data.local6 == "fd00:10::11"
		and .linkinfo.info_data.learning == false'
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" '["fd00:20::12","fd00:20::13"]'
	for i in 2 3; do
		sees n1 "10.41.0.$i"
		sees n1 "fd00:41::$i"
	done
	in_ns n1 ping -n -q -c 1 -W 5 -M 'do' -s 1402 10.41.0.2
	# A node with an IPv4 address cannot be on this wire: it is told, and the others go on without it.
	tool n3 join --local 192.168.20.13 --address 10.41.0.3/24
	ok
	[[ $output == *'node n1 of the wire is left out: its "local" is of another family'* ]]
	tool n1 join --local fd00:10::11 --address 10.41.0.1/24 --address fd00:41::1/64
	ok
	is "$(in_ns n1 bridge -j fdb show dev cplug-vxlan | jq -c '[.[].dst] | sort')" '["fd00:20::12"]'
	sees n1 10.41.0.2
	tool n1 leave
	ok
	no_link n1 cplug-vxlan
}

@test "vxlan: containers of nodes that share no link reach each other; leave gives empty blocks back" {
	local i a b

	need_cluster bird birdc
	for i in 1 2 3 1 2; do joins n$i; done
	for i in 1 2 3; do start_bird n$i; done
	for i in 1 2 3; do
		new_netns n$i-a
		plug n$i a >"$BATS_TEST_TMPDIR/n$i"
	done
	for i in 2 3; do
		a=$(jq -r '.ips[0].address | split("/")[0]' "$BATS_TEST_TMPDIR/n$i")
		b=$(jq -r '.ips[1].address | split("/")[0]' "$BATS_TEST_TMPDIR/n$i")
		wait_for "the way to $a" reaches n1-a "$a"
		wait_for "the way to $b" reaches n1-a "$b"
	done
	mkdir -p /run/net.d
	jq -n --argjson p "$CONF" '{cniVersion: "1.0.0", cniVersions: ["1.0.0", "1.1.0"], name: "net1", plugins: [$p | del(.cniVersion, .name)]}' >/run/net.d/net1.conflist
	plug n1 a DEL
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get --prefix /cplug/v1/nodes/n1/ --keys-only | grep -q -- -28
	# What cnitool has attached keeps its lease, and with it the block.
	new_netns n1-b
	a=$(NETCONFPATH=/run/net.d CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/cnitool" add net1 /run/netns/n1-b | jq -r '.ips[0].address')
	tool n1 leave
	ok
	[[ -e $NODES/n1/cni/networks/net1/${a%/*} ]]
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get --prefix /cplug/v1/nodes/n1/ --keys-only | grep -q -- -28
	NETCONFPATH=/run/net.d CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/cnitool" del net1 /run/netns/n1-b
	tool n1 leave
	ok
	run ! grep -q -- -28 <<<"$(in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get --prefix /cplug/v1/nodes/n1/ --keys-only)"
	is "$(in_ns n1 ip route show proto 76)" ''
	no_link n1 cplug-vxlan
}

@test "vxlan: the unit's command joins; repeated, it writes nothing to etcd, and --quiet prints errors only" {
	local command revision before

	# As systemd does: the variable becomes words.
	command=$(sed -n 's|^ExecStart=/opt/cni/bin/||p' "$CPLUG_TOP/contrib/systemd/cplug-join.service")
	[[ $command == 'cnitool cluster join '* ]]
	sed 's/192.0.2.11/192.168.10.11/' "$CPLUG_TOP/contrib/cluster/join.conf" >/run/join.conf
	join() {
		# shellcheck disable=SC1091,SC2086 # a file of the test; words
		(source /run/join.conf && eval "words=\"$command\"" && CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/"$words 2>&1)
	}
	joins n2
	is "$(join)" ''
	before=$(entries)
	[[ $(in_ns n1 bridge fdb show dev cplug-vxlan) == *192.168.20.12* ]]
	revision=$(in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get x -w json | jq .header.revision)
	is "$(join)" ''
	is "$(in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" get x -w json | jq .header.revision)" "$revision"
	is "$(entries)" "$before"
	# Another node comes, and goes.
	joins n3
	is "$(join)" ''
	[[ $(in_ns n1 bridge fdb show dev cplug-vxlan) == *192.168.20.13* ]]
	tool n3 leave
	ok
	is "$(join)" ''
	is "$(entries)" "$before"
	# etcd has lost its data: the node is there again.
	in_ns r etcdctl --endpoints "$ETCD_ENDPOINTS" del --prefix /cplug >/dev/null
	is "$(join)" ''
	is "$(wire_keys | wc -l)" 2
	kill -9 "${ETCD_PID[m1]}"
	output=$(join) && fail "there is no etcd"
	has '.code == 11'
}
