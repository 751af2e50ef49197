/* Metrics as text: Prometheus' own format (version 0.0.4), or OpenMetrics 1.0. */
#ifndef SERVE_EXPOSITION_H
#define SERVE_EXPOSITION_H

#include "base/strbuf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

struct exposition {
	struct strbuf *out; /* not owned */
	bool openmetrics;
	const char *name; /* of the family that was begun */
	enum metric_type type;
};

struct label {
	const char *name, *value; /* the value may hold anything */
};

/* A family: its name is without "_total" or "_info", which its samples get. */
void exposition_begin(struct exposition *e, const char *name, enum metric_type type,
		      const char *help);
void exposition_put(struct exposition *e, const struct label *labels, size_t count, double value);
/* One of a histogram: "_bucket", "_sum" or "_count". */
void exposition_put_part(struct exposition *e, const char *suffix, const struct label *labels,
			 size_t count, double value);
void exposition_end(struct exposition *e); /* of all */

/* What a client reads, by its Accept header; NULL: it sent none. */
bool exposition_is_openmetrics(const char *accept);
const char *exposition_content_type(bool openmetrics);

#endif
