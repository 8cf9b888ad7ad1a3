#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the author of a network configuration may name on the host (docs/security.md, Multus).

load lib

CONF='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"br1","isGateway":true,
	"dns":{"nameservers":["10.0.0.53"],"search":["a.example"]},
	"ipam":{"type":"host-local","subnet":"10.1.0.0/24"}}'
LOG=/var/log/cplug/x.log

prepare() {
	private_folder /etc/cplug
	private_folder /var/log/cplug
	warm_up bridge "$(with "$CONF" 'del(.dns)')"
	new_netns c1
}

# logs FILE - asserts that ADD and DEL write a log to FILE
logs() {
	add bridge "$(with "$CONF" ".log = {file: \"$1\", level: \"debug\"}")"
	contains "$(cat "$1")" 'bridge ADD: '
	contains_not "$errors" log.file
	del bridge "$CONF"
}

# logs_not FILE [PATTERN] - asserts that ADD succeeds with a warning, and does not write FILE
logs_not() {
	local before

	before=$(stat -c '%A %h %u %s' "$1" 2>&1 || :)
	cni ADD bridge "$(jq -c --arg file "$1" '.log = {file: $file, level: "debug"}' <<<"$CONF")"
	ok
	said=$errors
	contains "$said" "log.file.*${2-}"
	is "$(stat -c '%A %h %u %s' "$1" 2>&1)" "$before"
	del bridge "$CONF"
}

@test "hostconf: log.file is written below /var/log/cplug, and nowhere else" {
	local file

	logs $LOG
	is "$(stat -c %a $LOG)" 600
	logs /var/log/cplug/a/b/x.log
	rm -rf /var/log/cplug/a
	echo precious >/run/precious
	for file in /run/precious /run/new /var/log/cplug.log /var/log/cplugged/x /root/.ssh/authorized_keys /etc/cron.d/x \
		/proc/sysrq-trigger relative.log; do
		logs_not "$file" 'not (below|allowed).*'
	done
	for file in /var/log/cplug/../../../run/precious /var/log/cplug/.. /var/log/cplug/a/../x; do
		logs_not "$file" 'contains ".."'
	done
	logs_not $'/var/log/cplug/a\nb' 'control character'
	is "$(cat /run/precious)" precious
}

@test "hostconf: log.file follows no symlink, and is a regular file" {
	mkdir /run/elsewhere
	ln -s /run/elsewhere /var/log/cplug/link
	logs_not /var/log/cplug/link/x.log
	ln -s /run/elsewhere/y $LOG
	logs_not $LOG
	rm $LOG
	mkfifo $LOG
	logs_not $LOG
	cat $LOG >/run/read & # a FIFO with a reader can be opened
	logs_not $LOG 'Invalid argument'
	wait $!
	rm $LOG
	mkdir $LOG
	logs_not $LOG 'directory'
	rmdir $LOG
	if mknod $LOG c 1 3 2>/dev/null; then logs_not $LOG; fi
	is "$(ls -A /run/elsewhere)" ''
	[[ ! -s /run/read ]]
}

@test "hostconf: a value cannot make a line of its own in a log" {
	local evil=$'x\nssh-ed25519 AAAA evil\n\e[2J'

	cni ADD bridge "$(jq -c --arg evil "$evil" --arg log $LOG '.bridge = $evil | .log = {file: $log, level: "debug"}' <<<"$CONF")"
	failed 7
	# White space of values is ' ' in messages.
	contains "$(cat $LOG)" 'x ssh-ed25519'
	contains_not "$(cat $LOG)" '^ssh-ed25519'
	contains_not "$(cat $LOG)" $'\e'
	is "$(grep -vc '^[0-9 ]* us bridge\|^bridge: ' $LOG || :)" 0
	# The same on stderr, and in CNI_LOG, also with the command.
	status=0
	CNI_DEBUG=1 CNI_LOG=/run/log CNI_COMMAND=$evil CNI_CONTAINERID=$evil "$CPLUG_BIN/bridge" <<<"$CONF" 2>/run/errors || status=$?
	is "$status" 1
	contains_not "$(cat /run/log /run/errors)" '^ssh-ed25519'
}

