#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# host-device: a device of the host in the container.  A veth stands for the device; the return of a
# device whose namespace died is played with "ip link set netns", as the kernel does it.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check
load cnitool

TYPE=host-device
CONF='{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"eth5",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"192.0.2.0/24"}],[{"subnet":"2001:db8:2::/64"}]],
		"routes":[{"dst":"198.51.100.0/24","gw":"192.0.2.9"}]}}'
L2='{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"eth5"}'
KEEP='{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"eth5","keepAddresses":true}'
RECORD=/run/cni/cplug/host-device/net1:c1:eth0.json
# How many of the last requests fail, one in each round.
FAILED_REQUESTS=${FAILED_REQUESTS:-12}

# device - makes eth5, whose other end "wire" has an address of the subnet
device() {
	ip link add eth5 address 02:00:00:00:00:05 type veth peer name wire
	ip link set wire up
	ip link set eth5 up
	mkdir -p /run/cni/cplug/host-device
}

# furnished - gives eth5 everything that a device can have
furnished() {
	ip link set eth5 mtu 1400 alias 'an uplink' group 7 txqueuelen 500 allmulticast on
	ip link property add dev eth5 altname enp5 altname uplink5
	ip address add 10.5.0.2/24 brd + label eth5:1 dev eth5
	ip address add 10.6.0.2/32 peer 10.6.0.1 dev eth5
	ip address add fd00:5::2/64 dev eth5 nodad
	ip route add 198.18.0.0/15 via 10.5.0.1 src 10.5.0.2 mtu 1300
	ip route add 198.51.100.0/24 via 172.31.1.1 dev eth5 onlink
	ip route add 203.0.113.0/24 dev eth5 table 77
	ip -6 route add fd00:6::/64 via fd00:5::1
}

# whole - what `furnished` gave, as one text
whole() {
	{
		ip -d link show dev eth5
		ip -4 -d address show dev eth5 | sed 1d
		ip -6 address show dev eth5 scope global | sed 1d
	} | sed '/altname/d; s/,LOWER_UP//; s/NO-CARRIER,//; s/ state [A-Z]*//; s/^[0-9]*: //'
	ip -j link show dev eth5 | jq -c '.[0].altnames // [] | sort'
	ip route show table all dev eth5 table main
	ip route show table 77
	ip -6 route show dev eth5 | grep -v '^fe80'
}

# came_back NAME - moves eth0 of c1 to the host as NAME, as the kernel does when a namespace dies
came_back() {
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 netns $$ name "$1"
}

@test "host-device: ADD moves the device, with addresses and route; DEL leaves no difference" {
	new_netns c1
	device
	remember
	add host-device "$CONF"
	has '.interfaces | length == 1'
	has '.interfaces[0] == {name: "eth0", mac: "02:00:00:00:00:05", mtu: 1500, sandbox: "/run/netns/c1"}'
	has '.ips | map(.address) == ["192.0.2.2/24", "2001:db8:2::2/64"] and all(.[]; .interface == 0)'
	no_link - eth5
	link c1 eth0 '.address == "02:00:00:00:00:05" and .ifalias == "cplug net1/c1/eth0" and (.flags | any(. == "UP"))'
	prints '192.0.2.2/24 2001:db8:2::2/64' addresses c1 eth0
	route c1 '.dst == "198.51.100.0/24" and .gateway == "192.0.2.9"'
	ip address add 192.0.2.1/24 dev wire
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" 192.0.2.1
	ip address del 192.0.2.1/24 dev wire
	del host-device "$CONF"
	assert_same_snapshot
}

@test "host-device: every protocol version has its result, and CHECK, GC and STATUS where it has them" {
	local v conf

	cni VERSION host-device '{"cniVersion":"1.1.0"}'
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
	new_netns c1
	device
	add host-device "$CONF"
	del host-device "$CONF"
	remember
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		conf=$(with "$CONF" ".cniVersion = \"$v\"")
		add host-device "$conf"
		has ".cniVersion == \"$v\""
		conf=$(chained "$conf")
		cni CHECK host-device "$conf"
		case $v in
		0.[1-3].*) failed 1 ;;
		*) ok ;;
		esac
		cni STATUS host-device "$conf" '' '' ''
		if [[ $v == 1.1.0 ]]; then ok; else failed 1; fi
		cni GC host-device "$(with "$conf" '."cni.dev/valid-attachments" = [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
		if [[ $v == 1.1.0 ]]; then ok; else failed 1; fi
		link c1 eth0 true
		del host-device "$conf"
		assert_same_snapshot
	done
}

@test "host-device: name, alias, MTU, group, alternative names, addresses and routes come back" {
	local before

	new_netns c1
	device
	furnished
	before=$(whole)
	add host-device "$L2"
	prints '' addresses c1 eth0
	in_ns c1 ip link set eth0 mtu 1280 address 02:00:00:00:00:99 alias mine group 3 txqueuelen 7 multicast off
	in_ns c1 ip link set eth0 allmulticast off promisc on
	in_ns c1 ip link property del dev eth0 altname enp5
	# One is free on the host, and one in use.
	in_ns c1 ip link property add dev eth0 altname br0 altname wire
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name other0
	in_ns c1 ip link add eth0 type ifb
	del host-device "$L2"
	is "$(whole)" "$before"
	no_link - br0
	link c1 eth0 '.linkinfo.info_kind == "ifb"'
	[[ ! -e $RECORD ]]
}

