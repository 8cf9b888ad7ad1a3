#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A container whose root has CAP_NET_ADMIN in its own namespace (docs/security.md, "What a container's
# namespace says"): what it does to its links, rules and addresses must not reach the host or a
# neighbour, nor keep DEL and GC from their work.
# shellcheck disable=SC2030,SC2031,SC2034 # tests are subshells; TYPE is check.bash's
load lib
load hostile

DEVICE='{"cniVersion":"1.1.0","name":"net1","type":"host-device","device":"eth5"}'
PTP='{"cniVersion":"1.1.0","name":"net1","type":"ptp",
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
ALL_GONE='."cni.dev/valid-attachments" = []'

prepare() {
	new_netns c1 c2
}

# device - makes eth5, as in host-device.bats
device() {
	ip link add eth5 address 02:00:00:00:00:05 type veth peer name wire
	ip link set wire up
	ip link set eth5 up
}

# came_back NAME - moves eth0 of c1 to the host as NAME, as the kernel does when a namespace dies
came_back() {
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 netns $$ name "$1"
}

# many N FORMAT... - requests for ip -batch in c1: each FORMAT (printf) with three numbers, N times
many() {
	local n=$1 format

	shift
	for format; do
		seq 0 "$((n - 1))" | awk -v f="$format" '{ printf f "\n", $1 / 62500, $1 / 250 % 250, $1 % 250 + 1 }'
	done | in_ns c1 ip -force -batch -
}

@test "hostile-container: a device with a neighbour's mark, from a namespace that died, is given back" {
	local mark name

	for mark in 'cplug other/x/eth0' 'cplug net1/c2/eth0' 'cplug net1' "cplug $(huge 220)#veth0123456789ab"; do
		for name in dev7 eth5; do
			device
			add host-device "$DEVICE"
			in_ns c1 ip link set eth0 mtu 1280 alias "$mark"
			came_back $name
			del host-device "$DEVICE" c1 ''
			link - eth5 '.mtu == 1500 and (has("ifalias") | not)'
			add host-device "$DEVICE"
			in_ns c1 ip link set eth0 mtu 1280 alias "$mark"
			came_back $name
			# The next ADD finds it as well.
			add host-device "$DEVICE" c2
			del host-device "$DEVICE" c2
			link - eth5 '.mtu == 1500 and (has("ifalias") | not)'
			ip link del eth5
			del host-device "$DEVICE"
		done
	done
}

# hide - moves eth0 of c1 to a namespace that c1 has not, c2
hide() {
	in_ns c1 ip link set eth0 name hidden
	in_ns c1 ip link property add dev hidden altname eth7
	in_ns c1 ip link set hidden netns c2
}

@test "hostile-container: a device that the container moved on comes home when it is found" {
	local record=/run/cni/cplug/host-device/net1:c1:eth0.json way

	for way in GC ADD; do
		device
		ip link set eth5 alias mine
		add host-device "$DEVICE"
		in_ns c1 ip link set eth0 alias "cplug victim/c2/eth0"
		hide
		cni DEL host-device "$DEVICE"
		ok
		contains "$errors" 'eth5 is not back yet: a namespace that still lives has it'
		[[ -e $record ]]
		cni GC host-device "$(with "$DEVICE" "$ALL_GONE")"
		ok
		contains "$errors" 'eth5 is not back yet'
		in_ns c2 ip link set hidden netns $$ name evil
		if [[ $way == GC ]]; then
			cni GC host-device "$(with "$DEVICE" "$ALL_GONE")"
		else
			cni ADD host-device "$DEVICE" c9 c1
		fi
		ok
		[[ $way == GC ]] || del host-device "$DEVICE" c9 c1
		link - eth5 '.ifalias == "mine" and .mtu == 1500 and (has("altnames") | not)'
		[[ ! -e $record ]]
		ip link del eth5
	done
	# Its other end is gone, and so is the device.
	device
	add host-device "$DEVICE"
	hide
	ip link del wire
	del host-device "$DEVICE"
	[[ ! -e $record ]]
}

@test "hostile-container: a macvlan that the container moved on is looked for while its namespace lives" {
	local record=/run/cni/cplug/host-device/net1:c1:eth0.json

	device
	ip link add mac5 link wire type macvlan
	add host-device "$(with "$DEVICE" '.device = "mac5"')"
	hide
	cni DEL host-device "$(with "$DEVICE" '.device = "mac5"')"
	ok
	contains "$errors" 'mac5 is not back yet'
	in_ns c2 ip link set hidden netns $$ name evil
	cni GC host-device "$(with "$DEVICE" "$ALL_GONE")"
	ok
	link - mac5 '(has("ifalias") | not) and (has("altnames") | not)'
	add host-device "$(with "$DEVICE" '.device = "mac5"')"
	hide
	end_netns c1
	del host-device "$(with "$DEVICE" '.device = "mac5"')" c1 ''
	[[ ! -e $record ]]
}

@test "hostile-container: the mark of another attachment's own device still protects it" {
	local two

	device
	ip link add eth6 type veth peer name wire6
	two=$(with "$DEVICE" '.device = "eth6"')
	add host-device "$DEVICE"
	add host-device "$two" c2
	in_ns c2 ip link set eth0 down
	in_ns c2 ip link set eth0 netns $$ name dev6
	del host-device "$DEVICE"
	link - eth5 true
	link - dev6 '.ifalias == "cplug net1/c2/eth0"'
	del host-device "$two" c2 ''
	link - eth6 true
}

