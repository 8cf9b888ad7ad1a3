/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_impl.h - shared by the files of the leg module only */
#ifndef CPLUG_LEG_IMPL_H
#define CPLUG_LEG_IMPL_H

#include "cni/leg.h"

/* Where the link is made: the socket that the request goes to, and what it is made on. */
struct leg_site {
	struct rt *rt;
	struct link parent; /* index 0: the kind has none */
};
int leg_find_site(struct tx *tx, struct call *c, const struct leg *leg,
		  struct leg_site *ret) CHECKED;

/* Is the link made on that parent?  1, 0, or a recorded failure. */
int leg_is_on_parent(struct tx *tx, struct call *c, const struct leg *leg, const struct leg_site *s,
		     const struct link *have) CHECKED;

#endif
