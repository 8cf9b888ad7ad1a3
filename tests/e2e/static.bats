#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The static executable needs no other file.
load lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

prepare() {
	! readelf -l "$CPLUG_BIN/cplug" | grep -q INTERP || skip 'not the static executable'
	# A root folder with only the plugins, /proc, the namespaces, and a folder for leases.
	empty=/run/.rig/empty
	mkdir -p "$empty"/{bin,proc,run/netns,var/lib/cni}
	cp "$CPLUG_BIN/cplug" "$empty/bin/cplug"
	for name in bridge host-local portmap loopback cnitool; do ln "$empty/bin/cplug" "$empty/bin/$name"; done
	mount -t proc proc "$empty/proc"
	mount --rbind /run/netns "$empty/run/netns"
}

# alone COMMAND TYPE - as cni, with that root folder
alone() {
	status=0
	output=$(CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/bin \
		chroot "$empty" "/bin/$2" <<<"$CONF") || status=$?
	printf '%s\n' "$output"
}

@test "static: the executable has no interpreter and no shared library" {
	prints_not 'INTERP|NEEDED' readelf -ld "$CPLUG_BIN/cplug"
}

@test "static: ADD, CHECK and DEL work in an empty root folder" {
	new_netns c1
	mount --rbind /run/netns "$empty/run/netns"
	alone ADD bridge
	ok
	has '.ips[0].address == "10.1.0.2/24"'
	sees c1 10.1.0.1
	tcp_answer c1 80 web
	ask - tcp 127.0.0.1 8080
	CONF=$(chained "$CONF")
	alone CHECK bridge
	ok
	alone DEL bridge
	ok
	no_link c1 eth0
}

@test "static: VERSION and cnitool --help work in an empty root folder" {
	CNI_COMMAND=VERSION chroot "$empty" /bin/portmap
	chroot "$empty" /bin/cplug
	chroot "$empty" /bin/cnitool --help
}
