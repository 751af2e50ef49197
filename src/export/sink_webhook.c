/* Webhooks: lines as they are, signed, or a message for each finding. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/escape.h"
#include "base/log.h"
#include "export/sink_type.h"
#include "export/webhook.h"

#define REQUEST_MS   30000
#define ANSWER_MAX   200
#define RETRY_MAX_S  3600
#define DOUBTFUL_MAX 32

enum template { TEMPLATE_LINES, TEMPLATE_SLACK, TEMPLATE_NTFY, TEMPLATE_COUNT };

struct webhook {
	struct sink base;
	char *url;
	enum template template;
	CURL *curl; /* NULL: not made yet */
	char error[CURL_ERROR_SIZE];
	struct strbuf key, answer; /* the answer's beginning */
	bool took;		   /* it took something since a line was left out */
	/* Lines that it refuses, while it is not known whether it takes any. */
	size_t doubtful[DOUBTFUL_MAX], doubtful_count;
};

/* ---- what is written in the settings */

static const char *const templates[TEMPLATE_COUNT] = {
	[TEMPLATE_LINES] = "lines",
	[TEMPLATE_SLACK] = "slack",
	[TEMPLATE_NTFY] = "ntfy",
};

static int set_template(struct webhook *w)
{
	const char *name = sink_option(&w->base, "template");

	for (int i = 0; name && i < TEMPLATE_COUNT; i++)
		if (strcmp(name, templates[i]) == 0) {
			w->template = (enum template)i;
			if (i != TEMPLATE_LINES)
				w->base.selection.classes = 0;
			return i == TEMPLATE_LINES
				       ? 0
				       : selection_add_classes(&w->base.selection, "finding");
		}
	return name ? -EINVAL : 0;
}

static bool is_loopback(const char *host)
{
	struct in_addr four;

	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET);
}

static int check_url(const struct webhook *w)
{
	CURLU *parsed = curl_url();
	char *host = NULL;
	int r = parsed ? 0 : -ENOMEM;

	if (!r && (curl_url_set(parsed, CURLUPART_URL, w->url, 0) ||
		   curl_url_get(parsed, CURLUPART_HOST, &host, 0)))
		r = -EINVAL;
	if (!r && w->base.type == &sink_http && !is_loopback(host))
		log_warning("export: %s has no encryption: who is in between reads the events",
			    w->base.name);
	curl_free(host);
	curl_url_cleanup(parsed);
	return r;
}

static void load(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int set_up(struct sink *base, const char *rest)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct webhook *w = (struct webhook *)base;
	_cleanup_strbuf_ struct strbuf url = STRBUF_INIT;

	pthread_once(&once, load);
	strbuf_addf(&url, "%s%s", base->type->scheme, rest);
	w->url = strbuf_take(&url);
	return !w->url ? -ENOMEM : set_template(w) ?: check_url(w);
}

static void tear_down(struct sink *base)
{
	struct webhook *w = (struct webhook *)base;

	curl_easy_cleanup(w->curl);
	strbuf_free(&w->key);
	strbuf_free(&w->answer);
	free(w->url);
}

/* ---- a request */

static size_t on_answer(char *data, size_t size, size_t count, void *to)
{
	struct strbuf *answer = to;

	strbuf_add(answer, data, MIN(size * count, ANSWER_MAX - answer->len));
	return size * count;
}

static int on_progress(void *of, curl_off_t a _unused_, curl_off_t b _unused_,
		       curl_off_t c _unused_, curl_off_t d _unused_)
{
	return ((struct webhook *)of)->base.cancelled;
}

/* What is of one host goes to no other: redirects are not followed. */
static int make_curl(struct webhook *w)
{
	const char *ca = sink_option(&w->base, "ca");
	CURL *c = w->curl ? w->curl : curl_easy_init();

	if (!c)
		return -ENOMEM;
	if (w->curl)
		return 0;
	w->curl = c;
	curl_easy_setopt(c, CURLOPT_URL, w->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, w->base.type == &sink_http ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (ca) {
		curl_easy_setopt(c, CURLOPT_CAINFO, ca);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)SINK_TIMEOUT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "backstop/" BACKSTOP_VERSION);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, w->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &w->answer);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, w);
	return 0;
}

