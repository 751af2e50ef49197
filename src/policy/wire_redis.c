/* Redis and Valkey: commands as arrays of strings, or in a line by themselves. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "policy/wire_parser.h"

#define LINE_MAX_   (64U << 10)
#define COUNT_MAX   32 /* bytes of a line with a number */
#define LENGTH_MAX  (512LL << 20)
#define WORDS_LIMIT (1LL << 20)

/* The number behind the mark at `p`, up to its end of line. Bytes used; 0: it is incomplete; -1: it
 * is none. A server ends it at the first CR, whatever comes behind that. */
static int take_number(const u8 *p, size_t len, long long *ret)
{
	const u8 *eol = memchr(p, '\n', MIN(len, COUNT_MAX));
	char text[COUNT_MAX + 1], *end;

	if (!eol)
		return len < COUNT_MAX ? 0 : -1;
	memcpy(text, p + 1, (size_t)(eol - p - 1));
	text[eol - p - 1] = '\0';
	*ret = strtoll(text, &end, 10);
	return end > text && (isdigit(text[0]) || text[0] == '-') && *end == '\r' &&
			       end - text == eol - p - 2
		       ? (int)(eol - p + 1)
		       : -1;
}

/* --- recognising it */

/* Commands that people and simple clients write in a line. */
static bool is_command(const u8 *p, size_t len)
{
	static const char *const names[] = {
		"PING",	 "AUTH",     "HELLO",  "SELECT", "INFO",     "FLUSHALL", "FLUSHDB",
		"DEL",	 "UNLINK",   "SET",    "GET",	 "KEYS",     "SCAN",	 "CONFIG",
		"DEBUG", "SHUTDOWN", "CLIENT", "MULTI",	 "EXEC",     "EVAL",	 "SCRIPT",
		"QUIT",	 "COMMAND",  "HSET",   "EXISTS", "EXPIRE",   "LPUSH",	 "RPUSH",
		"INCR",	 "MSET",     "MGET",   "TYPE",	 "FUNCTION", "CLUSTER",	 "SWAPDB",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], (const char *)p, len) == 0)
			return true;
	return false;
}

static enum wire_guess probe_line(const u8 *p, size_t len)
{
	const u8 *eol;
	size_t word = 0;

	/* servers take empty lines, blanks and quotes before it */
	while (len && (isspace(*p) || *p == '"' || *p == '\''))
		p++, len--;
	if (!len)
		return WIRE_MAYBE;
	eol = memchr(p, '\n', len);
	while (word < len && isalpha(p[word]))
		word++;
	if (word > 10 || (word < len && !is_command(p, word)) || !word)
		return WIRE_NO;
	if (!eol)
		return len < LINE_MAX_ ? WIRE_MAYBE : WIRE_NO;
	return memmem(p, (size_t)(eol - p), " HTTP/", 6) ? WIRE_NO : WIRE_YES;
}

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	long long n;
	int used;

	if (p[0] != '*')
		return begun ? probe_line(p, len) : WIRE_NO;
	used = take_number(p, len, &n);
	if (used <= 0)
		return used || !begun ? WIRE_NO : WIRE_MAYBE;
	if (n < 1 || n > WORDS_LIMIT)
		return WIRE_NO;
	if ((size_t)used == len)
		return WIRE_MAYBE;
	return p[used] == '$' ? WIRE_YES : WIRE_NO;
}

/* --- a command */

static void add_word(struct wire_redis *r, const void *data, size_t len, bool cut)
{
	if (r->count == WIRE_WORDS || r->text.len + len > WIRE_WORD_MAX) {
		len = r->count == WIRE_WORDS ? 0 : WIRE_WORD_MAX - r->text.len;
		r->cut = true;
	}
	if (r->count == WIRE_WORDS)
		return;
	r->cut |= cut;
	strbuf_add(&r->text, data, len);
	r->ends[r->count++] = (u32)r->text.len;
}

/* What follows these is a password. */
static bool is_secret(struct wire_slice word)
{
	return wire_is(word, "AUTH") || wire_is(word, "HELLO") || wire_is(word, "MIGRATE");
}

/* Settings that hold one. */
static bool is_secret_setting(struct wire_slice word)
{
	return wire_is(word, "requirepass") || wire_is(word, "masterauth") ||
	       wire_is(word, "primaryauth") || wire_is(word, "auth-pass") ||
	       wire_is(word, "sentinel-pass") || wire_is(word, "tls-key-file-pass") ||
	       wire_is(word, "tls-client-key-file-pass");
}

/* Of a user's rules those that set a password, by itself or its hash. */
static bool is_secret_rule(struct wire_slice word)
{
	return word.len && memchr("><#!", *word.s, 4);
}

