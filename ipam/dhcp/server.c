// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * server.c - the daemon's socket: who may connect, and the calls
 *
 * Only root (or the daemon's own user) may call.  The number of connections, the size of a request
 * and the time until it is complete are bounded, so a client that goes wrong does not keep the
 * others out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/hold.h"
#include "sys/file.h"
#include "value/name.h"

enum { REQUEST_MS = 10000, FIRST_ROOM = 4096, LISTEN_FD = 3, BACKLOG = 128, WAITS = 20 };

struct client {
	struct source source;
	struct client *next;
	char *in; /* as received, from the beginning of the stream */
	size_t room, size;
	bool hailed; /* the HTTP request was answered */
	struct gob_in gob;
	bool has_request;
	struct rpc_request request;
	unsigned defined; /* types that our stream has */
	char *out;        /* NULL: nothing is left to be sent */
	size_t out_size, out_at;
	int64_t deadline; /* DHCP_NEVER: it waits for a lease */
	bool dead;        /* to be freed by the loop */
};

/* ---- sending ------------------------------------------------------------ */

static void close_client(struct daemon *d, struct client *c)
{
	daemon_unwatch(d, &c->source);
	c->dead = true;
}

static void flush(struct daemon *d, struct client *c)
{
	while (c->out && c->out_at < c->out_size) {
		ssize_t n = send(c->source.fd, c->out + c->out_at, c->out_size - c->out_at,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			close_client(d, c);
			return;
		}
		c->out_at += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
}

/* A client that does not read its answers gets no more. */
static void put(struct daemon *d, struct client *c, const void *data, size_t size)
{
	char *out;

	if (c->dead)
		return;
	c->deadline = daemon_at().now + REQUEST_MS;
	out = c->out ? NULL : malloc(size);
	if (!out) {
		close_client(d, c);
		return;
	}
	c->out = out;
	memcpy(c->out, data, size);
	c->out_size = size;
	c->out_at = 0;
	flush(d, c);
}

static void answer(struct daemon *d, struct client *c, struct rpc_answer a)
{
	struct gob_out out = { .mem = &d->tx.mem };

	a.to = &c->request;
	if (d->tx.err) {
		a.error = d->tx.msg;
		a.code = (int)d->tx.code;
	}
	rpc_put_answer(&out, &c->defined, &a);
	put(d, c, out.data, out.size);
}

void server_answer(struct daemon *d, struct client *c, const struct hold *l)
{
	struct rpc_answer a = { .code = 0 };
	struct result res;

	if (l) {
		hold_results(l, &d->tx.mem, &res);
		a.result = &res;
	}
	answer(d, c, a);
}

/* ---- calls -------------------------------------------------------------- */

struct request {
	struct client *client;
	struct rpc_args args;
	struct cj conf;
	const char *network;
	struct hold *lease; /* NULL: there is none */
};

static int read_request(struct daemon *d, struct request *q, bool needs_attachment)
{
	struct rpc_args *a = &q->args;

	TRY(cj_parse(&d->tx, a->conf, a->size, "network configuration", &q->conf));
	q->network = cj_str(&q->conf, "name", "");
	if (!needs_attachment)
		return 0;
	if (!name_valid_id(q->network) || !name_valid_id(a->id) || name_invalid_ifname(a->ifname) ||
	    strlen(q->network) + strlen(a->id) > 200)
		return tx_fail_as(&d->tx, CNI_E_ENV, -EINVAL,
				  "network, container and interface: invalid, or longer than 200 "
				  "characters");
	q->lease = hold_find(d, q->network, a->id, a->ifname);
	return 0;
}

/* All leases that the configuration wants, and no others. */
static bool is_the_same(const struct hold *l, const struct dhcp_ipam *cf)
{
	return hold_is_complete(l) && l->four == cf->v4 && (l->six != NULL) == cf->v6;
}

/* Returns 1 if the answer comes later. */
static int allocate(struct daemon *d, struct request *q)
{
	struct dhcp_ipam cf;

	TRY(read_request(d, q, true));
	TRY(dhcp_ipam_read(&d->tx, &q->conf, q->args.args, &cf));
	cf.parent = dhcp_ipam_parent(&q->conf);
	if (q->args.netns[0] != '/')
		return tx_fail_as(&d->tx, CNI_E_NETNS, -EINVAL,
				  "CNI_NETNS: expected an absolute path");
	if (q->lease && q->lease->asker)
		return tx_fail_as(&d->tx, CNI_E_AGAIN, -EBUSY,
				  "another ADD of %s is waiting for the lease", q->args.ifname);
	if (q->lease && is_the_same(q->lease, &cf) && hold_is_in(d, q->lease, q->args.netns) &&
	    hold_fits(d, q->lease)) {
		server_answer(d, q->client, q->lease);
		if (q->lease->six)
			hold6_answered(d, q->lease);
		return 1;
	}
	/* Of a container or interface that was made anew without a DEL, or that lost its lease. */
	if (q->lease)
		hold_release(d, q->lease);
	q->client->deadline = DHCP_NEVER;
	TRY(hold_begin(d, &q->args, q->network, &cf, q->client));
	return 1;
}

static int release(struct daemon *d, struct request *q)
{
	TRY(read_request(d, q, true));
	if (!q->lease)
		return 0;
	if (q->lease->asker) {
		tx_fail_as(&d->tx, CNI_E_AGAIN, -ECANCELED, "released before there was a lease");
		server_answer(d, q->lease->asker, NULL);
		q->lease->asker = NULL;
		d->tx.err = 0;
	}
	/* Closing a packet socket takes the kernel some milliseconds: DEL does not wait for it. */
	if (hold_give_back(d, q->lease)) {
		q->lease->leaver = q->client;
		q->client->deadline = DHCP_NEVER;
		return 1;
	}
	answer(d, q->client, (struct rpc_answer){ .code = 0 });
	hold_free(d, q->lease);
	return 1;
}

static int check(struct daemon *d, struct request *q)
{
	struct result res;

	TRY(read_request(d, q, true));
	result_init(&res, &d->tx.mem);
	if (q->lease && (!*q->args.netns || hold_is_in(d, q->lease, q->args.netns)))
		hold_results(q->lease, &d->tx.mem, &res);
	answer(d, q->client, (struct rpc_answer){ .result = &res });
	return 1;
}

static bool is_valid(const struct cj *list, unsigned n, const struct hold *l)
{
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(list, i);

		if (str_eq(cj_str(&e, "containerID", ""), l->id) &&
		    str_eq(cj_str(&e, "ifname", ""), l->ifname))
			return true;
	}
	return false;
}

static int collect(struct daemon *d, struct request *q)
{
	struct cj list;
	unsigned n;

	TRY(read_request(d, q, false));
	if (!cj_has(&q->conf, "cni.dev/valid-attachments"))
		return 0;
	list = cj_list(&q->conf, "cni.dev/valid-attachments");
	n = cj_len_max(&list, DAEMON_LEASES_MAX);
	TRY(cj_ok(&d->tx, &q->conf));
	for (struct hold *l = d->leases, *next; l; l = next) {
		next = l->next;
		if (!l->asker && !l->leaving && str_eq(l->network, q->network) &&
		    !is_valid(&list, n, l))
			hold_release(d, l);
	}
	return 0;
}

static int status(struct daemon *d UNUSED, struct request *q UNUSED)
{
	return 0;
}

static int list(struct daemon *d, struct request *q)
{
	answer(d, q->client, (struct rpc_answer){ .text = record_list(d) });
	return 1;
}

static void call(struct daemon *d, struct client *c, const struct gob_message *body)
{
	static const struct {
		const char *name;
		int (*run)(struct daemon *d, struct request *q);
	} methods[] = {
		{ "DHCP.Allocate", allocate }, { "DHCP.Release", release }, { "DHCP.Check", check },
		{ "DHCP.GC", collect },        { "DHCP.Status", status },   { "DHCP.List", list },
	};
	struct request q = { .client = c };
	int r = rpc_read_args(&d->tx.mem, &c->gob, body, &q.args);

	if (r < 0) {
		close_client(d, c);
		return;
	}
	r = tx_fail_as(&d->tx, CNI_E_FIELD, -EOPNOTSUPP, "rpc: can't find method %s",
		       c->request.method);
	for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(methods[i].name, c->request.method)) {
			d->tx.err = 0;
			r = methods[i].run(d, &q);
		}
	if (r <= 0)
		answer(d, c, (struct rpc_answer){ .code = 0 });
}

