/* What the agent reads in its own tool output: lines on the stderr of the frozen task. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/path.h"
#include "guard/aside.h"
#include "guard/internal.h"

#define COMMAND_MAX 400 /* bytes of the command that is shown */

/* An open file description of our own, as O_NONBLOCK must not be set on the task's. */
static ssize_t write_reopened(int fd, const char *text, size_t len)
{
	_cleanup_close_ int own = -1;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? -1 : write(own, text, MIN(len, (size_t)PIPE_BUF));
}

#define TELLING_MS  20 /* others wait to be decided */
#define TELLING_MAX 8  /* children, of which some may hang */

/* Into a file: whose file system it is is asked by a child, as a FUSE may not even answer that. */
struct telling {
	LIST_ENTRY(telling) entry;
	struct aside *aside;
	size_t len;
	char text[PIPE_BUF];
};
static LIST_HEAD(telling_list, telling) tellings = LIST_HEAD_INITIALIZER(tellings);

static unsigned int count_tellings(void)
{
	const struct telling *t;
	unsigned int n = 0;

	LIST_FOREACH (t, &tellings, entry)
		n++;
	return n;
}

/* A write that waits for a network, or for another program, would keep the task from its end. */
static bool is_remote(int fd)
{
	static const long remote[] = { NFS_SUPER_MAGIC,	 FUSE_SUPER_MAGIC, SMB2_SUPER_MAGIC,
				       CIFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC,
				       AFS_SUPER_MAGIC,	 CODA_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
		if ((unsigned long)fs.f_type == (unsigned long)remote[i])
			return true;
	return false;
}

static void write_aside(void *data)
{
	const struct telling *t = data;

	if (is_remote(0) || write(0, t->text, t->len) != (ssize_t)t->len)
		_exit(1);
}

static void telling_end(void *data)
{
	struct telling *t = data;

	aside_end(t->aside);
	LIST_REMOVE(t, entry);
	free(t);
}

void explain_forget_all(void)
{
	while (!LIST_EMPTY(&tellings))
		telling_end(LIST_FIRST(&tellings));
}

static ssize_t write_file(struct loop *loop, int fd, const char *text, size_t len)
{
	bool has_room = count_tellings() < TELLING_MAX && aside_has_room();
	struct telling *t = has_room ? malloc(sizeof(*t)) : NULL;

	if (!t)
		return -1;
	LIST_INSERT_HEAD(&tellings, t, entry);
	t->aside = NULL;
	t->len = MIN(len, sizeof(t->text));
	memcpy(t->text, text, t->len);
	if (aside_start(loop, fd, write_aside, telling_end, t, &t->aside)) {
		telling_end(t);
		return -1;
	}
	return aside_wait(t->aside, TELLING_MS) ? (ssize_t)len : -1;
}

static ssize_t write_by_type(struct loop *loop, int fd, const char *text, size_t len)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return -1;
	if (S_ISSOCK(st.stx_mode))
		return send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (S_ISFIFO(st.stx_mode) || S_ISCHR(st.stx_mode))
		return write_reopened(fd, text, len);
	return S_ISREG(st.stx_mode) ? write_file(loop, fd, text, len) : -1;
}

/* What cannot be said at once is not said, and counted. */
static void say(struct guard *g, int pidfd, const struct strbuf *text)
{
	_cleanup_close_ int fd = pidfd_getfd(pidfd, STDERR_FILENO, 0);

	if (fd < 0 || write_by_type(g->loop, fd, strbuf_str(text), text->len) != (ssize_t)text->len)
		g->explanations_lost++;
}

/* What happened to a file that could not be kept. */
static const char *outcome_of(enum bs_delete_op op)
{
	static const char *const words[BS_DELETE_OPS] = {
		[0] = "is gone",
		[BS_DELETE_UNLINK] = "is gone",
		[BS_DELETE_RMDIR] = "is gone",
		[BS_DELETE_TRUNCATE] = "is emptied",
		[BS_DELETE_RENAME] = "is replaced",
		[BS_DELETE_PUNCH] = "has lost content",
		[BS_DELETE_EXCHANGE] = "has changed places",
		[BS_DELETE_MOVE] = "is moved",
	};

	return words[op < BS_DELETE_OPS ? op : 0];
}

static void add_program(struct strbuf *sb, const struct exec *x)
{
	const char *name = path_base(x->path ?: x->name ?: "?");

	escape_bytes(sb, name, strlen(name));
}

static const char *verdict_word(const struct guard *g, enum verdict v)
{
	static const char *const words[VERDICT_COUNT] = {
		[VERDICT_ALLOW] = "allowed", [VERDICT_ALERT] = "alert", [VERDICT_HOLD] = "held",
		[VERDICT_DENY] = "denied",   [VERDICT_KILL] = "killed",
	};
	static const char *const would[VERDICT_COUNT] = {
		[VERDICT_ALLOW] = "allowed",	    [VERDICT_ALERT] = "alert",
		[VERDICT_HOLD] = "would be held",   [VERDICT_DENY] = "would be denied",
		[VERDICT_KILL] = "would be killed",
	};

	return g->options.mode == MODE_SHADOW ? would[v] : words[v];
}

