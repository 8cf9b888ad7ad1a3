// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of the tuning plugin
 *
 * args.cni wins over every other source, because it is what the reference does.
 */
#include <fcntl.h>

#include "base/log.h"
#include "plugins/tuning/conf.h"
#include "sys/file.h"
#include "sys/hostconf.h"
#include "value/regex.h"

enum { ALLOWLIST_MAX = 1 << 20, SYSCTLS_MAX = 1024 };

static const char allowlist[] = "/etc/cni/tuning/allowlist.conf";

/* ---- keys --------------------------------------------------------------- */

const char *tuning_read_dir(struct tx *tx, const struct call *c)
{
	static const char def[] = "/run/cni/tuning";
	const char *text = cj_str(&c->conf, "dataDir", ""), *why, *guard;
	char *dir = mem_str(&tx->mem, text);

	if (!*text)
		return def;
	for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	why = hostconf_refuses(tx, HOSTCONF_DATA, dir);
	guard = why ? NULL : hostconf_guards(&tx->mem, dir);
	if (guard)
		why = mem_printf(&tx->mem, "\"%.100s\" is not allowed: %s has files of others", dir,
				 guard);
	if (!why)
		return dir;
	cj_wrong(&c->conf, "dataDir", "%s", why);
	return def;
}

static struct sysctl_value *find_path(const struct tuning_conf *cf, const char *path)
{
	for (unsigned i = 0; i < cf->n; i++)
		if (str_eq(cf->sysctls[i].s.name, path))
			return &cf->sysctls[i];
	return NULL;
}

/* Adds the sysctls of an object; one that is there before, at first, gets the new value. */
static void read_sysctls(struct tx *tx, const struct call *c, const struct cj *object,
			 struct tuning_conf *cf)
{
	unsigned before = cf->n;

	for (struct cj m = cj_first(object); m.json; m = cj_next(&m)) {
		struct sysctl_value v = { .s.value = cj_as_str(&m) }, *there;

		if (!v.s.value)
			continue;
		/* Each is compared with each. */
		if (cf->n == SYSCTLS_MAX) {
			cj_wrong(object, NULL, "at most %d sysctls can be set", SYSCTLS_MAX);
			return;
		}
		if (!sysctl_path(m.key, *c->ifname ? c->ifname : "IFNAME", v.s.name)) {
			cj_wrong(&m, NULL,
				 "invalid net sysctl key: \"%.100s\" (it must lie below net, as "
				 "net.ipv4.ip_forward does)",
				 m.key);
			continue;
		}
		there = find_path(cf, v.s.name);
		if (there && (unsigned)(there - cf->sysctls) >= before) {
			cj_wrong(&m, NULL, "duplicated sysctl keys are not allowed: %s", v.s.name);
		} else if (there) {
			cf->keys[there - cf->sysctls] = m.key;
			there->s.value = v.s.value;
		} else {
			cf->sysctls = mem_grow(&tx->mem, cf->sysctls, cf->n, sizeof(v));
			cf->keys = mem_grow(&tx->mem, cf->keys, cf->n, sizeof(*cf->keys));
			cf->keys[cf->n] = m.key;
			cf->sysctls[cf->n++] = v;
		}
	}
}

/* What an object says of the link, over what was said before. */
static void read_link(struct tx *tx, const struct cj *c, struct link_want *w)
{
	uint32_t *txqlen;

	w->mtu = (int)cj_int(c, "mtu", w->mtu, 0, INT32_MAX);
	if (cj_has(c, "promisc"))
		w->promisc = cj_bool(c, "promisc", false) ? LINK_ON : LINK_LEAVE;
	if (cj_has(c, "allmulti"))
		w->allmulti = cj_bool(c, "allmulti", false) ? LINK_ON : LINK_OFF;
	if (!cj_has(c, "txQLen"))
		return;
	txqlen = mem_alloc(&tx->mem, sizeof(*txqlen));
	*txqlen = (uint32_t)cj_int(c, "txQLen", 0, 0, INT32_MAX);
	w->txqlen = txqlen;
}

/*
 * May the text have a key twice?  Without escapes a key is written as it is, so most texts need not
 * be parsed again.
 */
static bool may_repeat(struct mem *mem, const struct call *c, const struct tuning_conf *cf)
{
	const char *text = c->stdin_text, *end = text + c->stdin_size;

	if (memchr(text, '\\', c->stdin_size))
		return true;
	for (unsigned i = 0; i < cf->n; i++) {
		const char *key = mem_printf(mem, "\"%s\"", cf->keys[i]);
		const char *at = memmem(text, c->stdin_size, key, strlen(key));

		if (!at || memmem(at + 1, (size_t)(end - at - 1), key, strlen(key)))
			return true;
	}
	return false;
}

