#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# udev, systemd-networkd and NetworkManager change the plugins' links.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# assigned NS IFNAME - prints the origin of a link's MAC address (addr_assign_type of
# Documentation/ABI/testing/sysfs-class-net): 1 random, which udev replaces; 3 set by user space
assigned() {
	# sysfs shows the network namespace of the process that mounted it.
	# shellcheck disable=SC2016 # the inner shell's
	in_ns "$1" unshare --mount --propagation private bash -c \
		'mount -t sysfs sysfs /sys && cat "/sys/class/net/$0/addr_assign_type"' "$2"
}

prepare() {
	new_netns c1 c2
	[[ $(assigned - lo 2>/dev/null) == 0 ]] || skip "sysfs cannot be mounted"
}

@test "managers: all MAC addresses are set explicitly, so that udev does not replace them" {
	add bridge "$CONF"
	is "$(assigned - br1)" 3
	is "$(assigned - "$(host_end)")" 3
	is "$(assigned c1 eth0)" 3
	# udev would replace this MAC address, which the kernel generated.
	ip link add br9 type bridge
	is "$(assigned - br9)" 1
}

@test "managers: the bridge keeps its MAC address when containers are added and deleted" {
	local mac

	add bridge "$CONF" c1
	mac=$(result '.interfaces[0].mac')
	add bridge "$CONF" c2
	is "$(result '.interfaces[0].mac')" "$mac"
	del bridge "$CONF" c1
	del bridge "$CONF" c2
	is "$(ip -j link show br1 | jq -r '.[0].address')" "$mac"
	add bridge "$CONF" c1
	is "$(result '.interfaces[0].mac')" "$mac"
}

@test "managers: containers stay reachable after a manager changed MAC addresses, added addresses, or set the bridge down" {
	add bridge "$CONF" c1
	cp "$BATS_TEST_TMPDIR/stdout" "$BATS_TEST_TMPDIR/result"
	end=$(host_end)
	# Nothing depends on the MAC addresses of the host's end and of the bridge.
	ip link set "$end" address 02:00:00:00:00:07
	ip link set br1 address 02:00:00:00:00:08
	ip address add 169.254.7.7/16 dev "$end"
	sees c1 10.1.0.1
	sees c1 fd00:1::1
	# CHECK reports the bridge that is down, and the next ADD sets it up.
	ip link set br1 down
	cni CHECK bridge "$(jq -c --slurpfile prev "$BATS_TEST_TMPDIR/result" '.prevResult = $prev[0]' <<<"$CONF")"
	failed '' 'br1'
	add bridge "$CONF" c2
	sees c1 10.1.0.1
	sees c2 10.1.0.2
}

@test "managers: the drop-ins in contrib/ match the plugins' links" {
	local top=$CPLUG_TOP/contrib pattern name file
	local -a patterns

	add bridge "$(with "$CONF" '.bridge = "cni0"')"
	for file in systemd-networkd/10-cplug.network udev/10-cplug.link NetworkManager/90-cplug.conf; do
		mapfile -t patterns < <(sed -n 's/^\(Name\|OriginalName\|unmanaged-devices+\)=//p' "$top/$file" |
			tr ' ' '\n' | tr ';' '\n' | sed 's/^interface-name://')
		((${#patterns[@]} == 2))
		for name in cni0 "$(host_end)"; do
			for pattern in "${patterns[@]}"; do
				# shellcheck disable=SC2053 # it is a pattern
				[[ $name != $pattern ]] || continue 2
			done
			fail "$file does not name $name"
		done
	done
}
