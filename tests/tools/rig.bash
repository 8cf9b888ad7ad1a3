# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# rig.bash - a private machine for a test: namespaces, folders, servers
#
# Everything that drives plugins (the bats files, the sweep, the demo, the
# runtime tests) runs in a network, mount and process namespace of its own, so
# that it never touches the machine's network, needs no clean-up, and leaves no
# process behind: when its first process ends, the kernel ends the others.
# An ordinary user gets a user namespace on top.
#
# The namespace a program starts in plays the host; containers are named
# namespaces below /run/netns, as `ip netns` makes them.

# How long something may take that should happen at once.  Nothing waits that
# long unless it fails; a virtual machine under emulation is 30 times slower.
RIG_DEADLINE=${RIG_DEADLINE:-$([[ ${VMTEST-} ]] && echo 120 || echo 10)}
RIG_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly RIG_DEADLINE RIG_TOOLS

# rig_exec COMMAND... - becomes COMMAND, in new namespaces
rig_exec() {
	local -a flags=(--net --mount --pid --fork --kill-child --mount-proc --propagation private)

	((EUID == 0)) && unshare --net --mount true 2>/dev/null || flags+=(--user --map-root-user)
	RIG_OUTSIDE=$(readlink /proc/self/ns/net) exec unshare "${flags[@]}" -- "$@"
}

# rig_is_inside - did rig_exec start us?
rig_is_inside() {
	[[ ${RIG_OUTSIDE-} && $RIG_OUTSIDE != "$(readlink /proc/self/ns/net)" ]]
}

# rig_enter SCRIPT ARGUMENT... - for scripts: starts SCRIPT again inside, once
rig_enter() {
	rig_is_inside || rig_exec bash "$@"
	rig_furnish
}

# private_folder DIR - an empty DIR of our own, whether the machine has one or not
#
# Where there is none to mount on, the nearest folder above is replaced by links
# to what is in it, so that nothing is ever made on the machine's own disk.
private_folder() {
	local dir=$1 above=$1 real entries

	if [[ ! -d $dir ]]; then
		while [[ ! -d $above ]]; do above=${above%/*}; done
		[[ $above ]] || above=/
		real=/run/.rig${above//\//_}
		mkdir -p "$real"
		mount --bind "$above" "$real"
		mount -t tmpfs -o mode=0755 tmpfs "$above"
		entries=$(shopt -s nullglob dotglob && cd "$real" && printf '%s\n' *)
		(cd "$above" && while read -r entry; do
			[[ ! $entry ]] || printf '%s\0' "$real/$entry"
		done <<<"$entries" | xargs -0 -r ln -s -t .)
		mkdir -p "$dir"
		return
	fi
	mount -t tmpfs -o mode=0755 tmpfs "$dir"
}

# rig_furnish - what a machine has: /run, lo, no forwarding; and no state of ours
rig_furnish() {
	mount -t tmpfs -o mode=0755 tmpfs /run
	mkdir -p /run/netns /run/lock /run/.rig
	private_folder /var/lib/cni
	private_folder /etc/netns
	ip link set lo up
	# A new namespace inherits the machine's forwarding, but it is to be seen
	# who turns it on.
	sysctl_set net/ipv4/ip_forward 0
	sysctl_set net/ipv6/conf/all/forwarding 0
}

# sysctl_set NAME VALUE, sysctl_get NAME - with slashes; of the current namespace
sysctl_set() {
	[[ ! -e /proc/sys/$1 ]] || echo "$2" >"/proc/sys/$1"
}

sysctl_get() {
	cat "/proc/sys/$1"
}

# ---- namespaces ------------------------------------------------------------

# new_netns NAME... - containers.  Their lo was up once: that gives it 127.0.0.1
# for ever, whoever brings it up later.
new_netns() {
	local name

	for name; do
		ip netns add "$name"
		# shellcheck disable=SC2016 # the inner shell's
		in_ns "$name" bash -c 'for f in ipv4/ip_forward ipv6/conf/all/forwarding; do
				[[ ! -e /proc/sys/net/$f ]] || echo 0 >/proc/sys/net/$f
			done
			ip link set lo up && ip link set lo down'
	done
}

del_netns() {
	local name

	for name; do ip netns del "$name"; done
}

# in_ns NAME COMMAND... - runs COMMAND in a namespace; "-" is the host's
in_ns() {
	local name=$1

	shift
	case $name in
	-) "$@" ;;
	*/*) nsenter --net="$name" -- "$@" ;;
	*) nsenter --net="/run/netns/$name" -- "$@" ;;
	esac
}

# world - somebody outside: the namespace "world" at 203.0.113.2 and
# 2001:db8:113::2, joined to the host at .1 by the link "uplink".  It has no
# default route, so it answers only to addresses of that link: whoever is heard
# there was masqueraded, or is the host.
world() {
	new_netns world
	ip link add uplink type veth peer name eth0 netns world
	ip address add 203.0.113.1/24 dev uplink
	ip address add 2001:db8:113::1/64 dev uplink nodad
	ip link set uplink up
	in_ns world ip link set lo up
	in_ns world ip address add 203.0.113.2/24 dev eth0
	in_ns world ip address add 2001:db8:113::2/64 dev eth0 nodad
	in_ns world ip link set eth0 up
	ip route add default via 203.0.113.2
	ip -6 route add default via 2001:db8:113::2
	wait_for "the link to the world" ping -c 1 -W 1 203.0.113.2
}

