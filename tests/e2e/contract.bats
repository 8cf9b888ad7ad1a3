#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The contract between runtime and plugin: environment, streams, errors, versions.
load lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

# fake NAME SHELL-COMMANDS - creates a plugin for the key ipam.type
fake() {
	mkdir -p /run/.rig/fakes
	printf '#!/bin/bash\n%s\n' "$2" >"/run/.rig/fakes/$1"
	chmod +x "/run/.rig/fakes/$1"
	export CNI_PATH=$CPLUG_BIN:/run/.rig/fakes
}

ANSWER='{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}]}'

# ---- environment -----------------------------------------------------------

@test "contract: without CNI_COMMAND a plugin prints name and versions on stderr" {
	run --separate-stderr env -u CNI_COMMAND "$CPLUG_BIN/bridge" </dev/null
	is "$status" 0
	is "$output" ''
	# shellcheck disable=SC2154 # bats sets it
	contains "$stderr" '^CNI bridge plugin '
	contains "$stderr" '^CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0'
}

@test "contract: all missing variables are reported together, in order" {
	status=0
	output=$(env -i CNI_COMMAND=ADD "$CPLUG_BIN/bridge" <<<"$CONF") || status=$?
	failed 4
	is "$(result .msg)" 'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing'
}

@test "contract: an empty variable counts as missing" {
	CNI_PATH='' cni ADD bridge "$CONF" '' '' eth0
	failed 4
	is "$error" 'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_PATH] missing'
}

@test "contract: DEL requires no CNI_NETNS, GC only CNI_PATH" {
	CNI_PATH='' cni DEL bridge "$CONF" '' '' ''
	failed 4
	is "$error" 'required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing'
	CNI_PATH='' cni GC bridge "$CONF" '' '' ''
	failed 4
	is "$error" 'required env variables [CNI_PATH] missing'
}

@test "contract: an invalid container ID is reported before missing variables" {
	CNI_PATH='' cni ADD bridge "$CONF" c/1 '' ''
	failed 4 'c/1'
	is "$error" 'invalid characters in containerID'
}

@test "contract: invalid interface names are rejected" {
	local name

	new_netns c1
	for name in . .. a/b a:b 'a b' $'a\tb' a-name-too-long-x; do
		cni ADD bridge "$CONF" c1 c1 "$name"
		failed 4 'interface name'
	done
	contains "$error" 'too long'
}

@test "contract: an unknown CNI_COMMAND is rejected" {
	cni FOO bridge "$CONF"
	failed 4
	is "$error" 'unknown CNI_COMMAND: FOO'
	cni add bridge "$CONF"
	failed 4 'unknown CNI_COMMAND: add'
}

# ---- standard input --------------------------------------------------------

@test "contract: invalid JSON and missing or invalid network names are rejected" {
	cni ADD bridge - <<<'{bad'
	failed 6
	cni ADD bridge - </dev/null
	failed 6
	cni ADD bridge "$(with "$CONF" 'del(.name)')"
	failed 7 'missing network name'
	cni ADD bridge "$(with "$CONF" '.name = "-n"')"
	failed 7 '-n'
	is "$error" 'invalid characters found in network name'
}

@test "contract: an unknown cniVersion is rejected" {
	local v

	new_netns c1
	for v in 1.2.0 1.0 0.3 2.0.0; do
		cni ADD bridge "$(with "$CONF" ".cniVersion = \"$v\"")"
		failed 1 "config is \"$v\", plugin supports"
		is "$error" 'incompatible CNI versions'
	done
}

@test "contract: CHECK, GC and STATUS are rejected with a cniVersion that lacks them" {
	new_netns c1
	cni CHECK bridge "$(with "$CONF" '.cniVersion = "0.3.1"')"
	failed 1
	is "$error" 'config version does not allow CHECK'
	for verb in GC STATUS; do
		cni "$verb" bridge "$CONF" '' '' ''
		failed 1
		is "$error" "config version does not allow $verb"
	done
}

