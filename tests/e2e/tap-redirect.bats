#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# tap with "redirect": a virtual machine has the place of the container on the wire.  The machine is
# the namespace vm: what it sends comes out of the tap's descriptor in the container, and is written
# to it (socat), as QEMU and Firecracker do.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2089,SC2090,SC2119,SC2120 # commands for eval; tests are subshells
load lib
load check

TYPE=tap

MAIN='{"cniVersion":"1.1.0","name":"net1","type":"ptp",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}],"ranges":[
		[{"subnet":"10.11.0.0/24"}],[{"subnet":"fd00:11::/64"}]]}}'
TAP='{"cniVersion":"1.1.0","name":"net1","type":"tap","redirect":true}'

prepare() {
	ip tuntap add mode tap name probe 2>/dev/null || skip "no /dev/net/tun"
	ip link del probe
	has_redirect || skip "this kernel has no tc filter u32 with mirred"
	warm_up ptp "$MAIN"
	rm -rf /var/lib/cni/networks/net1 /var/lib/cni/networks/.cplug
}

# chain [ID] - adds ptp and the tap; CONF is the tap's configuration with ptp's result
chain() {
	add ptp "$MAIN" "${1-c1}"
	CONF=$(chained "$TAP")
	add tap "$CONF" "${1-c1}"
}

# machine TAP [MAC] - the namespace vm is a virtual machine behind the tap of c1, with c1's addresses
machine() {
	local socket=$BATS_TEST_TMPDIR/frames

	new_netns vm
	in_ns vm ip tuntap add mode tap name ens3
	in_ns vm ip link set ens3 address "${2:-$(in_ns c1 ip -j link show dev eth0 | jq -r '.[0].address')}" up
	rm -f "$socket"
	ip netns exec vm socat -b 66000 TUN,tun-name=ens3,tun-type=tap,iff-no-pi UNIX-LISTEN:"$socket",type=5 3>&- &
	machine=$!
	wait_for "socat in vm" listens_at "$socket" vm
	ip netns exec c1 socat -b 66000 TUN,tun-name="$1",tun-type=tap,iff-no-pi UNIX-CONNECT:"$socket",type=5 3>&- &
	in_ns vm ip address add 10.11.0.2/24 dev ens3
	in_ns vm ip -6 address add fd00:11::2/64 dev ens3 nodad
	in_ns vm ip route add default via 10.11.0.1
	wait_for "the program at the tap" bash -c "ip -n c1 link show dev $1 | grep -q LOWER_UP"
}

# off - the machine ends
off() {
	kill "$machine"
	wait "$machine" || :
	wait_for "the program at the tap to end" bash -c '! ip -n c1 link show | grep "tap-eth0.*LOWER_UP"'
	del_netns vm
}

# Everything that arrives at the wire reaches the machine, and the other way round.
connected() {
	sees vm 10.11.0.1
	sees vm fd00:11::1
	sees - 10.11.0.2
	sees - fd00:11::2
}

@test "tap redirect: the result is prevResult and the tap; frames pass both ways; DEL leaves no difference" {
	new_netns c1
	remember
	add ptp "$MAIN"
	remember ptp
	prev=$output
	CONF=$(chained "$TAP")
	add tap "$CONF"
	has ".interfaces[:2] == $(jq -c .interfaces <<<"$prev") and (.interfaces | length == 3)"
	has ".ips == $(jq -c .ips <<<"$prev") and .routes == $(jq -c .routes <<<"$prev")"
	has '.interfaces[2] | .name == "tap-eth0" and .sandbox == "/run/netns/c1" and .mtu == 1500'
	link c1 tap-eth0 ".address == \"$(result '.interfaces[2].mac')\" and .ifalias == \"cplug net1/c1/eth0\" and .group == \"default\""
	link c1 tap-eth0 '.linkinfo.info_data.persist == true and (.flags | any(. == "UP"))'
	prints '' in_ns c1 ip -o address show dev tap-eth0
	machine tap-eth0
	connected
	# The container itself does not answer any more.
	in_ns vm ip address flush dev ens3 scope global
	sees_not - 10.11.0.2
	off
	cni CHECK tap "$(chained "$TAP")"
	ok
	del tap "$CONF"
	assert_same_snapshot ptp
	sees c1 10.11.0.1
	del tap "$CONF"
	del ptp "$MAIN"
	assert_same_snapshot
}

