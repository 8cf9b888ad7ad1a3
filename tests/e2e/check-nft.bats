#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# CHECK reports every difference of nftables elements, rules, chains, sets and tables.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check

# ---- nftables --------------------------------------------------------------

# each_element TABLE... - deletes each element of each set and map, one at a time
each_element() {
	local set element comment

	for set in $(nft -j list table "$@" | jq -r '.nftables[] | (.map // .set) | select(. != null) | .name'); do
		while read -r element; do
			[[ $element ]] || continue
			elements=$((elements + 1))
			mutate "nftables table" "nft delete element $* $set '{ $(key_of "$element") }'" \
				"nft add element $* $set '{ $element }'"
		done < <(elements_of "$set" "$@")
	done
}

# elements_of SET TABLE... - prints the elements, one per line, in the syntax of nft add
elements_of() {
	local set=$1

	shift
	{ nft list set "$@" "$set" 2>/dev/null || nft list map "$@" "$set"; } |
		tr -d '\n\t' | sed -n 's/.*elements = { \([^}]*\)}.*/\1\n/p' | sed 's/, */\n/g'
}

# key_of ELEMENT - prints it without comment and data
key_of() {
	sed 's/ comment ".*//; s/ : .*//' <<<"$1"
}

@test "check: each deleted element of each set and map is reported" {
	elements=0
	full
	each_element inet cplug
	each_element bridge cplug
	((elements >= 16)) || fail "only $elements elements"
}

# Not part of each_element: nft does not print the private bytes of the index, so its elements
# cannot be put back.
@test "check: a deleted element of the index is reported" {
	full
	nft delete element inet cplug attachments "{ \"$PORT\" . 0x62000000 }" ||
		nft flush set inet cplug attachments
	named "index" 'index of'
}

@test "check: an element with another target or another owner is reported" {
	local mine

	full
	mine=$(nft list map inet cplug ports4 | grep -o 'tcp \. 8080.*: 10.1.0.2 . 80' | head -n1)
	mutate 'host port 8080/tcp' "nft delete element inet cplug ports4 '{ tcp . 8080 }'
		nft add element inet cplug ports4 '{ ${mine/10.1.0.2 . 80/10.1.0.2 . 79} }'" \
		"nft delete element inet cplug ports4 '{ tcp . 8080 }'; nft add element inet cplug ports4 '{ $mine }'"
	mutate 'host port 8080/tcp' "nft delete element inet cplug ports4 '{ tcp . 8080 }'
		nft add element inet cplug ports4 '{ tcp . 8080 comment \"vethaaaaaaaaaaa net1/c7/eth0\" : 10.1.0.2 . 80 }'" \
		"nft delete element inet cplug ports4 '{ tcp . 8080 }'; nft add element inet cplug ports4 '{ $mine }'"
}

# chains TABLE... - prints the names of its chains
chains() {
	nft -j list table "$@" | jq -r '.nftables[].chain.name // empty'
}

# handle_of NUMBER CHAIN TABLE... - prints the handle of a rule
handle_of() {
	local number=$1 chain=$2

	shift 2
	nft -a list chain "$@" "$chain" | sed -n 's/.*# handle \([0-9]*\)$/\1/p' | sed -n "$((number + 1))p"
}

# each_rule TABLE... - deletes and replaces each rule of each chain, and inserts one
each_rule() {
	local chain number n back=/run/chain

	for chain in $(chains "$@"); do
		# Restoring the chain from nft's own output is a test, too.
		{
			echo "flush chain $* $chain"
			nft list chain "$@" "$chain"
		} >$back
		n=$(nft -j list chain "$@" "$chain" | jq '[.nftables[].rule | select(.)] | length')
		for ((number = 1; number <= n; number++)); do
			rules=$((rules + 1))
			nft delete rule "$@" "$chain" handle "$(handle_of $number "$chain" "$@")"
			named "a deleted rule" "rule $number of chain $chain"
			contains_not "$output" '(meta|cmp|payload|fib|bitwise)[ "\]'
			nft -f $back
			nft replace rule "$@" "$chain" handle "$(handle_of $number "$chain" "$@")" counter accept
			named "a replaced rule" "rule $number of chain $chain.*accept"
			nft -f $back
		done
		mutate "rule 1 of chain $chain" "nft insert rule $* $chain counter" "nft -f $back"
	done
}

@test "check: each deleted, replaced or inserted rule of each chain is reported" {
	rules=0
	full
	each_rule inet cplug
	((rules >= 20)) || fail "only $rules rules"
}

@test "check: changed rules of the spoof check are reported" {
	local chain

	full
	for chain in prerouting strict; do
		mutate "rule 1 of chain $chain" "nft insert rule bridge cplug $chain index 0 accept" \
			"nft delete rule bridge cplug $chain handle \$(nft -a list chain bridge cplug $chain | sed -n 's/.*accept # handle //p' | head -n1)"
	done
	nft replace rule bridge cplug strict handle "$(nft -a list chain bridge cplug strict | sed -n 's/^\t\tdrop # handle //p')" accept
	named 'the last rule' 'rule 15 of chain strict.*accept'
}

