/* status, pending, approve, deny and attach before a guard that is played by a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/dispatch.h"

#define STATUS                                                                                     \
	"{\"ok\":true,\"pid\":812,\"keeper\":811,\"version\":\"9.9\",\"mode\":\"enforce\","        \
	"\"tier\":\"trace\",\"tiers\":[{\"use\":\"fence\",\"tier\":\"trace\",\"why\":"             \
	"\"no hook\",\"cost\":\"it runs\"}],\"blind\":\"no "                                       \
	"cgroup2\",\"settings\":null,\"follows_agents\":true,\"restarts\":2,"                      \
	"\"policy\":\"/p\\u001b[2J.image\",\"policy_version\":\"abcd\",\"signatures\":312,"        \
	"\"uptime_ms\":3723000,\"scheduling\":\"fifo\",\"holds\":2,\"sessions\":[{\"id\":"         \
	"\"19ab\",\"agent\":\"claude\",\"subagents\":\"codex\",\"user\":null,\"tty\":\"pts/3\","   \
	"\"started_ms\":1,\"tasks\":4,\"execs\":50,\"connects\":12,\"deletes\":31,\"holds\":6,"    \
	"\"open_holds\":2}]"                                                                       \
	",\"losses\":{\"event\":3,\"slot\":0},\"events\":{\"made\":9,\"recorded\":8,\"lost\":1},"  \
	"\"counters\":{\"execs\":50,\"candidates\":0},\"journal\":{\"written\":9,\"lost\":1,"      \
	"\"error\":-28}}"
#define HOLDS                                                                                      \
	"{\"ok\":true,\"holds\":[{\"id\":7,\"agent\":\"claude\",\"user\":\"dev\",\"signature\":"   \
	"\"terraform.destroy\",\"argv\":[\"terraform\",\"destroy\",\"two "                         \
	"words\"],\"cwd\":\"/srv\","                                                               \
	"\"expires_ms\":1}]}"

struct stage {
	char dir[32], path[64], request[256], out[8192];
	int listener;
};

/* One connection: reads one line into a pipe, and answers it. */
static pid_t play(struct stage *s, const char *reply, int heard)
{
	char request[256];
	pid_t pid = fork();
	ssize_t n;
	int fd;

	if (pid != 0)
		return pid;
	fd = accept(s->listener, NULL, NULL);
	while (fd >= 0 && (n = recv(fd, request, sizeof(request), 0)) > 0) {
		(void)!write(heard, request, n);
		if (request[n - 1] == '\n')
			break;
	}
	dprintf(fd, "%s\n", reply);
	_exit(0);
}

static int dispatch_to_file(struct stage *s, int argc, char **argv)
{
	static const struct command *const commands[] = { &command_status,  &command_pending,
							  &command_approve, &command_deny,
							  &command_attach,  NULL };
	int saved = dup(1), result;
	FILE *file = tmpfile();
	size_t n;

	fflush(stdout);
	dup2(fileno(file), 1);
	result = dispatch(commands, argc, argv);
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	rewind(file);
	n = fread(s->out, 1, sizeof(s->out) - 1, file);
	s->out[n] = '\0';
	fclose(file);
	return result;
}

/* Runs a command against a guard that gives that reply; what it was asked is in s->request. */
static int run(struct stage *s, const char *reply, const char *const *words)
{
	char *argv[10] = { (char *)"backstop" };
	int argc = 1, heard[2], result;
	pid_t guard;
	ssize_t n;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)words[argc - 1];
	argv[argc++] = (char *)"--socket";
	argv[argc++] = s->path;
	assert_int_equal(pipe(heard), 0);
	guard = play(s, reply, heard[1]);
	close(heard[1]);
	result = dispatch_to_file(s, argc, argv);
	n = result == EXIT_USAGE ? 0 : read(heard[0], s->request, sizeof(s->request) - 1);
	s->request[MAX(n, 0)] = '\0';
	close(heard[0]);
	if (result == EXIT_USAGE)
		kill(guard, SIGKILL);
	waitpid(guard, NULL, 0);
	return result;
}

#define RUN(s, reply, ...) run(s, reply, (const char *const[]) { __VA_ARGS__, NULL })

