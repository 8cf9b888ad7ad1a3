# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# room.bash - common functions of the tests of podman and containerd
#
# The runtime gets private namespaces (tests/tools/rig.bash), a busybox image, a folder of
# plugins (ours, and the reference's for other types), and an external machine.  The script is
# the init process of the PID namespace, so all shims, monitors and daemons end with it.

# shellcheck source=tests/tools/rig.bash
source "$(dirname "${BASH_SOURCE[0]}")/../tools/rig.bash"

CHECKS=0
FAILURES=0

# check TEXT COMMAND... - executes COMMAND and prints a line of TAP, and its output if it failed
check() {
	local text=$1 said

	shift
	CHECKS=$((CHECKS + 1))
	if said=$("$@" 2>&1); then
		echo "ok $CHECKS - $text"
	else
		FAILURES=$((FAILURES + 1))
		echo "not ok $CHECKS - $text"
		printf '%s\n' "$said" "(it was: $*)" | sed 's/^/#   /'
	fi
}

# conclude - prints the plan, and returns 1 after failures
conclude() {
	echo "1..$CHECKS"
	((FAILURES == 0))
}

# expect PATTERN COMMAND... - asserts that COMMAND succeeds and its output matches PATTERN (grep -E)
expect() {
	local pattern=$1 said

	shift
	said=$("$@" 2>&1) || { printf '%s\n' "$said" && return 1; }
	grep -Eq -- "$pattern" <<<"$said" || { printf 'not %s: %s\n' "$pattern" "$said" && return 1; }
}

# refuse PATTERN COMMAND... - asserts that COMMAND fails and its output matches PATTERN
refuse() {
	local pattern=$1 said

	shift
	! said=$("$@" 2>&1) || { printf 'it worked: %s\n' "$said" && return 1; }
	grep -Eq -- "$pattern" <<<"$said" || { printf 'not %s: %s\n' "$pattern" "$said" && return 1; }
}

# nothing_left NAME - asserts that the state is that of the snapshot NAME
nothing_left() {
	local end=$((SECONDS + RIG_DEADLINE))

	# The runtime may clean up after its command has returned.
	while :; do
		everything >"$W/now"
		! diff -U0 "$W/$1" "$W/now" >"$W/diff" || return 0
		((SECONDS < end)) || break
		sleep 0.2
	done
	cat "$W/diff"
	return 1
}

# everything - prints a snapshot without the runtime's files in /run, and without those rules of
# cplug's tables that belong to networks, which the plugins add and remove lazily (docs/nft.md)
everything() {
	snapshot | grep -Ev '^file /run/|^host: nft'
	nft -s list ruleset 2>/dev/null | awk '/^table / { ours = /^table (inet|bridge) cplug/ } !ours || /"veth/'
	ls /run/netns
}

# plugin_folder DIR - creates DIR with all plugins that a runtime may call
plugin_folder() {
	local plugin reference

	mkdir -p "$1"
	for reference in /usr/lib/cni /usr/libexec/cni /opt/cni/bin; do
		[[ -x $reference/bridge ]] && break
	done
	for plugin in "$reference"/*; do ln -s "$plugin" "$1/"; done
	for plugin in "$PLUGINS"/*; do ln -sf "$plugin" "$1/"; done
}

# root_file_system DIR - creates DIR with busybox and a web page
root_file_system() {
	local applet busybox

	busybox=$(type -P busybox)
	mkdir -p "$1"/{bin,etc,dev,proc,sys,tmp,www,run,root}
	cp "$busybox" "$1/bin/busybox"
	for applet in $("$busybox" --list); do
		[[ $applet == busybox ]] || ln -s busybox "$1/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	echo 'the web page' >"$1/www/index.html"
	cat >"$1/bin/serve" <<-'END'
		#!/bin/sh
		exec httpd -f -p 80 -h /www
	END
	chmod 755 "$1/bin/serve"
}

# docker_archive ROOT TAR NAME COMMAND - creates an image in the format of `docker save`
docker_archive() {
	local d id

	d=$(mktemp -d "$W/image.XXXXXX")
	tar -C "$1" -cf "$d/layer.tar" .
	id=$(sha256sum "$d/layer.tar" | cut -d' ' -f1)
	jq -n --arg id "sha256:$id" --arg command "$4" '{architecture: "amd64", os: "linux",
		config: {Cmd: ($command | split(" ")), Env: ["PATH=/bin"]},
		rootfs: {type: "layers", diff_ids: [$id]}, history: [{created_by: "test"}]}' >"$d/config.json"
	jq -n --arg name "$3" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$d/manifest.json"
	tar -C "$d" -cf "$2" manifest.json config.json layer.tar
	rm -rf "$d"
}

# room PLUGIN-DIR - sets everything up; must be called first, with the script's arguments
room() {
	if ((EUID != 0)); then
		echo "1..0 # skip container runtimes need root"
		exit 0
	fi
	PLUGINS=${1:?PLUGIN-DIR}
	if ! rig_is_inside; then
		W=$(mktemp -d "${TMPDIR:-/tmp}/room.XXXXXX")
		export W
		status=0
		(rig_exec bash "$0" "$@") || status=$?
		rm -rf "$W"
		exit "$status"
	fi
	rig_furnish
	mkdir -p /run/cg
	mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	# Mount a sysfs of this network namespace, and move the cgroups into it.
	mount --rbind /sys/fs/cgroup /run/cg
	mount -t sysfs sysfs /sys
	mount --rbind /run/cg /sys/fs/cgroup
	umount -l /run/cg
	world
	mkdir -p "$W/net.d"
	plugin_folder "$W/plugins"
	root_file_system "$W/rootfs"
}

# get URL - prints a web page
get() {
	curl -gs --max-time "$RIG_DEADLINE" --noproxy '*' "$1"
}
