#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Privileges, execution of programs, files, error messages, and access to ports (docs/security.md).

load lib
# shellcheck source=tests/tools/frame.bash
source "$RIG_TOOLS/frame.bash"

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
		{"hostPort":8080,"containerPort":80,"protocol":"udp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PLAIN=$(with "$CONF" 'del(.runtimeConfig)')
LEASES=/var/lib/cni/networks/net1

# ---- privileges ------------------------------------------------------------

# capabilities FIELD [STATUS] - prints a capability set of a /proc/PID/status as a number
capabilities() {
	echo "$((0x$(sed -n "s/^$1:\t//p" "${2-/proc/self/status}")))"
}

# The capabilities that a call keeps (capabilities(7)): DAC_OVERRIDE, DAC_READ_SEARCH,
# NET_ADMIN, SYS_PTRACE, SYS_ADMIN.
KEPT=$((1 << 1 | 1 << 2 | 1 << 12 | 1 << 19 | 1 << 21))

@test "security: a call drops all capabilities that it does not need" {
	local pid seen=$BATS_TEST_TMPDIR/seen

	warm_up bridge "$CONF"
	new_netns c1
	exec 9<"$LEASES/lock"
	flock 9
	printf '%s' "$CONF" >"$BATS_TEST_TMPDIR/conf"
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		CNI_TEST_LOCK_TIMEOUT_MS=100000 \
		"$CPLUG_BIN/bridge" <"$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/out" 9<&- 3>&- 4>&- &
	pid=$!
	wait_for "the call to drop its capabilities" grep -q '^NoNewPrivs:.1' "/proc/$pid/status"
	cat "/proc/$pid/status" >"$seen"
	for set in CapEff CapPrm; do
		is "$(capabilities $set "$seen")" $(($(capabilities $set) & KEPT))
	done
	is "$(capabilities CapInh "$seen")" 0
	is "$(capabilities CapAmb "$seen")" 0
	exec 9<&-
	wait "$pid"
	json_holds .ips <"$BATS_TEST_TMPDIR/out"
}

@test "security: a foreign IPAM plugin is executed with all capabilities" {
	mkdir -p /run/.rig/bin
	cat >/run/.rig/bin/foreign <<-'END'
		#!/bin/sh
		cat /proc/self/status >/run/.rig/status
		echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}]}'
	END
	chmod +x /run/.rig/bin/foreign
	new_netns c1
	CNI_PATH=/run/.rig/bin add bridge "$(with "$CONF" '.ipam = {type: "foreign"}')"
	for set in CapEff CapPrm CapBnd; do
		is "$(sed -n "s/^$set:\t//p" /run/.rig/status)" "$(sed -n "s/^$set:\t//p" /proc/self/status)"
	done
	grep -q '^NoNewPrivs:.0' /run/.rig/status
}

@test "security: ADD, CHECK and DEL work with NET_ADMIN and SYS_ADMIN only" {
	local verb conf=$CONF

	type -P setpriv >/dev/null || skip "setpriv is not installed"
	warm_up bridge "$CONF"
	new_netns c1
	remember
	for verb in ADD CHECK DEL; do
		printf '%s' "$conf" >"$BATS_TEST_TMPDIR/conf"
		CNI_COMMAND=$verb CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			setpriv --inh-caps=-all --bounding-set=-all,+net_admin,+sys_admin "$CPLUG_BIN/bridge" \
			<"$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/out" || fail "$verb: $(cat "$BATS_TEST_TMPDIR/out")"
		output=$(cat "$BATS_TEST_TMPDIR/out")
		[[ $verb != ADD ]] || {
			conf=$(chained "$conf")
			assert_other_snapshot
		}
	done
	assert_same_snapshot
}

@test "security: without NET_ADMIN or SYS_ADMIN ADD fails, and nothing is left" {
	local missing

	type -P setpriv >/dev/null || skip "setpriv is not installed"
	warm_up bridge "$CONF"
	new_netns c1
	remember
	printf '%s' "$CONF" >"$BATS_TEST_TMPDIR/conf"
	for missing in net_admin sys_admin; do
		status=0
		CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			setpriv --inh-caps=-all "--bounding-set=-$missing" "$CPLUG_BIN/bridge" \
			<"$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/out" || status=$?
		output=$(cat "$BATS_TEST_TMPDIR/out")
		failed '' 'not permitted'
		assert_same_snapshot
	done
}

# ---- programs and environment ----------------------------------------------

# executions VERB TYPE - prints the number of a call's execve and fork calls, its own included
executions() {
	CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace \
		-f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,execveat,fork,vfork,clone,clone3 "$CPLUG_BIN/$2" >"$BATS_TEST_TMPDIR/out" || return
	grep -Ec 'execve|clone|fork' "$BATS_TEST_TMPDIR/trace"
}

@test "security: no verb of any plugin executes a program or forks" {
	local verb conf type

	type -P strace >/dev/null || skip "strace is not installed"
	no_leak_check
	new_netns c1
	for verb in STATUS ADD CHECK DEL GC VERSION; do
		for type in loopback bridge portmap; do
			[[ $type.$verb != loopback.DEL ]] || continue
			conf=$(with "$CONF" ".type = \"$type\"")
			[[ $type == bridge ]] || conf=$(with "$conf" 'del(.ipam)')
			[[ $type != portmap || $verb != ADD ]] || conf=$(chained "$(with "$conf" '.runtimeConfig.portMappings = []')")
			[[ $verb != CHECK || $type == loopback ]] || conf=$(with "$conf" ".prevResult = $prev")
			[[ $verb != GC ]] || conf=$(with "$conf" '."cni.dev/valid-attachments" = []')
			[[ $type.$verb != portmap.CHECK ]] || conf=$(with "$conf" 'del(.runtimeConfig)')
			is "$verb $type $(executions $verb $type <<<"$conf")" "$verb $type 1"
			output=$(cat "$BATS_TEST_TMPDIR/out")
			[[ $type.$verb != bridge.ADD ]] || prev=$output
			[[ $verb != ADD ]] || has '.ips | length > 0'
		done
	done
}

