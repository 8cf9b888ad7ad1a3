/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cj_impl.h - shared by the files of the cj module only */
#ifndef CPLUG_CJ_IMPL_H
#define CPLUG_CJ_IMPL_H

#include "value/cj.h"

/* The cursor of the member at jansson's iterator; absent if it is NULL. */
struct cj cj_member_at(const struct cj *c, void *it);

#endif
