/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dbus.h - a method call over the system bus  (D-Bus specification 0.38)
 *
 * Only what firewalld needs: arguments that are strings, and a boolean, a string or nothing as the
 * answer.  A static program cannot load libsystemd by dlopen(), and libdbus is not made for
 * programs that exit at once; the protocol is two messages over a socket.
 */
#ifndef CPLUG_DBUS_H
#define CPLUG_DBUS_H

#include "base/mem.h"
#include "base/util.h"

enum { DBUS_ARGS_MAX = 3 };

struct dbus_call {
	const char *destination, *path, *interface, *member;
	const char *args[DBUS_ARGS_MAX]; /* strings; NULL ends them */
};

struct dbus_answer {
	bool failed;       /* an error: its name is in `error`, its text in `text` */
	const char *error; /* in the arena */
	const char *text;  /* the first argument, if it is a string; in the arena */
	bool yes;          /* the first argument, if it is a boolean */
};

/*
 * Connects to the system bus, calls and disconnects.  Returns 0 if there was an answer, also one
 * that is an error; -ENOENT or -ECONNREFUSED if there is no bus; -ETIMEDOUT if there is no
 * answer 25 seconds after the beginning, whatever else the bus delivers; -EBADMSG if the answer is
 * no D-Bus message; or another -errno.
 */
int dbus_call_try(struct mem *mem, const struct dbus_call *call, struct dbus_answer *ret) CHECKED;

#endif
