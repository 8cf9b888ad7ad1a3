#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# portmap: every key of the configuration
load lib

BRIDGE='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"hairpinMode":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
BRIDGE2='{"cniVersion":"1.0.0","name":"net2","type":"bridge","bridge":"br2","isDefaultGateway":true,"hairpinMode":true,
	"ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true}}'
WEB='[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]'

prepare() {
	world
	new_netns c1 c2
}

# conf MAPPINGS [FILTER] - prints portmap's configuration, with the last result as prevResult
conf() {
	chained "$(with "$PORTMAP" ".runtimeConfig.portMappings = $1 | ${2-.}")"
}

# publish MAPPINGS [FILTER [ID]] - ADD of bridge, then of portmap, which may fail
publish() {
	add bridge "$BRIDGE" "${3-c1}"
	cni ADD portmap "$(conf "$1" "${2-.}")" "${3-c1}"
}

# unpublish MAPPINGS [FILTER [ID]] - DEL of portmap
unpublish() {
	del portmap "$(with "$PORTMAP" ".runtimeConfig.portMappings = $1 | ${2-.}")" "${3-c1}"
}

# ---- the contract ----------------------------------------------------------

@test "portmap: ADD returns prevResult unchanged" {
	add bridge "$BRIDGE"
	before=$output
	has '.ips | length == 2'
	cni ADD portmap "$(conf "$WEB")"
	ok
	is "$(jq -Sc . <<<"$output")" "$(jq -Sc . <<<"$before")"
}

@test "portmap: ADD fails without prevResult" {
	cni ADD portmap "$(with "$PORTMAP" ".runtimeConfig.portMappings = $WEB")"
	failed '' 'chained|prevResult'
}

@test "portmap: ADD without mappings changes nothing" {
	add bridge "$BRIDGE"
	remember
	cni ADD portmap "$(chained "$PORTMAP")"
	ok
	cni ADD portmap "$(conf '[]')"
	ok
	cni ADD portmap "$(conf null)"
	ok
	has '.ips | length == 2'
	assert_same_snapshot
}

@test "portmap: accepts containerd's format: capitalised keys and an empty HostIP" {
	publish '[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":""}]'
	ok
	tcp_answer c1 80 web
	ask world tcp 203.0.113.1 8080
}

@test "portmap: the default protocol is TCP, case is ignored, unknown protocols are rejected" {
	publish '[{"hostPort":8080,"containerPort":80},{"hostPort":5353,"containerPort":53,"protocol":"UDP"}]'
	ok
	tcp_answer c1 80 web
	udp_answer c1 53 names
	ask world tcp 203.0.113.1 8080
	ask world udp 203.0.113.1 5353
	cni ADD portmap "$(conf '[{"hostPort":8081,"containerPort":80,"protocol":"icmp"}]')" c1
	failed 7 'protocol'
}

@test "portmap: ports outside of 1 to 65535 are rejected" {
	local bad

	add bridge "$BRIDGE"
	answer=$output
	for bad in '{"hostPort":0,"containerPort":80}' '{"hostPort":65536,"containerPort":80}' \
		'{"hostPort":80,"containerPort":0}' '{"hostPort":80,"containerPort":70000}' '{"hostPort":-1,"containerPort":80}' \
		'{"hostPort":"80","containerPort":80}'; do
		output=$answer
		cni ADD portmap "$(conf "[$bad]")"
		failed 7 'portMappings\[0\]'
	done
}

@test "portmap: SCTP ports are published and removed" {
	publish '[{"hostPort":9999,"containerPort":99,"protocol":"sctp"}]'
	ok
	contains "$(nft list ruleset)" 'sctp.*9999|9999.*sctp'
	unpublish '[{"hostPort":9999,"containerPort":99,"protocol":"sctp"}]'
	prints_not 9999 nft list ruleset
}

@test "portmap: invalid values of each key are rejected" {
	local bad

	add bridge "$BRIDGE"
	answer=$output
	for bad in '.markMasqBit = 32' '.markMasqBit = -1' '.snat = "yes"' '.backend = "pf"' \
		'.markMasqBit = 1 | .externalSetMarkChain = "x"' '.onConflict = "sometimes"'; do
		output=$answer
		cni ADD portmap "$(conf "$WEB" "$bad")"
		failed 7
		[[ $bad != *MarkChain* ]] || failed 7 'leave one out'
	done
}

