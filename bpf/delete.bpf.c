/* delete: judges deletions of tracked tasks.
 *
 * the security hooks	of security.bpf.c, by way of delete.h: before it happens
 * deleted.bpf.c	where there are none: after it has happened
 */
#include "shared.h"
#define SCAN(name) delete_##name
#include "scan.h"
#include "delete.h"

struct delete_works_map delete_works SEC(".maps");
const volatile u32 delete_works_mask = 31;

/* The scan's state, beside each of `delete_works`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, u32);
	__type(value, struct bs_scan);
} delete_scans SEC(".maps");

_Static_assert(sizeof(((struct delete_work *)0)->data) >= BS_CHUNK + BS_PADDING, "the scan's room");
_Static_assert(PATH_ROOM + BS_FILE_MAX <= BS_CHUNK, "the path's room");

/* Files that are protected by whatever name, until the last is gone. Full: another link to such a
 * file is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BS_PROTECTED_INODES);
	__type(key, struct bs_protect_key);
	__type(value, u32);
} protected_inodes SEC(".maps");

/* Files that sessions made: those that go again soon are no loss, and in no burst. Full: the oldest
 * are forgotten, and count. */
struct made {
	u64 session, time; /* CLOCK_BOOTTIME */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct bs_protect_key);
	__type(value, struct made);
} made SEC(".maps");
#define MADE_SOON (60 * 1000000000ULL)

/* What the project of a session calls precious. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BS_SESSIONS);
	__type(key, u64);
	__type(value, struct bs_hints);
} hints SEC(".maps");

/* Directories in which nothing that a program deletes is asked about any more, until it execs: the
 * guard has said so. By delete_event.place. Full: those that were asked about longest ago are
 * again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u32);
} spared SEC(".maps");
const volatile u64 place_seed; /* random, so that nobody makes two places one */

/* Names of directories, what is inside is build output. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, char[BS_BUILD_NAME]);
	__type(value, u32);
} build_output SEC(".maps");

/* What is in `build_output`, roughly, by the first 8 bytes of a name: bit (key * 2^64 / golden
 * ratio) >> 56. */
const volatile u64 build_filter[4];

const volatile u32 burst_limit = 0;	   /* deletions in the window; 0: none */
const volatile u64 burst_bucket = 1;	   /* nanoseconds */
const volatile u32 delete_unhooked = 0;	   /* bits of the operations that no security hook sees */
const volatile bool delete_tables = false; /* there are any: else no path is a candidate */

static __always_inline bool send_stop(struct bs_waiting *w)
{
	return !bpf_send_signal_thread(SIGSTOP);
}

static __always_inline bool send_cont(struct bs_waiting *w)
{
	return !bpf_send_signal_thread(SIGCONT);
}

#include "restart.h"

/* ---- the path */

static __always_inline bool is_build_name(const struct delete_work *w, u32 at, u64 word)
{
	u32 bit = word * 0x9e3779b97f4a7c15ULL >> 56;
	char name[BS_BUILD_NAME] = {};

	if (!(build_filter[bit >> 6 & 3] >> (bit & 63) & 1))
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), w->data + at);
	return bpf_map_lookup_elem(&build_output, name);
}

/* Is what is inside of a directory of that name build output? */
__noinline int delete_builds(u64 name)
{
	char copy[BS_BUILD_NAME] = {};

	bpf_probe_read_kernel_str(copy, sizeof(copy), (const void *)name);
	return !!bpf_map_lookup_elem(&build_output, copy);
}

static __always_inline bool may_be_precious(const struct delete_work *w, const struct bs_ends *e)
{
	u64 session = w->event.head.session;
	const struct bs_hints *h = bpf_map_lookup_elem(&hints, &session);

	return h && bs_is_hinted(h, e);
}

/* Before the first component of the first path. */
__noinline int delete_begin(struct delete_work *w)
{
	u64 session = w ? w->event.head.session : 0;

	if (!w)
		return 0;
	w->hinted = !!bpf_map_lookup_elem(&hints, &session);
	w->asks = 0;
	w->leaf = w->leaf_end = 0;
	return 0;
}

/* A component has come: n bytes with its NUL. */
__noinline int delete_note(struct delete_work *w, u32 at, u32 n)
{
	struct bs_ends e;

	if (!w || at > BS_CHUNK - BS_FILE_MAX)
		return 0;
	e = bs_ends_of(w->data + at, n);
	if (w->hinted && !w->asks)
		w->asks = may_be_precious(w, &e);
	w->before = w->last;
	w->last = e.head;
	if (!at)
		w->leaf_end = n;
	if (w->parts++ && is_build_name(w, at, e.head))
		w->build = 1;
	return 0;
}

