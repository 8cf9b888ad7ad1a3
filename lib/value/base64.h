/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * base64.h - base64 with padding (RFC 4648, section 4)
 */
#ifndef CPLUG_BASE64_H
#define CPLUG_BASE64_H

#include "base/mem.h"

/* Encodes size bytes; in the arena. */
const char *base64_encode(struct mem *m, const char *data, size_t size);

/*
 * Decodes into the arena; *ret_size is in bytes, and a NUL follows them.  Returns NULL if text is
 * not base64.
 */
const char *base64_decode(struct mem *m, const char *text, size_t *ret_size);

#endif
