/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc.h - the protocol between the plugin and the daemon
 *
 * It is the reference's: Go's net/rpc over HTTP on a unix socket (https://pkg.go.dev/net/rpc), so
 * either half may be the reference's.  The client sends "CONNECT /_goRPC_ HTTP/1.0", the server
 * answers with 200, and then both send gob streams: a header and a body for each call.  Methods:
 *
 *	DHCP.Allocate	struct rpc_args -> a result: acquires a lease, or gives the present one
 *	DHCP.Release	struct rpc_args -> nothing
 *
 * and of our daemon alone, where the reference's answers "can't find method":
 *
 *	DHCP.Check	struct rpc_args -> a result: the present lease
 *	DHCP.GC		struct rpc_args -> nothing: releases what is not a valid attachment
 *	DHCP.Status	struct rpc_args -> nothing
 *	DHCP.List	struct rpc_args -> a text: all leases as a JSON list
 */
#ifndef CPLUG_DHCP_RPC_H
#define CPLUG_DHCP_RPC_H

#include "ipam/dhcp/gob.h"
#include "value/result.h"

#define DHCP_START "start it: systemctl enable --now cni-dhcp.socket, or: dhcp daemon"
#define RPC_SOCKET "/run/cni/dhcp.sock"

enum {
	RPC_SIZE_MAX = 1 << 20, /* bytes of a request, and of an answer */
	RPC_LIST_MAX = 1 << 26, /* of the answer to DHCP.List: 65,536 leases of 1,024 bytes */
	RPC_HTTP_MAX = 1024,    /* bytes of the HTTP request, and of the answer */
};

#define RPC_HTTP_REQUEST "CONNECT /_goRPC_ HTTP/1.0\n\n"
#define RPC_HTTP_ANSWER "HTTP/1.0 200 Connected to Go RPC\n\n"

/* The reference's skel.CmdArgs.  Strings are never NULL. */
struct rpc_args {
	const char *id, *netns, *ifname, *args, *path;
	const char *conf; /* the configuration; size bytes, and a NUL */
	size_t size;
};

/* ---- the client ---- */

struct rpc_call {
	const char *socket;
	const char *method; /* "Allocate" */
	struct rpc_args args;
	int timeout_ms;
	size_t max; /* bytes of the answer; 0 = RPC_SIZE_MAX */
};

struct rpc_reply {
	struct gob_in in;
	struct gob_message body;
};

/*
 * Calls a method and waits for the answer, whose memory is in the arena.  Not recorded: -ENOENT
 * and -ECONNREFUSED if no daemon listens, -EOPNOTSUPP if the daemon does not know the method.
 * Fails with the daemon's own sentence and code; with CNI_E_AGAIN after timeout_ms; with
 * CPLUG_E_SIGNAL if a signal came.
 */
int rpc_call(struct tx *tx, const struct rpc_call *q, struct rpc_reply *ret) CHECKED;

/* The body as a result, or as the text of DHCP.List. */
int rpc_read_result(struct tx *tx, const struct rpc_reply *reply, struct result *ret) CHECKED;
int rpc_read_text(struct tx *tx, const struct rpc_reply *reply, const char **ret) CHECKED;

/* ---- the server ---- */

struct rpc_request {
	char method[32]; /* "DHCP.Allocate" */
	uint64_t seq;
};

/* Read the two messages of a call.  Return 0 or -EBADMSG. */
int rpc_read_request(const struct gob_in *in, const struct gob_message *m,
		     struct rpc_request *ret) CHECKED;
int rpc_read_args(struct mem *mem, const struct gob_in *in, const struct gob_message *m,
		  struct rpc_args *ret) CHECKED;

/* The answers; the stream defines its types once (*defined: those that it has). */
struct rpc_answer {
	const struct rpc_request *to;
	const char *error; /* NULL: none */
	int code;          /* of the error, for our plugin; the reference's ignores it */
	const struct result *result;
	const char *text;
};
void rpc_put_answer(struct gob_out *o, unsigned *defined, const struct rpc_answer *a);

#endif
