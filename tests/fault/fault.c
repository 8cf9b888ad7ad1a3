// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fault.c - fault MODE CONFLIST [STRIDE]: every plugin of a list, with a fault at every n
 *
 *	errors	the n-th system call of ADD, CHECK, DEL and GC fails, with one of five errors
 *		(all of them if STRIDE is 1)
 *	kills	SIGKILL at the n-th system call of ADD, DEL and GC; then DEL twice
 *	allocs	the n-th allocation fails, and the n-th and all later ones
 *
 * Promised is, whatever fails: one JSON document with a sentence and exit status 1, or
 * success, and then it is true; the world of before after a failed ADD, and after a
 * DEL in any case.  tests/fault/syscalls makes the place: namespaces c0 (attached all the
 * time; GC must not touch it) and c1 (comes and goes).
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fault.h"

enum { PLUGINS_MAX = 4, N_MAX = 5000, TOLD_MAX = 6, WRONG_MAX = 40, FILL_MAX = 40, HURRY = 13 };

static const int errors[] = { EIO, ENOMEM, EINTR, ENOSPC, EBUSY };

static json_t *list;
static const char *bin;
static json_t *prev[PLUGINS_MAX + 1]; /* the result that plugin i finds */
static unsigned tests, failures, told, runs, struck, adds, stride = 1;
static const char *keeper = "[{\"containerID\":\"c0\",\"ifname\":\"eth0\"}]";

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("Bail out! ", stdout);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(2);
}

/* ---- requests (see tests/tools/chain.bash) ------------------------------ */

static json_t *plugin_at(unsigned i)
{
	return json_array_get(json_object_get(list, "plugins"), i);
}

static const char *type_of(unsigned i)
{
	return json_string_value(json_object_get(plugin_at(i), "type"));
}

enum { WITH_PREV = 1, WITH_RUNTIME = 2, FOR_GC = 4 };

/* The request of plugin i; to be freed. */
static char *request(unsigned i, unsigned with, json_t *result)
{
	json_t *o = json_deep_copy(plugin_at(i)), *runtime = json_object(), *v;
	json_t *args = json_object_get(list, "capArgs");
	const char *key;
	char *text;

	json_object_set(o, "name", json_object_get(list, "name"));
	json_object_set(o, "cniVersion", json_object_get(list, "cniVersion"));
	json_object_foreach (args, key, v) {
		if (json_is_true(json_object_get(json_object_get(o, "capabilities"), key)))
			json_object_set(runtime, key, v);
	}
	if (with & WITH_RUNTIME && json_object_size(runtime))
		json_object_set(o, "runtimeConfig", runtime);
	json_decref(runtime);
	if (with & WITH_PREV && result)
		json_object_set(o, "prevResult", result);
	if (with & FOR_GC) {
		json_object_set_new(o, "cniVersion", json_string("1.1.0"));
		json_object_set_new(o, "cni.dev/valid-attachments", json_loads(keeper, 0, NULL));
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!text)
		die("no memory");
	return text;
}

static struct run call_of(const char *command, unsigned i, const char *id)
{
	bool gc = str_eq(command, "GC");
	unsigned with = gc ? FOR_GC : WITH_PREV | WITH_RUNTIME;
	struct run r = { .bin = bin, .type = type_of(i), .command = command };

	if (!gc) {
		r.id = id;
		r.ifname = "eth0";
		r.netns = str_eq(id, "c0") ? "/run/netns/c0" : "/run/netns/c1";
	}
	/* DEL and CHECK are given the chain's result, ADD that of the plugin before. */
	r.in = request(i, with, prev[str_eq(command, "ADD") ? i : i + 1]);
	return r;
}

static void go(struct run *r)
{
	run_call(r);
	runs++;
	struck += r->fault != FAULT_NONE && r->fired;
	adds += str_eq(r->command, "ADD");
	free(r->in);
	r->in = NULL;
}

/* ---- judging ------------------------------------------------------------ */

/* A sweep's verdict; and what was wrong in it. */
static unsigned wrong;

