# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# rig.bash - private namespaces, folders and servers for a test
#
# Everything that calls plugins (bats files, sweep, demo, runtime tests) runs in new network,
# mount and PID namespaces.  It therefore cannot touch the machine's network, needs no cleanup
# and leaves no process behind: the kernel kills the processes of a PID namespace when its
# init process exits.  Without root, a user namespace is added.
#
# The namespace a program starts in plays the host.  Containers are named namespaces in
# /run/netns, as `ip netns` creates them.

# Deadline in seconds for events that normally happen at once; only a failing test waits this
# long.  It asserts no speed: a busy machine may need several seconds, and a virtual machine under
# emulation is 30 times slower.
RIG_DEADLINE=${RIG_DEADLINE:-$([[ ${VMTEST-} ]] && echo 300 || echo 60)}
RIG_TOOLS=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
readonly RIG_DEADLINE RIG_TOOLS
# ip, nft and tc are there, but not in the PATH of an ordinary user of Debian.
export PATH=$PATH:/usr/sbin:/sbin

# rig_exec COMMAND... - executes COMMAND in new namespaces; does not return
rig_exec() {
	local -a user=() flags=(--net --mount --pid --fork --kill-child --mount-proc --propagation private)

	# The user namespace first, alone: the owner of files in /proc/net is the namespace's root
	# only if root was mapped before the network namespace was created.
	((EUID == 0)) && unshare --net --mount true 2>/dev/null ||
		user=(unshare --user --map-root-user --)
	RIG_OUTSIDE=$(readlink /proc/self/ns/net) exec "${user[@]}" unshare "${flags[@]}" -- "$@"
}

# rig_is_inside - true in a process started by rig_exec
rig_is_inside() {
	[[ ${RIG_OUTSIDE-} && $RIG_OUTSIDE != "$(readlink /proc/self/ns/net)" ]]
}

# rig_enter SCRIPT ARGUMENT... - for scripts: starts SCRIPT again in new namespaces, once
rig_enter() {
	rig_is_inside || rig_exec bash "$@"
	rig_furnish
}

# private_folder DIR - an empty DIR, which is not the machine's
#
# The nearest existing parent is replaced by a tmpfs with symlinks to its entries, so that nothing
# is created on the machine's disk.  A tmpfs on DIR itself would not do, because the kernel unmounts
# it when a process outside removes DIR: a plugin of this machine does that with an empty /etc/netns.
private_folder() {
	local dir=$1 above=${1%/*} real entries

	while [[ $above && ! -d $above ]]; do above=${above%/*}; done
	[[ $above ]] || above=/
	real=/run/.rig${above//\//_}
	# The parent may be a tmpfs of this function already.
	if [[ ! -d $real ]]; then
		mkdir -p "$real"
		mount --bind "$above" "$real"
		mount -t tmpfs -o mode=0755 tmpfs "$above"
		entries=$(shopt -s nullglob dotglob && cd "$real" && printf '%s\n' *)
		(cd "$above" && while read -r entry; do
			[[ ! $entry ]] || printf '%s\0' "$real/$entry"
		done <<<"$entries" | xargs -0 -r ln -s -t .)
	fi
	if [[ -d $dir && ! -L $dir ]]; then # made by an earlier call
		mount -t tmpfs -o mode=0755 tmpfs "$dir"
		return
	fi
	rm -f "$dir"
	mkdir -p "$dir"
}

# rig_furnish - sets up the host: empty /run and state folders, lo up, forwarding off
rig_furnish() {
	mount -t tmpfs -o mode=0755 tmpfs /run
	mkdir -p /run/netns /run/lock /run/.rig
	private_folder /var/lib/cni
	private_folder /etc/netns
	# What this machine's administrator allows (cplug.conf) is not for the tests.
	[[ ! -d /etc/cplug ]] || private_folder /etc/cplug
	ip link set lo up
	# A new namespace inherits the machine's forwarding setting.  Tests must see that the
	# plugins turn it on.
	sysctl_set net/ipv4/ip_forward 0
	sysctl_set net/ipv6/conf/all/forwarding 0
}

# sysctl_set NAME VALUE, sysctl_get NAME - NAME with slashes, in the current namespace
sysctl_set() {
	[[ ! -e /proc/sys/$1 ]] || echo "$2" >"/proc/sys/$1"
}

sysctl_get() {
	cat "/proc/sys/$1"
}

# ---- namespaces ------------------------------------------------------------

# new_netns NAME... - creates containers.  lo is set up and down once, because it gets
# 127.0.0.1 the first time and keeps it.
new_netns() {
	local name

	for name; do
		ip netns add "$name"
		# shellcheck disable=SC2016 # the inner shell's
		in_ns "$name" bash -c 'for f in ipv4/ip_forward ipv6/conf/all/forwarding; do
				[[ ! -e /proc/sys/net/$f ]] || echo 0 >/proc/sys/net/$f
			done
			printf "link set lo %s\n" up down | ip -batch -'
	done
}

del_netns() {
	local name

	for name; do ip netns del "$name"; done
}

# end_netns NAME... - deletes containers, and waits until their namespaces are gone: a netlink
# socket, though closed, keeps its namespace for some moments.  cnitool gc, and host-local when a
# range is full, ask the kernel whether a namespace lives; del_netns before them is a race.
end_netns() {
	local name

	for name; do
		foresee_end "$name"
		ip netns del "$name"
		await_end "$name"
	done
}

# foresee_end NAME, await_end NAME - the same in two steps, for a namespace that ends in another
# way; NAME may be the number of a process in it
foresee_end() {
	ip link add "end-$1" type veth peer name end-peer netns "$1"
}

await_end() {
	# shellcheck disable=SC2016 # the inner shell's
	wait_for "the end of $1" bash -c '! ip link show dev "$1" 2>/dev/null' - "end-$1"
}

# free_sockets - returns when the kernel has freed all sockets that were closed before: the deletion of a link
# waits for that (rcu_barrier() in netdev_run_todo()).  A namespace whose name is deleted then ends at once,
# though its links need some moments more.
free_sockets() {
	ip link add free0 type veth peer name free1
	ip link del free0
}

# in_ns NAME COMMAND... - runs COMMAND in a network namespace; "-" is the host.  /sys remains that of
# the machine: /sys/class/net has the machine's links.
in_ns() {
	local name=$1

	shift
	case $name in
	-) "$@" ;;
	*/*) nsenter --net="$name" -- "$@" ;;
	*) nsenter --net="/run/netns/$name" -- "$@" ;;
	esac
}

