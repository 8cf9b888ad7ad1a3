/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h - the files of a network's folder, in the format of the reference host-local
 *
 *	10.9.0.2             <container id> CR LF <ifname>, mode 0600; older: only the id
 *	last_reserved_ip.0   the address that was allocated last from range set 0
 *	lock                 locked with flock(2) during a change
 *
 * A lease is a file whose name is an address.  dir is a descriptor of the folder; symbolic
 * links are not followed.
 */
#ifndef CPLUG_HOST_LOCAL_LEASE_H
#define CPLUG_HOST_LOCAL_LEASE_H

#include "value/ip.h"
#include "base/tx.h"

/* The attachment that has, or claims, an address. */
struct lessee {
	const char *id;
	const char *ifname; /* NULL in an old lease: all interfaces of id */
	bool odd;           /* read from a file with other line breaks than host-local writes */
};

struct lease {
	struct ip ip;
	struct lessee lessee;
};

/* "container c1 (eth0)", in the arena. */
const char *lessee_text(struct mem *mem, const struct lessee *o);

/*
 * Parses the content of a lease file: size bytes and a NUL.  Ignores white space around it.
 * Changes text, and *ret points into it.  Returns false if it is not a lease.
 */
bool lease_parse(char *text, size_t size, struct lessee *ret);

/*
 * Is it what a crash leaves of a lease: nothing, or its beginning and zeros (a file system that had
 * stored the size, but not the content)?  size bytes and a NUL; changes text.
 */
bool lease_is_torn(char *text, size_t size);

/*
 * Reads the lease of an address into the arena.  Returns 0, -ENOENT if there is none, -EBADMSG if
 * the file is torn, -EILSEQ if it is another program's (dataDir may be any folder), or another
 * -errno.
 */
int lease_read(struct mem *mem, int dir, struct ip ip, struct lease *ret) CHECKED;

/*
 * Calls each() for every file whose name is an address; r is the result of reading it (0,
 * -EBADMSG, or another -errno).  The lease is valid during the call.  Continues after a
 * failure and returns the first one, but ends when each() returns -E2BIG or we are interrupted
 * (-EINTR); failures to read the folder are recorded (CPLUG_E_FILE).
 */
typedef int lease_each_fn(struct tx *tx, const struct lease *l, int r, void *arg);
int lease_scan(struct tx *tx, int dir, lease_each_fn *each, void *arg) CHECKED;

/* The name of a new lease where the file system has no O_TMPFILE. */
struct lease_spare {
	int dir;
	const char *name;
	bool used; /* it exists, and is to be removed after file_link() */
};

/*
 * Makes a lease of o that has its content but no address yet, in the folder dir.  Returns a
 * descriptor for file_link(), or -errno.
 */
int lease_new(struct mem *mem, int dir, struct lease_spare *spare, struct lessee o) CHECKED;

/*
 * Gives such a lease its address.  Where the file system has no hard links, makes the file anew and
 * writes it, as the reference does: the caller holds the lock.  Returns 0, -EEXIST, or another
 * -errno.
 */
int lease_link(struct mem *mem, int dir, int fd, struct ip ip, struct lessee o) CHECKED;

/* The address that was allocated last from a range set; family 0 if unknown. */
struct ip lease_last(int dir, unsigned set);

/* The open file of it.  fd -1: there is none, or it cannot be written. */
struct lease_cursor {
	int fd;
	unsigned set;
	size_t size; /* of its content */
};

/* The same as lease_last(), and keeps the file open: fd_close(&ret->fd). */
struct ip lease_last_open(int dir, unsigned set, struct lease_cursor *ret);
/* The same as lease_set_last(), with the file if it is open and that of the set; ip is an address.
 */
int lease_last_write(int dir, unsigned set, struct lease_cursor *c, struct ip ip) CHECKED;
/* Stores it; family 0: removes the file.  Returns 0 or -errno. */
int lease_set_last(int dir, unsigned set, struct ip ip) CHECKED;

#endif
