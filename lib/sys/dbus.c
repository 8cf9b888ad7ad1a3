// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dbus.c - a method call over the system bus
 *
 * A connection begins with a line protocol (the kernel tells the bus our uid) and the call Hello;
 * then the call is sent, and messages are read until one answers it.
 *
 * Each user of the host may send signals to us, as many and as large as the bus allows, in either
 * byte order, and with header fields of any type.  So what is not the answer is skipped unread, and
 * only time limits the number of messages.  The bus forwards a return or an error only to the
 * sender of the call, and only from the receiver of the call.
 */
#include "sys/dbus.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum {
	PATIENCE_MS = 25000,   /* that of libdbus */
	HEADER = 16,           /* of a message, up to the header fields */
	MESSAGE_MAX = 1 << 27, /* of any message: D-Bus specification, "Message Format" */
	FIELDS_MAX = 8192,     /* of an answer: five names of up to 255 bytes, and room */
	BODY_MAX = 65536,      /* of an answer */
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

/* ---- the connection ---- */

struct bus {
	struct mem *mem;
	int fd;
	int64_t deadline; /* clock_ms() */
};

/* Waits until the socket is ready for POLLIN or POLLOUT. */
static int wait_ready(const struct bus *bus, short events)
{
	struct pollfd p = { .fd = bus->fd, .events = events };
	int64_t left = bus->deadline - clock_ms();
	int n;

	if (left <= 0)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)left);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int read_exactly(const struct bus *bus, void *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n;

		TRY(wait_ready(bus, POLLIN));
		n = recv(bus->fd, (char *)buf + done, size - done, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ECONNRESET;
		done += (size_t)n;
	}
	return 0;
}

static int skip(const struct bus *bus, size_t size)
{
	uint8_t piece[16384];

	while (size) {
		size_t n = size < sizeof(piece) ? size : sizeof(piece);

		TRY(read_exactly(bus, piece, n));
		size -= n;
	}
	return 0;
}

static int send_all(const struct bus *bus, const void *data, size_t size)
{
	ssize_t n;

	TRY(wait_ready(bus, POLLOUT));
	n = send(bus->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EMSGSIZE;
}

/* ---- reading ---- */

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
	p = len < BODY_MAX ? take(r, 1, len + 1) : NULL;
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

static uint32_t native(uint32_t v, bool swapped)
{
	if (swapped)
		return __builtin_bswap32(v);
	return v;
}

/*
 * Reads a message.  Returns 1 if it is the answer to a call; 0 if it is another, which is skipped.
 * fields has FIELDS_MAX bytes.
 */
static int read_message(const struct bus *bus, uint32_t serial, uint8_t *fields, struct reply *ret)
{
	uint32_t head[HEADER / 4];
	const uint8_t *first = (const uint8_t *)head;
	size_t body, len, padded;
	struct reader r;
	uint8_t *rest;
	bool swapped;

	TRY(read_exactly(bus, head, sizeof(head)));
	if (first[0] != 'l' && first[0] != 'B')
		return -EBADMSG;
	swapped = (first[0] == 'l') != is_little_endian();
	body = native(head[1], swapped);
	len = native(head[3], swapped);
	padded = (len + 7) / 8 * 8;
	if (body > MESSAGE_MAX || len > MESSAGE_MAX)
		return -EBADMSG;
	*ret = (struct reply){ .type = first[1], .error = "", .signature = "" };
	/* The bus does not change the byte order, and firewalld's is the host's. */
	if (swapped || len > FIELDS_MAX || (ret->type != RETURN && ret->type != ERROR))
		return skip(bus, padded + body);
	TRY(read_exactly(bus, fields, padded));
	r = (struct reader){ .b = fields, .len = len };
	while (!r.bad && r.at < r.len)
		read_field(&r, ret);
	if (ret->to != serial)
		return skip(bus, body);
	if (r.bad || body > BODY_MAX)
		return -EBADMSG;
	rest = mem_alloc(bus->mem, body + 1);
	TRY(read_exactly(bus, rest, body));
	ret->body = (struct reader){ .b = rest, .len = body };
	return 1;
}

/* ---- a call ---- */

static int call_once(const struct bus *bus, const struct dbus_call *call, uint32_t serial,
		     struct dbus_answer *ret)
{
	uint8_t *fields = mem_alloc(bus->mem, FIELDS_MAX);
	struct message m;
	struct reply reply;
	int answered;

	compose(&m, call, serial);
	if (m.full)
		return -EMSGSIZE;
	TRY(send_all(bus, m.b, m.len));
	do
		TRY(answered = read_message(bus, serial, fields, &reply));
	while (!answered);
	*ret = (struct dbus_answer){ .failed = reply.type == ERROR,
				     .error = reply.error,
				     .text = "" };
	if (*reply.signature == 's')
		ret->text = take_text(&reply.body, false);
	if (*reply.signature == 'b')
		ret->yes = take_number(&reply.body);
	return reply.body.bad ? -EBADMSG : 0;
}

static int read_line(const struct bus *bus, char line[LINE_MAX_BYTES])
{
	for (unsigned i = 0; i + 1 < LINE_MAX_BYTES; i++) {
		TRY(read_exactly(bus, line + i, 1));
		line[i + 1] = '\0';
		if (line[i] == '\n')
			return 0;
	}
	return -EBADMSG;
}

/* The bus compares the uid, in hexadecimal digits of its decimal ones, with the kernel's. */
static int authenticate(const struct bus *bus)
{
	char line[LINE_MAX_BYTES], uid[16], text[96] = "AUTH EXTERNAL ";
	size_t at = strlen(text);

	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	for (const char *c = uid; *c; c++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%02x", (unsigned char)*c);
	at += (size_t)snprintf(text + at, sizeof(text) - at, "\r\n");
	TRY(send_all(bus, "", 1));
	TRY(send_all(bus, text, at));
	TRY(read_line(bus, line));
	if (!str_starts(line, "OK "))
		return -EACCES;
	return send_all(bus, "BEGIN\r\n", 7);
}

static int connect_bus(const struct bus *bus)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (bus->fd < 0)
		return -errno;
	memcpy(a.sun_path, bus_path, sizeof(bus_path));
	/* connect() waits while the queue of the bus is full. */
	setsockopt(bus->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(bus->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return authenticate(bus);
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
	const struct bus bus = { mem, fd, clock_ms() + PATIENCE_MS };

	TRY(connect_bus(&bus));
	TRY(call_once(&bus, &hello, 1, ret));
	if (ret->failed)
		return -EACCES;
	return call_once(&bus, call, 2, ret);
}
