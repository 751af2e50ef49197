/* The guard's life: load, attach, listen, run, leave. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/log.h"
#include "guard/internal.h"

#define SEGMENT_MAX   (64ULL * 1024 * 1024)
#define POLL_PERIOD   (50 * 1000) /* microseconds between looks at the events */
#define IDLE_POLLS    20 /* looks without an event, after which the kernel wakes us again */
#define BATCH	      64 /* events between looks at the decisions */
#define FIRST_SESSION (5 * 1000 * 1000) /* microseconds an embedded guard waits for one */

/* ---- events */

static void on_decision(void *data, const struct bs_event *e)
{
	if (e->type == BS_EVENT_EXEC)
		candidate_event(data, (const struct bs_exec_event *)e);
}

static void on_plain_exec(struct guard *g, const struct bs_exec_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec_decode(g, e);

	if (!x)
		return;
	report_exec(g, x, OCSF_ALLOWED);
	process_exec(g, x);
}

static void on_event(void *data, const struct bs_event *e)
{
	struct guard *g = data;

	switch ((enum bs_event_type)e->type) {
	case BS_EVENT_EXEC:
		on_plain_exec(g, (const struct bs_exec_event *)e);
		break;
	case BS_EVENT_ARGS:
		exec_keep_args(g, (const struct bs_args_event *)e);
		break;
	case BS_EVENT_EXIT:
		report_exit(g, (const struct bs_exit_event *)e);
		process_exit(g, e->tgid);
		exec_forget_args(g, e->tgid);
		break;
	case BS_EVENT_END:
		session_end(g, e->session);
		break;
	}
}

/* An event that was lost may have been the one of a candidate, or of an end. */
static void sweep(struct guard *g)
{
	const volatile struct bs_counters *c = kernel_counters(g->kernel);
	u64 losses = c->losses[BS_LOSS_DECISION] + c->losses[BS_LOSS_EVENT];

	if (losses == g->swept_losses)
		return;
	g->swept_losses = losses;
	candidate_sweep(g);
	session_sweep(g);
	process_sweep(g);
	exec_drop_args(g);
}

/* Decisions come first: they are looked at after each batch of events. Returns how many events
 * there were. */
static int drain(struct guard *g)
{
	int n, total = 0;

	kernel_set_cpu(g->kernel, g->realtime ? sched_getcpu() : -1);
	do {
		while (kernel_consume(g->kernel, KERNEL_DECISIONS, BATCH) == BATCH)
			;
		n = kernel_consume(g->kernel, KERNEL_EVENTS, BATCH);
		total += n;
	} while (n == BATCH);
	sweep(g);
	return total;
}

static void poll_events(void *data)
{
	struct guard *g = data;

	g->poll = NULL;
	g->idle_polls = drain(g) ? 0 : g->idle_polls + 1;
	if (g->idle_polls < IDLE_POLLS) {
		loop_add_timer(g->loop, POLL_PERIOD, poll_events, g, &g->poll);
		return;
	}
	kernel_set_polling(g->kernel, false);
	drain(g); /* what came before the kernel knew */
}

static void on_ring(void *data, _unused_ uint32_t events)
{
	struct guard *g = data;

	drain(g);
	if (g->poll)
		return;
	g->idle_polls = 0;
	kernel_set_polling(g->kernel, true);
	loop_add_timer(g->loop, POLL_PERIOD, poll_events, g, &g->poll);
}

static void on_child(void *data, _unused_ int signo)
{
	hold_reap(data);
}

static void on_stop(void *data, int signo)
{
	struct guard *g = data;

	log_info("SIG%s: the guard stops%s", sigabbrev_np(signo),
		 g->sessions.count ? ", its sessions go on unguarded" : "");
	loop_quit(g->loop, 0);
}

static void on_no_session(void *data)
{
	struct guard *g = data;

	if (!g->sessions.count)
		loop_quit(g->loop, -ETIMEDOUT);
}

/* ---- start */

static char *first_line(const char *path)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	if (io_read_file(AT_FDCWD, path, 4096, &sb) || !sb.len)
		return NULL;
	return strndup(strbuf_str(&sb), strcspn(strbuf_str(&sb), "\n"));
}

static void describe_host(struct guard *g)
{
	struct utsname u;

	uname(&u);
	g->hostname = strdup(u.nodename);
	g->release = strdup(u.release);
	g->machine_id = first_line("/etc/machine-id");
	g->boot_id = first_line("/proc/sys/kernel/random/boot_id");
	g->host = (struct ocsf_host) {
		.hostname = g->hostname,
		.machine_id = g->machine_id,
		.kernel = g->release,
		.version = BACKSTOP_VERSION,
		.tier = "trace",
		.boot_id = g->boot_id,
	};
}

/* Candidates wait for us, so we come before all ordinary work, and nothing of us is paged out. */
static void set_urgent(struct guard *g)
{
	struct sched_param p = { .sched_priority = 1 };

	g->realtime = !sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
	if (!g->realtime)
		log_warning("SCHED_FIFO is refused (%s): holds may take longer, and a parent may "
			    "see a stop",
			    strerror(errno));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		log_warning("mlockall is refused (%s): the guard may be paged out",
			    strerror(errno));
}

