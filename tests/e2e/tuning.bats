#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# tuning: sysctls and attributes of the container's interface, changed and put back.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells
load lib
load check

TYPE=tuning
BRIDGE='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
TUNING='{"cniVersion":"1.1.0","name":"net1","type":"tuning","mac":"02:00:00:00:00:42","mtu":1400,
	"promisc":true,"allmulti":true,"txQLen":500,
	"sysctl":{"net.ipv4.ip_forward":"1","net.ipv4.conf.IFNAME.arp_filter":"1",
		"net/ipv4/ip_local_port_range":"2000 3000","net.ipv6.conf.IFNAME.mtu":"1300"}}'
SAVED=/run/cni/tuning/c1_eth0.json
LIST=/etc/cni/tuning/allowlist.conf

prepare() {
	warm_up bridge "$BRIDGE"
	private_folder /etc/cni
	new_netns c1
	mkdir -p /run/cni/tuning
}

# attached [ID [IFNAME]] - ADD of bridge; sets CONF to the configuration of tuning
attached() {
	add bridge "$BRIDGE" "${1-c1}" "${1-c1}" "${2-eth0}"
	CONF=$(chained "$TUNING")
}

knob_of() {
	in_ns "$1" cat "/proc/sys/$2"
}

# allow LINE... - the allow-list of the host
allow() {
	mkdir -p "${LIST%/*}"
	printf '%s\n' "$@" >"$LIST"
}

# injected SPEC COMMAND CONF - a call for c1 with a fault (strace -e inject=SPEC); sets status, output and
# told (stderr)
injected() {
	status=0
	output=$(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 CNI_COMMAND=$2 CNI_CONTAINERID=c1 \
		CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		strace -qq -o /dev/null -e "inject=$1" "$CPLUG_BIN/tuning" <<<"$3" 2>"$BATS_TEST_TMPDIR/told") || status=$?
	told=$(<"$BATS_TEST_TMPDIR/told")
}

@test "tuning: ADD sets everything, and saves what was before; DEL puts it back" {
	local mac

	attached
	remember
	mac=$(in_ns c1 ip -j link show dev eth0 | jq -r '.[0].address')
	add tuning "$CONF"
	link c1 eth0 '.address == "02:00:00:00:00:42" and .mtu == 1400 and .txqlen == 500 and (.flags | contains(["PROMISC", "ALLMULTI"]))'
	is "$(knob_of c1 net/ipv4/ip_forward)" 1
	is "$(knob_of c1 net/ipv4/conf/eth0/arp_filter)" 1
	is "$(knob_of c1 net/ipv4/ip_local_port_range)" $'2000\t3000'
	is "$(knob_of c1 net/ipv6/conf/eth0/mtu)" 1300
	is "$(sysctl_get net/ipv4/ip_local_port_range)" $'32768\t60999'
	has '.interfaces | map(select(.name == "eth0")) | .[0].mac == "02:00:00:00:00:42" and .[0].mtu == 1400'
	is "$(jq -c '[.interfaces[] | select(.name != "eth0")], .ips' <<<"$output")" \
		"$(jq -c '.prevResult | [.interfaces[] | select(.name != "eth0")], .ips' <<<"$CONF")"
	json_holds ".mac == \"$mac\" and .mtu == 1500 and .promisc == false and .allmulti == false and .txQLen == 1000 and
		.sysctl[\"net/ipv4/ip_forward\"] == \"0\" and .network == \"net1\"" <$SAVED
	is "$(stat -c %a $SAVED)" 600
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" 10.1.0.1
	CHECK=$(chained "$TUNING")
	silent "after ADD"
	cni CHECK bridge "$(with "$BRIDGE" ".prevResult = $(jq -c .prevResult <<<"$CHECK")")"
	ok
	del tuning "$CHECK"
	assert_same_snapshot
	del tuning "$CHECK"
	del bridge "$BRIDGE"
}

@test "tuning: CHECK names each value that drifted, and a repair sets it again" {
	local run

	attached
	add tuning "$CONF"
	CHECK=$(chained "$TUNING")
	for run in '' 1; do
		CHECK_REPAIRS=$run
		mutate 'MAC of eth0.*02:00:00:00:00:42' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:43' 'in_ns c1 ip link set eth0 address 02:00:00:00:00:42'
		mutate 'promiscuous mode of eth0.*on' 'in_ns c1 ip link set eth0 promisc off' 'in_ns c1 ip link set eth0 promisc on'
		mutate 'all-multicast mode of eth0.*on' 'in_ns c1 ip link set eth0 allmulticast off' 'in_ns c1 ip link set eth0 allmulticast on'
		mutate 'transmit queue length of eth0.*500.*77' 'in_ns c1 ip link set eth0 txqueuelen 77' 'in_ns c1 ip link set eth0 txqueuelen 500'
		knob c1 net/ipv4/conf/eth0/arp_filter 0
		knob c1 net/ipv4/ip_local_port_range '"2000 4000"'
		mutate 'MTU of eth0.*1400.*1450' 'in_ns c1 ip link set eth0 mtu 1450' \
			'in_ns c1 ip link set eth0 mtu 1400; in_ns c1 bash -c "echo 1300 >/proc/sys/net/ipv6/conf/eth0/mtu"'
	done
	CHECK_REPAIRS=
	mutate 'interface eth0' 'in_ns c1 ip link set eth0 name eth7' 'in_ns c1 ip link set eth7 name eth0; in_ns c1 ip link set eth0 up'
	# allmulti false is an order, promisc false is none
	cni CHECK tuning "$(with "$CHECK" '.allmulti = false')"
	failed 107 'all-multicast mode of eth0: expected off, found on'
	cni CHECK tuning "$(with "$CHECK" '.promisc = false')"
	ok
	# The values before are still the first ones.
	json_holds '.mtu == 1500 and .txQLen == 1000' <$SAVED
	del tuning "$CHECK"
	link c1 eth0 '.mtu == 1500 and .txqlen == 1000'
}

@test "tuning: a repair saves the values before, if the file was lost" {
	attached
	add tuning "$CONF"
	CHECK=$(chained "$TUNING")
	rm $SAVED
	in_ns c1 ip link set eth0 mtu 1450
	CPLUG_REPAIR=1 cni CHECK tuning "$CHECK"
	ok
	json_holds '.mtu == 1450 and (has("txQLen") | not)' <$SAVED
}

@test "tuning: values that the kernel prints in another form are no differences" {
	attached
	TUNING='{"cniVersion":"1.1.0","name":"net1","type":"tuning","sysctl":{
		"net.ipv4.ip_local_reserved_ports":"8080,8081","net.ipv4.tcp_keepalive_time":"0x100"}}'
	CONF=$(with "$CONF" "$TUNING + {prevResult: .prevResult}")
	add tuning "$CONF"
	CHECK=$(chained "$TUNING")
	silent "after ADD"
	knob c1 net/ipv4/ip_local_reserved_ports 9000
	del tuning "$CHECK"
	is "$(knob_of c1 net/ipv4/ip_local_reserved_ports)" ''
	is "$(knob_of c1 net/ipv4/tcp_keepalive_time)" 7200
}

