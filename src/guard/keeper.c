/* The keeper's life: it starts a guard, does for it what only a tracer can, and starts the next
 * when it dies. */
#include "guard/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "guard/trace.h"
#include "guard/upgrade.h"
#include "guard/urgent.h"
#include "kernel/kernel.h"

#define LINK_BYTES  (8 << 20)	 /* room for all that can be said of all slots */
#define BACKOFF	    (100 * 1000) /* microseconds, doubled with each start that fails */
#define BACKOFF_MAX (5 * 1000 * 1000)
#define FILES	    16384		  /* descriptors, where the hard limit has them */
#define START_MAX   (60ULL * 1000 * 1000) /* microseconds, where a watchdog looks */
#define STOP_MAX    (50ULL * 1000 * 1000) /* 6.1 takes a moment for each of 60 links */

enum intent { GO_ON, RENEW /* become the new binary */, STOP };

struct keeper {
	struct guard_options options;
	struct loop *loop;
	struct tracer tracer;
	struct bs_shared *shared; /* NULL: not known yet */
	pid_t guard;		  /* 0: none runs */
	int link;
	struct loop_source *link_source, *restart;
	int ready_fd, pins_fd;
	char pins[KEEPER_PINS_MAX]; /* "": not known yet */
	bool ready;		    /* this guard is */
	bool served;		    /* one was */
	enum intent intent;
	enum when_down when_down;
	unsigned int failures;
	uint64_t watchdog, silent; /* microseconds */
};

/* ---- messages */

/* A guard that reads nothing while its socket is full is as good as dead. One that has closed it
 * ends, and is let do so. */
static void say(struct keeper *k, const struct keeper_message *m)
{
	if (k->link < 0 || send(k->link, m, sizeof(*m), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    errno == EPIPE || errno == ECONNRESET || !k->guard)
		return;
	log_error("the guard cannot be told anything (%s): it is killed", strerror(errno));
	kill(k->guard, SIGKILL);
}

static void tell(void *data, enum keeper_op op, const struct tracee *t)
{
	struct keeper *k = data;
	struct keeper_message m = { .op = op, .tid = t->tid, .slot = t->slot, .ticket = t->ticket };

	if (k->ready)
		say(k, &m);
}

static void say_op(struct keeper *k, enum keeper_op op)
{
	struct keeper_message m = { .op = op };

	say(k, &m);
}

static void unmap(struct keeper *k)
{
	if (k->tracer.slots)
		munmap(k->tracer.slots, BS_SLOTS * sizeof(struct bs_slot));
	if (k->shared)
		munmap(k->shared, sizeof(*k->shared));
	k->tracer.slots = NULL;
	k->shared = NULL;
}

static int map(struct keeper *k, const char *pins)
{
	int r;

	unmap(k);
	r = kernel_map_slots(pins, &k->tracer.slots);
	if (!r)
		r = kernel_map_shared(pins, &k->shared);
	return r ? log_errno(r, "the keeper cannot reach the pins in %s", pins) : 0;
}

/* Everything that is held, for a guard that has just come. */
static void tell_all(struct keeper *k)
{
	for (const struct tracee *t = LIST_FIRST(&k->tracer.tracees); t; t = LIST_NEXT(t, entry)) {
		tell(k, KEEPER_KEPT, t);
		if (t->trapped)
			tell(k, KEEPER_TRAPPED, t);
	}
	say_op(k, KEEPER_READY);
}

static void serve(struct keeper *k)
{
	k->served = true;
	log_to(k->options.log_fd);
	k->options.log_fd = 0;
	if (k->ready_fd >= 0) {
		io_write_all(k->ready_fd, "\n", 1);
		close_fd(&k->ready_fd);
		k->ready_fd = -1;
	}
}

static void on_ready(struct keeper *k, const struct keeper_ready *m)
{
	k->when_down = m->when_down < WHEN_DOWN_COUNT ? m->when_down : WHEN_DOWN_HOLD;
	notify("READY=1\nSTATUS=%s", k->intent == STOP ? "stopping" : "guarding");
	if (k->ready)
		return;
	if (map(k, m->pins)) {
		kill(k->guard, SIGKILL);
		return;
	}
	snprintf(k->pins, sizeof(k->pins), "%s", m->pins);
	k->ready = true;
	k->failures = 0;
	k->silent = 0;
	trace_adopt(&k->tracer);
	tell_all(k);
	__atomic_store_n(&k->shared->state.down, BS_UP, __ATOMIC_SEQ_CST);
	if (!k->served)
		serve(k);
	if (k->intent == STOP)
		say_op(k, KEEPER_STOP);
}

static void reap(struct keeper *k);

static void on_seize(struct keeper *k, const struct keeper_message *asked)
{
	struct keeper_message m = *asked;

	m.op = KEEPER_KEPT;
	m.err = trace_seize(&k->tracer, m.tid, m.slot, m.ticket);
	say(k, &m);
	reap(k);
}

static void on_message(struct keeper *k, const struct keeper_ready *m, size_t len)
{
	const struct keeper_message *h = &m->head;

	if (len < sizeof(*h) || (!k->ready && h->op != KEEPER_READY) || h->slot >= BS_SLOTS)
		return;
	switch ((enum keeper_op)h->op) {
	case KEEPER_READY:
		if (len == sizeof(*m) && memchr(m->pins, '\0', sizeof(m->pins)))
			on_ready(k, m);
		break;
	case KEEPER_SEIZE:
		on_seize(k, h);
		break;
	case KEEPER_LET_GO:
		trace_let_go(&k->tracer, h->slot, h->ticket);
		break;
	case KEEPER_REFUSE:
		trace_refuse(&k->tracer, h->slot, h->ticket);
		break;
	case KEEPER_PONG:
		k->silent = 0;
		notify("WATCHDOG=1");
		break;
	default:
		break;
	}
}

static void on_link(void *data, _unused_ uint32_t events)
{
	struct keeper *k = data;
	struct keeper_ready m;
	ssize_t n = -1;

	while (k->link >= 0 && (n = recv(k->link, &m, sizeof(m), MSG_DONTWAIT)) > 0)
		on_message(k, &m, n);
	if (k->link >= 0 && n == 0) { /* it has ended, or will now */
		loop_remove(k->link_source);
		k->link_source = NULL;
	}
}

/* ---- the guard's life */

/* What the keeper has for itself alone; its signals stay blocked. */
static int be_guard(struct keeper *k, int link, pid_t keeper)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		return 1;
	prctl(PR_SET_NAME, "backstop-guard");
	urgent_bind(0, -1);
	loop_free(k->loop);
	unmap(k);
	close_fd(&k->ready_fd);
	return guard_run(&k->options, link) ? 1 : 0;
}