/* Is it the path of something that is protected? Path and inner path are one chunk. */
static __always_inline bool scan_path(struct delete_work *w, u32 len)
{
	const void *table = scan_table();
	u32 at = w->index;
	struct bs_scan *s = bpf_map_lookup_elem(&delete_scans, &at);

	if (!delete_tables)
		return false;
	if (!s || !table || len > PATH_ROOM + BS_FILE_MAX)
		return true;
	__builtin_memset(w->data + len, 0, BS_PADDING);
	bs_scan_begin(s, table);
	bs_scan_chunk(s, table, w->data, len, 0);
	return bs_scan_end(s, table);
}

/* Of a deep path the upper part is not known. */
static __always_inline bool is_precious(const struct delete_work *w)
{
	return w->asks || (w->hinted && w->event.flags & BS_DELETE_CUT);
}

static __always_inline u32 path_bytes(const struct bs_delete_event *e)
{
	return (u32)e->path_len + e->inner_len;
}

/* ---- files that are protected by whatever name */

static __always_inline struct bs_protect_key event_key(const struct bs_delete_event *e)
{
	return (struct bs_protect_key) { e->inode, e->dev, e->generation };
}

static __always_inline bool is_last_name(const struct bs_delete_event *e)
{
	return (e->op == BS_DELETE_UNLINK || e->op == BS_DELETE_RENAME) && e->links <= 1;
}

static __always_inline bool loses_content(const struct bs_delete_event *e)
{
	return e->op == BS_DELETE_TRUNCATE || e->op == BS_DELETE_PUNCH || is_last_name(e);
}

/* A frame of its own, as 512 bytes of stack are little. By a link of a lower layer's file overlayfs
 * makes it one of the upper layer. */
static __noinline bool is_protected(const struct bs_delete_event *e)
{
	struct bs_protect_key key = event_key(e);

	if (!loses_content(e))
		return false;
	if (bpf_map_lookup_elem(&protected_inodes, &key))
		return true;
	key.generation = 0;
	return bpf_map_lookup_elem(&protected_inodes, &key);
}

static __always_inline bool is_asked(struct delete_work *w)
{
	return scan_path(w, path_bytes(&w->event)) || is_precious(w);
}

/* ---- directories that were asked about */

struct place_hash {
	struct delete_work *w;
	u64 hash;
};

static __always_inline void mix(u64 *hash, u64 word)
{
	*hash = (*hash ^ word) * 0x9e3779b97f4a7c15ULL;
	*hash ^= *hash >> 29;
}

static long place_step(u32 i, void *data)
{
	struct place_hash *h = data;

	if (i < h->w->leaf || i >= h->w->leaf_end)
		mix(&h->hash, h->w->data[i & (BS_CHUNK - 1)]);
	return 0;
}

/* A frame of its own. Of a path that is cut, or that another one stands for, nobody says. */
static __noinline u64 place_of(struct delete_work *w)
{
	struct bs_delete_event *e = &w->event;
	struct place_hash h = { .w = w, .hash = place_seed };

	if (!w->leaf_end || e->flags & BS_DELETE_CUT ||
	    (e->inner_len && !(e->flags & BS_DELETE_DONE)))
		return 0;
	mix(&h.hash, e->head.tgid);
	mix(&h.hash, e->start);
	mix(&h.hash, bpf_get_current_task_btf()->self_exec_id);
	mix(&h.hash, e->parent_inode);
	mix(&h.hash, e->dev);
	bpf_loop(path_bytes(e), place_step, &h, 0);
	return h.hash;
}

static __noinline bool is_spared(struct delete_work *w)
{
	u64 place = place_of(w);

	w->event.place = place;
	return place && bpf_map_lookup_elem(&spared, &place);
}

__noinline int delete_linked(struct delete_work *w)
{
	struct bs_protect_key key;
	u32 one = 1, r = PASS;

	if (!w)
		return REFUSE;
	key = event_key(&w->event);
	if (is_asked(w) && bpf_map_update_elem(&protected_inodes, &key, &one, BPF_ANY))
		r = REFUSE;
	delete_release(w);
	return r;
}

/* It was asked about, and goes on. */
__noinline int delete_forget(struct bs_protect_key *key)
{
	struct bs_protect_key copy; /* verifiers before 6.2 take no memory of a caller for a key */

	if (!key)
		return 0;
	copy = *key;
	bpf_map_delete_elem(&protected_inodes, &copy);
	return 0;
}

/* ---- files that the session made */

static __always_inline bool is_made(const struct bs_protect_key *key, u64 session)
{
	const struct made *m = bpf_map_lookup_elem(&made, key);

	return m && m->session == session && bpf_ktime_get_boot_ns() - m->time < MADE_SOON;
}

static __noinline int mark_made(struct bs_delete_event *e)
{
	struct bs_protect_key key = event_key(e);

	if (is_made(&key, e->head.session))
		e->flags |= BS_DELETE_MADE;
	return 0;
}

