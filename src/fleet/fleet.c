/* The servers are trusted in nothing but that a host publishes under its own name alone. A line is
 * taken where it is one, of the host and the class that its subject says. */
#include "fleet/fleet.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "export/exporter.h"
#include "export/nats.h"
#include "fleet/spool.h"
#include "fleet/stream.h"
#include "record/hosts.h"

#define BATCH_MAX 8192 /* messages; a few more may come */

struct fleet {
	struct sink *bus;
	struct stream *stream;
	struct journal *spool;
	struct hosts *hosts; /* of the step */
	bool anew;	     /* the spool is empty: all that the stream has is wanted */
	unsigned int failures;
	struct fleet_counts counts;
	natsMsg *done; /* the last message that was dealt with and is not settled; NULL: none */
};

void fleet_close(struct fleet *f)
{
	if (!f)
		return;
	natsMsg_Destroy(f->done);
	stream_free(f->stream);
	sink_free(f->bus);
	journal_close(f->spool);
	free(f);
}

static int set_up(struct fleet *f, const char *spec, const char *dir)
{
	int r = sink_new(spec, &f->bus);

	if (!r)
		r = nats_is(f->bus) ? stream_new(f->bus, &f->stream) : -EINVAL;
	return r ? r : spool_open(dir, &f->spool, &f->anew);
}

int fleet_check(const char *spec)
{
	_cleanup_(sink_free_ptr) struct sink *bus = NULL;
	int r = sink_new(spec, &bus);

	return r ? r : nats_is(bus) ? 0 : -EINVAL;
}

int fleet_open(const char *spec, const char *dir, struct fleet **ret)
{
	_cleanup_(fleet_close_ptr) struct fleet *f = calloc(1, sizeof(*f));
	int r = f ? set_up(f, spec, dir) : -ENOMEM;

	if (r)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

/* ---- a message */

static const char *find_fault(const char *line, size_t len, const char *subject, struct event *ret)
{
	char expected[NATS_SUBJECT_MAX];

	if (memchr(line, '\n', len) || memchr(line, '\0', len) || !event_read(line, len, ret))
		return "it is no event";
	if (!ret->machine.len && !ret->host.len)
		return "it names no host";
	nats_subject(ret, expected, sizeof(expected));
	return strcmp(expected, subject) != 0 ? "it is of another host, or class" : NULL;
}

static void refuse(struct fleet *f, const char *subject, const char *why)
{
	if (!f->counts.refused++)
		log_warning("fleet: what came on %s is left out: %s (others will only be counted)",
			    subject, why);
}

static void tell_gap(struct host *n)
{
	struct number_range gap;

	if (!host_last_gap(n, &gap) || gap.last <= n->told)
		return;
	log_warning("fleet: of host %s the lines %llu to %llu have not come", n->known,
		    (unsigned long long)gap.first, (unsigned long long)gap.last);
	n->told = gap.last;
}

/* What was taken is on disk, and comes no more. */
static int settle(struct fleet *f)
{
	int r = f->done ? journal_flush(f->spool) : 0;
	bool lost;

	if (!r && f->done)
		r = journal_sync(f->spool);
	if (r)
		return log_errno(r, "fleet: the spool cannot be written");
	f->anew = false;
	lost = f->done && stream_is_connected(f->stream) && stream_acknowledge(f->stream, f->done);
	natsMsg_Destroy(f->done);
	f->done = NULL;
	return lost;
}

/* Lines that another key signs have numbers of their own: those before must not come again, as they
 * could not be told from them. 1: the connection is lost. */
static int note_anew(struct fleet *f, const struct event *e)
{
	struct host *n = hosts_find(f->hosts, e);

	if (!n || !host_begins_anew(n, e))
		return 0;
	log_warning("fleet: host %s has another key, or journal, from now on", n->known);
	return settle(f);
}

static int append(struct fleet *f, const char *line, size_t len, const struct event *e)
{
	struct host *n = NULL;
	int r = hosts_take(f->hosts, e, &n);

	if (r < 0)
		return r;
	f->counts.taken += r > 0;
	f->counts.twice += !r;
	if (!r)
		return 0;
	tell_gap(n);
	r = journal_append(f->spool, line, len);
	return r ? log_errno(r, "fleet: the spool cannot be written") : 0;
}

static int take(struct fleet *f, const natsMsg *m)
{
	const char *line = natsMsg_GetData(m), *subject = natsMsg_GetSubject(m);
	size_t len = (size_t)natsMsg_GetDataLength(m);
	struct event e;
	const char *fault = find_fault(line, len, subject, &e);
	int r = fault ? 0 : note_anew(f, &e);

	if (fault)
		refuse(f, subject, fault);
	else if (!r)
		r = append(f, line, len, &e);
	return r;
}

/* ---- a batch */

static void note_failure(struct fleet *f)
{
	const char *why = sink_why(f->bus);

	if (!f->failures++)
		log_error("fleet: %s cannot be read, events wait there: %s", sink_name(f->bus),
			  why ? why : "out of memory");
}

static void note_success(struct fleet *f)
{
	if (f->failures)
		log_warning("fleet: %s is read again", sink_name(f->bus));
	f->failures = 0;
}

static int take_all(struct fleet *f, const natsMsgList *list)
{
	int r = 0;

	for (int i = 0; !r && i < list->Count; i++) {
		r = take(f, list->Msgs[i]);
		if (r)
			break;
		natsMsg_Destroy(f->done);
		f->done = TAKE_PTR(list->Msgs[i]);
	}
	return r;
}

static int connect_to_bus(struct fleet *f)
{
	return stream_is_connected(f->stream) ? 0 : stream_connect(f->stream, f->anew);
}

/* As many messages as are worth a sync and a transaction, or all that are waiting. 0, 1 where the
 * connection was lost, or a negative errno. */
static int take_batch(struct fleet *f, int *ret_count)
{
	int count = 0, n = 0, r = 0, settled = 0;

	do {
		natsMsgList list = { 0 };

		n = stream_fetch(f->stream, &list, &f->counts.waiting);
		if (n > 0)
			r = take_all(f, &list);
		natsMsgList_Destroy(&list);
		count += MAX(n, 0);
	} while (!r && n > 0 && f->counts.waiting && count < BATCH_MAX);
	if (r >= 0 && f->done)
		settled = settle(f);
	*ret_count = count;
	if (settled)
		return settled;
	return r ? r : n < 0;
}

int fleet_step(struct fleet *f, struct hosts *hosts)
{
	int count = 0, r;

	f->hosts = hosts;
	r = connect_to_bus(f) ? 1 : take_batch(f, &count);
	if (r > 0)
		note_failure(f);
	if (!r)
		note_success(f);
	return r < 0 ? r : count;
}

unsigned int fleet_pause(const struct fleet *f)
{
	return f->failures ? exporter_delay_ms(f->failures - 1) : 0;
}

struct fleet_counts fleet_counts(const struct fleet *f)
{
	return f->counts;
}
