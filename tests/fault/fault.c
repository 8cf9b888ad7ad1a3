// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fault.c - fault MODE CONFLIST [STRIDE]: calls every plugin of a list with a fault at every n
 *
 * With a STRIDE at the first three n and each STRIDE-th: the variable TEST_SEED (a number, 0), the
 * plugin, the command and the kind of fault choose the first of these.
 *
 *	errors	the n-th system call of ADD, CHECK, DEL and GC fails, with one of five errors
 *		(all of them if STRIDE is 1)
 *	kills	SIGKILL at the n-th system call of ADD, DEL and GC; then DEL twice
 *	allocs	the n-th allocation fails, and the n-th and all later ones
 *
 * Each call must either succeed and have done its work, or print one error document and exit
 * with 1.  The state must be that before ADD after a failed ADD, and after DEL in any case.
 * tests/fault/syscalls creates the namespaces c0, which stays attached and which GC must not
 * touch, and c1, which is attached and detached.
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
static json_t *prev[PLUGINS_MAX + 1]; /* prevResult of plugin i */
static unsigned tests, failures, told, runs, struck, adds, stride = 1, seed;
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

/* Returns the request of plugin i.  The caller frees it. */
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
	bool before;

	if (!gc) {
		r.id = id;
		r.ifname = "eth0";
		r.netns = str_eq(id, "c0") ? "/run/netns/c0" : "/run/netns/c1";
	}
	/*
	 * DEL and CHECK get the result of this plugin's ADD, ADD that of the plugin before.  So
	 * does DEL of bandwidth: with the whole list's result it deletes the main plugin's link,
	 * too (tests/sweep has the faults of that).
	 */
	before = str_eq(command, "ADD") || (str_eq(command, "DEL") && str_eq(r.type, "bandwidth"));
	r.in = request(i, with, prev[before ? i : i + 1]);
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

/* ---- assertions --------------------------------------------------------- */

/* Of the current sweep: complaints, and faults tried. */
static unsigned wrong, tried;

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

/* An empty stdout is no error document, but expected if the write to it failed. */
static bool prints_error(const struct run *r)
{
	return is_error(r->out) || (r->on_stdout && !*r->out);
}

/* Checks exit status and output of a call. */
static void judge(const struct run *r)
{
	if (r->hung)
		complain(r, "it hangs");
	else if (r->fault == FAULT_KILL)
		return;
	else if (r->status > 1)
		complain(r, "it crashed");
	else if (r->status == 1 && !prints_error(r))
		complain(r, "not one error document");
	else if (r->status == 0 && !str_eq(r->command, "ADD") && *r->out)
		complain(r, "unexpected output");
	if (r->fault >= FAULT_ALLOC && r->status == 1 && !r->hung) {
		json_t *o = json_loads(r->out, 0, NULL);

		if (o && json_integer_value(json_object_get(o, "code")) != 110)
			complain(r, "the error is not that memory ran out (110)");
		json_decref(o);
	}
}