@test "tap redirect: large frames and TCP pass" {
	world
	new_netns c1
	MAIN=$(with "$MAIN" '.ipMasq = true')
	chain
	machine tap-eth0
	tcp_answer vm 80 machine
	contains "$(ask - tcp 10.11.0.2 80)" '^machine from'
	sees vm 203.0.113.2
	in_ns vm ping -nqc 1 -W "$RIG_DEADLINE" -M "do" -s 1472 10.11.0.1
	ping -nqc 1 -W "$RIG_DEADLINE" -M "do" -s 1472 10.11.0.2
	off
}

@test "tap redirect: the tap is named CNI_IFNAME if no interface of the list is" {
	new_netns c1
	ip link add wire type veth peer name net0 netns c1
	ip link set wire up
	in_ns c1 ip link set net0 up
	output='{"cniVersion":"1.1.0","interfaces":[{"name":"wire"},{"name":"net0","sandbox":"/run/netns/c1"}]}'
	CONF=$(chained "$TAP")
	remember
	add tap "$CONF"
	has '.interfaces | length == 3 and .[2].name == "eth0"'
	cni CHECK tap "$(chained "$TAP")"
	ok
	ip address add 10.11.0.1/24 dev wire
	ip -6 address add fd00:11::1/64 dev wire nodad
	machine eth0 02:00:00:00:00:01
	connected
	kill "$machine"
	ip address flush dev wire scope global
	del tap "$TAP"
	no_link c1 eth0
	prints '' in_ns c1 tc filter show dev net0 ingress
	prints 0 bash -c 'ip netns exec c1 tc qdisc show dev net0 | grep -c ingress || :'
}

@test "tap redirect: a long CNI_IFNAME, two attachments of a container, and options of the tap" {
	local long=interface-10-ab

	new_netns c1
	chain
	add ptp "$(with "$MAIN" '.name = "net2" | .ipam.ranges = [[{"subnet": "10.12.0.0/24"}]] | .ipam.routes = []')" c1 c1 "$long"
	TAP=$(with "$TAP" '.name = "net2" | . + {owner: 31107, group: 31108, multiQueue: true, mtu: 1400, mac: "02:00:00:00:00:07"}')
	CONF=$(chained "$TAP")
	add tap "$CONF" c1 c1 "$long"
	has '.interfaces[2] | (.name | test("^tap-[0-9a-f]{11}$")) and .mtu == 1400 and .mac == "02:00:00:00:00:07"'
	contains "$(in_ns c1 ip -d link show dev "$(result '.interfaces[2].name')")" 'user 31107 group 31108'
	cni CHECK tap "$(chained "$TAP")" c1 c1 "$long"
	ok
	del tap "$CONF" c1 c1 "$long"
	no_link c1 "$(result '.interfaces[2].name')" || :
	link c1 tap-eth0 '.flags | any(. == "UP")'
	machine tap-eth0
	connected
}

@test "tap redirect: the protocol versions that have lists of interfaces" {
	local v conf

	new_netns c1
	for v in 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		add ptp "$(with "$MAIN" ".cniVersion = \"$v\"")"
		conf=$(chained "$(with "$TAP" ".cniVersion = \"$v\"")")
		add tap "$conf"
		has '.interfaces[2].name == "tap-eth0"'
		conf=$(chained "$conf")
		if [[ $v != 0.3.* ]]; then
			cni CHECK tap "$conf"
			ok
		fi
		if [[ $v == 1.1.0 ]]; then
			cni STATUS tap "$conf" '' '' ''
			ok
			cni GC tap "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
			ok
			link c1 tap-eth0 '.flags | any(. == "UP")'
		fi
		del tap "$conf"
		del ptp "$MAIN"
	done
}