# kind_options LINK - the options of its kind, without what other macvlans of the parent change, in a fixed order
kind_options() {
	ip -d -j link show dev "$1" |
		jq -cS '.[0].linkinfo.info_data | del(.usedbcqueuelen) | walk(if type == "array" then sort_by(tostring) else . end)'
}

@test "host-device: mode, source MACs and queue of a macvlan come back" {
	local conf before
	conf=$(with "$L2" '.device = "mv0"')

	new_netns c1
	device
	ip link add mv0 link wire type macvlan mode bridge
	before=$(kind_options mv0)
	add host-device "$conf"
	in_ns c1 ip link set eth0 type macvlan mode source
	in_ns c1 ip link set eth0 type macvlan macaddr set 02:00:00:00:00:01 02:00:00:00:00:02
	in_ns c1 ip link set eth0 type macvlan mode source bcqueuelen 7
	del host-device "$conf"
	is "$(kind_options mv0)" "$before"
	# A list of the administrator's: more entries than one request holds.
	ip link set mv0 type macvlan mode source
	for i in {1..400}; do
		printf 'link set mv0 type macvlan macaddr add 02:00:00:00:%02x:%02x\n' $((i / 256)) $((i % 256))
	done | ip -batch -
	before=$(kind_options mv0)
	add host-device "$conf"
	in_ns c1 ip link set eth0 type macvlan macaddr set 02:00:00:00:00:99
	del host-device "$conf"
	is "$(kind_options mv0)" "$before"
	add host-device "$conf"
	in_ns c1 ip link set eth0 type macvlan mode vepa
	del host-device "$conf"
	is "$(kind_options mv0)" "$before"
}

@test "host-device: flags and priorities of a VLAN interface come back (in the VM)" {
	local conf before
	conf=$(with "$L2" '.device = "vl0"')

	new_netns c1
	device
	ip link add vl0 link wire type vlan id 7 egress-qos-map 1:2 3:4 ingress-qos-map 5:6 2>/dev/null ||
		skip "this kernel has no VLAN interfaces"
	before=$(kind_options vl0)
	add host-device "$conf"
	in_ns c1 ip link set eth0 type vlan loose_binding on reorder_hdr off egress-qos-map 1:7 9:5 ingress-qos-map 2:1 5:0
	link c1 eth0 '.linkinfo.info_data.flags | index("LOOSE_BINDING")'
	del host-device "$conf"
	is "$(kind_options vl0)" "$before"
}

@test "host-device: a device that was down stays down on the host, and has its master again" {
	new_netns c1
	device
	ip link set eth5 down
	ip link add br0 type bridge
	ip link set eth5 master br0
	add host-device "$L2"
	link c1 eth0 '.flags | any(. == "UP")'
	del host-device "$L2"
	ip -j link show dev eth5 | json_holds '.[0] | .master == "br0" and (.flags | any(. == "UP") | not)'
}

@test "host-device: keepAddresses moves addresses and routes along, and back" {
	local before

	new_netns c1
	device
	furnished
	before=$(whole)
	add host-device "$KEEP"
	has '.ips | map(.address) | sort == ["10.5.0.2/24", "10.6.0.2/32", "fd00:5::2/64"]'
	has '.routes | any(.dst == "198.18.0.0/15" and .gw == "10.5.0.1" and .mtu == 1300)'
	has '.routes | any(.dst == "198.51.100.0/24" and .gw == "172.31.1.1")'
	prints '10.5.0.2/24 10.6.0.2/32 fd00:5::2/64' addresses c1 eth0
	route c1 '.dst == "198.18.0.0/15" and .gateway == "10.5.0.1" and .prefsrc == "10.5.0.2"'
	route c1 '.dst == "198.51.100.0/24" and (.flags | any(. == "onlink"))'
	CHECK=$(chained "$KEEP")
	silent "after ADD"
	mutate 'route 198.18.0.0' 'in_ns c1 ip route del 198.18.0.0/15' 'in_ns c1 ip route add 198.18.0.0/15 via 10.5.0.1 dev eth0 mtu 1300'
	in_ns c1 ip address flush dev eth0
	CPLUG_REPAIR=1 cni CHECK host-device "$CHECK"
	ok
	silent "after the repair"
	del host-device "$CHECK"
	is "$(whole)" "$before"
	cni ADD host-device "$(with "$CONF" '.keepAddresses = true')"
	failed 7 'keepAddresses: not together with "ipam"'
	ip -6 route del fd00:6::/64
	ip address flush dev eth5
	add host-device "$KEEP"
	has 'has("ips") | not'
	del host-device "$KEEP"
}