@test "hostile-container: GC of host-device takes nothing from another namespace at the same path" {
	local conf

	conf=$(with "$DEVICE" '.device = "mv0"')
	ip link add base0 type veth peer name base1
	ip link set base0 up
	ip link add mv0 link base0 type macvlan
	add host-device "$conf"
	del_netns c1
	new_netns c1
	ip link add theirs link base0 netns c1 type macvlan
	in_ns c1 ip link set theirs name eth0 alias 'cplug other/x/eth0'
	cni GC host-device "$(with "$conf" "$ALL_GONE")" '' '' ''
	ok
	link c1 eth0 true
	no_link - mv0
	[[ ! -e /run/cni/cplug/host-device/net1:c1:eth0.json ]]
}

@test "hostile-container: a device that the reference moved comes back whatever name the container wishes" {
	local alias conf

	conf=$(with "$DEVICE" '.device = "lo" | .prevResult = {cniVersion: "1.1.0",
		interfaces: [{name: "eth0", mac: "02:00:00:00:00:05", sandbox: "/run/netns/c1"}]}')
	for alias in lo wire; do
		device
		ip link set eth5 netns c1 name eth0
		in_ns c1 ip link set eth0 alias "$alias"
		del host-device "$(with "$conf" ".device = \"$alias\"")"
		link - dev0 '.address == "02:00:00:00:00:05"'
		ip link del dev0
	done
}

@test "hostile-container: a device comes back without the segment sizes and the link mode of the container" {
	local before

	device
	before=$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate, .flags)')
	add host-device "$DEVICE"
	in_ns c1 ip link set eth0 mode dormant gso_max_segs 2 gso_max_size 4096
	in_ns c1 ip link set eth0 gro_max_size 4096 gso_ipv4_max_size 4096 gro_ipv4_max_size 4096 || :
	del host-device "$DEVICE"
	is "$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate, .flags)')" "$before"
}

@test "hostile-container: a device comes back without the flags and the broadcast address of the container" {
	local before

	device
	before=$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate)')
	add host-device "$DEVICE"
	in_ns c1 ip link set eth0 dynamic on arp off broadcast 02:00:00:00:00:77
	del host-device "$DEVICE"
	is "$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate)')" "$before"
}

# A container with CAP_BPF can leave a program that drops all packets.
@test "hostile-container: a device comes back without the XDP program of the container" {
	local program=$BATS_TEST_TMPDIR/drop

	cat >"$program.c" <<-'END'
		__attribute__((section("xdp"), used)) int drop(void *context) { return 1; }
		char license[] __attribute__((section("license"), used)) = "GPL";
	END
	clang -O2 -g -target bpf -c "$program.c" -o "$program.o" || skip "clang cannot compile for BPF"
	device
	ip link set wire xdpgeneric obj "$program.o" sec xdp || skip "BPF programs cannot be loaded here"
	add host-device "$DEVICE"
	in_ns c1 ip link set eth0 xdpgeneric obj "$program.o" sec xdp
	contains "$(in_ns c1 ip link show dev eth0)" xdpgeneric
	del host-device "$DEVICE"
	contains_not "$(ip link show dev eth5)" xdp
	contains "$(ip link show dev wire)" xdpgeneric
}

@test "hostile-container: a device that the container set proto_down comes back without it" {
	local before

	ip link add uplink type veth peer name wire
	ip link add eth5 link uplink address 02:00:00:00:00:05 type macvlan
	before=$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate, .flags)')
	add host-device "$DEVICE"
	in_ns c1 ip link set eth0 protodown on protodown_reason 3 on
	in_ns c1 ip -d -j link show dev eth0 | json_holds '.[0].proto_down'
	del host-device "$DEVICE"
	is "$(ip -d -j link show dev eth5 | jq -S '.[0] | del(.stats64, .operstate, .flags)')" "$before"
}

@test "hostile-container: links on the device, as many as the container likes, do not stay on the host's wire" {
	device
	add host-device "$DEVICE"
	in_ns c1 ip link set eth0 up
	seq 3000 | sed 's/.*/link add top& link eth0 type macvlan/' | in_ns c1 ip -batch -
	soon del host-device "$DEVICE"
	in_ns c1 ip -j link show | json_holds 'all(.[]; .ifname | startswith("top") | not)'
}

@test "hostile-container: thousands of addresses and rules keep neither sbr's ADD nor its DEL" {
	local conf sbr='{"cniVersion":"1.1.0","name":"net1","type":"sbr"}'

	add ptp "$PTP"
	conf=$(chained "$sbr")
	seq 100 3100 | sed 's/.*/route add 192.0.2.1 dev eth0 table &/' | in_ns c1 ip -force -batch - || :
	soon add sbr "$conf"
	many 4000 'address add 172.%d.%d.%d/32 dev eth0'
	many 3000 'rule add from 192.%d.%d.%d lookup 77'
	many 1500 'rule add from 10.1.0.2 lookup 9%d%d%03d'
	soon del sbr "$conf"
	contains_not "$(in_ns c1 ip rule)" 'from 10.1.0.2 '
	contains_not "$(in_ns c1 ip -6 rule)" 'from fd00:1::2 '
	soon del ptp "$PTP"
}

@test "hostile-container: links that come and go all the time do not make DEL fail" {
	local churn

	device
	add host-device "$DEVICE"
	seq 1500 | sed 's/.*/link add v& type veth peer name w&/' | in_ns c1 ip -batch -
	in_ns c1 ip link set eth0 down
	in_ns c1 ip link set eth0 name hidden0
	in_ns c1 bash -c 'while :; do printf "link add q type veth peer name r\\nlink del q\\n"; done |
		ip -force -batch -' >/dev/null 2>&1 3>&- 4>&- &
	churn=$!
	sleep 0.5
	soon cni DEL host-device "$DEVICE"
	kill "$churn"
	ok
	link - eth5 '.address == "02:00:00:00:00:05"'
}