@test "security: ADD ignores PATH and all other foreign environment variables" {
	local name

	mkdir -p /run/.rig/evil
	for name in nft iptables ip6tables iptables-nft ip modprobe sysctl bridge host-local conntrack ebtables sh; do
		printf '#!/bin/sh\n: >/run/.rig/was-run\n' >/run/.rig/evil/$name
		chmod +x /run/.rig/evil/$name
	done
	warm_up bridge "$CONF"
	new_netns c1
	add bridge "$CONF"
	link c1 eth0 '.flags | any(. == "UP")'
	snapshot >"$BATS_TEST_TMPDIR/usual"
	del bridge "$CONF"
	printf '%s' "$CONF" >"$BATS_TEST_TMPDIR/conf"
	(
		cd /run/.rig/evil
		CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
			PATH=/run/.rig/evil:. HOME=/run/.rig/evil TMPDIR=/nonexistent XDG_RUNTIME_DIR=/run/.rig/evil \
			XDG_CONFIG_HOME=. IFS=/ ENV=/run/.rig/evil/sh BASH_ENV=/run/.rig/evil/sh SHELL=./sh LANG=../evil \
			LC_ALL=xx LOCPATH=. NLSPATH=. POSIXLY_CORRECT=1 NLDBG=0 TZ=:../../evil TERM=$'\e[x' NETCONFPATH=. \
			CNI_ARGS='' CNI_DEBUG='' CNI_LOG='' "$CPLUG_BIN/bridge" <"$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/out"
	)
	[[ ! -e /run/.rig/was-run ]]
	[[ -z $(find /run/.rig/evil -newer "$BATS_TEST_TMPDIR/conf") ]]
	# The same state, except for the next IP addresses and random MAC addresses.
	snapshot >"$BATS_TEST_TMPDIR/evil"
	diff <(anonymous <"$BATS_TEST_TMPDIR/usual") <(anonymous <"$BATS_TEST_TMPDIR/evil")
}

# anonymous - replaces MAC addresses and the two IP addresses
anonymous() {
	sed -E 's/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g; s/\<10\.1\.0\.[34]\>/ADDRESS/g; s/fd00:1::[34]\>/ADDRESS/g'
}

# ---- files -----------------------------------------------------------------

