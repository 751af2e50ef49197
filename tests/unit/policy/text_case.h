/* A question that is asked about many texts. */
#ifndef UNIT_POLICY_TEXT_CASE_H
#define UNIT_POLICY_TEXT_CASE_H

#include <string.h>

struct text_case {
	const char *text;
	bool yes;
};

/* `answer` is an expression of `text` and `len`. */
#define check_texts(cases, answer)                                                                 \
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {                                           \
		const char *text = (cases)[i].text;                                                \
		size_t len = strlen(text);                                                         \
                                                                                                   \
		if ((answer) != (cases)[i].yes)                                                    \
			fail_msg("%s", text);                                                      \
	}

#endif