@test "hostconf: resolvConf is written below /etc/netns and /run/cplug, and nowhere else" {
	local file conf

	: >/run/empty
	remember
	for file in /etc/netns/other/resolv.conf /run/cplug/a/resolv.conf; do
		conf=$(with "$CONF" ".resolvConf = \"$file\"")
		add bridge "$conf"
		grep -q '^nameserver 10.0.0.53' "$file"
		has '.ips[0].address'
		cni CHECK bridge "$(chained "$conf")"
		ok
		del bridge "$conf"
		[[ ! -e $file ]]
	done
	assert_same_snapshot
	for file in /etc/profile.d/z.sh /run/empty /run/new /etc/netns /etc/netns/ /etc/netns/../x /run/cplugged/x $'/etc/netns/a\nb'; do
		conf=$(jq -c --arg file "$file" '.resolvConf = $file' <<<"$CONF")
		cni ADD bridge "$conf"
		failed 7 'resolvConf: '
		[[ $file == /etc/netns* || ! -s $file ]]
		cni DEL bridge "$conf"
		ok
		contains "$errors" resolvConf
	done
	assert_same_snapshot
	# A symlink leads out of the folder.
	mkdir -p /run/elsewhere /etc/netns
	ln -s /run/elsewhere /etc/netns/link
	cni ADD bridge "$(with "$CONF" '.resolvConf = "/etc/netns/link/resolv.conf"')"
	failed 112 'Not a directory'
	is "$(ls -A /run/elsewhere)" ''
}

@test "hostconf: below /etc/netns only NAME/resolv.conf is written" {
	local file conf

	mkdir -p /etc/netns/other
	for file in bash.bashrc ld.so.preload hosts resolv.conf/x a/resolv.conf; do
		conf=$(with "$CONF" ".resolvConf = \"/etc/netns/other/$file\"")
		cni ADD bridge "$conf"
		failed 7 'resolvConf: .*NAME/resolv.conf'
	done
	cni ADD bridge "$(with "$CONF" '.resolvConf = "/etc/netns/resolv.conf"')"
	failed 7 'resolvConf: .*NAME/resolv.conf'
	is "$(find /etc/netns -type f)" ''
}

@test "hostconf: below /etc/netns the file of another namespace is not written" {
	new_netns c2
	ip netns add other
	warm_up bridge "$CONF"
	remember
	cni ADD bridge "$(with "$CONF" '.resolvConf = "/etc/netns/other/resolv.conf" | .dns.nameservers = ["10.6.6.6"]')" c2
	failed 7 'resolvConf: .* is another namespace'
	assert_same_snapshot
	# By another path to the namespace than its name.
	cni ADD bridge "$(with "$CONF" '.resolvConf = "/etc/netns/c2/resolv.conf"')" c2 /var/run/netns/c2
	ok
	contains "$(cat /etc/netns/c2/resolv.conf)" 'for net1/c2/eth0'
}

@test "hostconf: a path does not take another container's resolv.conf" {
	local before path

	new_netns c2
	add bridge "$CONF"
	before=$(cat /etc/netns/c1/resolv.conf)
	for path in /etc/netns/c1/resolv.conf /run/cplug/x; do
		conf=$(with "$CONF" ".resolvConf = \"$path\" | .dns.nameservers = [\"10.6.6.6\"]")
		[[ $path != /run/cplug/x ]] || { mkdir -p /run/cplug && echo "$before" >$path; }
		cni ADD bridge "$conf" c2
		ok
		contains "$errors" 'left alone, it belongs to net1/c1/eth0'
		is "$(cat $path)" "$before"
		del bridge "$conf" c2
		is "$(cat $path)" "$before"
	done
	# The path of the container's own namespace: an attachment whose DEL was lost had it before.
	echo '# Written by cplug for net1/old/eth0' >/etc/netns/c1/resolv.conf
	del bridge "$CONF"
	add bridge "$CONF"
	contains "$(cat /etc/netns/c1/resolv.conf)" 'for net1/c1/eth0'
}

@test "hostconf: ipam.resolvConf is a regular file, and nothing else is opened" {
	local writer

	mkfifo /run/fifo
	{ : >/run/fifo && : >/run/opened; } &
	writer=$!
	cni ADD bridge "$(with "$CONF" '.ipam.resolvConf = "/run/fifo"')"
	failed 112 'read /run/fifo: Invalid argument'
	ln -s /run/fifo /run/link
	cni ADD bridge "$(with "$CONF" '.ipam.resolvConf = "/run/link"')"
	failed 112 'read /run/link: Invalid argument'
	[[ ! -e /run/opened ]]
	cat /run/fifo >/run/read # the writer waited until now
	wait "$writer"
	[[ -e /run/opened ]]
}