static int start_guard(struct keeper *k)
{
	int ends[2], room = LINK_BYTES, r;
	pid_t keeper = getpid();

	k->silent = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	k->guard = fork();
	if (k->guard == 0) {
		close(ends[0]);
		_exit(be_guard(k, ends[1], keeper));
	}
	close(ends[1]);
	if (k->guard < 0) {
		k->guard = 0;
		close(ends[0]);
		return -errno;
	}
	k->link = ends[0];
	r = loop_add_fd(k->loop, k->link, EPOLLIN, on_link, k, &k->link_source);
	if (r) { /* its end is seen, and another one tried */
		log_errno(r, "the keeper cannot listen to its guard");
		kill(k->guard, SIGKILL);
	}
	return 0;
}

static void restart_later(struct keeper *k);

static void restart(void *data)
{
	struct keeper *k = data;
	int r;

	k->restart = NULL;
	k->options.restarts++;
	r = start_guard(k);
	if (!r)
		return;
	log_errno(r, "cannot start a guard");
	k->failures++;
	restart_later(k);
}

static void restart_later(struct keeper *k)
{
	uint64_t wait = k->failures ? MIN((uint64_t)BACKOFF << MIN(k->failures - 1, 10U),
					  (uint64_t)BACKOFF_MAX)
				    : 0;

	int r = loop_add_timer(k->loop, wait, restart, k, &k->restart);

	if (r)
		loop_quit(k->loop, r);
}

static void set_down(struct keeper *k)
{
	static const enum bs_down down[WHEN_DOWN_COUNT] = {
		[WHEN_DOWN_HOLD] = BS_DOWN_HOLD,
		[WHEN_DOWN_ALLOW] = BS_DOWN_ALLOW,
		[WHEN_DOWN_KILL] = BS_DOWN_KILL,
	};

	if (!k->shared)
		return;
	__atomic_store_n(&k->shared->state.down, down[k->when_down], __ATOMIC_SEQ_CST);
	__atomic_store_n(&k->shared->state.guard_polls, 0, __ATOMIC_SEQ_CST);
}

static void close_link(struct keeper *k)
{
	loop_remove(k->link_source);
	k->link_source = NULL;
	close_fd(&k->link);
	k->link = -1;
}

static void log_death(const struct keeper *k, int status)
{
	static const char *const candidates[WHEN_DOWN_COUNT] = {
		[WHEN_DOWN_HOLD] = "wait",
		[WHEN_DOWN_ALLOW] = "are let go",
		[WHEN_DOWN_KILL] = "are killed",
	};
	char how[32];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "died of SIG%s", sigabbrev_np(WTERMSIG(status)) ?: "?");
	else
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	log_error("the guard %s: what it held stays held, while it is down new candidates %s, %s",
		  how, candidates[k->when_down],
		  k->failures > 1 ? "it is tried again" : "the next one starts");
}

