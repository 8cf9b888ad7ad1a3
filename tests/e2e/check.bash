# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# check.bash - functions for tests of CHECK:  load lib; load check
#
# One ADD uses every option.  Then each object that it created is changed, one at a time:
# CHECK must fail with code 107 and name the object in msg and details.  After the object is
# put back CHECK must succeed silently.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034 # commands for eval; tests are subshells

MAPPINGS='[{"hostPort":8080,"containerPort":80},
	{"hostPort":8081,"containerPort":81,"hostIP":"127.0.0.5"},
	{"hostPort":8082,"containerPort":82,"hostIP":"fd00::5"},
	{"hostPort":9000,"hostPortEnd":9010,"containerPort":9000,"protocol":"udp"},
	{"hostPort":9100,"hostPortEnd":9110,"containerPort":9100,"hostIP":"127.0.0.5"}]'
FULL='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,
	"ipMasq":{"except":["192.0.2.0/24","2001:db8:2::/48"]},"macspoofchk":"strict","mtu":1400,
	"portIsolation":true,"hairpinMode":true,"capabilities":{"portMappings":true,"mac":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd01::/64"}]],
		"routes":[{"dst":"198.51.100.0/24","gw":"10.1.0.9"},{"dst":"2001:db8:7::/48","mtu":1300}]},
	"dns":{"nameservers":["10.1.0.1"]},
	"runtimeConfig":{"mac":"02:00:00:00:00:42","portMappings":'$MAPPINGS'}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap","capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":'$MAPPINGS'}}'

# full - ADD of c1 with every option; sets CHECK to the configuration of its CHECK
full() {
	new_netns c1
	add bridge "$FULL"
	TYPE=bridge CHECK=$(chained "$FULL") PORT=$(host_end)
	silent "after ADD"
}

# silent WHEN - asserts that CHECK succeeds without output
silent() {
	cni CHECK "$TYPE" "$CHECK"
	[[ $status == 0 && ! $output ]] || fail "not silent $1"
}

# named CHANGE PATTERN - asserts that CHECK fails, and names the object in msg and details
named() {
	cni CHECK "$TYPE" "$CHECK"
	((status == 1)) || fail "$1: not detected"
	json_holds '.code == 107 and (.msg | test($p)) and (.details | fromjson | type == "array" and
		length > 0 and all(.[]; (.object | type == "string" and length > 0) and has("want") and has("have")) and
		any(.[]; .object + " " + .want + " " + .have | test($p)))' --arg p "$2" <<<"$output" ||
		fail "$1: not named: $output"
}

# things - prints a snapshot without the order of tables, anycast routes (which depend on the
# carrier), and the last reserved address
things() {
	snapshot | grep -Ev ' route anycast |last_reserved_ip|^file /run/(x|other|back) |\.away ' | sort
}

# repaired CHANGE [beside] - asserts that CHECK with CPLUG_REPAIR restores the state in "things",
# unless a foreign object stays beside it
repaired() {
	CPLUG_REPAIR=1 cni CHECK "$TYPE" "$CHECK"
	((status == 0)) || fail "$1: not repaired: $output"
	json_holds '.repaired | length > 0 and all(.[]; .object | length > 0)' <<<"$output" ||
		fail "$1: the repaired objects are not listed: $output"
	silent "after the repair of $1"
	[[ ! ${2-} ]] || return 0
	things | diff -U0 "$BATS_TEST_TMPDIR/things" - || fail "$1: something is left, or missing"
}

# mutate PATTERN CHANGE BACK [theirs|beside] - evaluates CHANGE, asserts that CHECK reports
# PATTERN, evaluates BACK, and asserts that CHECK is silent.  With CHECK_REPAIRS=1 CHECK itself
# restores the state instead of BACK.  If the change made a foreign object ("theirs"), it must
# not be repaired and CHECK fails; or ("beside") it may stay beside the restored one.
mutate() {
	[[ ! ${CHECK_REPAIRS-} ]] || things >"$BATS_TEST_TMPDIR/things"
	eval "$2" || fail "cannot $2"
	named "$2" "$1"
	if [[ ${CHECK_REPAIRS-} && ${4-} != theirs ]]; then
		repaired "$2" "${4-}"
		[[ ! ${4-} ]] || eval "$3" || :
		return 0
	elif [[ ${CHECK_REPAIRS-} ]]; then
		CPLUG_REPAIR=1 cni CHECK "$TYPE" "$CHECK"
		failed
	fi
	eval "$3" || fail "cannot $3"
	silent "after $3"
}

# knob NS NAME VALUE - mutate for a sysctl
knob() {
	local old

	old=$(in_ns "$1" cat "/proc/sys/$2")
	mutate "sysctl $2" "in_ns $1 bash -c 'echo $3 >/proc/sys/$2'" "in_ns $1 bash -c 'echo $old >/proc/sys/$2'"
}

mac_of() {
	ip -j link show dev "$1" | jq -r '.[0].address'
}

port_forwards() {
	bridge -j link show dev "$PORT" | json_holds '.[0].state == "forwarding"'
}
