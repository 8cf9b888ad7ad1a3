#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A foreign FORWARD policy drops the containers' traffic, and nothing reports it.
#
# STATUS names table, chain and remedy.  After the remedy STATUS succeeds and the traffic
# passes.  STATUS does not report chains that let the bridge's traffic pass.
# shellcheck disable=SC2016 # nft's braces in single quotes
load ../lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
DUAL=$(jq -c '.ipam = {type: "host-local", ranges: [[{subnet: "10.1.0.0/24"}], [{subnet: "fd01::/64"}]]}' <<<"$CONF")

# As cnitool tells a bridge that is alone in its list.
export CPLUG_CHAIN=' bridge '

# says PATTERN [CONF] - asserts that STATUS fails with code 51 and PATTERN
says() {
	cni STATUS bridge "${2-$CONF}" '' '' ''
	failed 51 "$1"
}

# content [CONF] - asserts that STATUS succeeds
content() {
	cni STATUS bridge "${1-$CONF}" '' '' ''
	ok
}

# forward [RULE...] - replaces the ruleset by a foreign forward chain with policy drop and RULEs
forward() {
	local rule

	nft flush ruleset
	nft add table inet fw
	nft add chain inet fw pass '{ type filter hook forward priority 10; policy drop; }'
	for rule; do nft add rule inet fw pass "$rule"; done
}

@test "forward drop: STATUS names the chain, and traffic passes after its remedy" {
	local remedy

	world
	new_netns c1
	add bridge "$CONF"
	sees c1 203.0.113.2
	content
	nft add table inet fw
	nft add chain inet fw pass '{ type filter hook forward priority 10; policy drop; }'
	sees_not c1 203.0.113.2
	says 'bridge br1 is dropped by chain pass of nftables table inet fw, whose policy is drop'
	remedy=$(sed -n 's/.*(let it pass there: \(.*\))/\1/p' <<<"$error")
	eval "$remedy"
	content
	sees c1 203.0.113.2
}

@test "forward drop: STATUS and cnitool status report the chain before the first ADD" {
	forward
	says 'chain pass of nftables table inet fw'
	mkdir -p /run/net.d
	jq -c '{cniVersion, name, plugins: [.]}' <<<"$CONF" >/run/net.d/net1.conflist
	run -1 env CNI_PATH="$CPLUG_BIN" "$CPLUG_BIN/cnitool" status --net-conf-path /run/net.d net1
	contains "$output" 'chain pass of nftables table inet fw, whose policy is drop'
}

@test "forward drop: STATUS succeeds with rules that let the bridge's traffic pass, or might" {
	local rule

	forward
	says 'chain pass of nftables table inet fw'
	for rule in 'iifname "br1" accept' 'accept' 'iifname "br*" accept' 'iifname != "eth9" accept' \
		'ip saddr 10.1.0.0/16 accept' 'oifname "uplink" accept' 'iifname { "br1", "eth9" } accept' \
		'ct state { new, established } accept' 'ct state new accept' 'ct state vmap { established : accept, new : accept }' \
		'meta mark 7 accept' 'meta nfproto ipv4 accept' 'iifname vmap { "br1" : accept, "br9" : drop }' \
		'meta l4proto { tcp, udp } accept' 'ct state invalid drop; ct state != invalid accept' 'limit rate 10/second accept'; do
		forward "${rule%%;*}"
		[[ $rule != *';'* ]] || nft add rule inet fw pass "${rule#*;}"
		echo "$rule"
		content
	done
}

@test "forward drop: STATUS fails with rules that do not let the bridge's traffic pass" {
	local rule

	for rule in 'iifname "docker0" accept' 'iifname "br*" iifname "brx*" accept' 'ct state established,related accept' \
		'ct state { established, related } accept' 'ct state vmap { established : accept, related : accept, invalid : drop }' \
		'ct status dnat accept' 'meta l4proto icmp accept' 'meta l4proto ipv6-icmp accept' 'iifname "br1" oifname "br1" accept' \
		'iifname { "eth8", "eth9" } accept' 'iifname vmap { "eth9" : accept }' 'meta nfproto ipv6 accept' \
		'counter' 'log' 'iifname "br1" drop' 'iifname "br1" reject'; do
		forward "$rule"
		echo "$rule"
		says 'chain pass of nftables table inet fw'
	done
}

