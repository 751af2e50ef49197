#include "policy/shellwords.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Copies one word from `*in` to `*out` without its quotes. */
static int take_word(const char **in, char **out)
{
	const char *p = *in;
	char quote = 0;

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
			continue;
		}
		if (*p == '\\' && p[1] && quote != '\'' && (!quote || strchr("\"\\$`\n", p[1])))
			p++;
		*(*out)++ = *p;
	}
	*(*out)++ = '\0';
	*in = p;
	return quote ? -EINVAL : 0;
}

int shellwords_split(const char *line, char ***ret_words, size_t *ret_count)
{
	size_t len = strlen(line), max = len / 2 + 2, n = 0;
	_cleanup_free_ char **words = malloc(max * sizeof(*words) + 2 * len + 2);
	char *text;

	if (!words)
		return -ENOMEM;
	text = (char *)(words + max);
	for (const char *p = line;;) {
		while (is_blank(*p))
			p++;
		if (!*p)
			break;
		words[n++] = text;
		if (take_word(&p, &text))
			return -EINVAL;
	}
	words[n] = NULL;
	*ret_words = TAKE_PTR(words);
	if (ret_count)
		*ret_count = n;
	return 0;
}

void shellwords_free(char **words)
{
	free(words);
}
