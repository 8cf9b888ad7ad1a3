# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# cases.bash - the cases to measure, one per line
#
#	measure NAME [-f] [-l KIND] [-s] [-d] PLUGIN... [-- PLUGIN...]
#
# PLUGIN is the JSON of a plugin in a conflist.  The plugins after "--" are for the reference, if
# it needs other ones for the same effect.  -f: measure the floor, too; -l KIND: measure the floor of
# a link of KIND on the parent wire0, if the kernel has this kind (KIND "move": of moving nic0); -s: slow, fewer rounds;
# -d: with a DHCP server behind wire0, and the suite's own daemon.
# A new plugin needs a line here.

ipam4='"ipam":{"type":"host-local","dataDir":"@DATA@","ranges":[[{"subnet":"10.88.0.0/16"}]]}'
ipam46='"ipam":{"type":"host-local","dataDir":"@DATA@",
	"ranges":[[{"subnet":"10.88.0.0/16"}],[{"subnet":"fd00:88::/64"}]]}'
bridge='"type":"bridge","bridge":"bench0","isDefaultGateway":true'
masq="$bridge,\"ipMasq\":true"
ptp='"type":"ptp"'
macvlan='"type":"macvlan","master":"wire0"'
device='"type":"host-device","device":"nic0"'
routes='"routes":[{"dst":"0.0.0.0/0"}],'

# the same burst as ours by default
rates='"ingressRate":100000000,"ingressBurst":100000,"egressRate":100000000,"egressBurst":100000'

# as the documentation of the reference's tuning has it
sysctls='"sysctl":{"net.core.somaxconn":"500"}'

# all_five - sets five to the chain that containers of podman and Kubernetes have
all_five() {
	five=("{$masq,$ipam4}" "{\"type\":\"portmap\",$(published 1)}" '{"type":"firewall"}'
		"{\"type\":\"bandwidth\",$rates}" "{\"type\":\"tuning\",$sysctls}")
}

# published COUNT - prints the capability argument for host ports from 8000 on
published() {
	local i list=''

	for ((i = 0; i < $1; i++)); do
		list+=",{\"hostPort\":$((8000 + i)),\"containerPort\":$((80 + i)),\"protocol\":\"tcp\"}"
	done
	echo "\"capabilities\":{\"portMappings\":true},\"runtimeConfig\":{\"portMappings\":[${list#,}]}"
}

all_cases() {
	local one hundred

	one=$(published 1)
	hundred=$(published 100)
	measure loopback '{"type":"loopback"}'
	measure host-local "{\"type\":\"host-local\",$ipam4}"
	measure static '{"type":"static","ipam":{"type":"static","addresses":[{"address":"10.88.0.5/16"}]}}'
	measure bridge -f "{$bridge,$ipam4}"
	measure bridge-masq -f "{$masq,$ipam4}"
	measure bridge-dual-stack "{$masq,$ipam46}"
	measure ptp -l veth "{$ptp,${ipam4/:{/:{$routes}}"
	measure ptp-netkit -l netkit "{$ptp,\"linkType\":\"netkit\",${ipam4/:{/:{$routes}}" -- \
		"{$ptp,${ipam4/:{/:{$routes}}"
	measure ptp-dual-stack -s "{$ptp,${ipam46/:{/:{$routes}}"
	measure macvlan -l macvlan "{$macvlan,${ipam4/:{/:{$routes}}"
	measure macvlan-dual-stack -s "{$macvlan,${ipam46/:{/:{$routes}}"
	measure macvlan-dhcp -s -d "{$macvlan,\"ipam\":{\"type\":\"dhcp\",\"daemonSocketPath\":\"@DATA@.sock\"}}"
	measure ipvlan -l ipvlan "{\"type\":\"ipvlan\",\"master\":\"wire0\",${ipam4/:{/:{$routes}}"
	measure vlan -l vlan "{\"type\":\"vlan\",\"master\":\"wire0\",\"vlanId\":5,${ipam4/:{/:{$routes}}"
	measure dummy -l dummy "{\"type\":\"dummy\",${ipam4/:{/:{$routes}}"
	measure tap -l tap "{\"type\":\"tap\",${ipam4/:{/:{$routes}}"
	measure vrf -l vrf "{$bridge,$ipam4}" '{"type":"vrf","vrfname":"vrf0"}'
	measure host-device -l move "{$device,${ipam4/:{/:{$routes}}"
	measure host-device-dual-stack -s "{$device,${ipam46/:{/:{$routes}}"
	! possible ifb || measure bandwidth "{$bridge,$ipam4}" "{\"type\":\"bandwidth\",$rates}"
	measure chain-1-port -f "{$masq,$ipam4}" "{\"type\":\"portmap\",$one}"
	measure firewall "{$masq,$ipam4}" '{"type":"firewall"}'
	measure own-1-port -f "{$masq,$one,$ipam4}" -- "{$masq,$ipam4}" "{\"type\":\"portmap\",$one}"
	all_five
	measure chain-of-five -l five "${five[@]}"
	measure chain-tuning -s "{$masq,$ipam4}" \
		'{"type":"tuning","mtu":1400,"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}}'
	measure chain-sbr -s "{$bridge,${ipam4/:{/:{$routes}}" '{"type":"sbr"}'
	measure chain-100-ports -s "{$masq,$ipam4}" "{\"type\":\"portmap\",$hundred}"
	measure own-100-ports -s "{$masq,$hundred,$ipam4}" -- \
		"{$masq,$ipam4}" "{\"type\":\"portmap\",$hundred}"
}
