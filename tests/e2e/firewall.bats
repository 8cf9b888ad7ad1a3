#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# firewall: accepted addresses, ingress policies, the administrator's chain
load lib

NET1='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
NET2='{"cniVersion":"1.1.0","name":"net2","type":"bridge","bridge":"br2","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.2.0.0/24"}],[{"subnet":"fd00:2::/64"}]]}}'
# A second network of bridge br1, whose gateway addresses are those of second_gateway().
NET3='{"cniVersion":"1.1.0","name":"net3","type":"bridge","bridge":"br1",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.3.0.0/24"}],[{"subnet":"fd00:3::/64"}]],
		"routes":[{"dst":"0.0.0.0/0","gw":"10.3.0.1"},{"dst":"::/0","gw":"fd00:3::1"}]}}'
FIREWALL='{"cniVersion":"1.1.0","name":"net1","type":"firewall"}'
TABLE=cplug-firewall

prepare() {
	world
	new_netns c1 c2 c3
}

# conf [FILTER] - prints the configuration of firewall, with the last result as prevResult
conf() {
	chained "$(with "$FIREWALL" "${1-.}")"
}

# attach CONF [FILTER [ID]] - ADD of bridge, then of firewall, which may fail
attach() {
	add bridge "$1" "${3-c1}"
	cni ADD firewall "$(chained "$(with "$FIREWALL" ".name = \"$(jq -r .name <<<"$1")\" | ${2-.}")")" "${3-c1}"
}

# detach NETWORK [ID] - DEL of firewall, without prevResult and namespace
detach() {
	cni DEL firewall "$(with "$FIREWALL" ".name = \"$1\"")" "${2-c1}" ''
	ok
	[[ ! $output ]] || fail "DEL printed $output"
}

rules() {
	nft -s list table inet $TABLE
}

# second_gateway - gives br1 the addresses of the gateways of NET3
second_gateway() {
	ip address add 10.3.0.1/24 dev br1
	ip address add fd00:3::1/64 dev br1 nodad
	echo 0 >/proc/sys/net/ipv4/conf/br1/send_redirects
}

# answering ID... - starts servers at port 7000
answering() {
	local id

	for id; do tcp_answer "$id" 7000 "$id"; done
}

# passes FROM ADDRESS... - asserts that FROM gets an answer
passes() {
	local from=$1 to

	shift
	for to; do ask "$from" tcp "$to" 7000 >/dev/null || fail "$from gets no answer from $to"; done
}

# blocked FROM ADDRESS... - asserts that FROM gets no answer
blocked() {
	local from=$1 to

	shift
	for to; do ask_in_vain "$from" tcp "$to" 7000 || fail "$from gets an answer from $to"; done
}

# ---- the contract ----------------------------------------------------------

@test "firewall: ADD returns prevResult in all protocol versions" {
	local version

	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		add bridge "$(with "$NET1" ".cniVersion = \"$version\"")"
		before=$output
		cni ADD firewall "$(conf ".cniVersion = \"$version\"")"
		ok
		is "$(jq -Sc . <<<"$output")" "$(jq -Sc . <<<"$before")"
		contains "$(rules)" '10.1.0.[0-9]* comment "veth[0-9a-f]* net1/c1/eth0"'
		del firewall "$(with "$FIREWALL" ".cniVersion = \"$version\"")"
		del bridge "$(with "$NET1" ".cniVersion = \"$version\"")"
		prints_not 'c1/eth0' nft list ruleset
	done
}

@test "firewall: VERSION lists all protocol versions, as podman's networks need it" {
	output=$(CNI_COMMAND=VERSION CNI_NETNS=dummy CNI_IFNAME=dummy CNI_PATH=dummy "$CPLUG_BIN/firewall" \
		<<<'{"cniVersion":"1.0.0"}')
	has '.supportedVersions | index("0.3.1") and index("0.4.0") and index("1.1.0")'
}

@test "firewall: ADD fails without prevResult" {
	cni ADD firewall "$FIREWALL"
	failed '' 'chained|prevResult'
}