@test "tuning: sources of the values: configuration, CNI_ARGS, runtimeConfig, args.cni" {
	local conf

	attached
	conf=$(with "$CONF" 'del(.promisc, .allmulti, .txQLen, .sysctl)')
	is_mac() { link c1 eth0 ".address == \"$1\"" && has ".interfaces | any(.name == \"eth0\" and .mac == \"$1\")"; }
	add tuning "$conf"
	is_mac 02:00:00:00:00:42
	CNI_ARGS='IgnoreUnknown=1;MAC=02:00:00:00:00:02' cni ADD tuning "$conf"
	is_mac 02:00:00:00:00:02
	conf=$(with "$conf" '.runtimeConfig.mac = "02-00-00-00-00-AA"')
	CNI_ARGS='MAC=02:00:00:00:00:02;K8S_POD_NAME=p;IgnoreUnknown=true' cni ADD tuning "$conf"
	is_mac 02:00:00:00:00:aa
	conf=$(with "$conf" '.args.cni = {mac: "02:00:00:00:00:04", mtu: 1350, promisc: true, allmulti: true, txQLen: 0,
		sysctl: {"net/ipv4/conf/IFNAME/arp_filter": "2"}} | .sysctl = {"net.ipv4.conf.IFNAME.arp_filter": "1"}')
	CNI_ARGS='IgnoreUnknown=1;MAC=02:00:00:00:00:02' cni ADD tuning "$conf"
	is_mac 02:00:00:00:00:04
	link c1 eth0 '.mtu == 1350 and (.txqlen // 0) == 0 and (.flags | contains(["PROMISC", "ALLMULTI"]))'
	is "$(knob_of c1 net/ipv4/conf/eth0/arp_filter)" 2
	# Of values that were saved already, the first ones are kept.
	json_holds '.mtu == 1500 and .txQLen == 1000' <$SAVED
	CNI_ARGS='MAC=nonsense' cni ADD tuning "$conf"
	failed 4 'MAC'
	CNI_ARGS='FOO=bar' cni ADD tuning "$conf"
	failed 4 'unknown args'
	del tuning "$conf"
	link c1 eth0 '.mtu == 1500 and .txqlen == 1000 and (.flags | contains(["PROMISC"]) | not)'
}

