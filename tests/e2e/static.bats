#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The static executable needs no other file.
load lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"macspoofchk":true,"capabilities":{"portMappings":true},
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'

prepare() {
	! readelf -l "$CPLUG_BIN/cplug" | grep -q INTERP || skip 'not the static executable'
	# A root folder with only the plugins, /proc, the namespaces, and a folder for leases.
	empty=/run/.rig/empty
	mkdir -p "$empty"/{bin,proc,run/netns,var/lib/cni}
	cp "$CPLUG_BIN/cplug" "$empty/bin/cplug"
	for name in bridge host-local portmap loopback cnitool; do ln "$empty/bin/cplug" "$empty/bin/$name"; done
	mount -t proc proc "$empty/proc"
	mount --rbind /run/netns "$empty/run/netns"
}

# alone COMMAND TYPE - as cni, with that root folder
alone() {
	status=0
	output=$(CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=/bin \
		chroot "$empty" "/bin/$2" <<<"$CONF") || status=$?
	printf '%s\n' "$output"
}

@test "static: the executable has no interpreter and no shared library" {
	prints_not 'INTERP|NEEDED' readelf -ld "$CPLUG_BIN/cplug"
}

@test "static: ADD, CHECK and DEL work in an empty root folder" {
	new_netns c1
	mount --rbind /run/netns "$empty/run/netns"
	alone ADD bridge
	ok
	has '.ips[0].address == "10.1.0.2/24"'
	sees c1 10.1.0.1
	tcp_answer c1 80 web
	ask - tcp 127.0.0.1 8080
	CONF=$(chained "$CONF")
	alone CHECK bridge
	ok
	alone DEL bridge
	ok
	no_link c1 eth0
}

@test "static: VERSION and cnitool --help work in an empty root folder" {
	CNI_COMMAND=VERSION chroot "$empty" /bin/portmap
	chroot "$empty" /bin/cplug
	chroot "$empty" /bin/cnitool --help
}

@test "static: the relocated data of a running call is read-only" {
	local pid base relro from to range mode seen=''

	mkfifo /run/.rig/stdin
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN \
		"$CPLUG_BIN/bridge" </run/.rig/stdin >/dev/null 3>&- 4>&- &
	pid=$!
	exec 8>/run/.rig/stdin
	wait_for "the call to read its request" grep -q ' 0x0 ' "/proc/$pid/syscall"
	cat "/proc/$pid/maps" >"$BATS_TEST_TMPDIR/maps"
	exec 8>&-
	wait "$pid" || :
	base=$((0x$(grep -m1 "$(realpath "$CPLUG_BIN/bridge")\|/cplug$" "$BATS_TEST_TMPDIR/maps" | cut -d- -f1)))
	relro=$(readelf -lW "$CPLUG_BIN/cplug" | awk '$1 == "GNU_RELRO" { print $3, $6 }')
	# An executable that is not position-independent has absolute addresses.
	readelf -hW "$CPLUG_BIN/cplug" | grep -q 'DYN' || base=0
	from=$((base + ${relro% *}))
	to=$((from + ${relro#* }))
	cat "$BATS_TEST_TMPDIR/maps"
	while read -r range mode _; do
		((0x${range%-*} >= to || 0x${range#*-} <= from)) && continue
		seen=1
		[[ $mode == r--p ]] || fail "GNU_RELRO from $(printf '%x' "$from") to $(printf '%x' "$to") is $mode"
	done <"$BATS_TEST_TMPDIR/maps"
	[[ $seen ]]
}

@test "static: relocations are packed, and a start code that applies them itself is no harm" {
	local cc=${CC:-cc} musl pack program=$BATS_TEST_TMPDIR/program top=$BATS_TEST_DIRNAME/../..

	# Also by the linkers and C libraries that the release form's Makefile part finds.
	musl=$(CC=$cc "$top/compat/musl" "$BATS_TEST_TMPDIR/musl")
	[[ $musl ]] || skip 'musl is not used'
	"$cc" -Wl,--help | grep -q pack-relative-relocs || skip 'the linker cannot pack relocations'
	readelf -dW "$CPLUG_BIN/cplug" | grep -F '(RELR)'
	prints_not R_ readelf -rW "$CPLUG_BIN/cplug"
	# Entries and bitmaps of more than one word; one pointer in 100 is none.
	cat >"$program.c" <<-'END'
		#define P(n) numbers + (n), numbers + (n) + 1, numbers + (n) + 2, numbers + (n) + 3
		#define Q(n) P(n), P((n) + 4), P((n) + 8), P((n) + 12), 0
		static int numbers[1024], many;
		static int *volatile table[] = { Q(0), Q(16), Q(32), Q(48), Q(64), Q(80), Q(96), Q(112) };
		int *volatile far[4096] = { [4000] = numbers + 7 };
		int main(int argc, char **argv)
		{
			for (int i = 0; i < 128; i++)
				many += table[i + i / 16] == numbers + i;
			for (int i = 0; i < 8; i++)
				many += !table[16 + 17 * i];
			return many != 136 || far[4000] != numbers + 7 || far[3999] || argc != 2 || argv[1][0] != 'a';
		}
	END
	# With ordinary relocations musl's start code applies them, as that of newer ones the packed.
	for pack in pack nopack; do
		"$cc" -O2 -fPIE -ffunction-sections -fstack-protector-strong -static-pie -nostdlib -w \
			-Wl,-z,$pack-relative-relocs -Wl,--wrap=__libc_start_main "$musl"/{rcrt1,crti}.o \
			"$program.c" "$top/compat/relr.c" -Wl,--start-group "$musl/libc.a" -lgcc -Wl,--end-group \
			"$musl/crtn.o" -o "$program"
		[[ $(readelf -dW "$program" | grep -c '(RELR)') == $([[ $pack == pack ]] && echo 1 || echo 0) ]]
		"$program" a
	done
}

@test "static: plugins, cnitool and the network driver are one file of at most 1 MB" {
	# The limit is for the form that is published: musl, this architecture, no other optimisation.
	[[ $(uname -m) == x86_64 && ${CPLUG_BUILT-} == */musl/* ]] || skip "built with another C library"
	(($(stat -c %s "$CPLUG_BIN/cplug") <= 1000000)) || fail "$(stat -c %s "$CPLUG_BIN/cplug") bytes"
	is "$(find "$CPLUG_BIN" -samefile "$CPLUG_BIN/cplug" | wc -l)" "$(find "$CPLUG_BIN" -type f ! -name cplug-etcd | wc -l)"
}
