/* Deletions: 1001, File System Activity. A recursive removal makes a hundred thousand of them
 * within seconds, so a line says only what is its own: the rest stands in the line of the exec of
 * the same process. */
#include "journal/file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "journal/parts.h"

enum file_activity { FILE_UPDATE = 3, FILE_DELETE = 4, FILE_RENAME = 5 };
enum file_type { FILE_UNKNOWN, FILE_REGULAR, FILE_FOLDER };
#define CLASS_FILE 1001

static const struct {
	const char *word;
	enum file_activity activity;
	enum file_type type;
} ops[] = {
	[0] = { "delete", FILE_DELETE, FILE_UNKNOWN },
	[BS_DELETE_UNLINK] = { "unlink", FILE_DELETE, FILE_UNKNOWN },
	[BS_DELETE_RMDIR] = { "rmdir", FILE_DELETE, FILE_FOLDER },
	[BS_DELETE_TRUNCATE] = { "truncate", FILE_UPDATE, FILE_REGULAR },
	[BS_DELETE_RENAME] = { "rename-over", FILE_RENAME, FILE_UNKNOWN },
	[BS_DELETE_PUNCH] = { "punch", FILE_UPDATE, FILE_REGULAR },
	[BS_DELETE_EXCHANGE] = { "exchange", FILE_RENAME, FILE_UNKNOWN },
	[BS_DELETE_MOVE] = { "move", FILE_RENAME, FILE_UNKNOWN },
};
_Static_assert(ARRAY_SIZE(ops) == BS_DELETE_OPS, "a word for each operation");

static size_t row_of(enum bs_delete_op op)
{
	return op < BS_DELETE_OPS ? op : 0;
}

const char *ocsf_deletion_word(enum bs_delete_op op)
{
	return ops[row_of(op)].word;
}

enum bs_delete_op ocsf_deletion_op(const char *word)
{
	for (size_t i = 1; word && i < ARRAY_SIZE(ops); i++)
		if (!strcmp(ops[i].word, word))
			return i;
	return 0;
}

void file_put_action(struct strbuf *out, const struct ocsf_deletion *d)
{
	strbuf_addf(out, "%s ", ocsf_deletion_word(d->op));
	escape_bytes(out, d->path, strlen(d->path));
}

void file_put_object(struct json *j, const struct ocsf_deletion *d)
{
	json_open_object(j, "file");
	json_put_string(j, "name", part_base_name(d->path));
	json_put_string(j, "path", d->path);
	json_put_int(j, "type_id", ops[row_of(d->op)].type);
	if (d->inode)
		part_put_formatted(j, "uid", "%u:%u:%" PRIu64, d->dev >> 20, d->dev & 0xfffff,
				   d->inode);
	if (d->bytes)
		json_put_uint(j, "size", d->bytes);
	json_close_object(j);
}

void file_put_unmapped(struct json *j, const struct ocsf_deletion *d)
{
	json_put_string(j, "deletion", ocsf_deletion_word(d->op));
	part_put_known(j, "inner", d->inner);
	if (d->links > 1)
		json_put_uint(j, "links", d->links);
	if (d->burst)
		json_put_uint(j, "burst", d->burst);
	if (d->done)
		json_put_bool(j, "done", true);
}

static void put_device(struct json *j, const struct ocsf_host *h)
{
	json_open_object(j, "device");
	json_put_int(j, "type_id", 0);
	json_put_string(j, "hostname", part_known(h->hostname));
	json_close_object(j);
}

static void put_process(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	const struct ocsf_process *p = &e->process;

	json_open_object(j, "process");
	json_put_int(j, "pid", p->pid);
	part_put_formatted(j, "uid", "%s:%d:%" PRIu64, part_known(h->boot_id), p->pid, p->start_ns);
	part_put_known(j, "name", part_process_name(p));
	part_put_known(j, "cmd_line", p->command);
	part_put_known(j, "working_directory", p->cwd);
	if (e->ancestor_count) {
		json_open_object(j, "parent_process");
		json_put_int(j, "pid", e->ancestors[0].pid);
		json_close_object(j);
	}
	json_close_object(j);
}

static void put_actor(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	json_open_object(j, "actor");
	part_put_known(j, "app_name", e->agent);
	part_put_known(j, "app_uid", e->session);
	part_put_user(j, &e->process);
	put_process(j, h, e);
	json_close_object(j);
}

static void put_unmapped(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	const struct ocsf_deletion *d = e->deletion;

	json_open_object(j, "unmapped");
	json_open_object(j, "backstop");
	part_put_known(j, "session", e->session);
	part_put_known(j, "agent", e->agent);
	part_put_mark(j, e);
	file_put_unmapped(j, d);
	if (d->program_pid && d->program_pid != e->process.pid)
		part_put_formatted(j, "program", "%s:%d:%" PRIu64, part_known(h->boot_id),
				   d->program_pid, d->program_start_ns);
	part_put_known(j, "reason", e->reason);
	if (e->latency_ns)
		json_put_uint(j, "latency_ns", e->latency_ns);
	json_close_object(j);
	json_close_object(j);
}

void ocsf_delete(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	enum file_activity activity = ops[row_of(e->deletion->op)].activity;
	struct json j = JSON_INIT(out);

	json_open_object(&j, NULL);
	json_put_int(&j, "class_uid", CLASS_FILE);
	json_put_int(&j, "category_uid", CLASS_FILE / 1000);
	json_put_int(&j, "activity_id", activity);
	json_put_int(&j, "type_uid", CLASS_FILE * 100 + activity);
	json_put_int(&j, "time", e->time_ms);
	part_put_metadata(&j, h, e);
	put_device(&j, h);
	json_put_int(&j, "severity_id", 1);
	part_put_disposition(&j, e->disposition);
	put_actor(&j, h, e);
	file_put_object(&j, e->deletion);
	put_unmapped(&j, h, e);
	json_close_object(&j);
}

/* ---- read back */

bool ocsf_is_deletion(const char *line, size_t len)
{
	static const char head[] = "{\"class_uid\":1001,";

	return len > strlen(head) && !memcmp(line, head, strlen(head));
}

static uint64_t number_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

int ocsf_read_deletion(const char *line, size_t len, struct ocsf_deletion *ret)
{
	json_t *event = json_loadb(line, len, 0, NULL), *file = json_object_get(event, "file");
	json_t *more = json_object_get(json_object_get(event, "unmapped"), "backstop");
	const char *path = json_string_value(json_object_get(file, "path"));
	const char *inner = json_string_value(json_object_get(more, "inner"));
	const char *uid = json_string_value(json_object_get(file, "uid"));
	struct ocsf_deletion d = { .bytes = number_of(file, "size"),
				   .links = (uint32_t)number_of(more, "links"),
				   .burst = (uint32_t)number_of(more, "burst"),
				   .done = json_is_true(json_object_get(more, "done")) };
	uint32_t major = 0, minor = 0;

	d.op = ocsf_deletion_op(json_string_value(json_object_get(more, "deletion")));
	if (uid && sscanf(uid, "%" SCNu32 ":%" SCNu32 ":%" SCNu64, &major, &minor, &d.inode) == 3)
		d.dev = major << 20 | minor;
	d.path = path ? strdup(path) : NULL;
	d.inner = inner ? strdup(inner) : NULL;
	json_decref(event);
	if (!d.path || !d.op) {
		free((char *)d.path);
		free((char *)d.inner);
		return -EINVAL;
	}
	*ret = d;
	return 0;
}