@test "tuning: sysctls that are not of the container's network are refused" {
	local key

	attached
	remember
	for key in kernel.hostname vm.swappiness fs.file-max net netx.a net/../kernel/hostname net/ipv4/../../kernel/hostname \
		net/./ipv4 net//ipv4 ../net/ipv4/ip_forward net.ipv4.//.//.kernel.hostname proc/sys/net/ipv4/ip_forward \
		"net/ipv4/$(printf 'x%.0s' {1..300})"; do
		cni ADD tuning "$(jq -c --arg key "$key" '.sysctl = {($key): "1"}' <<<"$CONF")"
		failed 7 'invalid net sysctl key'
		cni STATUS tuning "$(jq -c --arg key "$key" '.sysctl = {($key): "1"}' <<<"$CONF")" '' '' ''
		failed 7 'invalid net sysctl key'
	done
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.ipv4.nosuch": "1"}')"
	failed 7 'there is no net/ipv4/nosuch'
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.ipv4.ip_forward": "1", "net/ipv4/ip_forward": "0"}')"
	failed 7 'duplicated sysctl keys are not allowed'
	# shellcheck disable=SC2001 # jq would join the keys
	cni ADD tuning "$(sed 's/"net.ipv4.ip_forward":"1"/&,"net.ipv4.ip_forward":"0"/' <<<"$CONF")"
	failed 7 'duplicated sysctl keys are not allowed: net.ipv4.ip_forward'
	# With escapes, in either place, and behind another key that is there twice.
	for key in 'net.ipv4.ip\\u005fforward' '\\u006eet.ipv4.ip_forward'; do
		# shellcheck disable=SC2001 # jq would join the keys
		cni ADD tuning "$(sed "s/\"net.ipv4.ip_forward\":\"1\"/&,\"$key\":\"0\"/" <<<"$CONF")"
		failed 7 'duplicated sysctl keys are not allowed: net.ipv4.ip_forward'
		cni ADD tuning "$(sed "s/\"net.ipv4.ip_forward\":\"1\"/\"$key\":\"0\",&/; s/^{/{\"x\":1,\"x\":2,/" <<<"$CONF")"
		failed 7 'duplicated sysctl keys are not allowed: net.ipv4.ip_forward'
	done
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.ipv4.ip_forward": 1}')"
	failed 7 'sysctl'
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.ipv4.ip_local_port_range": "nonsense"}')"
	failed 100 'net/ipv4/ip_local_port_range to nonsense: Invalid argument'
	# Global sysctls are not in the container's namespace.
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.core.netdev_max_backlog": "5"}')"
	failed 7 'there is no net/core/netdev_max_backlog'
	assert_same_snapshot
}

@test "tuning: sysctls that the main plugin has set may be others; its CHECK and repair leave them" {
	attached
	TUNING='{"cniVersion":"1.1.0","name":"net1","type":"tuning","mtu":1400,
		"sysctl":{"net.ipv4.conf.IFNAME.arp_notify":"0","net.ipv6.conf.IFNAME.ndisc_notify":"0"}}'
	add tuning "$(chained "$TUNING")"
	CONF=$(chained "$BRIDGE")
	cni CHECK bridge "$CONF"
	ok
	in_ns c1 ip -4 address flush dev eth0
	CPLUG_REPAIR=1 cni CHECK bridge "$CONF"
	ok
	CPLUG_REPAIR=1 cni CHECK tuning "$(with "$TUNING" ". + {prevResult: $(jq -c .prevResult <<<"$CONF")}")"
	ok
	cni CHECK bridge "$CONF"
	ok
}

@test "tuning: interface names with dots" {
	attached c1 eth0.100
	TUNING='{"cniVersion":"1.1.0","name":"net1","type":"tuning","sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1",
		"net/ipv4/conf/eth0.100/arp_ignore":"1","net.ipv4.conf.eth0/100.arp_announce":"2"}}'
	CONF=$(chained "$TUNING")
	cni ADD tuning "$CONF" c1 c1 eth0.100
	ok
	is "$(in_ns c1 bash -c 'cd /proc/sys/net/ipv4/conf/eth0.100; cat arp_filter arp_ignore arp_announce' | tr '\n' ' ')" '1 1 2 '
	cni CHECK tuning "$(chained "$TUNING")" c1 c1 eth0.100
	ok
	del tuning "$TUNING" c1 c1 eth0.100
	is "$(in_ns c1 bash -c 'cd /proc/sys/net/ipv4/conf/eth0.100; cat arp_filter arp_ignore arp_announce' | tr '\n' ' ')" '0 0 0 '
}

@test "tuning: the host's allow-list" {
	local conf line

	attached
	conf=$(with "$CONF" '.sysctl = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.ip_forward": "1"}')
	remember
	allow '' '  ^net\.ipv4\.conf\.IFNAME\.[a-z_]*$	' 'net.ipv6'
	cni ADD tuning "$conf"
	failed 7 'Sysctl net\.ipv4\.ip_forward is not allowed\. Only the following sysctls are allowed: \[\^net.*IFNAME.*net\.ipv6\]'
	cni STATUS tuning "$conf" '' '' ''
	failed 50 'Sysctl net\.ipv4\.ip_forward is not allowed'
	assert_same_snapshot
	allow '^net\.ipv4\.conf\.IFNAME\.[a-z_]*$' 'ip_forward'
	cni STATUS tuning "$conf" '' '' ''
	ok
	add tuning "$conf"
	# CHECK and DEL do not ask, a repair does.
	allow 'none'
	cni CHECK tuning "$conf"
	ok
	in_ns c1 bash -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	CPLUG_REPAIR=1 cni CHECK tuning "$conf"
	failed 7 'is not allowed'
	del tuning "$conf"
	is "$(knob_of c1 net/ipv4/conf/eth0/arp_filter)" 0
	for line in '(' '[a' '*' '\pN'; do
		allow 'ip_forward|arp_filter' "$line"
		cni ADD tuning "$conf"
		failed 7 'allowlist.conf: .* cannot be used as a regular expression'
	done
	# A byte order mark is not seen; the reference takes it for a part of the first line.
	allow $'\xef\xbb\xbfip_forward' 'arp_filter'
	cni ADD tuning "$conf"
	failed 7 'ip_forward is not allowed.*: \[arp_filter\] .*remove the byte order mark.*/allowlist\.conf'
	# What takes too long ends; Go needs no time for it.
	line="$(printf '(%.0s' {1..31})a*$(printf ')*%.0s' {1..31})b"
	allow 'ip_forward|arp_filter' "$line"
	cni ADD tuning "$(with "$conf" '.sysctl = {"net.core.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": "1"}')"
	failed 7 'cannot be used as a regular expression: it takes too long .shorten it'
	seq -f '^x%g.*y.*z$' 60000 >$LIST
	cni ADD tuning "$(with "$conf" '.sysctl = ([range(1000) | {"net.core.x\(.)": "1"}] | add)')"
	failed 7 'it takes too long'
	rm $LIST
	mkdir $LIST
	# A folder is not the administrator's list.
	add tuning "$conf"
	contains "$errors" "$LIST: ignored, it is a folder"
	del tuning "$conf"
	rmdir $LIST
	mkfifo $LIST
	cni ADD tuning "$conf"
	failed 112 'allowlist.conf: is not a regular file .remove it'
	# Without sysctls the list is not read.
	add tuning "$(with "$CONF" 'del(.sysctl)')"
}

