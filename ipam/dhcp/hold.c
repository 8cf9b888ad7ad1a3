// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold.c - the life of a lease: what the state machine of client.c wants is done here
 *
 * An attachment has a lease of DHCPv4, of DHCPv6 (hold6.c), or of both.  The first lease is the
 * answer to the plugin's ADD, which gives the address to the interface. What changes later is
 * changed by apply.c.  A lease ends with DEL, or when its namespace or link is gone: that is
 * noticed when the next packet is to be sent.
 */
#include <stdlib.h>

#include "base/log.h"
#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/lease.h"
#include "ipam/dhcp/packet.h"

/* How long DEL waits for the MAC of the next hop to the server. */
enum { RELEASE_MS = 200 };

/* ---- the list ----------------------------------------------------------- */

struct hold *hold_find(struct daemon *d, const char *network, const char *id, const char *ifname)
{
	for (struct hold *l = d->leases; l; l = l->next)
		if (!l->leaving && str_eq(l->id, id) && str_eq(l->ifname, ifname) &&
		    str_eq(l->network, network))
			return l;
	return NULL;
}

static char *put_string(char **at, const char *s)
{
	char *p = *at;

	*at = stpcpy(p, s) + 1;
	return p;
}

static void packet_ready(struct daemon *d, struct source *s, unsigned events);
static void udp_ready(struct daemon *d, struct source *s, unsigned events);
static void arp_ready(struct daemon *d, struct source *s, unsigned events);
static void changer_ready(struct daemon *d, struct source *s, unsigned events);

struct hold *hold_new(struct daemon *d, const char *network, const char *id, const char *ifname,
		      const char *netns)
{
	size_t size = strlen(network) + strlen(id) + strlen(ifname) + strlen(netns) + 4;
	struct hold *l;
	char *at;

	if (d->n_leases >= DAEMON_LEASES_MAX)
		return NULL;
	l = calloc(1, sizeof(*l) + size);
	if (!l)
		return NULL;
	at = (char *)(l + 1);
	l->network = put_string(&at, network);
	l->id = put_string(&at, id);
	l->ifname = put_string(&at, ifname);
	l->netns = put_string(&at, netns);
	l->packet = (struct source){ .fd = -1, .ready = packet_ready };
	l->udp = (struct source){ .fd = -1, .ready = udp_ready };
	l->arp = (struct source){ .fd = -1, .ready = arp_ready };
	l->changer = (struct source){ .fd = -1, .ready = changer_ready };
	l->wake = l->wake4 = DHCP_NEVER;
	l->next = d->leases;
	d->leases = l;
	d->n_leases++;
	return l;
}

void hold_free(struct daemon *d, struct hold *l)
{
	struct hold **at = &d->leases;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	d->n_leases--;
	wire_close(d, l);
	changer_ready(d, &l->changer, 0);
	if (l->six)
		hold6_free(d, l);
	free(l);
}

/* ---- what the state machine wants --------------------------------------- */

bool hold_is_complete(const struct hold *l)
{
	return (!l->four || (dhcp_has_lease(&l->v4) && !l->checking)) &&
	       (!l->six || hold6_has_lease(l->six));
}

void hold_set_wake(struct hold *l)
{
	l->wake = l->wake4;
	if (l->six)
		l->wake = time_min(l->wake, l->six->wake);
}

static void set_wake(struct hold *l, int64_t wake)
{
	l->wake4 = wake;
	if ((l->packet.fd >= 0 || l->udp.fd >= 0) && l->listen < wake)
		l->wake4 = l->listen;
	l->wake4 = time_min(l->wake4, probe_timer(l, daemon_at().now));
	hold_set_wake(l);
}

/* Its container is gone, or there is no lease. */
void hold_forget(struct daemon *d, struct hold *l)
{
	if (l->asker)
		server_answer(d, l->asker, NULL);
	else
		daemon_say(l, "forgotten: %s", d->tx.msg);
	d->tx.err = 0;
	hold_release(d, l);
}

