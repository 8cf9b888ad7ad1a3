// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dbus.c - a method call over the system bus
 *
 * A connection begins with a line protocol (the kernel tells the bus our uid) and the call Hello;
 * then the call is sent, and messages are read until one answers it.  Others are signals to us,
 * such as NameAcquired.
 */
#include "sys/dbus.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "sys/file.h"

enum {
	PATIENCE = 25, /* seconds: that of libdbus */
	HEADER = 16,   /* of a message, up to the header fields */
	MESSAGE_MAX = 65536,
	MESSAGES_MAX = 64,
	LINE_MAX_BYTES = 512,
};

enum message_type { CALL = 1, RETURN = 2, ERROR = 3 };
enum field {
	PATH = 1,
	INTERFACE,
	MEMBER,
	ERROR_NAME,
	REPLY_SERIAL,
	DESTINATION,
	SENDER,
	SIGNATURE
};

static const char bus_path[] = "/run/dbus/system_bus_socket";

/* ---- writing ---- */

struct message {
	uint8_t b[2048];
	size_t len;
	bool full;
};

static void put_bytes(struct message *m, const void *data, size_t size)
{
	if (m->full || sizeof(m->b) - m->len < size) {
		m->full = true;
		return;
	}
	memcpy(m->b + m->len, data, size);
	m->len += size;
}

static void put_padding(struct message *m, size_t to)
{
	static const uint8_t zero[8];

	put_bytes(m, zero, (to - m->len % to) % to);
}

static void put_number(struct message *m, uint32_t v)
{
	put_padding(m, 4);
	put_bytes(m, &v, sizeof(v));
}

static void put_text(struct message *m, const char *s)
{
	put_number(m, (uint32_t)strlen(s));
	put_bytes(m, s, strlen(s) + 1);
}

/* A header field: its code, and a variant of a string, an object path or a signature. */
static void put_field(struct message *m, enum field field, char type, const char *value)
{
	const uint8_t head[] = { (uint8_t)field, 1, (uint8_t)type, 0 };
	uint8_t len = (uint8_t)strlen(value);

	put_padding(m, 8);
	put_bytes(m, head, sizeof(head));
	if (type != 'g') {
		put_text(m, value);
		return;
	}
	put_bytes(m, &len, 1);
	put_bytes(m, value, len + 1u);
}

static bool is_little_endian(void)
{
	const uint16_t one = 1;

	return *(const uint8_t *)&one;
}

static void put_fields(struct message *m, const struct dbus_call *call, const char *signature)
{
	put_field(m, PATH, 'o', call->path);
	put_field(m, INTERFACE, 's', call->interface);
	put_field(m, MEMBER, 's', call->member);
	put_field(m, DESTINATION, 's', call->destination);
	if (*signature)
		put_field(m, SIGNATURE, 'g', signature);
}

static void compose(struct message *m, const struct dbus_call *call, uint32_t serial)
{
	enum { BODY_LEN = 4, FIELDS_LEN = 12 };
	uint8_t head[] = { is_little_endian() ? 'l' : 'B', CALL, 0, 1 };
	char signature[DBUS_ARGS_MAX + 1] = "";
	uint32_t len;
	size_t body;

	for (unsigned i = 0; i < DBUS_ARGS_MAX && call->args[i]; i++)
		signature[i] = 's';
	*m = (struct message){ .len = 0 };
	put_bytes(m, head, sizeof(head));
	put_number(m, 0);
	put_number(m, serial);
	put_number(m, 0);
	put_fields(m, call, signature);
	len = (uint32_t)(m->len - HEADER);
	memcpy(m->b + FIELDS_LEN, &len, sizeof(len));
	put_padding(m, 8);
	body = m->len;
	for (unsigned i = 0; signature[i]; i++)
		put_text(m, call->args[i]);
	len = (uint32_t)(m->len - body);
	memcpy(m->b + BODY_LEN, &len, sizeof(len));
}

/* ---- reading ---- */

static int read_exactly(int fd, void *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = recv(fd, (char *)buf + done, size - done, 0);

		if (n < 0 && errno == EAGAIN)
			return -ETIMEDOUT;
		if (n < 0)
			return -errno;
		if (!n)
			return -ECONNRESET;
		done += (size_t)n;
	}
	return 0;
}

struct reader {
	const uint8_t *b;
	size_t at, len;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t align, size_t size)
{
	size_t at = (r->at + align - 1) / align * align;

	if (r->bad || at > r->len || r->len - at < size) {
		r->bad = true;
		return NULL;
	}
	r->at = at + size;
	return r->b + at;
}

