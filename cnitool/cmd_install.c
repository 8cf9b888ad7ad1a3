// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_install.c - installs this executable into a folder of plugins, and removes it
 *
 * For container images without a shell: a DaemonSet runs it on each node (contrib/kubernetes).
 * Each name is replaced by rename(2) of a complete file that is on the disk, so a runtime can
 * call plugins all the time.  Executables of another suite are replaced with --force only, and
 * kept in the folder REPLACED; uninstall gives them their names back.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "cni/version.h"
#include "cnitool/cnitool.h"
#include "cnitool/netconf.h"
#include "plugins/list.h"
#include "sys/file.h"

#define REPLACED ".cplug-replaced"

enum { EXE_MAX = 64 << 20, CONF_MAX = 1 << 20 };

#define ENTRY(name) &name##_plugin,
static const struct plugin *const plugins[] = { PLUGIN_LIST(ENTRY) };

/* cplug, cnitool, and the plugins. */
enum { N_NAMES = ARRAY_LEN(plugins) + 2 };

static const char *name_of(unsigned i)
{
	if (i == 0)
		return "cplug";
	if (i == 1)
		return "cnitool";
	return plugins[i - 2]->name;
}

static int fail(struct tool *t, const char *verb, const char *dir, const char *name)
{
	int err = errno;

	return tx_fail_as(t->tx, CPLUG_E_FILE, -err, "%s %s/%s: %s", verb, dir, name,
			  strerror(err));
}

/*
 * The file that cplug and cnitool are both names of, which those of no other suite are; else a
 * number that no file has.
 */
