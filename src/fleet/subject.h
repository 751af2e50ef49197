/* Where decisions for a host are published: "backstop.approve.HOST". */
#ifndef FLEET_SUBJECT_H
#define FLEET_SUBJECT_H

#include <stdio.h>
#include <string.h>

#include "export/nats.h"

#define APPROVE_SUBJECT_MAX 96

/* `host` is an approval_host(). */
static inline void approve_subject(const char *host, char ret[APPROVE_SUBJECT_MAX])
{
	char word[NATS_HOST_MAX + 1];

	nats_host((struct slice) { host, strlen(host) }, word);
	snprintf(ret, APPROVE_SUBJECT_MAX, "backstop.approve.%s", word);
}

#endif
