#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Packets that belong to no connection leave the host with the container's address.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
WORLD4=203.0.113.2 WORLD6='[2001:db8:113::2]'

# The world counts packets with private source addresses, and c1 counts the resets it sends.
prepare() {
	world
	new_netns c1
	in_ns world nft -f - <<-'END'
		table inet sniffer {
			counter private { }
			chain in {
				type filter hook prerouting priority raw;
				ip saddr 10.0.0.0/8 counter name private
				ip6 saddr fd00::/16 tcp flags & rst == rst counter name private
			}
		}
	END
	in_ns c1 nft -f - <<-'END'
		table inet said {
			counter resets { }
			chain out { type filter hook output priority filter; tcp flags & rst == rst counter name resets; }
		}
	END
	tcp_answer world 7000 outside
	serve world 7001 "cat"
}

# counter NS NAME - prints the number of packets
counter() {
	in_ns "$1" nft -j list counters | jq --arg name "$2" '[.nftables[].counter? // empty | select(.name == $name).packets] | add'
}

# stray ADDRESS - opens a connection, deletes its conntrack entry, and lets the container abort it
stray() {
	local before pid

	before=$(counter c1 resets)
	# Not through in_ns: $! must be socat's PID, not a shell's.
	nsenter --net=/run/netns/c1 socat "TCP:$1:7001,linger=0" PIPE 3>&- 4>&- &
	pid=$!
	wait_for "a connection" in_ns c1 bash -c 'ss -Hnt state established "dport = :7001" | grep -q .'
	wait_for "its flow" bash -c 'conntrack -L -p tcp --orig-port-dst 7001; conntrack -L -f ipv6 -p tcp --orig-port-dst 7001'
	conntrack -D -p tcp --orig-port-dst 7001 >/dev/null 2>&1 || conntrack -D -f ipv6 -p tcp --orig-port-dst 7001 >/dev/null 2>&1
	kill -KILL $pid
	wait $pid 2>/dev/null || :
	wait_for "a reset" aborted "$before"
	# Packets arrive in order: after this ping the world has counted the reset.
	sees c1 "$WORLD4"
}

aborted() {
	(($(counter c1 resets) > $1))
}

@test "untranslated packets: resets of connections without conntrack entry do not leave the host" {
	add bridge "$CONF"
	stray $WORLD4
	stray "$WORLD6"
	is "$(counter world private)" 0
	is "$(ask c1 tcp $WORLD4 7000)" 'outside from 203.0.113.1'
	is "$(counter world private)" 0
}

@test "untranslated packets: later packets of such a connection do not leave the host" {
	add bridge "$CONF"
	# Do not track connections from the middle.
	sysctl_set net/netfilter/nf_conntrack_tcp_loose 0
	{ echo one && sleep 1 && echo two && sleep 1; } |
		in_ns c1 socat - "TCP:$WORLD4:7001" >"$BATS_TEST_TMPDIR/echo" 3>&- 4>&- &
	wait_for "an answer" grep -q one "$BATS_TEST_TMPDIR/echo"
	conntrack -D -p tcp --orig-port-dst 7001 >/dev/null 2>&1
	wait "$!" || :
	is "$(counter world private)" 0
}

@test "untranslated packets: with dropInvalid false the packets leave the host, of that network only" {
	add bridge "$(with "$CONF" '.ipMasq = {dropInvalid: false}')"
	stray $WORLD4
	is "$(counter world private)" 1
	stray "$WORLD6"
	is "$(counter world private)" 2
	# Another network with dropInvalid does not matter.
	new_netns c2
	add bridge "$(with "$CONF" '.name = "net2" | .bridge = "br2" | .ipam.ranges = [[{subnet: "10.2.0.0/24"}]]')" c2
	in_ns world nft reset counters >/dev/null
	del bridge "$(with "$CONF" '.ipMasq = {dropInvalid: false}')" c1
	add bridge "$CONF" c1
	stray $WORLD4
	is "$(counter world private)" 0
}

@test "untranslated packets: without ipMasq the packets are not dropped" {
	add bridge "$(with "$CONF" '.ipMasq = false')"
	in_ns world ip route add 10.1.0.0/24 via 203.0.113.1
	# Without a ct expression connections are not tracked, and no packet is invalid.
	nft -f - <<-'END'
		table inet site { chain forward { type filter hook forward priority 0; ct state invalid counter; }; }
	END
	stray $WORLD4
	(($(counter world private) > 0))
}
