/* Which events a sink gets. */
#ifndef EXPORT_SELECTION_H
#define EXPORT_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECTION_CLASSES    "process, file, network, finding, application"
#define SELECTION_SEVERITIES "low, medium, high, critical"

struct selection {
	unsigned int classes; /* bits; 0: all */
	int severity;	      /* at least; 0: events that have none, too */
};

/* The word of a class, "application" where it is none of ours. */
const char *selection_class_word(int64_t class_uid);

/* The bit of a class in `classes`; 0: there is no such word. */
unsigned int selection_class_bit(const char *word, size_t len);

/* "finding,network": 0 or -EINVAL. */
int selection_add_classes(struct selection *s, const char *words);
/* "high": 0 or -EINVAL. */
int selection_set_severity(struct selection *s, const char *word);

/* Of a line that is no event only a selection of all has any. */
bool selection_has(const struct selection *s, const char *line, size_t len);

/* A severity's number, 1 to 4, 0: it is none. The word need not end there. */
int selection_severity(const char *word, size_t len);

#endif
