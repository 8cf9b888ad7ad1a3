// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz.c - common functions of the fuzzers
 *
 * The fake kernel replaces recv(), sendto() and writev() (-Wl,--wrap), and looks at connect(),
 * because a new socket has nothing to be read; free() is wrapped for fuzz_keep_json().
 */
#include <errno.h>
#include <search.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <jansson.h>
#include <linux/netlink.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __wrap_recv(int fd, void *to, size_t room, int flags);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t len);
ssize_t __wrap_writev(int fd, const struct iovec *piece, int n);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
void __wrap_free(void *p);
void __real_free(void *p);

static struct tx tx;
static jmp_buf out_of_memory;

static struct {
	const char *data;
	size_t left;
	uint32_t seq;
	bool asked; /* a request has no acknowledgement yet */
} kernel;

/*
 * No input may need more memory than in proportion to its size: that of its longest way through the
 * plugin is some 100 bytes for each byte, and a quadratic text exceeds it with a few kilobytes.
 */
enum { MEM_BASE = 128 << 10, MEM_FACTOR = 128 };

static void expect_proportion(const struct mem *m, size_t size)
{
	if (mem_used(m) <= MEM_BASE + MEM_FACTOR * size)
		return;
	fprintf(stderr, "ERROR: %zu bytes of memory for an input of %zu\n", mem_used(m), size);
	abort();
}

static void __attribute__((noreturn)) on_exhausted(void *arg UNUSED)
{
	longjmp(out_of_memory, 1);
}

void fuzz_expect(const struct tx *t, int r)
{
	if (r < 0 && (!t->err || !t->msg[0])) {
		fprintf(stderr, "failed with %d without an error message\n", r);
		abort();
	}
	if (r >= 0 && t->err) {
		fprintf(stderr, "succeeded with an error message: %s\n", t->msg);
		abort();
	}
}

bool fuzz_call(struct tx *t, const char *text, size_t size, struct call *ret)
{
	*ret = (struct call){ .command = CNI_ADD,
			      .command_name = "ADD",
			      .id = "c1",
			      .ifname = "eth0",
			      .netns_path = "",
			      .args = "",
			      .path = "/",
			      .stdin_text = text,
			      .stdin_size = size };
	if (cj_parse(t, text, size, "network configuration", &ret->conf) < 0)
		return false;
	ret->version = cj_str(&ret->conf, "cniVersion", "0.1.0");
	ret->network = cj_str(&ret->conf, "name", "");
	ret->type = cj_str(&ret->conf, "type", "");
	return cj_ok(t, &ret->conf) == 0;
}

/* ---- JSON trees ---------------------------------------------------------- */

/* Addresses of what jansson has allocated and nothing has freed, as a tree of tsearch(). */
static void *blocks;
static bool keeping;

static int by_address(const void *a, const void *b)
{
	return (a > b) - (a < b);
}

static void *json_block(size_t size)
{
	void *p = calloc(1, size); /* gcc takes the key of tsearch() for read */

	if (p && !tsearch(p, &blocks, by_address))
		abort();
	return p;
}

/* The text of json_dumps() is freed with free(). */
void __wrap_free(void *p)
{
	if (p && keeping)
		tdelete(p, &blocks, by_address);
	__real_free(p);
}

void fuzz_keep_json(void)
{
	keeping = true;
	json_set_alloc_funcs(json_block, __wrap_free);
}

void fuzz_free_json(void)
{
	keeping = false;
	tdestroy(blocks, __real_free);
	blocks = NULL;
	json_set_alloc_funcs(malloc, __real_free);
}

/* ---- the kernel ---------------------------------------------------------- */

void fuzz_kernel(const char *data, size_t size)
{
	kernel.data = data;
	kernel.left = size;
}

/* The answer after the end of the input: the request succeeded. */
static ssize_t acknowledge(void *to, size_t room)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack = { .h = { .nlmsg_len = sizeof(ack),
			 .nlmsg_type = NLMSG_ERROR,
			 .nlmsg_seq = kernel.seq } };

	memcpy(to, &ack, room < sizeof(ack) ? room : sizeof(ack));
	kernel.asked = false;
	return (ssize_t)sizeof(ack);
}

ssize_t __wrap_recv(int fd UNUSED, void *to, size_t room, int flags)
{
	size_t size, at = 0;

	if (!kernel.asked && (flags & MSG_DONTWAIT)) {
		errno = EAGAIN;
		return -1;
	}
	if (!kernel.left)
		return acknowledge(to, room);
	size = 16 * (size_t)(unsigned char)*kernel.data++;
	kernel.left--;
	size = size < kernel.left ? size : kernel.left;
	size = size < room ? size : room;
	memcpy(to, kernel.data, size);
	kernel.data += size;
	kernel.left -= size;
	while (size - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr *h = (void *)((char *)to + at);

		h->nlmsg_seq = kernel.seq;
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > size - at)
			h->nlmsg_len = (uint32_t)(size - at);
		at += NLMSG_ALIGN(h->nlmsg_len);
		if (at > size)
			break;
	}
	return (ssize_t)size;
}

ssize_t __wrap_sendto(int fd UNUSED, const void *data, size_t size, int flags UNUSED,
		      const struct sockaddr *to UNUSED, socklen_t len UNUSED)
{
	kernel.seq = ((const struct nlmsghdr *)data)->nlmsg_seq;
	kernel.asked = true;
	return (ssize_t)size;
}

ssize_t __wrap_writev(int fd UNUSED, const struct iovec *piece, int n)
{
	size_t size = 0;

	kernel.seq = ((const struct nlmsghdr *)piece[0].iov_base)->nlmsg_seq;
	kernel.asked = true;
	for (int i = 0; i < n; i++)
		size += piece[i].iov_len;
	return (ssize_t)size;
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	kernel.asked = false;
	return __real_connect(fd, to, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	tx_begin(&tx);
	tx.mem.exhausted = on_exhausted;
	if (setjmp(out_of_memory) == 0)
		fuzz_one(&tx, copy, size);
	expect_proportion(&tx.mem, size);
	tx_end(&tx);
	free(copy);
	return 0;
}