static int fail_to_reach(struct webhook *w, CURLcode code)
{
	bool certificate =
		code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return -ECANCELED;
	return sink_fail(&w->base, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -ENOTCONN,
			 "%s%s", w->error[0] ? w->error : curl_easy_strerror(code),
			 certificate ? ": the server's certificate is checked against #ca=FILE, or "
				       "the system's authorities, and the host's name"
				     : "");
}

static const char *remedy(long status)
{
	if (status / 100 == 3)
		return ": redirects are not followed, give the address that it leads to";
	if (status == 401 || status == 403 || status == 407)
		return ": it wants other credentials, or another key";
	if (status / 100 == 4 && status != 408 && status != 429)
		return ": is the address right?";
	return "";
}

static int say_status(struct webhook *w, int err, long status, const char *more)
{
	_cleanup_strbuf_ struct strbuf answer = STRBUF_INIT;

	escape_bytes(&answer, strbuf_str(&w->answer), w->answer.len);
	return sink_fail(&w->base, err, "it answers HTTP %ld%s%s%s%s", status,
			 answer.len ? " (" : "", strbuf_str(&answer), answer.len ? ")" : "", more);
}

/* 0: it took it. -EBADMSG: it does not want what it was given, other things perhaps. Else: not now,
 * or not as things are. */
static int judge(struct webhook *w)
{
	curl_off_t seconds = 0;
	long status = 0;

	curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 2)
		return 0;
	if (status == 400 || status == 413 || status == 422)
		return say_status(w, -EBADMSG, status, "");
	curl_easy_getinfo(w->curl, CURLINFO_RETRY_AFTER, &seconds);
	/* a date that is past by our clock is less than nothing */
	w->base.retry_ms = (unsigned int)MIN(MAX(seconds, 0), RETRY_MAX_S) * 1000;
	return say_status(w, -EIO, status, remedy(status));
}

static int perform(struct webhook *w, struct curl_slist *headers, const char *body, size_t len)
{
	CURLcode code;

	strbuf_reset(&w->answer);
	w->error[0] = '\0';
	curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	code = curl_easy_perform(w->curl);
	return code == CURLE_OK ? judge(w) : fail_to_reach(w, code);
}

static int add_header(struct curl_slist **list, const char *name, const char *value)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct curl_slist *longer;

	strbuf_addf(&text, "%s: %s", name, value);
	longer = curl_slist_append(*list, strbuf_str(&text));
	if (longer)
		*list = longer;
	return longer ? strbuf_error(&text) : -ENOMEM;
}

/* The key is read each time: another one counts at once. */
static int add_signature(struct webhook *w, struct curl_slist **list, const char *body, size_t len)
{
	const char *path = sink_option(&w->base, "key");
	_cleanup_strbuf_ struct strbuf signature = STRBUF_INIT, stamp = STRBUF_INIT;
	int64_t now = time(NULL);
	int r;

	if (!path)
		return 0;
	r = webhook_read_key(path, &w->key, &w->base.why);
	if (r)
		return r;
	strbuf_addf(&stamp, "%" PRId64, now);
	webhook_sign(&signature, &w->key, now, body, len);
	r = add_header(list, "X-Backstop-Timestamp", strbuf_str(&stamp));
	return r ? r : add_header(list, "X-Backstop-Signature", strbuf_str(&signature));
}

static int add_ntfy(struct curl_slist **list, const struct ntfy *n)
{
	const char digit[] = { (char)('0' + n->priority), '\0' };

	return add_header(list, "Title", n->title) ?: add_header(list, "Priority", digit)
						   ?: add_header(list, "Tags", n->tags);
}