# RIG_LINGER=SECONDS - a namespace lives so long after `ip netns del`, as on a busy machine: shows the tests that
# do not wait for its end
if [[ ${RIG_LINGER-} ]]; then
	ip() {
		# shellcheck disable=SC2016 # the inner shell's
		[[ "$1 ${2-}" != 'netns del' ]] ||
			in_ns "$3" sh -c 'sleep "$1" </dev/null >/dev/null 2>&1 3>&- 4>&- &' - "$RIG_LINGER" || :
		command ip "$@"
	}
fi

# link_is_ready NS IFNAME - is the link up for IPv6, too?  IPv4 works as soon as it has a carrier,
# IPv6 when the kernel's work queue has seen that, which can take seconds.
link_is_ready() {
	in_ns "$1" ip -j link show dev "$2" | jq -e '.[0].operstate == "UP"'
}

# world - creates an external machine: the namespace "world" with 203.0.113.2 and
# 2001:db8:113::2, connected to the host (.1, ::1) by the host's link "uplink".  It has no
# default route, so it answers only addresses on that link: its peer is the host, or a
# masqueraded container.
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
	wait_for "the link of the world" link_is_ready world eth0
}

# ---- servers and clients ---------------------------------------------------

# wait_for WHAT COMMAND... - repeats COMMAND until it succeeds; fails after RIG_DEADLINE
wait_for() {
	local what=$1 end=$((SECONDS + RIG_DEADLINE))

	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			echo "timeout after $RIG_DEADLINE s waiting for $what" >&2
			return 1
		fi
		sleep 0.02
	done
}

# listens NS PROTOCOL PORT - true if servers of both families are bound to PORT
listens() {
	local n

	n=$(in_ns "$1" ss -Hnl "--$2" "sport = :$3" | wc -l)
	((n >= 2))
}

# listens_at PATH [NS] - true if a server, which runs in NS, accepts connections at this socket: its file is
# there before it listens
listens_at() {
	[[ $(in_ns "${2:--}" ss -Hnlx "src $1") ]]
}

# serve NS PORT SHELL-COMMAND - runs SHELL-COMMAND for each TCP client, IPv4 and IPv6.  It finds
# the client's address in $SOCAT_PEERADDR.
serve() {
	local ns=$1 port=$2 command=$3 listen

	for listen in "TCP4-LISTEN:$port,fork,reuseaddr" "TCP6-LISTEN:$port,fork,reuseaddr,ipv6only=1"; do
		in_ns "$ns" socat -T "$RIG_DEADLINE" "$listen" "SYSTEM:$command" \
			</dev/null >/dev/null 2>&1 3>&- 4>&- &
	done
	wait_for "a server on TCP port $port of $ns" listens "$ns" tcp "$port"
}

# tcp_answer NS PORT TEXT, udp_answer NS PORT TEXT - servers that answer "TEXT from ADDRESS";
# ADDRESS is the client's, as the server sees it
tcp_answer() {
	serve "$1" "$2" "read -r q; echo \"$3 from \$SOCAT_PEERADDR\""
}

udp_answer() {
	need_server udp_server
	in_ns "$1" "$RIG_SERVERS/udp_server" "$2" "$3" </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "a server on UDP port $2 of $1" listens "$1" udp "$2"
}

# need_server NAME - compiles the server where make did not (make check does)
RIG_SERVERS=$RIG_TOOLS/../../build/tests
need_server() {
	[[ -x $RIG_SERVERS/$1 ]] || {
		mkdir -p "$RIG_SERVERS"
		cc -D_GNU_SOURCE -O2 -o "$RIG_SERVERS/$1.$$" "$RIG_TOOLS/$1.c"
		mv "$RIG_SERVERS/$1.$$" "$RIG_SERVERS/$1"
	}
}

