// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow.c - measures connections, throughput, and latency under load
 *
 *	flow serve PORT                      until killed; a client's first byte selects the mode
 *	flow connect ADDRESS PORT SECONDS    prints new connections per second
 *	flow stream ADDRESS PORT SECONDS     prints megabytes per second
 *	flow load ADDRESS PORT SECONDS       streams, and sends a UDP packet each 5 ms, which the
 *	                                     server returns; prints the median and the 99th
 *percentile of their round trips in milliseconds, and how many of a thousand were lost
 *
 * A connection counts when the server's answer was read, so both directions work.  It is closed by
 * a reset, which leaves no socket in TIME_WAIT.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 17];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hang_up(int fd)
{
	struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void serve_one(int fd)
{
	char wish;

	if (read(fd, &wish, 1) == 1 && write(fd, "!", 1) == 1 && wish == 's' && fork() == 0) {
		while (read(fd, block, sizeof(block)) > 0)
			;
		_exit(0);
	}
	close(fd);
}

/* Returns packets to their senders. */
static void serve_packets(const struct sockaddr_in *any)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in from;
	char packet[64];

	if (fd < 0 || bind(fd, (const struct sockaddr *)any, sizeof(*any)) < 0)
		err(1, "UDP port");
	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n =
			recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &size);

		if (n > 0)
			(void)!sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
}

static int serve(const char *port)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, client;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 4096) < 0)
		err(1, "port %s", port);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_packets(&any);
	}
	while ((client = accept(fd, NULL, NULL)) >= 0 || errno == ECONNABORTED || errno == EINTR)
		if (client >= 0)
			serve_one(client);
	err(1, "accept");
}

static int meet(const char *address, const char *port, char wish)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		errx(2, "%s: not an IPv4 address", address);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || write(fd, &wish, 1) != 1 ||
	    read(fd, &answer, 1) != 1)
		err(1, "%s port %s", address, port);
	return fd;
}

static int count_connections(const char *address, const char *port, double seconds)
{
	double began = now(), took;
	unsigned n = 0;

	for (; (took = now() - began) < seconds; n++)
		hang_up(meet(address, port, 'c'));
	printf("%.0f\n", n / took);
	return 0;
}

static int stream(const char *address, const char *port, double seconds)
{
	int fd = meet(address, port, 's');
	double began = now(), took, sent = 0;

	while ((took = now() - began) < seconds) {
		ssize_t n = write(fd, block, sizeof(block));

		if (n < 0)
			err(1, "write");
		sent += (double)n;
	}
	hang_up(fd);
	printf("%.0f\n", sent / took / 1e6);
	return 0;
}

enum { PROBES_MAX = 4096, PROBE_MS = 5 };

/* Round trips in milliseconds, by the number in the packet; 0: lost. */
static double trip[PROBES_MAX];

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct probe {
	double sent;
	unsigned number;
};

/* Takes what has come back until the time. */
static void collect(int fd, double until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct probe probe;
	double left;

	while ((left = until - now()) > 0) {
		if (poll(&p, 1, (int)(left * 1000) + 1) <= 0)
			continue;
		if (read(fd, &probe, sizeof(probe)) == sizeof(probe) && probe.number < PROBES_MAX)
			trip[probe.number] = (now() - probe.sent) * 1000;
	}
}

static void print_trips(unsigned sent)
{
	unsigned came = 0;

	for (unsigned i = 0; i < sent; i++)
		if (trip[i] > 0)
			trip[came++] = trip[i];
	if (!came)
		errx(1, "no packet came back");
	qsort(trip, came, sizeof(*trip), by_size);
	printf("%.2f %.2f %.1f\n", trip[came / 2], trip[(came - 1) * 99 / 100],
	       1000.0 * (sent - came) / sent);
}

static int load(const char *address, const char *port, double seconds)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double began = now();
	unsigned n = 0;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "%s", address);
	if (fork() == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		_exit(stream(address, port, seconds));
	}
	/* The queue is full after a moment. */
	for (collect(fd, began + seconds / 5); now() < began + seconds && n < PROBES_MAX; n++) {
		struct probe probe = { now(), n };

		(void)!write(fd, &probe, sizeof(probe));
		collect(fd, probe.sent + PROBE_MS / 1000.0);
	}
	collect(fd, now() + 0.5);
	wait(NULL);
	print_trips(n);
	return 0;
}

int main(int argc, char **argv)
{
	/* The network is measured, not the scheduler of a busy machine. */
	(void)setpriority(PRIO_PROCESS, 0, -15);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "connect") == 0)
		return count_connections(argv[2], argv[3], strtod(argv[4], NULL));
	if (argc == 5 && strcmp(argv[1], "stream") == 0)
		return stream(argv[2], argv[3], strtod(argv[4], NULL));
	if (argc == 5 && strcmp(argv[1], "load") == 0)
		return load(argv[2], argv[3], strtod(argv[4], NULL));
	errx(2, "usage: flow serve PORT | flow connect|stream|load ADDRESS PORT SECONDS");
}
