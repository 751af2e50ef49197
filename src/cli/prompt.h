/* What watch shows at the bottom of the terminal: the hold that waits, and the keys. */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <jansson.h>

#include "base/strbuf.h"

struct prompt_size {
	unsigned int columns, rows;
};

struct prompt {
	unsigned int rows; /* that it takes on the terminal */
	bool whole;	   /* nothing of the action had to be left out */
};

/* Appends the text for `hold` (NULL: none waits), with `others` more waiting behind it. Strings of
 * others are escaped, lines are broken at the terminal's width, and there is no newline at the end.
 */
struct prompt prompt_add(struct strbuf *out, const json_t *hold, size_t others,
			 struct prompt_size size);

/* Appends what takes a prompt of so many rows off the terminal; the cursor stands at its end. */
void prompt_erase(struct strbuf *out, unsigned int rows);

#endif
