/* Execs and connects on all processors until the file MARKER.stop is there: storm PLAIN DENIED
 * MARKER HOST PORT DENIED-PORT. PLAIN and DENIED are programs; the second, and DENIED-PORT, must be
 * refused. Says at the end how often what was done, and what came of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct counts {
	unsigned long execs, refused_execs, connects, refused_connects, odd;
};

static struct counts *counts;
static char end[4096];
static char word[] = "go";
static char *plain[] = { NULL, word, NULL }, *denied[] = { NULL, word, NULL, NULL };
static struct sockaddr_in open_port, denied_port;

static void odd(struct counts *c, const char *what, int value)
{
	if (c->odd++ < 10)
		fprintf(stderr, "odd: %s %d\n", what, value);
}

static int run(char **argv)
{
	pid_t pid = vfork();
	int st;

	if (!pid) {
		execv(argv[0], argv);
		_exit(97);
	}
	while (waitpid(pid, &st, 0) != pid)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

static int reach(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, (const struct sockaddr *)to, sizeof(*to)) ? -errno : 0;

	close(fd);
	return err;
}

static void try_exec(struct counts *c)
{
	int status = run(plain);

	if (status)
		odd(c, "exec", status);
	else
		c->execs++;
}

/* 137: the keeper was killed, and with it what it held. */
static void try_denied_exec(struct counts *c)
{
	int status = run(denied);

	if (status != 126 && status != 137)
		odd(c, "denied exec", status);
	else
		c->refused_execs++;
}

static void try_connect(struct counts *c)
{
	int err = reach(&open_port);

	if (err)
		odd(c, "connect", err);
	else
		c->connects++;
}

static void try_denied_connect(struct counts *c)
{
	int err = reach(&denied_port);

	if (err != -EPERM)
		odd(c, "denied connect", err);
	else
		c->refused_connects++;
}

static void work(struct counts *c)
{
	for (unsigned int i = 0; access(end, F_OK); i++) {
		try_exec(c);
		if (i % 4 == 1)
			try_connect(c);
		if (i % 16 == 3)
			try_denied_exec(c);
		if (i % 16 == 11)
			try_denied_connect(c);
	}
}

static void parse(char **argv)
{
	static char marker[4096];

	snprintf(marker, sizeof(marker), "marker=%s", argv[3]);
	snprintf(end, sizeof(end), "%s.stop", argv[3]);
	plain[0] = argv[1];
	denied[0] = argv[2];
	denied[2] = marker;
	open_port.sin_family = AF_INET;
	inet_pton(AF_INET, argv[4], &open_port.sin_addr);
	denied_port = open_port;
	open_port.sin_port = htons(atoi(argv[5]));
	denied_port.sin_port = htons(atoi(argv[6]));
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct counts sum = { 0 };

	if (argc != 7) {
		fputs("usage: storm PLAIN DENIED MARKER HOST PORT DENIED-PORT\n", stderr);
		return 2;
	}
	parse(argv);
	counts = mmap(NULL, cpus * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < cpus; i++) {
		if (fork())
			continue;
		work(&counts[i]);
		_exit(0);
	}
	puts("blows");
	fflush(stdout);
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < cpus; i++) {
		sum.execs += counts[i].execs;
		sum.refused_execs += counts[i].refused_execs;
		sum.connects += counts[i].connects;
		sum.refused_connects += counts[i].refused_connects;
		sum.odd += counts[i].odd;
	}
	printf("execs %lu refused %lu connects %lu refused %lu odd %lu\n", sum.execs,
	       sum.refused_execs, sum.connects, sum.refused_connects, sum.odd);
	return 0;
}