@test "host-device: selection by hwaddr, and kernelpath and pciBusID without a device" {
	new_netns c1
	device
	add host-device "$(with "$L2" 'del(.device) | .hwaddr = "02:00:00:00:00:05"')"
	link c1 eth0 '.address == "02:00:00:00:00:05"'
	del host-device "$(with "$L2" 'del(.device) | .hwaddr = "02:00:00:00:00:05"')"
	remember
	cni ADD host-device "$(with "$L2" 'del(.device)')"
	failed 7 'specify either "device", "hwaddr", "kernelpath" or "pciBusID"'
	cni ADD host-device "$(with "$L2" '.device = "eth9"')"
	failed 7 'device eth9: no interface of the host'
	cni ADD host-device "$(with "$L2" 'del(.device) | .hwaddr = "02:00:00:00:00:06"')"
	failed 7 'hwaddr 02:00:00:00:00:06: no interface'
	cni ADD host-device "$(with "$L2" 'del(.device) | .hwaddr = "nonsense"')"
	failed 7 'hwaddr'
	for path in /etc/passwd sys/devices/x /sys/devices/../../etc /sys/devices/x/.. /sys/class/net/eth5; do
		cni ADD host-device "$(with "$L2" "del(.device) | .kernelpath = \"$path\"")"
		failed 7 'must be absolute and begin with /sys/devices'
	done
	for id in ../../../etc .. /etc 'a b' .hidden; do
		cni ADD host-device "$(with "$L2" "del(.device) | .pciBusID = \"$id\"")"
		failed 7 'pciBusID: expected the name of a device'
		cni ADD host-device "$(with "$L2" "del(.device) | .runtimeConfig.deviceID = \"$id\"")"
		failed 7 'deviceID: expected the name of a device'
	done
	cni ADD host-device "$(with "$L2" 'del(.device) | .runtimeConfig.deviceID = "0000:ff:1f.7"')"
	failed 7 'deviceID 0000:ff:1f.7: not found or unsupported'
	cni ADD host-device "$(with "$L2" 'del(.device) | .pciBusID = "0000:ff:1f.7"')"
	failed 7 'pciBusID 0000:ff:1f.7: not found'
	assert_same_snapshot
}

# sysfs PATH... - a false sysfs with these folders, in the mount namespace of the test
sysfs() {
	mount -t tmpfs sys /sys
	(cd /sys && mkdir -p "$@")
}

@test "host-device: selection by kernelpath, pciBusID and deviceID, through virtio and the auxiliary bus" {
	local conf

	new_netns c1
	device
	sysfs devices/pci0/net/eth5 bus/pci/devices/0000:00:03.0/virtio1/net/eth5 \
		bus/auxiliary/devices/mlx5_core.sf.2/net/eth5 bus/pci/devices/0000:00:04.0 bus/pci/drivers/e1000
	ln -s ../../../pci/drivers/e1000 /sys/bus/pci/devices/0000:00:04.0/driver
	for conf in '.kernelpath = "/sys/devices/pci0"' '.pciBusID = "0000:00:03.0"' \
		'.runtimeConfig.deviceID = "0000:00:03.0" | .pciBusID = "0000:00:04.0"' \
		'.runtimeConfig.deviceID = "mlx5_core.sf.2"'; do
		conf=$(with "$L2" "del(.device) | $conf")
		add host-device "$conf"
		has '.interfaces[0].mac == "02:00:00:00:00:05"'
		cni CHECK host-device "$(chained "$conf")"
		ok
		del host-device "$conf"
		ip link show dev eth5
	done
	cni ADD host-device "$(with "$L2" 'del(.device) | .pciBusID = "0000:00:04.0"')"
	failed 7 'pciBusID 0000:00:04.0: no interface .*driver is e1000'
	# sysfs shows an interface of another namespace that has the same name.
	echo 99999 >/sys/devices/pci0/net/eth5/ifindex
	cni ADD host-device "$(with "$L2" 'del(.device) | .kernelpath = "/sys/devices/pci0"')"
	failed 7 'no interface'
	# DEL needs no device.
	rm -r /sys/bus/pci/devices
	del host-device "$(with "$L2" 'del(.device) | .pciBusID = "0000:00:03.0"')"
}

@test "host-device: a device with a userspace driver stays where it is, and the result has the interface" {
	local driver conf

	new_netns c1
	device
	sysfs bus/pci/devices/0000:00:05.0/net bus/pci/drivers
	mkdir -p /var/lib/cni/networks/net1
	remember
	for driver in vfio-pci uio_pci_generic igb_uio; do
		ln -sfn "../../../../bus/pci/drivers/$driver" /sys/bus/pci/devices/0000:00:05.0/driver
		conf=$(with "$L2" 'del(.device) | .pciBusID = "0000:00:05.0"')
		add host-device "$conf"
		has '.interfaces == [{name: "eth0", sandbox: "/run/netns/c1"}] and (has("ips") | not)'
		no_link c1 eth0
		cni CHECK host-device "$(chained "$conf")"
		ok
		del host-device "$conf"
		conf=$(with "$CONF" 'del(.device) | .runtimeConfig.deviceID = "0000:00:05.0"')
		add host-device "$conf"
		has '.ips | length == 2'
		cni CHECK host-device "$(chained "$conf")"
		ok
		del host-device "$conf"
	done
	add host-device "$(with "$L2" '.dpdkmode = true')"
	del host-device "$(with "$L2" '.dpdkmode = true')"
	rm -f /var/lib/cni/networks/net1/l*
	assert_same_snapshot
}

@test "host-device: MTU and MAC of the configuration, CNI_ARGS and runtimeConfig hold until DEL" {
	new_netns c1
	device
	remember
	add host-device "$(with "$L2" '.mtu = 1400 | .mac = "02:00:00:00:00:71"')"
	has '.interfaces[0].mac == "02:00:00:00:00:71" and .interfaces[0].mtu == 1400'
	del host-device "$L2"
	assert_same_snapshot
	CNI_ARGS='MAC=02:00:00:00:00:72' add host-device "$L2"
	has '.interfaces[0].mac == "02:00:00:00:00:72"'
	del host-device "$L2"
	add host-device "$(with "$L2" '.runtimeConfig.mac = "02:00:00:00:00:73"')"
	has '.interfaces[0].mac == "02:00:00:00:00:73"'
	del host-device "$L2"
	assert_same_snapshot
	cni ADD host-device "$(with "$CONF" '.mtu = 1200')"
	failed 7 'mtu: 1200 is too small for 2001:db8:2::.*IPv6 needs at least 1280'
	assert_same_snapshot
}

