// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe.c - does another host use the offered address?  (RFC 5227, 2.1)
 *
 * Three ARP probes are spread over conf.arp_probe milliseconds; the first follows the OFFER, so the
 * server's ACK and the hosts' answers are waited for at the same time.  RFC 5227 wants four to
 * seven seconds, which an ADD does not have: hosts on a wire answer within a millisecond or two.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <sys/epoll.h>

#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/lease.h"

enum { PROBES = 3 };

/* An ARP message of IPv4 over Ethernet (RFC 826); all members are bytes, so there is no padding. */
struct arp {
	uint8_t head[8]; /* hardware, protocol, their lengths, operation */
	uint8_t mac[6], ip[4];
	uint8_t target_mac[6], target_ip[4];
};

static const uint8_t arp_head[7] = { 0, 1, 8, 0, 6, 4, 0 };

/*
 * Passes what concerns the address: it is the sender's, or that of the target of a probe (sender
 * 0.0.0.0) of another host.
 */
static int probe_socket(struct tx *tx, void *arg)
{
	struct wire_job *j = arg;
	const uint32_t ip = ntohl(j->from.s_addr);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct arp, ip)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ip, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct arp, target_ip)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ip, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	return wire_packet_socket(tx, j, ETH_P_ARP, &program);
}

/* When the next probe is due, or after the last one the end. */
static int64_t next_step(const struct hold *l)
{
	return l->probe_begun + (int64_t)l->arp_probe * l->probes / PROBES;
}

static void send_probe(struct hold *l)
{
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_ARP),
					.sll_ifindex = l->index,
					.sll_halen = ETH_ALEN,
					.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct arp p = { .head[7] = ARPOP_REQUEST };

	memcpy(p.head, arp_head, sizeof(arp_head));
	memcpy(p.mac, l->v4.conf.mac, sizeof(p.mac));
	memcpy(p.target_ip, &l->v4.address, sizeof(p.target_ip));
	/* A probe that is lost is followed by another one. */
	(void)sendto(l->arp.fd, &p, sizeof(p), 0, (const struct sockaddr *)&to, sizeof(to));
	l->probes++;
}

int probe_begin(struct daemon *d, struct hold *l)
{
	if (!l->arp_probe || l->arp.fd >= 0)
		return 0;
	l->conflict = false;
	TRY(wire_open(d, l, probe_socket, l->v4.address, &l->arp));
	l->probes = 0;
	l->probe_begun = daemon_at().now;
	send_probe(l);
	return 0;
}

int64_t probe_timer(struct hold *l, int64_t now)
{
	if (l->arp.fd < 0)
		return DHCP_NEVER;
	while (l->probes < PROBES && next_step(l) <= now)
		send_probe(l);
	/* The end may pass between two looks at the clock: then the lease has to wake. */
	if (next_step(l) <= now && !l->checking)
		return DHCP_NEVER;
	return next_step(l);
}

bool probe_is_over(const struct hold *l, int64_t now)
{
	return l->arp.fd < 0 || l->conflict || (l->probes >= PROBES && next_step(l) <= now);
}

/* One message for each event, so that a flood of them does not keep other leases waiting. */
void probe_receive(struct hold *l)
{
	struct arp a;

	if (recv(l->arp.fd, &a, sizeof(a), MSG_DONTWAIT) < (ssize_t)sizeof(a) ||
	    memcmp(a.head, arp_head, sizeof(arp_head)) != 0 ||
	    memcmp(a.mac, l->v4.conf.mac, sizeof(a.mac)) == 0)
		return;
	l->conflict = true;
	memcpy(l->rival, a.mac, sizeof(l->rival));
}
