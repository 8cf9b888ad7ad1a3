#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The version and the commit that the programs tell are those of the sources
load lib

# tree FOLDER - a small tree with the Makefile's lines and the one source that know the version
tree() {
	mkdir -p "$1/lib/cni"
	cp "$CPLUG_TOP"/lib/cni/version.[ch] "$1/lib/cni/"
	echo 1.2.3 >"$1/VERSION"
	{
		sed -n '/^VERSION := /p; /^COMMIT  := /p' "$CPLUG_TOP/Makefile"
		printf 'build/lib/cni/version.o: ALL_CFLAGS%s\n' "$(sed -n 's/^.*version\.o: ALL_CFLAGS//p' "$CPLUG_TOP/Makefile")"
		printf '%s\n' 'build/lib/cni/version.o:' $'\t@mkdir -p $(@D)' $'\t@cc -iquote lib $(ALL_CFLAGS) -c -o $@ lib/cni/version.c'
	} >"$1/Makefile"
}

# built FOLDER - the text in the object that is built there
built() {
	rm -rf "$1/build"
	make -s -C "$1" build/lib/cni/version.o
	built=$(strings -n 3 "$1/build/lib/cni/version.o" | grep -x '1\.2\.3.*' | sort | tail -n 1)
}

@test "version: the commit is git's in a clone, with a note if files were changed" {
	local tree=$BATS_TEST_TMPDIR/tree commit

	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	tree "$tree"
	built "$tree"
	is "$built" 1.2.3
	git -C "$tree" init -q
	echo /build/ >"$tree/.gitignore"
	git -C "$tree" add .
	git -C "$tree" commit -q -m first
	git -C "$tree" tag v1.2.3
	commit=$(git -C "$tree" rev-parse --short=12 HEAD)
	built "$tree"
	is "$built" "1.2.3 (commit $commit)"
	echo '/* changed */' >>"$tree/lib/cni/version.c"
	built "$tree"
	is "$built" "1.2.3 (commit $commit-dirty)"
	# An unpacked archive in another repository.
	tree "$tree/inner"
	built "$tree/inner"
	is "$built" 1.2.3
	echo abcdef012345 >"$tree/inner/COMMIT"
	built "$tree/inner"
	is "$built" '1.2.3 (commit abcdef012345)'
}

@test "version: the source archive has the commit, and two of them are equal" {
	local out=$BATS_TEST_TMPDIR tree=$BATS_TEST_TMPDIR/tree

	cd "$CPLUG_TOP"
	git log -1 >/dev/null 2>&1 || skip 'the tests run from an archive, or git does not trust the folder'
	pack_sources() {
		bash -euc '. contrib/packages/source.bash; archive "$1"' - "$1"
	}
	pack_sources "$out/one.tgz"
	sleep 1
	pack_sources "$out/two.tgz"
	cmp "$out/one.tgz" "$out/two.tgz"
	mkdir "$tree"
	tar -C "$tree" --strip-components 1 -xzf "$out/one.tgz"
	is "$(cat "$tree/COMMIT")" "$(git describe --always --dirty --abbrev=12 --exclude='*')"
	# The archive of the archive, which has no git, is the same.
	cd "$tree"
	export SOURCE_DATE_EPOCH
	SOURCE_DATE_EPOCH=$(git -C "$CPLUG_TOP" log -1 --format=%ct)
	pack_sources "$out/three.tgz"
	cmp "$out/one.tgz" "$out/three.tgz"
}

@test "version: plugins, cplug and cnitool tell the same" {
	local text

	text=$("$CPLUG_BIN/cplug" --version)
	contains "$text" "^cplug $(<"$CPLUG_TOP/VERSION")( \(commit [0-9a-f]{12}(-dirty)?\))?\$"
	is "$("$CPLUG_BIN/cplug" -V)" "$text"
	text=${text#cplug }
	is "$("$CPLUG_BIN/cnitool" version)" "cnitool of cplug $text, CNI 1.1.0"
	contains "$(env -u CNI_COMMAND "$CPLUG_BIN/bridge" 2>&1 </dev/null)" "^CNI bridge plugin cplug ${text//[()]/.}\$"
	output=$("$CPLUG_BIN/cnitool" version --json)
	has '.version == "'"${text%% *}"'"'
	[[ $text != *commit* ]] || has '"'"$text"'" == "\(.version) (commit \(.commit))"'
}

@test "version: a slip in a name or command of cplug is one sentence, and wrong usage" {
	local word

	for word in creat brige --hepl ''; do
		run -2 --separate-stderr "$CPLUG_BIN/cplug" "$word"
		is "$output" ''
		is "$stderr" "cplug: $word is neither a plugin nor a command (cplug --help names them)"
	done
	run -0 --separate-stderr "$CPLUG_BIN/cplug" -h
	contains "$output" '^cplug .*: the CNI plugins'
	is "$stderr" ''
}
