/* The guard's life: load, attach, listen, run, leave. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/log.h"
#include "guard/fetch.h"
#include "guard/lookup.h"
#include "guard/hold.h"
#include "guard/resolved.h"
#include "guard/library.h"
#include "guard/link.h"
#include "guard/protect.h"
#include "guard/reaper.h"
#include "guard/workspace.h"
#include "guard/reload.h"
#include "guard/tripwire.h"
#include "guard/unseen.h"
#include "guard/urgent.h"

#define POLL_PERIOD   (50 * 1000) /* microseconds between looks at the events */
#define IDLE_POLLS    20 /* looks without an event, after which the kernel wakes us again */
#define BATCH	      64 /* events between looks at the decisions */
#define DECISIONS     8	 /* that are written to the journal at once: each may take milliseconds */
#define DRAIN_TIME    20000000ULL	/* nanoseconds, after which others are listened to */
#define FIRST_SESSION (5 * 1000 * 1000) /* microseconds an embedded guard waits for one */

/* ---- urgency */

/* Guard and keeper stay on one CPU: there the kernel does not wait for them, as they come before
 * the task does. */
static void settle(struct guard *g)
{
	int cpu = sched_getcpu();
	int r = urgent_bind(0, cpu) ?: urgent_bind(getppid(), cpu);

	g->cpu = r ? -1 : cpu;
	kernel_set_cpu(g->kernel, g->cpu);
}

static void set_urgent(struct guard *g)
{
	int r = urgent_schedule(1);

	g->realtime = !r;
	if (r)
		log_warning("SCHED_FIFO is refused (%s): holds may take longer, and a parent may "
			    "see a stop",
			    strerror(-r));
	policy_spare_scan(g->policy);
	r = urgent_lock();
	if (r)
		log_warning("mlockall is refused (%s): the guard may be paged out", strerror(-r));
	if (g->realtime)
		settle(g);
	else
		kernel_set_cpu(g->kernel, -1);
}

/* ---- events */

static void on_decision(void *data, const struct bs_event *e)
{
	const struct bs_exec_event *x = (const struct bs_exec_event *)e;

	if (e->type == BS_EVENT_CONNECT)
		connect_event(data, (const struct bs_connect_event *)e);
	else if (e->type == BS_EVENT_DELETE)
		delete_event(data, (const struct bs_delete_event *)e);
	else if (e->type == BS_EVENT_SEND)
		send_event(data, (const struct bs_send_event *)e);
	else if (e->type == BS_EVENT_EXEC && x->flags & BS_EXEC_AGENT)
		agent_event(data, x);
	else if (e->type == BS_EVENT_EXEC)
		candidate_event(data, x);
	report_rest(data, e);
}

static void on_plain_exec(struct guard *g, const struct bs_exec_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = exec_decode(g, e);

	if (!x)
		return;
	report_action(g, x, OCSF_ALLOWED);
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
		connect_forget(g, e->tgid);
		exec_forget_args(g, e->tgid);
		break;
	case BS_EVENT_CONNECT:
		connect_event(g, (const struct bs_connect_event *)e);
		break;
	case BS_EVENT_DELETE:
		delete_event(g, (const struct bs_delete_event *)e);
		break;
	case BS_EVENT_NAMES:
		names_event(g, (const struct bs_names_event *)e);
		break;
	case BS_EVENT_SEND: /* a decision's alone */
		break;
	case BS_EVENT_TAMPER:
		protect_event(g, (const struct bs_tamper_event *)e);
		break;
	case BS_EVENT_END:
		report_of(g, e->number);
		session_end(g, e->session);
		break;
	}
	report_rest(g, e);
}

/* An event that was lost may have been the one of an end, or of a candidate. All slots are looked
 * through until `end`, and by the next drain() from there on. */