@test "contract: VERSION works without input and environment" {
	status=0
	output=$(env -i CNI_COMMAND=VERSION "$CPLUG_BIN/bridge" </dev/zero) || status=$?
	ok
	has '.cniVersion == (.supportedVersions | last)'
	has '.supportedVersions == ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]'
}

@test "contract: keys match case-insensitively" {
	new_netns c1
	add bridge '{"CNIVERSION":"1.0.0","Name":"net1","TYPE":"bridge","BRIDGE":"br1","ISGATEWAY":true,
		"IPAM":{"Type":"host-local","RANGES":[[{"Subnet":"10.1.0.0/24"}]],"ROUTES":[{"DST":"0.0.0.0/0"}]}}'
	has '.ips[0] | .address == "10.1.0.2/24" and .gateway == "10.1.0.1"'
	is "$(addresses - br1)" 10.1.0.1/24
	route c1 '.dst == "default"'
}

@test "contract: null counts as absent, and unknown keys are ignored" {
	new_netns c1
	add bridge "$(with "$CONF" '. + {mtu: null, dns: null, args: null, runtimeConfig: null, prevResult: null,
		hairpinMode: null, vlanTrunk: null, capabilities: {foo: true}, "x-unknown": [1, {"a": null}]}')"
	has '.ips[0].address == "10.1.0.2/24"'
	# A trace lists them.  DEL reads few keys, so it cannot tell which are unknown.
	CNI_DEBUG=1 cni ADD bridge "$(with "$CONF" '."x-unknown" = 1')" c1 c1 eth1
	ok
	contains "$errors" 'x-unknown: unknown key, ignored'
	contains_not "$errors" '(bridge|ipam): unknown key'
	CNI_DEBUG=1 cni DEL bridge "$(with "$CONF" '."x-unknown" = 1')" c1 c1 eth1
	ok
	contains_not "$errors" 'unknown key'
}

@test "contract: unknown keys of ipam are ignored by each IPAM plugin, and a trace lists them" {
	local ipam

	new_netns c1
	for ipam in '{type: "host-local", ranges: [[{subnet: "10.1.0.0/24", "x-range": 1}]], "x-unknown": 1}' \
		'{type: "static", addresses: [{address: "10.1.0.9/24", "x-address": 1}], "x-unknown": 1}'; do
		CNI_DEBUG=1 cni ADD bridge "$(with "$CONF" ".ipam = $ipam")"
		ok
		contains "$errors" 'ipam.x-unknown: unknown key, ignored'
		contains "$errors" 'ipam.*\[0\].x-(range|address): unknown key, ignored'
		is "$(grep -c 'unknown key' <<<"$errors")" 2
		del bridge "$(with "$CONF" ".ipam = $ipam")"
		add bridge "$(with "$CONF" ".ipam = $ipam")"
		is "$errors" ''
		del bridge "$(with "$CONF" ".ipam = $ipam")"
	done
}

@test "contract: a value of the wrong type is reported with its path, and all mistakes together" {
	warm_up bridge "$CONF"
	new_netns c1
	remember
	cni ADD bridge "$(with "$CONF" '.mtu = "huge" | .isGateway = 1 | .hairpinMode = "true"')"
	failed 7 'mtu'
	failed 7 'isGateway'
	failed 7 'hairpinMode'
	cni ADD bridge "$(with "$CONF" '.ipam.ranges = [[{subnet: 5}]]')"
	failed '' 'ranges\[0\]\[0\]\.subnet'
	assert_same_snapshot
}

# ---- namespaces ------------------------------------------------------------

@test "contract: the plugin's own namespace as CNI_NETNS is rejected, and nothing changes" {
	new_netns c1
	remember
	cni ADD bridge "$CONF" c1 /proc/self/ns/net
	failed 8
	is "$error" "plugin's netns and netns from CNI_NETNS should not be the same"
	assert_same_snapshot
}