@test "firewall: wrong values are rejected before anything is changed" {
	local filter

	add bridge "$NET1"
	answer=$output
	remember
	for filter in '.backend = "pf"' '.ingressPolicy = "closed"' '.ingressPolicy = true' \
		'.iptablesAdminChainName = "a b"' '.iptablesAdminChainName = "-j"' '.iptablesAdminChainName = "FORWARD"' \
		'.iptablesAdminChainName = "ACCEPT"' '.iptablesAdminChainName = "CNI-FORWARD"' \
		'.iptablesAdminChainName = "admin"' '.iptablesAdminChainName = "x\ny"' \
		'.iptablesAdminChainName = ("x" * 29)' '.iptablesAdminChainName = "same-bridge/br1"'; do
		output=$answer
		cni ADD firewall "$(conf "$filter")"
		failed 7 'backend|ingressPolicy|iptablesAdminChainName'
	done
	assert_same_snapshot
}

@test "firewall: accepts podman's empty backend" {
	attach "$NET1" '.backend = "" | .iptablesAdminChainName = "" | .ingressPolicy = ""'
	ok
	contains "$(rules)" 'jump CNI-ADMIN'
	contains "$(rules)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/c1/eth0"'
}

@test "firewall: ADD, then DEL without namespace and prevResult, leaves nothing" {
	local filter

	for filter in . '.ingressPolicy = "same-bridge"' '.ingressPolicy = "isolated"'; do
		attach "$NET1" "$filter" c2
		detach net1 c2
		del bridge "$NET1" c2
		rm -f /var/lib/cni/networks/net1/last_reserved_ip.*
		remember
		attach "$NET1" "$filter"
		ok
		contains "$(rules)" 'net1/c1/eth0'
		detach net1
		detach net1
		del bridge "$NET1"
		rm -f /var/lib/cni/networks/net1/last_reserved_ip.*
		assert_same_snapshot
	done
}

@test "firewall: the number of rules does not depend on the number of attachments" {
	local n

	for n in 4 5 6 7; do
		new_netns "c$n"
		attach "$NET1" '.ingressPolicy = "isolated"' "c$n"
		ok
	done
	nft -j list table inet $TABLE | json_holds '[.nftables[] | select(.rule)] | length == 20'
}

@test "firewall: a second ADD of the same attachment replaces the first" {
	attach "$NET1" '.ingressPolicy = "isolated"'
	ok
	cni ADD firewall "$(conf '.ingressPolicy = "isolated"')"
	ok
	detach net1
	prints_not 'c1/eth0' nft list table inet $TABLE
	prints_not 'c1/eth0' nft list table bridge $TABLE
	prints_not 'br1' nft list table inet $TABLE
}

# The reference's rules.  The chain accepts what no rule drops, so packets do not show them.
@test "firewall: packets from a container are accepted, and to it those of its connections" {
	attach "$NET1"
	ok
	contains "$(rules)" 'ip saddr @accepted4 accept'
	contains "$(rules)" 'ip6 saddr @accepted6 accept'
	contains "$(rules)" 'ip daddr @accepted4 ct state (established,related|related,established) accept'
	contains "$(rules)" 'ip6 daddr @accepted6 ct state (established,related|related,established) accept'
}

# ---- the administrator's chain ---------------------------------------------

@test "firewall: rules of the administrator's chain apply to forwarded packets, and stay" {
	attach "$NET1"
	ok
	attach "$NET2" . c2
	answering c1 c2
	passes c1 10.2.0.2 fd00:2::2
	nft add rule inet $TABLE CNI-ADMIN ip daddr 10.2.0.2 drop
	blocked c1 10.2.0.2
	passes c1 fd00:2::2
	# A network with a chain of another name, which has rules already.
	nft add chain inet $TABLE MINE
	nft add rule inet $TABLE MINE ip6 daddr fd00:2::2 drop
	attach "$NET2" '.iptablesAdminChainName = "MINE"' c3
	ok
	blocked c1 10.2.0.2 fd00:2::2
	detach net1 c1
	detach net2 c2
	detach net2 c3
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	contains "$(rules)" 'ip daddr 10.2.0.2 drop'
	nft flush chain inet $TABLE CNI-ADMIN
	nft flush chain inet $TABLE MINE
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	prints_not $TABLE nft list tables
}

