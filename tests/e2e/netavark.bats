#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cplug as a netavark plugin: create, setup, teardown and info, with JSON as podman 5 sends it
#
# tests/runtimes/netavark does the same with the real podman and netavark.
# shellcheck disable=SC2030,SC2031 # each test is a subshell
load lib
load cnitool

ID=2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9
CONTAINER=752947ff91f961eb3cb47ffe9315016979f3ffbec09e4d96a4fae3fb03391697

# What `podman network create --driver cplug example` sends.
NETWORK='{"name":"example","id":"'$ID'","driver":"cplug","created":"2026-11-28T12:00:00.123456789Z",
	"subnets":[],"ipv6_enabled":false,"internal":false,"dns_enabled":true,"ipam_options":{},
	"options":{},"labels":{"a":"b"}}'

# driver COMMAND [NETNS] <<<JSON - calls the driver; sets status, output, errors and error
driver() {
	status=0
	"$CPLUG_BIN/cplug" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out")
	errors=$(cat "$BATS_TEST_TMPDIR/err")
	error=$(jq -r '.error? // empty' <<<"$output" 2>/dev/null) || error=
	printf 'cplug %s -> %d\n%s\n%s\n' "$*" "$status" "$output" "$errors"
	((status != 99)) || fail "a sanitizer reported an error"
}

# create FILTER - creates the network of podman's input, changed by FILTER (jq)
create() {
	driver create <<<"$(jq -c "$1" <<<"$NETWORK")"
}

# network FILTER - the same; sets NET to the answer, as podman keeps it
network() {
	create "$1"
	ok
	NET=$output
}

# exec_json FILTER - what netavark sends for the container c1 on network NET, changed by FILTER
exec_json() {
	jq -nc --argjson net "$NET" --arg id "$CONTAINER" '{container_id: $id, container_name: "testctr",
		port_mappings: null, network: $net,
		network_options: {aliases: ["752947ff91f9"], interface_name: "eth0", static_ips: null,
			static_mac: null, options: null}} | '"$1"
}

# up [FILTER [NETNS]], down - setup and teardown
up() {
	driver setup "/run/netns/${2-c1}" <<<"$(exec_json "${1-.}")"
}

down() {
	driver teardown "/run/netns/${2-c1}" <<<"$(exec_json "${1-.}")"
}

# refused PATTERN - asserts that the last call failed with one error object
refused() {
	is "$status" 1
	json_holds 'keys == ["error"]' <<<"$output" || fail "not one error object: $output"
	contains "$error" "$1"
}

# shows PATTERN COMMAND... - asserts that the output of COMMAND contains PATTERN
shows() {
	local pattern=$1

	shift
	contains "$("$@")" "$pattern"
}

# shows_not PATTERN COMMAND... - asserts that COMMAND succeeds, and its output lacks PATTERN
shows_not() {
	local pattern=$1 said

	shift
	said=$("$@") || fail "$* failed"
	contains_not "$said" "$pattern"
}

# A port mapping of netavark's.
PORT='{"container_port":80,"host_ip":"","host_port":8080,"protocol":"tcp","range":1}'

@test "info: the versions of driver and API" {
	driver info
	ok
	has '.api_version == "1.0.0" and (.version | test("^[0-9]"))'
	driver info more
	refused 'nothing after it'
	driver setup </dev/null
	refused 'the path of a network namespace'
	shows "the CNI plugins" "$CPLUG_BIN/cplug" --help
	run "$CPLUG_BIN/cplug" --version
	contains "$output" "^cplug $(<"$CPLUG_TOP/VERSION")( \(commit [0-9a-f]{12}(-dirty)?\))?$"
}

@test "create: completes a network, and changes nothing else" {
	network .
	has '.name == "example" and .id == "'$ID'" and .driver == "cplug" and .labels == {a: "b"}'
	has '.created == "2026-11-28T12:00:00.123456789Z"'
	has '.subnets | length == 1'
	has '.subnets[0].subnet | test("^10\\.(12[89]|1[3-9][0-9]|2[0-9]*)\\.[0-9]+\\.0/24$")'
	has '.subnets[0] | .gateway == (.subnet | sub("0/24$"; "1"))'
	has '.network_interface | test("^cp[0-9a-f]{8}$")'
	has '.ipam_options == {driver: "host-local"}'
	# aardvark-dns serves netavark's own drivers only.
	has '.dns_enabled == false and .ipv6_enabled == false'
	# Again: the same answer.
	is "$(jq -S . <<<"$NET")" "$(create . >/dev/null && jq -S . <<<"$output")"
}