@test "host-device: CHECK names each difference, and a repair puts it right" {
	local conf

	new_netns c1
	device
	add host-device "$CONF"
	CHECK=$(chained "$CONF")
	silent "after ADD"
	mutate 'interface eth0.*up' 'in_ns c1 ip link set eth0 down' 'in_ns c1 ip link set eth0 up; in_ns c1 ip route add 198.51.100.0/24 via 192.0.2.9'
	mutate 'MAC of eth0' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:99' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:05'
	mutate 'MTU of eth0' 'in_ns c1 ip link set eth0 mtu 1300' 'in_ns c1 ip link set eth0 mtu 1500'
	mutate 'address of eth0.*192.0.2.2' 'in_ns c1 ip address del 192.0.2.2/24 dev eth0' \
		'in_ns c1 ip address add 192.0.2.2/24 dev eth0; in_ns c1 ip route add 198.51.100.0/24 via 192.0.2.9'
	in_ns c1 ip link set eth0 down
	in_ns c1 ip address flush dev eth0
	CPLUG_REPAIR=1 cni CHECK host-device "$CHECK"
	ok
	silent "after the repair"
	# Another interface has taken its place.
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name real0
	in_ns c1 ip link add eth0 address 02:00:00:00:00:05 type ifb
	cni CHECK host-device "$CHECK"
	failed 107 'device of eth0'
	CPLUG_REPAIR=1 cni CHECK host-device "$CHECK"
	failed 101 'another one than ADD moved'
	in_ns c1 ip link del eth0
	CPLUG_REPAIR=1 cni CHECK host-device "$CHECK"
	failed 102 'device eth5: container c1 has it as eth0, network net1'
	in_ns c1 ip link set real0 name eth0
	# It is back on the host: the repair takes it again.
	came_back dev0
	CPLUG_REPAIR=1 cni CHECK host-device "$CHECK"
	ok
	silent "after the second repair"
	del host-device "$CHECK"
	ip -j link show dev eth5 | json_holds '.[0].address == "02:00:00:00:00:05"'
}

@test "host-device: DEL works twice, without prevResult, without a namespace and with a wrong configuration" {
	local conf

	new_netns c1
	device
	del host-device "$CONF"
	add host-device "$CONF"
	del host-device "$CONF"
	remember
	add host-device "$CONF"
	no_link - eth5
	link c1 eth0 '.address == "02:00:00:00:00:05"'
	conf=$(chained "$CONF")
	del host-device "$conf"
	assert_same_snapshot
	del host-device "$conf"
	assert_same_snapshot
	add host-device "$CONF"
	del host-device "$(with "$CONF" '.device = 5 | .hwaddr = 7 | .kernelpath = "/etc" | .mtu = "much" | .runtimeConfig.deviceID = "0000:00:1f.6"')"
	assert_same_snapshot
	del host-device "$CONF" c1 ''
	del host-device "$CONF" c1 /run/netns/never
	assert_same_snapshot
}

@test "host-device: a virtual device dies with its namespace: DEL succeeds and frees the addresses" {
	new_netns c1
	device
	add host-device "$CONF"
	end_netns c1
	no_link - wire
	del host-device "$CONF"
	prints '' find /var/lib/cni/networks/net1 -name '2*'
	[[ ! -e $RECORD ]]
	del host-device "$CONF" c1 ''
}

@test "host-device: a device that the kernel moved back gets its name and everything else from DEL" {
	local before

	new_netns c1
	device
	furnished
	before=$(whole)
	add host-device "$CONF"
	in_ns c1 ip link set eth0 mtu 1280
	in_ns c1 ip link property add dev eth0 altname lo5
	came_back dev0
	del_netns c1
	del host-device "$CONF"
	is "$(whole)" "$before"
	prints '' find /var/lib/cni/networks/net1 -name '*.*.*.*'
	[[ ! -e $RECORD ]]
}

@test "host-device: GC and the next ADD give a device back that the kernel moved back" {
	local before gc

	new_netns c1 c2
	device
	furnished
	before=$(whole)
	gc=$(with "$L2" '."cni.dev/valid-attachments" = [{containerID: "c2", ifname: "eth0"}]')
	add host-device "$L2"
	came_back dev0
	cni GC host-device "$(with "$L2" '.name = "other" | ."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	link_is_back && fail "the GC of another network gave the device back"
	cni GC host-device "$(with "$gc" '."cni.dev/valid-attachments" += [{containerID: "c1", ifname: "eth0"}]')" '' '' ''
	ok
	link_is_back && fail "the attachment was valid"
	cni GC host-device "$gc" '' '' ''
	ok
	is "$(whole)" "$before"
	[[ ! -e $RECORD ]]
	add host-device "$L2"
	came_back dev0
	cni STATUS host-device "$L2" '' '' ''
	ok
	add host-device "$L2" c2
	link c2 eth0 '.address == "02:00:00:00:00:05"'
	[[ ! -e $RECORD ]]
	# The first attachment has nothing any more.
	del host-device "$L2" c1 ''
	link c2 eth0 true
	del host-device "$L2" c2
	is "$(whole)" "$before"
}

link_is_back() {
	ip link show dev eth5 >/dev/null 2>&1
}

