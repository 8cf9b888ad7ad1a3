#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# host-local and the reference's host-local have the same results and files, and can be mixed.

bats_require_minimum_version 1.5.0
load ../tools/assert

setup() {
	OURS=${CPLUG_BIN:-$BATS_TEST_DIRNAME/../../bin}/host-local
	THEIRS=${REFERENCE_BIN:-/usr/lib/cni}/host-local
	[[ -x $THEIRS ]] || skip "$THEIRS is not installed"
	export CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=1 CNI_PATH=/nowhere
	A=$BATS_TEST_TMPDIR/a B=$BATS_TEST_TMPDIR/b
	RANDOM=42 # the same sequence in every run
}

declare -gA texts # the configurations that were given

# call PROGRAM DIR COMMAND ID [IFNAME] - calls PROGRAM with CONF and dataDir DIR; sets status
# and output
call() {
	local text=${texts[$2$CONF]-}

	[[ $text ]] || text=$(jq --arg dir "$2" '.ipam.dataDir = $dir' <<<"$CONF")
	texts[$2$CONF]=$text
	status=0
	output=$(CNI_COMMAND=$3 CNI_CONTAINERID=$4 CNI_IFNAME=${5-eth0} "$1" <<<"$text" 2>/dev/null) || status=$?
}

# contents DIR - prints names and contents of all files of the leases
contents() {
	[[ ! -d $1/net1 ]] || (cd "$1/net1" && tail -v -n +1 -- * | od -An -c)
}

# normal - removes an empty "dns", which old releases of the reference print
normal() {
	jq -S 'if .dns == {} then del(.dns) else . end'
}

# both PROGRAM COMMAND ID [IFNAME] - calls PROGRAM in A and the reference in B; asserts that
# results, errors and files are the same
both() {
	local status_a output_a
	call "$1" "$A" "${@:2}"
	status_a=$status output_a=$output
	call "$THEIRS" "$B" "${@:2}"
	[[ $status_a == "$status" ]] || fail "$*: status $status_a, reference $status: $output_a / $output"
	if ((status == 0)); then
		[[ $output_a == "$output" || $(normal <<<"$output_a") == "$(normal <<<"$output")" ]] || fail "$*: $output_a / $output"
	else
		# Our message contains the reference's, so that searches for it succeed.
		[[ $(jq -r .msg <<<"$output_a") == *"$(jq -r '.msg | ltrimstr("host-local: ")' <<<"$output")"* ]] || fail "$*: $output_a / $output"
	fi
	[[ $(contents "$A") == "$(contents "$B")" ]] || fail "$*: $(diff <(contents "$A") <(contents "$B"))"
}

CONFIGS=(
	'{"ranges": [[{"subnet": "10.1.0.0/28"}]]}'
	'{"subnet": "10.1.0.0/28", "rangeStart": "10.1.0.3", "rangeEnd": "10.1.0.9", "gateway": "10.1.0.5"}'
	'{"ranges": [[{"subnet": "10.1.0.0/29"}, {"subnet": "10.2.0.0/29", "gateway": "10.1.0.4"}]], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.0.0.0/8", "gw": "10.1.0.9"}]}'
	'{"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00:1::/64"}], [{"subnet": "10.3.0.0/24"}]]}'
	'{"ranges": [[{"subnet": "fd00:2::/125", "rangeStart": "fd00:2::1", "gateway": "fd00:2::7"}]]}'
)

# random_walk STEPS PICK - random calls; PICK prints the program for A
random_walk() {
	local i id
	for ((i = 0; i < $1; i++)); do
		id=c$((RANDOM % 12))
		unset CNI_ARGS
		case $((RANDOM % 8)) in
		[0-3]) both "$($2)" ADD $id ;;
		4) CNI_ARGS=IP=10.1.0.$((RANDOM % 8 + 1)) both "$($2)" CHECK $id ;;
		*) both "$($2)" DEL $id ;;
		esac
	done
}

ours() { echo "$OURS"; }
either() { ((i % 2)) && echo "$OURS" || echo "$THEIRS"; }

@test "parity: host-local has the same results, errors and files as the reference" {
	for ipam in "${CONFIGS[@]}"; do
		CONF=$(jq -n --argjson ipam "$ipam" '{cniVersion: "1.0.0", name: "net1", type: "x", ipam: $ipam}')
		rm -rf "$A" "$B"
		random_walk 60 ours
	done
}

@test "parity: host-local and the reference alternating in one folder have the same results, errors and files" {
	for ipam in "${CONFIGS[@]}"; do
		CONF=$(jq -n --argjson ipam "$ipam" '{cniVersion: "1.0.0", name: "net1", type: "x", ipam: $ipam}')
		rm -rf "$A" "$B"
		random_walk 60 either
	done
}

