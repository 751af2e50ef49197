/* Which events of the kernel's are in the journal. A guard that is killed leaves those that it had
 * not let go of in the ring, and its successor gets them again: what the journal's end already
 * tells of them is not told twice. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "guard/hold.h"
#include "guard/internal.h"

/* An event is let go of with its batch, and a batch is some dozen lines. */
#define TAIL_LINES 4096		 /* of events of this run */
#define TAIL_BYTES (64ULL << 20) /* looked through for them */

struct tail {
	struct guard *guard;
	size_t lines;
	u64 *wanted; /* numbers of held deletions, of which more must be known */
	size_t wanted_count;
	int64_t oldest_ms; /* of the last line that was read */
	int err;
};

static int want_held(struct tail *t)
{
	const struct bs_slot *slots = kernel_slots(t->guard->kernel);

	t->wanted = calloc(BS_SLOTS, sizeof(*t->wanted));
	for (u32 i = 0; t->wanted && i < BS_SLOTS; i++)
		if (BS_SLOT_STATE(slots[i].word) != BS_SLOT_FREE &&
		    (slots[i].kind == BS_SLOT_DELETE || slots[i].kind == BS_SLOT_DELETED))
			t->wanted[t->wanted_count++] = slots[i].number;
	return t->wanted ? 0 : -ENOMEM;
}

static void keep_wanted(struct tail *t, u64 number, const char *line, size_t len)
{
	for (size_t i = 0; i < t->wanted_count; i++) {
		char *copy;

		if (t->wanted[i] != number || !ocsf_is_deletion(line, len))
			continue;
		copy = strndup(line, len);
		if (copy && map_set(&t->guard->recorded.deletions, number, copy))
			free(copy);
		t->wanted[i] = t->wanted[--t->wanted_count];
		return;
	}
}

static bool take_line(void *data, const char *line, size_t len)
{
	struct tail *t = data;
	struct recorded *r = &t->guard->recorded;
	struct ocsf_event_mark m;

	if (!ocsf_read_mark(line, len, r->run, &m))
		return true;
	t->err = numbers_add(&r->before, m.number);
	if (t->err >= 0)
		t->err = numbers_add(&r->numbers, m.number);
	t->err = MIN(t->err, 0);
	if (m.recorded && !r->count) { /* the newest line with counts */
		r->count = m.recorded;
		r->unwritten = m.unwritten;
		r->found_count = m.found;
	}
	t->oldest_ms = m.time_ms;
	keep_wanted(t, m.number, line, len);
	return !t->err && (++t->lines < TAIL_LINES || t->wanted_count);
}

