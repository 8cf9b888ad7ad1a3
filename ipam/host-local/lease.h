/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h - the files of a network's folder, as the reference host-local has them
 *
 *	10.9.0.2             <container id> CR LF <ifname>, mode 0600; older: only the id
 *	last_reserved_ip.0   the address given last from range set 0
 *	lock                 flock()ed by whoever changes anything
 *
 * A file under the name of an address is the lease, and nothing else is.  dir is a
 * descriptor of the folder throughout; symbolic links are not followed.
 */
#ifndef CPLUG_HOST_LOCAL_LEASE_H
#define CPLUG_HOST_LOCAL_LEASE_H

#include "value/ip.h"
#include "base/tx.h"

/* Who has, or wants, an address. */
struct lessee {
	const char *id;
	const char *ifname; /* NULL in an old lease: any interface of id */
};

struct lease {
	struct ip ip;
	struct lessee lessee;
};

/* "container c1 (eth0)", in the arena. */
const char *lessee_text(struct mem *mem, const struct lessee *o);

/*
 * What a lease file of size bytes says; text is NUL-terminated, changed, and borrowed.
 * White space around it does not count.  False if that is no lease.
 */
bool lease_parse(char *text, size_t size, struct lessee *ret);

/*
 * The lease of an address, in the arena: 0, -ENOENT if there is none, -EBADMSG if the file
 * is no lease (empty, or garbage), or another -errno.  Unrecorded.
 */
int lease_read(struct mem *mem, int dir, struct ip ip, struct lease *ret) CHECKED;

/*
 * Calls each() for every file whose name is an address, with the outcome of reading it
 * (r: 0, -EBADMSG, another -errno); the lease is valid during the call.  Returns the
 * first failure of each(), or a recorded one.
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

/* The address given last from a range set; no address if not known. */
struct ip lease_last(int dir, unsigned set);
/* Sets it, or removes it (no address): 0 or -errno. */
int lease_set_last(int dir, unsigned set, struct ip ip) CHECKED;

#endif
