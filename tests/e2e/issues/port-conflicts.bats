#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A host port that another container or a host service already uses.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
OTHER='{"cniVersion":"1.0.0","name":"net2","type":"bridge","bridge":"br2","isDefaultGateway":true,
	"capabilities":{"portMappings":true},"ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}'
WEB='{hostPort: 8080, containerPort: 80, protocol: "tcp"}'

ALLOW='{"replaceAcrossNetworks":true}'

prepare() {
	world
	new_netns c1 c2
}

# publishing CONF MAPPINGS [FILTER] - prints CONF with MAPPINGS, changed by FILTER (jq)
publishing() {
	with "$1" ".runtimeConfig.portMappings = [$2] | ${3-.}"
}

@test "port conflicts: ADD fails and names the owner if a container of another network has the port" {
	local second

	add bridge "$(publishing "$CONF" "$WEB")" c1
	tcp_answer c1 80 one
	warm_up bridge "$OTHER"
	second=$(publishing "$OTHER" "$WEB")
	remember
	cni ADD bridge "$second" c2
	failed 105 'host port 8080/tcp: it belongs to net1/c1/eth0 .*(choose another port|onConflict)'
	assert_same_snapshot
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	# After DEL of the owner the port is free.
	del bridge "$(publishing "$CONF" "$WEB")" c1
	add bridge "$second" c2
	tcp_answer c2 80 two
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
}

@test "port conflicts: with onConflict "warn" the owner keeps the port, with "replace" it loses it" {
	local warn replace

	add bridge "$(publishing "$CONF" "$WEB")" c1
	tcp_answer c1 80 one
	warn=$(publishing "$OTHER" "$WEB" '.onConflict = "warn"')
	add bridge "$warn" c2
	tcp_answer c2 80 two
	contains "$errors" '8080/tcp.*net1/c1/eth0'
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	del bridge "$warn" c2
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	replace=$(publishing "$OTHER" "$WEB" '.onConflict = "replace"')
	# The port belongs to another network: the host must allow it.
	cni ADD bridge "$replace" c2
	failed 105 'belongs to net1/c1/eth0 .*replaceAcrossNetworks in /etc/cplug/cplug.conf'
	is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	host_allows "$ALLOW"
	add bridge "$replace" c2
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
	# net2 has no IPv6, so c1 keeps the port there.
	contains "$(ask world tcp 2001:db8:113::1 8080)" '^one from'
	del bridge "$(publishing "$CONF" "$WEB")" c1
	is "$(ask world tcp 203.0.113.1 8080)" 'two from 203.0.113.2'
}

