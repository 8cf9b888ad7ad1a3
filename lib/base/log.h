/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - traces and warnings, never answers
 *
 * The answer of a call goes to stdout through one place (cni.c).  What is
 * logged here goes to stderr and, for runtimes that swallow stderr, to a file.
 *
 *   CNI_DEBUG=1      one line per step on stderr, with microseconds
 *   CNI_DEBUG=json   the same as JSON lines
 *   CNI_LOG=FILE     everything of the level also goes to FILE (appended)
 *
 * The config key log: {"file": …, "level": …} sets the same (log_to()).
 */
#ifndef CPLUG_LOG_H
#define CPLUG_LOG_H

#include <stdbool.h>

#include "base/util.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Reads CNI_DEBUG and CNI_LOG (secure_getenv) and starts the clock. */
void log_start(void);

/* Who speaks: the plugin's name and the command, for the prefix. */
void log_who(const char *plugin, const char *command);

/* Log to a file as well; returns 0 or -errno.  level: error, warn, info, debug. */
int log_to(const char *file, enum log_level level) CHECKED;

/* Parses a level's name; false if unknown. */
bool log_level_parse(const char *name, enum log_level *ret);

/* Is anybody listening at this level?  (to avoid composing lines for nobody) */
bool log_on(enum log_level level);

void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/* A step of the work, just done. */
#define log_step(...)                                                                              \
	do {                                                                                       \
		if (log_on(LOG_DEBUG))                                                             \
			log_line(LOG_DEBUG, __VA_ARGS__);                                          \
	} while (0)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)

#endif