static void sweep(struct guard *g, u64 end)
{
	const volatile struct bs_counters *c = kernel_counters(g->kernel);
	u64 losses = c->losses[BS_LOSS_DECISION] + c->losses[BS_LOSS_EVENT];
	bool lost = losses != g->swept_losses;

	if (!g->sweep_at) {
		if (!lost && !g->sweep_again)
			return;
		g->swept_losses = losses;
		g->sweep_lost = lost;
		g->sweep_again = false;
	}
	g->sweep_again |= candidate_sweep(g, end);
	if (g->sweep_at || !g->sweep_lost)
		return;
	session_sweep(g);
	process_sweep(g);
	exec_drop_args(g);
}

/* A CPU that was taken away has moved us. */
static void stay(struct guard *g)
{
	if (g->cpu >= 0 && sched_getcpu() != g->cpu)
		settle(g);
}

/* What was consumed stands in the journal before it is let go. */
static int consume(struct guard *g, enum kernel_ring ring, int max)
{
	int n;

	report_batch(g);
	n = kernel_consume(g->kernel, ring, max);
	report_flush(g);
	if (n)
		kernel_release(g->kernel, ring);
	return n;
}

#define READ_BATCHES 8 /* in which others may wait to be decided */

void guard_read_events(struct guard *g, bool all)
{
	for (int i = 0; (all || i < READ_BATCHES) && consume(g, KERNEL_EVENTS, BATCH) == BATCH; i++)
		;
}

static int decide_all(struct guard *g, u64 end)
{
	int n, total = 0;

	do
		total += n = consume(g, KERNEL_DECISIONS, DECISIONS);
	while (n == DECISIONS && boot_ns() < end);
	return total;
}

/* Decisions come first: they are looked at after each batch of events. Returns how many of both
 * there were. A ring that is not empty then is told of again. */
static int drain(struct guard *g)
{
	u64 end = boot_ns() + DRAIN_TIME;
	int n, total = 0;

	stay(g);
	g->draining = true;
	do {
		total += decide_all(g, end);
		total += n = consume(g, KERNEL_EVENTS, BATCH);
	} while (n == BATCH && boot_ns() < end);
	sweep(g, end);
	g->draining = false;
	return total;
}

static bool wait_for(struct guard *g, int fd, int ms, void (*listen)(struct guard *g))
{
	struct pollfd fds[2 + KERNEL_RINGS] = { { .fd = fd, .events = POLLIN } };
	u64 end = boot_ns() + ms * 1000000ULL;
	int n = 1;

	for (int i = 0; g->ready && i < KERNEL_RINGS; i++)
		fds[n++] = (struct pollfd) { .fd = kernel_ring_fd(g->kernel, i), .events = POLLIN };
	if (g->ready)
		fds[n++] = (struct pollfd) { .fd = link_fd(g), .events = POLLIN };
	do {
		u64 now = boot_ns();

		poll(fds, n, now < end ? (end - now) / 1000000 + 1 : 0);
		if (g->ready) {
			drain(g);
			listen(g);
		}
	} while (!fds[0].revents && boot_ns() < end);
	return fds[0].revents || poll(fds, 1, 0) > 0;
}

static void listen_now(struct guard *g)
{
	link_pump(g, 0);
}

bool guard_wait(struct guard *g, int fd, int ms)
{
	return wait_for(g, fd, ms, listen_now);
}

bool guard_pause(struct guard *g, int fd, int ms)
{
	return wait_for(g, fd, ms, link_defer);
}

static void poll_events(void *data);

static void start_polling(struct guard *g)
{
	g->idle_polls = 0;
	if (!loop_add_timer(g->loop, POLL_PERIOD, poll_events, g, &g->poll))
		kernel_set_polling(g->kernel, true);
}

static void poll_events(void *data)
{
	struct guard *g = data;

	g->poll = NULL;
	g->idle_polls = drain(g) || g->sweep_at ? 0 : g->idle_polls + 1;
	if (g->idle_polls < IDLE_POLLS &&
	    !loop_add_timer(g->loop, g->sweep_at ? 0 : POLL_PERIOD, poll_events, g, &g->poll))
		return;
	kernel_set_polling(g->kernel, false);
	if (drain(g) || g->sweep_at) /* what came before the kernel knew: perhaps not all */
		start_polling(g);
}

