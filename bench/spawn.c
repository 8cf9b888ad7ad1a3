// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spawn.c - calls plugins as a runtime does, and measures the calls
 *
 *	spawn [-r ROUNDS] PLAN                   one container at a time
 *	spawn -b PARALLEL [-n CONTAINERS] [-r ROUNDS] PLAN    bursts
 *	spawn -k [-n CONTAINERS] PLAN            ADD only, all in one namespace, no output
 *	spawn -K [-n CONTAINERS] PLAN            ADD only, in namespaces of their own
 *
 * A plan is a sequence of words, separated by blanks:
 *
 *	case NAME
 *	lane NAME NETNS            a competitor, and the namespace of its host
 *	step VERB [VARIABLE=VALUE...] PROGRAM CONF [ARGUMENT...]     CONF "-": none
 *
 * The lanes are interleaved: in each round every lane calls its verbs for one container, so that
 * other load on the machine affects all lanes.  The steps of one verb (a chain of plugins) are one
 * sample.  In CONF and arguments @ID@, @NS@, @N@ and @IP@ are the container's ID, namespace, number
 * (4 digits), and its number as address.  The result of ADD is the prevResult of later steps
 * (except GC and STATUS).
 *
 * Prints these lines, with times in microseconds:
 *
 *	time CASE LANE VERB SAMPLES FAILED P50 P90 P99 MIN USER SYSTEM RSS-KIB
 *	ratio CASE VERB LANE LANE Q1 MEDIAN Q3      of the samples of the same round
 *	burst CASE LANE PARALLEL VERB CONTAINERS FAILED PER-SECOND P50 P99
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LANES = 16, STEPS = 32, WORDS = 24, VERBS = 8, ANSWER = 1 << 20 };

struct step {
	char *verb, *env[WORDS], *argv[WORDS], *conf;
};

struct lane {
	char *name;
	int netns;
	unsigned n_steps, n_verbs;
	struct step step[STEPS];
	const char *verb[VERBS];
};

struct sample {
	double wall, user, sys, rss;
	bool failed;
};

/* A lane's current container. */
struct box {
	const struct lane *lane;
	unsigned number;
	char id[64], netns[128], answer[ANSWER];
};

static char *case_name;
static struct lane lanes[LANES];
static unsigned n_lanes;
static const char *netns_folder;
static bool complained;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double microseconds(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static void *checked(void *p)
{
	if (!p)
		err(1, "memory");
	return p;
}

static char *text(const char *fmt, ...) __attribute__((__format__(__printf__, 1, 2)));

static char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		err(1, "memory");
	va_end(ap);
	return s;
}

/* ---- the plan ----------------------------------------------------------- */

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *s;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	s = checked(malloc((size_t)st.st_size + 1));
	n = read(fd, s, (size_t)st.st_size);
	if (n != st.st_size)
		err(1, "%s", path);
	s[n] = '\0';
	close(fd);
	return s;
}

static void read_step(struct lane *l, char *rest)
{
	struct step *s = &l->step[l->n_steps++];
	unsigned n_env = 0, n_arg = 0;
	char *word;

	if (l->n_steps > STEPS)
		errx(1, "%s: more than %d steps", l->name, STEPS);
	s->verb = strsep(&rest, " ");
	while ((word = strsep(&rest, " ")) && n_env + n_arg < WORDS - 4) {
		if (!n_arg && strchr(word, '='))
			s->env[n_env++] = word;
		else if (n_arg == 1 && !s->conf)
			s->conf = strcmp(word, "-") == 0 ? text("%s", "") : read_file(word);
		else
			s->argv[n_arg++] = word;
	}
	for (unsigned i = 0; i < l->n_verbs; i++)
		if (strcmp(l->verb[i], s->verb) == 0)
			return;
	if (l->n_verbs < VERBS)
		l->verb[l->n_verbs++] = s->verb;
}

static void read_lane(char *rest)
{
	struct lane *l = &lanes[n_lanes++];

	if (n_lanes > LANES)
		errx(1, "more than %d lanes", LANES);
	l->name = strsep(&rest, " ");
	l->netns = open(rest, O_RDONLY | O_CLOEXEC);
	if (l->netns < 0)
		err(1, "%s", rest);
}

