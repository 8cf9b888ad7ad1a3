#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool publish, unpublish: ports of a living attachment
# shellcheck disable=SC2030,SC2031 # each test is a process
load lib
load cnitool

BRIDGE='"type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}'
PORTMAP='{"type":"portmap","capabilities":{"portMappings":true}}'

prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"plugins\":[{$BRIDGE},$PORTMAP]}"
}

# alone - lets the bridge plugin publish the ports of net1
alone() {
	net "{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"plugins\":[{$BRIDGE,\"ipMasq\":true,\"capabilities\":{\"portMappings\":true}}]}"
}

# cached - prints net1's cached mappings: "IP HOST-END CONTAINER PROTOCOL", sorted
cached() {
	jq -r '.capabilityArgs.portMappings // [] | map("\(.hostIP // "*") \(.hostPort)-\(.hostPortEnd // .hostPort) " +
		"\(.containerPort) \(.protocol)") | sort[]' /var/lib/cni/results/net1-*
}

# refuses STATUS TEXT ARGUMENT... - the command fails with this sentence, and nothing is changed
refuses() {
	local want=$1 text=$2

	shift 2
	cached >"$BATS_TEST_TMPDIR/cached"
	remember
	tool "$@"
	is "$status" "$want"
	contains "$errors" "$text"
	is "$(wc -l <<<"$errors")" 1
	assert_same_snapshot
	is "$(cached)" "$(<"$BATS_TEST_TMPDIR/cached")"
}

# publishes - what both ways of publishing have to do
publishes() {
	world
	plug warmup -p 9999:9
	tool del net1 warmup
	ok
	del_netns warmup
	new_netns c1
	remember
	tool add --quiet net1 c1
	ok
	tcp_answer c1 80 web
	tcp_answer c1 81 other
	udp_answer c1 53 dns
	ask_in_vain world tcp 203.0.113.1 8080
	tool publish net1 c1 8080:80
	ok
	is "$output$errors" ''
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	ask world tcp 2001:db8:113::1 8080
	ask - tcp 127.0.0.1 8080
	tool publish --json net1 /run/netns/c1 203.0.113.1:8081:81 5353:53/udp '[2001:db8:113::1]:8082:81/tcp' 9000-9002:80-82
	ok
	has '.network == "net1" and .ifname == "eth0" and (.portMappings | length == 7) and
		.portMappings[1] == {hostIP: "203.0.113.1", hostPort: 8081, containerPort: 81, protocol: "tcp"}'
	is "$(ask world tcp 203.0.113.1 8081)" 'other from 203.0.113.2'
	is "$(ask world tcp 203.0.113.1 9001)" 'other from 203.0.113.2'
	ask world tcp 2001:db8:113::1 8082
	is "$(ask world udp 203.0.113.1 5353)" 'dns from 203.0.113.2'
	# The same again is done already.
	tool publish net1 c1 5353:53/udp
	ok
	tool check net1 c1
	ok
	nft flush ruleset
	tool restore
	ok
	is "$(ask world tcp 203.0.113.1 8081)" 'other from 203.0.113.2'
	is "$(ask world udp 203.0.113.1 5353)" 'dns from 203.0.113.2'
	tool unpublish net1 c1 8081 5353/udp 9000-9002
	ok
	is "$output$errors" ''
	ask_in_vain world tcp 203.0.113.1 8081
	ask_in_vain world tcp 203.0.113.1 9001
	ask_in_vain world udp 203.0.113.1 5353
	ask world tcp 203.0.113.1 8080
	ask world tcp 2001:db8:113::1 8082
	is "$(cached)" '* 8080-8080 80 tcp
2001:db8:113::1 8082-8082 81 tcp'
	tool check net1 c1
	ok
	tool gc
	ok
	ask world tcp 203.0.113.1 8080
	tool unpublish net1 c1 8080 '[2001:db8:113::1]:8082'
	ok
	is "$(cached)" ''
	ask_in_vain world tcp 203.0.113.1 8080
	run ! grep -q 8080 <(nft list ruleset)
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 0
	tool check net1 c1
	ok
	tool publish net1 c1 8080:80
	ok
	ask - tcp 127.0.0.1 8080
	tool del net1 c1
	ok
	assert_same_snapshot
}

@test "cnitool publish: portmap's ports come and go while the container lives" {
	publishes
}

@test "cnitool publish: the ports of a bridge that publishes them itself" {
	alone
	publishes
}

