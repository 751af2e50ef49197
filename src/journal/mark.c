/* The kernel's event that a line was made of, read back. A quote inside a JSON string is escaped,
 * so that a name with its quotes and colon stands in a line of ours only as a key. */
#include <string.h>

#include "journal/ocsf.h"

static const char *find_key(const char *line, size_t len, const char *key)
{
	const char *at = memmem(line, len, key, strlen(key));

	return at ? at + strlen(key) : NULL;
}

static uint64_t read_number(const char *line, size_t len, const char *key)
{
	const char *at = find_key(line, len, key);
	uint64_t n = 0;

	for (; at && at < line + len && *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (*at - '0');
	return n;
}

/* A writer that was killed may leave the beginning of a line. */
static bool is_whole(const char *line, size_t len)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '"')
			quoted = !quoted;
		else if (quoted)
			i += line[i] == '\\';
		else if (line[i] == '{')
			depth++;
		else if (line[i] == '}' && --depth == 0)
			return i == len - 1;
	}
	return false;
}

bool ocsf_read_mark(const char *line, size_t len, const char *run, struct ocsf_event_mark *ret)
{
	const char *at = find_key(line, len, "\"event\":");
	const char *of = at ? find_key(at, line + len - at, "\"run\":\"") : NULL;
	size_t run_len = strlen(run), rest;

	if (!of || !is_whole(line, len) || (size_t)(line + len - of) <= run_len ||
	    memcmp(of, run, run_len) || of[run_len] != '"')
		return false;
	rest = line + len - of;
	*ret = (struct ocsf_event_mark) {
		.number = read_number(line, len, "\"event\":"),
		.recorded = read_number(of, rest, "\"recorded\":"),
		.unwritten = read_number(of, rest, "\"unwritten\":"),
		.found = read_number(of, rest, "\"found\":"),
		.time_ms = read_number(line, len, "\"time\":"),
	};
	return true;
}
