#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# host-local with "ranges": "podCIDR": the subnets of this node, in a file that a controller writes
# shellcheck disable=SC2016,SC2030,SC2031 # each test is a process; programs of jq in single quotes
load lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","ranges":"podCIDR"}}'
FILE=/run/flannel/subnet.env
LEASES=/var/lib/cni/networks/net1

# subnet_file [FILE] - writes the file, from stdin
subnet_file() {
	mkdir -p "$(dirname "${1-$FILE}")"
	cat >"${1-$FILE}"
	chmod 644 "${1-$FILE}"
}

# flannel - writes the file as flannel does
flannel() {
	subnet_file <<-'END'
		FLANNEL_NETWORK=10.244.0.0/16
		FLANNEL_SUBNET=10.244.1.1/24
		FLANNEL_IPV6_NETWORK=fd00:244::/48
		FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64
		FLANNEL_MTU=1450
		FLANNEL_IPMASQ=true
	END
}

# gc VALID - GC with this list of valid attachments (JSON)
gc() {
	cni GC bridge "$(with "$CONF" ".[\"cni.dev/valid-attachments\"] = $1")" '' '' ''
	ok
}

@test "podcidr: flannel's file gives the ranges, and routes with its MTU to the cluster's networks" {
	new_netns c1
	flannel
	add bridge "$CONF"
	has '[.ips[] | .address, .gateway] == ["10.244.1.2/24", "10.244.1.1", "fd00:244:0:1::2/64", "fd00:244:0:1::1"]'
	has '[.routes[] | .dst, .mtu] == ["10.244.0.0/16", 1450, "fd00:244::/48", 1450]'
	in_ns c1 ip -j route show 10.244.0.0/16 | json_holds '.[0] | .gateway == "10.244.1.1" and any(.metrics[]; .mtu == 1450)'
	in_ns c1 ip -6 -j route show fd00:244::/48 | json_holds '.[0] | .gateway == "fd00:244:0:1::1"'
	sees c1 10.244.1.1
	sees c1 fd00:244:0:1::1
	cni CHECK bridge "$(chained "$CONF")"
	ok
	cni STATUS bridge "$CONF" '' '' ''
	ok
	del bridge "$CONF"
	is "$(find "$LEASES" -name '10.244*' -o -name 'fd00*')" ''
}

@test "podcidr: a route of the configuration stays, and the node's own subnet gets none" {
	new_netns c1
	subnet_file <<<'FLANNEL_NETWORK=10.244.1.0/24,10.250.0.0/16,10.251.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:244::/48
FLANNEL_MTU=1450'
	add bridge "$(with "$CONF" '.ipam.routes = [{dst: "10.250.0.0/16", mtu: 1300}]')"
	has '[.routes[] | .dst, .mtu] == ["10.250.0.0/16", 1300, "10.251.0.0/16", 1450]'
}

@test "podcidr: POD_CIDRS of Kubernetes, in a file of its own" {
	local text

	new_netns c1 c2 c3
	CONF=$(with "$CONF" '.ipam.subnetFile = "/run/cplug/subnet.env"')
	for text in 'POD_CIDRS=10.244.7.0/24 fd00:244:0:7::/64' $'# a comment\n\nPOD_CIDRS="10.244.7.0/24,fd00:244:0:7::/64"' \
		$'\r\nPOD_CIDRS=10.244.7.0/24, fd00:244:0:7::/64 \r\nother'; do
		subnet_file /run/cplug/subnet.env <<<"$text"
		add bridge "$CONF"
		has '[.ips[].address | split("/")[1]] == ["24", "64"] and (.ips[0].address | startswith("10.244.7.")) and (.routes // []) == []'
		del bridge "$CONF"
	done
	# A range of the runtime comes before the node's.
	CONF=$(with "$CONF" '.isGateway = false')
	cni ADD bridge "$(with "$CONF" '.capabilities.ipRanges = true | .runtimeConfig.ipRanges = [[{subnet: "10.9.0.0/24"}]]')"
	ok
	has '[.ips[].address | split(".")[0]] | .[0:2] == ["10", "10"] and length == 3'
	cni ADD bridge "$(with "$CONF" '.runtimeConfig.ipRanges = [[{subnet: "10.244.0.0/16"}]]')" c2
	failed 112 'subnet.env: 10.244.7.0/24 overlaps range set 0'
	cni ADD bridge "$(with "$CONF" '.cniVersion = "0.2.0" | .runtimeConfig.ipRanges = [[{subnet: "10.9.0.0/24"}]]')" c2
	failed 112 'version 0.2.0 does not support more than 1 address per family'
	# A requested address must be in the node's subnet.
	cni ADD bridge "$(with "$CONF" '.args.cni.ips = ["10.244.7.77"]')" c3
	ok
	has '.ips[0].address == "10.244.7.77/24"'
	cni ADD bridge "$(with "$CONF" '.args.cni.ips = ["10.244.8.77"]')" c2
	failed 104 '10.244.8.77'
}

