// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend.c - accepted addresses in chains of other programs
 *
 * An accept in cplug's table does not help where another program drops.  The automatic backend
 * reads the forward hook as STATUS does, and adds rules to the program that drops.
 */
#include "base/log.h"
#include "firewall/firewalld.h"
#include "firewall/foreign_fw.h"
#include "firewall/ipt.h"
#include "plugins/firewall/firewall.h"

/*
 * The link by which packets of the container come in: the bridge that has its port.  Only its index
 * and name, which the kernel tells without the RTNL lock.
 */
static int find_input(struct tx *tx, struct call *c, const struct firewall *f, struct link *ret)
{
	int index = f->link->master;

	*ret = *f->link;
	if (!index)
		return 0;
	*ret = (struct link){ .index = index };
	if (link_name_try(&c->host, index, ret->name) < 0)
		TRY(link_find_index(tx, &c->host, index, ret));
	return 0;
}

static struct ip first_of(const struct accept *a, int family)
{
	for (unsigned i = 0; i < a->n_ips; i++)
		if (a->ips[i].family == family)
			return a->ips[i];
	return (struct ip){ .family = 0 };
}

static int survey(struct tx *tx, struct call *c, const struct firewall *f,
		  const char *ret[FOREIGN_FW_BY])
{
	struct link input;
	const struct foreign_fw_flow flow = {
		.bridge = &input,
		.from4 = first_of(&f->accept, AF_INET),
		.from6 = first_of(&f->accept, AF_INET6),
	};
	struct nfnl *nl;

	TRY(call_nf(tx, c, &nl));
	TRY(find_input(tx, c, f, &input));
	return foreign_fw_survey(tx, nl, &flow, ret);
}

/* An accept there needs iptables-nft. */
static int refuse_legacy(struct tx *tx, const char *why)
{
	return tx_fail_as(
		tx, CNI_E_CONFIG, -EOPNOTSUPP,
		"backend: \"iptables\" writes rules of iptables-nft, but %s; or switch the "
		"host to iptables-nft",
		why);
}

static int choose_automatic(struct tx *tx, struct call *c, struct firewall *f)
{
	const char *why[FOREIGN_FW_BY];

	TRY(survey(tx, c, f, why));
	if (why[FOREIGN_FW_IPTABLES]) {
		f->accept.elsewhere |= ACCEPT_IPTABLES;
		log_step("backend: iptables, because %s", why[FOREIGN_FW_IPTABLES]);
	}
	if (why[FOREIGN_FW_FIREWALLD] && firewalld_is_running(&tx->mem)) {
		f->accept.elsewhere |= ACCEPT_FIREWALLD;
		log_step("backend: firewalld, because %s", why[FOREIGN_FW_FIREWALLD]);
	}
	if (!f->accept.elsewhere)
		log_step("backend: nftables");
	if (why[FOREIGN_FW_FIREWALLD] && !(f->accept.elsewhere & ACCEPT_FIREWALLD))
		log_warn("%s", why[FOREIGN_FW_FIREWALLD]);
	if (why[FOREIGN_FW_LEGACY])
		log_warn("%s", why[FOREIGN_FW_LEGACY]);
	if (why[FOREIGN_FW_OTHER])
		log_warn("%s", why[FOREIGN_FW_OTHER]);
	return 0;
}

int backend_choose(struct tx *tx, struct call *c, struct firewall *f)
{
	const char *why[FOREIGN_FW_BY];
	struct nfnl *nl;
	int known = 0;

	TRY(call_nf(tx, c, &nl));
	if (f->automatic && c->command != CNI_ADD)
		TRY(known = accept_find_elsewhere(tx, nl, f->accept.owner, &f->accept.elsewhere));
	if (known)
		return 0;
	if (f->automatic)
		return choose_automatic(tx, c, f);
	if (!(f->accept.elsewhere & ACCEPT_IPTABLES) || c->command != CNI_ADD)
		return 0;
	TRY(survey(tx, c, f, why));
	if (why[FOREIGN_FW_LEGACY])
		return refuse_legacy(tx, why[FOREIGN_FW_LEGACY]);
	return 0;
}

static struct ipt ipt_of(const struct accept *a)
{
	return (struct ipt){
		.ips = a->ips,
		.n_ips = a->n_ips,
		.admin = a->admin,
		.careful = a->inherits,
	};
}

int backend_add(struct tx *tx, struct call *c, const struct firewall *f)
{
	const struct accept *a = &f->accept;
	struct ipt ipt = ipt_of(a);
	struct nfnl *nl;

	TRY(call_nf(tx, c, &nl));
	if (a->elsewhere & ACCEPT_IPTABLES) {
		TRY(ipt_add(tx, nl, &ipt));
		accept_keep_record(tx, nl, a->owner, ipt.record);
	} else if (c->command == CNI_REPAIR) {
		/* The reference's: a DEL does not look for them where it finds ours. */
		TRY(ipt_del(tx, nl, a->ips, a->n_ips, ipt.record));
	}
	if (a->elsewhere & ACCEPT_FIREWALLD)
		return firewalld_add(tx, a->zone, a->ips, a->n_ips);
	return 0;
}

int backend_check(struct tx *tx, struct call *c, const struct firewall *f)
{
	const struct accept *a = &f->accept;
	struct ipt ipt = ipt_of(a);
	struct nfnl *nl;

	TRY(call_nf(tx, c, &nl));
	if (a->elsewhere & ACCEPT_IPTABLES) {
		ipt.record = accept_find_record(tx, nl, a->owner);
		TRY(ipt_check(tx, nl, &ipt));
	}
	if (a->elsewhere & ACCEPT_FIREWALLD)
		return firewalld_check(tx, a->zone, a->ips, a->n_ips);
	return 0;
}
