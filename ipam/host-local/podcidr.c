// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * podcidr.c - the subnets of this node, in a file that a cluster's controller writes
 */
#include <stdlib.h>

#include "ipam/host-local/podcidr.h"
#include "sys/file.h"
#include "sys/hostconf.h"

enum { FILE_MAX = 64 << 10, MTU_MIN = 68, MTU_MAX = 65535 };

const char *podcidr_conf(struct tx *tx, const struct cj *ipam, bool wanted)
{
	const char *path = cj_str(ipam, "subnetFile", ""), *why;

	if (*path && !wanted)
		cj_wrong(ipam, "subnetFile", "it needs \"ranges\": \"podCIDR\"");
	if (!wanted)
		return NULL;
	if (!*path)
		path = "/run/flannel/subnet.env";
	why = hostconf_refuses(tx, HOSTCONF_SUBNET, path);
	if (why)
		cj_wrong(ipam, "subnetFile", "%s", why);
	return path;
}

struct reader {
	struct tx *tx;
	const char *path;
	unsigned line;
	struct podcidr *p;
};

static int fail_value(const struct reader *r, const char *key, const char *why, const char *value)
{
	return tx_fail_as(r->tx, CPLUG_E_FILE, -EINVAL, "file %s: line %u: %s: %s, got \"%.60s\"",
			  r->path, r->line, key, why, value);
}

static int add_subnet(const struct reader *r, const char *key, struct cidr c, const char *text)
{
	struct podcidr *p = r->p;

	for (unsigned i = 0; i < p->n_subnets; i++)
		if (p->subnets[i].ip.family == c.ip.family)
			return fail_value(r, key, "there is a subnet of this family already", text);
	p->subnets[p->n_subnets++] = c;
	return 0;
}

static int add_network(const struct reader *r, const char *key, struct cidr c, const char *text)
{
	struct podcidr *p = r->p;

	if (p->n_networks == ARRAY_LEN(p->networks))
		return fail_value(r, key, "at most 64 networks are expected", text);
	p->networks[p->n_networks++] = c;
	return 0;
}

typedef int add_fn(const struct reader *r, const char *key, struct cidr c, const char *text);

static int read_prefixes(const struct reader *r, const char *key, char *value, add_fn *add)
{
	char *rest, *word = strtok_r(value, ", \t", &rest);

	for (; word; word = strtok_r(NULL, ", \t", &rest)) {
		struct cidr c, reserved;

		if (!cidr_parse(word, &c))
			return fail_value(r, key, "expected a subnet, like 10.244.1.0/24", word);
		if (cidr_is_reserved(c, &reserved))
			return fail_value(r, key,
					  mem_printf(&r->tx->mem,
						     "containers cannot have addresses of %s, so "
						     "it must be another subnet",
						     CIDR_S(reserved)),
					  word);
		TRY(add(r, key, cidr_masked(c), word));
	}
	return 0;
}

static int read_mtu(const struct reader *r, const char *key, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n > MTU_MAX || (n && n < MTU_MIN))
		return fail_value(r, key, "expected an MTU of 68 to 65535 bytes", value);
	r->p->mtu = (int64_t)n;
	return 0;
}

static int read_line(const struct reader *r, char *line)
{
	char *value = strchr(line, '='), *end = line + strlen(line);

	if (!value)
		return 0;
	*value++ = '\0';
	while (end > value && strchr(" \t\r", end[-1]))
		*--end = '\0';
	/* Quotes, as a shell wants them around a list. */
	if (end > value + 1 && *value == '"' && end[-1] == '"') {
		*--end = '\0';
		value++;
	}
	if (str_eq(line, "FLANNEL_SUBNET") || str_eq(line, "FLANNEL_IPV6_SUBNET") ||
	    str_eq(line, "POD_CIDRS"))
		return read_prefixes(r, line, value, add_subnet);
	if (str_eq(line, "FLANNEL_NETWORK") || str_eq(line, "FLANNEL_IPV6_NETWORK"))
		return read_prefixes(r, line, value, add_network);
	if (str_eq(line, "FLANNEL_MTU"))
		return read_mtu(r, line, value);
	return 0;
}

static int fail_absent(struct tx *tx, const char *path, enum cni_code code, const char *why)
{
	return tx_fail_as(tx, code, -EAGAIN,
			  "file %s: %s: the cluster's controller (flanneld, or what writes the "
			  "node's podCIDR) has not written this node's subnet yet; start it, or "
			  "correct ipam.subnetFile",
			  path, why);
}

static int parse(struct tx *tx, const char *path, enum cni_code absent,
		 const struct file_text *text, struct podcidr *ret)
{
	struct reader r = { .tx = tx, .path = path, .p = ret };

	*ret = (struct podcidr){ 0 };
	if (strlen(text->s) != text->size)
		return tx_fail_as(tx, CPLUG_E_FILE, -EINVAL, "file %s: it is not text", path);
	if (text->size && text->s[text->size - 1] != '\n')
		return fail_absent(tx, path, absent, "its last line has no end");
	for (char *line = text->s, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		r.line++;
		TRY(read_line(&r, line));
	}
	if (!ret->n_subnets)
		return fail_absent(tx, path, absent, "it names no subnet");
	return 0;
}

static int read_file(struct tx *tx, const char *path, struct file_text *ret)
{
	auto_(fd_close) int dir = -1;
	const char *name;

	TRY(hostconf_open_try(tx, HOSTCONF_SUBNET, path, false, &dir, &name));
	return file_read_trusted(&tx->mem, dir, name, FILE_MAX, ret);
}

int podcidr_read(struct tx *tx, const char *path, enum cni_code absent, struct podcidr *ret)
{
	struct file_text text = { .size = 0 };
	int r = read_file(tx, path, &text);

	if (r == -ENOENT)
		return fail_absent(tx, path, absent, "there is no such file");
	if (r == -EPERM)
		return tx_fail_as(tx, CPLUG_E_FILE, r,
				  "file %s: it must be a regular file of root that no other user "
				  "can write (chown root, chmod go-w)",
				  path);
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "read %s: %s", path, strerror(-r));
	return parse(tx, path, absent, &text, ret);
}