void hold_fail(struct daemon *d, struct hold *l)
{
	if (l->asker)
		server_answer(d, l->asker, NULL);
	else
		daemon_say(l, "given back: %s", d->tx.msg);
	d->tx.err = 0;
	l->asker = NULL;
	hold_release(d, l);
}

bool hold_is_gone(int r)
{
	return r == -ENOENT || r == -ESTALE || r == -ENODEV;
}

bool hold_replaces(struct hold *l, bool six, const struct dhcp_lease *before)
{
	if (!l->replaced[six])
		l->replaced[six] = malloc(sizeof(*before));
	if (l->replaced[six])
		*l->replaced[six] = *before;
	return l->replaced[six] != NULL;
}

/* The address is the container's from now on: it must not be lost with the daemon. */
void hold_save(struct daemon *d, struct hold *l, bool six, const struct dhcp_lease *before)
{
	if (before)
		hold_note_left(l, &d->tx.mem, six, before);
	if (before && !hold_replaces(l, six, before))
		daemon_say(l, "no memory: a change does not survive a restart of the daemon");
	if (wire_carrier(d, l, &l->carrier) < 0)
		d->tx.err = 0;
	if (record_save(d, l) < 0)
		daemon_say(l, "the lease does not survive a restart of the daemon: %s", d->tx.msg);
	d->tx.err = 0;
}

bool hold_answer(struct daemon *d, struct hold *l)
{
	if (!l->asker)
		return false;
	if (!hold_is_complete(l))
		return true;
	server_answer(d, l->asker, l);
	l->asker = NULL;
	if (l->six)
		hold6_answered(d, l);
	return true;
}

static void apply(struct daemon *d, struct hold *l, const struct dhcp_lease *before)
{
	const struct apply_want want = { .before = before, .after = &l->v4.x.lease };

	apply_change(d, l, &want);
}

static void take(struct daemon *d, struct hold *l, const struct dhcp_lease *before, bool changed)
{
	changed = changed && !l->asker;
	hold_save(d, l, false, changed ? before : NULL);
	if (!hold_answer(d, l) && changed)
		apply(d, l, before);
}

/* Returns false if the lease is freed. */
static bool handle(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		   const struct dhcp_todo *todo)
{
	switch (todo->event) {
	case DHCP_BOUND:
		l->checking = true;
		break;
	case DHCP_RENEWED:
		take(d, l, before, todo->changed);
		break;
	case DHCP_EXPIRED:
	case DHCP_REFUSED:
		daemon_say(l, "%s", todo->reason);
		if (!before->size)
			break;
		hold_save(d, l, false, l->asker ? NULL : before);
		if (!l->asker)
			apply(d, l, before);
		break;
	case DHCP_GIVEN_UP:
		tx_fail_as(&d->tx, CNI_E_AGAIN, -ETIMEDOUT,
			   "no DHCP server gave an address to %s within %u seconds: %s", l->ifname,
			   d->opt.resend_timeout / 1000, todo->reason);
		hold_fail(d, l);
		return false;
	default:
		break;
	}
	return true;
}

static bool follow(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		   const struct dhcp_todo *todo);

/* The probe is over: the new lease is used, or declined.  As follow(). */
static bool settle(struct daemon *d, struct hold *l)
{
	const struct dhcp_lease none = { .size = 0 };
	const uint8_t *m = l->rival;
	struct dhcp_todo todo;

	l->checking = false;
	if (!l->conflict) {
		daemon_say(l, "lease acquired");
		take(d, l, &none, true);
		wire_close(d, l);
		set_wake(l, l->v4.x.wake);
		return true;
	}
	daemon_say(l, "%s declined: %02x:%02x:%02x:%02x:%02x:%02x uses it",
		   IP_S(((struct ip){ .family = AF_INET, .v4 = l->v4.address })), m[0], m[1], m[2],
		   m[3], m[4], m[5]);
	dhcp_decline(&l->v4, daemon_at(), &todo);
	return follow(d, l, &none, &todo);
}

