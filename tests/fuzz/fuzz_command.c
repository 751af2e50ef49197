/* A usage line and command lines: whatever matches is a candidate. The input: a byte for the style
 * of options, the usage line, then one command a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/build.h"
#include "policy/shellwords.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MANY_WORDS 100

static size_t count_words(char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	return n;
}

static void check(const struct policy *p, char *const *argv, const char *path)
{
	struct action a = { .argv = argv,
			    .path = path,
			    .cwd = "/home/dev/app",
			    .home = "/home/dev",
			    .root_fd = -1 };
	_cleanup_strbuf_ struct strbuf started = STRBUF_INIT;
	struct finding f, more;

	policy_match(p, &a, &f);
	/* a match for having too many readings may lack what a match has */
	if (f.id && count_words(argv) < MANY_WORDS && !policy_is_candidate(p, &a))
		abort();
	a.started = &started;
	policy_match(p, &a, &more);
	if (more.verdict < f.verdict || (more.started && !started.len))
		abort();
}

static void try_line(const struct policy *p, char *line)
{
	char *remote[] = { (char *)"ssh", (char *)"h", line, NULL };
	char *code[] = { (char *)"bash", (char *)"-c", line, NULL };
	char **words;

	check(p, remote, NULL);
	check(p, code, NULL);
	if (shellwords_split(line, &words, NULL))
		return;
	if (words[0]) {
		check(p, words, NULL);
		check(p, words, words[1] ? words[1] : "/bin/x");
	}
	shellwords_free(words);
}

static void try_lines(const struct policy *p, char *lines)
{
	char *line, *more = lines;

	for (int i = 0; i < 8 && (line = strsep(&more, "\n")); i++)
		try_line(p, line);
}

static struct policy *compile(struct arena *a, const char *line, u8 style)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	struct faults faults = { .out = &err };
	struct pack pack = {
		.src = { .name = "x", .text = line, .len = strlen(line), .faults = &faults },
		.name.s = "t",
		.title = "T",
	}, *packs = &pack;
	struct program program = { .pack = &pack,
				   .style = style % STYLE_COUNT,
				   .nocase = style & 0x40 };
	struct option_name value = { .name = "-v" }, flag = { .name = "--flag" };
	struct signature s = { .id.s = "s", .why.s = "", .attack = "", .verdict = VERDICT_HOLD };
	struct usage u;
	struct library library = { .packs = &packs, .packs_count = 1 };
	struct build_stats stats;
	struct policy *p = NULL;

	if (!usage_parse(a, &pack.src, (struct text) { .s = line }, &u))
		return NULL;
	program.key.s = u.program;
	ARENA_PUSH(a, program.values, value);
	ARENA_PUSH(a, program.flags, flag);
	ARENA_PUSH(a, s.commands, u);
	ARENA_PUSH(a, pack.programs, program);
	ARENA_PUSH(a, pack.signatures, s);
	if (build_image(a, &library, &image, &stats) == 0 &&
	    policy_from_memory(image.data, image.len, &p, &err))
		abort();
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct policy *p;
	char *lines;

	if (size < 2 || size > 4096 || memchr(data, '\0', size))
		return 0;
	strbuf_add(&text, data + 1, size - 1);
	lines = strchr(text.data, '\n');
	if (!lines)
		return 0;
	*lines++ = '\0';
	p = compile(&a, text.data, data[0]);
	if (p)
		try_lines(p, lines);
	policy_free(p);
	return 0;
}
