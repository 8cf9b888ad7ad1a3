#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The release checklist, in a scratch repository, with a make that only notes its goals
load lib

setup() {
	local tree=$BATS_TEST_TMPDIR/tree

	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	mkdir -p "$tree/contrib" "$tree/docs" "$BATS_TEST_TMPDIR/bin"
	cd "$tree" || return
	cp "$CPLUG_TOP"/{VERSION,CHANGELOG.md} .
	cp "$CPLUG_TOP/contrib/release" contrib/
	cp -R "$CPLUG_TOP/contrib/kubernetes" contrib/
	cp -R "$CPLUG_TOP/docs/man" docs/
	echo /build/ >.gitignore
	git init -q
	git add .
	git commit -q -m 'tree: first'
	VERSION=$(<VERSION)
	cat >"$BATS_TEST_TMPDIR/bin/make" <<-'END'
		#!/bin/bash
		echo "$1" >>build/goals
		[[ ! -e build/fail-$1 ]]
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/make"
	export PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# What the goals leave.
products() {
	local folder=build/cplug-$VERSION

	mkdir -p build/{dist,image,packages/deb,packages/rpm/RPMS,packages/apk} "$folder"
	git rev-parse --short=12 HEAD >"$folder/COMMIT"
	tar -C build -czf "build/dist/cplug-$VERSION.tar.gz" "cplug-$VERSION/COMMIT"
	echo x >"build/dist/cplug-linux-amd64-v$VERSION.tgz"
	(cd build/dist && sha256sum -- *gz >SHA256SUMS)
	for file in "image/cplug-$VERSION.oci.tar" "packages/deb/cplug_$VERSION-1_amd64.deb" \
		"packages/rpm/RPMS/cplug-$VERSION-1.x86_64.rpm" packages/apk/APKBUILD; do
		echo x >"build/$file"
	done
}

release() {
	run contrib/release "$@"
}

@test "release: the tree's own files tell one version" {
	release --dry-run
	is "$status" 0
	contains "$output" "^ok +all files tell the version $VERSION\$"
	contains "$output" "^ok +the tree is clean, at [0-9a-f]+ tree: first\$"
}

@test "release: --dry-run runs nothing, and tells the missing steps and the tag" {
	release --dry-run
	is "$status" 0
	is "$(grep -c '^missing  make ' <<<"$output")" 6
	contains "$output" "^  git tag -a v$VERSION -m 'cplug $VERSION' $(git rev-parse HEAD)\$"
	[[ ! -e build/goals ]]
	is "$(git tag)" ''
	is "$(git status --porcelain)" ''
	release --unknown
	is "$status" 2
}

@test "release: every other version, an open change log, a changed tree and a used tag are told, all at once" {
	sed -i 's/"cplug [0-9.]*"/"cplug 9.9.9"/' docs/man/cplug-vlan.8
	sed -i "s/^## \[$VERSION\].*/## [$VERSION] - unreleased/" CHANGELOG.md
	sed -i "s/cplug:$VERSION/cplug:0.0.1/" contrib/kubernetes/cplug.yaml
	sed -i "s/cplug-$VERSION/cplug-0.0.1/" contrib/kubernetes/README.md
	git tag "v$VERSION"
	release --dry-run
	is "$status" 1
	contains "$output" '^WRONG +the tree is not clean: '
	contains "$output" "^WRONG +the tag v$VERSION exists"
	contains "$output" "^WRONG +docs/man/cplug-vlan.8: the version is \"9.9.9\", not $VERSION\$"
	contains "$output" "^WRONG +CHANGELOG.md: the first section is not \"## \[$VERSION\] - DATE\""
	contains "$output" '^WRONG +contrib/kubernetes/cplug.yaml: the version is "0.0.1"'
	contains "$output" '^WRONG +contrib/kubernetes/README.md: the version is "0.0.1, '
	contains "$output" '^6 mistakes$'
	contains_not "$output" 'git tag'
	# Nothing is made of such a tree.
	release
	is "$status" 1
	[[ ! -e build/goals ]]
	echo 1.2 >VERSION
	release --dry-run
	contains "$output" '^WRONG +VERSION: expected three numbers'
}

@test "release: a step that failed is done again, those that succeeded are not; a new commit begins anew" {
	mkdir build
	: >build/fail-check
	release
	is "$status" 1
	contains "$output" '^FAILED +make check \(build/release/check.log\)$'
	is "$(paste -sd ' ' build/goals)" 'lint check'
	rm build/fail-check build/goals
	products
	release
	is "$status" 0
	is "$(paste -sd ' ' build/goals)" 'check check-same-bytes check-packages dist image'
	contains "$output" "^ +2  build/dist/cplug-linux-amd64-v$VERSION.tgz\$"
	contains "$output" "^  git tag -a v$VERSION "
	rm build/goals
	release
	is "$status" 0
	[[ ! -e build/goals ]]
	git commit -q --allow-empty -m 'tree: second'
	release --dry-run
	is "$(grep -c ^missing <<<"$output")" 6
	# The products are those of the first commit.
	release
	is "$status" 1
	is "$(wc -l <build/goals)" 6
	contains "$output" "^WRONG +build/dist/cplug-$VERSION.tar.gz has another commit\$"
}

@test "release: a product that is missing or was changed is told" {
	products
	rm build/packages/deb/*
	echo more >>"build/dist/cplug-linux-amd64-v$VERSION.tgz"
	release
	is "$status" 1
	contains "$output" '^WRONG +build/packages/deb/.* is missing$'
	contains "$output" '^WRONG +build/dist: a file differs from SHA256SUMS$'
	contains_not "$output" 'git tag'
}