@test "tuning: no /proc/sys, because /proc is mounted with subset=pid: told with the remedy by all verbs" {
	local none='there is no /proc/sys/net here, .*mount /proc without the option subset=pid'

	attached
	add tuning "$CONF"
	mount -t proc -o subset=pid proc /proc || skip "the kernel has no subset=pid"
	cni ADD tuning "$CONF"
	failed 100 "$none"
	cni CHECK tuning "$CONF"
	failed 100 "$none"
	cni STATUS tuning "$TUNING" '' '' ''
	failed 50 "$none"
	del tuning "$CONF"
	contains "$errors" 'set sysctl [^ ]* back to .*: No such file .*the container keeps what tuning has set'
	cni STATUS tuning "$(with "$TUNING" 'del(.sysctl)')" '' '' ''
	ok
	umount /proc
}

@test "tuning: a sysctl that cannot be set because /proc/sys is read-only" {
	attached
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	cni ADD tuning "$CONF"
	failed 100 '/proc/sys/net is mounted read-only here, so no sysctl can be set'
	umount /proc/sys
}

@test "tuning: STATUS: a read-only /proc/sys is told, if there are sysctls to be set" {
	cni STATUS tuning "$TUNING" '' '' ''
	ok
	mount --bind /proc/sys /proc/sys
	mount -o remount,bind,ro /proc/sys
	cni STATUS tuning "$TUNING" '' '' ''
	failed 50 '/proc/sys/net is mounted read-only'
	cni STATUS tuning "$(with "$TUNING" 'del(.sysctl)')" '' '' ''
	ok
	umount /proc/sys
	cni STATUS tuning "$TUNING" '' '' ''
	ok
}

@test "tuning: STATUS: a folder in which no value can be saved is told, and sysctls that the list does not have" {
	private_folder /etc/cni/tuning
	mkdir -p /run/cni/tuning
	mount -t tmpfs -o ro tmpfs /run/cni/tuning
	cni STATUS tuning "$TUNING" '' '' ''
	failed 50 'nothing can be saved in /run/cni/tuning, because of /run/cni/tuning: Read-only'
	cni STATUS tuning "$(with "$TUNING" '{cniVersion, name, type}')" '' '' ''
	ok
	umount /run/cni/tuning
	echo '^net\.core\.somaxconn$' >/etc/cni/tuning/allowlist.conf
	cni STATUS tuning "$TUNING" '' '' ''
	failed 50 'allow'
	cni STATUS tuning "$(with "$TUNING" '.sysctl = {"net.core.somaxconn": "5"}')" '' '' ''
	ok
	cni STATUS tuning "$(with "$TUNING" '.mtu = "much"')" '' '' ''
	failed 7 'mtu'
}

@test "tuning: a container with very many interfaces is refused, if all would have to be asked" {
	local n

	attached
	for ((n = 0; n < 1024; n++)); do echo "link add b$n type bridge"; done | in_ns c1 ip -batch -
	cni ADD tuning "$(with "$CONF" '.sysctl = {"net.ipv6.conf.all.disable_ipv6": "1"}')"
	failed 100 'more than 1024 interfaces'
	is "$(in_ns c1 cat /proc/sys/net/ipv6/conf/all/disable_ipv6)" 0
	in_ns c1 ip link del b0
	in_ns c1 ip link del b1
	add tuning "$(with "$CONF" '.sysctl = {"net.ipv6.conf.all.disable_ipv6": "1"}')"
	del tuning "$TUNING"
	is "$(in_ns c1 ip -6 address show dev eth0 scope global | grep -c fd00:1::)" 1
}

@test "tuning: an empty configuration does nothing, and leaves nothing" {
	attached
	remember
	CONF=$(with "$CONF" '{cniVersion, name, type, prevResult}')
	add tuning "$CONF"
	is "$(jq -S . <<<"$output")" "$(jq -S .prevResult <<<"$CONF")"
	cni CHECK tuning "$CONF"
	ok
	del tuning "$CONF"
	# What is as it should be already is not saved.
	add tuning "$(with "$CONF" '.mtu = 1500 | .sysctl = {"net.ipv4.ip_forward": "0"}')"
	assert_same_snapshot
	cni ADD tuning "$(with "$CONF" 'del(.prevResult)')"
	failed 108
	cni CHECK tuning "$(with "$CONF" 'del(.prevResult)')"
	failed 108
}