/* Compares the state; waits up to a minute, because carriers change asynchronously. */
static bool same(const char *before)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (unsigned i = 0; i < 3000; i++) {
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
	complain(r, "the state differs %s", when);
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

/*
 * Does the plugin create a link that only the container's namespace has?  Then GC, and DEL without
 * CNI_NETNS, cannot reach it.  It goes with the namespace.  (A device of the host does not:
 * host-device has a record of where it is.)
 */
static bool is_leg;

static void note_leg(unsigned i)
{
	json_t *l, *links;
	size_t k;

	must("ADD", i, "c1");
	links = json_object_get(prev[i + 1], "interfaces");
	is_leg = i == 0 && json_array_size(links) > 0 && !str_eq(type_of(i), "loopback") &&
		 !str_eq(type_of(i), "host-device");
	json_array_foreach (links, k, l)
		is_leg &= json_object_get(l, "sandbox") != NULL;
	must("DEL", i, "c1");
}

/* The runtime's DEL after a failure; bare: without namespace, runtimeConfig and prevResult. */
static void clean_up(const struct run *after, unsigned i, bool bare)
{
	struct run r = call_of("DEL", i, "c1");

	if (bare) {
		free(r.in);
		r.in = request(i, 0, NULL);
		if (!is_leg)
			r.netns = NULL;
	}
	go(&r);
	if (r.hung)
		complain(after, "the %s after it hangs", bare ? "bare DEL" : "DEL");
	else if (r.status)
		complain(after, "the %s after it: exit status %d, %s", bare ? "bare DEL" : "DEL",
			 r.status, r.out);
}

/* ---- sweeps ------------------------------------------------------------- */

/* The commands are constants, and run in the test's namespaces. */
static void shell(const char *command)
{
	if (system(command)) // NOLINT(cert-env33-c)
		die("failed: %s", command);
}

/* Creates the attachment that command needs. */
static void prepare(const char *command, unsigned i)
{
	if (!str_eq(command, "ADD"))
		must("ADD", i, "c1");
	if (str_eq(command, "GC") && is_leg)
		shell("ip -n c1 link del eth0");
}

/* A call with one fault, and DEL.  Returns false if there is no n-th call or allocation. */
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
			complain(&r, "ADD printed no result");
	}
	/*
	 * A failed ADD has changed nothing, and a DEL that succeeded has removed everything;
	 * except that portmap may leave its work to the bridge's DEL
	 * (tests/e2e/issues/failing-chain.bats).
	 */
	if (fault != FAULT_KILL && (add ? r.status == 1 : r.status == 0) &&
	    !strstr(r.errors, "(left to the bridge's DEL)"))
		expect(&r, below, add ? "after a failed ADD" : "after a successful call");
	if (fault == FAULT_KILL) {
		clean_up(&r, i, n % 2 == 0);
		clean_up(&r, i, true);
	} else {
		clean_up(&r, i, false);
	}
	expect(&r, below, "after DEL");
	return r.fired;
}

/* CHECK changes nothing, so one ADD is enough for all calls. */
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
		complain(&r, "CHECK succeeds with a broken attachment");
	if (n % 8 == 0)
		expect(&r, above, "after CHECK");
	return r.fired;
}

static void verdict(const char *what, const char *command, unsigned i, unsigned n)
{
	tests++;
	failures += wrong != 0;
	printf("%s %u - %s: %s %s, %s at %u of %u\n", wrong ? "not ok" : "ok", tests,
	       json_string_value(json_object_get(list, "name")), type_of(i), command, what, tried,
	       n);
	fflush(stdout);
	wrong = told = tried = 0;
}

/* A command that breaks plugin i's attachment, so that CHECK must fail. */
static const char *breaking(unsigned i)
{
	static const struct {
		const char *type, *command;
	} commands[] = {
		{ "portmap", "nft delete table inet cplug" },
		{ "firewall", "nft delete table inet cplug-firewall" },
		{ "host-local", "rm $(grep -l ^c1 /var/lib/cni/networks/*/10.*)" },
		{ "loopback", "ip -n c1 link set lo down" },
	};

	for (unsigned k = 0; k < ARRAY_LEN(commands); k++)
		if (str_eq(commands[k].type, type_of(i)))
			return commands[k].command;
	/* Plugins that give the container an interface. */
	return "ip -n c1 address flush dev eth0 scope global";
}

/*
 * After FAULT_DEADLINE (seconds since 1970) only every HURRY-th n is tried, so that slow
 * machines end in time; tests/soak/run reports it.
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

/* Is n in the sample?  The first three always are, because GC has few allocations. */
static bool in_sample(unsigned n, const char *command, unsigned i, enum fault fault)
{
	return n <= 3 || (n + seed + (unsigned char)*command + 7 * i + 3 * fault) % step() == 0;
}