# http_server NS PORT TEXT - serves "TEXT, CLIENT-ADDRESS" over HTTP
http_server() {
	local page=/run/.rig/page-$2

	# A file, because socat interprets commas and quotes itself.
	cat >"$page" <<-END
		#!/bin/sh
		while read -r line && [ "\${#line}" -gt 1 ]; do :; done
		printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s, %s\\n' "$3" "\$SOCAT_PEERADDR"
	END
	chmod +x "$page"
	serve "$1" "$2" "$page"
}

# ask NS PROTOCOL ADDRESS PORT - prints the first line of the answer; fails without an answer
ask() {
	local address=$3 line='' limit=${ASK_DEADLINE:-$RIG_DEADLINE}

	[[ $address != *:* ]] || address="[$address]"
	# Do not wait for socat, which may wait for more data until the limit.
	read -r line < <(echo question | in_ns "$1" timeout "$limit" \
		socat -t "$limit" - "${2^^}:$address:$4" 2>/dev/null 3>&- 4>&-)
	[[ $line ]] && echo "$line"
}

# ask_in_vain NS PROTOCOL ADDRESS PORT - succeeds if no answer comes within a second
ask_in_vain() {
	in_ns "$1" true || return 1
	! ASK_DEADLINE=$([[ ${VMTEST-} ]] && echo 15 || echo 1) ask "$@"
}

# sees NS ADDRESS - ADDRESS answers one ping
sees() {
	in_ns "$1" ping -n -q -c 1 -W "$RIG_DEADLINE" "$2" >/dev/null
}

# sees_not NS ADDRESS [PING-OPTION...] - ADDRESS does not answer a ping within a second
sees_not() {
	local ns=$1 address=$2

	shift 2
	in_ns "$ns" true || return 1
	! in_ns "$ns" ping -n -q -c 1 -W 1 "$@" "$address" >/dev/null
}

# ---- snapshots -------------------------------------------------------------

# snapshot - prints the state of the host, of every container, and of the plugins' files
snapshot() {
	local ns raw text='' n=0 old
	# Not by its first line, which starts env as well.
	local -a tool=(bash "$RIG_TOOLS/snapshot")

	raw=$(
		"${tool[@]}" --raw host
		for ns in /run/netns/*; do
			ns=${ns##*/}
			[[ $ns != '*' && $ns != world ]] || continue
			# A name without a namespace is being removed by another process.
			in_ns "$ns" "${tool[@]}" --raw "$ns" || echo "$ns: cannot be entered"
		done
	)
	# Most snapshots are like one of the last four, and jq, which formats them, starts slowly.
	for old in /run/.rig/snapshot.?; do
		[[ -e $old.text && $raw == "$(<"$old")" ]] || continue
		text=$(<"$old.text") && break
	done
	if [[ ! $text ]]; then
		text=$("${tool[@]}" --format <<<"$raw")
		[[ ! -e /run/.rig/snapshot ]] || n=$(</run/.rig/snapshot)
		printf '%s\n' "$(((n + 1) % 4))" >/run/.rig/snapshot
		printf '%s\n' "$raw" >"/run/.rig/snapshot.$n"
		printf '%s\n' "$text" >"/run/.rig/snapshot.$n.text"
	fi
	printf '%s\n' "$text"
	"${tool[@]}" --files
}

# ---- kernel features -------------------------------------------------------

# has_kind KIND - true if the kernel has links of this kind.  Some kinds cannot be created without
# a parent, which is another error.
has_kind() {
	local error

	if error=$(ip link add probe0 type "$1" 2>&1); then
		ip link del probe0
		return
	fi
	[[ $error != *'Unknown device type'* && $error != *'not supported'* ]]
}

# has_tun - true if taps can be made: an ordinary user may not be able to open the device
has_tun() {
	[[ -c /dev/net/tun && -r /dev/net/tun && -w /dev/net/tun ]]
}

# has_vlan_filtering - true if bridges can filter VLANs
has_vlan_filtering() {
	ip link add probe0 type bridge vlan_filtering 1 2>/dev/null || return 1
	ip link del probe0
}

# has_redirect - true if a tc filter can redirect what arrives at a link
has_redirect() {
	local works

	ip link add probe0 type veth peer name probe1
	works=$(tc qdisc add dev probe0 ingress 2>&1 && tc filter add dev probe0 parent ffff: protocol all prio 1 \
		u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev probe1 2>&1 && echo yes) || :
	ip link del probe0
	[[ $works == yes ]]
}

# has_br_netfilter - true if bridged packets can pass the firewall (a sysctl per namespace)
has_br_netfilter() {
	[[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]]
}

# kernel_knows_netns - true if the kernel tells whether a network namespace still exists
kernel_knows_netns() {
	[[ $(printf '6.18\n%s\n' "$(uname -r)" | sort -V | head -n1) == 6.18 ]]
}
