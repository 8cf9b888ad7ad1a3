// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tx.c - the transaction: recording failures, rollback, fault points
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/differ.h"
#include "unit.h"

static char trace[256];

static int undo_word(struct tx *tx, void *arg)
{
	CHECK(tx->unwinding, "an undo must know that it is one");
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", (const char *)arg);
	return 0;
}

static int undo_fails(struct tx *tx, void *arg)
{
	undo_word(tx, arg);
	return tx_fail(tx, -EBUSY, "cannot undo %s", (const char *)arg);
}

/* Records a change whose undo writes word. */
static int change(struct tx *tx, undo_fn *fn, const char *word)
{
	char arg[TX_UNDO_ARG] = "";

	snprintf(arg, sizeof(arg), "%s", word);
	return tx_undo(tx, fn, word, &arg); /* tx_undo() copies arg */
}

static int with_env(void **state)
{
	trace[0] = '\0';
	unsetenv("CNI_TEST_FAIL_AT");
	unsetenv("CNI_TEST_CRASH_AT");
	return unit_begin(state);
}

static void codes_derive_from_errors(void **state)
{
	static const struct {
		int err;
		enum cni_code code;
		int answer;
	} cases[] = {
		{ -EAGAIN, CNI_E_AGAIN, -EAGAIN },
		{ -ETIMEDOUT, CNI_E_AGAIN, -ETIMEDOUT },
		{ -EINTR, CPLUG_E_SIGNAL, -EINTR },
		{ -ENOMEM, CPLUG_E_MEMORY, -ENOMEM },
		{ -ENOBUFS, CPLUG_E_MEMORY, -ENOBUFS },
		{ -ENODEV, CPLUG_E_KERNEL, -ENODEV },
		{ 0, CPLUG_E_KERNEL, -EIO },
		{ 5, CPLUG_E_KERNEL, -EIO },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		unit_again();
		assert_int_equal(tx_fail(&unit_tx, cases[i].err, "no %s", "luck"), cases[i].answer);
		assert_int_equal(unit_tx.err, cases[i].answer);
		assert_int_equal(unit_tx.code, cases[i].code);
		assert_string_equal(unit_tx.msg, "no luck");
		assert_string_equal(unit_tx.details, "");
	}
}

static void the_first_failure_is_the_answer(void **state)
{
	(void)state;
	assert_int_equal(tx_fail_as(&unit_tx, CNI_E_CONFIG, -EINVAL, "first"), -EINVAL);
	assert_int_equal(tx_fail(&unit_tx, -ENODEV, "second"), -ENODEV);
	tx_detail(&unit_tx, "third %d", 3);
	assert_int_equal(unit_tx.code, CNI_E_CONFIG);
	assert_int_equal(unit_tx.err, -EINVAL);
	assert_string_equal(unit_tx.msg, "first");
	assert_string_equal(unit_tx.details, "second; third 3");
}

static void texts_that_are_too_long_are_truncated(void **state)
{
	char longer[3000];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (int i = 0; i < 10; i++)
		(void)tx_fail(&unit_tx, -EIO, "%d %s", i, longer);
	assert_int_equal(strlen(unit_tx.msg), sizeof(unit_tx.msg) - 1);
	assert_int_equal(strlen(unit_tx.details), sizeof(unit_tx.details) - 1);
}

static void an_excused_failure_is_forgotten(void **state)
{
	(void)state;
	assert_int_equal(tx_excuse(&unit_tx, 0, 0, "nothing happened"), 0);
	tx_detail(&unit_tx, "a detail of the first");
	assert_int_equal(tx_excuse(&unit_tx, 0, tx_fail(&unit_tx, -EIO, "bad luck"), "test"), 0);
	assert_int_equal(unit_tx.err, 0);
	assert_int_equal(unit_tx.code, 0);
	assert_string_equal(unit_tx.msg, "");
	assert_string_equal(unit_tx.details, "");
}

static void an_earlier_failure_is_not_excused(void **state)
{
	static const int later[] = { -EIO, -ENODEV }; /* another errno, and the same */

	(void)state;
	(void)tx_fail(&unit_tx, -ENODEV, "the real one");
	for (unsigned i = 0; i < ARRAY_LEN(later); i++) {
		int before = unit_tx.err;
		int r = tx_fail(&unit_tx, later[i], "more bad luck");

		assert_int_equal(tx_excuse(&unit_tx, before, r, "test"), 0);
		assert_string_equal(unit_tx.msg, "the real one");
		assert_int_equal(unit_tx.err, -ENODEV);
	}
}

