/* Deletions, as the security hooks see them: what is about to lose its content or its name, and
 * where is it? delete.bpf.c judges.
 *
 * The hooks run for the path that the task named; what a stacked file system (overlayfs) then does
 * below passes by other hooks, but for fallocate, whose inner file has no account. */
#ifndef BPF_DELETE_H
#define BPF_DELETE_H

#include "backstop/hint.h"
#include "call.h"
#include "shared.h"

/* A deletion under construction. These programs may be preempted, so that no memory of their CPU's
 * would do: each takes one of a pool, which has room for two a CPU. */
struct delete_work {
	u32 busy;
	u32 index;
	u32 parts;	    /* of the path in hand */
	u32 leaf, leaf_end; /* where its last component is in data[]; leaf_end 0: nowhere */
	u32 build;	    /* it is inside of build output */
	u64 last, before;   /* its upmost components, their first 8 bytes */
	u32 uncounted;	    /* scratch or build output */
	u32 quiet;	    /* no event for the record is needed */
	u32 hinted;	    /* the session's project calls something precious */
	u32 asks;	    /* and this may be it */
	u32 is_dir;
	u32 away; /* of a rename: it goes into scratch or build output */
	struct bs_meeting meeting;
	u64 mnt, dentry, to_mnt, to; /* of a rename: pointers, as numbers */
	struct bs_delete_event event;
	u8 data[BS_CHUNK + 64];
};

struct delete_works_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, u32);
	__type(value, struct delete_work);
};
extern struct delete_works_map delete_works SEC(".maps");
extern const volatile u32 delete_works_mask;

/* Global functions: the verifier walks each once, not once a hook. */
int delete_begin(struct delete_work *w);
int delete_builds(u64 name);
int delete_note(struct delete_work *w, u32 at, u32 n);
int delete_again(struct bs_waiting *same);
int delete_judge(struct delete_work *w);
int delete_judge_name(struct delete_work *w);
int delete_weigh(struct delete_work *w);
int delete_send(struct delete_work *w, int verdict);
int delete_linked(struct delete_work *w);
int delete_forget(struct bs_protect_key *key);
int delete_made(struct bs_protect_key *key, u64 session);
int delete_replaced(struct bs_protect_key *by, struct bs_protect_key *what, u64 session);
int delete_later(void);

#define PATH_OWNER	    struct delete_work
#define PATH_ROOM	    (2 * BS_DELETE_PATH)
#define PATH_NOTE(w, at, n) delete_note(w, at, n)
#include "path.h"

#define BTRFS_MAGIC    0x9123683e
#define BTRFS_TOP      256 /* inode of the root of each subvolume */
#define FMODE_CREATED  0x100000
#define FMODE_INNER    0x20000000 /* has no account: opened by a stacked file system */
#define MAY_WRITE      2
#define RENAME_TWO_WAY 2

static __always_inline struct delete_work *delete_claim(void)
{
	u32 first = bpf_get_smp_processor_id() * 2;

#pragma clang loop unroll(full)
	for (int i = 0; i < 8; i++) {
		u32 at = (first + i) & delete_works_mask;
		struct delete_work *w = bpf_map_lookup_elem(&delete_works, &at);

		if (w && !w->busy && !__sync_val_compare_and_swap(&w->busy, 0, 1)) {
			w->index = at;
			return w;
		}
	}
	return NULL;
}

static __always_inline u32 delete_size(const struct bs_delete_event *e)
{
	return sizeof(*e) + (((u32)e->path_len + e->inner_len) & (BS_CHUNK - 1));
}

static __always_inline void delete_release(struct delete_work *w)
{
	__sync_lock_test_and_set(&w->busy, 0);
}

/* ---- the path */

/* Does the path that the task sees, below this mount, differ from that inside the file system? A
 * subvolume is as good as a file system. */
static __always_inline bool is_bound(struct vfsmount *mnt)
{
	struct dentry *root = BPF_CORE_READ(mnt, mnt_root);

	if (BPF_CORE_READ(root, d_parent) == root)
		return false;
	return BPF_CORE_READ(root, d_inode, i_ino) != BTRFS_TOP ||
	       BPF_CORE_READ(root, d_inode, i_sb, s_magic) != BTRFS_MAGIC;
}

#define WORD_TMP 0x706d74ULL
#define WORD_VAR 0x726176ULL
#define WORD_DEV 0x766564ULL
#define WORD_SHM 0x6d6873ULL

/* In /tmp, /var/tmp or /dev/shm, or in build output. */
static __always_inline bool is_uncounted(const struct delete_work *w)
{
	if (w->build)
		return true;
	return (w->last == WORD_TMP && w->parts > 1) ||
	       (w->last == WORD_VAR && w->before == WORD_TMP && w->parts > 2) ||
	       (w->last == WORD_DEV && w->before == WORD_SHM && w->parts > 2);
}

static __always_inline void begin_path(struct delete_work *w, u16 *len)
{
	*len = 0;
	w->parts = 0;
	w->build = 0;
	w->last = 0;
}

/* The path as the task sees it; then, where that says less than the whole, inside its file system.
 * far: by helpers alone.
 */
