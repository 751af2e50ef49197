/* Saved plans of Terraform and OpenTofu: a zip file whose member tfplan is a protobuf message. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "context/reader.h"

#define PLAN_MAX     (64UL << 20) /* bytes */
#define PLAN_VERSION 3

/* Numbers of fields. */
enum { PLAN_FORMAT = 1, PLAN_RESOURCE_CHANGES = 3 };
enum { RESOURCE_DEPOSED = 7, RESOURCE_CHANGE = 9, RESOURCE_ADDRESS = 13 };
enum { CHANGE_ACTION = 1 };

enum action_number {
	ACTION_NOOP,
	ACTION_CREATE,
	ACTION_READ,
	ACTION_UPDATE,
	ACTION_DELETE = 5,
	ACTION_DELETE_THEN_CREATE,
	ACTION_CREATE_THEN_DELETE,
	ACTION_FORGET,
	ACTION_CREATE_THEN_FORGET,
	ACTION_COUNT
};

/* What is left of a message. */
struct message {
	const u8 *p, *end;
	bool faulty;
};

enum { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

/* A field whose type on the wire is another one than the schema's is unknown to who applies the
 * plan: it says nothing. */
struct field {
	u32 number, wire;
	u64 value;	     /* of WIRE_VARINT */
	struct message data; /* of WIRE_BYTES */
};

static bool is_field(const struct field *f, u32 number, u32 wire)
{
	return f->number == number && f->wire == wire;
}

static u64 get_varint(struct message *m)
{
	u64 value = 0;

	for (unsigned int shift = 0; shift < 64 && m->p < m->end; shift += 7) {
		value |= (u64)(*m->p & 0x7f) << shift;
		if (!(*m->p++ & 0x80))
			return value;
	}
	m->faulty = true;
	return 0;
}

static const u8 *take(struct message *m, u64 len)
{
	const u8 *p = m->p;

	if (len > (u64)(m->end - m->p)) {
		m->faulty = true;
		return NULL;
	}
	m->p += len;
	return p;
}

/* False at the end, and where it is faulty. */
static bool next_field(struct message *m, struct field *ret)
{
	u64 key, len;

	if (m->p >= m->end || m->faulty)
		return false;
	key = get_varint(m);
	*ret = (struct field) { .number = (u32)(key >> 3), .wire = key & 7 };
	switch (ret->wire) {
	case WIRE_VARINT:
		ret->value = get_varint(m);
		break;
	case WIRE_64:
		take(m, 8);
		break;
	case WIRE_BYTES:
		len = get_varint(m);
		ret->data.p = take(m, len);
		ret->data.end = m->p;
		break;
	case WIRE_32:
		take(m, 4);
		break;
	default:
		m->faulty = true;
	}
	return !m->faulty;
}

/* What is given twice is merged: `*action` stays where this part says none. */
static void read_action(struct message m, u64 *action, bool *faulty)
{
	struct field f;

	while (next_field(&m, &f))
		if (is_field(&f, CHANGE_ACTION, WIRE_VARINT))
			*action = f.value;
	*faulty |= m.faulty || *action >= ACTION_COUNT;
}

static void read_resource(struct message m, struct answer *ret, bool *faulty)
{
	_cleanup_free_ char *address = NULL;
	u64 action = ACTION_NOOP;
	struct field f;

	while (next_field(&m, &f)) {
		if (is_field(&f, RESOURCE_ADDRESS, WIRE_BYTES)) {
			free(address);
			address = strndup((const char *)f.data.p, (size_t)(f.data.end - f.data.p));
		} else if (is_field(&f, RESOURCE_CHANGE, WIRE_BYTES)) {
			read_action(f.data, &action, faulty);
		}
	}
	*faulty |= m.faulty;
	if (action >= ACTION_DELETE && action <= ACTION_CREATE_THEN_DELETE)
		answer_add(ret, address ?: "?");
}

int plan_read(const void *data, size_t len, struct answer *ret)
{
	struct message m = { .p = data, .end = (const u8 *)data + len };
	bool faulty = false;
	u64 version = 0;
	struct field f;

	while (next_field(&m, &f)) {
		if (is_field(&f, PLAN_FORMAT, WIRE_VARINT))
			version = f.value;
		else if (is_field(&f, PLAN_RESOURCE_CHANGES, WIRE_BYTES))
			read_resource(f.data, ret, &faulty);
	}
	return m.faulty || faulty || version != PLAN_VERSION ? -EINVAL : 0;
}

int plan_answer(const struct ask *ask, struct answer *ret)
{
	_cleanup_strbuf_ struct strbuf plan = STRBUF_INIT;
	const char *dir = ask_last(ask, 'C'), *file = ask_last(ask, 'f');
	_cleanup_close_ int at = openat(ask->dir, dir ?: ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = openat(at, file ?: "", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (at < 0 || fd < 0)
		return -errno;
	r = zip_read(fd, "tfplan", PLAN_MAX, &plan);
	return r ?: plan_read(strbuf_str(&plan), plan.len, ret);
}
