/* Requests, one JSON object a line; each is answered by one line, {"ok":true,…} or
 * {"ok":false,"error":"…"}:
 *
 *	{"op":"run","agent":"claude","unattended":false}	"session":"19ab…"; the asker is the
 *								root of a new session, or says so
 *								with "inherited":true where it
 *								belongs to one already
 *	{"op":"status"}						see guard_describe_status()
 *	{"op":"pending"}					"holds":[…]
 *	{"op":"approve","id":7}
 *	{"op":"deny","id":7,"reason":"…"}
 *	{"op":"decide","decision":"{…}","signature":"…"}	either, signed: see approval.h
 *	{"op":"watch"}						then one journal line after another
 *	{"op":"attach","pid":4213,"agent":"claude"}		"session":"19ab…": that
 *							process and all that it has started
 *	{"op":"attach","cgroup":"/sys/fs/cgroup/ci"}		the same for all that live there
 *	{"op":"reload"}						new settings and packs
 *
 * Anybody may run, and bring what an approver signed. All else is for root, the approvers' group,
 *and the owner of an embedded guard; what decides, or sees what others do, is never for a task that
 *carries a label, whatever its uid.
 */
#include "guard/control_request.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/escape.h"
#include "guard/approval.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define AGENT_MAX  64
#define REASON_MAX 512
#define CGROUP_MAX 2048

static inline void unref(json_t **j)
{
	json_decref(*j);
}

struct request {
	struct guard *guard;
	const struct control_rights *rights;
	const struct control_peer *peer;
	const json_t *object;
	struct json *reply; /* its object is open */
	struct strbuf *err;
	bool watch;
};

enum member_kind { MEMBER_STRING, MEMBER_BOOL, MEMBER_ID };

struct member {
	const char *name;
	enum member_kind kind;
	size_t max; /* bytes of a string */
	bool required;
};

struct op {
	const char *name, *example;
	bool anybody;	 /* else only who has rights */
	bool unlabelled; /* no task of a session, not even root's */
	bool human;	 /* not what only serves, though it is of the approvers' group */
	struct member members[3];
	int (*answer)(struct request *r);
};

/* --- the peer */

/* Only a kernel without SO_PEERPIDFD is asked by number, where a peer that ended meanwhile may be
 * taken for the next process of that number. */