@test "portmap: accepts the reference's backends" {
	for backend in nftables iptables; do
		publish "$WEB" ".backend = \"$backend\""
		ok
		contains "$(nft list ruleset)" 8080
		unpublish "$WEB" ".backend = \"$backend\""
		del bridge "$BRIDGE"
	done
}

# ---- host addresses --------------------------------------------------------

@test "portmap: a port with hostIP answers at that address only" {
	publish '[{"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":"203.0.113.1"},
		{"hostPort":8081,"containerPort":80,"protocol":"tcp","hostIP":"127.0.0.1"},
		{"hostPort":8082,"containerPort":80,"protocol":"tcp","hostIP":"0.0.0.0"},
		{"hostPort":8083,"containerPort":80,"protocol":"tcp","hostIP":"::"},
		{"hostPort":8084,"containerPort":80,"protocol":"tcp","hostIP":"2001:db8:113::1"}]'
	ok
	tcp_answer c1 80 web
	ask world tcp 203.0.113.1 8080
	ask_in_vain - tcp 10.1.0.1 8080
	ask_in_vain world tcp 2001:db8:113::1 8080
	ask - tcp 127.0.0.1 8081
	ask_in_vain world tcp 203.0.113.1 8081
	ask world tcp 203.0.113.1 8082
	ask_in_vain world tcp 2001:db8:113::1 8082
	ask world tcp 2001:db8:113::1 8083
	ask_in_vain world tcp 203.0.113.1 8083
	ask world tcp 2001:db8:113::1 8084
	ask_in_vain world tcp 203.0.113.1 8084
}

@test "portmap: a mapping with hostIP wins over an earlier one without" {
	publish "$WEB"
	ok
	publish '[{"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":"203.0.113.1"}]' . c2
	ok
	tcp_answer c1 80 one
	tcp_answer c2 80 two
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
	contains "$(ask - tcp 10.1.0.1 8080)" '^one'
	unpublish '[]' . c2
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
}

# ---- snat ------------------------------------------------------------------

@test "portmap: with snat false no source address is masqueraded" {
	publish "$WEB" '.snat = false'
	ok
	add bridge "$BRIDGE" c2
	tcp_answer c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	is "$(ask - tcp 203.0.113.1 8080)" 'web from 203.0.113.1'
	ask_in_vain - tcp 127.0.0.1 8080
}

@test "portmap: with masqAll all source addresses are masqueraded" {
	publish "$WEB" '.masqAll = true'
	ok
	tcp_answer c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 10.1.0.1'
	is "$(ask world tcp 2001:db8:113::1 8080)" 'web from [fd00:0001:0000:0000:0000:0000:0000:0001]'
}

@test "portmap: markMasqBit and externalSetMarkChain let a container reach itself" {
	publish "$WEB" '.markMasqBit = 5'
	ok
	tcp_answer c1 80 web
	ask c1 tcp 203.0.113.1 8080
	unpublish "$WEB"
	del bridge "$BRIDGE"
	publish "$WEB" '.externalSetMarkChain = "mark-it"' c2
	failed 7 'mark-it'
	# A foreign chain that sets the mark, and a rule that masquerades marked packets.
	nft -f - <<'END'
table inet cplug {
	chain mark-it { meta mark set meta mark | 0x4000; }
}
table inet site {
	chain out { type nat hook postrouting priority srcnat + 1; meta mark & 0x4000 == 0x4000 masquerade; }
}
END
	del bridge "$BRIDGE" c2
	publish "$WEB" '.externalSetMarkChain = "mark-it"' c2
	ok
	tcp_answer c2 80 web
	ask c2 tcp 203.0.113.1 8080
	contains "$(nft list ruleset)" '(jump|goto) mark-it'
}

