#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The reference's host-device and ours have the same results, effects and errors, and give back each
# other's devices.  A veth stands for the device.
# shellcheck disable=SC2030,SC2031 # each test is a process
load ../e2e/lib
load parity

L2='{"cniVersion":"1.0.0","name":"net1","type":"host-device","device":"eth5"}'
BASE='{"cniVersion":"1.0.0","name":"net1","type":"host-device","device":"eth5",
	"ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"},{"dst":"198.51.100.0/24","gw":"192.0.2.9"}],
		"ranges":[[{"subnet":"192.0.2.0/24","gateway":"192.0.2.1"}]]}}'
DUAL=$(with "$BASE" '.ipam.routes += [{dst: "::/0"}] | .ipam.ranges += [[{subnet: "2001:db8:2::/64",
	gateway: "2001:db8:2::1"}]]')

device() {
	ip link add eth5 address 02:00:00:00:00:05 type veth peer name wire
	ip link set wire up
	ip link set eth5 up
}

# same_device CONF - as `same`, with a new device for each
same_device() {
	device
	same "$1"
}

# The device goes with eth0.
eval "plain_$(declare -f wipe)"
wipe() {
	plain_wipe
	ip link del wire 2>/dev/null || :
	[[ $CPLUG_BIN == "$OURS" ]] || device
}

# as_before - asserts that the device is back, with name, MAC and without alias
as_before() {
	ip -j link show dev eth5 | json_holds '.[0] | .address == "02:00:00:00:00:05" and (.ifalias // "") == ""'
}

@test "parity: host-device" { same_device "$BASE"; }
@test "parity: host-device, dual stack" { same_device "$DUAL"; }
@test "parity: host-device without ipam" { same_device "$L2"; }
@test "parity: host-device by hwaddr" { same_device "$(with "$BASE" 'del(.device) | .hwaddr = "02:00:00:00:00:05"')"; }
@test "parity: host-device with dns" {
	same_device "$(with "$BASE" '.dns = {nameservers: ["192.0.2.53"], search: ["a.org"]} | .resolvConf = "off"')"
}

@test "parity: host-device by kernelpath and pciBusID" {
	mount -t tmpfs sys /sys
	mkdir -p /sys/devices/pci0/net/eth5 /sys/bus/pci/devices/0000:00:03.0/net/eth5 /sys/bus/pci/drivers/e1000
	ln -s ../../../pci/drivers/e1000 /sys/bus/pci/devices/0000:00:03.0/driver
	same_device "$(with "$BASE" 'del(.device) | .kernelpath = "/sys/devices/pci0"')"
	by reference
	wipe
	ip link del eth5
	del_netns c1
	output=
	same_device "$(with "$BASE" 'del(.device) | .pciBusID = "0000:00:03.0"')"
}

@test "parity: host-device's result in each version that the reference supports" {
	local v

	for v in 0.3.0 0.3.1 0.4.0 1.0.0; do
		same_device "$(with "$DUAL" ".cniVersion = \"$v\"")"
		by ours
		wipe
		del_netns c1
		output=
	done
}

@test "parity: host-device's errors" {
	local conf

	device
	new_netns c1
	for conf in 'del(.device)' '.device = "nosuch"' 'del(.device) | .hwaddr = "02:00:00:00:00:77"' \
		'del(.device) | .hwaddr = "nonsense"' 'del(.device) | .kernelpath = "sys/devices/x"' \
		'del(.device) | .kernelpath = "/etc"' 'del(.device) | .pciBusID = "0000:ff:1f.7"' \
		'del(.device) | .runtimeConfig.deviceID = "0000:ff:1f.7"'; do
		conf=$(with "$L2" "$conf")
		by reference
		cni ADD host-device "$conf"
		failed
		by ours
		cni ADD host-device "$conf"
		failed 7
	done
	as_before
}

@test "parity: our host-device's CHECK and DEL work with a device that the reference moved" {
	local conf

	device
	new_netns c1
	for conf in "$BASE" "$L2"; do
		by reference
		output=
		add host-device "$conf"
		conf=$(chained "$conf")
		by ours
		cni CHECK host-device "$conf"
		ok
		del host-device "$conf"
		as_before
		del host-device "$conf"
		prints '' find /var/lib/cni/networks -name '192*'
	done
}

@test "parity: the reference's host-device CHECK works with a device that ours moved" {
	local conf

	device
	new_netns c1
	by ours
	add host-device "$BASE"
	conf=$(chained "$BASE")
	by reference
	cni CHECK host-device "$conf"
	ok
	by ours
	del host-device "$conf"
	as_before
}

@test "parity: what the reference's DEL fails for, ours does" {
	local conf

	device
	new_netns c1
	by ours
	add host-device "$BASE"
	conf=$(chained "$BASE")
	del host-device "$conf"
	by reference
	cni DEL host-device "$conf"
	failed
	cni DEL host-device "$conf" c1 /run/netns/never
	failed
	by ours
	del host-device "$conf"
	del host-device "$conf" c1 /run/netns/never
	del host-device "$conf" c1 ''
}
