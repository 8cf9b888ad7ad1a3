#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cnitool: the verbs of the reference's cnitool, and behaviour that is expected of a runtime
load lib
load cnitool

BRIDGE='{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","isGateway":true,
	"capabilities":{"ips":true,"mac":true},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}}]}'

# Two fake plugins append each call to CALLS.  Keys of their configuration: "fail" (verbs that
# fail), "result", "sleep" (seconds in ADD), "makes" (ADD creates the interface).
prepare() {
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$BATS_TEST_TMPDIR/plugins:$CPLUG_BIN
	CALLS=$BATS_TEST_TMPDIR/calls
	mkdir -p "$NETCONFPATH" "$BATS_TEST_TMPDIR/plugins"
	cat >"$BATS_TEST_TMPDIR/plugins/one" <<-PLUGIN
		#!/usr/bin/env bash
		request=\$(cat)
		jq -nc --argjson request "\$request" '{plugin: "'"\${0##*/}"'", command: env.CNI_COMMAND,
			id: env.CNI_CONTAINERID, netns: env.CNI_NETNS, ifname: env.CNI_IFNAME,
			args: env.CNI_ARGS, path: env.CNI_PATH, request: \$request}' >>'$CALLS'
		ask() { jq -r "\$1" <<<"\$request"; }
		[[ \$(ask '.makes // empty') && \$CNI_COMMAND == ADD ]] &&
			nsenter --net="\$CNI_NETNS" ip link add "\$CNI_IFNAME" type veth peer name peer
		[[ \$(ask '.makes // empty') && \$CNI_COMMAND == DEL && -e \$CNI_NETNS ]] &&
			nsenter --net="\$CNI_NETNS" ip link del "\$CNI_IFNAME" 2>/dev/null
		if [[ " \$(ask '.fail // empty') " == *" \$CNI_COMMAND "* ]]; then
			jq -nc '{cniVersion: "1.0.0", code: 113, msg: "made to fail", details: "as told"}'
			exit 1
		fi
		[[ \$CNI_COMMAND != ADD ]] || sleep "\$(ask '.sleep // 0')"
		[[ \$CNI_COMMAND != ADD ]] || ask '.result // .prevResult // {cniVersion: .cniVersion}'
		exit 0
	PLUGIN
	chmod +x "$BATS_TEST_TMPDIR/plugins/one"
	cp "$BATS_TEST_TMPDIR/plugins/one" "$BATS_TEST_TMPDIR/plugins/two"
}

# fakes FILTER - configures the network "fake" of the two plugins, changed by FILTER (jq)
fakes() {
	net "$(jq -c "$1" <<<'{"cniVersion":"1.0.0","name":"fake","plugins":[{"type":"one"},{"type":"two"}]}')"
}

# refused STATUS PATTERN - asserts that the last call failed with one line on stderr
refused() {
	is "$status" "$1"
	contains "$errors" "$2"
	is "$(wc -l <<<"$errors")" 1
	is "$output" ''
}

# calls FILTER - prints FILTER (jq) of all calls of the fake plugins, on one line
calls() (
	set -o pipefail
	[[ -e $CALLS ]] || return 0
	jq -r "$1" "$CALLS" | paste -sd ' '
)

# sleeps PID - true if the process has executed sleep
sleeps() {
	[[ $(tr '\0' ' ' <"/proc/$1/cmdline") == 'sleep '* ]]
}

cached() {
	ls /var/lib/cni/results
}

# ---- add, check, del -------------------------------------------------------

@test "cnitool: add prints the result, check succeeds, del leaves nothing" {
	net "$BRIDGE"
	new_netns warmup c1
	tool add net1 warmup
	tool del net1 warmup
	del_netns warmup
	remember
	tool add net1 c1
	ok
	has '.ips == [{interface: 2, address: "10.1.0.3/24", gateway: "10.1.0.1"}]'
	is "$(addresses c1 eth0)" 10.1.0.3/24
	is "$(head -n 2 <<<"$output" | tail -n 1)" '    "cniVersion": "1.0.0",'
	is "$(tail -c 2 "$BATS_TEST_TMPDIR/out" | od -An -c | tr -d ' ')" '}\n'
	is "$(cached)" "net1-cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20)-eth0"
	tool check net1 c1
	ok
	is "$output" ''
	in_ns c1 ip link del eth0
	tool check net1 c1
	is "$status" 1
	contains "$output" '^eth0 of cnitool-[0-9a-f]* on network net1 differs: interface eth0: present \(is: nothing\)$'
	is "$errors" 'cnitool: 1 difference (check --repair repairs)'
	tool del net1 c1
	ok
	is "$output" ''
	assert_same_snapshot
	tool del net1 c1
	ok
}

