/* The page /metrics. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <jansson.h>

#include "base/strbuf.h"
#include "serve/facts.h"

/* Appends all that is known; `status` is the guard's reply, NULL where it gave none. */
void metrics_write(struct strbuf *out, bool openmetrics, const json_t *status,
		   const struct facts *f);

#endif