/* An alias of a link, for instance, has what its owner wrote there. */
static void differences_have_no_control_characters(void **state)
{
	(void)state;
	differ(&unit_tx, "a\nb", "\x1b[1m", "\xc2\x9b");
	assert_string_equal(unit_tx.differences->object, "a b");
	assert_string_equal(unit_tx.differences->sentence, "a b: expected ?[1m, found ??");
	differ_forget(&unit_tx);
}

static void rollback_is_in_reverse_order_and_continues(void **state)
{
	(void)state;
	assert_int_equal(change(&unit_tx, undo_word, "one"), 0);
	assert_int_equal(change(&unit_tx, undo_fails, "two"), 0);
	assert_int_equal(change(&unit_tx, undo_word, "three"), 0);
	(void)tx_fail(&unit_tx, -EIO, "the reason");
	tx_rollback(&unit_tx);
	assert_string_equal(trace, "three two one ");
	assert_string_equal(unit_tx.msg, "the reason");
	assert_string_equal(unit_tx.details, "cannot undo two");
	assert_false(unit_tx.unwinding);
	tx_rollback(&unit_tx); /* has nothing left to do */
	assert_string_equal(trace, "three two one ");
}

static void commit_keeps_everything(void **state)
{
	(void)state;
	assert_int_equal(change(&unit_tx, undo_word, "one"), 0);
	tx_commit(&unit_tx);
	tx_rollback(&unit_tx);
	assert_string_equal(trace, "");
}

static void too_many_changes_are_rolled_back(void **state)
{
	(void)state;
	for (int i = 0; i < TX_UNDO_MAX; i++)
		assert_int_equal(change(&unit_tx, undo_word, "x"), 0);
	assert_int_equal(change(&unit_tx, undo_word, "last"), -E2BIG);
	assert_string_equal(trace, "last ");
	assert_int_equal(unit_tx.code, CPLUG_E_CRASH);
	assert_int_equal(unit_tx.depth, TX_UNDO_MAX);
}

static void the_nth_change_can_be_made_to_fail(void **state)
{
	(void)state;
	setenv("CNI_TEST_FAIL_AT", "2", 1);
	unit_again();
	assert_int_equal(change(&unit_tx, undo_word, "one"), 0);
	assert_int_equal(change(&unit_tx, undo_word, "two"), -EIO);
	assert_int_equal(change(&unit_tx, undo_word, "three"), 0);
	tx_rollback(&unit_tx); /* the failed change was recorded */
	assert_string_equal(trace, "three two one ");
}

static void the_nth_change_can_kill(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	setenv("CNI_TEST_CRASH_AT", "2", 1);
	unit_again();
	pid = fork();
	if (!pid) {
		(void)change(&unit_tx, undo_word, "one");
		(void)change(&unit_tx, undo_word, "two");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Must be the last test, because the flag is not reset. */
static void a_signal_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(tx_interrupted(&unit_tx), 0);
	tx_catch_signals();
	raise(SIGPIPE); /* ignored */
	assert_int_equal(tx_interrupted(&unit_tx), 0);
	raise(SIGTERM);
	assert_int_equal(change(&unit_tx, undo_word, "one"), -EINTR);
	assert_int_equal(unit_tx.code, CPLUG_E_SIGNAL);
	unit_tx.unwinding = true;
	assert_int_equal(tx_interrupted(&unit_tx), 0); /* a rollback is not interrupted */
	unit_tx.unwinding = false;
	tx_rollback(&unit_tx);
	assert_string_equal(trace, "one ");
}

static void a_rollback_without_malloc_has_memory(void **state)
{
	size_t size;

	(void)state;
	assert_non_null(mem_alloc(&unit_tx.mem, 1));
	size = unit_tx.mem.size;
	assert_int_equal(tx_exhausted(&unit_tx), -ENOMEM);
	assert_int_equal(unit_tx.code, CPLUG_E_MEMORY);
	/* More than the block had: from what was lent, not from malloc(). */
	assert_non_null(mem_alloc(&unit_tx.mem, TX_MEM_LENT - 1024));
	assert_int_equal(unit_tx.mem.size, size);
	assert_non_null(mem_alloc(&unit_tx.mem, 4096));
	assert_true(unit_tx.mem.size > size);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, with_env, unit_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(codes_derive_from_errors),
		TEST(the_first_failure_is_the_answer),
		TEST(texts_that_are_too_long_are_truncated),
		TEST(an_excused_failure_is_forgotten),
		TEST(an_earlier_failure_is_not_excused),
		TEST(differences_have_no_control_characters),
		TEST(rollback_is_in_reverse_order_and_continues),
		TEST(commit_keeps_everything),
		TEST(too_many_changes_are_rolled_back),
		TEST(the_nth_change_can_be_made_to_fail),
		TEST(the_nth_change_can_kill),
		TEST(a_signal_is_a_failure),
		TEST(a_rollback_without_malloc_has_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