__noinline int delete_made(struct bs_protect_key *key, u64 session)
{
	struct made m = { session, bpf_ktime_get_boot_ns() };
	struct bs_protect_key copy;

	if (!key)
		return 0;
	copy = *key;
	bpf_map_update_elem(&made, &copy, &m, BPF_ANY);
	return 0;
}

__noinline int delete_replaced(struct bs_protect_key *by, struct bs_protect_key *what, u64 session)
{
	struct bs_protect_key copy;

	if (!by || !what)
		return 0;
	copy = *what;
	if (is_made(&copy, session))
		return 0;
	copy = *by;
	bpf_map_delete_elem(&made, &copy);
	return 0;
}

/* ---- bursts */

/* Adds one to the bucket of this moment; returns how many there are in the window. Of those that
 * add at once, none overlooks one that added before it. */
static __always_inline u32 count_burst(struct bs_session *s)
{
	u64 bucket = bpf_ktime_get_boot_ns() / burst_bucket, word, sum = 0;
	u64 *mine = &s->burst[bucket & (BS_BURST_BUCKETS - 1)];

	word = *mine;
	if (word >> 24 == bucket ||
	    __sync_val_compare_and_swap(mine, word, bucket << 24 | 1) != word)
		__sync_fetch_and_add(mine, 1);
	for (int i = 0; i < BS_BURST_BUCKETS; i++) {
		word = *(volatile u64 *)&s->burst[i];
		if (bucket - (word >> 24) < BS_BURST_BUCKETS)
			sum += word & 0xffffff;
	}
	return sum;
}

/* What the guard said of this process's bursts. */
static __always_inline u32 burst_verdict(const struct bs_delete_event *e, struct bs_session *s)
{
	u32 tgid = e->head.tgid, verdict;
	struct bs_process *p = bpf_map_lookup_elem(&processes, &tgid);

	if (!p || !p->burst || p->start != e->start)
		return BS_BURST_COUNTS;
	verdict = p->burst;
	if (verdict != BS_BURST_RESET)
		return verdict;
	p->burst = BS_BURST_COUNTS;
	for (int i = 0; i < BS_BURST_BUCKETS; i++)
		s->burst[i] = 0;
	return BS_BURST_COUNTS;
}

/* Whether a rename has replaced something nobody can tell any more. */
static __always_inline bool is_guess(const struct bs_delete_event *e)
{
	return e->op == BS_DELETE_RENAME && e->flags & BS_DELETE_DONE;
}

/* Counts a deletion. REFUSE: the burst that it belongs to was denied; WAIT: it reaches the limit.
 */
static __always_inline int judge_burst(struct bs_delete_event *e, struct bs_session *s)
{
	u32 verdict;

	if (!burst_limit || !loses_content(e) || is_guess(e) || e->flags & BS_DELETE_MADE)
		return PASS;
	verdict = burst_verdict(e, s);
	if (verdict == BS_BURST_ALLOWED)
		return PASS;
	if (verdict == BS_BURST_COUNTS) {
		e->burst = count_burst(s);
		if (e->burst < burst_limit)
			return PASS;
	}
	e->flags |= BS_DELETE_BURST;
	return verdict == BS_BURST_DENIED ? REFUSE : WAIT;
}

/* ---- asking */

/* No memory is free: it comes again, as those that have it are done in a moment. */
__noinline int delete_later(void)
{
	struct task_struct *t = bpf_get_current_task_btf();

	COUNT(unscanned);
	if (t->ptrace || !is_delete_call(t) || !send_stop(NULL) || !send_cont(NULL))
		return REFUSE;
	return WAIT;
}

__noinline int delete_again(struct bs_waiting *same)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct bs_waiting *w = same ? find_waiting(tid, same) : NULL;
	int verdict = w ? come_again(w) : -1;

	if (verdict < 0)
		return verdict;
	forget_waiting(verdict, tid);
	return verdict == PASS ? PASSED : verdict;
}

static __always_inline void look(struct task_struct *t, struct bs_waiting *w)
{
	w->flags |= BS_DELETE_CANDIDATE;
	if (t->ptrace)
		w->flags |= BS_DELETE_TRACED;
	if (!is_delete_call(t))
		w->flags |= BS_DELETE_FIXED;
	if (!handles_cont(t))
		w->until = bpf_ktime_get_ns() + ROUNDS_NS;
}

static __always_inline void send_candidate(struct delete_work *w, u32 flags)
{
	w->event.flags |= flags;
	send_decision(&w->event.head, delete_size(&w->event));
	delete_release(w);
}

/* Sends the event, gives the memory back and waits. Its frame does not stand below that of the
 * scan: 512 bytes of stack are little. */
