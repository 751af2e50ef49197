/* Whoever may publish there is trusted in nothing: of what comes, the decision and its signature
 * are handed to the guard, in a request of our own, and the guard checks them. */
#include "fleet/approvals.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/client.h"
#include "export/exporter.h"
#include "export/sink_type.h"
#include "fleet/subject.h"
#include "guard/approval.h"

#define MACHINE_ID   "/etc/machine-id"
#define WAIT_MS	     500
#define REFUSED_MS   100 /* between one that was refused and the next */
#define REQUEST_MAX  4096
#define REPLY_MAX_MS 5000

struct approvals {
	struct sink *bus;
	char *socket;
	char subject[APPROVE_SUBJECT_MAX];
	natsConnection *connection; /* NULL: none */
	natsSubscription *subscription;
	pthread_t thread;
	bool runs;
	int stop_fd; /* eventfd: readable once it is to end */
};

/* ---- a decision */

static json_t *make_request(const char *data, size_t len)
{
	_cleanup_json_ json_t *o =
		len <= REQUEST_MAX ? json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *decision = json_string_value(json_object_get(o, "decision"));
	const char *signature = json_string_value(json_object_get(o, "signature"));

	return decision && signature ? json_pack("{ssssss}", "op", "decide", "decision", decision,
						 "signature", signature)
				     : NULL;
}

/* What the guard says to it. */
static json_t *ask(struct approvals *a, natsMsg *m)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *request =
		make_request(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
	json_t *reply = NULL;
	int r = request ? client_connect(a->socket, &c) : -EBADMSG;

	if (!r)
		r = client_exchange(&c, request, REPLY_MAX_MS, &reply);
	if (reply)
		return reply;
	return json_pack("{sbss}", "ok", 0, "error",
			 r == -EBADMSG ? "this is no signed decision"
				       : "the guard of the host gives no answer");
}

/* True: it was refused. */
static bool answer(struct approvals *a, natsMsg *m)
{
	_cleanup_json_ json_t *reply = ask(a, m);
	_cleanup_free_ char *text = json_dumps(reply, JSON_COMPACT);
	const char *why = json_string_value(json_object_get(reply, "error"));

	if (text && natsMsg_GetReply(m))
		(void)natsConnection_PublishString(a->connection, natsMsg_GetReply(m), text);
	(void)natsConnection_Flush(a->connection);
	if (why)
		log_warning("approvals: a decision was refused: %s", why);
	return why;
}

/* ---- the connection */

static void disconnect(struct approvals *a)
{
	natsSubscription_Destroy(a->subscription);
	natsConnection_Destroy(a->connection);
	a->subscription = NULL;
	a->connection = NULL;
}

static int fail(struct approvals *a, natsStatus status)
{
	int r = sink_fail(a->bus, -EIO, "%s", nats_text(status));

	disconnect(a);
	return r;
}

/* The server says what it does not permit when the subscription comes to it. */
static int connect_to_bus(struct approvals *a)
{
	natsStatus status;
	int r = nats_connect(a->bus, &(struct nats_way) { 0 }, &a->connection);

	if (r)
		return r;
	status = natsConnection_SubscribeSync(&a->subscription, a->connection, a->subject);
	if (status == NATS_OK)
		status = natsConnection_Flush(a->connection);
	if (status == NATS_OK)
		status = natsConnection_GetLastError(a->connection, &(const char *) { NULL });
	return status == NATS_OK ? 0 : fail(a, status);
}

/* Milliseconds to wait before the next step, or a negative errno and sink_why(). */
static int step(struct approvals *a)
{
	natsMsg *m = NULL;
	natsStatus status;
	bool refused;
	int r = a->connection ? 0 : connect_to_bus(a);

	if (r)
		return r;
	status = natsSubscription_NextMsg(&m, a->subscription, WAIT_MS);
	if (status == NATS_TIMEOUT && !natsConnection_IsClosed(a->connection))
		return 0;
	if (status != NATS_OK)
		return fail(a, natsConnection_IsClosed(a->connection) ? NATS_CONNECTION_CLOSED
								      : status);
	refused = answer(a, m);
	natsMsg_Destroy(m);
	return refused ? REFUSED_MS : 0;
}

static bool is_over(const struct approvals *a, unsigned int ms)
{
	struct pollfd fd = { .fd = a->stop_fd, .events = POLLIN };

	return poll(&fd, 1, (int)ms) > 0;
}

static void *run(void *data)
{
	struct approvals *a = data;
	unsigned int failures = 0, ms = 0;

	while (!is_over(a, ms)) {
		int n = step(a);

		if (n < 0 && !failures)
			log_error("approvals: none can come from %s: %s", sink_name(a->bus),
				  sink_why(a->bus));
		if (n >= 0 && failures)
			log_warning("approvals: they can come from %s again", sink_name(a->bus));
		failures = n < 0 ? failures + 1 : 0;
		ms = n < 0 ? exporter_delay_ms(failures - 1) : (unsigned int)n;
	}
	return NULL;
}

/* ---- */

/* As the guard names its host, and as it names the subject of its events. */
static int find_subject(char ret[APPROVE_SUBJECT_MAX])
{
	_cleanup_strbuf_ struct strbuf id = STRBUF_INIT;
	struct utsname u;
	int r = io_read_file(AT_FDCWD, MACHINE_ID, REQUEST_MAX, &id);

	if (r == -ENOMEM || uname(&u) < 0)
		return r ?: -errno;
	strbuf_truncate(&id, strcspn(strbuf_str(&id), "\n"));
	approve_subject(approval_host(strbuf_str(&id), u.nodename), ret);
	return 0;
}

static int set_up(struct approvals *a, const char *spec, const char *socket)
{
	int r = sink_new(spec, &a->bus);

	a->stop_fd = -1;
	if (!r)
		r = nats_is(a->bus) ? find_subject(a->subject) : -EINVAL;
	a->socket = socket ? strdup(socket) : NULL;
	if (!r && socket && !a->socket)
		r = -ENOMEM;
	if (r)
		return r;
	a->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->stop_fd < 0)
		return -errno;
	r = -pthread_create(&a->thread, NULL, run, a);
	a->runs = !r;
	return r;
}

int approvals_start(const char *spec, const char *socket, struct approvals **ret)
{
	_cleanup_(approvals_stop_ptr) struct approvals *a = calloc(1, sizeof(*a));
	int r = a ? set_up(a, spec, socket) : -ENOMEM;

	if (r)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

void approvals_stop(struct approvals *a)
{
	if (!a)
		return;
	if (a->runs) {
		eventfd_write(a->stop_fd, 1);
		pthread_join(a->thread, NULL);
	}
	disconnect(a);
	sink_free(a->bus);
	close_fd(&a->stop_fd);
	free(a->socket);
	free(a);
}
