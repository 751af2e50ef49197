/* What the tests of the kernel side share: its programs, loaded with the shipped policy on pins of
 * their own, the events that come of them, and children with a session's label. No guard answers.
 */
#ifndef TEST_SESSION_H
#define TEST_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "kernel/kernel.h"

#define SESSION	 0x19abcdefULL
#define EVENTS	 200
#define PATIENCE 60000 /* milliseconds: an emulated machine takes its time */

static struct policy *policy;
static struct kernel *kernel;
static struct bs_event *events[EVENTS]; /* in the order of their coming */
static int event_count;

static void keep(void *data, const struct bs_event *e)
{
	(void)data;
	assert_true(event_count < EVENTS);
	events[event_count] = malloc(e->size);
	memcpy(events[event_count++], e, e->size);
}

static void skip_because(const char *reason)
{
	print_message("skipped: %s\n", reason);
	skip();
}

/* 127.0.0.9 with port 9, but not 127.0.0.9 with others, and all of 127.0.9.0/24 with port 9 */
static u8 ports[1][BS_PORT_BYTES] = { { [1] = 1 << 1 } };
static const struct net_entry nets[] = {
	{ { [10] = 0xff, 0xff, 127, 0, 0, 9 }, 128, 0 },
	{ { [10] = 0xff, 0xff, 127, 0, 9, 0 }, 120, 0 },
};
static const struct net_tables net_tables = { nets, ports, ARRAY_SIZE(nets), 1 };
static struct agent_key agents[1] = { { .how = BS_AGENT_ASK } };
static char pins[64];
static int pins_fd = -1;

static struct kernel_tables tables_with(const struct net_tables *n, u32 agents_count)
{
	return (struct kernel_tables) { .scan = policy_scan_tables(policy),
					.nets = n,
					.agents = agents,
					.agents_count = agents_count };
}

static void open_on_pins(void)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t = tables_with(&net_tables, 1);

	memcpy(&agents[0].name, "true\0\0\0", 8);
	if (kernel_open(pins, &t, &kernel, &err))
		skip_because(strbuf_str(&err));
	for (int i = 0; i < KERNEL_RINGS; i++)
		kernel_on_event(kernel, i, keep, NULL);
}

static void open_kernel(void)
{
	if (geteuid())
		skip_because("needs root to load programs");
	pins_fd = kernel_private_pins(pins, sizeof(pins));
	assert_true(pins_fd >= 0);
	open_on_pins();
}

static int tear_down(void **state)
{
	(void)state;
	kernel_close(kernel);
	kernel = NULL;
	if (pins_fd >= 0)
		close(pins_fd);
	pins_fd = -1;
	while (event_count)
		free(events[--event_count]);
	return 0;
}

/* Event number `n`, from 0, of that type and process (0: any); NULL where there are fewer. */
static const void *find(enum bs_event_type type, u32 tgid, int n)
{
	for (int i = 0; i < event_count; i++)
		if (events[i]->type == type && (!tgid || events[i]->tgid == tgid) && !n--)
			return events[i];
	return NULL;
}

/* The same once it has come; the ring's fd wakes whoever waits for it. */
static const void *await(enum kernel_ring ring, enum bs_event_type type, u32 tgid, int n)
{
	struct pollfd p = { .fd = kernel_ring_fd(kernel, ring), .events = POLLIN };

	while (!find(type, tgid, n)) {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		kernel_consume(kernel, ring, EVENTS);
		kernel_release(kernel, ring);
	}
	return find(type, tgid, n);
}

/* ---- a child of ours, labelled */

static const struct bs_label label = { .session = SESSION, .approval = 7 };

static void give_label(pid_t pid)
{
	struct bs_session s = { .tasks = 1, .root = pid };
	int pidfd = pidfd_open(pid, 0);

	assert_true(pidfd >= 0);
	assert_int_equal(kernel_set_session(kernel, SESSION, &s), 0);
	assert_int_equal(kernel_set_label(kernel, pidfd, &label), 0);
	close(pidfd);
}

/* Forks a child that runs fn() once it carries the label. */
static pid_t start(void (*fn)(void))
{
	int go[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		if (read(go[0], &c, 1) == 1)
			fn();
		_exit(99);
	}
	give_label(pid);
	assert_int_equal(write(go[1], "x", 1), 1);
	close(go[0]);
	close(go[1]);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- what it may run */

static inline void wait_forever(void)
{
	pause();
}

/* A candidate. */
static inline void run_candidate(void)
{
	execl("/bin/true", "terraform", "destroy", NULL);
}

static inline int connect_to(u32 ip, u16 port, int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(ip) };
	int fd = socket(AF_INET, type, 0);
	int r = connect(fd, (void *)&a, sizeof(a)) ? errno : 0;

	close(fd);
	return r;
}

/* Another candidate. */
static inline void connect_held(void)
{
	_exit(connect_to(0x7f000909, 9, SOCK_DGRAM));
}

static int open_policy(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = policy_open(POLICY_IMAGE, &policy, &err);

	(void)state;
	if (r)
		printf("%s\n", strbuf_str(&err));
	return r;
}

static int free_policy(void **state)
{
	(void)state;
	policy_free(policy);
	return 0;
}

#endif
