// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_pool.c - a pool of namespaces that are attached to a network beforehand
 *
 * /run/cni/cplug/pool/NET has a file for each slot, whose folder is its state:
 *
 *	new	it is being made, or removed
 *	free	it can be taken
 *	taken	it has been taken; the file cannot be written once its name was printed
 *
 * The file has the name of the namespace, /run/netns/NAME, which is attached as by add.  A state
 * changes by rename(2), so of two processes one succeeds.  Who works on a slot holds a lock on its
 * file.  So fill finds what a killed process left: a slot in new, or in taken with a name that was
 * never printed, without a lock.  It is removed, never handed out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cnitool/attach.h"
#include "cnitool/burst.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "cnitool/run_registry.h"
#include "sys/file.h" // NOLINT(readability-duplicate-include): <sys/file.h> is another
#include "sys/state.h"
#include "value/jw.h"
#include "value/name.h"

static const char pools[] = STATE_ROOT "/pool";

static const char *const states[] = { "new", "taken", "free" };

enum { SLOTS_MAX = 10000 };

/* The operands from NET on are t->args; a slot's name takes the place of NETNS. */
struct pool {
	struct tool *t;
	const char *net, *dir;
};

/* ---- files ---- */

static const char *slot_path(const struct pool *p, const char *state, const char *name)
{
	return mem_printf(&p->t->tx->mem, "%s/%s/%s", p->dir, state, name);
}

static const char *netns_path(const struct pool *p, const char *name)
{
	return mem_printf(&p->t->tx->mem, "/run/netns/%s", name);
}

static int fail_file(const struct pool *p, const char *path)
{
	return tx_fail_as(p->t->tx, CPLUG_E_FILE, -errno, "%s: %s", path, strerror(errno));
}

/*
 * Is it a name that make_slot() gives, NET-8 hexadecimal digits?  The author of a configuration can
 * have host-local make folders here; one that is named as a foreign namespace must not count.
 */
static bool is_slot_name(const struct pool *p, const char *name)
{
	size_t n = strlen(p->net);

	return str_starts(name, p->net) && name[n] == '-' && strlen(name + n + 1) == 8 &&
	       strspn(name + n + 1, "0123456789abcdef") == 8;
}

/* Opens and locks a slot's file: -1 if it is none, or another process works on it. */
static int lock_slot(const char *path)
{
	auto_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return fd_steal(&fd);
}

/* Is it the folder of a network's pool? */
static bool is_pool(int dir, const char *name)
{
	struct stat st;

	return name_valid_id(name) && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/*
 * The slots in a state's folder; without p->net the names of pools.  They are read before anything
 * is changed, because a rename may hide others from readdir(3).
 */
static void list_slots(const struct pool *p, const char *state, struct words *ret)
{
	auto_(file_close_dir) DIR *d = opendir(slot_path(p, state, ""));
	struct mem *m = &p->t->tx->mem;
	struct dirent *e;

	*ret = (struct words){ .n = 0 };
	while (d && (e = readdir(d)) != NULL)
		if (p->net ? is_slot_name(p, e->d_name) : is_pool(dirfd(d), e->d_name)) {
			ret->v = mem_grow(m, ret->v, ret->n, sizeof(*ret->v));
			ret->v[ret->n++] = mem_str(m, e->d_name);
		}
}

/* How many slots shall be free; 0 if there is no such pool; or a recorded failure. */
static int pool_size(const struct pool *p)
{
	struct file_text text;
	const char *path = slot_path(p, ".", "size");
	int r = file_read(&p->t->tx->mem, AT_FDCWD, path, 16, &text);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0) {
		errno = -r;
		return fail_file(p, path);
	}
	return (int)strtol(text.s, NULL, 10);
}

/* ---- making and removing slots ---- */

