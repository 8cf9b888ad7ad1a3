# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2012,SC2016,SC2034 # names of descriptors; for eval; for the tests
#
# dhcp.bash - a network with a DHCP server, for the tests of dhcp:  load dhcp

DHCP_CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br0",
	"ipam":{"type":"dhcp","priority":7}}'
DHCP_MACVLAN='{"cniVersion":"1.1.0","name":"net2","type":"macvlan","master":"lan0",
	"ipam":{"type":"dhcp"}}'

need_dnsmasq() {
	command -v dnsmasq >/dev/null || skip "dnsmasq is not installed"
}

# lan - the bridge br0 of the host, with a namespace "lan" (10.5.0.1) on a port, and the link lan0
# on another
lan() {
	ip netns add lan
	ip link add br0 address 02:00:00:00:00:01 type bridge
	ip link set br0 up
	ip link add lan-port type veth peer name eth0 netns lan
	ip link add lan0 type veth peer name lan0-port
	ip link set lan-port master br0 up
	ip link set lan0-port master br0 up
	ip link set lan0 up
	in_ns lan ip link set lo up
	in_ns lan ip address add 10.5.0.1/24 dev eth0
	in_ns lan ip link set eth0 up
}

# dnsmasq_on NS [OPTION...] - starts a server in NS, which keeps its leases in /run/leases; sets
# DNSMASQ to its process
dnsmasq_on() {
	local ns=$1

	shift
	(($#)) || set -- --dhcp-range=10.5.0.50,10.5.0.99,255.255.255.0,2m
	: >>/run/dnsmasq.log
	nsenter --net="/run/netns/$ns" -- dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --user= --group= \
		--no-ping --dhcp-leasefile=/run/leases --pid-file= --log-dhcp --log-facility=- "$@" \
		</dev/null >>/run/dnsmasq.log 2>&1 3>&- 4>&- &
	DNSMASQ=$!
	wait_for "dnsmasq" is_served "$ns"
}

# is_served NS - a server listens in NS
is_served() {
	[[ $(in_ns "$1" ss -Hnlu 'sport = :67 or sport = :547') ]]
}

# leases - prints the leases of dnsmasq: time, MAC, address, name and client identifier
leases() {
	[[ ! -e /run/leases ]] || grep -v '^duid' /run/leases || :
}

no_leases() {
	[[ ! $(leases) ]]
}

# daemon [OPTION...] - starts our daemon, and waits until it answers; sets DAEMON to its process
# shellcheck disable=SC2120 # tests pass options
daemon() {
	"$CPLUG_BIN/dhcp" daemon "$@" </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	DAEMON=$!
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
}

# end_daemon SIGNAL - ends the daemon, and waits until its socket is free for the next one
end_daemon() {
	kill "-$1" "$DAEMON"
	wait_for "the end of the daemon" bash -c "! kill -0 $DAEMON"
}

need_kea() {
	command -v kea-dhcp4 >/dev/null || skip "kea-dhcp4 is not installed"
}

# kea4_on NS POOL SETTINGS - starts kea in NS with JSON members SETTINGS; sets KEA to its process
kea4_on() {
	local ns=$1

	mkdir -p /run/kea
	cat >/run/kea.json <<-END
		{"Dhcp4": {"interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "raw"},
			"lease-database": {"type": "memfile", "persist": false}, "authoritative": true, $3,
			"loggers": [{"name": "kea-dhcp4", "severity": "INFO",
				"output_options": [{"output": "stdout"}]}],
			"subnet4": [{"id": 1, "subnet": "10.5.0.0/24", "pools": [{"pool": "$2"}],
				"option-data": [{"name": "routers", "data": "10.5.0.1"}]}]}}
	END
	: >/run/kea.log
	KEA_PIDFILE_DIR=/run/kea KEA_LOCKFILE_DIR=/run/kea nsenter --net="/run/netns/$ns" -- \
		kea-dhcp4 -c /run/kea.json \
		</dev/null >>/run/kea.log 2>&1 3>&- 4>&- &
	KEA=$!
	wait_for "kea" grep -q DHCP4_STARTED /run/kea.log
}

# isc_server NS FAMILY - starts ISC's server for DHCPv4 or DHCPv6 in NS; its configuration is on stdin; sets ISC to its process
isc_server() {
	local name=dhcpd$2

	mkdir -p /run/dhcpd
	[[ -e /run/dhcpd/leases$2 ]] || : >"/run/dhcpd/leases$2"
	cat >"/run/dhcpd/conf$2"
	: >"/run/$name.log"
	nsenter --net="/run/netns/$1" -- dhcpd "-$2" -f -d -cf "/run/dhcpd/conf$2" -lf "/run/dhcpd/leases$2" --no-pid eth0 \
		</dev/null >>"/run/$name.log" 2>&1 3>&- 4>&- &
	ISC=$!
	wait_for "dhcpd" grep -q 'Server starting service' "/run/$name.log"
}

# dhcpd_on NS POOL - starts ISC's server in NS, with leases of 6 seconds; sets DHCPD to its process
dhcpd_on() {
	isc_server "$1" 4 <<-END
		authoritative;
		default-lease-time 6; min-lease-time 6; max-lease-time 6;
		subnet 10.5.0.0 netmask 255.255.255.0 {
			range $2; option routers 10.5.0.1;
			option dhcp-renewal-time 2; option dhcp-rebinding-time 4;
		}
	END
	DHCPD=$ISC
}

# warm_up_link - a macvlan that is made and deleted, so that the kernel has loaded its module
warm_up_link() {
	ip link add probe0 link lan0 type macvlan && ip link del probe0
}

# scripted NS WORDS - starts tests/tools/dhcp_server.c in NS, which follows WORDS; /run/server.log has
# a line for each message
scripted() {
	need_server dhcp_server
	script "$2"
	nsenter --net="/run/netns/$1" -- stdbuf -oL "$RIG_SERVERS/dhcp_server" eth0 /run/script \
		</dev/null >>/run/server.log 2>&1 3>&- 4>&- &
	wait_for "the server" is_served "$1"
}

# script WORDS - the scripted server follows these words from the next message on
script() {
	echo "$1" >/run/script.new
	mv /run/script.new /run/script
}

# messages TYPE - prints how many messages of this type the scripted server got
messages() {
	grep -c " $1 " /run/server.log || :
}

# more_messages TYPE N - true if it got more than N
more_messages() {
	(($(messages "$1") > $2))
}

# The daemon is killed at each N-th system call of a renewal: soak tries all.
DHCP_KILL_STRIDE=${DHCP_KILL_STRIDE:-13}

# calls_of_renewal TRACE - prints CALL:N for each system call behind the first wait of the daemon's loop
calls_of_renewal() {
	awk -F'(' '$1 ~ /^[a-z_0-9]+$/ { n[$1]++; if (seen) print $1 ":" n[$1] }
		$1 == "epoll_pwait" { seen = 1 }' "$1"
}

# thousand_leases NETWORK - the daemon starts again, with 999 copies of c1's lease
thousand_leases() {
	local i

	end_daemon TERM
	for ((i = 2; i <= 1000; i++)); do
		cp "/run/cni/dhcp/$1:c1:eth0.json" "/run/cni/dhcp/$1:c$i:eth0.json"
	done
	# shellcheck disable=SC2119 # without options
	daemon
	is "$("$CPLUG_BIN/dhcp" list --json | jq length)" 1000
}

# is_quiet PID - was the daemon not woken for half a second?
is_quiet() {
	local before

	before=$(activity "$1")
	sleep 0.5
	[[ $(activity "$1") == "$before" ]]
}

# sleeps_and_is_small PID - asserts that the daemon is not woken for three seconds when it has done what it
# began with, and needs less than 8 MB
sleeps_and_is_small() {
	local before

	wait_for "the daemon to sleep" is_quiet "$1"
	before=$(activity "$1")
	sleep 3
	is "$(activity "$1")" "$before"
	needs_little_memory "$1"
}

# due NETWORK - c1's lease in the file is to be renewed at once
due() {
	local file=/run/cni/dhcp/$1:c1:eth0.json

	jq -c '(if .dhcpv6 then .dhcpv6 else . end) |= (.t1 = .start)' "$file" >/run/due
	cp /run/due "$file"
}

# activity PID - prints how often it was woken, and its CPU time
activity() {
	grep ctxt_switches "/proc/$1/status"
	cut -d' ' -f14-15 "/proc/$1/stat"
}

# needs_little_memory PID - fails if a daemon of a thousand leases needs 8 MB
needs_little_memory() {
	# The sanitizers have memory of their own.
	grep -q __asan_init "$CPLUG_BIN/dhcp" ||
		(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status") < 8192)) || fail "$(cat "/proc/$1/status")"
	echo "# $(grep VmRSS "/proc/$1/status")" >&3
}

# another_interface MAC - eth0 of c1 is a macvlan of lan0 that was just made, without address
another_interface() {
	ip -n c1 link del eth0 2>/dev/null || :
	ip link add link lan0 name new0 address "$1" type macvlan
	ip link set new0 netns c1 name eth0
	ip -n c1 link set eth0 up
}

# Renewals with a fast clock: soak has 100,000.
DHCP_FAST_RENEWALS=${DHCP_FAST_RENEWALS:-2000}

# fast_daemon - starts the daemon with a clock that goes a hundred times as fast after SIGUSR1
fast_daemon() {
	local fast=$CPLUG_BIN/../tests/fast_dhcp

	[[ -x $fast ]] || fast=$CPLUG_BIN/../build/default/tests/fast_dhcp
	[[ -x $fast ]] || skip "make fast-dhcp has not built the daemon with a fast clock"
	# The quarantine of AddressSanitizer keeps freed memory, up to 256 MB: it would look like a leak.
	(ASAN_OPTIONS=${ASAN_OPTIONS-}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0 \
		exec -a dhcp "$fast" daemon) </dev/null >>/run/daemon.log 2>&1 3>&- 4>&- &
	DAEMON=$!
	wait_for "the daemon" "$CPLUG_BIN/dhcp" list
}

# add_many CONF - ADD of macvlan to c1, and to c2 to c12, which it makes
add_many() {
	local i

	for i in {1..12}; do
		[[ $i == 1 ]] || new_netns "c$i"
		add macvlan "$1" "c$i"
	done
}

# most_memory PID - the largest RssAnon in kB of thirty samples
most_memory() {
	local i

	for ((i = 0; i < 30; i++)); do
		sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
		sleep 0.05
	done | sort -n | tail -1
}

# does_not_grow COMMAND... - the fast daemon of add_many needs no more memory and descriptors after many
# renewals than after a hundred; COMMAND prints how many there were
does_not_grow() {
	local before after deadline=$((SECONDS + ${DHCP_FAST_LIMIT:-600}))

	kill -USR1 "$DAEMON"
	until (($("$@") >= 100)); do
		sleep 0.1
	done
	before=$(most_memory "$DAEMON")
	until (($("$@") >= DHCP_FAST_RENEWALS)); do
		((SECONDS < deadline)) || fail "only $("$@") renewals in time"
		sleep 0.5
	done
	after=$(most_memory "$DAEMON")
	echo "# renewals with a fast clock: $("$@")" >&3
	echo "# memory in kB: $before, then $after" >&3
	((after <= before + 8)) || fail "the daemon has grown from $before to $after kB"
	(($(ls "/proc/$DAEMON/fd" | wc -l) <= 9 + 2 * 12 + 4)) || fail "descriptors are left open"
}