@test "security: files and folders have fixed modes, independent of the umask" {
	local file

	new_netns c1
	umask 0
	CNI_LOG=/run/.rig/log add bridge "$(with "$CONF" '.dns = {nameservers: ["10.0.0.53"]}')"
	umask 022
	# The mode that the reference uses (docs/leases.md).
	is "$(stat -c %a "$LEASES/lock")" 750
	rm "$LEASES/lock"
	for file in "$LEASES"/* /var/lib/cni/networks/.cplug/* /run/.rig/log; do
		is "$file $(stat -c %a "$file")" "$file 600"
	done
	for file in /var/lib/cni/networks "$LEASES" /etc/netns/c1; do
		is "$file $(stat -c %a "$file")" "$file 755"
	done
	is "$(stat -c %a /var/lib/cni/networks/.cplug)" 700
	is "$(stat -c %a /etc/netns/c1/resolv.conf)" 644
}

@test "security: a log file that is a FIFO or a symlink is not opened" {
	new_netns c1
	mkfifo /run/.rig/fifo
	ln -s /run/.rig/target /run/.rig/link
	for log in /run/.rig/fifo /run/.rig/link; do
		CNI_LOG=$log add bridge "$CONF"
		contains "$errors" "CNI_LOG.*$log"
		del bridge "$CONF"
		cni ADD bridge "$(with "$CONF" ".log.file = \"$log\"")"
		ok
		contains "$errors" "log.file.*$log"
		del bridge "$CONF"
	done
	[[ ! -e /run/.rig/target ]]
}

# ---- error messages --------------------------------------------------------

@test "security: the name of a user's process puts no control character into a log" {
	local name=$'a\x1b\xc2\x9b\xff\xc3\xa9"' server

	setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null || skip "there is one user only"
	server=$BATS_TEST_TMPDIR/$name
	install -m 755 "$(command -v socat)" "$server"
	chmod 711 "$BATS_TEST_TMPDIR"
	new_netns c1
	setpriv --reuid=65534 --regid=65534 --clear-groups "$server" -u TCP4-LISTEN:8080 OPEN:/dev/null 3>&- 4>&- &
	wait_for "the socket" eval "ss -Hnlt | grep -q :8080"
	add bridge "$CONF"
	contains "$errors" '\(a\\x1b\\xc2\\x9b\\xff'$'\xc3\xa9''"\) will not be reachable'
	del bridge "$CONF"
	CNI_DEBUG=json add bridge "$CONF"
	iconv -f UTF-8 <<<"$errors" >/dev/null
	grep 'will not be' <<<"$errors" | json_holds '.msg | contains("(a\u001b\u009b\ufffdé\")")'
	! grep -q $'\xc2\x9b' <<<"$errors" || fail "U+009B is in a log"
	del bridge "$CONF"
}

@test "security: errors name the owner of a conflicting object, and nothing else of other containers" {
	local small everything check

	new_netns c1 c2 c3
	small=$(with "$PLAIN" '.name = "small" | .bridge = "br2" | .macspoofchk = false
		| .ipam.ranges = [[{subnet: "10.2.0.0/30"}]]')
	# Data that errors of others must not contain.
	CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAME=secret-pod;K8S_POD_NAMESPACE=secret-space' add bridge \
		"$(with "$CONF" '.dns = {nameservers: ["10.0.0.99"], domain: "secret.example"}
			| .args.labels = {key: "secret-label"} | .runtimeConfig.mac = "02:5e:c4:e7:00:01"')"
	add bridge "$small" c1 c1 eth1
	everything=''
	# The port is in use.
	cni ADD bridge "$CONF" c2
	failed 105 'net1/c1/eth0'
	everything+=$output$errors
	# The only address is in use.
	cni ADD bridge "$small" c2
	failed 103
	everything+=$output$errors
	contains_not "$output$errors" c1
	# The requested address is in use.
	cni ADD bridge "$(with "$PLAIN" '.runtimeConfig.ips = ["10.1.0.2/24"]')" c3
	failed 104 'container c1 \(eth0\)'
	everything+=$output$errors
	# Differences.
	add bridge "$PLAIN" c3
	check=$(chained "$PLAIN")
	in_ns c3 ip address flush dev eth0
	nft flush ruleset
	cni CHECK bridge "$check" c3
	failed 107
	everything+=$output$errors
	contains_not "$output$errors" 'c1'
	contains_not "$everything" 'secret|02:5e:c4:e7|10\.0\.0\.99'
}

# ---- the host's loopback (CVE-2020-8558) -----------------------------------

# hears SERVICE TEXT - asserts that the host's service receives TEXT
hears() {
	wait_for "$2 at the $1 service" grep -q "$2" "$BATS_TEST_TMPDIR/$1"
}

# service NAME SOCAT-ADDRESS - starts a service that writes datagrams to a file
service() {
	: >"$BATS_TEST_TMPDIR/$1"
	socat -u "$2" "OPEN:$BATS_TEST_TMPDIR/$1,append" 3>&- 4>&- &
	wait_for "the $1 service" bash -c "ss -Hnlu 'sport = :7777' | grep -q '${2##*bind=}'"
}

@test "security: containers and the world cannot reach the host's 127.0.0.1 and ::1, even with forged frames" {
	local ns dev from to source n=0

	world
	new_netns c1 c2
	service four UDP4-RECV:7777,bind=127.0.0.1
	service six 'UDP6-RECV:7777,bind=[::1]'
	add bridge "$(with "$CONF" '.macspoofchk = false')"
	add bridge "$(with "$PLAIN" '.macspoofchk = false')" c2
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 127
	for ns in c1 c2 world; do
		dev=eth0
		from=$(mac_of $ns $dev)
		to=$([[ $ns == world ]] && mac_of - uplink || mac_of - br1)
		for source in 127.0.0.1 127.0.0.2 10.1.0.3 10.1.0.77 203.0.113.2 198.51.100.1; do
			n=$((n + 1))
			send_frame $ns $dev "$(frame_udp "$from" "$to" $source 127.0.0.1 7777 "intruder$n,")"
			send_frame $ns $dev "$(frame_udp "$from" ff:ff:ff:ff:ff:ff $source 127.0.0.1 7777 "intruder$n,")"
		done
		for source in ::1 fd00:1::3 2001:db8:113::2 2001:db8:99::1; do
			n=$((n + 1))
			send_frame $ns $dev "$(frame_udp "$from" "$to" $source ::1 7777 "intruder$n,")"
		done
	done
	# Datagrams arrive in order.
	echo host, | socat -u - UDP4:127.0.0.1:7777
	echo host, | socat -u - 'UDP6:[::1]:7777'
	hears four host
	hears six host
	is "$(cat "$BATS_TEST_TMPDIR"/{four,six} | xargs)" 'host, host,'
	# Proves that the frames are valid: without the guard chain they are received.
	nft flush chain inet cplug guard
	send_frame c2 eth0 "$(frame_udp "$(mac_of c2 eth0)" "$(mac_of - br1)" 10.1.0.3 127.0.0.1 7777 intruder,)"
	hears four intruder
}

@test "security: containers and the world cannot reach ports that are published at 127.0.0.1" {
	world
	new_netns c1 c2
	add bridge "$(with "$CONF" '.runtimeConfig.portMappings = [{hostPort: 7777, containerPort: 80,
		protocol: "udp", hostIP: "127.0.0.1"}] | .macspoofchk = false')"
	add bridge "$(with "$PLAIN" '.macspoofchk = false')" c2
	udp_answer c1 80 web
	ask - udp 127.0.0.1 7777
	: >"$BATS_TEST_TMPDIR/seen"
	in_ns c1 nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }
		add rule ip t c udp dport 80 counter'
	send_frame c2 eth0 "$(frame_udp "$(mac_of c2 eth0)" "$(mac_of - br1)" 10.1.0.3 127.0.0.1 7777 intruder)"
	send_frame world eth0 "$(frame_udp "$(mac_of world eth0)" "$(mac_of - uplink)" 203.0.113.2 127.0.0.1 7777 intruder)"
	ask_in_vain world udp 203.0.113.1 7777
	contains "$(in_ns c1 nft list chain ip t c)" 'packets 0 '
	ask - udp 127.0.0.1 7777
	contains "$(in_ns c1 nft list chain ip t c)" 'packets [1-9]'
}

# open_host - lets the kernel accept any source address, so that only the guard is left
open_host() {
	local conf

	for conf in all br1 uplink; do sysctl_set net/ipv4/conf/$conf/rp_filter 0; done
}

@test "security: packets from 127.0.0.0/8 that come from a container reach no service and no published port" {
	local ns source to n=0 count='add table ip t; add chain ip t c { type filter hook input priority 0; }
		add rule ip t c udp dport 80 counter'

	world
	new_netns c1 c2
	service any UDP4-RECV:7777,bind=0.0.0.0
	add bridge "$(with "$CONF" '.macspoofchk = false')"
	add bridge "$(with "$PLAIN" '.macspoofchk = false')" c2
	open_host
	in_ns c1 nft "$count"
	for ns in c1 c2 world; do
		to=$([[ $ns == world ]] && mac_of - uplink || mac_of - br1)
		for source in 127.0.0.1 127.0.0.2 127.255.255.254; do
			for address in 10.1.0.1 203.0.113.1; do
				n=$((n + 1))
				send_frame $ns eth0 "$(frame_udp "$(mac_of $ns eth0)" "$to" $source $address 7777 "intruder$n,")"
				[[ $ns == c1 ]] ||
					send_frame $ns eth0 "$(frame_udp "$(mac_of $ns eth0)" "$to" $source $address 8080 "intruder$n,")"
			done
		done
	done
	echo host, | socat -u - UDP4:127.0.0.1:7777
	hears any host
	is "$(cat "$BATS_TEST_TMPDIR/any")" 'host,'
	contains "$(in_ns c1 nft list chain ip t c)" 'packets 0 '
	# Another frame to the published port, and the same to the service without the guard, arrive.
	send_frame c2 eth0 "$(frame_udp "$(mac_of c2 eth0)" "$(mac_of - br1)" 10.1.0.3 10.1.0.1 8080 neighbour)"
	wait_for "a packet to the published port" eval "in_ns c1 nft list chain ip t c | grep -q 'packets 1 '"
	nft flush chain inet cplug guard
	send_frame c2 eth0 "$(frame_udp "$(mac_of c2 eth0)" "$(mac_of - br1)" 127.0.0.2 10.1.0.1 7777 intruder,)"
	hears any intruder
}

# guarded - true if route_localnet of br1 is off, or the guard is in place
guarded() {
	[[ $(sysctl_get net/ipv4/conf/br1/route_localnet 2>/dev/null || echo 0) == 0 ]] ||
		(($(nft list chain inet cplug guard 2>/dev/null | grep -c '127\.0\.0\.0/8 drop') == 2))
}

# closed - true if route_localnet of br1 is off
closed() {
	[[ $(sysctl_get net/ipv4/conf/br1/route_localnet) == 0 ]]
}

@test "security: route_localnet is never on without the chain guard, also if ADD is killed" {
	local at seen=0

	warm_up bridge "$CONF"
	new_netns c1
	for ((at = 1; ; at++)); do
		nft delete chain inet cplug guard # by an administrator, while no port was published
		CNI_TEST_CRASH_AT=$at cni ADD bridge "$CONF"
		guarded || fail "killed at change $at: route_localnet is on without the guard"
		closed || seen=1
		((status)) || break
		del bridge "$CONF"
		closed
		nft list chain inet cplug guard || nft add chain inet cplug guard
	done
	((seen))
}

@test "security: GC deletes the chain guard only after route_localnet is off" {
	local gc

	new_netns c1
	gc=$(with "$CONF" '."cni.dev/valid-attachments" = []')
	add bridge "$CONF"
	# A bridge that GC does not delete.
	ip link add other master br1 type veth peer name other2
	# route_localnet cannot be switched off.
	mount --bind /proc/sys /proc/sys
	mount -o remount,ro,bind /proc/sys
	cni GC bridge "$gc"
	guarded
	if closed; then fail "route_localnet is off"; fi
	umount /proc/sys
	cni GC bridge "$gc"
	ok
	closed
	if nft list table inet cplug &>/dev/null; then fail "the table is there"; fi
}

# expose - asserts that route_localnet is on and the guard is gone, as after a flushed ruleset
expose() {
	nft flush ruleset
	! guarded
}

# mend - puts back everything of c1
mend() {
	CPLUG_REPAIR=1 cni CHECK bridge "$chained"
	ok
	guarded
	! closed
}

@test "security: after nft flush ruleset the next ADD, repair, DEL or GC closes the host's loopback" {
	local conf bare chained other

	new_netns c1 c2
	bare=$(with "$PLAIN" '.ipMasq = false | .macspoofchk = false')
	add bridge "$CONF"
	chained=$(chained "$CONF")
	for conf in "$CONF" "$PLAIN" "$bare"; do
		other=$(with "$conf" '(.runtimeConfig.portMappings // empty)[].hostPort = 8081')
		expose
		add bridge "$other" c2
		guarded || fail "open after ADD of $other"
		mend
		expose
		del bridge "$other" c2
		guarded || fail "open after DEL of $other"
		mend
	done
	expose
	mend
	# GC, with the attachment still valid: its ports are gone until restore makes them anew.
	expose
	cni GC bridge "$(with "$CONF" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')"
	ok
	guarded
	mend
	expose
	del bridge "$CONF"
	closed
}

@test "security: after nft flush ruleset portmap's DEL closes the loopback behind a foreign bridge" {
	local port

	new_netns c1
	# The administrator's bridge, which does not carry cplug's mark.
	ip link add br1 type bridge
	add bridge "$PLAIN"
	port=$(chained "$(with "$CONF" 'del(.ipam, .macspoofchk) | .type = "portmap"')")
	add portmap "$port"
	expose
	del portmap "$port"
	closed
}

# stranger_open LINK - another program lets the host's loopback reach LINK, without cplug's guard
stranger_open() {
	nft flush ruleset
	sysctl_set "net/ipv4/conf/$1/route_localnet" 1
}

@test "security: DEL with a forged bridge, VLAN or prevResult leaves another program's route_localnet" {
	local forged

	ip link add cni0 type bridge
	ip link add cni0.5 type veth peer name other
	forged=$(with "$CONF" 'del(.ipam, .macspoofchk) | .type = "portmap" | .prevResult = {cniVersion: "1.1.0",
		interfaces: [{name: "cni0"}], ips: [{address: "10.1.0.2/24"}]}')
	stranger_open cni0
	stranger_open cni0.5
	del portmap "$forged" c1 ''
	del bridge "$(with "$CONF" '.bridge = "cni0"')" c1 ''
	del bridge "$(with "$CONF" '.bridge = "cni0" | .vlan = 5')" c1 ''
	is "$(sysctl_get net/ipv4/conf/cni0/route_localnet)" 1
	is "$(sysctl_get net/ipv4/conf/cni0.5/route_localnet)" 1
	is "$(nft list ruleset)" ''
	# The same DEL closes what cplug opened.
	sysctl_set net/ipv4/conf/cni0/route_localnet 127
	del bridge "$(with "$CONF" '.bridge = "cni0"')" c1 ''
	is "$(sysctl_get net/ipv4/conf/cni0/route_localnet)" 0
}

@test "security: DEL, GC and rollback leave the route_localnet that another program switched on" {
	local at gc

	ip link add br1 type bridge
	new_netns c1
	stranger_open br1
	gc=$(with "$CONF" '."cni.dev/valid-attachments" = []')
	add bridge "$CONF"
	del bridge "$CONF"
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 1
	add bridge "$CONF"
	cni GC bridge "$gc"
	ok
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 1
	if nft list table inet cplug &>/dev/null; then fail "the table is there"; fi
	nft flush ruleset
	for ((at = 1; ; at++)); do
		CNI_TEST_FAIL_AT=$at cni ADD bridge "$CONF"
		((status)) || break
	done
	((at > 5))
	is "$(sysctl_get net/ipv4/conf/br1/route_localnet)" 1
}

@test "security: after the chain guard was emptied, the next ADD, repair and GC put it back" {
	local chained ports

	new_netns c1 c2
	add bridge "$CONF"
	chained=$(chained "$CONF")
	ports=$(with "$CONF" '.runtimeConfig.portMappings[].hostPort = 8081')
	nft flush chain inet cplug guard
	if guarded; then fail "the guard is still there"; fi
	add bridge "$ports" c2
	guarded
	nft flush chain inet cplug guard
	CPLUG_REPAIR=1 cni CHECK bridge "$chained"
	ok
	guarded
	nft flush chain inet cplug guard
	cni GC bridge "$(with "$CONF" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')"
	ok
	guarded
}

@test "security: CHECK notices an open loopback after nft flush ruleset" {
	local bare chained

	new_netns c1 c2
	bare=$(with "$PLAIN" '.ipMasq = false | .macspoofchk = false')
	add bridge "$bare" c2
	chained=$(chained "$bare")
	add bridge "$CONF"
	with_ports=$(chained "$CONF")
	cni CHECK bridge "$chained" c2
	ok
	expose
	cni CHECK bridge "$with_ports"
	failed 107 'chain guard'
	cni CHECK bridge "$chained" c2
	failed 107 'chain guard.*route_localnet of br1'
	CPLUG_REPAIR=1 cni CHECK bridge "$chained" c2
	ok
	guarded
	cni CHECK bridge "$chained" c2
	ok
}

# ---- packets to other machines (CVE-2025-67499) ----------------------------

@test "security: a published port does not capture packets to other machines and containers" {
	local protocol to

	world
	# Another machine behind the host.
	new_netns far c1 c2 c3
	ip link add far type veth peer name eth0 netns far
	ip address add 198.51.100.1/24 dev far
	ip address add 2001:db8:51::1/64 dev far nodad
	ip link set far up
	in_ns far ip link set lo up
	in_ns far ip address add 198.51.100.2/24 dev eth0
	in_ns far ip address add 2001:db8:51::2/64 dev eth0 nodad
	in_ns far ip link set eth0 up
	in_ns far ip route add default via 198.51.100.1
	in_ns far ip -6 route add default via 2001:db8:51::1
	in_ns world ip route add 198.51.100.0/24 via 203.0.113.1
	in_ns world ip -6 route add 2001:db8:51::/64 via 2001:db8:113::1
	add bridge "$CONF"
	add bridge "$PLAIN" c2
	add bridge "$PLAIN" c3
	for to in 203.0.113.2 2001:db8:113::2; do wait_for "the route to $to" in_ns far ping -c 1 -W 1 $to; done
	tcp_answer c1 80 captured
	udp_answer c1 80 captured
	for ns in world far c3; do
		tcp_answer $ns 8080 "$ns"
		udp_answer $ns 8080 "$ns"
	done
	for protocol in tcp udp; do
		contains "$(ask far $protocol 203.0.113.1 8080)" '^captured'
		# From a container, the host, and a machine whose packets the host forwards.
		for to in 203.0.113.2 2001:db8:113::2; do
			for ns in c2 c1 - far; do contains "$(ask $ns $protocol $to 8080)" '^world'; done
		done
		for to in 198.51.100.2 2001:db8:51::2; do
			for ns in c2 world; do contains "$(ask $ns $protocol $to 8080)" '^far'; done
		done
		# To another container of the bridge.
		for to in 10.1.0.4 fd00:1::4; do
			for ns in c2 -; do contains "$(ask $ns $protocol $to 8080)" '^c3'; done
		done
	done
	if has_br_netfilter; then
		sysctl_set net/bridge/bridge-nf-call-iptables 1
		sysctl_set net/bridge/bridge-nf-call-ip6tables 1
		for to in 10.1.0.4 fd00:1::4; do contains "$(ask c2 tcp $to 8080)" '^c3'; done
	fi
}

# ---- what belongs to another attachment -------------------------------------

FIREWALL='{"cniVersion":"1.1.0","name":"evil","type":"firewall"}'
PORTMAP='{"cniVersion":"1.1.0","name":"evil","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":9090,"containerPort":80}]}}'

# evil BRIDGE IPAM - prints a network that asks for an address with an IPAM plugin of its own
evil() {
	with "$PLAIN" ".name = \"evil\" | .bridge = \"$1\" | .macspoofchk = false | .isDefaultGateway = false | .ipam = $2"
}

# claimed WHAT VERB TYPE CONF - ADD of c2 fails, because WHAT belongs to net1/c1/eth0; neither ADD nor
# DEL changes anything
claimed() {
	cni "${@:2}" c2
	failed 104 "$1 belongs to net1/c1/eth0 \(network/container/interface\) already"
	del "$3" "$4" c2
	assert_same_snapshot
}

@test "security: masquerade of a living attachment is not taken over, whatever names its address" {
	local bridge address answer

	new_netns c1 c2
	add bridge "$PLAIN"
	answer=$output
	warm_up bridge "$(evil br1 '{type: "static", addresses: [{address: "10.9.0.2/24"}]}')" c2
	warm_up bridge "$(evil br2 '{type: "static", addresses: [{address: "10.9.0.2/24"}]}')" c2
	warm_up bridge "$(evil br1 '{type: "host-local", subnet: "10.9.0.0/24"}')" c2
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/c1/eth0"'
	remember
	for bridge in br1 br2; do
		for address in 10.1.0.2/24 10.1.0.2/32 fd00:1::2/64; do
			claimed "masquerade of ${address%/*}" ADD bridge \
				"$(evil $bridge "{type: \"static\", addresses: [{address: \"$address\"}]}")"
		done
	done
	claimed 'masquerade of 10.1.0.2' ADD bridge \
		"$(evil br1 '{type: "host-local", subnet: "10.1.0.0/24"}' | jq -c '.args.cni.ips = ["10.1.0.2"]')"
	claimed 'masquerade of 10.1.0.2' ADD ptp \
		"$(evil br1 '{type: "static", addresses: [{address: "10.1.0.2/32", gateway: "10.9.0.1"}]}' | jq -c '.type = "ptp"')"
	output=$answer
	cni CHECK bridge "$(chained "$PLAIN")"
	ok
}

# own_source ADDRESS TO - prints the source that TO, in the world, sees when the host connects from ADDRESS
own_source() {
	local address=$1 to=$2 line

	[[ $address != *:* ]] || address="[$address]" to="[$to]"
	read -r line < <(echo question | socat -t "$RIG_DEADLINE" - "TCP:$to:7000,bind=$address")
	echo "${line##* }"
}

# refused_as_own TYPE CONF MESSAGE - ADD of c1 fails, because the address is the host's, and changes nothing
refused_as_own() {
	cni ADD "$1" "$2"
	failed 102 "$3"
	assert_same_snapshot
}

# found_and_refused CONF ANSWER DIFFERENCE REFUSAL - while other has an address of c1, CHECK tells DIFFERENCE,
# and a repair fails with REFUSAL; "@" in both is the address
found_and_refused() {
	local address

	for address in 10.9.0.2/32 fd00:9::2/128; do
		ip address add $address dev other nodad 2>/dev/null # a warning for IPv4
		output=$2
		cni CHECK bridge "$(chained "$1")"
		failed 107 "${3//@/${address%/*}}"
		output=$2
		CPLUG_REPAIR=1 cni CHECK bridge "$(chained "$1")"
		failed 102 "${4//@/${address%/*}}"
		ip address del $address dev other
	done
}

@test "security: the host's own packets are never masqueraded, whatever gives a container the host's address" {
	local address ipam

	world
	new_netns c1
	ip link add other type veth peer name other-peer
	ip address add 192.0.2.7/24 dev other
	ip address add 2001:db8:7::7/64 dev other nodad
	ip link set other up
	in_ns world ip route add 192.0.2.0/24 via 203.0.113.1
	in_ns world ip -6 route add 2001:db8:7::/64 via 2001:db8:113::1
	tcp_answer world 7000 world
	warm_up bridge "$(evil br9 '{type: "static", addresses: [{address: "10.9.0.2/24"}]}')"
	warm_up ptp "$(with "$PLAIN" '.type = "ptp" | .name = "evil"')"
	remember
	for address in 192.0.2.7/32 192.0.2.7/24 203.0.113.1/30 2001:db8:7::7/128 2001:db8:113::1/64; do
		ipam="{type: \"static\", addresses: [{address: \"10.9.0.3/24\"}, {address: \"$address\"}]}"
		refused_as_own bridge "$(evil br9 "$ipam")" "${address%/*} is an address of the host itself"
	done
	refused_as_own bridge "$(evil br9 '{type: "host-local", subnet: "192.0.2.0/24"} | .args.cni.ips = ["192.0.2.7"]')" \
		'192\.0\.2\.7 is an address of the host itself'
	# The route to the container is passed over for want of carrier, the one to the host is not.
	sysctl_set net/ipv4/conf/all/ignore_routes_with_linkdown 1
	sysctl_set net/ipv6/conf/all/ignore_routes_with_linkdown 1
	remember
	for ipam in '192.0.2.7/32", gateway: "10.9.0.1' '2001:db8:7::7/128", gateway: "fd00:9::1'; do
		ipam="{type: \"static\", addresses: [{address: \"$ipam\"}]}"
		refused_as_own ptp "$(with "$PLAIN" ".type = \"ptp\" | .name = \"evil\" | .ipam = $ipam")" \
			'is (not )?reached through .*veth'
	done
	is "$(own_source 192.0.2.7 203.0.113.2)" 192.0.2.7
	is "$(own_source 2001:db8:7::7 2001:db8:113::2)" '[2001:0db8:0007:0000:0000:0000:0000:0007]'
	# What is not masqueraded harms the container alone, as with the reference.
	add bridge "$(evil br9 '{type: "static", addresses: [{address: "192.0.2.7/32"}]} | .ipMasq = false')"
	is "$(own_source 192.0.2.7 203.0.113.2)" 192.0.2.7
}

@test "security: policy rules do not hide the host's own address when a container asks for it" {
	local address ipam conf answer

	new_netns c1
	ip link add other type veth peer name other-peer
	ip link add dim type veth peer name dim-peer
	ip address add 192.0.2.7/24 dev other
	ip address add 2001:db8:7::7/64 dev other nodad
	ip address add 192.0.2.9/24 dev dim
	ip link set other up
	ip link set other-peer up
	warm_up bridge "$(evil br9 '{type: "static", addresses: [{address: "10.9.0.2/24"}]}')"
	warm_up ptp "$(with "$PLAIN" '.type = "ptp" | .name = "evil"')"
	for address in 4 6; do
		ip -$address rule add pref 60 lookup local
		ip -$address rule del pref 0
	done
	ip rule add pref 50 to 192.0.2.7 lookup 77
	ip -6 rule add pref 50 to 2001:db8:7::7 lookup 77
	ip route add unreachable default table 77
	ip -6 route add unreachable default table 77
	remember
	for address in 192.0.2.7/32 2001:db8:7::7/128 192.0.2.9/32; do
		ipam="{type: \"static\", addresses: [{address: \"10.9.0.3/24\"}, {address: \"$address\"}]}"
		refused_as_own bridge "$(evil br9 "$ipam")" "${address%/*} is an address of the host itself, so it is not masqueraded"
	done
	for address in 4 6; do
		ip -$address rule del pref 50
		ip -$address rule add pref 55 lookup main
	done
	remember
	for ipam in '192.0.2.7/32", gateway: "10.9.0.1' '2001:db8:7::7/128", gateway: "fd00:9::1'; do
		conf=$(with "$PLAIN" ".type = \"ptp\" | .name = \"evil\" | .ipam = {type: \"static\", addresses: [{address: \"$ipam\"}]}")
		refused_as_own ptp "$conf" 'is an address of the host itself \(choose another'
		refused_as_own ptp "$(with "$conf" '.ipMasq = false')" 'is an address of the host itself \(choose another'
	done
	ipam='{type: "static", addresses: [{address: "192.0.2.7/28"}, {address: "2001:db8:7::7/80"}]}'
	refused_as_own bridge "$(evil br9 "$ipam | .isGateway = true")" '192\.0\.2\.7 is an address of the host itself \(choose another'
	# What is the host's later.
	conf=$(evil br9 '{type: "static", addresses: [{address: "10.9.0.2/28"}, {address: "fd00:9::2/80"}]} | .isGateway = true')
	add bridge "$conf"
	answer=$output
	found_and_refused "$conf" "$answer" "\"object\":\"masqueraded address @\",\"want\":\"an address of the container\"" \
		"@ is (an address of the host itself|reached through other)"
	del bridge "$conf"
}

@test "security: an address that the host has in a VRF alone may be a container's" {
	local address conf link

	has_kind vrf || skip "this kernel has no vrf interfaces"
	new_netns c1
	ip link add blue type vrf table 77
	ip link set blue up
	for link in one two; do
		ip link add $link type veth peer name $link-peer
		ip link set $link-peer up
		ip link set $link up
	done
	ip link set one master blue
	ip address add 192.0.2.7/24 dev one
	ip address add 192.0.2.8/32 dev blue
	ip address add 2001:db8:7::7/64 dev one nodad
	for address in 192.0.2.7/32 192.0.2.8/32 2001:db8:7::7/128; do
		conf=$(evil br9 "{type: \"static\", addresses: [{address: \"$address\"}]}")
		add bridge "$conf"
		del bridge "$conf"
		# Another link outside of the VRF has it as well.
		ip address add "$address" dev two nodad 2>/dev/null
		cni ADD bridge "$conf"
		failed 102 "${address%/*} is an address of the host itself"
		ip address del "$address" dev two
	done
}

@test "security: CHECK notes, and a repair refuses, a masqueraded address that became the host's" {
	local conf answer

	new_netns c1
	conf=$(evil br9 '{type: "static", addresses: [{address: "10.9.0.2/24"}, {address: "fd00:9::2/64"}]}')
	add bridge "$conf"
	answer=$output
	cni CHECK bridge "$(chained "$conf")"
	ok
	ip link add other type veth peer name other-peer
	ip link set other up
	found_and_refused "$conf" "$answer" "masqueraded address @: expected an address of the container, found an address of the host, too" \
		"@ is an address of the host itself"
	output=$answer
	cni CHECK bridge "$(chained "$conf")"
	ok
	del bridge "$conf"
}

@test "security: accepted addresses and isolated ports are not taken over by a forged prevResult" {
	local answer filter conf

	new_netns c1 c2
	add bridge "$PLAIN"
	answer=$output
	cni ADD firewall "$(chained "$(with "$FIREWALL" '.name = "net1" | .ingressPolicy = "isolated" | .backend = "iptables"')")"
	ok
	# The chains of both backends of the attacker.
	output='{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.2/24"}]}'
	cni ADD firewall "$(chained "$FIREWALL")" c2
	ok
	del firewall "$FIREWALL" c2
	contains "$(iptables -S CNI-FORWARD)" '-s 10\.1\.0\.2/32 -j ACCEPT'
	contains "$(nft list set bridge cplug-firewall isolated)" 'net1/c1/eth0'
	remember
	for filter in . '.backend = "iptables"' '.backend = "nftables" | .ingressPolicy = "same-bridge"'; do
		output=$answer
		claimed 'accepted4 of 10.1.0.2' ADD firewall "$(chained "$(with "$FIREWALL" "$filter")")"
	done
	# The port alone, without an address of the victim.
	output=$(jq -c '.ips = [{address: "10.9.0.2/24"}]' <<<"$answer")
	conf=$(chained "$(with "$FIREWALL" '.ingressPolicy = "isolated"')")
	cni ADD firewall "$conf" c2
	failed 7 'prevResult lists no link of the host that leads to eth0'
	del firewall "$conf" c2
	assert_same_snapshot
}

@test "security: return path and loopback route of a published port are not taken over by a forged prevResult" {
	local answer ptp link conf

	new_netns c1 c2
	ptp='{"cniVersion":"1.1.0","name":"net1","type":"ptp","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
	add ptp "$ptp"
	answer=$output
	cni ADD portmap "$(chained "$(with "$PORTMAP" '.name = "net1" | .runtimeConfig.portMappings[0].hostPort = 8080')")"
	ok
	contains "$(nft list set inet cplug localnet4)" 'net1/c1/eth0'
	remember
	output=$answer
	claimed 'return path of 10.1.0.2' ADD portmap "$(chained "$PORTMAP")"
	# Another address behind the victim's link: its own use of the route neither replaces nor ends the
	# victim's.
	link=$(jq -r '.interfaces[0].name' <<<"$answer")
	ip route add 10.1.0.77/32 dev "$link"
	output=$(jq -c '.ips = [{address: "10.1.0.77/24", interface: 1}]' <<<"$answer")
	conf=$(chained "$PORTMAP")
	cni ADD portmap "$conf" c2
	ok
	del portmap "$conf" c2
	is "$(cat "/proc/sys/net/ipv4/conf/$link/route_localnet")" 127
	contains "$(nft list set inet cplug localnet4)" 'net1/c1/eth0'
}

# linkless - prints the result of a plugin that lists no link of the host
linkless() {
	jq -nc '{cniVersion: "1.1.0", interfaces: [{name: "eth0", sandbox: "/run/netns/c"}],
		ips: [{address: "10.1.0.2/24", interface: 0}]}'
}

# static CONF - prints it with static IPAM and the address 10.1.0.2
static() {
	with "$1" '.ipam = {type: "static", addresses: [{address: "10.1.0.2/24"}]}'
}

@test "security: an address moves to another attachment if its owner is deleted, dead, or the same" {
	local conf

	conf=$(static "$PLAIN")
	new_netns c1 c2 c3
	add bridge "$conf"
	# The same attachment again, after its link was lost.
	ip link del "$(jq -r '.interfaces[] | select(.name | startswith("veth")).name' <<<"$output")"
	add bridge "$conf"
	# The link is gone.
	ip link del "$(jq -r '.interfaces[] | select(.name | startswith("veth")).name' <<<"$output")"
	add bridge "$conf" c2
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/c2/eth0"'
	# DEL of the dead one leaves it.
	del bridge "$conf" c1
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/c2/eth0"'
	del bridge "$conf" c2
	add bridge "$conf" c3
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment "veth[0-9a-f]* net1/c3/eth0"'
}

@test "security: an address moves at once if the namespace of its owner is gone, with and without a link" {
	local i bridge fw

	kernel_knows_netns || skip "this kernel cannot tell whether a namespace exists (Linux 6.18 can)"
	[[ ! ${RIG_LINGER-} ]] || skip "the namespaces must end at once"
	bridge=$(static "$PLAIN")
	fw=$(with "$FIREWALL" '.name = "net1"')
	for i in 1 2 3 4 5 6; do
		new_netns "b$i" "d$i"
		add bridge "$bridge" "b$i"
		output=$(linkless)
		cni ADD firewall "$(chained "$fw")" "d$i"
		ok
		contains "$(nft list set inet cplug-firewall accepted4)" "10\.1\.0\.2 comment .*/d$i/eth0"
		contains "$(nft list map inet cplug masq4)" "10\.1\.0\.2 comment .*/b$i/eth0"
		# The next one's ADD begins before the kernel has deleted the links.
		free_sockets
		ip netns del "b$i"
		ip netns del "d$i"
	done
}