@test "podcidr: as long as the file is not written, ADD is code 11 and STATUS 50; other verbs work" {
	local text

	new_netns c1 c2
	flannel
	add bridge "$CONF"
	old=$(chained "$CONF")
	for text in none '' $'\n' 'FLANNEL_NETWORK=10.244.0.0/16' 'POD_CIDRS=' 'POD_CIDRS=""'; do
		echo "# $text"
		rm -f $FILE
		[[ $text == none ]] || subnet_file <<<"$text"
		cni ADD bridge "$CONF" c2
		failed 11 "file $FILE: (there is no such file|it names no subnet): .*has not written this node's subnet yet"
		cni STATUS bridge "$CONF" '' '' ''
		failed 50 "file $FILE: "
		cni CHECK bridge "$old"
		ok
		gc '[{containerID: "c1", ifname: "eth0"}]'
		[[ -e $LEASES/10.244.1.2 ]]
	done
	# Half of a line would be another subnet.
	printf 'FLANNEL_SUBNET=10.244.1.1/2' >$FILE
	cni ADD bridge "$CONF" c2
	failed 11 'its last line has no end'
	rm -r /run/flannel
	cni ADD bridge "$CONF" c2
	failed 11 'no such file'
	# CHECK compares leases also without the file.
	rm $LEASES/10.244.1.2 $LEASES/fd00*
	cni CHECK bridge "$old"
	failed 107
	flannel
	add bridge "$CONF" c2
	cni DEL bridge "$CONF"
	ok
}

@test "podcidr: after a change of the file the leases of the former subnet stay, and DEL and GC find them" {
	new_netns c1 c2
	flannel
	add bridge "$CONF"
	old=$(chained "$CONF")
	subnet_file <<<'FLANNEL_SUBNET=10.244.9.1/24'
	cni CHECK bridge "$old"
	ok
	add bridge "$(with "$CONF" '.isGateway = false')" c2
	has '.ips[0].address == "10.244.9.2/24"'
	[[ -e $LEASES/10.244.1.2 && -e $LEASES/10.244.9.2 ]]
	gc '[{containerID: "c1", ifname: "eth0"}, {containerID: "c2", ifname: "eth0"}]'
	[[ -e $LEASES/10.244.1.2 && -e $LEASES/10.244.9.2 ]]
	rm $LEASES/10.244.1.2 $LEASES/fd00*
	cni CHECK bridge "$old"
	failed 107
	del bridge "$CONF" c2
	gc '[]'
	is "$(find "$LEASES" -name '10.244*' -o -name 'fd00*')" ''
}

@test "podcidr: a value that is wrong is told with its line and key" {
	local text pattern

	new_netns c1
	while IFS='|' read -r text pattern; do
		subnet_file <<<"${text//;/$'\n'}"
		cni ADD bridge "$CONF"
		failed 112 "file $FILE: $pattern"
		cni STATUS bridge "$CONF" '' '' ''
		failed 112 "$pattern"
	done <<-'END'
		FLANNEL_SUBNET=10.244.1.1|line 1: FLANNEL_SUBNET: expected a subnet, like 10.244.1.0/24, got "10.244.1.1"
		;FLANNEL_SUBNET=10.244.1.0/33|line 2: FLANNEL_SUBNET: expected a subnet
		POD_CIDRS=10.244.1.0/24,x|line 1: POD_CIDRS: expected a subnet.*got "x"
		POD_CIDRS=10.244.1.0/24;FLANNEL_SUBNET=10.245.1.0/24|line 2: FLANNEL_SUBNET: there is a subnet of this family already
		POD_CIDRS=10.244.1.0/31|10.244.1.0/31 is too small; it can be a /30
		FLANNEL_MTU=67|line 1: FLANNEL_MTU: expected an MTU of 68 to 65535 bytes, got "67"
		FLANNEL_MTU=-5|line 1: FLANNEL_MTU
		FLANNEL_MTU=1450x|line 1: FLANNEL_MTU
		FLANNEL_MTU=99999999999999999999999|line 1: FLANNEL_MTU
		FLANNEL_NETWORK=10.244.0.0|line 1: FLANNEL_NETWORK: expected a subnet
		FLANNEL_SUBNET=0.0.0.0/0|line 1: FLANNEL_SUBNET: containers cannot have addresses of 0.0.0.0/8, so it must be another subnet, got "0.0.0.0/0"
		POD_CIDRS=10.244.1.0/24,::/0|line 1: POD_CIDRS: containers cannot have addresses of ::1/128, .*got "::/0"
		POD_CIDRS=127.1.0.0/16|line 1: .*addresses of 127.0.0.0/8, .*got "127.1.0.0/16"
		POD_CIDRS=224.0.0.0/4|line 1: .*addresses of 224.0.0.0/4
		POD_CIDRS=169.254.0.0/16|line 1: .*addresses of 169.254.0.0/16
		POD_CIDRS=255.255.255.0/24|line 1: .*addresses of 255.255.255.255/32
		POD_CIDRS=::1/64|line 1: .*addresses of ::1/128
		FLANNEL_IPV6_SUBNET=fe80::/64|line 1: FLANNEL_IPV6_SUBNET: .* addresses of fe80::/10
		FLANNEL_IPV6_SUBNET=ff00::/8|line 1: .*addresses of ff00::/8
		FLANNEL_NETWORK=0.0.0.0/0|line 1: FLANNEL_NETWORK: .* addresses of 0.0.0.0/8
	END
	[[ ! -e $LEASES ]] || is "$(find $LEASES -name '[0-9a-f:]*' ! -name 'last*')" ''
	printf 'POD_CIDRS=10.244.1.0/24\n\0\n' >$FILE
	cni ADD bridge "$CONF"
	failed 112 'it is not text'
	printf 'FLANNEL_NETWORK=%s\n' "$(printf '10.%s.0.0/16,' {1..65})" >$FILE
	cni ADD bridge "$CONF"
	failed 112 'at most 64 networks'
	head -c 100000 /dev/zero | tr '\0' x >$FILE
	cni ADD bridge "$CONF"
	failed 112 'File too large'
}

