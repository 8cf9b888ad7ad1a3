#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Firewalls of other programs: STATUS reports their drops, traffic passes, and the plugins do not
# change them.
# shellcheck disable=SC2030,SC2031,SC2034 # subshells change CPLUG_BIN for themselves only
load lib

CONF='{"cniVersion":"1.1.0","name":"net1","type":"bridge","bridge":"br1","isDefaultGateway":true,"ipMasq":true,
	"capabilities":{"portMappings":true},
	"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"fd00:1::/64"}]]}}'
HOST4=203.0.113.1 HOST6=2001:db8:113::1
WORLD4=203.0.113.2 WORLD6=2001:db8:113::2

prepare() {
	world
	new_netns c1 c2
	# IPv6 is forwarded only once the uplink has a link-local address.
	wait_for "the uplink" settled
}

settled() {
	prints '' ip -6 address show dev uplink tentative
}

# publishing PORT... - prints the configuration, which publishes each PORT to port 80
publishing() {
	jq -c '.runtimeConfig.portMappings = ($ARGS.positional
		| map({hostPort: tonumber, containerPort: 80, protocol: "tcp"}))' --args "$@" <<<"$CONF"
}

# neighbour - prints the configuration of c2, with fixed addresses
neighbour() {
	with "$CONF" '.args.cni.ips = ["10.1.0.3", "fd00:1::3"]'
}

# up - ADD of c1, which publishes a port, and c2; starts servers
up() {
	add bridge "$(publishing 8080)" c1
	add bridge "$(neighbour)" c2
	tcp_answer c1 80 web
	tcp_answer c2 7000 neighbour
	tcp_answer world 7000 outside
}

# paths - prints the connections to test: NS ADDRESS PORT
paths() {
	cat <<-END
		c1 $WORLD4 7000
		c1 $WORLD6 7000
		world $HOST4 8080
		world $HOST6 8080
		c2 $HOST4 8080
		c2 $HOST6 8080
		c1 $HOST4 8080
		c1 $HOST6 8080
		c1 10.1.0.3 7000
		c1 fd00:1::3 7000
	END
}

# all_pass - asserts that all paths work, and localhost
all_pass() {
	local ns ip port

	while read -r ns ip port; do
		ask "$ns" tcp "$ip" "$port" >/dev/null || fail "$ns gets no answer from $ip port $port"
	done < <(paths)
	ask - tcp 127.0.0.1 8080 >/dev/null || fail "no answer on localhost"
}

