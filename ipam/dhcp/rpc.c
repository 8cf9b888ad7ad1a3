// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc.c - the messages between the plugin and the daemon
 *
 * Names of fields are the reference's.  What the other side does not know is left out by it, as
 * gob wants, so a newer field (a route's scope, an error's code) needs no version.
 */
#include <stdio.h>

#include "ipam/dhcp/rpc_impl.h"

/* Types that we define in our streams. */
enum {
	HEADER = GOB_FIRST_ID,
	NOTHING,
	ARGS,
	RESULT,
	IP_LIST,
	IP_CONFIG,
	IP_NET,
	ROUTE_LIST,
	ROUTE,
	DNS,
	STRING_LIST,
	TEXT,
};

/* ---- reading: a value by its path --------------------------------------- */

static bool is_at(const struct gob_value *v, const char *path, enum gob_basic type)
{
	return v->type == type && str_eq(v->path, path);
}

static char *string_of(struct mem *mem, const struct gob_value *v)
{
	char *s = mem_alloc(mem, v->size + 1);

	if (v->size)
		memcpy(s, v->data, v->size);
	return s;
}

static int visit_request(void *arg, const struct gob_value *v)
{
	struct rpc_request *r = arg;

	if (is_at(v, "Seq", GOB_UINT))
		r->seq = v->number;
	if (!is_at(v, "ServiceMethod", GOB_STRING))
		return 0;
	snprintf(r->method, sizeof(r->method), "%.*s", (int)v->size, (const char *)v->data);
	return 0;
}

int rpc_read_request(const struct gob_in *in, const struct gob_message *m, struct rpc_request *ret)
{
	*ret = (struct rpc_request){ .seq = 0 };
	return gob_walk(in, m, visit_request, ret);
}

struct args_reader {
	struct mem *mem;
	struct rpc_args *args;
};

static int visit_args(void *arg, const struct gob_value *v)
{
	struct args_reader *r = arg;
	struct rpc_args *a = r->args;
	const struct {
		const char *path;
		const char **to;
	} strings[] = {
		{ "ContainerID", &a->id }, { "Netns", &a->netns }, { "IfName", &a->ifname },
		{ "Args", &a->args },      { "Path", &a->path },
	};

	for (unsigned i = 0; i < ARRAY_LEN(strings); i++)
		if (is_at(v, strings[i].path, GOB_STRING))
			*strings[i].to = string_of(r->mem, v);
	if (is_at(v, "StdinData", GOB_BYTES)) {
		a->conf = string_of(r->mem, v);
		a->size = v->size;
	}
	return 0;
}

int rpc_read_args(struct mem *mem, const struct gob_in *in, const struct gob_message *m,
		  struct rpc_args *ret)
{
	struct args_reader r = { .mem = mem, .args = ret };

	*ret = (struct rpc_args){ "", "", "", "", "", "", 0 };
	return gob_walk(in, m, visit_args, &r);
}

/* ---- reading: a result -------------------------------------------------- */

/* net.IP: 4 or 16 bytes; IPv4 may have either form. */
static struct ip ip_of(const struct gob_value *v)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip ip = { .family = 0 };

	if (v->size == 16 && memcmp(v->data, mapped, sizeof(mapped)) != 0) {
		ip.family = AF_INET6;
		memcpy(ip.b, v->data, 16);
	} else if (v->size == 4 || v->size == 16) {
		ip.family = AF_INET;
		memcpy(ip.b, v->data + v->size - 4, 4);
	}
	return ip;
}

/* net.IPMask: ones, then zeros.  IPv4 may have 16 bytes, of which the last four count. */
static int set_mask(struct cidr *c, const struct gob_value *v)
{
	const uint8_t *b = v->data;
	size_t size = v->size;
	unsigned len = 0;

	if (size == 16 && c->ip.family == AF_INET) {
		b += 12;
		size = 4;
	}
	if (size != ip_bytes(c->ip))
		return -EBADMSG;
	while (len < size * 8 && (b[len / 8] & (0x80u >> len % 8)))
		len++;
	for (unsigned i = len; i < size * 8; i++)
		if (b[i / 8] & (0x80u >> i % 8))
			return -EBADMSG;
	c->len = len;
	return 0;
}

