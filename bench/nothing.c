// SPDX-License-Identifier: GPL-2.0-or-later
/* nothing.c - an empty program, with which VERSION is compared */

int main(void)
{
	return 0;
}
