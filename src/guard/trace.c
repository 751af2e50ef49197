/* All ptrace calls come from the keeper's one thread, as the kernel demands. The stop is never
 * shown to anybody: a task that the kernel had to stop is continued as soon as it is seized, and
 * traps in ptrace's own stop. */
#include "guard/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/proc.h"
#include "guard/refuse.h"
#include "guard/slot.h"

static struct tracee *find_tid(const struct tracer *t, u32 tid)
{
	struct tracee *e;

	LIST_FOREACH (e, &t->tracees, entry)
		if (e->tid == tid)
			return e;
	return NULL;
}

static struct tracee *find_slot(const struct tracer *t, u32 slot, u32 ticket)
{
	struct tracee *e;

	LIST_FOREACH (e, &t->tracees, entry)
		if (e->slot == slot && e->ticket == ticket)
			return e;
	return NULL;
}

static void tracee_free(struct tracee *e)
{
	LIST_REMOVE(e, entry);
	free(e);
}

static struct tracee *tracee_new(struct tracer *t, u32 tid, u32 slot, u32 ticket)
{
	struct tracee *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct tracee) { .tid = tid, .slot = slot, .ticket = ticket };
	LIST_INSERT_HEAD(&t->tracees, e, entry);
	return e;
}

/* An exec whose keeper dies must not run, as nobody would decide on it. A connect would only
 * restart, and be frozen again. */
static long options_of(const struct bs_slot *s)
{
	return slot_restarts(s->kind) ? 0 : PTRACE_O_EXITKILL;
}

int trace_seize(struct tracer *t, u32 tid, u32 slot, u32 ticket)
{
	struct bs_slot *s = &t->slots[slot];
	struct tracee *e = tracee_new(t, tid, slot, ticket);
	struct proc_stat st;
	bool seen;
	int r;

	if (!e)
		return -ENOMEM;
	/* one that the kernel stopped stands in ptrace's stop as soon as it is seized */
	seen = slot_state(s, ticket) == BS_SLOT_STOPPED && !proc_read_stat(tid, &st) &&
	       st.state == 'T';
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options_of(s))) {
		r = -errno;
		tracee_free(e);
		return r;
	}
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	if (!slot_take(s, ticket, BS_SLOT_SEIZED)) {
		seen |= slot_unstop(s, ticket);
		slot_keep(s, ticket);
	}
	return seen;
}

static void detach(struct tracee *e)
{
	ptrace(PTRACE_DETACH, e->tid, NULL, NULL);
	tracee_free(e);
}

void trace_let_go(struct tracer *t, u32 slot, u32 ticket)
{
	struct tracee *e = find_slot(t, slot, ticket);

	if (!e)
		return;
	slot_free(&t->slots[slot], ticket);
	detach(e);
}

void trace_refuse(struct tracer *t, u32 slot, u32 ticket)
{
	struct tracee *e = find_slot(t, slot, ticket);

	if (!e)
		return;
	if (refuse_task(e->tid)) {
		kill(e->tid, SIGKILL);
		return;
	}
	slot_free(&t->slots[slot], ticket);
	kill(e->tid, SIGCONT); /* discards a Ctrl-Z, which would keep it from ending */
	detach(e);
}

static void trapped(struct tracer *t, struct tracee *e)
{
	if (e->trapped)
		return;
	e->trapped = true;
	t->tell(t->data, KEEPER_TRAPPED, e);
}

static void gone(struct tracer *t, struct tracee *e)
{
	if (t->slots)
		slot_free(&t->slots[e->slot], e->ticket);
	t->tell(t->data, KEEPER_GONE, e);
	tracee_free(e);
}

void trace_report(struct tracer *t, pid_t pid, int status)
{
	struct tracee *e = find_tid(t, pid);
	bool trap = WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP;

	if (WIFSTOPPED(status) && !trap)
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status));
	else if (e && trap)
		trapped(t, e);
	else if (e)
		gone(t, e);
}

/* Whom does the task belong to? 0: nobody, or it is gone. */
static pid_t tracer_of(u32 tid)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const char *line;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	line = io_read_file(AT_FDCWD, path, 65536, &sb) ? NULL
							: strstr(strbuf_str(&sb), "\nTracerPid:");
	return line ? (pid_t)strtol(line + 11, NULL, 10) : 0;
}

void trace_adopt(struct tracer *t)
{
	for (u32 i = 0; i < BS_SLOTS; i++) {
		u32 word = t->slots[i].word, tid = t->slots[i].tid;
		struct proc_stat st;
		struct tracee *e;

		if (BS_SLOT_STATE(word) != BS_SLOT_SEIZED || find_tid(t, tid) ||
		    tracer_of(tid) != getpid())
			continue;
		e = tracee_new(t, tid, i, word >> 3);
		if (e)
			e->trapped = !proc_read_stat(tid, &st) && st.state == 't';
	}
}

void trace_kill_all(struct tracer *t)
{
	while (!LIST_EMPTY(&t->tracees)) {
		struct tracee *e = LIST_FIRST(&t->tracees);

		kill(e->tid, SIGKILL);
		slot_free(&t->slots[e->slot], e->ticket);
		detach(e);
	}
}

#define SETTLE_USEC  20000 /* longer than a task waits in the kernel for an answer */
#define SETTLE_TIMES 250   /* where thousands run, each is long without a CPU */
#define TICK_NS	     (1000000000ULL / sysconf(_SC_CLK_TCK))

/* Is the task that had the slot still there? */
static bool is_there(const struct bs_slot *s)
{
	struct proc_stat process, task;

	return !proc_read_stat(s->tgid, &process) && process.start_time == s->start / TICK_NS &&
	       !proc_read_stat(s->tid, &task) && task.state != 'Z' && task.state != 'X';
}

/* True while it is yet to be stopped. */
static bool end_stopped(struct bs_slot *s)
{
	u32 word = s->word;
	bool stopped = BS_SLOT_STATE(word) == BS_SLOT_STOPPED;

	if ((!stopped && !slot_is_open(word)) || !is_there(s))
		return false;
	if (!stopped)
		return true;
	kill(s->tgid, slot_restarts(s->kind) ? SIGCONT : SIGKILL);
	slot_free(s, word >> 3);
	return false;
}

void trace_end_stopped(struct tracer *t)
{
	bool waits = true;

	for (int n = 0; n < SETTLE_TIMES && waits; n++) {
		usleep(SETTLE_USEC);
		waits = false;
		for (u32 i = 0; i < BS_SLOTS; i++)
			waits |= end_stopped(&t->slots[i]);
	}
}
