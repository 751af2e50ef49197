#include "policy/code_words.h"

#include <ctype.h>
#include <string.h>

#include "policy/grammar.h"

struct interpreter {
	const char *names; /* also with a version behind them */
	enum code_language language;
	const char *letters;	/* short options that take code, in the same word or the next */
	const char *attached;	/* those that take what follows in the same word */
	struct grammar options; /* those that take a value */
	const char *code;	/* long options that take code */
	const char *sub;	/* the word before the code; without: an operand ends it */
	bool operand;		/* the code is the first operand */
	bool flags;		/* nothing is attached: -pe is -p and -e */
};

static const struct interpreter interpreters[] = {
	{ .names = "python pypy ipython bpython",
	  .language = CODE_PYTHON,
	  .letters = "c",
	  .options = { "WX", "--check-hash-based-pycs", false } },
	{ .names = "node nodejs bun tsx ts-node electron",
	  .language = CODE_JAVASCRIPT,
	  .letters = "ep",
	  .options = { "rC",
		       "--require --import --loader --experimental-loader --conditions --env-file "
		       "--input-type",
		       false },
	  .code = "--eval --print",
	  .flags = true },
	{ .names = "deno",
	  .language = CODE_JAVASCRIPT,
	  .options = { "cL", "--config --import-map --log-level --lock --location --ext", false },
	  .sub = "eval" },
	{ .names = "perl", .language = CODE_PERL, .letters = "eE", .attached = "iImMFxCDV" },
	{ .names = "ruby jruby truffleruby",
	  .language = CODE_RUBY,
	  .letters = "e",
	  .attached = "iFxKTW",
	  .options = { "rICE", "--encoding --external-encoding --internal-encoding", false } },
	{ .names = "php",
	  .language = CODE_PHP,
	  .letters = "rRBE",
	  .options = { "dcztS", "--define --php-ini --zend-extension --docroot --server", false },
	  .code = "--run --process-begin --process-code --process-end" },
	{ .names = "lua luajit",
	  .language = CODE_LUA,
	  .letters = "e",
	  .options = { "l", NULL, false } },
	{ .names = "Rscript R", .language = CODE_R, .letters = "e" },
	{ .names = "awk gawk mawk nawk",
	  .language = CODE_AWK,
	  .options = { "vFfE", "--assign --field-separator --file --include --load", false },
	  .operand = true },
};

static const struct interpreter *find(const char *program)
{
	size_t len = strcspn(program, "0123456789");

	len -= len && program[len] && strchr("-.", program[len - 1]);
	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++)
		if (grammar_lists(interpreters[i].names, program, len))
			return &interpreters[i];
	return NULL;
}

int code_language_of(const char *program)
{
	const struct interpreter *in = find(program);

	return in ? (int)in->language : -1;
}

/* The code of a cluster of short options, or NULL; `*at` is moved on behind what it takes. */
static const char *read_cluster(const struct interpreter *in, char *const *words, u32 count,
				u32 *at)
{
	const char *values = in->options.letters ? in->options.letters : "";
	const char *found = NULL;

	for (const char *p = words[(*at)++] + 1; *p; p++) {
		bool code = in->letters && strchr(in->letters, *p);

		if (!code && !strchr(values, *p)) {
			if (in->attached && strchr(in->attached, *p))
				break;
			continue;
		}
		if (in->flags && p[1])
			continue;
		if (p[1])
			found = code ? p + 1 : found;
		else if (*at < count)
			found = code ? words[(*at)++] : ((*at)++, found);
		break;
	}
	return found;
}

static const char *read_long(const struct interpreter *in, char *const *words, u32 count, u32 *at)
{
	const char *word = words[(*at)++];
	size_t len = strcspn(word, "=");
	bool code = grammar_lists(in->code, word, len);

	if (word[len])
		return code ? word + len + 1 : NULL;
	if (code || grammar_takes_next(&in->options, word))
		return *at < count ? (code ? words[(*at)++] : ((*at)++, NULL)) : NULL;
	return NULL;
}

const char *code_next(const char *program, char *const *words, u32 count, u32 *at)
{
	const struct interpreter *in = find(program);
	const char *code = NULL;

	while (in && *at < count && !code) {
		const char *word = words[*at];

		if (word[0] == '-' && word[1] && strcmp(word, "--") != 0) {
			code = word[1] == '-' ? read_long(in, words, count, at)
					      : read_cluster(in, words, count, at);
			continue;
		}
		if (in->sub && strcmp(word, in->sub) == 0) {
			u32 behind = grammar_skip_options(&in->options, words, count, *at + 1);

			code = behind < count ? words[behind] : NULL;
		} else if (in->operand && strcmp(word, "--") != 0) {
			code = word;
		} else if (in->operand) {
			(*at)++;
			continue;
		}
		*at = count;
	}
	return code;
}
