# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # sourced by build and dist, in the top folder of the tree
# The source archive, and what is told about it.
#
# The version is in the file VERSION.  The commit is git's; the archive has it in the file COMMIT.
# SOURCE_DATE_EPOCH is the date of the last commit unless it is set, so that the same tree makes
# the same bytes.

# shellcheck source=contrib/packages/metadata
. contrib/packages/metadata
VERSION=$(<VERSION)
COMMIT=$(cat COMMIT 2>/dev/null || git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || :)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}

# sources - prints the files of the tree, without build products
sources() {
	git ls-files 2>/dev/null || find . -path ./build -prune -o -path ./bin -prune -o -type f -printf '%P\n'
}

# pack FILE TAR-OPTION... - makes a compressed archive; equal files make equal archives
pack() {
	local file=$1

	shift
	tar --create --mtime "@$SOURCE_DATE_EPOCH" --owner 0 --group 0 --numeric-owner --no-recursion \
		--mode go=rX,u+rw "$@" | gzip --no-name >"$file"
}

# archive FILE - makes the source archive
archive() {
	local folder

	folder=$(mktemp -d)
	echo "$COMMIT" >"$folder/COMMIT"
	sources | grep -vx COMMIT | LC_ALL=C sort |
		pack "$1" --transform "s|^|$NAME-$VERSION/|" --files-from - -C "$folder" COMMIT
	rm -rf "$folder"
}