static int setup(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(s->dir, "/tmp/test-status-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	strcpy(addr.sun_path, s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct stage *s = *state;

	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
	free(s);
	return 0;
}

static void status_shows_all_that_counts(void **state)
{
	static const char *const parts[] = {
		"guard      pid 812, keeper 811, version 9.9, up 1 h 2 min, scheduling fifo, "
		"restarts 2\n",
		"mode       enforce, tier trace\n",
		"blind      connects are neither seen nor held: no cgroup2\n",
		"policy     /p\\e[2J.image (version abcd), 312 signatures\n",
		"agents     are followed wherever they start\n",
		"holds      2 open: 'backstop pending' lists them\n",
		"journal    9 lines written, 1 lost, last error No space left on device\n",
		"events     made 9, recorded 8, lost 1\n",
		"counters   execs 50, candidates 0\n",
		"losses     event 3\n",
		"\nSESSION AGENT ",
		"\n19ab    claude (codex) -    pts/3 ",
		"     4    50       12      31   2/6\n",
	};
	struct stage *s = *state;

	assert_int_equal(RUN(s, STATUS, "status"), 0);
	assert_string_equal(s->request, "{\"op\":\"status\"}\n");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strstr(s->out, parts[i]))
			fail_msg("no '%s' in '%s'", parts[i], s->out);
	assert_null(strchr(s->out, '\033'));
}

static void json_is_what_the_guard_says(void **state)
{
	struct stage *s = *state;
	json_t *said = json_loads(STATUS, 0, NULL), *printed;

	json_object_del(said, "ok");
	assert_int_equal(RUN(s, STATUS, "status", "--json"), 0);
	printed = json_loads(s->out, 0, NULL);
	assert_true(json_equal(said, printed));
	assert_ptr_equal(strchr(s->out, '\n'), s->out + strlen(s->out) - 1);
	json_decref(said);
	json_decref(printed);
	assert_int_equal(RUN(s, "{\"ok\":true,\"holds\":[]}", "pending", "--json"), 0);
	assert_string_equal(s->out, "{\"holds\":[]}\n");
}

static void pending_shows_the_whole_action(void **state)
{
	struct stage *s = *state;

	assert_int_equal(RUN(s, HOLDS, "pending"), 0);
	assert_string_equal(s->request, "{\"op\":\"pending\"}\n");
	assert_non_null(strstr(s->out, "terraform destroy 'two words'"));
	assert_non_null(strstr(s->out, "   7 0 s  claude dev  terraform.destroy "));
	assert_int_equal(RUN(s, "{\"ok\":true,\"holds\":[]}", "pending"), 0);
	assert_string_equal(s->out, "no action is held\n");
}

static void decisions_are_sent_as_they_are_typed(void **state)
{
	struct stage *s = *state;

	assert_int_equal(RUN(s, "{\"ok\":true}", "approve", "7"), 0);
	assert_string_equal(s->request, "{\"op\":\"approve\",\"id\":7}\n");
	assert_string_equal(s->out, "hold 7: approved\n");
	assert_int_equal(RUN(s, "{\"ok\":true}", "deny", "8", "--reason", "not \"today\""), 0);
	assert_string_equal(s->request,
			    "{\"op\":\"deny\",\"id\":8,\"reason\":\"not \\\"today\\\"\"}\n");
	assert_string_equal(s->out, "hold 8: denied\n");
	assert_int_equal(RUN(s, "{\"ok\":true}", "deny", "8", "--json"), 0);
	assert_string_equal(s->out, "{\"id\":8,\"decision\":\"denied\"}\n");
	assert_int_equal(RUN(s, "{\"ok\":false,\"error\":\"there is no hold 9\"}", "approve", "9"),
			 1);
	assert_string_equal(s->out, "");
}

static void attach_takes_one_of_two(void **state)
{
	struct stage *s = *state;
	const char *reply = "{\"ok\":true,\"session\":\"19ab\"}";

	assert_int_equal(RUN(s, reply, "attach", "--pid", "42", "--agent", "x"), 0);
	assert_string_equal(s->request, "{\"op\":\"attach\",\"pid\":42,\"agent\":\"x\"}\n");
	assert_string_equal(s->out, "session 19ab: 'backstop status' shows it\n");
	assert_int_equal(RUN(s, reply, "attach", "--cgroup", "/a", "--json"), 0);
	assert_string_equal(s->request, "{\"op\":\"attach\",\"cgroup\":\"/a\",\"agent\":\"\"}\n");
	assert_string_equal(s->out, "{\"session\":\"19ab\"}\n");
	assert_int_equal(RUN(s, reply, "attach"), EXIT_USAGE);
	assert_int_equal(RUN(s, reply, "attach", "--pid", "1", "--cgroup", "/"), EXIT_USAGE);
}

static void what_is_no_hold_is_wrong_usage(void **state)
{
	static const char *const wrong[] = { "x", "0", "7x", "", "1.0", "9223372036854775808" };
	struct stage *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(RUN(s, "{\"ok\":true}", "approve", wrong[i]), EXIT_USAGE);
		assert_string_equal(s->out, "");
	}
	assert_int_equal(RUN(s, "{\"ok\":true}", "approve"), EXIT_USAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(status_shows_all_that_counts),   TEST(json_is_what_the_guard_says),
		TEST(pending_shows_the_whole_action), TEST(decisions_are_sent_as_they_are_typed),
		TEST(attach_takes_one_of_two),	      TEST(what_is_no_hold_is_wrong_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