@test "cnitool: the namespace may be a path, a name or a PID" {
	local pid

	net "$BRIDGE"
	new_netns c1
	nsenter --net=/run/netns/c1 sleep 100 3>&- &
	pid=$!
	wait_for "the process" sleeps $pid
	tool add net1 c1
	ok
	tool del net1 /run//netns/../netns/c1
	ok
	prints '' cached
	(cd /run && tool add net1 netns/c1 -i eth1)
	is "$(addresses c1 eth1)" 10.1.0.3/24
	tool del net1 c1 -i eth1
	prints '' cached
	tool add net1 $pid
	ok
	has '.interfaces[2].sandbox | test("^/proc/[0-9]+/ns/net$")'
	kill $pid
	del_netns c1
	tool del net1 $pid
	ok
	prints '' cached
}

@test "cnitool: takes the reference's environment variables, which options override" {
	[[ $CPLUG_BIN != */valgrind/* ]] || skip "valgrind's wrappers find the plugins elsewhere"
	fakes '.plugins[0].capabilities = {a: true, b: false} | .plugins[1].capabilities = {b: true}'
	new_netns c1
	CNI_ARGS='K=V;A=B' CAP_ARGS='{"a":1,"b":[2]}' CNI_IFNAME=net7 tool add fake c1
	ok
	is "$(calls '.command, .ifname, .args, .netns, .path')" \
		"ADD net7 K=V;A=B /run/netns/c1 $CNI_PATH ADD net7 K=V;A=B /run/netns/c1 $CNI_PATH"
	is "$(calls '.request.runtimeConfig | tojson')" '{"a":1} {"b":[2]}'
	rm "$CALLS"
	# DEL gets the same arguments from the cache.
	tool del fake c1 --ifname=net7
	ok
	is "$(calls '.plugin, .command, .args')" 'two DEL K=V;A=B one DEL K=V;A=B'
	is "$(calls '.request.runtimeConfig | tojson')" '{"b":[2]} {"a":1}'
	rm "$CALLS"
	tool add fake c1 --id me -i e0 --args X=Y --cap-args '{"b":3}' --cache-dir "$BATS_TEST_TMPDIR/cache"
	ok
	is "$(calls '.id, .ifname, .args')" 'me e0 X=Y me e0 X=Y'
	is "$(ls "$BATS_TEST_TMPDIR/cache/results")" fake-me-e0
	is "$errors" ''
	tool add fake c1 -i e1 --cap-args '{"b":3,"bandwith":{}}'
	ok
	contains "$errors" 'no plugin of network "fake" gets bandwith, because none declares it in "capabilities"'
	is "$(wc -l <<<"$errors")" 1
	mkdir "$BATS_TEST_TMPDIR/other"
	tool add fake c1 --net-conf-path "$BATS_TEST_TMPDIR/other"
	refused 1 'no net configurations found in .*/other'
	tool add fake c1 --cni-path /nowhere
	refused 1 'plugin type="one" name="fake" failed \(add\): failed to find plugin "one" in path \[/nowhere\]'
	tool add fake c1 --args K
	refused 2 'expected KEY=VALUE;KEY=VALUE, got "K"'
	CNI_ARGS=K tool add fake c1
	refused 1 'expected KEY=VALUE;KEY=VALUE, got "K"'
	tool add fake c1 --cap-args '[]'
	refused 2 'expected a JSON object'
	CAP_ARGS='[]' tool add fake c1
	refused 1 'expected a JSON object'
}

@test "cnitool: -p, --ip and --mac become capability arguments" {
	fakes '.plugins[0].capabilities = {portMappings: true} | .plugins[1].capabilities = {ips: true, mac: true}'
	new_netns c1
	tool add fake c1 -p 8080:80 -p '[::1]:53-54:5353-5354/udp' --ip 10.0.0.5 --ip fd00::5/64 --mac 02-00-00-00-00-0A
	ok
	is "$(calls '.request.runtimeConfig | tojson')" "$(jq -nc '{portMappings: [
		{containerPort: 80, hostPort: 8080, protocol: "tcp"},
		{containerPort: 5353, hostIP: "::1", hostPort: 53, protocol: "udp"},
		{containerPort: 5354, hostIP: "::1", hostPort: 54, protocol: "udp"}]}') $(
		jq -nc '{ips: ["10.0.0.5", "fd00::5/64"], mac: "02:00:00:00:00:0a"}')"
}

