/* Aho and Corasick's automaton as a table: one transition a byte. */
#include <errno.h>
#include <string.h>

#include "backstop/class.h"
#include "policy/needles.h"

#define CLASSES (1U << BS_CLASS_BITS)

struct output {
	u16 needle;
	struct output *next;
};

struct state {
	u16 next[CLASSES];
	u16 fail, number;
	struct output *outputs;
};

struct builder {
	struct arena *arena;
	struct state *states;
	size_t states_count;
	u16 any; /* a needle that makes a candidate by itself; 0: not needed yet */
	struct needles *needles;
	bool full;
};

static u16 add_state(struct builder *b)
{
	static const struct state empty;

	if (b->states_count >= BS_MAX_STATES) {
		b->full = true;
		return 0;
	}
	ARENA_PUSH(b->arena, b->states, empty);
	return (u16)(b->states_count - 1);
}

static u16 descend(struct builder *b, u16 state, unsigned int class)
{
	u16 next = b->states[state].next[class];

	if (!next) {
		next = add_state(b);
		b->states[state].next[class] = next;
	}
	return next;
}

static void add_output(struct builder *b, u16 state, u16 needle)
{
	struct output *o = arena_alloc(b->arena, sizeof(*o));

	for (struct output *p = b->states[state].outputs; p; p = p->next)
		if (p->needle == needle)
			return;
	*o = (struct output) { .needle = needle, .next = b->states[state].outputs };
	b->states[state].outputs = o;
}

static void add_pattern(struct builder *b, const struct pattern *p, u16 needle)
{
	u16 state = 0;

	if (p->left)
		state = descend(b, state, 0);
	for (const char *c = p->text; *c; c++)
		state = descend(b, state, bs_class[(unsigned char)*c]);
	if (p->right)
		state = descend(b, state, 0);
	add_output(b, state, needle);
}

/* Fills in what is missing in the transitions, from the root outwards. */
static void link_failures(struct builder *b)
{
	u16 *queue = arena_alloc(b->arena, b->states_count * sizeof(*queue));
	size_t head = 0, tail = 0;

	for (unsigned int c = 0; c < CLASSES; c++)
		if (b->states[0].next[c])
			queue[tail++] = b->states[0].next[c];
	while (head < tail) {
		struct state *s = &b->states[queue[head]], *fail = &b->states[s->fail];

		for (struct output *o = fail->outputs; o; o = o->next)
			add_output(b, queue[head], o->needle);
		for (unsigned int c = 0; c < CLASSES; c++) {
			if (s->next[c]) {
				b->states[s->next[c]].fail = fail->next[c];
				queue[tail++] = s->next[c];
			} else {
				s->next[c] = fail->next[c];
			}
		}
		head++;
	}
}

/* Accepting states come first, so that a comparison tells them, and the root right behind them. */
static u32 number_states(struct builder *b)
{
	u32 accepts = 0, n;

	for (size_t i = 0; i < b->states_count; i++)
		if (b->states[i].outputs)
			b->states[i].number = (u16)accepts++;
	n = accepts;
	for (size_t i = 0; i < b->states_count; i++)
		if (!b->states[i].outputs)
			b->states[i].number = (u16)n++;
	return accepts;
}

static struct bs_accept make_accept(struct builder *b, const struct output *o)
{
	struct bs_accept a = { 0 };

	for (; o; o = o->next) {
		if (a.count == BS_ACCEPT_NEEDLES)
			return (struct bs_accept) { .count = 1, .needle = { b->any } };
		a.needle[a.count++] = o->needle;
	}
	return a;
}

