# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# frame.bash - forged frames
#
# Each frame_… prints an Ethernet frame as hexadecimal digits.  send_frame sends it through a
# packet socket (socat).  Arguments are addresses in their usual form.

hex_mac() {
	printf '%s' "${1//:/}"
}

hex_ip4() {
	local -a byte

	IFS=. read -ra byte <<<"$1"
	printf '%02x' "${byte[@]}"
}

hex_ip6() {
	local left=${1%%::*} right='' group
	local -a a b

	[[ $1 != *::* ]] || right=${1#*::}
	IFS=: read -ra a <<<"$left"
	IFS=: read -ra b <<<"$right"
	while ((${#a[@]} + ${#b[@]} < 8)); do a+=(0); done
	for group in "${a[@]}" "${b[@]}"; do printf '%04x' "0x$group"; done
}

hex_text() {
	printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# internet_sum HEX - prints the checksum of RFC 1071
internet_sum() {
	local hex=$1 i sum=0

	((${#hex} % 4 == 0)) || hex+='00'
	for ((i = 0; i < ${#hex}; i += 4)); do sum=$((sum + 0x${hex:i:4})); done
	while ((sum >> 16)); do sum=$(((sum & 0xffff) + (sum >> 16))); done
	printf '%04x' $((~sum & 0xffff))
}

# frame_ip4 SOURCE-MAC TARGET-MAC SOURCE TARGET PROTOCOL HEX
frame_ip4() {
	local front back

	front=$(printf '4500%04x0000000040%02x' $((20 + ${#6} / 2)) "$5")
	back=$(hex_ip4 "$3")$(hex_ip4 "$4")
	printf '%s%s0800%s%s%s%s' "$(hex_mac "$2")" "$(hex_mac "$1")" \
		"$front" "$(internet_sum "${front}0000$back")" "$back" "$6"
}

# frame_ip6 SOURCE-MAC TARGET-MAC SOURCE TARGET PROTOCOL HEX CHECKSUM-AT - HEX has a checksum of 0
# at byte CHECKSUM-AT, which is filled in
frame_ip6() {
	local addresses payload=$6 at=$(($7 * 2)) sum

	addresses=$(hex_ip6 "$3")$(hex_ip6 "$4")
	sum=$(internet_sum "$addresses$(printf '%08x%08x' $((${#payload} / 2)) "$5")$payload")
	printf '%s%s86dd60000000%04x%02xff%s%s%s%s' "$(hex_mac "$2")" "$(hex_mac "$1")" \
		$((${#payload} / 2)) "$5" "$addresses" "${payload:0:at}" "$sum" "${payload:at+4}"
}

# frame_udp SOURCE-MAC TARGET-MAC SOURCE TARGET PORT TEXT
frame_udp() {
	local data

	data=$(hex_text "$6")
	data=$(printf '270f%04x%04x0000%s' "$5" $((8 + ${#data} / 2)) "$data")
	case $3 in
	*:*) frame_ip6 "$1" "$2" "$3" "$4" 17 "$data" 6 ;;
	*) frame_ip4 "$1" "$2" "$3" "$4" 17 "$data" ;;
	esac
}

# frame_ra SOURCE-MAC SOURCE PREFIX - a router advertisement to all nodes, with PREFIX::/64 for
# address autoconfiguration (RFC 4861)
frame_ra() {
	local data=860000004000070800000000000000000101

	data+=$(hex_mac "$1")030440c00000070800000708$(printf '%08x' 0)$(hex_ip6 "$3")
	frame_ip6 "$1" 33:33:00:00:00:01 "$2" ff02::1 58 "$data" 2
}

# frame_arp SOURCE-MAC TARGET-MAC OPERATION SENDER-MAC SENDER TARGET - OPERATION: four digits
frame_arp() {
	printf '%s%s0806000108000604%s%s%s000000000000%s' "$(hex_mac "$2")" "$(hex_mac "$1")" "$3" \
		"$(hex_mac "$4")" "$(hex_ip4 "$5")" "$(hex_ip4 "$6")"
}

# frame_na SOURCE-MAC SOURCE TARGET ADDRESS MAC [OPTION...] - a neighbour advertisement of ADDRESS
# to a multicast group; MAC '' = without it; OPTION: hexadecimal digits (RFC 4861)
frame_na() {
	nd_frame 8800000020000000 02 "$@"
}

# frame_ns - likewise a neighbour solicitation for ADDRESS
frame_ns() {
	nd_frame 8700000000000000 01 "$@"
}

nd_frame() {
	local data option=$2 options

	data=$1$(hex_ip6 "$6")
	[[ ! $7 ]] || data+=${option}01$(hex_mac "$7")
	options=$(printf '%s' "${@:8}")
	frame_ip6 "$3" 33:33:00:00:00:01 "$4" "$5" 58 "$data$options" 2
}

# frame_extended FRAME - the IPv6 frame with a destination options header (RFC 8200) in front
frame_extended() {
	local length

	length=$(printf '%04x' $((0x${1:36:4} + 8)))
	printf '%s%s3c%s3a00010400000000%s' "${1:0:36}" "$length" "${1:42:66}" "${1:108}"
}

# linklocal MAC - prints the link-local address that derives from it
linklocal() {
	local m=${1//:/}

	printf 'fe80::%02x%s:%sff:fe%s:%s' $((0x${m:0:2} ^ 2)) "${m:2:2}" "${m:4:2}" "${m:6:2}" "${m:8:4}"
}

# send_frame NS DEVICE HEX - sends a frame from NS
send_frame() {
	local i bytes=''

	for ((i = 0; i < ${#3}; i += 2)); do bytes+="\\x${3:i:2}"; done
	printf '%b' "$bytes" | in_ns "$1" socat -u - "INTERFACE:$2"
}

# mac_of NS DEVICE - prints its MAC address
mac_of() {
	in_ns "$1" ip -j link show dev "$2" | jq -r '.[0].address'
}