@test "cnitool publish: connections and datagrams go on, and only those of the port end with it" {
	local i line

	world
	plug c1 -p 8080:80 -p 8090:90
	serve c1 80 cat
	serve c1 90 cat
	serve c1 91 cat
	coproc FIRST { in_ns world socat - TCP:203.0.113.1:8080 2>/dev/null 3>&-; }
	echo one >&"${FIRST[1]}"
	read -r -t "$RIG_DEADLINE" line <&"${FIRST[0]}"
	is "$line" one
	in_ns c1 ping -q -i 0.005 -c 400 10.1.0.1 >"$BATS_TEST_TMPDIR/ping" 3>&- &
	for ((i = 1; i <= 10; i++)); do
		tool publish net1 c1 "$((9000 + i)):91"
		ok
		tool unpublish net1 c1 "$((9000 + i))"
		ok
		echo "$i" >&"${FIRST[1]}"
		read -r -t "$RIG_DEADLINE" line <&"${FIRST[0]}"
		is "$line" "$i"
	done
	wait $!
	contains "$(cat "$BATS_TEST_TMPDIR/ping")" '400 packets transmitted, 400 received'
	# Of two connections, that of the port which goes ends: its flow is forgotten.
	contains "$(conntrack -L -p tcp --dport 8080 2>/dev/null)" 'ESTABLISHED'
	tool unpublish net1 c1 8090
	ok
	contains "$(conntrack -L -p tcp --dport 8080 2>/dev/null)" 'ESTABLISHED'
	tool unpublish net1 c1 8080
	ok
	is "$(conntrack -L -p tcp --dport 8080 2>/dev/null)" ''
	kill "$FIRST_PID"
}

@test "cnitool publish: what does not fit is told in a sentence, and nothing is changed" {
	plug c1 -p 8080:80
	plug c2 -p 7000:70
	tool del net1 c2
	ok
	net '{"cniVersion":"1.0.0","name":"net2","plugins":[{"type":"bridge","bridge":"br2","ipMasq":true,
		"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}]}' 20-net
	net '{"cniVersion":"1.0.0","name":"net3","plugins":[{"type":"bridge","bridge":"br3","capabilities":{"portMappings":true}}]}' 30-net
	net '{"cniVersion":"1.0.0","name":"net4","plugins":[{"type":"bridge","bridge":"br4","ipam":{"type":"host-local","subnet":"10.4.0.0/24"}}]}' 40-net
	new_netns c3
	refuses 1 'c3 has no interface on network "net1": see cnitool list' publish net1 c3 8081:80
	for spec in 0:80 8081:0 8081 8081: :80 65536:80 8081:80/icmp 8081:80/ 8081-8080:80-81 8081-8082:80 x:80 300.0.0.1:8081:80; do
		refuses 2 "publish $spec: (expected|the two ranges)" publish net1 c1 "$spec"
	done
	for spec in 0 x 8080/ 8080/icmp 8080-8079 8080:80 300.0.0.1:8080; do
		refuses 2 "unpublish $spec: expected" unpublish net1 c1 "$spec"
	done
	refuses 2 'publish: expected NET NETNS' publish net1 c1
	refuses 1 'host port 8080/tcp leads to port 80 of this container already \(unpublish it first' publish net1 c1 8081:81 8080:81
	refuses 1 '8083/tcp is published by another mapping of the list already' publish net1 c1 8083:81 8083:82
	refuses 1 '8080/udp is not published by eth0 on network "net1" \(cnitool inspect tells what is\)' unpublish net1 c1 8080/udp
	refuses 1 '10.9.9.9 port 8080/tcp is not published' unpublish net1 c1 10.9.9.9:8080
	refuses 1 '8081/tcp is not published' unpublish net1 c1 8080-8081
	tool add --quiet net2 c3
	ok
	refuses 1 'publish host port 8080/tcp: it belongs to net1/.*/eth0' publish net2 c3 8081:80 8080:80
	tool add --quiet net3 c3 -i eth1
	ok
	refuses 1 'eth1 has no address on network "net3", so no port can lead to it' publish net3 c3 8081:80
	tool add --quiet net4 c3 -i eth2
	ok
	refuses 1 'publish cannot be honoured: no plugin of network "net4" declares the capability portMappings' publish net4 c3 8081:80
	# The host has a service there.
	socat TCP4-LISTEN:8085,fork,reuseaddr - 3>&- &
	wait_for "the host's service" grep -q :1F95 /proc/net/tcp
	refuses 1 'failed \(publish\): .*publish host port 8085/tcp: the host listens there' publish net1 c1 8085:80
	kill $!
	# The plugin is not there.
	mkdir "$BATS_TEST_TMPDIR/none"
	refuses 1 'the portmap plugin of network "net1" is not cplug' publish net1 c1 8086:80 --cni-path "$BATS_TEST_TMPDIR/none"
	# The namespace is gone.
	end_netns c1
	refuses 1 'the network namespace of eth0 on network "net1" is gone: cnitool gc removes' publish net1 c1 8086:80
	refuses 1 'the network namespace of eth0 on network "net1" is gone: cnitool gc removes' unpublish net1 c1 8080
}