@test "tap redirect: DEL without prevResult, namespace, configuration or tap, and of another attachment" {
	new_netns c1
	add ptp "$MAIN"
	remember
	prev=$output
	for conf in "$TAP" "$(with "$TAP" '.redirect = "yes" | .mtu = "much"')"; do
		output=$prev
		add tap "$(chained "$TAP")"
		del tap "$TAP" c9 /run/netns/c1
		link c1 tap-eth0 '.flags | any(. == "UP")'
		del tap "$TAP" c1 /run/netns/never
		del tap "$conf"
		assert_same_snapshot
	done
	# The tap was deleted by another program: its filters are left on eth0.
	output=$prev
	add tap "$(chained "$TAP")"
	in_ns c1 ip link del tap-eth0
	del tap "$TAP"
	assert_same_snapshot
	# Filters of others stay.
	in_ns c1 tc qdisc add dev eth0 ingress
	in_ns c1 tc filter add dev eth0 parent ffff: protocol ip prio 9 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev lo
	output=$prev
	add tap "$(chained "$TAP")"
	del tap "$TAP"
	no_link c1 tap-eth0
	is "$(in_ns c1 tc filter show dev eth0 ingress | grep -c mirred)" 1
	contains "$(in_ns c1 tc filter show dev eth0 ingress)" 'Redirect to device lo'
}

# long_filter LINK - a filter of c1 that is longer than the kernel's room for an entry of a list
long_filter() {
	in_ns c1 python3 - "$1" <<-'END'
		import socket, struct, sys
		def attr(kind, data):
		    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
		returns = struct.pack("HBBI", 6, 0, 0, 0)  # BPF_RET, 4096 times
		options = attr(4, struct.pack("H", 4096)) + attr(5, returns * 4096)
		index = socket.if_nametoindex(sys.argv[1])
		body = struct.pack("IiIII", 0, index, 0, 0xffff0000, 7 << 16 | socket.htons(3))
		body += attr(1, b"bpf\0") + attr(2, options)
		s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
		s.send(struct.pack("IHHII", 16 + len(body), 44, 0x405, 1, 0) + body)
		sys.exit(struct.unpack_from("i", s.recv(65536), 16)[0] != 0)
	END
}

@test "tap redirect: DEL succeeds although the container has a filter too long to be listed" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	new_netns c1
	chain
	long_filter tap-eth0 || skip "this kernel has no filters of BPF"
	long_filter eth0
	del tap "$CONF"
	contains "$errors" 'filters stay in the container'
	del ptp "$MAIN"
	no_link c1 eth0
}

@test "tap redirect: ADD that fails or is killed at any change leaves nothing" {
	new_netns c1
	add ptp "$MAIN"
	CONF=$(chained "$TAP")
	AT_LEAST=3 unwinds tap "$CONF" "$TAP"
}

differences() {
	new_netns c1
	chain
	CHECK=$(chained "$TAP")
	silent "after ADD"
	mutate 'redirect of eth0.*to tap-eth0' 'in_ns c1 tc filter del dev eth0 ingress' 'CPLUG_REPAIR=1 cni CHECK tap "$CHECK"'
	mutate 'redirect of tap-eth0.*to eth0' 'in_ns c1 tc qdisc del dev tap-eth0 ingress' 'CPLUG_REPAIR=1 cni CHECK tap "$CHECK"'
	mutate 'interface tap-eth0.*present' 'in_ns c1 ip link del tap-eth0' 'CPLUG_REPAIR=1 cni CHECK tap "$CHECK"'
	mutate 'interface tap-eth0.*up.*down' 'in_ns c1 ip link set tap-eth0 down' 'in_ns c1 ip link set tap-eth0 up'
	mutate 'MTU of tap-eth0' 'in_ns c1 ip link set tap-eth0 mtu 1300' 'in_ns c1 ip link set tap-eth0 mtu 1500'
	mutate 'MAC of tap-eth0' 'in_ns c1 ip link set tap-eth0 address 02:00:00:00:00:99' 'CPLUG_REPAIR=1 cni CHECK tap "$CHECK"'
	mutate 'alias of tap-eth0' 'in_ns c1 ip link set tap-eth0 alias x' "in_ns c1 ip link set tap-eth0 alias 'cplug net1/c1/eth0'"
	mutate 'disable_ipv6' 'in_ns c1 sysctl -qw net.ipv6.conf.tap-eth0.disable_ipv6=0' 'in_ns c1 sysctl -qw net.ipv6.conf.tap-eth0.disable_ipv6=1'
}