@test "hostconf: the symlink of a namespace's folder below /etc/netns is not followed" {
	mkdir -p /run/elsewhere
	ln -s /run/elsewhere /etc/netns/c1
	cni ADD bridge "$CONF"
	ok
	contains "$errors" '/etc/netns/c1/resolv.conf'
	is "$(ls -A /run/elsewhere)" ''
	printf '# Written by cplug for net1/c1/eth0\n' >/run/elsewhere/resolv.conf
	del bridge "$CONF"
	[[ -e /run/elsewhere/resolv.conf ]]
}

@test "hostconf: DNS values with white space or control characters are refused by name" {
	local conf value

	remember
	for value in $'a\nb' $'a\rb' 'a b' $'a\tb' $'a\x01' $'\x7f'; do
		for key in 'nameservers[1]' 'search[1]' 'options[1]' domain; do
			conf=$(jq -c --arg v "$value" ".dns = {nameservers: [\"1.1.1.1\"], search: [\"x\"], options: [\"y\"]}
				| .dns.$key = \$v" <<<"$CONF")
			cni ADD bridge "$conf"
			failed 7 "dns.${key/\[1\]/\\[1\\]}: "
			assert_same_snapshot
		done
	done
	# They may be in the result if no resolv.conf is written.
	cni ADD bridge "$(with "$CONF" '.dns.search = ["a b"] | .resolvConf = "off"')"
	ok
	has '.dns.search == ["a b"]'
}

# ---- /etc/cplug/cplug.conf -------------------------------------------------

@test "hostconf: the host's administrator allows other folders" {
	mkdir /run/logs /run/real
	ln -s /run/real /run/link
	host_allows '{"logFolders": ["/run/logs/", "/run/link"], "resolvConfFolders": ["/run/resolv"]}'
	logs /run/logs/x.log
	logs /run/link/y.log # the administrator's own symlink
	[[ -s /run/real/y.log ]]
	logs_not $LOG '/run/logs/, /run/link'
	add bridge "$(with "$CONF" '.resolvConf = "/run/resolv/c1"')"
	[[ -s /run/resolv/c1 ]]
	del bridge "$(with "$CONF" '.resolvConf = "/run/resolv/c1"')"
	[[ ! -e /run/resolv/c1 ]]
	cni ADD bridge "$(with "$CONF" '.resolvConf = "/run/cplug/c1"')"
	failed 7 'resolvConf: .*/run/resolv.*cplug.conf'
	host_allows '{"logFolders": []}'
	logs_not $LOG
	host_allows '{"logFolders": ["/"]}'
	logs /run/anywhere.log
}

@test "hostconf: a file that is not root's alone, or is invalid, is ignored with a warning" {
	local text

	warn() {
		logs_not /run/logs/x.log
		contains "$said" 'cplug.conf.*ignored, the defaults are in force'
		logs $LOG
		[[ ! -e /run/logs/x.log ]]
	}
	mkdir /run/logs
	host_allows '{"logFolders": ["/run/logs"]}'
	chmod g+w /etc/cplug/cplug.conf
	warn
	chmod 646 /etc/cplug/cplug.conf
	warn
	chmod 644 /etc/cplug/cplug.conf
	if chown 1 /etc/cplug/cplug.conf 2>/dev/null; then warn; fi
	rm /etc/cplug/cplug.conf
	echo '{"logFolders": ["/run/logs"]}' >/run/conf
	ln -s /run/conf /etc/cplug/cplug.conf
	warn
	rm /etc/cplug/cplug.conf
	mkfifo /etc/cplug/cplug.conf
	warn
	rm /etc/cplug/cplug.conf
	for text in '' '{' '[]' '{"logFolders": "/run/logs"}' '{"logFolders": ["/run/logs", 5]}' '{"logFolder": ["/run/logs"]}' \
		'{"logFolders": ["/run/logs"], "replaceAcrossNetworks": "yes"}' '{"logFolders": ["/run/../run/logs"]}'; do
		host_allows "$text"
		warn
	done
}

@test "hostconf: cplug.conf is read only if a key needs it" {
	can_trace || skip "strace is not allowed"
	no_leak_check
	printf '%s' "$CONF" >/run/conf
	CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/run/netns/c1 CNI_IFNAME=eth0 CNI_PATH=$CPLUG_BIN strace -f -qq \
		-o /run/trace -e trace=open,openat,openat2,stat,newfstatat "$CPLUG_BIN/bridge" </run/conf >/run/out
	grep -q '/etc/netns' /run/trace
	! grep cplug.conf /run/trace || fail "read without need"
}