/* Does what a step of the state machine wants.  Returns false if the lease is freed. */
static bool follow(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		   const struct dhcp_todo *todo)
{
	int r = 0;

	if (!handle(d, l, before, todo))
		return false;
	if (todo->send != DHCP_SEND_NOTHING)
		r = wire_send(d, l, todo);
	if (r == 0 && (l->v4.state == DHCP_IS_REQUESTING || l->checking))
		r = probe_begin(d, l);
	if (hold_is_gone(r)) {
		hold_forget(d, l);
		return false;
	}
	if (r < 0) {
		daemon_say(l, "%s", d->tx.msg);
		d->tx.err = 0; /* a packet that is not sent is no failure of ADD */
	}
	if (l->checking && probe_is_over(l, daemon_at().now))
		return settle(d, l);
	if (!l->checking && (l->v4.state == DHCP_IS_BOUND || l->v4.state == DHCP_IS_INIT))
		wire_close(d, l);
	set_wake(l, todo->wake);
	return true;
}

/* The RELEASE has gone out.  late: it has not, because the next hop does not tell its MAC. */
static void leave(struct daemon *d, struct hold *l, bool late)
{
	struct dhcp_todo todo;

	dhcp_release(&l->v4, daemon_at(), &todo);
	if (late && todo.send != DHCP_SEND_NOTHING && wire_release_frame(d, l, &todo) < 0)
		daemon_say(l, DHCP_NOT_RELEASED "%s", d->tx.msg);
	d->tx.err = 0;
	if (l->leaver)
		server_answer(d, l->leaver, NULL);
	hold_free(d, l);
}

static void timer(struct daemon *d, struct hold *l)
{
	const struct dhcp_lease before = l->v4.x.lease;
	struct dhcp_at at = daemon_at();
	struct dhcp_todo todo;

	if (l->leaving) {
		leave(d, l, true);
		return;
	}
	if (l->listen <= at.now)
		wire_close(d, l);
	(void)probe_timer(l, at.now);
	dhcp_timer(&l->v4, at, &todo);
	follow(d, l, &before, &todo);
}

/* One family at a time, because a step may free the lease: the loop comes again for the other. */
void hold_timer(struct daemon *d, struct hold *l)
{
	if (l->six && l->six->wake <= l->wake4)
		hold6_timer(d, l);
	else
		timer(d, l);
}

/* Returns after one datagram: the lease may be gone, or its sockets closed. */
static void receive(struct daemon *d, struct hold *l, const struct source *s)
{
	const struct dhcp_lease before = l->v4.x.lease;
	uint8_t data[DHCP_PACKET];
	size_t size = wire_receive(l, s, data);
	struct dhcp_todo todo;

	if (!size)
		return;
	dhcp_input(&l->v4, data, size, daemon_at(), &todo);
	follow(d, l, &before, &todo);
}

static void packet_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	receive(d, (struct hold *)((char *)s - offsetof(struct hold, packet)), s);
}

static void udp_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	struct hold *l = (struct hold *)((char *)s - offsetof(struct hold, udp));

	if (l->leaving)
		leave(d, l, false);
	else
		receive(d, l, s);
}

static void arp_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	struct hold *l = (struct hold *)((char *)s - offsetof(struct hold, arp));

	probe_receive(l);
	if (l->checking && l->conflict)
		settle(d, l);
}

/* The last child of apply_change() has ended: the container has what the lease says. */
static void changer_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	struct hold *l = (struct hold *)((char *)s - offsetof(struct hold, changer));

	daemon_unwatch(d, s);
	for (unsigned i = 0; i < ARRAY_LEN(l->replaced); i++) {
		free(l->replaced[i]);
		l->replaced[i] = NULL;
	}
}

/* ---- begin and end ------------------------------------------------------ */

