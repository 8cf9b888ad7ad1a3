# SPDX-License-Identifier: GPL-2.0-or-later
#
# cells.awk - prepares the cells of tables for style.css: the long ones get a class, because they
# need a readable width, and each gets the heading of its column, which a phone shows beside it

/^<table/ {
	split("", heading)
	column = 0
}
/^<tr/ { column = 0 }
/^<th[ >]/ {
	text = $0
	gsub(/<[^>]*>/, "", text)
	heading[++column] = text
}
/^<td[ >]/ {
	text = $0
	gsub(/<[^>]*>/, "", text)
	label = heading[++column]
	sub(/^<td/, "<td" (label != "" ? " data-column=\"" label "\"" : "") (length(text) > 45 ? " class=\"long\"" : ""))
}
{ print }
