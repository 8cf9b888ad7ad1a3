#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# CHECK reports every difference of links, addresses, routes, sysctls and files, and no others.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check

# ---- links -----------------------------------------------------------------

@test "check: each change of the container's addresses and routes is reported" {
	full
	mutate '10\.1\.0\.2/24' 'in_ns c1 ip address del 10.1.0.2/24 dev eth0' \
		'in_ns c1 ip address add 10.1.0.2/24 brd + dev eth0 &&
		in_ns c1 ip route add default via 10.1.0.1 && in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9'
	mutate 'fd01::2/64' 'in_ns c1 ip address del fd01::2/64 dev eth0' \
		'in_ns c1 ip address add fd01::2/64 dev eth0 nodad'
	mutate '10\.1\.0\.2/24' 'in_ns c1 ip address del 10.1.0.2/24 dev eth0; in_ns c1 ip address add 10.1.0.2/25 dev eth0' \
		'in_ns c1 ip address flush dev eth0 scope global -6; in_ns c1 ip -4 address flush dev eth0
		in_ns c1 ip address add 10.1.0.2/24 brd + dev eth0; in_ns c1 ip -6 address replace fd01::2/64 dev eth0 nodad
		in_ns c1 ip route add default via 10.1.0.1 && in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9
		in_ns c1 ip -6 route replace default via fd01::1 && in_ns c1 ip -6 route replace 2001:db8:7::/48 via fd01::1 mtu 1300' beside
	mutate '0\.0\.0\.0/0' 'in_ns c1 ip route del default' 'in_ns c1 ip route add default via 10.1.0.1'
	mutate '0\.0\.0\.0/0' 'in_ns c1 ip route replace default via 10.1.0.7' 'in_ns c1 ip route replace default via 10.1.0.1'
	mutate '::/0' 'in_ns c1 ip -6 route del default' 'in_ns c1 ip -6 route add default via fd01::1'
	mutate '198\.51\.100\.0/24' 'in_ns c1 ip route del 198.51.100.0/24' 'in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9'
	mutate '2001:db8:7::/48' 'in_ns c1 ip -6 route change 2001:db8:7::/48 via fd01::1 mtu 1280' \
		'in_ns c1 ip -6 route change 2001:db8:7::/48 via fd01::1 mtu 1300'
	mutate 'route 10\.1\.0\.0/24' 'in_ns c1 ip route del 10.1.0.0/24' 'in_ns c1 ip route add 10.1.0.0/24 dev eth0 src 10.1.0.2'
	mutate 'route fd01::/64' 'in_ns c1 ip -6 route del fd01::/64' 'in_ns c1 ip -6 route add fd01::/64 dev eth0'
}

@test "check: each change of the container's link and its sysctls is reported" {
	full
	mutate 'MTU of eth0' 'in_ns c1 ip link set eth0 mtu 1399' 'in_ns c1 ip link set eth0 mtu 1400'
	mutate 'MAC of eth0' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:99' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:42'
	mutate 'interface eth0' 'in_ns c1 ip link set eth0 down' \
		'in_ns c1 ip link set eth0 up; in_ns c1 ip route add default via 10.1.0.1
		in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9
		in_ns c1 ip -6 route replace default via fd01::1; in_ns c1 ip -6 route replace 2001:db8:7::/48 via fd01::1 mtu 1300
		wait_for "the port" port_forwards'
	mutate 'interface eth0' 'in_ns c1 ip link set eth0 down; in_ns c1 ip link set eth0 name eth7' \
		'in_ns c1 ip link set eth7 name eth0; in_ns c1 ip link set eth0 up; in_ns c1 ip route add default via 10.1.0.1
		in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9
		in_ns c1 ip -6 route replace default via fd01::1; in_ns c1 ip -6 route replace 2001:db8:7::/48 via fd01::1 mtu 1300
		in_ns c1 bash -c "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify"
		wait_for "the port" port_forwards' theirs
	knob c1 net/ipv4/conf/eth0/arp_notify 0
	knob c1 net/ipv6/conf/eth0/ndisc_notify 0
	knob c1 net/ipv6/conf/eth0/keep_addr_on_down 0
	knob c1 net/ipv6/conf/eth0/enhanced_dad 0
}

