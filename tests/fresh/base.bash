# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # of the caller
#
# base.bash - minimal roots of Debian, for tests on fresh systems; the caller sets $work, their folder

# mirror - prints the mirror of Debian that apt of this machine uses
mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's/^Debian //p' | sort -u | head -n 1
}

# base SUITE - makes the minimal root of SUITE, once
base() {
	local suite=$1 from

	[[ ! -e $work/$suite/etc/debian_version ]] || return 0
	from=$(mirror)
	[[ $from ]] || { echo "fresh: apt of this machine has no mirror of Debian" >&2 && return 1; }
	rm -rf "$work/$suite.new"
	debootstrap --variant=minbase "$suite" "$work/$suite.new" "$from" >"$work/$suite-debootstrap.log" 2>&1 ||
		return 1
	mv "$work/$suite.new" "$work/$suite"
}

# equip SUITE ROOT - copies the root of SUITE to ROOT; gives its apt this machine's settings and network
equip() {
	local suite=$1 root=$2

	rm -rf "$root"
	cp -a "$work/$suite" "$root"
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/99machine"
	mkdir -p "$work/$suite.debs" "$root/usr/local/sbin"
	# Packages that an earlier run downloaded.
	cp -l "$work/$suite.debs"/*.deb "$root/var/cache/apt/archives/" 2>/dev/null || :
	cat >"$root/usr/local/sbin/apt-get" <<-'SCRIPT'
		#!/bin/sh
		exec nsenter --net=/run/machine-net -- /usr/bin/apt-get -o APT::Keep-Downloaded-Packages=true \
			-o APT::Sandbox::User=root "$@"
	SCRIPT
	chmod +x "$root/usr/local/sbin/apt-get"
	rm -f "$root/etc/apt/apt.conf.d/docker-clean"
}