@test "podcidr: the file is root's, regular, and below a folder that the host allows" {
	local path

	new_netns c1
	flannel
	chmod g+w $FILE
	cni ADD bridge "$CONF"
	failed 112 'it must be a regular file of root that no other user can write'
	chmod 644 $FILE
	mv $FILE /run/flannel/real
	ln -s real $FILE
	cni ADD bridge "$CONF"
	failed 112 "read $FILE: "
	rm $FILE
	mkfifo $FILE
	cni ADD bridge "$CONF"
	failed 112 'it must be a regular file of root'
	rm $FILE
	mkdir $FILE
	cni ADD bridge "$CONF"
	failed 112 'it must be a regular file of root'
	rmdir $FILE
	mkdir /run/elsewhere
	cp /run/flannel/real /run/elsewhere/subnet.env
	ln -s /run/elsewhere /run/flannel/link
	cni ADD bridge "$(with "$CONF" '.ipam.subnetFile = "/run/flannel/link/subnet.env"')"
	failed 112 'read /run/flannel/link/subnet.env: '
	for path in /run/elsewhere/subnet.env /etc/shadow relative /run/flannel/../elsewhere/subnet.env /run/flannel/ $'/run/flannel/a\nb'; do
		cni ADD bridge "$(jq -c --arg p "$path" '.ipam.subnetFile = $p' <<<"$CONF")"
		failed 7 'ipam.subnetFile: .*(is not below a folder that this host allows.*subnetFolders|is not allowed)'
	done
	host_allows '{"subnetFolders": ["/run/elsewhere"]}'
	add bridge "$(with "$CONF" '.ipam.subnetFile = "/run/elsewhere/subnet.env"')"
	cni ADD bridge "$CONF"
	failed 7 'ipam.subnetFile: "/run/flannel/subnet.env" is not below'
}

@test "podcidr: keys that do not fit, and validate" {
	new_netns c1
	cni ADD bridge "$(with "$CONF" '.ipam.ranges = "podcidr"')"
	failed 7 'ipam.ranges: expected a list of range sets, or "podCIDR", got "podcidr"'
	cni ADD bridge "$(with "$CONF" '.ipam.ranges = [[{subnet: "10.1.0.0/24"}]] | .ipam.subnetFile = "/run/flannel/x"')"
	failed 7 'ipam.subnetFile: it needs "ranges": "podCIDR"'
	cni ADD bridge "$(with "$CONF" '.ipam.ranges = 5')"
	failed 7 'ipam.ranges: expected a list, got 5'
	# The file is the node's: a configuration is valid without it.
	jq -n --argjson p "$CONF" '{cniVersion: "1.0.0", name: "net1", plugins: [$p | del(.cniVersion, .name)]}' >/run/x.conflist
	prints '/run/x.conflist: valid' "$CPLUG_BIN/cnitool" validate /run/x.conflist
	"$CPLUG_BIN/cnitool" schema host-local | json_holds '.["$defs"]["host-local"].properties |
		(.ranges.anyOf | any(.type == "array") and any((.enum // []) + [.const] | index("podCIDR"))) and .subnetFile.type == "string"'
}