@test "port conflicts: a failed ADD with onConflict "replace" returns the port to its owner" {
	local at replace

	add bridge "$(publishing "$CONF" "$WEB")" c1
	tcp_answer c1 80 one
	replace=$(publishing "$OTHER" "$WEB" '.onConflict = "replace"')
	host_allows "$ALLOW"
	for ((at = 1; ; at++)); do
		CNI_TEST_FAIL_AT=$at cni ADD bridge "$replace" c2
		((status)) || break
		failed 111
		is "$(ask world tcp 203.0.113.1 8080)" 'one from 203.0.113.2'
	done
	((at > 3))
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "port conflicts: "replace" takes neither a range that contains another network's port, nor a port of its range" {
	local mapping='{hostPort: 8000, hostPortEnd: 8100, containerPort: 8000, protocol: "tcp"}'

	add bridge "$(publishing "$CONF" "$WEB, {hostPort: 9000, hostPortEnd: 9100, containerPort: 9000, protocol: \"tcp\"}")" c1
	for mapping in "$mapping" '{hostPort: 9050, containerPort: 80, protocol: "tcp"}'; do
		cni ADD bridge "$(publishing "$OTHER" "$mapping" '.onConflict = "replace"')" c2
		failed 105 'belongs to net1/c1/eth0 .*replaceAcrossNetworks'
	done
	# A network whose name begins like the owner's is another network.
	cni ADD bridge "$(publishing "$OTHER" "$WEB" '.onConflict = "replace" | .name = "net"')" c2
	failed 105 'belongs to net1/c1/eth0'
	# An element that no attachment owns.
	del bridge "$CONF" c1
	nft add element inet cplug ports4 '{ tcp . 8080 comment "mine" : 192.0.2.1 . 80 }'
	cni ADD bridge "$(publishing "$OTHER" "$WEB" '.onConflict = "replace"')" c2
	failed 105 'an unknown owner'
}

# a_service PROTOCOL - asserts that a host service stays reachable unless onConflict is "replace"
a_service() {
	local web policy server=socat

	[[ $1 != udp ]] || server=udp_server
	web=$(publishing "$CONF" "{hostPort: 2222, containerPort: 22, protocol: \"$1\"}")
	warm_up bridge "$CONF"
	"$1_answer" - 2222 daemon
	remember
	cni ADD bridge "$web"
	failed 105 "host port 2222/$1: the host listens there: $1 0\\.0\\.0\\.0:2222, .*process [0-9]+ \\($server"
	assert_same_snapshot
	is "$(ask world "$1" 203.0.113.1 2222)" 'daemon from 203.0.113.2'
	# With onConflict, if the host allows it.
	for policy in warn replace; do
		cni ADD bridge "$(with "$web" ".onConflict = \"$policy\"")"
		failed 105 "2222/$1: the host listens there.*replaceAcrossNetworks"
		is "$(ask world "$1" 203.0.113.1 2222)" 'daemon from 203.0.113.2'
	done
	host_allows "$ALLOW"
	add bridge "$(with "$web" '.onConflict = "warn"')"
	contains "$errors" "2222/$1: .*$server.*will not be reachable from outside"
	del bridge "$web"
	add bridge "$(with "$web" '.onConflict = "replace"')"
	"$1_answer" c1 22 inside
	is "$(ask world "$1" 203.0.113.1 2222)" 'inside from 203.0.113.2'
	del bridge "$web"
	is "$(ask world "$1" 203.0.113.1 2222)" 'daemon from 203.0.113.2'
}
@test "port conflicts: ADD fails if a TCP service of the host has the port, which onConflict overrides" { a_service tcp; }
@test "port conflicts: ADD fails if a UDP service of the host has the port, which onConflict overrides" { a_service udp; }

# of_nobody ADDRESS... - sockets of an unprivileged user, who is not root of this namespace either
of_nobody() {
	local address

	setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null || skip "there is one user only"
	for address; do
		setpriv --reuid=65534 --regid=65534 --clear-groups socat -u "$address" OPEN:/dev/null 3>&- 4>&- &
	done
	wait_for "the sockets" eval "((\$(ss -Hnltu | wc -l) >= $#))"
}

@test "port conflicts: an unprivileged user's socket is no conflict, unless it has the mapping's address" {
	local mapping

	of_nobody UDP4-RECV:15353,bind=127.0.0.1 UDP4-RECV:15354 TCP4-LISTEN:18080 'TCP6-LISTEN:18081,ipv6only=0' \
		UDP4-RECV:15355,bind=203.0.113.1
	for mapping in 15353/udp 15354/udp 18080/tcp 18081/tcp 15355/udp; do
		add bridge "$(publishing "$CONF" "{hostPort: ${mapping%/*}, containerPort: 80, protocol: \"${mapping#*/}\"}")"
		contains "$errors" "$mapping: .*uid 65534.*will not be reachable"
		del bridge "$CONF"
	done
	# Really the same address.
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 15355, containerPort: 80, protocol: "udp", hostIP: "203.0.113.1"}')"
	failed 105 'udp 203\.0\.113\.1:15355'
	# A socket of root at the same port counts, whichever is found first.
	socat -u UDP4-RECV:15353,bind=127.0.0.2 OPEN:/dev/null 3>&- 4>&- &
	wait_for "the socket" eval 'ss -Hnlu | grep -q 127.0.0.2:15353'
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 15353, containerPort: 80, protocol: "udp"}')"
	failed 105 'udp 127\.0\.0\.2:15353, .*uid 0'
}

@test "port conflicts: a user with many sockets does not make ADD print many warnings" {
	local port

	# shellcheck disable=SC2046 # words
	of_nobody $(for port in {20000..20019}; do echo "UDP4-RECV:$port,bind=127.0.0.1"; done)
	add bridge "$(publishing "$CONF" '{hostPort: 20000, hostPortEnd: 20999, containerPort: 20000, protocol: "udp"}')"
	is "$(grep -c 'will not be reachable' <<<"$errors")" 9
	contains "$errors" '12 more sockets'
}

