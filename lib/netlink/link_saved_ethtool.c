// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_saved_ethtool.c - what ethtool(8) sets in a device, read and set again (linux/ethtool.h)
 *
 * The owner of the device's namespace may change it, and it stays when the device leaves.  Each
 * setting is a structure that one command reads and another one writes.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "netlink/link_saved.h"
#include "value/base64.h"

enum { FEATURE_WORDS = 8 };

union setting {
	uint32_t cmd;
	struct ethtool_value value;
	struct ethtool_channels channels;
	struct ethtool_ringparam rings;
	struct ethtool_coalesce coalesce;
	struct ethtool_pauseparam pause;
	struct ethtool_wolinfo wol;
	struct ethtool_eee eee;
	struct ethtool_fecparam fec;
	/* As struct ethtool_gfeatures, whose list has no length. */
	struct {
		uint32_t cmd, size;
		struct ethtool_get_features_block words[FEATURE_WORDS];
	} features;
};

/* In the order of setting: with other channels, a driver may have other rings. */
static const struct {
	const char *name;
	uint32_t get, set;
	size_t size;
} settings[LINK_ETHTOOL_SETTINGS] = {
	[LINK_ETHTOOL_CHANNELS] = { "channels", ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS,
				    sizeof(struct ethtool_channels) },
	[LINK_ETHTOOL_RINGS] = { "rings", ETHTOOL_GRINGPARAM, ETHTOOL_SRINGPARAM,
				 sizeof(struct ethtool_ringparam) },
	[LINK_ETHTOOL_COALESCE] = { "coalesce", ETHTOOL_GCOALESCE, ETHTOOL_SCOALESCE,
				    sizeof(struct ethtool_coalesce) },
	[LINK_ETHTOOL_PAUSE] = { "pause", ETHTOOL_GPAUSEPARAM, ETHTOOL_SPAUSEPARAM,
				 sizeof(struct ethtool_pauseparam) },
	[LINK_ETHTOOL_WOL] = { "wakeOnLan", ETHTOOL_GWOL, ETHTOOL_SWOL,
			       sizeof(struct ethtool_wolinfo) },
	[LINK_ETHTOOL_EEE] = { "eee", ETHTOOL_GEEE, ETHTOOL_SEEE, sizeof(struct ethtool_eee) },
	[LINK_ETHTOOL_FEC] = { "fec", ETHTOOL_GFECPARAM, ETHTOOL_SFECPARAM,
			       sizeof(struct ethtool_fecparam) },
	[LINK_ETHTOOL_PRIVATE] = { "privateFlags", ETHTOOL_GPFLAGS, ETHTOOL_SPFLAGS,
				   sizeof(struct ethtool_value) },
	[LINK_ETHTOOL_MESSAGES] = { "messageLevel", ETHTOOL_GMSGLVL, ETHTOOL_SMSGLVL,
				    sizeof(struct ethtool_value) },
	[LINK_ETHTOOL_FEATURES] = { "features", ETHTOOL_GFEATURES, ETHTOOL_SFEATURES,
				    sizeof(((union setting *)NULL)->features) },
};

const char *link_ethtool_name(enum link_ethtool i)
{
	return settings[i].name;
}

/*
 * ioctl(2) knows names only, and several settings need the capability with which it loads a module
 * of a name that no link has (priv.h).  So the link is looked up before; on the host, where these
 * devices are then, only root renames it.
 */
static bool has_its_name(struct rt *rt, const struct link *l)
{
	return link_index_try(rt, l->name) == l->index;
}

static int ask(const struct rt *rt, const struct link *l, void *data)
{
	struct ifreq q = { .ifr_data = data };

	memcpy(q.ifr_name, l->name, sizeof(q.ifr_name));
	if (ioctl(nl_socket_get_fd(rt->sk), SIOCETHTOOL, &q) < 0)
		return -errno;
	return 0;
}

/* false: the driver does not have it. */
static bool read_setting(const struct rt *rt, const struct link *l, unsigned i, union setting *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->cmd = settings[i].get;
	if (i == LINK_ETHTOOL_FEATURES)
		ret->features.size = FEATURE_WORDS;
	if (ask(rt, l, ret) < 0)
		return false;
	if (i == LINK_ETHTOOL_EEE) /* what the other end of the wire says */
		ret->eee.lp_advertised = ret->eee.eee_active = 0;
	if (i == LINK_ETHTOOL_FEC)
		ret->fec.active_fec = 0;
	return true;
}

void link_read_ethtool(struct mem *mem, struct rt *rt, const struct link *l,
		       const char *ret[LINK_ETHTOOL_SETTINGS])
{
	bool there = has_its_name(rt, l);
	union setting s;

	for (unsigned i = 0; there && i < LINK_ETHTOOL_SETTINGS; i++)
		if (read_setting(rt, l, i, &s))
			ret[i] = base64_encode(mem, (const char *)&s, settings[i].size);
}

/* Sets the features whose wanted state differs, and that can be changed at all. */
static int set_features(const struct rt *rt, const struct link *l, const union setting *then,
			const union setting *now)
{
	/* As struct ethtool_sfeatures. */
	struct {
		uint32_t cmd, size;
		struct ethtool_set_features_block words[FEATURE_WORDS];
	} set = { ETHTOOL_SFEATURES, now->features.size, { { 0 } } };
	bool differs = false;

	for (unsigned i = 0; i < FEATURE_WORDS && i < now->features.size; i++) {
		const struct ethtool_get_features_block *t = &then->features.words[i],
							*n = &now->features.words[i];

		set.words[i].valid = (t->requested ^ n->requested) & n->available;
		set.words[i].requested = t->requested;
		differs = differs || set.words[i].valid;
	}
	if (!differs)
		return 0;
	return ask(rt, l, &set);
}

static int set_again(const struct rt *rt, const struct link *l, unsigned i, union setting *then,
		     const union setting *now)
{
	if (i == LINK_ETHTOOL_FEATURES)
		return set_features(rt, l, then, now);
	if (memcmp(then, now, settings[i].size) == 0)
		return 0;
	then->cmd = settings[i].set;
	return ask(rt, l, then);
}

int link_restore_ethtool(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	bool there = has_its_name(rt, l);
	int r = 0;

	for (unsigned i = 0; there && i < LINK_ETHTOOL_SETTINGS; i++) {
		union setting then = { .cmd = 0 }, now;
		const char *data = NULL;
		size_t size = 0;
		int one;

		if (s->ethtool[i])
			data = base64_decode(&tx->mem, s->ethtool[i], &size);
		if (!data || size != settings[i].size || !read_setting(rt, l, i, &now))
			continue;
		memcpy(&then, data, size);
		one = set_again(rt, l, i, &then, &now);
		if (one < 0)
			r = also(r, tx_fail(tx, one, "%s: set %s (ethtool) of %s as before: %s",
					    rt->where, settings[i].name, l->name, strerror(-one)));
	}
	return r;
}
