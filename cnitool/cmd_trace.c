// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_trace.c - the verb trace: one ADD, and a DEL, with the times of their steps
 *
 * The times are those of the lines that cnitool and cplug's plugins write with CNI_DEBUG=json
 * (base/log.h).  Meanwhile stderr is a file in memory.  A line tells that a step is done, so the
 * step began where the line before it ended.
 *
 * The spans are drawn as bars, and exported as OTLP/JSON (opentelemetry.io/docs/specs/otlp, "JSON
 * Protobuf Encoding"), one document a line, as the file exporter of the OpenTelemetry collector
 * writes and its otlpjsonfile receiver reads them.  TRACEPARENT: www.w3.org/TR/trace-context.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/log.h"
#include "cni/version.h"
#include "cnitool/attach.h"
#include "cnitool/netconf.h"
#include "cnitool/view.h"
#include "sys/file.h"
#include "value/jw.h"

enum { NAME_WIDTH = 46, BAR_WIDTH = 36, LINES_MAX = 8 << 20 /* bytes */ };

struct span {
	const char *name;
	int64_t from, to; /* microseconds of CLOCK_MONOTONIC */
	int parent;       /* index; -1 = none */
	bool failed;
};

struct trace {
	struct tool *t;
	struct attachment a;
	struct span *v;
	unsigned n;
	int plugin;   /* the span of the process that runs; -1 = none */
	int64_t last; /* when the last step ended */
	int64_t end;  /* of the verb */
	int64_t pid;
	const char *file; /* NULL = no export */
	char trace_id[33], parent[17];
	uint64_t base; /* id of the first span */
};

static int64_t now_us(clockid_t clock)
{
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int add_span(struct trace *x, const char *name, int64_t from, int64_t to, int parent)
{
	x->v = mem_grow(&x->t->tx->mem, x->v, x->n, sizeof(*x->v));
	x->v[x->n] = (struct span){ name, from, to, parent, false };
	return (int)x->n++;
}

/* ---- reading the lines ---- */

/* A line of cnitool's own: a plugin is started, has ended, or a step. */
static void read_own_line(struct trace *x, int root, int64_t at, const char *msg)
{
	struct mem *m = &x->t->tx->mem;
	const char *path = strchr(msg, '/'), *type;
	size_t len;

	if (str_starts(msg, "ran ") && x->plugin >= 0) {
		if (x->pid)
			add_span(x, "exit", x->last, at, x->plugin);
		x->v[x->plugin].to = at;
		x->plugin = -1;
	} else if (path && (str_starts(msg, "ADD (") || str_starts(msg, "DEL ("))) {
		len = strcspn(path, " ");
		for (type = path + len; type[-1] != '/';)
			type--;
		type = mem_printf(m, "%.*s %.3s", (int)(path + len - type), type, msg);
		x->plugin = add_span(x, type, at, at, root);
		x->pid = 0;
	} else {
		add_span(x, mem_str(m, msg), x->last, at, root);
	}
	x->last = at;
}

static int64_t between(int64_t v, int64_t least, int64_t most)
{
	if (v < least)
		return least;
	return v > most ? most : v;
}

static void read_line(struct trace *x, int root, json_t *line)
{
	int64_t at = json_integer_value(json_object_get(line, "at"));
	int64_t us = json_integer_value(json_object_get(line, "us"));
	int64_t begun;
	int64_t pid = json_integer_value(json_object_get(line, "pid"));
	const char *msg = json_string_value(json_object_get(line, "msg"));
	const char *plugin = json_string_value(json_object_get(line, "plugin"));
	struct mem *m = &x->t->tx->mem;

	if (!str_eq(json_string_value(json_object_get(line, "level")), "debug")) {
		if (plugin && msg)
			fprintf(stderr, "%s: %s\n", view_escape(m, plugin), view_escape(m, msg));
		return;
	}
	if (!msg || !at)
		return;
	/* Another suite's plugin can write any time. */
	at = between(at, x->last, x->end);
	begun = at - between(us, 0, at - x->last);
	if (pid == getpid()) {
		read_own_line(x, root, at, msg);
		return;
	}
	if (x->plugin < 0)
		return;
	if (pid != x->pid) {
		add_span(x, "start", x->last, begun, x->plugin);
		x->last = begun;
		x->pid = pid;
	}
	add_span(x, mem_str(m, msg), x->last, at, x->plugin);
	x->last = at;
}

/* What is no line of the log was written by another suite's plugin: it is passed on. */
static void read_lines(struct trace *x, int root, char *text)
{
	for (char *end; *text; text = end) {
		json_t *line;

		end = text + strcspn(text, "\n");
		line = json_loadb(text, (size_t)(end - text), 0, NULL);
		if (json_is_object(line))
			read_line(x, root, line);
		else
			fprintf(stderr, "%.*s\n", (int)(end - text), text);
		json_decref(line);
		end += *end == '\n';
	}
}

/* ---- running ---- */

void tool_show_stderr(struct tool *t)
{
	if (!t->hidden_stderr)
		return;
	dup2(t->hidden_stderr, STDERR_FILENO);
	close(t->hidden_stderr);
	t->hidden_stderr = 0;
	unsetenv("CNI_DEBUG");
	log_start();
}

/* A file in memory that does not grow: what does not fit is lost to its writer. */
static int open_log(void)
{
	int fd = memfd_create("trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, LINES_MAX) < 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What fits of the log, of which all writers have one position. */
static void read_log(struct trace *x, int root, int fd)
{
	enum { PAGE = 4096 /* a write within it fails as a whole */ };
	size_t size = (size_t)between(lseek(fd, 0, SEEK_CUR), 0, LINES_MAX);
	char *text = mem_alloc(&x->t->tx->mem, size + 1);
	ssize_t n = pread(fd, text, size, 0);

	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	read_lines(x, root, text);
	if (x->plugin >= 0)
		x->v[x->plugin].to = x->end;
	if (size > LINES_MAX - PAGE)
		tool_note(x->t,
			  "the plugins wrote more than %d MiB to stderr; the rest is left out",
			  LINES_MAX >> 20);
}

/* Runs fn with the log in a file in memory, then adds its spans. */
static int measure(struct trace *x, const char *name, int (*fn)(struct trace *x))
{
	auto_(fd_close) int fd = open_log();
	struct tool *t = x->t;
	int root, r;

	if (fd >= 0)
		t->hidden_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || t->hidden_stderr < 0)
		return tx_fail(t->tx, -errno, "cannot keep the log: %s", strerror(errno));
	dup2(fd, STDERR_FILENO);
	setenv("CNI_DEBUG", "json", 1);
	log_start();
	x->last = now_us(CLOCK_MONOTONIC);
	x->plugin = -1;
	root = add_span(x, mem_printf(&t->tx->mem, "%s %s", name, x->a.net->name), x->last, x->last,
			-1);
	r = fn(x);
	x->end = now_us(CLOCK_MONOTONIC);
	x->v[root].to = x->end;
	x->v[root].failed = r < 0;
	tool_show_stderr(t);
	read_log(x, root, fd);
	return r;
}

static int run_add(struct trace *x)
{
	const char *result;
	int r = attach_add(x->t, &x->a, &result);

	x->t->unfinished = NULL;
	return r;
}

static int run_del(struct trace *x)
{
	return attach_del(x->t, &x->a);
}

/* ---- as bars ---- */

static void print_span(struct trace *x, const struct span *s, const struct span *root, int depth)
{
	int64_t whole = root->to - root->from + 1;
	int from = (int)((s->from - root->from) * BAR_WIDTH / whole);
	int to = (int)((s->to - root->from) * BAR_WIDTH / whole);
	const char *name = view_escape(&x->t->tx->mem, s->name);
	int room = NAME_WIDTH - 2 * depth;

	printf("%*s%-*.*s %9.3f ms  %*s", 2 * depth, "", room, room, name,
	       (double)(s->to - s->from) / 1000, from, "");
	for (; from <= to && from < BAR_WIDTH; from++)
		printf("█");
	printf("\n");
}

/* The spans below one; several below a hundredth of the whole are told as one. */
static void print_below(struct trace *x, int above, const struct span *root, int depth)
{
	const struct span *last = NULL; /* short one */
	unsigned n_short = 0;
	int64_t sum = 0;

	for (unsigned i = 0; i < x->n; i++) {
		const struct span *s = &x->v[i];

		if (s->parent != above)
			continue;
		if (depth > 1 && (s->to - s->from) * 100 < root->to - root->from) {
			n_short++;
			last = s;
			sum += s->to - s->from;
			continue;
		}
		print_span(x, s, root, depth);
		print_below(x, (int)i, root, depth + 1);
	}
	if (n_short == 1)
		print_span(x, last, root, depth);
	else if (n_short)
		printf("%*s%-*s %9.3f ms\n", 2 * depth, "", NAME_WIDTH - 2 * depth,
		       mem_printf(&x->t->tx->mem, "(%u shorter steps)", n_short),
		       (double)sum / 1000);
}

static void print_bars(struct trace *x)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->v[i].parent < 0) {
			print_span(x, &x->v[i], &x->v[i], 0);
			print_below(x, (int)i, &x->v[i], 1);
		}
}

/* ---- as OTLP/JSON ---- */

static void put_attribute(struct jw *w, const char *key, const char *value)
{
	jw_open(w, NULL, '{');
	jw_str(w, "key", key);
	jw_open(w, "value", '{');
	jw_str(w, "stringValue", value);
	jw_close(w, '}');
	jw_close(w, '}');
}

static void put_id(struct trace *x, struct jw *w, const char *key, int span)
{
	jw_str(w, key, mem_printf(w->mem, "%016" PRIx64, x->base + (uint64_t)span));
}

static void put_span(struct trace *x, struct jw *w, int i, int64_t epoch)
{
	const struct span *s = &x->v[i];

	jw_open(w, NULL, '{');
	jw_str(w, "traceId", x->trace_id);
	put_id(x, w, "spanId", i);
	if (s->parent >= 0)
		put_id(x, w, "parentSpanId", s->parent);
	else if (*x->parent)
		jw_str(w, "parentSpanId", x->parent);
	jw_str(w, "name", s->name);
	jw_int(w, "kind", 1); /* SPAN_KIND_INTERNAL */
	jw_str(w, "startTimeUnixNano", mem_printf(w->mem, "%" PRId64 "000", epoch + s->from));
	jw_str(w, "endTimeUnixNano", mem_printf(w->mem, "%" PRId64 "000", epoch + s->to));
	if (s->parent < 0) {
		jw_open(w, "attributes", '[');
		put_attribute(w, "cni.network", x->a.net->name);
		put_attribute(w, "cni.container_id", x->a.id);
		put_attribute(w, "cni.ifname", x->a.ifname);
		jw_close(w, ']');
	}
	jw_open(w, "status", '{');
	if (s->failed) {
		jw_int(w, "code", 2); /* STATUS_CODE_ERROR */
		jw_str(w, "message", x->t->tx->msg);
	}
	jw_close(w, '}');
	jw_close(w, '}');
}

static const char *otlp_text(struct trace *x)
{
	const char *service = secure_getenv("OTEL_SERVICE_NAME");
	int64_t epoch = now_us(CLOCK_REALTIME) - now_us(CLOCK_MONOTONIC);
	struct jw w;

	jw_init(&w, &x->t->tx->mem, true);
	jw_open(&w, NULL, '{');
	jw_open(&w, "resourceSpans", '[');
	jw_open(&w, NULL, '{');
	jw_open(&w, "resource", '{');
	jw_open(&w, "attributes", '[');
	put_attribute(&w, "service.name", str_empty(service) ? "cnitool" : service);
	jw_close(&w, ']');
	jw_close(&w, '}');
	jw_open(&w, "scopeSpans", '[');
	jw_open(&w, NULL, '{');
	jw_open(&w, "scope", '{');
	jw_str(&w, "name", "cplug");
	jw_str(&w, "version", cplug_version);
	jw_close(&w, '}');
	jw_open(&w, "spans", '[');
	for (unsigned i = 0; i < x->n; i++)
		put_span(x, &w, (int)i, epoch);
	jw_close(&w, ']');
	jw_close(&w, '}');
	jw_close(&w, ']');
	jw_close(&w, '}');
	jw_close(&w, ']');
	jw_close(&w, '}');
	return jw_end(&w);
}

static int export_trace(struct trace *x, const char *text)
{
	auto_(fd_close) int fd =
		open(x->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
	int r = fd < 0 ? -errno : 0;

	text = mem_printf(&x->t->tx->mem, "%s\n", text);
	if (r == 0)
		r = fd_write(fd, text, strlen(text));
	if (r < 0)
		return tx_fail_as(x->t->tx, CPLUG_E_FILE, r, "cannot append the trace to %s: %s",
				  x->file, strerror(-r));
	return 0;
}

/* The file of --otlp, or of the endpoint "file:///PATH" in the environment. */
static void find_file(struct trace *x)
{
	static const char *const names[] = { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
					     "OTEL_EXPORTER_OTLP_ENDPOINT" };
	const char *s = NULL;
	unsigned i;

	x->file = x->t->opt.otlp;
	for (i = 0; !x->file && str_empty(s) && i < ARRAY_LEN(names); i++)
		s = secure_getenv(names[i]);
	if (str_empty(s))
		return;
	if (str_starts(s, "file:///"))
		x->file = s + strlen("file://");
	else
		tool_note(x->t,
			  "%s: the trace is not exported, because only file:///PATH is supported",
			  names[i - 1]);
}

static bool is_hex(const char *s, size_t n, char after)
{
	return strspn(s, "0123456789abcdef") == n && s[n] == after && strspn(s, "0") < n;
}

/* The trace that TRACEPARENT ("00-TRACE-PARENT-FLAGS") names, else a new one. */
static void find_parent(struct trace *x)
{
	const char *s = secure_getenv("TRACEPARENT");
	uint64_t random[3] = { 1, 1, 1 };

	(void)!getrandom(random, sizeof(random), 0);
	x->base = random[0] >> 1 | 1;
	snprintf(x->trace_id, sizeof(x->trace_id), "%016" PRIx64 "%016" PRIx64, random[1],
		 random[2] | 1);
	if (s && strlen(s) >= 55 && str_starts(s, "00-") && is_hex(s + 3, 32, '-') &&
	    is_hex(s + 36, 16, '-')) {
		snprintf(x->trace_id, sizeof(x->trace_id), "%s", s + 3);
		snprintf(x->parent, sizeof(x->parent), "%s", s + 36);
	}
	/* For plugins that trace themselves. */
	setenv("TRACEPARENT",
	       mem_printf(&x->t->tx->mem, "00-%s-%016" PRIx64 "-01", x->trace_id, x->base), 1);
}

/* ---- all ---- */

static int tell(struct trace *x)
{
	struct tool *t = x->t;
	const char *text = otlp_text(x);

	if (x->file)
		TRY(export_trace(x, text));
	if (t->opt.json)
		return tool_print(t, text);
	if (!t->opt.quiet)
		print_bars(x);
	return 0;
}

int cmd_trace(struct tool *t)
{
	struct trace x = { .t = t };
	struct netconf net;
	int r;

	TRY(cmd_prepare(t, &net, &x.a));
	find_file(&x);
	find_parent(&x);
	r = measure(&x, "ADD", run_add);
	if (r == 0 && !t->opt.keep)
		r = measure(&x, "DEL", run_del);
	return also(r, tell(&x));
}