# named NAME COMMAND... - starts the command in the background, with a socat whose process has the name
named() {
	local name=$BATS_TEST_TMPDIR/$1

	chmod 711 "$BATS_TEST_TMPDIR"
	install -m 755 "$(command -v socat)" "$name"
	"${@:2:$#-3}" "$name" -u "${@: -2:1}" OPEN:/dev/null 3>&- 4>&- &
	wait_for "the socket of $1" eval "ss -Hnltu | grep -Fq '${*: -1}'"
}

NOBODY=(setpriv --reuid=65534 --regid=65534 --clear-groups)

@test "port conflicts: a user's descriptors do not hide that podman holds the port for the container" {
	local limit

	"${NOBODY[@]}" true 2>/dev/null || skip "there is one user only"
	limit=$(ulimit -Hn)
	[[ $limit = unlimited ]] || ((limit >= 4096)) || skip "a process may open $limit files only"
	# Before podman, so that their process IDs are lower.
	# shellcheck disable=SC2016 # for the other bash
	"${NOBODY[@]}" bash -c 'ulimit -Sn "$(ulimit -Hn)"
		hoard() {
			for ((i = 0; i < 60000; i++)); do exec {fd}<&0 || break; done 2>/dev/null
			echo hoarder >/proc/self/comm
			sleep 100
		}
		for ((left = 60000; left > 0; left -= 4000)); do
			hoard &
			[[ $(ulimit -n) != unlimited ]] && (($(ulimit -n) < 60000)) || break
		done
		wait' </dev/null >/dev/null 3>&- 4>&- &
	wait_for "60,000 descriptors" eval 'grep -lx hoarder /proc/[0-9]*/comm | grep -q .'
	named podman TCP4-LISTEN:18080,fork 0.0.0.0:18080
	add bridge "$(publishing "$CONF" '{hostPort: 18080, containerPort: 80, protocol: "tcp"}')"
	contains_not "$errors" 18080
}

@test "port conflicts: a process that a user calls conmon neither holds a port nor hides root's service" {
	local mapping='{hostPort: 15353, containerPort: 80, protocol: "udp", hostIP: "203.0.113.1"}'

	"${NOBODY[@]}" true 2>/dev/null || skip "there is one user only"
	named conmon "${NOBODY[@]}" UDP4-RECV:15353,bind=203.0.113.1,reuseaddr 203.0.113.1:15353
	cni ADD bridge "$(publishing "$CONF" "$mapping")"
	failed 105 'udp 203\.0\.113\.1:15353, .*uid 65534, process [0-9]+ \(conmon\)'
	named service UDP4-RECV:15353,reuseaddr 0.0.0.0:15353
	cni ADD bridge "$(publishing "$CONF" "$mapping")"
	failed 105 'udp 0\.0\.0\.0:15353, .*uid 0, process [0-9]+ \(service\)'
}

@test "port conflicts: descriptors of a container's root, which calls itself conmon, are not read" {
	can_trace || skip "strace cannot trace"
	no_leak_check
	new_netns other
	# Root of a container without a user namespace is root in the host's /proc.
	# shellcheck disable=SC2016 # for the other bash
	in_ns other bash -c 'printf conmon >/proc/$$/comm; sleep 100; :' </dev/null >/dev/null 3>&- 4>&- &
	wait_for "conmon" eval 'grep -lx conmon /proc/[0-9]*/comm | grep -q .'
	named podman TCP4-LISTEN:18080,fork 0.0.0.0:18080
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -f -qq -o "$BATS_TEST_TMPDIR/opened" -e trace=openat "$CPLUG_BIN/bridge" \
		<<<"$(publishing "$CONF" '{hostPort: 18080, containerPort: 80, protocol: "tcp"}')" >/dev/null
	grep -q '"[0-9]*/fd"' "$BATS_TEST_TMPDIR/opened"
	! grep -q "\"$(grep -lx conmon /proc/[0-9]*/comm | cut -d/ -f3)/fd\"" "$BATS_TEST_TMPDIR/opened" ||
		fail "conmon's descriptors were read"
}

@test "port conflicts: a port that podman holds does not hide a service of root at another address" {
	named podman TCP4-LISTEN:18080,bind=127.0.0.1,fork 127.0.0.1:18080
	named service TCP4-LISTEN:18080,bind=127.0.0.2,fork 127.0.0.2:18080
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 18080, containerPort: 80, protocol: "tcp"}')"
	failed 105 'tcp 127\.0\.0\.2:18080, .*\(service\)'
}