static void on_ring(void *data, _unused_ uint32_t events)
{
	struct guard *g = data;

	drain(g);
	if (!g->poll)
		start_polling(g);
}

static void on_no_session(void *data)
{
	struct guard *g = data;

	if (!g->sessions.count)
		loop_quit(g->loop, 0);
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

/* Of two guards with the same pins each would take the kernel from the other. */
static int lock_pins(struct guard *g)
{
	g->pins_lock = open(g->pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->pins_lock < 0)
		return errno == ENOENT ? 0 : log_errno(-errno, "cannot open %s", g->pins);
	if (!flock(g->pins_lock, LOCK_EX | LOCK_NB))
		return 0;
	log_error("another guard runs with the pins in %s: stop it, or set 'pins:' in the "
		  "settings",
		  g->pins);
	return -EBUSY;
}

static int open_kernel(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct kernel_tables t;
	int r;

	g->pins = strdup(g->options.pins ?: policy_settings(g->policy)->pins);
	r = g->pins ? lock_pins(g) : -ENOMEM;
	if (r)
		return r;
	reload_tables(g, g->policy, &t);
	r = kernel_open(g->pins, &t, &g->kernel, &err);
	if (r) {
		log_error("%s", strbuf_str(&err));
		return r;
	}
	kernel_set_guard(g->kernel, getpid(), getppid());
	g->host.tier = tier_name(kernel_tier(g->kernel));
	kernel_on_event(g->kernel, KERNEL_DECISIONS, on_decision, g);
	kernel_on_event(g->kernel, KERNEL_EVENTS, on_event, g);
	return g->pins_lock < 0 ? lock_pins(g) : 0;
}

static int listen_all(struct guard *g)
{
	int r = 0;

	for (int i = 0; i < KERNEL_RINGS && !r; i++)
		r = loop_add_fd(g->loop, kernel_ring_fd(g->kernel, i), EPOLLIN, on_ring, g, NULL);
	if (!r && g->options.embedded)
		r = loop_add_timer(g->loop, FIRST_SESSION, on_no_session, g, NULL);
	return r ? log_errno(r, "cannot set up the event loop") : 0;
}

/* What a guard before this one has left. */
static void restore(struct guard *g)
{
	const struct bs_state *state = &kernel_shared(g->kernel)->state;
	int r;

	kernel_set_polling(g->kernel, false); /* it may have been killed while it polled */
	g->last_hold = state->last_hold;
	g->sequence = MAX(g->sequence, state->sequence);
	r = recorded_start(g);
	if (r)
		log_warning("the journal's end cannot be read (%s): what a guard before this one "
			    "wrote there may come twice",
			    strerror(-r));
	delete_start(g);
	library_look_all(g);
	session_restore_all(g);
	workspace_restore_all(g);
}

/* What is held has been taken over: now for those that were stopped while no guard ran. */
static void take_over(struct guard *g)
{
	protect_fill(g);
	drain(g);
	candidate_free_stale(g);
	fence_raise(g);
	fence_rest(g);
	g->sweep_at = 0;
	g->sweep_again = candidate_sweep(g, UINT64_MAX);
	session_sweep(g);
	if (policy_settings(g->policy)->follow_agents && !g->options.embedded)
		agent_find_running(g);
}

static int open_all(struct guard *g, int link)
{
	int r = link_open(g, link);

	if (!r)
		r = reload_first(g);
	if (!r)
		r = control_open(g, g->loop, g->options.socket, g->options.embedded,
				 g->options.owner, &g->control);
	if (!r)
		r = recorded_open(g);
	if (!r)
		r = open_kernel(g);
	if (!r)
		r = listen_all(g);
	return r;
}

static int guard_start(struct guard *g, int link)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	g->started_ms = now_ms();
	describe_host(g);
	g->users = users_new();
	secrets_new(&g->secrets);
	g->paths = paths_new();
	g->resolved = resolved_new();
	g->loop = loop_new();
	if (!g->users || !g->secrets || !g->paths || !g->resolved || !g->loop)
		return log_errno(-ENOMEM, "cannot start");
	r = open_all(g, link);
	if (r)
		return r;
	restore(g);
	set_urgent(g);
	r = link_ready(g);
	g->ready = !r;
	return r;
}

