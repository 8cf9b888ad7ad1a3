#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# macvlan: interfaces on the wire of a parent, which is "uplink" here; another host on that
# wire is the namespace "world"
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load cnitool
load leg

TYPE=macvlan
PEER=203.0.113.2

CONF='{"cniVersion":"1.1.0","name":"net1","type":"macvlan","master":"uplink",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"}],"ranges":[
		[{"subnet":"203.0.113.0/24","rangeStart":"203.0.113.10","gateway":"203.0.113.2"}]]}}'
DUAL='{"cniVersion":"1.1.0","name":"net1","type":"macvlan","master":"uplink",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"203.0.113.0/24","rangeStart":"203.0.113.10","gateway":"203.0.113.2"}],
		[{"subnet":"2001:db8:113::/64","rangeStart":"2001:db8:113::10","gateway":"2001:db8:113::2"}]]}}'
L2='{"cniVersion":"1.1.0","name":"wire","type":"macvlan","master":"uplink"}'

prepare() {
	world
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	mkdir -p "$NETCONFPATH"
}

# mac NS IFNAME - prints a link's MAC address
mac() {
	in_ns "$1" ip -j link show dev "$2" | jq -r '.[0].address'
}

# tentative NS - prints the IPv6 addresses of eth0 that are not usable yet
tentative() {
	in_ns "$1" ip -6 -j address show dev eth0 tentative | jq -r '[.[].addr_info[]?.local] | join(" ")'
}

# ---- ADD, DEL, protocol versions -------------------------------------------

@test "macvlan: ADD creates link, address and route, and returns them; DEL leaves no difference" {
	new_netns c1
	remember
	add macvlan "$CONF"
	has '.interfaces | length == 1'
	has '.interfaces[0].name == "eth0" and .interfaces[0].sandbox == "/run/netns/c1" and .interfaces[0].mtu == 1500'
	has '.ips == [{interface: 0, address: "203.0.113.10/24", gateway: "203.0.113.2"}]'
	has '.routes == [{dst: "0.0.0.0/0"}] and (has("dns") | not)'
	link c1 eth0 ".address == \"$(result '.interfaces[0].mac')\" and .ifalias == \"cplug net1/c1/eth0\" and .group == \"default\""
	link c1 eth0 '.linkinfo.info_kind == "macvlan" and .linkinfo.info_data.mode == "bridge" and (.flags | any(. == "UP"))'
	prints 203.0.113.10/24 addresses c1 eth0
	route c1 '.dst == "default" and .gateway == "203.0.113.2" and .dev == "eth0"'
	sees c1 203.0.113.2
	del macvlan "$CONF"
	assert_same_snapshot
}

@test "macvlan: every protocol version has its result, and CHECK, GC and STATUS where it has them" {
	CONF=$DUAL PEER6=2001:db8:113::2
	leg_versions
}

@test "macvlan: the link is created in the container with its final name, MTU and MAC address" {
	local trace

	can_trace || skip "no strace"
	new_netns c1
	trace=$(sent ADD macvlan "$(with "$DUAL" '.mtu = 1400 | .mac = "02:00:00:00:00:07"')" | grep RTM_NEWLINK)
	echo "$trace"
	is "$(grep -c 'NLM_F_CREATE' <<<"$trace")" 1
	contains "$trace" 'NLM_F_CREATE.*"eth0".*1400.*IFLA_NET_NS_FD'
	is "$(grep -c IFLA_IFNAME <<<"$trace")" 1
}

@test "macvlan: a host interface named like the container's is no conflict" {
	ip link set uplink down
	ip link set uplink name eth0
	ip link set eth0 up
	new_netns c1 c2
	remember
	add macvlan "$(conf '.master = "eth0"')"
	add macvlan "$(conf '.master = "eth0"')" c2
	sees c1 203.0.113.2
	sees c2 203.0.113.10
	cni CHECK macvlan "$(chained "$(conf '.master = "eth0"')")" c2
	ok
	del macvlan "$(conf '.master = "eth0"')"
	del macvlan "$(conf '.master = "eth0"')" c2
	assert_same_snapshot
}

@test "macvlan: DEL works in every order and with a wrong configuration" {
	CONF=$DUAL
	leg_del '.mode = "twisted" | .master = 7 | .mtu = "much" | .sourceMacs = 5'
}

@test "macvlan: DEL fails and frees nothing if the namespace cannot be opened now" {
	local conf

	can_trace || skip "no strace"
	new_netns c1
	add macvlan "$CONF"
	conf=$(chained "$CONF")
	remember
	status=0
	# LeakSanitizer does not work under ptrace.
	output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=DEL CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -qq -o /dev/null -P /run/netns/c1 -e inject=open,openat:error=EIO \
		"$CPLUG_BIN/macvlan" <<<"$conf") || status=$?
	failed 8 'open /run/netns/c1: Input/output error'
	assert_same_snapshot
	del macvlan "$conf"
	no_link c1 eth0
}

@test "macvlan: DEL and GC work with invalid options, and without the parent" {
	local wrong

	wrong=$(conf '.mode = "twisted" | .mtu = "much" | .master = 7 | .mac = "x" | .bcqueuelen = -1 | .resolvConf = true | .dad = 5')
	new_netns c1
	remember
	cni ADD macvlan "$wrong"
	failed 7 'mode: unknown macvlan mode: "twisted"'
	failed 7 'bcqueuelen'
	failed 7 'dad'
	assert_same_snapshot
	add macvlan "$CONF"
	del macvlan "$wrong"
	assert_same_snapshot
	add macvlan "$CONF"
	cni GC macvlan "$(with "$wrong" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	prints '' find /var/lib/cni/networks/net1 -name '2*'
	# The kernel deletes the link with its parent.
	ip link del uplink
	no_link c1 eth0
	cni CHECK macvlan "$(with "$CONF" '.prevResult = {cniVersion: "1.1.0"}')"
	failed
	del macvlan "$CONF"
}