static int configure(struct daemon *d, struct hold *l, const struct dhcp_ipam *cf)
{
	struct dhcp_conf *conf = &l->v4.conf;
	uint8_t mac[6];

	TRY(wire_look(d, l, mac));
	l->four = cf->v4;
	snprintf(l->parent, sizeof(l->parent), "%s", cf->parent);
	TRY(wire_find_parent(d, l));
	if (cf->v6)
		TRY(hold6_configure(d, l, cf));
	if (!l->four)
		return 0;
	dhcp_conf_begin(conf, mem_printf(&d->tx.mem, "%s/%s/%s", l->id, l->network, l->ifname),
			mac);
	conf->broadcast = d->opt.broadcast;
	conf->timeout = d->opt.timeout;
	conf->resend_max = d->opt.resend_max;
	conf->resend_timeout = d->opt.resend_timeout;
	l->priority = cf->priority;
	l->server_mtu = cf->server_mtu;
	l->arp_probe = cf->arp_probe;
	return dhcp_ipam_options(&d->tx, cf, conf);
}

/* ADDs that wait for a lease. */
struct waiting {
	struct hold *l[DAEMON_WAITING_MAX]; /* the latest first */
	unsigned n;
};

static unsigned count_waiting(const struct waiting *w, const char *network)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		n += str_eq(w->l[i]->network, network);
	return n;
}

/*
 * ADDs that wait must not take all connections: neither those of one network, whose server is
 * silent, nor those of many networks of one author.  When there are too many, the oldest one of the
 * network that has most makes room.
 */
static int fail_if_crowded(struct daemon *d, const char *network)
{
	struct hold *crowd = NULL;
	struct waiting w = { .n = 0 };
	unsigned own, most = 0;

	for (struct hold *l = d->leases; l && w.n < DAEMON_WAITING_MAX; l = l->next)
		if (l->asker)
			w.l[w.n++] = l;
	own = count_waiting(&w, network);
	for (unsigned i = 0; w.n == DAEMON_WAITING_MAX && i < w.n; i++) {
		unsigned n = count_waiting(&w, w.l[i]->network);

		if (n >= most) {
			most = n;
			crowd = w.l[i];
		}
	}
	if (own >= DAEMON_NETWORK_MAX || (crowd && own >= most))
		return tx_fail_as(&d->tx, CNI_E_AGAIN, -EBUSY,
				  "%u ADDs of network %s wait for a lease (is its server up?)", own,
				  network);
	if (!crowd)
		return 0;
	tx_fail_as(&d->tx, CNI_E_AGAIN, -EBUSY,
		   "%u ADDs wait for a lease, %u of them of network %s (is its server up?)", w.n,
		   most, crowd->network);
	hold_fail(d, crowd);
	return 0;
}

int hold_begin(struct daemon *d, const struct rpc_args *a, const char *network,
	       const struct dhcp_ipam *cf, struct client *asker)
{
	const struct dhcp_lease none = { .size = 0 };
	struct dhcp_todo todo;
	struct hold *l;
	int r;

	TRY(fail_if_crowded(d, network));
	l = hold_new(d, network, a->id, a->ifname, a->netns);
	if (!l)
		return tx_fail(&d->tx, -ENOMEM, "the DHCP daemon has no memory for a lease");
	r = configure(d, l, cf);
	if (r < 0) {
		hold_free(d, l);
		return r;
	}
	l->asker = asker;
	if (l->four) {
		dhcp_start(&l->v4, daemon_at(), &todo);
		if (!follow(d, l, &none, &todo))
			return 0;
	}
	if (l->six)
		hold6_begin(d, l);
	return 0;
}

/*
 * The lease of a container that was gone when the daemon started was loaded, but never resumed:
 * only then do the state machines know its address and server.
 */
static void restore(struct hold *l)
{
	struct dhcp_todo todo;

	if (l->v4.state == DHCP_IS_STOPPED && !dhcp_reboot(&l->v4, daemon_at(), &todo))
		l->v4.x.lease.size = 0;
	if (l->six)
		hold6_restore(l->six);
}

/* In the order in which the server is most likely to hear it.  As wire_release(). */
static int send_release(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	int r = wire_release(d, l, todo);

	if (r < 0 && !hold_is_gone(r)) {
		d->tx.err = 0;
		r = wire_release_frame(d, l, todo);
	}
	if (hold_is_gone(r)) {
		d->tx.err = 0;
		r = wire_release_from_host(d, l, todo);
	}
	return r;
}

