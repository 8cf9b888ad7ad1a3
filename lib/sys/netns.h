/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - open, compare and enter network namespaces
 *
 * setns(2) is called in netns.c alone.  netns_run() enters a namespace, calls one function
 * there, and returns to the namespace of the process, or aborts.  A netlink socket stays in
 * the namespace in which it was opened, so few functions need to run inside: those that open
 * a socket, a sysctl or /dev/net/tun.
 */
#ifndef CPLUG_NETNS_H
#define CPLUG_NETNS_H

#include <sys/types.h>

#include "base/tx.h"

struct netns {
	int fd; /* -1: none (deleted, or not given) */
	dev_t dev;
	ino_t ino;   /* dev and ino identify the namespace */
	uint64_t id; /* of netns_open(): that of its file handle; 0 = not known */
};

#define NETNS_NONE ((struct netns){ .fd = -1 })

/* FD_NSFS_ROOT (linux/fcntl.h): where open_by_handle_at(2) opens namespaces, since Linux 6.18. */
enum { NETNS_NSFS_ROOT = -10003 };

/* The file handle of a namespace: struct nsfs_file_handle, which is new in linux/nsfs.h. */
struct netns_handle {
	uint64_t id; /* of a network namespace: its cookie */
	uint32_t type, ino;
};
enum { NETNS_HANDLE = 0xf1 }; /* its type: FILEID_NSFS of linux/exportfs.h */

/*
 * Opens the network namespace at path, an nsfs file (namespaces(7)).  Returns 0; -ENOENT if
 * the path does not exist (not recorded: the caller decides); or a recorded failure
 * (CNI_E_NETNS): -EINVAL if it is anything else, or the errno of a system call.  Opens with O_PATH
 * and checks first, so a FIFO does not block.
 */
int netns_open(struct tx *tx, const char *path, struct netns *ret) CHECKED;

/* Opens the namespace of this process. */
int netns_open_self(struct tx *tx, struct netns *ret) CHECKED;

void netns_close(struct netns *ns);

/* Are both open, and the same namespace? */
bool netns_eq(const struct netns *a, const struct netns *b);

/*
 * The namespace's cookie, a number that is unique until the next boot (SO_NETNS_COOKIE, Linux
 * 5.14); 0 if the kernel has none.  An inode number is reused after the namespace is deleted.
 */
uint64_t netns_cookie(const struct netns *ns);

/* The same, of the namespace in which a socket was opened. */
uint64_t netns_cookie_of_socket(int fd);

/* What identifies a namespace in a document until the next boot, as text. */
struct netns_id {
	char inode[24], cookie[24]; /* cookie: "" if the kernel told none */
};
struct netns_id netns_identify(const struct netns *ns);

/*
 * Is ns the namespace that had these?  NULL: not known.  Inodes are compared if one of the cookies
 * is not known, or cannot be read now.
 */
bool netns_is(const struct netns *ns, const char *inode, const char *cookie);

/*
 * Calls fn(tx, arg) inside ns and returns its result; a failure to enter ns is recorded
 * (CNI_E_NETNS).  Aborts if the process cannot return to its own namespace, because even a
 * rollback would run in the wrong one.
 *
 * fn should not allocate from the arena: an exhausted arena leaves by longjmp (mem.h).  The
 * function that catches it calls netns_go_home().
 */
int netns_run(struct tx *tx, const struct netns *ns, int (*fn)(struct tx *tx, void *arg),
	      void *arg) CHECKED;

/* The same; returns -errno if it cannot enter ns, and records nothing. */
int netns_run_try(const struct netns *ns, int (*fn)(void *arg), void *arg) CHECKED;

/*
 * For a child that has closed the descriptors of its parent, or may have the same process number in
 * another PID namespace: the home namespace is looked up again when it is needed.
 */
void netns_forget_home(void);

/*
 * Returns to the namespace of the process if a longjmp left netns_run(); otherwise does
 * nothing.  For mem.exhausted, before anything is rolled back.
 */
void netns_go_home(void);

#endif