@test "macvlan: an interface of that name makes ADD fail and stays" { leg_name_taken; }

@test "macvlan: another macvlan interface of that name makes ADD fail, and DEL leaves it" {
	new_netns c1
	ip link add eth0 netns c1 link uplink type macvlan mode bridge
	remember
	cni ADD macvlan "$CONF"
	failed 101 'eth0.*exists already'
	assert_same_snapshot
	del macvlan "$CONF"
	assert_same_snapshot
}

@test "macvlan: an interface of another attachment makes ADD fail, and stays" { leg_name_of_another; }

@test "macvlan: DEL deletes its link also if the alias was changed, but not another attachment's" {
	new_netns c1
	remember
	add macvlan "$CONF"
	in_ns c1 ip link set eth0 alias 'mine'
	del macvlan "$(chained "$CONF")"
	assert_same_snapshot
	add macvlan "$CONF"
	in_ns c1 ip link set eth0 alias 'cplug net2/c1/eth0'
	del macvlan "$(chained "$CONF")"
	link c1 eth0 '.ifalias == "cplug net2/c1/eth0"'
}

@test "macvlan: DEL leaves an interface without mark whose MAC address is not that of prevResult" {
	new_netns c1
	add macvlan "$CONF"
	in_ns c1 ip link del eth0
	ip link add eth0 netns c1 link uplink address 02:00:00:00:00:77 type macvlan mode bridge
	del macvlan "$(chained "$CONF")"
	link c1 eth0 '.address == "02:00:00:00:00:77"'
}

@test "macvlan: DEL leaves a link of which CNI_IFNAME is an alternative name" {
	local mac

	new_netns c1
	add macvlan "$CONF"
	mac=$(result '.interfaces[0].mac')
	in_ns c1 ip link set eth0 alias '' down
	in_ns c1 ip link set eth0 name wan7
	in_ns c1 ip link property add dev wan7 altname eth0 || skip "no alternative names"
	del macvlan "$(chained "$CONF")"
	link c1 wan7 ".address == \"$mac\""
}

@test "macvlan: an interface that the container renamed is deleted by DEL, and named by a repair" {
	new_netns c1
	remember
	add macvlan "$CONF"
	TYPE=macvlan CHECK=$(chained "$CONF")
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name wan7
	in_ns c1 ip link set wan7 up
	named 'renamed' 'interface eth0'
	CPLUG_REPAIR=1 cni CHECK macvlan "$CHECK"
	failed 101 'eth0 was renamed to wan7'
	# Another attachment's interface stays.
	in_ns c1 ip link add link wan7 name eth0 type macvlan mode bridge
	del macvlan "$(conf '.name = "other"')"
	link c1 wan7 true
	del macvlan "$CONF"
	no_link c1 wan7
	in_ns c1 ip link del eth0
	assert_same_snapshot
}

@test "macvlan: DEL without prevResult deletes an interface without alias if its address is leased to the attachment" {
	new_netns c1
	remember
	add macvlan "$DUAL"
	in_ns c1 ip link set eth0 alias ''
	in_ns c1 ip address flush dev eth0
	in_ns c1 ip address add 2001:db8:113::10/64 dev eth0 nodad
	del macvlan "$DUAL"
	assert_same_snapshot
	# Another address is no evidence, and neither is that of another attachment.
	new_netns c2
	add macvlan "$DUAL" c2
	ip link add eth0 netns c1 link uplink type macvlan mode bridge
	in_ns c1 ip address add "$(result '.ips[0].address')" dev eth0
	remember
	del macvlan "$DUAL"
	assert_same_snapshot
}

@test "macvlan: DEL that cannot delete the interface keeps its address leased" { leg_del_refused; }

# ---- accidents -------------------------------------------------------------

@test "macvlan: a failed ADD leaves no difference" {
	new_netns c1 c2
	add macvlan "$(conf '.ipam.ranges[0][0].rangeEnd = "203.0.113.10"')" c2
	remember
	cni ADD macvlan "$(conf '.ipam.ranges[0][0].rangeEnd = "203.0.113.10"')"
	failed '' 'no IP addresses available'
	assert_same_snapshot
	cni ADD macvlan "$(conf '.ipam.type = "nothing-of-the-kind"')"
	failed '' 'nothing-of-the-kind'
	assert_same_snapshot
	cni ADD macvlan "$(conf '.ipam.routes = [{dst: "192.0.2.0/24", gw: "198.51.100.77"}]')"
	failed '' '192\.0\.2\.0.*(unreachable|invalid gateway)'
	assert_same_snapshot
	cni ADD macvlan "$(conf '.mac = "01:00:5e:00:00:01"')"
	failed
	assert_same_snapshot
	for n in 1 2 3; do
		CNI_TEST_FAIL_AT=$n cni ADD macvlan "$DUAL"
		((status)) || break
		failed
		assert_same_snapshot
	done
}

@test "macvlan: the parent is found, up, and large enough, or named" { leg_parent; }

