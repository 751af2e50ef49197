/* hosts HOSTS BEFORE EVENTS RATE URL: what so many hosts would export, each from a journal with a
 * chain of its own: EVENTS in all behind the first BEFORE, RATE a second (0: as fast as the server
 * takes them). Execs and exits, of a session a host, as the guard writes them. */
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "export/nats.h"
#include "journal/chain.h"
#include "journal/ocsf.h"

#define PENDING 4096 /* messages that the server has not acknowledged */

struct machine {
	char id[33], name[32], session[24], boot[40];
	struct chain_place at;
	uint64_t events;
};

struct generator {
	struct machine *machines;
	uint64_t hosts, events, rate;
	struct chain_keys *keys;
	natsConnection *connection;
	jsCtx *js;
	uint64_t bytes;
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void name_machine(struct machine *m, uint64_t i, uint64_t before)
{
	snprintf(m->id, sizeof(m->id), "%032" PRIx64, 0xb0b0000 + i);
	snprintf(m->name, sizeof(m->name), "host-%" PRIu64, i);
	snprintf(m->session, sizeof(m->session), "1a%08" PRIx64, i);
	snprintf(m->boot, sizeof(m->boot), "b-%" PRIx64, i);
	m->at.line = m->events = before;
}

static void put_event(struct strbuf *out, struct machine *m)
{
	static char *const argv[] = { (char *)"git", (char *)"status", (char *)"--short",
				      (char *)"--branch", NULL };
	const struct ocsf_host host = { m->name, m->id, "6.1.0", "0.1.0", "lsm", m->boot };
	const struct ocsf_process shell = { .pid = 900, .start_ns = 1, .path = "/usr/bin/bash" };
	uint64_t n = ++m->events;
	const struct ocsf_event e = {
		.time_ms = now_ns(CLOCK_REALTIME) / 1000000,
		.sequence = n,
		.number = n,
		.run = "r",
		.recorded = n,
		.session = m->session,
		.agent = "claude",
		.process = { .pid = (pid_t)(1000 + n / 2 % 30000),
			     .start_ns = 1000 + n / 2,
			     .path = "/usr/bin/git",
			     .argv = argv,
			     .cwd = "/home/dev/project",
			     .uid = 1000,
			     .euid = 1000,
			     .user = "dev" },
		.ancestors = &shell,
		.ancestor_count = 1,
		.disposition = OCSF_ALLOWED,
	};

	(n & 1 ? ocsf_exec : ocsf_exit)(out, &host, &e);
}

static int publish(struct generator *g, struct machine *m)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, line = STRBUF_INIT;
	char subject[NATS_SUBJECT_MAX], uid[128];
	jsPubOptions options;
	struct event e;

	put_event(&text, m);
	if (chain_add(g->keys, &m->at, text.data, text.len, NULL, false, &line) ||
	    !event_read(line.data, line.len - 1, &e))
		return -1;
	nats_subject(&e, subject, sizeof(subject));
	snprintf(uid, sizeof(uid), "%.*s", (int)e.uid.len, e.uid.at);
	jsPubOptions_Init(&options);
	options.MsgId = uid;
	g->bytes += line.len - 1;
	return js_PublishAsync(g->js, subject, line.data, (int)line.len - 1, &options) == NATS_OK
		       ? 0
		       : -1;
}

static void keep_pace(const struct generator *g, uint64_t done, int64_t began)
{
	int64_t due = g->rate ? began + (int64_t)(done * 1000000000 / g->rate) : 0;
	int64_t left = due - now_ns(CLOCK_MONOTONIC);

	if (g->rate && left > 0)
		nanosleep(&(struct timespec) { left / 1000000000, left % 1000000000 }, NULL);
}

static int run(struct generator *g)
{
	int64_t began = now_ns(CLOCK_MONOTONIC);
	double seconds;

	for (uint64_t i = 0; i < g->events; i++) {
		if (publish(g, &g->machines[i % g->hosts]))
			return 1;
		if (i % 100 == 0)
			keep_pace(g, i, began);
	}
	if (js_PublishAsyncComplete(g->js, NULL) != NATS_OK)
		return 1;
	seconds = (double)(now_ns(CLOCK_MONOTONIC) - began) / 1e9;
	printf("%.0f events/s published, %.0f bytes each\n", (double)g->events / seconds,
	       (double)g->bytes / (double)g->events);
	return 0;
}

static bool open_bus(struct generator *g, const char *url)
{
	jsOptions options;

	jsOptions_Init(&options);
	options.PublishAsync.MaxPending = PENDING;
	return natsConnection_ConnectTo(&g->connection, url) == NATS_OK &&
	       natsConnection_JetStream(&g->js, g->connection, &options) == NATS_OK;
}

int main(int argc, char **argv)
{
	char keys[] = "/tmp/backstop-hosts-XXXXXX", command[64];
	struct generator g = { 0 };
	int r = 1;

	if (argc != 6 || !mkdtemp(keys))
		return 2;
	g.hosts = strtoull(argv[1], NULL, 10);
	g.events = strtoull(argv[3], NULL, 10);
	g.rate = strtoull(argv[4], NULL, 10);
	g.machines = calloc(g.hosts, sizeof(*g.machines));
	for (uint64_t i = 0; g.machines && i < g.hosts; i++)
		name_machine(&g.machines[i], i, strtoull(argv[2], NULL, 10) / g.hosts);
	if (g.machines && !chain_keys_open(keys, true, &g.keys) && open_bus(&g, argv[5]))
		r = run(&g);
	snprintf(command, sizeof(command), "rm -r '%s'", keys);
	return system(command) || r;
}