# none_passes PATTERN - asserts that no path that matches PATTERN works
none_passes() {
	local ns ip port open=$BATS_TEST_TMPDIR/open
	local -a waiting=()

	: >"$open"
	while read -r ns ip port; do
		! ASK_DEADLINE=$([[ ${VMTEST-} ]] && echo 15 || echo 1) ask "$ns" tcp "$ip" "$port" >/dev/null ||
			echo "$ns gets an answer from $ip port $port" >>"$open" &
		waiting+=($!)
	done < <(paths | grep -E "$1")
	((${#waiting[@]} > 0))
	wait "${waiting[@]}"
	[[ ! -s $open ]] || fail "$(cat "$open")"
}

# reported PATTERN - asserts that STATUS reports a chain that drops
reported() {
	cni STATUS bridge "$CONF" '' ''
	failed 51 "forwarded traffic of bridge br1 is dropped by chain $1"
}

# none_reported - asserts that STATUS succeeds
none_reported() {
	cni STATUS bridge "$CONF" '' ''
	ok
}

# foreign [legacy] - prints the rulesets of other programs, without counters
foreign() {
	local table family name

	nft -s list tables | grep -v ' cplug$' | while read -r table family name; do
		nft -s list "$table" "$family" "$name" 2>/dev/null
	done
	if [[ ${1-} == legacy ]]; then
		iptables-legacy-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'
	fi
}

needs() {
	local tool

	for tool; do
		type -P "$tool" >/dev/null || skip "$tool is not installed"
		case $tool in
		*-legacy) "$tool" -w -t nat -L >/dev/null 2>&1 || skip "this kernel has no ip_tables" ;;
		esac
	done
}

# ---- firewalls that drop forwarded packets ---------------------------------

@test "firewalls: docker: STATUS reports the policy of FORWARD; rules in DOCKER-USER let traffic pass" {
	local tool

	needs iptables-nft ip6tables-nft
	up
	all_pass
	for tool in iptables-nft ip6tables-nft; do
		$tool -P FORWARD DROP
		$tool -N DOCKER-USER
		$tool -A DOCKER-USER -j RETURN
		$tool -A FORWARD -j DOCKER-USER
	done
	none_passes '^(c1 .*7000|world)'
	reported 'FORWARD of nftables table ip filter, whose policy is drop .*DOCKER-USER -i br1'
	# The remedy in docs/nft.md.
	for tool in iptables-nft ip6tables-nft; do
		$tool -I DOCKER-USER -i br1 -j ACCEPT
		$tool -I DOCKER-USER -o br1 -j ACCEPT
	done
	none_reported
	all_pass
	# Behind the drop, or without a jump to it, the chain is no remedy.
	iptables-nft -I FORWARD -j DROP
	reported 'FORWARD of nftables table ip filter, by one of its rules \(let it pass there: iptables -I FORWARD -i br1'
	iptables-nft -F FORWARD
	reported 'FORWARD of nftables table ip filter, whose policy is drop \(let it pass there: iptables -I FORWARD -i br1'
}

@test "firewalls: ufw: STATUS reports the policy of FORWARD; ufw route rules let traffic pass" {
	local tool chain

	needs iptables-nft ip6tables-nft
	up
	# The chains of ufw 0.36 that a forwarded packet traverses.
	for tool in iptables-nft ip6tables-nft; do
		chain=ufw$([[ $tool != ip6* ]] || echo 6)
		$tool -P FORWARD DROP
		$tool -N "$chain-before-forward"
		$tool -N "$chain-user-forward"
		$tool -A FORWARD -j "$chain-before-forward"
		$tool -A "$chain-before-forward" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		$tool -A "$chain-before-forward" -j "$chain-user-forward"
	done
	none_passes '^(c1 .*7000|world)'
	reported 'FORWARD of nftables table ip filter, .*ufw route allow in on br1'
	# ufw route allow in on br1
	iptables-nft -A ufw-user-forward -i br1 -j ACCEPT
	ip6tables-nft -A ufw6-user-forward -i br1 -j ACCEPT
	ask c1 tcp $WORLD4 7000
	ask c1 tcp $WORLD6 7000
	none_passes '^world'
	none_reported
	# ufw route allow out on br1
	iptables-nft -A ufw-user-forward -o br1 -j ACCEPT
	ip6tables-nft -A ufw6-user-forward -o br1 -j ACCEPT
	all_pass
}

# zones [RULES] - creates firewalld's forward chain again, as a reload does
zones() {
	nft -f - <<-END
		table inet firewalld
		delete table inet firewalld
		table inet firewalld {
			chain filter_FORWARD {
				type filter hook forward priority filter + 10; policy accept;
				ct state { established, related } accept
				ct status dnat accept
				iifname "lo" accept
				ct state invalid drop
				jump filter_FORWARD_ZONES
				reject with icmpx admin-prohibited
			}
			chain filter_FORWARD_ZONES {
				${1-}
			}
		}
	END
}

@test "firewalls: firewalld: published ports pass, other traffic once the bridge is in a zone" {
	up
	zones
	none_passes '^c1 .*(113::2|113\.2) 7000'
	ask world tcp $HOST4 8080
	ask world tcp $HOST6 8080
	reported 'filter_FORWARD of nftables table inet firewalld, by one of its rules .*--add-interface=br1'
	zones 'iifname "br1" accept; oifname "br1" accept;'
	none_reported
	all_pass
}

@test "firewalls: policy drop: traffic passes with the three rules of docs/nft.md" {
	up
	nft -f - <<-'END'
		table inet site {
			chain forward { type filter hook forward priority filter; policy drop; }
		}
	END
	none_passes '^(c1 .*7000|world)'
	reported 'forward of nftables table inet site'
	nft -f - <<-'END'
		table inet site {
			chain forward {
				ct state established,related accept
				ct status dnat accept
				iifname "br1" accept
			}
		}
	END
	none_reported
	all_pass
}

@test "firewalls: ADD, CHECK and DEL succeed while a firewall reloads constantly" {
	local n

	up
	zones 'iifname "br1" accept; oifname "br1" accept;'
	{ while zones 'iifname "br1" accept; oifname "br1" accept;'; do :; done; } 3>&- 4>&- &
	new_netns c3
	for ((n = 0; n < 10; n++)); do
		add bridge "$(publishing 9000 9001)" c3
		cni CHECK bridge "$(chained "$(publishing 9000 9001)")" c3
		ok
		del bridge "$(publishing 9000 9001)" c3
	done
	kill "$!"
	wait "$!" || :
	all_pass
}

@test "firewalls: iptables-legacy: STATUS reports the policy, and traffic passes after its remedy" {
	local tool

	needs iptables-legacy ip6tables-legacy
	up
	for tool in iptables-legacy ip6tables-legacy; do $tool -P FORWARD DROP; done
	none_passes '^(c1 .*7000|world)'
	reported 'FORWARD of iptables-legacy, whose policy is drop .*iptables-legacy -I FORWARD -i br1 -j ACCEPT'
	eval "$(sed -n 's/.*(let it pass there: \(.*\))/\1/p' <<<"$error")"
	reported 'FORWARD of ip6tables-legacy, whose policy is drop'
	eval "$(sed -n 's/.*(let it pass there: \(.*\))/\1/p' <<<"$error")"
	none_reported
	all_pass
}

@test "firewalls: iptables-legacy: STATUS reports rules that drop, not those that let or might let traffic pass" {
	local rule tool=iptables-legacy

	needs iptables-legacy
	# As cnitool tells a bridge that is alone in its list: without containers others only warn.
	export CPLUG_CHAIN=' bridge '
	# STATUS does not create the table.
	none_reported
	prints_not filter cat /proc/net/ip_tables_names
	$tool -P FORWARD DROP
	$tool -N site
	$tool -N ufw-user-forward
	for rule in '-i br1 -j ACCEPT' '-i br+ -j ACCEPT' '-j ACCEPT' '! -i eth9 -j ACCEPT' '-s 10.1.0.0/16 -j ACCEPT' \
		'-o uplink -j ACCEPT' '-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT' '-m state --state NEW -j ACCEPT' \
		'-m conntrack ! --ctstate INVALID -j ACCEPT' '-p tcp -j ACCEPT' '-m mark --mark 7 -j ACCEPT' \
		'-i br1 -m comment --comment ours -j ACCEPT' '-j NFQUEUE'; do
		# shellcheck disable=SC2086 # words are wanted
		$tool -A FORWARD $rule
		echo "$rule"
		none_reported
		# In a chain that is jumped to, after a rule that might return.
		$tool -F FORWARD
		# shellcheck disable=SC2086
		$tool -A site $rule
		$tool -A FORWARD -m mark --mark 3 -j RETURN
		$tool -A FORWARD -m comment --comment x
		$tool -A FORWARD -g site
		none_reported
		$tool -F FORWARD
		$tool -F site
	done
	for rule in '-i eth9 -j ACCEPT' '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT' '-p icmp -j ACCEPT' \
		'-m state --state ESTABLISHED -j ACCEPT' '-i br1 -o br1 -j ACCEPT' '! -i br1 -j ACCEPT' \
		'-j LOG' '-m conntrack ! --ctstate NEW -j ACCEPT' '-m mark --mark 7 -j DROP' '-j site'; do
		# shellcheck disable=SC2086
		$tool -A FORWARD $rule
		echo "$rule"
		reported 'FORWARD of iptables-legacy, whose policy is drop .*ufw route allow in on br1'
		$tool -F FORWARD
	done
	$tool -P FORWARD ACCEPT
	none_reported
	$tool -A FORWARD -m mark --mark 7 -j DROP
	none_reported
	$tool -A site -i br1 -j REJECT
	$tool -A FORWARD -j site
	reported 'FORWARD of iptables-legacy, by one of its rules'
	$tool -I FORWARD -m mark --mark 7 -j RETURN
	none_reported
}

# ---- firewalls that flush the ruleset --------------------------------------

# tool ARGUMENT... - asserts that cnitool succeeds
tool() {
	"$CPLUG_BIN/cnitool" "$@" 2>&1 || fail "cnitool $*"
}

# port_answers N - asserts that host port 8000+N answers over both families
port_answers() {
	is "$(ask world tcp $HOST4 $((8000 + $1)))" "web from $WORLD4"
	contains "$(ask world tcp $HOST6 $((8000 + $1)))" '^web from \['
}

@test "firewalls: cnitool restore republishes 50 ports after a flush and the load of another ruleset" {
	local i ports='' conf

	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d CNI_PATH=$CPLUG_BIN
	mkdir -p "$NETCONFPATH"
	conf=$(with "$CONF" 'del(.cniVersion, .name) | .macspoofchk = "strict"')
	echo '{"cniVersion":"1.1.0","name":"net1","plugins":['"$conf"']}' >"$NETCONFPATH/10-net1.conflist"
	conf=$(with "$conf" '.bridge = "br2" | .ipam.ranges = [[{subnet: "10.2.0.0/24"}], [{subnet: "fd00:2::/64"}]]')
	echo '{"cniVersion":"1.1.0","name":"net2","plugins":['"$conf"']}' >"$NETCONFPATH/20-net2.conflist"
	# Five containers with ten ports each, of both families.
	for ((i = 0; i < 5; i++)); do
		((i < 2)) || new_netns "c$((i + 1))"
		# shellcheck disable=SC2046 # words are wanted
		tool add --quiet net1 "c$((i + 1))" $(printf -- '-p %d:80 ' $(seq $((8001 + 10 * i)) $((8010 + 10 * i))))
		tcp_answer "c$((i + 1))" 80 web
	done
	new_netns other
	tcp_answer world 7000 outside
	# As systemctl restart nftables does.
	nft -f - <<-'END'
		flush ruleset
		table inet site {
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state established,related accept
				ct status dnat accept
				iifname "br*" accept
			}
		}
	END
	ask_in_vain world tcp $HOST4 8001
	ask_in_vain c1 tcp $WORLD4 7000
	# ADD to another network creates what it needs.
	tool add --quiet net2 other -p 9000:80
	tcp_answer other 80 other
	is "$(ask world tcp $HOST4 9000)" "other from $WORLD4"
	is "$(ask other tcp $WORLD4 7000)" "outside from $HOST4"
	# restore repairs the first network.
	tool restore
	for i in {1..50}; do port_answers "$i"; done
	is "$(ask c1 tcp $WORLD4 7000)" "outside from $HOST4"
	contains "$(ask c1 tcp $HOST4 8001)" '^web from'
	is "$(ask world tcp $HOST4 9000)" "other from $WORLD4"
	for i in 1 5; do tool check net1 "c$i"; done
	tool del net2 other
	nft delete table inet site
	for i in 1 25 50; do port_answers "$i"; done
}

# ---- other programs that redirect ------------------------------------------

@test "firewalls: with 10,000 foreign rules each of iptables and nft, all verbs work and change none" {
	local conf i

	needs iptables-nft-restore
	new_netns far
	# Rules for ports that this test does not use.  In parts, because an ordinary user's socket
	# has no room for all of them in one transaction.
	awk 'BEGIN {
		print "*nat\n:SITE - [0:0]\n-A PREROUTING -j SITE"
		for (i = 0; i < 10000; i++) {
			if (i % 200 == 199)
				print "COMMIT\n*nat"
			printf "-A SITE -d 203.0.113.1/32 -p tcp -m tcp --dport %d -j DNAT --to-destination 198.51.100.7:%d\n",
				20000 + i, 1 + i
		}
		print "COMMIT"
	}' | iptables-nft-restore --noflush
	nft -f - <<-'END'
		table inet site {
			chain pre { type nat hook prerouting priority dstnat; }
			chain post { type nat hook postrouting priority srcnat; }
		}
	END
	for ((i = 20000; i < 30000; i += 200)); do
		awk -v from="$i" 'BEGIN {
			for (i = from; i < from + 200; i++)
				printf "add rule inet site %s meta nfproto ipv4 udp dport %d counter %s\n", \
					i % 2 ? "pre" : "post", i, i % 2 ? "redirect to :9" : "masquerade"
		}' | nft -f -
	done
	foreign >"$BATS_TEST_TMPDIR/foreign"
	(($(wc -l <"$BATS_TEST_TMPDIR/foreign") > 20000))
	conf=$(publishing 8080)
	up
	all_pass
	cni CHECK bridge "$(chained "$CONF")" c2
	ok
	foreign | cmp - "$BATS_TEST_TMPDIR/foreign"
	del bridge "$conf" c1
	ask_in_vain world tcp $HOST4 8080
	cni GC bridge "$(with "$CONF" '."cni.dev/valid-attachments" = []')" '' ''
	ok
	cni STATUS bridge "$CONF" '' ''
	ok
	foreign | cmp - "$BATS_TEST_TMPDIR/foreign"
}