@test "host-device: GC takes a device back from a namespace that lives; bridge's GC leaves devices alone" {
	local before

	new_netns c1
	device
	furnished
	before=$(whole)
	add host-device "$L2"
	no_link - eth5
	link c1 eth0 '.address == "02:00:00:00:00:05"'
	[[ -e $RECORD ]]
	cni GC host-device "$(with "$L2" '."cni.dev/valid-attachments" = []')" '' '' ''
	ok
	is "$(whole)" "$before"
	no_link c1 eth0
	[[ ! -e $RECORD ]]
}

@test "host-device: the name is in use on the host: the device comes back as another, and DEL succeeds" {
	new_netns c1
	device
	add host-device "$L2"
	ip link add eth5 type ifb
	ip link add dev0 type ifb
	del host-device "$L2"
	[[ $errors == *'the name eth5 is in use'*'dev1'* ]] || fail "not told: $errors"
	ip -j link show dev dev1 | json_holds '.[0] | .address == "02:00:00:00:00:05" and .group == "default" and (has("ifalias") or has("altnames") | not)'
	ip -j -d link show dev eth5 | json_holds '.[0].linkinfo.info_kind == "ifb"'
}

# untouched BEFORE - asserts that ADD failed, and left the device as it was
untouched() {
	failed
	is "$(whole)" "$1"
}

# given_back CONF BEFORE - asserts that DEL gives the device back as it was
given_back() {
	del host-device "$1"
	is "$(whole)" "$2"
}

@test "host-device: ADD that fails or is killed at any change leaves the device with everything it had" {
	local before conf

	new_netns c1
	device
	furnished
	before=$(whole)
	add host-device "$CONF"
	del host-device "$CONF"
	is "$(whole)" "$before"
	remember
	for conf in "$CONF" "$KEEP" "$(with "$L2" '.mtu = 1300 | .mac = "02:00:00:00:00:71"')"; do
		AT_LEAST=3 each_change FAIL host-device "$conf" untouched "$before"
		del host-device "$conf"
		AT_LEAST=3 each_change CRASH host-device "$conf" given_back "$conf" "$before"
		del host-device "$conf"
	done
	cni ADD host-device "$(with "$CONF" '.ipam.routes = [{dst: "192.0.2.0/24", gw: "10.99.0.77"}]')"
	failed '' '192\.0\.2\.0.*(unreachable|invalid gateway)'
	cni ADD host-device "$(with "$CONF" '.ipam.type = "nothing-of-the-kind"')"
	failed '' 'nothing-of-the-kind'
	is "$(whole)" "$before"
	assert_same_snapshot
}

# killed_del N - DEL of c1 that is killed at its N-th request or change of a file; prints nothing
killed_del() {
	status=0
	# LeakSanitizer does not work under ptrace.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=DEL CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -f -qq -o /dev/null -e "inject=sendto,unlinkat,unlink:signal=KILL:when=$1" \
		"$CPLUG_BIN/host-device" <<<"$L2" >"$BATS_TEST_TMPDIR/killed" || status=$?
}

@test "host-device: DEL that is killed at any request is finished by the next, or by GC" {
	local n before how

	can_trace || skip "strace cannot trace"
	new_netns c1
	device
	furnished
	before=$(whole)
	for how in DEL GC; do
		for ((n = 1; n < 80; n++)); do
			add host-device "$L2"
			in_ns c1 ip link set eth0 mtu 1280 alias mine
			in_ns c1 ip link property add dev eth0 altname other5
			killed_del "$n"
			((status)) || break
			if [[ $how == GC ]]; then
				cni GC host-device "$(with "$L2" '."cni.dev/valid-attachments" = []')" '' '' ''
				ok
			else
				del host-device "$L2"
			fi
			is "$(whole)" "$before"
			[[ ! -e $RECORD ]]
		done
		((n > 20 && n < 80)) || fail "$n requests"
	done
}

@test "host-device: an interface of that name makes ADD fail, and both stay" {
	new_netns c1
	device
	in_ns c1 ip link add eth0 alias eth5 type veth peer name other
	remember
	cni ADD host-device "$CONF"
	failed 101 'as eth0: the name is in use'
	assert_same_snapshot
	# Its alias makes it look as if the reference had moved it.
	del host-device "$CONF"
	assert_same_snapshot
}

@test "host-device: what belongs to the host or to an attachment cannot be taken" {
	local bridge peer

	bridge='{"cniVersion":"1.1.0","name":"net2","type":"bridge","bridge":"br2","ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}'
	new_netns c1 c2
	device
	add bridge "$bridge" c2
	peer=$(host_end)
	remember
	cni ADD host-device "$(with "$L2" '.device = "lo"')"
	failed 7 'lo is the host.s loopback interface'
	cni STATUS host-device "$(with "$L2" '.device = "lo"')" '' '' ''
	failed 50 'loopback'
	cni ADD host-device "$(with "$L2" 'del(.device) | .hwaddr = "00:00:00:00:00:00"')"
	failed 7
	cni ADD host-device "$(with "$L2" ".device = \"$peer\"")"
	failed 102 "$peer belongs to another attachment or network"
	cni ADD host-device "$(with "$L2" '.device = "br2"')"
	failed 102 'br2 belongs to another attachment or network'
	# The gateway of a VLAN has no mark, but its other end, which is a port of the bridge, has.
	ip link add br2.100 type veth peer name port
	ip link set port alias 'cplug br2.100'
	ip link add cplug-vxlan type veth peer name far
	remember
	cni ADD host-device "$(with "$L2" '.device = "br2.100"')"
	failed 102 'br2\.100 belongs to another attachment or network, because its other end, port, has the alias "cplug br2\.100"'
	cni ADD host-device "$(with "$L2" '.device = "cplug-vxlan"')"
	failed 102 "cplug-vxlan is the wire between the nodes of cplug's cluster"
	assert_same_snapshot
	ip link del br2.100
	ip link del cplug-vxlan
	remember
	assert_same_snapshot
	add host-device "$L2"
	cni ADD host-device "$L2" c2 c2 net1
	failed 102 'device eth5: container c1 has it as eth0, network net1'
	link c1 eth0 true
}