/* ---- receiving ---------------------------------------------------------- */

/* HTTP, once: the client sends nothing more before it has the answer. */
static void hail(struct daemon *d, struct client *c)
{
	static const char want[] = "CONNECT /_goRPC_ HTTP/1.";

	if (!memmem(c->in, c->size, "\n\n", 2) && !memmem(c->in, c->size, "\n\r\n", 3)) {
		if (c->size >= RPC_HTTP_MAX)
			close_client(d, c);
		return;
	}
	if (c->size < strlen(want) || memcmp(c->in, want, strlen(want)) != 0) {
		close_client(d, c);
		return;
	}
	c->hailed = true;
	c->size = 0;
	put(d, c, RPC_HTTP_ANSWER, strlen(RPC_HTTP_ANSWER));
}

/* One call at a time: the next is read when this one is answered. */
static void take_messages(struct daemon *d, struct client *c)
{
	struct gob_message m;
	int r;

	c->gob.data = (const uint8_t *)c->in;
	c->gob.size = c->size;
	while (!c->dead && c->deadline != DHCP_NEVER && (r = gob_next(&c->gob, &m)) != 0) {
		if (r > 0 && !c->has_request)
			r = rpc_read_request(&c->gob, &m, &c->request);
		else if (r > 0)
			call(d, c, &m);
		c->has_request = !c->has_request;
		if (r < 0)
			close_client(d, c);
	}
}

