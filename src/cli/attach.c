/* attach: a session is begun for what runs already. */
#include <errno.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"

struct options {
	bool json;
	const char *socket, *cgroup, *agent;
	unsigned int pid;
};

static bool is_cgroup(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Where a path as /proc/PID/cgroup has it is in the file system; owned by the caller, NULL: not
 * there. */
static char *find_cgroup(const char *path)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	const struct mntent *m;
	char *found = NULL;

	while (f && !found && (m = getmntent(f))) {
		if (strcmp(m->mnt_type, "cgroup2") != 0)
			continue;
		if (asprintf(&found, "%s/%s", m->mnt_dir, path) < 0)
			found = NULL;
		if (found && !is_cgroup(found))
			free(TAKE_PTR(found));
	}
	if (f)
		endmntent(f);
	return found;
}

/* What is no cgroup of this host is asked for as it is: the guard says what is wrong with it. */
static json_t *make_request(const struct options *o)
{
	_cleanup_free_ char *found = NULL;

	if (o->pid)
		return json_pack("{sssIss}", "op", "attach", "pid", (json_int_t)o->pid, "agent",
				 o->agent ?: "");
	found = is_cgroup(o->cgroup) ? realpath(o->cgroup, NULL) : find_cgroup(o->cgroup);
	return json_pack("{ssssss}", "op", "attach", "cgroup", found ?: o->cgroup, "agent",
			 o->agent ?: "");
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	_cleanup_json_ json_t *reply = NULL;

	if (!o->pid == !o->cgroup) {
		log_error("attach: give either --pid N or --cgroup PATH");
		return EXIT_USAGE;
	}
	if (client_request(o->socket, make_request(o), &reply))
		return EXIT_FAILURE;
	if (o->json)
		client_print_json(reply);
	else
		printf("session %s: 'backstop status' shows it\n",
		       json_string_value(json_object_get(reply, "session")));
	return EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "pid", 'p', OPTION_UINT, "N", "this process, and all that it has started",
	  offsetof(struct options, pid) },
	{ "cgroup", 0, OPTION_STRING, "PATH",
	  "all processes of this cgroup and those below: a directory, or as in /proc/PID/cgroup",
	  offsetof(struct options, cgroup) },
	{ "agent", 'a', OPTION_STRING, "NAME", "what the agent is called in records",
	  offsetof(struct options, agent) },
	{ "json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(struct options, json) },
	{ "socket", 0, OPTION_STRING, "PATH", "the guard's socket",
	  offsetof(struct options, socket) },
	{ 0 },
};

const struct command command_attach = {
	.name = "attach",
	.help = "begin a session for a process, or a cgroup, that runs already",
	.example = "sudo backstop attach --pid 4213 --agent claude",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};
