// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nlutil.c - cplug does not print objects of libnl, nor read them as text
 *
 * Functions of libnl-3 and libnl-route that cplug does not call print and parse addresses, names of
 * protocols and sizes.  The members utils.o and addr.o of the archive, which do this, would link
 * scanf(), strtod() and tables of names: 30 kB.  The functions here take their places.
 *
 * They are weak, so that a version of the library that needs more of these members can have them.
 * netlink/utils.h, netlink/addr.h.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/utils.h>

#define WEAK __attribute__((weak))

/* In the archive, but in no header that may be included. */
struct trans_tbl;
char *__type2str(int type, char *text, size_t size, const struct trans_tbl *table, size_t n);
int __str2type(const char *text, const struct trans_tbl *table, size_t n);
void dump_from_ops(struct nl_object *obj, struct nl_dump_params *params);
const char *nl_strerror_l(int err);

WEAK int nl_debug;

static char *nothing(char *text, size_t size)
{
	if (size)
		*text = '\0';
	return text;
}

WEAK char *__type2str(int type, char *text, size_t size, const struct trans_tbl *table, size_t n)
{
	(void)type;
	(void)table;
	(void)n;
	return nothing(text, size);
}

WEAK int __str2type(const char *text, const struct trans_tbl *table, size_t n)
{
	(void)text;
	(void)table;
	(void)n;
	return -1;
}

WEAK char *nl_ether_proto2str(int proto, char *text, size_t size)
{
	(void)proto;
	return nothing(text, size);
}

WEAK const char *nl_strerror_l(int err)
{
	(void)err;
	return "";
}

WEAK void dump_from_ops(struct nl_object *obj, struct nl_dump_params *params)
{
	(void)obj;
	(void)params;
}

WEAK void nl_new_line(struct nl_dump_params *params)
{
	(void)params;
}

WEAK void nl_dump(struct nl_dump_params *params, const char *format, ...)
{
	(void)params;
	(void)format;
}

WEAK void nl_dump_line(struct nl_dump_params *params, const char *format, ...)
{
	(void)params;
	(void)format;
}

WEAK double nl_cancel_down_bytes(unsigned long long bytes, char **unit)
{
	*unit = (char *)(uintptr_t) "B";
	return (double)bytes;
}

/* The kernel's packet scheduler counts in ticks of 64 ns (PSCHED_SHIFT, net/pkt_sched.h). */
WEAK uint32_t nl_us2ticks(uint32_t us)
{
	return (uint32_t)(((uint64_t)us * 1000) >> 6);
}

WEAK void *nl_addr_get_binary_addr(const struct nl_addr *addr)
{
	(void)addr;
	return NULL;
}

WEAK unsigned int nl_addr_get_len(const struct nl_addr *addr)
{
	(void)addr;
	return 0;
}
