#include "fleet/decide.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/held.h"
#include "cli/pending_fleet.h"
#include "cli/sign.h"
#include "export/sink.h"
#include "fleet/subject.h"

#define INBOX	 "_INBOX_APPROVER"
#define REPLY_MS 12000

/* ---- the hold */

struct found {
	struct held held;
	json_t *event;
	char *host;
	bool ambiguous;
};

static void found_clear(struct found *f)
{
	json_decref(f->event);
	free(f->host);
}

/* Of two under one number the later one is meant: numbers begin anew with the machine. */
static int note(void *data, const struct held *h)
{
	struct found *f = data;
	char *host = strdup(h->host);

	if (!host)
		return -ENOMEM;
	f->ambiguous |= f->host && strcmp(f->host, host) != 0;
	found_clear(f);
	f->held = *h;
	f->host = host;
	f->event = json_incref((json_t *)h->event);
	f->held.host = f->held.name = f->held.hostname = f->host;
	f->held.event = f->event;
	return 0;
}

static int find(const char *op, const struct record_place *p, const char *host, uint64_t hold,
		struct found *ret)
{
	_cleanup_(query_close_ptr) struct query *q = NULL;
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	int r = record_open(op, p, &q);

	if (r)
		return r;
	escape_word(&word, host);
	r = held_list(q, host, hold, note, ret);
	if (r)
		return log_errno(r, "%s: cannot read the database", op);
	if (ret->ambiguous) {
		log_error("%s: more than one host is named %s: write MACHINE-ID/ID", op,
			  strbuf_str(&word));
		return -ENOTUNIQ;
	}
	if (ret->host)
		return 0;
	log_error("%s: host %s has no open hold %" PRIu64 ": 'backstop pending --fleet' lists them",
		  op, strbuf_str(&word), hold);
	return -ENOENT;
}

/* ---- what is signed is shown, and asked for where somebody can answer */

static bool is_wanted(const char *op, const struct held *h)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *cwd = held_cwd(h);
	char answer[8];

	strbuf_addf(&text, "%s ", op);
	held_add_name(&text, h);
	strbuf_adds(&text, ": ");
	held_add_action(&text, h);
	strbuf_adds(&text, cwd ? "\n  in " : "");
	if (cwd)
		escape_bytes(&text, cwd, strlen(cwd));
	fprintf(stderr, "%s\n", strbuf_str(&text));
	if (!isatty(STDIN_FILENO))
		return true;
	fputs("Sign this? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int sign(const char *op, const struct fleet_decision *d, const struct held *h, json_t **ret)
{
	char digest[HEX(APPROVAL_DIGEST)];
	const struct wish wish = { .host = h->host,
				   .action = digest,
				   .hold = h->hold,
				   .approve = !strcmp(op, "approve"),
				   .reason = d->reason };
	int r = held_digest(h, digest);

	if (r)
		return log_errno(r, "%s: the record does not say what is held", op);
	if (!is_wanted(op, h))
		return -ECANCELED;
	*ret = sign_wish(d->key, &wish);
	return *ret ? 0 : -EINVAL;
}

/* ---- to the host */

static const char *remedy(natsStatus status)
{
	switch (status) {
	case NATS_NO_RESPONDERS:
		return ": the host takes no decisions from there ('backstop serve --approvals')";
	case NATS_TIMEOUT:
		return ": 'backstop log --fleet --follow' tells whether it was taken";
	default:
		return "";
	}
}

static int request(const char *op, natsConnection *connection, const char *host, const char *text,
		   json_t **ret)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	char subject[APPROVE_SUBJECT_MAX];
	const char *denied = NULL; /* what the server does not permit, it says behind our back */
	natsMsg *reply = NULL;
	natsStatus status;

	approve_subject(host, subject);
	status = natsConnection_RequestString(&reply, connection, subject, text, REPLY_MS);
	if (status == NATS_OK)
		*ret = json_loadb(natsMsg_GetData(reply), (size_t)natsMsg_GetDataLength(reply), 0,
				  NULL);
	natsMsg_Destroy(reply);
	if (status == NATS_OK)
		return 0;
	if (status == NATS_TIMEOUT)
		(void)natsConnection_GetLastError(connection, &denied);
	escape_word(&word, host);
	log_error("%s: no answer of %s: %s%s", op, strbuf_str(&word),
		  denied ? denied : nats_text(status), remedy(status));
	return -EIO;
}