@test "tuning: every protocol version" {
	local v conf

	cni VERSION tuning '{"cniVersion":"1.1.0"}'
	ok
	has '.supportedVersions == ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'
	add bridge "$BRIDGE"
	del bridge "$BRIDGE"
	remember
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		add bridge "$(with "$BRIDGE" ".cniVersion = \"$v\"")"
		conf=$(with "$(chained "$TUNING")" ".cniVersion = \"$v\"")
		add tuning "$conf"
		link c1 eth0 '.mtu == 1400'
		has ".cniVersion == \"$v\""
		case $v in
		0.[12].0) has '.ip4.ip and .ip6.ip' ;;
		0.* | 1.0.0) has '.interfaces | any(.name == "eth0" and .mac == "02:00:00:00:00:42" and (has("mtu") | not))' ;;
		1.1.0) has '.interfaces | any(.name == "eth0" and .mtu == 1400)' ;;
		esac
		conf=$(chained "$conf")
		cni CHECK tuning "$conf"
		case $v in
		0.[1-3].*) failed 1 ;;
		*) ok ;;
		esac
		del tuning "$conf"
		del bridge "$(with "$BRIDGE" ".cniVersion = \"$v\"")"
		assert_same_snapshot
	done
}

@test "tuning: DEL twice, without prevResult, without the namespace, with a wrong configuration" {
	attached
	remember
	add tuning "$CONF"
	del tuning "$TUNING"
	assert_same_snapshot
	del tuning "$TUNING"
	# The name of the interface is gone, the sysctls of the namespace are put back.
	add tuning "$CONF"
	in_ns c1 ip link set eth0 name eth9
	del tuning "$TUNING"
	is "$(knob_of c1 net/ipv4/ip_forward)" 0
	in_ns c1 ip link set eth9 name eth0
	in_ns c1 ip link set eth0 up mtu 1500 promisc off allmulticast off txqueuelen 1000
	[[ ! -e $SAVED ]]
	add tuning "$CONF"
	del tuning "$(with "$TUNING" '.mtu = "x" | .mac = 5 | .sysctl = {"kernel.x": "y"}')"
	link c1 eth0 '.mtu == 1500'
	# A document that cannot be read is removed.
	echo '{"mtu":' >$SAVED
	del tuning "$TUNING"
	[[ ! -e $SAVED ]]
	# DEL without the namespace finds it by the document.
	remember changed
	add tuning "$(with "$CONF" '.mtu = 1300 | .mac = "02:00:00:00:00:77"')"
	del tuning "$TUNING" c1 /run/netns/never
	assert_same_snapshot changed
	add tuning "$(with "$CONF" '.mtu = 1300')"
	del tuning "$TUNING" c1 ''
	assert_same_snapshot changed
	# Where it is gone, the document goes.
	add tuning "$(with "$CONF" '.mtu = 1300')"
	jq -c '.netns = "/run/netns/never"' <$SAVED >$SAVED.new
	mv $SAVED.new $SAVED
	del tuning "$TUNING" c1 ''
	[[ ! -e $SAVED ]]
	rm -rf /run/cni/tuning
	del tuning "$TUNING"
	[[ ! -e /run/cni/tuning ]]
}

@test "tuning: DEL fails if the namespace is there and cannot be opened, and keeps what it saved" {
	attached
	remember
	add tuning "$CONF"
	# Opening it fails with ELOOP, which does not say that the namespace is gone.
	ln -s loop /run/netns/loop
	cni DEL tuning "$TUNING" c1 /run/netns/loop
	failed 8 'open /run/netns/loop: '
	[[ -e $SAVED ]]
	rm /run/netns/loop
	del tuning "$TUNING"
	assert_same_snapshot
}

@test "tuning: values of a namespace that is gone are not written into another one" {
	attached
	add tuning "$CONF"
	del_netns c1
	new_netns c1
	add bridge "$(with "$BRIDGE" '.mtu = 1450')"
	del tuning "$TUNING"
	link c1 eth0 '.mtu == 1450'
	[[ ! -e $SAVED ]]
	# Nor are they kept by an ADD there.
	echo '{"mtu":9000,"netnsCookie":"1","netnsInode":"1"}' >$SAVED
	add tuning "$CONF"
	json_holds '.mtu == 1450' <$SAVED
}

@test "tuning: a cookie that cannot be read loses nothing: the inode of the namespace is compared" {
	can_trace || skip "no strace"
	attached
	remember
	add tuning "$CONF"
	json_holds '.netnsCookie != "" and .netnsInode != ""' <$SAVED
	injected getsockopt:error=EIO DEL "$TUNING"
	ok
	[[ $told == *cookie* ]]
	assert_same_snapshot
	injected getsockopt:error=EIO ADD "$CONF"
	ok
	json_holds '.netnsInode != "" and .netnsCookie == ""' <$SAVED
	del tuning "$TUNING"
	assert_same_snapshot
}