@test "cnitool: options without a plugin that declares the capability are rejected before any call" {
	fakes .
	new_netns c1
	tool add fake c1 -p 80:80
	refused 1 '^cnitool: -p cannot be honoured: no plugin of network "fake" declares the capability portMappings'
	tool add fake c1 --ip 10.0.0.1
	refused 1 'declares the capability ips'
	tool add fake c1 --mac 02:00:00:00:00:01
	refused 1 'declares the capability mac'
	fakes '.plugins[0].capabilities = {portMappings: true}'
	tool add fake c1 -p 80
	refused 2 'expected \[HOSTIP:\]HOST.*, like 8080:80/tcp; ports are 1 to 65535'
	tool add fake c1 -p other=80:80
	refused 2 '"other" is none of the networks asked for'
	prints '' calls .command
}

# ---- lists -----------------------------------------------------------------

@test "cnitool: each plugin gets its configuration and the previous result" {
	fakes '.plugins[0] += {name: "lost", z: [1], result: {cniVersion: "1.0.0", ips: [{address: "10.0.0.1/8"}]}}'
	new_netns c1
	tool add fake c1
	ok
	has '.ips[0].address == "10.0.0.1/8"'
	is "$(calls 'select(.plugin == "one") | .request | tojson')" "$(jq -nc '{cniVersion: "1.0.0", name: "fake",
		result: {cniVersion: "1.0.0", ips: [{address: "10.0.0.1/8"}]}, type: "one", z: [1]}')"
	is "$(calls 'select(.plugin == "two") | .request.prevResult | tojson')" \
		'{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.1/8"}]}'
	rm "$CALLS"
	tool check fake c1
	ok
	tool del fake c1
	ok
	is "$(calls '.plugin, .command, .request.prevResult.ips[0].address')" \
		'one CHECK 10.0.0.1/8 two CHECK 10.0.0.1/8 two DEL 10.0.0.1/8 one DEL 10.0.0.1/8'
}

