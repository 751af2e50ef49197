/* Decisions that approvers signed. Whoever brings one is trusted in nothing: what counts is that a
 * key of the settings signed these bytes, for this host, this hold and what it is held for, now,
 * and that they were never carried out before. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guard/approval.h"
#include "guard/hold.h"
#include "guard/internal.h"
#include "guard/spent.h"

static int find_approver(const struct guard *g, const struct approval *a, struct approver *ret,
			 struct strbuf *err)
{
	uint8_t key[APPROVER_KEY];
	size_t len = 0;

	if (!sodium_hex2bin(key, sizeof(key), a->key, strlen(a->key), NULL, &len, NULL) &&
	    len == sizeof(key) && !policy_approver(g->policy, key, ret))
		return 0;
	strbuf_addf(err,
		    "the key %.16s… is no approver's here: the settings list them under "
		    "approver_keys:",
		    a->key);
	return -EPERM;
}

const char *guard_host(const struct guard *g)
{
	return approval_host(g->host.machine_id, g->host.hostname);
}

static int check_host(const struct guard *g, const struct approval *a, struct strbuf *err)
{
	const char *host = guard_host(g);

	if (host && !strcmp(host, a->host))
		return 0;
	strbuf_adds(err, "the decision is for another host");
	return -EPERM;
}

int signed_digest(struct guard *g, const struct exec *x, char *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char session[20];
	struct approved_action a = {
		.session = session, .cwd = x->cwd, .uid = x->uid, .argv = exec_shown(x)
	};

	report_describe(g, x, &text);
	snprintf(session, sizeof(session), "%" PRIx64, (uint64_t)x->session_id);
	a.text = strbuf_str(&text);
	return strbuf_error(&text) ?: approval_digest(&a, ret);
}

static int check_action(struct guard *g, const struct approval *a, struct strbuf *err)
{
	const struct exec *x = hold_find_exec(g, a->hold);
	char digest[HEX(APPROVAL_DIGEST)];
	int r = x ? signed_digest(g, x, digest) : -ENOENT;

	if (!r && !strcmp(digest, a->action))
		return 0;
	if (r == -ENOENT)
		strbuf_addf(err, "there is no hold %" PRIu64, a->hold);
	else if (!r)
		strbuf_addf(err, "hold %" PRIu64 " is of another action than was signed", a->hold);
	return r ? r : -EPERM;
}

static int spend(const struct guard *g, const struct approval *a, struct strbuf *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/decisions", g->options.state_dir) < 0)
		return -ENOMEM;
	r = spent_add(path, a->nonce, a->expires_ms, now_ms());
	if (r == -EEXIST)
		strbuf_adds(err, "the decision was used already: decide again");
	else if (r)
		strbuf_addf(err, "the decision cannot be noted in %s, so it is not carried out: %s",
			    path, strerror(-r));
	return r;
}

static int check(struct guard *g, const char *text, const char *signature, struct approval *a,
		 struct approver *by, struct strbuf *err)
{
	size_t len = strlen(text);
	int r = approval_decode(text, len, a, err);

	if (!r)
		r = find_approver(g, a, by, err);
	if (!r && !approval_is_signed(text, len, signature, by->key)) {
		strbuf_addf(err, "the signature is not that of %s", by->name);
		r = -EBADMSG;
	}
	if (!r)
		r = check_host(g, a, err);
	if (!r)
		r = approval_check_time(a, now_ms(), err);
	if (!r)
		r = check_action(g, a, err);
	return r ? r : spend(g, a, err);
}

int guard_decide_signed(struct guard *g, const char *text, const char *signature,
			struct strbuf *err)
{
	struct approval a;
	struct approver approver;
	char by[APPROVER_NAME + 32];
	int r = check(g, text, signature, &a, &approver, err);

	if (r)
		return r;
	snprintf(by, sizeof(by), "%s (key %.16s)", approver.name, a.key);
	return a.approve ? guard_approve(g, a.hold, by, err)
			 : guard_deny(g, a.hold, by, a.reason[0] ? a.reason : NULL, err);
}
