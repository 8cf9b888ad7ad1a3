/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nearest.h - the known name that was meant
 */
#ifndef CPLUG_CNITOOL_NEAREST_H
#define CPLUG_CNITOOL_NEAREST_H

struct nearest {
	const char *name; /* NULL: none is near */
	unsigned distance;
};

/* Keeps the candidate, which is not copied, if it is near to name, and nearer than the former ones.
 */
void nearest_compare(struct nearest *n, const char *name, const char *candidate);

#endif
