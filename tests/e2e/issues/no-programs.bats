#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Plugins require iptables, nft or modprobe on the host, and choose the wrong variant.
load ../lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.0.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8081,"containerPort":80,"protocol":"tcp"}]}}'

# bare_root - creates /run/.rig/bare, a root folder with only the plugins, their shared
# libraries, the namespaces, and a folder for leases, which alone is writable
bare_root() {
	local bare=/run/.rig/bare file

	mkdir -p $bare/{bin,proc,run/netns,var/lib/cni}
	for file in bridge portmap loopback; do cp "$CPLUG_BIN/$file" $bare/bin/; done
	ln $bare/bin/bridge $bare/bin/host-local
	for file in $(ldd "$CPLUG_BIN/bridge" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$bare${file%/*}"
		cp "$file" "$bare$file"
	done
	mount --bind $bare $bare
	mount -o remount,bind,ro $bare
	mount -t tmpfs tmpfs $bare/var/lib/cni
	mount -t proc proc $bare/proc
	mount --rbind /run/netns $bare/run/netns
}

# bare COMMAND TYPE CONF - as cni, with that root folder
bare() {
	status=0
	output=$(CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/bin \
		PATH=/nonexistent "$(type -P chroot)" /run/.rig/bare "/bin/$2" <<<"$3") || status=$?
	printf '%s\n' "$1 $2: $output"
}

@test "no programs: all verbs work with an invalid PATH" {
	world
	new_netns c1
	PATH=/nonexistent raw ADD bridge <<<"$CONF" >"$BATS_TEST_TMPDIR/out"
	output=$(cat "$BATS_TEST_TMPDIR/out")
	chained=$(chained "$CONF")
	PATH=/nonexistent raw ADD portmap <<<"$(chained "$PORTMAP")"
	tcp_answer c1 80 web
	tcp_answer world 7000 outside
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	is "$(ask world tcp 203.0.113.1 8081)" 'web from 203.0.113.2'
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	PATH=/nonexistent raw CHECK bridge <<<"$chained"
	PATH=/nonexistent raw DEL portmap <<<"$PORTMAP"
	PATH=/nonexistent raw DEL bridge <<<"$CONF"
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "no programs: all verbs work in a read-only root folder without other programs" {
	! grep -q __asan_init "$CPLUG_BIN/bridge" || skip "the sanitizers need more files"
	world
	warm_up bridge "$CONF"
	rm -r /var/lib/cni/networks
	new_netns c1
	bare_root
	[[ $(find /run/.rig/bare -xdev -type f -perm /111 ! -name '*.so*' | wc -l) == 4 ]]
	bare STATUS bridge "$(with "$CONF" '.cniVersion = "1.1.0"')"
	ok
	bare ADD loopback "$(with "$CONF" 'del(.ipam)')"
	ok
	bare ADD bridge "$CONF"
	ok
	chained=$(chained "$CONF")
	bare ADD portmap "$(chained "$PORTMAP")"
	ok
	tcp_answer c1 80 web
	tcp_answer world 7000 outside
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	is "$(ask world tcp 203.0.113.1 8081)" 'web from 203.0.113.2'
	is "$(ask - tcp 127.0.0.1 8080)" 'web from 10.1.0.1'
	is "$(ask c1 tcp 203.0.113.2 7000)" 'outside from 203.0.113.1'
	bare CHECK bridge "$chained"
	ok
	bare DEL portmap "$PORTMAP"
	ok
	bare DEL bridge "$CONF"
	ok
	no_link c1 eth0
	prints '' find /run/.rig/bare/var/lib/cni -name '10.*'
}

@test "no programs: a foreign nat table that iptables cannot parse does not matter" {
	type -P iptables-nft >/dev/null || skip "iptables-nft is not installed"
	world
	new_netns c1
	# A nat table with rules that iptables cannot parse.
	iptables-nft -t nat -A POSTROUTING -j RETURN
	nft add rule ip nat POSTROUTING fib daddr type local counter
	nft add rule ip nat POSTROUTING socket wildcard 1 counter 2>/dev/null || :
	add bridge "$CONF"
	tcp_answer c1 80 web
	is "$(ask world tcp 203.0.113.1 8080)" 'web from 203.0.113.2'
	del bridge "$CONF"
}