static void say_ready(struct guard *g)
{
	_cleanup_strbuf_ struct strbuf tiers = STRBUF_INIT;
	bool again = kernel_was_adopted(g->kernel);

	tier_describe(kernel_tiers(g->kernel), &tiers);
	log_to(g->options.log_fd);
	report_guard(g, NULL, "guard started",
		     "the guard started: tier %s, mode %s, policy %s, %u sessions and %u holds "
		     "taken over",
		     strbuf_str(&tiers), mode_name(g->options.mode), policy_version(g->policy),
		     (unsigned int)g->sessions.count, g->open_holds);
	log_info("ready%s: tier %s, mode %s, %u signatures (policy %s), socket %s",
		 again ? " again" : "", strbuf_str(&tiers), mode_name(g->options.mode),
		 policy_signature_count(g->policy), policy_version(g->policy), g->options.socket);
	if (kernel_refused(g->kernel))
		log_warning(
			"this kernel refuses programs of security hooks, which are left out:\n%s",
			kernel_refused(g->kernel));
	report_blind(g);
}

/* For good. */
static void stop(struct guard *g)
{
	unsigned int denied = hold_end_all(g, "the guard stops");
	const char *sessions = g->sessions.count ? ", its sessions go on unguarded" : "";
	const char *were = denied == 1 ? " was" : "s were";

	drain(g);
	unseen_forget_all(g);
	if (denied)
		log_info("%u open hold%s denied", denied, were);
	report_guard(g, NULL, "guard stopped", "the guard stopped, %u open hold%s denied%s", denied,
		     were, sessions);
	report_sync(g);
	kernel_unpin(g->kernel);
}

/* For the next guard, which goes on with all that is pinned and held. */
static void leave(struct guard *g)
{
	drain(g);
	unseen_forget_all(g);
	report_guard(g, NULL, "guard left", "the guard leaves to another one, with %u open holds",
		     g->open_holds);
	report_sync(g);
	control_keep_socket(g->control);
}

static void finish(struct guard *g, int r)
{
	if (!g->ready) {
		if (g->kernel && !kernel_was_adopted(g->kernel))
			kernel_unpin(g->kernel);
	} else if (r) {
		control_keep_socket(g->control);
	} else if (g->end == GUARD_LEAVE) {
		leave(g);
	} else {
		stop(g);
	}
}

static void guard_free(struct guard *g)
{
	unseen_forget_all(g);
	fetch_forget(g, 0);
	send_forget_refusals(g);
	control_close(g->control);
	protect_end(g);
	hold_free_all(g);
	lookup_forget_all(g);
	workspace_end_all(g);
	explain_forget_all();
	reaper_forget_all();
	link_close(g);
	kernel_close(g->kernel);
	close_fd(&g->pins_lock);
	journal_close(g->journal);
	recorded_free(g);
	policy_free(g->policy);
	exec_drop_args(g);
	pass_forget_all(g);
	delete_forget_all(g);
	send_forget_all(g);
	library_forget_all(g);
	connect_forget_all(g);
	process_free_all(g);
	session_free_all(g);
	grant_free_all(g);
	loop_free(g->loop);
	secrets_free(g->secrets);
	users_free(g->users);
	paths_free(g->paths);
	resolved_free(g->resolved);
	free(g->hostname);
	free(g->machine_id);
	free(g->release);
	free(g->boot_id);
	free(g->image);
	free(g->pins);
}

int guard_run(const struct guard_options *o, int link)
{
	struct guard g = { .options = *o, .pins_lock = -1, .cpu = -1 };
	int r;

	send_start(&g);
	r = guard_start(&g, link);
	if (!r) {
		say_ready(&g);
		take_over(&g);
		r = loop_run(g.loop);
	}
	finish(&g, r);
	guard_free(&g);
	return r;
}
