#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: FRR with contrib/frr/frr.conf on two nodes, BIRD on a third one
# shellcheck disable=SC2016 # scripts in single quotes

load cluster

N=3
CONF='{"cniVersion": "1.1.0", "name": "net1", "type": "bridge", "bridge": "cni0", "isDefaultGateway": true,
	"ipam": {"type": "cluster", "ranges": [{"subnet": "10.40.0.0/16"}, {"subnet": "fd00:40::/64"}]}}'
FRR=/usr/lib/frr

prepare() {
	local i

	need_cluster bird birdc
	[[ -x $FRR/bgpd ]] || skip "FRR is not installed"
	setpriv --reuid=frr --regid=frr --clear-groups true 2>/dev/null || skip "the user frr is not known here"
	private_folder /var/tmp/frr # for the daemons' reports of crashes
	chown frr:frr /var/tmp/frr
	ip link add wire type bridge
	ip link set wire up
	ip address add 192.168.250.1/16 dev wire
	start_member m1 192.168.250.1 m1=http://192.168.250.1:2380
	export ETCD_ENDPOINTS=192.168.250.1:2379
	wait_for "etcd" etcdctl --endpoints "$ETCD_ENDPOINTS" endpoint health
	for ((i = 1; i <= N; i++)); do
		wire "n$i" "$(address_of_node "n$i")"
		in_ns "n$i" ip address add "fd00:1::$i/64" dev eth0 nodad
		in_ns "n$i" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		ENDPOINTS='["http://192.168.250.1:2379"]' new_node "n$i"
	done
}

# start_frr NODE - zebra and bgpd, with a session to each other node
start_frr() {
	local node=$1 dir=$NODES/$1/frr i
	local -a common=(-z "$NODES/$1/frr/zserv" --vty_socket "$NODES/$1/frr" --log stdout)

	mkdir -p "$dir"
	{
		grep -v '^ neighbor 192\.0\.2\.' "$CPLUG_TOP/contrib/frr/frr.conf" | sed '/^ neighbor cplug remote-as/q'
		for ((i = 1; i <= N; i++)); do
			[[ n$i == "$node" ]] || printf ' neighbor %s peer-group cplug\n' "$(address_of_node "n$i")"
		done
		printf ' neighbor cplug timers connect 1\n'
		sed '1,/^ neighbor cplug remote-as/d' "$CPLUG_TOP/contrib/frr/frr.conf" | grep -v '^ neighbor 192\.0\.2\.'
	} >"$dir/bgpd.conf"
	: >"$dir/zebra.conf"
	chown -R frr:frr "$dir"
	in_ns "$node" "$FRR/zebra" "${common[@]}" -f "$dir/zebra.conf" -i "$dir/zebra.pid" </dev/null >"$dir/zebra.log" 2>&1 3>&- 4>&- &
	wait_for "zebra of $node" test -S "$dir/zserv"
	in_ns "$node" "$FRR/bgpd" "${common[@]}" -f "$dir/bgpd.conf" -i "$dir/bgpd.pid" </dev/null >"$dir/bgpd.log" 2>&1 3>&- 4>&- &
}

# routes NODE [OPTION...] - prints the routes that a daemon has put into the kernel, sorted
routes() {
	local node=$1

	shift
	in_ns "$node" ip "$@" -j route show | jq -r '.[] | select(.protocol == "bgp" or .protocol == "bird") |
		select(.type != "unreachable") | .dst' | sort
}

# has_routes NODE BLOCK... - exactly these
has_routes() {
	local node=$1

	shift
	[[ $(routes "$node"; routes "$node" -6) == "$(printf '%s\n' "$@" | grep -F . | sort; printf '%s\n' "$@" | grep -F : | sort)" ]]
}

start() {
	new_netns "$1-$2"
	CNI_COMMAND=ADD CNI_CONTAINERID=$2 CNI_IFNAME=eth0 CNI_NETNS=/run/netns/$1-$2 CNI_PATH=$CPLUG_BIN \
		on "$1" "$CPLUG_BIN/bridge" <<<"$CONF" | jq -r '.ips[].address | split("/")[0]'
}

@test "frr: exactly the blocks leave, beside BIRD, and go when they are given back" {
	local -A v4=() v6=()
	local -a others
	local i k address

	start_frr n1
	start_frr n2
	start_bird n3 "$N"
	# Routes that are not cplug's, two of them in its range.
	in_ns n1 ip route add unreachable 10.40.255.0/26 metric 1048577
	in_ns n1 ip route add unreachable 10.40.254.0/26 proto static
	in_ns n1 ip route add unreachable 10.77.0.0/16
	in_ns n1 ip address add 10.78.0.1/26 dev lo
	for ((i = 1; i <= N; i++)); do
		mapfile -t address < <(start "n$i" a)
		v4[$i]=${address[0]} v6[$i]=${address[1]}
	done
	for ((i = 1; i <= N; i++)); do
		others=()
		for ((k = 1; k <= N; k++)); do
			# shellcheck disable=SC2207 # words
			((i == k)) || others+=($(blocks "n$k"))
		done
		wait_for "the routes of n$i" has_routes "n$i" "${others[@]}"
	done
	for ((i = 1; i <= N; i++)); do
		k=$((i % N + 1))
		sees "n$i-a" "${v4[$k]}"
		sees "n$i-a" "${v6[$k]}"
	done
	# A second block of IPv4, which no bridge has, and then none.
	for ((k = 1; k <= 61; k++)); do ipam n1 ADD "$CONF" "x$k" >/dev/null; done
	for i in 2 3; do
		k=$((5 - i))
		# shellcheck disable=SC2046 # words
		wait_for "both blocks of n1" has_routes "n$i" $(blocks n1) $(blocks n$k)
	done
	[[ $(blocks n1 | wc -w) == 3 ]]
	CNI_COMMAND=DEL CNI_CONTAINERID=a CNI_IFNAME=eth0 CNI_NETNS=/run/netns/n1-a CNI_PATH=$CPLUG_BIN on n1 "$CPLUG_BIN/bridge" <<<"$CONF"
	ipam n1 GC "$(with "$CONF" '.["cni.dev/valid-attachments"] = []')" ''
	[[ ! $(in_ns n1 ip route show proto 76) ]]
	for i in 2 3; do
		# shellcheck disable=SC2046 # words
		wait_for "the end of the routes to n1" has_routes "n$i" $(blocks n$((5 - i)))
	done
}
