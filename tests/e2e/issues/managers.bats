#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Pain 27: udev, systemd-networkd and NetworkManager touch our links
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'

# assigned NS IFNAME - how a link came by its MAC (addr_assign_type of
# Documentation/ABI/testing/sysfs-class-net): 1 random, which udev replaces; 3 set
assigned() {
	# sysfs shows the namespace of whoever mounted it.
	# shellcheck disable=SC2016 # the inner shell's
	in_ns "$1" unshare --mount --propagation private bash -c \
		'mount -t sysfs sysfs /sys && cat "/sys/class/net/$0/addr_assign_type"' "$2"
}

prepare() {
	new_netns c1 c2
	[[ $(assigned - lo 2>/dev/null) == 0 ]] || skip "no sysfs to be had"
}

@test "pain 27: nobody has a reason to change a MAC: all of them were given" {
	add bridge "$CONF"
	is "$(assigned - br1)" 3
	is "$(assigned - "$(host_end)")" 3
	is "$(assigned c1 eth0)" 3
	# What udev would change: a link whose MAC the kernel made up.
	ip link add br9 type bridge
	is "$(assigned - br9)" 1
}

@test "pain 27: a bridge keeps its MAC, whoever comes and goes" {
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

@test "pain 27: a manager that changed a MAC, took down a link, or gave it addresses of its own" {
	add bridge "$CONF" c1
	cp "$BATS_TEST_TMPDIR/stdout" "$BATS_TEST_TMPDIR/result"
	end=$(host_end)
	# The host's end and the bridge may have any: nothing depends on it.
	ip link set "$end" address 02:00:00:00:00:07
	ip link set br1 address 02:00:00:00:00:08
	ip address add 169.254.7.7/16 dev "$end"
	sees c1 10.1.0.1
	sees c1 fd00:1::1
	# Taken down: CHECK tells, and the next ADD sets the bridge up again.
	ip link set br1 down
	cni CHECK bridge "$(jq -c --slurpfile prev "$BATS_TEST_TMPDIR/result" '.prevResult = $prev[0]' <<<"$CONF")"
	failed '' 'br1'
	add bridge "$CONF" c2
	sees c1 10.1.0.1
	sees c2 10.1.0.2
}

# The drop-ins match what cplug makes.
@test "pain 27: the drop-ins in contrib/ name our links" {
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