static int post(struct webhook *w, const struct ntfy *n, const char *body, size_t len)
{
	static const char *const types[] = {
		[TEMPLATE_LINES] = "application/x-ndjson",
		[TEMPLATE_SLACK] = "application/json",
		[TEMPLATE_NTFY] = "text/plain; charset=utf-8",
	};
	struct curl_slist *headers = NULL;
	int r = add_header(&headers, "Content-Type", types[w->template]);

	if (!r)
		r = add_header(&headers, "Expect", "");
	if (!r && n)
		r = add_ntfy(&headers, n);
	if (!r)
		r = add_signature(w, &headers, body, len);
	if (!r)
		r = perform(w, headers, body, len);
	curl_slist_free_all(headers);
	return r;
}

/* ---- what it takes, and what it refuses
 *
 * A line that it refuses is left out once it is known to take others: one that refuses all, being
 * another service than was thought, or broken since, gets nothing until it is put right. */

static void leave_out(struct webhook *w, size_t len)
{
	w->base.taken += len;
	sink_refuse(&w->base, len, sink_why(&w->base) ?: "it refused it");
}

static void note_taken(struct webhook *w, size_t len)
{
	for (size_t i = 0; i < w->doubtful_count; i++)
		leave_out(w, w->doubtful[i]);
	w->doubtful_count = 0;
	w->base.taken += len;
	w->took = true;
}

static int note_refused(struct webhook *w, size_t len)
{
	if (w->took) {
		leave_out(w, len);
		w->took = false;
		return 0;
	}
	w->doubtful[w->doubtful_count++] = len;
	return w->doubtful_count < DOUBTFUL_MAX ? 0 : -EBADMSG;
}

/* Behind the line that the middle is in; `len` where there is one line only. */
static size_t find_middle(const char *lines, size_t len)
{
	const char *newline = memchr(lines + len / 2, '\n', len - len / 2);
	size_t middle = newline ? (size_t)(newline - lines) + 1 : len;

	if (middle < len)
		return middle;
	newline = memrchr(lines, '\n', len - 1);
	return newline ? (size_t)(newline - lines) + 1 : len;
}

/* What is refused as a whole is tried in halves, down to the lines that it is refused for. */
static int send_lines(struct webhook *w, const char *lines, size_t len)
{
	size_t half;
	int r = w->base.cancelled ? -ECANCELED : post(w, NULL, lines, len);

	if (!r)
		note_taken(w, len);
	if (r != -EBADMSG)
		return r;
	half = find_middle(lines, len);
	if (half == len)
		return note_refused(w, len);
	r = send_lines(w, lines, half);
	return r ? r : send_lines(w, lines + half, len - half);
}

static int send_message(void *data, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	struct webhook *w = data;
	struct ntfy n;
	int r;

	if (w->base.cancelled)
		return -ECANCELED;
	if (w->template == TEMPLATE_SLACK)
		webhook_slack(&body, line, len);
	else
		webhook_ntfy(&body, &n, line, len);
	r = strbuf_error(&body)
		    ?: post(w, w->template == TEMPLATE_NTFY ? &n : NULL, strbuf_str(&body),
			    body.len);
	if (!r)
		note_taken(w, len + 1);
	return r == -EBADMSG ? note_refused(w, len + 1) : r;
}

static int send_all(struct sink *base, const char *lines, size_t len)
{
	struct webhook *w = (struct webhook *)base;
	int r = make_curl(w);

	w->doubtful_count = 0;
	if (!r)
		r = w->template == TEMPLATE_LINES ? send_lines(w, lines, len)
						  : sink_for_each(lines, len, send_message, w);
	return !r && w->doubtful_count ? -EBADMSG : r;
}

static const char *const options[] = { "ca", "key", "template", NULL };

const struct sink_type sink_https = {
	.scheme = "https://",
	.usage = "https://HOST[:PORT]/PATH[#key=FILE&ca=FILE&template=slack]",
	.size = sizeof(struct webhook),
	.options = options,
	.set_up = set_up,
	.send = send_all,
	.tear_down = tear_down,
};

static const char *const plain_options[] = { "key", "template", NULL };

const struct sink_type sink_http = {
	.scheme = "http://",
	.usage = "http://HOST[:PORT]/PATH[#key=FILE&template=slack]",
	.size = sizeof(struct webhook),
	.options = plain_options,
	.set_up = set_up,
	.send = send_all,
	.tear_down = tear_down,
};
