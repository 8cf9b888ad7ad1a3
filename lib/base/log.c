// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - traces and warnings
 *
 * A line is composed in one buffer and written with one write(), so lines of concurrent
 * plugins do not mix.  stderr gets warnings always, and steps only with CNI_DEBUG.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

static struct {
	struct timespec start;
	const char *plugin, *command;
	enum log_level stderr_level, file_level;
	bool json, muted;
	int fd;
} log_state = { .stderr_level = LOG_WARN, .fd = -1 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_start(void)
{
	const char *debug = secure_getenv("CNI_DEBUG");
	const char *file = secure_getenv("CNI_LOG");

	clock_gettime(CLOCK_MONOTONIC, &log_state.start);
	log_state.stderr_level = LOG_WARN;
	log_state.json = false;
	if (!str_empty(debug) && !str_eq(debug, "0")) {
		log_state.stderr_level = LOG_DEBUG;
		log_state.json = str_eq(debug, "json");
	}
	if (!str_empty(file)) {
		int r = log_to(file, LOG_DEBUG);

		if (r < 0)
			log_warn("CNI_LOG: cannot open %s: %s", file, strerror(-r));
	}
}

void log_set_prefix(const char *plugin, const char *command)
{
	log_state.plugin = plugin;
	log_state.command = command;
	/* It may be any text of the environment. */
	for (const char *p = command; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			log_state.command = "?";
}

int log_to(const char *file, enum log_level level)
{
	/* O_NONBLOCK: opening a FIFO without a reader fails; a full FIFO loses lines */
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = open(file, flags, 0600);

	if (fd < 0)
		return -errno;
	log_to_fd(fd, level);
	return 0;
}

void log_to_fd(int fd, enum log_level level)
{
	fd_close(&log_state.fd);
	log_state.fd = fd;
	log_state.file_level = level;
}

bool log_level_parse(const char *name, enum log_level *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(level_names); i++)
		if (str_eq(name, level_names[i])) {
			*ret = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_on(enum log_level level)
{
	return !log_state.muted && (level <= log_state.stderr_level ||
				    (log_state.fd >= 0 && level <= log_state.file_level));
}

bool log_mute(bool mute)
{
	bool before = log_state.muted;

	log_state.muted = mute;
	return before;
}

void text_plain(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		/* U+0080 to U+009F have two bytes in UTF-8. */
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			*p++ = '?';
		else if (*p >= 0x20 && *p != 0x7f)
			continue;
		*p = *p == '\t' || *p == '\n' ? ' ' : '?';
	}
}

unsigned text_utf8_len(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned n = 4;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	if (p[0] < 0xf0)
		n = p[0] < 0xe0 ? 2 : 3;
	for (unsigned i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

enum { ESCAPE_MAX = 8 };

/*
 * The first character of s, for a log: control characters, also U+0080 to U+009F, and bytes that
 * are not UTF-8 become \n, \x1b or \u001b, so that a value cannot make a line of its own, nor move
 * the cursor of a terminal.  Returns how many bytes of s it had.
 */
static unsigned escape(char out[ESCAPE_MAX], bool json, const char *s)
{
	unsigned char c = (unsigned char)*s;
	unsigned n = text_utf8_len(s), code = n ? c : 0xfffd;

	if (c == 0xc2 && n && (unsigned char)s[1] < 0xa0)
		code = (unsigned char)s[1];
	else if (json && (c == '"' || c == '\\'))
		return (unsigned)snprintf(out, ESCAPE_MAX, "\\%c", c) - 1;
	else if (n && c >= 0x20 && c != 0x7f)
		return (unsigned)snprintf(out, ESCAPE_MAX, "%.*s", (int)n, s);
	if (json) {
		snprintf(out, ESCAPE_MAX, "\\u%04x", code);
		return n ? n : 1;
	}
	if (c == '\n')
		snprintf(out, ESCAPE_MAX, "\\n");
	else
		snprintf(out, ESCAPE_MAX, "\\x%02x", c);
	return 1;
}

/* Appends s. */
static void append_escaped(char *out, size_t size, bool json, const char *s)
{
	size_t n = strlen(out);

	while (*s && n + ESCAPE_MAX < size) {
		s += escape(out + n, json, s);
		n += strlen(out + n);
	}
}

static size_t compose(char *out, size_t size, bool json, enum log_level level, const char *text)
{
	const char *plugin = log_state.plugin ? log_state.plugin : "cplug";
	const char *command = log_state.command ? log_state.command : "-";
	struct timespec now;
	long us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (long)(now.tv_sec - log_state.start.tv_sec) * 1000000L +
	     (now.tv_nsec - log_state.start.tv_nsec) / 1000;
	if (json) {
		snprintf(out, size,
			 "{\"us\":%ld,\"at\":%lld,\"pid\":%d,\"level\":\"%s\",\"plugin\":\"%s\","
			 "\"command\":\"%s\",\"msg\":\"",
			 us, (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, (int)getpid(),
			 level_names[level], plugin, command);
		append_escaped(out, size - 4, true, text);
		strcat(out, "\"}\n");
		return strlen(out);
	}
	if (level == LOG_DEBUG)
		snprintf(out, size, "%8ld us %s %s: ", us, plugin, command);
	else
		snprintf(out, size, "%s: %s: ", plugin, level_names[level]);
	append_escaped(out, size - 1, false, text);
	strcat(out, "\n");
	return strlen(out);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[1024], line[1400];
	int saved = errno;
	va_list ap;
	size_t n;

	if (!log_on(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (level <= log_state.stderr_level) {
		n = compose(line, sizeof(line), log_state.json, level, text);
		if (write(STDERR_FILENO, line, n) < 0)
			errno = 0; /* there is no other place to report it */
	}
	if (log_state.fd >= 0 && level <= log_state.file_level) {
		n = compose(line, sizeof(line), log_state.json, level, text);
		if (write(log_state.fd, line, n) < 0)
			errno = 0;
	}
	errno = saved;
}