@test "forward drop: STATUS evaluates rules that drop, and chains that are jumped to" {
	nft add table inet fw
	nft add chain inet fw pass '{ type filter hook forward priority 0; policy accept; }'
	nft add chain inet fw mine
	content
	nft add rule inet fw pass ct state established accept
	nft add rule inet fw pass jump mine
	content
	nft add rule inet fw pass reject with icmpx admin-prohibited
	says 'chain pass of nftables table inet fw, by one of its rules'
	nft add rule inet fw mine iifname br1 accept
	content
	nft flush chain inet fw mine
	nft add rule inet fw mine iifname docker0 accept
	nft add rule inet fw mine return
	nft add rule inet fw mine accept
	says 'chain pass of nftables table inet fw'
	nft flush chain inet fw mine
	nft add rule inet fw mine iifname eth9 return
	nft add rule inet fw mine accept
	content
	nft flush chain inet fw mine
	nft add rule inet fw mine meta mark 5 return
	nft add rule inet fw mine drop
	nft replace rule inet fw pass handle "$(nft -a list chain inet fw pass | sed -n 's/.*reject.* handle //p')" accept
	content
	nft flush chain inet fw mine
	nft add rule inet fw mine drop
	says 'by one of its rules'
	nft add table inet fw '{ flags dormant; }'
	content
}

@test "forward drop: STATUS evaluates the chains of the network's families, and bridge chains" {
	nft add table ip6 fw
	nft add chain ip6 fw pass '{ type filter hook forward priority 0; policy drop; }'
	content
	says 'table ip6 fw' "$DUAL"
	content "$(with "$DUAL" '.isDefaultGateway = false')"
	nft flush ruleset
	nft add table bridge fw
	nft add chain bridge fw pass '{ type filter hook forward priority 0; policy drop; }'
	says 'between the ports of bridge br1 is dropped by chain pass of nftables table bridge fw'
	# Some kernels lack this expression.
	if nft add rule bridge fw pass meta ibrname br1 accept 2>/dev/null; then content; fi
	nft flush ruleset
	nft add table ip fw
	nft add chain ip fw in '{ type filter hook input priority 0; policy drop; }'
	content
}

@test "forward drop: STATUS knows the rules and remedies of Docker, ufw and firewalld (iptables-nft)" {
	command -v iptables-nft >/dev/null || skip "iptables-nft is not installed"
	iptables-nft -P FORWARD DROP || skip "iptables-nft does not work"
	iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
	iptables-nft -A FORWARD -p icmp --icmp-type echo-request -j ACCEPT
	says 'chain FORWARD of nftables table ip filter, whose policy is drop .*iptables -I FORWARD -i br1 -j ACCEPT'
	iptables-nft -N DOCKER-USER
	iptables-nft -A DOCKER-USER -j RETURN
	iptables-nft -I FORWARD -j DOCKER-USER
	says 'iptables -I DOCKER-USER -i br1 -j ACCEPT'
	iptables-nft -I DOCKER-USER -i br1 -j ACCEPT
	content
	nft flush ruleset
	iptables-nft -P FORWARD DROP
	iptables-nft -N ufw-before-forward
	iptables-nft -N ufw-reject-forward
	iptables-nft -A FORWARD -j ufw-before-forward
	iptables-nft -A FORWARD -j ufw-reject-forward
	iptables-nft -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	iptables-nft -A ufw-before-forward -p icmp --icmp-type 3 -j ACCEPT
	iptables-nft -A ufw-reject-forward -j REJECT
	says 'ufw route allow in on br1; ufw route allow out on br1'
	iptables-nft -I ufw-before-forward -i br1 -j ACCEPT
	content
	nft flush ruleset
	nft add table inet firewalld
	nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; policy accept; }'
	nft add rule inet firewalld filter_FORWARD 'ct state { established, related } accept'
	nft add rule inet firewalld filter_FORWARD 'ct status dnat accept'
	nft add rule inet firewalld filter_FORWARD 'iifname "lo" accept'
	nft add rule inet firewalld filter_FORWARD 'reject with icmpx admin-prohibited'
	says 'firewall-cmd --permanent --zone=trusted --add-interface=br1'
}

@test "forward drop: STATUS reads the tables of iptables-legacy" {
	local tool

	for tool in iptables-legacy ip6tables-legacy; do
		command -v $tool >/dev/null || skip "$tool is not installed"
		$tool -P FORWARD DROP 2>/dev/null || skip "$tool does not work"
		says "chain FORWARD of $tool, .*$tool -I FORWARD -i br1 -j ACCEPT" "$DUAL"
		$tool -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		$tool -A FORWARD -i docker0 -j ACCEPT
		$tool -N mine
		$tool -A mine -i eth9 -j ACCEPT
		$tool -A mine -j RETURN
		$tool -A mine -j ACCEPT
		$tool -A FORWARD -j mine
		says "chain FORWARD of $tool," "$DUAL"
		$tool -I mine -i br+ -j ACCEPT
		content "$DUAL"
		$tool -F mine
		$tool -A mine -i br1 -o br1 -j ACCEPT
		says "chain FORWARD of $tool," "$DUAL"
		$tool -A mine -p tcp --dport 80 -j ACCEPT
		content "$DUAL"
		$tool -F mine
		$tool -A mine -m conntrack --ctstate NEW -j ACCEPT
		content "$DUAL"
		$tool -F
		$tool -P FORWARD ACCEPT
		content "$DUAL"
		$tool -A FORWARD -j REJECT
		says "chain FORWARD of $tool," "$DUAL"
		$tool -F
	done
}

