/* Sends a text over a connection, or as a datagram, in one of many ways: leave WAY HOST PORT TEXT.
 * What became of it is one line, "OK" or "EPERM". The ways stand in the table at the end.
 * HOST may be "fd:N", a connection that is there. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../e2e/victims/uring.h"

#define MUCH 200 /* pages */

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static struct sockaddr_in goal = { .sin_family = AF_INET };
static const char *text;
static int given = -1;

static int open_socket(int type, int protocol)
{
	int fd = given >= 0 ? given : socket(AF_INET, type, protocol);

	if (fd < 0 || (given < 0 && connect(fd, (struct sockaddr *)&goal, sizeof(goal)))) {
		perror("leave: connect");
		exit(3);
	}
	return fd;
}

static int tcp(void)
{
	return open_socket(SOCK_STREAM, 0);
}

static long way_send(void)
{
	return send(tcp(), text, strlen(text), 0);
}

static long way_mptcp(void)
{
	return send(open_socket(SOCK_STREAM, IPPROTO_MPTCP), text, strlen(text), 0);
}

static long way_fastopen(void)
{
	return sendto(socket(AF_INET, SOCK_STREAM, 0), text, strlen(text), MSG_FASTOPEN,
		      (struct sockaddr *)&goal, sizeof(goal));
}

static long way_zerocopy(void)
{
	int fd = tcp(), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	return send(fd, text, strlen(text), MSG_ZEROCOPY);
}

static long way_urgent(void)
{
	return send(tcp(), text, strlen(text), MSG_OOB);
}

/* Each byte is a part of its own. */
static long way_writev(void)
{
	struct iovec parts[1024];
	int n = 0;

	for (const char *c = text; *c && n < 1024; c++)
		parts[n++] = (struct iovec) { (char *)c, 1 };
	return writev(tcp(), parts, n);
}