static void mask(struct wire_message *m)
{
	static const struct wire_slice masked = { "***", 3 };
	bool rules = m->words_count > 2 && wire_is(m->words[0], "ACL") &&
		     wire_is(m->words[1], "SETUSER");
	bool settings = m->words_count > 2 &&
			(wire_is(m->words[0], "CONFIG") || wire_is(m->words[0], "SENTINEL")) &&
			(wire_is(m->words[1], "SET") || wire_is(m->words[1], "CONFIG"));

	for (u32 i = 2; i < m->words_count; i++)
		if ((rules && is_secret_rule(m->words[i])) ||
		    (settings && is_secret_setting(m->words[i - 1])))
			m->words[i] = masked;
}

static void tell(struct wire *w)
{
	struct wire_redis *r = &w->redis;
	struct wire_message m = { .kind = WIRE_COMMAND };
	u32 start = 0;

	for (u32 i = 0; i < r->count; i++) {
		m.words[i] =
			(struct wire_slice) { strbuf_str(&r->text) + start, r->ends[i] - start };
		start = r->ends[i];
	}
	m.words_count = r->count && is_secret(m.words[0]) ? 1 : r->count;
	m.uncertain = r->cut || strbuf_error(&r->text);
	mask(&m);
	if (m.words_count)
		wire_tell(w, &m);
	strbuf_reset(&r->text);
	r->count = 0;
	r->cut = false;
}

static size_t step_bulk(struct wire *w, const u8 *p, size_t len)
{
	struct wire_redis *r = &w->redis;
	long long size;
	int header = p[0] == '$' ? take_number(p, len, &size) : -1;
	size_t kept, needed;

	if (!header)
		return wire_more(w, len + 1);
	if (header < 0 || size < 0 || size > LENGTH_MAX) {
		r->left = 0;
		return wire_lose(w);
	}
	kept = MIN((size_t)size, WIRE_WORD_MAX);
	needed = (size_t)header + kept + (kept == (size_t)size ? 2 : 0);
	if (len < needed)
		return wire_more(w, needed);
	add_word(r, p + header, kept, kept < (size_t)size);
	if (!--r->left)
		tell(w);
	return wire_pass(w, len, (u64)header + (u64)size + 2);
}

/* --- a line: words as a shell's, in double or single quotes */

static u8 take_escape(const u8 **p, const u8 *end)
{
	static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
	const char *found;
	unsigned int byte;
	char hex[3] = "";

	if (end - *p >= 3 && (*p)[0] == 'x' && isxdigit((*p)[1]) && isxdigit((*p)[2])) {
		memcpy(hex, *p + 1, 2);
		sscanf(hex, "%x", &byte);
		*p += 3;
		return (u8)byte;
	}
	found = **p ? strchr(from, **p) : NULL;
	return found ? (*p += 1, (u8)to[found - from]) : *(*p)++;
}

/* Writes the word at *p, which has no more bytes than there are. */
static size_t take_word(const u8 **p, const u8 *end, u8 *ret)
{
	u8 quote = 0;
	size_t n = 0;

	while (*p < end && (quote || !isspace(**p))) {
		u8 c = *(*p)++;

		if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '"' || c == '\''))
			quote = c;
		else if (c == '\\' && quote == '"' && *p < end)
			ret[n++] = take_escape(p, end);
		else if (c == '\\' && quote == '\'' && *p < end && **p == '\'')
			ret[n++] = *(*p)++;
		else
			ret[n++] = c;
	}
	return n;
}

static size_t step_line(struct wire *w, const u8 *p, size_t len)
{
	const u8 *eol = memchr(p, '\n', len), *at = p, *end;
	_cleanup_free_ u8 *word = NULL;

	if (!eol && len < LINE_MAX_)
		return wire_more(w, len + 1);
	if (!eol || memmem(p, (size_t)(eol - p), " HTTP/1.", 8))
		return wire_lose(w);
	word = malloc((size_t)(eol - p) + 1);
	w->redis.cut = !word;
	end = memchr(p, '\0', (size_t)(eol - p)); /* which ends it for servers */
	if (!end)
		end = eol > p && eol[-1] == '\r' ? eol - 1 : eol;
	while (word && at < end) {
		if (isspace(*at))
			at++;
		else
			add_word(&w->redis, word, take_word(&at, end, word), false);
	}
	tell(w);
	return (size_t)(eol - p) + 1;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	long long n;
	int used;

	if (w->redis.left)
		return step_bulk(w, p, len);
	if (p[0] != '*')
		return step_line(w, p, len);
	used = take_number(p, len, &n);
	if (!used)
		return wire_more(w, len + 1);
	if (used < 0 || n > WORDS_LIMIT)
		return wire_lose(w);
	w->redis.left = n > 0 ? (u64)n : 0;
	return (size_t)used;
}

static const u16 ports[] = { 6379, 6380, 6381, 7000, 26379, 0 };

const struct wire_parser wire_redis_parser = { probe, step, NULL, ports };
