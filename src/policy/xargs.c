#include "policy/xargs.h"

#include <string.h>

#include "base/strbuf.h"
#include "policy/carrier.h"
#include "policy/shellwords.h"

static void add(struct shell_words *w, const char *word)
{
	char *copy = w->count < SHELL_VARS_WORDS ? strdup(word) : NULL;

	if (copy)
		w->all[w->count++] = copy;
}

static void add_lines(struct shell_words *w, const char *text)
{
	static const char blanks[] = " \t\n";

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);
		_cleanup_free_ char *word = strndup(text, len);

		if (word)
			add(w, word);
		text += len;
	}
}

/* What find tells: its directories, with the name that it looks for. */
static void add_found(struct shell_words *w, char *const *words)
{
	const char *name = "*";
	u32 count = w->count, end = 1;

	while (words[end] && !strchr("-(!", words[end][0]))
		end++;
	for (u32 i = end; words[i] && words[i + 1]; i++)
		if (strcmp(words[i], "-name") == 0 || strcmp(words[i], "-iname") == 0)
			name = words[i + 1];
	for (u32 i = 1; i < end; i++) {
		_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;

		strbuf_addf(&path, "%s/%s", words[i], name);
		add(w, strbuf_str(&path));
	}
	if (w->count == count)
		add(w, name);
}

/* The words of the first of the commands before the pipe. */
static void add_output(struct shell_words *w, const char *from)
{
	const char *pipe = strstr(from, " | ");
	_cleanup_free_ char *first = pipe ? strndup(from, (size_t)(pipe - from)) : strdup(from);
	u32 count = w->count;
	char **words;

	if (first && shellwords_split(first, &words, NULL) == 0) {
		if (words[0] && strcmp(words[0], "find") == 0)
			add_found(w, words);
		for (u32 i = 1; words[0] && strcmp(words[0], "ls") == 0 && words[i]; i++)
			if (strchr(words[i], '*'))
				add(w, words[i]);
		for (u32 i = 2; words[0] && strcmp(words[0], "printf") == 0 && words[1] && words[i];
		     i++)
			add(w, words[i]);
		shellwords_free(words);
	}
	if (w->count == count)
		add(w, SHELL_VARS_UNKNOWN);
}

static void read_feed(const struct shell_feed *feed, struct shell_words *ret)
{
	ret->count = 0;
	if (feed && feed->text)
		add_lines(ret, feed->text);
	else if (feed && feed->from)
		add_output(ret, feed->from);
	else
		add(ret, SHELL_VARS_UNKNOWN);
}

/* What stands for an operand (-I{}); NULL where they come behind the command. */
static const char *placeholder(char *const *words, u32 end)
{
	for (u32 i = 1; i < end; i++) {
		if (strcmp(words[i], "-I") == 0 && i + 1 < end)
			return words[i + 1];
		if (strncmp(words[i], "-I", 2) == 0)
			return words[i] + 2;
		if (strcmp(words[i], "-i") == 0 || strcmp(words[i], "--replace") == 0)
			return "{}";
	}
	return NULL;
}

/* The word, once for each operand where it has the placeholder. */
static void put(struct shell_words *out, const char *word, const char *holder,
		const struct shell_words *operands)
{
	const char *at = holder && *holder ? strstr(word, holder) : NULL;

	if (!at) {
		add(out, word);
		return;
	}
	for (u32 i = 0; i < operands->count; i++) {
		_cleanup_strbuf_ struct strbuf whole = STRBUF_INIT;

		strbuf_addf(&whole, "%.*s%s%s", (int)(at - word), word, operands->all[i],
			    at + strlen(holder));
		add(out, strbuf_str(&whole));
	}
}

void xargs_words(char *const *words, u32 count, const struct shell_feed *feed,
		 struct shell_words *ret)
{
	_cleanup_(shell_words_clear) struct shell_words operands = { .count = 0 };
	const char *holder;
	u32 first;

	ret->count = 0;
	if (carrier_wrapper(words, count, &first) == WRAPPER_RUNS) {
		read_feed(feed, &operands);
		holder = placeholder(words, first);
		for (u32 i = first; i < count; i++)
			put(ret, words[i], holder, &operands);
		for (u32 i = 0; !holder && i < operands.count; i++)
			add(ret, operands.all[i]);
	}
	ret->all[ret->count] = NULL;
}
