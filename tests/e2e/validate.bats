#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool validate and schema: all mistakes of configuration files, and the keys as JSON Schema
load lib

tool() {
	run "$CPLUG_BIN/cnitool" "$@"
}

# plugin_file JSON - writes a list with this plugin, behind a bridge if it is a chained one
plugin_file() {
	jq -n --argjson p "$1" '{cniVersion: "1.0.0", name: "net1", plugins: [$p]}' >"$BATS_TEST_TMPDIR/x.conflist"
}

# list_file NAME JSON
list_file() {
	printf '%s' "$2" >"$BATS_TEST_TMPDIR/$1"
}

# Wrong configurations of one plugin, each with a mistake that must be told (an extended regular
# expression, after "FILE: ").
wrong_plugins() {
	cat <<-'END'
		{"type":"bridge","isGatway":true} => plugins\[0\]\.isGatway: unknown key, which is ignored \(did you mean isGateway\?\)
		{"type":"bridge","zzzzzz":true} => plugins\[0\]\.zzzzzz: unknown key, which is ignored \(remove it\)
		{"type":"bridge","mtu":"big"} => plugins\[0\]\.mtu: expected a number, or "auto", got "big"
		{"type":"bridge","mtu":40} => plugins\[0\]\.mtu: must be at least 68 .*, got 40
		{"type":"bridge","vlan":5000} => plugins\[0\]\.vlan: expected a whole number from 0 to 4094, got 5000
		{"type":"bridge","isGateway":"yes"} => plugins\[0\]\.isGateway: expected true or false, got "yes"
		{"type":"bridge","macspoofchk":"lax"} => plugins\[0\]\.macspoofchk: expected true, false or "strict"
		{"type":"bridge","hairpinMode":true,"promiscMode":true} => plugins\[0\]\.promiscMode: cannot set hairpin mode and promiscuous mode
		{"type":"bridge","bridge":"a/b"} => plugins\[0\]\.bridge: "a/b"
		{"type":"bridge","hostIfName":"cni0"} => plugins\[0\]\.hostIfName: "cni0" is also the name in bridge \(choose
		{"type":"bridge","vlanTrunk":[{"minID":5}]} => plugins\[0\]\.vlanTrunk\[0\]\.maxID: missing
		{"type":"bridge","vlanTrunk":[{"mnID":5,"id":7}]} => plugins\[0\]\.vlanTrunk\[0\]\.mnID: unknown key.*did you mean minID
		{"type":"bridge","ipMasq":{"v4":1}} => plugins\[0\]\.ipMasq\.v4: expected true or false
		{"type":"bridge","ipMasq":{"v5":true}} => plugins\[0\]\.ipMasq\.v5: unknown key.*did you mean v4
		{"type":"bridge","onConflict":"panic"} => plugins\[0\]\.onConflict: expected one of "fail", "replace" or "warn"
		{"type":"bridge","log":{"level":"loud"}} => plugins\[0\]\.log\.level: expected error, warn, info or debug
		{"type":"bridge","capabilities":{"portMapping":true}} => plugins\[0\]\.capabilities\.portMapping: unknown capability \(did you mean portMappings\?\)
		{"type":"bridge","capabilities":{"portMappings":"yes"}} => plugins\[0\]\.capabilities\.portMappings: expected true or false
		{"type":"bridge","dns":{"nameserver":["10.1.0.1"]}} => plugins\[0\]\.dns\.nameserver: unknown key.*did you mean nameservers
		{"type":"bridge","mac":"02:00:00:00:00:01"} => plugins\[0\]\.mac: unknown key
		{"type":"bridge","ipam":{"type":"bridge"}} => plugins\[0\]\.ipam\.type: bridge is not an IPAM plugin
		{"type":"bridge","ipam":{"type":"dhpc"}} => plugins\[0\]\.ipam\.type: there is no plugin dhpc \(did you mean dhcp\?\)
		{"type":"bridge","bridge":"averyverylongname"} => plugins\[0\]\.bridge: .*interface name is too long \(15 characters at most\)
		{"type":"portmap","conditionsV4":["--source"]} => plugins\[0\]\.conditionsV4.*: "--source": expected an address
		{"type":"portmap","conditionsV4":["!","-d"]} => plugins\[0\]\.conditionsV4.*: "-d": expected an address
		{"type":"bridge","ipam":{"type":"host-local"}} => plugins\[0\]\.ipam\.ranges: no IP ranges specified
		{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.1/24"}} => plugins\[0\]\.ipam\.subnet: .*host bits
		{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"}} => plugins\[0\]\.ipam\.rangeStart: .*not in network
		{"type":"bridge","ipam":{"type":"host-local","subnt":"10.1.0.0/24"}} => plugins\[0\]\.ipam\.subnt: unknown key.*did you mean subnet
		{"type":"bridge","ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24","gatway":"10.1.0.1"}]]}} => plugins\[0\]\.ipam\.ranges\[0\]\[0\]\.gatway: unknown key.*did you mean gateway
		{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"10.9.0.0"}]}} => plugins\[0\]\.ipam\.routes\[0\]\.dst: expected an address with prefix length
		{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"gw":"10.1.0.1"}]}} => plugins\[0\]\.ipam\.routes\[0\]\.dst: missing: give a prefix
		{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0","gw":"fd00::1"}]}} => plugins\[0\]\.ipam\.routes\[0\]\.gw: fd00::1 is of another family than dst
		{"type":"bridge","ipam":{"type":"static","addresses":[{"address":"10.1.0.5/24"}],"routes":[{"dst":"::/0","gw":"10.1.0.1"}]}} => plugins\[0\]\.ipam\.routes\[0\]\.gw: 10.1.0.1 is of another family than dst
		{"type":"ptp","ipam":{"type":"static","addresses":[{"address":"10.1.0.5/24","gateway":"fd00::1"}]}} => plugins\[0\]\.ipam\.addresses\[0\]\.gateway: fd00::1 is of another family than the address 10\.1\.0\.5/24 \(name
		{"type":"ptp","ipam":{"type":"static","addresses":[{"address":"10.1.0.5/24","gateway":"10.1.0.5"}]}} => plugins\[0\]\.ipam\.addresses\[0\]\.gateway: 10\.1\.0\.5 is also the container's address
		{"type":"ptp","ipam":{"type":"static","addresses":[{"address":"224.0.0.1/24"}]}} => plugins\[0\]\.ipam\.addresses\[0\]\.address: 224\.0\.0\.1/24 is a multicast address \(write
		{"type":"tap","redirect":true} => plugins\[0\]\.redirect: tap is the first plugin of the list \(put it behind
		{"type":"bridge","ipam":{"type":"static"}} => plugins\[0\]\.ipam\.addresses: missing
		{"type":"bridge","ipam":{"type":"static","addresses":[{"address":"10.1.0.0/24"}]}} => plugins\[0\]\.ipam\.addresses\[0\]\.address: .*network address
		{"type":"bridge","ipam":{"type":"dhcp","daemonSocketPath":"run/dhcp.sock"}} => plugins\[0\]\.ipam\.daemonSocketPath: expected an absolute path
		{"type":"ptp"} => plugins\[0\]\.ipam: missing: ptp routes the addresses
		{"type":"ptp","linkType":"tun","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}} => plugins\[0\]\.linkType: expected one of "veth" or "netkit"
		{"type":"dummy"} => plugins\[0\]\.ipam: missing: a dummy interface requires an IPAM
		{"type":"macvlan","mode":"twisted"} => plugins\[0\]\.mode: unknown macvlan mode: "twisted"
		{"type":"macvlan","mode":"source"} => plugins\[0\]\.sourceMacs: missing
		{"type":"ipvlan","mode":"l4"} => plugins\[0\]\.mode: unknown ipvlan mode: "l4" \(expected l2, l3 or l3s\)
		{"type":"vlan","protocol":"802.1x"} => plugins\[0\]\.protocol: unknown VLAN protocol: "802.1x"
		{"type":"tap","redirect":true,"ipam":{"type":"static"}} => plugins\[0\]\.ipam: not possible with redirect
		{"type":"tap","owner":-1} => plugins\[0\]\.owner: expected a whole number from 0
		{"type":"host-device"} => plugins\[0\]\.device: missing: specify either
		{"type":"host-device","pciBusID":"../x"} => plugins\[0\]\.pciBusID: expected the name of a device
		{"type":"portmap"} => plugins\[0\]\.type: portmap needs the result of another plugin
		{"type":"portmap"} => plugins\[0\]\.capabilities\.portMappings: missing: without it the runtime passes no ports
		{"type":"bandwidth"} => plugins\[0\]\.ingressRate: missing: nothing is limited
		{"type":"bandwidth","ingressBurst":5} => plugins\[0\]\.ingressBurst: if burst is set, rate must also be set
		{"type":"firewall","backend":"ebtables"} => plugins\[0\]\.backend: expected one of
		{"type":"firewall","ingressPolicy":"closed"} => plugins\[0\]\.ingressPolicy: expected one of
		{"type":"vrf"} => plugins\[0\]\.vrfname: missing
		{"type":"sbr","table":0} => plugins\[0\]\.table: expected a whole number from 1
		{"type":"tuning","sysctl":{"kernel.domainname":"x"}} => plugins\[0\]\.sysctl\.kernel\.domainname: invalid net sysctl key
		{"type":"tuning","sysctls":{}} => plugins\[0\]\.sysctls: unknown key.*did you mean sysctl
		{"type":"host-local"} => plugins\[0\]\.type: host-local is an IPAM plugin \(name it in ipam\.type
		{"type":"brigde"} => plugins\[0\]\.type: there is no plugin brigde \(did you mean bridge\?\)
		{"type":"a/b"} => plugins\[0\]\.type: invalid plugin name: a/b
		{} => plugins\[0\]\.type: missing
		7 => plugins\[0\]: expected an object, got 7
	END
}

@test "validate: each wrong configuration of a plugin is told, with path and remedy" {
	local line json want failed='' n=0

	while read -r line; do
		json=${line%% => *} want=${line#* => }
		plugin_file "$json"
		tool validate "$BATS_TEST_TMPDIR/x.conflist"
		((status == 1)) && grep -qE "x\.conflist: $want" <<<"$output" || {
			echo "$json: status $status, expected $want, got: $output"
			failed=yes
		}
		n=$((n + 1))
	done < <(wrong_plugins)
	((n > 40))
	[[ ! $failed ]]
}

# Wrong lists and single plugins.
wrong_files() {
	cat <<-'END'
		a.conflist {"cniVersion":"1.0.0","plugins":[{"type":"bridge"}]} => name: missing
		a.conflist {"cniVersion":"1.0.0","name":"a b","plugins":[{"type":"bridge"}]} => name: "a b" is no network name
		a.conflist {"cniVersion":"2.0.0","name":"n","plugins":[{"type":"bridge"}]} => cniVersion: "2.0.0" is not a known version \(choose one of 0\.1\.0
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[]} => plugins: the list is empty
		a.conflist {"cniVersion":"1.0.0","name":"n","plugin":[]} => plugin: unknown key, which is ignored \(did you mean plugins\?\)
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":{}} => plugins: expected a list
		a.conflist {"cniVersion":"1.0.0","name":"n","disableCheck":"on","plugins":[{"type":"bridge"}]} => disableCheck: expected true or false
		a.conflist {"cniVersion":"1.0.0","name":"n","disablecheck":3,"plugins":[{"type":"bridge"}]} => disablecheck: expected true or false
		a.conflist {"cniVersion":"0.3.0","name":"n","plugins":[{"type":"bridge"},{"type":"vrf","vrfname":"blue"}]} => plugins\[1\]: vrf needs cniVersion 0\.3\.1
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","mtu":1400,"mtu":1500}]} => mtu: is there twice
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"portmap","capabilities":{"portMappings":true}},{"type":"bridge"}]} => plugins\[0\]\.type: portmap needs the result
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"},{"type":"macvlan"}]} => plugins\[1\]\.type: macvlan makes the interface of the container
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"},{"type":"tuning"},{"type":"tuning"}]} => plugins\[2\]\.type: tuning is there twice, also as plugins\[1\]
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","capabilities":{"portMappings":true}},{"type":"portmap","capabilities":{"portMappings":true}}]} => plugins\[1\]\.capabilities\.portMappings: plugins\[0\] declares it, too
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"macvlan"},{"type":"sbr"}]} => plugins\[1\]\.type: sbr needs an address, and macvlan has no ipam \(give
		a.conflist {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"macvlan"},{"type":"firewall","ingressPolicy":"isolated"}]} => plugins\[1\]\.ingressPolicy: behind macvlan no link of the host leads
		a.conf {"cniVersion":"1.0.0","type":"bridge"} => name: missing
		a.conf {"cniVersion":"1.0.0","name":"n","type":"bridge","isGatway":true} => isGatway: unknown key
		a.conf {"cniVersion":"1.0.0","name":"n","type":"portmap","capabilities":{"portMappings":true}} => type: portmap needs the result
		a.conflist {"cniVersion":"1.0.0","name":"n","type":"bridge"} => type: this is a single plugin, which belongs in a file \*\.conf
		a.conf {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]} => plugins: this is a list, which belongs in a file \*\.conflist
		a.json {"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]} => plugins: this is a list, which belongs in a file \*\.conflist
		a.conflist {"cniVersion": => cannot parse
		a.conflist [] => cannot parse the file: expected an object
	END
}

@test "validate: each wrong list is told" {
	local line name json want failed=''

	while read -r name line; do
		json=${line%% => *} want=${line#* => }
		list_file "$name" "$json"
		tool validate "$BATS_TEST_TMPDIR/$name"
		((status == 1)) && grep -qE "/$name: $want" <<<"$output" || {
			echo "$json: status $status, expected $want, got: $output"
			failed=yes
		}
	done < <(wrong_files)
	[[ ! $failed ]]
}

@test "validate: all mistakes are told at once, each once" {
	plugin_file '{"type":"bridge","isGateway":1,"vlan":-1,"mtu":3,"bridg":"x",
		"ipam":{"type":"host-local","subnet":"10.1.0.0/33","dataDirr":"/x"},"capabilities":{"mac":1}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 1))
	echo "$output"
	for key in isGateway vlan mtu bridg ipam.subnet ipam.dataDirr capabilities.mac; do
		(($(grep -cF ": plugins[0].$key: " <<<"$output") == 1))
	done
	((${#lines[@]} == 7))
}

@test "validate: a value that is wrong is not told to be missing as well" {
	local line

	while read -r line; do
		plugin_file "$line"
		tool validate "$BATS_TEST_TMPDIR/x.conflist"
		((status == 1))
		grep -q 'expected' <<<"$output"
		run ! grep 'missing' <<<"$output"
	done <<-'END'
		{"type":"bandwidth","ingressRate":"10M"}
		{"type":"bandwidth","egressRate":-1}
		{"type":"host-device","device":5}
		{"type":"host-device","hwaddr":"zz"}
		{"type":"vrf","vrfname":5}
	END
}

@test "validate: another suite's plugins are not validated, which is no mistake" {
	plugin_file '{"type":"calico","anything":1}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	grep -q 'warning: plugins\[0\]: calico is not one of cplug'"'"'s plugins: not validated' <<<"$output"
	plugin_file '{"type":"bridge","ipam":{"type":"whereabouts","range":"10.1.0.0/24"}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	grep -q 'warning: plugins\[0\]\.ipam: whereabouts is not one' <<<"$output"
}

@test "validate: relative paths of ipam are warned of, because the reference takes them" {
	plugin_file '{"type":"bridge","ipam":{"type":"host-local","subnet":"10.1.0.0/24","dataDir":"leases","resolvConf":"etc/r"}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	grep -q 'warning: plugins\[0\]\.ipam\.dataDir: "leases" .*(write an absolute path)' <<<"$output"
	grep -q 'warning: plugins\[0\]\.ipam\.resolvConf: "etc/r" .*(write an absolute path)' <<<"$output"
}

@test "validate: disableCheck, a missing version and comments are no mistakes" {
	# shellcheck disable=SC2016 # a key of JSON
	list_file a.conflist '{"name":"n","disableCheck":true,"$schema":"x","_comment":"y","plugins":[{"type":"bridge","//":"z"}]}'
	tool validate "$BATS_TEST_TMPDIR/a.conflist"
	((status == 0))
	grep -q 'warning: disableCheck: ' <<<"$output"
	grep -q 'warning: cniVersion: missing' <<<"$output"
	((${#lines[@]} == 3))
}

# two JSON JSON - two networks, a and b, of one plugin each
two() {
	local n=a json

	for json; do
		list_file $n.conflist "$(jq -n --argjson p "$json" --arg n $n '{cniVersion: "1.0.0", name: $n, plugins: [$p]}')"
		n=b
	done
	tool validate "$BATS_TEST_TMPDIR/a.conflist" "$BATS_TEST_TMPDIR/b.conflist"
}

@test "validate: networks are compared: ranges, gateways, VLAN filtering, names" {
	two '{"type":"bridge","bridge":"br1","ipam":{"type":"host-local","subnet":"10.1.0.0/16"}}' \
		'{"type":"ptp","ipam":{"type":"host-local","subnet":"10.1.7.0/24"}}'
	((status == 1))
	grep -q 'b.conflist: plugins\[0\]\.ipam: 10.1.7.1-10.1.7.254 overlaps with 10.1.0.1-10.1.255.254 of network a in .*/a.conflist' <<<"$output"
	two '{"type":"bridge","bridge":"br1","ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}' \
		'{"type":"ptp","ipam":{"type":"host-local","subnet":"10.2.0.0/24"}}'
	((status == 0))
	two '{"type":"bridge","bridge":"br1","isGateway":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24","rangeEnd":"10.1.0.99"}}' \
		'{"type":"bridge","bridge":"br1","isGateway":true,"ipam":{"type":"host-local","subnet":"10.1.0.0/24","rangeStart":"10.1.0.100","gateway":"10.1.0.254"}}'
	((status == 1))
	grep -q 'the gateway of 10.1.0.0/24 is 10.1.0.254 here, and 10.1.0.1 for network a' <<<"$output"
	two '{"type":"bridge","bridge":"br1","vlan":5}' '{"type":"bridge","bridge":"br1"}'
	((status == 1))
	grep -q 'plugins\[0\]\.bridge: br1 filters VLANs for network a in .*, and not for network b' <<<"$output"
	cp "$BATS_TEST_TMPDIR/a.conflist" "$BATS_TEST_TMPDIR/b.conflist"
	tool validate "$BATS_TEST_TMPDIR/a.conflist" "$BATS_TEST_TMPDIR/b.conflist"
	((status == 1))
	grep -q 'b.conflist: name: a is the name of the network in .*a.conflist' <<<"$output"
}

@test "validate: an MTU above that of a parent of this host" {
	ip link add wire0 mtu 1400 type veth peer name wire1
	plugin_file '{"type":"macvlan","master":"wire0","mtu":1500}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 1))
	grep -q 'plugins\[0\]\.mtu: 1500 is more than the MTU of the parent wire0, 1400' <<<"$output"
	plugin_file '{"type":"macvlan","master":"wire0","mtu":1400}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	plugin_file '{"type":"macvlan","master":"nowhere0","mtu":9000}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
}

@test "validate: what a capability supplies is not missing" {
	plugin_file '{"type":"bridge","capabilities":{"ipRanges":true},"ipam":{"type":"host-local"}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	plugin_file '{"type":"bridge","capabilities":{"ips":true},"ipam":{"type":"static"}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	plugin_file '{"type":"host-device","capabilities":{"deviceID":true}}'
	tool validate "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
}

@test "validate: --json, exit status 0, 1 and 2, stdin" {
	plugin_file '{"type":"bridge","mtu":3}'
	tool validate --json "$BATS_TEST_TMPDIR/x.conflist"
	((status == 1))
	jq -e '.valid == false and (.findings | length) == 1 and .findings[0].path == "plugins[0].mtu" and
		.findings[0].level == "error" and (.findings[0].file | endswith("x.conflist"))' <<<"$output"
	tool validate
	((status == 2))
	tool validate "$BATS_TEST_TMPDIR/none.conflist"
	((status == 2))
	[[ $output == *"cannot read"*"none.conflist: No such file"* ]]
	tool validate "$BATS_TEST_TMPDIR"
	((status == 2))
	[[ $output == *"cannot read $BATS_TEST_TMPDIR: Is a directory (name the files in it)"* ]]
	plugin_file '{"type":"bridge"}'
	run bash -c '"$0" validate - <"$1"' "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/x.conflist"
	((status == 0))
	[[ $output == "-: valid" ]]
}

@test "validate: changes nothing, and runs nothing" {
	local before

	ip link add wire0 type veth peer name wire1
	before=$(ip -j link; find /run /var/lib/cni -xdev | sort)
	type -P strace >/dev/null || skip "strace is not installed"
	# LeakSanitizer does not work under a tracer.
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,mkdir,mkdirat,unlink,unlinkat,rename,renameat2,openat \
		"$CPLUG_BIN/cnitool" validate "$CPLUG_TOP"/conf-examples/*.conflist
	(($(grep -c execve "$BATS_TEST_TMPDIR/trace") == 1))
	# The sanitizers open their reports.
	grep -q __asan_init "$CPLUG_BIN/cnitool" || run ! grep -E 'mkdir|unlink|rename|O_CREAT|O_WRONLY|O_RDWR' "$BATS_TEST_TMPDIR/trace"
	[[ $before == "$(ip -j link; find /run /var/lib/cni -xdev | sort)" ]]
}

@test "validate: every example is valid, alone and with all others" {
	local file

	for file in "$CPLUG_TOP"/conf-examples/*.conflist; do
		tool validate "$file"
		echo "$output"
		((status == 0 && ${#lines[@]} == 1))
	done
	tool validate "$CPLUG_TOP"/conf-examples/*.conflist
	echo "$output"
	((status == 0))
}

@test "validate: hostile files never crash it" {
	local file

	for file in "$CPLUG_TOP"/tests/fuzz/corpus/config/* "$CPLUG_TOP"/tests/fuzz/corpus/cnitool/* \
		"$CPLUG_TOP"/tests/unit/config-errors/*.json; do
		tool validate "$file"
		((status == 0 || status == 1)) || { echo "$file: $status $output" && false; }
	done
	jq -cn '{name: "n", cniVersion: "1.0.0", plugins: [range(1500) | {type: "bridge", zz: ., ipam: {type: "host-local",
		ranges: [range(30) | [{subnet: "10.1.0.0/24"}]]}}]}' >"$BATS_TEST_TMPDIR/big.conflist"
	tool validate "$BATS_TEST_TMPDIR/big.conflist"
	((status == 1))
	[[ $output == *"and "*" more"* ]]
}

# ---- schema ----------------------------------------------------------------

# needs_jsonschema - skips the test without python3-jsonschema
needs_jsonschema() {
	python3 -c 'from jsonschema import Draft202012Validator' 2>/dev/null ||
		skip "python3-jsonschema is not installed"
}

# checks SCHEMA FILE... - prints FILE: MESSAGE for what does not fit
checks() {
	python3 - "$@" <<-'END'
		import json, sys
		from jsonschema import Draft202012Validator as V
		schema = json.load(open(sys.argv[1]))
		V.check_schema(schema)
		bad = 0
		for name in sys.argv[2:]:
		    for e in V(schema).iter_errors(json.load(open(name))):
		        print(f"{name}: {e.json_path}: {e.message}")
		        bad = 1
		sys.exit(bad)
	END
}

@test "schema: python3-jsonschema finds each example valid" {
	needs_jsonschema
	"$CPLUG_BIN/cnitool" schema >"$BATS_TEST_TMPDIR/schema.json"
	run checks "$BATS_TEST_TMPDIR/schema.json" "$CPLUG_TOP"/conf-examples/*.conflist
	echo "$output"
	((status == 0))
}

@test "schema: python3-jsonschema finds mistakes of type, bound, word and name" {
	local json failed=''

	needs_jsonschema
	"$CPLUG_BIN/cnitool" schema >"$BATS_TEST_TMPDIR/schema.json"
	while read -r json; do
		plugin_file "$json"
		! checks "$BATS_TEST_TMPDIR/schema.json" "$BATS_TEST_TMPDIR/x.conflist" >/dev/null || {
			echo "passes: $json"
			failed=yes
		}
	done <<-'END'
		{"type":"bridge","isGatway":true}
		{"type":"bridge","mtu":"big"}
		{"type":"bridge","vlan":5000}
		{"type":"bridge","isGateway":"yes"}
		{"type":"bridge","ipMasq":{"v4":1}}
		{"type":"bridge","vlanTrunk":[{"minID":0}]}
		{"type":"bridge","ipam":{"type":"host-local","subnet":5}}
		{"type":"bridge","ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0"}]]}}
		{"type":"bridge","ipam":{"type":"host-local","subnt":"10.1.0.0/24"}}
		{"type":"macvlan","mode":"twisted"}
		{"type":"firewall","ingressPolicy":"closed"}
		{"type":"tuning","sysctl":{"net.ipv4.ip_forward":1}}
		{"type":"bandwidth","unshapedSubnets":[5]}
		{}
	END
	[[ ! $failed ]]
	echo '{"cniVersion":"1.0.0","name":"x","plugins":[]}' >"$BATS_TEST_TMPDIR/x.conflist"
	run -1 checks "$BATS_TEST_TMPDIR/schema.json" "$BATS_TEST_TMPDIR/x.conflist"
	contains "$output" 'plugins: '
	for json in '.name = "two words"' '.name = ""' '.name = "_x"' '.cniVersion = "1.0"' '.cniVersion = "1.2.0"'; do
		jq -n "{cniVersion: \"1.0.0\", name: \"x\", plugins: [{type: \"loopback\"}]} | $json" >"$BATS_TEST_TMPDIR/x.conflist"
		run -1 checks "$BATS_TEST_TMPDIR/schema.json" "$BATS_TEST_TMPDIR/x.conflist"
		tool validate "$BATS_TEST_TMPDIR/x.conflist"
		((status == 1))
	done
}

@test "schema: each plugin has one, with the keys that its page documents" {
	local name key page keys failed=''

	for name in $(sed -n 's/^.*[[:space:]]X(\([a-z0-9_]*\)).*/\1/p' "$CPLUG_TOP/plugins/list.h" | tr _ -); do
		keys=$("$CPLUG_BIN/cnitool" schema "$name" | jq -r --arg n "$name" '.["$defs"][$n] | [.. | .properties? // empty | keys[]] | unique[]')
		[[ $keys ]]
		page=$CPLUG_TOP/docs/config/$name.md
		# shellcheck disable=SC2013 # keys are words
		# The last part of the path in the first column of the tables of keys.
		for key in $(awk -F'|' '/^\| key \| type/ { on = 1; next } !/^\|/ { on = 0 } on && !/^\|-/ {
			while (match($2, /`[A-Za-z0-9.]+`/)) { k = substr($2, RSTART + 1, RLENGTH - 2)
				$2 = substr($2, RSTART + RLENGTH); sub(/.*[.]/, "", k); print k } }' "$page" | sort -u); do
			grep -qx "$key" <<<"$keys" || { echo "$name: $key is missing" && failed=yes; }
		done
	done
	[[ ! $failed ]]
	tool schema nonsense
	((status == 2))
	[[ $output == *"there is no plugin nonsense (one of bridge, "* ]]
}