static __always_inline void read_path(struct delete_work *w, struct vfsmount *mnt,
				      struct dentry *dentry, bool far)
{
	struct fs_struct *fs = bpf_get_current_task_btf()->fs;
	struct path_walk c = { .w = w,
			       .len = &w->event.path_len,
			       .most = BS_DELETE_PATH,
			       .dentry = dentry,
			       .mnt = mnt,
			       .root = fs->root.dentry,
			       .root_mnt = fs->root.mnt };
	bool bound = is_bound(mnt) || fs->root.dentry != fs->root.mnt->mnt_root;

	begin_path(w, c.len);
	w->uncounted = far ? path_walk_far(&c, dentry) : path_walk(&c);
	if (!w->uncounted)
		w->event.flags |= BS_DELETE_CUT;
	w->uncounted = w->uncounted && is_uncounted(w);
	w->event.inner_len = 0;
	if (!bound)
		return;
	c.len = &w->event.inner_len;
	c.start = w->event.path_len;
	c.most = c.start + BS_DELETE_PATH;
	c.mnt = c.root_mnt = NULL;
	c.root = NULL;
	begin_path(w, c.len);
	path_walk_far(&c, dentry);
	w->uncounted = w->uncounted && is_uncounted(w);
}

/* ---- one deletion */

struct deletion {
	struct bs_label *label;
	struct vfsmount *mnt;
	struct dentry *dentry;
	struct inode *inode;
	u64 bytes;
	u32 op;
	u32 quiet;
	struct bs_meeting meeting;
};

#define S_IFMT	0xf000
#define S_IFDIR 0x4000

static __always_inline bool is_dir(const struct inode *inode)
{
	return (inode->i_mode & S_IFMT) == S_IFDIR;
}

static __always_inline void read_deletion(struct delete_work *w, const struct deletion *d)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct bs_delete_event *e = &w->event;

	event_head(&e->head, BS_EVENT_DELETE, sizeof(*e), d->label->session);
	e->start = t->group_leader->start_boottime;
	e->inode = d->inode->i_ino;
	e->parent_inode = d->dentry->d_parent->d_inode->i_ino;
	e->dev = d->inode->i_sb->s_dev;
	e->links = d->inode->i_nlink;
	e->bytes = d->bytes;
	e->op = d->op;
	e->flags = 0;
	e->uid = t->cred->uid.val;
	e->parent = t->real_parent->tgid;
	e->slot = BS_NO_SLOT;
	e->ticket = 0;
	e->burst = 0;
	e->place = 0;
	e->dirfd = 0;
	e->generation = generation_of(d->inode);
	w->quiet = d->quiet;
	w->meeting = d->meeting;
	w->is_dir = is_dir(d->inode);
	delete_begin(w);
}

/* The answer to this very deletion, if it asks or waits already; else -1. A frame of its own. */
static __noinline int ask_again(const struct deletion *d)
{
	struct bs_waiting same = {
		.object = { .op = d->op,
			    .dev = d->inode->i_sb->s_dev,
			    .inode = d->inode->i_ino,
			    .parent_inode = d->dentry->d_parent->d_inode->i_ino },
		.kind = BS_SLOT_DELETE,
		.meeting = d->meeting,
	};

	return delete_again(&same);
}

static __always_inline int judge_new(const struct deletion *d)
{
	struct delete_work *w = delete_claim();

	if (!w)
		return delete_later();
	read_deletion(w, d);
	read_path(w, d->mnt, d->dentry, false);
	return delete_judge(w);
}

/* One of a rename: it gets the name `to`, or, where that is on no mount, none. */
static __always_inline int judge_name(const struct deletion *d, struct vfsmount *to_mnt,
				      struct dentry *to)
{
	struct delete_work *w = delete_claim();

	if (!w)
		return delete_later();
	read_deletion(w, d);
	w->mnt = (u64)d->mnt;
	w->dentry = (u64)d->dentry;
	w->to_mnt = (u64)to_mnt;
	w->to = (u64)to;
	return delete_judge_name(w);
}

static __always_inline int verdict_errno(int verdict)
{
	if (verdict == WAIT)
		return -ERESTARTNOINTR;
	return verdict == REFUSE ? -EPERM : 0;
}

/* These have frames of their own, as 512 bytes of stack are little. */
static __noinline int forget_inode(struct inode *inode)
{
	struct bs_protect_key key = inode_key(inode);

	return delete_forget(&key);
}

/* A file that takes the place of an older one holds what that held. */
static __noinline int note_replaced(u64 session, struct inode *by, struct inode *what)
{
	struct bs_protect_key made = inode_key(by), gone = inode_key(what);

	return delete_replaced(&made, &gone, session);
}

/* Its number may become another file's. What is protected was asked about. */
static __always_inline void note_gone(const struct deletion *d, int verdict)
{
	if (verdict == PASSED && d->op == BS_DELETE_UNLINK && d->inode->i_nlink <= 1)
		forget_inode(d->inode);
}

static __always_inline int judge_deletion(const struct deletion *d)
{
	int verdict = ask_again(d);

	if (verdict < 0)
		verdict = judge_new(d);
	note_gone(d, verdict);
	return verdict_errno(verdict);
}

