# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# chain.bash - calls the plugins of a conflist as a runtime does
#
# Each plugin's configuration is derived as the CNI specification requires (section "Deriving
# execution configuration from plugin configuration"): name and version from the list,
# runtimeConfig for the declared capabilities, prevResult.  The capability arguments are in the
# list's key "capArgs", which only our tests use.

CHAIN_FILE=
CHAIN_LENGTH=0
# Of each plugin: its type, and its configuration without prevResult.
CHAIN_TYPES=()
CHAIN_CONFS=()
CHAIN_ANSWER=
CHAIN_STATUS=0
# A command that the plugins run under.
CHAIN_TRACER=()

# chain_load FILE - selects the conflist; sets CHAIN_LENGTH.  The plugins' configurations have the
# newest version that the list names, as cnitool and libcni choose.  jq runs once, because each start
# of it costs more than a plugin.
chain_load() {
	local type conf lines

	CHAIN_FILE=$1 CHAIN_TYPES=() CHAIN_CONFS=()
	lines=$(jq -c '
		(.capArgs // {}) as $args | . as $list | .plugins[]
		| (.capabilities // {}) as $wants
		| ($args | with_entries(select($wants[.key] == true))) as $runtime
		| . + {name: $list.name, cniVersion: ($list.cniVersions // [$list.cniVersion])[-1]}
		| if $runtime == {} then . else .runtimeConfig = $runtime end
		| .type, .' "$1")
	while read -r type && read -r conf; do
		CHAIN_TYPES+=("${type//\"/}")
		CHAIN_CONFS+=("$conf")
	done <<<"$lines"
	CHAIN_LENGTH=${#CHAIN_TYPES[@]}
}

# chain_lacks - prints the kernel feature that the conflist requires and this kernel lacks, if any
chain_lacks() {
	local type

	if jq -e '[.plugins[] | .vlan, .vlanTrunk] | any' "$CHAIN_FILE" >/dev/null; then
		has_vlan_filtering || echo "bridge VLAN filtering"
	fi
	if jq -e '[.plugins[].redirect] | any' "$CHAIN_FILE" >/dev/null; then
		has_redirect || echo "tc filter u32 with mirred"
	fi
	if jq -e '[.plugins[].linkType == "netkit"] | any' "$CHAIN_FILE" >/dev/null; then
		has_kind netkit || echo "interfaces of kind netkit"
	fi
	if jq -e '[.plugins[].ipam?.type? == "dhcp"] | any' "$CHAIN_FILE" >/dev/null; then
		command -v dnsmasq >/dev/null || echo "program dnsmasq"
	fi
	for type in "${CHAIN_TYPES[@]}"; do
		case $type in
		dummy | ipvlan | macvlan | vlan | vrf) has_kind "$type" || echo "interfaces of kind $type" ;;
		bandwidth) has_kind ifb || echo "interfaces of kind ifb" ;;
		tap) has_tun || echo "/dev/net/tun that may be opened" ;;
		esac
	done
}

# chain_parents NS - creates the links that the conflist names in "master" or "device", as veth pairs
# with the other end in NS ("-" is the host), and gives that end, or its VLAN, the gateways' addresses
chain_parents() {
	local name ns=$1 gateway length dev id

	chain_subnets
	chain_blocks
	for name in $(jq -r '.plugins[] | .master // .device // empty' "$CHAIN_FILE"); do
		! ip link show dev "$name" >/dev/null 2>&1 || continue
		ip link add "$name" type veth peer name "peer-$name"
		ip link set "$name" up
		[[ $ns == - ]] || ip link set "peer-$name" netns "$ns"
		in_ns "$ns" ip link set "peer-$name" up
		dev=peer-$name
		id=$(jq --arg name "$name" '.plugins[] | select((.master // .device) == $name) | .vlanId // empty' "$CHAIN_FILE")
		if [[ $id ]]; then
			in_ns "$ns" ip link add "$dev.$id" link "$dev" type vlan id "$id"
			dev+=.$id
			in_ns "$ns" ip link set "$dev" up
		fi
		while read -r gateway length; do
			[[ $gateway != *:* ]] || length+=" nodad"
			# shellcheck disable=SC2086 # perhaps with nodad
			in_ns "$ns" ip address add dev "$dev" "$gateway/"$length
		done < <(jq -r --arg name "$name" '.plugins[] | select((.master // .device) == $name) | .ipam?.ranges[]?[]? |
			select(.gateway) | "\(.gateway) \(.subnet | split("/")[1])"' "$CHAIN_FILE")
		chain_dhcp "$ns" "$dev"
	done
}

# chain_subnets - writes the file with the node's subnets, as flannel does, if the conflist reads it
chain_subnets() {
	jq -e '[.plugins[].ipam?.ranges? == "podCIDR"] | any' "$CHAIN_FILE" >/dev/null || return 0
	mkdir -p /run/flannel
	printf 'FLANNEL_%s\n' NETWORK=10.88.44.0/22 SUBNET=10.88.45.1/24 IPV6_NETWORK=fd00:88:44::/48 \
		IPV6_SUBNET=fd00:88:44:1::1/64 MTU=1450 IPMASQ=false >/run/flannel/subnet.env
	chmod 644 /run/flannel/subnet.env
}

# chain_boot - prints the hash of this boot that cluster writes (ipam/host-local/slots.c)
chain_boot() {
	local id h=$((0xcbf29ce484222325)) i

	id=$(</proc/sys/kernel/random/boot_id)
	for ((i = 0; i < ${#id}; i++)); do
		h=$(((h ^ $(printf '%d' "'${id:i:1}")) * 0x100000001b3))
	done
	h=$((h ^ (h >> 32 & 0xffffffff)))
	h=$((h * 0x9e3779b97f4a7c15))
	printf '%016x\n' $((h ^ (h >> 29 & 0x7ffffffff)))
}

# chain_blocks - gives the host the first block but one of each range, as if it had claimed them in
# etcd in this boot, if the conflist leases of blocks
chain_blocks() {
	local folder

	jq -e '[.plugins[].ipam?.type? == "cluster"] | any' "$CHAIN_FILE" >/dev/null || return 0
	folder=/var/lib/cni/networks/$(jq -r .name "$CHAIN_FILE")
	mkdir -p "$folder"
	jq -n --arg boot "$(chain_boot)" '{version: 1, node: "n1", instance: "example", boot: $boot,
		blocks: ["10.88.46.16/28", "fd00:88:46::40/122"]}' >"$folder/blocks.json"
}

# chain_dhcp NS DEV - starts a DHCP server on DEV in NS, and the daemon of dhcp on the host, if the
# conflist needs them
chain_dhcp() {
	local -a six=()

	jq -e '[.plugins[].ipam?.type? == "dhcp"] | any' "$CHAIN_FILE" >/dev/null || return 0
	in_ns "$1" ip address add 10.88.43.1/24 dev "$2"
	if chain_has_dhcp6; then
		in_ns "$1" ip address add fd00:88:43::1/64 dev "$2" nodad
		# The host itself listens to no router.
		sysctl -qw "net.ipv6.conf.${2#peer-}.accept_ra=0"
		wait_for "the link-local address of the server" chain_can_send6 "$1" "$2"
		six=(--enable-ra "--dhcp-range=fd00:88:43::100,fd00:88:43::1ff,64,1h" "--dhcp-option=option6:dns-server,[fd00:88:43::1]")
	fi
	in_ns "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface="$2" \
		--user= --group= --no-ping --dhcp-leasefile=/run/.rig/leases --pid-file= \
		--dhcp-range=10.88.43.100,10.88.43.199,255.255.255.0,1h --dhcp-option=6,10.88.43.1 "${six[@]}" \
		</dev/null >/dev/null 2>&1 3>&- 4>&- &
	"$CPLUG_BIN/dhcp" daemon </dev/null >/dev/null 2>&1 3>&- 4>&- &
	wait_for "the daemon of dhcp" "$CPLUG_BIN/dhcp" list
}

# chain_has_dhcp6 - does the conflist lease IPv6 addresses of a DHCP server?
chain_has_dhcp6() {
	jq -e '[.plugins[].ipam?.family? // "" | contains("6")] | any' "$CHAIN_FILE" >/dev/null
}

# chain_has_lifetimes NS - have its leases of DHCPv6 their lifetimes?  The daemon sets them when the address
# is usable, which takes up to ten seconds, and the route to the prefix goes with that.
chain_has_lifetimes() {
	! chain_has_dhcp6 || ! in_ns "$1" ip -6 -o address show scope global | grep -q forever
}

# chain_can_send6 NS DEV - has it a link-local address that is not tentative?
chain_can_send6() {
	[[ $(in_ns "$1" ip -6 -o address show dev "$2" scope link -tentative) ]]
}

# chain_type INDEX - prints the plugin's type
chain_type() {
	echo "${CHAIN_TYPES[$1]}"
}

# chain_conf INDEX [PREVRESULT] - prints the plugin's configuration
chain_conf() {
	local conf=${CHAIN_CONFS[$1]}

	[[ ! ${2-} ]] || conf="${conf%\}},\"prevResult\":$2}"
	printf '%s\n' "$conf"
}

# chain_call COMMAND INDEX PREVRESULT ID - calls one plugin for the container /run/netns/ID; sets
# CHAIN_STATUS and CHAIN_ANSWER (its stdout)
chain_call() {
	local conf

	conf=$(chain_conf "$2" "$3")
	CHAIN_STATUS=0
	CHAIN_ANSWER=$(printf '%s' "$conf" |
		CNI_COMMAND=$1 CNI_CONTAINERID=$4 CNI_NETNS=/run/netns/$4 CNI_IFNAME=eth0 \
			CNI_PATH=$CPLUG_BIN "${CHAIN_TRACER[@]}" "$CPLUG_BIN/${CHAIN_TYPES[$2]}") || CHAIN_STATUS=$?
}

# chain_add ID COUNT - ADD of the first COUNT plugins; sets CHAIN_ANSWER to the result
chain_add() {
	local i

	CHAIN_ANSWER=
	for ((i = 0; i < $2; i++)); do
		chain_call ADD "$i" "$CHAIN_ANSWER" "$1"
		((CHAIN_STATUS == 0)) || return 1
	done
}

# chain_del ID PREVRESULT - DEL of all plugins in reverse order; continues after a failure
chain_del() {
	local i failed=0

	for ((i = CHAIN_LENGTH - 1; i >= 0; i--)); do
		chain_call DEL "$i" "$2" "$1"
		((CHAIN_STATUS == 0)) || failed=1
	done
	return "$failed"
}