static int set_cidr(struct cidr *c, const char *part, const struct gob_value *v)
{
	if (is_at(v, part, GOB_BYTES) && str_eq(strrchr(part, '.'), ".Mask"))
		return set_mask(c, v);
	if (is_at(v, part, GOB_BYTES))
		c->ip = ip_of(v);
	return 0;
}

static int visit_ip(struct result *r, const struct gob_value *v)
{
	struct result_ip *ip;

	if (!v->type)
		result_add_ip(r, (struct result_ip){ .iface = -1 });
	if (!v->type || !r->n_ips)
		return 0;
	ip = &r->ips[r->n_ips - 1];
	TRY(set_cidr(&ip->addr, "IPs.Address.IP", v));
	TRY(set_cidr(&ip->addr, "IPs.Address.Mask", v));
	if (is_at(v, "IPs.Gateway", GOB_BYTES))
		ip->gateway = ip_of(v);
	return 0;
}

static int visit_route(struct result *r, const struct gob_value *v)
{
	struct result_route *route;

	if (!v->type)
		result_add_route(r, (struct result_route){ .table = -1, .scope = -1 });
	if (!v->type || !r->n_routes)
		return 0;
	route = &r->routes[r->n_routes - 1];
	TRY(set_cidr(&route->dst, "Routes.Dst.IP", v));
	TRY(set_cidr(&route->dst, "Routes.Dst.Mask", v));
	route->has_dst = ip_set(route->dst.ip);
	if (is_at(v, "Routes.GW", GOB_BYTES))
		route->gw = ip_of(v);
	if (v->type != GOB_INT)
		return 0;
	const struct {
		const char *path;
		int64_t *to;
	} numbers[] = {
		{ "Routes.MTU", &route->mtu },           { "Routes.AdvMSS", &route->advmss },
		{ "Routes.Priority", &route->priority }, { "Routes.Table", &route->table },
		{ "Routes.Scope", &route->scope },
	};

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		if (str_eq(v->path, numbers[i].path))
			*numbers[i].to = (int64_t)v->number;
	return 0;
}

static void add_string(struct mem *mem, const char ***list, unsigned *n, const struct gob_value *v)
{
	*list = mem_grow(mem, *list, *n, sizeof(**list));
	(*list)[(*n)++] = string_of(mem, v);
}

static void visit_dns(struct result *r, const struct gob_value *v)
{
	struct result_dns *d = &r->dns;

	if (is_at(v, "DNS.Nameservers", GOB_STRING))
		add_string(r->mem, &d->nameservers, &d->n_nameservers, v);
	if (is_at(v, "DNS.Search", GOB_STRING))
		add_string(r->mem, &d->search, &d->n_search, v);
	if (is_at(v, "DNS.Options", GOB_STRING))
		add_string(r->mem, &d->options, &d->n_options, v);
	if (is_at(v, "DNS.Domain", GOB_STRING))
		d->domain = string_of(r->mem, v);
}

static int visit_result(void *arg, const struct gob_value *v)
{
	struct result *r = arg;

	if (r->n_ips > RESULT_LIST_MAX || r->n_routes > RESULT_LIST_MAX)
		return -EBADMSG;
	if (str_eq(v->path, "IPs") || str_starts(v->path, "IPs."))
		return visit_ip(r, v);
	if (str_eq(v->path, "Routes") || str_starts(v->path, "Routes."))
		return visit_route(r, v);
	visit_dns(r, v);
	return 0;
}

static int fail_unreadable(struct tx *tx)
{
	return tx_fail_as(tx, CPLUG_E_DELEGATE, -EBADMSG,
			  "the DHCP daemon's answer cannot be read (is another program listening "
			  "on its socket?)");
}