# ---- servers and clients ---------------------------------------------------

# wait_for WHAT COMMAND... - until COMMAND succeeds; fails at the deadline
wait_for() {
	local what=$1 end=$((SECONDS + RIG_DEADLINE))

	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			echo "waited $RIG_DEADLINE s in vain for $what" >&2
			return 1
		fi
		sleep 0.02
	done
}

# listens NS PROTOCOL PORT - is a server there, of both families?
listens() {
	local n

	n=$(in_ns "$1" ss -Hnl "--$2" "sport = :$3" | wc -l)
	((n >= 2))
}

# serve NS PROTOCOL PORT SHELL-COMMAND - runs it for each client, of both families.
# The client's address is in $SOCAT_PEERADDR.
serve() {
	local ns=$1 protocol=$2 port=$3 command=$4 v
	local -a listen

	for v in 4 6; do
		case $protocol in
		tcp) listen=("TCP$v-LISTEN:$port,fork,reuseaddr") ;;
		udp) listen=("UDP$v-RECVFROM:$port,fork,reuseaddr") ;;
		esac
		[[ $v == 4 ]] || listen[0]+=,ipv6only=1
		in_ns "$ns" socat -T "$RIG_DEADLINE" "${listen[0]}" "SYSTEM:$command" \
			</dev/null >/dev/null 2>&1 3>&- 4>&- &
	done
	wait_for "a server on $protocol port $port of $ns" listens "$ns" "$protocol" "$port"
}

# tcp_answer NS PORT TEXT, udp_answer NS PORT TEXT - answer "TEXT from ADDRESS",
# the address being the client's as the server sees it
tcp_answer() {
	serve "$1" tcp "$2" "read -r q; echo \"$3 from \$SOCAT_PEERADDR\""
}

udp_answer() {
	serve "$1" udp "$2" "read -r q; echo \"$3 from \$SOCAT_PEERADDR\""
}

# http_server NS PORT TEXT - "TEXT, ADDRESS" as a web page
http_server() {
	local page=/run/.rig/page-$2

	# In a file, because socat has its own mind about commas and quotes.
	cat >"$page" <<-END
		#!/bin/sh
		while read -r line && [ "\${#line}" -gt 1 ]; do :; done
		printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s, %s\\n' "$3" "\$SOCAT_PEERADDR"
	END
	chmod +x "$page"
	serve "$1" tcp "$2" "$page"
}

# ask NS PROTOCOL ADDRESS PORT - prints the one line of the answer; fails if none comes
ask() {
	local address=$3 line='' limit=${ASK_DEADLINE:-$RIG_DEADLINE}

	[[ $address != *:* ]] || address="[$address]"
	# Returns with the first line; socat may linger for more until the limit.
	read -r line < <(echo question | in_ns "$1" timeout "$limit" \
		socat -t "$limit" - "${2^^}:$address:$4" 2>/dev/null 3>&- 4>&-)
	[[ $line ]] && echo "$line"
}

# ask_in_vain NS PROTOCOL ADDRESS PORT - succeeds if nobody answers (soon)
ask_in_vain() {
	! ASK_DEADLINE=$([[ ${VMTEST-} ]] && echo 15 || echo 1) ask "$@"
}

# sees NS ADDRESS - one ping
sees() {
	in_ns "$1" ping -n -q -c 1 -W "$RIG_DEADLINE" "$2" >/dev/null
}

# sees_not NS ADDRESS [PING-OPTION...] - no answer (soon)
sees_not() {
	local ns=$1 address=$2

	shift 2
	! in_ns "$ns" ping -n -q -c 1 -W 1 "$@" "$address" >/dev/null
}

# ---- snapshots -------------------------------------------------------------

# snapshot - both sides as text: the host, every container, and our files
snapshot() {
	local ns

	"$RIG_TOOLS/snapshot" host
	for ns in /run/netns/*; do
		ns=${ns##*/}
		[[ $ns != '*' && $ns != world ]] || continue
		# A name without a namespace: somebody is about to remove it.
		in_ns "$ns" "$RIG_TOOLS/snapshot" "$ns" || echo "$ns: cannot be entered"
	done
	"$RIG_TOOLS/snapshot" --files
}

# ---- what the kernel can ---------------------------------------------------

# has_vlan_filtering - bridges that know VLANs
has_vlan_filtering() {
	ip link add probe0 type bridge vlan_filtering 1 2>/dev/null || return 1
	ip link del probe0
}

# has_br_netfilter - bridged packets can pass the firewall (a sysctl of each namespace)
has_br_netfilter() {
	[[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]]
}