static int open_pidfd(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* Of /etc/group alone, as a look-up must never wait for a network. */
static int find_group(const char *name, gid_t *ret)
{
	FILE *f = name ? fopen("/etc/group", "re") : NULL;
	const struct group *group;

	if (!f)
		return -ENOENT;
	do
		group = fgetgrent(f);
	while (group && strcmp(group->gr_name, name) != 0);
	if (group)
		*ret = group->gr_gid;
	fclose(f);
	return group ? 0 : -ENOENT;
}

static bool is_user(const struct control_peer *p, const char *name)
{
	FILE *f = name ? fopen("/etc/passwd", "re") : NULL;
	const struct passwd *user;

	if (!f)
		return false;
	do
		user = fgetpwent(f);
	while (user && strcmp(user->pw_name, name) != 0);
	fclose(f);
	return user && user->pw_uid == p->uid;
}

static bool has_group(const struct control_peer *p, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t len = 0;

	if (p->gid == group)
		return true;
	if (getsockopt(p->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = malloc(len);
	if (!groups || getsockopt(p->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

int control_peer_read(int fd, struct control_peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret = (struct control_peer) {
		.fd = fd,
		.pid = cred.pid,
		.pidfd = open_pidfd(fd, cred.pid),
		.uid = cred.uid,
		.gid = cred.gid,
	};
	return 0;
}

bool control_peer_has_rights(const struct control_peer *p, const struct control_rights *rights)
{
	gid_t group;

	if (p->uid == 0 || (rights->embedded && p->uid == rights->owner))
		return true;
	return find_group(rights->approvers, &group) == 0 && has_group(p, group);
}

/* "uid 1000 (dev)" */
static void add_who(struct strbuf *out, const struct control_peer *p)
{
	struct passwd entry, *found = NULL;
	char names[1024];

	strbuf_addf(out, "uid %u", p->uid);
	if (getpwuid_r(p->uid, &entry, names, sizeof(names), &found) == 0 && found)
		strbuf_addf(out, " (%s)", found->pw_name);
}

static int refuse_uid(struct request *r, const struct op *op)
{
	const char *group = r->rights->approvers;

	add_who(r->err, r->peer);
	strbuf_addf(r->err, " may not ask for '%s': use sudo", op->name);
	if (group)
		strbuf_addf(r->err,
			    ", or have root add you to the group %s (usermod -aG %s NAME) and log "
			    "in again",
			    group, group);
	return -EPERM;
}

static int refuse_service(struct request *r)
{
	strbuf_addf(r->err,
		    "the user %s serves the record and decides nothing itself: it may bring what "
		    "approvers signed",
		    r->rights->service);
	return -EPERM;
}

static int authorise(struct request *r, const struct op *op)
{
	uint64_t session = 0;
	int labelled;

	if (op->unlabelled) {
		labelled = r->peer->pidfd < 0
				   ? -ESRCH
				   : guard_is_labelled(r->guard, r->peer->pidfd, &session);
		if (labelled > 0)
			strbuf_addf(r->err,
				    "this process belongs to session %" PRIx64
				    ": what an agent starts cannot %s",
				    session, op->name);
		else if (labelled < 0)
			strbuf_addf(
				r->err,
				"cannot tell whether the process that asks belongs to a session "
				"(%s): only a process that waits for the answer may %s",
				strerror(-labelled), op->name);
		if (labelled != 0)
			return -EPERM;
	}
	if (op->human && is_user(r->peer, r->rights->service))
		return refuse_service(r);
	if (op->anybody || control_peer_has_rights(r->peer, r->rights))
		return 0;
	return refuse_uid(r, op);
}

/* --- the requests */

static const char *string_of(const struct request *r, const char *name, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(r->object, name));

	return s ? s : otherwise;
}

static uint64_t id_of(const struct request *r)
{
	return json_integer_value(json_object_get(r->object, "id"));
}

static int fail_label(struct request *r, int err)
{
	strbuf_addf(r->err, "the process that asks cannot be followed: %s", strerror(-err));
	return err;
}

static int put_session(struct request *r, uint64_t session, bool inherited)
{
	char id[17];

	snprintf(id, sizeof(id), "%" PRIx64, session);
	json_put_string(r->reply, "session", id);
	if (inherited)
		json_put_bool(r->reply, "inherited", true);
	return 0;
}

static int answer_run(struct request *r)
{
	struct session_options o = {
		.agent = string_of(r, "agent", ""),
		.unattended = json_is_true(json_object_get(r->object, "unattended")),
	};
	uint64_t session;
	int err;

	if (r->peer->pidfd < 0)
		return fail_label(r, -ESRCH);
	err = guard_is_labelled(r->guard, r->peer->pidfd, &session);
	if (err > 0)
		return put_session(r, session, true);
	if (err < 0)
		return fail_label(r, err);
	err = guard_start_session(r->guard, r->peer->pid, r->peer->pidfd, &o, &session, r->err);
	return err < 0 ? err : put_session(r, session, false);
}

static int answer_status(struct request *r)
{
	guard_describe_status(r->guard, r->reply);
	return 0;
}

static int answer_pending(struct request *r)
{
	guard_describe_pending(r->guard, r->reply);
	return 0;
}

static int answer_approve(struct request *r)
{
	_cleanup_strbuf_ struct strbuf who = STRBUF_INIT;

	add_who(&who, r->peer);
	return guard_approve(r->guard, id_of(r), strbuf_str(&who), r->err);
}

static int answer_deny(struct request *r)
{
	_cleanup_strbuf_ struct strbuf who = STRBUF_INIT;

	add_who(&who, r->peer);
	return guard_deny(r->guard, id_of(r), strbuf_str(&who), string_of(r, "reason", NULL),
			  r->err);
}

static int answer_decide(struct request *r)
{
	return guard_decide_signed(r->guard, string_of(r, "decision", ""),
				   string_of(r, "signature", ""), r->err);
}

static int answer_watch(struct request *r)
{
	r->watch = true;
	return 0;
}

static int answer_attach(struct request *r)
{
	struct session_options o = { .agent = string_of(r, "agent", "") };
	const char *cgroup = string_of(r, "cgroup", NULL);
	json_int_t pid = json_integer_value(json_object_get(r->object, "pid"));
	uint64_t session;
	int err;

	if (!pid == !cgroup || pid > INT_MAX) {
		strbuf_addf(r->err, "attach: give either a pid of at most %d or a cgroup", INT_MAX);
		return -EINVAL;
	}
	err = cgroup ? guard_attach_cgroup(r->guard, cgroup, &o, &session, r->err)
		     : guard_attach(r->guard, (pid_t)pid, &o, &session, r->err);
	return err < 0 ? err : put_session(r, session, false);
}

static int answer_reload(struct request *r)
{
	return guard_reload(r->guard, r->err);
}

static const struct op ops[] = {
	{ .name = "run",
	  .example = "{\"op\":\"run\",\"agent\":\"claude\",\"unattended\":false}",
	  .anybody = true,
	  .members = { { .name = "agent", .kind = MEMBER_STRING, .max = AGENT_MAX },
		       { .name = "unattended", .kind = MEMBER_BOOL } },
	  .answer = answer_run },
	{ .name = "status", .example = "{\"op\":\"status\"}", .answer = answer_status },
	{ .name = "pending", .example = "{\"op\":\"pending\"}", .answer = answer_pending },
	{ .name = "approve",
	  .example = "{\"op\":\"approve\",\"id\":7}",
	  .unlabelled = true,
	  .human = true,
	  .members = { { .name = "id", .kind = MEMBER_ID, .required = true } },
	  .answer = answer_approve },
	{ .name = "deny",
	  .example = "{\"op\":\"deny\",\"id\":7,\"reason\":\"not today\"}",
	  .unlabelled = true,
	  .human = true,
	  .members = { { .name = "id", .kind = MEMBER_ID, .required = true },
		       { .name = "reason", .kind = MEMBER_STRING, .max = REASON_MAX } },
	  .answer = answer_deny },
	{ .name = "decide",
	  .example = "{\"op\":\"decide\",\"decision\":\"{…}\",\"signature\":\"0a1b…\"}",
	  .anybody = true,
	  .unlabelled = true,
	  .members = { { .name = "decision",
			 .kind = MEMBER_STRING,
			 .max = APPROVAL_TEXT_MAX,
			 .required = true },
		       { .name = "signature",
			 .kind = MEMBER_STRING,
			 .max = 2 * crypto_sign_BYTES,
			 .required = true } },
	  .answer = answer_decide },
	{ .name = "watch",
	  .example = "{\"op\":\"watch\"}",
	  .unlabelled = true,
	  .answer = answer_watch },
	{ .name = "attach",
	  .example = "{\"op\":\"attach\",\"pid\":4213,\"agent\":\"claude\"}",
	  .unlabelled = true,
	  .human = true,
	  .members = { { .name = "pid", .kind = MEMBER_ID },
		       { .name = "cgroup", .kind = MEMBER_STRING, .max = CGROUP_MAX },
		       { .name = "agent", .kind = MEMBER_STRING, .max = AGENT_MAX } },
	  .answer = answer_attach },
	{ .name = "reload",
	  .example = "{\"op\":\"reload\"}",
	  .unlabelled = true,
	  .human = true,
	  .answer = answer_reload },
};

/* --- from the line to the request */

static const struct op *find_op(const json_t *object, struct strbuf *err)
{
	const char *name = json_string_value(json_object_get(object, "op"));

	for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	if (name)
		escape_word(err, name);
	strbuf_adds(err, name ? " is no op: there are" : "the request has no \"op\": there are");
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		strbuf_addf(err, "%s %s", i > 0 ? "," : "", ops[i].name);
	return NULL;
}

static bool member_fits(const struct member *m, const json_t *value)
{
	switch (m->kind) {
	case MEMBER_STRING:
		return json_is_string(value) && json_string_length(value) <= m->max;
	case MEMBER_BOOL:
		return json_is_boolean(value);
	case MEMBER_ID:
		return json_is_integer(value) && json_integer_value(value) > 0;
	}
	return false;
}

static const struct member *find_member(const struct op *op, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(op->members) && op->members[i].name; i++)
		if (strcmp(op->members[i].name, name) == 0)
			return &op->members[i];
	return NULL;
}

static int refuse_member(const struct op *op, const char *name, const char *what,
			 struct strbuf *err)
{
	strbuf_addf(err, "%s: member ", op->name);
	escape_word(err, name);
	strbuf_addf(err, " %s: as in %s", what, op->example);
	return -EINVAL;
}

static int check_members(const struct op *op, json_t *object, struct strbuf *err)
{
	const struct member *m;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (strcmp(name, "op") == 0)
			continue;
		m = find_member(op, name);
		if (!m)
			return refuse_member(op, name, "is not known", err);
		if (!member_fits(m, value))
			return refuse_member(op, name, "has no fitting value", err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(op->members); i++) {
		m = &op->members[i];
		if (m->required && !json_object_get(object, m->name))
			return refuse_member(op, m->name, "is missing", err);
	}
	return 0;
}

static json_t *parse(const char *line, size_t len, struct strbuf *err)
{
	json_error_t where;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);

	if (!object) {
		strbuf_addf(err, "no JSON (at byte %d): %s", where.position, where.text);
	} else if (!json_is_object(object)) {
		json_decref(object);
		object = NULL;
		strbuf_adds(err, "no JSON object: ask like {\"op\":\"status\"}");
	}
	return object;
}

static int answer(struct request *r, const char *line, size_t len)
{
	_cleanup_(unref) json_t *object = parse(line, len, r->err);
	const struct op *op = object ? find_op(object, r->err) : NULL;
	int err;

	if (!op)
		return -EINVAL;
	err = check_members(op, object, r->err);
	if (!err)
		err = authorise(r, op);
	if (err)
		return err;
	r->object = object;
	return op->answer(r);
}

void control_refuse(struct strbuf *out, const char *error)
{
	struct json j = JSON_INIT(out);

	json_open_object(&j, NULL);
	json_put_bool(&j, "ok", false);
	json_put_string(&j, "error", error);
	json_close_object(&j);
	strbuf_addc(out, '\n');
}

bool control_answer(struct guard *g, const struct control_rights *rights,
		    const struct control_peer *peer, const char *line, size_t len,
		    struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT, body = STRBUF_INIT;
	struct json j = JSON_INIT(&body);
	struct request r = { .guard = g, .rights = rights, .peer = peer, .reply = &j, .err = &err };
	int e;

	json_open_object(&j, NULL);
	json_put_bool(&j, "ok", true);
	e = answer(&r, line, len);
	json_close_object(&j);
	strbuf_addc(&body, '\n');
	if (!e && strbuf_error(&body))
		e = -ENOMEM;
	if (!e)
		strbuf_add(out, body.data, body.len);
	else
		control_refuse(out, err.len > 0 ? strbuf_str(&err) : strerror(-e));
	return !e && r.watch;
}
