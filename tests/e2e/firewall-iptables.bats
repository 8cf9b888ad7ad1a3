#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# firewall on hosts whose iptables drops forwarded packets: Docker, ufw, a policy
load lib

NET1='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap",
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":7000,"protocol":"tcp"}]}}'
FIREWALL='{"cniVersion":"1.1.0","name":"net1","type":"firewall","backend":""}'

prepare() {
	type -P iptables-nft >/dev/null || skip "iptables is not installed"
	world
	new_netns c1 c2
}

# attach [FILTER [ID]] - ADD of bridge, portmap and firewall
attach() {
	add bridge "$NET1" "${2-c1}"
	[[ ${2-c1} != c1 ]] || add portmap "$(chained "$PORTMAP")" c1
	cni ADD firewall "$(chained "$(with "$FIREWALL" "${1-.}")")" "${2-c1}"
}

# each_tool ARGUMENT... - runs iptables and ip6tables
each_tool() {
	iptables-nft "$@" && ip6tables-nft "$@"
}

# passes - asserts that connections from c1, to its published port and to its neighbour succeed
passes() {
	ask c1 tcp 203.0.113.2 7000 >/dev/null
	ask c1 tcp 2001:db8:113::2 7000 >/dev/null
	ask world tcp 203.0.113.1 8080 >/dev/null
	ask world tcp 2001:db8:113::1 8080 >/dev/null
}

servers() {
	tcp_answer c1 7000 web
	tcp_answer world 7000 world
}

# accepts N [TOOL] - asserts that CNI-FORWARD has N rules, the jump included
accepts() {
	is "$("${2-iptables-nft}" -S CNI-FORWARD | grep -c '^-A')" "$1"
}

@test "firewall-iptables: under policy DROP traffic and published ports pass, and CHECK sees each rule" {
	local rule tool

	each_tool -P FORWARD DROP
	attach
	ok
	servers
	passes
	conf=$(chained "$FIREWALL")
	for tool in iptables-nft ip6tables-nft; do
		accepts 4 $tool
		# Debian's iptables understands the rules, and deletes each by its text.
		while read -r rule; do
			cni CHECK firewall "$conf"
			ok
			eval "$tool -D ${rule#-A }"
			cni CHECK firewall "$conf"
			failed 107 'of iptables'
			CPLUG_REPAIR=1 cni CHECK firewall "$conf"
			ok
		done < <($tool -S | grep '^-A')
		accepts 4 $tool
	done
	passes
	cni DEL firewall "$FIREWALL" c1 ''
	ok
	accepts 1
	accepts 1 ip6tables-nft
	cni CHECK firewall "$conf"
	failed 107
}

@test "firewall-iptables: the rules are byte for byte those of iptables" {
	local ours theirs

	each_tool -P FORWARD DROP
	attach
	ok
	ours=$(iptables-nft-save; ip6tables-nft-save; nft --debug=netlink list table ip filter; nft --debug=netlink list table ip6 filter)
	nft delete table ip filter
	nft delete table ip6 filter
	each_tool -P FORWARD DROP
	each_tool -N CNI-FORWARD
	each_tool -N CNI-ADMIN
	each_tool -I FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
	each_tool -I CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
	iptables-nft -A CNI-FORWARD -d 10.1.0.2 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	iptables-nft -A CNI-FORWARD -s 10.1.0.2 -j ACCEPT
	iptables-nft -A CNI-FORWARD -d 10.1.0.2 -m conntrack --ctstate DNAT -j ACCEPT
	ip6tables-nft -A CNI-FORWARD -d fd00:1::2 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	ip6tables-nft -A CNI-FORWARD -s fd00:1::2 -j ACCEPT
	ip6tables-nft -A CNI-FORWARD -d fd00:1::2 -m conntrack --ctstate DNAT -j ACCEPT
	theirs=$(iptables-nft-save; ip6tables-nft-save; nft --debug=netlink list table ip filter; nft --debug=netlink list table ip6 filter)
	# The numbers of rules and objects, and the counters of the policy, differ.
	plain() {
		sed -E 's/^(ip6? filter [A-Z-]+)( [0-9]+)+/\1/; s/[0-9]+:[0-9]+\]/]/; /^#/d
			s/(packets|pkts) [0-9]+ bytes [0-9]+//; s/meta nfproto [0-9]+ //' <<<"$1" | sort
	}
	diff -u <(plain "$theirs") <(plain "$ours") || fail "the rules differ"
}

