/* What this kernel gives: each thing is tried, not guessed from a version. What a probe attaches is
 * detached again before it returns; what it attaches meanwhile allows everything. */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include "base/strbuf.h"

enum probe_state {
	PROBE_OK,
	PROBE_MISSING,
	PROBE_UNKNOWN, /* it takes root to try */
	PROBE_STATE_COUNT
};
const char *probe_state_name(enum probe_state s); /* "ok" … */

enum probe_need {
	NEED_REQUIRED, /* without it nothing can be held */
	NEED_BETTER,   /* something is worse without it */
	NEED_LATER,    /* nothing uses it yet */
};

struct probe {
	const char *name; /* "ring-buffer" */
	const char *what; /* for people */
	enum probe_need need;
	bool privileged;    /* takes root to try */
	const char *cost;   /* what it costs where it is missing */
	const char *remedy; /* what to do then; NULL: advise() says it for this machine */
	/* 0, or a negative errno: missing; says more in `detail`, which may stay empty */
	int (*run)(struct strbuf *detail);
	void (*advise)(struct strbuf *text);
};

extern const struct probe probes[];
extern const size_t probes_count;

/* Tries it. */
enum probe_state probe_run(const struct probe *p, struct strbuf *detail);
/* What to do where it is missing. */
void probe_advise(const struct probe *p, struct strbuf *text);
/* Why the programs were refused: all that is required and missing, with its remedy, in one line.
 * Where nothing is, the kernel's own `err` and `messages` must do. */
void probe_explain(int err, const char *messages, struct strbuf *text);

#endif
