// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * output.c - answers on stdout, failures on stderr; with --json both on stdout; input on stdin
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "cnitool/netconf.h"
#include "value/jw.h"

int tool_print(struct tool *t, const char *json_text)
{
	const char *text = netconf_pretty(&t->tx->mem, json_text);

	if (t->opt.quiet)
		return 0;
	if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
		return tx_fail_as(t->tx, CNI_E_IO, -errno, "cannot write the result: %s",
				  strerror(errno));
	return 0;
}

void tool_say(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	if (t->opt.quiet || t->opt.json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void tool_open_json(struct tool *t, struct jw *w)
{
	jw_init(w, &t->tx->mem, true);
	jw_open(w, NULL, '{');
}

int tool_print_json(struct tool *t, struct jw *w)
{
	if (t->notes.n)
		jw_open(w, "notes", '[');
	for (unsigned i = 0; i < t->notes.n; i++)
		jw_str(w, NULL, t->notes.v[i]);
	if (t->notes.n)
		jw_close(w, ']');
	jw_close(w, '}');
	return tool_print(t, jw_end(w));
}

void tool_put_attachment(struct jw *w, const struct cache_key *key, const char *netns)
{
	if (key->network)
		jw_str(w, "network", key->network);
	jw_str(w, "containerID", key->id);
	jw_str(w, "ifname", key->ifname);
	if (netns)
		jw_str(w, "netns", netns);
}

int tool_read_stdin(struct tool *t, size_t max, struct file_text *ret)
{
	size_t size = 0, room = 16384;
	char *text = mem_alloc(&t->tx->mem, room), *more;
	ssize_t n;

	if (fd_is_endless(STDIN_FILENO))
		return tx_fail_as(t->tx, CNI_E_IO, -EPROTOTYPE,
				  "stdin is a datagram socket, which has no end (pass a pipe or a "
				  "file)");
	while ((n = read(STDIN_FILENO, text + size, room - size - 1)) != 0) {
		TRY(tx_interrupted(t->tx));
		if (n < 0 && errno != EINTR)
			return tx_fail_as(t->tx, CNI_E_IO, -errno, "cannot read stdin: %s",
					  strerror(errno));
		size += n > 0 ? (size_t)n : 0;
		if (size > max)
			return tx_fail_as(t->tx, CNI_E_IO, -EFBIG, "stdin is longer than %zu MiB",
					  max >> 20);
		if (size + 1 < room)
			continue;
		more = mem_alloc(&t->tx->mem, room * 2);
		memcpy(more, text, size);
		text = more;
		room *= 2;
	}
	text[size] = '\0';
	*ret = (struct file_text){ text, size };
	return 0;
}

/* netavark shows the member error to podman's user. */
static void print_driver_failure(const struct tool *t)
{
	const struct tx *tx = t->tx;
	struct jw w;

	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "error",
	       mem_printf(&t->tx->mem, "%s%s%s", tx->msg, *tx->details ? "; " : "", tx->details));
	jw_close(&w, '}');
	printf("%s\n", jw_end(&w));
}

/* NO_COLOR: https://no-color.org */
static bool has_color(void)
{
	const char *off = secure_getenv("NO_COLOR"), *term = secure_getenv("TERM");
	int err = errno;
	bool is_terminal = isatty(STDERR_FILENO);

	/* In a log of both, the lines are in the order in which they were said. */
	fflush(stdout);
	/* Callers print errno behind the prefix. */
	errno = err;
	return is_terminal && str_empty(off) && !str_empty(term) && !str_eq(term, "dumb");
}

const char *tool_prefix(void)
{
	if (has_color())
		return "\033[1;31mcnitool:\033[0m ";
	return "cnitool: ";
}

void tool_print_failure(const struct tool *t)
{
	/* stdout is the command's. */
	FILE *to = t->verb && t->verb->bit == V_RUN ? stderr : stdout;
	const struct tx *tx = t->tx;
	struct jw w;

	if (t->verb && t->verb->bit == V_DRIVER) {
		print_driver_failure(t);
		return;
	}
	if (!t->opt.json) {
		fprintf(stderr, "%s%s%s%s\n", tool_prefix(), tx->msg, *tx->details ? "; " : "",
			tx->details);
		return;
	}
	jw_init(&w, &t->tx->mem, false);
	jw_open(&w, NULL, '{');
	jw_str(&w, "cniVersion", "1.1.0");
	jw_int(&w, "code", tx->code);
	jw_str(&w, "msg", tx->msg);
	if (*tx->details)
		jw_str(&w, "details", tx->details);
	jw_close(&w, '}');
	fprintf(to, "%s\n", jw_end(&w));
}

static void append(struct tool *t, struct words *list, const char *text)
{
	struct mem *m = t->keep ? t->keep : &t->tx->mem;

	words_add(m, list, mem_str(m, text));
}

void tool_note(struct tool *t, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(&t->tx->mem, fmt, ap);
	va_end(ap);
	text_plain(text);
	append(t, &t->notes, text);
	fflush(stdout);
	if (!t->opt.json && !t->opt.quiet)
		fprintf(stderr, "cnitool: %s\n", text);
}

const char *tool_report(struct tool *t, struct errctx m)
{
	const char *text = errctx_take(t->tx, m);

	append(t, &t->failures, text);
	if (!t->opt.json)
		fprintf(stderr, "%s%s\n", tool_prefix(), text);
	return t->failures.v[t->failures.n - 1];
}

void tool_step_begin(struct tool *t, struct mem *kept)
{
	struct mem *m = &t->tx->mem;

	*kept = *m;
	*m = (struct mem){ .max = kept->max, .exhausted = kept->exhausted, .arg = kept->arg };
	t->keep = kept;
}

void tool_step_end(struct tool *t, struct mem *kept)
{
	mem_free(&t->tx->mem);
	t->tx->mem = *kept;
	t->keep = NULL;
}