@test "portmap: conditions apply to their network only" {
	local other

	publish "$WEB" '.conditionsV4 = ["ip", "saddr", "!=", "203.0.113.2"]'
	ok
	add bridge "$BRIDGE2" c2
	other=$(with "$PORTMAP" '.name = "net2" | .runtimeConfig.portMappings = [{hostPort: 8081, containerPort: 80, protocol: "tcp"}]')
	cni ADD portmap "$(chained "$other")" c2
	ok
	tcp_answer c1 80 one
	tcp_answer c2 80 two
	ask_in_vain world tcp 203.0.113.1 8080
	is "$(ask world tcp 203.0.113.1 8081)" 'two from 203.0.113.2'
	in_ns world ip address add 203.0.113.9/24 dev eth0
	contains "$(ask - tcp 203.0.113.1 8080)" '^one'
}

@test "portmap: conditionsV4 in iptables syntax; a warning that they do not cover IPv6" {
	publish "$WEB" '.conditionsV4 = ["!", "-s", "203.0.113.2"]'
	contains "$errors" 'conditionsV4 say nothing of IPv6'
	ok
	tcp_answer c1 80 one
	ask_in_vain world tcp 203.0.113.1 8080
	contains "$(ask - tcp 203.0.113.1 8080)" '^one'
}

@test "portmap: an invalid condition is rejected" {
	add bridge "$BRIDGE"
	cni ADD portmap "$(conf "$WEB" '.conditionsV4 = ["phase", "of", "the", "moon"]')"
	failed 7 'conditionsV4'
}

@test "portmap: invalid ports and marks in conditions are rejected" {
	local bad

	add bridge "$BRIDGE"
	before=$output
	for bad in '"--sport", "70000"' '"--sport", "-1"' '"--sport", "9:8"' '"tcp sport 1-x"' \
		'"--mark", "0x1ffffffff"' '"--mark", "1/"' '"meta mark -1"' '"--sport"'; do
		output=$before
		cni ADD portmap "$(conf "$WEB" ".conditionsV4 = [$bad]")"
		failed 7 'conditionsV4: .*expected a (port|mark)'
	done
	output=$before
	cni ADD portmap "$(conf "$WEB" '.conditionsV4 = ["--sport", "1:65535", "--mark", "0x0/0xff"]')"
	ok
	contains "$(nft list table inet cplug)" 'mark & 0x000000ff == 0x0'
}

# ---- ranges ----------------------------------------------------------------

@test "portmap: a port range is published and removed" {
	local range='[{"hostPort":10000,"hostPortEnd":10999,"containerPort":20000,"protocol":"tcp"}]'

	publish "$range"
	ok
	tcp_answer c1 20000 first
	tcp_answer c1 20999 last
	is "$(ask world tcp 203.0.113.1 10000)" 'first from 203.0.113.2'
	is "$(ask world tcp 203.0.113.1 10999)" 'last from 203.0.113.2'
	ask_in_vain world tcp 203.0.113.1 11000
	unpublish "$range"
	ask_in_vain world tcp 203.0.113.1 10000
}

@test "portmap: overlapping ranges and ports conflict" {
	publish '[{"hostPort":10000,"hostPortEnd":10999,"containerPort":20000,"protocol":"tcp"}]'
	ok
	add bridge "$BRIDGE" c2
	answer=$output
	cni ADD portmap "$(conf '[{"hostPort":10500,"containerPort":80,"protocol":"tcp"}]')" c2
	failed 105 'c1'
	output=$answer
	cni ADD portmap "$(conf '[{"hostPort":10900,"hostPortEnd":11100,"containerPort":80,"protocol":"tcp"}]')" c2
	failed 105 'c1'
}

@test "portmap: 200 ports are published and removed" {
	local many

	many=$(jq -nc '[range(1; 201) | {hostPort: (8000 + .), containerPort: (2000 + .), protocol: "tcp"}]')
	publish "$many"
	ok
	tcp_answer c1 2001 first
	tcp_answer c1 2200 last
	is "$(ask world tcp 203.0.113.1 8001)" 'first from 203.0.113.2'
	is "$(ask world tcp 203.0.113.1 8200)" 'last from 203.0.113.2'
	unpublish "$many"
	ask_in_vain world tcp 203.0.113.1 8200
}

# ---- conflicts -------------------------------------------------------------

@test "portmap: ADD with a published port fails, names the owner, and changes nothing" {
	publish "$WEB"
	ok
	add bridge "$BRIDGE" c2
	remember
	cni ADD portmap "$(conf "$WEB")" c2
	failed 105 'c1'
	failed 105 '8080'
	assert_same_snapshot
	tcp_answer c1 80 one
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
}