/* add and del have no answer here. */
static int with_slot(const struct pool *p, const char *name, int (*run)(struct tool *t))
{
	struct tool *t = p->t;
	bool json = t->opt.json;
	struct mem kept;
	int r;

	t->args.v[1] = name;
	t->opt.json = false;
	tool_step_begin(t, &kept);
	r = run(t);
	tool_step_end(t, &kept);
	t->opt.json = json;
	return r;
}

/* Of a slot in new, or of what is left of it. */
static int remove_slot(const struct pool *p, const char *name)
{
	const char *path = slot_path(p, "new", name);

	TRY(with_slot(p, name, cmd_del));
	run_registry_remove_name(netns_path(p, name));
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_file(p, path);
	return 0;
}

/* A child makes the namespace, and ends. */
static int make_netns(const struct pool *p, const char *path)
{
	int status = 0, r;
	pid_t pid = fork();

	if (pid == 0) {
		r = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
		if (r == 0)
			r = run_registry_add_name(path, "/proc/self/ns/net");
		_exit(-r);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0)
		return 0;
	r = WIFEXITED(status) && pid > 0 ? WEXITSTATUS(status) : EAGAIN;
	return tx_fail_as(p->t->tx, CNI_E_NETNS, -r, "make a network namespace at %s: %s", path,
			  strerror(r));
}

static int attach_slot(struct tool *t)
{
	struct netconf net = { .name = NULL };
	struct attachment a;
	const char *result;
	int r = cmd_prepare(t, &net, &a);

	if (r == 0)
		r = attach_add(t, &a, &result);
	t->unfinished = NULL;
	netconf_free(&net);
	return r;
}

static int make_slot(const struct pool *p)
{
	const char *name, *path;
	auto_(fd_close) int fd = -1;
	uint32_t number = 0;
	int r;

	(void)!getrandom(&number, sizeof(number), 0);
	name = mem_printf(&p->t->tx->mem, "%s-%08x", p->net, number);
	path = slot_path(p, "new", name);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail_file(p, path);
	r = make_netns(p, netns_path(p, name));
	if (r < 0) { /* the name may be another's */
		(void)unlink(path);
		return r;
	}
	r = with_slot(p, name, attach_slot);
	if (r < 0)
		return also(r, remove_slot(p, name));
	if (rename(path, slot_path(p, "free", name)) < 0)
		return fail_file(p, path);
	return 0;
}

/* Has its namespace been deleted, or was the take killed before it had printed the name? */
static bool is_left(const struct pool *p, const char *state, const char *name, int fd)
{
	struct stat st;

	if (*state == 'n' || file_is_gone(netns_path(p, name)))
		return true;
	return *state == 't' && fstat(fd, &st) == 0 && st.st_mode & S_IWUSR;
}

/*
 * Moves a slot to new, and removes it; left: only if it is one that a killed process left.  Returns
 * 1, 0 if it is not in the state, or another process works on it.
 */
static int retire_slot(const struct pool *p, const char *state, const char *name, bool left)
{
	const char *path = slot_path(p, state, name);
	auto_(fd_close) int fd = lock_slot(path);

	if (fd < 0 || (left && !is_left(p, state, name, fd)) ||
	    rename(path, slot_path(p, "new", name)) < 0)
		return 0;
	TRY(remove_slot(p, name));
	return 1;
}

/* Reports a failure, so that one slot, or pool, keeps no other from its turn. */
static int go_on(struct tool *t, struct errctx m, int r)
{
	bool json = t->opt.json;

	if (r >= 0 || r == -EINTR)
		return r;
	t->opt.json = false; /* fill has no answer that could list it */
	tool_report(t, m);
	t->opt.json = json;
	t->status = 1;
	return 0;
}

/* Slots of a state that are to be removed. */
struct retiring {
	const struct pool *p;
	const char *state;
	struct words names;
	unsigned from; /* index of the first one */
	bool left;     /* only what a killed process left, and a failure is reported */
};

