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

/* Appends s, escaped for a JSON string, without quotes. */
static void json_escape(char *out, size_t size, const char *s)
{
	size_t n = strlen(out);

	for (; *s && n + 7 < size; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			n += (size_t)snprintf(out + n, size - n, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(out + n, size - n, "\\u%04x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
}

/* Appends s; control characters become \n or \x1b, so that a value cannot make a line of its own.
 */
static void text_escape(char *out, size_t size, const char *s)
{
	size_t n = strlen(out);

	for (; *s && n + 5 < size; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			n += (size_t)snprintf(out + n, size - n, "\\n");
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
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
		json_escape(out, size - 4, text);
		strcat(out, "\"}\n");
		return strlen(out);
	}
	if (level == LOG_DEBUG)
		snprintf(out, size, "%8ld us %s %s: ", us, plugin, command);
	else
		snprintf(out, size, "%s: %s: ", plugin, level_names[level]);
	text_escape(out, size - 1, text);
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
