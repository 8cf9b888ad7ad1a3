// SPDX-License-Identifier: GPL-2.0-or-later
/* nothing.c - what a process costs that does nothing: VERSION is measured against it */

int main(void)
{
	return 0;
}
