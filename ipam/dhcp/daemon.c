// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon.c - dhcp daemon: the options and the loop;  dhcp list: its client
 *
 * One loop waits for the socket, the connections, the packets of leases that expect one, and one
 * timer.  The memory of an event is in the transaction's arena and ends with it; what lives longer
 * has a fixed size for each lease and each connection, so the daemon does not grow with time.
 */
#include "ipam/dhcp/daemon.h"

#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/hold.h"
#include "sys/file.h"
#include "sys/priv.h"

enum { EVENT_MEMORY_MAX = 32 << 20, EVENTS = 64, LIST_MS = 10000 };

static struct daemon daemon_state;
static jmp_buf out_of_memory;
static volatile sig_atomic_t stop;

/* ---- for the other files ------------------------------------------------ */

struct dhcp_at daemon_at(void)
{
	struct dhcp_at at = { .now = 0 };
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(CLOCK_BOOTTIME, &t);
	at.now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (getrandom(&at.random, sizeof(at.random), GRND_NONBLOCK) < 0)
		at.random = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u;
	return at;
}

void daemon_say(const struct hold *l, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s/%s/%s: %s\n", l->id, l->network, l->ifname, text);
}

int daemon_watch(struct daemon *d, struct source *s, unsigned events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };
	int r;

	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &e) == 0)
		return 0;
	r = -errno;
	fd_close(&s->fd);
	return r;
}

/*
 * Closing a descriptor alone would not take it from the epoll set while a child of apply.c has a
 * copy, and the next event would be for a source that may be freed.
 */
void daemon_unwatch(struct daemon *d, struct source *s)
{
	if (s->fd >= 0)
		(void)epoll_ctl(d->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	fd_close(&s->fd);
}

/* ---- options: those of Go's package flag -------------------------------- */

/* "1m30s", "1.5s", "500ms": milliseconds, -1 if it is none. */
static int64_t parse_duration(const char *s)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
	double sum = 0;

	do {
		char *end;
		double n = strtod(s, &end);
		unsigned i = 0;

		if (end == s || *s < '.' || *s > '9')
			return -1;
		while (i < ARRAY_LEN(units) && !str_starts(end, units[i].name))
			i++;
		if (i == ARRAY_LEN(units))
			return -1;
		sum += n * units[i].ms;
		s = end + strlen(units[i].name);
	} while (*s);
	return sum >= 1 && sum <= INT32_MAX ? (int64_t)sum : -1;
}

struct option {
	const char *name;
	const char **text;
	uint32_t *ms;
	bool *flag;
};

static int set_option(const struct option *o, const char *value)
{
	int64_t ms;

	if (o->text && !str_empty(value) && *value != '/') {
		fprintf(stderr, "dhcp: -%s: expected an absolute path, got \"%s\"\n", o->name,
			value);
		return -EINVAL;
	}
	if (o->text)
		*o->text = value;
	if (o->flag)
		*o->flag = !value || str_eq(value, "true") || str_eq(value, "1");
	if (!o->ms || !value)
		return 0;
	ms = parse_duration(value);
	if (ms < 0) {
		fprintf(stderr, "dhcp: -%s: expected a duration, like 10s or 1m30s, got \"%s\"\n",
			o->name, value);
		return -EINVAL;
	}
	*o->ms = (uint32_t)ms;
	return 0;
}

static const struct option *find_option(const struct option *list, unsigned n, const char *name,
					size_t len)
{
	for (unsigned i = 0; i < n; i++)
		if (strlen(list[i].name) == len && strncmp(list[i].name, name, len) == 0)
			return &list[i];
	return NULL;
}

static int read_options(int argc, char **argv, struct daemon_options *opt)
{
	const struct option list[] = {
		{ .name = "pidfile", .text = &opt->pidfile },
		{ .name = "hostprefix", .text = &opt->prefix },
		{ .name = "socketpath", .text = &opt->socket },
		{ .name = "broadcast", .flag = &opt->broadcast },
		{ .name = "timeout", .ms = &opt->timeout },
		{ .name = "resendmax", .ms = &opt->resend_max },
		{ .name = "resendtimeout", .ms = &opt->resend_timeout },
	};

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *name = word + (*word == '-') + str_starts(word, "--");
		const char *value = strchr(name, '=');
		size_t len = value ? (size_t)(value - name) : strlen(name);
		const struct option *o = find_option(list, ARRAY_LEN(list), name, len);

		if (value)
			value++;
		else if (o && !o->flag)
			value = argv[++i];
		if (!o || name == word) {
			fprintf(stderr,
				"dhcp: %s is no option of dhcp daemon (--help lists them)\n", word);
			return -EINVAL;
		}
		if (!o->flag && !value) {
			fprintf(stderr, "dhcp: %s: its value is missing\n", word);
			return -EINVAL;
		}
		TRY(set_option(o, value));
	}
	return 0;
}

/* ---- the loop ----------------------------------------------------------- */

static void on_signal(int sig UNUSED)
{
	stop = 1;
}