@test "tuning: a document that cannot be used is named with the remedy, and an ADD replaces it" {
	local conf file=/run/cni/tuning/c1_eth0.json kind

	attached
	conf=$(chained '{"cniVersion":"1.1.0","name":"net1","type":"tuning","sysctl":{"net.core.somaxconn":"777"}}')
	for kind in list values large fifo link; do
		add tuning "$conf"
		in_ns c1 bash -c 'echo 778 >/proc/sys/net/core/somaxconn'
		rm $file
		case $kind in
		list) echo '[1]' >$file ;;
		values) echo '{"sysctl": [1]}' >$file ;;
		large) head -c 100000 /dev/zero | tr '\0' ' ' >$file ;;
		fifo) mkfifo $file ;;
		link) ln -s /etc/hostname $file ;;
		esac
		cni CHECK tuning "$conf"
		failed 112 "$file: .*\(remove it: the container then keeps what tuning has set\)"
		add tuning "$conf"
		contains "$errors" 'what tuning has saved before is replaced'
		is "$(jq -r '.sysctl["net/core/somaxconn"]' $file)" 778
		cni CHECK tuning "$conf"
		ok
		del tuning "$conf"
		is "$(knob_of c1 net/core/somaxconn)" 778
	done
}

@test "tuning: DEL and GC fail at an error that may pass, and keep what was saved" {
	local conf n kept=0

	can_trace || skip "no strace"
	attached
	remember
	for n in {1..8}; do
		add tuning "$CONF"
		injected "sendto:error=EIO:when=$n" DEL "$TUNING"
		((status == 0)) || { [[ -e $SAVED ]] && kept=$((kept + 1)); }
		del tuning "$TUNING"
		assert_same_snapshot
	done
	((kept)) || fail "no DEL failed"
	# What saved the values cannot be read.
	add tuning "$CONF"
	for conf in "$TUNING" "$CONF"; do
		injected "openat:error=EIO:when=1+" "$([[ $conf == "$TUNING" ]] && echo DEL || echo ADD)" "$conf"
		((status == 1)) && [[ -e $SAVED ]]
	done
	# What the kernel refuses for ever is a warning.
	jq -c '.mtu = 70000' <$SAVED >$SAVED.new
	mv $SAVED.new $SAVED
	injected "bind:error=EIO:when=99" DEL "$TUNING"
	ok
	[[ $told == *'keeps what tuning has set'* && ! -e $SAVED ]]
}

