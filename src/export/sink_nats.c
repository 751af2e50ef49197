/* NATS JetStream: each event on a subject of its host and class, with its uid as the message's id,
 * so that the server drops what comes twice. A batch counts once all of it is acknowledged. What
 * fails ends the connection: one that came back by itself would bring events out of order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "export/nats_internal.h"
#include "export/selection.h"

#define UID_MAX 128
#define STREAM	"BACKSTOP"
#define STEP_MS 100

/* ---- what is written in the settings */

static int add_url(struct nats_sink *s, const char *host, size_t len)
{
	char *url = NULL;

	if (!len || s->url_count == NATS_SERVERS_MAX)
		return -EINVAL;
	if (asprintf(&url, "%s%.*s", s->base.type->scheme, (int)len, host) < 0)
		return -ENOMEM;
	s->urls[s->url_count++] = url;
	return 0;
}

/* "host:port,host:port/STREAM" */
static int set_up(struct sink *base, const char *rest)
{
	struct nats_sink *s = (struct nats_sink *)base;
	const char *slash = rest + strcspn(rest, "/");
	int r;

	pthread_mutex_init(&s->lock, NULL);
	do {
		size_t len = strcspn(rest, ",/");

		r = add_url(s, rest, len);
		rest += len;
	} while (!r && *rest++ == ',');
	if (r)
		return r;
	s->stream = strdup(*slash && slash[1] ? slash + 1 : STREAM);
	if (!s->stream)
		return -ENOMEM;
	return strpbrk(s->stream, " .*>/\\") ? -EINVAL : 0;
}

static void disconnect(struct nats_sink *s)
{
	if (s->js)
		jsCtx_Destroy(s->js);
	if (s->connection)
		natsConnection_Destroy(s->connection);
	s->js = NULL;
	s->connection = NULL;
	s->taken = 0;
}

static void tear_down(struct sink *base)
{
	struct nats_sink *s = (struct nats_sink *)base;

	disconnect(s);
	for (size_t i = 0; i < s->url_count; i++)
		free(s->urls[i]);
	free(s->stream);
	pthread_mutex_destroy(&s->lock);
}

/* ---- what goes wrong: the library's threads tell */

static void on_error(natsConnection *nc _unused_, natsSubscription *sub _unused_, natsStatus status,
		     void *data)
{
	struct nats_sink *s = data;

	if (status != NATS_NOT_PERMITTED)
		return;
	pthread_mutex_lock(&s->lock);
	snprintf(s->denied, sizeof(s->denied), "%s", nats_text(status));
	pthread_mutex_unlock(&s->lock);
}

static void note(struct nats_sink *s, natsStatus status, jsErrCode code, const char *text)
{
	pthread_mutex_lock(&s->lock);
	if (s->status == NATS_OK) {
		s->status = status;
		s->code = code;
		snprintf(s->text, sizeof(s->text), "%s", text ? text : nats_text(status));
	}
	pthread_mutex_unlock(&s->lock);
}

static void on_refused(jsCtx *js _unused_, jsPubAckErr *e, void *data)
{
	struct nats_sink *s = data;

	if (e->ErrCode == JSStreamMessageExceedsMaximumErr)
		sink_refuse(&s->base, (size_t)natsMsg_GetDataLength(e->Msg),
			    "the stream has a limit for messages");
	else
		note(s, e->Err, e->ErrCode, e->ErrText);
}

static const char *remedy(const struct nats_sink *s)
{
	if (s->denied[0])
		return ": the user needs the right to publish to 'backstop.*.*', and to subscribe "
		       "to '_INBOX.>'";
	if (s->status == NATS_NO_RESPONDERS)
		return ": no stream takes the subject, or it has no leader now";
	if (s->code == JSInsufficientResourcesErr)
		return ": the servers have no more room";
	return "";
}

static int error_of(const struct nats_sink *s)
{
	if (s->base.cancelled)
		return -ECANCELED;
	return s->status == NATS_TIMEOUT ? -ETIMEDOUT : -EIO;
}