@test "firewall-iptables: behind Docker's rules, which stay as they are" {
	local before

	iptables-nft-restore <<-'END'
		*nat
		:PREROUTING ACCEPT [0:0]
		:POSTROUTING ACCEPT [0:0]
		:DOCKER - [0:0]
		-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		-A DOCKER -i docker0 -j RETURN
		-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.2:80
		COMMIT
		*filter
		:INPUT ACCEPT [0:0]
		:FORWARD DROP [0:0]
		:OUTPUT ACCEPT [0:0]
		:DOCKER - [0:0]
		:DOCKER-ISOLATION-STAGE-1 - [0:0]
		:DOCKER-ISOLATION-STAGE-2 - [0:0]
		:DOCKER-USER - [0:0]
		-A FORWARD -j DOCKER-USER
		-A FORWARD -j DOCKER-ISOLATION-STAGE-1
		-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A FORWARD -o docker0 -j DOCKER
		-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
		-A FORWARD -i docker0 -o docker0 -j ACCEPT
		-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
		-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		-A DOCKER-ISOLATION-STAGE-1 -j RETURN
		-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		-A DOCKER-ISOLATION-STAGE-2 -j RETURN
		-A DOCKER-USER -j RETURN
		COMMIT
	END
	ip6tables-nft -P FORWARD DROP
	before=$(iptables-nft-save)
	attach
	ok
	servers
	passes
	cni DEL firewall "$FIREWALL"
	ok
	is "$(iptables-nft-save | grep -v CNI- | grep -v '^#' | sed 's/\[.*//')" \
		"$(grep -v '^#' <<<"$before" | sed 's/\[.*//')"
}

@test "firewall-iptables: behind ufw's chains, which reject at the end" {
	local tool prefix

	for tool in iptables-nft ip6tables-nft; do
		prefix=ufw$([[ $tool != ip6* ]] || echo 6)
		$tool -P FORWARD DROP
		$tool -N "$prefix-before-forward"
		$tool -N "$prefix-user-forward"
		$tool -N "$prefix-reject-forward"
		$tool -A FORWARD -j "$prefix-before-forward"
		$tool -A FORWARD -j "$prefix-reject-forward"
		$tool -A "$prefix-before-forward" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		$tool -A "$prefix-before-forward" -j "$prefix-user-forward"
		$tool -A "$prefix-reject-forward" -j REJECT
	done
	attach
	ok
	servers
	passes
	# "ufw reload" flushes FORWARD; the next ADD and a repair bring the jump back.
	iptables-nft -F FORWARD
	attach . c2
	ok
	ask c1 tcp 203.0.113.2 7000 >/dev/null
	accepts 7
}

@test "firewall-iptables: the administrator's chain of iptables is created and honoured" {
	each_tool -P FORWARD DROP
	attach '.iptablesAdminChainName = "MINE"'
	ok
	servers
	passes
	iptables-nft -A MINE -d 203.0.113.2 -j DROP
	ask_in_vain c1 tcp 203.0.113.2 7000
	ask c1 tcp 2001:db8:113::2 7000 >/dev/null
}

@test "firewall-iptables: configurations cannot make jumps to administrators' chains without end" {
	local i conf

	each_tool -P FORWARD DROP
	add bridge "$NET1"
	conf=$(chained "$FIREWALL")
	for i in {1..32}; do
		cni ADD firewall "$(with "$conf" ".iptablesAdminChainName = \"A$i\"")"
		ok
		del firewall "$conf"
	done
	each_tool -S >/run/rules
	cni ADD firewall "$(with "$conf" '.iptablesAdminChainName = "A33"')"
	failed 7 'iptablesAdminChainName: CNI-FORWARD of iptables leads to 32 chains already, and not to A33'
	each_tool -S | diff /run/rules -
	# One that is there, and the default, which other networks have.
	cni ADD firewall "$(with "$conf" '.iptablesAdminChainName = "A1"')"
	ok
	del firewall "$conf"
	add firewall "$conf"
	cni CHECK firewall "$conf"
	ok
	is "$(iptables-nft -S CNI-FORWARD | grep -c CNI-ADMIN)" 1
}

