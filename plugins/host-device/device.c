// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - the device that a configuration of host-device selects
 *
 * The author of a configuration chooses names below two folders of sysfs, and no path that leads
 * elsewhere.
 */
#include "cni/conf.h"
#include "cni/ipam.h"
#include "netlink/link_device.h"
#include "plugins/host-device/host_device.h"

#define PCI_DEVICES "/sys/bus/pci/devices/"
#define AUXILIARY_DEVICES "/sys/bus/auxiliary/devices/"

/* ---- configuration ------------------------------------------------------ */

/* The name of a device on a bus: "0000:00:1f.6", "mlx5_core.sf.2". */
static bool is_bus_name(const char *s)
{
	static const char chars[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ:._-";

	return *s != '.' && strlen(s) < 128 && s[strspn(s, chars)] == '\0';
}

/* NULL if the key is absent or empty. */
static const char *read_bus_name(const struct cj *j, const char *key)
{
	const char *name = cj_str(j, key, "");

	if (*name && !is_bus_name(name))
		cj_wrong(j, key, "expected the name of a device, like 0000:00:1f.6, got \"%.60s\"",
			 name);
	return *name ? name : NULL;
}

static const char *read_kernelpath(const struct cj *j)
{
	const char *path = cj_str(j, "kernelpath", "");
	size_t len = strlen(path);

	if (!len)
		return NULL;
	if (!str_starts(path, "/sys/devices/") || strstr(path, "/../") ||
	    str_eq(path + len - 3, "/.."))
		cj_wrong(j, "kernelpath",
			 "kernel device path \"%.100s\" must be absolute and begin with "
			 "/sys/devices, without \"..\"",
			 path);
	return path;
}

int hostdev_read(struct tx *tx, struct call *c, struct hostdev_conf *ret)
{
	const struct cj *j = &c->conf;
	struct cj runtime = cj_obj(j, "runtimeConfig");
	const char *path = read_kernelpath(j), *pci = read_bus_name(j, "pciBusID");
	const char *id = read_bus_name(&runtime, "deviceID");
	const char *by, *value = NULL;
	struct mem *mem = &tx->mem;
	struct hostdev_conf d = {
		.device = conf_ifname(j, "device"),
		.hwaddr = cj_mac(j, "hwaddr"),
		.dpdk = cj_bool(j, "DPDKMode", false),
		.keep = cj_bool(j, "keepAddresses", false),
		.dad = cj_bool(j, "dad", false),
		.mtu = conf_mtu(j, 0),
		.dns = conf_dns(mem, j),
		.resolv_conf = conf_resolv(tx, j),
	};

	if (d.mtu == MTU_AUTO)
		d.mtu = 0;
	if (d.keep && ipam_wanted(c))
		cj_wrong(j, "keepAddresses",
			 "not together with \"ipam\": the addresses are the device's or the IPAM "
			 "plugin's (leave one of them out)");
	if (d.device) {
		by = "device";
		value = d.device;
	} else if (d.hwaddr.len) {
		by = "hwaddr";
		value = mem_str(mem, MAC_S(d.hwaddr));
	} else if (path) {
		by = "kernelpath";
		value = d.path = path;
	} else if (id) {
		by = "deviceID";
		value = id;
	} else if (pci) {
		by = "pciBusID";
		value = pci;
	}
	if (value)
		d.what = mem_printf(mem, "%s %s", by, value);
	if (value && (value == id || value == pci))
		d.path = mem_printf(mem, PCI_DEVICES "%s", value);
	*ret = d;
	return conf_mac(tx, c, cj_mac(j, "mac"), &ret->mac);
}

/* ---- the device --------------------------------------------------------- */

static bool is_userspace_driver(const char *driver)
{
	return str_eq(driver, "vfio-pci") || str_eq(driver, "uio_pci_generic") ||
	       str_eq(driver, "igb_uio");
}

int hostdev_select(struct tx *tx, struct call *c, struct hostdev_conf *d)
{
	const char *name;

	if (!d->what) {
		if (!conf_says(&c->conf, "device") && !conf_says(&c->conf, "hwaddr") &&
		    !conf_says(&c->conf, "kernelpath") && !conf_says(&c->conf, "pciBusID"))
			cj_wrong(&c->conf, "device",
				 "missing: specify either \"device\", \"hwaddr\", \"kernelpath\" "
				 "or \"pciBusID\", or declare the capability deviceID");
		return cj_ok(tx, &c->conf);
	}
	if (!d->path || !str_starts(d->path, PCI_DEVICES))
		return 0;
	if (access(d->path, F_OK) < 0) {
		name = strrchr(d->path, '/') + 1;
		d->path = mem_printf(&tx->mem, AUXILIARY_DEVICES "%s", name);
		if (!str_starts(d->what, "deviceID") || access(d->path, F_OK) < 0)
			return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
					  "host: %s: not found or unsupported (there is no such "
					  "device in " PCI_DEVICES
					  ", nor is deviceID one in " AUXILIARY_DEVICES ")",
					  d->what);
		return 0;
	}
	d->dpdk = is_userspace_driver(link_device_driver(&tx->mem, d->path));
	return 0;
}

int hostdev_find(struct tx *tx, struct call *c, const struct hostdev_conf *d, struct link *ret)
{
	if (d->device)
		return link_find(tx, &c->host, d->device, ret);
	if (d->hwaddr.len)
		return link_find_mac(tx, &c->host, d->hwaddr, ret);
	return link_find_sysfs(tx, &c->host, d->path, ret);
}
