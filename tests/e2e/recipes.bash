# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# recipes.bash - runs the commands of a page of docs:  source recipes.bash  (after lib)
#
# The commands are the blocks "sh" of a section.  A block without a language is the output of the one
# before: … stands for any text, and white space is compared as one space.

# Page that the functions read.
PAGE=$CPLUG_TOP/docs/cookbook.md

# section TITLE - prints a section of the page
section() {
	awk -v title="$1" '/^##+ / { inside = $0 ~ /^##+ / && substr($0, index($0, " ") + 1) == title } inside' "$PAGE"
}

# blocks TITLE - writes the blocks of a section to files in W: N.sh, and N.out with the output of N.sh
blocks() {
	section "$1" | awk -v dir="$W" '
		/^```sh$/ { n++; file = sprintf("%s/%02d.sh", dir, n); next }
		/^```$/ && !file && !other { file = sprintf("%s/%02d.out", dir, n); next }
		/^```/ && !file && !other { other = 1; next }
		/^```/ { if (file) close(file); file = ""; other = 0; next }
		file { print >file }'
}

# words FILE - its words, with single spaces
words() {
	tr -s ' \t\n' ' ' <"$1" | sed 's/^ //; s/ $//'
}

# run_blocks TITLE - runs the blocks in one shell, and compares their output
run_blocks() {
	local block want

	rm -f "$W"/*
	blocks "$1"
	for block in "$W"/*.sh; do
		[[ -e $block ]] || fail "$1 has no commands"
		printf '{\n%s\n} >%q\n' "$(cat "$block")" "${block%.sh}.got"
	done >"$W/script"
	bash -eu "$W/script" || fail "a command of \"$1\" failed: $(cat "$W"/*.got)"
	for want in "$W"/*.out; do
		[[ -e $want ]] || continue
		block=${want%.out}
		# shellcheck disable=SC2053 # a pattern
		[[ $(words "$block.got") == $(words "$want" | sed 's/[][*?\\]/\\&/g; s/…/*/g') ]] ||
			fail "output of $block.sh: $(diff "$block.got" "$want")"
	done
}

# recipe_host - a host with the plugins in /opt/cni/bin, cnitool in PATH, and the network of the recipes
recipe_host() {
	W=$BATS_TEST_TMPDIR/blocks
	mkdir "$W" "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexec busybox brctl "$@"\n' >"$BATS_TEST_TMPDIR/bin/brctl"
	chmod +x "$BATS_TEST_TMPDIR/bin/brctl"
	ln -s "$CPLUG_BIN/cnitool" "$BATS_TEST_TMPDIR/bin"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
	private_folder /opt/cni/bin
	ln -s "$CPLUG_BIN"/* /opt/cni/bin
	private_folder /etc/cni/net.d
	PAGE=$CPLUG_TOP/docs/cookbook.md run_blocks "The network of these recipes"
}
