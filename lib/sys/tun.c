// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tun.c - persistent tap and tun devices
 *
 * The device belongs to the namespace in which /dev/net/tun was opened.  TUNSETIFF attaches to
 * a device that exists, so IFF_TUN_EXCL asks for a new one.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "sys/tun.h"
#include "value/name.h"

static const char device[] = "/dev/net/tun";

struct job {
	char name[IFNAMSIZ];
	struct netns ns; /* fd -1: here */
	short flags;     /* IFF_* of linux/if_tun.h, without IFF_TUN_EXCL */
	int64_t owner, group;
	int fd; /* of the device that add_here() made */
};

static const char *where(const struct job *j)
{
	return j->ns.fd < 0 ? "host" : "container";
}

static int fail_to_add(struct tx *tx, const struct job *j, const char *what, int err)
{
	const char *reserved = name_reserved_ifname(j->name);

	if (err == -EINVAL && reserved)
		return tx_fail(tx, err, "%s: add %s: %s", where(j), j->name, reserved);
	return tx_fail(tx, err, "%s: add %s: %s: %s", where(j), j->name, what, strerror(-err));
}

static int open_device(struct tx *tx, const struct job *j, int *ret_fd)
{
	int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return tx_fail(tx, -errno,
			       "%s: add %s: open %s: %s (load the module tun, and make the device: "
			       "mknod %s c 10 200)",
			       where(j), j->name, device, strerror(errno), device);
	return tx_fail(tx, -errno, "%s: add %s: open %s: %s", where(j), j->name, device,
		       strerror(errno));
}

static int attach(int fd, const struct job *j, int more_flags)
{
	struct ifreq q = { .ifr_flags = (short)(j->flags | more_flags) };

	memcpy(q.ifr_name, j->name, sizeof(q.ifr_name));
	if (ioctl(fd, TUNSETIFF, &q) < 0)
		return -errno;
	return 0;
}

/* The device goes with the descriptor. */
static int add_here(struct tx *tx, void *arg)
{
	struct job *j = arg;
	auto_(fd_close) int fd = -1;
	int r;

	TRY(open_device(tx, j, &fd));
	r = attach(fd, j, IFF_TUN_EXCL);
	if (r == -EBUSY)
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "%s: add %s: an interface of that name exists already", where(j),
				  j->name);
	if (r < 0)
		return fail_to_add(tx, j, "TUNSETIFF", r);
	if (j->owner >= 0 && ioctl(fd, TUNSETOWNER, (unsigned long)j->owner) < 0)
		return fail_to_add(tx, j, "set the owner", -errno);
	if (j->group >= 0 && ioctl(fd, TUNSETGROUP, (unsigned long)j->group) < 0)
		return fail_to_add(tx, j, "set the group", -errno);
	j->fd = fd;
	fd = -1;
	return 0;
}

/*
 * If the device is gone, TUNSETIFF makes another, which goes with the descriptor; if another
 * kind of link has the name, it fails.
 */
static int del_here(struct tx *tx, void *arg)
{
	struct job *j = arg;
	auto_(fd_close) int fd = -1;
	int r;

	TRY(open_device(tx, j, &fd));
	r = attach(fd, j, 0);
	if (r == -EINVAL)
		return 0;
	if (r == 0 && ioctl(fd, TUNSETPERSIST, 0UL) < 0)
		r = -errno;
	if (r < 0)
		return tx_fail(tx, r, "%s: delete %s: %s", where(j), j->name, strerror(-r));
	return 0;
}

static int run_in_ns(struct tx *tx, struct job *j, int (*fn)(struct tx *tx, void *arg))
{
	if (j->ns.fd < 0)
		return fn(tx, j);
	return netns_run(tx, &j->ns, fn, j);
}

static int undo_add(struct tx *tx, void *arg)
{
	return run_in_ns(tx, arg, del_here);
}

static struct job job_of(const struct netns *ns, const struct tun_new *t)
{
	struct job j = { .ns = NETNS_NONE, .owner = t->owner, .group = t->group, .fd = -1 };
	int flags = t->layer3 ? IFF_TUN : IFF_TAP;

	snprintf(j.name, sizeof(j.name), "%s", t->name);
	if (ns)
		j.ns = *ns;
	if (t->multi_queue)
		flags |= IFF_MULTI_QUEUE;
	if (t->vnet_hdr)
		flags |= IFF_VNET_HDR;
	if (!t->packet_info)
		flags |= IFF_NO_PI;
	j.flags = (short)flags;
	return j;
}

int tun_open(struct tx *tx, const struct netns *ns, const struct tun_new *t, int *ret_fd)
{
	struct job j = job_of(ns, t);

	TRY(tx_interrupted(tx));
	if (strlen(t->name) >= IFNAMSIZ || !*t->name || strchr(t->name, '%'))
		return tx_fail(tx, -EINVAL, "add %s: not a name for an interface", t->name);
	TRY(run_in_ns(tx, &j, add_here));
	*ret_fd = j.fd;
	return 0;
}

int tun_keep(struct tx *tx, const struct netns *ns, const struct tun_new *t, int fd)
{
	struct job j = job_of(ns, t);

	if (ioctl(fd, TUNSETPERSIST, 1UL) < 0)
		return fail_to_add(tx, &j, "make it persistent", -errno);
	log_step("%s: add %s %s", where(&j), t->layer3 ? "tun" : "tap", j.name);
	return tx_undo(tx, undo_add, "add tap or tun device", &j);
}

int tun_add(struct tx *tx, const struct netns *ns, const struct tun_new *t)
{
	auto_(fd_close) int fd = -1;

	TRY(tun_open(tx, ns, t, &fd));
	return tun_keep(tx, ns, t, fd);
}
