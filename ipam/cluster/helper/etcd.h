/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * etcd.h - etcd's v3 API through its HTTP/JSON gateway
 *
 * (etcd documentation, "gRPC gateway".)  A request goes to one member at a time.  A member that
 * does not answer within the timeout, or answers that it cannot (no leader), is followed by the
 * next one; after each round there is a pause of random length.  Whether a request that was not
 * answered took effect is not known, so each request can be repeated: a transaction that was
 * carried out is recognised by what it has written.
 *
 * Builders are silent: jansson allocates in the arena.  A JSON object that is passed is owned by
 * the receiver.
 */
#ifndef CPLUG_CLUSTER_HELPER_ETCD_H
#define CPLUG_CLUSTER_HELPER_ETCD_H

#include <jansson.h>

#include "ipam/cluster/helper/conf.h"

struct etcd {
	const struct cluster_conf *conf;
	void *curl;
	unsigned at;       /* the endpoint that is asked next */
	const char *token; /* of authentication; NULL = none yet */
	char token_room[4096];
	int64_t end;        /* clock_ms(): nothing is sent again afterwards; 0 = no end */
	enum cni_code away; /* the code of the failure that no member answers */
	unsigned requests;  /* sent so far */
	int64_t revision;   /* of etcd, in its last answer to a transaction; 0 = none */
};

/* Is the end over? */
bool etcd_is_late(const struct etcd *e);

/* Fails if libcurl has no memory. */
int etcd_open(struct tx *tx, const struct cluster_conf *conf, struct etcd *ret) CHECKED;
void etcd_close(struct etcd *e);

/*
 * A transaction: if all comparisons hold, the operations yes, else no.  *ret_responses is the list
 * of their responses.  Returns 1 if they held, 0 if not, or a recorded failure: e->away if no
 * member answered, CNI_E_UNAVAILABLE if etcd refused the request.
 */
struct etcd_txn {
	json_t *compare, *yes, *no; /* lists */
};
struct etcd_txn etcd_txn(void);
int etcd_commit(struct tx *tx, struct etcd *e, const struct etcd_txn *t,
		json_t **ret_responses) CHECKED;

/* The text of a value: its members stay in their order. */
const char *etcd_text(const json_t *value);

/* Comparisons: the key does not exist; it has this value. */
json_t *etcd_absent(struct mem *mem, const char *key);
json_t *etcd_equals(struct mem *mem, const char *key, const char *value);
/* No key below a prefix was written after a revision. */
json_t *etcd_unchanged(struct mem *mem, const char *prefix, int64_t revision);
/* Operations. */
json_t *etcd_get(struct mem *mem, const char *key);
json_t *etcd_get_below(struct mem *mem, const char *prefix, bool keys_only);
/* The next keys below a prefix, in their order, after a key (NULL: from the first one). */
json_t *etcd_get_page(struct mem *mem, const char *prefix, const char *after, bool keys_only);
json_t *etcd_put(struct mem *mem, const char *key, const char *value);
json_t *etcd_delete(struct mem *mem, const char *key);

/* The keys and values that the response of a get has; value "" with keys_only. */
struct etcd_kv {
	const char *key, *value;
	int64_t created; /* the revision that made the key */
};
struct etcd_kvs {
	struct etcd_kv *kv;
	unsigned n;
};
/* By key, for qsort(3) and bsearch(3). */
int etcd_kv_cmp(const void *a, const void *b);
/* Has the response of a get left keys out? */
bool etcd_has_more(const json_t *responses, unsigned index);

struct etcd_kvs etcd_found(struct mem *mem, const json_t *responses, unsigned index);

/* The first value of it; NULL: it has no key. */
const char *etcd_found_value(struct mem *mem, const json_t *responses, unsigned index);

/* A number, which the gateway writes as a string when it has 64 bits; 0: there is none. */
int64_t etcd_number(const json_t *object, const char *key);

/*
 * What is below a prefix, however many; keys_only: without the values.  In pages, because an answer
 * has a bound; the memory of each page is there again for the next one.  Fails with e->away after
 * the page at which e->end is over.
 */
int etcd_read_below(struct tx *tx, struct etcd *e, const char *prefix, bool keys_only,
		    struct etcd_kvs *ret) CHECKED;

#endif