@test "firewall-iptables: the backend is chosen by what drops, and recorded; STATUS tells" {
	CNI_DEBUG=1 attach
	ok
	contains "$errors" 'backend: nftables'
	conf=$(chained "$FIREWALL")
	prints_not 'CNI-FORWARD' iptables-nft -S
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	iptables-nft -P FORWARD DROP
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "nftables"')" '' ''
	failed 51 'br1 is dropped by chain FORWARD of nftables table ip filter'
	# CHECK and DEL look at what ADD did, not at what it would do now.
	cni CHECK firewall "$conf"
	ok
	CNI_DEBUG=1 attach . c2
	ok
	contains "$errors" 'backend: iptables, because forwarded traffic of bridge br1 is dropped by chain FORWARD'
	accepts 4
	iptables-nft -P FORWARD ACCEPT
	cni CHECK firewall "$(chained "$FIREWALL")" c2
	ok
	cni DEL firewall "$FIREWALL" c2 ''
	ok
	accepts 1
	# "iptables" adds them in any case.
	cni ADD firewall "$(with "$conf" '.backend = "iptables"')"
	ok
	accepts 4
	cni GC firewall "$(with "$FIREWALL" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	accepts 1
}

# receives CONF - prints how many answers ADD of c1 reads, which then is undone
receives() {
	local trace=$BATS_TEST_TMPDIR/trace

	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 \
		CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace -qq -f -o "$trace" -e trace=recvfrom,recvmsg \
		"$CPLUG_BIN/firewall" <<<"$1" >/dev/null
	cni DEL firewall "$FIREWALL" >/dev/null
	grep -c recv "$trace"
}

@test "firewall-iptables: ADD does not read the rules of other attachments, nor repeat its own" {
	local n before

	can_trace || skip "strace cannot trace"
	each_tool -P FORWARD DROP
	attach . c2
	ok
	add bridge "$NET1"
	conf=$(chained "$FIREWALL")
	before=$(receives "$conf")
	# In portions, because a user's messages to the kernel have at most net.core.wmem_max bytes.
	for ((n = 0; n < 2000; n++)); do
		((n % 250)) || echo '*filter'
		echo "-A CNI-FORWARD -s 10.9.$((n / 250)).$((n % 250)) -j ACCEPT"
		((n % 250 < 249)) || echo COMMIT
	done | iptables-nft-restore -n
	is "$(receives "$conf")" "$before"
	for n in 1 2; do
		cni ADD firewall "$conf"
		ok
		accepts 2007
	done
	cni DEL firewall "$FIREWALL"
	ok
	accepts 2004
}

# others FROM TO - adds the rules of other attachments to CNI-FORWARD, in portions
others() {
	local n

	for ((n = $1; n < $2; n++)); do
		(((n - $1) % 250)) || echo '*filter'
		printf -- '-A CNI-FORWARD -d 10.9.%s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
			-A CNI-FORWARD -s 10.9.%s -j ACCEPT\n' $((n / 250)).$((n % 250)) $((n / 250)).$((n % 250))
		(((n - $1) % 250 < 249 && n + 1 < $2)) || echo COMMIT
	done | sed 's/^[[:space:]]*//' | iptables-nft-restore -n
}

# bytes VERB CONF - prints how many bytes a call for c1 reads from the kernel
bytes() {
	local trace=$BATS_TEST_TMPDIR/trace

	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 \
		CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace -qq -f -o "$trace" -e trace=recvfrom,recvmsg \
		"$CPLUG_BIN/firewall" <<<"$2" >/dev/null
	awk '/recv/ { sum += $NF } END { print sum }' "$trace"
}