@test "create: the subnet that is chosen overlaps no route and no network of podman's" {
	local p

	private_folder /etc/containers
	mkdir -p /etc/containers/networks
	# All of 10.128.0.0/9 but 10.200.6.0/23.
	for p in 128.0.0/10 192.0.0/13 224.0.0/11 208.0.0/12 204.0.0/14 202.0.0/15 201.0.0/16 200.128.0/17 \
		200.64.0/18 200.32.0/19 200.16.0/20 200.8.0/21 200.0.0/22 200.4.0/23; do
		ip route add blackhole "10.$p"
	done
	echo '{"name":"other","subnets":[{"subnet":"10.200.7.0/24"}]}' >/etc/containers/networks/other.json
	echo 'no json' >/etc/containers/networks/broken.json
	network .
	has '.subnets[0].subnet == "10.200.6.0/24"'
	ip route add blackhole 10.200.6.128/25
	create .
	refused 'no free subnet in 10.128.0.0/9: name one with --subnet'
}

@test "create: IPv6, internal, and what the user names" {
	network '.ipv6_enabled = true'
	has '[.subnets[].subnet | test(":")] == [false, true]'
	has '.subnets[1] | (.subnet | test("^fd[0-9a-f:]+::/64$")) and .gateway == (.subnet | sub("/64"; "1"))'
	network '.subnets = [{subnet: "fd00:1::/64"}]'
	has '.ipv6_enabled and (.subnets | length) == 1 and .subnets[0].gateway == "fd00:1::1"'
	network '.ipv6_enabled = true | .subnets = [{subnet: "10.9.0.0/24"}]'
	has '.subnets | length == 2 and .[0].subnet == "10.9.0.0/24"'
	network '.internal = true'
	has '.internal and (.subnets[0] | has("gateway") | not)'
	network '.subnets = [{subnet: "10.9.0.5/24", gateway: "10.9.0.9", lease_range: {start_ip: "10.9.0.100", end_ip: "10.9.0.200"}}] |
		.network_interface = "web0"'
	has '.network_interface == "web0"'
	has '.subnets == [{subnet: "10.9.0.0/24", gateway: "10.9.0.9", lease_range: {start_ip: "10.9.0.100", end_ip: "10.9.0.200"}}]'
	# Name servers that the user names are those of the containers.
	network '.network_dns_servers = ["9.9.9.9"]'
	has '.dns_enabled and .network_dns_servers == ["9.9.9.9"]'
	network '.ipam_options.driver = "none"'
	has '.subnets == []'
	world
	network '.options = {mode: "macvlan", parent: "uplink"}'
	has '.subnets == [] and .ipam_options.driver == "dhcp" and .network_interface == "uplink"'
}

@test "create: a subnet that is in use is refused" {
	world
	create '.subnets = [{subnet: "203.0.113.0/25"}]'
	refused 'subnets\[0\].subnet: 203.0.113.0/25 overlaps 203.0.113.0/24, which a link of the host'
	# A prefix that is routed elsewhere is not.
	ip route add 10.0.0.0/8 via 203.0.113.2
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	# A parent that is not there.
	create '.options = {mode: "macvlan", parent: "nosuch"} | .subnets = [{subnet: "203.0.113.0/24"}]'
	refused 'network_interface: there is no interface nosuch on the host'
	# The parent's subnet is what macvlan wants.
	network '.options = {mode: "macvlan", parent: "uplink"} | .subnets = [{subnet: "203.0.113.0/24"}]'
	# The network's own bridge is there, because it is created again.
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	up
	ok
	network '.subnets = [{subnet: "10.1.0.0/24"}] | .network_interface = "'"$(jq -r .network_interface <<<"$NET")"'"'
}

