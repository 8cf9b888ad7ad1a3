#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The site of the documentation (docs/site/build, tests/tools/site).
load lib

SITE=$BATS_FILE_TMPDIR/site

setup_file() {
	type -P pandoc mandoc >/dev/null || return 0
	"$CPLUG_TOP/docs/site/build" "$SITE"
}

prepare() {
	type -P pandoc mandoc >/dev/null || skip "pandoc or mandoc is not installed"
}

# spoiled PAGE SED PATTERN - the checker reports a page that sed has changed
spoiled() {
	cp -r "$SITE" "$BATS_TEST_TMPDIR/site"
	sed -i "$2" "$BATS_TEST_TMPDIR/site/$1"
	run "$RIG_TOOLS/site" "$BATS_TEST_TMPDIR/site"
	((status == 1)) || fail "exit status $status: $output"
	grep -q -- "$3" <<<"$output" || fail "not reported: $output"
}

@test "site: all links lead to pages and headings, and nothing is loaded from elsewhere" {
	"$RIG_TOOLS/site" "$SITE"
}

@test "site: has each page of docs, each man page, and each example" {
	local file

	for file in "$CPLUG_TOP"/docs/*.md "$CPLUG_TOP"/docs/config/[a-z]*.md; do
		file=${file#"$CPLUG_TOP/"}
		[[ -s $SITE/${file%.md}.html ]] || fail "no page of $file"
	done
	for file in "$CPLUG_TOP"/docs/man/*; do
		[[ -s $SITE/docs/man/${file##*/}.html ]] || fail "no page of $file"
	done
	for file in "$CPLUG_TOP"/conf-examples/*.conflist; do
		file=${file##*/}
		grep -q "id=\"${file%.conflist}\"" "$SITE/conf-examples/index.html" || fail "no section of $file"
	done
}

@test "site: a link to a page, or to a heading, that does not exist is reported" {
	spoiled docs/errors.html 's|nft.html#other-programs|nft.html#nothing|' 'nothing: no such heading'
	rm -r "$BATS_TEST_TMPDIR/site"
	spoiled docs/errors.html 's|href="config/index.html"|href="config/none.html"|' 'none.html: no such file'
}

@test "site: something that is loaded from elsewhere is reported" {
	spoiled index.html 's|<main>|&<img src="https://example.org/x.png">|' 'loads https://example.org'
	rm -r "$BATS_TEST_TMPDIR/site"
	spoiled style.css '1s|^|body { background: url(//example.org/x.png) }\n|' 'loads //example.org'
}

@test "site: two builds give the same bytes" {
	"$CPLUG_TOP/docs/site/build" "$BATS_TEST_TMPDIR/again"
	diff -r "$SITE" "$BATS_TEST_TMPDIR/again"
}
