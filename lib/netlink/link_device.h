/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_device.h - the link of a device: by its MAC, or by its folder in sysfs
 */
#ifndef CPLUG_LINK_DEVICE_H
#define CPLUG_LINK_DEVICE_H

#include "netlink/link.h"

/*
 * The first link with this MAC, in the kernel's order.  Returns 1 and fills *ret, 0 if there is
 * none, or a recorded failure.
 */
int link_find_mac(struct tx *tx, struct rt *rt, struct mac mac, struct link *ret) CHECKED;

/*
 * The first link, by name, of a device: that of DEVICE/net, or of DEVICE/virtioN/net.  device is
 * an absolute path below /sys/, like /sys/bus/pci/devices/0000:00:1f.6, without "..".  sysfs shows
 * the links of the namespace in which it was mounted; rt must be of the same.  Returns 1 and
 * fills *ret, 0 if there is no such device, or none of its links is in rt's namespace, or a
 * recorded failure (CPLUG_E_FILE; CNI_E_CONFIG for a path that is not allowed).
 */
int link_find_sysfs(struct tx *tx, struct rt *rt, const char *device, struct link *ret) CHECKED;

/* The driver that a device is bound to, by the device's folder in sysfs; NULL = none. */
const char *link_device_driver(struct mem *mem, const char *device);

#endif
