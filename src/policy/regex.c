#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#define MATCH_LIMIT 20000 /* steps: about a millisecond */
#define HEAP_LIMIT  1024  /* KiB */
#define NEST_LIMIT  32	  /* parentheses */

struct regexes {
	pcre2_code **codes; /* by alternative, NULL where it has none */
	u32 count;
	pcre2_match_context *context;
	pcre2_match_data *data;
};

static pcre2_code *compile(const char *pattern, bool nocase, int *ret_code, size_t *ret_offset)
{
	u32 flags = PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | (nocase ? PCRE2_CASELESS : 0);
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	*ret_code = PCRE2_ERROR_NOMEMORY;
	if (!context)
		return NULL;
	pcre2_set_max_pattern_length(context, REGEX_MAX);
	pcre2_set_parens_nest_limit(context, NEST_LIMIT);
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, ret_code,
			     ret_offset, context);
	pcre2_compile_context_free(context);
	return code;
}

static void explain(int code, struct strbuf *err)
{
	char message[256];

	if (pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message)) < 0)
		strcpy(message, "not a regular expression");
	strbuf_adds(err, message);
}

int regex_check(const char *pattern, size_t *ret_offset, struct strbuf *err)
{
	size_t offset = 0;
	int code;
	pcre2_code *re = compile(pattern, false, &code, &offset);

	if (!re) {
		explain(code, err);
		*ret_offset = offset;
		return -EINVAL;
	}
	pcre2_code_free(re);
	return 0;
}

static bool make_context(struct regexes *r)
{
	r->context = pcre2_match_context_create(NULL);
	r->data = pcre2_match_data_create(1, NULL);
	if (!r->context || !r->data)
		return false;
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	pcre2_set_depth_limit(r->context, MATCH_LIMIT);
	pcre2_set_heap_limit(r->context, HEAP_LIMIT);
	return true;
}

/* Alternatives of programs that compare without case are compiled without it. */
static void mark_nocase(const struct image *im, bool *nocase)
{
	for (u32 i = 0; i < im->programs_count; i++) {
		const struct image_program *p = &im->programs[i];

		for (u32 l = 0; p->nocase && l < p->lines_count; l++) {
			const struct image_line *line = &im->lines[p->lines + l];

			for (u32 k = 0; k < line->items_count; k++) {
				const struct image_item *item = &im->items[line->items + k];

				memset(nocase + item->alts, true, item->alts_count);
			}
		}
	}
}

static int compile_all(struct regexes *r, const struct image *im, struct strbuf *err)
{
	_cleanup_free_ bool *nocase = calloc(im->alts_count + 1, sizeof(*nocase));
	size_t offset;
	int code;

	if (!nocase)
		return -ENOMEM;
	mark_nocase(im, nocase);
	for (u32 i = 0; i < r->count; i++) {
		const char *pattern = im->strings + im->alts[i].arg;

		if (im->alts[i].cond != COND_RE)
			continue;
		r->codes[i] = compile(pattern, nocase[i], &code, &offset);
		if (!r->codes[i]) {
			strbuf_adds(err, "a regular expression in the image is wrong: ");
			explain(code, err);
			return -EINVAL;
		}
	}
	return 0;
}

int regexes_new(const struct image *im, struct regexes **ret, struct strbuf *err)
{
	struct regexes *r = calloc(1, sizeof(*r));
	int result = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->codes = calloc(im->alts_count + 1, sizeof(*r->codes));
	r->count = r->codes ? im->alts_count : 0;
	if (r->codes && make_context(r))
		result = compile_all(r, im, err);
	if (result) {
		regexes_free(r);
		return result;
	}
	*ret = r;
	return 0;
}

void regexes_free(struct regexes *r)
{
	if (!r)
		return;
	for (u32 i = 0; i < r->count; i++)
		pcre2_code_free(r->codes[i]);
	free(r->codes);
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	free(r);
}

bool regexes_match(const struct regexes *r, u32 alt, const char *text, bool otherwise)
{
	int n;

	if (!r->codes[alt])
		return false;
	n = pcre2_match(r->codes[alt], (PCRE2_SPTR)text, strlen(text), 0, 0, r->data, r->context);
	if (n >= 0)
		return true;
	return n == PCRE2_ERROR_NOMATCH ? false : otherwise;
}