static void describe_loss(void *data, uint64_t lost, int err, struct strbuf *line)
{
	struct guard *g = data;
	_cleanup_free_ char *message = NULL;
	struct ocsf_event e = { .time_ms = now_ms(),
				.sequence = ++g->sequence,
				.disposition = OCSF_ALLOWED,
				.policy_version = policy_version(g->policy),
				.mode = mode_name(g->options.mode) };

	if (asprintf(&message, "%llu events could not be written: %s", (unsigned long long)lost,
		     strerror(-err)) < 0)
		message = NULL;
	ocsf_guard(line, &g->host, &e, "events lost", message ?: "events lost");
}

static int open_policy(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = policy_open(g->options.policy, &g->policy, &err);

	if (r)
		log_error("%s", strbuf_str(&err));
	return r;
}

static int open_journal(struct guard *g)
{
	_cleanup_free_ char *dir = NULL;
	struct journal_options o = { .segment_max = SEGMENT_MAX,
				     .describe_loss = describe_loss,
				     .data = g };
	int r;

	if (asprintf(&dir, "%s/journal", g->options.state_dir) < 0)
		return -ENOMEM;
	o.dir = dir;
	r = journal_open(&o, &g->journal);
	if (r == -EBUSY)
		log_error("another guard writes the journal in %s: stop it, or choose another "
			  "--state-dir",
			  dir);
	return !r || r == -EBUSY ? r : log_errno(r, "cannot open the journal in %s", dir);
}

static int open_kernel(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = kernel_open(policy_scan_tables(g->policy), &g->kernel, &err);

	if (r) {
		log_error("%s", strbuf_str(&err));
		return r;
	}
	kernel_on_event(g->kernel, KERNEL_DECISIONS, on_decision, g);
	kernel_on_event(g->kernel, KERNEL_EVENTS, on_event, g);
	return 0;
}

static int listen_all(struct guard *g)
{
	int r = 0;

	for (int i = 0; i < KERNEL_RINGS && !r; i++)
		r = loop_add_fd(g->loop, kernel_ring_fd(g->kernel, i), EPOLLIN, on_ring, g, NULL);
	if (!r)
		r = loop_add_signal(g->loop, SIGCHLD, on_child, g);
	if (!r)
		r = loop_add_signal(g->loop, SIGTERM, on_stop, g);
	if (!r)
		r = loop_add_signal(g->loop, SIGINT, on_stop, g);
	if (!r && g->options.embedded)
		r = loop_add_timer(g->loop, FIRST_SESSION, on_no_session, g, NULL);
	return r ? log_errno(r, "cannot set up the event loop") : 0;
}

static int guard_start(struct guard *g)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	g->started_ms = now_ms();
	describe_host(g);
	g->users = users_new();
	g->paths = paths_new();
	g->loop = loop_new();
	if (!g->users || !g->paths || !g->loop)
		return log_errno(-ENOMEM, "cannot start");
	r = open_policy(g);
	if (!r)
		r = control_open(g, g->loop, g->options.socket, g->options.embedded,
				 g->options.owner, &g->control);
	if (!r)
		r = open_journal(g);
	if (!r)
		r = open_kernel(g);
	if (!r)
		r = listen_all(g);
	if (!r)
		set_urgent(g);
	return r;
}

static void guard_end(struct guard *g)
{
	if (g->kernel && g->journal) {
		hold_end_all(g, "the guard stops");
		drain(g);
		report_guard(g, NULL, "guard stopped", "the guard stopped%s",
			     g->sessions.count ? ", its sessions go on unguarded" : "");
	}
	control_close(g->control);
	kernel_close(g->kernel);
	journal_close(g->journal);
	policy_free(g->policy);
	exec_drop_args(g);
	map_free(&g->approvals);
	process_free_all(g);
	session_free_all(g);
	grant_free_all(g);
	loop_free(g->loop);
	users_free(g->users);
	paths_free(g->paths);
	free(g->hostname);
	free(g->machine_id);
	free(g->release);
	free(g->boot_id);
}

static void log_to(int fd)
{
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_set_timestamps(true);
}

int guard_run(const struct guard_options *o, int ready_fd)
{
	struct guard g = { .options = *o };
	int r = guard_start(&g);

	if (!r) {
		if (o->log_fd > 0)
			log_to(o->log_fd);
		report_guard(&g, NULL, "guard started",
			     "the guard started: tier %s, mode %s, policy %s", g.host.tier,
			     mode_name(o->mode), policy_version(g.policy));
		log_info("ready: tier %s, mode %s, %u signatures (policy %s), socket %s",
			 g.host.tier, mode_name(o->mode), policy_signature_count(g.policy),
			 policy_version(g.policy), o->socket);
		if (ready_fd >= 0) {
			io_write_all(ready_fd, "\n", 1);
			close(ready_fd);
		}
		r = loop_run(g.loop);
	}
	guard_end(&g);
	return r;
}