@test "security: an owner whose link is not known keeps its address while its namespace lives" {
	local fw

	fw=$(with "$FIREWALL" '.name = "net1"')
	new_netns c1 c2
	output=$(linkless)
	cni ADD firewall "$(chained "$fw")"
	ok
	output=$(linkless)
	cni ADD firewall "$(chained "$fw")" c2
	failed 104 'accepted4 of 10\.1\.0\.2 belongs to net1/c1/eth0'
	del firewall "$fw" c2 ''
	contains "$(nft list set inet cplug-firewall accepted4)" '10\.1\.0\.2 comment .*/c1/eth0'
}

@test "security: after a ruleset was loaded from text, a link's mark tells whether an address has an owner" {
	local conf saved=$BATS_TEST_TMPDIR/saved

	conf=$(static "$PLAIN")
	new_netns c1 c2
	add bridge "$conf"
	nft list ruleset >"$saved"
	nft flush ruleset
	nft -f "$saved"
	cni ADD bridge "$conf" c2
	failed 104 'masquerade of 10\.1\.0\.2 belongs to net1/c1/eth0'
	ip -n c1 link del eth0
	add bridge "$conf" c2
	contains "$(nft list map inet cplug masq4)" '10\.1\.0\.2 comment .*/c2/eth0'
}

# The start of both hashes is the same: of " 8.38.200.0/24" and " 8.50.16.0/24".
@test "security: exceptions from masquerade are not replaced by a network whose name and hash were chosen" {
	local conf

	conf=$(with "$PLAIN" '.ipMasq = {except: ["8.38.200.0/24"]}')
	new_netns c1 c2
	add bridge "$conf"
	contains "$(nft list table inet cplug)" 'ip daddr 8\.38\.200\.0/24 return'
	add bridge "$(with "$conf" '.ipMasq = {except: ["8.50.16.0/24"]} | .ipam = {
		type: "static", addresses: [{address: "10.1.0.9/24", gateway: "10.1.0.1"}]}')" c2
	contains "$(nft list table inet cplug)" 'ip daddr 8\.50\.16\.0/24 return'
	contains "$(nft list table inet cplug)" 'ip daddr 8\.38\.200\.0/24 return'
}