@test "macvlan: a parent that cannot have a macvlan interface is named with the reason" {
	local type

	ip link add br1 type bridge
	ip link add port0 type veth peer name port1
	ip link set port0 master br1 up
	new_netns c1
	remember
	cni ADD macvlan "$(with "$L2" '.master = "port0"')"
	failed '' 'port0, a port of bridge br1: Device or resource busy \(ip link set .*port0 nomaster, or name another parent\)'
	for type in macvlan ipvlan; do
		cni STATUS $type "$(with "$L2" ".master = \"port0\" | .type = \"$type\" | del(.mode)")" '' '' ''
		failed 50 "add $type on port0, a port of bridge br1: Device or resource busy \(ip link set port0 nomaster, or"
	done
	cni ADD macvlan "$(with "$L2" '.master = "lo"')"
	failed 7 'master: lo is the loopback interface'
	failed '' 'must be an Ethernet interface'
	assert_same_snapshot
}

@test "macvlan: DEL removes what an ADD left that was killed at any change" {
	local n

	new_netns c1 c2
	add macvlan "$DUAL" c2
	del macvlan "$DUAL" c2
	remember
	for ((n = 1; n < 20; n++)); do
		CNI_TEST_CRASH_AT=$n cni ADD macvlan "$DUAL"
		((status)) || break
		((status > 128)) || fail "not killed: $status"
		if ((n == 1)); then
			# The link has no alias yet, but the device group that is computed from it.
			link c1 eth0 '.group != "default" and (has("ifalias") | not)'
			# Another attachment leaves it alone.
			del macvlan "$(with "$DUAL" '.name = "other"')"
			link c1 eth0 true
		fi
		del macvlan "$DUAL"
		assert_same_snapshot
	done
	((n > 2 && n < 20)) || fail "$n steps"
}

# ---- modes -----------------------------------------------------------------

@test "macvlan: the modes are set, and do what they say" {
	local mode conf

	new_netns c1 c2
	for mode in bridge private vepa; do
		conf=$(with "$L2" ".mode = \"$mode\"")
		add macvlan "$conf"
		add macvlan "$conf" c2
		link c1 eth0 ".linkinfo.info_data.mode == \"$mode\""
		in_ns c1 ip address add 203.0.113.10/24 dev eth0
		in_ns c2 ip address add 203.0.113.11/24 dev eth0
		sees c1 203.0.113.2
		case $mode in
		bridge) sees c1 203.0.113.11 ;;
		*) sees_not c1 203.0.113.11 ;;
		esac
		del macvlan "$conf"
		del macvlan "$conf" c2
	done
}

@test "macvlan: passthru has the parent of a container that died without DEL at once" {
	local conf n

	conf=$(with "$L2" '.mode = "passthru"')
	for n in 1 2 3; do
		new_netns "c$n" "next$n"
		add macvlan "$conf" "c$n"
		add_at_end "c$n" macvlan "$conf" "next$n"
		del macvlan "$conf" "c$n" ''
		link "next$n" eth0 '.linkinfo.info_data.mode == "passthru"'
		del macvlan "$conf" "next$n"
	done
}

@test "macvlan: passthru takes the parent for one container, with its MAC address or the given one" {
	local conf

	conf=$(conf '.mode = "passthru"')
	new_netns c1 c2
	remember
	add macvlan "$conf"
	link c1 eth0 '.linkinfo.info_data.mode == "passthru"'
	is "$(mac c1 eth0)" "$(mac - uplink)"
	has ".interfaces[0].mac == \"$(mac - uplink)\""
	sees c1 203.0.113.2
	cni CHECK macvlan "$(chained "$conf")"
	ok
	cni ADD macvlan "$conf" c2
	failed '' 'on uplink: Invalid argument'
	failed '' 'in mode passthru'
	cni ADD macvlan "$CONF" c2
	failed '' 'on uplink: Invalid argument'
	failed '' 'in mode passthru'
	del macvlan "$conf"
	assert_same_snapshot
	# The kernel gives it to the parent, and takes it back.
	conf=$(with "$conf" '.mac = "02:00:00:00:00:99"')
	add macvlan "$conf"
	has '.interfaces[0].mac == "02:00:00:00:00:99"'
	link c1 eth0 '.address == "02:00:00:00:00:99"'
	sees c1 203.0.113.2
	del macvlan "$conf"
	assert_same_snapshot
}

# sources FROM TO - the container adds source MACs to its eth0
sources() {
	local i

	for ((i = $1; i < $2; i++)); do
		printf 'link set link dev eth0 type macvlan macaddr add 02:%02x:%02x:01:01:01\n' $((i >> 8)) $((i & 255))
	done >"$BATS_TEST_TMPDIR/batch"
	in_ns c1 ip -batch "$BATS_TEST_TMPDIR/batch"
}

@test "macvlan: a link with too many source MACs for the kernel's message is not believed" {
	local conf check tuning

	conf=$(with "$CONF" '.mode = "source" | .sourceMacs = ["02:00:00:00:00:55"]')
	new_netns c1
	add macvlan "$conf"
	check=$(chained "$conf")
	tuning=$(chained '{"cniVersion":"1.0.0","name":"net1","type":"tuning","mtu":1400}')
	add tuning "$tuning"
	# The length of the list wraps, so MACs stand where the next attributes seem to be, as the MTU.
	sources 1 5600
	cni CHECK macvlan "$check"
	contains_not "$output" MTU
	contains "$errors" 'container: an object too long to be read is passed over'
	CPLUG_REPAIR=1 cni CHECK macvlan "$check"
	failed
	# More than is read of an answer.
	sources 5600 23000
	cni DEL tuning "$tuning"
	ok
	cni DEL macvlan "$conf"
	ok
	prints '' find /var/lib/cni/networks -name '203.*'
}