static void read_plan(const char *path)
{
	char *all = read_file(path), *line;

	while ((line = strsep(&all, "\n"))) {
		char *rest = line, *what = strsep(&rest, " ");

		if (!rest)
			continue;
		if (strcmp(what, "case") == 0)
			case_name = rest;
		else if (strcmp(what, "lane") == 0)
			read_lane(rest);
		else if (strcmp(what, "step") == 0 && n_lanes)
			read_step(&lanes[n_lanes - 1], rest);
		else
			errx(1, "%s: what is \"%s\"?", path, what);
	}
	if (!case_name || !n_lanes)
		errx(1, "%s: there is nothing to do", path);
}

/* ---- containers --------------------------------------------------------- */

/* Creates a namespace with a bind mount, as `ip netns` does, and with lo's address. */
static void make_netns(const char *path)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);

	if (home < 0 || fd < 0 || unshare(CLONE_NEWNET) < 0 ||
	    mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0 ||
	    setns(home, CLONE_NEWNET) < 0)
		err(1, "%s", path);
	close(home);
	close(fd);
}

/* shared: another container has created the namespace */
static struct box *make_box(const struct lane *l, unsigned number, bool shared)
{
	struct box *b = checked(calloc(1, sizeof(*b)));

	b->lane = l;
	b->number = number;
	snprintf(b->id, sizeof(b->id), "%s%s-%04u", shared ? "pre-" : "", l->name, number);
	snprintf(b->netns, sizeof(b->netns), "%s/%s-%04u", netns_folder, l->name,
		 shared ? 0 : number);
	if (access(b->netns, F_OK) < 0)
		make_netns(b->netns);
	return b;
}

/* Replaces @ID@, @NS@, @N@ and @IP@. */
static char *fill(const struct box *b, const char *in)
{
	const struct {
		const char *name;
		char *value;
	} words[] = {
		{ "@ID@", text("%s", b->id) },
		{ "@NS@", text("%s", b->netns) },
		{ "@N@", text("%04u", b->number) },
		{ "@IP@", text("10.99.%u.%u", (b->number + 2) / 256, (b->number + 2) % 256) },
	};
	const unsigned n = sizeof(words) / sizeof(words[0]);
	size_t size = 0;
	char *out;
	FILE *f = checked(open_memstream(&out, &size));

	while (*in) {
		unsigned i = 0;

		while (i < n && strncmp(in, words[i].name, strlen(words[i].name)) != 0)
			i++;
		if (i < n) {
			fputs(words[i].value, f);
			in += strlen(words[i].name);
		} else {
			fputc(*in++, f);
		}
	}
	fclose(f);
	for (unsigned i = 0; i < n; i++)
		free(words[i].value);
	return out;
}

/* The configuration with the result of the previous plugin. */
static char *fill_conf(const struct box *b, const struct step *s)
{
	bool without = strcmp(s->verb, "GC") == 0 || strcmp(s->verb, "STATUS") == 0;
	char *conf = fill(b, s->conf), *brace = strrchr(conf, '}'), *full;

	if (!brace || !*b->answer || without)
		return conf;
	*brace = '\0';
	full = text("%s,\"prevResult\":%s}", conf, b->answer);
	free(conf);
	return full;
}

/* ---- one call ----------------------------------------------------------- */

struct child {
	pid_t pid;
	int in, out;
	char *argv[WORDS], *env[WORDS + 8];
};

static void words_of(const struct box *b, const struct step *s, struct child *c)
{
	const char *slash = strrchr(s->argv[0], '/');
	unsigned n = 0;

	for (unsigned i = 0; s->argv[i]; i++)
		c->argv[i] = fill(b, s->argv[i]);
	for (unsigned i = 0; s->env[i]; i++)
		c->env[n++] = fill(b, s->env[i]);
	c->env[n++] = text("PATH=%s", getenv("PATH"));
	c->env[n++] = text("CNI_COMMAND=%s", s->verb);
	c->env[n++] = text("CNI_CONTAINERID=%s", b->id);
	c->env[n++] = text("CNI_NETNS=%s", b->netns);
	c->env[n++] = text("CNI_IFNAME=eth0");
	if (slash)
		c->env[n++] = text("CNI_PATH=%.*s", (int)(slash - s->argv[0]), s->argv[0]);
	else
		c->env[n++] = text("CNI_PATH=.");
	c->env[n] = NULL;
}

