/* Makes a connection, or sends a datagram, in one of many ways: connect WAY HOST PORT [OPTION…].
 * It says "hello" and waits for an answer; what became of it is one line, "WAY: OK" or "WAY:
 *EPERM". The ways stand in the table at the end.
 *
 *	again=N		N more attempts
 *	handle=NUMBER	has a handler for this signal, and says at the end how often it ran
 *	inside=PORT	that handler makes a TCP connection of its own, to this port
 *	alarm=MS	is sent SIGALRM then
 *	pass=PATH	where "scm" gets its socket from
 *	first=PORT	where "udp-redirected" is connected to */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uring.h"

struct target {
	struct sockaddr_storage addr;
	socklen_t len;
	int family;
};

static struct target goal, first, inside;
static const char *pass_path;
static volatile sig_atomic_t handled, inside_result = -1;

static const struct sockaddr *address(const struct target *t)
{
	return (const struct sockaddr *)&t->addr;
}

static int parse_target(const char *host, int port, struct target *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->addr;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = ret->family = AF_INET;
		v4->sin_port = htons(port);
		ret->len = sizeof(*v4);
		return 0;
	}
	v6->sin6_family = ret->family = AF_INET6;
	v6->sin6_port = htons(port);
	ret->len = sizeof(*v6);
	return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int open_socket(int type, int protocol)
{
	int fd = socket(goal.family, type | SOCK_CLOEXEC, protocol);
	struct timeval patience = { .tv_sec = 20 };

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* --- what is said once there is a connection; each closes its socket and returns 0 or an errno */

static int hear(int fd)
{
	char answer[16];
	ssize_t n = recv(fd, answer, sizeof(answer), 0);
	int err = n < 0 ? -errno : n == 6 && !memcmp(answer, "reply\n", 6) ? 0 : -EPROTO;

	close(fd);
	return err;
}

static int give_up(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

static int talk(int fd)
{
	if (send(fd, "hello\n", 6, MSG_NOSIGNAL) != 6)
		return give_up(fd);
	return hear(fd);
}

static int connect_and_talk(int fd, const struct target *t)
{
	if (fd < 0)
		return fd;
	if (connect(fd, address(t), t->len))
		return give_up(fd);
	return talk(fd);
}

/* --- TCP */

static int way_tcp(void)
{
	return connect_and_talk(open_socket(SOCK_STREAM, 0), &goal);
}

static int way_mptcp(void)
{
	return connect_and_talk(open_socket(SOCK_STREAM, IPPROTO_MPTCP), &goal);
}

static int way_nonblock(void)
{
	int fd = open_socket(SOCK_STREAM | SOCK_NONBLOCK, 0), err = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(err);

	if (connect(fd, address(&goal), goal.len) && errno != EINPROGRESS)
		return give_up(fd);
	poll(&p, 1, 20000);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	errno = err;
	if (err)
		return give_up(fd);
	fcntl(fd, F_SETFL, 0);
	return talk(fd);
}

static int way_fastopen(void)
{
	int fd = open_socket(SOCK_STREAM, 0);

	if (sendto(fd, "hello\n", 6, MSG_FASTOPEN | MSG_NOSIGNAL, address(&goal), goal.len) != 6)
		return give_up(fd);
	return hear(fd);
}

static int way_fastopen_connect(void)
{
	int fd = open_socket(SOCK_STREAM, 0), on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)))
		return give_up(fd);
	return connect_and_talk(fd, &goal);
}

/* --- UDP */

static int way_udp(void)
{
	return connect_and_talk(open_socket(SOCK_DGRAM, 0), &goal);
}

static int send_to_goal(int fd)
{
	if (sendto(fd, "hello\n", 6, 0, address(&goal), goal.len) != 6)
		return give_up(fd);
	return hear(fd);
}

static int way_udp_sendto(void)
{
	return send_to_goal(open_socket(SOCK_DGRAM, 0));
}

static int way_udp_redirected(void)
{
	int fd = open_socket(SOCK_DGRAM, 0);

	if (connect(fd, address(&first), first.len))
		return give_up(fd);
	if (sendto(fd, "hello\n", 6, 0, address(&goal), goal.len) != 6)
		return give_up(fd);
	close(fd);
	return 0;
}

static char hello_text[] = "hello\n";
static struct iovec hello = { .iov_base = hello_text, .iov_len = 6 };

static struct msghdr hello_message(void)
{
	return (struct msghdr) {
		.msg_name = &goal.addr, .msg_namelen = goal.len, .msg_iov = &hello, .msg_iovlen = 1
	};
}

static int way_udp_sendmsg(void)
{
	int fd = open_socket(SOCK_DGRAM, 0);
	struct msghdr m = hello_message();

	if (sendmsg(fd, &m, 0) != 6)
		return give_up(fd);
	return hear(fd);
}

