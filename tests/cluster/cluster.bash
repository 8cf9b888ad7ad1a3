# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# cluster.bash - nodes and a real etcd in the namespaces of a test:  load cluster

# shellcheck source=tests/e2e/lib.bash
source "${BASH_SOURCE[0]%/*}/../e2e/lib.bash"

# shellcheck source=tests/cluster/nodes.bash
source "${BASH_SOURCE[0]%/*}/nodes.bash"

# need_cluster - skips the test where a program is missing
need_cluster() {
	local program

	for program in etcd etcdctl curl "$@"; do
		type -P "$program" >/dev/null || skip "program $program is not installed"
	done
	[[ -x $CPLUG_BIN/cplug-etcd ]] || skip "cplug-etcd was not built, because libcurl is missing"
	[[ -d /etc/cplug ]] || private_folder /etc/cplug
	[[ -d /var/lib/cni ]] || private_folder /var/lib/cni
}

# ipam NODE COMMAND CONF [ID] - calls cluster as its main plugin does; prints its answer
ipam() {
	CNI_COMMAND=$2 CNI_CONTAINERID=${4-c1} CNI_IFNAME=eth0 CNI_NETNS=/proc/self/ns/net CNI_NETNS_OVERRIDE=1 \
		CNI_PATH=$CPLUG_BIN on "$1" "$CPLUG_BIN/cluster" <<<"$3"
}

# conf RANGES [MORE] - prints a configuration with these ranges (JSON)
conf() {
	jq -cn --argjson ranges "$1" --argjson more "${2:-{\}}" '{cniVersion: "1.1.0", name: "net1", type: "bridge",
		ipam: ({type: "cluster", ranges: $ranges} + ($more.ipam // {}))} + ($more | del(.ipam))'
}

# address_of NODE CONF ID - ADD; prints the addresses
address_of() {
	ipam "$1" ADD "$2" "$3" | jq -r '[.ips[].address] | join(" ")'
}

# called NODE COMMAND CONF [ID] - calls cluster, and records the outcome as cni() does
called() {
	status=0
	output=$(ipam "$@" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	errors=$(<"$BATS_TEST_TMPDIR/stderr")
	# shellcheck disable=SC2034 # for ok() and failed()
	error=$(jq -r '.msg // empty' <<<"$output" 2>/dev/null) || error=
	printf '%s -> %d\n%s\n%s\n' "$*" "$status" "$output" "$errors"
}

# blocks NODE - prints the blocks in its file, sorted, on one line
blocks() {
	jq -r '[.blocks[]] | sort | join(" ")' "$NODES/$1/cni/networks/net1/blocks.json"
}

# reboots NODE - makes its file one of an earlier boot
reboots() {
	local file=$NODES/$1/cni/networks/net1/blocks.json

	jq '.boot = "00000000000000ab"' "$file" >"$file.new"
	mv "$file.new" "$file"
}
