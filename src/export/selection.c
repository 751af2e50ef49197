#include "export/selection.h"

#include <errno.h>
#include <string.h>

#include "record/event.h"

static const struct {
	int64_t uid;
	const char *word;
} classes[] = {
	{ 1007, "process" }, { 1001, "file" },	      { 4001, "network" },
	{ 2004, "finding" }, { 6002, "application" },
};

static const char *const severities[] = { "low", "medium", "high", "critical" };

const char *selection_class_word(int64_t class_uid)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].uid == class_uid)
			return classes[i].word;
	return "application";
}

unsigned int selection_class_bit(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (strlen(classes[i].word) == len && !memcmp(classes[i].word, word, len))
			return 1U << i;
	return 0;
}

int selection_add_classes(struct selection *s, const char *words)
{
	unsigned int all = 0;

	for (;;) {
		size_t len = strcspn(words, ",");
		unsigned int bit = selection_class_bit(words, len);

		if (!bit)
			return -EINVAL;
		all |= bit;
		if (!words[len])
			break;
		words += len + 1;
	}
	s->classes |= all;
	return 0;
}

int selection_severity(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
		if (strlen(severities[i]) == len && !memcmp(severities[i], word, len))
			return (int)i + 1;
	return 0;
}

int selection_set_severity(struct selection *s, const char *word)
{
	int severity = selection_severity(word, strlen(word));

	if (!severity)
		return -EINVAL;
	s->severity = severity;
	return 0;
}

bool selection_has(const struct selection *s, const char *line, size_t len)
{
	struct event e = { 0 };
	const char *word;

	if (!s->classes && !s->severity)
		return true;
	if (!event_read(line, len, &e))
		return false;
	word = selection_class_word(e.class_uid);
	if (s->classes && !(s->classes & selection_class_bit(word, strlen(word))))
		return false;
	return !s->severity ||
	       (e.severity.len && selection_severity(e.severity.at, e.severity.len) >= s->severity);
}
