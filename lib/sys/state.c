// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - a small JSON document for an attachment, below /run
 *
 * ":" separates the parts of a name, because neither container ids, nor network names, nor
 * interface names have it.
 */
#include <fcntl.h>

#include "base/log.h"
#include "sys/file.h"
#include "sys/state.h"
#include "value/name.h"

static const char suffix[] = ".json";

static int fail_on_document(struct tx *tx, int err, const char *verb, const struct state_file *f)
{
	return tx_fail_as(tx, CPLUG_E_FILE, err, "%s %s/%s: %s", verb, f->dir, f->name,
			  strerror(-err));
}

int state_of(struct tx *tx, const char *plugin, const char *network, const char *id,
	     const char *ifname, struct state_file *ret)
{
	if (!name_valid_type(plugin) || !name_valid_id(network) || !name_valid_id(id) ||
	    name_invalid_ifname(ifname))
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
				  "state of %s: network \"%s\", container \"%s\", interface "
				  "\"%s\": not valid names",
				  plugin, network, id, ifname);
	*ret = (struct state_file){
		.dir = mem_printf(&tx->mem, STATE_ROOT "/%s", plugin),
		.name = mem_printf(&tx->mem, "%s:%s:%s%s", network, id, ifname, suffix),
	};
	return 0;
}

static bool is_name(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/');
}

/* Opens the folder: 0, or -errno (not recorded). */
static int open_dir(const struct state_file *f, int *ret_fd)
{
	int fd;

	if (*f->dir != '/' || !is_name(f->name))
		return -EINVAL;
	fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/*
 * Reads the document: 0, -ENOENT if there is none, also if a folder is in its place, or -errno (not
 * recorded).
 */
static int read_document(struct tx *tx, const struct state_file *f, char **ret)
{
	auto_(fd_close) int dir = -1;
	struct file_text text = { .s = NULL };
	int r;

	TRY(open_dir(f, &dir));
	r = file_read(&tx->mem, dir, f->name, STATE_MAX, &text);
	if (r == -EISDIR)
		return -ENOENT;
	*ret = text.s;
	return r;
}

/* The parents may be read by others, who have files of their own below /run/cni. */
static int make_dir(struct tx *tx, const char *dir)
{
	const char *slash = strrchr(dir, '/');

	if (slash && slash != dir)
		TRY(file_mkdirs(tx, mem_printf(&tx->mem, "%.*s", (int)(slash - dir), dir), 0755));
	return file_mkdirs(tx, dir, 0700);
}

static int write_document(struct tx *tx, const struct state_file *f, const char *json)
{
	auto_(fd_close) int dir = -1;
	int r = open_dir(f, &dir);

	if (r == -ENOENT) {
		TRY(make_dir(tx, f->dir));
		r = open_dir(f, &dir);
	}
	if (r < 0)
		return fail_on_document(tx, r, "write", f);
	return file_replace(tx, &(struct file_new){ .dirfd = dir,
						    .path = f->name,
						    .data = json,
						    .size = strlen(json),
						    .mode = 0600,
						    .own = true });
}

static int remove_document(struct tx *tx, const struct state_file *f)
{
	auto_(fd_close) int dir = -1;
	int r = open_dir(f, &dir);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail_on_document(tx, r, "remove", f);
	return file_remove(tx, dir, f->name);
}

struct undo_state {
	struct state_file file;
	const char *before; /* NULL = there was none */
};

static int undo_change(struct tx *tx, void *arg)
{
	struct undo_state *u = arg;

	if (u->before)
		return write_document(tx, &u->file, u->before);
	return remove_document(tx, &u->file);
}

int state_ready(struct tx *tx, const char *dir)
{
	const char *nearest;
	int r = file_dir_writable(&tx->mem, dir, &nearest);

	if (r < 0)
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, r,
				  "nothing can be saved in %s, because of %s: %s", dir, nearest,
				  strerror(-r));
	return 0;
}

int state_save(struct tx *tx, const struct state_file *f, const char *json)
{
	struct undo_state u = { .file = *f };
	char *before = NULL;
	int r;

	if (strlen(json) > STATE_MAX)
		return fail_on_document(tx, -EFBIG, "write", f);
	r = read_document(tx, f, &before);
	if (err_is_passing(r))
		return fail_on_document(tx, r, "read", f);
	u.before = r == 0 ? before : NULL;
	TRY(write_document(tx, f, json));
	log_step("write %s/%s", f->dir, f->name);
	return tx_undo(tx, undo_change, "save state", &u);
}

int state_load(struct tx *tx, const struct state_file *f, char **ret_json)
{
	int r = read_document(tx, f, ret_json);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail_on_document(tx, r, "read", f);
	return 1;
}

int state_forget(struct tx *tx, const struct state_file *f)
{
	struct undo_state u = { .file = *f };
	char *before = NULL;
	int r = read_document(tx, f, &before);

	if (r == -ENOENT)
		return 0;
	TRY(remove_document(tx, f));
	log_step("remove %s/%s", f->dir, f->name);
	if (r < 0)
		return 0;
	u.before = before;
	return tx_undo(tx, undo_change, "forget state", &u);
}

int state_drop(struct tx *tx, const struct state_file *f)
{
	TRY(remove_document(tx, f));
	log_step("remove %s/%s", f->dir, f->name);
	return 0;
}

/* ---- the documents in a folder ------------------------------------------ */

/* Takes NETWORK:ID:IFNAME.json apart. */
static void parse_name(struct mem *mem, struct state_entry *e)
{
	char *network = mem_str(mem, e->file.name), *end = strrchr(network, '.');
	char *id = strchr(network, ':'), *ifname = id ? strchr(id + 1, ':') : NULL;

	if (!ifname || !str_eq(end, suffix))
		return;
	*id++ = *ifname++ = *end = '\0';
	if (!name_valid_id(network) || !name_valid_id(id) || name_invalid_ifname(ifname))
		return;
	e->network = network;
	e->id = id;
	e->ifname = ifname;
}

int state_list(struct tx *tx, const char *dir, struct state_list *ret)
{
	struct state_file folder = { .dir = mem_str(&tx->mem, dir), .name = "" };
	struct state_list list = { .n = 0 };
	auto_(file_close_dir) DIR *d = opendir(dir);

	if (!d && errno != ENOENT)
		return fail_on_document(tx, -errno, "read", &folder);
	for (struct dirent *de; d && (errno = 0, de = readdir(d));) {
		struct state_entry e = { .file = folder };

		if (!is_name(de->d_name) || (de->d_type != DT_REG && de->d_type != DT_UNKNOWN))
			continue;
		e.file.name = mem_str(&tx->mem, de->d_name);
		parse_name(&tx->mem, &e);
		list.e = mem_grow(&tx->mem, list.e, list.n, sizeof(e));
		list.e[list.n++] = e;
	}
	if (d && errno)
		return fail_on_document(tx, -errno, "read", &folder);
	*ret = list;
	return 0;
}
