// SPDX-License-Identifier: GPL-2.0-or-later
/* test_malloc.c - the allocator of the release form, with other function names */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define malloc our_malloc
#define calloc our_calloc
#define realloc our_realloc
#define free our_free
void *our_malloc(size_t size);
void *our_calloc(size_t nmemb, size_t size);
void *our_realloc(void *ptr, size_t size);
void our_free(void *ptr);
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../compat/malloc.c"

enum { SLOTS = 200, ROUNDS = 100000 };

static struct slot {
	unsigned char *p;
	size_t size;
	unsigned char fill;
} slots[SLOTS];

static unsigned next_random(void)
{
	static unsigned x = 1;

	x = x * 1103515245 + 12345;
	return x >> 8;
}

/* Mostly small; rarely larger than the largest block that the allocator keeps. */
static size_t some_size(void)
{
	unsigned r = next_random();

	if (r % 100 == 0)
		return r % 100000;
	return r % 10 == 0 ? r % 5000 : r % 300;
}

static void refill(struct slot *s, size_t size)
{
	s->size = size;
	s->fill = (unsigned char)next_random();
	memset(s->p, s->fill, size);
}

static void expect(const struct slot *s, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(s->p[i], s->fill);
}

/* Blocks do not overlap, and keep their content until they are freed. */
static void blocks_keep_their_content(void **state UNUSED)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct slot *s = &slots[next_random() % SLOTS];
		size_t size = some_size(), both = size < s->size ? size : s->size;

		expect(s, s->size);
		switch (next_random() % 4) {
		case 0:
			our_free(s->p);
			s->p = our_malloc(size);
			break;
		case 1:
			our_free(s->p);
			s->p = our_calloc(1, size);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(s->p[i], 0);
			break;
		case 2:
			s->p = our_realloc(s->p, size);
			expect(s, both);
			break;
		default:
			our_free(s->p);
			s->p = NULL;
			size = 0;
		}
		assert_int_equal((uintptr_t)s->p % _Alignof(max_align_t), 0);
		if (s->p)
			refill(s, size);
		s->size = size;
	}
}

static void huge_requests_fail(void **state UNUSED)
{
	volatile size_t huge = SIZE_MAX - 8, many = SIZE_MAX / 2;

	assert_null(our_malloc(huge));
	assert_int_equal(errno, ENOMEM);
	assert_null(our_malloc(many));
	assert_null(our_calloc(many, 3));
	assert_null(our_calloc(3, many));
	our_free(NULL);
	assert_non_null(our_malloc(0));
}

static void expect_abort(bool twice)
{
	char *p = our_malloc(100);
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		our_free(twice ? p : p + 32);
		our_free(p);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	our_free(p);
}

static void misuse_aborts(void **state UNUSED)
{
	expect_abort(true);
	expect_abort(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_keep_their_content),
		cmocka_unit_test(huge_requests_fail),
		cmocka_unit_test(misuse_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