/* A parsed document has one value for each key, so the text is asked. */
static void refuse_duplicates(struct tx *tx, const struct call *c, const struct tuning_conf *cf)
{
	const char *key;

	if (!may_repeat(&tx->mem, c, cf))
		return;
	key = cj_find_twice(&tx->mem, c->stdin_text, c->stdin_size, cf->keys, cf->n);
	if (key)
		cj_wrong(&c->conf, "sysctl", "duplicated sysctl keys are not allowed: %s", key);
}

int tuning_read_conf(struct tx *tx, const struct call *c, struct tuning_conf *ret)
{
	struct cj args = cj_obj(&c->conf, "args"), cni = cj_obj(&args, "cni");
	struct cj conf = cj_obj(&c->conf, "sysctl"), over = cj_obj(&cni, "sysctl");
	struct tuning_conf cf = { .n = 0 };
	struct mac mac;

	read_link(tx, &c->conf, &cf.link);
	read_link(tx, &cni, &cf.link);
	cf.link.shared = true; /* the plugin undoes from what it has saved */
	read_sysctls(tx, c, &conf, &cf);
	read_sysctls(tx, c, &over, &cf);
	refuse_duplicates(tx, c, &cf);
	cf.dir = tuning_read_dir(tx, c);
	TRY(conf_mac(tx, c, cj_mac(&c->conf, "mac"), &cf.link.mac));
	mac = cj_mac(&cni, "mac");
	if (mac.len)
		cf.link.mac = mac;
	*ret = cf;
	return 0;
}

/* ---- the allow-list ----------------------------------------------------- */

/* Cuts white space off both ends. */
static char *trim(char *line)
{
	static const char space[] = " \t\r\v\f";
	size_t n;

	line += strspn(line, space);
	for (n = strlen(line); n && strchr(space, line[n - 1]); n--)
		line[n - 1] = '\0';
	return line;
}

/* Notes which keys the list allows, one expression a line; *ret_list is the list, for messages. */
static int match_lines(struct tx *tx, const struct tuning_conf *cf, char *text, bool *allowed,
		       const char **ret_list)
{
	struct mem_text list = { .mem = &tx->mem };
	unsigned steps = REGEX_STEPS;
	const char *line, *why;

	while (text) {
		line = trim(strsep(&text, "\n"));
		for (unsigned i = 0; *line && i < cf->n; i++) {
			int r;

			if (i && allowed[i]) /* the first key shows whether the line is wrong */
				continue;
			TRY(tx_interrupted(tx));
			r = regex_match_try(line, cf->keys[i], &steps, &why);

			if (r < 0)
				return tx_fail_as(tx, CNI_E_CONFIG, r,
						  "%s: \"%.100s\" cannot be used as a regular "
						  "expression: %s",
						  allowlist, line, why);
			allowed[i] |= r == 1;
		}
		if (*line)
			mem_text_add(&list, "%s%.100s", mem_text_comma(&list, " "), line);
	}
	*ret_list = mem_text_end(&list);
	return 0;
}

int tuning_check_allowed(struct tx *tx, const struct tuning_conf *cf, enum cni_code code)
{
	struct file_text text;
	const char *list = "", *remedy = "add it to";
	bool *allowed;
	int r;

	if (!cf->n)
		return 0;
	r = file_read(&tx->mem, AT_FDCWD, allowlist, ALLOWLIST_MAX, &text);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	/* The author of a configuration can have IPAM plugins make folders (dataDir). */
	if (r == -EISDIR) {
		log_warn("%s: ignored, it is a folder (remove it)", allowlist);
		return 0;
	}
	if (r == -EINVAL)
		return tx_fail_as(tx, CPLUG_E_FILE, r,
				  "%s: is not a regular file (remove it, or make it one with a "
				  "regular expression on each line)",
				  allowlist);
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "read %s: %s", allowlist, strerror(-r));
	/* In the reference the mark is a part of the first line, which so matches no key. */
	if (str_starts(text.s, "\xef\xbb\xbf")) {
		text.s += strcspn(text.s, "\n");
		remedy = "remove the byte order mark, with which no key matches the first line, "
			 "from";
	}
	allowed = mem_alloc(&tx->mem, cf->n * sizeof(*allowed));
	TRY(match_lines(tx, cf, text.s, allowed, &list));
	for (unsigned i = 0; i < cf->n; i++)
		if (!allowed[i])
			return tx_fail_as(
				tx, code, -EPERM,
				"sysctl: Sysctl %.100s is not allowed. Only the following "
				"sysctls are allowed: [%.400s] (the host's administrator can %s "
				"%s)",
				cf->keys[i], list, remedy, allowlist);
	return 0;
}
