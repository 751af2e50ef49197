#include "export/journald.h"

#include <inttypes.h>
#include <string.h>

#include "export/selection.h"
#include "export/syslog.h"
#include "record/event.h"

/* What has a newline states its length. */
static void add_field(struct strbuf *out, const char *name, const char *data, size_t len)
{
	strbuf_adds(out, name);
	if (!memchr(data, '\n', len)) {
		strbuf_addc(out, '=');
	} else {
		strbuf_addc(out, '\n');
		for (int i = 0; i < 8; i++)
			strbuf_addc(out, (char)((uint64_t)len >> (8 * i)));
	}
	strbuf_add(out, data, len);
	strbuf_addc(out, '\n');
}

static void add_slice(struct strbuf *out, const char *name, struct slice s)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!s.len)
		return;
	event_add_text(&text, s);
	add_field(out, name, strbuf_str(&text), text.len);
}

static void add_event(struct strbuf *out, const struct event *e)
{
	const struct {
		const char *name;
		struct slice value;
	} fields[] = {
		{ "MESSAGE", e->message },
		{ "BACKSTOP_UID", e->uid },
		{ "BACKSTOP_HOST", e->host },
		{ "BACKSTOP_SESSION", e->session },
		{ "BACKSTOP_AGENT", e->agent },
		{ "BACKSTOP_SIGNATURE", e->signature },
		{ "BACKSTOP_SEVERITY", e->severity },
		{ "BACKSTOP_VERDICT", e->verdict },
		{ "BACKSTOP_BY", e->by },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		add_slice(out, fields[i].name, fields[i].value);
	strbuf_addf(out, "BACKSTOP_CLASS=%s\n", selection_class_word(e->class_uid));
	if (e->hold)
		strbuf_addf(out, "BACKSTOP_HOLD=%" PRId64 "\n", e->hold);
}

void journald_add(struct strbuf *out, const char *line, size_t len)
{
	struct event e = { 0 };

	if (event_read(line, len, &e))
		add_event(out, &e);
	else
		add_field(out, "MESSAGE", line, len);
	strbuf_addf(out, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=backstop\n",
		    syslog_severity(&e), SYSLOG_FACILITY);
	add_field(out, "BACKSTOP_EVENT", line, len);
}