@test "macvlan: source receives frames only from sourceMacs" {
	local conf other

	conf=$(with "$CONF" ".mode = \"source\" | .sourceMacs = [\"$(mac world eth0)\", \"02-00-00-00-00-55\"]")
	other=$(conf '.mode = "source" | .sourceMacs = ["02:00:00:00:00:55"] | .name = "other"
		| .ipam.ranges[0][0].rangeStart = "203.0.113.20"')
	new_netns c1 c2
	remember
	add macvlan "$conf"
	link c1 eth0 '.linkinfo.info_data | .mode == "source" and .macaddr_count == 2'
	sees c1 203.0.113.2
	TYPE=macvlan CHECK=$(chained "$conf")
	silent "after ADD"
	mutate 'sourceMacs of eth0.*02:00:00:00:00:55' 'in_ns c1 ip link set eth0 type macvlan macaddr del 02:00:00:00:00:55' \
		'in_ns c1 ip link set eth0 type macvlan macaddr add 02:00:00:00:00:55'
	mutate 'flag nodst of eth0' 'in_ns c1 ip link set eth0 type macvlan mode source flag nodst' \
		'in_ns c1 ip link set eth0 type macvlan mode source flag null'
	in_ns c1 ip link set eth0 type macvlan macaddr add 02:00:00:00:00:66
	in_ns c1 ip link set eth0 type macvlan mode bridge flag nodst
	CPLUG_REPAIR=1 cni CHECK macvlan "$CHECK"
	ok
	silent "after the repair"
	link c1 eth0 '.linkinfo.info_data | .mode == "source" and .macaddr_count == 2'
	add macvlan "$other" c2
	sees_not c2 203.0.113.2
	del macvlan "$other" c2
	del macvlan "$conf"
	assert_same_snapshot
	cni ADD macvlan "$(with "$conf" '.sourceMacs = []')"
	failed 7 'sourceMacs: missing'
	cni ADD macvlan "$(with "$conf" '.mode = "bridge"')"
	failed 7 'sourceMacs: allowed only with mode source'
	cni ADD macvlan "$(with "$conf" '.sourceMacs = ["x", "01:00:5e:00:00:01"]')"
	failed 7 'sourceMacs\[0\]: expected a unicast MAC address.*sourceMacs\[1\]'
	cni ADD macvlan "$(with "$conf" '.sourceMacs = [null]')"
	failed 7 'sourceMacs\[0\]: expected a unicast MAC address.*got null'
	cni ADD macvlan "$(with "$conf" '.sourceMacs = ["00:00:00:00:00:00"]')"
	failed 7 'sourceMacs\[0\]: expected a unicast MAC address'
	cni ADD macvlan "$(with "$conf" '.sourceMacs = [range(257) | "02:00:00:00:00:01"]')"
	failed 7 'sourceMacs: too long: 257 entries, at most 256'
	assert_same_snapshot
}

@test "macvlan: source with as many addresses as one request holds" {
	local conf

	conf=$(with "$L2" '.mode = "source" | .sourceMacs = [range(256) | "02:00:00:00:\(. / 16 | floor):\(. % 16 + 10)"]')
	conf=$(with "$conf" '.sourceMacs |= map(split(":") | map(if length == 1 then "0" + . else . end) | join(":"))')
	new_netns c1
	add macvlan "$conf"
	link c1 eth0 '.linkinfo.info_data.macaddr_count == 256'
	cni CHECK macvlan "$(chained "$conf")"
	ok
}

# ---- parent ----------------------------------------------------------------

@test "macvlan: without ipam, and with an empty one, the attachment is layer 2 only" {
	local ipam conf

	new_netns c1 c2
	remember
	for ipam in 'del(.ipam)' '.ipam = {}'; do
		conf=$(conf "$ipam")
		add macvlan "$conf"
		has '(has("ips") | not) and (.interfaces | length == 1)'
		link c1 eth0 '.flags | any(. == "UP")'
		prints '' addresses c1 eth0
		cni CHECK macvlan "$(chained "$conf")"
		ok
		add macvlan "$conf" c2
		in_ns c1 ip address add 192.168.7.1/24 dev eth0
		in_ns c2 ip address add 192.168.7.2/24 dev eth0
		sees c1 192.168.7.2
		in_ns c2 ip link set eth0 down
		cni CHECK macvlan "$(chained "$conf")" c2
		failed 107 'eth0'
		del macvlan "$conf"
		del macvlan "$conf" c2
		assert_same_snapshot
	done
	cni ADD macvlan "$(with "$L2" '.cniVersion = "0.2.0"')"
	failed
	assert_same_snapshot
}

@test "macvlan: linkInContainer looks the parent up in the container" {
	local conf

	conf=$(conf '.linkInContainer = true | .master = "wan0" | .ipam.routes = []')
	new_netns c1
	cni ADD macvlan "$conf"
	failed 7 'container.*no interface wan0'
	ip link set uplink netns c1 name wan0
	in_ns c1 ip link set wan0 up
	cni STATUS macvlan "$conf" '' '' ''
	ok
	remember
	add macvlan "$conf"
	link c1 eth0 '.link == "wan0" and .linkinfo.info_data.mode == "bridge"'
	sees c1 203.0.113.2
	cni CHECK macvlan "$(chained "$conf")"
	ok
	del macvlan "$conf"
	assert_same_snapshot
	# Without master: the link of the container's default route.
	in_ns c1 ip route add default dev wan0
	remember
	conf=$(with "$conf" 'del(.master)')
	add macvlan "$conf"
	link c1 eth0 '.link == "wan0"'
	cni CHECK macvlan "$(chained "$conf")"
	ok
	del macvlan "$conf"
	assert_same_snapshot
}

@test "macvlan: linkInContainer without master, and a default route of its own" {
	local conf

	conf=$(conf '.linkInContainer = true | del(.master) | .ipam.routes = [{dst: "0.0.0.0/0"}]')
	new_netns c1
	ip link set uplink netns c1 name wan0
	in_ns c1 ip link set wan0 up
	in_ns c1 ip route add default dev wan0 metric 1000
	remember
	add macvlan "$conf"
	link c1 eth0 '.link == "wan0"'
	sees c1 203.0.113.2
	conf=$(chained "$conf")
	cni CHECK macvlan "$conf"
	ok
	in_ns c1 ip route del default metric 1000
	cni CHECK macvlan "$conf"
	ok
	del macvlan "$conf"
}

@test "macvlan: without master the parent is the link of the default route, also of IPv6 only" {
	new_netns c1
	ip link add other type veth peer name others
	ip link set other up
	add macvlan "$(conf 'del(.master)')"
	sees c1 203.0.113.2
	cni CHECK macvlan "$(chained "$(conf 'del(.master)')")"
	ok
	del macvlan "$(conf 'del(.master)')"
	ip route del default
	add macvlan "$(conf '.master = ""')"
	sees c1 203.0.113.2
	del macvlan "$(conf '.master = ""')"
	ip -6 route del default
	remember
	cni ADD macvlan "$(conf 'del(.master)')"
	failed 7 'no default route interface found'
	cni STATUS macvlan "$(conf 'del(.master)')" '' '' ''
	failed 50 'no default route interface found'
	assert_same_snapshot
}

@test "macvlan: a parent that is a macvlan interface itself stands for its own parent" {
	local conf

	conf=$(conf '.master = "shim0"')
	ip link add shim0 link uplink type macvlan mode bridge
	ip link set shim0 up
	new_netns c1
	remember
	add macvlan "$conf"
	sees c1 203.0.113.2
	cni CHECK macvlan "$(chained "$conf")"
	ok
	del macvlan "$conf"
	assert_same_snapshot
	# In a container, which sees neither of the two parents.
	add macvlan "$L2"
	remember
	conf=$(conf '.linkInContainer = true | .master = "eth0" | .name = "inner"')
	add macvlan "$conf" c1 c1 eth1
	sees c1 203.0.113.2
	cni CHECK macvlan "$(chained "$conf")" c1 c1 eth1
	ok
	del macvlan "$conf" c1 c1 eth1
	assert_same_snapshot
}

# ---- MTU, MAC, queue -------------------------------------------------------

@test "macvlan: mtu is at most the parent's, which is the default" {
	ip link set uplink mtu 1450
	new_netns c1
	add macvlan "$CONF"
	has '.interfaces[0].mtu == 1450'
	link c1 eth0 '.mtu == 1450'
	del macvlan "$CONF"
	add macvlan "$(conf '.mtu = 1400')"
	has '.interfaces[0].mtu == 1400'
	link c1 eth0 '.mtu == 1400'
	del macvlan "$CONF"
	add macvlan "$(conf '.mtu = "auto"')"
	link c1 eth0 '.mtu == 1450'
	del macvlan "$CONF"
	remember
	cni ADD macvlan "$(conf '.mtu = 1451')"
	failed 7 'invalid MTU 1451, must be \[0, master MTU\(1450\)\].*uplink'
	cni ADD macvlan "$(conf '.mtu = -1')"
	failed 7 mtu
	cni ADD macvlan "$(conf '.mtu = 67')"
	failed 7 mtu
	cni ADD macvlan "$(with "$DUAL" '.mtu = 1279')"
	failed 7 'mtu: 1279 is too small for 2001:db8:113::'
	assert_same_snapshot
	ip address flush dev uplink
	ip link set uplink mtu 1200
	remember
	cni ADD macvlan "$DUAL"
	failed 7 'mtu: 1200 is too small for 2001:.*master uplink'
	assert_same_snapshot
}

@test "macvlan: mac of the configuration, of CNI_ARGS, of args.cni and of runtimeConfig: the last one wins" {
	local conf

	new_netns c1 c2 c3 c4
	conf=$(conf '.mac = "02:AA:00:00:00:01"')
	add macvlan "$conf"
	has '.interfaces[0].mac == "02:aa:00:00:00:01"'
	link c1 eth0 '.address == "02:aa:00:00:00:01"'
	CNI_ARGS='IgnoreUnknown=1;MAC=02:aa:00:00:00:02' cni ADD macvlan "$conf" c2
	ok
	link c2 eth0 '.address == "02:aa:00:00:00:02"'
	conf=$(with "$conf" '.args.cni.mac = "02-aa-00-00-00-03"')
	CNI_ARGS='MAC=02:aa:00:00:00:02' cni ADD macvlan "$conf" c3
	ok
	link c3 eth0 '.address == "02:aa:00:00:00:03"'
	conf=$(with "$conf" '.runtimeConfig.mac = "02aa.0000.0004"')
	CNI_ARGS='MAC=02:aa:00:00:00:02' cni ADD macvlan "$conf" c4
	ok
	link c4 eth0 '.address == "02:aa:00:00:00:04"'
	has '.interfaces[0].mac == "02:aa:00:00:00:04"'
	sees c4 203.0.113.10
	cni ADD macvlan "$(conf '.mac = "2:0:0:0:0:3"')" c1 c1 eth1
	failed 7 'mac'
	cni ADD macvlan "$(conf '.mac = "02:00:00:00:00:00:00:01"')" c1 c1 eth1
	failed 7 'mac: 02:00:00:00:00:00:00:01 is not an Ethernet address'
}

@test "macvlan: without mac, the random MAC address is set explicitly, so that udev keeps it" {
	local sys=$BATS_TEST_TMPDIR/sys

	new_netns c1
	add macvlan "$L2"
	mkdir "$sys"
	in_ns c1 unshare --mount bash -c "mount -t sysfs sysfs $sys && cat $sys/class/net/eth0/addr_assign_type" >"$BATS_TEST_TMPDIR/type"
	# NET_ADDR_SET of linux/netdevice.h
	prints 3 cat "$BATS_TEST_TMPDIR/type"
}

@test "macvlan: bcqueuelen sets the length of the broadcast queue" {
	local conf

	new_netns c1
	add macvlan "$(with "$L2" '.bcqueuelen = 123')"
	link c1 eth0 '.linkinfo.info_data.bcqueuelen == 123'
	conf=$(chained "$L2")
	cni CHECK macvlan "$(with "$conf" '.bcqueuelen = 123')"
	ok
	cni CHECK macvlan "$(with "$conf" '.bcqueuelen = 124')"
	failed 107 bcqueuelen
	cni ADD macvlan "$(with "$L2" '.bcqueuelen = 4294967296')" c1 c1 eth1
	failed 7 bcqueuelen
}

# ---- addresses on a shared wire --------------------------------------------

@test "macvlan: IPv6 addresses are usable when ADD returns" {
	new_netns c1
	add macvlan "$DUAL"
	prints '' tentative c1
	in_ns c1 socat -u /dev/null 'UDP6-SENDTO:[2001:db8:113::2]:9,bind=[2001:db8:113::10]'
	sees c1 2001:db8:113::2
	prints 0 in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/accept_ra
	prints 0 in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/autoconf
}

@test "macvlan: dad true waits until the addresses are usable, and fails for a duplicate" {
	local conf

	conf=$(with "$DUAL" '.dad = true')
	new_netns c1
	remember
	add macvlan "$conf"
	prints '' tentative c1
	prints 1 in_ns c1 cat /proc/sys/net/ipv6/conf/eth0/accept_dad
	sees c1 2001:db8:113::2
	cni CHECK macvlan "$(chained "$conf")"
	ok
	del macvlan "$conf"
	assert_same_snapshot
	# (.10 was leased last.)
	in_ns world ip address add 2001:db8:113::11/64 dev eth0 nodad
	cni ADD macvlan "$conf"
	failed '' '2001:db8:113::11.*another host'
	assert_same_snapshot
	add macvlan "$DUAL"
}

# world_hears - has the other host on the wire its link-local address?  Before, it drops
# advertisements to all nodes.
world_hears() {
	in_ns world ip -6 address show dev eth0 scope link -tentative | grep -q fe80
}

# world_knows ADDRESS MAC - does the other host on the wire have MAC for ADDRESS?
world_knows() {
	in_ns world ip neigh show to "$1" dev eth0 | grep -q "$2"
}

@test "macvlan: hosts on the wire learn the next owner of an address at once, without asking" {
	local conf id ip mac

	conf=$(with "$DUAL" '.args.cni.ips = ["203.0.113.77", "2001:db8:113::77"]')
	# Until its own link-local address is usable, the other host may miss advertisements.
	wait_for "IPv6 on the wire" bash -c \
		'ip -n world -6 address show dev eth0 scope link -tentative | grep -q inet6'
	new_netns c1 c2 c3 peer
	wait_for "the other host's link-local address" world_hears
	add macvlan "$DUAL" peer
	for id in c1 c2 c3; do
		add macvlan "$conf" "$id"
		has '[.ips[].address] == ["203.0.113.77/24", "2001:db8:113::77/64"]'
		mac=$(result '.interfaces[0].mac')
		for ip in 203.0.113.77 2001:db8:113::77; do
			[[ $id == c1 ]] || wait_for "the news of $ip" world_knows $ip "$mac"
			sees world $ip
			sees peer $ip
		done
		del macvlan "$conf" "$id"
	done
}

@test "macvlan: containers reach each other and hosts on the wire, but not their own host" {
	new_netns c1 c2
	add macvlan "$DUAL"
	add macvlan "$DUAL" c2
	tcp_answer c1 80 web
	is "$(ask c2 tcp 203.0.113.10 80)" 'web from 203.0.113.11'
	is "$(ask world tcp 203.0.113.10 80)" 'web from 203.0.113.2'
	is "$(ask world tcp 2001:db8:113::10 80)" 'web from [2001:0db8:0113:0000:0000:0000:0000:0002]'
	tcp_answer world 80 outside
	is "$(ask c1 tcp 2001:db8:113::2 80)" 'outside from [2001:0db8:0113:0000:0000:0000:0000:0010]'
	sees_not c1 203.0.113.1
	# docs/config/macvlan.md, "The host itself"
	ip link add shim0 link uplink type macvlan mode bridge
	ip address add 203.0.113.9/32 dev shim0
	ip link set shim0 up
	ip route add 203.0.113.10/31 dev shim0
	sees - 203.0.113.10
	sees c2 203.0.113.9
}

# ---- DNS -------------------------------------------------------------------

DNS='.dns = {nameservers: ["203.0.113.2", "fd00::1"], domain: "example.org", search: ["a.org", "b.org"], options: ["ndots:2"]}'

@test "macvlan: dns in the result comes from the configuration, or else from the IPAM" {
	new_netns c1 c2
	add macvlan "$(conf "$DNS")"
	has '.dns == {nameservers: ["203.0.113.2", "fd00::1"], domain: "example.org", search: ["a.org", "b.org"], options: ["ndots:2"]}'
	printf 'nameserver 192.0.2.53\nsearch c.org\n' >/run/.rig/resolv
	add macvlan "$(conf '.ipam.resolvConf = "/run/.rig/resolv"')" c2
	has '.dns == {nameservers: ["192.0.2.53"], search: ["c.org"]}'
	grep -q 'nameserver 192.0.2.53' /etc/netns/c2/resolv.conf
}

@test "macvlan: resolv.conf is written, checked, and removed by DEL and by GC" {
	local conf

	conf=$(conf "$DNS")
	new_netns c1
	remember
	add macvlan "$conf"
	is "$(grep -v '^#' /etc/netns/c1/resolv.conf | sort | xargs)" \
		'domain example.org nameserver 203.0.113.2 nameserver fd00::1 options ndots:2 search a.org b.org'
	ip netns exec c1 cat /etc/resolv.conf | grep -q 'nameserver 203.0.113.2'
	del macvlan "$conf"
	assert_same_snapshot
	add macvlan "$conf"
	cni GC macvlan "$conf" '' '' ''
	ok
	[[ -e /etc/netns/c1/resolv.conf ]] || fail "removed without a list"
	in_ns c1 ip link del eth0
	cni GC macvlan "$(with "$conf" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	assert_same_snapshot
	add macvlan "$(with "$conf" '.resolvConf = "off"')"
	[[ ! -e /etc/netns/c1/resolv.conf ]]
	del macvlan "$conf"
	host_allows "{\"resolvConfFolders\": [\"$BATS_TEST_TMPDIR\"]}"
	add macvlan "$(with "$conf" ".resolvConf = \"$BATS_TEST_TMPDIR/resolv.conf\"")"
	grep -q 'nameserver 203.0.113.2' "$BATS_TEST_TMPDIR/resolv.conf"
	del macvlan "$(with "$conf" ".resolvConf = \"$BATS_TEST_TMPDIR/resolv.conf\"")"
	[[ ! -e $BATS_TEST_TMPDIR/resolv.conf ]]
}

