// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cni.c - the dispatcher: the one place where a call begins, answers and ends
 *
 * Exactly one JSON document goes to stdout, whatever happens.  The answer is
 * written before the transaction is committed, so a result that could not be
 * written is a failed ADD and is rolled back.  Three things can happen beside an
 * ordinary failure: memory runs out (we come back here by longjmp and roll back),
 * a signal asks us to stop (the next blocking step fails, see tx.c), or we crash
 * (a handler writes a prepared document; the runtime's DEL does the rest).
 */
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cni/cni.h"
#include "cni/conf.h"
#include "base/differ.h"
#include "cni/ipam.h"
#include "cni/version.h"
#include "value/jw.h"
#include "base/log.h"
#include "sys/hostconf.h"
#include "sys/netns.h"
#include "sys/priv.h"
#include "sys/turn.h"

static struct tx tx;
static struct call call;
static jmp_buf out_of_memory;
static bool answered;
static int gc_turn; /* an ADD's, until the process ends */

/* ---- stdout ------------------------------------------------------------- */

/*
 * Opens fds 0 to 2 if they are closed: a socket of ours would take the number of stdout and receive
 * the answer.  A missing stdout stays unwritable.
 */
static void occupy_stdio(void)
{
	struct pollfd fds[] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };

	bool unknown = poll(fds, ARRAY_LEN(fds), 0) < 0; /* a system call instead of three */

	for (int fd = 0; fd <= 2; fd++)
		if ((unknown || fds[fd].revents & POLLNVAL) && fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR);
}

/* The error object (CNI spec, section "Error"), in the reference's key order. */
static const char *error_text(const char *version)
{
	struct jw w;

	jw_init(&w, &tx.mem, false);
	jw_open(&w, NULL, '{');
	/* Cut: an invalid version may have a megabyte. */
	jw_str(&w, "cniVersion", version ? mem_printf(&tx.mem, "%.50s", version) : "1.1.0");
	jw_int(&w, "code", tx.code);
	jw_str(&w, "msg", tx.msg[0] ? tx.msg : "failed without a reason");
	if (tx.details[0])
		jw_str(&w, "details", tx.details);
	jw_close(&w, '}');
	return jw_end(&w);
}

/* The answer if there is no memory to compose one. */
static void answer_error(const char *version)
{
	static const char no_memory[] = "{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": 110,\n"
					"    \"msg\": \"out of memory\"\n}";

	answered = true;
	if (setjmp(out_of_memory) == 0) {
		const char *text = error_text(version);

		(void)fd_write(STDOUT_FILENO, text, strlen(text));
	} else {
		(void)fd_write(STDOUT_FILENO, no_memory, sizeof(no_memory) - 1);
	}
}

/* ---- what can befall us ------------------------------------------------- */

static void on_crash(int sig)
{
	static const char document[] =
		"{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": 111,\n    \"msg\": \"cplug "
		"crashed; if the stack is limited to less than 64 kB, raise the limit (ulimit -s), "
		"else this is a defect, please report it (CNI_DEBUG=1 shows the last steps)\"\n}";

	if (!answered)
		(void)!write(STDOUT_FILENO, document, sizeof(document) - 1);
	_exit(128 + sig);
}

static void catch_crashes(void)
{
	static char stack[16384];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_crash,
				.sa_flags = SA_ONSTACK | (int)SA_RESETHAND };
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

	sigaltstack(&ss, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(crashes); i++)
		sigaction(crashes[i], &sa, NULL);
}

static void __attribute__((noreturn)) on_exhausted(void *arg UNUSED)
{
	netns_go_home();
	longjmp(out_of_memory, 1);
}

/*
 * jansson allocates from the arena: a document lives as long as the call, and the arena is ten
 * times as fast as malloc() and free().  It never returns NULL, which jansson would report as a
 * mistake in the document.
 */
static void *alloc_json(size_t size)
{
	return mem_alloc(&tx.mem, size);
}

