#include "cli/sign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/table.h"
#include "guard/approval.h"

static int log_key(int err, const char *path)
{
	if (err == -EPERM)
		log_error("others may read the key in %s: chmod 600 it, or make a new one", path);
	else if (err == -EBADMSG)
		log_error("%s holds no approver's key: 'backstop key FILE' makes one", path);
	else if (err == -ELOOP)
		log_error("%s is a symbolic link: name the file of the key itself", path);
	else
		log_errno(err, "cannot read the key in %s", path);
	return err;
}

static int fill(const struct wish *w, struct approval *ret)
{
	*ret = (struct approval) { .hold = w->hold, .approve = w->approve };
	if (w->reason && strlen(w->reason) > APPROVAL_REASON_MAX) {
		log_error("a reason that is signed has at most %d bytes", APPROVAL_REASON_MAX);
		return -EINVAL;
	}
	snprintf(ret->host, sizeof(ret->host), "%s", w->host);
	snprintf(ret->action, sizeof(ret->action), "%s", w->action);
	snprintf(ret->reason, sizeof(ret->reason), "%s", w->reason ? w->reason : "");
	return 0;
}

static int sign(const char *path, struct approval *a, struct strbuf *text, char *signature)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	int r = approval_read_key(path, secret);

	if (r)
		return log_key(r, path);
	r = approval_sign(a, secret, (int64_t)epoch_ms(), text, signature);
	sodium_memzero(secret, sizeof(secret));
	return r;
}

json_t *sign_wish(const char *key_path, const struct wish *w)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char signature[HEX(crypto_sign_BYTES)];
	struct approval a;

	if (fill(w, &a) || sign(key_path, &a, &text, signature))
		return NULL;
	return json_pack("{ssssss}", "op", "decide", "decision", strbuf_str(&text), "signature",
			 signature);
}

static const json_t *find_hold(const json_t *reply, uint64_t id)
{
	const json_t *hold;
	size_t i;

	json_array_foreach(json_object_get(reply, "holds"), i, hold)
	{
		if ((uint64_t)json_integer_value(json_object_get(hold, "id")) == id)
			return hold;
	}
	return NULL;
}

json_t *sign_local(const char *socket, const char *key_path, const struct wish *w)
{
	_cleanup_json_ json_t *reply = NULL;
	struct wish whole = *w;
	const json_t *hold;

	if (client_request(socket, json_pack("{ss}", "op", "pending"), &reply))
		return NULL;
	hold = find_hold(reply, w->hold);
	whole.host = json_string_value(json_object_get(reply, "host"));
	whole.action = json_string_value(json_object_get(hold, "action_hash"));
	if (whole.host && whole.action)
		return sign_wish(key_path, &whole);
	log_error("there is no open hold %" PRIu64 ": 'backstop pending' lists what is open",
		  w->hold);
	return NULL;
}