static void start(struct child *c)
{
	posix_spawn_file_actions_t to;
	posix_spawnattr_t as_usual;
	sigset_t ours;
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		err(1, "pipe");
	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_adddup2(&to, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&to, out[1], STDOUT_FILENO);
	posix_spawnattr_init(&as_usual);
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	posix_spawnattr_setsigdefault(&as_usual, &ours);
	posix_spawnattr_setflags(&as_usual, POSIX_SPAWN_SETSIGDEF);
	errno = posix_spawn(&c->pid, c->argv[0], &to, &as_usual, c->argv, c->env);
	if (errno)
		err(1, "%s", c->argv[0]);
	posix_spawn_file_actions_destroy(&to);
	posix_spawnattr_destroy(&as_usual);
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = out[0];
}

static void talk(const struct child *c, const char *conf, char *answer)
{
	size_t left = strlen(conf), at = 0;
	ssize_t n;

	for (; left; conf += n, left -= (size_t)n) {
		n = write(c->in, conf, left);
		if (n < 0)
			break; /* the plugin does not read it */
	}
	close(c->in);
	while (at < ANSWER - 1 && (n = read(c->out, answer + at, ANSWER - 1 - at)) > 0)
		at += (size_t)n;
	answer[at] = '\0';
	close(c->out);
}

static void complain(const struct step *s, const char *answer)
{
	if (!complained)
		warnx("%s: %s %s failed (further failures are not printed): %s", case_name, s->verb,
		      s->argv[0], *answer ? answer : "without a word");
	complained = true;
}

static void run_step(struct box *b, const struct step *s, struct sample *to)
{
	static char answer[ANSWER];
	struct child c = { .pid = 0 };
	char *conf = fill_conf(b, s);
	struct rusage used;
	double began;
	int status;

	words_of(b, s, &c);
	began = now();
	start(&c);
	talk(&c, conf, answer);
	if (wait4(c.pid, &status, 0, &used) < 0)
		err(1, "wait");
	to->wall += now() - began;
	to->user += microseconds(used.ru_utime);
	to->sys += microseconds(used.ru_stime);
	to->rss = (double)used.ru_maxrss > to->rss ? (double)used.ru_maxrss : to->rss;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		to->failed = true;
		complain(s, answer);
	} else if (strcmp(s->verb, "ADD") == 0 && *s->conf) {
		memcpy(b->answer, answer, strlen(answer) + 1);
	}
	free(conf);
	for (unsigned i = 0; c.argv[i]; i++)
		free(c.argv[i]);
	for (unsigned i = 0; c.env[i]; i++)
		free(c.env[i]);
}

static struct sample run_verb(struct box *b, const char *verb)
{
	const struct lane *l = b->lane;
	struct sample s = { .wall = 0 };

	if (strcmp(verb, "ADD") == 0)
		b->answer[0] = '\0';
	for (unsigned i = 0; i < l->n_steps; i++)
		if (strcmp(l->step[i].verb, verb) == 0)
			run_step(b, &l->step[i], &s);
	return s;
}

/* Enters the namespace of the lane's host. */
static void enter(const struct lane *l)
{
	if (setns(l->netns, CLONE_NEWNET) < 0)
		err(1, "%s", l->name);
}

/* ---- numbers ------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts the values in place. */
static double quantile(double *v, unsigned n, double q)
{
	double at = q * (double)(n - 1);
	unsigned i = (unsigned)at;

	if (!n)
		return 0;
	qsort(v, n, sizeof(*v), compare);
	if (i + 1 == n)
		return v[i];
	return v[i] + (v[i + 1] - v[i]) * (at - (double)i);
}

