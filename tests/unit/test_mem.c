// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_mem.c - the arena: zeroing, alignment, exhaustion
 */
#include "base/mem.h"
#include "unit.h"

/* The sanitizer must let malloc() fail here, as it does in production. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void memory_is_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 16, 17, 4000, 8192, 8193, 100000, 1, 3 << 20, 5 };
	struct mem m = { .blocks = NULL };

	(void)state;
	for (unsigned i = 0; i < 10 * ARRAY_LEN(sizes); i++) {
		size_t size = sizes[i % ARRAY_LEN(sizes)];
		unsigned char *p = mem_alloc(&m, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			if (p[k])
				fail_msg("byte %zu of %zu is not zero", k, size);
		memset(p, 0xff, size);
	}
	mem_free(&m);
	assert_null(m.blocks);
	mem_free(&m); /* a second call does nothing */
}

static void copies_are_copies(void **state)
{
	struct mem m = { .blocks = NULL };
	char word[] = "bridge";
	char *copy = mem_str(&m, word);

	(void)state;
	word[0] = 'f';
	assert_string_equal(copy, "bridge");
	assert_null(mem_str(&m, NULL));
	assert_memory_equal(mem_dup(&m, "a\0b", 3), "a\0b", 3);
	assert_non_null(mem_dup(&m, NULL, 0));
	assert_string_equal(mem_printf(&m, "%s/%d", "eth", 7), "eth/7");
	assert_string_equal(mem_printf(&m, "%s", ""), "");
	assert_int_equal(strlen(mem_printf(&m, "%20000d", 1)), 20000);
	mem_free(&m);
}

static void arrays_grow(void **state)
{
	struct mem m = { .blocks = NULL };
	unsigned *a = NULL, moved = 0;

	(void)state;
	for (unsigned n = 0; n < 10000; n++) {
		unsigned *before = a;

		a = mem_grow(&m, a, n, sizeof(*a));
		moved += a != before;
		if (!a)
			return; /* for the analyzer: it is never NULL */
		a[n] = n;
	}
	for (unsigned n = 0; n < 10000; n++)
		assert_int_equal(a[n], n);
	assert_int_equal(moved, 13); /* 4, 8, … 16384 */
	mem_free(&m);
}

static void a_text_needs_memory_in_proportion(void **state)
{
	struct mem m = { .blocks = NULL };
	struct mem_text t = { .mem = &m };

	(void)state;
	assert_string_equal(mem_text_end(&t), "");
	assert_string_equal(mem_text_comma(&t, ", "), "");
	for (unsigned i = 0; i < 20000; i++)
		mem_text_add(&t, "%s%u", mem_text_comma(&t, ", "), i);
	assert_int_equal(t.len, strlen(mem_text_end(&t)));
	assert_memory_equal(mem_text_end(&t), "0, 1, 2, 3, ", 12);
	assert_string_equal(mem_text_end(&t) + t.len - 7, ", 19999");
	CHECK(mem_used(&m) < 5 * t.len, "%zu bytes for a text of %zu", mem_used(&m), t.len);
	mem_text_add(&t, "%*d", 100000, 1);
	mem_text_add(&t, "%s", "");
	assert_string_equal(mem_text_end(&t) + t.len - 3, "  1");
	mem_free(&m);
}

static jmp_buf way_out;

static void __attribute__((noreturn)) leave(void *arg)
{
	*(int *)arg = 42;
	longjmp(way_out, 1);
}

static void exhaustion_calls_the_handler(void **state)
{
	int told = 0;
	struct mem m = { .exhausted = leave, .arg = &told };

	(void)state;
	if (setjmp(way_out) == 0) {
		mem_alloc(&m, SIZE_MAX / 2);
		fail_msg("half the address space was there");
	}
	assert_int_equal(told, 42);
	told = 0;
	assert_null(mem_try_alloc(&m, SIZE_MAX / 2));
	assert_non_null(mem_try_alloc(&m, 1));
	assert_int_equal(told, 0);
	mem_free(&m);
}

static void a_ceiling_is_not_exceeded(void **state)
{
	int told = 0;
	struct mem m = { .exhausted = leave, .arg = &told, .max = 3 << 20 };
	size_t sum = 0;

	(void)state;
	/* Up to the ceiling, also with an allocation that is larger than the next block. */
	assert_non_null(mem_try_alloc(&m, 100));
	assert_non_null(mem_try_alloc(&m, 1 << 20));
	while (mem_try_alloc(&m, 1000))
		sum += 1000;
	CHECK(sum > (3 << 19) && sum <= 2 << 20, "%zu bytes", sum);
	assert_true(m.at_max);
	assert_true(m.size <= m.max);
	if (setjmp(way_out) == 0) {
		mem_alloc(&m, 100000);
		fail_msg("beyond the ceiling");
	}
	assert_int_equal(told, 42);
	/* The owner raises it for a rollback. */
	m.max += 1 << 20;
	memset(mem_alloc(&m, 100000), 1, 100000);
	assert_false(m.at_max);
	mem_free(&m);
	assert_int_equal(m.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(copies_are_copies),
		cmocka_unit_test(arrays_grow),
		cmocka_unit_test(a_text_needs_memory_in_proportion),
		cmocka_unit_test(a_ceiling_is_not_exceeded),
		cmocka_unit_test(exhaustion_calls_the_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