@test "portmap: onConflict "replace": the new container gets the port, and DEL of the old one leaves it" {
	publish "$WEB"
	ok
	publish "$WEB" '.onConflict = "replace"' c2
	ok
	tcp_answer c1 80 one
	tcp_answer c2 80 two
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
	unpublish "$WEB" . c1
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
	unpublish "$WEB" . c2
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "portmap: onConflict "warn": the old container keeps the port" {
	publish "$WEB"
	ok
	publish "$WEB" '.onConflict = "warn"' c2
	ok
	contains "$errors" 'c1'
	cni CHECK portmap "$(conf "$WEB" '.onConflict = "warn"')" c2
	ok
	tcp_answer c1 80 one
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	unpublish "$WEB" . c2
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
}

@test "portmap: ADD fails if a service of the host has the port" {
	tcp_answer - 8080 host
	publish "$WEB"
	failed 105 '8080'
	is "$(ask world tcp 203.0.113.1 8080)" 'host from 203.0.113.2'
}

@test "portmap: equal mappings count once, contradictory ones are rejected" {
	local of8080='"hostPort":8080,"protocol":"tcp"'

	publish "[{$of8080,\"containerPort\":80},{$of8080,\"containerPort\":80,\"hostIP\":\"0.0.0.0\"}]"
	ok
	unpublish "$WEB"
	publish "[{$of8080,\"containerPort\":80,\"hostIP\":\"0.0.0.0\"},{$of8080,\"containerPort\":80}]" . c2
	ok
	contains "$(nft list map inet cplug ports4)" '8080 .*: 10\.1'
	contains "$(nft list map inet cplug ports6)" '8080 .*: fd00'
	cni ADD portmap "$(conf "[{$of8080,\"containerPort\":80},{$of8080,\"containerPort\":81}]")" c2
	failed 7 'portMappings\[1\].hostPort: 8080/tcp is published by another mapping'
	cni ADD portmap "$(conf '[{"hostPort":80,"hostPortEnd":90},{"hostPort":90,"hostPortEnd":95}]')" c2
	failed 7 'portMappings\[1\].hostPort: 90-95/tcp'
}

# behind ID - prints the result of a plugin that lists no interface of the host
behind() {
	jq -nc --arg id "$1" '{cniVersion: "1.0.0", interfaces: [{name: "eth0", sandbox: "/run/netns/\($id)"}],
		ips: [{address: "10.9.0.\($id[1:])/24", interface: 0}]}'
}

# The plugin before it is another suite's, or macvlan, whose GC knows nothing of nftables.
@test "portmap: GC removes what invalid attachments have, and the table after the last" {
	local gc

	gc=$(with "$PORTMAP" '.cniVersion = "1.1.0"')
	remember
	output=$(behind c1)
	cni ADD portmap "$(conf "$WEB")" c1
	ok
	cni GC portmap "$(with "$gc" '.["cni.dev/valid-attachments"] = [{containerID: "c1", ifname: "eth0"}]')" '' ''
	ok
	cni GC portmap "$gc" '' ''
	ok
	contains "$(nft list map inet cplug ports4)" '10\.9\.0\.1 \. 80'
	# The table stays if another network has something in it.
	cni GC portmap "$(with "$gc" '.name = "net2" | .["cni.dev/valid-attachments"] = []')" '' ''
	ok
	contains "$(nft list map inet cplug ports4)" '10\.9\.0\.1 \. 80'
	cni GC portmap "$(with "$gc" '.["cni.dev/valid-attachments"] = []')" '' ''
	ok
	prints_not 'table inet cplug$' nft list tables
	assert_same_snapshot
}

# No link tells whether the owner lives.
@test "portmap: an owner without an interface on the host keeps its ports until its DEL" {
	output=$(behind c1)
	cni ADD portmap "$(conf "$WEB")" c1
	ok
	output=$(behind c2)
	cni ADD portmap "$(conf "$WEB")" c2
	failed 105 'it belongs to net1/c1/eth0'
	contains "$(nft list map inet cplug ports4)" '10\.9\.0\.1 \. 80'
	unpublish "$WEB"
	output=$(behind c2)
	cni ADD portmap "$(conf "$WEB")" c2
	ok
}

@test "portmap: ADD with the same ports again is no conflict" {
	add bridge "$BRIDGE"
	answer=$output
	cni ADD portmap "$(conf "$WEB")"
	ok
	output=$answer
	cni ADD portmap "$(conf "$WEB")"
	ok
	tcp_answer c1 80 web
	ask world tcp 203.0.113.1 8080
	unpublish "$WEB"
	ask_in_vain world tcp 203.0.113.1 8080
}

# ---- DEL -------------------------------------------------------------------

@test "portmap: DEL works without mappings, prevResult and namespace, and twice" {
	local add

	add bridge "$BRIDGE"
	add=$(conf "$WEB")
	add portmap "$add"
	unpublish "$WEB"
	remember
	add portmap "$add"
	assert_other_snapshot
	del portmap "$PORTMAP"
	assert_same_snapshot
	add portmap "$add"
	del portmap "$PORTMAP" c1 ''
	assert_same_snapshot
	del portmap "$PORTMAP" c1 ''
	assert_same_snapshot
}

@test "portmap: DEL of one network leaves the ports of another network of the container" {
	local other

	publish "$WEB"
	ok
	add bridge "$BRIDGE2" c1 c1 eth1
	other=$(with "$PORTMAP" '.name = "net2" | .runtimeConfig.portMappings = [{hostPort: 8081, containerPort: 80, protocol: "tcp"}]')
	cni ADD portmap "$(chained "$other")" c1 c1 eth1
	ok
	tcp_answer c1 80 web
	ask - tcp 203.0.113.1 8081
	unpublish "$WEB"
	ask - tcp 203.0.113.1 8081
	ask_in_vain - tcp 203.0.113.1 8080
	del portmap "$other" c1 c1 eth1
	ask_in_vain - tcp 203.0.113.1 8081
}

@test "portmap: DEL of one interface leaves the ports of the other one in the same network" {
	publish "$WEB"
	ok
	add bridge "$(with "$BRIDGE" '.isDefaultGateway = false')" c1 c1 eth1
	cni ADD portmap "$(conf '[{"hostPort":8081,"containerPort":81,"protocol":"tcp"}]')" c1 c1 eth1
	ok
	tcp_answer c1 80 one
	tcp_answer c1 81 two
	ask - tcp 203.0.113.1 8081
	del portmap "$PORTMAP" c1 c1 eth1
	ask - tcp 203.0.113.1 8080
	ask_in_vain - tcp 203.0.113.1 8081
}

@test "portmap: DEL works after nft flush ruleset" {
	publish "$WEB"
	ok
	contains "$(nft list ruleset)" 8080
	nft flush ruleset
	unpublish "$WEB"
}

# ---- CHECK -----------------------------------------------------------------

@test "portmap: CHECK succeeds, and fails after a mapping was removed" {
	local check

	publish "$WEB"
	ok
	check=$(conf "$WEB")
	cni CHECK portmap "$check"
	ok
	is "$output" ''
	unpublish "$WEB"
	cni CHECK portmap "$check"
	failed '' '8080'
}

@test "portmap: CHECK reports a mapping of another container, and a flushed ruleset" {
	local check

	publish "$WEB"
	ok
	check=$(conf "$WEB")
	publish "$WEB" '.onConflict = "replace"' c2
	cni CHECK portmap "$check"
	failed '' 'c2'
	nft flush ruleset
	cni CHECK portmap "$check"
	failed
}

@test "portmap: route_localnet is on only while a port is published" {
	publish "$WEB"
	ok
	unpublish "$WEB"
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
	publish "$WEB" . c2
	ok
	tcp_answer c2 80 web
	ask - tcp 127.0.0.1 8080
	unpublish "$WEB" . c2
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
}

@test "portmap: a foreign element in the port map is a conflict" {
	publish "$WEB"
	ok
	unpublish "$WEB"
	nft add element inet cplug ports4 '{ tcp . 8080 comment "kept for the printer server" : 10.1.0.99 . 80 }'
	publish "$WEB" . c2
	failed 105 'host port 8080/tcp'
}
