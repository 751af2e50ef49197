#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "export/nats.h"
#include "export/selection.h"

static bool is_plain(char c)
{
	return c > 0 && (isalnum(c) || c == '-' || c == '_');
}

void nats_host(struct slice host, char ret[NATS_HOST_MAX + 1])
{
	strcpy(ret, "_");
	for (size_t i = 0; i < host.len && i < NATS_HOST_MAX; i++) {
		ret[i] = is_plain(host.at[i]) ? host.at[i] : '_';
		ret[i + 1] = '\0';
	}
}

void nats_subject(const struct event *e, char *buf, size_t size)
{
	char name[NATS_HOST_MAX + 1];

	nats_host(e->machine.len ? e->machine : e->host, name);
	snprintf(buf, size, "backstop.%s.%s", name, selection_class_word(e->class_uid));
}
