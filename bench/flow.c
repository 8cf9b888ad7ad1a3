// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow.c - measures connections and throughput of a published port
 *
 *	flow serve PORT                      until killed; a client's first byte selects the mode
 *	flow connect ADDRESS PORT SECONDS    prints new connections per second
 *	flow stream ADDRESS PORT SECONDS     prints megabytes per second
 *
 * A connection counts when the server's answer was read, so both directions work.  It is closed by
 * a reset, which leaves no socket in TIME_WAIT.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
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

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "connect") == 0)
		return count_connections(argv[2], argv[3], strtod(argv[4], NULL));
	if (argc == 5 && strcmp(argv[1], "stream") == 0)
		return stream(argv[2], argv[3], strtod(argv[4], NULL));
	errx(2, "usage: flow serve PORT | flow connect|stream ADDRESS PORT SECONDS");
}
