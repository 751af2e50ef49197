#include <ctype.h>
#include <stdio.h>

#include "export/nats.h"
#include "export/selection.h"
#include "record/event.h"

#define HOST_MAX 64

static bool is_plain(char c)
{
	return c > 0 && (isalnum(c) || c == '-' || c == '_');
}

void nats_subject(const struct event *e, char *buf, size_t size)
{
	struct slice host = e->machine.len ? e->machine : e->host;
	char name[HOST_MAX + 1] = "_";

	for (size_t i = 0; i < host.len && i < HOST_MAX; i++) {
		name[i] = is_plain(host.at[i]) ? host.at[i] : '_';
		name[i + 1] = '\0';
	}
	snprintf(buf, size, "backstop.%s.%s", name, selection_class_word(e->class_uid));
}