static int way_udp_sendmmsg(void)
{
	struct mmsghdr m[3] = { { hello_message(), 0 },
				{ hello_message(), 0 },
				{ hello_message(), 0 } };
	int fd = open_socket(SOCK_DGRAM, 0);
	int n = sendmmsg(fd, m, 3, 0);

	if (n < 0)
		return give_up(fd);
	return n == 3 ? hear(fd) : -EMSGSIZE;
}

/* --- another table of system calls */

#ifdef __x86_64__
enum {
	IA32_SOCKETCALL = 102,
	IA32_CONNECT = 362,
	CALL_CONNECT = 3,
	CALL_SENDTO = 11,
	CALL_SENDMMSG = 20
};

static int ia32(int number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"((long)number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

/* Memory that 32 bits can name: the address, the words of the call, the text. */
struct low {
	struct sockaddr_storage addr;
	uint32_t words[6];
	char text[8];
	struct {
		uint32_t name, name_len, iov, iov_len, control, control_len, flags, sent;
	} messages[2];
	uint32_t iov[2];
};

static struct low *low_memory(void)
{
	struct low *low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	low->addr = goal.addr;
	memcpy(low->text, "hello\n", 6);
	return low;
}

static int way_ia32(void)
{
	int fd = open_socket(SOCK_STREAM, 0);
	int err = ia32(IA32_CONNECT, fd, (long)&low_memory()->addr, goal.len);

	return err ? (close(fd), err) : talk(fd);
}

static int way_ia32_socketcall(void)
{
	int fd = open_socket(SOCK_STREAM, 0), err;
	struct low *low = low_memory();

	low->words[0] = fd;
	low->words[1] = (uintptr_t)&low->addr;
	low->words[2] = goal.len;
	err = ia32(IA32_SOCKETCALL, CALL_CONNECT, (long)low->words, 0);
	return err ? (close(fd), err) : talk(fd);
}

static int way_ia32_sendto(void)
{
	int fd = open_socket(SOCK_DGRAM, 0), n;
	struct low *low = low_memory();

	low->words[0] = fd;
	low->words[1] = (uintptr_t)low->text;
	low->words[2] = 6;
	low->words[4] = (uintptr_t)&low->addr;
	low->words[5] = goal.len;
	n = ia32(IA32_SOCKETCALL, CALL_SENDTO, (long)low->words, 0);
	return n < 0 ? (close(fd), n) : hear(fd);
}

/* The second of them goes elsewhere, as each has an address of its own. */
static int way_ia32_sendmmsg(void)
{
	int fd = open_socket(SOCK_DGRAM, 0), n;
	struct low *low = low_memory(), *other = low_memory();

	other->addr = first.addr;
	low->iov[0] = (uintptr_t)low->text;
	low->iov[1] = 6;
	for (int i = 0; i < 2; i++) {
		low->messages[i].name = (uintptr_t)(i ? &low->addr : &other->addr);
		low->messages[i].name_len = goal.len;
		low->messages[i].iov = (uintptr_t)low->iov;
		low->messages[i].iov_len = 1;
	}
	low->words[0] = fd;
	for (int sent = 0; sent < 2; sent += n) {
		low->words[1] = (uintptr_t)(low->messages + sent);
		low->words[2] = 2 - sent;
		n = ia32(IA32_SOCKETCALL, CALL_SENDMMSG, (long)low->words, 0);
		if (n <= 0)
			return close(fd), n;
	}
	close(fd);
	return 0;
}

static int way_x32(void)
{
	int fd = open_socket(SOCK_STREAM, 0);

	if (syscall(0x40000000 + SYS_connect, fd, &goal.addr, goal.len))
		return give_up(fd);
	return talk(fd);
}
#endif

/* --- io_uring */

static int ring_connect(unsigned int setup, unsigned int sqe_flags)
{
	int fd = open_socket(SOCK_STREAM, 0);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT,
				    .fd = fd,
				    .flags = sqe_flags,
				    .addr = (uintptr_t)&goal.addr,
				    .off = goal.len };
	int err = uring_do(setup, NULL, &sqe);

	return err ? (close(fd), err) : talk(fd);
}

static int way_uring(void)
{
	return ring_connect(0, 0);
}

static int way_uring_async(void)
{
	return ring_connect(0, IOSQE_ASYNC);
}

static int way_uring_sqpoll(void)
{
	return ring_connect(IORING_SETUP_SQPOLL, 0);
}

/* Behind a time-out: issued while the thread sleeps in another system call. */
static int way_uring_linked(void)
{
	struct __kernel_timespec soon = { .tv_nsec = 20000000 };
	struct io_uring_sqe wait = { .opcode = IORING_OP_TIMEOUT,
				     .flags = IOSQE_IO_LINK,
				     .addr = (uintptr_t)&soon,
				     .len = 1,
				     .timeout_flags = IORING_TIMEOUT_ETIME_SUCCESS };
	int fd = open_socket(SOCK_STREAM, 0);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT,
				    .fd = fd,
				    .addr = (uintptr_t)&goal.addr,
				    .off = goal.len };
	int err = uring_do(0, &wait, &sqe);

	return err ? (close(fd), err) : talk(fd);
}