@test "tap redirect: CHECK names each difference" {
	differences
}

@test "tap redirect: a repair puts each difference right, and frames pass again" {
	CHECK_REPAIRS=1
	differences
	machine tap-eth0
	connected
}

@test "tap redirect: CHECK names a tap that is another kind of link, or renamed, or another owner's" {
	new_netns c1
	chain
	CHECK=$(chained "$TAP")
	in_ns c1 ip link del tap-eth0
	in_ns c1 ip link add tap-eth0 type veth peer name other
	cni CHECK tap "$CHECK"
	failed 107 'interface tap-eth0.*a tap device.*veth'
	CPLUG_REPAIR=1 cni CHECK tap "$CHECK"
	failed 101 'tap-eth0.*remove it'
	in_ns c1 ip link del tap-eth0
	CPLUG_REPAIR=1 cni CHECK tap "$CHECK"
	ok
	in_ns c1 ip link set tap-eth0 down
	in_ns c1 ip link set tap-eth0 name mine
	CPLUG_REPAIR=1 cni CHECK tap "$CHECK"
	failed 101 'tap-eth0 was renamed to mine'
	del tap "$TAP"
	no_link c1 mine
}

@test "tap redirect: first in the list, ipam, bridge, and an ambiguous prevResult are named" {
	new_netns c1
	remember
	cni ADD tap "$TAP"
	failed 7 'redirect: .*first plugin'
	cni ADD tap "$(with "$TAP" '.ipam = {type: "static"} | .bridge = "br0" | .prevResult = {cniVersion: "1.1.0"}')"
	failed 7 'bridge.*redirect'
	failed 7 'ipam.*redirect'
	cni ADD tap "$(with "$TAP" '.prevResult = {cniVersion: "1.1.0", interfaces: [{name: "a", sandbox: "x"}, {name: "b", sandbox: "x"}]}')"
	failed 7 'redirect: prevResult lists a and b'
	cni ADD tap "$(with "$TAP" '.prevResult = {cniVersion: "1.1.0"}')"
	failed 7 'redirect: prevResult lists no interface'
	cni ADD tap "$(with "$TAP" '.prevResult = {cniVersion: "1.1.0", interfaces: [{name: "a", sandbox: "x"}]}')"
	failed '' 'no interface a'
	assert_same_snapshot
	in_ns c1 ip link add tap-eth0 type veth peer name other
	add ptp "$MAIN"
	remember
	cni ADD tap "$(chained "$TAP")"
	failed 101 'tap-eth0: an interface of that name exists already'
	assert_same_snapshot
}

@test "tap redirect: excludes a limit of what arrives in the container, in both orders; one on the host is fine" {
	local limits='{"cniVersion":"1.1.0","name":"net1","type":"bandwidth","ingressRate":8000000,"egressRate":8000000}'
	local main='{"cniVersion":"1.1.0","name":"net1","type":"macvlan","master":"uplink","ipam":{"type":"static",
		"addresses":[{"address":"203.0.113.50/24"}]}}' conf

	has_kind ifb || skip "this kernel has no ifb"
	has_kind macvlan || skip "this kernel has no macvlan interfaces"
	world
	new_netns c1
	add macvlan "$main"
	conf=$(chained "$TAP")
	add bandwidth "$(chained "$limits")"
	remember
	cni ADD tap "$conf"
	failed 102 'redirect: what arrives at eth0 goes to bwi[0-9a-f]+ already, so the machine would get nothing \(leave ingressRate'
	assert_same_snapshot
	del bandwidth "$limits"
	add tap "$conf"
	remember
	cni ADD bandwidth "$(chained "$limits")"
	failed 102 'ingressRate: what arrives at eth0 is redirected to another interface already'
	assert_same_snapshot
	add bandwidth "$(chained "$(with "$limits" 'del(.ingressRate)')")"
	del bandwidth "$limits"
	del tap "$TAP"
	del macvlan "$main"
	add ptp "$MAIN"
	add bandwidth "$(chained "$limits")"
	add tap "$(chained "$TAP")"
}