@test "host-device: the container's own links are not taken for the device" {
	new_netns c1
	device
	ip link add base0 type veth peer name base1
	ip link add mv0 link base0 type macvlan
	ip link set base0 up
	add host-device "$(with "$L2" '.device = "mv0"')"
	# A macvlan of the container's, with name, alias and MAC of the device.
	in_ns c1 ip link add own0 type veth peer name own1
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name hidden0 alias nothing
	in_ns c1 ip link add eth0 link own0 address "$(in_ns c1 ip -j link show dev hidden0 | jq -r '.[0].address')" type macvlan mode passthru
	in_ns c1 ip link set eth0 alias 'cplug net1/c1/eth0'
	del host-device "$(with "$L2" '.device = "mv0"')"
	link c1 eth0 '.link == "own0"'
	no_link - mv0
	# As long as the namespace lives, the device may be found again.
	[[ -e $RECORD ]]
	end_netns c1
	del host-device "$(with "$L2" '.device = "mv0"')" c1 ''
	[[ ! -e $RECORD ]]
}

# impostor INDEX - the container moves its link with this ifindex on, and makes another one with its
# name, ifindex and MAC; false if it has none
impostor() {
	local name

	name=$(in_ns c1 ip -j link | jq -r ".[] | select(.ifindex == $1).ifname")
	[[ -n $name ]] || return 1
	in_ns c1 ip link set dev "$name" netns nested
	in_ns c1 ip link add "$name" index "$1" address 02:00:00:00:00:05 type veth peer name inside index 900
}

# stopped_call COMMAND CONF N CHANGE... - a call of c1 that CHANGE comes across after its N-th request;
# false if it has fewer, or if CHANGE is not possible any more
stopped_call() {
	local log=$BATS_TEST_TMPDIR/stopped changed=0 pid

	: >"$log"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$1 CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -D -q -o "$log" -e trace=sendto -e "inject=sendto:signal=STOP:when=$3" \
		"$CPLUG_BIN/host-device" <<<"$2" >/dev/null 3>&- &
	pid=$!
	until grep -q 'stopped by SIGSTOP\|exited with' "$log"; do
		sleep 0.01
	done
	"${@:4}" || changed=1
	kill -CONT "$pid" 2>/dev/null || :
	wait "$pid" || :
	return "$changed"
}

@test "host-device: DEL takes no other link for the device when the container puts one in its place" {
	local n before index

	can_trace || skip "strace cannot trace"
	new_netns c1 nested
	device
	furnished
	before=$(whole)
	for ((n = 1; n < 80; n++)); do
		add host-device "$L2"
		index=$(in_ns c1 ip -j link show dev eth0 | jq '.[0].ifindex')
		stopped_call DEL "$L2" "$n" impostor "$index" || break
		no_link - eth5
		ip -j link show type veth | json_holds 'map(.ifname) == ["wire"]'
		[[ -e $RECORD ]]
		# It is still the attachment's: when it is back, it gets everything again.
		in_ns nested ip link set dev "$(in_ns nested ip -j link show type veth | jq -r '.[0].ifname')" netns c1 name back
		in_ns c1 ip link del inside || :
		del host-device "$L2"
		is "$(whole)" "$before"
		[[ ! -e $RECORD ]]
	done
	((n > 5 && n < 80)) || fail "$n requests"
}

# swap_eth0 - impostor of eth0, if c1 has it
swap_eth0() {
	local index

	index=$(in_ns c1 ip -j link show dev eth0 2>/dev/null | jq '.[0].ifindex')
	[[ $index ]] && impostor "$index"
}

@test "host-device: a failed ADD takes no other link back when the container puts one in its place" {
	local n swapped=0 conf

	can_trace || skip "strace cannot trace"
	conf=$(with "$L2" '.mtu = 1000 | .ipam = {type: "static", addresses: [{address: "fd00::5/64"}]}')
	new_netns c1 nested
	device
	cni ADD host-device "$conf"
	failed '' 'MTU'
	link - eth5 true
	for ((n = 1; n < 120; n++)); do
		if stopped_call ADD "$conf" "$n" swap_eth0; then
			swapped=$((swapped + 1))
			no_link - eth5
			ip -j link show type veth | json_holds 'map(.ifname) == ["wire"]'
			in_ns nested ip link set dev "$(in_ns nested ip -j link show type veth | jq -r '.[0].ifname')" netns 1 name eth5
			ip link set eth5 alias '' up
			in_ns c1 ip link del inside 2>/dev/null || :
		fi
		grep -q 'stopped by SIGSTOP' "$BATS_TEST_TMPDIR/stopped" || break
	done
	((swapped > 2 && n < 120)) || fail "$swapped of $n requests"
}