# ---- GC --------------------------------------------------------------------

@test "macvlan: GC removes the leases and files of attachments that are not valid" {
	local conf

	conf=$(with "$DUAL" "$DNS")
	new_netns keep
	add macvlan "$conf" keep
	CHECK=$(chained "$conf")
	remember
	new_netns lost
	add macvlan "$conf" lost
	grep -q lost /var/lib/cni/networks/net1/203.*
	del_netns lost
	cni GC macvlan "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "keep", ifname: "eth0"}]')" '' '' ''
	ok
	assert_same_snapshot
	cni CHECK macvlan "$CHECK" keep
	ok
}

# ---- CHECK -----------------------------------------------------------------

# routes_back - adds the routes again that go when eth0 goes down
ROUTES_BACK='in_ns c1 ip route replace default via 203.0.113.2; in_ns c1 ip -6 route replace default via 2001:db8:113::2'

changes() {
	local conf

	conf=$(with "$DUAL" "$DNS | .mtu = 1400 | .bcqueuelen = 100 | .mac = \"02:00:00:00:00:42\" | .cniVersion = \"1.1.0\"")
	new_netns c1
	add macvlan "$conf"
	TYPE=macvlan CHECK=$(chained "$conf")
	silent "after ADD"
	mutate 'MTU of eth0' 'in_ns c1 ip link set eth0 mtu 1399' 'in_ns c1 ip link set eth0 mtu 1400'
	mutate 'MAC of eth0' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:99' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:42'
	mutate 'mode of eth0.*bridge.*private' 'in_ns c1 ip link set eth0 type macvlan mode private' 'in_ns c1 ip link set eth0 type macvlan mode bridge'
	mutate 'mode of eth0.*bridge.*vepa' 'in_ns c1 ip link set eth0 type macvlan mode vepa' 'in_ns c1 ip link set eth0 type macvlan mode bridge'
	mutate 'bcqueuelen of eth0.*100.* 7' 'in_ns c1 ip link set eth0 type macvlan bcqueuelen 7' 'in_ns c1 ip link set eth0 type macvlan bcqueuelen 100'
	mutate 'interface eth0.*up.*down' 'in_ns c1 ip link set eth0 down' "in_ns c1 ip link set eth0 up; $ROUTES_BACK"
	mutate '203\.0\.113\.10/24' 'in_ns c1 ip address del 203.0.113.10/24 dev eth0' \
		"in_ns c1 ip address add 203.0.113.10/24 brd + dev eth0; $ROUTES_BACK"
	mutate '2001:db8:113::10/64' 'in_ns c1 ip address del 2001:db8:113::10/64 dev eth0' \
		"in_ns c1 ip address add 2001:db8:113::10/64 dev eth0 nodad; $ROUTES_BACK"
	mutate '0\.0\.0\.0/0' 'in_ns c1 ip route del default' "$ROUTES_BACK"
	mutate '::/0' 'in_ns c1 ip -6 route del default' "$ROUTES_BACK"
	mutate 'route 203\.0\.113\.0/24' 'in_ns c1 ip route del 203.0.113.0/24' 'in_ns c1 ip route add 203.0.113.0/24 dev eth0 src 203.0.113.10'
	mutate 'resolv.conf' 'sed -i s/203.0.113.2/203.0.113.99/ /etc/netns/c1/resolv.conf' \
		'sed -i s/203.0.113.99/203.0.113.2/ /etc/netns/c1/resolv.conf'
	mutate 'resolv.conf' 'mv /etc/netns/c1/resolv.conf /run/x' 'mv /run/x /etc/netns/c1/resolv.conf'
	mutate '203\.0\.113\.10' 'mv /var/lib/cni/networks/net1/203.0.113.10 /run/x' 'mv /run/x /var/lib/cni/networks/net1/203.0.113.10'
	knob c1 net/ipv4/conf/eth0/arp_notify 0
	knob c1 net/ipv6/conf/eth0/ndisc_notify 0
	knob c1 net/ipv6/conf/eth0/keep_addr_on_down 0
}