/* Faults of one kind at every n of a command.  Returns the number of calls or allocations. */
static unsigned each_n(const char *command, unsigned i, enum fault fault, int err,
		       const char *world, bool broken)
{
	bool more = true;
	unsigned n;

	for (n = 1; more && n < N_MAX && wrong < WRONG_MAX; n++) {
		int e = err ? err : errors[(n / stride + seed) % ARRAY_LEN(errors)];

		if (!in_sample(n, command, i, fault))
			continue;
		tried++;
		if (str_eq(command, "CHECK")) {
			more = try_check(i, fault, n, e, world, broken);
			continue;
		}
		prepare(command, i);
		more = try(command, i, fault, n, e, world);
	}
	return n - 2;
}

/*
 * The state once it has been the same for two seconds: the kernel changes the state of links and
 * addresses asynchronously.  The caller frees it.
 */
static char *settled(void)
{
	const struct timespec two_seconds = { .tv_sec = 2 };
	char *now = world_read(), *before = NULL;

	while (!before || !str_eq(before, now)) {
		free(before);
		before = now;
		nanosleep(&two_seconds, NULL);
		now = world_read();
	}
	free(before);
	return now;
}

static void sweep(const char *what, const char *command, unsigned i, enum fault fault, int err)
{
	bool check = str_eq(command, "CHECK");
	char *world, text[64];
	unsigned n;

	if (check)
		must("ADD", i, "c1");
	world = check ? settled() : world_read();
	n = each_n(command, i, fault, err, world, false);
	if (err)
		snprintf(text, sizeof(text), "%s %s", what, strerror(err));
	else
		snprintf(text, sizeof(text), "%s", what);
	verdict(text, command, i, n);
	if (check) {
		must("CHECK", i, "c1");
		must("DEL", i, "c1");
	}
	free(world);
}

/* CHECK of a broken attachment must fail, with any fault. */
static void sweep_broken(unsigned i, enum fault fault)
{
	unsigned n;

	must("ADD", i, "c1");
	char *world = NULL;

	shell(breaking(i));
	world = world_read();
	n = each_n("CHECK", i, fault, 0, world, true);
	verdict("a broken attachment and a fault", "CHECK", i, n);
	must("DEL", i, "c1");
	/* lo was up before ADD. */
	if (str_eq(type_of(i), "loopback"))
		shell("ip -n c1 link set lo up");
	free(world);
}

static void sweep_plugin(const char *mode, unsigned i)
{
	static const char *const all[] = { "ADD", "CHECK", "DEL", "GC" };

	note_leg(i);
	for (unsigned k = 0; k < ARRAY_LEN(all); k++) {
		if (str_eq(mode, "kills")) {
			if (k != 1)
				sweep("SIGKILL", all[k], i, FAULT_KILL, 0);
		} else if (str_eq(mode, "allocs")) {
			sweep("an allocation fails", all[k], i, FAULT_ALLOC, 0);
			sweep("all later allocations fail", all[k], i, FAULT_ALLOC_EVER, 0);
		} else if (stride > 1) {
			sweep("a system call fails", all[k], i, FAULT_ERROR, 0);
		} else {
			for (unsigned e = 0; e < ARRAY_LEN(errors); e++)
				sweep("system call:", all[k], i, FAULT_ERROR, errors[e]);
		}
	}
}

/* Counts the free addresses: ADD until it fails, then DEL. */
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
	const char *number = getenv("TEST_SEED");
	unsigned n, room = 0;

	if (argc < 3)
		die("usage: fault errors|kills|allocs CONFLIST [STRIDE]");
	bin = getenv("CPLUG_BIN");
	run_alloc_so = getenv("FAULT_ALLOC_SO");
	stride = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
	seed = number ? (unsigned)strtoul(number, NULL, 10) % 10000 : 0;
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
		tried = room;
		verdict("all addresses are free after the faults", "ADD", 0, room);
	}
	/* tests/soak/run adds these up. */
	printf("# calls: %u\n# %s: %u\n# ADDs: %u\n1..%u\n", runs,
	       str_eq(argv[1], "kills") ? "kills survived" : "faults injected", struck, adds,
	       tests);
	return failures != 0;
}