@test "check: each change of the host's end, as link and as bridge port, is reported" {
	local flag other

	full
	mutate "MTU of $PORT" "ip link set $PORT mtu 1399" "ip link set $PORT mtu 1400"
	mutate "MAC of $PORT" "OLD=\$(mac_of $PORT); ip link set $PORT address 02:00:00:00:00:99" \
		"ip link set $PORT address \$OLD"
	mutate "alias of $PORT" "ip link set $PORT alias 'cplug net1/c2/eth0'" "ip link set $PORT alias 'cplug net1/c1/eth0'"
	mutate "interface $PORT" "ip link set $PORT down" "ip link set $PORT up; wait_for 'the port' port_forwards"
	mutate "master of $PORT" "ip link set $PORT nomaster" \
		"ip link set $PORT master br1; bridge link set dev $PORT hairpin on isolated on; wait_for 'the port' port_forwards"
	mutate "state of bridge port $PORT" "bridge link set dev $PORT state 0" "bridge link set dev $PORT state 3"
	for flag in 'hairpin off' 'isolated off' 'learning off' 'flood off' 'locked on'; do
		# Skip flags that this iproute2 or kernel does not know.
		other=on
		[[ $flag == *off ]] || other=off
		bridge link set dev "$PORT" "${flag%% *}" "$other" 2>/dev/null || continue
		mutate "of bridge port $PORT" "bridge link set dev $PORT $flag" "bridge link set dev $PORT ${flag%% *} $other"
	done
	knob - "net/ipv6/conf/$PORT/accept_ra" 1
	knob - "net/ipv6/conf/$PORT/autoconf" 1
}

@test "check: each change of the bridge, its addresses, routes and sysctls is reported" {
	full
	mutate '10\.1\.0\.1/24' 'ip address del 10.1.0.1/24 dev br1' 'ip address add 10.1.0.1/24 brd + dev br1'
	mutate 'fd01::1/64' 'ip address del fd01::1/64 dev br1' 'ip address add fd01::1/64 dev br1 nodad; ip -6 route replace local ::1 dev br1 table local metric 1024'
	mutate 'MAC of br1' 'OLD=$(mac_of br1); ip link set br1 address 02:00:00:00:00:98' 'ip link set br1 address $OLD'
	mutate 'bridge br1' 'ip link set br1 down' 'ip link set br1 up; ip address replace fd01::1/64 dev br1 nodad
		ip -6 route replace local ::1 dev br1 table local metric 1024; wait_for "the port" port_forwards'
	mutate 'route to 10\.1\.0\.2' 'ip route del 10.1.0.0/24 dev br1' 'ip route add 10.1.0.0/24 dev br1 src 10.1.0.1'
	mutate 'route to fd01::2' 'ip -6 route del fd01::/64 dev br1' 'ip -6 route add fd01::/64 dev br1'
	mutate 'through lo|route to 10\.1\.0\.2' 'ip route add 10.1.0.2/32 dev lo' 'ip route del 10.1.0.2/32 dev lo' theirs
	mutate 'local route ::1 on br1' 'ip -6 route del local ::1 dev br1 table local' 'ip -6 route add local ::1 dev br1 table local metric 1024'
	knob - net/ipv4/conf/br1/route_localnet 0
	knob - net/ipv6/conf/br1/accept_ra 1
	# These sysctls change those of all links, and back.
	knob - net/ipv4/ip_forward 0
	knob - net/ipv6/conf/all/forwarding 0
}

# ---- files -----------------------------------------------------------------

@test "check: each change of leases and resolv.conf is reported" {
	local lease=/var/lib/cni/networks/net1/10.1.0.2

	full
	mutate 'lease of 10\.1\.0\.2|10\.1\.0\.2 is not leased' "mv $lease $lease.away" "mv $lease.away $lease"
	mutate 'lease of fd01::2|fd01::2 is not leased' "mv ${lease%/*}/fd01::2 /run/x" "mv /run/x ${lease%/*}/fd01::2"
	mutate '10\.1\.0\.2' "cp $lease /run/x; printf 'c9\r\neth0' >$lease" "cp /run/x $lease" theirs
	mutate '10\.1\.0\.2' "cp $lease /run/x; printf 'c1\r\neth9' >$lease" "cp /run/x $lease" theirs
	mutate '10\.1\.0\.2' "cp $lease /run/x; : >$lease" "cp /run/x $lease"
	mutate '10\.1\.0\.2' "mv $lease ${lease%.2}.3" "mv ${lease%.2}.3 $lease" beside
	mutate 'resolv.conf' 'mv /etc/netns/c1/resolv.conf /run/x' 'mv /run/x /etc/netns/c1/resolv.conf'
	mutate 'resolv.conf' 'cp /etc/netns/c1/resolv.conf /run/x; sed -i s/10.1.0.1/10.1.0.99/ /etc/netns/c1/resolv.conf' \
		'cp /run/x /etc/netns/c1/resolv.conf'
}

