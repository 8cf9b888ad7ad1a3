/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_state.h - a network to change, texts of its state, and the proof that a step is undone
 *
 * A test describes its network as commands of ip(8), and the state that its step may change
 * as commands that print it.
 */
#ifndef CPLUG_TEST_NET_STATE_H
#define CPLUG_TEST_NET_STATE_H

#include "netlink/rt.h"
#include "private_net.h"
#include "unit.h"

/* The namespace of the running test; not open where namespaces are not to be had. */
static struct rt net;

/* Begins a test in the network of this process; commands set it up. */
static inline int net_begin_here(void **state, const char *commands)
{
	unit_begin(state);
	net = (struct rt){ .sk = NULL };
	if (system(commands) != 0) { /* NOLINT(bugprone-command-processor,cert-env33-c) */
		fprintf(stderr, "cannot set up: %s\n", commands);
		return 0;
	}
	return rt_open(&unit_tx, &net, "host", NULL);
}

/* Begins a test in a fresh network. */
static inline int net_begin(void **state, const char *commands)
{
	if (have_program("ip") && private_net())
		return net_begin_here(state, commands);
	net = (struct rt){ .sk = NULL };
	return unit_begin(state);
}

static inline int net_end(void **state)
{
	rt_close(&net);
	return unit_end(state);
}

/* Skips the running test where it has no network, or where a command fails. */
static inline void net_need(const char *command)
{
	if (!rt_is_open(&net))
		skip();
	if (command && system(command) != 0) { /* NOLINT(bugprone-command-processor,cert-env33-c) */
		fprintf(stderr, "not possible with this kernel: %s\n", command);
		skip();
	}
}

/* What commands print; the caller frees it. */
static inline char *net_text(const char *commands)
{
	FILE *p = popen(commands, "r"); /* NOLINT(bugprone-command-processor,cert-env33-c) */
	char *text = NULL;
	size_t size = 0;

	if (!p || getdelim(&text, &size, '\0', p) < 0) {
		free(text);
		text = strdup("");
	}
	if (p)
		pclose(p);
	if (!text)
		abort();
	return text;
}

static inline void net_expect(const char *commands, const char *want)
{
	char *have = net_text(commands);
	size_t same = 0;

	while (have[same] && have[same] == want[same])
		same++;
	while (same && have[same - 1] != '\n')
		same--;
	CHECK(strcmp(have, want) == 0,
	      "%s\nprinted, from the first difference on:\n%sinstead of:\n%s", commands,
	      have + same, want + same);
	free(have);
}

/*
 * Proves the undo of a step: a rollback after it, and after each of its changes failed
 * (CNI_TEST_FAIL_AT), leads back to what the commands printed before.  Forgets the
 * transaction of the test.
 */
static inline void net_undoes(int (*step)(struct tx *tx), const char *commands)
{
	char *before = net_text(commands), *after, number[16];
	unsigned changes;

	unit_again();
	CHECK(step(&unit_tx) == 0, "the step failed: %s", unit_tx.msg);
	changes = unit_tx.count;
	after = net_text(commands);
	CHECK(changes && strcmp(before, after) != 0, "the step changed nothing in:\n%s", after);
	free(after);
	for (unsigned at = 0; at <= changes; at++) {
		if (at) {
			snprintf(number, sizeof(number), "%u", at);
			setenv("CNI_TEST_FAIL_AT", number, 1);
			unit_again();
			unsetenv("CNI_TEST_FAIL_AT");
			CHECK(step(&unit_tx) < 0, "the step did not fail after change %u", at);
		}
		tx_rollback(&unit_tx);
		CHECK(!*unit_tx.details, "after change %u: %s", at, unit_tx.details);
		net_expect(commands, before);
	}
	free(before);
	unit_again();
}

#endif