int rpc_read_result(struct tx *tx, const struct rpc_reply *reply, struct result *ret)
{
	if (gob_walk(&reply->in, &reply->body, visit_result, ret) < 0)
		return fail_unreadable(tx);
	for (unsigned i = 0; i < ret->n_ips; i++)
		if (!ip_set(ret->ips[i].addr.ip))
			return fail_unreadable(tx);
	return 0;
}

struct text_reader {
	struct mem *mem;
	const char *text;
};

static int visit_text(void *arg, const struct gob_value *v)
{
	struct text_reader *r = arg;

	if (is_at(v, "Text", GOB_STRING))
		r->text = string_of(r->mem, v);
	return 0;
}

int rpc_read_text(struct tx *tx, const struct rpc_reply *reply, const char **ret)
{
	struct text_reader r = { .mem = &tx->mem, .text = "" };

	if (gob_walk(&reply->in, &reply->body, visit_text, &r) < 0)
		return fail_unreadable(tx);
	*ret = r.text;
	return 0;
}

/* ---- writing ------------------------------------------------------------ */

void rpc_put_call(struct gob_out *o, const char *method, const struct rpc_args *a)
{
	static const struct gob_member header[] = { { "ServiceMethod", GOB_STRING },
						    { "Seq", GOB_UINT } };
	static const struct gob_member args[] = {
		{ "ContainerID", GOB_STRING }, { "Netns", GOB_STRING }, { "IfName", GOB_STRING },
		{ "Args", GOB_STRING },        { "Path", GOB_STRING },  { "StdinData", GOB_BYTES },
	};
	const char *values[] = { a->id, a->netns, a->ifname, a->args, a->path };

	gob_define_struct(o, HEADER, "Request", header, ARRAY_LEN(header));
	gob_begin(o);
	gob_int(o, HEADER);
	gob_field_string(o, 0, method);
	gob_uint(o, 0);
	gob_end(o);
	gob_define_struct(o, ARGS, "CmdArgs", args, ARRAY_LEN(args));
	gob_begin(o);
	gob_int(o, ARGS);
	for (int i = 0; i < (int)ARRAY_LEN(values); i++)
		gob_field_string(o, i, values[i]);
	gob_field_bytes(o, ARRAY_LEN(values), a->conf, a->size);
	gob_uint(o, 0);
	gob_end(o);
}

static void put_cidr(struct gob_out *o, int index, struct cidr c)
{
	uint8_t mask[16] = { 0 };
	int outer;

	for (unsigned i = 0; i < c.len; i++)
		mask[i / 8] |= (uint8_t)(0x80u >> i % 8);
	gob_field(o, index);
	outer = gob_enter(o);
	gob_field_bytes(o, 0, c.ip.b, ip_bytes(c.ip));
	gob_field_bytes(o, 1, mask, ip_bytes(c.ip));
	gob_leave(o, outer);
}

static void put_ips(struct gob_out *o, const struct result *r)
{
	if (!r->n_ips)
		return;
	gob_field(o, 1);
	gob_uint(o, r->n_ips);
	for (unsigned i = 0; i < r->n_ips; i++) {
		int outer = gob_enter(o);

		put_cidr(o, 0, r->ips[i].addr);
		gob_field_bytes(o, 1, r->ips[i].gateway.b, ip_bytes(r->ips[i].gateway));
		gob_leave(o, outer);
	}
}

static void put_routes(struct gob_out *o, const struct result *r)
{
	if (!r->n_routes)
		return;
	gob_field(o, 2);
	gob_uint(o, r->n_routes);
	for (unsigned i = 0; i < r->n_routes; i++) {
		const struct result_route *route = &r->routes[i];
		int outer = gob_enter(o);

		put_cidr(o, 0, route->dst);
		gob_field_bytes(o, 1, route->gw.b, ip_bytes(route->gw));
		gob_field_int(o, 2, route->mtu);
		gob_field_int(o, 3, route->priority);
		gob_field_int(o, 4, route->scope < 0 ? 0 : route->scope);
		gob_leave(o, outer);
	}
}

