#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#define MATCH_LIMIT 20000 /* steps: about a millisecond */
#define HEAP_LIMIT  1024  /* KiB */
#define NEST_LIMIT  32	  /* parentheses */

struct regexes {
	const struct image *image;
	pcre2_code **all; /* by alternative, NULL where it has not been needed yet */
	bool *nocase;	  /* by alternative */
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

int regexes_new(const struct image *im, struct regexes **ret)
{
	struct regexes *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->image = im;
	r->all = calloc(im->alts_count + 1, sizeof(*r->all));
	r->nocase = calloc(im->alts_count + 1, sizeof(*r->nocase));
	if (!r->all || !r->nocase || !make_context(r)) {
		regexes_free(r);
		return -ENOMEM;
	}
	mark_nocase(im, r->nocase);
	*ret = r;
	return 0;
}

void regexes_free(struct regexes *r)
{
	if (!r)
		return;
	for (u32 i = 0; r->all && i < r->image->alts_count; i++)
		pcre2_code_free(r->all[i]);
	free(r->all);
	free(r->nocase);
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	free(r);
}

bool regexes_match(const struct regexes *r, u32 alt, const char *text, bool otherwise)
{
	const struct image_alt *a = &r->image->alts[alt];
	size_t offset;
	int n;

	if (a->cond != COND_RE)
		return false;
	if (!r->all[alt])
		r->all[alt] = compile(r->image->strings + a->arg, r->nocase[alt], &n, &offset);
	if (!r->all[alt])
		return otherwise;
	n = pcre2_match(r->all[alt], (PCRE2_SPTR)text, strlen(text), 0, 0, r->data, r->context);
	if (n >= 0)
		return true;
	return n == PCRE2_ERROR_NOMATCH ? false : otherwise;
}