@test "cnitool publish: a mapping of a range goes as a whole" {
	world
	new_netns c1
	tool add --quiet net1 c1 --cap-args '{"portMappings":[{"hostPort":10000,"hostPortEnd":10999,"containerPort":10000,"protocol":"udp"}]}'
	ok
	refuses 1 'unpublish 10500/udp: it is part of 10000-10999/udp, which can only be unpublished as a whole' unpublish net1 c1 10500/udp
	refuses 1 'host port 10000-10999/udp leads to port 10000 of this container already' publish net1 c1 10500:53/udp
	tool publish net1 c1 10500:10500/udp 53:10500/udp
	ok
	udp_answer c1 10500 range
	is "$(ask world udp 203.0.113.1 53)" 'range from 203.0.113.2'
	is "$(ask world udp 203.0.113.1 10500)" 'range from 203.0.113.2'
	tool unpublish net1 c1 10000-10999/udp
	ok
	is "$(cached)" '* 53-53 10500 udp'
	is "$(ask world udp 203.0.113.1 53)" 'range from 203.0.113.2'
	ask_in_vain world udp 203.0.113.1 10500
	tool check net1 c1
	ok
}

@test "cnitool publish: many ports, whose index needs several elements, and back" {
	plug c1
	tool publish net1 c1 20000-20199:1000-1199 8080:80
	ok
	tool check net1 c1
	ok
	tool unpublish net1 c1 20000-20199
	ok
	is "$(cached)" '* 8080-8080 80 tcp'
	tool check net1 c1
	ok
	is "$(nft -j list set inet cplug attachments | jq '[.nftables[].set.elem // empty | .[]] | length')" 1
	tool publish net1 c1 20000-20199:1000-1199
	ok
	tool check net1 c1
	ok
	tool del net1 c1
	ok
	is "$(nft -j list set inet cplug attachments | jq '[.nftables[].set.elem // empty | .[]] | length')" 0
}

@test "cnitool publish: several at the same time lose none" {
	local i pids=()

	plug c1
	for ((i = 0; i < 12; i++)); do
		"$CPLUG_BIN/cnitool" publish net1 c1 "$((8000 + i)):80" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	is "$(cached | wc -l)" 12
	tool check net1 c1
	ok
}

# sweep VERB PORTS BEFORE AFTER - kills the command after each change; BEFORE and AFTER: cached ports
sweep() {
	local n steps=1 did

	for ((n = 1; n <= steps; n++)); do
		plug c1 -p 8080:80 -p 5353:53/udp
		# A flow, so that unpublish has to forget it.
		in_ns world socat -t 0.1 - UDP:203.0.113.1:5353 <<<question >/dev/null 2>&1 3>&- || :
		killed "$n" "$1" net1 c1 "${@:4}"
		if ((status == 137)); then
			steps=$((n + 1))
			[[ $(cached) == "$2" || $(cached) == "$3" ]] || fail "step $n: $(cached)"
		else
			is "$status" 0
			is "$(cached)" "$3"
		fi
		did=yes
		[[ $(cached) != "$2" ]] || did=''
		settle "$n" "$did" "$1" net1 c1 "${@:4}"
		((n % 3 != 1)) || is "$(cached)" "$3"
		tool del net1 c1
		ok
		del_netns c1
		assert_same_snapshot
	done
	((n > 3)) || fail "only $n steps: $(cat "$BATS_TEST_TMPDIR/steps")"
}

@test "cnitool publish: killed at any change, it loses nothing and leaves nothing" {
	local both='* 5353-5353 53 udp
* 8080-8080 80 tcp'

	can_kill
	world
	plug warmup -p 9999:9
	tool del net1 warmup
	del_netns warmup
	remember
	sweep publish "$both" "$both
* 8081-8081 80 tcp" 8081:80
	sweep unpublish "$both" '* 8080-8080 80 tcp' 5353/udp
	sweep unpublish "$both" '' 5353/udp 8080
}

# published - prints how many elements lead to the container
published() {
	nft -j list table inet cplug | jq '[.nftables[].map? | select(. != null and (.name | test("^ports[46]"))) | .elem // [] | length] | add'
}

@test "cnitool publish: as many ports as a list may have, all or none; CHECK, repair and restore of them" {
	local n=${PORTS_MAX-20000}

	plug c1
	tool publish net1 c1 "1-$n:1-$n"
	ok
	is "$(published)" $((2 * n))
	tool check net1 c1
	ok
	nft flush map inet cplug ports4
	tool check --repair net1 c1
	ok
	is "$(published)" $((2 * n))
	nft delete table inet cplug
	tool restore
	ok
	is "$(published)" $((2 * n))
	refuses 1 'too long' publish net1 c1 60081:80
	is "$(published)" $((2 * n))
	tool unpublish net1 c1 "1-$((n - 1))"
	ok
	is "$(published)" 2
	tool publish net1 c1 "1-$((n - 1)):1-$((n - 1))"
	ok
	# A failure after the change gives everything back.
	remember
	CNI_TEST_FAIL_AT=1 tool unpublish net1 c1 "1-$((n - 1))"
	((status == 1))
	assert_same_snapshot
	tool del net1 c1
	ok
}