/* What has been held since before the tail begins was recorded then. */
static int add_old_holds(struct guard *g, const struct tail *t)
{
	const struct bs_slot *slots = kernel_slots(g->kernel);

	for (u32 i = 0; t->lines >= TAIL_LINES && i < BS_SLOTS; i++) {
		int r = 0;

		if (slots[i].hold && slots[i].since_ms && (int64_t)slots[i].since_ms < t->oldest_ms)
			r = numbers_add(&g->recorded.numbers, slots[i].number);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_tail(struct guard *g)
{
	struct tail t = { .guard = g };
	_cleanup_free_ char *dir = NULL;
	int r;

	if (asprintf(&dir, "%s/journal", g->options.state_dir) < 0)
		return -ENOMEM;
	r = want_held(&t);
	if (!r)
		r = journal_read_back(dir, TAIL_BYTES, take_line, &t);
	if (!r)
		r = t.err;
	free(t.wanted);
	return r ?: add_old_holds(g, &t);
}

int recorded_start(struct guard *g)
{
	struct bs_state *state = &kernel_shared(g->kernel)->state;
	bool fresh = !state->run;

	while (!state->run)
		if (getrandom(&state->run, sizeof(state->run), 0) < 0)
			return -errno;
	snprintf(g->recorded.run, sizeof(g->recorded.run), "%08x", state->run);
	return fresh ? 0 : read_tail(g);
}

void recorded_free(struct guard *g)
{
	void *line;

	map_for_each (&g->recorded.deletions, line)
		free(line);
	map_free(&g->recorded.deletions);
	numbers_free(&g->recorded.numbers);
	numbers_free(&g->recorded.before);
	map_free(&g->recorded.found);
}

int recorded_object(const struct guard *g, u64 number, struct object *ret)
{
	const char *line = map_get(&g->recorded.deletions, number);
	struct ocsf_deletion d;

	if (!line || ocsf_read_deletion(line, strlen(line), &d))
		return -ENOENT;
	*ret = (struct object) { .id = { .op = d.op, .dev = d.dev, .inode = d.inode },
				 .path = (char *)d.path,
				 .inner = (char *)d.inner,
				 .bytes = d.bytes,
				 .links = d.links,
				 .burst = d.burst };
	return 0;
}

bool report_is_recorded(const struct guard *g, u64 number)
{
	return numbers_has(&g->recorded.numbers, number);
}

void recorded_mark(struct guard *g, u64 number, bool found, struct ocsf_event *ret)
{
	struct recorded *r = &g->recorded;
	bool first = number && numbers_add(&r->numbers, number) == 1;

	ret->number = number;
	ret->run = r->run[0] ? r->run : NULL;
	if (!first)
		return;
	if (found && !map_set(&r->found, number, r))
		r->found_count++;
	ret->recorded = ++r->count;
	ret->unwritten = r->unwritten;
	ret->found = r->found_count;
}

/* The first line of an event was counted before it was written. */
void recorded_lost(void *data, const char *line, size_t len)
{
	struct guard *g = data;
	struct ocsf_event_mark m;

	if (!ocsf_read_mark(line, len, g->recorded.run, &m) || !m.recorded)
		return;
	g->recorded.count--;
	g->recorded.unwritten++;
}

void report_of(struct guard *g, u64 number)
{
	g->recorded.of = number;
}

static struct exec *decode(struct guard *g, const struct bs_event *e)
{
	if (e->type == BS_EVENT_CONNECT)
		return connect_decode(g, (const struct bs_connect_event *)e);
	if (e->type == BS_EVENT_DELETE)
		return delete_decode(g, (const struct bs_delete_event *)e);
	if (e->type == BS_EVENT_EXEC)
		return exec_decode(g, (const struct bs_exec_event *)e);
	return NULL;
}

static void report_decoded(struct guard *g, const struct exec *x)
{
	if (hold_is_undecided(g, x->slot, x->ticket))
		return; /* its decision tells of it */
	if (hold_has_slot(g, x->slot, x->ticket))
		report_unknown(g, x, OCSF_DELAYED, "it was held by a guard that was killed");
	else if (boot_to_ms(x->time) < g->started_ms)
		report_unknown(g, x, OCSF_UNKNOWN, "it was decided by a guard that was killed");
	else
		report_unknown(g, x, OCSF_UNKNOWN, "its thread did not wait to be answered");
}

void report_rest(struct guard *g, const struct bs_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	g->recorded.of = 0;
	if (!e->number)
		return;
	if (map_remove(&g->recorded.found, e->number))
		g->recorded.found_count--; /* it was not lost, only late */
	if (report_is_recorded(g, e->number))
		return;
	x = decode(g, e);
	if (x) {
		report_decoded(g, x);
		return;
	}
	report_of(g, e->number);
	report_guard(g, session_get(g, e->session), "event",
		     e->type == BS_EVENT_END ? "session %llx has no task left"
					     : "an event of session %llx that nothing is known of",
		     (unsigned long long)e->session);
}

/* A decision that the kernel lost is none of the lost where its slot told of it. */
void report_counts(const struct guard *g, struct report_counts *ret)
{
	const volatile struct bs_counters *c = kernel_counters(g->kernel);
	u64 lost = c->losses[BS_LOSS_EVENT] + c->losses[BS_LOSS_DECISION];

	lost -= MIN(lost, g->recorded.found_count);
	*ret = (struct report_counts) {
		.made = c->events,
		.recorded = g->recorded.count,
		.lost = lost + g->recorded.unwritten,
	};
}
