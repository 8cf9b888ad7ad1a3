// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_unknown.c - the keys of a document that no reader has asked for
 */
#include <jansson.h>

#include "base/log.h"
#include "value/cj_doc.h"
#include "value/cj_impl.h"

/* Is it a key of the root that the runtime or other plugins use? */
static bool is_of_others(const char *key)
{
	static const char *const known[] = { "runtimeConfig", "args", "capabilities",
					     "prevResult" };

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(key, known[i]) == 0)
			return true;
	return str_starts(key, "cni.dev/");
}

/* Is it an "ipam" that another program reads?  Then only its type was asked for. */
static bool is_of_delegate(const struct cj *ipam)
{
	if (strcasecmp(ipam->key, "ipam") != 0 || !json_is_object(ipam->json))
		return false;
	for (void *it = json_object_iter(ipam->json); it;
	     it = json_object_iter_next(ipam->json, it))
		if (doc_was_seen(ipam->doc, json_object_iter_key(it)) &&
		    strcasecmp(json_object_iter_key(it), "type") != 0)
			return false;
	return true;
}

static void report_unread(const struct cj *c)
{
	bool top = !c->parent;

	for (unsigned i = 0; i < json_array_size(c->json); i++) {
		struct cj element = cj_at(c, i);

		report_unread(&element);
	}
	for (void *it = json_object_iter(c->json); it; it = json_object_iter_next(c->json, it)) {
		struct cj m = cj_member_at(c, it);

		if (top && (is_of_others(m.key) || is_of_delegate(&m)))
			continue;
		if (doc_was_seen(c->doc, m.key))
			report_unread(&m);
		else
			log_step("%s: unknown key, ignored", cj_path(&m, NULL));
	}
}

void cj_report_unknown(const struct cj *root)
{
	if (root->doc->watched)
		report_unread(root);
}