@test "host-device: a repeated DEL brings no link of the container to the host" {
	local conf=$L2 name

	new_netns c1 c2
	device
	cni ADD host-device "$L2"
	ok
	conf=$(with "$L2" ".prevResult = $output")
	del host-device "$conf"
	# The name is free, because another container has the device.
	add host-device "$L2" c2
	remember
	for name in veth dummy bridge_end macvlan; do
		case $name in
		veth) in_ns c1 ip link add eth0 index 777 type veth peer name inside ;;
		dummy) in_ns c1 ip link add eth0 type bridge ;;
		bridge_end)
			ip link add eth0 netns c1 type veth peer name port
			ip link set port alias 'cplug net2/c1/eth1'
			;;
		macvlan)
			in_ns c1 ip link add under type veth peer name inside index 900
			in_ns c1 ip link add eth0 link under type macvlan
			;;
		esac
		in_ns c1 ip link set eth0 alias eth5
		del host-device "$conf"
		link c1 eth0 true
		no_link - eth5
		in_ns c1 ip link del eth0
		in_ns c1 ip link del under 2>/dev/null || :
	done
	assert_same_snapshot
	del host-device "$L2" c2
	link - eth5 '.link == "wire"'
}

@test "host-device: links that the container made on top of the device are deleted by DEL" {
	new_netns c1
	device
	add host-device "$L2"
	in_ns c1 ip link add top0 link eth0 type macvlan
	in_ns c1 ip link add side0 type veth peer name side1
	del host-device "$L2"
	no_link c1 top0
	link c1 side0 true
	ip link show dev eth5
}

@test "host-device: a device that the reference's ADD moved goes back under its alias" {
	local conf

	new_netns c1
	device
	remember
	conf=$(with "$L2" '.prevResult = {cniVersion: "1.1.0", interfaces: [{name: "eth0", mac: "02:00:00:00:00:05", sandbox: "/run/netns/c1"}]}')
	ip link set eth5 netns c1 name eth0
	in_ns c1 ip link set eth0 alias eth5 up
	# A virtual one only if the configuration and prevResult name it.
	del host-device "$(with "$conf" 'del(.prevResult)')"
	link c1 eth0 true
	del host-device "$(with "$conf" '.device = "eth6"')"
	link c1 eth0 true
	del host-device "$(with "$conf" '.prevResult.interfaces = []')"
	link c1 eth0 true
	cni CHECK host-device "$conf"
	ok
	# Whatever group and names the container gave it: those could be of others on the host.
	in_ns c1 ip link set eth0 group 1879048193
	in_ns c1 ip link property add dev eth0 altname cni0
	# prevResult has the MAC address that tuning gave it.  tuning's DEL, which comes first, has undone that.
	del host-device "$(with "$conf" '.prevResult.interfaces[0].mac = "02:00:00:00:00:06"')"
	ip -j link show dev eth5 | json_holds '.[0] | .address == "02:00:00:00:00:05" and .group == "default" and (has("ifalias") or has("altnames") | not)'
}

@test "host-device: DEL without CNI_NETNS brings the device back from the namespace that ADD noted" {
	new_netns c1 c2
	device
	remember
	add host-device "$L2"
	del host-device "$L2" c1 ''
	assert_same_snapshot
	# CNI_NETNS leads to another namespace by now.
	add host-device "$L2"
	del host-device "$L2" c1 c2
	assert_same_snapshot
}

@test "host-device: a record that cannot be read now is not removed, by CHECK nor by DEL" {
	local n verb conf record=/run/cni/cplug/host-device/net1:c1:eth0.json told=0

	can_trace || skip "strace cannot trace"
	! grep -q __asan_init "$CPLUG_BIN/host-device" || skip "the sanitizers read files of their own"
	new_netns c1
	device
	remember
	add host-device "$L2"
	conf=$(chained "$L2")
	for verb in CHECK DEL; do
		for n in {1..20}; do
			status=0
			output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$verb CNI_CONTAINERID=c1 \
				CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace -qq -o "$BATS_TEST_TMPDIR/calls" \
				-e "inject=read:error=EIO:when=$n" "$CPLUG_BIN/host-device" <<<"$conf" 2>/dev/null) || status=$?
			# The call has no n-th read.
			grep -q INJECTED "$BATS_TEST_TMPDIR/calls" || break
			if [[ $output == *"${record##*/}"* ]]; then
				failed 112 'read .*: Input/output error'
				told=$((told + 1))
			fi
			[[ -s $record ]] || fail "$verb without read $n removed the record"
			link c1 eth0 true
		done
	done
	((told >= 2)) || fail "told $told times"
	del host-device "$L2"
	assert_same_snapshot
	# One that is not what was written is none, and goes.
	add host-device "$L2"
	echo '{' >"$record"
	cni CHECK host-device "$conf"
	ok
	contains "$errors" 'cannot parse the record of a device: '
	[[ -s $record ]]
	del host-device "$L2"
	[[ ! -e $record ]]
}