static void keep_json(void *p UNUSED)
{
}

/* ---- versions ----------------------------------------------------------- */

static bool speaks(const struct plugin *p, const char *version)
{
	int oldest = p->oldest ? result_version_number(p->oldest) : 0;

	for (unsigned i = 0; result_versions[i]; i++)
		if (str_eq(result_versions[i], version))
			return result_version_number(version) >= oldest;
	return false;
}

static const char *version_list(const struct plugin *p, const char *separator)
{
	const char *list = "";

	for (unsigned i = 0; result_versions[i]; i++)
		if (speaks(p, result_versions[i]))
			list = mem_printf(&tx.mem, "%s%s\"%s\"", list, *list ? separator : "",
					  result_versions[i]);
	return list;
}

static int answer_version(const struct plugin *p)
{
	const char *text =
		mem_printf(&tx.mem, "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[%s]}\n",
			   version_list(p, ","));

	return fd_write(STDOUT_FILENO, text, strlen(text)) < 0;
}

/* Without CNI_COMMAND a person has called the plugin: print what it is. */
static int banner(const struct plugin *p)
{
	const char *list = "";

	for (unsigned i = 0; result_versions[i]; i++)
		if (speaks(p, result_versions[i]))
			list = mem_printf(&tx.mem, "%s%s%s", list, *list ? ", " : "",
					  result_versions[i]);
	fprintf(stderr, "CNI %s plugin cplug %s\nCNI protocol versions supported: %s\n", p->name,
		cplug_version_and_commit, list);
	return 0;
}

static int check_version(const struct plugin *p)
{
	static const struct {
		enum cni_command command;
		const char *since;
	} younger[] = { { CNI_CHECK, "0.4.0" }, { CNI_GC, "1.1.0" }, { CNI_STATUS, "1.1.0" } };
	int number = result_version_number(call.version);

	if (number < 0)
		return tx_fail_as(&tx, CNI_E_DECODE, -EINVAL,
				  "cniVersion: \"%.50s\" is not a version, like 1.0.0",
				  call.version);
	for (unsigned i = 0; i < ARRAY_LEN(younger); i++)
		if (call.command == younger[i].command &&
		    number < result_version_number(younger[i].since))
			return tx_fail_as(&tx, CNI_E_VERSION, -EINVAL,
					  "config version does not allow %s", call.command_name);
	if (speaks(p, call.version))
		return 0;
	tx_fail_as(&tx, CNI_E_VERSION, -EINVAL, "incompatible CNI versions");
	tx_detail(&tx, "config is \"%.50s\", plugin supports [%s]", call.version,
		  version_list(p, " "));
	return -EINVAL;
}

/* ---- one call ----------------------------------------------------------- */

/* A log that cannot be opened does not keep a container from starting. */
static void open_log_file(const char *file, enum log_level level)
{
	const char *why = hostconf_refuses(&tx, HOSTCONF_LOG, file);
	int fd = why ? -EPERM : hostconf_log_open_try(&tx, file);

	if (why)
		log_warn("log.file: %s", why);
	else if (fd < 0)
		log_warn("log.file: cannot open %s: %s", file, strerror(-fd));
	else
		log_to_fd(fd, level);
}

static int open_log(void)
{
	struct conf_log log = conf_log(&call.conf);
	int before = tx.err, r = cj_ok(&tx, &call.conf);

	if (call.command == CNI_DEL || call.command == CNI_GC)
		r = tx_excuse(&tx, before, r, "cleaning up goes on without the log");
	TRY(r);
	if (*log.file)
		open_log_file(log.file, log.level);
	return 0;
}

