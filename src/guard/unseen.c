#include "guard/unseen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"
#include "guard/guess.h"
#include "guard/library.h"
#include "policy/wire.h"

#define PROGRAMS_MAX 256 /* the oldest is forgotten then, and told of again */
#define TOLD_MAX     256 /* destinations of each, likewise */

/* An event that waits for the name of the library. */
struct untold {
	STAILQ_ENTRY(untold) entry;
	struct exec *exec;
};
STAILQ_HEAD(untold_list, untold);

/* A program file of a session. */
struct unseen {
	LIST_ENTRY(unseen) entry;
	struct guard *guard;
	const struct session *session;
	u64 dev, inode;
	const char *protocol;
	char *path;	     /* NULL: not known */
	const char *library; /* NULL: not known */
	struct guess *guess; /* NULL: it is over */
	struct map told;     /* hashes of destinations */
	struct untold_list untold;
};

/* ---- telling */

static void tell(struct unseen *u, struct exec *x)
{
	x->sent.unseen = u->library ?: "unknown library";
	if (asprintf(&x->sent.text, "%s that cannot be seen (%s)",
		     !strcmp(u->protocol, "quic") ? "QUIC" : "TLS", x->sent.unseen) < 0)
		x->sent.text = NULL;
	report_unknown(u->guard, x,
		       x->sent.finding.verdict > VERDICT_ALERT ? OCSF_UNKNOWN : OCSF_ALLOWED, NULL);
	exec_free(x);
}

static void tell_all(struct unseen *u)
{
	struct untold *t;

	while ((t = STAILQ_FIRST(&u->untold))) {
		STAILQ_REMOVE_HEAD(&u->untold, entry);
		tell(u, t->exec);
		free(t);
	}
}

static void tell_later(struct unseen *u, struct exec *x)
{
	struct untold *t = u->guess ? malloc(sizeof(*t)) : NULL;

	if (!t) {
		tell(u, x);
		return;
	}
	t->exec = x;
	STAILQ_INSERT_TAIL(&u->untold, t, entry);
}

static void on_library(void *data, const char *library)
{
	struct unseen *u = data;

	u->guess = NULL;
	u->library = library;
	log_debug("what %s encrypts is not seen: %s", u->path ?: "a program",
		  library ?: "unknown library");
	tell_all(u);
}

/* ---- programs */

static void unseen_free(struct unseen *u)
{
	LIST_REMOVE(u, entry);
	guess_end(u->guess);
	tell_all(u);
	map_free(&u->told);
	free(u->path);
	free(u);
}

static void drop_oldest(struct guard *g)
{
	struct unseen *u, *last = NULL;
	size_t count = 0;

	for (u = LIST_FIRST(&g->unseen); u; u = LIST_NEXT(u, entry)) {
		last = u;
		count++;
	}
	if (count > PROGRAMS_MAX)
		unseen_free(last);
}

static struct unseen *unseen_new(struct guard *g, const struct unseen *like, u32 tgid, int file)
{
	struct unseen *u = malloc(sizeof(*u));
	int r;

	if (!u) {
		close(file);
		return NULL;
	}
	*u = *like;
	u->path = proc_readlink((pid_t)tgid, "exe");
	STAILQ_INIT(&u->untold);
	LIST_INSERT_HEAD(&g->unseen, u, entry);
	r = guess_start(g->loop, file, on_library, u, &u->guess);
	if (r)
		log_debug("nobody reads with what %s encrypts: %s", u->path ?: "a program",
			  strerror(-r));
	drop_oldest(g);
	return u;
}

static bool is_same(const struct unseen *a, const struct unseen *b)
{
	return a->session == b->session && a->dev == b->dev && a->inode == b->inode &&
	       !strcmp(a->protocol, b->protocol);
}

/* The program that the process runs; NULL: it is gone. Who serves its file is not asked. */
static struct unseen *find(struct guard *g, const struct exec *x)
{
	struct unseen like = { .guard = g, .session = x->session, .protocol = x->sent.opaque };
	_cleanup_close_ int file = -1;
	struct unseen *u;
	struct statx st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/exe", x->tgid);
	file = open(path, O_PATH | O_CLOEXEC);
	if (file < 0 || statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st))
		return NULL;
	like.dev = (u64)st.stx_dev_major << 32 | st.stx_dev_minor;
	like.inode = st.stx_ino;
	LIST_FOREACH (u, &g->unseen, entry)
		if (is_same(u, &like))
			return u;
	return unseen_new(g, &like, x->tgid, TAKE_FD(file));
}

/* ---- destinations */

static u64 hash(u64 h, const void *data, size_t len)
{
	const u8 *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h;
}