@test "firewall-iptables: DEL and CHECK read as much with 500 other attachments as with 100" {
	local n last=0 checked='' deleted=''

	can_trace || skip "strace cannot trace"
	each_tool -P FORWARD DROP
	attach . c2
	add bridge "$NET1"
	conf=$(chained "$FIREWALL")
	# The head of the chain, where the administrators' jumps are, is read in any case.
	for n in 100 500; do
		others "$last" "$n"
		last=$n
		cni ADD firewall "$conf"
		ok
		accepts $((7 + 2 * n))
		checked+=" $(bytes CHECK "$conf")"
		deleted+=" $(bytes DEL "$conf")"
		accepts $((4 + 2 * n))
		accepts 4 ip6tables-nft
	done
	is "${checked##* } ${deleted##* }" "$(awk '{ print $1 }' <<<"$checked") $(awk '{ print $1 }' <<<"$deleted")"
	cni CHECK firewall "$conf"
	failed 107
}

@test "firewall-iptables: the handles of rules are looked at, not believed" {
	local rules rules6 table

	each_tool -P FORWARD DROP
	attach . c2
	attach
	ok
	conf=$(chained "$FIREWALL")
	# Loaded again, the rules have other handles; in a new table those of other rules.
	rules=$(iptables-nft-save -t filter)
	iptables-nft-restore <<<"$rules"
	cni CHECK firewall "$conf"
	ok
	others 0 10
	rules=$(iptables-nft-save -t filter | sed '/10\.9\./!b; H; d')
	rules6=$(ip6tables-nft-save -t filter)
	nft delete table ip filter
	nft delete table ip6 filter
	iptables-nft-restore <<<"${rules/-A CNI-FORWARD/-A CNI-FORWARD -s 10.9.9.9 -j ACCEPT
-A CNI-FORWARD}"
	ip6tables-nft-restore <<<"$rules6"
	accepts 8
	cni CHECK firewall "$conf"
	ok
	cni DEL firewall "$FIREWALL"
	ok
	accepts 5
	contains_not "$(iptables-nft -S CNI-FORWARD)" 10.1.0.3
	contains "$(iptables-nft -S CNI-FORWARD)" 10.9.9.9
	# One of them is gone: the others go all the same.
	cni ADD firewall "$conf"
	ok
	iptables-nft -D CNI-FORWARD -s 10.1.0.3 -j ACCEPT
	cni DEL firewall "$FIREWALL"
	ok
	accepts 5
	# The record is gone: saved and loaded as text, elements have only their comments.
	cni ADD firewall "$conf"
	ok
	table=$(nft list table inet cplug-firewall)
	nft delete table inet cplug-firewall
	nft -f - <<<"$table"
	cni DEL firewall "$FIREWALL"
	ok
	accepts 5
	accepts 4 ip6tables-nft
}

@test "firewall-iptables: a failed or interrupted ADD leaves no rule" {
	local n

	each_tool -P FORWARD DROP
	attach . c2
	add bridge "$NET1"
	conf=$(chained "$FIREWALL")
	for n in 1 2; do
		CNI_TEST_FAIL_AT=$n cni ADD firewall "$conf"
		failed
		accepts 4
		CNI_TEST_CRASH_AT=$n cni ADD firewall "$conf" || :
		cni DEL firewall "$FIREWALL"
		ok
		accepts 4
		prints_not 'c1/eth0' nft list table inet cplug-firewall
	done
}

@test "firewall-iptables: iptables-legacy is told apart" {
	type -P iptables-legacy >/dev/null || skip "iptables-legacy is not installed"
	iptables-legacy -w -t nat -L >/dev/null 2>&1 || skip "this kernel has no ip_tables"
	iptables-legacy -P FORWARD DROP
	attach '.backend = "iptables"'
	failed 7 'iptables-nft.*FORWARD of iptables-legacy'
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "iptables"')" '' ''
	failed 51 'FORWARD of iptables-legacy'
}