static int run_add(const struct plugin *p)
{
	struct result result;
	char *text;

	result_init(&result, &tx.mem);
	if (p->flags & CNI_NEEDS_PREV)
		TRY(call_need_prev(&tx, &call));
	if ((p->flags & CNI_PASSES_PREV) && call.prev)
		result = *call.prev;
	TRY(p->add(&tx, &call, &result));
	TRY(tx_interrupted(&tx));
	TRY(result_print(&tx, &result, call.version, false, &text));
	answered = true;
	int r = fd_write(STDOUT_FILENO, text, strlen(text));

	if (r < 0)
		return tx_fail_as(&tx, CNI_E_IO, r, "stdout: write the result: %s", strerror(-r));
	return 0;
}

/*
 * {"cniVersion":…,"repaired":[…]}: what cnitool tells its user; "result":… if an address is another
 * one, for the plugins behind this one and for the cache.
 */
static int answer_repair(const char *list)
{
	struct jw w;
	const char *text;
	char *result;
	int r;

	jw_init(&w, &tx.mem, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "cniVersion", call.version);
	jw_raw(&w, "repaired", list);
	if (call.renewed) {
		TRY(result_print(&tx, call.prev, call.version, true, &result));
		jw_raw(&w, "result", result);
	}
	jw_close(&w, '}');
	text = jw_end(&w);
	answered = true;
	r = fd_write(STDOUT_FILENO, text, strlen(text));
	if (r < 0)
		return tx_fail_as(&tx, CNI_E_IO, r, "stdout: write the answer: %s", strerror(-r));
	return 0;
}

/* ---- CHECK -------------------------------------------------------------- */

enum { ROOM_FOR_REST = 80 };

static const char *difference_json(const char *object, const char *want, const char *have)
{
	struct jw w;

	jw_init(&w, &tx.mem, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "object", object);
	jw_str(&w, "want", want);
	jw_str(&w, "have", have);
	jw_close(&w, '}');
	return jw_end(&w);
}

/* A JSON list of the differences that fit into room bytes; the last entry counts the rest. */
static const char *differences_json(size_t room)
{
	const struct difference *d = tx.differences;
	struct jw w;
	unsigned i;

	jw_init(&w, &tx.mem, true);
	jw_open(&w, NULL, '[');
	room -= 2;
	for (i = 0; i < tx.n_differences; i++) {
		const char *entry = difference_json(d[i].object, d[i].want, d[i].have);

		if (strlen(entry) + 1 + ROOM_FOR_REST > room)
			break;
		room -= strlen(entry) + 1;
		jw_raw(&w, NULL, entry);
	}
	if (i < tx.n_differences)
		jw_raw(&w, NULL,
		       difference_json("more differences", "0",
				       mem_printf(&tx.mem, "%u", tx.n_differences - i)));
	jw_close(&w, ']');
	return jw_end(&w);
}

/* Makes one failure of the differences that a check noted; a failure of its own comes first. */
static int fail_if_different(void)
{
	if (!tx.n_differences || tx.err)
		return 0;
	snprintf(tx.details, sizeof(tx.details), "%s", differences_json(sizeof(tx.details)));
	snprintf(tx.msg, sizeof(tx.msg), "%s", tx.differences->sentence);
	tx.code = CPLUG_E_CHECK;
	tx.err = -EINVAL;
	return tx.err;
}

/* A delegate that was executed may have failed its CHECK with one sentence. */
static const char *message_json(void)
{
	struct jw w;

	jw_init(&w, &tx.mem, true);
	jw_open(&w, NULL, '[');
	jw_open(&w, NULL, '{');
	jw_str(&w, "object", tx.msg);
	jw_close(&w, '}');
	jw_close(&w, ']');
	return jw_end(&w);
}

/*
 * For a repair: the differences as a JSON list, and forgets them; NULL if the check failed for
 * another reason.
 */
static const char *take_differences(void)
{
	const char *list;

	if (tx.code != CPLUG_E_CHECK)
		return NULL;
	list = tx.details[0] == '[' ? mem_str(&tx.mem, tx.details) : message_json();
	tx.err = 0;
	tx.code = 0;
	tx.msg[0] = tx.details[0] = '\0';
	differ_forget(&tx);
	return list;
}

