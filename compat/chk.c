// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chk.c - functions of glibc that archives made for it call, in an executable with musl
 *
 * Debian compiles libnl, libnftnl and jansson with _FORTIFY_SOURCE, which replaces snprintf()
 * and others by functions that also get the size of the buffer; glibc 2.38 and later replace
 * strtol() and others by those of C23.  The functions here do the same: one that would write past
 * the buffer ends the process.  getprotobyname_r() and getprotobynumber_r() find nothing, as in
 * nss.c.
 * Linux Standard Base 4.1, "Interfaces for libc" (__snprintf_chk and so on).
 */
/* Otherwise the functions below would call themselves.  NOLINTBEGIN(readability-*) */
#undef _FORTIFY_SOURCE

#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* musl's headers do not declare these. */
#define FORMAT(kind, at, first) __attribute__((__format__(kind, at, first)))
int __fprintf_chk(FILE *f, int flag, const char *format, ...) FORMAT(__printf__, 3, 4);
int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args) FORMAT(__printf__, 3, 0);
int __snprintf_chk(char *s, size_t n, int flag, size_t slen, const char *format, ...)
	FORMAT(__printf__, 5, 6);
int __vsnprintf_chk(char *s, size_t n, int flag, size_t slen, const char *format, va_list args)
	FORMAT(__printf__, 5, 0);
int __sprintf_chk(char *s, int flag, size_t slen, const char *format, ...) FORMAT(__printf__, 4, 5);
int __vasprintf_chk(char **s, int flag, const char *format, va_list args) FORMAT(__printf__, 3, 0);
int __asprintf_chk(char **s, int flag, const char *format, ...) FORMAT(__printf__, 3, 4);
int __printf_chk(int flag, const char *format, ...) FORMAT(__printf__, 2, 3);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t slen);
char *__strncpy_chk(char *to, const char *from, size_t n, size_t slen);
long __isoc23_strtol(const char *s, char **end, int base);
unsigned long __isoc23_strtoul(const char *s, char **end, int base);
long long __isoc23_strtoll(const char *s, char **end, int base);
unsigned long long __isoc23_strtoull(const char *s, char **end, int base);
int __isoc23_sscanf(const char *s, const char *format, ...) FORMAT(__scanf__, 2, 3);
int __isoc23_fscanf(FILE *f, const char *format, ...) FORMAT(__scanf__, 2, 3);
int getprotobyname_r(const char *name, struct protoent *entry, char *buf, size_t n,
		     struct protoent **result);
int getprotobynumber_r(int proto, struct protoent *entry, char *buf, size_t n,
		       struct protoent **result);

/* Ends the process if n bytes do not fit into slen. */
static void must_fit(size_t n, size_t slen)
{
	if (n > slen)
		abort();
}

int __vfprintf_chk(FILE *f, int flag, const char *format, va_list args)
{
	(void)flag;
	return vfprintf(f, format, args);
}

int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vfprintf(f, format, args);
	va_end(args);
	return n;
}

int __vsnprintf_chk(char *s, size_t n, int flag, size_t slen, const char *format, va_list args)
{
	(void)flag;
	must_fit(n, slen);
	return vsnprintf(s, n, format, args);
}

int __snprintf_chk(char *s, size_t n, int flag, size_t slen, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	must_fit(n, slen);
	va_start(args, format);
	length = vsnprintf(s, n, format, args);
	va_end(args);
	return length;
}

int __sprintf_chk(char *s, int flag, size_t slen, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	va_start(args, format);
	/* Without a known size slen is SIZE_MAX, which vsnprintf() may refuse. */
	length = vsnprintf(s, slen < INT_MAX ? slen : INT_MAX, format, args);
	va_end(args);
	if (length >= 0)
		must_fit((size_t)length + 1, slen);
	return length;
}

int __vasprintf_chk(char **s, int flag, const char *format, va_list args)
{
	(void)flag;
	return vasprintf(s, format, args);
}

int __asprintf_chk(char **s, int flag, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	va_start(args, format);
	length = vasprintf(s, format, args);
	va_end(args);
	return length;
}

int __printf_chk(int flag, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	va_start(args, format);
	length = vprintf(format, args);
	va_end(args);
	return length;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t slen)
{
	must_fit(n, slen);
	return memcpy(to, from, n);
}

char *__strncpy_chk(char *to, const char *from, size_t n, size_t slen)
{
	must_fit(n, slen);
	return strncpy(to, from, n);
}

long __isoc23_strtol(const char *s, char **end, int base)
{
	return strtol(s, end, base);
}

unsigned long __isoc23_strtoul(const char *s, char **end, int base)
{
	return strtoul(s, end, base);
}

long long __isoc23_strtoll(const char *s, char **end, int base)
{
	return strtoll(s, end, base);
}

unsigned long long __isoc23_strtoull(const char *s, char **end, int base)
{
	return strtoull(s, end, base);
}

int __isoc23_sscanf(const char *s, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsscanf(s, format, args);
	va_end(args);
	return n;
}

int __isoc23_fscanf(FILE *f, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfscanf(f, format, args);
	va_end(args);
	return n;
}

int getprotobyname_r(const char *name, struct protoent *entry, char *buf, size_t n,
		     struct protoent **result)
{
	(void)name;
	(void)entry;
	(void)buf;
	(void)n;
	*result = NULL;
	return 0;
}

int getprotobynumber_r(int proto, struct protoent *entry, char *buf, size_t n,
		       struct protoent **result)
{
	(void)proto;
	(void)entry;
	(void)buf;
	(void)n;
	*result = NULL;
	return 0;
}
/* NOLINTEND(readability-*) */