static void guard_ended(struct keeper *k, int status)
{
	bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0, was_ready = k->ready;

	k->guard = 0;
	k->ready = false;
	close_link(k);
	if (done && k->intent != RENEW) {
		loop_quit(k->loop, 0);
		return;
	}
	if (!k->served || (k->intent == STOP && !was_ready)) {
		loop_quit(k->loop, -ECHILD);
		return;
	}
	set_down(k);
	if (k->intent == RENEW && done)
		upgrade_exec(); /* returns where it failed */
	k->intent = k->intent == STOP ? STOP : GO_ON;
	k->failures += !was_ready;
	if (!done)
		log_death(k, status);
	restart_later(k);
}

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (pid == k->guard)
			guard_ended(k, status);
		else
			trace_report(&k->tracer, pid, status);
}

/* ---- signals and the watchdog */

static void on_child(void *data, _unused_ int signo)
{
	reap(data);
}

static void on_stop_late(void *data)
{
	struct keeper *k = data;

	log_error("the guard does not stop: it is killed");
	k->ready = false; /* no other will do better */
	if (k->guard)
		kill(k->guard, SIGKILL);
}

static void on_stop(void *data, int signo)
{
	struct keeper *k = data;

	if (k->intent == STOP)
		return;
	log_info("SIG%s: the guard stops", sigabbrev_np(signo));
	notify("STOPPING=1");
	k->intent = STOP;
	loop_add_timer(k->loop, STOP_MAX, on_stop_late, k, NULL);
	if (k->ready)
		say_op(k, KEEPER_STOP);
	else if (k->restart) { /* one more, for an orderly end */
		loop_remove(k->restart);
		restart(k);
	}
}

static void on_reload(void *data, _unused_ int signo)
{
	struct keeper *k = data;

	if (!k->ready || k->intent != GO_ON)
		return; /* the next guard begins with what there is */
	notify_reloading();
	if (upgrade_is_due()) {
		log_info("SIGHUP: another backstop takes over");
		k->intent = RENEW;
		say_op(k, KEEPER_LEAVE);
		return;
	}
	say_op(k, KEEPER_RELOAD);
}

static void on_watchdog(void *data)
{
	struct keeper *k = data;
	uint64_t half = k->watchdog / 2;

	loop_add_timer(k->loop, half, on_watchdog, k, NULL);
	if (k->guard && k->silent >= (k->ready ? half : START_MAX)) {
		log_error("the guard does not answer: it is killed");
		kill(k->guard, SIGKILL);
		return;
	}
	k->silent += half;
	if (k->ready)
		say_op(k, KEEPER_PING);
	else
		notify("WATCHDOG=1");
}

/* ---- start and end */

static int listen_all(struct keeper *k)
{
	int r = loop_add_signal(k->loop, SIGCHLD, on_child, k);

	if (!r)
		r = loop_add_signal(k->loop, SIGTERM, on_stop, k);
	if (!r)
		r = loop_add_signal(k->loop, SIGINT, on_stop, k);
	if (!r)
		r = loop_add_signal(k->loop, SIGHUP, on_reload, k);
	if (!r && k->watchdog)
		r = loop_add_timer(k->loop, k->watchdog / 2, on_watchdog, k, NULL);
	return r;
}

/* The guard needs a descriptor for each held task: a shell's limit is some hundred. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES);
	if (setrlimit(RLIMIT_NOFILE, &files))
		log_warning("not more files can be opened (%s): many holds at once are refused",
			    strerror(errno));
}

static int keeper_start(struct keeper *k)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	k->watchdog = notify_watchdog_usec();
	k->loop = loop_new();
	if (!k->loop)
		return log_errno(-ENOMEM, "cannot start");
	if (k->options.embedded) {
		k->pins_fd = kernel_private_pins(k->pins, sizeof(k->pins));
		if (k->pins_fd < 0)
			return log_errno(k->pins_fd, "cannot make a bpffs");
		k->options.pins = k->pins;
	}
	r = listen_all(k);
	if (!r) {
		urgent_schedule(2); /* the guard says where this is refused */
		urgent_lock();
		r = start_guard(k);
	}
	return r ? log_errno(r, "cannot start") : 0;
}

static void keeper_end(struct keeper *k)
{
	if (k->guard > 0) {
		kill(k->guard, SIGKILL);
		waitpid(k->guard, NULL, 0);
	}
	if (k->tracer.slots) {
		if (k->intent == STOP) /* mostly the guard has done so */
			kernel_drop_pins(k->pins);
		trace_kill_all(&k->tracer);
		trace_end_stopped(&k->tracer);
	}
	unmap(k);
	close_fd(&k->link);
	close_fd(&k->pins_fd);
	close_fd(&k->ready_fd);
	loop_free(k->loop);
}

int keeper_run(const struct guard_options *o, int ready_fd)
{
	struct keeper k = { .options = *o,
			    .tracer = { .tell = tell, .data = &k },
			    .link = -1,
			    .ready_fd = ready_fd,
			    .pins_fd = -1 };
	int r = keeper_start(&k);

	if (!r)
		r = loop_run(k.loop);
	keeper_end(&k);
	return r;
}
