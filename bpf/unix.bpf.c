/* unix: whom does a tracked task connect to by a Unix socket?
 *
 * the security hooks	unix_stream_connect and unix_may_send of security.bpf.c, by way of send.h
 */
#include "shared.h"
#include "send.h"
#include "ask.h"

#define PATH_OWNER	    struct send_work
#define PATH_ROOM	    SEND_PATH
#define PATH_NOTE(w, at, n) ((void)0)
#include "path.h"

/* Sockets that a session was let connect to: each is asked about once. */
struct unix_key {
	u64 session, socket;
	u32 generation, dev;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct unix_key);
	__type(value, u32);
} unix_passed SEC(".maps");

/* Where its file is, below the task's root, or else up to the top of where it is mounted; of an
 * abstract name its hash. */
static __always_inline struct unix_key read_unix(struct send_work *w)
{
	struct fs_struct *fs = BPF_CORE_READ(bpf_get_current_task_btf(), fs);
	struct dentry *dentry = (struct dentry *)w->base;
	struct path_walk c = { .w = w,
			       .len = &w->path_len,
			       .most = SEND_PATH,
			       .mnt = (struct vfsmount *)w->vector,
			       .root = BPF_CORE_READ(fs, root.dentry),
			       .root_mnt = BPF_CORE_READ(fs, root.mnt) };
	struct unix_key key = { .session = w->event.head.session, .generation = generation };

	w->path_len = 0;
	if (dentry) {
		key.socket = BPF_CORE_READ(dentry, d_inode, i_ino);
		key.dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev);
		path_walk_far(&c, dentry);
	} else {
		key.socket = 14695981039346656037ULL;
		for (int i = 0; i < BS_UNIX_PATH && w->event.path[i]; i++)
			key.socket = (key.socket ^ (u8)w->event.path[i]) * 1099511628211ULL;
	}
	w->fill = w->path_len;
	return key;
}

static __always_inline int tell_only(struct send_work *w)
{
	COUNT(candidates);
	tell(w);
	return PASS;
}

__noinline int send_unix(struct send_work *given)
{
	struct send_work *w = own_work(given);
	u32 tid = bpf_get_current_pid_tgid(), one = 1;
	struct bs_waiting *b;
	struct unix_key key;
	int verdict;

	if (!w)
		return REFUSE;
	key = read_unix(w);
	if (bpf_map_lookup_elem(&unix_passed, &key))
		return PASS;
	w->event.send = (struct bs_send) { .stream = key.socket, .position = key.dev };
	__builtin_memset(&w->same, 0, sizeof(w->same));
	w->same.send = w->event.send;
	w->same.kind = BS_SLOT_SEND;
	b = find_waiting(tid, &w->same);
	verdict = b ? come_again(b) : -1;
	if (verdict < 0)
		verdict = send_observes ? tell_only(w) : ask_for(w);
	forget_waiting(verdict, tid);
	if (verdict == PASS)
		bpf_map_update_elem(&unix_passed, &key, &one, BPF_ANY);
	return verdict;
}
