/* Questions and answers, as all that answers them uses both. */
#include <string.h>

#include "context/reader.h"

const char *ask_next(const struct ask *a, char tag, size_t *at)
{
	while (a->args[*at]) {
		const char *arg = a->args[(*at)++];

		if (arg[0] == tag && arg[1] == '=')
			return arg + 2;
	}
	return NULL;
}

const char *ask_last(const struct ask *a, char tag)
{
	const char *value, *last = NULL;
	size_t at = 0;

	while ((value = ask_next(a, tag, &at)))
		last = value;
	return last;
}

bool ask_has_word(const struct ask *a, const char *word)
{
	const char *value;
	size_t at = 0;

	while ((value = ask_next(a, 't', &at)))
		if (strcmp(value, word) == 0)
			return true;
	return false;
}

void answer_add(struct answer *a, const char *name)
{
	if (a->count < CONTEXT_NAMES)
		a->names[a->count] = strdup(name);
	a->count++;
}
