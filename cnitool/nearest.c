// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nearest.c - the known name that was meant
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "cnitool/nearest.h"

enum { NAME_MAX_COMPARED = 40 };

/* Levenshtein's distance, without regard to case. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_COMPARED + 1], n = (unsigned)strlen(b);

	if (strlen(a) > NAME_MAX_COMPARED || n > NAME_MAX_COMPARED)
		return NAME_MAX_COMPARED;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);
			unsigned best = corner + !same;

			corner = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[n];
}

void nearest_compare(struct nearest *n, const char *name, const char *candidate)
{
	unsigned d = distance(name, candidate);

	if (d <= 1 + strlen(name) / 4 && (!n->name || d < n->distance))
		*n = (struct nearest){ candidate, d };
}
