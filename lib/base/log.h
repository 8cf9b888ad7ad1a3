/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - traces and warnings
 *
 * A line is one line: control characters in its text are escaped (\n, \x1b), because names and
 * values in it come from others.
 *
 * Log lines go to stderr and, for runtimes that discard stderr, to a file.  The result of a
 * call goes to stdout, which only cni.c writes to.
 *
 *   CNI_DEBUG=1      one line per step on stderr, with microseconds
 *   CNI_DEBUG=json   the same as JSON lines, with the time since the start (us), and of
 *                    CLOCK_MONOTONIC (at), in microseconds
 *   CNI_LOG=FILE     all lines are also appended to FILE
 *
 * The configuration key log, {"file": …, "level": …}, also sets the file (log_to()).
 */
#ifndef CPLUG_LOG_H
#define CPLUG_LOG_H

#include <stdbool.h>

#include "base/util.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Reads CNI_DEBUG and CNI_LOG (secure_getenv(3)) and starts the clock; may be repeated. */
void log_start(void);

/* Sets the prefix of each line: the plugin's name and the CNI command. */
void log_set_prefix(const char *plugin, const char *command);

/* Also logs to a file, lines up to level.  Returns 0 or -errno of open(2). */
int log_to(const char *file, enum log_level level) CHECKED;

/* The same to an open descriptor, which log.c keeps. */
void log_to_fd(int fd, enum log_level level);

/* Parses "error", "warn", "info" or "debug"; false if it is another word. */
bool log_level_parse(const char *name, enum log_level *ret);

/*
 * For a text that a terminal shows, and that may have values of an input: in place, white space
 * becomes ' ', and other control characters '?', so that none makes a line or moves the cursor.
 */
void text_plain(char *s);

/* The length of the UTF-8 character at s, in bytes (RFC 3629); 0 if it is not valid. */
unsigned text_utf8_len(const char *s);

/* Is a line of this level written anywhere?  Callers use it to avoid composing a line. */
bool log_on(enum log_level level);

/* While muted no line is written.  Returns whether it was muted before. */
bool log_mute(bool mute);

void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/* Logs a step that was just done. */
#define log_step(...)                                                                              \
	do {                                                                                       \
		if (log_on(LOG_DEBUG))                                                             \
			log_line(LOG_DEBUG, __VA_ARGS__);                                          \
	} while (0)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)

#endif