/* A copy in memory that is there, but that nobody has touched. */
static void *untouched(const void *of, size_t len)
{
	int fd = memfd_create("untouched", 0);
	void *at;

	if (write(fd, of, len) != (ssize_t)len)
		exit(3);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

static long way_untouched(void)
{
	return send(tcp(), untouched(text, strlen(text)), strlen(text), 0);
}

/* Three parts, of which the second is to be read and the last is not. */
static long way_untouched_writev(void)
{
	size_t half = strlen(text) / 2;
	struct iovec parts[] = { { (char *)text, half },
				 { untouched(text + half, 1), 1 },
				 { untouched(text + half + 1, strlen(text) - half - 1),
				   strlen(text) - half - 1 } };

	return writev(tcp(), parts, 3);
}

static void *send_alone(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	puts(way_untouched_writev() >= 0 ? "OK" : errno == EPERM ? "EPERM" : strerror(errno));
	exit(0);
}

/* From a thread that has outlived the first one. */
static long way_untouched_leaderless(void)
{
	static pthread_t leader;
	pthread_t thread;

	leader = pthread_self();
	if (pthread_create(&thread, NULL, send_alone, &leader))
		return -1;
	pthread_exit(NULL);
}

/* A statement to a database. */
static long way_untouched_postgres(void)
{
	char start[] = "\0\0\0\20\0\3\0\0user\0a\0", head[5] = "Q", end = '\0';
	size_t len = strlen(text);
	uint32_t size = htonl((uint32_t)len + 5);
	struct iovec parts[] = {
		{ start, sizeof(start) }, { head, 5 }, { untouched(text, len), len }, { &end, 1 }
	};

	memcpy(head + 1, &size, sizeof(size));
	return writev(tcp(), parts, 4);
}

/* One part is nowhere. */
static long way_nowhere_writev(void)
{
	struct iovec parts[] = { { (char *)text, strlen(text) }, { (char *)4096, 1 } };

	return writev(tcp(), parts, 2);
}

/* The text is in the last of three messages. What did not go is sent again. */
static long send_three(int fd, struct sockaddr_in *name)
{
	char filler[] = "x ";
	struct iovec parts[] = { { filler, 2 }, { filler, 2 }, { (char *)text, strlen(text) } };
	struct mmsghdr m[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		m[i].msg_hdr.msg_iov = &parts[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = name;
		m[i].msg_hdr.msg_namelen = name ? sizeof(*name) : 0;
	}
	for (int done = 0, n; done < 3; done += n) {
		n = sendmmsg(fd, m + done, 3 - done, 0);
		if (n < 0)
			return -1;
	}
	return 1;
}

static long way_sendmmsg(void)
{
	return send_three(tcp(), NULL);
}

static long way_udp(void)
{
	return send(open_socket(SOCK_DGRAM, 0), text, strlen(text), 0);
}

static long way_udp_sendmmsg(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	/* the first of a socket is looked at more closely */
	if (sendto(fd, "x ", 2, 0, (struct sockaddr *)&goal, sizeof(goal)) != 2)
		return -1;
	return send_three(fd, &goal);
}

/* As 32-bit programs have them. */
struct low {
	struct sockaddr_in name;
	struct {
		uint32_t name, name_len, iov, iov_len, control, control_len, flags, sent;
	} messages[3];
	struct {
		uint32_t base, len;
	} parts[3];
	uint32_t call[4];
	char text[64];
};

static long int80(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80; movslq %%eax, %%rax"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static struct low *low_messages(void)
{
	struct low *low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	low->name = goal;
	snprintf(low->text, sizeof(low->text), "x %s", text);
	for (int i = 0; i < 3; i++) {
		low->parts[i].base = (uint32_t)(uintptr_t)(low->text + (i == 2 ? 2 : 0));
		low->parts[i].len = i == 2 ? strlen(text) : 2;
		low->messages[i].name = (uint32_t)(uintptr_t)&low->name;
		low->messages[i].name_len = sizeof(low->name);
		low->messages[i].iov = (uint32_t)(uintptr_t)&low->parts[i];
		low->messages[i].iov_len = 1;
	}
	return low;
}

static long end_int80(long result)
{
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : result;
}

static long way_ia32_sendmmsg(void)
{
	return end_int80(
		int80(345, socket(AF_INET, SOCK_DGRAM, 0), (long)low_messages()->messages, 3));
}

static long way_ia32_socketcall(void)
{
	struct low *low = low_messages();

	low->call[0] = (uint32_t)socket(AF_INET, SOCK_DGRAM, 0);
	low->call[1] = (uint32_t)(uintptr_t)low->messages;
	low->call[2] = 3;
	return end_int80(int80(102, 20, (long)low->call, 0));
}

/* Where the messages behind the first are, is not to be read either. */
static long way_untouched_sendmmsg(void)
{
	char filler[] = "x ";
	struct iovec first = { filler, 2 }, last = { (char *)text, strlen(text) };
	struct mmsghdr m[2] = { 0 };
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mmsghdr *all = (struct mmsghdr *)(at + 4096) - 1;
	int fd = memfd_create("untouched", 0);

	for (int i = 0; i < 2; i++) {
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_namelen = sizeof(goal);
	}
	m[0].msg_hdr.msg_name = &goal;
	m[0].msg_hdr.msg_iov = &first;
	m[1].msg_hdr.msg_name = untouched(&goal, sizeof(goal));
	m[1].msg_hdr.msg_iov = untouched(&last, sizeof(last));
	*all = m[0];
	if (write(fd, &m[1], sizeof(m[1])) < 0 || ftruncate(fd, 4096) ||
	    mmap(at + 4096, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED)
		exit(3);
	return sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), all, 2, 0);
}

/* The third message is of the bytes of the first, and the kernel asks about it alone; behind it the
 * text goes to the same name. */
static long way_sendmmsg_alike(void)
{
	struct sockaddr_in other = { AF_INET, htons(9), goal.sin_addr, { 0 } };
	char filler[] = "x ";
	struct iovec parts[] = { { filler, 2 }, { (char *)text, strlen(text) } };
	struct mmsghdr m[4] = { 0 };

	for (int i = 0; i < 4; i++) {
		m[i].msg_hdr.msg_iov = &parts[i == 3];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = i == 1 ? &other : &goal;
		m[i].msg_hdr.msg_namelen = sizeof(goal);
	}
	for (int fd = socket(AF_INET, SOCK_DGRAM, 0), done = 0, n; done < 4; done += n) {
		n = sendmmsg(fd, m + done, 4 - done, 0);
		if (n < 0)
			return -1;
	}
	return 1;
}

static long way_sendmmsg_named(void)
{
	return send_three(tcp(), &goal);
}

static long way_udp_sendmmsg_connected(void)
{
	return send_three(open_socket(SOCK_DGRAM, 0), NULL);
}

static int make_file(void)
{
	int fd = memfd_create("text", 0);

	if (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET))
		exit(3);
	return fd;
}

static long way_sendfile(void)
{
	return sendfile(tcp(), make_file(), NULL, strlen(text));
}

/* Behind much else, which the reader takes in its own time. */
static long way_sendfile_much(void)
{
	static char much[4096];
	int to = tcp(), fd = memfd_create("much", 0);

	memset(much, 'x', sizeof(much));
	for (int i = 0; i < MUCH; i++)
		if (write(fd, much, sizeof(much)) != sizeof(much))
			exit(3);
	if (write(fd, text, strlen(text)) < 0)
		exit(3);
	for (off_t at = 0, end = lseek(fd, 0, SEEK_CUR); at < end;)
		if (sendfile(to, fd, &at, (size_t)(end - at)) < 0)
			return -1;
	/* what is held of a process that has ended does not leave */
	for (int left = 1; left;)
		if (ioctl(to, SIOCOUTQ, &left) || usleep(10000))
			return -1;
	return 1;
}

static long way_splice(void)
{
	int fds[2], to = tcp();

	if (pipe(fds) || write(fds[1], text, strlen(text)) < 0)
		exit(3);
	return splice(fds[0], NULL, to, NULL, strlen(text), 0);
}

static long way_vmsplice(void)
{
	struct iovec part = { (char *)text, strlen(text) };
	int fds[2], to = tcp();

	if (pipe(fds) || vmsplice(fds[1], &part, 1, 0) < 0)
		exit(3);
	return splice(fds[0], NULL, to, NULL, strlen(text), 0);
}

static long by_uring(unsigned int flags, unsigned int opcode)
{
	struct iovec part = { (char *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	struct io_uring_sqe sqe = { .opcode = opcode, .flags = flags, .fd = tcp() };
	int n;

	sqe.addr = opcode == IORING_OP_SENDMSG ? (uintptr_t)&m : (uintptr_t)text;
	sqe.len = opcode == IORING_OP_SENDMSG ? 1 : strlen(text);
	n = uring_do(0, NULL, &sqe);
	if (n >= 0)
		return n;
	errno = -n;
	return -1;
}

static long way_uring_send(void)
{
	return by_uring(0, IORING_OP_SEND);
}

static long way_uring_sendmsg(void)
{
	return by_uring(0, IORING_OP_SENDMSG);
}

static long way_uring_write(void)
{
	return by_uring(0, IORING_OP_WRITE);
}

static long way_uring_async(void)
{
	return by_uring(IOSQE_ASYNC, IORING_OP_SEND);
}

static const struct way {
	const char *name;
	long (*go)(void);
} ways[] = {
	{ "send", way_send },
	{ "mptcp", way_mptcp },
	{ "fastopen", way_fastopen },
	{ "zerocopy", way_zerocopy },
	{ "urgent", way_urgent },
	{ "writev", way_writev },
	{ "untouched", way_untouched },
	{ "untouched-writev", way_untouched_writev },
	{ "untouched-postgres", way_untouched_postgres },
	{ "untouched-leaderless", way_untouched_leaderless },
	{ "nowhere-writev", way_nowhere_writev },
	{ "sendmmsg", way_sendmmsg },
	{ "udp", way_udp },
	{ "sendmmsg-named", way_sendmmsg_named },
	{ "udp-sendmmsg", way_udp_sendmmsg },
	{ "udp-sendmmsg-alike", way_sendmmsg_alike },
	{ "udp-sendmmsg-untouched", way_untouched_sendmmsg },
	{ "ia32-sendmmsg", way_ia32_sendmmsg },
	{ "ia32-sendmmsg-socketcall", way_ia32_socketcall },
	{ "udp-sendmmsg-connected", way_udp_sendmmsg_connected },
	{ "sendfile", way_sendfile },
	{ "sendfile-much", way_sendfile_much },
	{ "splice", way_splice },
	{ "vmsplice", way_vmsplice },
	{ "uring-send", way_uring_send },
	{ "uring-sendmsg", way_uring_sendmsg },
	{ "uring-write", way_uring_write },
	{ "uring-async", way_uring_async },
};

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	if (sscanf(argv[2], "fd:%d", &given) != 1)
		inet_pton(AF_INET, argv[2], &goal.sin_addr);
	goal.sin_port = htons((uint16_t)atoi(argv[3]));
	text = argv[4];
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i].name, argv[1]))
			continue;
		if (ways[i].go() >= 0)
			puts("OK");
		else
			puts(errno == EPERM ? "EPERM" : strerror(errno));
		return 0;
	}
	return 2;
}
