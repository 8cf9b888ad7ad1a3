// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - how to reach etcd: /etc/cplug/cluster.conf
 */
#include <ctype.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>

#include "ipam/cluster/helper/conf.h"
#include "sys/file.h"
#include "value/cj.h"

enum { CONF_MAX = 64 << 10, ENDPOINTS_MAX = 16, PASSWORD_MAX = 4096, NETWORKS_MAX = 64 };

static const char *const keys[] = { "endpoints", "prefix", "node",         "ca",      "cert",
				    "key",       "user",   "passwordFile", "timeout", "networks" };

static void complain_unknown(struct mem *mem, const struct cj *c)
{
	struct mem_text all = { .mem = mem };

	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		mem_text_add(&all, "%s%s", mem_text_comma(&all, ", "), keys[i]);
	for (struct cj m = cj_first(c); m.json; m = cj_next(&m)) {
		bool known = false;

		for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
			known = known || str_eq(m.key, keys[i]);
		if (!known)
			cj_wrong(&m, NULL, "unknown key (there are %s)", mem_text_end(&all));
	}
}

/* One part of a key of etcd. */
static bool is_node(const char *s)
{
	size_t n = strlen(s);

	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return n && n <= 253 && *s != '.';
}

/* Complains of what curl would refuse at each request; and of a password, which is not shown. */
static void check_url(const struct cj *e, const char *s)
{
	CURLU *url = curl_url();
	char *user = NULL;

	if (!str_starts(s, "https://") && !str_starts(s, "http://"))
		cj_wrong(e, NULL, "expected a URL, like https://10.0.0.1:2379, got \"%.60s\"", s);
	else if (url && curl_url_set(url, CURLUPART_URL, s, 0) != CURLUE_OK)
		cj_wrong(e, NULL,
			 "\"%.60s\" is no URL like https://10.0.0.1:2379 or https://[fd00::1]:2379",
			 s);
	else if (url && curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
		cj_wrong(e, NULL, "etcd takes no user in a URL: write user and passwordFile");
	curl_free(user);
	curl_url_cleanup(url);
}

static void read_endpoints(struct mem *mem, const struct cj *c, struct cluster_conf *cf)
{
	struct cj list = cj_list(c, "endpoints");
	unsigned n = cj_len_max(&list, ENDPOINTS_MAX);

	if (!n && (cj_is_array(&list) || !cj_has(c, "endpoints")))
		cj_wrong(c, "endpoints",
			 "name the members of etcd, like [\"https://10.0.0.1:2379\"]");
	cf->endpoints = mem_alloc(mem, (n + 1) * sizeof(*cf->endpoints));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);
		char *s = mem_str(mem, cj_as_str(&e));
		size_t len = s ? strlen(s) : 0;

		if (s)
			check_url(&e, s);
		while (len && s[len - 1] == '/')
			s[--len] = '\0';
		if (s)
			cf->endpoints[cf->n_endpoints++] = s;
	}
}

static const char *read_path(const struct cj *c, const char *key)
{
	const char *path = cj_str(c, key, NULL);

	if (path && *path != '/')
		cj_wrong(c, key, "expected an absolute path, got \"%.60s\"", path);
	return path;
}

/* A file that libcurl reads. */
static const char *read_pem(const struct cj *c, const char *key)
{
	const char *path = read_path(c, key);

	if (path && *path == '/' && access(path, R_OK) < 0)
		cj_wrong(c, key, "cannot read %.200s: %s", path, strerror(errno));
	return path;
}

/* One of two keys alone. */
static void check_pair(const struct cj *c, const char *one, const char *other)
{
	if (cj_has(c, one) != cj_has(c, other))
		cj_wrong(c, one, "%s and %s belong together", one, other);
}

static void read_password(struct mem *mem, const struct cj *c, struct cluster_conf *cf)
{
	const char *path = read_path(c, "passwordFile");
	struct file_text text;
	int r;

	if (!path || *path != '/')
		return;
	r = file_read_trusted(mem, AT_FDCWD, path, PASSWORD_MAX, &text);
	if (r == -EPERM || r == -ELOOP)
		cj_wrong(c, "passwordFile",
			 "%.200s must be a regular file of root that no other user can write",
			 path);
	else if (r < 0)
		cj_wrong(c, "passwordFile", "cannot read %.200s: %s", path, strerror(-r));
	if (r < 0)
		return;
	text.s[strcspn(text.s, "\r\n")] = '\0';
	if (!*text.s)
		cj_wrong(c, "passwordFile", "the first line of %.200s has no password", path);
	cf->password = text.s;
}

