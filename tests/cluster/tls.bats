#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cluster: three members of etcd with TLS, certificates of clients, users and roles
# shellcheck disable=SC2030,SC2031 # each test is a process

load cluster

PKI=/run/pki
C='{"cniVersion": "1.1.0", "name": "net1", "type": "bridge", "ipam": {"type": "cluster", "ranges": [{"subnet": "10.40.0.0/16", "block": 30}]}}'

# authority NAME - makes one
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$PKI/$1-key.pem" -out "$PKI/$1.pem" 2>/dev/null
}

# certificate NAME AUTHORITY NAMES [SUBJECT] - NAMES: subjectAltName.  For both sides, because etcd's gateway is a
# client of its own member
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "${4-/CN=$1}" \
		-keyout "$PKI/$1-key.pem" -out "$PKI/$1.csr" 2>/dev/null
	openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/$2.pem" -CAkey "$PKI/$2-key.pem" -CAcreateserial -days 2 \
		-extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3") -out "$PKI/$1.pem" 2>/dev/null
}

start_one() {
	start_member "m$1" "127.0.0.$1" m1=http://127.0.0.1:2380,m2=http://127.0.0.2:2380,m3=http://127.0.0.3:2380 - \
		--client-cert-auth --trusted-ca-file "$PKI/ca.pem" --cert-file "$PKI/server.pem" --key-file "$PKI/server-key.pem" \
		--listen-client-urls "https://127.0.0.$1:2379" --advertise-client-urls "https://127.0.0.$1:2379"
}

ctl() {
	etcdctl --endpoints "$ETCD_ENDPOINTS" "$@"
}

prepare() {
	local i

	need_cluster openssl
	mkdir "$PKI"
	authority ca
	authority other
	certificate server ca IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3
	certificate client ca DNS:client
	certificate stranger other DNS:client
	certificate nameless ca DNS:client /O=cplug
	export ETCDCTL_CACERT=$PKI/ca.pem ETCDCTL_CERT=$PKI/client.pem ETCDCTL_KEY=$PKI/client-key.pem
	export ETCD_ENDPOINTS=https://127.0.0.1:2379,https://127.0.0.2:2379,https://127.0.0.3:2379
	for i in 1 2 3; do start_one $i; done
	wait_for "three members" ctl endpoint health
	ENDPOINTS='["https://127.0.0.1:2379", "https://127.0.0.2:2379", "https://127.0.0.3:2379"]' new_node n1 n2
	tls n1 ca client
	tls n2 ca client
}

# tls NODE CA CERTIFICATE - writes these into its cluster.conf, as files of its /etc/cplug
tls() {
	local dir=$NODES/$1/etc

	cp "$PKI/$2.pem" "$dir/ca.pem"
	cp "$PKI/$3.pem" "$dir/client.pem"
	cp "$PKI/$3-key.pem" "$dir/client-key.pem"
	change "$1" '.ca = "/etc/cplug/ca.pem" | .cert = "/etc/cplug/client.pem" | .key = "/etc/cplug/client-key.pem"'
}

# change NODE FILTER - of its cluster.conf
change() {
	local file=$NODES/$1/etc/cluster.conf

	jq "$2" "$file" >/run/x
	cat /run/x >"$file"
}

@test "tls: claims with a client's certificate; a dead and a silent member are passed over" {
	local i victim

	called n1 ADD "$C" c1
	ok
	stop_member m2
	for i in {2..6}; do
		called n1 ADD "$C" "c$i"
		ok
	done
	start_one 2
	wait_for "three members" ctl endpoint health
	victim=$(ctl endpoint status -w json | jq -r '.[] | select(.Status.leader != .Status.header.member_id) | .Endpoint' | head -n 1)
	victim=m${victim:16:1}
	kill -STOP "${ETCD_PID[$victim]}"
	for i in {7..10}; do
		called n1 ADD "$C" "c$i"
		ok
	done
	kill -CONT "${ETCD_PID[$victim]}"
	output=$(on n2 "$CPLUG_BIN/cplug-etcd" list net1)
	has '.blocks | length == 10 and all(.node == "n1")'
}