static void PRINTF(2, 3) complain(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	wrong++;
	if (told++ >= TOLD_MAX)
		return;
	printf("# %s %s, %s: ", r->type, r->command, run_where(r));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n#   exit status %d, stdout: %.400s\n", r->status, r->out);
	if (*r->errors)
		printf("#   stderr: %.400s\n", r->errors);
}

static bool is_error(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	const char *msg = json_string_value(json_object_get(o, "msg"));
	bool good = json_is_integer(json_object_get(o, "code")) && !str_empty(msg) &&
		    json_integer_value(json_object_get(o, "code")) > 0;

	json_decref(o);
	return good;
}

/* What may come of a call, whatever failed in it. */
static void judge(const struct run *r)
{
	if (r->hung)
		complain(r, "it hangs");
	else if (r->fault == FAULT_KILL)
		return;
	else if (r->status > 1)
		complain(r, "it crashed");
	else if (r->status == 1 && r->on_stdout ? *r->out && !is_error(r->out)
						: r->status == 1 && !is_error(r->out))
		complain(r, "not one error document");
	else if (r->status == 0 && !str_eq(r->command, "ADD") && *r->out)
		complain(r, "a document for nothing");
	if (r->fault >= FAULT_ALLOC && r->status == 1 && !r->hung) {
		json_t *o = json_loads(r->out, 0, NULL);

		if (o && json_integer_value(json_object_get(o, "code")) != 110)
			complain(r, "memory ran out, and it is not told");
		json_decref(o);
	}
}