@test "port conflicts: a socket at a privileged port is a conflict, of every user" {
	of_nobody UDP4-RECV:15353
	sysctl_set net/ipv4/ip_unprivileged_port_start 16000
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 15353, containerPort: 80, protocol: "udp"}')"
	failed 105 'uid 65534'
}

services() {
	(($(ss -Hnltu | wc -l) == 3))
}

@test "port conflicts: a host service at another address, family or protocol is no conflict" {
	socat TCP4-LISTEN:8080,bind=203.0.113.1,fork SYSTEM:'echo host' 3>&- 4>&- &
	socat TCP6-LISTEN:8081,ipv6only=1,fork SYSTEM:'echo host' 3>&- 4>&- &
	socat UDP4-RECVFROM:8082,fork SYSTEM:'echo host' 3>&- 4>&- &
	wait_for "the services" services
	add bridge "$(publishing "$CONF" '{hostPort: 8080, containerPort: 80, hostIP: "127.0.0.1"},
		{hostPort: 8081, containerPort: 80, hostIP: "0.0.0.0"}, {hostPort: 8082, containerPort: 80}')"
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 8080, containerPort: 80, hostIP: "203.0.113.1"}')" c2
	failed 105 'tcp 203\.0\.113\.1:8080'
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 8081, containerPort: 80, hostIP: "::"}')" c2
	failed 105 'tcp \[::\]:8081'
}

@test "port conflicts: an attachment whose key is a neighbour's does not replace the neighbour's index" {
	local key port

	warm_up bridge "$(publishing "$CONF" "$WEB")"
	add bridge "$CONF" c1
	key=$(host_end)
	port=$(chained "$(publishing "$CONF" "$WEB" '.type = "portmap" | del(.ipam)')")
	# A collision of 44 bits, forced: the neighbour has c1's key.
	nft add element inet cplug attachments "{ \"$key\" . 0x70000000 comment \"$key net9/other/eth0\" }"
	cni ADD portmap "$port" c1
	failed 102 "index key $key belongs to net9/other/eth0"
	contains "$(nft list set inet cplug attachments)" "$key net9/other/eth0"
	contains_not "$(nft list map inet cplug ports4)" 8080
	# DEL and a second ADD after the neighbour has gone.
	del portmap "$port" c1
	contains "$(nft list set inet cplug attachments)" "$key net9/other/eth0"
	nft delete element inet cplug attachments "{ \"$key\" . 0x70000000 }"
	add portmap "$port" c1
}

# The ids were searched for: name_owner() gives both attachments of net1 the same key.
@test "port conflicts: an attachment whose name was searched for takes nothing from its neighbour" {
	local victim=x53479 searched=x4465312 conf prev port

	warm_up bridge "$(publishing "$CONF" "$WEB")"
	conf=$(publishing "$CONF" "$WEB")
	add bridge "$conf" $victim c1
	is "$(host_end)" veth50718582004
	prev=$(chained "$conf")
	tcp_answer c1 80 one
	remember
	cni ADD bridge "$(publishing "$CONF" '{hostPort: 8081, containerPort: 80}')" $searched c2
	failed 102 "veth50718582004: the name is in use by cplug net1/$victim/eth0"
	assert_same_snapshot
	port=$(with "$prev" '.type = "portmap" | del(.ipam) | .runtimeConfig.portMappings[0].hostPort = 8082 |
		.prevResult.ips = [{address: "10.1.0.99/24", gateway: "10.1.0.1"}]')
	cni ADD portmap "$port" $searched c2
	ok # it is alone with its kind of elements
	cni ADD portmap "$(with "$port" '.runtimeConfig.portMappings[0].hostPort = 8083 | .prevResult.ips[0].address = "10.1.0.98/24"')" $victim c1
	failed 102 "index key veth50718582004 belongs to net1/$searched/eth0"
	del portmap "$port" $searched c2
	assert_same_snapshot
	del bridge "$conf" $searched c2
	assert_same_snapshot
	cni CHECK bridge "$prev" $victim c1
	ok
	ask world tcp 203.0.113.1 8080
	del bridge "$conf" $victim c1
	add bridge "$conf" $searched c2
	del bridge "$conf" $searched c2
}
