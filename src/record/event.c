/* Which members count depends on the object they are in: a place. Unknown members are passed over.
 * Where an event says something twice (actor and process) the last one counts. */
#include "record/event.h"

#include <string.h>

enum place {
	AT_EVENT,
	AT_METADATA,
	AT_DEVICE,
	AT_ACTOR,
	AT_PROCESS,
	AT_PROCESS_FILE,
	AT_PARENT,
	AT_USER,
	AT_FILE,
	AT_TARGET,
	AT_UNMAPPED,
	AT_DETAILS,
	AT_CHECKPOINT,
	AT_EVIDENCES,
	AT_EVIDENCE,
	AT_NOTHING, /* passed over */
};

enum member_kind { MEMBER_OBJECT, MEMBER_STRING, MEMBER_NUMBER, MEMBER_ARRAY };

#define IN_EVENT(m)   offsetof(struct event, m)
#define IN_PROCESS(m) offsetof(struct event, process.m)

static const struct member {
	enum place place;
	enum member_kind kind;
	const char *name;
	size_t target; /* of an object: the place inside; else an offset in struct event */
} members[] = {
	{ AT_EVENT, MEMBER_NUMBER, "class_uid", IN_EVENT(class_uid) },
	{ AT_EVENT, MEMBER_NUMBER, "activity_id", IN_EVENT(activity) },
	{ AT_EVENT, MEMBER_NUMBER, "time", IN_EVENT(time_ms) },
	{ AT_EVENT, MEMBER_OBJECT, "metadata", AT_METADATA },
	{ AT_EVENT, MEMBER_OBJECT, "device", AT_DEVICE },
	{ AT_EVENT, MEMBER_STRING, "message", IN_EVENT(message) },
	{ AT_EVENT, MEMBER_NUMBER, "disposition_id", IN_EVENT(disposition) },
	{ AT_EVENT, MEMBER_NUMBER, "exit_code", IN_EVENT(exit_code) },
	{ AT_EVENT, MEMBER_OBJECT, "actor", AT_ACTOR },
	{ AT_EVENT, MEMBER_OBJECT, "process", AT_PROCESS },
	{ AT_EVENT, MEMBER_OBJECT, "file", AT_FILE },
	{ AT_EVENT, MEMBER_OBJECT, "dst_endpoint", AT_TARGET },
	{ AT_EVENT, MEMBER_OBJECT, "evidences", AT_EVIDENCES },
	{ AT_EVENT, MEMBER_OBJECT, "unmapped", AT_UNMAPPED },
	{ AT_METADATA, MEMBER_STRING, "uid", IN_EVENT(uid) },
	{ AT_DEVICE, MEMBER_STRING, "hostname", IN_EVENT(host) },
	{ AT_DEVICE, MEMBER_STRING, "uid", IN_EVENT(machine) },
	{ AT_ACTOR, MEMBER_OBJECT, "user", AT_USER },
	{ AT_ACTOR, MEMBER_OBJECT, "process", AT_PROCESS },
	{ AT_PROCESS, MEMBER_NUMBER, "pid", IN_PROCESS(pid) },
	{ AT_PROCESS, MEMBER_STRING, "uid", IN_PROCESS(uid) },
	{ AT_PROCESS, MEMBER_STRING, "name", IN_PROCESS(name) },
	{ AT_PROCESS, MEMBER_STRING, "cmd_line", IN_PROCESS(command) },
	{ AT_PROCESS, MEMBER_STRING, "working_directory", IN_PROCESS(cwd) },
	{ AT_PROCESS, MEMBER_OBJECT, "file", AT_PROCESS_FILE },
	{ AT_PROCESS, MEMBER_OBJECT, "user", AT_USER },
	{ AT_PROCESS, MEMBER_OBJECT, "parent_process", AT_PARENT },
	{ AT_PROCESS_FILE, MEMBER_STRING, "path", IN_PROCESS(path) },
	{ AT_PARENT, MEMBER_NUMBER, "pid", IN_PROCESS(parent_pid) },
	{ AT_PARENT, MEMBER_STRING, "uid", IN_PROCESS(parent_uid) },
	{ AT_USER, MEMBER_STRING, "uid", IN_PROCESS(user_id) },
	{ AT_USER, MEMBER_STRING, "name", IN_PROCESS(user) },
	{ AT_FILE, MEMBER_STRING, "path", IN_EVENT(path) },
	{ AT_TARGET, MEMBER_STRING, "ip", IN_EVENT(address) },
	{ AT_TARGET, MEMBER_NUMBER, "port", IN_EVENT(port) },
	{ AT_UNMAPPED, MEMBER_OBJECT, "backstop", AT_DETAILS },
	{ AT_EVIDENCES, MEMBER_OBJECT, "", AT_EVIDENCE },
	{ AT_EVIDENCE, MEMBER_OBJECT, "actor", AT_ACTOR },
	{ AT_EVIDENCE, MEMBER_OBJECT, "process", AT_PROCESS },
	{ AT_EVIDENCE, MEMBER_OBJECT, "file", AT_FILE },
	{ AT_EVIDENCE, MEMBER_OBJECT, "dst_endpoint", AT_TARGET },
	{ AT_DETAILS, MEMBER_STRING, "session", IN_EVENT(session) },
	{ AT_DETAILS, MEMBER_STRING, "agent", IN_EVENT(agent) },
	{ AT_DETAILS, MEMBER_NUMBER, "event", IN_EVENT(number) },
	{ AT_DETAILS, MEMBER_STRING, "run", IN_EVENT(run) },
	{ AT_DETAILS, MEMBER_NUMBER, "hold", IN_EVENT(hold) },
	{ AT_DETAILS, MEMBER_STRING, "verdict", IN_EVENT(verdict) },
	{ AT_DETAILS, MEMBER_STRING, "signature", IN_EVENT(signature) },
	{ AT_DETAILS, MEMBER_STRING, "severity", IN_EVENT(severity) },
	{ AT_DETAILS, MEMBER_STRING, "inner", IN_EVENT(inner) },
	{ AT_DETAILS, MEMBER_STRING, "program", IN_EVENT(program) },
	{ AT_DETAILS, MEMBER_STRING, "by", IN_EVENT(by) },
	{ AT_DETAILS, MEMBER_STRING, "reason", IN_EVENT(reason) },
	{ AT_DETAILS, MEMBER_NUMBER, "latency_ns", IN_EVENT(latency_ns) },
	{ AT_DETAILS, MEMBER_NUMBER, "signal", IN_EVENT(signal) },
	{ AT_DETAILS, MEMBER_ARRAY, "argv", IN_EVENT(argv) },
	{ AT_DETAILS, MEMBER_NUMBER, "line", IN_EVENT(line) },
	{ AT_DETAILS, MEMBER_OBJECT, "checkpoint", AT_CHECKPOINT },
	{ AT_CHECKPOINT, MEMBER_STRING, "key", IN_EVENT(key) },
};