static bool make_room(struct client *c)
{
	size_t room = c->room ? c->room * 2 : FIRST_ROOM;
	char *more;

	if (c->size < c->room)
		return true;
	more = room <= RPC_SIZE_MAX ? realloc(c->in, room) : NULL;
	if (!more)
		return false;
	c->in = more;
	c->room = room;
	return true;
}

/* The client that waited for a lease is gone: no DEL would release it. */
static void abandon(struct daemon *d, struct client *c)
{
	for (struct hold *l = d->leases, *next; l; l = next) {
		next = l->next;
		if (l->leaver == c)
			l->leaver = NULL;
		if (l->asker == c) {
			l->asker = NULL;
			hold_release(d, l);
		}
	}
	close_client(d, c);
}

/* Reads what has come.  Returns false if there is no more. */
static bool read_more(struct daemon *d, struct client *c)
{
	ssize_t n;

	if (!make_room(c)) {
		abandon(d, c);
		return false;
	}
	n = recv(c->source.fd, c->in + c->size, c->room - c->size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		abandon(d, c);
		return false;
	}
	c->size += (size_t)n;
	if (c->hailed)
		take_messages(d, c);
	else
		hail(d, c);
	return !c->dead;
}

static void client_ready(struct daemon *d, struct source *s, unsigned events)
{
	struct client *c = (struct client *)s;

	if (events & EPOLLOUT)
		flush(d, c);
	while (!c->dead && read_more(d, c))
		;
}

/* ---- connections -------------------------------------------------------- */

static bool is_allowed(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* Not of the listening socket, because a child that outlives the daemon would keep that open. */
static int spare_descriptor(const struct daemon *d)
{
	return fcntl(d->timer, F_DUPFD_CLOEXEC, 0);
}

/* Accepts a connection.  Without a free descriptor it is refused, or its event would never end. */
static int accept_one(struct daemon *d, const struct source *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
		return fd;
	fd_close(&d->spare);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&fd);
	d->spare = spare_descriptor(d);
	return -1;
}