static void put_dns(struct gob_out *o, const struct result_dns *d)
{
	int outer;

	gob_field(o, 3);
	outer = gob_enter(o);
	gob_field_strings(o, 0, d->nameservers, d->n_nameservers);
	gob_field_string(o, 1, d->domain);
	gob_field_strings(o, 2, d->search, d->n_search);
	gob_leave(o, outer);
}

static void define_result(struct gob_out *o)
{
	static const struct gob_member result[] = { { "CNIVersion", GOB_STRING },
						    { "IPs", IP_LIST },
						    { "Routes", ROUTE_LIST },
						    { "DNS", DNS } };
	static const struct gob_member ip[] = { { "Address", IP_NET }, { "Gateway", GOB_BYTES } };
	static const struct gob_member net[] = { { "IP", GOB_BYTES }, { "Mask", GOB_BYTES } };
	static const struct gob_member route[] = { { "Dst", IP_NET },
						   { "GW", GOB_BYTES },
						   { "MTU", GOB_INT },
						   { "Priority", GOB_INT },
						   { "Scope", GOB_INT } };
	static const struct gob_member dns[] = { { "Nameservers", STRING_LIST },
						 { "Domain", GOB_STRING },
						 { "Search", STRING_LIST } };

	gob_define_struct(o, RESULT, "Result", result, ARRAY_LEN(result));
	gob_define_list(o, IP_LIST, IP_CONFIG);
	gob_define_struct(o, IP_CONFIG, "IPConfig", ip, ARRAY_LEN(ip));
	gob_define_struct(o, IP_NET, "IPNet", net, ARRAY_LEN(net));
	gob_define_list(o, ROUTE_LIST, ROUTE);
	gob_define_struct(o, ROUTE, "Route", route, ARRAY_LEN(route));
	gob_define_struct(o, DNS, "DNS", dns, ARRAY_LEN(dns));
	gob_define_list(o, STRING_LIST, GOB_STRING);
}

static void put_result(struct gob_out *o, const struct result *r)
{
	gob_begin(o);
	gob_int(o, RESULT);
	gob_field_string(o, 0, "1.0.0"); /* the oldest of its form */
	put_ips(o, r);
	put_routes(o, r);
	put_dns(o, &r->dns);
	gob_uint(o, 0);
	gob_end(o);
}

static void put_header(struct gob_out *o, const struct rpc_answer *a)
{
	gob_begin(o);
	gob_int(o, HEADER);
	gob_field_string(o, 0, a->to->method);
	if (a->to->seq) {
		gob_field(o, 1);
		gob_uint(o, a->to->seq);
	}
	gob_field_string(o, 2, a->error);
	gob_field_int(o, 3, a->code);
	gob_uint(o, 0);
	gob_end(o);
}

/* Is it the first time in this stream? */
static bool is_first(unsigned *defined, unsigned type)
{
	bool first = !(*defined & 1u << (type - HEADER));

	*defined |= 1u << (type - HEADER);
	return first;
}

void rpc_put_answer(struct gob_out *o, unsigned *defined, const struct rpc_answer *a)
{
	static const struct gob_member header[] = { { "ServiceMethod", GOB_STRING },
						    { "Seq", GOB_UINT },
						    { "Error", GOB_STRING },
						    { "Code", GOB_INT } };
	static const struct gob_member text[] = { { "Text", GOB_STRING } };

	if (is_first(defined, HEADER))
		gob_define_struct(o, HEADER, "Response", header, ARRAY_LEN(header));
	put_header(o, a);
	if (!a->error && a->result) {
		if (is_first(defined, RESULT))
			define_result(o);
		put_result(o, a->result);
		return;
	}
	if (!a->error && a->text) {
		if (is_first(defined, TEXT))
			gob_define_struct(o, TEXT, "List", text, ARRAY_LEN(text));
		gob_begin(o);
		gob_int(o, TEXT);
		gob_field_string(o, 0, a->text);
		gob_uint(o, 0);
		gob_end(o);
		return;
	}
	if (is_first(defined, NOTHING))
		gob_define_struct(o, NOTHING, "", NULL, 0);
	gob_begin(o);
	gob_int(o, NOTHING);
	gob_uint(o, 0);
	gob_end(o);
}