static __noinline int ask_about(struct delete_work *w)
{
	struct bs_delete_event *e = &w->event;
	struct bs_waiting init = { .object = { e->op, e->dev, e->inode, e->parent_inode },
				   .kind = BS_SLOT_DELETE,
				   .flags = e->flags & (BS_DELETE_INODE | BS_DELETE_AWAY),
				   .meeting = w->meeting },
			  *wait;
	u32 tid = e->head.tid;
	struct place p;
	int verdict;

	COUNT(candidates);
	look(bpf_get_current_task_btf(), &init);
	number_event(&e->head);
	wait = note_waiting(tid, &init);
	if (!wait) {
		send_candidate(w, init.flags | BS_DELETE_REFUSED);
		return REFUSE;
	}
	verdict = freeze_call(wait, &e->head, e->start, &p);
	e->slot = p.at;
	e->ticket = p.ticket;
	send_candidate(w, wait->flags);
	if (p.slot)
		verdict = wait_call(&p, wait);
	forget_waiting(verdict, tid);
	return verdict == PASS ? PASSED : verdict;
}

/* ---- judging */

/* A frame of its own. */
static __noinline int weigh_burst(struct bs_delete_event *e, int verdict)
{
	u64 session = e->head.session;
	struct bs_session *s = bpf_map_lookup_elem(&sessions, &session);
	int burst;

	if (!s)
		return verdict;
	__sync_fetch_and_add(&s->deletes, 1);
	mark_made(e);
	burst = judge_burst(e, s);
	return burst == PASS ? verdict : burst;
}

/* WAIT: it is a candidate; REFUSE: its burst was denied; else PASS. */
__noinline int delete_weigh(struct delete_work *w)
{
	struct bs_delete_event *e = &w->event;
	int verdict;

	if (!w)
		return REFUSE;
	e->head.size = delete_size(e);
	verdict = is_asked(w) && (e->flags & BS_DELETE_AWAY || !is_spared(w)) ? WAIT : PASS;
	if (verdict == PASS && is_protected(e)) {
		e->flags |= BS_DELETE_INODE;
		verdict = WAIT;
	}
	return w->uncounted ? verdict : weigh_burst(e, verdict);
}

/* Sends the event of what is decided, for the record alone; gives the memory back. */
__noinline int delete_send(struct delete_work *w, int verdict)
{
	struct bs_delete_event *e = &w->event;

	if (!w)
		return verdict;
	if (verdict == REFUSE)
		e->flags |= BS_DELETE_REFUSED;
	if (w->uncounted) {
		COUNT(uncounted);
	} else if (!w->quiet) {
		COUNT(deletes);
		emit(&e->head, delete_size(e));
	}
	delete_release(w);
	return verdict;
}

/* Takes what delete.h has read of a deletion, and gives its memory back. PASS, REFUSE, WAIT, or
 * PASSED. */
__noinline int delete_judge(struct delete_work *w)
{
	int verdict = w ? delete_weigh(w) : REFUSE;

	if (!w)
		return REFUSE;
	return verdict == WAIT ? ask_about(w) : delete_send(w, verdict);
}

/* ---- a rename */

static __always_inline bool is_place_uncounted(struct delete_work *w, struct vfsmount *mnt,
					       struct dentry *dentry)
{
	struct fs_struct *fs = bpf_get_current_task_btf()->fs;
	struct path_walk c = { .w = w,
			       .len = &w->event.path_len,
			       .most = BS_DELETE_PATH,
			       .mnt = mnt,
			       .root = fs->root.dentry,
			       .root_mnt = fs->root.mnt };

	begin_path(w, c.len);
	return path_walk_far(&c, dentry) && is_uncounted(w);
}

/* Is it in scratch or build output with its other name, or becomes such itself? */
static __noinline bool goes_away(struct delete_work *w)
{
	if (!w->to_mnt || w->meeting.builds)
		return w->to_mnt;
	return w->meeting.parent_inode != w->event.parent_inode &&
	       is_place_uncounted(w, (struct vfsmount *)w->to_mnt, (struct dentry *)w->to);
}

static __noinline int read_far(struct delete_work *w)
{
	delete_begin(w);
	read_path(w, (struct vfsmount *)w->mnt, (struct dentry *)w->dentry, true);
	return 0;
}

/* What is protected where it is is no loss in scratch: of a directory, the guard looks below. It is
 * one function for all names, by helpers alone: the verifier walks it once. */
__noinline int delete_judge_name(struct delete_work *w)
{
	if (!w)
		return REFUSE;
	/* in memory: 6.1 takes a constant of a caller's register for the only one */
	w->away = goes_away(w);
	read_far(w);
	if (w->away && !w->uncounted) {
		w->event.flags |= BS_DELETE_AWAY;
		w->asks |= w->is_dir;
	}
	return delete_judge(w);
}