@test "create: every wrong value is one sentence that names the key" {
	local filter pattern

	while IFS=@ read -r filter pattern; do
		create "$filter"
		refused "$pattern"
	done <<-'END'
		.options.foo = "1"@^options.foo: is no option of a bridge network, which has bandwidth, dad, .*vlan_trunk
		.options = {mode: "macvlan", vlan: "3"}@^options.vlan: is no option of a macvlan network, which has bandwidth, bcqueuelen
		.options.mode = "ipvlan"@^options.mode: expected bridge.macvlan, got "ipvlan"
		.options.mtu = "big"@^options.mtu: expected a number from 68 to 65535, got "big"
		.options.mtu = "70000"@^options.mtu: expected a number
		.options.mtu = 1400@^options.mtu: .*1400
		.options.vlan = "4095"@^options.vlan: expected a number from 1 to 4094, got "4095"
		.options.vlan_trunk = "10,5000"@^options.vlan_trunk: expected VLANs from 1 to 4094
		.options.vlan_trunk = "20-10"@^options.vlan_trunk: expected VLANs
		.options.vlan_trunk = "10,"@^options.vlan_trunk: expected VLANs
		.options.isolate = "strict"@^options.isolate: expected true, false or "containers", got "strict"
		.options.macspoofchk = "on"@^options.macspoofchk: expected true.false.strict, got "on"
		.options.bandwidth = "fast"@^options.bandwidth: expected bits per second, like 50M or 1G, got "fast"
		.options.host_interface_name = "a/b"@^options.host_interface_name: expected the name of an interface
		.options.dns_search = "a\nnameserver 192.0.2.1"@^options.dns_search: expected a list .*without white space
		.options.dns_search = "a,b\u007f"@^options.dns_search: expected a list
		.options = {mode: "macvlan", macvlan_mode: "priv"}@^options.macvlan_mode: expected bridge.private
		.options = {mode: "macvlan", macvlan_mode: "vepa "}@^options.macvlan_mode: expected bridge.private
		.options = {mode: "macvlan", parent: "a"} | .network_interface = "b"@network_interface: b and the option parent \(a\) differ
		.options = {mode: "macvlan"} | .ipam_options.driver = "host-local"@^subnets: missing: name the parent's subnet
		.name = "../x"@^name: expected letters.*got "../x"
		.id = ""@^id: expected letters
		.network_interface = "averylonginterface"@^network_interface: interface name is too long
		.ipam_options.driver = "cloud"@ipam_options.driver: .*cloud
		.ipam_options.leases = "9"@^ipam_options.leases: is no option of IPAM
		.subnets = [{subnet: "10.1.0.0/31"}]@^subnets\[0\].subnet: 10.1.0.0/31 has no room
		.subnets = [{subnet: "10.1.0.0"}]@^subnets\[0\].subnet: .*10.1.0.0
		.subnets = [{}]@^subnets\[0\].subnet: missing
		.subnets = [{subnet: "10.1.0.0/24", gateway: "10.2.0.1"}]@^subnets\[0\].gateway: 10.2.0.1 is not in the subnet 10.1.0.0/24
		.subnets = [{subnet: "10.1.0.0/24", lease_range: {start_ip: "10.2.0.1"}}]@lease_range.start_ip: 10.2.0.1 is not in
		.subnets = [{subnet: "10.1.0.0/24"}, {subnet: "10.1.0.0/25"}]@subnets\[1\].subnet: 10.1.0.0/25 overlaps 10.1.0.0/24
		.ipam_options.driver = "none" | .subnets = [{subnet: "10.1.0.0/24"}]@no subnet belongs to the IPAM driver none
		.routes = [{destination: "10.7.0.0/16", route_type: "blackhole"}]@^routes\[0\].route_type: only unicast
		.routes = [{gateway: "10.7.0.1"}]@^routes\[0\].destination: expected a prefix
	END
	driver create <<<'[]'
	refused 'input'
	driver create <<<'{'
	refused 'cannot parse'
	# All mistakes at once.
	create '.options = {mtu: "x", foo: "y"}'
	refused 'options.mtu: .*; options.foo: '
	# What the plugins refuse is refused here, not at the first container.
	create '.options = {mode: "macvlan", source_macs: "02:00:00:00:00:01"} | .network_interface = "eth1"'
	refused '^options.source_macs: allowed only with mode source$'
}

