#include "policy/shell_splitter.h"

#include <ctype.h>
#include <string.h>

#include "backstop/class.h"

#define MAX_FROM 1024 /* bytes of what is told of the commands before a | */

static void source_free(struct source *s)
{
	free(s->text);
	free(s->file);
	free(s->from);
	*s = (struct source) { 0 };
}

/* --- words */

void splitter_begin_word(struct splitter *s)
{
	if (s->in_word)
		return;
	s->words[s->count] = s->out;
	s->in_word = true;
	s->quoted = false;
	s->spliced = false;
}

static bool is_letter(char c)
{
	return bs_class[(unsigned char)c];
}

/* Is this letter part of a run that does not stand in the text? Then a $ stands for all of it. */
static bool is_hidden(struct splitter *s, char c)
{
	char *start = s->words[s->count];

	if (!is_letter(c)) {
		s->spliced = false;
	} else if (s->literal && !s->spliced && s->out > start && is_letter(s->out[-1]) &&
		   s->p != s->last + 1) {
		while (s->out > start && is_letter(s->out[-1]))
			s->out--;
		*s->out++ = '$';
		s->spliced = true;
	}
	return s->spliced;
}

void splitter_put(struct splitter *s, char c)
{
	splitter_begin_word(s);
	if (!is_hidden(s, c))
		*s->out++ = c;
	s->last = s->p;
}

static void add_redirection(struct splitter *s)
{
	struct redirection *r = &s->redirections[s->redirections_count++];

	*r = (struct redirection) { s->op, s->output, s->words[s->count] };
	s->op = '\0';
}

void splitter_end_word(struct splitter *s)
{
	if (!s->in_word)
		return;
	*s->out++ = '\0';
	s->in_word = false;
	if (s->op)
		add_redirection(s);
	else
		s->count++;
}

static bool is_assignment(const char *word)
{
	size_t len =
		strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len && word[len] == '=' && !isdigit((unsigned char)*word);
}