# beside TOOL... - asserts that redirections of TOOL and the plugins' do not affect each other
beside() {
	local tool port=9090

	needs "$@"
	up
	tcp_answer c2 80 theirs
	for tool; do
		"$tool" -w -t nat -A PREROUTING -d $HOST4 -p tcp --dport $port -j DNAT --to-destination 10.1.0.3:80
		"$tool" -w -t nat -A POSTROUTING -s 198.51.100.0/24 -j MASQUERADE
		: $((port++))
	done
	foreign legacy >"$BATS_TEST_TMPDIR/foreign" 2>/dev/null
	all_pass
	for ((port = 9090; port < 9090 + $#; port++)); do
		is "$(ask world tcp $HOST4 $port)" 'theirs from 203.0.113.2'
	done
	is "$(ask world tcp $HOST4 8080)" 'web from 203.0.113.2'
	del bridge "$(publishing 8080)" c1
	is "$(ask world tcp $HOST4 9090)" 'theirs from 203.0.113.2'
	# Flushing the foreign rules does not affect the plugins'.
	add bridge "$(publishing 8080)" c1
	foreign legacy 2>/dev/null | cmp - "$BATS_TEST_TMPDIR/foreign"
	for tool; do
		"$tool" -w -F
		"$tool" -w -t nat -F
		"$tool" -w -t nat -X
	done
	all_pass
}
@test "firewalls: redirections of iptables-nft for other ports and the plugins' do not affect each other" { beside iptables-nft; }
@test "firewalls: redirections of iptables-nft and iptables-legacy for other ports and the plugins' do not either" { beside iptables-nft iptables-legacy; }

@test "firewalls: if iptables redirects the same port, the chain that was created last wins" {
	needs iptables-nft
	up
	tcp_answer c2 80 theirs
	iptables-nft -t nat -A PREROUTING -d $HOST4 -p tcp --dport 8080 -j DNAT --to-destination 10.1.0.3:80
	is "$(ask world tcp $HOST4 8080)" 'theirs from 203.0.113.2'
	contains "$(ask world tcp $HOST6 8080)" '^web from'
	# Create the plugins' chain again.
	nft delete table inet cplug
	del bridge "$(publishing 8080)" c1
	add bridge "$(publishing 8080)" c1
	is "$(ask world tcp $HOST4 8080)" 'web from 203.0.113.2'
}

# reference - prints the folder of the reference plugins
reference() {
	local dir

	for dir in "${REFERENCE_BIN-}" /usr/lib/cni /usr/libexec/cni /opt/cni/bin; do
		[[ ! -x $dir/portmap || -x $dir/cplug ]] || { echo "$dir" && return; }
	done
}

@test "firewalls: containers of the reference plugins and ours do not affect each other" {
	local theirs ports dir id

	needs iptables
	dir=$(reference)
	[[ $dir ]] || skip "the reference plugins are not installed"
	theirs=$(with "$CONF" '.cniVersion = "1.0.0" | .name = "net2" | .bridge = "br2" | .hairpinMode = true
		| .ipam.ranges = [[{subnet: "10.2.0.0/24"}], [{subnet: "fd00:2::/64"}]]')
	ports='{"cniVersion":"1.0.0","name":"net2","type":"portmap",
		"runtimeConfig":{"portMappings":[{"hostPort":9090,"containerPort":80,"protocol":"tcp"}]}}'
	up
	new_netns r1
	(
		CPLUG_BIN=$dir
		add bridge "$theirs" r1
		add portmap "$(chained "$ports")" r1
		echo "$output" >"$BATS_TEST_TMPDIR/theirs"
	)
	tcp_answer r1 80 theirs
	both() {
		is "$(ask world tcp $HOST4 9090)" 'theirs from 203.0.113.2'
		is "$(ask r1 tcp $WORLD4 7000)" 'outside from 203.0.113.1'
		ask c2 tcp $HOST4 9090
		ask r1 tcp $HOST4 8080
		all_pass
	}
	both
	# DEL of ours leaves theirs alone.
	for id in c1 c2; do del bridge "$(publishing 8080)" $id; done
	is "$(ask world tcp $HOST4 9090)" 'theirs from 203.0.113.2'
	is "$(ask r1 tcp $WORLD4 7000)" 'outside from 203.0.113.1'
	# ADD of ours, and DEL of theirs.
	add bridge "$(publishing 8080)" c1
	add bridge "$(neighbour)" c2
	both
	(
		CPLUG_BIN=$dir
		output=$(cat "$BATS_TEST_TMPDIR/theirs")
		ports=$(chained "$ports") theirs=$(chained "$theirs")
		del portmap "$ports" r1
		del bridge "$theirs" r1
	)
	ask_in_vain world tcp $HOST4 9090
	all_pass
}