struct table {
	struct sample *s; /* lane, verb, round */
	unsigned rounds;
};

static struct sample *cell(const struct table *t, unsigned lane, unsigned verb, unsigned round)
{
	return &t->s[((size_t)lane * VERBS + verb) * t->rounds + round];
}

static double median_of(const struct table *t, unsigned lane, unsigned verb, size_t member)
{
	double *v = checked(calloc(t->rounds, sizeof(*v))), median;

	for (unsigned r = 0; r < t->rounds; r++)
		memcpy(&v[r], (char *)cell(t, lane, verb, r) + member, sizeof(*v));
	median = quantile(v, t->rounds, 0.5);
	free(v);
	return median;
}

static void report_time(const struct table *t, unsigned lane, unsigned verb)
{
	double *v = checked(calloc(t->rounds, sizeof(*v))), p50;
	unsigned failed = 0, n = t->rounds;

	for (unsigned r = 0; r < n; r++) {
		v[r] = cell(t, lane, verb, r)->wall;
		failed += cell(t, lane, verb, r)->failed;
	}
	p50 = quantile(v, n, 0.5); /* sorts v */
	printf("time %s %s %s %u %u %.0f %.0f %.0f %.0f %.0f %.0f %.0f\n", case_name,
	       lanes[lane].name, lanes[lane].verb[verb], n, failed, p50, quantile(v, n, 0.9),
	       quantile(v, n, 0.99), v[0], median_of(t, lane, verb, offsetof(struct sample, user)),
	       median_of(t, lane, verb, offsetof(struct sample, sys)),
	       median_of(t, lane, verb, offsetof(struct sample, rss)));
	free(v);
}

static void report_ratio(const struct table *t, unsigned a, unsigned va, unsigned b, unsigned vb)
{
	double *v = checked(calloc(t->rounds, sizeof(*v)));
	unsigned n = t->rounds;

	for (unsigned r = 0; r < n; r++)
		v[r] = cell(t, a, va, r)->wall / cell(t, b, vb, r)->wall;
	printf("ratio %s %s %s %s %.3f %.3f %.3f\n", case_name, lanes[a].verb[va], lanes[a].name,
	       lanes[b].name, quantile(v, n, 0.25), quantile(v, n, 0.5), quantile(v, n, 0.75));
	free(v);
}

static void report(const struct table *t)
{
	for (unsigned a = 0; a < n_lanes; a++)
		for (unsigned va = 0; va < lanes[a].n_verbs; va++) {
			report_time(t, a, va);
			for (unsigned b = 0; b < n_lanes; b++)
				for (unsigned vb = 0; vb < lanes[b].n_verbs; vb++)
					if (a != b &&
					    strcmp(lanes[a].verb[va], lanes[b].verb[vb]) == 0)
						report_ratio(t, a, va, b, vb);
		}
}

/* ---- single containers -------------------------------------------------- */

static void run_rounds(unsigned rounds)
{
	static struct table t;
	struct box *boxes[LANES];

	t.rounds = rounds;
	t.s = checked(calloc((size_t)LANES * VERBS * rounds, sizeof(*t.s)));
	for (unsigned i = 0; i < n_lanes; i++)
		boxes[i] = make_box(&lanes[i], 0, false);
	/* The first round is not measured, because it creates bridges and tables. */
	for (unsigned r = 0; r <= rounds; r++)
		for (unsigned i = 0; i < n_lanes; i++) {
			unsigned l = (i + r) % n_lanes;

			enter(&lanes[l]);
			for (unsigned v = 0; v < lanes[l].n_verbs; v++) {
				struct sample s = run_verb(boxes[l], lanes[l].verb[v]);

				if (r)
					*cell(&t, l, v, r - 1) = s;
			}
		}
	report(&t);
}

/* ---- bursts ------------------------------------------------------------- */

struct shared {
	unsigned next;
	struct sample s[];
};

static void work(struct shared *sh, struct box **boxes, unsigned n, const char *verb)
{
	unsigned i;

	while ((i = __atomic_fetch_add(&sh->next, 1, __ATOMIC_RELAXED)) < n)
		sh->s[i] = run_verb(boxes[i], verb);
}