static ino_t shared_file(int dirfd)
{
	struct stat st, tool;

	if (fstatat(dirfd, "cplug", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(dirfd, "cnitool", &tool, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != tool.st_ino)
		return 0;
	return st.st_ino;
}

/*
 * A name of that file.  What a program wrote that was copied into one name (cp(1)) is under all
 * names then, and is no other suite.
 */
static bool is_shared(int dirfd, const char *name, ino_t shared)
{
	struct stat st;

	return shared && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == shared;
}

/* An executable is cplug's if it contains the name of a variable that no other program knows. */
static bool is_ours(struct tool *t, int dirfd, const char *name, ino_t shared)
{
	static const char mark[] = "CPLUG_REPAIR";
	struct file_text text;
	bool ours;
	struct mem mem = { .exhausted = t->tx->mem.exhausted, .arg = t->tx->mem.arg };

	if (is_shared(dirfd, name, shared))
		return true;
	if (file_read(&mem, dirfd, name, EXE_MAX, &text) < 0)
		return false;
	ours = memmem(text.s, text.size, mark, sizeof(mark) - 1) != NULL;
	mem_free(&mem);
	return ours;
}

static bool is_there(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Opens the folder of kept executables.  Not through a symbolic link, because those who may write
 * to the folder of plugins must not lead us to files of the host.
 */
static int open_replaced(int dirfd)
{
	return openat(dirfd, REPLACED, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Keeps an executable of another suite, also under its name until that is replaced. */
static int keep_other(struct tool *t, int dirfd, const char *dir, const char *name)
{
	auto_(fd_close) int kept = -1;

	if (mkdirat(dirfd, REPLACED, 0755) < 0 && errno != EEXIST)
		return fail(t, "create directory", dir, REPLACED);
	kept = open_replaced(dirfd);
	if (kept < 0)
		return fail(t, "open", dir, REPLACED);
	if (unlinkat(kept, name, 0) < 0 && errno != ENOENT)
		return fail(t, "remove kept", dir, name);
	if (linkat(dirfd, name, kept, name, 0) < 0)
		return fail(t, "keep", dir, name);
	return 0;
}

static int look_for_others(struct tool *t, int dirfd, const char *dir)
{
	struct mem_text others = { .mem = &t->tx->mem };
	ino_t shared = shared_file(dirfd);

	for (unsigned i = 0; i < N_NAMES; i++) {
		const char *name = name_of(i);

		if (!is_there(dirfd, name) || is_ours(t, dirfd, name, shared))
			continue;
		if (t->opt.force)
			TRY(keep_other(t, dirfd, dir, name));
		mem_text_add(&others, " %s", name);
	}
	if (!others.len)
		return 0;
	if (!t->opt.force)
		return tx_fail_as(t->tx, CPLUG_E_FILE, -EEXIST,
				  "%s has executables of another suite:%s; nothing was installed. "
				  "--force replaces them, and keeps them for uninstall",
				  dir, mem_text_end(&others));
	tool_say(t, "kept in %s/" REPLACED ":%s\n", dir, mem_text_end(&others));
	return 0;
}

/* Gives cplug a further name; where the file system has no hard links, to a copy. */
static int put_name(struct tool *t, const struct file_new *exe, const char *dir, const char *name)
{
	const char *temporary = mem_printf(&t->tx->mem, ".%s.cplug-new", name);
	struct file_new copy = *exe;
	int r = 0;

	unlinkat(exe->dirfd, temporary, 0);
	if (linkat(exe->dirfd, exe->path, exe->dirfd, temporary, 0) < 0)
		r = -errno;
	if (file_no_links(r)) {
		copy.path = name;
		return file_replace(t->tx, &copy);
	}
	if (r < 0 || renameat(exe->dirfd, temporary, exe->dirfd, name) < 0)
		return fail(t, "replace", dir, name);
	return 0;
}

struct new_conf {
	const char *name; /* of the network */
	struct file_text text;
};

static int read_conf(struct tool *t, const char *file, struct new_conf *ret)
{
	struct netconf conf;
	int r = file_read(&t->tx->mem, AT_FDCWD, file, CONF_MAX, &ret->text);

	if (r < 0)
		return tx_fail_as(t->tx, CPLUG_E_FILE, r, "read %s: %s; nothing was installed",
				  file, strerror(-r));
	TRY(netconf_read_cached(t->tx, NULL, ret->text.s, ret->text.size, &conf));
	ret->name = conf.name;
	return 0;
}

static int put_conf(struct tool *t, const char *file, const struct new_conf *conf)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	struct file_new f = { .dirfd = AT_FDCWD, .mode = 0644, .sync = true };

	TRY(file_mkdirs(t->tx, t->opt.conf_dir, 0755));
	f.path = mem_printf(&t->tx->mem, "%s/%s", t->opt.conf_dir, name);
	f.data = conf->text.s;
	f.size = conf->text.size;
	TRY(file_replace(t->tx, &f));
	tool_say(t, "network %s is configured in %s\n", conf->name, f.path);
	return 0;
}

/* With --wait: a pod of a DaemonSet must not end. */
static int wait_for_end(const struct tool *t)
{
	sigset_t wait;
	int sig;

	if (!t->opt.wait)
		return 0;
	fflush(stdout);
	sigemptyset(&wait);
	sigaddset(&wait, SIGTERM);
	sigaddset(&wait, SIGINT);
	sigprocmask(SIG_BLOCK, &wait, NULL);
	sigwait(&wait, &sig);
	return 0;
}

/* Reads this executable; an image need not have /proc. */
static int read_self(struct tool *t, struct file_text *ret)
{
	const char *path = "/proc/self/exe";
	int r = file_read(&t->tx->mem, AT_FDCWD, path, EXE_MAX, ret);

	if (r == -ENOENT) {
		path = (const char *)getauxval(AT_EXECFN);
		r = file_read(&t->tx->mem, AT_FDCWD, path, EXE_MAX, ret);
	}
	if (r < 0)
		return tx_fail_as(t->tx, CPLUG_E_FILE, r, "read %s: %s", path, strerror(-r));
	return 0;
}

int cmd_install(struct tool *t)
{
	const char *dir = t->args.v[0];
	auto_(fd_close) int dirfd = -1;
	struct file_new exe = { .path = "cplug", .mode = 0755, .sync = true };
	const struct words *files = &t->opt.confs;
	struct new_conf *confs = mem_alloc(&t->tx->mem, (files->n + 1) * sizeof(*confs));
	struct file_text text;

	/* A mistake in a configuration leaves the node as it is. */
	for (unsigned i = 0; i < files->n; i++)
		TRY(read_conf(t, files->v[i], &confs[i]));
	TRY(read_self(t, &text));
	TRY(file_mkdirs(t->tx, dir, 0755));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return fail(t, "open", dir, "");
	TRY(look_for_others(t, dirfd, dir));
	exe.dirfd = dirfd;
	exe.data = text.s;
	exe.size = text.size;
	TRY(file_replace(t->tx, &exe));
	for (unsigned i = 1; i < N_NAMES; i++)
		TRY(put_name(t, &exe, dir, name_of(i)));
	if (fsync(dirfd) < 0)
		return fail(t, "write", dir, "");
	tool_say(t, "cplug %s is installed in %s\n", cplug_version, dir);
	for (unsigned i = 0; i < files->n; i++)
		TRY(put_conf(t, files->v[i], &confs[i]));
	return wait_for_end(t);
}

/* What uninstall has done. */
struct taken {
	ino_t shared;
	struct mem_text back; /* the names of executables that are back */
	unsigned n;           /* names that were cplug's */
};

/* A name: the kept executable gets it back, else it is removed.  kept: -1 = there is none. */
static int take_name(struct tool *t, int dirfd, int kept, const char *name, struct taken *taken)
{
	const char *dir = t->args.v[0];

	if (!is_there(dirfd, name) || !is_ours(t, dirfd, name, taken->shared))
		return 0;
	taken->n++;
	if (kept >= 0 && renameat(kept, name, dirfd, name) == 0) {
		mem_text_add(&taken->back, "%s%s", mem_text_comma(&taken->back, ", "), name);
		return 0;
	}
	if (kept >= 0 && errno != ENOENT)
		return fail(t, "restore", dir, name);
	if (unlinkat(dirfd, name, 0) < 0)
		return fail(t, "remove", dir, name);
	return 0;
}

/*
 * The folder stays with what was not given back, because the installation was killed, or because
 * other programs have these names by now.
 */
static int drop_replaced(struct tool *t, int dirfd, const char **ret_left)
{
	if (unlinkat(dirfd, REPLACED, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY)
		return fail(t, "remove", t->args.v[0], REPLACED);
	*ret_left = "; " REPLACED " stays, with executables whose names another suite has";
	return 0;
}

int cmd_uninstall(struct tool *t)
{
	const char *dir = t->args.v[0];
	auto_(fd_close) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	auto_(fd_close) int kept = dirfd < 0 ? -1 : open_replaced(dirfd);
	struct taken taken = { .back = { .mem = &t->tx->mem } };
	const char *back = "", *left = "";

	if (dirfd < 0)
		return fail(t, "open", dir, "");
	if (kept < 0 && errno != ENOENT)
		return fail(t, "open", dir, REPLACED);
	taken.shared = shared_file(dirfd);
	for (unsigned i = 0; i < N_NAMES; i++)
		TRY(take_name(t, dirfd, kept, name_of(i), &taken));
	TRY(drop_replaced(t, dirfd, &left));
	if (fsync(dirfd) < 0)
		return fail(t, "write", dir, "");
	if (taken.back.len)
		back = mem_printf(&t->tx->mem, "; back again: %s", mem_text_end(&taken.back));
	tool_say(t, "%s %s%s%s\n", taken.n ? "cplug is removed from" : "nothing of cplug is in",
		 dir, back, left);
	return wait_for_end(t);
}