@test "check: each change of lo is reported" {
	LO='{"cniVersion":"1.1.0","name":"lo","type":"loopback"}'
	new_netns c1
	add loopback "$LO" c1 c1 lo
	TYPE=loopback CHECK=$(chained "$LO")
	silent "after ADD"
	mutate 'interface lo|127\.0\.0\.1' 'in_ns c1 ip link set lo down' 'in_ns c1 ip link set lo up'
	mutate '127\.0\.0\.1/8' 'in_ns c1 ip address del 127.0.0.1/8 dev lo' 'in_ns c1 ip address add 127.0.0.1/8 dev lo'
}

@test "check: each change of the bridge port's VLANs is reported" {
	local conf

	has_vlan_filtering || skip "this kernel has no bridge VLAN filtering"
	conf=$(with "$FULL" '.vlan = 100 | .vlanTrunk = [{minID: 200, maxID: 210}] | del(.runtimeConfig)')
	new_netns c1
	add bridge "$conf"
	TYPE=bridge CHECK=$(chained "$conf") PORT=$(host_end)
	silent "after ADD"
	mutate "VLANs of bridge port $PORT" "bridge vlan del dev $PORT vid 205" "bridge vlan add dev $PORT vid 205"
	mutate "VLANs of bridge port $PORT" "bridge vlan add dev $PORT vid 100" "bridge vlan add dev $PORT vid 100 pvid untagged"
	mutate "bridge br1" "ip link set br1 type bridge vlan_filtering 0" "ip link set br1 type bridge vlan_filtering 1"
}

# ---- no false alarms ---------------------------------------------------------

@test "check: foreign addresses, routes, tables and attachments are no differences" {
	full
	in_ns c1 ip address add 192.0.2.9/24 dev eth0
	in_ns c1 ip route add 203.0.113.0/24 dev eth0
	in_ns c1 ip link add dummy1 type veth peer name dummy2
	ip address add 10.77.0.1/24 dev br1
	ip route add 10.99.0.0/16 via 10.1.0.200
	silent "with more addresses and routes"
	nft add table inet mine
	nft add chain inet mine prerouting '{ type filter hook prerouting priority -350; policy accept; }'
	nft add rule inet mine prerouting counter
	nft add table bridge mine
	silent "with foreign tables"
	new_netns c2
	add bridge "$(with "$FULL" '.runtimeConfig.portMappings = [{hostPort: 7000, containerPort: 70}] | del(.runtimeConfig.mac)')" c2
	silent "with another container"
	add bridge "$(with "$FULL" '.name = "net2" | .bridge = "br2" | del(.runtimeConfig.mac) |
		.runtimeConfig.portMappings = [{hostPort: 7001, containerPort: 70}] | .ipam.ranges = [[{subnet: "10.2.0.0/24"}]] |
		.ipam.routes = []')" c2 c2 eth1
	silent "with another network"
	del bridge "$(with "$FULL" 'del(.runtimeConfig)')" c2
	silent "without the other container"
}

@test "check: changes of later plugins of the chain (sbr, tuning) are no differences" {
	full
	# sbr
	in_ns c1 ip rule add from 10.1.0.2 table 100
	in_ns c1 ip route add 10.1.0.0/24 dev eth0 table 100
	in_ns c1 ip route add default via 10.1.0.1 table 100
	in_ns c1 ip route add 198.51.100.0/24 via 10.1.0.9 table 100
	in_ns c1 ip -4 route flush table main
	silent "after sbr"
	# tuning
	mkdir -p /run/cni/tuning
	echo '{"mtu":1400}' >/run/cni/tuning/c1_eth0.json
	in_ns c1 ip link set eth0 mtu 1300
	in_ns c1 bash -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra'
	silent "after tuning"
	CHECK=$(jq -c '(.prevResult.interfaces[] | select(.name == "eth0") | .mac) = "02:00:00:00:00:77"' <<<"$CHECK")
	in_ns c1 ip link set eth0 address 02:00:00:00:00:77
	nft add element bridge cplug macs "{ \"$PORT\" . 02:00:00:00:00:77 }"
	cni CHECK bridge "$CHECK"
	contains_not "$output" 'MAC of eth0'
}

@test "check: many differences are reported in one list" {
	full
	nft flush ruleset
	in_ns c1 ip link set eth0 down
	in_ns c1 ip address flush dev eth0
	ip address flush dev br1
	named 'many changes' 'eth0|lease|br1|nftables|interface'
	has '.details | fromjson | length > 10'
}
