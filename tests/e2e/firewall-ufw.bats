#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# firewall with the real ufw, whose default drops forwarded packets
load lib

NET1='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
PORTMAP='{"cniVersion":"1.1.0","name":"net1","type":"portmap",
	"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":7000,"protocol":"tcp"}]}}'
FIREWALL='{"cniVersion":"1.1.0","name":"net1","type":"firewall"}'

prepare() {
	type -P ufw >/dev/null || skip "ufw is not installed"
	[[ $(readlink -f "$(type -P iptables)") == *-nft-* ]] || skip "iptables is not iptables-nft"
	# ufw as Debian installs it, in a folder of the test.
	private_folder /etc/ufw
	cp /usr/share/ufw/{before,before6,after,after6,user,user6}.rules /etc/ufw/
	cp /usr/share/ufw/{before,after}.init /etc/ufw/
	chmod 640 /etc/ufw/*.rules
	printf 'ENABLED=no\nLOGLEVEL=low\n' >/etc/ufw/ufw.conf
	: >/etc/ufw/sysctl.conf
	mkdir /etc/ufw/applications.d
	sed '/^DEFAULT_FORWARD_POLICY=/s/=.*/="DROP"/; /^MANAGE_BUILTINS=/s/=.*/=no/' /etc/default/ufw >/run/.rig/ufw
	mount --bind /run/.rig/ufw /etc/default/ufw
	world
	new_netns c1 c2
	tcp_answer world 7000 world
	ufw_does --force enable
	is "$(iptables -S FORWARD | head -n 1)" '-P FORWARD DROP'
}

# ufw_does ARGUMENT... - runs ufw, which says that folders belong to others in a user namespace
ufw_does() {
	ufw "$@" >"$BATS_TEST_TMPDIR/ufw" 2>&1 || fail "ufw $*: $(cat "$BATS_TEST_TMPDIR/ufw")"
}

# attach [ID] - ADD of bridge, portmap and firewall, whose backend is automatic
attach() {
	local id=${1-c1}

	add bridge "$NET1" "$id"
	[[ $id != c1 ]] || add portmap "$(chained "$PORTMAP")" c1
	CNI_DEBUG=1 cni ADD firewall "$(chained "$FIREWALL")" "$id"
	ok
	contains "$errors" 'backend: iptables, because forwarded traffic of bridge br1 is dropped by chain FORWARD'
}

# passes - asserts that connections from c1, and to its published port, succeed
passes() {
	local address

	for address in 203.0.113.2 2001:db8:113::2; do
		ask c1 tcp $address 7000 >/dev/null || fail "c1 gets no answer from $address"
	done
	for address in 203.0.113.1 2001:db8:113::1; do
		ask world tcp $address 8080 >/dev/null || fail "the published port of $address does not answer"
	done
}

# ufws_rules - prints the rules of ufw, without counters and without the firewall plugin's
ufws_rules() {
	{ iptables-save -t filter && ip6tables-save -t filter; } | grep -v -e '^#' -e CNI- | sed 's/ \[[0-9:]*\]$//'
}

@test "firewall-ufw: traffic and published ports pass where ufw drops, and DEL leaves its rules as they were" {
	local before

	before=$(ufws_rules)
	cni STATUS firewall "$FIREWALL" '' ''
	ok
	cni STATUS firewall "$(with "$FIREWALL" '.backend = "nftables"')" '' ''
	failed 51 'FORWARD of nftables table ip filter, whose policy is drop'
	attach
	tcp_answer c1 7000 web
	passes
	attach c2
	sees c1 203.0.113.2
	is "$(ufws_rules)" "$before"
	for id in c1 c2; do
		cni DEL firewall "$FIREWALL" $id ''
		ok
	done
	is "$(ufws_rules)" "$before"
	prints_not '10\.1\.0\.' iptables -S
	prints_not 'fd00:1::' ip6tables -S
	# Without the plugin ufw drops.
	ask_in_vain c1 tcp 203.0.113.2 7000
	ask_in_vain world tcp 203.0.113.1 8080
}

@test "firewall-ufw: a reload loses no connection, and changes of ufw's rules none of the plugin's" {
	local conf before rule

	attach
	conf=$(chained "$FIREWALL")
	tcp_answer c1 7000 web
	# An open connection through all reloads: one line each second round comes back.
	serve world 7001 'cat'
	coproc TALK { in_ns c1 socat - TCP:203.0.113.2:7001 2>/dev/null 3>&- 4>&-; }
	talks() {
		local line

		echo "$1" >&"${TALK[1]}"
		read -r -t "$RIG_DEADLINE" line <&"${TALK[0]}"
		is "$line" "$1"
	}
	talks before
	ufw_does reload
	talks reloaded
	passes
	cni CHECK firewall "$conf"
	ok
	before=$(iptables -S | grep CNI-)
	for rule in 'allow 22/tcp' 'route allow in on uplink out on br1 to 10.1.0.0/24 port 443 proto tcp' \
		'default deny routed' 'logging high' 'default reject routed'; do
		# shellcheck disable=SC2086 # words are wanted
		ufw_does $rule
		talks "$rule"
		passes
		is "$(iptables -S | grep CNI-)" "$before"
	done
	cni CHECK firewall "$conf"
	ok
	# The administrator's chain is before what the plugin accepts, and ufw's own rules are after it.
	iptables -A CNI-ADMIN -d 203.0.113.2 -p tcp --dport 7000 -j DROP
	ask_in_vain c1 tcp 203.0.113.2 7000
	iptables -F CNI-ADMIN
	passes
	cni DEL firewall "$FIREWALL" c1 ''
	ok
	prints_not '10\.1\.0\.2' iptables -S
}

@test "firewall-ufw: off and on again; with MANAGE_BUILTINS ufw deletes the rules, and a repair adds them" {
	local conf

	attach
	conf=$(chained "$FIREWALL")
	tcp_answer c1 7000 web
	ufw_does disable
	passes
	cni CHECK firewall "$conf"
	ok
	ufw_does --force enable
	passes
	cni CHECK firewall "$conf"
	ok
	# ufw writes the rules of all programs anew.
	sed 's/^MANAGE_BUILTINS=.*/MANAGE_BUILTINS=yes/' /etc/default/ufw >"$BATS_TEST_TMPDIR/default"
	cat "$BATS_TEST_TMPDIR/default" >/etc/default/ufw
	ufw_does reload
	cni CHECK firewall "$conf"
	failed 107 'of iptables'
	ask_in_vain c1 tcp 203.0.113.2 7000
	CPLUG_REPAIR=1 cni CHECK firewall "$conf"
	ok
	passes
	cni CHECK firewall "$conf"
	ok
	# The next ADD brings back what its own container needs, too.
	ufw_does reload
	attach c2
	sees c2 203.0.113.2
	cni DEL firewall "$FIREWALL" c1 ''
	ok
	cni DEL firewall "$FIREWALL" c2 ''
	ok
	prints_not '10\.1\.0\.' iptables -S
}