@test "check: changed values in a rule are reported" {
	local chain

	full
	chain=$(chains inet cplug | grep '^masq-net1-10')
	nft list chain inet cplug "$chain" >/run/back
	sed -i "1i flush chain inet cplug $chain" /run/back
	mutate "chain $chain.*with other values" \
		"sed 's,10.1.0.0/24 return,10.2.0.0/24 return,' /run/back >/run/other; nft -f /run/other" 'nft -f /run/back'
	mutate "chain $chain" "sed 's,masquerade,masquerade random,' /run/back >/run/other; nft -f /run/other" 'nft -f /run/back'
	nft list chain inet cplug guard >/run/back
	sed -i "1i flush chain inet cplug guard" /run/back
	mutate "chain guard" "sed 's,!= \"lo\",\"lo\",' /run/back >/run/other; nft -f /run/other" 'nft -f /run/back'
	mutate "chain guard" "sed 's,drop,accept,' /run/back >/run/other; nft -f /run/other" 'nft -f /run/back'
	nft list chain inet cplug ports >/run/back
	sed -i "1i flush chain inet cplug ports" /run/back
	nft add map inet cplug other '{ type inet_proto . inet_service : ipv4_addr . inet_service; }'
	mutate "chain ports" "sed 's,@ports4,@other,' /run/back >/run/other; nft -f /run/other" 'nft -f /run/back'
}

@test "check: deleted or changed chains, maps and tables are reported" {
	local text

	full
	text=$(nft list table inet cplug)
	mutate 'chain prerouting' \
		'nft delete chain inet cplug prerouting; nft add chain inet cplug prerouting "{ type nat hook prerouting priority -99; }"
		nft add rule inet cplug prerouting fib daddr type local jump ports' \
		'nft delete chain inet cplug prerouting; nft add chain inet cplug prerouting "{ type nat hook prerouting priority -100; }"
		nft add rule inet cplug prerouting fib daddr type local jump ports'
	mutate 'chain output' 'nft delete chain inet cplug output' \
		'nft add chain inet cplug output "{ type nat hook output priority -100; }"; nft add rule inet cplug output fib daddr type local jump ports'
	mutate 'chain guard' \
		'nft delete chain inet cplug guard; nft add chain inet cplug guard; nft add rule inet cplug guard iifname != lo ip daddr 127.0.0.0/8 drop' \
		'nft delete chain inet cplug guard; nft add chain inet cplug guard "{ type filter hook prerouting priority -300; }"
		for field in daddr saddr; do nft add rule inet cplug guard iifname != lo ip $field 127.0.0.0/8 drop; done
		for field in daddr saddr; do nft add rule inet cplug guard iifname != lo ip6 $field ::1 drop; done'
	mutate 'chain guard' 'nft chain inet cplug guard "{ policy drop; }"' 'nft chain inet cplug guard "{ policy accept; }"'
	mutate 'table inet cplug' 'nft add table inet cplug "{ flags dormant; }"' 'nft add table inet cplug'
	nft flush chain inet cplug ports
	nft delete map inet cplug hostports6
	nft add map inet cplug hostports6 '{ type ipv6_addr . inet_service : ipv6_addr . inet_service; }'
	named 'a map of another type' 'set hostports6'
	nft delete map inet cplug hostports6
	named 'a deleted map' 'set hostports6'
	nft delete table inet cplug
	named 'a deleted table' 'nftables table inet cplug'
	nft flush ruleset
	named 'a flushed ruleset' 'nftables table'
}

# ---- portmap behind bridge -------------------------------------------------

@test "check: portmap chained after bridge reports each change of its objects" {
	new_netns c1
	add bridge "$(with "$FULL" 'del(.capabilities, .runtimeConfig)')"
	PORT=$(host_end)
	add portmap "$(chained "$PORTMAP")"
	TYPE=portmap CHECK=$(chained "$PORTMAP") elements=0
	silent "after ADD"
	mutate 'host port 8080/tcp' "E=\$(elements_of ports4 inet cplug | head -n1); nft flush map inet cplug ports4" \
		"nft add element inet cplug ports4 \"{ \$E }\""
	mutate 'host ports 9000-9010/udp' "E=\$(elements_of portranges4 inet cplug | head -n1); nft flush map inet cplug portranges4" \
		"nft add element inet cplug portranges4 \"{ \$E }\""
	knob - net/ipv4/conf/br1/route_localnet 0
	mutate 'local route ::1 on br1' 'ip -6 route del local ::1 dev br1 table local' 'ip -6 route add local ::1 dev br1 table local metric 1024'
	mutate 'chain ports' 'nft insert rule inet cplug ports accept' \
		"nft delete rule inet cplug ports handle \$(nft -a list chain inet cplug ports | sed -n 's/^\t\taccept # handle //p')"
	nft delete element inet cplug attachments "{ \"$PORT\" . 0x70000000 }"
	named 'a deleted element of the index' 'index of'
}

@test "check: a table that was reloaded from nft's output is no difference" {
	full
	nft list table inet cplug >/run/text
	{
		echo 'delete table inet cplug'
		cat /run/text
	} >/run/load
	nft -f /run/load
	silent "after a reload"
}