static void __attribute__((noreturn)) on_exhausted(void *arg UNUSED)
{
	netns_go_home();
	longjmp(out_of_memory, 1);
}

static void *alloc_json(size_t size)
{
	return mem_alloc(&daemon_state.tx.mem, size);
}

static void keep_json(void *p UNUSED)
{
}

/* Each event has a transaction of its own. */
static void begin(struct daemon *d)
{
	tx_end(&d->tx);
	tx_begin(&d->tx);
	d->tx.mem.max = EVENT_MEMORY_MAX;
	d->tx.mem.exhausted = on_exhausted;
}

/* Does what is due.  Returns when the next is. */
static int64_t run_timers(struct daemon *d)
{
	int64_t now = daemon_at().now, wake = DHCP_NEVER;

	for (struct hold *l = d->leases, *next; l; l = next) {
		next = l->next;
		if (l->wake <= now) {
			begin(d);
			hold_timer(d, l);
		}
	}
	wake = server_timer(d, now);
	for (const struct hold *l = d->leases; l; l = l->next)
		if (l->wake < wake)
			wake = l->wake;
	return wake;
}

static void set_timer(struct daemon *d, int64_t wake)
{
	struct itimerspec t = { .it_value = { .tv_sec = 0 } };

	if (wake != DHCP_NEVER) {
		t.it_value.tv_sec = (time_t)(wake / 1000);
		t.it_value.tv_nsec = (long)(wake % 1000) * 1000000 + 1;
	}
	timerfd_settime(d->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* An event of a source that an earlier one of the same list has closed is dropped. */
static void run_events(struct daemon *d)
{
	struct epoll_event e;

	/* SIGTERM and SIGINT come only here. */
	if (epoll_pwait(d->epoll, &e, 1, -1, &d->signals) != 1)
		return;
	if (e.data.ptr) {
		struct source *s = e.data.ptr;

		begin(d);
		s->ready(d, s, e.events);
	}
}

static void loop(struct daemon *d)
{
	if (setjmp(out_of_memory) != 0)
		fprintf(stderr, "dhcp: out of memory: the request is dropped\n");
	while (!stop) {
		set_timer(d, run_timers(d));
		run_events(d);
		tx_end(&d->tx);
	}
}

/* ---- begin and end ------------------------------------------------------ */

static int write_pid(struct daemon *d)
{
	const char *text = mem_printf(&d->tx.mem, "%d\n", (int)getpid());
	const struct file_new f = { .dirfd = AT_FDCWD,
				    .path = d->opt.pidfile,
				    .data = text,
				    .size = strlen(text),
				    .mode = 0644 };

	if (!d->opt.pidfile)
		return 0;
	return file_replace(&d->tx, &f);
}

static int open_loop(struct daemon *d)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->epoll < 0 || d->timer < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->timer, &e) < 0)
		return tx_fail(&d->tx, -errno, "epoll: %s", strerror(errno));
	return 0;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigprocmask(SIG_BLOCK, &ours, &daemon_state.signals);
	sigdelset(&daemon_state.signals, SIGTERM);
	sigdelset(&daemon_state.signals, SIGINT);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* children are not waited for */
}

static int start(struct daemon *d)
{
	const char *prefix = d->opt.prefix ? d->opt.prefix : "";

	/* Outside the arena: they live as long as the daemon. */
	d->opt.socket = strdup(mem_printf(&d->tx.mem, "%s%s", prefix, d->opt.socket));
	d->state_dir = strdup(mem_printf(&d->tx.mem, "%s" STATE_DHCP, prefix));
	if (!d->opt.socket || !d->state_dir)
		return tx_fail(&d->tx, -ENOMEM, "out of memory");
	TRY(open_loop(d));
	TRY(server_open(d));
	TRY(write_pid(d));
	tx_commit(&d->tx);
	priv_drop(1u << CAP_NET_RAW | 1u << CAP_NET_BIND_SERVICE);
	return record_load_all(d);
}

static int run_daemon(int argc, char **argv)
{
	struct daemon *d = &daemon_state;

	d->opt = (struct daemon_options){ .socket = RPC_SOCKET,
					  .timeout = 10000,
					  .resend_max = 62000,
					  .resend_timeout = 208000 };
	if (read_options(argc, argv, &d->opt) < 0)
		return 2;
	catch_signals();
	if (start(d) < 0) {
		fprintf(stderr, "dhcp: %s\n", d->tx.msg);
		return 1;
	}
	loop(d);
	/* The leases stay: the next daemon goes on with them. */
	server_close(d);
	if (d->opt.pidfile)
		unlink(d->opt.pidfile);
	return 0;
}

/* ---- dhcp list ---------------------------------------------------------- */

enum { COLUMNS = 7, COLUMNS_OF_TEXT = 5 };

/* What should have happened already waits for a server that does not answer. */
static const char *when(struct mem *mem, const struct cj *e, const char *key)
{
	int64_t s = cj_int(e, key, 0, INT64_MIN, INT64_MAX);

	if (!cj_has(e, key))
		return "-";
	if (s < 0)
		return "due";
	return mem_printf(mem, "%lld s", (long long)s);
}