@test "host-device: a namespace that cannot be opened now may have the device, for GC and DEL" {
	local verb record=/run/cni/cplug/host-device/net1:c1:eth0.json conf

	can_trace || skip "strace cannot trace"
	new_netns c1
	device
	remember
	add host-device "$L2"
	for verb in GC DEL; do
		conf=$(jq -c '.["cni.dev/valid-attachments"] = []' <<<"$L2")
		[[ $verb == GC ]] || conf=$(chained "$L2")
		status=0
		output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$verb CNI_CONTAINERID=c1 CNI_IFNAME=eth0 \
			CNI_PATH=$CPLUG_BIN strace -qq -o /dev/null -P /run/netns/c1 -e inject=?open,openat:error=ENOSPC \
			"$CPLUG_BIN/host-device" <<<"$conf" 2>/dev/null) || status=$?
		is "$status" 1
		contains "$output" '/run/netns/c1: No space left on device'
		[[ -s $record ]]
		link c1 eth0 true
	done
	cni GC host-device "$(with "$L2" '.["cni.dev/valid-attachments"] = []')" '' '' ''
	ok
	[[ ! -e $record ]]
	assert_same_snapshot
}

@test "host-device: a request of DEL or GC that fails once does not cost the device anything" {
	local verb n last conf

	can_trace || skip "strace cannot trace"
	new_netns c1
	device
	furnished
	remember
	for verb in DEL GC; do
		conf=$L2
		[[ $verb == DEL ]] || conf=$(jq -c '.["cni.dev/valid-attachments"] = []' <<<"$L2")
		# The first round counts the requests.  The last one takes the mark away.
		last=0
		for ((n = 999; n > last - FAILED_REQUESTS; n--)); do
			add host-device "$L2"
			in_ns c1 ip link set eth0 mtu 1280 alias mine
			ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$verb CNI_CONTAINERID=c1 CNI_IFNAME=eth0 \
				CNI_NETNS=/run/netns/c1 CNI_PATH=$CPLUG_BIN strace -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=sendto \
				-e inject=sendto:error=EIO:when=$n "$CPLUG_BIN/host-device" <<<"$conf" >/dev/null 2>&1 || :
			if ((n == 999)); then
				last=$(grep -c sendto "$BATS_TEST_TMPDIR/calls")
				n=$((last + 1))
			else
				grep -q INJECTED "$BATS_TEST_TMPDIR/calls"
			fi
			del host-device "$L2"
			assert_same_snapshot
		done
	done
}

@test "host-device: STATUS tells whether there is such a device" {
	new_netns c1
	device
	cni STATUS host-device "$CONF" '' '' ''
	ok
	add host-device "$CONF"
	cni STATUS host-device "$CONF" '' '' ''
	ok
	del host-device "$CONF"
	cni STATUS host-device "$(with "$CONF" '.device = "eth9"')" '' '' ''
	failed 50 'device eth9: no interface of the host'
	cni STATUS host-device "$(with "$CONF" 'del(.device) | .runtimeConfig = {}')" '' '' ''
	ok
	cni STATUS host-device "$(with "$CONF" '.ipam.ranges = [[{subnet: "nonsense"}]]')" '' '' ''
	failed
}

@test "host-device: STATUS: a folder in which the device cannot be recorded" {
	device
	mount -o remount,bind,ro /run
	cni STATUS host-device "$L2" '' '' ''
	mount -o remount,bind,rw /run
	failed 50 'nothing can be saved in /run/cni/cplug/host-device, because of .*: Read-only'
	cni STATUS host-device "$L2" '' '' ''
	ok
}

@test "host-device: DNS of the configuration or of the IPAM plugin is in the result" {
	new_netns c1
	device
	add host-device "$(with "$CONF" '.dns = {nameservers: ["192.0.2.53"]}')"
	has '.dns.nameservers == ["192.0.2.53"]'
	[[ $(cat /etc/netns/c1/resolv.conf) == *'nameserver 192.0.2.53'* ]]
	del host-device "$CONF"
	[[ ! -e /etc/netns/c1/resolv.conf ]]
	printf 'nameserver 192.0.2.54\n' >/run/resolv
	add host-device "$(with "$CONF" '.ipam.resolvConf = "/run/resolv"')"
	has '.dns.nameservers == ["192.0.2.54"]'
	del host-device "$CONF"
}

@test "host-device: cnitool restore takes a device again, and gc gives it back when the container is gone" {
	local before

	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	net "{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"plugins\":[$(with "$CONF" 'del(.cniVersion, .name)')]}"
	device
	furnished
	before=$(whole)
	plug c1
	came_back dev0
	tool restore
	ok
	contains "$output" 'restored eth0 of .* on network net1'
	link c1 eth0 '.address == "02:00:00:00:00:05" and (.flags | any(. == "UP"))'
	tool check net1 c1
	ok
	in_ns c1 ip link set eth0 down
	tool check --repair net1 c1
	ok
	came_back dev0
	end_netns c1
	tool gc
	ok
	is "$(whole)" "$before"
	prints '' find /var/lib/cni/networks/net1 /run/cni/cplug/host-device -name '*eth0*' -o -name '192.*'
}

@test "host-device: a device with more addresses and routes than can be remembered stays" {
	new_netns c1
	device
	ip address add 10.5.0.2/16 dev eth5
	for ((n = 0; n < 260; n++)); do echo "route add 198.18.$((n / 256)).$((n % 256)) dev eth5"; done | ip -batch -
	remember
	cni ADD host-device "$L2"
	failed 7 'eth5 has 26[0-9] addresses and routes, and at most 256'
	assert_same_snapshot
}

@test "host-device: a record that cannot be read does not make DEL fail" {
	new_netns c1
	device
	add host-device "$CONF"
	printf 'nonsense' >"$RECORD"
	del host-device "$CONF"
	[[ ! -e $RECORD ]]
	prints '' find /var/lib/cni/networks/net1 -name '2*'
}