static int retire_one(struct tool *t, unsigned i, bool alone, void *arg)
{
	const struct retiring *x = arg;
	const char *name = x->names.v[x->from + i];
	struct errctx m = errctx_mark(t->tx);
	int r = retire_slot(x->p, x->state, name, x->left);

	if (r == 0 && alone) /* the first time moved it */
		r = retire_slot(x->p, "new", name, true);
	if (alone && x->left)
		return go_on(t, m, r);
	return r;
}

static int remove_left(const struct pool *p)
{
	for (unsigned k = 0; k < ARRAY_LEN(states); k++) {
		struct retiring x = { .p = p, .state = states[k], .left = true };

		list_slots(p, states[k], &x.names);
		TRY(burst_run(p->t, x.names.n, retire_one, &x));
	}
	return 0;
}

static bool is_same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * One process at a time fills a pool, makes its folders, or removes them; others wait.  -1 if there
 * is no pool any more.
 */
static int lock_pool(const struct pool *p, int *ret_fd)
{
	auto_(fd_close) int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret_fd = -1;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return fail_file(p, p->dir);
	if (is_same(fd, p->dir))
		*ret_fd = fd_steal(&fd);
	return 0;
}

/* With the lock, so what others wanted is seen, and done. */
static int fill(const struct pool *p)
{
	struct retiring x = { .p = p, .state = "free" };
	unsigned size;
	int r;

	TRY(r = pool_size(p));
	size = (unsigned)r;
	TRY(remove_left(p));
	list_slots(p, "free", &x.names);
	for (unsigned n = x.names.n; n < size; n++) {
		TRY(tx_interrupted(p->t->tx));
		TRY(make_slot(p));
	}
	if (size >= x.names.n)
		return 0;
	x.from = size;
	return burst_run(p->t, x.names.n - size, retire_one, &x);
}

/* ---- actions ---- */

static int need_pool(const struct pool *p)
{
	if (access(p->dir, F_OK) == 0)
		return 0;
	return tx_fail_as(p->t->tx, CNI_E_CONFIG, -ENOENT,
			  "network \"%s\" has no pool: cnitool pool create %s --size N", p->net,
			  p->net);
}

static int pool_create(const struct pool *p)
{
	const char *size = p->t->opt.size ? p->t->opt.size : "";
	auto_(fd_close) int lock = -1;
	struct netconf net;

	if (!*size || strspn(size, "0123456789") != strlen(size) || strlen(size) > 5 ||
	    strtoul(size, NULL, 10) > SLOTS_MAX) {
		p->t->usage = true;
		return tx_fail_as(p->t->tx, CNI_E_FIELD, -EINVAL,
				  "pool: expected --size N, from 0 to %d", SLOTS_MAX);
	}
	TRY(netconf_find(p->t->tx, p->t->opt.conf_dir, p->net, &net));
	while (lock < 0) { /* destroy may remove the folder meanwhile */
		TRY(file_mkdirs(p->t->tx, p->dir, 0700));
		TRY(lock_pool(p, &lock));
	}
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		TRY(file_mkdirs(p->t->tx, slot_path(p, states[i], ""), 0700));
	TRY(file_replace(p->t->tx, &(struct file_new){ .dirfd = AT_FDCWD,
						       .path = slot_path(p, ".", "size"),
						       .data = size,
						       .size = strlen(size),
						       .mode = 0600,
						       .own = true }));
	return fill(p);
}

static int pool_fill(const struct pool *p)
{
	auto_(fd_close) int lock = -1;

	TRY(need_pool(p));
	TRY(lock_pool(p, &lock));
	if (lock < 0)
		return 0;
	return fill(p);
}

/* The lock comes before the rename: without it, fill would take the slot for a dead taker's. */
static int take_slot(const struct pool *p, const char *name, int *ret_fd)
{
	const char *path = slot_path(p, "free", name);
	auto_(fd_close) int fd = lock_slot(path);

	if (fd < 0 || access(netns_path(p, name), F_OK) < 0 ||
	    rename(path, slot_path(p, "taken", name)) < 0)
		return 0;
	*ret_fd = fd_steal(&fd);
	return 1;
}