/* More needles end in one state than it can name: such an action is a candidate. */
static void prepare_any(struct builder *b)
{
	for (size_t i = 0; i < b->states_count && !b->any; i++) {
		size_t n = 0;

		for (struct output *o = b->states[i].outputs; o; o = o->next)
			n++;
		if (n <= BS_ACCEPT_NEEDLES)
			continue;
		ARENA_PUSH(b->arena, b->needles->all, (struct needle) { 0 });
		b->any = (u16)(b->needles->all_count - 1);
		struct needle_rule r = { .needles = { b->any } };
		ARENA_PUSH(b->arena, b->needles->rules, r);
	}
}

static void write_states(struct builder *b, struct automaton *ret)
{
	ret->trans = arena_alloc(b->arena, b->states_count * CLASSES * sizeof(u16));
	ret->accepts = arena_alloc(b->arena, ret->accepts_count * sizeof(*ret->accepts));
	for (size_t i = 0; i < b->states_count; i++) {
		const struct state *s = &b->states[i];

		for (unsigned int c = 0; c < CLASSES; c++)
			ret->trans[s->number * CLASSES + c] = b->states[s->next[c]].number;
		if (s->outputs)
			ret->accepts[s->number] = make_accept(b, s->outputs);
	}
	ret->start = b->states[b->states[0].next[0]].number;
}

/* --- rules, each under the needle that the fewest rules share */

static u16 choose_anchor(const struct needle_rule *r, const u32 *uses)
{
	u16 best = r->needles[0];

	for (size_t i = 1; i <= BS_RULE_NEEDLES; i++)
		if (r->needles[i] && uses[r->needles[i]] < uses[best])
			best = r->needles[i];
	return best;
}

static void count_uses(const struct needles *n, u32 *uses)
{
	for (size_t i = 0; i < n->rules_count; i++)
		for (size_t k = 0; k <= BS_RULE_NEEDLES; k++)
			uses[n->rules[i].needles[k]]++;
}

static void write_rules(struct needles *n, struct automaton *ret)
{
	u32 *uses = arena_alloc(n->arena, n->all_count * sizeof(*uses)), first = 0;
	u16 *anchors = arena_alloc(n->arena, n->rules_count * sizeof(*anchors));

	ret->anchors = arena_alloc(n->arena, n->all_count * sizeof(*ret->anchors));
	ret->rules = arena_alloc(n->arena, n->rules_count * sizeof(*ret->rules));
	count_uses(n, uses);
	for (size_t i = 0; i < n->rules_count; i++) {
		anchors[i] = choose_anchor(&n->rules[i], uses);
		ret->anchors[anchors[i]].count++;
	}
	for (size_t i = 1; i < n->all_count; i++) {
		ret->anchors[i].first = first;
		first += ret->anchors[i].count;
		ret->anchors[i].count = 0;
	}
	for (size_t i = 0; i < n->rules_count; i++) {
		struct bs_anchor *a = &ret->anchors[anchors[i]];
		struct bs_rule *r = &ret->rules[a->first + a->count++];
		size_t m = 0;

		for (size_t k = 0; k <= BS_RULE_NEEDLES; k++)
			if (n->rules[i].needles[k] && n->rules[i].needles[k] != anchors[i])
				r->need[m++] = n->rules[i].needles[k];
	}
	ret->needles = (u32)n->all_count - 1;
	ret->rules_count = (u32)n->rules_count;
}

int automaton_build(struct needles *n, struct automaton *ret)
{
	struct builder b = { .arena = n->arena, .needles = n };
	struct automaton result = { 0 };

	add_state(&b);
	for (size_t i = 1; i < n->all_count; i++)
		for (size_t k = 0; k < n->all[i].patterns_count; k++)
			add_pattern(&b, &n->all[i].patterns[k], (u16)i);
	if (n->full || b.full)
		return -E2BIG;
	link_failures(&b);
	result.accepts_count = number_states(&b);
	result.states = (u32)b.states_count;
	if (result.accepts_count > BS_MAX_ACCEPTS)
		return -E2BIG;
	prepare_any(&b);
	write_states(&b, &result);
	write_rules(n, &result);
	*ret = result;
	return 0;
}