static bool is_any(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool opens_group(const char *word)
{
	static const char *const openers[] = { "{", "do", "then", "else" };

	return is_any(word, openers, ARRAY_SIZE(openers));
}

static bool closes_group(const char *word)
{
	static const char *const closers[] = { "}", "done", "fi", "esac" };

	return is_any(word, closers, ARRAY_SIZE(closers));
}

static bool is_reserved(const char *word)
{
	static const char *const reserved[] = { "if", "elif", "while", "until",
						"!",  "time", "coproc" };

	return is_any(word, reserved, ARRAY_SIZE(reserved)) || opens_group(word) ||
	       closes_group(word);
}

/* Where the command begins among its words. */
static u32 skip_reserved(struct splitter *s)
{
	u32 at = 0;

	while (at < s->count) {
		char *word = s->words[at];

		if (strcmp(word, "function") == 0 && at + 1 < s->count)
			at++;
		else if (!is_assignment(word) && !is_reserved(word))
			break;
		if (opens_group(word))
			source_free(&s->past);
		s->grouped |= closes_group(word);
		s->cases -= s->cases && strcmp(word, "esac") == 0;
		at++;
	}
	return at;
}

/* --- commands */

/* What the command reads: the last of its redirections, or what a | gives it. */
static struct shell_feed find_feed(struct splitter *s)
{
	struct shell_feed feed = { s->fed.text, s->fed.file, s->fed.from };

	for (u32 i = 0; i < s->redirections_count; i++) {
		struct redirection *r = &s->redirections[i];

		if (r->op == 'w')
			feed = (struct shell_feed) { .text = r->target };
		else if (r->op == '<')
			feed = (struct shell_feed) { .file = r->target };
	}
	if (s->body)
		feed = (struct shell_feed) { .text = s->body };
	if (!feed.from)
		feed.from = s->inside;
	return feed;
}

/* A blank keeps letters apart that only the output has side by side. */
static char *append(char *before, const char *more)
{
	char *const words[] = { (char *)"", (char *)more };
	bool apart = before && more && *before && is_letter(before[strlen(before) - 1]) &&
		     is_letter(*more);
	char *text = more ? shell_join(before, words + !apart, 1 + apart) : NULL;

	free(before);
	return text;
}

/* What the command writes comes behind what others of its group wrote. */
static struct source find_output(struct splitter *s, u32 first, const struct shell_feed *in)
{
	char *const *words = s->words + first;
	u32 count = s->count - first;
	bool chained = in->from && strlen(in->from) < MAX_FROM;
	_cleanup_free_ char *before = chained ? append(strdup(in->from), " | ") : NULL;
	struct source out = { .from = shell_join(before, words, count) };

	if (s->count || s->redirections_count)
		out.text = shell_output(words, count, in);
	if (count && strcmp(words[0], "cat") == 0 && count <= 2)
		out.file = count == 2 ? strdup(words[1]) : in->file ? strdup(in->file) : NULL;
	return out;
}

static void tell(struct splitter *s, char *const *words, u32 count, struct shell_feed feed)
{
	struct shell_command c = {
		.words = words, .count = count, .feed = feed, .level = s->level, .stop = s->stop
	};

	s->fn(s->data, &c);
}

static void tell_redirections(struct splitter *s, const struct source *out)
{
	for (u32 i = 0; i < s->redirections_count; i++) {
		struct redirection *r = &s->redirections[i];
		char *words[] = { r->op == '>' ? (char *)">" : (char *)">>", r->target, NULL };
		struct shell_feed feed = { .text = r->output ? out->text : NULL,
					   .from = out->from };

		if (r->op == '>' || r->op == 'a')
			tell(s, words, 2, feed);
	}
}

/* Of a group what is known counts. */
static void remember(struct splitter *s, struct source *out, bool piped)
{
	bool first = !s->past.from;

	source_free(&s->fed);
	if (piped) {
		s->fed = *out;
		*out = (struct source) { 0 };
		return;
	}
	s->past.text = first ? TAKE_PTR(out->text) : append(s->past.text, out->text);
	free(s->past.file);
	s->past.file = TAKE_PTR(out->file);
	free(s->past.from);
	s->past.from = TAKE_PTR(out->from);
	source_free(out);
}

static void reset(struct splitter *s)
{
	s->count = 0;
	s->redirections_count = 0;
	s->out = s->text;
	s->op = '\0';
	s->grouped = false;
	free(TAKE_PTR(s->body));
	free(TAKE_PTR(s->inside));
}

static bool has_loop_words(const char *word)
{
	return strcmp(word, "for") == 0 || strcmp(word, "case") == 0 || strcmp(word, "select") == 0;
}

/* The words of a command that is none, up to `count`. */
static void tell_settings(struct splitter *s, u32 count)
{
	struct shell_command c = {
		.feed = { .from = s->inside }, .level = s->level, .sets = true, .stop = s->stop
	};
	u32 first = 0;

	while (first < count && !has_loop_words(s->words[first]) && !is_assignment(s->words[first]))
		first++;
	if (first == count)
		return;
	c.words = s->words + first;
	c.count = count - first;
	s->fn(s->data, &c);
}

void splitter_end_command(struct splitter *s, bool piped)
{
	struct source out;
	struct shell_feed feed;
	u32 first;

	splitter_end_word(s);
	if (!s->count && !s->redirections_count && !s->grouped && !s->inside)
		return;
	first = skip_reserved(s);
	s->words[s->count] = NULL;
	feed = find_feed(s);
	if (first < s->count && has_loop_words(s->words[first])) {
		s->cases += strcmp(s->words[first], "case") == 0;
		tell_settings(s, s->count);
	} else {
		if (first < s->count)
			tell(s, s->words + first, s->count - first, feed);
		else
			tell_settings(s, s->count);
		if (first == s->count && s->grouped) {
			out = s->past;
			s->past = (struct source) { 0 };
		} else {
			out = find_output(s, first, &feed);
		}
		tell_redirections(s, &out);
		remember(s, &out, piped);
	}
	reset(s);
}

void splitter_open_group(struct splitter *s)
{
	splitter_end_command(s, false);
	source_free(&s->past);
}

void splitter_clear(struct splitter *s)
{
	reset(s);
	source_free(&s->fed);
	source_free(&s->past);
}
