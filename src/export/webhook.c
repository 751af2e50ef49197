#include "export/webhook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "export/selection.h"
#include "record/event.h"

#define KEY_MIN	 16 /* bytes */
#define KEY_MAX	 4096
#define TEXT_MAX 3500 /* bytes: ntfy makes a file of more than 4096 */

/* ---- signing */

void webhook_sign(struct strbuf *out, const struct strbuf *key, int64_t timestamp, const char *body,
		  size_t len)
{
	unsigned char hash[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char time[32];
	int n = snprintf(time, sizeof(time), "%" PRId64 ".", timestamp);

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)key->data, key->len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)time, (size_t)n);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, len);
	crypto_auth_hmacsha256_final(&state, hash);
	strbuf_adds(out, "sha256=");
	for (size_t i = 0; i < sizeof(hash); i++)
		strbuf_addf(out, "%02x", hash[i]);
}

static int check_mode(const char *path, struct strbuf *why)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int r = -errno;

		strbuf_addf(why, "the key %s: %s", path, strerror(-r));
		return r;
	}
	if (S_ISREG(st.st_mode) && !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	strbuf_addf(why, "the key %s is to be a file that nobody but its owner may use: chmod 600",
		    path);
	return -EPERM;
}

int webhook_read_key(const char *path, struct strbuf *ret, struct strbuf *why)
{
	int r = check_mode(path, why);

	if (r)
		return r;
	strbuf_reset(ret);
	r = io_read_file(AT_FDCWD, path, KEY_MAX, ret);
	if (r) {
		strbuf_addf(why, "the key %s: %s", path, strerror(-r));
		return r;
	}
	while (ret->len && strchr("\r\n", ret->data[ret->len - 1]))
		strbuf_truncate(ret, ret->len - 1);
	if (ret->len >= KEY_MIN)
		return 0;
	strbuf_addf(why, "the key %s is too short: 'openssl rand -hex 32' makes one", path);
	return -EINVAL;
}

/* ---- a finding in words */

static void add_field(struct strbuf *out, const char *name, struct slice s)
{
	if (!s.len)
		return;
	strbuf_addf(out, "\n%s: ", name);
	event_add_text(out, s);
}

static void add_open_hold(struct strbuf *out, const struct event *e)
{
	if (e->hold && !e->by.len)
		strbuf_addf(out, "\na human decides: backstop approve %" PRId64 ", or deny",
			    e->hold);
}

/* At a whole character. */
static void cut(struct strbuf *text)
{
	size_t len = TEXT_MAX;

	if (text->len <= TEXT_MAX)
		return;
	while (len && ((unsigned char)text->data[len] & 0xc0) == 0x80)
		len--;
	strbuf_truncate(text, len);
	strbuf_adds(text, "…");
}

static void add_finding(struct strbuf *out, const struct event *e)
{
	event_add_text(out, e->message);
	add_field(out, "host", e->host);
	add_field(out, "session", e->session);
	add_field(out, "agent", e->agent);
	add_field(out, "signature", e->signature);
	add_field(out, "severity", e->severity);
	add_field(out, "decided by", e->by);
	add_open_hold(out, e);
	cut(out);
}

/* ---- templates */

void webhook_slack(struct strbuf *out, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf plain = STRBUF_INIT, text = STRBUF_INIT;
	struct json j = JSON_INIT(out);
	struct event e = { 0 };

	(void)event_read(line, len, &e);
	add_finding(&plain, &e);
	/* what Slack takes for mentions, links and entities */
	escape_markup(&text, strbuf_str(&plain), plain.len);
	json_open_object(&j, NULL);
	json_put_string(&j, "text", strbuf_str(&text));
	json_close_object(&j);
}

/* A header is of printable ASCII here. */
static void put_header(char *ret, size_t size, const char *before, struct slice s)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	size_t n = (size_t)snprintf(ret, size, "%s", before);

	event_add_text(&text, s);
	for (const char *p = strbuf_str(&text); *p && n + 1 < size; p++)
		ret[n++] = *p >= ' ' && *p < 127 ? *p : '?';
	ret[n] = '\0';
}

void webhook_ntfy(struct strbuf *out, struct ntfy *ret, const char *line, size_t len)
{
	/* "low" is as good as none; "critical" is what rings a phone that is to be silent */
	static const int priorities[] = { 3, 2, 3, 4, 5 };
	static const char *const tags[] = { "information_source", "information_source", "warning",
					    "warning", "rotating_light" };
	struct event e = { 0 };
	int severity;

	(void)event_read(line, len, &e);
	severity = e.severity.len ? selection_severity(e.severity.at, e.severity.len) : 0;
	ret->priority = priorities[severity];
	snprintf(ret->tags, sizeof(ret->tags), "%s,backstop", tags[severity]);
	put_header(ret->title, sizeof(ret->title), "Backstop on ", e.host);
	add_finding(out, &e);
}