/* If the name cannot be printed, the slot is not given to another: fill removes it. */
static int print_slot(const struct pool *p, const char *name, int fd)
{
	struct tool *t = p->t;
	struct jw w;

	if (t->opt.json) {
		tool_open_json(t, &w);
		jw_str(&w, "network", p->net);
		jw_str(&w, "netns", netns_path(p, name));
		TRY(tool_print_json(t, &w));
	} else {
		puts(name);
	}
	if (fflush(stdout) != 0 || ferror(stdout) || fchmod(fd, 0400) < 0)
		return fail_file(p, "print the name");
	return 0;
}

static int pool_take(const struct pool *p)
{
	auto_(fd_close) int fd = -1;
	struct words names;
	int size;

	list_slots(p, "free", &names);
	for (unsigned i = 0; i < names.n; i++)
		if (take_slot(p, names.v[i], &fd))
			return print_slot(p, names.v[i], fd);
	TRY(need_pool(p));
	TRY(size = pool_size(p));
	if (!size)
		return tx_fail_as(p->t->tx, CNI_E_AGAIN, -EAGAIN,
				  "the pool of network \"%s\" has size 0: cnitool pool resize %s "
				  "--size N",
				  p->net, p->net);
	return tx_fail_as(p->t->tx, CNI_E_AGAIN, -EAGAIN,
			  "the pool of network \"%s\" is empty: cnitool pool fill %s", p->net,
			  p->net);
}

/*
 * With the lock: removes the folders of a pool that has been destroyed, if it has no slots; returns
 * false if it has.  "taken" comes first: as long as there is one, its give needs the folder "new".
 */
static bool drop_pool(const struct pool *p)
{
	static const char *const folders[] = { "taken", "new", "free", "." };

	if (access(slot_path(p, ".", "size"), F_OK) == 0)
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(folders); i++) {
		const char *path = *folders[i] == '.' ? p->dir : slot_path(p, folders[i], "");

		if (rmdir(path) < 0 && errno != ENOENT)
			return false;
	}
	return true;
}

static int drop_destroyed(const struct pool *p)
{
	auto_(fd_close) int lock = -1;
	int size;

	TRY(size = pool_size(p));
	if (size)
		return 0;
	TRY(lock_pool(p, &lock));
	if (lock >= 0)
		(void)drop_pool(p);
	return 0;
}

static int pool_give(const struct pool *p)
{
	const char *name = p->t->args.v[1];
	int r;

	TRY(need_pool(p));
	if (str_starts(name, "/run/netns/"))
		name += strlen("/run/netns/");
	if (!is_slot_name(p, name))
		r = 0;
	else
		TRY(r = retire_slot(p, "taken", name, false));
	if (r)
		return drop_destroyed(p);
	return tx_fail_as(p->t->tx, CNI_E_CONTAINER, -ENOENT,
			  "%s was not taken from the pool of network \"%s\" (cnitool pool list %s)",
			  name, p->net, p->net);
}

static int pool_destroy(const struct pool *p)
{
	auto_(fd_close) int lock = -1;
	struct words taken, new;
	unsigned others;

	TRY(need_pool(p));
	if (unlink(slot_path(p, ".", "size")) < 0 && errno != ENOENT)
		return fail_file(p, p->dir);
	TRY(lock_pool(p, &lock));
	if (lock < 0) /* another destroy was faster */
		return 0;
	TRY(fill(p));
	/* In this order, because give moves them so. */
	list_slots(p, "taken", &taken);
	list_slots(p, "new", &new);
	others = taken.n;
	if (!p->t->status) /* no failure is reported, so a give works on those */
		others += new.n;
	if (others)
		tool_note(p->t,
			  "%u slots of network \"%s\" stay until they are given back, and then "
			  "the pool is gone",
			  others, p->net);
	if (taken.n || new.n)
		return 0;
	if (!drop_pool(p))
		return fail_file(p, p->dir);
	return 0;
}

