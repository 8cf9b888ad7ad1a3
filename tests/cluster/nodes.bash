# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# nodes.bash - nodes, members of etcd and routers on a virtual wire, for the tests and the simulation
#
# A node is a folder with its own /etc/cplug and /var/lib/cni; "on NODE COMMAND..." runs a command that
# sees them, in a mount namespace of its own.  If there is a network namespace of the node's name, the
# command runs in it.  Needs tests/tools/rig.bash; CPLUG_TOP is the folder of the project.

NODES=/run/nodes

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

# new_node NAME... - makes nodes that ask the etcd on loopback, which answers or refuses at once but on a busy
# machine, or ENDPOINTS (a JSON list), of which one can be silent
new_node() {
	local name limit=20000

	[[ ! ${ENDPOINTS-} ]] || limit=1000
	for name; do
		mkdir -p "$NODES/$name/etc" "$NODES/$name/cni"
		jq -n --arg node "$name" --argjson limit $limit --argjson e "${ENDPOINTS:-[\"http://127.0.0.1:2379\"]}" \
			'{endpoints: $e, node: $node, timeout: $limit}' >"$NODES/$name/etc/cluster.conf"
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

# wire NAME ADDRESS [LENGTH] - a namespace on the wire
wire() {
	new_netns "$1"
	ip link add "w-$1" type veth peer name eth0 netns "$1"
	ip link set "w-$1" master wire up
	in_ns "$1" ip link set lo up
	in_ns "$1" ip address add "$2/${3-16}" dev eth0
	in_ns "$1" ip link set eth0 up
}

# start_members - three members of etcd, on the wire
start_members() {
	local i cluster=''

	for i in 1 2 3; do
		wire "e$i" "192.168.200.$i"
		cluster+="${cluster:+,}e$i=http://192.168.200.$i:2380"
	done
	for i in 1 2 3; do start_member "e$i" "192.168.200.$i" "$cluster" "e$i"; done
	ip address add 192.168.250.1/16 dev wire
	export ETCD_ENDPOINTS=192.168.200.1:2379,192.168.200.2:2379,192.168.200.3:2379
	wait_for "three members" etcdctl --endpoints "$ETCD_ENDPOINTS" endpoint health
}

# address_of_node NODE - its address on the wire; n251 and the next are in another /24
address_of_node() {
	local i=$((${1#n} - 1))

	echo "192.168.$((1 + i / 250)).$((1 + i % 250))"
}

# start_bird NODE COUNT [REFLECTOR...] - with a session to each of COUNT nodes, or only to the reflectors if
# it is none of them.  BIRD_UNDER: a command that starts it
start_bird() {
	local node=$1 count=$2 i more
	local -a peers=()

	shift 2
	if (($#)) && [[ " $* " != *" $node "* ]]; then
		peers=("$@")
	else
		for ((i = 1; i <= count; i++)); do peers+=("n$i"); done
	fi
	{
		printf 'router id %s;\nprotocol device {}\ndefine CPLUG_AS = 64512;\n' "$(address_of_node "$node")"
		echo "include \"$CPLUG_TOP/contrib/bird/cplug.conf\";"
		for i in "${peers[@]}"; do
			[[ $i != "$node" ]] || continue
			more='connect delay time 1; error wait time 1, 2; connect retry time 1;'
			[[ " $* " != *" $node "* || " $* " == *" $i "* ]] || more+=' rr client;'
			echo "protocol bgp $i from cplug_peer { neighbor $(address_of_node "$i") as CPLUG_AS; $more }"
		done
	} >"$NODES/$node/bird.conf"
	# shellcheck disable=SC2086 # words
	in_ns "$node" ${BIRD_UNDER-} bird -f -c "$NODES/$node/bird.conf" -s "$NODES/$node/bird.ctl" \
		-P "$NODES/$node/bird.pid" </dev/null >"$NODES/$node/bird.log" 2>&1 3>&- 4>&- &
}
