/* tls: what a library is about to encrypt.
 *
 * uprobe	SSL_write and its like: a candidate's thread is stopped, and nothing of the call has
 *		run; it can be let go or killed
 * uprobe	the library's connection is gone
 */
#include "shared.h"
#include "hold.h"
#include "send.h"

/* What it is to write goes unless the task is killed. */
static __always_inline u32 ask_thread(const struct place *p)
{
	enum bs_slot_state s = ask(p, BS_SLOT_STOPPING);
	u32 say = STREAM_WATCH | STREAM_LATE;

	if (s == BS_SLOT_ASKED)
		stop_task(p);
	if (s != BS_SLOT_ALLOWED)
		return say;
	say = p->slot->say;
	set_slot(p, BS_SLOT_FREE);
	return say;
}

/* While no guard runs, as the owner wants it; true where the candidate is not stopped. */
static __always_inline bool thread_down(struct bs_send_event *e)
{
	u32 down = shared.state.down;

	if (down != BS_DOWN_ALLOW && down != BS_DOWN_KILL)
		return false;
	e->flags |= BS_SEND_DOWN;
	if (down == BS_DOWN_KILL) {
		e->flags |= BS_SEND_REFUSED;
		bpf_send_signal(SIGKILL);
	}
	return true;
}

/* Returns what the guard says of the stream. */
static __always_inline u32 ask_before(struct send_work *w, struct bs_label *l)
{
	struct bs_send_event *e = &w->event;
	struct place p = {};

	COUNT(candidates);
	e->flags |= BS_SEND_CANDIDATE;
	if (bpf_get_current_task_btf()->ptrace)
		e->flags |= BS_SEND_TRACED;
	if (!thread_down(e)) {
		p = claim_slot(BS_SLOT_SENDING, &e->head, e->start);
		e->slot = p.at;
		e->ticket = p.ticket;
		l->slot = p.at + 1;
		if (!p.slot) {
			e->flags |= BS_SEND_REFUSED;
			bpf_send_signal(SIGKILL);
		}
	}
	send_again(w);
	send_told(w);
	if (!p.slot)
		return BS_SAY_WATCH;
	if (!(e->flags & BS_SEND_TRACED))
		return ask_thread(&p);
	ask_traced(&p);
	return BS_SAY_WATCH;
}

static __always_inline void ask_tls(struct send_work *w, struct bs_label *l)
{
	w->stream.asked = w->stream.position;
	memo_note(w);
	send_answered(w, ask_before(w, l));
}

static __always_inline void before_tls(struct send_work *w, struct bs_label *l)
{
	if (send_begin(w)) {
		if (send_observes)
			send_observe(w);
		else
			ask_tls(w, l);
	}
	send_advance(w);
}

/* (connection, buffer, count). */
struct given {
	u64 object, buffer, count;
};

/* All are read before it is asked: the verifier takes no choice between places in a context. */
static __always_inline struct given given_of(struct pt_regs *ctx)
{
	struct given c = { ctx->di, ctx->si, ctx->dx }, go = { ctx->ax, ctx->bx, ctx->cx };
	u64 how = bpf_get_attach_cookie(ctx);

	asm volatile(""
		     : "+r"(c.object), "+r"(c.buffer), "+r"(c.count), "+r"(go.object),
		       "+r"(go.buffer), "+r"(go.count));
	if (how == BS_TLS_INT)
		c.count = (s32)c.count > 0 ? (u32)c.count : 0;
	return how == BS_TLS_GO ? go : c;
}

#define TLS_MOST                                                                                   \
	0x7fffffff /* bytes: of so many the end is not looked at, which makes a candidate */

/* SSL_write(ssl, buffer, count), and all that begin likewise. */
SEC("uprobe")
int tls_write(struct pt_regs *ctx)
{
	struct bs_label *l = label_of(bpf_get_current_task_btf());
	struct send_work *w;
	struct given c;
	u32 size;

	if (!l || !is_acting() || !send_tables)
		return 0;
	c = given_of(ctx);
	size = c.count > TLS_MOST ? TLS_MOST : c.count;
	if (!size)
		return 0;
	w = send_claim();
	if (!w) {
		COUNT(losses[BS_LOSS_SLOT]);
		if (!send_observes) /* what nobody looks at does not go */
			bpf_send_signal(SIGKILL);
		return 0;
	}
	w->key.object = c.object;
	w->key.owner = bpf_get_current_pid_tgid() >> 32;
	w->size = w->room = size;
	w->base = c.buffer;
	w->vector = w->parts = w->messages_left = 0;
	w->counted = w->seq = 0;
	w->begun = 1;
	send_head(w, l->session, BS_SEND_TLS);
	__builtin_memset(&w->event.dest, 0, sizeof(w->event.dest));
	w->event.path[0] = '\0';
	before_tls(w, l);
	send_release(w);
	return 0;
}

/* SSL_free(ssl), and all that begin likewise: its address may be the next connection's. Of Go, that
 * collects what nobody closed, a connection begins. */
SEC("uprobe")
int tls_free(struct pt_regs *ctx)
{
	if (is_acting() && label_of(bpf_get_current_task_btf()))
		send_forget(given_of(ctx).object, bpf_get_current_pid_tgid() >> 32);
	return 0;
}
