#include "policy/shell.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"

struct splitter {
	const char *p;
	char **words;
	u32 count;
	char *out;		      /* end of the word in hand */
	char *text;		      /* of all words of this command */
	bool in_word, quoted, target; /* target: the next word is a redirection's */
	unsigned int depth;
	shell_command_fn fn;
	void *data;
	int error;
};

static void put(struct splitter *s, char c)
{
	if (!s->in_word) {
		s->words[s->count] = s->out;
		s->in_word = true;
		s->quoted = false;
	}
	*s->out++ = c;
}

static void end_word(struct splitter *s)
{
	if (!s->in_word)
		return;
	*s->out++ = '\0';
	s->in_word = false;
	if (!s->target)
		s->count++;
	s->target = false;
}

static bool is_assignment(const char *word)
{
	size_t len =
		strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len && word[len] == '=' && !isdigit((unsigned char)*word);
}

static bool is_reserved(const char *word)
{
	static const char *const reserved[] = { "if",	 "then",  "elif", "else", "fi",
						"while", "until", "do",	  "done", "esac",
						"{",	 "}",	  "!",	  "time", "coproc" };

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcmp(word, reserved[i]) == 0)
			return true;
	return false;
}

static void end_command(struct splitter *s)
{
	u32 first = 0;

	end_word(s);
	while (first < s->count && (is_assignment(s->words[first]) || is_reserved(s->words[first])))
		first++;
	if (first < s->count && strcmp(s->words[first], "for") != 0 &&
	    strcmp(s->words[first], "case") != 0) {
		s->words[s->count] = NULL;
		s->fn(s->data, s->words + first, s->count - first);
	}
	s->count = 0;
	s->out = s->text;
	s->target = false;
}

/* The end of the substitution whose inside begins at `p`: where its closing byte stands. */
static const char *find_close(const char *p, char close)
{
	char quote = 0;

	for (int depth = 1; *p; p++) {
		if (*p == '\\' && p[1] && quote != '\'')
			p++;
		else if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == close && --depth == 0)
			break;
		else if (close == ')' && (*p == '\'' || *p == '"'))
			quote = *p;
		else if (close == ')' && *p == '(')
			depth++;
	}
	return p;
}

/* What is in a substitution runs as well; what it yields is not known, so a $ stands for it. */
static void substitute(struct splitter *s, const char *inside, char close)
{
	const char *end = find_close(inside, close);
	_cleanup_free_ char *text = strndup(inside, (size_t)(end - inside));

	put(s, '$');
	if (!text)
		s->error = -ENOMEM;
	else if (s->depth > 0 && !s->error)
		s->error = shell_each_command(text, s->depth - 1, s->fn, s->data);
	s->p = *end ? end + 1 : end;
}

/* A substitution at s->p; false where there is none. */
static bool take_substitution(struct splitter *s)
{
	if (s->p[0] == '`')
		substitute(s, s->p + 1, '`');
	else if ((s->p[0] == '$' || s->p[0] == '<' || s->p[0] == '>') && s->p[1] == '(')
		substitute(s, s->p + 2, ')');
	else
		return false;
	return true;
}

static void take_single(struct splitter *s)
{
	for (s->p++; *s->p && *s->p != '\''; s->p++)
		put(s, *s->p);
	s->p += *s->p != '\0';
}

static void take_double(struct splitter *s)
{
	for (s->p++; *s->p && *s->p != '"';) {
		if ((*s->p == '`' || *s->p == '$') && take_substitution(s))
			continue;
		if (*s->p == '\\' && s->p[1] && strchr("\"\\$`\n", s->p[1]))
			s->p++;
		put(s, *s->p++);
	}
	s->p += *s->p != '\0';
}

/* An empty quoted word is a word, too. */
static void take_quotes(struct splitter *s)
{
	if (!s->in_word) {
		s->words[s->count] = s->out;
		s->in_word = true;
	}
	s->quoted = true;
	if (*s->p == '\'')
		take_single(s);
	else
		take_double(s);
}

static void take_redirection(struct splitter *s)
{
	if (s->in_word && !s->quoted) {
		*s->out = '\0';
		if (strspn(s->words[s->count], "0123456789&") == strlen(s->words[s->count])) {
			s->out = s->words[s->count];
			s->in_word = false;
		}
	}
	end_word(s);
	while (*s->p && strchr("<>&|", *s->p))
		s->p++;
	s->target = true;
}

static void step(struct splitter *s)
{
	char c = *s->p;

	if (c == '\'' || c == '"') {
		take_quotes(s);
	} else if (c == '\\') {
		s->p++;
		if (*s->p && *s->p != '\n')
			put(s, *s->p);
		s->p += *s->p != '\0';
	} else if (take_substitution(s)) {
		return;
	} else if (c == '<' || c == '>' || (c == '&' && s->p[1] == '>')) {
		take_redirection(s);
	} else if (strchr(";&|()\n", c)) {
		end_command(s);
		s->p++;
	} else if (c == '#' && !s->in_word) {
		s->p += strcspn(s->p, "\n");
	} else if (isspace((unsigned char)c)) {
		end_word(s);
		s->p++;
	} else {
		put(s, c);
		s->p++;
	}
}

int shell_each_command(const char *text, unsigned int depth, shell_command_fn fn, void *data)
{
	size_t len = strlen(text), max = len / 2 + 3;
	_cleanup_free_ char **words = malloc(max * sizeof(*words));
	_cleanup_free_ char *buffer = malloc(2 * len + 2);
	struct splitter s = {
		.p = text,
		.words = words,
		.out = buffer,
		.text = buffer,
		.depth = depth,
		.fn = fn,
		.data = data,
	};

	if (!words || !buffer)
		return -ENOMEM;
	while (*s.p)
		step(&s);
	end_command(&s);
	return s.error;
}