static void put_names(struct jw *w, const char *state, const struct words *names)
{
	jw_open(w, state, '[');
	for (unsigned i = 0; i < names->n; i++)
		jw_str(w, NULL, names->v[i]);
	jw_close(w, ']');
}

static void tell_pool(const struct pool *p, struct jw *w)
{
	struct words free, taken;

	list_slots(p, "free", &free);
	list_slots(p, "taken", &taken);
	tool_say(p->t, "%s: %u of %u free, %u taken%s", p->net, free.n, pool_size(p), taken.n,
		 taken.n ? ":" : "");
	for (unsigned i = 0; i < taken.n; i++)
		tool_say(p->t, " %s", taken.v[i]);
	tool_say(p->t, "\n");
	jw_open(w, NULL, '{');
	jw_str(w, "network", p->net);
	jw_int(w, "size", pool_size(p));
	put_names(w, "free", &free);
	put_names(w, "taken", &taken);
	jw_close(w, '}');
}

/* ---- several pools ---- */

/* The named one, or all: each action is done for one pool after the other. */
static void find_pools(const struct pool *all, const char *net, struct words *ret)
{
	if (!net) {
		list_slots(all, "", ret);
		return;
	}
	ret->v = mem_dup(&all->t->tx->mem, &net, sizeof(net));
	ret->n = 1;
}

static struct pool pool_of(struct tool *t, const char *net)
{
	t->args.v[0] = net;
	return (struct pool){ t, net, mem_printf(&t->tx->mem, "%s/%s", pools, net) };
}

static int pool_list(struct tool *t, const struct words *nets)
{
	struct jw w;

	tool_open_json(t, &w);
	jw_open(&w, "pools", '[');
	for (unsigned i = 0; i < nets->n; i++) {
		struct pool p = pool_of(t, nets->v[i]);

		TRY(need_pool(&p));
		tell_pool(&p, &w);
	}
	jw_close(&w, ']');
	if (!t->opt.json)
		return 0;
	return tool_print_json(t, &w);
}

static const struct {
	const char *name;
	unsigned operands; /* after the action: at least, and at most */
	int (*run)(const struct pool *p);
} actions[] = {
	{ "create", 1, pool_create }, { "resize", 1, pool_create }, { "take", 1, pool_take },
	{ "give", 2, pool_give },     { "fill", 1, pool_fill },     { "destroy", 1, pool_destroy },
};

int cmd_pool(struct tool *t)
{
	const char *action = t->args.v[0], *net = t->args.n > 1 ? t->args.v[1] : NULL;
	const char *operands[] = { net, t->args.n > 2 ? t->args.v[2] : NULL };
	struct pool all = { t, NULL, pools };
	unsigned given = t->args.n - 1;
	struct words nets;

	t->args.v = mem_dup(&t->tx->mem, operands, sizeof(operands));
	t->args.n = given;
	if (net && !name_valid_id(net))
		return tx_fail_as(t->tx, CNI_E_CONFIG, -EINVAL,
				  "invalid characters found in network name: %s", net);
	find_pools(&all, net, &nets);
	if (str_eq(action, "list") && given <= 1)
		return pool_list(t, &nets);
	for (unsigned k = 0; k < ARRAY_LEN(actions); k++) {
		if (!str_eq(action, actions[k].name) ||
		    (given != actions[k].operands && !(actions[k].run == pool_fill && !given)))
			continue;
		for (unsigned i = 0; i < nets.n; i++) {
			struct pool p = pool_of(t, nets.v[i]);
			struct errctx m = errctx_mark(t->tx);
			int r = actions[k].run(&p);

			if (!net)
				r = go_on(t, m, r);
			TRY(r);
		}
		return 0;
	}
	t->usage = true;
	return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
			  "pool: expected create, resize, fill, take, give, list or destroy, and "
			  "their operands: try cnitool pool --help");
}
