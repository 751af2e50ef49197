/* attach: a session is begun for what runs already. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"

struct options {
	bool json;
	const char *socket, *cgroup, *agent;
	unsigned int pid;
};

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	_cleanup_json_ json_t *reply = NULL, *request = NULL;

	if (!o->pid == !o->cgroup) {
		log_error("attach: give either --pid N or --cgroup PATH");
		return EXIT_USAGE;
	}
	if (o->pid)
		request = json_pack("{sssIss}", "op", "attach", "pid", (json_int_t)o->pid, "agent",
				    o->agent ?: "");
	else
		request = json_pack("{ssssss}", "op", "attach", "cgroup", o->cgroup, "agent",
				    o->agent ?: "");
	if (client_request(o->socket, TAKE_PTR(request), &reply))
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
	  "all processes of this cgroup and those below, as in /proc/PID/cgroup",
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
