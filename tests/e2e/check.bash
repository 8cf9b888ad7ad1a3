# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# check.bash - for tests of CHECK:  load lib; load check
#
# One ADD with everything in it; then each object that it made is changed, one at a
# time: CHECK must fail with 107 and name it in msg and in the list of details.  Then it
# is put back, and CHECK is silent.
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
	"dns":{"nameservers":["10.1.0.1"]}}'
FULL=$(jq -c --argjson m "$MAPPINGS" '.runtimeConfig = {portMappings: $m, mac: "02:00:00:00:00:42"}' <<<"$FULL")
PORTMAP=$(jq -c --argjson m "$MAPPINGS" -n '{cniVersion: "1.1.0", name: "net1", type: "portmap",
	capabilities: {portMappings: true}, runtimeConfig: {portMappings: $m}}')

# full - a container c1 with everything; CHECK is what its CHECK gets
full() {
	new_netns c1
	add bridge "$FULL"
	TYPE=bridge CHECK=$(chained "$FULL") PORT=$(host_end)
	silent "after ADD"
}

# silent WHEN - CHECK has nothing to say
silent() {
	cni CHECK "$TYPE" "$CHECK"
	[[ $status == 0 && ! $output ]] || fail "not silent $1"
}

# named WHAT PATTERN - CHECK fails, and its message and the list name the object
named() {
	cni CHECK "$TYPE" "$CHECK"
	((status == 1)) || fail "$1: unseen"
	jq -e --arg p "$2" '.code == 107 and (.msg | test($p)) and (.details | fromjson | type == "array" and
		length > 0 and all(.[]; (.object | type == "string" and length > 0) and has("want") and has("have")) and
		any(.[]; .object + " " + .want + " " + .have | test($p)))' <<<"$output" >/dev/null ||
		fail "$1: not named: $output"
}

# things - a snapshot without the order of tables, what the kernel decides about carriers and
# anycast, and the address given last
things() {
	snapshot | grep -Ev ' route anycast |last_reserved_ip|^file /run/(x|other|back) |\.away ' | sort
}

# repaired WHAT - a CHECK that is to put things right does so, and all is as it was before
repaired() {
	CPLUG_REPAIR=1 cni CHECK "$TYPE" "$CHECK"
	((status == 0)) || fail "$1: not repaired: $output"
	jq -e '.repaired | length > 0 and all(.[]; .object | length > 0)' <<<"$output" >/dev/null ||
		fail "$1: what was repaired is not told: $output"
	silent "after the repair of $1"
	[[ ! ${2-} ]] || return 0
	things | diff -U0 "$BATS_TEST_TMPDIR/things" - || fail "$1: something is left, or missing"
}

# mutate PATTERN CHANGE BACK [theirs|beside] - two commands for eval.  CHECK_REPAIRS=1: CHECK
# puts it right itself, and all is as before; but what is somebody else's it leaves, and
# fails, or (beside) lets it stand beside ours.
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

# knob NS NAME VALUE - a sysctl is changed and put back
knob() {
	local old

	old=$(in_ns "$1" cat "/proc/sys/$2")
	mutate "sysctl $2" "in_ns $1 bash -c 'echo $3 >/proc/sys/$2'" "in_ns $1 bash -c 'echo $old >/proc/sys/$2'"
}

mac_of() {
	ip -j link show dev "$1" | jq -r '.[0].address'
}

port_forwards() {
	bridge -j link show dev "$PORT" | jq -e '.[0].state == "forwarding"' >/dev/null
}
