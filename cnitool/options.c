// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - read the options
 *
 * A table has each option's names, the verbs that know it, where its value is stored, and its
 * line of --help.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cnitool/cnitool.h"

enum kind { FLAG, TEXT, LIST, SECONDS };

enum { SECONDS_MAX = 24 * 60 * 60 };

struct option_row {
	char letter; /* 0 = none */
	enum kind kind;
	unsigned verbs;
	size_t at; /* in struct options */
	const char *name, *value, *about;
};

#define AT(member) offsetof(struct options, member)

enum {
	ONE = V_ADD | V_DEL | V_CHECK | V_ATTACH | V_DETACH | V_TRACE, /* name one attachment */
	NAMES = ONE | V_SET | V_LIVE | V_INSPECT,
	MAKES = V_ADD | V_ATTACH | V_RUN | V_TRACE,                /* make attachments */
	CONFIGURED = V_ALL & ~(V_VERSION | V_UNINSTALL | V_FILES), /* know networks */
	CALLS = ONE | V_SET | V_LIVE | V_POOL | V_GC | V_STATUS | V_RUN |
		V_RESTORE, /* run plugins */
};

static const struct option_row rows[] = {
	{ 'i', TEXT, NAMES, AT(ifname), "ifname", "NAME",
	  "the interface in the container (else $CNI_IFNAME, else eth0; attach: the first "
	  "free ethN)" },
	{ 'p', LIST, MAKES, AT(publish), "publish", "[HOSTIP:]HOST[-END]:CONT[-END][/PROTO]",
	  "publish a port, or a range, of the container on the host; may be repeated" },
	{ 0, LIST, MAKES, AT(ips), "ip", "ADDRESS", "ask for this address; may be repeated" },
	{ 0, LIST, MAKES, AT(macs), "mac", "MAC", "ask for this hardware address" },
	{ 0, TEXT, ONE | V_RUN, AT(cap_args), "cap-args", "JSON",
	  "arguments of capabilities (else $CAP_ARGS)" },
	{ 0, TEXT, ONE | V_RUN, AT(args), "args", "K=V[;K=V]",
	  "arguments of plugins (else $CNI_ARGS)" },
	{ 0, TEXT, V_SET, AT(ingress), "ingress", "RATE",
	  "what the container gets: bits per second, with K, M, G or T for thousands; 0: no "
	  "limit" },
	{ 0, TEXT, V_SET, AT(egress), "egress", "RATE", "what the container sends" },
	{ 0, TEXT, NAMES, AT(id), "id", "ID",
	  "the container's id (else a hash of the namespace's path)" },
	{ 'n', TEXT, V_RUN, AT(id), "name", "NAME",
	  "the container's id, and its hostname (else cplug- and 8 random digits)" },
	{ 0, TEXT, V_RUN, AT(hostname), "hostname", "NAME", "the hostname (else --name)" },
	{ 0, TEXT, V_RUN, AT(rootfs), "rootfs", "DIR",
	  "the root directory (else the host's, in a private mount namespace)" },
	{ 'w', TEXT, V_RUN, AT(workdir), "workdir", "DIR", "the command's working directory" },
	{ 'e', LIST, V_RUN, AT(env), "env", "NAME[=VALUE]",
	  "set an environment variable, or unset it; may be repeated" },
	{ 'u', FLAG, V_RUN, AT(user), "user", NULL, "a user namespace: you are root in it" },
	{ 0, TEXT, V_POOL, AT(size), "size", "N", "create, resize: how many slots are kept free" },
	{ 0, FLAG, V_GC, AT(all), "all", NULL,
	  "remove every attachment that is remembered, as the reference does" },
	{ 0, FLAG, V_CHECK, AT(repair), "repair", NULL, "put right what differs" },
	{ 0, FLAG, V_MIGRATE, AT(check), "check", NULL, "only look, which is all there is to do" },
	{ 0, FLAG, V_GC | V_RESTORE, AT(dry_run), "dry-run", NULL, "only tell what would be done" },
	{ 0, FLAG, V_INSTALL, AT(force), "force", NULL,
	  "replace executables of another suite; uninstall gives them their names back" },
	{ 0, LIST, V_INSTALL, AT(confs), "conf", "FILE",
	  "also copy this configuration to the folder of networks; may be repeated" },
	{ 0, FLAG, V_INSTALL | V_UNINSTALL, AT(wait), "wait", NULL,
	  "then wait for SIGTERM, as the pod of a DaemonSet" },
	{ 0, TEXT, V_GRAPH, AT(format), "format", "FORMAT",
	  "text (a tree), dot, mermaid, or svg (needs graphviz)" },
	{ 0, TEXT, V_TRACE, AT(otlp), "otlp", "FILE",
	  "append the trace as OTLP/JSON (else $OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else "
	  "$OTEL_EXPORTER_OTLP_ENDPOINT, if it is file:///PATH)" },
	{ 0, FLAG, V_TRACE, AT(keep), "keep", NULL, "leave it attached" },
	{ 0, TEXT, CONFIGURED, AT(conf_dir), "net-conf-path", "DIR",
	  "where networks are configured (else $NETCONFPATH, else /etc/cni/net.d)" },
	{ 0, TEXT, CALLS, AT(cni_path), "cni-path", "DIR[:DIR]",
	  "where plugins are (else $CNI_PATH, else where cnitool is, /opt/cni/bin, "
	  "/usr/lib/cni)" },
	{ 0, SECONDS, CALLS, AT(timeout), "timeout", "SECONDS",
	  "how long each run of a plugin may take (else 30 for gc and restore, 300 for others)" },
	{ 0, TEXT, V_CACHE, AT(cache_dir), "cache-dir", "DIR",
	  "where results are remembered (else $CNI_CACHE_DIR, else /var/lib/cni or, where "
	  "that cannot be written, ${XDG_RUNTIME_DIR:-/tmp/cplug-UID}/cni)" },
	{ 0, FLAG, V_ALL, AT(json), "json", NULL, "answers and errors as JSON on stdout" },
	{ 'q', FLAG, V_ALL, AT(quiet), "quiet", NULL, "print no result" },
	{ 'h', FLAG, V_ALL, AT(help), "help", NULL, "this text" },
};

