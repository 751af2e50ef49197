/* The journal as the guard opens it, and the lines that the journal itself needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "guard/internal.h"

/* A guard that ends brings the journal to the disk after its socket is gone. */
#define ENDING_TRIES 100
#define ENDING_USEC  20000

static void describe_loss(void *data, uint64_t lost, int err, struct strbuf *line)
{
	struct guard *g = data;
	_cleanup_free_ char *message = NULL;
	struct ocsf_event e = { .time_ms = now_ms(),
				.sequence = ++g->sequence,
				.disposition = OCSF_ALLOWED,
				.policy_version = policy_version(g->policy),
				.mode = mode_name(g->options.mode) };

	if (asprintf(&message, "%llu events could not be written: %s", (unsigned long long)lost,
		     strerror(-err)) < 0)
		message = NULL;
	ocsf_guard(line, &g->host, &e, "events lost", message ?: "events lost");
}

static void describe_checkpoint(void *data, const char *message, struct strbuf *line)
{
	struct guard *g = data;
	struct ocsf_event e = { .time_ms = now_ms(),
				.sequence = ++g->sequence,
				.disposition = OCSF_UNSTATED,
				.mode = mode_name(g->options.mode) };

	ocsf_guard(line, &g->host, &e, "journal checkpoint", message);
}

static int open_ended(const struct journal_options *o, struct journal **ret)
{
	int r = journal_open(o, ret);

	for (int i = 0; r == -EBUSY && i < ENDING_TRIES; i++) {
		usleep(ENDING_USEC);
		r = journal_open(o, ret);
	}
	return r;
}

/* A guard decides without keys, too. */
static int open_in(struct guard *g, const char *dir, const char *keys)
{
	const struct journal_settings *s = &policy_settings(g->policy)->journal;
	struct journal_options o = { .dir = dir,
				     .keys = keys,
				     .segment_max = s->segment_size,
				     .keep_max = s->keep,
				     .age_max = s->segment_age,
				     .describe_loss = describe_loss,
				     .describe_checkpoint = describe_checkpoint,
				     .on_lost = recorded_lost,
				     .data = g };
	int r = open_ended(&o, &g->journal);

	if (r != -EKEYREJECTED)
		return r;
	log_warning("a key in %s cannot be used: events are recorded without the chain that shows "
		    "whether they were changed. Move the directory away, and new keys are made",
		    keys);
	o.keys = NULL;
	return journal_open(&o, &g->journal);
}

int recorded_open(struct guard *g)
{
	_cleanup_free_ char *dir = NULL, *keys = NULL;
	int r;

	if (asprintf(&dir, "%s/journal", g->options.state_dir) < 0 ||
	    asprintf(&keys, "%s/keys", g->options.state_dir) < 0)
		return -ENOMEM;
	r = open_in(g, dir, keys);
	if (r == -EBUSY)
		log_error("another guard writes the journal in %s: stop it, or choose another "
			  "--state-dir",
			  dir);
	return !r || r == -EBUSY ? r : log_errno(r, "cannot open the journal in %s", dir);
}