# ---- ingress policies ------------------------------------------------------

@test "firewall: open: containers of all networks reach each other" {
	attach "$NET1"
	second_gateway
	attach "$NET2" . c2
	attach "$NET3" . c3
	answering c1 c2 c3
	passes c1 10.2.0.2 fd00:2::2 10.3.0.2 fd00:3::2
	passes c2 10.1.0.2 fd00:1::2 10.3.0.2 fd00:3::2
}

@test "firewall: same-bridge: no traffic between bridges, but within one, from outside and to it" {
	attach "$NET1" '.ingressPolicy = "same-bridge"'
	ok
	second_gateway
	attach "$NET2" '.ingressPolicy = "same-bridge"' c2
	ok
	attach "$NET3" '.ingressPolicy = "same-bridge"' c3
	ok
	answering c1 c2 c3
	tcp_answer world 7000 world
	blocked c1 10.2.0.2 fd00:2::2
	blocked c2 10.1.0.2 fd00:1::2 10.3.0.2
	passes c1 10.3.0.2 fd00:3::2 203.0.113.2
	passes c3 10.1.0.2 fd00:1::2
	# A source address of another network does not help.
	in_ns c2 ip address add 10.1.0.99/32 dev eth0
	in_ns c2 ip route add 10.1.0.2/32 via 10.2.0.1 src 10.1.0.99
	blocked c2 10.1.0.2
	# An open network is not concerned, as with the reference plugin.
	new_netns c4
	add bridge "$(with "$NET2" '.name = "net4" | .bridge = "br4" | .ipam.ranges = [[{subnet: "10.4.0.0/24"}]]')" c4
	passes c4 10.1.0.2
	# The policy ends with the last attachment of the bridge.
	detach net2 c2
	passes c1 10.2.0.2 fd00:2::2
}

@test "firewall: isolated: no traffic between containers, also of two networks of one bridge" {
	local id

	new_netns c4 c5
	attach "$(with "$NET1" '.hairpinMode = true | .runtimeConfig.portMappings = [{hostPort: 8080, containerPort: 7000}]')" \
		'.ingressPolicy = "isolated"'
	ok
	second_gateway
	attach "$NET1" '.ingressPolicy = "isolated"' c4
	ok
	attach "$NET2" '.ingressPolicy = "same-bridge"' c2
	attach "$NET3" '.ingressPolicy = "isolated"' c3
	attach "$NET3" . c5
	answering c1 c2 c3 c4 c5
	tcp_answer world 7000 world
	tcp_answer - 7000 host
	blocked c1 10.1.0.3 fd00:1::3 10.2.0.2 10.3.0.2 fd00:3::2 10.3.0.3
	blocked c5 10.1.0.2 10.3.0.2
	blocked c2 10.1.0.2
	passes c1 203.0.113.2 10.1.0.1
	# Its own published port, but not that of another one.
	ask c1 tcp 203.0.113.1 8080
	ask world tcp 203.0.113.1 8080
	ask_in_vain c4 tcp 203.0.113.1 8080
	# Addresses that nothing has leased do not help.
	in_ns c4 ip address add 10.1.0.77/24 dev eth0
	in_ns c5 ip address add 10.3.0.77/24 dev eth0
	in_ns c4 ip route add 10.3.0.77/32 via 10.1.0.1 src 10.1.0.77
	blocked c4 10.3.0.77
	# The open attachments of the bridge, on the bridge and through the host.
	new_netns c6
	attach "$(with "$NET1" '.name = "net6" | .ipam.ranges = [[{subnet: "10.1.0.0/24", rangeStart: "10.1.0.100"}]]')" . c6
	ok
	answering c6
	passes c5 10.1.0.100
	for id in c1:net1 c4:net1 c3:net3; do detach "${id#*:}" "${id%:*}"; done
	passes c1 10.1.0.3 10.3.0.2
}

