/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * version.h - what was built: the version of the file VERSION, and the commit
 */
#ifndef CPLUG_VERSION_H
#define CPLUG_VERSION_H

/* "0.2.0". */
extern const char cplug_version[];

/*
 * 12 hexadecimal digits of the commit that was built, with "-dirty" if its files were changed; ""
 * if it is not known, because the sources are neither a clone nor a source archive of make dist.
 */
extern const char cplug_commit[];

/* "0.2.0", or "0.2.0 (commit 0123456789ab)". */
extern const char cplug_version_and_commit[];

#endif