/* What the batch ended with: 0, or what sink_send() returns. */
static int finish(struct nats_sink *s)
{
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (s->status != NATS_OK)
		r = sink_fail(&s->base, error_of(s), "%s%s", s->denied[0] ? s->denied : s->text,
			      remedy(s));
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* ---- sending */

/* A user that may do no more than publish cannot ask for the stream: acknowledgements will tell
 * whether it is there. */
static int open_stream(struct nats_sink *s)
{
	jsOptions options;
	natsStatus status;
	int r;

	jsOptions_Init(&options);
	options.PublishAsync.ErrHandler = on_refused;
	options.PublishAsync.ErrHandlerClosure = s;
	status = natsConnection_JetStream(&s->js, s->connection, &options);
	if (status != NATS_OK)
		return sink_fail(&s->base, -ENOMEM, "%s", nats_text(status));
	r = nats_ensure_stream(&s->base, s->connection, s->js);
	pthread_mutex_lock(&s->lock);
	if (s->denied[0])
		r = 0;
	s->denied[0] = '\0';
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int ready(struct nats_sink *s)
{
	int r;

	if (s->connection)
		return 0;
	s->denied[0] = '\0';
	r = nats_connect(&s->base, &(struct nats_way) { .on_error = on_error, .data = s },
			 &s->connection);
	return r ? r : open_stream(s);
}

static bool has_failed(struct nats_sink *s)
{
	bool failed;

	if (s->base.cancelled)
		note(s, NATS_TIMEOUT, 0, "it was not waited for");
	if (natsConnection_IsClosed(s->connection))
		note(s, NATS_CONNECTION_CLOSED, 0, "the connection is lost");
	pthread_mutex_lock(&s->lock);
	failed = s->status != NATS_OK;
	pthread_mutex_unlock(&s->lock);
	return failed;
}

static void wait_for_acknowledgements(struct nats_sink *s)
{
	jsPubOptions options;
	natsStatus status = NATS_TIMEOUT;

	jsPubOptions_Init(&options);
	options.MaxWait = STEP_MS;
	for (int waited = 0; status == NATS_TIMEOUT && waited < SINK_TIMEOUT_MS;
	     waited += STEP_MS) {
		status = js_PublishAsyncComplete(s->js, &options);
		if (has_failed(s))
			return;
	}
	if (status != NATS_OK)
		note(s, status, 0, "it does not acknowledge what it got");
}

/* A stream that is being made may take a class before another, and would have later events before
 * earlier ones: none follows the first of a class until that is taken. */
static void wait_for_first(struct nats_sink *s, const struct event *e)
{
	const char *word = selection_class_word(e->class_uid);
	unsigned int bit = selection_class_bit(word, strlen(word));

	if (s->taken & bit)
		return;
	wait_for_acknowledgements(s);
	s->taken |= bit;
}

static int publish(void *data, const char *line, size_t len)
{
	struct nats_sink *s = data;
	struct event e;
	char subject[NATS_SUBJECT_MAX], uid[UID_MAX];
	jsPubOptions options;
	natsStatus status;

	if (!event_read(line, len, &e)) {
		sink_refuse(&s->base, len, "it is no event, and so of no subject");
		return 0;
	}
	nats_subject(&e, subject, sizeof(subject));
	snprintf(uid, sizeof(uid), "%.*s", (int)e.uid.len, e.uid.len ? e.uid.at : "");
	jsPubOptions_Init(&options);
	options.MsgId = uid[0] ? uid : NULL;
	options.ExpectStream = s->stream;
	status = js_PublishAsync(s->js, subject, line, (int)len, &options);
	if (status == NATS_MAX_PAYLOAD)
		sink_refuse(&s->base, len, "the server has a limit for messages, max_payload");
	else if (status != NATS_OK)
		note(s, status, 0, NULL);
	else
		wait_for_first(s, &e);
	return has_failed(s) ? -EIO : 0;
}

static int send_lines(struct sink *base, const char *lines, size_t len)
{
	struct nats_sink *s = (struct nats_sink *)base;
	int r = ready(s);

	if (!r) {
		s->status = NATS_OK;
		s->code = 0;
		if (!sink_for_each(lines, len, publish, s))
			wait_for_acknowledgements(s);
		r = finish(s);
	}
	if (r)
		disconnect(s);
	return r;
}

static const char *const options[] = { "creds", "ca", NULL };

const struct sink_type sink_nats = {
	.scheme = "nats://",
	.usage = "nats://HOST:PORT[,HOST:PORT][/STREAM][#creds=FILE]",
	.size = sizeof(struct nats_sink),
	.options = options,
	.set_up = set_up,
	.send = send_lines,
	.tear_down = tear_down,
};

const struct sink_type sink_tls_nats = {
	.scheme = "tls://",
	.usage = "tls://HOST:PORT[,HOST:PORT][/STREAM][#creds=FILE&ca=FILE]",
	.size = sizeof(struct nats_sink),
	.options = options,
	.set_up = set_up,
	.send = send_lines,
	.tear_down = tear_down,
};