static int fail_usage(struct tool *t, const char *what, const char *name, size_t len)
{
	return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL, "%s: %s %.*s: try cnitool %s --help",
			  t->verb->name, what, (int)len, name, t->verb->name);
}

int tool_wrong_operand(struct tool *t, const char *text, const char *wrong)
{
	t->usage = true;
	return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL, "%s %s: %s", t->verb->name, text, wrong);
}

static const struct option_row *find_long(const struct tool *t, const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].verbs & t->verb->bit) && strlen(rows[i].name) == len &&
		    strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static const struct option_row *find_letter(const struct tool *t, char letter)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].verbs & t->verb->bit) && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

/* The row of a word like --name, --name=value or -x, of any verb; NULL if there is none. */
static const struct option_row *find_any(const char *word)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (str_starts(word, "--") && strlen(rows[i].name) == len &&
		    strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
		if (word[0] == '-' && word[1] && word[1] == rows[i].letter)
			return &rows[i];
	}
	return NULL;
}

bool options_known(const char *word)
{
	const struct option_row *o = find_any(word);

	return o && o->at != AT(help);
}

bool options_take_value(const char *word)
{
	const struct option_row *o = find_any(word);
	bool has_value = str_starts(word, "--") ? strchr(word, '=') != NULL : word[2] != '\0';

	return o && o->kind != FLAG && !has_value;
}

const char *options_value(const char *word)
{
	const struct option_row *o = find_any(word);

	return o && o->value ? o->value : "";
}

void options_complete(unsigned verb, const char *prefix)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].verbs & verb) &&
		    (!prefix[1] || (prefix[1] == '-' && str_starts(rows[i].name, prefix + 2))))
			printf("--%s\t%s\n", rows[i].name, rows[i].about);
}

static int store_seconds(struct tool *t, const struct option_row *o, const char *value)
{
	bool digits = !str_empty(value) && strspn(value, "0123456789") == strlen(value);
	unsigned long n = digits && strlen(value) < 10 ? strtoul(value, NULL, 10) : 0;

	if (!n || n > SECONDS_MAX)
		return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
				  "%s: --%s: expected seconds, from 1 to %d, got \"%s\"",
				  t->verb->name, o->name, SECONDS_MAX, value);
	t->opt.timeout = (unsigned)n;
	return 0;
}