@test "cnitool: plugins get the previous result with DEL from version 0.4.0 on" {
	local version

	new_netns c1
	for version in 0.3.1 0.4.0; do
		fakes ".cniVersion = \"$version\" | .plugins[0].result =
			{cniVersion: \"$version\", ips: [{version: \"4\", address: \"10.0.0.1/8\"}]}"
		tool add fake c1
		ok
		rm "$CALLS"
		tool del fake c1
		ok
		is "$(calls '.command, (.request | has("prevResult"))')" \
			"$([[ $version == 0.3.1 ]] && echo DEL false DEL false || echo DEL true DEL true)"
	done
}

@test "cnitool: a result of another cniVersion is converted for the next plugin" {
	fakes '.plugins[0].result = {cniVersion: "0.4.0", ips: [{version: "4", address: "10.0.0.1/8"}]}'
	new_netns c1
	tool add fake c1
	ok
	has '.cniVersion == "1.0.0" and (.ips[0] | has("version") | not)'
	is "$(calls 'select(.plugin == "two") | .request.prevResult.cniVersion')" 1.0.0
	tool del fake c1
	fakes '.plugins[1].result = "nonsense"'
	tool add fake c1
	refused 1 'plugin type="two" name="fake" failed \(add\): '
}

@test "cnitool: reads lists, single plugins and folders; the first file with a name wins" {
	new_netns c1
	echo '{"cniVersion":"0.4.0","name":"single","type":"one"}' >"$NETCONFPATH/z.conf"
	echo '{"cniVersion":"0.4.0","name":"json","type":"two"}' >"$NETCONFPATH/a.json"
	echo '{"cniVersion":"0.4.0","name":"single","type":"two"}' >"$NETCONFPATH/zz.conf"
	net '{"cniVersions":["0.4.0","1.0.0","1.1.0","1.2.0"],"name":"folder"}' 50
	mkdir "$NETCONFPATH/folder"
	echo '{"type":"two"}' >"$NETCONFPATH/folder/20.conf"
	echo '{"type":"one"}' >"$NETCONFPATH/folder/10.conf"
	tool add single c1
	tool add json c1
	tool add folder c1
	ok
	is "$(calls '.plugin, .request.cniVersion')" 'one 0.4.0 two 0.4.0 one 1.1.0 two 1.1.0'
	is "$(jq -r '.config | @base64d' /var/lib/cni/results/json-*)" \
		'{"cniVersion":"0.4.0","name":"json","plugins":[{"cniVersion":"0.4.0","name":"json","type":"two"}]}'
	net '{"cniVersion":"1.0.0","name":"folder","loadOnlyInlinedPlugins":true}' 50
	tool add folder c1
	is "$status" 1
	contains "$errors" 'plugins: missing'
}

@test "cnitool: an invalid file is reported, and does not hide other networks" {
	fakes .
	new_netns c1
	echo '{broken' >"$NETCONFPATH/00.conflist"
	tool add fake c1
	ok
	contains "$errors" '00.conflist.*line 1'
	tool add other c1
	is "$status" 1
	contains "$errors" 'no net configuration with name "other" in .*00.conflist'
	echo '{"cniVersion": "1.0.0", "name": "other", "type": "bridge"}' >"$NETCONFPATH/01.conflist"
	tool add other c1
	is "$status" 1
	contains "$errors" '01.conflist: plugins: .*\(a single plugin belongs in a file \*\.conf\)'
	contains "$errors" 'no net configuration with name "other" in .*; 2 of its files skipped, the first: .*00.conflist'
}

@test "cnitool: check and status respect cniVersion and disableCheck" {
	new_netns c1
	fakes '.cniVersion = "0.3.1"'
	tool check fake c1
	refused 1 'configuration version "0.3.1" does not support the CHECK command'
	fakes '.disableCheck = "TRUE"'
	tool check fake c1
	ok
	tool status fake
	ok
	prints '' calls .command
	fakes '.cniVersion = "1.1.0" | .plugins[1].fail = "STATUS"'
	tool status fake
	refused 1 'made to fail; as told'
	is "$(calls '.plugin, .command, .id, .netns, .ifname')" 'one STATUS    two STATUS   '
	tool status fake c1
	is "$status" 1
}

# ---- failures and interruptions --------------------------------------------

@test "cnitool: after a failed add all plugins get DEL" {
	fakes '.plugins[1].fail = "ADD"'
	new_netns c1
	tool add fake c1
	refused 1 '^cnitool: plugin type="two" name="fake" failed \(add\): made to fail; as told$'
	is "$(calls '.plugin, .command')" 'one ADD two ADD two DEL one DEL'
	prints '' cached
}

@test "cnitool: an add whose result cannot be written is undone" {
	fakes .
	new_netns c1
	status=0
	"$CPLUG_BIN/cnitool" add fake c1 >/dev/full || status=$?
	is "$status" 1
	is "$(calls '.plugin, .command')" 'one ADD two ADD two DEL one DEL'
	prints '' cached
}

@test "cnitool: what only looks ends without a word when its reader has read enough" {
	local verb

	fakes .
	for verb in schema 'list --json' 'migrate --json'; do
		# shellcheck disable=SC2086 # several words
		{ sleep 0.2 && "$CPLUG_BIN/cnitool" $verb; } 2>"$BATS_TEST_TMPDIR/err" | true
		prints '' cat "$BATS_TEST_TMPDIR/err"
	done
}

@test "cnitool: an add that gets SIGTERM is undone" {
	local pid

	fakes '.plugins[1].sleep = 100'
	new_netns c1
	"$CPLUG_BIN/cnitool" add fake c1 3>&- &
	pid=$!
	wait_for "the second plugin" grep -q '"two"' "$CALLS"
	kill $pid
	status=0
	wait $pid || status=$?
	is "$status" 1
	is "$(calls '.plugin, .command')" 'one ADD two ADD two DEL one DEL'
	prints '' cached
}

@test "cnitool: an add that was killed is undone by the next add, and by gc" {
	local pid

	fakes '.plugins[0].makes = true | .plugins[1].sleep = 100'
	new_netns c1
	for verb in 'add fake c1' 'gc fake'; do
		rm -f "$CALLS"
		"$CPLUG_BIN/cnitool" add fake c1 3>&- &
		pid=$!
		wait_for "the second plugin" grep -q '"two"' "$CALLS"
		kill -9 $pid
		wait $pid || :
		tool list fake
		contains "$output" '\(unfinished\)'
		in_ns c1 ip link del eth0
		[[ $verb != gc* ]] || end_netns c1
		fakes '.plugins[0].makes = true'
		# shellcheck disable=SC2086 # words
		tool $verb
		ok
		contains "$(calls '.plugin, .command')" 'one ADD two ADD two DEL one DEL'
		[[ $verb == gc* ]] || tool del fake c1
		prints '' cached
		fakes '.plugins[0].makes = true | .plugins[1].sleep = 100'
	done
}

@test "cnitool: results and leases stay where they are when their disk becomes read-only" {
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run

	mkdir -m 700 "$XDG_RUNTIME_DIR"
	net "$BRIDGE"
	new_netns c1 c2
	tool add net1 c1
	ok
	mount --bind /var/lib/cni /var/lib/cni
	mount -o remount,bind,ro /var/lib/cni
	tool add net1 c2
	((status)) || fail "it succeeded"
	contains "$errors" '/var/lib/cni/.*[Rr]ead-only file system'
	tool list net1
	contains "$output" '/run/netns/c1'
	tool del net1 c1
	((status)) || fail "the lease is still there"
	umount /var/lib/cni
	prints '' ls "$XDG_RUNTIME_DIR"
	tool del net1 c1
	ok
	prints '' cached
	[[ ! -e /var/lib/cni/networks/net1/10.1.0.2 ]] || fail "the lease is left"
}

@test "cnitool: del waits for a plugin that a killed add has left behind" {
	local pid job

	# IPAM that does not end before it is told to.
	cat >"$BATS_TEST_TMPDIR/plugins/slow" <<-PLUGIN
		#!/usr/bin/env bash
		trap '' TERM
		[[ \$CNI_COMMAND == ADD ]] || exit 0
		touch '$BATS_TEST_TMPDIR/begun'
		until [[ -e '$BATS_TEST_TMPDIR/go' ]]; do sleep 0.02; done
		echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24"}]}'
	PLUGIN
	chmod +x "$BATS_TEST_TMPDIR/plugins/slow"
	net '{"cniVersion":"1.0.0","name":"net1","plugins":[{"type":"bridge","bridge":"br1","ipam":{"type":"slow"}}]}'
	touch "$BATS_TEST_TMPDIR/go"
	plug c1
	tool del net1 c1
	ok
	remember
	rm "$BATS_TEST_TMPDIR"/{begun,go}
	"$CPLUG_BIN/cnitool" add net1 c1 >"$BATS_TEST_TMPDIR/add" 2>&1 3>&- 4>&- &
	pid=$!
	wait_for "the IPAM plugin" test -e "$BATS_TEST_TMPDIR/begun"
	kill -9 "$pid"
	"$CPLUG_BIN/cnitool" del net1 c1 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
	job=$!
	wait_for 'a call that waits for the lock' grep -q -- '-> OFDLCK' /proc/locks
	touch "$BATS_TEST_TMPDIR/go"
	wait "$job"
	assert_same_snapshot
	prints '' cached
}

@test "cnitool: a failed add leaves an existing attachment alone" {
	net "$BRIDGE"
	new_netns c1
	tool add net1 c1
	ok
	tool add net1 c1
	refused 1 'eth0 was there before, so nothing was undone'
	tool check net1 c1
	ok
	is "$(addresses c1 eth0)" 10.1.0.2/24
}

@test "cnitool: add after the namespace was recreated frees the old lease" {
	net "$BRIDGE"
	for _ in 1 2 3; do
		new_netns c1
		tool add net1 c1
		ok
		del_netns c1
		is "$(find /var/lib/cni/networks/net1 -name '10.*' | wc -l)" 1
	done
}

@test "cnitool: add after the namespace was recreated calls DEL for the former container first" {
	fakes .
	new_netns c1
	tool add fake c1
	ok
	del_netns c1
	new_netns c1
	rm "$CALLS"
	tool add fake c1
	ok
	is "$(calls '.plugin, .command')" 'two DEL one DEL one ADD two ADD'
}

@test "cnitool: del continues after a failure, reports all failures, and keeps the cache file" {
	fakes '.plugins[].fail = "DEL"'
	new_netns c1
	tool add fake c1
	tool del fake c1
	refused 1 '^cnitool: plugin type="two" name="fake" failed \(delete\): made to fail; as told; plugin type="one" name="fake" failed \(delete\): made to fail; as told$'
	is "$(cached | wc -l)" 1
	fakes .
	tool del fake c1
	ok
	prints '' cached
}

@test "cnitool: del works with a damaged cache file, and without configuration" {
	fakes .
	new_netns c1
	tool add fake c1
	echo '{"kind":' >"/var/lib/cni/results/$(cached)"
	tool del fake c1
	ok
	prints '' cached
	tool add fake c1
	rm "$NETCONFPATH"/*.conflist
	rm "$CALLS"
	tool del fake c1
	ok
	contains "$errors" 'its configuration at the time of ADD is used'
	is "$(calls '.plugin, .command')" 'two DEL one DEL'
	prints '' cached
	tool del fake c1
	refused 1 'no net configuration'
}

@test "cnitool: rejects missing and invalid namespaces, its own, and invalid names" {
	fakes .
	tool add fake nothing
	refused 1 'there is no network namespace at /run/netns/nothing'
	touch /run/netns/file
	tool add fake file
	refused 1 '/run/netns/file.*not a namespace'
	tool add fake /proc/self/ns/net
	refused 1 'our own network namespace'
	tool add fake /proc/self/ns/mnt
	refused 1 'not a network namespace'
	tool add fake $$ -i thisnameistoolong
	refused 1 'too long'
	tool add fake $$ --id ../x
	refused 1 'invalid characters in container id'
	prints '' calls .command
}

# ---- gc, list --------------------------------------------------------------

@test "cnitool: gc deletes attachments whose namespace is gone, and calls GC with the valid ones" {
	fakes '.cniVersion = "1.1.0"'
	new_netns c1 c2
	tool add fake c1
	tool add fake c2
	end_netns c1
	rm "$CALLS"
	tool gc fake --dry-run
	ok
	is "$output" "would remove eth0 of cnitool-$(printf /run/netns/c1 | sha512sum | cut -c1-20) on network fake: its network namespace /run/netns/c1 is gone"
	prints '' calls .command
	tool gc fake --json
	ok
	has '.removed | length == 1 and .[0].netns == "/run/netns/c1"'
	has '.kept | length == 1 and .[0].netns == "/run/netns/c2"'
	is "$(calls '.plugin, .command, (.request["cni.dev/valid-attachments"] // [] | length)')" \
		'two DEL 0 one DEL 0 one GC 1 two GC 1'
	is "$(calls 'select(.command == "GC") | .request["cni.dev/valid-attachments"] == .request["cni.dev/attachments"]')" \
		'true true'
	is "$(cached | wc -l)" 1
	# Everything, as the reference does.
	tool gc fake c2 --all
	ok
	prints '' cached
}

@test "cnitool: gc respects disableGC, continues after failures, and needs no configuration" {
	fakes .
	new_netns c1 c2
	tool add fake c1
	tool add fake c2
	end_netns c1 c2
	fakes '.disableGC = true'
	tool gc
	ok
	is "$(cached | wc -l)" 2
	fakes '.plugins[0].fail = "DEL"'
	tool gc
	is "$status" 1
	is "$(grep -o 'failed to delete stale attachment' <<<"$errors" | wc -l)" 2
	fakes .
	rm "$NETCONFPATH"/*
	tool gc
	ok
	prints '' cached
}

@test "cnitool: gc respects disableGC of a network that is not configured any more" {
	fakes '.disableGC = true'
	new_netns c1
	tool add fake c1
	end_netns c1
	rm "$NETCONFPATH"/*
	tool gc
	ok
	is "$(cached | wc -l)" 1
}

@test "cnitool: list prints networks and attachments" {
	net "$BRIDGE"
	new_netns c1 c2
	tool add net1 c1
	tool add net1 c2
	del_netns c2
	tool list
	ok
	contains "$output" '^net1 +1.0.0 +bridge '
	contains "$output" '^  eth0 .* 10.1.0.2/24  /run/netns/c1$'
	contains "$output" '^  eth0 .* 10.1.0.3/24  /run/netns/c2 \(gone: cnitool gc\)$'
	tool list net1 --json
	has '.networks[0] | .name == "net1" and .plugins == ["bridge"]'
	has '.networks[0].attachments | map([.ifname, .alive, .ips[0]]) | sort == [["eth0", false, "10.1.0.3/24"], ["eth0", true, "10.1.0.2/24"]]'
	rm "$NETCONFPATH"/*
	tool list
	contains "$output" 'not configured any more'
	contains "$output" '10.1.0.2/24'
}

@test "cnitool: attach chooses the next free interface name, detach the network's only interface" {
	net "$BRIDGE"
	net "$(sed 's/net1/net2/; s/br1/br2/; s/10\.1\./10.2./' <<<"$BRIDGE")" 20
	new_netns c1
	tool add net1 c1 --id me
	tool attach net2 c1 --ip 10.2.0.77
	ok
	has '.interfaces[2].name == "eth1"'
	is "$(addresses c1 eth1)" 10.2.0.77/24
	contains "$(cached)" '^net2-me-eth1$'
	tool attach net2 c1
	is "$(addresses c1 eth2)" 10.2.0.78/24
	tool detach net2 c1
	refused 1 'choose one with -i: eth1, eth2'
	tool detach net2 c1 -i eth1
	ok
	tool detach net2 c1
	ok
	tool detach net2 c1
	refused 1 'c1 has no interface on network "net2"'
	no_link c1 eth1
	no_link c1 eth2
	is "$(addresses c1 eth0)" 10.1.0.2/24
}

# ---- output ----------------------------------------------------------------

@test "cnitool: --json prints answers and errors as JSON, -q nothing" {
	fakes '.plugins[0].fail = "ADD"'
	new_netns c1
	tool add fake c1 --json
	is "$status" 1
	has '.code == 113 and .details == "as told" and (.msg | startswith("plugin type="))'
	is "$errors" ''
	tool version --json
	has '.cniVersion == "1.1.0"'
	fakes .
	tool add fake c1 -q
	ok
	is "$output" ''
}

@test "cnitool: with --json each verb answers on success, with one document and a newline" {
	local verb

	net "$BRIDGE"
	new_netns c1
	for verb in 'add net1 c1' 'check net1 c1' 'check --repair net1 c1' 'status net1' 'list net1' restore gc version \
		'del net1 c1' 'attach net1 c1' 'detach net1 c1'; do
		# shellcheck disable=SC2086 # words
		tool $verb --json
		ok
		has 'type == "object"'
		is "$errors" ''
		is "$(tail -c 2 "$BATS_TEST_TMPDIR/out" | od -An -c | tr -d ' ')" '}\n'
	done
	tool del net1 c1 --json
	has '.network == "net1" and .ifname == "eth0" and .netns == "/run/netns/c1" and .deleted'
	tool status net1 --json
	has '.asked == false and .ready and (.notes[0] | test("1\\.0\\.0 has no STATUS"))'
}

@test "cnitool: status and gc say when the version has no STATUS and GC; the newest of cniVersions is used" {
	fakes '.cniVersion = "1.0.0"'
	tool status fake
	ok
	is "$output" ''
	contains "$errors" '^cnitool: network "fake": its cniVersion 1.0.0 has no STATUS, so no plugin was asked \(add "cniVersions": \["1.0.0", "1.1.0"\] to .*\)$'
	tool status -q fake
	is "$errors" ''
	tool gc fake
	ok
	contains "$errors" 'network "fake": its cniVersion 1.0.0 has no GC'
	prints '' calls .command
	net "$(jq -c '.name = "older"' "$NETCONFPATH/10-net.conflist")" 20-older
	tool gc
	ok
	is "$errors" 'cnitool: no plugin was asked for a GC of these networks, whose cniVersion is older than 1.1.0: fake, older (cnitool gc NET says what to do)'
	rm "$NETCONFPATH/20-older.conflist"
	fakes '.cniVersion = "1.0.0" | .cniVersions = ["0.4.0", "1.0.0", "1.1.0", "1.2.0"]'
	tool status fake
	ok
	is "$errors" ''
	is "$(calls '.command, .request.cniVersion')" 'STATUS 1.1.0 STATUS 1.1.0'
}

@test "cnitool: check prints sentences; with --json the list of differences" {
	net "$BRIDGE"
	plug c1
	in_ns c1 ip addr del 10.1.0.2/24 dev eth0
	tool check net1 c1
	is "$status" 1
	contains "$output" '^eth0 of cnitool-[0-9a-f]* on network net1 differs: address of eth0: 10\.1\.0\.2/24 \(is: nothing\)$'
	contains_not "$output$errors" '[{}]'
	contains "$errors" '^cnitool: [0-9]+ differences \(check --repair repairs\)$'
	# In one log, the sum is the last line, and no line is torn.
	run ! bash -c "$(printf "%q check net1 c1 >%q 2>&1" "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/log")"
	contains "$(tail -n 1 "$BATS_TEST_TMPDIR/log")" '^cnitool: [0-9]+ differences'
	is "$(grep -c 'cnitool: ' "$BATS_TEST_TMPDIR/log")" 1
	tool check net1 c1 --json
	is "$status" 1
	has '.network == "net1" and (.differences | length >= 2) and all(.differences[]; .plugin == "bridge" and (.object | length > 0))'
	is "$errors" ''
	tool check --repair net1 c1
	ok
	tool check net1 c1
	ok
	is "$output$errors" ''
}

@test "cnitool: options may precede the verb; ls, -V and --version" {
	net "$BRIDGE"
	plug c1
	tool --json list
	has '.networks | length == 1'
	tool --json ls net1
	has '.networks[0].attachments | length == 1'
	tool --net-conf-path /nowhere -q list
	contains_not "$output" bridge
	tool --net-conf-path=/nowhere list
	contains "$errors" 'no networks are configured in /nowhere'
	tool -i eth7 check net1 c1
	is "$status" 1
	contains "$errors" 'eth7 of '
	for option in -V --version version; do
		tool "$option"
		ok
		contains "$output" "^cnitool of cplug $(<"$CPLUG_TOP/VERSION")( \(commit [0-9a-f]{12}(-dirty)?\))?, CNI 1.1.0$"
	done
	tool --bogus list
	is "$status" 2
	tool help bogus
	is "$status" 2
	tool --json
	is "$status" 2
	tool --json bogus
	is "$status" 2
	tool --help
	ok
}

@test "cnitool: the columns of list are aligned" {
	net "$BRIDGE"
	net "$(sed 's/net1/a-network-with-a-long-name/; s/br1/br2/; s/10\.1\./10.2./' <<<"$BRIDGE")" 20
	new_netns c1 c2
	tool add -q net1 c1
	tool add -q net1 c2 --id a-container-id-that-is-longer-than-thirty-bytes
	tool list
	is "$(awk '/^ / { print index($0, "10.1.0.") }' <<<"$output" | sort -u | wc -l)" 1
	is "$(awk '/^[^ ]/ { print index($0, "bridge") }' <<<"$output" | sort -u | wc -l)" 1
}

@test "cnitool: wrong usage is an error with a hint, and each verb has help" {
	local verb

	for verb in add del check status gc attach detach run list version; do
		tool $verb --help
		ok
		contains "$output" "^usage: cnitool $verb "
		contains "$output" '  -h, --help'
		tool help $verb
		ok
		tool $verb --no-such-option
		contains "$errors" "$verb: unknown option --no-such-option: try cnitool $verb --help"
	done
	tool
	is "$status" 2
	contains "$errors" 'usage:'
	tool bogus
	is "$status" 2
	contains "$errors" 'unknown verb bogus'
	tool add fake
	refused 2 'add: expected NET NETNS'
	tool add a b c
	refused 2 'nothing more'
	tool add a b -i
	refused 2 'a value is missing after -i'
	tool gc --all=1
	refused 2 'no value belongs to --all'
}

@test "cnitool: an ordinary user can add, check, del and run in own namespaces" {
	[[ $CPLUG_BIN != */valgrind/* ]] || skip "valgrind does not know open_tree(2)"
	((EUID == 0)) || skip "needs root to become an ordinary user"
	net "$BRIDGE"
	# The plugins may be in a home that others cannot enter.
	cp -a "$CPLUG_BIN" "$BATS_TEST_TMPDIR/bin"
	export CNI_PATH=$BATS_TEST_TMPDIR/bin
	chmod -R a+rwX "$BATS_TEST_TMPDIR"
	chmod a+rx "$(dirname "$BATS_TEST_TMPDIR")" "$(dirname "$(dirname "$BATS_TEST_TMPDIR")")"
	setpriv --reuid 54321 --regid 54321 --clear-groups true || skip "cannot change the user"
	# shellcheck disable=SC2016 # the inner shell's
	XDG_RUNTIME_DIR='' setpriv --reuid 54321 --regid 54321 --clear-groups unshare -Urnm bash -c '
		set -e
		unshare -n sleep 100 3>&- &
		pid=$!
		until [[ $(readlink /proc/$pid/ns/net) != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.02; done
		"$1" add net1 $pid -q
		"$1" check net1 $pid
		ls /tmp/cplug-54321/cni/results
		ls /tmp/cplug-54321/cni/networks/net1/10.*
		"$1" del net1 $pid
		[[ ! $(ls /tmp/cplug-54321/cni/networks/net1 | grep "^10") ]]
		[[ ! $(ls /tmp/cplug-54321/cni/results) ]]
		[[ $("$1" run net1 --name web cat /etc/hostname) == web ]]
		kill $pid
	' user "$CNI_PATH/cnitool" || { rm -rf /tmp/cplug-54321 && fail "cnitool failed"; }
	rm -rf /tmp/cplug-54321
}

@test "cnitool: names that are too long for cache and lease files are rejected with the limit" {
	local long

	long=$(printf 'n%.0s' {1..230})
	net "$(jq -c --arg name "$long" '.name = $name' <<<"$BRIDGE")"
	new_netns c1
	remember
	tool add "$long" c1
	refused 1 'too long.*NETWORK-ID-IFNAME.*244 bytes, not 264'
	assert_same_snapshot
	tool add "$long" c1 --id c1
	ok
	tool del "$long" c1 --id c1
	ok
	# The plugin's own limit, for leases.
	conf=$(jq -c --arg name "$long$long" '.plugins[0] + {cniVersion, name: $name}' <<<"$BRIDGE")
	cni ADD bridge "$conf"
	failed 7 'network name is too long: 460 bytes'
	del bridge "$conf"
}

# tests/fault does this with the plugins.
@test "cnitool: an add that runs out of memory, at any allocation, reports it and is undone" {
	local n=0 step=${FAULT_STRIDE:-13} CPLUG_BIN=${CPLUG_DYNAMIC:-$CPLUG_BIN}

	[[ -e ${FAULT_TOOLS-}/alloc.so ]] || skip "needs make check-fault's tools"
	net "$BRIDGE"
	warm_up bridge "$(jq -c '.plugins[0] + {name, cniVersion}' <<<"$BRIDGE")"
	mkdir -p /var/lib/cni/results
	new_netns c1
	remember
	while n=$((n + step)) && ((n < 100000)); do
		rm -f "$BATS_TEST_TMPDIR/fired"
		LD_PRELOAD=$FAULT_TOOLS/alloc.so FAULT_ALLOC_IN=cnitool FAULT_ALLOC_AT=$n tool add net1 c1 198>"$BATS_TEST_TMPDIR/fired"
		[[ -s $BATS_TEST_TMPDIR/fired ]] || break
		((status == 0)) || contains "$errors" 'cnitool: .*[a-z]'
		((status == 0)) || assert_same_snapshot
		tool del net1 c1
		ok
		assert_same_snapshot
		LD_PRELOAD=$FAULT_TOOLS/alloc.so FAULT_ALLOC_IN=cnitool FAULT_ALLOC_AT=$n tool gc --dry-run
		((status < 2))
	done
	((n > step))
}
