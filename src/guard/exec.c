/* Kernel events -> execs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/proc.h"
#include "guard/internal.h"
#include "policy/context.h"

#define ARGV_MAX (8UL * 1024 * 1024) /* the kernel's own limit is 6 MiB */

static void drop_program(struct exec *x)
{
	free(x->argv);
	free(x->masked);
	free(x->command);
	free(x->name);
	free(x->file);
	free(x->path);
	free(x->cwd);
	x->argv = x->masked = NULL;
	x->command = x->name = x->file = x->path = x->cwd = NULL;
}

void exec_free(struct exec *x)
{
	if (!x)
		return;
	drop_program(x);
	context_free(x->context);
	free(x->object.path);
	free(x->object.inner);
	free(x->object.below);
	free(x->object.lies);
	free(x->sent.path);
	free(x->sent.text);
	free(x->sent.name);
	free(x->sent.names);
	free(x);
}

char *exec_join_parts(const char *parts, size_t len, bool cut)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	size_t end = len;

	if (cut)
		strbuf_adds(&sb, "/…");
	while (end > 0) {
		size_t start = end - 1;

		while (start > 0 && parts[start - 1])
			start--;
		strbuf_addc(&sb, '/');
		strbuf_add(&sb, parts + start, end - 1 - start);
		end = start;
	}
	if (!sb.len)
		strbuf_addc(&sb, '/');
	return strbuf_take(&sb);
}

/* Of processes whose exec event has not come: what is longest is 6 MiB of one. */
#define KEPT_MAX (16UL << 20)

static size_t count_kept(const struct guard *g)
{
	const struct strbuf *sb;
	size_t n = 0;

	map_for_each (&g->args, sb)
		n += sizeof(*sb) + sb->len;
	return n;
}

void exec_keep_args(struct guard *g, const struct bs_args_event *e)
{
	struct strbuf *sb = map_get(&g->args, e->head.tgid);

	if (!e->part && count_kept(g) > KEPT_MAX) {
		exec_drop_args(g);
		sb = NULL;
	}
	if (!sb) {
		sb = calloc(1, sizeof(*sb));
		if (!sb || map_set(&g->args, e->head.tgid, sb)) {
			free(sb);
			return;
		}
	}
	if (e->part == 0)
		strbuf_reset(sb);
	if (sb->len == (size_t)e->part * BS_CHUNK)
		strbuf_add(sb, e->data, e->len);
}

void exec_drop_args(struct guard *g)
{
	struct strbuf *sb;

	map_for_each (&g->args, sb) {
		strbuf_free(sb);
		free(sb);
	}
	map_free(&g->args);
}

void exec_forget_args(struct guard *g, u32 tgid)
{
	struct strbuf *sb = map_remove(&g->args, tgid);

	if (!sb)
		return;
	strbuf_free(sb);
	free(sb);
}

/* Behind what the exec event shows of argv. What does not fit is of another exec of the process,
 * whose own event was lost. */
static void add_kept_args(struct guard *g, const struct bs_exec_event *e, struct strbuf *args)
{
	const struct strbuf *kept = map_get(&g->args, e->head.tgid);

	if (kept && !strbuf_error(kept) && args->len + kept->len <= e->args_total)
		strbuf_add(args, strbuf_str(kept), kept->len);
}

/* All of argv. What a process that waits has beyond the event comes from the process itself: its
 * ARGS events are in the other ring, and what has been kept may be of an exec before. */
static int gather_args(struct guard *g, const struct bs_exec_event *e, const char *first,
		       struct strbuf *ret)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	bool waits = e->flags & (BS_EXEC_CANDIDATE | BS_EXEC_AGENT);

	strbuf_add(ret, first, e->args_len);
	if (!waits)
		add_kept_args(g, e, ret);
	else if ((ret->len < e->args_total || e->flags & BS_EXEC_UNREADABLE) &&
		 !proc_read_cmdline(e->head.tgid, ARGV_MAX, &all)) {
		strbuf_reset(ret);
		strbuf_add(ret, strbuf_str(&all), all.len);
	}
	exec_forget_args(g, e->head.tgid);
	return strbuf_error(ret);
}

static int set_argv(struct guard *g, struct exec *x, const struct strbuf *args)
{
	x->argv = proc_split_words(strbuf_str(args), args->len, &x->argc);
	if (x->argv && x->argc == 0) {
		/* an empty argv: programs then see none, or the kernel puts "" there (5.18 and
		 * later) */
		free(x->argv);
		x->argv = proc_split_words("", 1, &x->argc);
	}
	return x->argv ? secrets_mask(g->secrets, x->argv, &x->masked) : -ENOMEM;
}

static void find_path(struct guard *g, struct exec *x)
{
	const char *known = paths_file(g->paths, x->dev, x->inode);

	/* an inode's number may be another file's by now */
	if (!(x->flags & BS_EXEC_CANDIDATE) && known && !strcmp(basename(known), x->file)) {
		x->path = strdup(known);
		return;
	}
	x->path = proc_readlink(x->tgid, "exe");
	if (x->path)
		paths_learn(g->paths, x->dev, x->inode, x->path);
	else if (x->name && x->name[0] == '/')
		x->path = strdup(x->name);
}

void exec_take_head(struct guard *g, struct exec *x, const struct bs_event *head, u64 start,
		    u32 uid)
{
	x->number = head->number;
	x->time = head->time;
	x->start = start;
	x->tgid = head->tgid;
	x->tid = head->tid;
	x->uid = x->euid = uid;
	x->session_id = head->session;
	x->session = session_get(g, head->session);
}