static int store_value(struct tool *t, const struct option_row *o, const char *value)
{
	void *at = (char *)&t->opt + o->at;

	switch (o->kind) {
	case FLAG:
		*(bool *)at = true;
		return 0;
	case TEXT:
		*(const char **)at = value;
		return 0;
	case LIST:
		words_add(&t->tx->mem, at, value);
		return 0;
	case SECONDS:
		break;
	}
	return store_seconds(t, o, value);
}

/* argv[*i] is --name, --name=value or --name value. */
static int read_long(struct tool *t, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct option_row *o = find_long(t, name, len);

	if (!o)
		return fail_usage(t, "unknown option", argv[*i], len + 2);
	if (o->kind == FLAG && value)
		return fail_usage(t, "no value belongs to", argv[*i], len + 2);
	if (o->kind != FLAG && !value && !(value = argv[*i + 1]))
		return fail_usage(t, "a value is missing after", argv[*i], len + 2);
	*i += o->kind != FLAG && !name[len];
	return store_value(t, o, value);
}

/* argv[*i] is -x, -xvalue, -x value, or several flags. */
static int read_short(struct tool *t, char **argv, int *i)
{
	for (const char *s = argv[*i] + 1; *s; s++) {
		const struct option_row *o = find_letter(t, *s);
		const char *value;

		if (!o)
			return fail_usage(t, "unknown option", mem_printf(&t->tx->mem, "-%c", *s),
					  2);
		if (o->kind == FLAG) {
			TRY(store_value(t, o, NULL));
			continue;
		}
		if (!s[1] && !argv[*i + 1])
			return fail_usage(t, "a value is missing after", argv[*i],
					  strlen(argv[*i]));
		value = s[1] ? s + 1 : argv[++*i];
		return store_value(t, o, value);
	}
	return 0;
}

static int check_count(struct tool *t)
{
	const struct verb *v = t->verb;
	const char *operands = *v->operands ? v->operands : "no operands";

	if (t->opt.help)
		return 0;
	/* An empty path would be the present folder. */
	for (unsigned i = 0; i < t->args.n; i++)
		if (!*t->args.v[i])
			return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
					  "%s: operand %u is empty: expected %s", v->name, i + 1,
					  operands);
	if (t->args.n >= v->least && t->args.n <= v->most)
		return 0;
	return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL, "%s: expected %s%s: try cnitool %s --help",
			  v->name, operands, t->args.n < v->least ? "" : " and nothing more",
			  v->name);
}

int options_read(struct tool *t, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (str_eq(argv[i], "--")) {
			for (i++; !t->verb->takes_command && i < argc; i++)
				words_add(&t->tx->mem, &t->args, argv[i]);
			t->command = argv + i;
			break;
		}
		if (str_starts(argv[i], "--"))
			TRY(read_long(t, argv, &i));
		else if (argv[i][0] == '-' && argv[i][1])
			TRY(read_short(t, argv, &i));
		else if (t->verb->takes_command && t->args.n == t->verb->most) {
			t->command = argv + i;
			break;
		} else
			words_add(&t->tx->mem, &t->args, argv[i]);
	}
	return check_count(t);
}

/* ---- help ---- */

/* Prints text from the column on, wrapped at width; further lines are indented. */
static void print_wrapped(const char *text, int column, int indent, int width)
{
	for (int at = column; *text;) {
		int n = (int)strcspn(text, " ");

		if (at + n > width) {
			printf("\n%*s", indent, "");
			at = indent;
		}
		printf("%.*s", n, text);
		at += n + 1;
		text += n;
		if (*text == ' ' && *++text && at + (int)strcspn(text, " ") <= width)
			putchar(' ');
	}
	putchar('\n');
}

void options_help(unsigned verb)
{
	enum { INDENT = 10, WIDTH = 88 };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct option_row *o = &rows[i];

		if (!(o->verbs & verb))
			continue;
		if (o->letter)
			printf("  -%c, --%s", o->letter, o->name);
		else
			printf("  --%s", o->name);
		if (o->value)
			printf(" %s", o->value);
		printf("\n%*s", INDENT, "");
		print_wrapped(o->about, INDENT, INDENT, WIDTH);
	}
}