static bool list_allows(const struct cluster_conf *cf, const char *key, struct cidr subnet)
{
	struct cj list = cj_list(&cf->networks, key);

	for (unsigned i = 0, n = cj_len_max(&list, NETWORKS_MAX); i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct cidr c = cj_as_cidr(&e);

		if (ip_set(c.ip) && subnet.len >= c.len && cidr_contains(c, subnet.ip))
			return true;
	}
	return false;
}

/* Each list is read once here, so that its mistakes are known. */
static void read_networks(const struct cj *c, struct cluster_conf *cf)
{
	if (cj_has(c, "networks"))
		cf->networks = cj_obj(c, "networks");
	for (struct cj m = cj_first(&cf->networks); m.json; m = cj_next(&m))
		(void)list_allows(cf, m.key, (struct cidr){ .len = 0 });
}

bool cluster_conf_allows(const struct cluster_conf *cf, const char *network, struct cidr subnet)
{
	return !cf->networks.json || list_allows(cf, network, subnet) ||
	       list_allows(cf, "*", subnet);
}

/* The keys of an ADD are those of a network configuration, too: says that they are this file's. */
static int name_file(struct tx *tx, int r)
{
	const char *text = mem_str(&tx->mem, tx->msg);

	snprintf(tx->msg, sizeof(tx->msg), "%s: %s", CLUSTER_CONF, text);
	return r;
}

static int parse(struct tx *tx, const struct file_text *text, struct cluster_conf *ret)
{
	char host[256] = "";
	struct cj c;
	int r;

	TRY(cj_parse(tx, text->s, text->size, "file " CLUSTER_CONF, &c));
	gethostname(host, sizeof(host) - 1);
	complain_unknown(&tx->mem, &c);
	*ret = (struct cluster_conf){
		.prefix = cj_str(&c, "prefix", "/cplug/v1"),
		.node = cj_str(&c, "node", mem_str(&tx->mem, host)),
		.ca = read_pem(&c, "ca"),
		.cert = read_pem(&c, "cert"),
		.key = read_pem(&c, "key"),
		.user = cj_str(&c, "user", NULL),
		.timeout_ms = (int)cj_int(&c, "timeout", 1000, 50, 60000),
	};
	read_endpoints(&tx->mem, &c, ret);
	read_password(&tx->mem, &c, ret);
	read_networks(&c, ret);
	check_pair(&c, "cert", "key");
	check_pair(&c, "user", "passwordFile");
	if (ret->user && !*ret->user)
		cj_wrong(&c, "user", "name etcd's user, or remove user and passwordFile");
	if (*ret->prefix != '/' || ret->prefix[strlen(ret->prefix) - 1] == '/')
		cj_wrong(&c, "prefix", "expected a prefix of keys, like /cplug/v1, got \"%.60s\"",
			 ret->prefix);
	if (!is_node(ret->node))
		cj_wrong(&c, "node",
			 "\"%.60s\" is no name of a node: letters, digits, dots, hyphens and "
			 "underscores, at most 253",
			 ret->node);
	r = cj_ok(tx, &c);
	if (r < 0)
		return name_file(tx, r);
	return 0;
}

int cluster_conf_read(struct tx *tx, struct cluster_conf *ret)
{
	struct file_text text;
	int r = file_read_trusted(&tx->mem, AT_FDCWD, CLUSTER_CONF, CONF_MAX, &text);

	if (r == -ENOENT)
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, r,
				  "%s: there is no such file: it says where etcd is; write "
				  "{\"endpoints\": [\"https://10.0.0.1:2379\"]}",
				  CLUSTER_CONF);
	if (r == -EPERM || r == -ELOOP)
		return tx_fail_as(
			tx, CNI_E_CONFIG, r,
			"%s: it must be a regular file of root that no other user can write "
			"(chown root, chmod go-w)",
			CLUSTER_CONF);
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "read %s: %s", CLUSTER_CONF, strerror(-r));
	return parse(tx, &text, ret);
}