@test "setup: the answer, and a container that reaches the world" {
	world
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	up
	ok
	has 'keys == ["dns_search_domains", "dns_server_ips", "interfaces"]'
	has '.interfaces | keys == ["eth0"]'
	has '.interfaces.eth0.subnets == [{ipnet: "10.1.0.2/24", gateway: "10.1.0.1"}]'
	has '.interfaces.eth0.mac_address == "'"$(in_ns c1 ip -j link show dev eth0 | jq -r '.[0].address')"'"'
	has '.dns_server_ips == [] and .dns_search_domains == []'
	link c1 eth0 '.operstate == "UP"'
	sees c1 10.1.0.1
	sees c1 203.0.113.2
	shows ' bridge ' ip -d link show dev "$(jq -r .network_interface <<<"$NET")"
	shows 'metric 100' in_ns c1 ip route show default
	down
	ok
	is "$output" ''
	no_link c1 eth0
}

@test "setup: nothing is left after teardown, which may come twice, and without the namespace" {
	network '.subnets = [{subnet: "10.1.0.0/24"}, {subnet: "fd00:1::/64"}]'
	sysctl_set net.ipv4.ip_forward 1
	new_netns c1
	up
	down
	remember
	up ".port_mappings = [$PORT]"
	ok
	assert_other_snapshot
	down ".port_mappings = [$PORT]"
	ok
	assert_same_snapshot
	down ".port_mappings = [$PORT]"
	ok
	assert_same_snapshot
	up ".port_mappings = [$PORT]"
	ok
	del_netns c1
	down ".port_mappings = [$PORT]"
	ok
	new_netns c1
	assert_same_snapshot
}

@test "setup: a failure leaves nothing" {
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	up
	down
	remember
	up '.network_options.static_ips = ["10.1.0.1"]'
	refused 'network_options.static_ips\[0\]: 10.1.0.1 is the gateway of network example'
	up '.network.network_interface = "lo"'
	refused 'lo'
	assert_same_snapshot
	up '.network_options.static_ips = ["10.2.0.1"]'
	refused 'network_options.static_ips\[0\]: 10.2.0.1 is in no subnet of network example'
	up '.network.options.foo = "bar"'
	refused 'network.options.foo: is no option'
	up '.network_options.options = {foo: "bar"}'
	refused 'network_options.options.foo: is no option'
	up . nowhere
	refused 'no network namespace at /run/netns/nowhere'
	driver setup /proc/self/ns/net <<<"$(exec_json .)"
	refused 'our own network namespace'
	# The answer cannot be written.
	status=0
	exec_json . | "$CPLUG_BIN/cplug" setup /run/netns/c1 >/dev/full 2>/dev/null || status=$?
	is "$status" 1
	assert_same_snapshot
}

