/* around WAY [ARG…]: ways around a monitor that need C. Says what came of it in a word. The ways
 * stand in the table at the end. As `victim-deny go MARKER`, by a link of that name, it is what the
 * races run: it leaves the marker. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../e2e/victims/uring.h"

static char *racy; /* two bytes that another thread rewrites without pause */
static const char *words[] = { "go", "no" };

static void *rewrite(void *unused)
{
	for (unsigned int i = 0;; i++) {
		memcpy(racy, words[i & 1], 2);
		__asm__ volatile("" ::: "memory");
	}
	return unused;
}

static int say(int err)
{
	puts(err ? strerrorname_np(err) : "OK");
	return err != 0;
}

static int start_rewriting(char *at)
{
	pthread_t thread;

	racy = at;
	return pthread_create(&thread, NULL, rewrite, NULL);
}

/* By vfork: the child shares the memory of the thread that rewrites. */
static __attribute__((noinline)) pid_t start(char **args)
{
	pid_t pid = vfork();

	if (!pid) {
		execv(args[0], args);
		_exit(98);
	}
	return pid;
}

/* exec-race TRIALS PROGRAM MARKER: `PROGRAM go MARKER` or `PROGRAM no MARKER`, as the other thread
 * has it in that moment. */
static int way_exec_race(char **argv)
{
	static char word[] = "no";
	char *args[] = { argv[1], word, argv[2], NULL };
	int refused = 0, st;

	start_rewriting(word);
	for (int trials = atoi(argv[0]); trials > 0; trials--) {
		pid_t pid = start(args);

		refused += waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 126;
	}
	printf("%d refused\n", refused);
	return 0;
}

static struct sockaddr_in goal;

/* connect-race TRIALS HOST PORT DENIED: the port is rewritten meanwhile. */
static int way_connect_race(char **argv)
{
	static char ports[2][2];
	int refused = 0, trials = atoi(argv[0]);

	for (int i = 0; i < 2; i++) {
		in_port_t port = htons(atoi(argv[2 + i]));

		memcpy(ports[i], &port, 2);
		words[i] = ports[i];
	}
	goal.sin_family = AF_INET;
	inet_pton(AF_INET, argv[1], &goal.sin_addr);
	start_rewriting((char *)&goal.sin_port);
	/* on one processor it may take long until the other thread has its turn */
	for (int i = 0; i < trials || (!refused && i < 100 * trials); i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		refused += connect(fd, (struct sockaddr *)&goal, sizeof(goal)) && errno == EPERM;
		close(fd);
	}
	printf("%d refused\n", refused);
	return 0;
}

static int way_uring_unlink(char **argv)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_UNLINKAT,
				    .fd = AT_FDCWD,
				    .addr = (uintptr_t)argv[0] };

	return say(-uring_do(0, NULL, &sqe));
}

/* uring-rename FROM TO */
static int way_uring_rename(char **argv)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_RENAMEAT,
				    .fd = AT_FDCWD,
				    .addr = (uintptr_t)argv[0],
				    .len = AT_FDCWD,
				    .addr2 = (uintptr_t)argv[1] };

	return say(-uring_do(0, NULL, &sqe));
}

static int filter_connect(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		       &prog);
}

/* Its own connect goes to its parent first, which lets it go on with another port. */
static int connect_under_filter(int to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), listener = filter_connect();

	if (listener < 0 || write(to, &listener, sizeof(listener)) < 0)
		return say(errno);
	return say(connect(fd, (struct sockaddr *)&goal, sizeof(goal)) ? errno : 0);
}

static int answer_for(pid_t child, int listener, in_port_t port)
{
	struct seccomp_notif ask = { 0 };
	struct seccomp_notif_resp go = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct iovec from = { &port, sizeof(port) }, to = { &goal.sin_port, sizeof(port) };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask))
		return -errno;
	if (process_vm_writev(child, &from, 1, &to, 1, 0) < 0)
		perror("process_vm_writev");
	go.id = ask.id;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go) ? -errno : 0;
}

/* A system call that the kernel restarts asks again. Before 6.11 the listener hears of the child's
 * end only when that has been waited for. */
static void answer_all(pid_t child, int pidfd, int listener, in_port_t port)
{
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN },
			      { .fd = listener, .events = POLLIN } };

	while (poll(p, 2, -1) > 0 && !p[0].revents && p[1].revents & POLLIN)
		answer_for(child, listener, port);
}

/* seccomp-notify HOST PORT DENIED */
static int way_seccomp_notify(char **argv)
{
	int tube[2], theirs = -1, pidfd, st = 0;
	pid_t child;

	goal.sin_family = AF_INET;
	goal.sin_port = htons(atoi(argv[1]));
	inet_pton(AF_INET, argv[0], &goal.sin_addr);
	child = pipe(tube) ? -1 : fork();
	if (!child)
		exit(connect_under_filter(tube[1]));
	if (read(tube[0], &theirs, sizeof(theirs)) != sizeof(theirs))
		return say(EPIPE);
	pidfd = syscall(SYS_pidfd_open, child, 0);
	theirs = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	if (theirs < 0)
		return say(errno);
	answer_all(child, pidfd, theirs, htons(atoi(argv[2])));
	waitpid(child, &st, 0);
	return WEXITSTATUS(st);
}

static int be_victim(char **argv)
{
	int fd = strcmp(argv[1], "go") ? -2 : open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (fd >= 0 && write(fd, "ran\n", 4) == 4)
		close(fd);
	return fd == -1 ? 99 : 0;
}

static const struct {
	const char *name;
	int args;
	int (*go)(char **argv);
} ways[] = {
	{ "exec-race", 3, way_exec_race },	     { "connect-race", 4, way_connect_race },
	{ "uring-unlink", 1, way_uring_unlink },     { "uring-rename", 2, way_uring_rename },
	{ "seccomp-notify", 3, way_seccomp_notify },
};

int main(int argc, char **argv)
{
	if (argc == 3 && strstr(argv[0], "victim-deny"))
		return be_victim(argv);
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[1], ways[i].name) && argc == 2 + ways[i].args)
			return ways[i].go(argv + 2);
	fputs("usage: around WAY [ARG…]\n", stderr);
	return 2;
}
