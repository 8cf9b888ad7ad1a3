// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rpc_call.c - a call of the daemon
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "ipam/dhcp/rpc.h"
#include "ipam/dhcp/rpc_impl.h"

enum { RPC_FIRST_ROOM = 4096 };

struct conn {
	const struct rpc_call *q;
	int fd;
	int64_t deadline;
	char *in;
	size_t size, room; /* bytes of in: those that came, and all */
};

static int fail(struct tx *tx, const struct conn *c, int r)
{
	const char *remedy = "";

	if (r == -EACCES)
		remedy = " (only root and the daemon's own user may call it)";
	return tx_fail_as(tx, CPLUG_E_DELEGATE, r, "DHCP daemon at %s: DHCP.%s: %s%s", c->q->socket,
			  c->q->method, strerror(-r), remedy);
}

/* Waits until the socket can be read or written. */
static int wait_for(struct tx *tx, const struct conn *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left = c->deadline - clock_ms();
	int r;

	TRY(tx_interrupted(tx));
	r = left > 0 ? poll(&p, 1, (int)left) : 0;
	if (r < 0 && errno != EINTR)
		return fail(tx, c, -errno);
	if (r < 0)
		return tx_interrupted(tx);
	if (!r)
		return tx_fail_as(tx, CNI_E_AGAIN, -ETIMEDOUT,
				  "DHCP daemon at %s: no answer to DHCP.%s within %d seconds",
				  c->q->socket, c->q->method, c->q->timeout_ms / 1000);
	return 0;
}

static int send_all(struct tx *tx, const struct conn *c, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(c->fd, (const char *)data + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(tx, c, -errno);
		if (n < 0)
			TRY(wait_for(tx, c, POLLOUT));
		else
			done += (size_t)n;
	}
	return 0;
}

/* Makes room for more, up to max bytes. */
static int make_room(struct tx *tx, struct conn *c, size_t max)
{
	size_t room = c->room ? 4 * c->room : RPC_FIRST_ROOM;
	char *more;

	if (c->size < c->room && c->size < max)
		return 0;
	if (c->size >= max)
		return fail(tx, c, -EMSGSIZE);
	if (room > max)
		room = max;
	more = mem_alloc(&tx->mem, room);
	if (c->size)
		memcpy(more, c->in, c->size);
	c->in = more;
	c->room = room;
	return 0;
}

/* Reads what has come; at least one byte.  At most max bytes are kept altogether. */
static int receive(struct tx *tx, struct conn *c, size_t max)
{
	ssize_t n;

	TRY(make_room(tx, c, max));
	for (;;) {
		size_t room = c->room < max ? c->room : max;

		n = recv(c->fd, c->in + c->size, room - c->size, 0);
		if (n > 0)
			break;
		if (n == 0)
			return fail(tx, c, -ECONNRESET);
		if (errno != EAGAIN && errno != EINTR)
			return fail(tx, c, -errno);
		TRY(wait_for(tx, c, POLLIN));
	}
	c->size += (size_t)n;
	return 0;
}

/* The server sends nothing after its answer until it was asked, so no byte of the stream is here.
 */
static int shake_hands(struct tx *tx, struct conn *c)
{
	static const char ok[] = "HTTP/1.0 200 Connected to Go RPC";

	TRY(send_all(tx, c, RPC_HTTP_REQUEST, strlen(RPC_HTTP_REQUEST)));
	do
		TRY(receive(tx, c, RPC_HTTP_MAX));
	while (!memmem(c->in, c->size, "\n\n", 2) && !memmem(c->in, c->size, "\n\r\n", 3));
	if (c->size < strlen(ok) || memcmp(c->in, ok, strlen(ok)) != 0)
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EPROTO,
				  "%s is not the socket of a DHCP daemon", c->q->socket);
	c->size = 0;
	return 0;
}

static int open_socket(struct tx *tx, struct conn *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(c->q->socket) >= sizeof(a.sun_path))
		return tx_fail_as(tx, CNI_E_CONFIG, -ENAMETOOLONG,
				  "ipam.daemonSocketPath: %s is longer than %zu bytes",
				  c->q->socket, sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, c->q->socket, strlen(c->q->socket));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return fail(tx, c, -errno);
	while (connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return -errno;
		if (errno == ENOTDIR || errno == ELOOP || errno == EPROTOTYPE)
			return -ENOENT; /* a daemon cannot listen there */
		/* The queue of connections is full (unix(7)): POLLOUT does not tell when it is not.
		 */
		if (errno != EAGAIN)
			return fail(tx, c, -errno);
		if (clock_ms() >= c->deadline)
			return wait_for(tx, c, POLLIN);
		TRY(tx_interrupted(tx));
		poll(NULL, 0, 20);
	}
	return 0;
}

struct answer {
	char error[512];
	int64_t code;
};

static int visit_answer(void *arg, const struct gob_value *v)
{
	struct answer *a = arg;

	if (v->type == GOB_STRING && str_eq(v->path, "Error"))
		snprintf(a->error, sizeof(a->error), "%.*s", (int)v->size, (const char *)v->data);
	if (v->type == GOB_INT && str_eq(v->path, "Code"))
		a->code = (int64_t)v->number;
	return 0;
}

static int judge(struct tx *tx, const struct rpc_call *q, const struct answer *a)
{
	enum cni_code code = CPLUG_E_DELEGATE;

	if (!a->error[0])
		return 0;
	if (str_starts(a->error, "rpc: can't find "))
		return -EOPNOTSUPP;
	if (a->code > 0 && a->code < 1000)
		code = (enum cni_code)a->code;
	/* The reference's daemon sends no code, and no sentence that stands alone. */
	if (a->code)
		return tx_fail_as(tx, code, -EREMOTEIO, "%s", a->error);
	return tx_fail_as(tx, code, -EREMOTEIO, "error calling DHCP.%s: %s", q->method, a->error);
}

/* Receives up to the next value. */
static int next_value(struct tx *tx, struct conn *c, struct gob_in *in, struct gob_message *ret)
{
	size_t max = c->q->max ? c->q->max : RPC_SIZE_MAX;
	int r;

	while ((r = gob_next(in, ret)) == 0) {
		TRY(receive(tx, c, max));
		in->data = (const uint8_t *)c->in;
		in->size = c->size;
	}
	if (r < 0)
		return fail(tx, c, r);
	return 0;
}

static int converse(struct tx *tx, struct conn *c, struct rpc_reply *ret)
{
	struct gob_out out = { .mem = &tx->mem };
	struct answer a = { .code = 0 };
	struct gob_message header;

	TRY(open_socket(tx, c));
	TRY(shake_hands(tx, c));
	rpc_put_call(&out, mem_printf(&tx->mem, "DHCP.%s", c->q->method), &c->q->args);
	TRY(send_all(tx, c, out.data, out.size));
	*ret = (struct rpc_reply){ .in.size = 0 };
	TRY(next_value(tx, c, &ret->in, &header));
	if (gob_walk(&ret->in, &header, visit_answer, &a) < 0)
		return fail(tx, c, -EBADMSG);
	TRY(next_value(tx, c, &ret->in, &ret->body));
	return judge(tx, c->q, &a);
}

int rpc_call(struct tx *tx, const struct rpc_call *q, struct rpc_reply *ret)
{
	struct conn c = { .q = q, .fd = -1, .deadline = clock_ms() + q->timeout_ms };
	int r = converse(tx, &c, ret);

	fd_close(&c.fd);
	log_step("DHCP.%s at %s: %s", q->method, q->socket, r < 0 ? strerror(-r) : "ok");
	return r;
}