@test "setup: a failure beside a living container leaves no bridge that it made, and no address" {
	local more

	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1 c2
	up ".port_mappings = [$PORT]"
	ok
	# Without a port nothing of the network uses its bridge, and the next setup finds it.
	remember
	for more in '' '| .network.options.vlan = "5"'; do
		[[ ! $more ]] || has_vlan_filtering || continue
		# It fails after the bridge and the gateway were made.
		up ".container_id = \"c2\" | .network.network_interface = \"other0\" | .port_mappings = [$PORT]
			| .network.subnets = [{subnet: \"10.8.0.0/24\"}] $more" c2
		refused 'host port 8080/tcp: it belongs to'
		assert_same_snapshot
	done
	up ".container_id = \"c2\" | .port_mappings = [$PORT]" c2
	refused 'host port 8080/tcp: it belongs to'
	assert_same_snapshot
	down ".port_mappings = [$PORT]"
}

@test "setup: killed at any change, teardown leaves nothing; stopped there, setup leaves nothing itself" {
	local n

	network '.subnets = [{subnet: "10.1.0.0/24"}] | .options.bandwidth = "50M"'
	sysctl_set net.ipv4.ip_forward 1
	new_netns c1
	up ".port_mappings = [$PORT]"
	ok
	down ".port_mappings = [$PORT]"
	remember
	for ((n = 1; n < 20; n++)); do
		CNI_TEST_FAIL_AT=$n up ".port_mappings = [$PORT]"
		((status)) || break
		refused 'made to fail'
		assert_same_snapshot
		CNI_TEST_CRASH_AT=$n up ".port_mappings = [$PORT]"
		down ".port_mappings = [$PORT]"
		ok
		assert_same_snapshot
	done
	((n > 3)) || fail "$n steps"
	# The driver itself is killed.
	for n in 0.002 0.005 0.01 0.02; do
		exec_json ".port_mappings = [$PORT]" | timeout -s KILL "$n" "$CPLUG_BIN/cplug" setup /run/netns/c1 || :
		down ".port_mappings = [$PORT]"
		ok
		assert_same_snapshot
	done
}

@test "many at once: setup and teardown leave nothing" {
	local i

	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	sysctl_set net.ipv4.ip_forward 1
	for i in 1 2 3 4 5 6; do
		new_netns "c$i"
		exec_json ".container_id = \"c$i\" | .port_mappings = [$PORT | .host_port = 8080 + $i]" >"$BATS_TEST_TMPDIR/c$i.json"
	done
	driver setup /run/netns/c1 <"$BATS_TEST_TMPDIR/c1.json"
	driver teardown /run/netns/c1 <"$BATS_TEST_TMPDIR/c1.json"
	remember
	for i in 1 2 3 4 5 6; do
		(
			for _ in 1 2 3; do
				"$CPLUG_BIN/cplug" setup "/run/netns/c$i" <"$BATS_TEST_TMPDIR/c$i.json" >/dev/null &&
					"$CPLUG_BIN/cplug" teardown "/run/netns/c$i" <"$BATS_TEST_TMPDIR/c$i.json" || echo "c$i"
			done
		) >"$BATS_TEST_TMPDIR/c$i.failed" 2>&1 3>&- &
	done
	wait
	is "$(cat "$BATS_TEST_TMPDIR"/*.failed)" ''
	assert_same_snapshot
}

@test "setup and teardown: an empty path is refused" {
	network .
	for verb in setup teardown; do
		driver $verb '' <<<"$NET"
		is "$status" 1
		is "$error" "$verb: expected the path of a network namespace after it"
	done
	for verb in add del check; do
		tool $verb net1 ''
		is "$status" 2
		contains "$errors" "$verb: operand 2 is empty"
	done
}

@test "setup: names that podman's user writes are not believed" {
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	remember
	local filter

	while read -r filter; do
		up "$filter"
		refused .
	done <<-'END'
		.network.name = "../../../etc"
		.network.name = "a/b"
		.network.name = ""
		.network.id = "../x"
		.network.network_interface = "../br"
		.network.network_interface = "a b"
		.container_id = "../c1"
		.container_id = ""
		.network_options.interface_name = "../eth0"
		.network_options.interface_name = ""
		.network_options.interface_name = "eth0/x"
		.network_options.static_mac = "02:00"
		.network_options.static_ips = ["10.1.0.300"]
		.network.subnets = [{subnet: "10.1.0.0/24", gateway: "10.1.0.1/../"}]
		.network.options.parent = "lo"
		.network.plugins = 1 | .network.subnets = "10.1.0.0/24"
		.port_mappings = [{container_port: 80, host_port: 8080, host_ip: "1.2.3", protocol: "tcp", range: 1}]
		.port_mappings = [{container_port: 80, host_port: 8080, host_ip: "", protocol: "icmp", range: 1}]
		.port_mappings = [{container_port: 80, host_port: 65530, host_ip: "", protocol: "tcp", range: 10}]
		.port_mappings = [{container_port: 80, host_ip: "", protocol: "tcp", range: 1}]
		.port_mappings = [{container_port: 80, host_port: 0, host_ip: "", protocol: "tcp", range: 1}]
	END
	assert_same_snapshot
	# A folder of cnitool's networks has no say.
	private_folder /etc/cni
	mkdir -p /etc/cni/net.d/example
	echo '{"type":"nothing"}' >/etc/cni/net.d/example/10.conf
	up
	ok
}

@test "setup: ports with ranges, host addresses and protocols" {
	world
	network '.subnets = [{subnet: "10.1.0.0/24"}, {subnet: "fd00:1::/64"}]'
	new_netns c1
	up '.port_mappings = [
		{container_port: 80, host_ip: "", host_port: 8080, protocol: "tcp", range: 1},
		{container_port: 81, host_ip: "127.0.0.1", host_port: 8081, protocol: "tcp", range: 1},
		{container_port: 90, host_ip: "", host_port: 8090, protocol: "tcp", range: 3},
		{container_port: 53, host_ip: "203.0.113.1", host_port: 5353, protocol: "tcp,udp", range: 1},
		{container_port: 82, host_ip: "", host_port: 8082, protocol: "", range: 0}]'
	ok
	tcp_answer c1 80 'port 80'
	tcp_answer c1 81 'port 81'
	tcp_answer c1 92 'port 92'
	tcp_answer c1 53 'port 53'
	udp_answer c1 53 'udp 53'
	tcp_answer c1 82 'port 82'
	contains "$(ask world tcp 203.0.113.1 8080)" 'port 80 from 203.0.113.2'
	contains "$(ask world tcp 2001:db8:113::1 8080)" 'port 80 from'
	contains "$(ask world tcp 203.0.113.1 8092)" 'port 92'
	contains "$(ask world tcp 203.0.113.1 8082)" 'port 82'
	contains "$(ask world tcp 203.0.113.1 5353)" 'port 53'
	contains "$(ask world udp 203.0.113.1 5353)" 'udp 53'
	ask_in_vain world tcp 203.0.113.1 8081
}

@test "setup: static addresses and MAC" {
	network '.subnets = [{subnet: "10.1.0.0/24"}, {subnet: "fd00:1::/64"}]'
	new_netns c1
	up '.network_options |= (.static_ips = ["fd00:1::50", "10.1.0.50"] | .static_mac = "aa:bb:cc:dd:aa:00" |
		.interface_name = "net7")'
	ok
	has '.interfaces.net7.mac_address == "aa:bb:cc:dd:aa:00"'
	has '[.interfaces.net7.subnets[].ipnet] | sort == ["10.1.0.50/24", "fd00:1::50/64"]'
	is "$(addresses c1 net7)" '10.1.0.50/24 fd00:1::50/64'
	new_netns c2
	up '.container_id = "c2" | .network_options.static_ips = ["10.1.0.50", "fd00:1::51"]' c2
	refused '10.1.0.50'
	# podman leases the addresses itself, and may give several of a subnet.
	up '.container_id = "c2" | .network_options.static_ips = ["10.1.0.52", "10.1.0.53", "fd00:1::52"]' c2
	ok
	is "$(addresses c2 eth0)" '10.1.0.52/24 10.1.0.53/24 fd00:1::52/64'
	is "$(find /var/lib/cni/networks -name '10.*')" ''
	# A network with no gateway has its first address to lease.
	network '.subnets = [{subnet: "10.2.0.0/24"}] | .internal = true | .name = "two" | .id = "22"'
	new_netns c3
	up '.container_id = "c3" | .network_options.static_ips = ["10.2.0.1"]' c3
	ok
	has '.interfaces.eth0.subnets == [{ipnet: "10.2.0.1/24"}]'
}