/* "terraform destroy", "connect 10.0.0.5:5432 (psql -h db)" */
static void add_action(struct strbuf *sb, const struct exec *x)
{
	char text[128];

	if (exec_is_sending(x)) {
		struct ocsf_sending s = send_shown(x);

		ocsf_sending(sb, &x->dest, &s);
		strbuf_adds(sb, " (");
	} else if (x->kind == BS_SLOT_CONNECT) {
		ocsf_dest(&x->dest, text, sizeof(text));
		strbuf_addf(sb, "%s (", text);
	} else {
		escape_argv(sb, exec_shown(x), COMMAND_MAX);
		return;
	}
	escape_argv(sb, exec_shown(x), COMMAND_MAX);
	strbuf_addc(sb, ')');
}

/* A deletion that has happened can only be stopped. */
static const char *word_of(const struct guard *g, const struct exec *x, enum verdict v)
{
	if (x->kind == BS_SLOT_DELETED && v == VERDICT_HOLD && g->options.mode != MODE_SHADOW)
		return "stopped";
	return verdict_word(g, v);
}

static const char *ordinal_end(u32 n)
{
	static const char *const ends[] = { "th", "st", "nd", "rd" };

	return n % 100 / 10 != 1 && n % 10 < ARRAY_SIZE(ends) ? ends[n % 10] : ends[0];
}

/* "unlink /srv/app/x (by python3.11)", "the 200th deletion within 10 s: …" */
static void add_deletion(struct guard *g, struct strbuf *sb, const struct exec *x, bool burst)
{
	const struct object *o = &x->object;

	if (burst)
		strbuf_addf(sb, "the %u%s deletion within %u s: ", o->burst, ordinal_end(o->burst),
			    policy_burst(g->policy).seconds);
	else if (x->kind == BS_SLOT_DELETE)
		strbuf_addf(sb, "%s ", ocsf_deletion_word(o->id.op));
	strbuf_adds(sb, o->path[0] ? "" : "a file that is not known");
	escape_bytes(sb, o->path, strlen(o->path));
	if (x->kind == BS_SLOT_DELETE) {
		strbuf_adds(sb, " (by ");
		add_program(sb, x);
		strbuf_addc(sb, ')');
	} else {
		strbuf_addf(sb,
			    " %s: this kernel cannot refuse a deletion ('backstop doctor' says "
			    "what it needs)",
			    outcome_of(o->id.op));
	}
}

static void add_gone(struct guard *g, struct strbuf *sb, const struct exec *x)
{
	u32 count = delete_count_gone(g, x);

	if (!count)
		return;
	strbuf_addf(sb, "backstop: %u %s gone: ", count, count == 1 ? "file is" : "files are");
	delete_list_gone(g, x, sb);
	if (x->session)
		strbuf_addf(sb, " (backstop log --kind delete --session %s)", x->session->name);
	strbuf_addc(sb, '\n');
}

static void add_why(struct strbuf *sb, const struct finding *f)
{
	size_t len = f->why ? strlen(f->why) : 0;

	if (!len)
		return;
	if (f->why[len - 1] == '.')
		len--;
	strbuf_addf(sb, "backstop: why: %c%.*s (%s.%s, %s)\n", tolower((unsigned char)f->why[0]),
		    (int)len - 1, f->why + 1, f->pack, f->id, severity_name(f->severity));
}

void explain_to(struct guard *g, int pidfd, u64 hold, const struct exec *x,
		const struct decision *d)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const struct finding *f = &d->finding;
	bool shadow = g->options.mode == MODE_SHADOW;

	strbuf_addf(&sb, "backstop: %s: ", word_of(g, x, shadow ? f->verdict : d->verdict));
	if (exec_is_deletion(x))
		add_deletion(g, &sb, x, d->burst);
	else
		add_action(&sb, x);
	strbuf_addc(&sb, '\n');
	if (d->burst)
		add_gone(g, &sb, x);
	add_why(&sb, f);
	if (f->context)
		strbuf_addf(&sb, "backstop: context: %s\n", f->context);
	if (f->instead)
		strbuf_addf(&sb, "backstop: instead: %s\n", f->instead);
	if (d->reason && !shadow)
		strbuf_addf(&sb, "backstop: %s\n", d->reason);
	if (hold && !shadow)
		strbuf_addf(&sb, "backstop: a human can %s: backstop approve %llu\n",
			    x->kind == BS_SLOT_DELETED || d->burst ? "let it go on"
								   : "allow it once",
			    (unsigned long long)hold);
	say(g, pidfd, &sb);
}

void explain_action(struct guard *g, const struct exec *x, const struct decision *d)
{
	_cleanup_close_ int pidfd = pidfd_open((pid_t)x->tgid, 0);

	if (pidfd >= 0)
		explain_to(g, pidfd, 0, x, d);
}

bool explain_text(struct guard *g, u32 tgid, u64 session, const struct strbuf *text)
{
	_cleanup_close_ int pidfd = pidfd_open((pid_t)tgid, 0);
	uint64_t its = 0;

	if (pidfd < 0 || guard_is_labelled(g, pidfd, &its) <= 0 || its != session)
		return false;
	say(g, pidfd, text);
	return true;
}

void explain_start(struct guard *g, const struct hold *h)
{
	explain_to(g, h->pidfd, h->id, h->exec, &h->decision);
}

void explain_end(struct guard *g, const struct hold *h)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	const char *by = h->by && strcmp(h->by, "timeout") && strcmp(h->by, "guard") ? h->by : NULL;

	strbuf_addf(&sb, "backstop: denied: hold %llu: ", (unsigned long long)h->id);
	if (by)
		strbuf_addf(&sb, "by %s%s", by, h->because ? ": " : "");
	if (h->because)
		escape_bytes(&sb, h->because, strlen(h->because));
	strbuf_addc(&sb, '\n');
	say(g, h->pidfd, &sb);
}