@test "contract: CNI_NETNS_OVERRIDE allows the plugin's own namespace" {
	CNI_NETNS_OVERRIDE=1 cni ADD loopback '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}' c1 /proc/self/ns/net
	ok
	has '.interfaces[0].name == "lo"'
}

@test "contract: a path without a namespace is rejected, and nothing changes" {
	remember
	cni ADD bridge "$CONF" c1 /run/netns/nope
	failed '' '/run/netns/nope'
	: >/run/netns/file
	cni ADD bridge "$CONF" c1 /run/netns/file
	failed '' '/run/netns/file'
	rm /run/netns/file
	assert_same_snapshot
}

# ---- standard output -------------------------------------------------------

@test "contract: ADD fails and is rolled back if the result cannot be written" {
	[[ $CPLUG_BIN != */valgrind/* ]] || skip "a file of valgrind would take the descriptor of stdout"
	warm_up bridge "$CONF"
	new_netns c1
	remember
	# The same call is complete where its result can be written.
	raw ADD bridge <<<"$CONF" >/dev/null
	link c1 eth0 '.flags | any(. == "UP")'
	raw DEL bridge <<<"$CONF"
	assert_same_snapshot
	status=0
	raw ADD bridge <<<"$CONF" >/dev/full || status=$?
	is "$status" 1
	assert_same_snapshot
	status=0
	raw ADD bridge <<<"$CONF" >&- || status=$?
	is "$status" 1
	assert_same_snapshot
	# A closed pipe.
	{ sleep 0.3 && raw ADD bridge <<<"$CONF" && : >"$BATS_TEST_TMPDIR/success" || :; } | :
	[[ ! -e $BATS_TEST_TMPDIR/success ]]
	assert_same_snapshot
}

@test "contract: stdout contains one document only, with CNI_DEBUG too" {
	new_netns c1
	CNI_DEBUG=1 cni ADD bridge "$CONF"
	ok
	is "$(jq -s length <<<"$output")" 1
	[[ $errors ]] || fail "no trace with CNI_DEBUG=1"
	del bridge "$CONF"
}

@test "contract: CNI_LOG writes the trace to a file" {
	new_netns c1
	CNI_DEBUG=1 CNI_LOG=$BATS_TEST_TMPDIR/log cni ADD bridge "$CONF"
	ok
	[[ -s $BATS_TEST_TMPDIR/log ]]
}

@test "contract: CNI_DEBUG=json writes JSON lines" {
	new_netns c1
	CNI_DEBUG=json cni ADD bridge "$CONF"
	ok
	jq -se 'length > 0' <<<"$errors" >/dev/null
}

@test "contract: an error document has the configuration's cniVersion" {
	cni ADD bridge "$(with "$CONF" '.cniVersion = "0.4.0"')" c1 /run/netns/nope
	failed
	has '.cniVersion == "0.4.0"'
}

@test "contract: ADD that gets SIGTERM is rolled back, and prints an error document" {
	local pid

	# shellcheck disable=SC2016 # a script in single quotes
	fake slow '[[ $CNI_COMMAND != ADD ]] || { touch /run/.rig/asked; exec sleep 1000; }'
	warm_up bridge "$CONF"
	new_netns c1
	remember
	raw ADD bridge <<<"$(with "$CONF" '.ipam.type = "slow"')" >"$BATS_TEST_TMPDIR/stdout" &
	pid=$!
	wait_for "the IPAM plugin" test -e /run/.rig/asked
	# $pid is a subshell; its child is the plugin.
	kill -TERM "$(xargs <"/proc/$pid/task/$pid/children")"
	status=0
	wait "$pid" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/stdout")
	failed 109
	assert_same_snapshot
}

@test "contract: ADD and DEL work with an invalid PATH" {
	new_netns c1
	conf=$(with "$CONF" '.ipMasq = true | .macspoofchk = true | .capabilities.portMappings = true
		| .runtimeConfig.portMappings = [{hostPort: 80, containerPort: 80, protocol: "tcp"}]')
	remember
	PATH=/nonexistent raw ADD bridge <<<"$conf"
	link c1 eth0 '.operstate != null'
	PATH=/nonexistent raw DEL bridge <<<"$conf"
	no_link c1 eth0
}

# ---- versions --------------------------------------------------------------

@test "contract: the result has the format of the configuration's cniVersion" {
	local v i=0

	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		i=$((i + 1))
		new_netns "c$i"
		add bridge "$(with "$CONF" ".cniVersion = \"$v\" | .ipam.routes = [{dst: \"0.0.0.0/0\"}]")" "c$i"
		has ".cniVersion == \"$v\""
		case $v in
		0.[12].0) has '(.ip4.ip | startswith("10.1.0.")) and .ip4.gateway == "10.1.0.1"
			and .ip4.routes == [{dst: "0.0.0.0/0"}] and .dns == {} and (has("ips") or has("interfaces") | not)' ;;
		0.*) has '.ips[0].version == "4" and .ips[0].interface == 2 and .dns == {} and (.interfaces | length == 3)' ;;
		1.*) has '(.ips[0] | has("version") | not) and .ips[0].interface == 2 and (has("dns") | not)' ;;
		esac
		del bridge "$(with "$CONF" ".cniVersion = \"$v\"")" "c$i"
	done
}

@test "contract: a configuration without cniVersion has version 0.1.0" {
	new_netns c1
	add bridge "$(with "$CONF" 'del(.cniVersion)')"
	has '.cniVersion == "0.1.0" and .ip4.ip == "10.1.0.2/24"'
}

@test "contract: CHECK rejects a prevResult of an incompatible cniVersion" {
	new_netns c1
	add bridge "$CONF"
	cni CHECK bridge "$(with "$CONF" ".prevResult = $output | .prevResult.cniVersion = \"0.4.0\"")"
	failed '' prevResult
}

@test "contract: a prevResult without cniVersion has the configuration's" {
	new_netns c1
	add bridge "$CONF"
	has '.ips | length > 0'
	cni CHECK bridge "$(with "$CONF" ".prevResult = $output | del(.prevResult.cniVersion)")"
	ok
}

# ---- CNI_ARGS --------------------------------------------------------------

@test "contract: STATUS and GC ignore CNI_ARGS" {
	local args plugin verb conf

	conf=$(with "$CONF" '.cniVersion = "1.1.0" | .["cni.dev/valid-attachments"] = []')
	for args in 'FOO=bar' ';;' 'x' 'MAC=zz' 'IP=zz' 'IgnoreUnknown=perhaps'; do
		for verb in STATUS GC; do
			for plugin in bridge tuning; do
				CNI_ARGS=$args cni $verb $plugin "$conf"
				ok
			done
		done
	done
}

@test "contract: unknown keys in CNI_ARGS are rejected without IgnoreUnknown, invalid pairs always" {
	new_netns c1
	CNI_ARGS='FOO=bar' cni ADD bridge "$CONF"
	failed '' 'FOO=bar'
	CNI_ARGS='IgnoreUnknown=1;' cni ADD bridge "$CONF"
	failed '' 'invalid pair'
	CNI_ARGS='IgnoreUnknown=1;A=b=c' cni ADD bridge "$CONF"
	failed '' 'invalid pair'
	CNI_ARGS='IgnoreUnknown=perhaps' cni ADD bridge "$CONF"
	failed
	CNI_ARGS='K8S_POD_NAME=web;IgnoreUnknown=true;K8S_POD_NAMESPACE=default' cni ADD bridge "$CONF"
	ok
}

# ---- IPAM plugins ----------------------------------------------------------

@test "contract: the IPAM plugin gets the request and environment unchanged" {
	[[ $CPLUG_BIN != */valgrind/* ]] || skip "valgrind's wrappers find the plugins elsewhere"
	fake spy "cat >/run/.rig/seen; env >/run/.rig/env; echo '$ANSWER'"
	new_netns c1
	CNI_ARGS='IgnoreUnknown=1;A=b' cni ADD bridge "$(with "$CONF" '.ipam = {type: "spy", extra: [1.5, "ü"]}')"
	ok
	has '.ips == [{address: "10.1.0.9/24", gateway: "10.1.0.1", interface: 2}]'
	is "$(jq -Sc . /run/.rig/seen)" "$(with "$CONF" '.ipam = {type: "spy", extra: [1.5, "ü"]}' | jq -Sc .)"
	for v in CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 \
		"CNI_ARGS=IgnoreUnknown=1;A=b" "CNI_PATH=$CNI_PATH"; do
		grep -Fxq "$v" /run/.rig/env || fail "the IPAM plugin did not get $v"
	done
}

@test "contract: an error of the IPAM plugin is passed on, and ADD is rolled back" {
	fake busy 'echo "{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"come back\",\"details\":\"in a minute\"}"; exit 1'
	warm_up bridge "$CONF"
	new_netns c1
	remember
	cni ADD bridge "$(with "$CONF" '.ipam.type = "busy"')"
	failed 11
	has '.msg == "come back" and (.details | startswith("in a minute"))'
	assert_same_snapshot
}

@test "contract: an IPAM plugin that prints no or invalid output, or is killed, is reported" {
	fake mute 'echo boom >&2; exit 3'
	fake babble 'echo this is no JSON; exit 1'
	fake nonsense 'echo this is no JSON'
	fake nothing 'echo null'
	fake shot 'kill -9 $$'
	new_netns c1
	cni ADD bridge "$(with "$CONF" '.ipam.type = "mute"')"
	failed '' boom
	cni ADD bridge "$(with "$CONF" '.ipam.type = "babble"')"
	failed
	cni ADD bridge "$(with "$CONF" '.ipam.type = "nonsense"')"
	failed 6 'IPAM plugin /run/.*nonsense'
	cni ADD bridge "$(with "$CONF" '.ipam.type = "nothing"')"
	failed 106 'nothing gave no address'
	# It is reported once, although the rollback's DEL is killed too.
	cni ADD bridge "$(with "$CONF" '.ipam.type = "shot"')"
	failed 106 'was killed by signal 9 .* and gave no error object'
	has 'has("details") | not'
}

@test "contract: an IPAM plugin that is not installed, or has an invalid name, is reported" {
	[[ $CPLUG_BIN != */valgrind/* ]] || skip "valgrind's wrappers find the plugins elsewhere"
	new_netns c1
	cni ADD bridge "$(with "$CONF" '.ipam.type = "nope"')"
	failed '' "nope.*$CPLUG_BIN"
	cni ADD bridge "$(with "$CONF" '.ipam.type = "../nope"')"
	failed
}

@test "contract: the IPAM plugin's result may have another cniVersion" {
	fake old 'echo "{\"ip4\":{\"ip\":\"10.1.0.7/24\",\"gateway\":\"10.1.0.1\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}"'
	fake middle 'echo "{\"cniVersion\":\"0.3.1\",\"ips\":[{\"version\":\"4\",\"address\":\"10.1.0.8/24\"}]}"'
	new_netns c1 c2
	add bridge "$(with "$CONF" '.ipam.type = "old" | .cniVersion = "0.2.0"')"
	has '.ip4.ip == "10.1.0.7/24" and (.ip4.routes | length == 1)'
	add bridge "$(with "$CONF" '.ipam.type = "middle"')" c2
	has '.ips[0].address == "10.1.0.8/24" and .ips[0].gateway == "10.1.0.1"'
}

@test "contract: the IPAM plugin gets DEL if ADD fails after its ADD, and nothing if ADD fails earlier" {
	fake spy "echo \"\$CNI_COMMAND\" >>/run/.rig/verbs; [[ \$CNI_COMMAND != ADD ]] || echo '$ANSWER'"
	new_netns c1
	cni ADD bridge "$(with "$CONF" '.ipam.type = "spy" | .bridge = "br1"')"
	ok
	: >/run/.rig/verbs
	# The interface exists, so ADD fails.
	cni ADD bridge "$(with "$CONF" '.ipam.type = "spy"')" c1 c1 eth0
	failed
	# Without a link no address is requested.
	prints '' cat /run/.rig/verbs
	fake spy "echo \"\$CNI_COMMAND\" >>/run/.rig/verbs; [[ \$CNI_COMMAND != ADD ]] ||
		echo '$(with "$ANSWER" '.routes = [{dst: "192.0.2.0/24", gw: "203.0.113.77"}]')'"
	new_netns c2
	cni ADD bridge "$(with "$CONF" '.ipam.type = "spy"')" c2
	failed '' '192.0.2.0'
	is "$(xargs </run/.rig/verbs)" 'ADD DEL'
}

@test "contract: DEL asks the IPAM plugin last, and removes everything else also if it fails" {
	local conf

	conf=$(with "$CONF" '.ipam.type = "spy" | .ipMasq = true | .dns = {nameservers: ["10.1.0.1"]}')
	new_netns c1
	fake spy "echo '$ANSWER'"
	add bridge "$conf"
	contains "$(nft list ruleset)" net1/c1/eth0
	[[ -e /etc/netns/c1/resolv.conf ]]
	# While the interface exists, no other container may get its address.
	fake spy 'ip -br link show type veth >/run/.rig/veths; echo "{\"code\":77,\"msg\":\"not now\"}"; exit 1'
	cni DEL bridge "$conf"
	failed 77 'not now'
	prints '' cat /run/.rig/veths
	no_link c1 eth0
	prints_not net1/c1/eth0 nft list ruleset
	[[ ! -e /etc/netns/c1/resolv.conf ]]
}

@test "contract: the IPAM plugin gets DEL if its own ADD failed, was killed or printed nonsense" {
	local how

	# It may have allocated something before it failed.
	for how in 'echo {\"code\":77,\"msg\":\"half\"}; exit 1' 'kill -KILL $$' 'echo nonsense'; do
		: >/run/.rig/verbs
		fake spy "echo \"\$CNI_COMMAND\" >>/run/.rig/verbs; [[ \$CNI_COMMAND != ADD ]] || { $how; }"
		new_netns c1
		cni ADD bridge "$(with "$CONF" '.ipam.type = "spy"')"
		failed
		is "$how: $(xargs </run/.rig/verbs)" "$how: ADD DEL"
		no_link c1 eth0
		del_netns c1
	done
}

@test "contract: a datagram socket as stdin, which has no end, is refused at once" {
	local socket

	command -v python3 >/dev/null || skip "python3 is not installed"
	new_netns c1
	# The sender's end is open: a read would wait.
	for socket in bridge 'cplug setup /run/netns/c1'; do
		echo "# $socket"
		# shellcheck disable=SC2086 # a program and its arguments
		run python3 - "$CPLUG_BIN" $socket <<'END'
import os, socket, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
ours.send(b"{}")
env = dict(os.environ, CNI_COMMAND="ADD", CNI_CONTAINERID="c1", CNI_NETNS="/run/netns/c1", CNI_IFNAME="eth0", CNI_PATH=sys.argv[1])
done = subprocess.run([sys.argv[1] + "/" + sys.argv[2]] + sys.argv[3:], stdin=theirs, env=env, timeout=300)
sys.exit(done.returncode)
END
		is "$status" 1
		contains "$output" 'datagram socket, which has no end .pass a pipe or a file'
	done
}