@test "parity: host-local and the reference free each other's leases" {
	CONF='{"cniVersion":"1.0.0","name":"net1","type":"x","ipam":{"ranges":[[{"subnet":"10.1.0.0/29"}],[{"subnet":"fd00::/64"}]]}}'
	for i in 1 2 3; do
		call "$OURS" "$A" ADD c1 && call "$THEIRS" "$A" ADD c2
		call "$THEIRS" "$A" DEL c1 && call "$OURS" "$A" DEL c2
		prints '' find "$A/net1" -name '[1f]*'
		both "$THEIRS" ADD c3 || true # only to continue the search at the same address
		call "$OURS" "$A" DEL c3
		rm -rf "$A" "$B"
	done
}

@test "parity: host-local handles old leases and requested addresses the same in each cniVersion" {
	CONF='{"name":"net1","type":"x","ipam":{"ranges":[[{"subnet":"10.1.0.0/29"}],[{"subnet":"fd00::/64"}]]}}'
	for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
		CONF=$(jq --arg v "$version" '.cniVersion = $v' <<<"$CONF")
		rm -rf "$A" "$B"
		mkdir -p "$A/net1" "$B/net1"
		printf old | tee "$A/net1/10.1.0.3" >"$B/net1/10.1.0.3"
		both "$OURS" ADD c1
		both "$OURS" ADD old
		both "$OURS" ADD c2 eth1
		CNI_ARGS='IP=10.1.0.6' both "$OURS" ADD c3
		CNI_ARGS='IgnoreUnknown=1;FOO=bar;IP=fd00::99' both "$OURS" ADD c4
		CNI_ARGS='IP=10.1.0.6' both "$OURS" ADD c5
		CNI_ARGS='IP=10.1.0.1' both "$OURS" ADD c5
		both "$OURS" DEL old
		both "$OURS" DEL c2 eth0
		both "$OURS" DEL c2 eth1
		both "$OURS" DEL nobody
		both "$OURS" ADD c6
	done
	CONF=$(jq '.args.cni.ips = ["10.1.0.2"] | .runtimeConfig = {ips: ["fd00::5"], ipRanges: [[{subnet: "10.7.0.0/24"}]]}' <<<"$CONF")
	rm -rf "$A" "$B"
	both "$OURS" ADD c1
	both "$OURS" DEL c1
}

@test "parity: host-local's messages for invalid configurations contain the reference's" {
	while read -r ipam; do
		CONF=$(jq -n --argjson ipam "$ipam" '{cniVersion: "1.0.0", name: "net1", type: "x", ipam: $ipam}')
		call "$THEIRS" "$B" ADD c1
		theirs=$(jq -r .msg <<<"$output")
		call "$OURS" "$A" ADD c1
		[[ $status == 1 && $(jq -r .msg <<<"$output") == *"$theirs"* ]] || fail "$ipam: $output, not $theirs"
	done <<-'END'
		{}
		{"ranges": [[]]}
		{"ranges": [[{"subnet": "10.1.0.0/31"}]]}
		{"ranges": [[{"subnet": "10.1.0.1/24"}]]}
		{"ranges": [[{"subnet": "fd00::/127"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.2.0.1"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24", "rangeEnd": "10.2.0.1"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "10.1.0.0/25"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}]]}
		{"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.1.0.0/25"}]]}
	END
}

@test "parity: 60 parallel calls of host-local and the reference share the lock" {
	CONF='{"cniVersion":"1.0.0","name":"net1","type":"x","ipam":{"subnet":"10.1.0.0/25"}}'
	for i in {1..60}; do
		(
			program=$(either)
			call "$program" "$A" ADD "c$i"
						json_holds '.ips[0].address' <<<"$output"
						jq -r '.ips[0].address' <<<"$output" >"$BATS_TEST_TMPDIR/ip.$i"
			((i % 4)) || call "$program" "$A" DEL "c$i"
		) &
	done
	wait
	[[ $(cat "$BATS_TEST_TMPDIR"/ip.* | wc -l) == 60 ]]
	for i in {1..60}; do
		((i % 4)) || continue
		cmp "$A/net1/$(cut -d/ -f1 "$BATS_TEST_TMPDIR/ip.$i")" <(printf 'c%d\r\neth0' "$i")
	done
	[[ $(find "$A/net1" -name '1*' | wc -l) == 45 ]]
	for i in {1..60}; do
		call "$(either)" "$A" DEL "c$i"
	done
	prints '' find "$A/net1" -name '1*'
}