# pings_of ID - prints how many echo requests it has received
pings_of() {
	in_ns "$1" nft -j list chain ip seen input | jq '[.. | .counter? // empty | .packets] | add'
}

@test "firewall: isolated: no frame of an open port arrives, also one that needs no answer" {
	# Else table inet drops it, too.
	! has_br_netfilter || sysctl_set net/bridge/bridge-nf-call-iptables 0
	attach "$NET1" '.ingressPolicy = "isolated"'
	ok
	add bridge "$NET1" c2
	in_ns c1 nft -f - <<<'table ip seen { chain input { type filter hook input priority 0; icmp type echo-request counter; }; }'
	in_ns c2 ip neigh replace 10.1.0.2 dev eth0 lladdr "$(in_ns c1 ip -j link show dev eth0 | jq -r '.[0].address')"
	in_ns c2 ping -q -c3 -i0.2 -W1 10.1.0.2 && fail "c1 answers"
	is "$(pings_of c1)" 0
	sees - 10.1.0.2
	(($(pings_of c1) > 0))
}

@test "firewall: isolated behind ptp: the host's link has the policy" {
	PTP='{"cniVersion":"1.1.0","name":"net5","type":"ptp","ipam":{"type":"host-local","subnet":"10.5.0.0/24",
		"routes":[{"dst":"0.0.0.0/0"}]}}'
	add ptp "$PTP" c1
	cni ADD firewall "$(conf '.name = "net5" | .ingressPolicy = "same-bridge"')" c1
	ok
	add ptp "$PTP" c2
	cni ADD firewall "$(conf '.name = "net5" | .ingressPolicy = "same-bridge"')" c2
	ok
	answering c1 c2
	blocked c1 10.5.0.3
	detach net5 c2
	passes c1 10.5.0.3
}

@test "firewall: a policy needs a link on the host" {
	ip link add wire0 type veth peer name wire1
	ip link set wire0 up
	add macvlan '{"cniVersion":"1.1.0","name":"net7","type":"macvlan","master":"wire0",
		"ipam":{"type":"host-local","subnet":"10.7.0.0/24"}}'
	before=$output
	cni ADD firewall "$(conf '.name = "net7" | .ingressPolicy = "isolated"')"
	failed 7 'ingressPolicy'
	output=$before
	cni ADD firewall "$(conf '.name = "net7"')"
	ok
}

# ---- GC and STATUS ---------------------------------------------------------

@test "firewall: GC removes what invalid attachments have, and the tables after the last" {
	attach "$NET1" '.ingressPolicy = "isolated"'
	attach "$NET1" '.ingressPolicy = "isolated"' c2
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = [{containerID: "c2", ifname: "eth0"}]')" '' ''
	ok
	prints_not 'c1/eth0' nft list table inet $TABLE
	prints_not 'c1/eth0' nft list table bridge $TABLE
	contains "$(rules)" 'c2/eth0'
	cni GC firewall "$FIREWALL" '' ''
	ok
	contains "$(rules)" 'c2/eth0'
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	prints_not $TABLE nft list tables
}

@test "firewall: STATUS names who drops, and knows the bridge by its mark" {
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	attach "$NET1"
	nft -f - <<-'END'
		table inet site { chain forward { type filter hook forward priority 0; policy drop; iifname "br1" accept; }; }
	END
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	nft flush chain inet site forward
	cni STATUS firewall "$FIREWALL" '' ''
	failed 51 'of bridge br1 is dropped by chain forward of nftables table inet site'
	del bridge "$NET1"
	ip link del br1
	cni STATUS firewall "$FIREWALL" '' ''
	failed 51 'chain forward of nftables table inet site.*; for BRIDGE, write the link of the host'
}

@test "firewall: STATUS names the backend that gets around the drop, if it is not chosen" {
	attach "$NET1"
	command -v iptables-nft >/dev/null || skip 'needs iptables-nft'
	iptables-nft -P FORWARD DROP
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "nftables"')" '' ''
	failed 51 'whose policy is drop \(let it pass there: .*\); or set backend to "auto", which gets around it'
	contains_not "$output" BRIDGE
}

