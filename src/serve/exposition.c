#include "serve/exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const types[] = { "counter", "gauge", "histogram", "info" };

static const char *suffix_of(enum metric_type type)
{
	return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

/* OpenMetrics names the family, the older format each sample. */
void exposition_begin(struct exposition *e, const char *name, enum metric_type type,
		      const char *help)
{
	const char *suffix = e->openmetrics ? "" : suffix_of(type);
	const char *word = type == METRIC_INFO && !e->openmetrics ? "gauge" : types[type];

	e->name = name;
	e->type = type;
	strbuf_addf(e->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		    word);
}

static void add_escaped(struct strbuf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			strbuf_adds(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *value);
	}
}

static void add_labels(struct strbuf *out, const struct label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		strbuf_addf(out, "%s%s=\"", i ? "," : "{", labels[i].name);
		add_escaped(out, labels[i].value);
		strbuf_addc(out, '"');
	}
	if (count)
		strbuf_addc(out, '}');
}

void exposition_put_part(struct exposition *e, const char *suffix, const struct label *labels,
			 size_t count, double value)
{
	strbuf_addf(e->out, "%s%s", e->name, suffix);
	add_labels(e->out, labels, count);
	strbuf_addf(e->out, isfinite(value) ? " %.15g\n" : " NaN\n", value);
}

void exposition_put(struct exposition *e, const struct label *labels, size_t count, double value)
{
	exposition_put_part(e, suffix_of(e->type), labels, count, value);
}

void exposition_end(struct exposition *e)
{
	if (e->openmetrics)
		strbuf_adds(e->out, "# EOF\n");
}

/* ---- what the client reads */

#define OPENMETRICS "application/openmetrics-text"

/* The weight of a media range: ";q=0.5" among its parameters, else 1. */
static double weight_of(const char *range, size_t len)
{
	const char *end = range + len;

	for (const char *at = range; (at = memchr(at, ';', end - at));) {
		at += 1 + strspn(at + 1, " \t");
		if (end - at > 2 && !strncasecmp(at, "q=", 2))
			return strtod(at + 2, NULL);
	}
	return 1;
}

static bool is_range(const char *range, size_t len, const char *type)
{
	size_t n = strcspn(range, "; \t,");

	return n <= len && n == strlen(type) && !strncasecmp(range, type, n);
}

/* What is asked for by name goes before what a wildcard takes, which is the older format. */
bool exposition_is_openmetrics(const char *accept)
{
	double open = 0, plain = 0;
	size_t len;

	for (const char *at = accept ? accept : ""; *at; at += len + (at[len] == ',')) {
		at += strspn(at, " \t");
		len = strcspn(at, ",");
		if (is_range(at, len, OPENMETRICS))
			open = MAX(open, weight_of(at, len));
		else if (is_range(at, len, "text/plain"))
			plain = MAX(plain, weight_of(at, len));
	}
	return open > 0 && open >= plain;
}

const char *exposition_content_type(bool openmetrics)
{
	return openmetrics ? OPENMETRICS "; version=1.0.0; charset=utf-8"
			   : "text/plain; version=0.0.4; charset=utf-8";
}
