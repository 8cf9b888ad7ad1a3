/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - common functions of the fuzzers: a transaction for each input, and a fake kernel
 *
 * A fuzzer is a file fuzz_*.c that defines fuzz_one(); its corpus is corpus/NAME, and `make fuzz`
 * runs it.  No input may cause a crash, a leak, a hang, or a failure without an error message.
 */
#ifndef CPLUG_FUZZ_H
#define CPLUG_FUZZ_H

#include "cni/call.h"
#include "base/tx.h"

/* Tests one input.  data[size] is NUL; the function may change data. */
void fuzz_one(struct tx *tx, char *data, size_t size);

/* Aborts if r is a failure without error message, or a success with one. */
void fuzz_expect(const struct tx *tx, int r);

/* Fills in an ADD with this configuration; false if it is invalid.  cj_free(&ret->conf) later. */
bool fuzz_call(struct tx *tx, const char *text, size_t size, struct call *ret);

/*
 * From now on datagrams of netlink sockets come from this input: a byte for the number of
 * 16-byte blocks, and the blocks.  Sequence numbers are set, and lengths that exceed the datagram
 * are reduced.  After the end of the input each datagram is an acknowledgement.
 */
void fuzz_kernel(const char *data, size_t size);

/*
 * For code that leaves JSON trees to the end of the program: all that is allocated from the first
 * call to the second one is freed by the second one.
 */
void fuzz_keep_json(void);
void fuzz_free_json(void);

#endif