static void accept_client(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	int fd = accept_one(d, s);
	struct client *c;

	if (fd < 0)
		return;
	c = d->n_clients < DAEMON_CLIENTS_MAX && is_allowed(fd) ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->source = (struct source){ .fd = fd, .ready = client_ready };
	c->deadline = daemon_at().now + REQUEST_MS;
	if (daemon_watch(d, &c->source, EPOLLIN | EPOLLOUT | EPOLLET) < 0) {
		free(c);
		return;
	}
	c->next = d->clients;
	d->clients = c;
	d->n_clients++;
}

int64_t server_timer(struct daemon *d, int64_t now)
{
	int64_t wake = DHCP_NEVER;

	for (struct client **at = &d->clients; *at;) {
		struct client *c = *at;

		if (!c->dead && c->deadline <= now)
			close_client(d, c);
		if (!c->dead) {
			wake = c->deadline < wake ? c->deadline : wake;
			at = &c->next;
			continue;
		}
		*at = c->next;
		d->n_clients--;
		free(c->in);
		free(c->out);
		free(c);
	}
	return wake;
}

/* ---- the socket --------------------------------------------------------- */

/* sd_listen_fds(3): one socket, at descriptor 3.  Returns 1, 0 (none), or a failure. */
static int take_from_systemd(struct daemon *d)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!n || (pid && atoi(pid) != (int)getpid()))
		return 0;
	if (atoi(n) != 1)
		return tx_fail(&d->tx, -EINVAL,
			       "LISTEN_FDS: expected one socket, got %.20s (see cni-dhcp.socket)",
			       n);
	d->listener.fd = LISTEN_FD;
	fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC);
	fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK);
	return 1;
}

/* Returns 0, or the reason why there is no connection. */
static int try_connect(const struct sockaddr_un *a)
{
	auto_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return 0;
	return -errno;
}

/*
 * Removes the file of a daemon that is dead; one that lives keeps it.  A child of apply.c may have
 * the socket of a daemon that was just killed: waits for its end.
 */
static int make_way(struct daemon *d, const struct sockaddr_un *a)
{
	const struct timespec moment = { .tv_nsec = 1000000000 / WAITS };
	int r = try_connect(a);

	for (unsigned i = 0; i < WAITS && (r == 0 || r == -EAGAIN); i++) {
		nanosleep(&moment, NULL);
		r = try_connect(a);
	}
	if (r == 0 || r == -EAGAIN)
		return tx_fail(&d->tx, -EADDRINUSE, "%s: another daemon listens there",
			       a->sun_path);
	if (r != -ECONNREFUSED)
		return 0;
	if (file_move_folder(AT_FDCWD, a->sun_path) == 0)
		return 0;
	return file_remove(&d->tx, AT_FDCWD, a->sun_path);
}

static int listen_at(struct daemon *d, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	mode_t mask;
	int r;

	if (!slash || strlen(path) >= sizeof(a.sun_path))
		return tx_fail(&d->tx, -EINVAL, "-socketpath: %.200s: not absolute, or too long",
			       path);
	memcpy(a.sun_path, path, strlen(path));
	TRY(file_mkdirs(&d->tx, mem_printf(&d->tx.mem, "%.*s", (int)(slash - path), path), 0700));
	TRY(make_way(d, &a));
	d->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	r = bind(d->listener.fd, (const struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (r < 0 || listen(d->listener.fd, BACKLOG) < 0)
		return tx_fail(&d->tx, -errno, "listen on %s: %s", path, strerror(errno));
	return 0;
}

int server_open(struct daemon *d)
{
	int r;

	d->listener = (struct source){ .fd = -1, .ready = accept_client };
	TRY(r = take_from_systemd(d));
	d->passed = r > 0;
	if (!d->passed)
		TRY(listen_at(d, d->opt.socket));
	if (daemon_watch(d, &d->listener, EPOLLIN) < 0)
		return tx_fail(&d->tx, -ENOMEM, "epoll: %s", strerror(errno));
	d->spare = spare_descriptor(d);
	return 0;
}

void server_close(struct daemon *d)
{
	if (!d->passed)
		unlink(d->opt.socket);
}
