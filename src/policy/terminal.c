#include "policy/terminal.h"

#include <ctype.h>
#include <string.h>

#include "backstop/class.h"
#include "policy/grammar.h"

const char *const terminal_programs[] = { "tmux", "screen" };
const u32 terminal_programs_count = ARRAY_SIZE(terminal_programs);

/* Letters that only the terminal has side by side are found in no scan: what they say is not
 * known. */
static void add_text(struct strbuf *out, const char *text, size_t len)
{
	if (len && out->len && bs_class[(unsigned char)out->data[out->len - 1]] &&
	    bs_class[(unsigned char)*text])
		strbuf_addc(out, '$');
	strbuf_add(out, text, len);
}

/* --- tmux */

static const struct grammar tmux_values = { "cfLST", NULL, false };

static const struct tmux_command {
	const char *name, *alias;
	struct grammar values;
	bool types;
} tmux_commands[] = {
	{ "new-session", "new", { "cefFnstxy", NULL, false }, false },
	{ "new-window", "neww", { "ceFnt", NULL, false }, false },
	{ "split-window", "splitw", { "ceFlpt", NULL, false }, false },
	{ "respawn-pane", "respawnp", { "cet", NULL, false }, false },
	{ "respawn-window", "respawnw", { "cet", NULL, false }, false },
	{ "run-shell", "run", { "cdt", NULL, false }, false },
	{ "if-shell", "if", { "t", NULL, false }, false },
	{ "pipe-pane", "pipep", { "t", NULL, false }, false },
	{ "display-popup", "popup", { "bcdehsStTwxy", NULL, false }, false },
	{ "send-keys", "send", { "cNt", NULL, false }, true },
};

/* Names may be abbreviated. */
static const struct tmux_command *find_command(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < ARRAY_SIZE(tmux_commands); i++)
		if (strcmp(tmux_commands[i].alias, word) == 0)
			return &tmux_commands[i];
	for (size_t i = 0; i < ARRAY_SIZE(tmux_commands) && len >= 3; i++)
		if (strncmp(tmux_commands[i].name, word, len) == 0)
			return &tmux_commands[i];
	return NULL;
}

/* A key that has a name, and is not typed as it stands. */
static bool is_key(const char *word)
{
	static const char names[] =
		"Enter KPEnter Escape Tab BTab BSpace Up Down Left Right Home End NPage PageDown "
		"PgDn PPage PageUp PgUp DC Delete IC Insert";
	bool modified = strchr("CMS", word[0]) && word[0] && word[1] == '-' && word[2];

	return grammar_lists(names, word, strlen(word)) || (modified && strlen(word) <= 8) ||
	       (word[0] == '^' && word[1] && !word[2]) ||
	       (word[0] == 'F' && isdigit((unsigned char)word[1]) && strlen(word) <= 3);
}

static void type_word(struct strbuf *out, const char *word, size_t len, bool literal)
{
	char key[16] = "";

	if (len < sizeof(key))
		memcpy(key, word, len);
	if (!literal && strcmp(key, "Space") == 0)
		strbuf_addc(out, ' ');
	else if (!literal && is_key(key))
		strbuf_addc(out, '\n');
	else
		add_text(out, word, len);
}

static bool has_flag(char *const *words, u32 from, u32 to, char flag)
{
	for (; from < to; from++)
		if (words[from][0] == '-' && words[from][1] != '-' && strchr(words[from], flag))
			return true;
	return false;
}

/* Is it a ; or has one behind it, by which tmux ends a command? */
static bool ends_command(const char *word)
{
	size_t len = strlen(word);

	return len && word[len - 1] == ';' && (len < 2 || word[len - 2] != '\\');
}

/* One of tmux's own commands, up to the word that ends it. */
static void add_command(struct strbuf *out, char *const *words, u32 count)
{
	const struct tmux_command *c = count ? find_command(words[0]) : NULL;
	u32 at;

	if (!c)
		return;
	count -= strcmp(words[count - 1], ";") == 0;
	at = grammar_skip_options(&c->values, words, count, 1);
	for (u32 i = at; i < count; i++) {
		size_t len = strlen(words[i]) - ends_command(words[i]);

		if (c->types)
			type_word(out, words[i], len, has_flag(words, 1, at, 'l'));
		else
			strbuf_addf(out, "%s%.*s", i > at ? " " : "", (int)len, words[i]);
	}
	strbuf_addc(out, '\n');
}

static void add_tmux(struct strbuf *out, char *const *words, u32 count)
{
	u32 at = grammar_skip_options(&tmux_values, words, count, 0);

	while (at < count) {
		u32 end = at;

		while (end < count && !ends_command(words[end]))
			end++;
		end = MIN(end + 1, count);
		add_command(out, words + at, end - at);
		at = end;
	}
}

/* --- screen */

/* \n, \015, ^M and their like end a line. */
static size_t line_end(const char *p)
{
	if (p[0] == '^' && p[1] && strchr("MJmj", p[1]))
		return 2;
	if (p[0] != '\\')
		return 0;
	if (p[1] == 'n' || p[1] == 'r')
		return 2;
	return strncmp(p + 1, "015", 3) == 0 || strncmp(p + 1, "012", 3) == 0 ? 4 : 0;
}

static void add_stuffed(struct strbuf *out, const char *text)
{
	while (*text) {
		size_t skip = line_end(text);

		if (!skip)
			strbuf_addc(out, *text++);
		else if (*text == '^' && bs_class[(unsigned char)text[2]])
			strbuf_adds(out, "\n$"); /* no scan finds the letter that follows */
		else
			strbuf_addc(out, '\n');
		text += skip;
	}
}

/* A command of screen's own. */
static void add_screen_command(struct strbuf *out, char *const *words, u32 count)
{
	if (count > 2 && strcmp(words[0], "at") == 0) {
		words += 2;
		count -= 2;
	}
	if (count > 1 && strcmp(words[0], "stuff") == 0)
		add_stuffed(out, words[1]);
	for (u32 i = 1; i < count && strcmp(words[0], "eval") == 0; i++)
		if (strncmp(words[i], "stuff ", 6) == 0)
			add_stuffed(out, words[i] + 6);
	for (u32 i = 1; i < count && grammar_lists("screen exec", words[0], strlen(words[0])); i++)
		strbuf_addf(out, "%s%s", i > 1 ? " " : "", words[i]);
	strbuf_addc(out, '\n');
}

static void add_screen(struct strbuf *out, char *const *words, u32 count)
{
	static const struct grammar values = { "ScehpsTt", NULL, false };

	for (u32 at = 0; at < count; at++) {
		if (words[at][0] != '-')
			continue; /* the name of a session */
		if (strchr(words[at], 'X') && at + 1 < count) {
			add_screen_command(out, words + at + 1, count - at - 1);
			return;
		}
		at += grammar_takes_next(&values, words[at]);
	}
}

bool terminal_text(const char *name, char *const *words, u32 count, struct strbuf *ret)
{
	size_t before = ret->len;

	if (strcmp(name, "tmux") == 0)
		add_tmux(ret, words, count);
	else if (strcmp(name, "screen") == 0)
		add_screen(ret, words, count);
	return ret->len > before;
}
