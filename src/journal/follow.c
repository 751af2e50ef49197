#include "journal/follow.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

void follow_put_opening(struct strbuf *out, const struct follow_opening *o)
{
	strbuf_addf(out,
		    "\"checkpoint\":{\"segment\":%" PRIu64 ",\"oldest\":%" PRIu64
		    ",\"after\":%" PRIu64 ",\"prev\":\"",
		    o->segment, o->oldest, o->after.line);
	chain_add_hex(out, o->after.hash, CHAIN_HASH);
	strbuf_adds(out, "\",\"key\":\"");
	chain_add_hex(out, o->key, CHAIN_PUBLIC);
	strbuf_addc(out, '"');
	if (o->cause[0])
		strbuf_addf(out, ",\"torn\":%" PRIu64 ",\"cause\":\"%s\"", o->torn, o->cause);
	strbuf_addc(out, '}');
}

static bool read_hex(const json_t *o, const char *key, uint8_t *ret, size_t len)
{
	const char *hex = json_string_value(json_object_get(o, key));

	return hex && strlen(hex) == 2 * len && chain_from_hex(hex, ret, len);
}

static uint64_t number_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static bool read_opening(const json_t *details, struct follow_opening *ret)
{
	const json_t *c = json_object_get(details, "checkpoint");
	const char *cause = json_string_value(json_object_get(c, "cause"));

	*ret = (struct follow_opening) { .segment = number_of(c, "segment"),
					 .oldest = number_of(c, "oldest"),
					 .after.line = number_of(c, "after"),
					 .line = number_of(details, "line"),
					 .torn = number_of(c, "torn") };
	snprintf(ret->cause, sizeof(ret->cause), "%s", cause ? cause : "");
	return read_hex(c, "prev", ret->after.hash, CHAIN_HASH) &&
	       read_hex(c, "key", ret->key, CHAIN_PUBLIC) && ret->line > ret->after.line;
}

bool follow_parse_opening(const char *line, size_t len, struct follow_opening *ret)
{
	static const char key[] = "\"checkpoint\":{\"segment\":";
	struct follow_opening o;
	json_t *event;
	bool is;

	if (!memmem(line, len, key, strlen(key)))
		return false;
	event = json_loadb(line, len, 0, NULL);
	is = read_opening(json_object_get(json_object_get(event, "unmapped"), "backstop"), &o);
	json_decref(event);
	if (is)
		*ret = o;
	return is;
}

enum follow_result follow_line(const struct chain_keys *k, struct chain_place *at, const char *line,
			       size_t len)
{
	struct chain_link l;

	if (!chain_parse(line, len, &l))
		return FOLLOW_FOREIGN;
	if (l.place.line <= at->line)
		return FOLLOW_OLDER;
	if (l.place.line > at->line + 1)
		return FOLLOW_MISSING;
	if (!chain_fits(k, at->hash, line, &l))
		return FOLLOW_CHANGED;
	if (l.is_signed && !chain_is_signed(k, &l))
		return FOLLOW_SIGNATURE;
	*at = l.place;
	return FOLLOW_GOOD;
}
