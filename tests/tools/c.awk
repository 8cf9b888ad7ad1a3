# SPDX-License-Identifier: GPL-2.0-or-later
#
# c.awk - separates C source into code and comments, for the awk programs of lint and measure
#
# c_line(line) is called with each line of a file, after c_begin() at its first.  It sets
#
#	C_CODE		the line's code; comments are one space, texts "" and characters '' are empty
#	C_COMMENT	the line's comments
#
# Trigraphs and comments with a continued // line are not expected.

function c_begin() {
	c_in_comment = 0
}

function c_line(line,    n, c) {
	C_CODE = C_COMMENT = ""
	for (;;) {
		if (c_in_comment) {
			n = index(line, "*/")
			if (!n) {
				C_COMMENT = C_COMMENT line
				return
			}
			C_COMMENT = C_COMMENT substr(line, 1, n - 1) " "
			line = substr(line, n + 2)
			c_in_comment = 0
		}
		if (!match(line, /["']|\/[*\/]/)) {
			C_CODE = C_CODE line
			return
		}
		C_CODE = C_CODE substr(line, 1, RSTART - 1)
		c = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (c == "//") {
			C_COMMENT = C_COMMENT line
			return
		} else if (c == "/*") {
			C_CODE = C_CODE " "
			c_in_comment = 1
		} else {
			C_CODE = C_CODE c c
			for (;;) {
				n = substr(line, 1, 1)
				if (n == "" || n == c)
					break
				line = substr(line, n == "\\" ? 3 : 2)
			}
			line = substr(line, 2)
		}
	}
}