#define DEPTH_MAX 32

struct scan {
	const char *at, *end;
	struct event *event;
};

static uint8_t first[AT_NOTHING + 1];

/* Before there are threads: several of them read events. */
__attribute__((constructor)) static void index_members(void)
{
	for (size_t i = ARRAY_SIZE(members); i--;)
		first[members[i].place] = (uint8_t)i;
}

static const struct member *find_member(enum place place, const char *name, size_t len)
{
	if (place == AT_NOTHING)
		return NULL;
	for (size_t i = first[place]; i < ARRAY_SIZE(members) && members[i].place == place; i++)
		if (strlen(members[i].name) == len && !memcmp(members[i].name, name, len))
			return &members[i];
	return NULL;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* Behind the opening quote. */
static bool read_string(struct scan *s, struct slice *ret)
{
	const char *start = s->at, *quote;

	for (;;) {
		const char *escape;

		quote = memchr(s->at, '"', s->end - s->at);
		if (!quote)
			return false;
		escape = memchr(s->at, '\\', quote - s->at);
		if (!escape)
			break;
		if (s->end - escape < 2)
			return false;
		s->at = escape + 2;
	}
	*ret = (struct slice) { start, quote - start };
	s->at = quote + 1;
	return true;
}

/* What is too large for it is the largest: no other number. */
static bool read_number(struct scan *s, int64_t *ret)
{
	bool negative = *s->at == '-';
	const char *start = s->at += negative;
	uint64_t n = 0;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		n = n > INT64_MAX / 10 ? INT64_MAX
				       : MIN(n * 10 + (uint64_t)(*s->at - '0'), INT64_MAX);
	if (s->at == start)
		return false;
	while (s->at < s->end && strchr(".eE+-0123456789", *s->at) && *s->at)
		s->at++;
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return true;
}

static bool skip_word(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= 'a' && *s->at <= 'z')
		s->at++;
	return s->at > start;
}

static bool read_value(struct scan *s, const struct member *m, int depth);

/* No name is written with an escape: one that is says something else to other readers of JSON. */
static bool read_member(struct scan *s, enum place place, int depth)
{
	struct slice name;

	return take(s, '"') && read_string(s, &name) && !memchr(name.at, '\\', name.len) &&
	       take(s, ':') && read_value(s, find_member(place, name.at, name.len), depth);
}

/* The user, who may be named beside it, stays. */
static void forget_process(struct event_process *p)
{
	*p = (struct event_process) { .user = p->user, .user_id = p->user_id };
}

static bool read_object(struct scan *s, enum place place, int depth)
{
	if (place == AT_PROCESS)
		forget_process(&s->event->process);
	if (take(s, '}'))
		return true;
	do
		if (!read_member(s, place, depth))
			return false;
	while (take(s, ','));
	return take(s, '}');
}

