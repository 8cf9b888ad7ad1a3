# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# cluster.bash - nodes and a real etcd in the namespaces of a test:  load cluster
#
# A node is a folder with its own /etc/cplug and /var/lib/cni; "on NODE COMMAND..." runs a command that
# sees them, in a mount namespace of its own.  If there is a network namespace of the node's name, the
# command runs in it.

# shellcheck source=tests/e2e/lib.bash
source "${BASH_SOURCE[0]%/*}/../e2e/lib.bash"

NODES=/run/nodes

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

declare -gA ETCD_PID=()

# start_member NAME ADDRESS CLUSTER [NS] [OPTION...] - starts one member of etcd.  CLUSTER: as in
# --initial-cluster; NS: "-" is the host
start_member() {
	local name=$1 address=$2 cluster=$3 ns=${4:--}

	shift $(($# < 4 ? $# : 4))
	mkdir -p "/run/etcd"
	# exec: the process is that of etcd, for kill
	(
		[[ $ns == - ]] || exec nsenter --net="/run/netns/$ns" -- etcd --name "$name" --data-dir "/run/etcd/$name" \
			--listen-client-urls "http://$address:2379" --advertise-client-urls "http://$address:2379" \
			--listen-peer-urls "http://$address:2380" --initial-advertise-peer-urls "http://$address:2380" \
			--initial-cluster "$cluster" --log-level error "$@"
		exec etcd --name "$name" --data-dir "/run/etcd/$name" \
			--listen-client-urls "http://$address:2379" --advertise-client-urls "http://$address:2379" \
			--listen-peer-urls "http://$address:2380" --initial-advertise-peer-urls "http://$address:2380" \
			--initial-cluster "$cluster" --log-level error "$@"
	) </dev/null >"/run/etcd-$name.log" 2>&1 3>&- 4>&- &
	ETCD_PID[$name]=$!
}

# start_etcd [OPTION...] - one member on loopback
start_etcd() {
	start_member m1 127.0.0.1 m1=http://127.0.0.1:2380 - "$@"
	wait_for "etcd" etcdctl --endpoints 127.0.0.1:2379 endpoint health
}

# stop_member NAME - kills it, as a power failure does
stop_member() {
	kill -9 "${ETCD_PID[$1]}"
	wait "${ETCD_PID[$1]}" 2>/dev/null || :
	unset "ETCD_PID[$1]"
}

# etcd_keys - prints all keys of etcd, one per line
etcd_keys() {
	etcdctl --endpoints "${ETCD_ENDPOINTS:-127.0.0.1:2379}" get --prefix /cplug --keys-only | sed '/^$/d'
}

# new_node NAME... - makes nodes that ask the etcd on loopback, or ENDPOINTS (a JSON list)
new_node() {
	local name

	for name; do
		mkdir -p "$NODES/$name/etc" "$NODES/$name/cni"
		jq -n --arg node "$name" --argjson e "${ENDPOINTS:-[\"http://127.0.0.1:2379\"]}" \
			'{endpoints: $e, node: $node, timeout: 1000}' >"$NODES/$name/etc/cluster.conf"
		chmod 644 "$NODES/$name/etc/cluster.conf"
	done
}

# on NODE COMMAND... - runs a command on a node; a function, too
on() {
	local node=$1 net=()

	shift
	[[ ! -e /run/netns/$node ]] || net=(nsenter "--net=/run/netns/$node" --)
	# shellcheck disable=SC2016 # the inner shell's
	"${net[@]}" unshare --mount --propagation private bash -c 'mount --bind "$1/etc" /etc/cplug &&
		mount --bind "$1/cni" /var/lib/cni && shift && exec "$@"' - "$NODES/$node" "$@"
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
