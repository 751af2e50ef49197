#include "fleet/stream.h"

#include <errno.h>
#include <stdio.h>

#include "export/nats.h"
#include "export/sink_type.h"

#define CONSUMER     "backstop-fleet"
#define INBOX	     "_INBOX_FLEET" /* all that hosts say comes there: it is not for them */
#define BATCH	     1024
#define FETCH_MS     500
#define ACK_WAIT_NS  (30LL * 1000000000)
#define ACKS_PENDING (16 * BATCH)

struct stream {
	struct sink *sink;
	natsConnection *connection; /* NULL: none */
	jsCtx *js;
	natsSubscription *subscription;
	uint64_t next; /* the consumer's number of the message that comes next */
};

int stream_new(struct sink *sink, struct stream **ret)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->sink = sink;
	*ret = s;
	return 0;
}

void stream_disconnect(struct stream *s)
{
	natsSubscription_Destroy(s->subscription);
	jsCtx_Destroy(s->js);
	natsConnection_Destroy(s->connection);
	s->subscription = NULL;
	s->js = NULL;
	s->connection = NULL;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	stream_disconnect(s);
	free(s);
}

bool stream_is_connected(const struct stream *s)
{
	return s->connection;
}

static int fail(struct stream *s, natsStatus status, const char *what)
{
	int r = sink_fail(s->sink, status == NATS_NO_MEMORY ? -ENOMEM : -EIO, "%s: %s", what,
			  nats_text(status));

	stream_disconnect(s);
	return r;
}

/* ---- connecting */

/* Where the consumer goes on: behind all that was acknowledged. */
static uint64_t acknowledged(struct stream *s)
{
	jsConsumerInfo *info = NULL;
	uint64_t floor = 0;

	if (js_GetConsumerInfo(&info, s->js, nats_stream(s->sink), CONSUMER, NULL, NULL) == NATS_OK)
		floor = info->AckFloor.Stream;
	jsConsumerInfo_Destroy(info);
	return floor;
}

/* A consumer keeps back for a while what it handed over and what was not acknowledged, and hands
 * over later ones meanwhile. One that is made anew begins with it. */
static natsStatus make_consumer(struct stream *s, uint64_t after)
{
	jsConsumerConfig config;
	natsStatus status = js_DeleteConsumer(s->js, nats_stream(s->sink), CONSUMER, NULL, NULL);

	if (status != NATS_OK && status != NATS_NOT_FOUND)
		return status;
	jsConsumerConfig_Init(&config);
	config.Durable = CONSUMER;
	config.Description = "events of all hosts, for one record";
	config.AckPolicy = js_AckAll;
	config.AckWait = ACK_WAIT_NS;
	config.MaxAckPending = ACKS_PENDING;
	config.DeliverPolicy = after ? js_DeliverByStartSequence : js_DeliverAll;
	config.OptStartSeq = after ? after + 1 : 0;
	return js_AddConsumer(NULL, s->js, nats_stream(s->sink), &config, NULL, NULL);
}

static natsStatus subscribe(struct stream *s)
{
	jsSubOptions options;

	jsSubOptions_Init(&options);
	options.Stream = nats_stream(s->sink);
	options.Consumer = CONSUMER;
	return js_PullSubscribe(&s->subscription, s->js, NULL, CONSUMER, NULL, &options, NULL);
}

int stream_connect(struct stream *s, bool anew)
{
	natsStatus status;
	const struct nats_way way = { .inbox = INBOX };
	int r = nats_connect(s->sink, &way, &s->connection);

	if (r)
		return r;
	status = natsConnection_JetStream(&s->js, s->connection, NULL);
	if (status != NATS_OK)
		return fail(s, status, "JetStream cannot be used");
	r = nats_ensure_stream(s->sink, s->connection, s->js);
	if (r) {
		stream_disconnect(s);
		return r;
	}
	status = make_consumer(s, anew ? 0 : acknowledged(s));
	if (status == NATS_OK)
		status = subscribe(s);
	s->next = 1;
	return status == NATS_OK ? 0 : fail(s, status, "consumer " CONSUMER " cannot be made");
}

/* ---- reading */

/* All that it handed over has come: none was dropped on the way, and no other reads from it. */
static bool is_next(struct stream *s, natsMsg *m, uint64_t *ret_waiting)
{
	jsMsgMetaData *data = NULL;
	bool is;

	if (natsMsg_GetMetaData(&data, m) != NATS_OK)
		return false;
	is = data->Sequence.Consumer == s->next++;
	*ret_waiting = data->NumPending;
	jsMsgMetaData_Destroy(data);
	return is;
}

static bool are_next(struct stream *s, const natsMsgList *list, uint64_t *ret_waiting)
{
	for (int i = 0; i < list->Count; i++)
		if (!is_next(s, list->Msgs[i], ret_waiting))
			return false;
	return true;
}

int stream_fetch(struct stream *s, natsMsgList *ret, uint64_t *ret_waiting)
{
	natsMsgList list = { 0 };
	natsStatus status = natsSubscription_Fetch(&list, s->subscription, BATCH, FETCH_MS, NULL);

	if (status == NATS_TIMEOUT && !natsConnection_IsClosed(s->connection))
		return 0;
	if (status != NATS_OK)
		return fail(s, status, "the stream cannot be read");
	if (!are_next(s, &list, ret_waiting)) {
		natsMsgList_Destroy(&list);
		sink_fail(s->sink, -EIO,
			  "messages were missed: does another read with the consumer " CONSUMER
			  "?");
		stream_disconnect(s);
		return -EIO;
	}
	*ret = list;
	return list.Count;
}

int stream_acknowledge(struct stream *s, natsMsg *last)
{
	natsStatus status = natsMsg_AckSync(last, NULL, NULL);

	return status == NATS_OK ? 0 : fail(s, status, "it does not take an acknowledgement");
}
