/* What the control socket asks of holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guard/approval.h"
#include "guard/hold.h"

static struct hold *hold_by_id(const struct guard *g, u64 id)
{
	struct hold *h;

	LIST_FOREACH (h, &g->holds, entry)
		if (id && h->id == id && h->counted && h->outcome == HOLD_OPEN)
			return h;
	return NULL;
}

const struct exec *hold_find_exec(const struct guard *g, u64 id)
{
	const struct hold *h = hold_by_id(g, id);

	return h ? h->exec : grant_find_exec(g, id);
}

int guard_approve(struct guard *g, uint64_t id, const char *by, struct strbuf *err)
{
	struct hold *h = hold_by_id(g, id);

	if (!h)
		return grant_approve(g, id, by, err);
	/* a program that connects runs, and may write to its own memory */
	if (h->exec->kind == BS_SLOT_EXEC && !exec_args_unchanged(h->exec)) {
		strbuf_addf(err,
			    "hold %llu is denied: its arguments were changed while it was held",
			    (unsigned long long)id);
		hold_decide(h, HOLD_REFUSE, OCSF_BLOCKED, "guard",
			    "its arguments were changed while it was held");
		return -EPERM;
	}
	hold_decide(h, HOLD_RELEASE, OCSF_APPROVED, by, NULL);
	return 0;
}

int guard_deny(struct guard *g, uint64_t id, const char *by, const char *reason, struct strbuf *err)
{
	struct hold *h = hold_by_id(g, id);

	if (!h) {
		strbuf_addf(err,
			    "there is no open hold %llu: 'backstop pending' lists what is open",
			    (unsigned long long)id);
		return -ENOENT;
	}
	hold_decide(h, HOLD_REFUSE, OCSF_REJECTED, by, reason);
	return 0;
}

static void describe_sending(struct json *j, const struct exec *x)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ocsf_sending s = send_shown(x);

	ocsf_sending(&text, &x->dest, &s); /* behind its verb */
	json_put_string(j, "dest", strbuf_str(&text) + strcspn(strbuf_str(&text), " ") + 1);
	json_put_string(j, "text", s.text);
	json_put_string(j, "protocol", s.protocol);
	json_put_bool(j, "encrypted", s.encrypted);
}

static void describe_action(struct json *j, const struct exec *x)
{
	char text[128];

	json_put_string(j, "action",
			x->kind == BS_SLOT_CONNECT ? "connect"
			: exec_is_deletion(x)	   ? "delete"
			: exec_is_sending(x) ? x->sent.source == BS_SEND_UNIX ? "connect" : "send"
					     : "exec");
	if (exec_is_deletion(x)) {
		json_put_string(j, "deletion", ocsf_deletion_word(x->object.id.op));
		json_put_string(j, "path", x->object.path);
		json_put_bool(j, "done", x->kind == BS_SLOT_DELETED);
		if (x->flags & BS_DELETE_BURST)
			json_put_uint(j, "burst", x->object.burst);
	}
	if (exec_is_sending(x))
		describe_sending(j, x);
	if (x->kind != BS_SLOT_CONNECT)
		return;
	ocsf_dest(&x->dest, text, sizeof(text)); /* behind its verb */
	json_put_string(j, "dest", text + strcspn(text, " ") + 1);
}

static void describe_hold(struct guard *g, struct json *j, const struct hold *h)
{
	const struct exec *x = h->exec;
	const struct finding *f = &h->decision.finding;
	char id[64], digest[HEX(APPROVAL_DIGEST)];

	snprintf(id, sizeof(id), "%s.%s", f->pack ?: "", f->id ?: "");
	json_open_object(j, NULL);
	json_put_uint(j, "id", h->id);
	json_put_string(j, "session", x->session ? x->session->name : NULL);
	json_put_string(j, "agent", x->session ? x->session->agent : NULL);
	json_put_uint(j, "pid", x->tgid);
	json_put_uint(j, "uid", x->uid);
	json_put_string(j, "user", users_name(g->users, x->uid));
	json_put_string(j, "verdict", verdict_name(h->decision.verdict));
	json_put_string(j, "signature", id);
	json_put_string(j, "severity", severity_name(f->severity));
	json_put_string(j, "why", f->why);
	if (f->context)
		json_put_string(j, "context", f->context);
	json_put_string(j, "instead", f->instead);
	describe_action(j, x);
	json_put_argv(j, "argv", exec_shown(x));
	json_put_string(j, "cwd", x->cwd);
	if (!signed_digest(g, x, digest))
		json_put_string(j, "action_hash", digest);
	json_put_int(j, "since_ms", h->since_ms);
	json_put_int(j, "expires_ms", h->expires_ms);
	json_close_object(j);
}

/* The open hold with the lowest number above `id`. */
static const struct hold *hold_after(const struct guard *g, u64 id)
{
	const struct hold *h, *found = NULL;

	LIST_FOREACH (h, &g->holds, entry)
		if (h->id > id && (!found || h->id < found->id) && h->counted &&
		    h->outcome == HOLD_OPEN)
			found = h;
	return found;
}

void guard_describe_pending(struct guard *g, struct json *j)
{
	const struct hold *h = NULL;

	json_put_string(j, "host", guard_host(g));
	json_open_array(j, "holds");
	while ((h = hold_after(g, h ? h->id : 0)))
		describe_hold(g, j, h);
	json_close_array(j);
}
