/* The loads of the benchmark. One line per sample on stdout: nanoseconds.
 *
 *	load exec N PROGRAM [ARG…]	N times vfork, exec and the end of PROGRAM
 *	load fork N			N times fork and the end of the child
 *	load pad N BYTES PROGRAM	as exec, with BYTES of harmless argv
 *	load connect N PORT		N TCP connects to a listener of its own on 127.0.0.1
 *	load sendto N PORT		N datagrams to a socket of its own there
 *	load storm MS PROGRAM [ARG…]	as exec, for so long, on all processors; prints only
 *					the count */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void run_once(char **argv)
{
	pid_t pid = vfork();

	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
		perror(argv[0]);
		exit(1);
	}
}

static void fork_once(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
		perror("fork");
		exit(1);
	}
}

/* Samples are kept until the end, so that printing disturbs none. */
static void print_samples(uint64_t *took, long n)
{
	for (long i = 0; i < n; i++)
		printf("%llu\n", (unsigned long long)took[i]);
	free(took);
}

static int measure(long n, char **argv)
{
	uint64_t *took = calloc(n, sizeof(*took)), start;

	if (!took)
		return 1;
	for (long i = 0; i < n; i++) {
		start = now_ns();
		if (argv)
			run_once(argv);
		else
			fork_once();
		took[i] = now_ns() - start;
	}
	print_samples(took, n);
	return 0;
}

static int open_own(int type, int port, struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, type, 0), on = 1;

	*ret = (struct sockaddr_in) { .sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)ret, sizeof(*ret)) ||
	    (type == SOCK_STREAM && listen(fd, 16))) {
		perror("bind");
		exit(1);
	}
	return fd;
}

/* The connection is reset at its end: none stays in TIME_WAIT. */
static int measure_connect(long n, int port)
{
	struct linger reset = { .l_onoff = 1 };
	uint64_t *took = calloc(n, sizeof(*took)), start;
	struct sockaddr_in to;
	int listener = open_own(SOCK_STREAM, port, &to), fd;

	for (long i = 0; i < n; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		start = now_ns();
		if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
			perror("connect");
			return 1;
		}
		took[i] = now_ns() - start;
		close(accept(listener, NULL, NULL));
		close(fd);
	}
	print_samples(took, n);
	return 0;
}

static int measure_sendto(long n, int port)
{
	uint64_t *took = calloc(n, sizeof(*took)), start;
	struct sockaddr_in to;
	int sink = open_own(SOCK_DGRAM, port, &to), fd = socket(AF_INET, SOCK_DGRAM, 0);
	char byte = 0;

	for (long i = 0; i < n; i++) {
		start = now_ns();
		if (sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1) {
			perror("sendto");
			return 1;
		}
		took[i] = now_ns() - start;
		if (recv(sink, &byte, 1, 0) != 1)
			return 1;
	}
	print_samples(took, n);
	return 0;
}

static int measure_padded(long n, size_t bytes, char *program)
{
	size_t words = bytes / 1000, used = 0;
	char **argv = calloc(words + 3, sizeof(*argv)), *word = malloc(1000);

	if (!argv || !word)
		return 1;
	memset(word, 'x', 999);
	word[999] = 0;
	argv[used++] = program;
	for (size_t i = 0; i < words; i++)
		argv[used++] = word;
	if (bytes % 1000)
		argv[used++] = word + 999 - bytes % 1000;
	return measure(n, argv);
}

static int storm(long ms, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t end = now_ns() + ms * 1000000ULL;
	uint64_t *counts = mmap(NULL, cpus * sizeof(*counts), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		 total = 0;

	for (long i = 0; i < cpus; i++) {
		if (fork())
			continue;
		for (; now_ns() < end; counts[i]++)
			run_once(argv);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < cpus; i++)
		total += counts[i];
	printf("%llu\n", (unsigned long long)total);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;

	if (!strcmp(what, "exec") && argc > 3)
		return measure(n, argv + 3);
	if (!strcmp(what, "fork"))
		return measure(n, NULL);
	if (!strcmp(what, "pad") && argc > 4)
		return measure_padded(n, atol(argv[3]), argv[4]);
	if (!strcmp(what, "connect") && argc > 3)
		return measure_connect(n, atoi(argv[3]));
	if (!strcmp(what, "sendto") && argc > 3)
		return measure_sendto(n, atoi(argv[3]));
	if (!strcmp(what, "storm") && argc > 3)
		return storm(n, argv + 3);
	fputs("usage: load exec|fork|pad|connect|sendto|storm N …\n", stderr);
	return 2;
}