static int way_uring_sendmsg(void)
{
	int fd = open_socket(SOCK_DGRAM, 0), n;
	struct msghdr m = hello_message();
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)&m, .len = 1
	};

	n = uring_do(0, NULL, &sqe);
	return n < 0 ? (close(fd), n) : hear(fd);
}

/* --- who connects */

static int receive_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char space[CMSG_SPACE(sizeof(int))], byte;
	struct iovec v = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int from = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	if (connect(from, (struct sockaddr *)&a, sizeof(a)) || recvmsg(from, &m, 0) != 1)
		return -errno;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	close(from);
	return fd;
}

static int way_scm(void)
{
	return connect_and_talk(receive_socket(pass_path), &goal);
}

static volatile int shared_result;

static int status_of_child(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(st) ? -EOWNERDEAD : shared_result;
}

static int way_vfork(void)
{
	pid_t pid = vfork();

	if (!pid) {
		shared_result = way_tcp();
		_exit(0);
	}
	return status_of_child(pid);
}

static void *connect_thread(void *ret)
{
	*(volatile int *)ret = way_tcp();
	return NULL;
}

static int way_thread(void)
{
	pthread_t t;
	int result = -ECHILD;

	pthread_create(&t, NULL, connect_thread, &result);
	pthread_join(t, NULL);
	return result;
}

static int print_result(const char *name, int err)
{
	const char *why = strerrorname_np(-err);

	if (err && why)
		printf("%s: %s\n", name, why);
	else if (err)
		printf("%s: errno %d\n", name, -err);
	else
		printf("%s: OK\n", name);
	fflush(stdout);
	return err ? 1 : 0;
}

static void *lonely_thread(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	exit(print_result("leaderless", way_tcp()));
}

/* Its leader has ended: what stands in /proc/PID is a zombie. */
static int way_leaderless(void)
{
	static pthread_t leader;
	pthread_t t;

	leader = pthread_self();
	pthread_create(&t, NULL, lonely_thread, &leader);
	pthread_exit(NULL);
}

/* --- options */

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	handled++;
	if (inside.len)
		inside_result = -connect_and_talk(open_socket(SOCK_STREAM, 0), &inside);
	errno = saved;
}

static void handle(int sig)
{
	struct sigaction a = { .sa_handler = on_signal };

	sigaction(sig, &a, NULL);
}

static void set_alarm(int ms)
{
	struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static int again, handles;

static void read_option(const char *host, const char *word)
{
	if (sscanf(word, "again=%d", &again) == 1)
		return;
	if (sscanf(word, "handle=%d", &handles) == 1)
		handle(handles);
	else if (!strncmp(word, "inside=", 7))
		parse_target(host, atoi(word + 7), &inside);
	else if (!strncmp(word, "first=", 6))
		parse_target(host, atoi(word + 6), &first);
	else if (!strncmp(word, "alarm=", 6))
		set_alarm(atoi(word + 6));
	else if (!strncmp(word, "pass=", 5))
		pass_path = word + 5;
}

static const struct {
	const char *name;
	int (*run)(void);
} ways[] = {
	{ "tcp", way_tcp },
	{ "nonblock", way_nonblock },
	{ "mptcp", way_mptcp },
	{ "fastopen", way_fastopen },
	{ "fastopen-connect", way_fastopen_connect },
	{ "udp", way_udp },
	{ "udp-sendto", way_udp_sendto },
	{ "udp-redirected", way_udp_redirected },
	{ "udp-sendmsg", way_udp_sendmsg },
	{ "udp-sendmmsg", way_udp_sendmmsg },
#ifdef __x86_64__
	{ "ia32", way_ia32 },
	{ "ia32-socketcall", way_ia32_socketcall },
	{ "ia32-sendto", way_ia32_sendto },
	{ "ia32-sendmmsg", way_ia32_sendmmsg },
	{ "x32", way_x32 },
#endif
	{ "uring", way_uring },
	{ "uring-async", way_uring_async },
	{ "uring-sqpoll", way_uring_sqpoll },
	{ "uring-linked", way_uring_linked },
	{ "uring-sendmsg", way_uring_sendmsg },
	{ "scm", way_scm },
	{ "vfork", way_vfork },
	{ "thread", way_thread },
	{ "leaderless", way_leaderless },
};

static int attempt(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return print_result(name, ways[i].run());
	fprintf(stderr, "connect: no way '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 4 || parse_target(argv[2], atoi(argv[3]), &goal)) {
		fputs("usage: connect WAY HOST PORT [OPTION…]\n", stderr);
		return 2;
	}
	for (int i = 4; i < argc; i++)
		read_option(argv[2], argv[i]);
	status = attempt(argv[1]);
	while (again-- > 0)
		status = attempt(argv[1]);
	if (handles)
		printf("handled %d\n", handled);
	if (inside_result >= 0)
		print_result("inside", -inside_result);
	return status;
}
