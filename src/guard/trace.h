/* The keeper's tracees: tasks that are seized, so that no SIGCONT wakes them, until they are let
 * go, refused or killed. */
#ifndef GUARD_TRACE_H
#define GUARD_TRACE_H

#include <sys/queue.h>
#include <sys/types.h>

#include "backstop/event.h"
#include "guard/keeper.h"

struct tracee {
	LIST_ENTRY(tracee) entry;
	u32 tid, slot, ticket;
	bool trapped;
};

LIST_HEAD(tracee_list, tracee);

struct tracer {
	struct tracee_list tracees;
	struct bs_slot *slots; /* NULL: not known yet */
	/* KEEPER_TRAPPED and KEEPER_GONE, as they happen */
	void (*tell)(void *data, enum keeper_op op, const struct tracee *t);
	void *data;
};

/* Holds a task, whose stop nobody sees. What KEEPER_KEPT says. */
int trace_seize(struct tracer *t, u32 tid, u32 slot, u32 ticket);
/* Whatever is held with that slot runs, or exits with status 126 (killed where that cannot be
 * done). Nothing happens where nothing is. */
void trace_let_go(struct tracer *t, u32 slot, u32 ticket);
void trace_refuse(struct tracer *t, u32 slot, u32 ticket);
/* What waitpid() said of a process that is not the keeper's child. */
void trace_report(struct tracer *t, pid_t pid, int status);
/* After the keeper was executed anew: what it still traces by the slots. */
void trace_adopt(struct tracer *t);
/* Nobody is left to decide: what is held is killed. */
void trace_kill_all(struct tracer *t);
/* The programs are detached: execs that were stopped too late for any guard are killed, connects go
 * on. */
void trace_end_stopped(struct tracer *t);

#endif