bool hold_give_back(struct daemon *d, struct hold *l)
{
	struct dhcp_client copy; /* leave() may need the lease once more */
	struct dhcp_todo todo;
	int r = 0;

	record_forget(d, l);
	restore(l);
	copy = l->v4;
	if (l->six) {
		hold6_give_back(d, l);
		hold6_free(d, l);
	}
	dhcp_release(&copy, daemon_at(), &todo);
	if (todo.send != DHCP_SEND_NOTHING)
		r = send_release(d, l, &todo);
	if (r < 0)
		daemon_say(l, DHCP_NOT_RELEASED "%s", d->tx.msg);
	d->tx.err = 0;
	if (r <= 0)
		return false;
	l->leaving = true;
	l->wake = daemon_at().now + RELEASE_MS;
	return true;
}

void hold_release(struct daemon *d, struct hold *l)
{
	if (!hold_give_back(d, l))
		hold_free(d, l);
}

/*
 * Asks at once whether the lease is good (INIT-REBOOT; RFC 2131, 3.2) if the answer may be no: the
 * link went down since the last ACK, so it may be in another network, or no renewal will
 * ever ask, because the lease is infinite.  Otherwise the daemon goes on with it as if it had not
 * ended.
 */
static bool is_doubtful(const struct hold *l, int64_t carrier, int64_t now)
{
	return carrier != l->carrier || l->v4.x.lease.t1 == DHCP_NEVER || l->v4.x.lease.t1 <= now;
}

/* As follow(). */
static bool resume(struct daemon *d, struct hold *l, int64_t carrier)
{
	const struct dhcp_lease before = l->v4.x.lease;
	struct dhcp_at at = daemon_at();
	struct dhcp_todo todo;

	if (!before.size || !dhcp_reboot(&l->v4, at, &todo)) {
		dhcp_start(&l->v4, at, &todo);
		l->v4.x.had_lease = true;
	} else if (todo.event == DHCP_NOTHING && !is_doubtful(l, carrier, at.now)) {
		l->v4.state = DHCP_IS_BOUND;
		l->v4.x.wake = todo.wake = l->v4.x.lease.t1;
	}
	if (l->replaced[0])
		apply(d, l, l->replaced[0]);
	return follow(d, l, &before, &todo);
}

void hold_resume(struct daemon *d, struct hold *l)
{
	int64_t carrier;

	if (hold_is_gone(wire_carrier(d, l, &carrier))) {
		hold_forget(d, l);
		return;
	}
	d->tx.err = 0;
	if (l->four && !resume(d, l, carrier))
		return;
	if (l->six)
		hold6_resume(d, l);
}

bool hold_is_in(struct daemon *d, const struct hold *l, const char *netns)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	const char *prefix = d->opt.prefix ? d->opt.prefix : "";
	int before = d->tx.err, r;

	r = netns_open(&d->tx, mem_printf(&d->tx.mem, "%s%s", prefix, netns), &ns);
	if (r < 0) {
		(void)tx_excuse(&d->tx, before, r, "the namespace of a lease");
		return false;
	}
	return ns.dev == l->dev && ns.ino == l->ino && netns_cookie(&ns) == l->cookie;
}

/* DHCPv6 does not know the MAC, but a new interface has to be prepared like the first one. */
static int look_at_link(struct daemon *d, struct hold *l)
{
	uint8_t mac[6];

	TRY(wire_look(d, l, mac));
	if (l->four && memcmp(mac, l->v4.conf.mac, sizeof(mac)) != 0)
		return 0;
	if (l->six)
		TRY(wire6_prepare(d, l));
	return 1;
}

bool hold_fits(struct daemon *d, struct hold *l)
{
	int before = d->tx.err, r = look_at_link(d, l);

	(void)tx_excuse(&d->tx, before, r, "the interface of a lease");
	if (r > 0 && l->six)
		hold6_prepared(d, l);
	return r > 0;
}
