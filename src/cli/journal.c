/* journal: whether the record is whole and as it was written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "guard/guard.h"
#include "journal/verify.h"

#define JOURNAL_DIR GUARD_STATE_DIR "/journal"
#define KEYS_DIR    GUARD_STATE_DIR "/keys"

struct options {
	bool json;
	const char *dir, *keys;
};

static const char *const kinds[] = {
	[VERIFY_BAD] = "bad",
	[VERIFY_STATED] = "stated",
	[VERIFY_NOTE] = "note",
};

static void print_said(void *data, enum verify_kind kind, const char *segment, uint64_t line,
		       const char *text)
{
	const struct options *o = data;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);

	if (!o->json) {
		printf("%s: ", kinds[kind]);
		if (segment)
			printf(line ? "%s:%" PRIu64 ": " : "%s: ", segment, line);
		puts(text);
		return;
	}
	json_open_object(&j, NULL);
	json_put_string(&j, "kind", kinds[kind]);
	json_put_string(&j, "segment", segment);
	json_put_uint(&j, "line", line);
	json_put_string(&j, "text", text);
	json_close_object(&j);
	puts(strbuf_str(&out));
}

static void print_json(const struct verify_report *r)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);

	json_open_object(&j, NULL);
	json_put_string(&j, "kind", "result");
	json_put_bool(&j, "whole", !r->bad);
	json_put_uint(&j, "segments", r->segments);
	json_put_uint(&j, "unchained", r->unchained);
	json_put_uint(&j, "unkeyed", r->unkeyed);
	json_put_uint(&j, "lines", r->lines);
	json_put_uint(&j, "first", r->first);
	json_put_uint(&j, "last", r->last);
	json_put_uint(&j, "signed", r->signed_lines);
	json_put_uint(&j, "bad", r->bad);
	json_put_uint(&j, "stated", r->stated);
	json_close_object(&j);
	puts(strbuf_str(&out));
}

static void print_report(const struct verify_report *r)
{
	if (r->unchained)
		printf("note: %" PRIu64 " segments are older than the chain, and are not checked\n",
		       r->unchained);
	if (r->unkeyed)
		printf("note: %" PRIu64 " lines carry no chain: the guard had no key when it wrote "
		       "them, or it was not the guard\n",
		       r->unkeyed);
	if (!r->first)
		printf("%s: no line carries the chain\n", r->bad ? "changed" : "empty");
	else
		printf("%s: %" PRIu64 " lines, %" PRIu64 " to %" PRIu64 ", in %" PRIu64
		       " segments, %" PRIu64 " of them signed\n",
		       r->bad ? "changed" : "whole", r->lines, r->first, r->last, r->segments,
		       r->signed_lines);
}

static int verify(const struct options *o)
{
	const char *dir = o->dir ? o->dir : JOURNAL_DIR, *keys = o->keys ? o->keys : KEYS_DIR;
	struct verify_report r;
	int err = journal_verify(dir, keys, print_said, (void *)o, &r);

	if (err == -EKEYREJECTED)
		log_error("journal: the keys in %s cannot be read: be root or of the group that "
			  "reads the journal, or name their directory with --keys",
			  keys);
	else if (err)
		feed_log_failure("journal", err, dir, false);
	if (err)
		return EXIT_FAILURE;
	if (o->json)
		print_json(&r);
	else
		print_report(&r);
	return r.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const void *options, int argc _unused_, char **argv)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	if (!strcmp(argv[0], "verify"))
		return verify(options);
	escape_word(&word, argv[0]);
	log_error("journal: %s is not verify", strbuf_str(&word));
	return EXIT_USAGE;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print JSON, a finding a line",
	  offsetof(struct options, json) },
	{ "dir", 0, OPTION_STRING, "DIR", "the journal's directory (" JOURNAL_DIR ")",
	  offsetof(struct options, dir) },
	{ "keys", 0, OPTION_STRING, "DIR", "the directory of its keys (" KEYS_DIR ")",
	  offsetof(struct options, keys) },
	{ 0 },
};

const struct command command_journal = {
	.name = "journal",
	.arguments = "verify",
	.help = "check that no line of the journal was changed, removed or put elsewhere",
	.example = "backstop journal verify",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
	.min_operands = 1,
	.max_operands = 1,
};