static void read_row(struct mem *mem, const struct cj *e, const char *row[COLUMNS])
{
	static const char *const keys[COLUMNS_OF_TEXT] = { "containerID", "network", "ifname",
							   "address", "server" };

	for (unsigned i = 0; i < COLUMNS_OF_TEXT; i++)
		row[i] = cj_str(e, keys[i], "-");
	row[5] = when(mem, e, "renewIn");
	row[6] = when(mem, e, "expiresIn");
}

static void widen(int width[COLUMNS], const char *const row[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS; i++)
		if ((int)strlen(row[i]) > width[i])
			width[i] = (int)strlen(row[i]);
}

static void print_row(const int width[COLUMNS], const char *const row[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS_OF_TEXT; i++)
		printf("%-*s  ", width[i], row[i]);
	printf("%*s  %*s\n", width[5], row[5], width[6], row[6]);
}

static int print_list(struct tx *tx, const char *text, bool json)
{
	static const char *const head[COLUMNS] = { "CONTAINER", "NETWORK",  "IFNAME",    "ADDRESS",
						   "SERVER",    "RENEW IN", "EXPIRES IN" };
	const char *wrapped = mem_printf(&tx->mem, "{\"leases\":%s}", text);
	const char *(*rows)[COLUMNS];
	int width[COLUMNS] = { 0 };
	struct cj root, all;
	unsigned n;

	if (json) {
		printf("%s\n", text);
		return 0;
	}
	TRY(cj_parse(tx, wrapped, strlen(wrapped), "daemon's answer", &root));
	all = cj_list(&root, "leases");
	n = cj_len_max(&all, DAEMON_LEASES_MAX);
	rows = mem_alloc(&tx->mem, (n + 1) * sizeof(*rows));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&all, i);

		read_row(&tx->mem, &e, rows[i]);
		widen(width, rows[i]);
	}
	widen(width, head);
	print_row(width, head);
	for (unsigned i = 0; i < n; i++)
		print_row(width, rows[i]);
	return 0;
}

static int list_leases(struct tx *tx, const char *socket, bool json)
{
	struct rpc_call q = {
		.socket = socket,
		.method = "List",
		.args = { "", "", "", "", "", "", 0 },
		.timeout_ms = LIST_MS,
		.max = RPC_LIST_MAX,
	};
	struct rpc_reply reply;
	const char *text = "[]";
	int r = rpc_call(tx, &q, &reply);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return tx_fail(tx, r, "no DHCP daemon listens on %s (" DHCP_START ")", socket);
	if (r == -EOPNOTSUPP)
		return tx_fail(tx, r, "the daemon at %s is the reference's, which has no list",
			       q.socket);
	TRY(r);
	TRY(rpc_read_text(tx, &reply, &text));
	return print_list(tx, text, json);
}

static int print_usage(FILE *to)
{
	fputs("usage: dhcp daemon [OPTION...] | dhcp list [--json] [SOCKET]\n"
	      "options of dhcp daemon (man cplug-dhcp):\n"
	      "  -socketpath PATH     the socket (" RPC_SOCKET ")\n"
	      "  -pidfile PATH        file for the process number\n"
	      "  -hostprefix PATH     prefix of the socket, the namespaces and the state\n"
	      "  -broadcast           ask servers to answer by broadcast\n"
	      "  -timeout TIME        wait for an answer (10s)\n"
	      "  -resendmax TIME      longest pause between two attempts (62s)\n"
	      "  -resendtimeout TIME  ADD fails after this time without a lease (208s)\n",
	      to);
	return to == stdout ? 0 : 2;
}

static bool is_help(const char *word)
{
	return str_eq(word, "--help") || str_eq(word, "-help") || str_eq(word, "-h");
}

static int run_list(int argc, char **argv)
{
	struct tx *tx = &daemon_state.tx;
	const char *socket = NULL;
	bool json = false;

	for (int i = 0; i < argc; i++)
		if (str_eq(argv[i], "--json") || str_eq(argv[i], "-json"))
			json = true;
		else if (!socket && argv[i][0] != '-')
			socket = argv[i];
		else
			return print_usage(stderr);
	if (!socket)
		socket = RPC_SOCKET;
	if (list_leases(tx, socket, json) == 0)
		return 0;
	fprintf(stderr, "dhcp: %s\n", tx->msg);
	return 1;
}

int dhcp_main(int argc, char **argv)
{
	struct tx *tx = &daemon_state.tx;

	tx_begin(tx);
	tx->mem.exhausted = on_exhausted;
	json_set_alloc_funcs(alloc_json, keep_json);
	if (setjmp(out_of_memory) != 0) {
		fprintf(stderr, "dhcp: out of memory\n");
		return 1;
	}
	if (is_help(argv[1]) || (argc > 2 && is_help(argv[2])))
		return print_usage(stdout);
	if (str_eq(argv[1], "daemon"))
		return run_daemon(argc - 2, argv + 2);
	if (str_eq(argv[1], "list"))
		return run_list(argc - 2, argv + 2);
	return print_usage(stderr);
}
