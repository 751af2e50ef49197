/* Starts a program in an unusual way: launch WAY PROGRAM [ARG…]. Its exit status is the program's,
 * or 128 and the number of the signal that ended it. The ways stand in the table at the end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE (256 * 1024)

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(98);
}

static int status_of(int st)
{
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

static int wait_for(pid_t pid)
{
	int st;

	if (pid < 0)
		die("no child");
	while (waitpid(pid, &st, __WALL) < 0)
		if (errno != EINTR)
			die("waitpid");
	return status_of(st);
}

static int exec_it(void *argv)
{
	char **words = argv;

	execv(words[0], words);
	perror(words[0]);
	_exit(97);
}

static int way_fork(char **argv)
{
	pid_t pid = fork();

	if (!pid)
		exec_it(argv);
	return wait_for(pid);
}

static int way_vfork(char **argv)
{
	pid_t pid = vfork();

	if (!pid) {
		execv(argv[0], argv);
		_exit(97);
	}
	return wait_for(pid);
}

static int way_spawn(char **argv)
{
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		die("posix_spawn");
	return wait_for(pid);
}

static void *exec_thread(void *argv)
{
	exec_it(argv);
	return NULL;
}

static void *idle_thread(void *unused)
{
	pause();
	return unused;
}

static int way_thread(char **argv)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, idle_thread, NULL))
			die("pthread_create");
	if (pthread_create(&t, NULL, exec_thread, argv))
		die("pthread_create");
	for (;;)
		pause();
}

static int way_clone3(char **argv)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		exec_it(argv);
	return wait_for(pid);
}

/* The grandchild is a child of this process: its own parent asked for that. */
static int clone_sibling(void *argv)
{
	char *stack = malloc(STACK_SIZE);

	if (!stack || clone(exec_it, stack + STACK_SIZE, CLONE_PARENT | SIGCHLD, argv) < 0)
		die("clone");
	return 0;
}

static int way_clone_parent(char **argv)
{
	int st, status = 0;
	char *stack = malloc(STACK_SIZE);
	pid_t first = stack ? clone(clone_sibling, stack + STACK_SIZE, SIGCHLD, argv) : -1, pid;

	if (first < 0)
		die("clone");
	while ((pid = waitpid(-1, &st, __WALL)) > 0)
		if (pid != first)
			status = status_of(st);
	return status;
}

/* Nobody waits for the program: it runs as an orphan in a session of its own. */
static int way_double_fork(char **argv)
{
	pid_t pid = fork();

	if (!pid) {
		setsid();
		pid = fork();
		if (!pid)
			exec_it(argv);
		_exit(pid < 0);
	}
	return wait_for(pid);
}

/* In a process group that becomes an orphan while the program is held: the kernel then sends
 * SIGHUP, which is ignored, and SIGCONT. */
static int way_orphan(char **argv)
{
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, 0);
		signal(SIGHUP, SIG_IGN);
		pid = fork();
		if (!pid)
			exec_it(argv);
		usleep(300 * 1000);
		_exit(0);
	}
	return wait_for(pid);
}

static int copy_to(int to, const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	off_t left = from < 0 ? -1 : lseek(from, 0, SEEK_END), at = 0;

	while (at < left)
		if (sendfile(to, from, &at, left - at) <= 0)
			die("sendfile");
	close(from);
	return left < 0 ? -1 : 0;
}

static int way_memfd(char **argv)
{
	int fd = memfd_create("payload", MFD_CLOEXEC);

	if (fd < 0 || copy_to(fd, argv[0]))
		die("memfd");
	fexecve(fd, argv, environ);
	die("fexecve");
}

static int way_execveat(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC);

	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	die("execveat");
}

/* A copy whose only name is gone by the time it runs. */
static int way_deleted(char **argv)
{
	char name[] = "launch-XXXXXX", path[64];
	int fd = mkstemp(name), again;

	if (fd < 0 || copy_to(fd, argv[0]) || fchmod(fd, 0755))
		die(name);
	again = open(name, O_RDONLY);
	close(fd);
	unlink(name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", again);
	execv(path, argv);
	die(path);
}

static int way_proc_self_root(char **argv)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/self/root%s", argv[0]);
	argv[0] = path;
	return exec_it(argv);
}