/* An empty verb is success. */
static int run_if_any(int (*verb)(struct tx *tx, struct call *c))
{
	if (verb)
		return verb(&tx, &call);
	return 0;
}

static int compare(const struct plugin *p)
{
	int r = run_if_any(p->check);

	return also(r, fail_if_different());
}

/*
 * CHECK.  With CPLUG_REPAIR, and if there are differences, the plugin's repair runs, and a second
 * CHECK must find none.  The answer lists what was repaired.
 */
static int run_check(const struct plugin *p)
{
	int r = compare(p);
	const char *list;

	if (r == 0 || !call.repair || !p->repair)
		return r;
	list = take_differences();
	if (!list)
		return r;
	call.command = CNI_REPAIR;
	TRY(p->repair(&tx, &call));
	call.command = CNI_CHECK;
	differ_forget(&tx);
	TRY(compare(p));
	TRY(tx_interrupted(&tx));
	return answer_repair(list);
}

static int run_verb(const struct plugin *p)
{
	switch (call.command) {
	case CNI_ADD:
		return run_add(p);
	case CNI_DEL:
		return run_if_any(p->del);
	case CNI_CHECK:
		if (p->flags & CNI_NEEDS_PREV)
			TRY(call_need_prev(&tx, &call));
		return run_check(p);
	case CNI_GC:
		if (!p->gc && !(p->flags & CNI_IS_IPAM))
			return ipam_gc(&tx, &call);
		return run_if_any(p->gc);
	case CNI_STATUS:
		if (!p->status && !(p->flags & CNI_IS_IPAM))
			return ipam_status(&tx, &call);
		return run_if_any(p->status);
	default:
		return 0;
	}
}

static int run_call(const struct plugin *p)
{
	TRY(call_read(&tx, &call));
	TRY(check_version(p));
	TRY(call_read_prev(&tx, &call));
	TRY(open_log());
	if (p->flags & CNI_IS_IPAM || !ipam_is_foreign(&tx, &call))
		priv_drop(p->capabilities);
	if (call.command == CNI_ADD)
		TRY(turn_share_gc(&tx, &gc_turn));
	TRY(call_open(&tx, &call, p->flags & CNI_USES_HOST, p->flags & CNI_USES_CONT));
	TRY(run_verb(p));
	if (call.command ==
	    CNI_ADD) /* only ADD reads every key, so only it can tell unknown ones */
		cj_report_unknown(&call.conf);
	return 0;
}

/* Goes on with the next undo if one runs out of memory. */
static void roll_back(void)
{
	if (setjmp(out_of_memory) != 0)
		tx_detail(&tx, "out of memory while undoing");
	tx_rollback(&tx);
}

int cni_main(const struct plugin *const *all, const struct plugin *p)
{
	const char *command = getenv("CNI_COMMAND");
	int r;

	occupy_stdio();
	catch_crashes();
	log_start();
	tx_begin(&tx);
	tx.mem.exhausted = on_exhausted;
	priv_limit_memory(ADDRESS_SPACE_MAX);
	json_set_alloc_funcs(alloc_json, keep_json);
	if (str_empty(command))
		return banner(p);
	if (str_eq(command, "VERSION"))
		return answer_version(p);
	log_set_prefix(p->name, command);
	tx_catch_signals();
	call.command_name = command;
	call.plugins = all;
	call.plugin = p;
	call.cont_ns = call.host_ns = NETNS_NONE;
	if (setjmp(out_of_memory) == 0)
		r = run_call(p);
	else
		r = tx_exhausted(&tx);
	if (r < 0 || tx.err) {
		roll_back();
		if (!answered)
			answer_error(call.version);
		call_close(&call);
		return 1;
	}
	tx_commit(&tx);
	log_step("done");
	call_close(&call);
	return 0;
}