@test "macvlan: CHECK reports each change of link, addresses, routes, sysctls and files" {
	changes
}

@test "macvlan: CHECK repairs each of these changes" {
	CHECK_REPAIRS=1
	changes
}

@test "macvlan: CHECK reports a link of another kind, on another parent, and a missing one" {
	local mac

	ip link add other type veth peer name others
	ip link set other up
	new_netns c1
	add macvlan "$L2"
	TYPE=macvlan CHECK=$(chained "$L2") mac=$(mac c1 eth0)
	silent "after ADD"
	mutate 'interface eth0.*macvlan.*veth' 'in_ns c1 ip link del eth0; in_ns c1 ip link add eth0 type veth; in_ns c1 ip link set eth0 up' \
		"in_ns c1 ip link del eth0; ip link add eth0 netns c1 link uplink address $mac type macvlan mode bridge; in_ns c1 ip link set eth0 up"
	mutate 'master of eth0.*uplink.*other' "in_ns c1 ip link del eth0; ip link add eth0 netns c1 link other address $mac type macvlan mode bridge; in_ns c1 ip link set eth0 up" \
		"in_ns c1 ip link del eth0; ip link add eth0 netns c1 link uplink address $mac type macvlan mode bridge; in_ns c1 ip link set eth0 up"
	# The parent of another namespace may have the same ifindex.
	in_ns c1 ip link del eth0
	in_ns c1 ip link add twin index "$(ip -j link show uplink | jq '.[0].ifindex')" type veth peer name twins
	in_ns c1 ip link set twin up
	in_ns c1 ip link add eth0 link twin address "$mac" type macvlan mode bridge
	in_ns c1 ip link set eth0 up
	named 'another namespace' 'master of eth0.*uplink'
	CPLUG_REPAIR=1 cni CHECK macvlan "$CHECK"
	failed 101 'eth0 is another one than ADD made'
	in_ns c1 ip link del eth0
	named 'no link' 'interface eth0'
	CPLUG_REPAIR=1 cni CHECK macvlan "$CHECK"
	ok
	silent "after the repair"
	is "$(mac c1 eth0)" "$mac"
	link c1 eth0 '.ifalias == "cplug wire/c1/eth0"'
}