/* ---- the hooks' bodies: 0 or a negative errno */

static __always_inline int delete_name(struct bs_label *l, const struct path *dir,
				       struct dentry *dentry, u32 op)
{
	struct deletion d = { .label = l, .mnt = dir->mnt, .dentry = dentry, .op = op };

	d.inode = inode_of(dentry);
	if (!d.inode)
		return 0;
	d.bytes = op == BS_DELETE_RMDIR ? 0 : d.inode->i_size;
	return judge_deletion(&d);
}

/* What `d` meets where it goes. */
static __always_inline void set_meeting(struct deletion *d, const struct inode *with,
					const struct path *to_dir, struct dentry *to)
{
	d->meeting.inode = with ? with->i_ino : 0;
	d->meeting.parent_inode = to_dir->dentry->d_inode->i_ino;
	d->meeting.builds = is_dir(d->inode) && delete_builds((u64)BPF_CORE_READ(to, d_name.name));
}

/* What is replaced, and then what gets another name: that the first may go says nothing of the
 * second, and an answer to the second ends it. */
static __always_inline int delete_rename(struct bs_label *l, const struct path *old_dir,
					 struct dentry *old, const struct path *new_dir,
					 struct dentry *new, u32 flags)
{
	u32 two_way = flags & RENAME_TWO_WAY;
	struct deletion over = { .label = l,
				 .mnt = new_dir->mnt,
				 .dentry = new,
				 .op = two_way ? BS_DELETE_EXCHANGE : BS_DELETE_RENAME };
	struct deletion moved = { .label = l,
				  .mnt = old_dir->mnt,
				  .dentry = old,
				  .op = two_way ? BS_DELETE_EXCHANGE : BS_DELETE_MOVE };
	int verdict = -1;

	over.inode = inode_of(new);
	moved.inode = inode_of(old);
	if (!moved.inode || over.inode == moved.inode)
		return 0;
	set_meeting(&moved, over.inode, new_dir, new);
	if (over.inode) {
		set_meeting(&over, moved.inode, old_dir, old);
		note_replaced(l->session, moved.inode, over.inode);
		moved.quiet = !two_way;
		over.bytes = over.inode->i_size;
		verdict = ask_again(&over);
	}
	if (verdict < 0) {
		verdict = ask_again(&moved);
		if (verdict >= 0)
			return verdict_errno(verdict);
	}
	if (verdict < 0 && over.inode)
		verdict = judge_name(&over, two_way ? old_dir->mnt : NULL, old);
	if (verdict < 0 || verdict == PASS || verdict == PASSED)
		verdict = judge_name(&moved, new_dir->mnt, new);
	return verdict_errno(verdict);
}

/* What keeps its length, or gets longer, loses nothing; a file without a name has no place. */
static __always_inline int delete_content(struct bs_label *l, struct vfsmount *mnt,
					  struct dentry *dentry, struct inode *inode, u32 op,
					  s64 lost)
{
	struct deletion d = { .label = l, .mnt = mnt, .dentry = dentry, .op = op };

	if (lost <= 0 || !inode->i_nlink)
		return 0;
	d.inode = inode;
	d.bytes = lost;
	return judge_deletion(&d);
}

static __always_inline int delete_truncate(struct bs_label *l, struct vfsmount *mnt,
					   struct dentry *dentry)
{
	struct inode *inode = inode_of(dentry);
	s64 size;

	if (!inode)
		return 0;
	size = inode->i_size;
	if (!size)
		return 0;
	return delete_content(l, mnt, dentry, inode, BS_DELETE_TRUNCATE,
			      size - call_length(bpf_get_current_task_btf()));
}

/* Called for each write, while a session is alive: only fallocate() is looked at. */
static __always_inline bool is_punch(struct file *file, int mask, struct call_range *ret)
{
	return mask & MAY_WRITE && call_punches(bpf_get_current_task_btf(), ret) &&
	       !(file->f_mode & FMODE_INNER);
}

static __always_inline int delete_punch(struct bs_label *l, struct file *file,
					const struct call_range *r)
{
	struct inode *inode = file->f_inode;
	s64 lost = inode->i_size - r->offset;

	if (lost > r->len)
		lost = r->len;
	return delete_content(l, file->f_path.mnt, file->f_path.dentry, inode, BS_DELETE_PUNCH,
			      lost);
}

static __always_inline void delete_created(struct bs_label *l, struct inode *inode)
{
	struct bs_protect_key key = inode_key(inode);

	delete_made(&key, l->session);
}

/* A protected file is protected by its new name too. */
static __always_inline int delete_link(struct bs_label *l, struct dentry *old,
				       const struct path *dir)
{
	struct deletion d = { .label = l, .mnt = dir->mnt, .dentry = old };
	struct delete_work *w;

	d.inode = inode_of(old);
	if (!d.inode)
		return 0;
	w = delete_claim();
	if (!w)
		return verdict_errno(delete_later());
	read_deletion(w, &d);
	read_path(w, d.mnt, d.dentry, false);
	return verdict_errno(delete_linked(w));
}

#endif
