/* A guard without a kernel: what the tests of this part stand on. */
#ifndef TESTS_GUARD_FIXTURE_H
#define TESTS_GUARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "guard/resolved.h"
#include "guard/internal.h"
#include "unit/policy/sample.h"

static struct guard guard;
static char state_dir[128];

static const char sample_pack[] = "pack: tool\n"
				  "title: Tools\n"
				  "programs:\n"
				  "  zap:\n"
				  "    options: gnu\n"
				  "allow: [\"zap allowed\"]\n"
				  "signatures:\n"
				  "  - id: hold\n"
				  "    command: zap held\n"
				  "    severity: critical\n"
				  "    verdict: hold\n"
				  "    why: Zaps everything.\n"
				  "    instead: zap plan\n"
				  "    attack: T1485\n"
				  "    hits: [zap held, zap held now]\n"
				  "    misses: [zap plan, zap list]\n"
				  "  - id: other\n"
				  "    command: zap other\n"
				  "    severity: high\n"
				  "    verdict: hold\n"
				  "    why: Zaps something else.\n"
				  "    hits: [zap other, zap other now]\n"
				  "    misses: [zap plan, zap list]\n"
				  "  - id: deny\n"
				  "    command: zap denied\n"
				  "    severity: high\n"
				  "    verdict: deny\n"
				  "    why: Zaps what must stay.\n"
				  "    hits: [zap denied, zap denied now]\n"
				  "    misses: [zap plan, zap list]\n"
				  "  - id: kill\n"
				  "    command: zap killed\n"
				  "    severity: high\n"
				  "    verdict: kill\n"
				  "    why: Zaps at once.\n"
				  "    hits: [zap killed, zap killed now]\n"
				  "    misses: [zap plan, zap list]\n"
				  "  - id: alert\n"
				  "    command: zap alert\n"
				  "    severity: low\n"
				  "    verdict: alert\n"
				  "    why: Zaps a little.\n"
				  "    hits: [zap alert, zap alert now]\n"
				  "    misses: [zap plan, zap list]\n"
				  "  - id: shadowed\n"
				  "    command: zap allowed\n"
				  "    severity: high\n"
				  "    verdict: deny\n"
				  "    why: The owner allows it.\n"
				  "    hits: [zap allowed, zap allowed now]\n"
				  "    misses: [zap plan, zap list]\n";

static inline int guard_set_up(void **state _unused_)
{
	struct journal_options o = {
		.dir = state_dir, .segment_max = 16 << 20, .on_lost = recorded_lost, .data = &guard
	};

	guard = (struct guard) { .options = { .policy = "sample.image",
					      .state_dir = state_dir,
					      .mode = MODE_ENFORCE },
				 .host = { .hostname = "host", .tier = "trace" } };
	guard.started_ms = now_ms();
	guard.policy = sample_policy(sample_pack);
	guard.users = users_new();
	guard.resolved = resolved_new();
	guard.paths = paths_new();
	if (!guard.users || !guard.paths || secrets_new(&guard.secrets))
		return -1;
	/* `tests/run` removes its TMPDIR, whatever becomes of the test */
	snprintf(state_dir, sizeof(state_dir), "%s/backstop-guard-XXXXXX",
		 getenv("TMPDIR") ?: "/tmp");
	return mkdtemp(state_dir) ? journal_open(&o, &guard.journal) : -errno;
}

static inline int guard_tear_down(void **state _unused_)
{
	char command[sizeof(state_dir) + 16];

	journal_close(guard.journal);
	recorded_free(&guard);
	policy_free(guard.policy);
	secrets_free(guard.secrets);
	users_free(guard.users);
	resolved_free(guard.resolved);
	paths_free(guard.paths);
	exec_drop_args(&guard);
	grant_free_all(&guard);
	process_free_all(&guard);
	session_free_all(&guard);
	snprintf(command, sizeof(command), "rm -r '%s'", state_dir);
	return system(command);
}

#define GUARD_TEST(name) cmocka_unit_test_setup_teardown(name, guard_set_up, guard_tear_down)

/* ---- execs and sessions */

static inline struct exec *new_exec(const char *words, size_t len)
{
	struct exec *x = calloc(1, sizeof(*x));

	x->argv = proc_split_words(words, len, &x->argc);
	x->name = strdup(x->argv[0]);
	x->file = strdup("zap");
	x->path = strdup("/usr/bin/zap");
	x->cwd = strdup("/srv/app");
	x->tgid = getpid();
	x->inode = 11;
	x->dev = 3;
	x->session_id = 0x19ab;
	x->time = boot_ns();
	return x;
}

/* Words are written "zap\0held". */
#define NEW_EXEC(words) new_exec(words, sizeof(words))

static inline struct session *new_session(u64 id)
{
	struct session *s = calloc(1, sizeof(*s));

	s->id = id;
	snprintf(s->name, sizeof(s->name), "%llx", (unsigned long long)id);
	s->agent = strdup("claude");
	s->home = strdup("/home/dev");
	s->tty = strdup("pts/3");
	s->root = getpid();
	assert_int_equal(map_set(&guard.sessions, id, s), 0);
	return s;
}

/* ---- children */

/* A child that has stopped itself, with `fd` as its stderr (-1: closed). */
static inline pid_t stopped_child(int fd)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd >= 0)
			dup2(fd, STDERR_FILENO);
		else
			close(STDERR_FILENO);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static inline void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The number of a process that is no more. */
static inline pid_t gone_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* ---- the journal */

/* Its line number `n`, from 1; NULL where there are fewer. Owned by the caller. */
static inline json_t *journal_line(int n)
{
	_cleanup_(journal_reader_close_ptr) struct journal_reader *r = NULL;
	const char *line;
	size_t len;

	assert_int_equal(journal_reader_open(state_dir, &r), 0);
	for (int i = 0; i < n; i++)
		if (journal_reader_next(r, &line, &len) != 1)
			return NULL;
	return json_loadb(line, len, 0, NULL);
}

/* What a part of the guard says of itself, which the caller owns. */
#define described(describe)                                                                        \
	({                                                                                         \
		_cleanup_strbuf_ struct strbuf described_text = STRBUF_INIT;                       \
		struct json described_json = JSON_INIT(&described_text);                           \
                                                                                                   \
		json_open_object(&described_json, NULL);                                           \
		describe(&guard, &described_json);                                                 \
		json_close_object(&described_json);                                                \
		json_loadb(described_text.data, described_text.len, JSON_REJECT_DUPLICATES, NULL); \
	})

/* What stands at a place such as "process.user.name"; NULL: nothing. */
static inline json_t *json_at(json_t *j, const char *place)
{
	char name[64];

	while (j && *place) {
		size_t n = strcspn(place, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, place);
		j = json_is_array(j) ? json_array_get(j, atoi(name)) : json_object_get(j, name);
		place += n + (place[n] == '.');
	}
	return j;
}

static inline const char *text_at(json_t *j, const char *place)
{
	return json_string_value(json_at(j, place)) ?: "(none)";
}

static inline long long number_at(json_t *j, const char *place)
{
	return json_is_integer(json_at(j, place)) ? json_integer_value(json_at(j, place)) : -1;
}

#endif