@test "macvlan: CHECK names a parent that is down" {
	new_netns c1
	add macvlan "$CONF"
	TYPE=macvlan CHECK=$(chained "$CONF")
	ip link set uplink down
	cni CHECK macvlan "$CHECK"
	failed 107 'uplink'
	ip link set uplink up
	silent "with the parent up"
}

@test "macvlan: CHECK reports a renamed parent" { leg_parent_renamed; }

@test "macvlan: a repair to or from passthru, which the kernel refuses, says what to do" {
	local check

	new_netns c1
	add macvlan "$CONF"
	check=$(chained "$(conf '.mode = "passthru"')")
	CPLUG_REPAIR=1 cni CHECK macvlan "$check"
	failed 100 'set macvlan eth0 options: Invalid argument'
	failed 100 'refuses this change of a link \(DEL and ADD\)'
	del macvlan "$CONF"
	add macvlan "$(conf '.mode = "passthru"')"
	CPLUG_REPAIR=1 cni CHECK macvlan "$(chained "$CONF")"
	failed 100 'refuses this change of a link \(DEL and ADD\)'
}

# ---- cnitool ---------------------------------------------------------------

@test "macvlan: cnitool check --repair and restore create a deleted interface again" {
	net "$(jq -c '{cniVersion, name, plugins: [del(.cniVersion, .name)]}' <<<"$DUAL")"
	export CNI_PATH=$CPLUG_BIN
	plug c1
	remember
	in_ns c1 ip link del eth0
	tool check net1 c1
	is "$status" 1
	contains "$output" 'eth0'
	tool check --repair net1 c1
	ok
	assert_same_snapshot
	sees c1 203.0.113.2
	in_ns c1 ip link del eth0
	tool restore --json
	has '(.restored | length == 1) and .failed == []'
	assert_same_snapshot
	sees c1 2001:db8:113::2
	tool restore --json
	has '.restored == [] and .failed == [] and (.whole | length == 1)'
}

@test "macvlan: restore repairs an interface before the one on top of it, in the order of add" {
	export CNI_PATH=$CPLUG_BIN
	net '{"cniVersion":"1.1.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1",
		"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}]}'
	net '{"cniVersion":"1.1.0","name":"above","plugins":[{"type":"macvlan","master":"eth0",
		"linkInContainer":true,"ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}]}' 20-above
	plug c1
	tool add --quiet above c1 -i eth1
	ok
	in_ns c1 ip link del eth0
	no_link c1 eth1
	tool restore --json
	has '(.restored | length == 2) and .failed == []'
	link c1 eth1 '.link == "eth0"'
}

@test "macvlan: cnitool list shows attachments, and gc frees those whose namespace is gone" {
	export CNI_PATH=$CPLUG_BIN
	net "$(jq -c '{cniVersion, name, plugins: [del(.cniVersion, .name)]}' <<<"$DUAL")"
	plug c1
	remember
	plug c2
	tool list
	ok
	contains "$output" 'eth0 .*203\.0\.113\.10/24,2001:db8:113::10/64 '
	end_netns c2
	tool gc
	ok
	assert_same_snapshot
}