/* Is the world as it was?  Carriers come and go a moment later. */
static bool same(const char *before)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (unsigned i = 0; i < 50; i++) {
		char *now = world_read();
		bool equal = str_eq(before, now);

		free(now);
		if (equal)
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

static void expect(const struct run *r, const char *before, const char *when)
{
	char *now;

	if (same(before))
		return;
	complain(r, "the world is not as it was, %s", when);
	if (told <= TOLD_MAX) {
		now = world_read();
		world_diff(before, now);
		free(now);
	}
}

/* ---- clean calls -------------------------------------------------------- */

/* A call that must succeed. */
static void must(const char *command, unsigned i, const char *id)
{
	struct run r = call_of(command, i, id);

	go(&r);
	if (r.status)
		die("%s %s %s without any fault: exit status %d, %s %s", r.type, command, id,
		    r.status, r.out, r.errors);
	if (str_eq(command, "ADD")) {
		json_decref(prev[i + 1]);
		prev[i + 1] = json_loads(r.out, 0, NULL);
	}
}

/* The runtime's DEL after an accident; bare: it has forgotten everything. */
static void clean_up(const struct run *after, unsigned i, bool bare)
{
	struct run r = call_of("DEL", i, "c1");

	if (bare) {
		free(r.in);
		r.in = request(i, 0, NULL);
		r.netns = NULL;
	}
	go(&r);
	if (r.status)
		complain(after, "the %s after it: exit status %d, %s", bare ? "bare DEL" : "DEL",
			 r.status, r.out);
}

/* ---- sweeps ------------------------------------------------------------- */

/* Commands of our own, in namespaces of our own. */
static void shell(const char *command)
{
	if (!command || system(command)) // NOLINT(cert-env33-c)
		die("failed: %s", command ? command : "no command");
}

/* Everything about the attachment that is needed before command can be tried. */
static void prepare(const char *command, unsigned i)
{
	if (!str_eq(command, "ADD"))
		must("ADD", i, "c1");
}

/* One fault.  False if there is no n-th. */
static bool try(const char *command, unsigned i, enum fault fault, unsigned n, int err,
		const char *below)
{
	struct run r = call_of(command, i, "c1");
	bool add = str_eq(command, "ADD");

	r.fault = fault;
	r.n = n;
	r.err = err;
	go(&r);
	judge(&r);
	if (add && r.status == 0) {
		json_decref(prev[i + 1]);
		prev[i + 1] = json_loads(r.out, 0, NULL);
		if (!prev[i + 1])
			complain(&r, "ADD gave no result");
	}
	/*
	 * What failed has changed nothing, what succeeded has done it; or it said who will: a
	 * portmap that cannot does not stop the chain (tests/e2e/issues/failing-chain.bats).
	 */
	if (fault != FAULT_KILL && (add ? r.status == 1 : r.status == 0) &&
	    !strstr(r.errors, "(left to the bridge's DEL)"))
		expect(&r, below, add ? "after a failed ADD" : "though it succeeded");
	if (fault == FAULT_KILL) {
		clean_up(&r, i, n % 2 == 0);
		clean_up(&r, i, true);
	} else {
		clean_up(&r, i, false);
	}
	expect(&r, below, "after DEL");
	return r.fired;
}

/* CHECK changes nothing, so one ADD does for all. */
static bool try_check(unsigned i, enum fault fault, unsigned n, int err, const char *above,
		      bool broken)
{
	struct run r = call_of("CHECK", i, "c1");

	r.fault = fault;
	r.n = n;
	r.err = err;
	go(&r);
	judge(&r);
	if (broken && r.status == 0)
		complain(&r, "CHECK does not see what is broken");
	if (n % 8 == 0)
		expect(&r, above, "after CHECK");
	return r.fired;
}

static void verdict(const char *what, const char *command, unsigned i, unsigned n)
{
	tests++;
	failures += wrong != 0;
	printf("%s %u - %s: %s %s, %s at each of %u%s%s\n", wrong ? "not ok" : "ok", tests,
	       json_string_value(json_object_get(list, "name")), type_of(i), command, what, n,
	       wrong ? ": wrong " : "", "");
	fflush(stdout);
	wrong = told = 0;
}

/* Breaks what plugin i made, so that CHECK must tell. */
static const char *breaking(unsigned i)
{
	static const struct {
		const char *type, *command;
	} ways[] = {
		{ "bridge", "ip -n c1 address flush dev eth0 scope global" },
		{ "portmap", "nft delete table inet cplug" },
		{ "host-local", "rm $(grep -l ^c1 /var/lib/cni/networks/*/10.*)" },
		{ "loopback", "ip -n c1 link set lo down" },
	};

	for (unsigned k = 0; k < ARRAY_LEN(ways); k++)
		if (str_eq(ways[k].type, type_of(i)))
			return ways[k].command;
	return NULL;
}

/*
 * FAULT_DEADLINE: seconds since 1970.  From then on a quick look must do, and is told: so a
 * slow machine is done in time.
 */
static unsigned step(void)
{
	static long deadline = -1;
	const char *text = getenv("FAULT_DEADLINE");
	static bool told_so;

	if (deadline < 0)
		deadline = text ? atol(text) : 0;
	if (!deadline || stride >= HURRY || time(NULL) < deadline)
		return stride;
	if (!told_so)
		printf("# in a hurry: 1\n");
	told_so = true;
	return HURRY;
}

/* Faults of one kind at every n of a command. */
static unsigned each_n(const char *command, unsigned i, enum fault fault, int err,
		       const char *world, bool broken)
{
	bool more = true;
	unsigned n;

	for (n = 1; more && n < N_MAX && wrong < WRONG_MAX; n++) {
		int e = err ? err : errors[n / stride % ARRAY_LEN(errors)];

		if (n % step() && n > 3) /* a quick look leaves some out */
			continue;
		if (str_eq(command, "CHECK")) {
			more = try_check(i, fault, n, e, world, broken);
			continue;
		}
		prepare(command, i);
		more = try(command, i, fault, n, e, world);
	}
	return n - 2;
}

static void sweep(const char *what, const char *command, unsigned i, enum fault fault, int err)
{
	bool check = str_eq(command, "CHECK");
	char *world, text[64];
	unsigned n;

	if (check) {
		must("ADD", i, "c1");
		nanosleep(&(struct timespec){ .tv_sec = 2 }, NULL); /* the kernel's own checks */
	}
	world = world_read();
	n = each_n(command, i, fault, err, world, false);
	snprintf(text, sizeof(text), "%s%s%s", what, err ? " " : "", err ? strerror(err) : "");
	verdict(text, command, i, n);
	if (check) {
		must("CHECK", i, "c1");
		must("DEL", i, "c1");
	}
	free(world);
}

/* CHECK of what is broken must fail, whatever else fails. */
static void sweep_broken(unsigned i, enum fault fault)
{
	unsigned n;

	must("ADD", i, "c1");
	char *world = NULL;

	shell(breaking(i));
	world = world_read();
	n = each_n("CHECK", i, fault, 0, world, true);
	verdict("broken, and faults", "CHECK", i, n);
	must("DEL", i, "c1");
	/* lo is up from the beginning, and not ours. */
	if (str_eq(type_of(i), "loopback"))
		shell("ip -n c1 link set lo up");
	free(world);
}

static void sweep_plugin(const char *mode, unsigned i)
{
	static const char *const all[] = { "ADD", "CHECK", "DEL", "GC" };

	for (unsigned k = 0; k < ARRAY_LEN(all); k++) {
		if (str_eq(mode, "kills")) {
			if (k != 1)
				sweep("SIGKILL", all[k], i, FAULT_KILL, 0);
		} else if (str_eq(mode, "allocs")) {
			sweep("an allocation fails", all[k], i, FAULT_ALLOC, 0);
			sweep("memory is out", all[k], i, FAULT_ALLOC_EVER, 0);
		} else if (stride > 1) {
			sweep("a system call fails", all[k], i, FAULT_ERROR, 0);
		} else {
			for (unsigned e = 0; e < ARRAY_LEN(errors); e++)
				sweep("system call:", all[k], i, FAULT_ERROR, errors[e]);
		}
	}
}

/* How many addresses are free?  Each container more is given one, and loses it. */
static unsigned capacity(void)
{
	unsigned n = 0, got;
	char id[16];

	for (got = 0; got < FILL_MAX; got++) {
		snprintf(id, sizeof(id), "fill%u", got);
		struct run r = call_of("ADD", 0, id);

		go(&r);
		if (r.status)
			break;
		n++;
	}
	for (unsigned k = 0; k < got; k++) {
		snprintf(id, sizeof(id), "fill%u", k);
		must("DEL", 0, id);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "c0", "c1" };
	unsigned n, room = 0;

	if (argc < 3)
		die("usage: fault errors|kills|allocs CONFLIST [STRIDE]");
	bin = getenv("CPLUG_BIN");
	run_alloc_so = getenv("FAULT_ALLOC_SO");
	stride = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
	list = json_load_file(argv[2], 0, NULL);
	n = (unsigned)json_array_size(json_object_get(list, "plugins"));
	if (!bin || !n || n > PLUGINS_MAX || !stride)
		die("%s: no list of plugins, or no CPLUG_BIN", argv[2]);
	world_open(names, ARRAY_LEN(names));
	if (str_eq(type_of(0), "host-local"))
		room = capacity();
	for (unsigned i = 0; i < n; i++) {
		if (i)
			must("ADD", i - 1, "c1");
		sweep_plugin(argv[1], i);
	}
	for (unsigned i = n; i-- > 1;)
		must("DEL", i - 1, "c1");
	if (str_eq(argv[1], "errors"))
		sweep_broken(0, FAULT_ERROR);
	if (str_eq(type_of(0), "host-local")) {
		if (room != capacity() || !room)
			complain(&(struct run){ .type = "host-local", .command = "ADD" },
				 "%u addresses were free", room);
		verdict("every address is free again after a fault", "ADD", 0, room);
	}
	/* tests/soak/run adds these up */
	printf("# calls: %u\n# %s: %u\n# ADDs: %u\n1..%u\n", runs,
	       str_eq(argv[1], "kills") ? "kills survived" : "faults injected", struck, adds,
	       tests);
	return failures != 0;
}
