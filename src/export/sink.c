#include "export/sink.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "export/nats.h"
#include "export/sink_type.h"

static const struct sink_type *const types[] = { &sink_file,	 &sink_stdout, &sink_udp,
						 &sink_tcp,	 &sink_tls,    &sink_nats,
						 &sink_tls_nats, &sink_https,  &sink_http,
						 &sink_journald };

void sink_free(struct sink *s)
{
	if (!s)
		return;
	if (s->begun && s->type->tear_down)
		s->type->tear_down(s);
	strbuf_free(&s->why);
	free(s->options_text);
	free(s->name);
	free(s);
}

/* ---- what is written in the settings */

static const struct sink_type *find_type(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strncmp(text, types[i]->scheme, strlen(types[i]->scheme)) == 0)
			return types[i];
	return NULL;
}

bool sink_begins(const char *text)
{
	return find_type(text);
}

static struct strbuf words;

static void make_words(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		strbuf_addf(&words, "%s%s", i ? ", " : "", types[i]->usage);
}

const char *sink_words(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_words);
	return strbuf_str(&words);
}

static bool is_known(const struct sink_type *t, const char *key)
{
	if (strcmp(key, "class") == 0 || strcmp(key, "severity") == 0)
		return true;
	for (const char *const *known = t->options; known && *known; known++)
		if (strcmp(*known, key) == 0)
			return true;
	return false;
}

/* "key=value&key=value" */
static int parse_options(struct sink *s, const char *text)
{
	char *rest, *part;

	s->options_text = strdup(text);
	rest = s->options_text;
	if (!rest)
		return -ENOMEM;
	while ((part = strsep(&rest, "&"))) {
		struct sink_option *o = &s->options[s->option_count];

		o->key = strsep(&part, "=");
		o->value = part;
		if (!part || !*part || !is_known(s->type, o->key) || sink_option(s, o->key) ||
		    ++s->option_count == SINK_OPTIONS_MAX)
			return -EINVAL;
	}
	return 0;
}

static int select_events(struct sink *s)
{
	const char *classes = sink_option(s, "class"), *severity = sink_option(s, "severity");
	int r = classes ? selection_add_classes(&s->selection, classes) : 0;

	return !r && severity ? selection_set_severity(&s->selection, severity) : r;
}

/* "user:password@host:1,host:2/path" without what may be secret; a password of a sink with one
 * server may have commas */
static void add_servers(struct strbuf *out, const char *place, bool several)
{
	const char *end = place + strcspn(place, "/?");

	while (place < end) {
		size_t len = strcspn(place, several ? ",/?" : "/?");
		const char *at = memrchr(place, '@', len), *host = at ? at + 1 : place;

		strbuf_add(out, host, place + len - host);
		place += len;
		if (*place == ',')
			strbuf_addc(out, *place++);
	}
}

static int make_name(struct sink *s, const char *place)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;

	strbuf_adds(&name, s->type->scheme);
	if (strstr(s->type->scheme, "://"))
		add_servers(&name, place, nats_is(s));
	else
		strbuf_adds(&name, place);
	s->name = strbuf_take(&name);
	return s->name ? 0 : -ENOMEM;
}

static int parse(struct sink *s, const char *rest)
{
	const char *hash = strchr(rest, '#');
	_cleanup_free_ char *place = strndup(rest, hash ? (size_t)(hash - rest) : strlen(rest));
	int r = place ? make_name(s, place) : -ENOMEM;

	if (!r && hash)
		r = parse_options(s, hash + 1) ?: select_events(s);
	s->begun = !r;
	return r ? r : s->type->set_up(s, place);
}

int sink_new(const char *spec, struct sink **ret)
{
	const struct sink_type *type = find_type(spec);
	_cleanup_(sink_free_ptr) struct sink *s = type ? calloc(1, type->size) : NULL;
	int r;

	if (!s)
		return type ? -ENOMEM : -EINVAL;
	s->type = type;
	r = parse(s, spec + strlen(type->scheme));
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

const char *sink_option(const struct sink *s, const char *key)
{
	for (size_t i = 0; i < s->option_count; i++)
		if (strcmp(s->options[i].key, key) == 0)
			return s->options[i].value;
	return NULL;
}

/* ---- sending */

int sink_send(struct sink *s, const char *lines, size_t len)
{
	strbuf_reset(&s->why);
	s->taken = 0;
	s->retry_ms = 0;
	return s->type->send(s, lines, len);
}

bool sink_wants(const struct sink *s, const char *line, size_t len)
{
	return selection_has(&s->selection, line, len);
}

size_t sink_taken(const struct sink *s)
{
	return s->taken;
}

unsigned int sink_retry_ms(const struct sink *s)
{
	return s->retry_ms;
}

uint64_t sink_refused(const struct sink *s)
{
	return s->refused;
}

void sink_cancel(struct sink *s)
{
	s->cancelled = true;
}

unsigned int sink_settle_ms(const struct sink *s)
{
	return s->type->settle_ms;
}

int sink_check(struct sink *s)
{
	return s->type->check ? s->type->check(s) : 0;
}

int sink_fail(struct sink *s, int err, const char *fmt, ...)
{
	va_list args;

	strbuf_reset(&s->why);
	va_start(args, fmt);
	strbuf_vaddf(&s->why, fmt, args);
	va_end(args);
	return err;
}

const char *sink_name(const struct sink *s)
{
	return s->name;
}

const char *sink_why(const struct sink *s)
{
	return s->why.len ? s->why.data : NULL;
}

void sink_refuse(struct sink *s, size_t len, const char *why)
{
	s->refused++;
	log_warning("export: %s never takes an event of %zu bytes (%s): it is left out", s->name,
		    len, why);
}

int sink_for_each(const char *lines, size_t len,
		  int (*each)(void *data, const char *line, size_t len), void *data)
{
	const char *end = lines + len, *newline;
	int r = 0;

	for (; !r && (newline = memchr(lines, '\n', end - lines)); lines = newline + 1)
		r = each(data, lines, newline - lines);
	return r;
}
