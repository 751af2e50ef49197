/* The file: "forgotten MS\n", the latest expiry of those that were forgotten, then a line "NONCE
 * MS\n" for each. It is read and replaced for each decision: a human makes few. */
#include "guard/spent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"

#define NONCE	 32 /* digits */
#define FILE_MAX (SPENT_MAX * 64 + 64)

struct spent {
	struct strbuf kept; /* lines */
	int64_t forgotten;  /* ms */
	unsigned int count;
	bool found;
};

static bool take_line(struct spent *s, const char *line, const char *nonce, int64_t now_ms)
{
	char have[NONCE + 1];
	int64_t expires;
	int end = 0;

	if (sscanf(line, "%32[0-9a-f] %" SCNd64 "%n", have, &expires, &end) != 2 ||
	    strlen(have) != NONCE || line[end] != '\n')
		return false;
	s->found |= !strcmp(have, nonce);
	if (expires <= now_ms) {
		s->forgotten = MAX(s->forgotten, expires);
	} else {
		strbuf_add(&s->kept, line, (size_t)end + 1);
		s->count++;
	}
	return true;
}

static bool take_text(struct spent *s, const char *text, const char *nonce, int64_t now_ms)
{
	int end = 0;

	if (sscanf(text, "forgotten %" SCNd64 "%n", &s->forgotten, &end) != 1 || text[end] != '\n')
		return false;
	for (text += end + 1; *text; text = strchr(text, '\n') + 1)
		if (!strchr(text, '\n') || !take_line(s, text, nonce, now_ms))
			return false;
	return true;
}

static int load(const char *path, struct spent *s, const char *nonce, int64_t now_ms)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &text);

	if (r)
		return r == -ENOENT ? 0 : r == -EFBIG ? -EUCLEAN : r;
	if (strlen(strbuf_str(&text)) != text.len ||
	    !take_text(s, strbuf_str(&text), nonce, now_ms))
		return -EUCLEAN;
	return strbuf_error(&s->kept);
}

static int add(struct spent *s, const char *path, const char *nonce, int64_t expires_ms)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "forgotten %" PRId64 "\n", s->forgotten);
	strbuf_add(&text, strbuf_str(&s->kept), s->kept.len);
	strbuf_addf(&text, "%s %" PRId64 "\n", nonce, expires_ms);
	return strbuf_error(&text) ?: io_replace_file(path, text.data, text.len, 0600);
}

int spent_add(const char *path, const char *nonce, int64_t expires_ms, int64_t now_ms)
{
	struct spent s = { 0 };
	int r = load(path, &s, nonce, now_ms);

	if (!r && (s.found || expires_ms <= s.forgotten))
		r = -EEXIST;
	if (!r && s.count >= SPENT_MAX)
		r = -ENOSPC;
	if (!r)
		r = add(&s, path, nonce, expires_ms);
	strbuf_free(&s.kept);
	return r;
}
