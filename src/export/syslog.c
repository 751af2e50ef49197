#include "export/syslog.h"

#include <time.h>

#include "record/event.h"

#define HOST_MAX 255

int syslog_severity(const struct event *e)
{
	return e->kind == EVENT_FINDING && e->disposition != 1 ? 4 : 6;
}

static void add_time(struct strbuf *out, int64_t ms)
{
	time_t seconds = ms / 1000;
	struct tm t;
	char text[32];

	gmtime_r(&seconds, &t);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t);
	strbuf_addf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

/* A host's name has no blanks, and is of printable ASCII. */
static void add_host(struct strbuf *out, struct slice host)
{
	size_t shown = 0;

	for (size_t i = 0; i < host.len && shown < HOST_MAX; i++)
		if (host.at[i] > ' ' && host.at[i] < 127) {
			strbuf_addc(out, host.at[i]);
			shown++;
		}
	if (!shown)
		strbuf_addc(out, '-');
}

void syslog_add(struct strbuf *out, const char *line, size_t len)
{
	struct event e = { 0 };

	if (!event_read(line, len, &e))
		e.time_ms = 0;
	strbuf_addf(out, "<%d>1 ", SYSLOG_FACILITY * 8 + syslog_severity(&e));
	if (e.time_ms)
		add_time(out, e.time_ms);
	else
		strbuf_addc(out, '-');
	strbuf_addc(out, ' ');
	add_host(out, e.host);
	strbuf_addf(out, " backstop - %lld - ", (long long)e.class_uid);
	strbuf_add(out, line, len);
}
