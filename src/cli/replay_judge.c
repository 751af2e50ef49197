#include "cli/replay_judge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/map.h"
#include "cli/client.h"
#include "cli/feed.h"
#include "cli/table.h"
#include "journal/ocsf.h"
#include "record/store.h"

#define ARGV_MAX   65536
#define BEHIND_MAX 64

/* What a process ran last. */
struct known {
	json_t *event;
	uint64_t parent;
};

/* Of a session: the directory that it began in is its workspace. */
struct place {
	char *cwd, *home;
};

struct judge {
	const struct policy *policy;
	struct map processes, sessions;
	char *argv[ARGV_MAX + 1];
	const char *behind[BEHIND_MAX + 1];
};

int judge_new(const struct policy *p, struct judge **ret)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->policy = p;
	*ret = j;
	return 0;
}

void judge_free(struct judge *j)
{
	void *v;

	if (!j)
		return;
	map_for_each (&j->processes, v) {
		json_decref(((struct known *)v)->event);
		free(v);
	}
	map_for_each (&j->sessions, v) {
		free(((struct place *)v)->cwd);
		free(((struct place *)v)->home);
		free(v);
	}
	map_free(&j->processes);
	map_free(&j->sessions);
	free(j);
}

/* ---- parts of events */

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *process_of(const json_t *event)
{
	const json_t *process = json_object_get(event, "process");

	return process ? process : json_object_get(json_object_get(event, "actor"), "process");
}

static uint64_t id_of(const char *uid)
{
	return uid ? (uint64_t)store_process_id(uid, strlen(uid)) : 0;
}

static const char *base_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash[1] ? slash + 1 : path;
}

static const char *path_of(const json_t *process)
{
	const char *path = text(json_object_get(process, "file"), "path");

	return path ? path : text(process, "name");
}

/* The event's argv in the judge's own array; NULL where it says nothing of it. */
static char *const *argv_of(struct judge *j, const json_t *event)
{
	const json_t *words = json_object_get(feed_details(event), "argv"), *word;
	size_t i, n = 0;

	json_array_foreach((json_t *)words, i, word)
	{
		if (n < ARGV_MAX && json_is_string(word))
			j->argv[n++] = (char *)json_string_value(word);
	}
	j->argv[n] = NULL;
	return n ? j->argv : NULL;
}

/* ---- what was there before */

static struct place *place_of(struct judge *j, const json_t *event)
{
	const json_t *user = json_object_get(json_object_get(event, "actor"), "user");
	const char *session = text(feed_details(event), "session"), *uid = text(user, "uid"),
		   *cwd = text(process_of(event), "working_directory");
	const struct passwd *entry = uid ? getpwuid((uid_t)strtoul(uid, NULL, 10)) : NULL;
	struct place *p = session ? map_get(&j->sessions, id_of(session)) : NULL;

	if (p || !session)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p || map_set(&j->sessions, id_of(session), p)) {
		free(p);
		return NULL;
	}
	p->cwd = cwd ? strdup(cwd) : NULL;
	p->home = entry ? strdup(entry->pw_dir) : NULL;
	return p;
}

static const char *workspace_of(const struct place *p)
{
	return p && p->cwd ? policy_workspace(p->cwd, p->home) : NULL;
}

static void keep_process(struct judge *j, const json_t *event)
{
	const json_t *process = process_of(event);
	uint64_t id = id_of(text(process, "uid"));
	struct known *k = map_get(&j->processes, id), *new = k;

	if (!id)
		return;
	if (!k)
		new = calloc(1, sizeof(*new));
	if (!new || (!k && map_set(&j->processes, id, new))) {
		free(new);
		return;
	}
	json_decref(new->event);
	new->event = json_incref((json_t *)event);
	new->parent = id_of(text(json_object_get(process, "parent_process"), "uid"));
}

static void forget_process(struct judge *j, const json_t *event)
{
	struct known *k = map_remove(&j->processes, id_of(text(process_of(event), "uid")));

	if (!k)
		return;
	json_decref(k->event);
	free(k);
}

/* Programs and scripts of the ancestors, the parent's first. */
static const char *const *behind_of(struct judge *j, const struct known *k)
{
	size_t n = 0;

	for (int i = 0; k && i < BEHIND_MAX / 2; i++) {
		const struct known *up = map_get(&j->processes, k->parent);
		const char *program = up ? base_of(path_of(process_of(up->event))) : NULL;
		const char *name = up ? text(process_of(up->event), "name") : NULL;

		if (program)
			j->behind[n++] = program;
		if (name && (!program || strcmp(name, program) != 0))
			j->behind[n++] = name;
		k = up;
	}
	j->behind[n] = NULL;
	return j->behind;
}

/* ---- actions */

static bool judge_exec(struct judge *j, const json_t *event, struct finding *ret)
{
	const json_t *process = process_of(event);
	const struct place *place = place_of(j, event);
	const struct action a = { .argv = argv_of(j, event),
				  .path = path_of(process),
				  .cwd = text(process, "working_directory"),
				  .home = place ? place->home : NULL,
				  .workspace = workspace_of(place),
				  .root_fd = -1 };

	keep_process(j, event);
	if (!a.argv)
		return false;
	policy_match(j->policy, &a, ret);
	return true;
}

static bool read_address(const char *ip, u8 *ret)
{
	memset(ret, 0, 16);
	if (!ip)
		return false;
	ret[10] = ret[11] = 0xff;
	return inet_pton(AF_INET, ip, ret + 12) == 1 || inet_pton(AF_INET6, ip, ret) == 1;
}

static bool judge_connect(struct judge *j, const json_t *event, struct finding *ret)
{
	const json_t *dest = json_object_get(event, "dst_endpoint"),
		     *how = json_object_get(event, "connection_info");
	struct connection c = { .own = member_uint(how, "boundary_id") == 1 };

	if (!read_address(text(dest, "ip"), c.dest.addr))
		return false;
	c.dest.port = (u16)member_uint(dest, "port");
	c.dest.protocol = (u8)member_uint(how, "protocol_num");
	c.dest.datagram = member_uint(event, "activity_id") == 6;
	policy_match_connect(j->policy, &c, ret);
	return true;
}

static bool judge_deletion(struct judge *j, const json_t *event, struct finding *ret)
{
	const json_t *details = feed_details(event);
	const char *program = text(details, "program"), *uid = text(process_of(event), "uid");
	const struct known *k = map_get(&j->processes, id_of(program ? program : uid));
	const struct place *place = place_of(j, event);
	const struct deletion d = { .op = ocsf_deletion_op(text(details, "deletion")),
				    .path = text(json_object_get(event, "file"), "path"),
				    .inner = text(details, "inner"),
				    .program = base_of(
					    path_of(k ? process_of(k->event) : process_of(event))),
				    .argv = k ? argv_of(j, k->event) : NULL,
				    .behind = k ? behind_of(j, k) : NULL,
				    .home = place ? place->home : NULL,
				    .workspace = workspace_of(place),
				    .burst = member_uint(details, "burst") > 0,
				    .links = (u32)member_uint(details, "links") };

	if (!d.path || d.path[0] != '/' || !d.op)
		return false;
	policy_match_delete(j->policy, &d, ret);
	return true;
}

bool judge_event(struct judge *j, const json_t *event, struct finding *ret)
{
	switch (member_uint(event, "class_uid")) {
	case 1001:
		return judge_deletion(j, event, ret);
	case 4001:
		return judge_connect(j, event, ret);
	case 1007:
		if (member_uint(event, "activity_id") == 1)
			return judge_exec(j, event, ret);
		forget_process(j, event);
	}
	return false;
}