static void copy_head(struct guard *g, struct exec *x, const struct bs_exec_event *e)
{
	exec_take_head(g, x, &e->head, e->start, e->uid);
	x->inode = e->inode;
	x->dev = e->dev;
	x->euid = e->euid;
	x->tty = e->tty;
	x->flags = e->flags;
	x->approval = e->approval;
	x->slot = e->slot;
	x->ticket = e->ticket;
	x->cgroup = e->cgroup;
	x->fresh = x->session && e->changed >= x->session->started_ms / 1000;
	memcpy(x->ancestors, e->ancestors, sizeof(x->ancestors));
}

struct exec *exec_decode(struct guard *g, const struct bs_exec_event *e)
{
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));
	_cleanup_strbuf_ struct strbuf args = STRBUF_INIT;
	const char *file = e->data + e->name_len, *first = file + e->file_len;
	const char *cwd = first + e->args_len;

	if (!x)
		return NULL;
	copy_head(g, x, e);
	x->name = strndup(e->data, e->name_len);
	x->file = strndup(file, e->file_len);
	x->cwd = e->cwd_deep ? proc_readlink(x->tgid, "cwd") : NULL;
	if (!x->cwd)
		x->cwd = exec_join_parts(cwd, e->cwd_len, e->cwd_deep);
	if (!x->name || !x->file || !x->cwd || gather_args(g, e, first, &args) ||
	    set_argv(g, x, &args))
		return NULL;
	x->truncated = args.len < e->args_total;
	find_path(g, x);
	return TAKE_PTR(x);
}

static void read_ancestors(struct exec *x)
{
	struct proc_stat st;
	pid_t pid = x->tgid;

	for (int i = 0; i < BS_ANCESTORS && !proc_read_stat(pid, &st) && st.ppid > 0; i++) {
		if (x->session && pid == x->session->root)
			break;
		pid = st.ppid;
		x->ancestors[i] = pid;
	}
}

/* Who serves the file is not asked: it may never answer. */
static void read_file(struct exec *x)
{
	struct statx st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/exe", x->tgid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st))
		return;
	x->inode = st.stx_ino;
	x->dev = st.stx_dev_major << 20 | st.stx_dev_minor;
}

int exec_read_proc(struct guard *g, struct exec *x)
{
	_cleanup_strbuf_ struct strbuf args = STRBUF_INIT;
	struct proc_ids ids = { 0 };
	struct proc_stat st;

	x->session = session_get(g, x->session_id);
	if (proc_read_cmdline(x->tgid, ARGV_MAX, &args) || proc_read_stat(x->tgid, &st))
		return -ESRCH;
	drop_program(x);
	if (set_argv(g, x, &args))
		return -ENOMEM;
	proc_read_ids(x->tgid, &ids);
	x->uid = ids.uid;
	x->euid = ids.euid;
	x->tty = tty_from_stat(st.tty_nr);
	x->path = proc_readlink(x->tgid, "exe");
	x->cwd = proc_readlink(x->tgid, "cwd");
	x->name = strdup(x->argv[0]);
	x->file = strdup(x->path ? basename(x->path) : "");
	read_file(x);
	read_ancestors(x);
	return x->name && x->file ? 0 : -ESRCH;
}

struct exec *exec_from_slot(struct guard *g, u32 slot, u32 ticket)
{
	const struct bs_slot *s = &kernel_slots(g->kernel)[slot];
	_cleanup_(exec_free_ptr) struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->time = boot_ns();
	x->number = s->number;
	x->found = true;
	x->tgid = s->tgid;
	x->tid = s->tid;
	x->start = s->start;
	x->session_id = s->session;
	x->flags = BS_EXEC_CANDIDATE;
	x->slot = slot;
	x->ticket = ticket;
	return exec_read_proc(g, x) ? NULL : TAKE_PTR(x);
}

static bool same_words(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i], b[i]))
			return false;
	return true;
}

bool exec_args_unchanged(const struct exec *x)
{
	_cleanup_strbuf_ struct strbuf now = STRBUF_INIT;
	_cleanup_free_ char **argv = NULL;
	size_t argc = 0;

	if (x->truncated || proc_read_cmdline(x->tgid, ARGV_MAX, &now))
		return false;
	argv = proc_split_words(strbuf_str(&now), now.len, &argc);
	return argv && same_words(argv, argc, x->argv, x->argc);
}

static bool same_string(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool same_object(const struct object *a, const struct object *b)
{
	return a->path[0] && a->id.op == b->id.op && a->id.dev == b->id.dev &&
	       a->id.inode == b->id.inode && same_string(a->path, b->path);
}

bool exec_same(const struct exec *a, const struct exec *b)
{
	if (a->kind != b->kind || a->session_id != b->session_id)
		return false;
	if (a->kind == BS_SLOT_CONNECT)
		return same_string(a->path, b->path) &&
		       !memcmp(&a->dest, &b->dest, sizeof(a->dest));
	if (exec_is_sending(a))
		return same_string(a->path, b->path) &&
		       !memcmp(&a->dest, &b->dest, sizeof(a->dest)) &&
		       a->sent.source == b->sent.source && a->sent.size == b->sent.size &&
		       (same_string(a->sent.text, b->sent.text) ||
			(!a->sent.text && same_string(a->sent.path, b->sent.path)));
	if (exec_is_deletion(a))
		return same_string(a->path, b->path) && same_object(&a->object, &b->object);
	if (a->inode != b->inode || a->dev != b->dev || !same_string(a->path, b->path) ||
	    !same_string(a->cwd, b->cwd))
		return false;
	return same_words(a->argv, a->argc, b->argv, b->argc);
}