@test "forward drop: a bridge that does not know its list fails only if it has containers" {
	local chain

	new_netns c1
	forward
	for chain in '' ' bridge firewall '; do
		if [[ $chain ]]; then export CPLUG_CHAIN=$chain; else unset CPLUG_CHAIN; fi
		cni STATUS bridge "$CONF" '' '' ''
		ok
		[[ $chain || $errors == *'have the plugin firewall behind bridge'* ]]
		add bridge "$CONF"
		says 'bridge br1 is dropped by chain pass of nftables table inet fw'
		del bridge "$CONF"
		content
	done
}

@test "forward drop: with firewall in the list, cnitool status succeeds before the first container, and the first ADD does" {
	world
	new_netns c1
	mkdir -p /run/net.d
	jq -c '{cniVersion, name, plugins: [., {type: "firewall"}]}' <<<"$CONF" >/run/net.d/net1.conflist
	export CNI_PATH=$CPLUG_BIN NETCONFPATH=/run/net.d
	iptables-nft -P FORWARD DROP
	"$CPLUG_BIN/cnitool" status net1
	"$CPLUG_BIN/cnitool" add net1 c1
	sees c1 203.0.113.2
	"$CPLUG_BIN/cnitool" status net1
	# What lets the container pass is lost.
	iptables-nft -F CNI-FORWARD
	run -1 "$CPLUG_BIN/cnitool" status net1
	contains "$output" 'bridge br1 is dropped by chain FORWARD'
	"$CPLUG_BIN/cnitool" check --repair net1 c1
	"$CPLUG_BIN/cnitool" status net1
	sees c1 203.0.113.2
	"$CPLUG_BIN/cnitool" del net1 c1
}

@test "forward drop: STATUS between the ADDs of bridge and firewall waits for the second one" {
	local reader try

	new_netns c1
	unset CPLUG_CHAIN
	iptables-nft -P FORWARD DROP
	add bridge "$CONF"
	chained "$(with "$CONF" '{cniVersion, name, type: "firewall"}')" >/run/firewall.json
	# It waits for a second, which an ADD can exceed on a busy machine, but hardly again and again.
	for ((try = 1; ; try++)); do
		{
			raw STATUS bridge '' '' '' <<<"$CONF" >/run/status 2>&1
		} 3>&- 4>&- &
		reader=$!
		sleep 0.1
		cni ADD firewall /run/firewall.json
		ok
		! wait "$reader" || break
		((try < 10)) || fail "$(cat /run/status)"
		cni DEL firewall /run/firewall.json
		ok
	done
	content
	# A drop that lasts is told all the same.
	iptables-nft -F CNI-FORWARD
	says 'bridge br1 is dropped by chain FORWARD'
}

# reads CONF - prints how many bytes STATUS reads
reads() {
	CNI_COMMAND=STATUS CNI_PATH=$CPLUG_BIN ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -f \
		-e trace=recvfrom,recvmsg -o /run/trace "$CPLUG_BIN/$(jq -r .type <<<"$1")" <<<"$1" >/dev/null || :
	awk '/recv/ { sum += $NF } END { print sum }' /run/trace
}

@test "forward drop: STATUS reads as much on a host with 300 other links and ports as without" {
	local n firewall few_bridge few_firewall

	can_trace || skip "strace cannot trace"
	new_netns c1
	unset CPLUG_CHAIN
	firewall=$(with "$CONF" '{cniVersion, name, type: "firewall", backend: "nftables"}')
	forward
	add bridge "$CONF"
	few_bridge=$(reads "$CONF")
	few_firewall=$(reads "$firewall")
	((few_bridge > 1000 && few_firewall > 1000))
	for ((n = 0; n < 150; n++)); do
		echo "link add v$n type veth peer name w$n"
		echo "link set v$n master br1"
	done | ip -batch -
	# The list of ports is read until the first one: two datagrams.
	(($(reads "$CONF") < few_bridge + 100000)) || fail "bridge reads $(reads "$CONF") bytes, and $few_bridge before"
	is "$(reads "$firewall")" "$few_firewall"
}