@test "tuning: IPv6 addresses and routes that disable_ipv6 or a small MTU take come back" {
	local conf key

	attached
	in_ns c1 ip link add other type veth peer name far
	in_ns c1 ip link set other up
	in_ns c1 ip link set far up
	in_ns c1 ip -6 address add fd00:7::7/64 dev other nodad
	in_ns c1 ip -6 route add 2001:db8:7::/48 via fd00:7::1 dev other
	in_ns c1 ip -6 route add 2001:db8::/32 via fd00:1::1 dev eth0 table 77 mtu 1300
	remember
	for key in net.ipv6.conf.IFNAME.disable_ipv6 net.ipv6.conf.all.disable_ipv6 mtu; do
		conf=$(jq -c --arg key "$key" 'del(.mtu, .sysctl) |
			if $key == "mtu" then .mtu = 1000 else .sysctl = {($key): "1"} end' <<<"$CONF")
		add tuning "$conf"
		contains "$errors" "warn: $key: eth0 loses its IPv6 addresses \(an mtu of at least 1280"
		is "$(in_ns c1 ip -6 address show dev eth0 scope global)" ''
		is "$(in_ns c1 ip -6 route show table all dev eth0)" ''
		[[ $key != *.all.* ]] || is "$(in_ns c1 ip -6 address show dev other)" ''
		json_holds '.dropped | any(.ifname == "eth0" and (.addresses | length == 1) and (.routes | length > 1))' <$SAVED
		cni CHECK tuning "$conf"
		ok
		del tuning "$TUNING"
		if [[ $key == mtu ]]; then
			# A small MTU makes the kernel forget the interface's IPv6 sysctls, too.
			snapshot | grep -v ' sysctl net/ipv6/conf/eth0/' >"$BATS_TEST_TMPDIR/small"
			grep -v ' sysctl net/ipv6/conf/eth0/' "$BATS_TEST_TMPDIR/before.snapshot" | diff - "$BATS_TEST_TMPDIR/small"
			continue
		fi
		assert_same_snapshot
		# The rollback puts them back as well.
		cni ADD tuning "$(with "$conf" '.sysctl["net.ipv4.ip_local_port_range"] = "x"')"
		failed 100 'ip_local_port_range'
		assert_same_snapshot
		CNI_TEST_CRASH_AT=2 cni ADD tuning "$conf"
		((status > 128))
		del tuning "$TUNING"
		assert_same_snapshot
	done
	in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" fd00:1::1
}

@test "tuning: a device that refuses a MAC while it is up is set down for it, and keeps its routes" {
	local n down=0 conf

	can_trace || skip "no strace"
	attached
	in_ns c1 ip route add 192.0.2.0/24 via 10.1.0.1 dev eth0
	in_ns c1 ip -6 route add 2001:db8::/32 via fd00:1::1 dev eth0
	remember
	conf=$(with "$CONF" 'del(.sysctl, .mtu, .promisc, .allmulti, .txQLen)')
	for n in {1..6}; do
		injected "sendto:error=EBUSY:when=$n" ADD "$conf"
		if ((status == 0)) && [[ $told == *'is set down for this'* ]]; then
			down=$((down + 1))
			link c1 eth0 '.address == "02:00:00:00:00:42" and (.flags | contains(["UP"]))'
			json_holds '.dropped[0].up' <$SAVED
			in_ns c1 ping -q -c1 -W"$RIG_DEADLINE" 10.1.0.1
			in_ns c1 ip route get 192.0.2.1 | grep 10.1.0.1
		elif ((status)); then
			assert_same_snapshot
			continue
		fi
		del tuning "$TUNING"
		assert_same_snapshot
	done
	((down == 1)) || fail "set down $down times"
	# DEL is refused, then.
	for n in {1..4}; do
		add tuning "$conf"
		injected "sendto:error=EBUSY:when=$n" DEL "$TUNING"
		[[ $told != *'is set down for this'* ]] || down=$((down + 1))
		del tuning "$TUNING"
		assert_same_snapshot
	done
	((down == 2)) || fail "set down $down times"
	# A kill while the device is down.
	injected "sendto:error=EBUSY:when=2" ADD "$conf"
	in_ns c1 ip link set eth0 down
	del tuning "$TUNING"
	assert_same_snapshot
}

# paths_of NS DEV - prints the addresses and routes of a link, without times
paths_of() {
	in_ns "$1" ip -o address show dev "$2" scope global | sed 's/^[0-9]*: //'
	in_ns "$1" ip route show dev "$2"
	in_ns "$1" ip -6 route show dev "$2" | grep -v '^fe80'
}

@test "tuning: an l2tp link, which refuses a MAC while it is up, gets it, and keeps addresses and routes" {
	local before mac conf

	[[ ! ${VMTEST-} ]] || modprobe -a l2tp_netlink l2tp_eth || :
	in_ns c1 ip link set lo up
	in_ns c1 ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap udp local 127.0.0.1 remote 127.0.0.1 \
		udp_sport 5000 udp_dport 5001 2>/dev/null || skip "this kernel has no l2tp"
	in_ns c1 ip l2tp add session name eth5 tunnel_id 1 session_id 1 peer_session_id 1
	in_ns c1 ip link set eth5 up
	in_ns c1 ip address add 10.5.0.2/24 dev eth5
	in_ns c1 ip address add fd00:5::2/64 dev eth5 nodad
	in_ns c1 ip route add 192.0.2.0/24 via 10.5.0.1 dev eth5 metric 7
	in_ns c1 ip -6 route add 2001:db8::/32 via fd00:5::1 dev eth5
	mac=$(in_ns c1 ip -j link show dev eth5 | jq -r '.[0].address')
	! in_ns c1 ip link set eth5 address 02:00:00:00:00:42 2>/dev/null || skip "this kernel's l2tp takes a MAC while it is up"
	before=$(paths_of c1 eth5)
	conf=$(with "$TUNING" '{cniVersion, name, type, mac: "02:00:00:00:00:42"}
		| .prevResult = {cniVersion: "1.1.0", interfaces: [{name: "eth5", sandbox: "/run/netns/c1"}]}')
	cni ADD tuning "$conf" c1 c1 eth5
	ok
	contains "$errors" 'is set down for this'
	link c1 eth5 '.address == "02:00:00:00:00:42" and (.flags | contains(["UP"]))'
	is "$(paths_of c1 eth5)" "$before"
	cni CHECK tuning "$conf" c1 c1 eth5
	ok
	cni DEL tuning "$conf" c1 c1 eth5
	ok
	link c1 eth5 ".address == \"$mac\" and (.flags | contains([\"UP\"]))"
	is "$(paths_of c1 eth5)" "$before"
	# A failure after the change puts the first address back, too.
	CNI_TEST_FAIL_AT=2 cni ADD tuning "$conf" c1 c1 eth5
	failed
	link c1 eth5 ".address == \"$mac\" and (.flags | contains([\"UP\"]))"
	is "$(paths_of c1 eth5)" "$before"
}

@test "tuning: two tunings in one list restore each what they have changed" {
	local second

	attached
	remember
	add tuning "$(with "$CONF" 'del(.mtu, .sysctl)')"
	second=$(chained "$(with "$TUNING" '{cniVersion, name, type, mtu: 1300, mac: "02:00:00:00:00:77", sysctl}')")
	add tuning "$second"
	link c1 eth0 '.mtu == 1300 and .txqlen == 500 and .address == "02:00:00:00:00:77"'
	del tuning "$second"
	del tuning "$CONF"
	assert_same_snapshot
}

@test "tuning: GC puts back what an attachment that is not valid has, and takes nothing else" {
	local gc='. + {"cni.dev/valid-attachments": []}'

	new_netns c2
	attached
	remember
	add tuning "$CONF"
	echo '{"mtu":1234}' >/run/cni/tuning/foreign_eth0.json
	jq -c '.network = "net2" | .containerID = "cx"' <$SAVED >/run/cni/tuning/cx_eth0.json
	jq -c '.containerID = "other"' <$SAVED >/run/cni/tuning/liar_eth0.json
	cni GC tuning "$(with "$TUNING" '. + {"cni.dev/valid-attachments": [{containerID: "c1", ifname: "eth0"}]}')" '' '' ''
	ok
	cni GC tuning "$TUNING" '' '' ''
	ok
	link c1 eth0 '.mtu == 1400'
	cni GC tuning "$(with "$TUNING" '.name = "net3"' | jq -c "$gc")" '' '' ''
	ok
	link c1 eth0 '.mtu == 1400'
	cni GC tuning "$(with "$TUNING" "$gc")" '' '' ''
	ok
	[[ ! -e $SAVED && -e /run/cni/tuning/cx_eth0.json && -e /run/cni/tuning/foreign_eth0.json && -e /run/cni/tuning/liar_eth0.json ]]
	rm /run/cni/tuning/*
	assert_same_snapshot
	add tuning "$CONF"
	add bridge "$BRIDGE" c2
	cni ADD tuning "$(chained "$TUNING")" c2
	ok
	del_netns c2
	cni GC tuning "$(with "$TUNING" '. + {"cni.dev/valid-attachments": [{containerID: "c1", ifname: "eth0"}]}')" '' '' ''
	ok
	[[ -e $SAVED && ! -e /run/cni/tuning/c2_eth0.json ]]
	# Also very many.
	for n in {1..80}; do
		jq -c --arg id "d$n" '.containerID = $id | .netns = "/run/netns/never"' <$SAVED >"/run/cni/tuning/d${n}_eth0.json"
	done
	cni GC tuning "$(with "$TUNING" '. + {"cni.dev/valid-attachments": [{containerID: "c1", ifname: "eth0"}]}')" '' '' ''
	ok
	is "$(ls /run/cni/tuning)" c1_eth0.json
	# A document that names the host's own namespace changes nothing there.
	jq -c '.netns = "/proc/1/ns/net" | del(.netnsCookie) | .netnsInode = "1" | .mtu = 1280 | .sysctl = {"net/ipv4/ip_forward": "0"}' <$SAVED >/run/cni/tuning/c1_eth0.json.new
	mv /run/cni/tuning/c1_eth0.json.new $SAVED
	sysctl_set net/ipv4/ip_forward 1
	cni GC tuning "$(with "$TUNING" "$gc")" '' '' ''
	ok
	is "$(sysctl_get net/ipv4/ip_forward)" 1
}

@test "tuning: dataDir" {
	local dir

	attached
	add tuning "$(with "$CONF" '.dataDir = "/run/cni/mine/"')"
	[[ -e /run/cni/mine/c1_eth0.json && ! -e $SAVED ]]
	is "$(stat -c %a /run/cni/mine)" 700
	del tuning "$(with "$TUNING" '.dataDir = "/run/cni/mine"')"
	[[ ! -e /run/cni/mine/c1_eth0.json ]]
	for dir in /run/elsewhere /etc/cron.d /run/cni/../x relative /run/cnix; do
		cni ADD tuning "$(with "$CONF" ".dataDir = \"$dir\"")"
		failed 7 "dataDir: .*$dir.*(dataFolders|not allowed)"
		del tuning "$(with "$CONF" ".dataDir = \"$dir\"")"
		cni GC tuning "$(with "$CONF" '. + {dataDir: "'"$dir"'", "cni.dev/valid-attachments": []}')" '' '' ''
		ok
	done
	host_allows '{"dataFolders":["/run/elsewhere"]}'
	add tuning "$(with "$CONF" '.dataDir = "/run/elsewhere/tuning"')"
	[[ -e /run/elsewhere/tuning/c1_eth0.json ]]
	rm -rf /run/elsewhere
}

@test "tuning: ADD that fails or is killed at any change leaves the container as it was" {
	attached
	unwinds tuning "$CONF"
	# A sysctl that is refused is the last thing that can fail.
	cni ADD tuning "$(with "$CONF" '.sysctl["net.ipv4.conf.IFNAME.arp_filter"] = "x"')"
	failed 100 'arp_filter to x'
	assert_same_snapshot
	cni ADD tuning "$(with "$CONF" '.mtu = 70000')"
	failed 100 'mtu: eth0 cannot have 70000 \(ip -d link shows its minmtu and maxmtu\)'
	assert_same_snapshot
}

@test "tuning: a sysctl alone asks nothing that waits for the RTNL lock, but needs the interface" {
	can_trace || skip "no strace"
	attached
	CONF=$(with "$CONF" '{cniVersion, name, type, prevResult, sysctl: {"net.core.somaxconn": "500"}}')
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" \
		-e trace=sendto,sendmsg,ioctl "$CPLUG_BIN/tuning" <<<"$CONF"
	contains "$(cat "$BATS_TEST_TMPDIR/trace")" SIOCGIFINDEX
	contains_not "$(cat "$BATS_TEST_TMPDIR/trace")" nlmsg_len
	[[ $(knob_of c1 net/core/somaxconn) == 500 ]]
	cni CHECK tuning "$CONF"
	ok
	in_ns c1 ip link del eth0
	cni CHECK tuning "$CONF"
	failed 107 "interface eth0"
	cni ADD tuning "$CONF"
	failed "" "there is no interface eth0"
	del tuning "$CONF"
}
