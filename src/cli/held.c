#include "cli/held.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/options.h"
#include "cli/table.h"

#define HELD_MAX_MS (24 * 3600 * 1000U) /* no hold lasts longer */
#define PREFIX	    "held: "
#define WORDS_MAX   100000

/* A decision closes a hold of its own host's process alone: hosts may say what they like. */
static const char sql[] =
	"SELECT e.segment, e.offset, e.length, f.hold, e.time_ms, coalesce(m.text, h.text),"
	" CASE WHEN (SELECT count(*) FROM hosts o WHERE o.name = s.host) = 1 THEN h.text"
	" ELSE coalesce(m.text, h.text) END, h.text"
	" FROM findings f JOIN events e ON e.id = f.event JOIN sessions s ON s.id = f.session"
	" LEFT JOIN names m ON m.id = s.machine LEFT JOIN names h ON h.id = s.host"
	" WHERE f.hold IS NOT NULL AND f.disposition = 14 AND e.time_ms > CAST(?1 AS INTEGER)"
	" AND NOT EXISTS (SELECT 1 FROM findings d WHERE d.hold = f.hold AND d.process = f.process"
	" AND d.session = f.session AND (d.disposition <> 14 OR d.event > f.event))"
	" AND (?2 = '' OR ?2 IN (m.text, h.text)) AND (?3 = '' OR f.hold = CAST(?3 AS INTEGER))"
	" ORDER BY f.event";

enum { HOLD = 3, TIME, HOST, NAME, HOSTNAME };

static const char *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "-";
}

static int hand_over(struct query *q, sqlite3_stmt *row, held_fn fn, void *data)
{
	_cleanup_json_ json_t *event = NULL;
	uint64_t length = (uint64_t)sqlite3_column_int64(row, 2);
	const char *line;
	int r = query_line(q, (uint64_t)sqlite3_column_int64(row, 0),
			   (uint64_t)sqlite3_column_int64(row, 1), length, &line);

	if (r)
		return r == -ENOENT ? 0 : r;
	event = feed_parse(line, length);
	return event ? fn(data, &(struct held) { .host = text_of(row, HOST),
						 .name = text_of(row, NAME),
						 .hostname = text_of(row, HOSTNAME),
						 .hold = (uint64_t)sqlite3_column_int64(row, HOLD),
						 .since_ms = sqlite3_column_int64(row, TIME),
						 .event = event })
		     : 0;
}

int held_list(struct query *q, const char *host, uint64_t hold, held_fn fn, void *data)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	char since[24], number[24] = "";
	const char *texts[] = { since, host ? host : "", number };
	int r;

	snprintf(since, sizeof(since), "%" PRId64, (int64_t)(epoch_ms() - HELD_MAX_MS));
	if (hold)
		snprintf(number, sizeof(number), "%" PRIu64, hold);
	r = query_prepare(q, sql, texts, ARRAY_SIZE(texts), &rows);
	while (!r && (r = query_step(rows)) > 0)
		r = hand_over(q, rows, fn, data);
	return r;
}

/* ---- what it shows */

int held_parse(const char *text, char **ret_host, uint64_t *ret_hold)
{
	const char *slash = strrchr(text, '/');
	char *host;

	if (!slash || slash == text || parse_number(slash + 1, INT64_MAX, ret_hold) || !*ret_hold)
		return -EINVAL;
	host = strndup(text, (size_t)(slash - text));
	if (!host)
		return -ENOMEM;
	*ret_host = host;
	return 0;
}

void held_add_name(struct strbuf *out, const struct held *h)
{
	escape_word(out, h->name);
	strbuf_addf(out, "/%" PRIu64, h->hold);
}

static const json_t *evidence_of(const struct held *h)
{
	return json_array_get(json_object_get(h->event, "evidences"), 0);
}

static const json_t *process_of(const struct held *h)
{
	return json_object_get(evidence_of(h), "process");
}

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const char *held_cwd(const struct held *h)
{
	return member(process_of(h), "working_directory");
}

const char *held_user(const struct held *h)
{
	const json_t *user = json_object_get(process_of(h), "user");
	const char *name = member(user, "name");

	return name ? name : member(user, "uid");
}

/* As ocsf_action() had it; NULL: it says none. */
static const char *action_of(const struct held *h)
{
	const char *message = member(h->event, "message");

	return message && !strncmp(message, PREFIX, strlen(PREFIX)) ? message + strlen(PREFIX)
								    : NULL;
}

void held_add_action(struct strbuf *out, const struct held *h)
{
	const json_t *argv = json_object_get(feed_details(h->event), "argv");
	const char *action = action_of(h);
	bool is_exec = !json_object_get(evidence_of(h), "dst_endpoint") &&
		       !json_object_get(evidence_of(h), "file");

	if (!is_exec || !argv) {
		escape_bytes(out, action ? action : "-", strlen(action ? action : "-"));
		strbuf_adds(out, argv ? ": " : "");
	}
	if (argv)
		add_words(out, argv);
}

/* ---- what is signed */

static int read_words(const json_t *array, char ***ret)
{
	size_t count = json_array_size(array), i;
	char **words = count <= WORDS_MAX ? calloc(count + 1, sizeof(*words)) : NULL;
	const json_t *word;

	if (!words)
		return -ENOMEM;
	json_array_foreach(array, i, word)
	{
		words[i] = (char *)json_string_value(word);
		if (!words[i]) {
			free(words);
			return -EINVAL;
		}
	}
	*ret = words;
	return 0;
}

int held_digest(const struct held *h, char ret[HEX(APPROVAL_DIGEST)])
{
	_cleanup_free_ char **words = NULL;
	const json_t *details = feed_details(h->event), *argv = json_object_get(details, "argv");
	const char *uid = member(json_object_get(process_of(h), "user"), "uid");
	struct approved_action a = { .session = member(details, "session"),
				     .cwd = held_cwd(h),
				     .text = action_of(h) };
	int r = argv ? read_words(argv, &words) : 0;

	if (r)
		return r;
	if (!a.session || !a.text || !uid || parse_number(uid, UINT32_MAX, &a.uid))
		return -EINVAL;
	a.argv = words;
	return approval_digest(&a, ret);
}