@test "setup: podman itself holds the ports" {
	world
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	cp "$(type -P socat)" "$BATS_TEST_TMPDIR/podman"
	"$BATS_TEST_TMPDIR/podman" TCP4-LISTEN:8080,fork - </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the socket of podman" grep -q ':1F90 ' /proc/net/tcp
	up ".port_mappings = [$PORT]"
	ok
	tcp_answer c1 80 'the page'
	contains "$(ask world tcp 203.0.113.1 8080)" 'the page'
}

@test "setup: lease range, routes, metric, DNS" {
	network '.subnets = [{subnet: "10.1.0.0/24", gateway: "10.1.0.9", lease_range: {start_ip: "10.1.0.100", end_ip: "10.1.0.110"}}] |
		.routes = [{destination: "10.7.0.0/16", gateway: "10.1.0.7", metric: 7}, {destination: "10.8.0.0/16", gateway: "10.1.0.8"}] |
		.options = {metric: "50", dns_search: "example.com,example.org"} |
		.network_dns_servers = ["9.9.9.9", "fd00::53"]'
	new_netns c1
	up
	ok
	has '.interfaces.eth0.subnets == [{ipnet: "10.1.0.100/24", gateway: "10.1.0.9"}]'
	has '.dns_server_ips == ["9.9.9.9", "fd00::53"]'
	has '.dns_search_domains == ["example.com", "example.org"]'
	shows '^default via 10.1.0.9 dev eth0 metric 50' in_ns c1 ip route
	shows '^10.7.0.0/16 via 10.1.0.7 dev eth0 metric 7' in_ns c1 ip route
	shows '^10.8.0.0/16 via 10.1.0.8 dev eth0 metric 100' in_ns c1 ip route
	down
	network '.subnets = [{subnet: "10.2.0.0/24"}] | .options.no_default_route = "true"'
	up
	ok
	shows_not 'default' in_ns c1 ip route
}

