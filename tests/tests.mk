# SPDX-License-Identifier: GPL-2.0-or-later
# Tests, linters, formatting.  Included by the Makefile.

##@ Testing
