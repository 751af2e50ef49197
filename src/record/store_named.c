#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "record/store_internal.h"

#define WORDS_MAX 64 /* of a command with more words any path may be named */

static int put_path(struct store *s, const char *path)
{
	sqlite3_stmt *put = s->statements[PUT_NAMED];

	sqlite3_bind_text(put, 1, path, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(put, 2, (int64_t)s->cursor.lines);
	return store_run(s, PUT_NAMED);
}

static char *copy(struct store *s, struct slice from)
{
	size_t len;
	const char *text = store_text(s, from, &len);

	return strndup(text, len);
}

static int put_word(struct store *s, const char *cwd, struct slice from)
{
	_cleanup_free_ char *word = copy(s, from), *path = NULL;

	if (!word)
		return -ENOMEM;
	if (!word[0] || word[0] == '-' || (word[0] != '/' && !cwd[0]))
		return 0;
	path = path_join(cwd, word);
	return path ? put_path(s, path) : -ENOMEM;
}

int store_put_named(struct store *s, const struct event *e)
{
	_cleanup_free_ char *cwd = copy(s, e->process.cwd);
	struct slice argv = e->argv, word;
	int r = cwd ? 0 : -ENOMEM;

	if (e->path.at || e->address.at)
		return 0;
	for (int i = 0; !r && event_next_word(&argv, &word); i++) {
		if (i == WORDS_MAX)
			return put_path(s, "/");
		if (i)
			r = put_word(s, cwd, word);
	}
	return r;
}