/* Of an array that counts the first element does. */
static bool read_array(struct scan *s, enum place place, int depth)
{
	const struct member *m = find_member(place, "", 0);

	if (take(s, ']'))
		return true;
	do {
		if (!read_value(s, m, depth))
			return false;
		m = NULL;
	} while (take(s, ','));
	return take(s, ']');
}

/* As it stands there. */
static bool note_array(struct scan *s, const struct member *m, int depth)
{
	const char *start = s->at - 1;

	if (!read_array(s, AT_NOTHING, depth))
		return false;
	*(struct slice *)((char *)s->event + m->target) = (struct slice) { start, s->at - start };
	return true;
}

static bool read_text(struct scan *s, const struct member *m)
{
	struct slice text;

	if (!read_string(s, &text))
		return false;
	if (m && m->kind == MEMBER_STRING)
		*(struct slice *)((char *)s->event + m->target) = text;
	return true;
}

static bool read_integer(struct scan *s, const struct member *m)
{
	int64_t n;

	if (!read_number(s, &n))
		return false;
	if (m && m->kind == MEMBER_NUMBER)
		*(int64_t *)((char *)s->event + m->target) = n;
	return true;
}

static bool read_value(struct scan *s, const struct member *m, int depth)
{
	enum place inside = m && m->kind == MEMBER_OBJECT ? (enum place)m->target : AT_NOTHING;

	if (depth >= DEPTH_MAX)
		return false;
	if (take(s, '"'))
		return read_text(s, m);
	if (take(s, '{'))
		return read_object(s, inside, depth + 1);
	if (take(s, '['))
		return m && m->kind == MEMBER_ARRAY ? note_array(s, m, depth + 1)
						    : read_array(s, inside, depth + 1);
	if (s->at >= s->end)
		return false;
	if (*s->at >= 'a' && *s->at <= 'z')
		return skip_word(s);
	return read_integer(s, m);
}

static enum event_kind kind_of(const struct event *e)
{
	switch (e->class_uid) {
	case 1001:
		return EVENT_DELETE;
	case 1007:
		return e->activity == 2 ? EVENT_EXIT : EVENT_EXEC;
	case 2004:
		return EVENT_FINDING;
	case 4001:
		return EVENT_CONNECT;
	case 6002:
		return EVENT_GUARD;
	}
	return EVENT_NONE;
}

bool event_read(const char *line, size_t len, struct event *ret)
{
	struct event e = { 0 };
	struct scan s = { .at = line, .end = line + len, .event = &e };

	if (!take(&s, '{') || !read_object(&s, AT_EVENT, 0))
		return false;
	skip_space(&s);
	e.kind = kind_of(&e);
	if (s.at != s.end || !e.kind || !e.time_ms)
		return false;
	*ret = e;
	return true;
}

/* ---- strings */

static uint32_t read_hex4(const char *at, const char *end)
{
	uint32_t n = 0;

	for (int i = 0; i < 4 && at + i < end; i++) {
		char c = at[i];

		n = n << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10) % 16;
	}
	return n;
}

static void add_utf8(struct strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		strbuf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		strbuf_addc(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		strbuf_addc(out, (char)(0xe0 | c >> 12));
		strbuf_addc(out, (char)(0x80 | (c >> 6 & 63)));
	} else {
		strbuf_addc(out, (char)(0xf0 | c >> 18));
		strbuf_addc(out, (char)(0x80 | (c >> 12 & 63)));
		strbuf_addc(out, (char)(0x80 | (c >> 6 & 63)));
	}
	strbuf_addc(out, (char)(0x80 | (c & 63)));
}

/* At the u of \uXXXX; returns behind it, and behind the other half of a pair. */
static const char *add_unicode(struct strbuf *out, const char *at, const char *end)
{
	uint32_t c = read_hex4(at + 1, end), low;

	at += 5;
	if (c >= 0xd800 && c < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
		low = read_hex4(at + 2, end);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
	}
	add_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return at;
}

static const char *add_escape(struct strbuf *out, const char *at, const char *end)
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	const char *name = strchr(names, *at);

	if (*at == 'u') {
		at = add_unicode(out, at, end);
		return MIN(at, end);
	}
	strbuf_addc(out, name && *name ? values[name - names] : *at);
	return at + 1;
}

void event_add_text(struct strbuf *out, struct slice s)
{
	const char *at = s.at, *end = s.at + s.len, *escape;

	while (at < end && (escape = memchr(at, '\\', end - at)) && escape + 1 < end) {
		strbuf_add(out, at, escape - at);
		at = add_escape(out, escape + 1, end);
	}
	if (at < end)
		strbuf_add(out, at, end - at);
}

bool event_next_word(struct slice *array, struct slice *ret)
{
	struct scan s = { .at = array->at, .end = array->at + array->len };

	if (!take(&s, '[') && !take(&s, ','))
		return false;
	if (!take(&s, '"') || !read_string(&s, ret))
		return false;
	*array = (struct slice) { s.at, s.end - s.at };
	return true;
}