@test "firewall: STATUS: without nf_tables, code 50; a wrong configuration, code 7" {
	local backend

	type -P setpriv >/dev/null || skip "setpriv is not installed"
	for backend in auto nftables iptables; do
		cni STATUS firewall "$(with "$FIREWALL" ".backend = \"$backend\"")" '' '' ''
		ok
		status=0
		# Without the capability nf_tables refuses as on a kernel without it.
		output=$(CNI_COMMAND=STATUS CNI_PATH=$CPLUG_BIN setpriv --bounding-set -net_admin --inh-caps -net_admin \
			"$CPLUG_BIN/firewall" <<<"$(with "$FIREWALL" ".backend = \"$backend\"")" 2>/dev/null) || status=$?
		failed 50 'nftables cannot be used'
	done
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "ipchains"')" '' '' ''
	failed 7 'backend'
}

# ---- CHECK and repair ------------------------------------------------------

# damaged PATTERN COMMAND... - asserts that CHECK notes what COMMAND changes, and a repair restores it
damaged() {
	local pattern=$1

	shift
	"$@"
	cni CHECK firewall "$conf"
	failed 107 "$pattern"
	CPLUG_REPAIR=1 cni CHECK firewall "$conf"
	ok
	cni CHECK firewall "$conf"
	ok
}

@test "firewall: CHECK sees each element and rule, and a repair puts it back" {
	local set

	attach "$NET1" '.ingressPolicy = "isolated"'
	ok
	output=$(jq -c .prevResult "$BATS_TEST_TMPDIR/stdin")
	conf=$(conf '.ingressPolicy = "isolated"')
	cni CHECK firewall "$conf"
	ok
	for set in accepted4 isolated4; do
		damaged "$set of 10.1.0.2" nft delete element inet $TABLE $set '{ 10.1.0.2 }'
	done
	damaged 'accepted6 of fd00:1::2' nft delete element inet $TABLE accepted6 '{ fd00:1::2 }'
	damaged 'self4 of 10.1.0.2' nft delete element inet $TABLE self4 '{ 10.1.0.2 . 10.1.0.2 }'
	damaged 'br1 in set policies' nft delete element inet $TABLE policies '{ "br1" }'
	damaged 'br1 in set same-bridge' nft delete element inet $TABLE same-bridge '{ "br1" . "br1" }'
	damaged 'br1 in set isolated' nft delete element inet $TABLE isolated '{ "br1" . "br1" }'
	for set in forward ingress isolated admin; do
		damaged "chain $set" nft flush chain inet $TABLE $set
	done
	damaged 'chain forward' nft flush chain bridge $TABLE forward
	damaged 'table inet' nft delete table inet $TABLE
	damaged 'table bridge' nft delete table bridge $TABLE
	# Rules of the administrator are no difference.
	nft add rule inet $TABLE CNI-ADMIN ip daddr 192.0.2.1 drop
	cni CHECK firewall "$conf"
	ok
	detach net1
	cni CHECK firewall "$conf"
	failed 107
}

# ---- cnitool ---------------------------------------------------------------

@test "firewall: cnitool gc removes what attachments without a link have, also in iptables" {
	load cnitool
	kernel_knows_netns || skip "this kernel cannot tell whether a namespace exists (Linux 6.18 can)"
	mkdir -p "$BATS_TEST_TMPDIR/net.d"
	attach "$NET1" '.ingressPolicy = "isolated" | .backend = "iptables"'
	ok
	attach "$NET1" . c2
	ok
	end_netns c1
	contains "$(iptables -S CNI-FORWARD)" '10.1.0.2'
	NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN "$CPLUG_BIN/cnitool" gc
	prints_not 'c1/eth0' nft list table inet $TABLE
	prints_not '10\.1\.0\.2' iptables -S CNI-FORWARD
	prints_not 'br1' nft list set inet $TABLE policies
	contains "$(rules)" 'c2/eth0'
}