@test "setup: --internal reaches neither the host nor the world, and publishes nothing" {
	world
	network '.subnets = [{subnet: "10.1.0.0/24"}] | .internal = true'
	new_netns c1
	new_netns c2
	up ".port_mappings = [$PORT]"
	ok
	has '.interfaces.eth0.subnets == [{ipnet: "10.1.0.2/24"}]'
	up '.container_id = "c2"' c2
	ok
	sees c1 10.1.0.3
	sees_not c1 203.0.113.2
	shows_not default in_ns c1 ip route
	tcp_answer c1 80 inner
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "setup: options of bridge" {
	network '.subnets = [{subnet: "10.1.0.0/24"}] | .network_interface = "br1" |
		.options = {mtu: "1400", port_isolation: "true", hairpin: "true", macspoofchk: "strict", bandwidth: "50M",
			masquerade: "false", promisc: "0", host_interface_name: "vethweb", dad: "1", firewall: "nftables"}'
	new_netns c1
	up
	ok
	link c1 eth0 '.mtu == 1400'
	ip -d -j link show dev vethweb | json_holds '.[0].linkinfo.info_slave_data | .isolated and .hairpin'
	shows 'rate 50Mbit' tc qdisc show dev vethweb
	shows 'guards|spoof|ether saddr' nft list table bridge cplug
	shows_not masquerade nft list ruleset
	down
	ok
	# Options of a container count more.
	up '.network_options.options = {mtu: "1300", host_interface_name: "vethtwo", ingress: "1G", egress: "10M"}'
	ok
	link c1 eth0 '.mtu == 1300'
	shows 'rate 1Gbit' tc qdisc show dev vethtwo
	down
	ok
}

@test "setup: VLANs" {
	has_vlan_filtering || skip "this kernel has no VLAN filtering"
	network '.subnets = [{subnet: "10.1.0.0/24"}] | .options = {vlan: "100", vlan_trunk: "7,10-12"}'
	new_netns c1
	up
	ok
	bridge -j vlan show | json_holds '[.[] | select(.ifname | startswith("veth")).vlans[] | .vlan] | index(100) and index(7) and index(10)'
	ip link show dev "$(jq -r .network_interface <<<"$NET").100"
	sees c1 10.1.0.1
	down
	ok
}

@test "setup: isolated networks do not reach each other" {
	network '.subnets = [{subnet: "10.1.0.0/24"}] | .options.isolate = "true"'
	new_netns c1
	up
	ok
	network '.subnets = [{subnet: "10.2.0.0/24"}] | .options.isolate = "true" | .name = "two" | .id = "22"'
	new_netns c2
	up '.container_id = "c2"' c2
	ok
	network '.subnets = [{subnet: "10.3.0.0/24"}] | .name = "three" | .id = "33"'
	new_netns c3
	up '.container_id = "c3"' c3
	ok
	sees_not c1 10.2.0.2
	sees c1 10.3.0.2
	network '.subnets = [{subnet: "10.4.0.0/24"}] | .options.isolate = "containers" | .name = "four" | .id = "44"'
	new_netns c4
	new_netns c5
	up '.container_id = "c4"' c4
	ok
	up '.container_id = "c5"' c5
	ok
	sees_not c4 10.4.0.3
	sees c4 10.4.0.1
}

@test "setup: macvlan, and no addresses at all" {
	world
	network '.options = {mode: "macvlan", parent: "uplink", mtu: "1400", macvlan_mode: "private", bandwidth: "10M"} |
		.subnets = [{subnet: "203.0.113.0/24", gateway: "203.0.113.2", lease_range: {start_ip: "203.0.113.100"}}]'
	new_netns c1
	up ".port_mappings = [$PORT]"
	ok
	has '.interfaces.eth0.subnets == [{ipnet: "203.0.113.100/24", gateway: "203.0.113.2"}]'
	link c1 eth0 '.linkinfo.info_kind == "macvlan" and .linkinfo.info_data.mode == "private" and .mtu == 1400'
	sees c1 203.0.113.2
	down
	ok
	network '.ipam_options.driver = "none"'
	up
	ok
	has '.interfaces.eth0.subnets == []'
	is "$(addresses c1 eth0)" ''
	down
	ok
}

@test "several networks: the first publishes the ports, and the next takes over" {
	world
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	one=$NET
	up ".port_mappings = [$PORT]"
	ok
	network '.subnets = [{subnet: "10.2.0.0/24"}] | .name = "two" | .id = "22"'
	two=$NET
	# As `podman network connect` to a running container.
	up ".port_mappings = [$PORT] | .network_options.interface_name = \"eth1\""
	ok
	tcp_answer c1 80 'the page'
	contains "$(ask world tcp 203.0.113.1 8080)" 'the page'
	in_ns c1 ip route | grep -c ^default | grep -qx '[12]'
	NET=$one
	down ".port_mappings = [$PORT]"
	ok
	is "$errors" ''
	no_link c1 eth0
	contains "$(ask world tcp 203.0.113.1 8080)" 'the page'
	# Another container does not get the port.
	new_netns c2
	up ".port_mappings = [$PORT] | .container_id = \"c2\"" c2
	refused '8080'
	NET=$two
	down ".port_mappings = [$PORT] | .network_options.interface_name = \"eth1\""
	ok
	NET=$one
	up ".port_mappings = [$PORT] | .container_id = \"c2\"" c2
	ok
}

@test "cnitool: list, check, restore and gc see the containers" {
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	up ".port_mappings = [$PORT]"
	ok
	# A folder of another network of that name has no say.
	private_folder /etc/cni
	mkdir -p /etc/cni/net.d/example
	echo '{"type":"nothing"}' >/etc/cni/net.d/example/10.conf
	tool list --json
	ok
	has '.attachments == [{containerID: "'$CONTAINER'", ifname: "eth0", netns: "/run/netns/c1", alive: true, ips: ["10.1.0.2/24"]}]'
	tool check example c1
	ok
	nft flush ruleset
	tool check example c1
	is "$status" 1
	tool restore
	ok
	tool check example c1
	ok
	is "$output" ''
	end_netns c1
	tool gc
	ok
	contains "$output" "removed eth0 of $CONTAINER on network example"
	tool list --json
	has '.attachments == []'
	down ".port_mappings = [$PORT]"
	ok
}

@test "teardown: uses the network as it was at setup" {
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	up
	ok
	NET=$(jq -c '.subnets = [{subnet: "10.5.0.0/24", gateway: "10.5.0.1"}] | .options = {mode: "macvlan"}' <<<"$NET")
	down
	ok
	no_link c1 eth0
	is "$(find /var/lib/cni/networks -name '10.*')" ''
}

@test "the environment has no say" {
	network '.subnets = [{subnet: "10.1.0.0/24"}]'
	new_netns c1
	mkdir "$BATS_TEST_TMPDIR/evil"
	printf '#!/bin/sh\ntouch %s/ran\nexit 1\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/evil/bridge"
	chmod +x "$BATS_TEST_TMPDIR/evil/bridge"
	CNI_PATH=$BATS_TEST_TMPDIR/evil CNI_CACHE_DIR=$BATS_TEST_TMPDIR/evil CNI_ARGS='IP=10.1.0.77' \
		CAP_ARGS='{"ips":["10.1.0.78"]}' CNI_IFNAME=eth7 up
	ok
	has '.interfaces.eth0.subnets[0].ipnet == "10.1.0.2/24"'
	[[ ! -e $BATS_TEST_TMPDIR/ran ]]
	CNI_PATH=$BATS_TEST_TMPDIR/evil down
	ok
}