@test "tls: what is wrong with certificates is told, and nothing is claimed" {
	called n1 ADD "$C" c1
	ok
	tls n2 other client
	called n2 ADD "$C" c1
	failed 11 'https://127.0.0.1:2379: .*certificate.*https://127.0.0.3:2379: .*certificate'
	tls n2 ca stranger
	called n2 ADD "$C" c1
	failed 11 'https://127.0.0.1:2379: .*certificate.*https://127.0.0.2:2379: .*certificate.*https://127.0.0.3:2379: .*certificate'
	tls n2 ca client
	change n2 'del(.cert, .key)'
	called n2 ADD "$C" c1
	failed 11 'https://127.0.0.1:2379: .*certificate.*https://127.0.0.2:2379: .*certificate.*https://127.0.0.3:2379: .*certificate'
	[[ $error == *'it may want a certificate of the client, by "cert" and "key"'* ]]
	change n2 '.cert = "/etc/cplug/client.pem"'
	called n2 ADD "$C" c1
	failed 7 'cert and key belong together'
	change n2 '.key = "/etc/cplug/missing.pem"'
	called n2 ADD "$C" c1
	failed 7 'cannot read /etc/cplug/missing.pem: No such file'
	tls n2 ca client
	change n2 '.key = "/etc/cplug/ca.pem"'
	called n2 ADD "$C" c1
	failed 11 '"cert" must be a PEM file of a certificate, and "key" of its key'
	tls n2 ca client
	change n2 '.ca = "/etc/cplug/cluster.conf"'
	called n2 ADD "$C" c1
	failed 11 '"ca" must be a PEM file of certificates'
	tls n2 ca client
	change n2 '.endpoints = ["http://127.0.0.1:2379"]'
	called n2 ADD "$C" c1
	failed 11 'http://127.0.0.1:2379: .*it may want https://'
	# A member whose certificate is another's.
	change n2 '.endpoints = ["https://localhost:2379"]'
	called n2 ADD "$C" c1
	failed 11 'https://localhost:2379: .*(certificate|subject|match)'
	[[ ! -e $NODES/n2/cni/networks/net1/blocks.json ]]
	[[ $(etcd_keys | grep -c /blocks/) == 1 ]]
}

@test "tls: user, password and role, with one member dead; other prefixes stay closed" {
	ctl user add root:secret
	ctl role add cplug
	ctl role grant-permission cplug --prefix=true readwrite /cplug/v1
	ctl user add cplug:s3cret
	ctl user grant-role root root
	ctl user grant-role cplug cplug
	ctl auth enable
	# etcd would take the certificate's name for the user's, but not through its gateway.
	called n1 ADD "$C" c1
	failed 50 'etcd refuses the request: https://127\.0\.0\.[123]:2379: .*make the certificate in "cert" without a CommonName'
	tls n1 ca nameless
	called n1 ADD "$C" c1
	failed 50 'etcd refuses the request: https://127\.0\.0\.[123]:2379: .*user name is empty'
	printf 's3cret\n' >"$NODES/n1/etc/password"
	chmod 600 "$NODES/n1/etc/password"
	change n1 '.user = "cplug" | .passwordFile = "/etc/cplug/password"'
	called n1 ADD "$C" c1
	ok
	stop_member m1
	for i in {2..5}; do
		called n1 ADD "$C" "c$i"
		ok
	done
	called n1 GC "$(with "$C" '.["cni.dev/valid-attachments"] = []')"
	ok
	[[ ! $(blocks n1) ]]
	change n1 '.prefix = "/other"'
	called n1 ADD "$C" c6
	failed 50 'etcd refuses the request: .*permission denied.*a role of the user in etcd may read and write the keys below /other'
	chmod 666 "$NODES/n1/etc/password"
	called n1 ADD "$C" c6
	failed 7 'passwordFile: /etc/cplug/password must be a regular file of root'
	run ! grep -rq s3cret "$NODES/n1/cni" /run/etcd-m2.log
}
