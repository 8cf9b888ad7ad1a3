# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# dhcp-server.bash - DHCP servers that do what a script says:  load dhcp; load dhcp-server
#
# tests/tools/dhcp_server.c explains the words and the lines of the log.  A server is named after
# its namespace NS: /run/.rig/dhcp-NS.script and /run/.rig/dhcp-NS.log.

# script NS [WORD...] - from now on the server in NS behaves so
script() {
	local ns=$1

	shift
	echo "$*" >"/run/.rig/dhcp-$ns.new"
	mv "/run/.rig/dhcp-$ns.new" "/run/.rig/dhcp-$ns.script"
}

# scripted_on NS [WORD...] - starts a server on eth0 of NS
scripted_on() {
	need_server dhcp_server
	script "$@"
	: >"/run/.rig/dhcp-$1.log"
	in_ns "$1" "$RIG_SERVERS/dhcp_server" eth0 "/run/.rig/dhcp-$1.script" \
		</dev/null >>"/run/.rig/dhcp-$1.log" 2>&1 3>&- 4>&- &
	wait_for "the server in $1" is_served "$1"
}

# heard NS REGEX - the number of messages in the log of NS that match; "REQUEST from 10.5.0.50 for
# 10.5.0.50 ACK" is a renewal by unicast, "REQUEST from 0.0.0.0 ..." a message by broadcast
heard() {
	grep -cE "$2" "/run/.rig/dhcp-$1.log" || :
}

# hears NS N REGEX - succeeds if at least N messages match
hears() {
	(($(heard "$1" "$3") >= $2))
}

# another_lan NS MAC ADDRESS - one more namespace on the bridge of lan
another_lan() {
	ip netns add "$1"
	ip link add "$1-port" type veth peer name eth0 address "$2" netns "$1"
	ip link set "$1-port" master br0 up
	in_ns "$1" ip address add "$3" dev eth0
	in_ns "$1" ip link set eth0 up
}

# has_address NS ADDRESS/LEN - is it the only global IPv4 address of eth0?
has_address() {
	[[ $(in_ns "$1" ip -4 -j address show dev eth0 | jq -r '.[].addr_info[] | "\(.local)/\(.prefixlen)"') == "$2" ]]
}

# has_router NS ADDRESS - is it the gateway of the default route?
has_router() {
	[[ $(in_ns "$1" ip -4 -j route show default | jq -r '.[].gateway') == "$2" ]]
}