static int send_to(const char *op, const char *spec, const char *host, const json_t *decision,
		   json_t **ret)
{
	_cleanup_(sink_free_ptr) struct sink *bus = NULL;
	_cleanup_free_ char *text = json_dumps(decision, JSON_COMPACT);
	natsConnection *connection = NULL;
	int r = text ? sink_new(spec, &bus) : -ENOMEM;

	if (!r && !nats_is(bus))
		r = -EINVAL;
	if (r) {
		log_error("%s: --fleet: '%s' is no nats://HOST:PORT[,HOST:PORT][#creds=FILE]", op,
			  spec);
		return r;
	}
	r = nats_connect(bus, &(struct nats_way) { .inbox = INBOX }, &connection);
	if (r)
		return log_error("%s: %s: %s", op, sink_name(bus), sink_why(bus)), r;
	r = request(op, connection, host, text, ret);
	natsConnection_Destroy(connection);
	return r;
}

static void put_decision(struct strbuf *out, const struct held *h, const char *done)
{
	struct json j = JSON_INIT(out);

	json_open_object(&j, NULL);
	json_put_string(&j, "host", h->host);
	json_put_uint(&j, "id", h->hold);
	json_put_string(&j, "decision", done);
	json_close_object(&j);
}

static int tell(const struct fleet_decision *d, const char *op, const struct held *h, json_t *reply)
{
	const char *done = !strcmp(op, "approve") ? "approved" : "denied";
	const char *why = json_string_value(json_object_get(reply, "error"));
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!json_is_true(json_object_get(reply, "ok"))) {
		escape_word(&text, h->host);
		strbuf_adds(&text, " refuses: ");
		escape_bytes(&text, why ? why : "no reason given", why ? strlen(why) : 15);
		log_error("%s: %s", op, strbuf_str(&text));
		return EXIT_FAILURE;
	}
	if (d->json) {
		put_decision(&text, h, done);
	} else {
		strbuf_adds(&text, "hold ");
		held_add_name(&text, h);
		strbuf_addf(&text, ": %s", done);
	}
	puts(strbuf_str(&text));
	return EXIT_SUCCESS;
}

static int decide(const struct fleet_decision *d, const char *op, const char *operand)
{
	_cleanup_(found_clear) struct found f = { 0 };
	_cleanup_json_ json_t *decision = NULL, *reply = NULL;
	struct record_place place = d->place;
	_cleanup_free_ char *host = NULL;
	uint64_t hold;

	place.fleet = true;
	if (!d->fleet || !d->key || held_parse(operand, &host, &hold)) {
		log_error("%s: with --fleet NATS and --key FILE it is HOST/ID, as 'backstop "
			  "pending --fleet' lists it",
			  op);
		return EXIT_USAGE;
	}
	if (find(op, &place, host, hold, &f) || sign(op, d, &f.held, &decision) ||
	    send_to(op, d->fleet, f.host, decision, &reply))
		return EXIT_FAILURE;
	return tell(d, op, &f.held, reply);
}

static int run_approve(const void *options, int argc _unused_, char **argv)
{
	return decide(options, "approve", argv[0]);
}

static int run_deny(const void *options, int argc _unused_, char **argv)
{
	return decide(options, "deny", argv[0]);
}

#define OPTION(name, kind, help, member)                                                           \
	{                                                                                          \
		name, 0, kind, "VALUE", help, offsetof(struct fleet_decision, member)              \
	}

static const struct option_def options[] = {
	OPTION("json", OPTION_FLAG, "print JSON", json),
	OPTION("fleet", OPTION_STRING, "where it is sent", fleet),
	OPTION("key", OPTION_STRING, "the approver's", key),
	OPTION("reason", OPTION_STRING, "what the agent is told", reason),
	OPTION("database", OPTION_STRING, "where the hold is looked up", place.database),
	OPTION("dir", OPTION_STRING, "the journal that it is of", place.dir),
	{ 0 },
};

const struct command command_fleet_approve = {
	.name = "approve",
	.arguments = "HOST/ID",
	.help = "let a held action of any host go",
	.example = "backstop approve web-1/7 --key ~/.backstop-approver --fleet nats://bus:4222",
	.options = options,
	.options_size = sizeof(struct fleet_decision),
	.run = run_approve,
	.min_operands = 1,
	.max_operands = 1,
};

const struct command command_fleet_deny = {
	.name = "deny",
	.arguments = "HOST/ID",
	.help = "refuse a held action of any host",
	.example = "backstop deny web-1/7 --key ~/.backstop-approver --fleet nats://bus:4222",
	.options = options,
	.options_size = sizeof(struct fleet_decision),
	.run = run_deny,
	.min_operands = 1,
	.max_operands = 1,
};