static uint32_t take_number(struct reader *r)
{
	const uint8_t *p = take(r, 4, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

/* A string that ends in NUL; "" if it is invalid. */
static const char *take_text(struct reader *r, bool is_short)
{
	const uint8_t *p = is_short ? take(r, 1, 1) : NULL;
	size_t len;

	if (is_short)
		len = p ? *p : 0;
	else
		len = take_number(r);
	p = len < MESSAGE_MAX ? take(r, 1, len + 1) : NULL;
	if (!p || p[len]) {
		r->bad = true;
		return "";
	}
	return (const char *)p;
}

struct reply {
	enum message_type type;
	uint32_t to; /* serial of the call; 0 = none */
	const char *error, *signature;
	struct reader body;
};

static void read_field(struct reader *r, struct reply *ret)
{
	const uint8_t *code = take(r, 8, 1);
	const char *type = take_text(r, true);

	if (r->bad)
		return;
	if (str_eq(type, "u")) {
		uint32_t v = take_number(r);

		if (*code == REPLY_SERIAL)
			ret->to = v;
		return;
	}
	if (!str_eq(type, "s") && !str_eq(type, "o") && !str_eq(type, "g")) {
		r->bad = true;
		return;
	}
	type = take_text(r, *type == 'g');
	if (*code == ERROR_NAME)
		ret->error = type;
	if (*code == SIGNATURE)
		ret->signature = type;
}

/* Reads one message into the arena. */
static int read_message(struct mem *mem, int fd, struct reply *ret)
{
	uint32_t head[HEADER / 4];
	const uint8_t *first = (const uint8_t *)head;
	struct reader r = { .at = 0 };
	uint8_t *rest;
	size_t fields, size;

	TRY(read_exactly(fd, head, sizeof(head)));
	if (first[0] != (is_little_endian() ? 'l' : 'B') || head[1] > MESSAGE_MAX ||
	    head[3] > MESSAGE_MAX)
		return -EBADMSG;
	fields = (head[3] + 7u) / 8 * 8;
	size = fields + head[1];
	rest = mem_alloc(mem, size + 1);
	TRY(read_exactly(fd, rest, size));
	*ret = (struct reply){ .type = first[1], .error = "", .signature = "" };
	r = (struct reader){ .b = rest, .len = head[3] };
	while (!r.bad && r.at < r.len)
		read_field(&r, ret);
	ret->body = (struct reader){ .b = rest + fields, .len = head[1] };
	return r.bad ? -EBADMSG : 0;
}

/* ---- a call ---- */

static int send_all(int fd, const void *data, size_t size)
{
	ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EMSGSIZE;
}

static int call_once(struct mem *mem, int fd, const struct dbus_call *call, uint32_t serial,
		     struct dbus_answer *ret)
{
	struct message m;
	struct reply reply;

	compose(&m, call, serial);
	if (m.full)
		return -EMSGSIZE;
	TRY(send_all(fd, m.b, m.len));
	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		TRY(read_message(mem, fd, &reply));
		if (reply.to != serial || (reply.type != RETURN && reply.type != ERROR))
			continue;
		*ret = (struct dbus_answer){ .failed = reply.type == ERROR,
					     .error = reply.error,
					     .text = "" };
		if (*reply.signature == 's')
			ret->text = take_text(&reply.body, false);
		if (*reply.signature == 'b')
			ret->yes = take_number(&reply.body);
		return reply.body.bad ? -EBADMSG : 0;
	}
	return -EBADMSG;
}

static int read_line(int fd, char line[LINE_MAX_BYTES])
{
	for (unsigned i = 0; i + 1 < LINE_MAX_BYTES; i++) {
		TRY(read_exactly(fd, line + i, 1));
		line[i + 1] = '\0';
		if (line[i] == '\n')
			return 0;
	}
	return -EBADMSG;
}

/* The bus compares the uid, in hexadecimal digits of its decimal ones, with the kernel's. */
static int authenticate(int fd)
{
	char line[LINE_MAX_BYTES], uid[16], text[96] = "AUTH EXTERNAL ";
	size_t at = strlen(text);

	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	for (const char *c = uid; *c; c++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%02x", (unsigned char)*c);
	at += (size_t)snprintf(text + at, sizeof(text) - at, "\r\n");
	TRY(send_all(fd, "", 1));
	TRY(send_all(fd, text, at));
	TRY(read_line(fd, line));
	if (!str_starts(line, "OK "))
		return -EACCES;
	return send_all(fd, "BEGIN\r\n", 7);
}

static int connect_bus(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	memcpy(a.sun_path, bus_path, sizeof(bus_path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return authenticate(fd);
}

int dbus_call_try(struct mem *mem, const struct dbus_call *call, struct dbus_answer *ret)
{
	static const struct dbus_call hello = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "Hello",
	};
	auto_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	TRY(connect_bus(fd));
	TRY(call_once(mem, fd, &hello, 1, ret));
	if (ret->failed)
		return -EACCES;
	return call_once(mem, fd, call, 2, ret);
}