/* launch as NAME PROGRAM [ARG…]: argv[0] is NAME. */
static int way_as(char **argv)
{
	execv(argv[1], (char *[]) { argv[0], argv[2], argv[3], argv[4], argv[5], NULL });
	die(argv[1]);
}

/* launch pad BYTES PROGRAM [ARG…]: so many bytes of options come before the first ARG. */
static int way_pad(char **argv)
{
	const struct rlimit stack = { 64 << 20, RLIM_INFINITY };
	size_t bytes = strtoul(argv[0], NULL, 10), words = bytes / 100000 + 1, n = 0;
	char **padded = calloc(words + 16, sizeof(*padded));

	if (!padded || setrlimit(RLIMIT_STACK, &stack))
		die("pad");
	padded[n++] = argv[1];
	for (size_t i = 0; i < words; i++) {
		size_t len = bytes / words;
		char *word = malloc(len + 8);

		if (!word)
			die("malloc");
		memset(word, 'x', len);
		memcpy(word, "-var=", 5);
		word[len] = 0;
		padded[n++] = word;
	}
	for (char **w = argv + 2; *w && n < words + 15; w++)
		padded[n++] = *w;
	return exec_it(padded);
}

/* The child is traced, and its tracer lets no stop stand. */
static int way_traced(char **argv)
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		exec_it(argv);
	}
	while (waitpid(pid, &st, __WALL) == pid && WIFSTOPPED(st)) {
		int sig = WSTOPSIG(st);

		if (sig == SIGTRAP || sig == SIGSTOP)
			sig = 0;
		ptrace(PTRACE_CONT, pid, 0, sig);
	}
	return status_of(st);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* launch storm TRIALS PROGRAM [ARG…]: in each trial SIGCONT without pause from fork on, then the
 * end. */
static int way_storm(char **argv)
{
	for (int trials = atoi(argv[0]); trials > 0; trials--) {
		uint64_t end = now_ms() + 20;
		pid_t pid = fork();

		if (!pid)
			exec_it(argv + 1);
		while (now_ms() < end)
			kill(pid, SIGCONT);
		kill(pid, SIGKILL);
		wait_for(pid);
	}
	return 0;
}

/* launch many COUNT PROGRAM [ARG…]: all at once. The status is how many ended with another status
 * than 126. */
static int way_many(char **argv)
{
	int count = atoi(argv[0]), other = 0, st;

	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			exec_it(argv + 1);
	}
	while (wait(&st) > 0)
		other += status_of(st) != 126;
	return other > 90 ? 90 : other;
}

/* Says on stdout whenever a child is seen stopped. */
static int way_watch_stops(char **argv)
{
	pid_t pid = fork();
	int st;

	if (!pid)
		exec_it(argv);
	while (waitpid(pid, &st, WUNTRACED | WCONTINUED) == pid && !WIFEXITED(st) &&
	       !WIFSIGNALED(st))
		puts(WIFSTOPPED(st) ? "Stopped" : "Continued");
	return status_of(st);
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} ways[] = {
	{ "fork", way_fork },
	{ "vfork", way_vfork },
	{ "spawn", way_spawn },
	{ "thread", way_thread },
	{ "clone3", way_clone3 },
	{ "clone-parent", way_clone_parent },
	{ "double-fork", way_double_fork },
	{ "orphan", way_orphan },
	{ "memfd", way_memfd },
	{ "execveat", way_execveat },
	{ "deleted", way_deleted },
	{ "proc-self-root", way_proc_self_root },
	{ "as", way_as },
	{ "pad", way_pad },
	{ "traced", way_traced },
	{ "storm", way_storm },
	{ "many", way_many },
	{ "watch-stops", way_watch_stops },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[1], ways[i].name))
			return ways[i].run(argv + 2);
	fputs("usage: launch WAY PROGRAM [ARG…]\n", stderr);
	return 96;
}
