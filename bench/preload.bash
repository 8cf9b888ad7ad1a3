# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of bench/run
#
# preload.bash - creates the state of a host before a measurement
#
#	preload_KIND LANE NETWORK N

# Leases, published ports and masqueraded addresses of N other containers of the network.
preload_state() {
	local lane=$1 network=$2 n=$3

	preload_leases "$lane" "$network" "$n"
	((n > 0)) || return 0
	preload_masq "$lane" "$network" "$n"
	preload_ports "$lane" "$n"
}

# Real ADDs of chained plugins, which create all elements.
preload_chained() {
	local lane=$1 n=$2 name=preload-$1 prev='"prevResult":{"cniVersion":"1.0.0","ips":[{"address":"@IP@/16"}]}'

	shift 2
	plan "$name"
	steps "$lane" "$name" ADD "$bin" "${@/%\}/,$prev\}}" | lane "$name" "$lane"
	"$tools/spawn" -k -n "$n" "$work/$name.plan" >/dev/null
}

preload_ports() {
	local port

	port=$(published 1)
	preload_chained "$1" "$2" "{\"type\":\"portmap\",${port/8000/1@N@}}"
}

# State, elements of firewall, saved values of tuning and two links on the host of N attachments.  The
# links are veth pairs: an ifb takes as many places in the kernel's lists.
preload_crowd() {
	preload_state "$@"
	preload_links "$@"
	(($3 > 0)) || return 0
	preload_chained "$1" "$3" '{"type":"firewall"}'
	mkdir -p /run/cni/tuning
	awk -v n="$3" 'BEGIN {
		for (i = 0; i < n; i++) {
			f = "/run/cni/tuning/pre-" i "_eth0.json"
			print "{}" >f
			close(f)
		}
	}'
}

preload_leases() {
	local folder=$work/leases-$1/$2

	mkdir -p "$folder"
	awk -v n="$3" -v dir="$folder" 'BEGIN {
		for (i = 0; i < n; i++) {
			at = i + 2560 <= 65500 ? i + 2560 : i - 62940 + 2
			f = dir "/10.88." int(at / 256) "." at % 256
			printf "pre-%d\r\neth0", i >f
			close(f)
		}
	}'
}

preload_masq() {
	local chain set

	# The network's first container created chain and set.  (The next change of the ports
	# would remove unused ones.)
	chain=$(in_ns "host-$1" nft list chains | sed -n 's/.*chain \(masq-[^ ]*\).*/\1/p' | head -n 1)
	set=$(in_ns "host-$1" nft list sets | sed -n 's/.*set \(masq4-[^ ]*\).*/\1/p' | head -n 1)
	awk -v n="$3" -v chain="$chain" -v set="$set" 'BEGIN {
		for (i = 0; i < n; i++) {
			e = sprintf("10.99.%d.%d comment \"preloaded %d\"", int((i + 2) / 256), (i + 2) % 256, i)
			printf "add element inet cplug masq4 { %s : goto %s }\n", e, chain
			printf "add element inet cplug %s { %s }\n", set, e
		}
	}' | in_ns "host-$1" nft -f -
}

# Rules of the reference plugins: published ports and masquerade of N containers.
preload_iptables() {
	(($2 > 0)) || return 0
	awk -v n="$2" -v q='\\"' 'BEGIN {
		pf = "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: " q "bench" q " id: " q
		po = "-A POSTROUTING -s %s/32 -m comment --comment \"name: " q "bench" q " id: " q
		print "*nat\n:CNI-HOSTPORT-DNAT - [0:0]\n:CNI-HOSTPORT-SETMARK - [0:0]"
		print ":CNI-HOSTPORT-MASQ - [0:0]"
		for (i = 0; i < n; i++)
			printf ":CNI-DN-%020x - [0:0]\n:CNI-%024x - [0:0]\n", i, i
		print "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"
		print "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"
		print "-A POSTROUTING -m comment --comment \"CNI portfwd requiring masquerade\"" \
			" -j CNI-HOSTPORT-MASQ"
		print "-A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\"" \
			" -j MARK --set-xmark 0x2000/0x2000"
		print "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE"
		for (i = 0; i < n; i++) {
			a = "10.88." int((i + 2560) / 256) "." (i + 2560) % 256
			p = 10000 + i
			dn = sprintf("CNI-DN-%020x", i)
			mq = sprintf("CNI-%024x", i)
			printf pf "pre-%d" q "\" -m multiport --dports %d -j %s\n", i, p, dn
			printf "-A %s -s 10.88.0.0/16 -p tcp -m tcp --dport %d -j CNI-HOSTPORT-SETMARK\n", dn, p
			printf "-A %s -s 127.0.0.1/32 -p tcp -m tcp --dport %d -j CNI-HOSTPORT-SETMARK\n", dn, p
			printf "-A %s -p tcp -m tcp --dport %d -j DNAT --to-destination %s:80\n", dn, p, a
			printf "-A %s -d 10.88.0.0/16 -j ACCEPT\n-A %s ! -d 224.0.0.0/4 -j MASQUERADE\n", mq, mq
			printf po "pre-%d" q "\" -j %s\n", a, i, mq
		}
		print "COMMIT"
	}' | in_ns "host-$1" iptables-restore
}

# Foreign nat rules.
preload_foreign() {
	(($3 > 0)) || return 0
	awk -v n="$3" 'BEGIN {
		print "add table ip foreign\nadd chain ip foreign services"
		print "add chain ip foreign prerouting { type nat hook prerouting priority -100; }"
		print "add rule ip foreign prerouting jump services"
		for (i = 0; i < n; i++)
			printf "add rule ip foreign services ip daddr 172.20.%d.%d tcp dport %d dnat to 172.21.%d.%d:80\n",
				int(i / 250) % 250, i % 250, 20000 + i, int(i / 250) % 250, i % 250
	}' | in_ns "host-$1" nft -f -
}

# settle N - waits until the kernel's link watch has handled the events of N links that were set up: it handles 100 a
# second, or 200 whenever an ADD fires another one, which then waits for them
settle() {
	sleep $(($1 / 90))
}

# Veth pairs on bridges with a thousand ports each.
preload_links() {
	(($3 > 0)) || return 0
	awk -v n="$3" 'BEGIN {
		for (i = 0; i < n; i++) {
			if (i % 1000 == 0)
				printf "link add many%d type bridge\nlink set many%d up\n", i / 1000, i / 1000
			printf "link add p%d master many%d type veth peer name q%d\nlink set p%d up\n", i, int(i / 1000), i, i
		}
	}' | in_ns "host-$1" ip -batch -
	settle "$3"
}