/* A name stands for all its addresses. */
static u64 hash_of(const struct exec *x)
{
	u64 h = hash(0xcbf29ce484222325ULL, &x->dest.port, sizeof(x->dest.port));

	if (x->sent.path)
		return hash(h, x->sent.path, strlen(x->sent.path));
	if (x->sent.name)
		return hash(h, x->sent.name, strlen(x->sent.name));
	return hash(h, x->dest.addr, sizeof(x->dest.addr));
}

static bool was_told(struct unseen *u, const struct exec *x)
{
	u64 h = hash_of(x);

	if (map_get(&u->told, h))
		return true;
	if (u->told.count >= TOLD_MAX)
		map_free(&u->told);
	map_set(&u->told, h, u);
	return false;
}

static void set_path(struct exec *x, const char *path)
{
	if (!path)
		return;
	free(x->path);
	x->path = strdup(path);
}

/* Of the kernel's event other lines are told; this one is the guard's. */
static struct exec *describe(struct guard *g, const struct unseen *u, const struct bs_send_event *e,
			     const struct exec *x)
{
	struct exec *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	if (!process_of(g, e->head.tgid, e->parent))
		guard_read_events(g, false);
	n->kind = BS_SLOT_SEND;
	exec_take_head(g, n, &e->head, e->start, e->uid);
	n->number = 0;
	n->dest = x->dest;
	process_copy(g, n, e->parent);
	set_path(n, u->path);
	n->sent.source = x->sent.source;
	n->sent.finding.verdict = x->sent.finding.verdict;
	n->sent.protocol = x->sent.opaque;
	n->sent.path = x->sent.path ? strdup(x->sent.path) : NULL;
	n->sent.name = x->sent.name ? strdup(x->sent.name) : NULL;
	n->sent.names = proc_copy_words(x->sent.names);
	return n;
}

/* ---- what begins */

#define QUIC_PORT 443
#define QUIC_LONG 0xc0 /* of the first byte: a long header, which begins a connection */
#define QUIC_HEAD 7    /* it, the version, and lengths of two numbers */

/* Version 0 is a server's, which tells of those it has. */
static bool is_quic(const struct bs_send_event *e)
{
	static const u8 none[4];

	return e->flags & BS_SEND_FIRST && e->dest.protocol == IPPROTO_UDP &&
	       e->dest.port == QUIC_PORT && e->copied >= QUIC_HEAD &&
	       (e->data[0] & QUIC_LONG) == QUIC_LONG && memcmp(e->data + 1, none, sizeof(none));
}

const char *unseen_what_begins(const struct bs_send_event *e, bool tls, enum quic_told quic)
{
	if (e->source == BS_SEND_TLS)
		return NULL;
	if (tls)
		return wire_protocol_name(WIRE_TLS);
	return quic == QUIC_HELLO || (quic == QUIC_NOTHING && is_quic(e)) ? "quic" : NULL;
}

/* Nobody probes what QUIC is given: it has no function that all libraries share. */
static bool is_seen(struct guard *g, const struct bs_send_event *e, const struct exec *x,
		    bool probed)
{
	if (strcmp(x->sent.opaque, wire_protocol_name(WIRE_TLS)))
		return false;
	return probed || library_look(g, e->head.tgid, true);
}

void unseen_note(struct guard *g, const struct bs_send_event *e, const struct exec *x, bool probed)
{
	struct unseen *u = x->session && !is_seen(g, e, x, probed) ? find(g, x) : NULL;
	struct exec *n = u && !was_told(u, x) ? describe(g, u, e, x) : NULL;

	if (n)
		tell_later(u, n);
}

void unseen_forget(struct guard *g, u64 session)
{
	struct unseen *u, *next;

	for (u = LIST_FIRST(&g->unseen); u; u = next) {
		next = LIST_NEXT(u, entry);
		if (u->session->id == session)
			unseen_free(u);
	}
}

void unseen_forget_all(struct guard *g)
{
	while (!LIST_EMPTY(&g->unseen))
		unseen_free(LIST_FIRST(&g->unseen));
}

void unseen_describe(const struct guard *g, struct json *j)
{
	const struct unseen *u;

	json_open_array(j, "unseen");
	for (u = LIST_FIRST(&g->unseen); u; u = LIST_NEXT(u, entry)) {
		json_open_object(j, NULL);
		json_put_string(j, "session", u->session->name);
		json_put_string(j, "file", u->path);
		json_put_string(j, "protocol", u->protocol);
		json_put_string(j, "library", u->library);
		json_put_uint(j, "destinations", u->told.count);
		json_close_object(j);
	}
	json_close_array(j);
}
