/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - what the fuzzers share: a transaction for each input, and a false kernel
 *
 * A fuzzer is a file fuzz_*.c with fuzz_one(); its corpus is corpus/NAME, and `make fuzz`
 * runs it.  Whatever the input, nothing may crash, leak, hang, or fail without a sentence.
 */
#ifndef CPLUG_FUZZ_H
#define CPLUG_FUZZ_H

#include "cni/call.h"
#include "base/tx.h"

/* One input, NUL-terminated behind size bytes, and free to be changed. */
void fuzz_one(struct tx *tx, char *data, size_t size);

/* Aborts if r is a failure that has no sentence. */
void fuzz_expect(const struct tx *tx, int r);

/* A call whose configuration is the text; false if it is none.  cj_free(&c->conf) later. */
bool fuzz_call(struct tx *tx, const char *text, size_t size, struct call *ret);

/*
 * From now on what is received from netlink sockets is cut from this input: a byte
 * for the number of 16-byte pieces of a datagram, and its bytes.  A message's sequence number,
 * and a length that leads outside, are put right; at the end comes an acknowledgement.
 */
void fuzz_kernel(const char *data, size_t size);

#endif