/*
 * Calls one verb for all containers of a lane, with `parallel` worker processes.  Returns the
 * duration.  The results of ADD stay in the workers, so DEL is called without prevResult, as by
 * runtimes that have lost their cache.
 */
static double burst(struct shared *sh, struct box **boxes, unsigned n, unsigned parallel,
		    const char *verb)
{
	double began = now();

	sh->next = 0;
	fflush(NULL);
	for (unsigned i = 0; i < parallel; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			work(sh, boxes, n, verb);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return now() - began;
}

struct tally {
	double *rate, *wall;
	unsigned n, failed;
};

static void count(struct tally *t, const struct shared *sh, unsigned n, unsigned round, double took)
{
	for (unsigned i = 0; i < n; i++) {
		t->wall[t->n++] = sh->s[i].wall;
		t->failed += sh->s[i].failed;
	}
	t->rate[round] = (double)n / took * 1e6;
}

enum keep { KEEP_NOTHING, KEEP_IN_ONE, KEEP_IN_OWN };

static void run_bursts(unsigned n, unsigned parallel, unsigned rounds, enum keep keep)
{
	size_t size = sizeof(struct shared) + n * sizeof(struct sample);
	struct shared *sh =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static struct tally tally[LANES][2];
	static const char *const verbs[] = { "ADD", "DEL" };
	static struct box **boxes[LANES];

	if (sh == MAP_FAILED)
		err(1, "memory");
	for (unsigned l = 0; l < n_lanes; l++) {
		boxes[l] = checked(calloc(n, sizeof(*boxes[l])));
		for (unsigned i = 0; i < n; i++)
			boxes[l][i] = make_box(&lanes[l], i, keep == KEEP_IN_ONE);
		for (unsigned v = 0; v < 2; v++) {
			tally[l][v].rate = checked(calloc(rounds, sizeof(double)));
			tally[l][v].wall = checked(calloc((size_t)rounds * n, sizeof(double)));
		}
	}
	for (unsigned r = 0; r < rounds; r++)
		for (unsigned l = 0; l < n_lanes; l++)
			for (unsigned v = 0; v < (keep ? 1 : 2); v++) {
				enter(&lanes[l]);
				memset(sh, 0, size);
				count(&tally[l][v], sh, n, r,
				      burst(sh, boxes[l], n, parallel, verbs[v]));
			}
	for (unsigned l = 0; l < n_lanes && !keep; l++)
		for (unsigned v = 0; v < 2; v++) {
			struct tally *t = &tally[l][v];

			printf("burst %s %s %u %s %u %u %.1f %.0f %.0f\n", case_name, lanes[l].name,
			       parallel, verbs[v], t->n, t->failed, quantile(t->rate, rounds, 0.5),
			       quantile(t->wall, t->n, 0.5), quantile(t->wall, t->n, 0.99));
		}
}

int main(int argc, char **argv)
{
	unsigned rounds = 1, parallel = 0, n = 64;
	enum keep keep = KEEP_NOTHING;
	int c;

	while ((c = getopt(argc, argv, "r:b:n:kK")) >= 0) {
		if (c == 'r')
			rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'b')
			parallel = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			n = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'k')
			keep = KEEP_IN_ONE;
		else if (c == 'K')
			keep = KEEP_IN_OWN;
		else
			optind = argc;
	}
	if (optind + 1 != argc || !rounds)
		errx(2, "usage: spawn [-r ROUNDS] [-b PARALLEL | -k | -K] [-n CONTAINERS] PLAN");
	netns_folder = getenv("BENCH_NETNS") ? getenv("BENCH_NETNS") : "/run/netns";
	signal(SIGPIPE, SIG_IGN); /* a plugin need not read its input */
	read_plan(argv[optind]);
	if (keep && !parallel)
		parallel = 2;
	if (parallel)
		run_bursts(n, parallel, keep ? 1 : rounds, keep);
	else
		run_rounds(rounds);
	return 0;
}
