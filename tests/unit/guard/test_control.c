/* The control socket, before a guard that only notes what it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guard/control.h"
#include "guard/control_request.h"

#define NOBODY 65534

static struct {
	int labelled; /* what guard_is_labelled() gives */
	int reload;   /* what guard_reload() gives */
	const char *approvers;
	char asked[256];
} fake;

int guard_start_session(struct guard *g _unused_, pid_t pid, int pidfd,
			const struct session_options *o, uint64_t *ret_session,
			struct strbuf *err _unused_)
{
	assert_true(pidfd >= 0);
	snprintf(fake.asked, sizeof(fake.asked), "run %d %s %d", pid == getpid(), o->agent,
		 o->unattended);
	*ret_session = 0x19ab;
	return 0;
}

int guard_is_labelled(struct guard *g _unused_, int pidfd, uint64_t *ret_session)
{
	assert_true(pidfd >= 0);
	if (fake.labelled > 0)
		*ret_session = 0x17;
	return fake.labelled;
}

int guard_approve(struct guard *g _unused_, uint64_t id, const char *by, struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "approve %" PRIu64 " by %s", id, by);
	if (id == 7)
		return 0;
	strbuf_addf(err, "there is no hold %" PRIu64, id);
	return -ENOENT;
}

int guard_deny(struct guard *g _unused_, uint64_t id, const char *by, const char *reason,
	       struct strbuf *err _unused_)
{
	snprintf(fake.asked, sizeof(fake.asked), "deny %" PRIu64 " by %s: %s", id, by,
		 reason ? reason : "-");
	return 0;
}

int guard_decide_signed(struct guard *g _unused_, const char *text, const char *signature,
			struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "decide %s %s", text, signature);
	if (!strcmp(signature, "0a1b"))
		return 0;
	strbuf_adds(err, "the signature is not that of alice");
	return -EBADMSG;
}

void guard_describe_status(struct guard *g _unused_, struct json *j)
{
	json_put_string(j, "mode", "enforce");
}

void guard_describe_pending(struct guard *g _unused_, struct json *j)
{
	json_open_array(j, "holds");
	json_close_array(j);
}

int guard_attach(struct guard *g _unused_, pid_t pid, const struct session_options *o,
		 uint64_t *ret_session, struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "attach %d %s", (int)pid, o->agent);
	if (pid == 1) {
		strbuf_adds(err, "process 1 cannot be followed");
		return -EPERM;
	}
	*ret_session = 0x19ac;
	return 0;
}

int guard_attach_cgroup(struct guard *g _unused_, const char *path, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err _unused_)
{
	snprintf(fake.asked, sizeof(fake.asked), "attach %s %s", path, o->agent);
	*ret_session = 0x19ad;
	return 0;
}

int guard_reload(struct guard *g _unused_, struct strbuf *err)
{
	strcpy(fake.asked, "reload");
	if (fake.reload)
		strbuf_adds(err, "backstop.yaml:3:1: there is no key 'mod'");
	return fake.reload;
}

const char *guard_approvers(const struct guard *g _unused_)
{
	return fake.approvers;
}

/* --- a server and its clients, in one thread */

struct server {
	struct loop *loop;
	struct control *control;
	char dir[32], path[64];
};

static void quit(void *data)
{
	loop_quit(data, 0);
}

/* Lets the server work until it has nothing more to do. */
static void serve(struct server *s)
{
	assert_int_equal(loop_add_timer(s->loop, 5000, quit, s->loop, NULL), 0);
	assert_int_equal(loop_run(s->loop), 0);
}

static int open_server(struct server *s)
{
	return control_open(NULL, s->loop, s->path, false, 0, &s->control);
}

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	memset(&fake, 0, sizeof(fake));
	strcpy(s->dir, "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(chmod(s->dir, 0755), 0);
	snprintf(s->path, sizeof(s->path), "%s/made/guard.sock", s->dir);
	s->loop = loop_new();
	assert_int_equal(open_server(s), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	control_close(s->control);
	loop_free(s->loop);
	assert_int_equal(access(s->path, F_OK), -1);
	*strrchr(s->path, '/') = '\0';
	assert_int_equal(rmdir(s->path), 0);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

static int join(struct server *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come; "" where nothing has, "(closed)" at the end. */
static const char *hear(int fd)
{
	static char buf[1 << 20];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[MAX(n, 0)] = '\0';
	return n == 0 ? "(closed)" : buf;
}

/* What is answered: a busy machine may need more than one turn for it. */
static const char *answer(struct server *s, int fd)
{
	const char *reply = "";

	for (int turns = 0; !*reply && turns < 200; turns++) {
		serve(s);
		reply = hear(fd);
	}
	return reply;
}

static const char *ask(struct server *s, const char *request)
{
	int fd = join(s);
	const char *reply;

	say(fd, request);
	reply = answer(s, fd);
	close(fd);
	serve(s);
	return reply;
}

/* Asks as another user: the socket remembers who connected. */
static const char *ask_as_nobody(struct server *s, const char *request)
{
	const char *reply;
	int fd;

	assert_int_equal(seteuid(NOBODY), 0);
	fd = join(s);
	assert_int_equal(seteuid(0), 0);
	say(fd, request);
	reply = answer(s, fd);
	close(fd);
	return reply;
}

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root to ask as another user\n");
	skip();
}

/* --- tests */

static void answers_each_op(void **state)
{
	struct server *s = *state;

	assert_string_equal(ask(s, "{\"op\":\"status\"}\n"),
			    "{\"ok\":true,\"mode\":\"enforce\"}\n");
	assert_string_equal(ask(s, "{\"op\":\"pending\"}\n"), "{\"ok\":true,\"holds\":[]}\n");
	assert_string_equal(ask(s, "{\"op\":\"run\",\"agent\":\"x\",\"unattended\":true}\n"),
			    "{\"ok\":true,\"session\":\"19ab\"}\n");
	assert_string_equal(fake.asked, "run 1 x 1");
	assert_string_equal(ask(s, "{\"op\":\"run\"}\n"), "{\"ok\":true,\"session\":\"19ab\"}\n");
	assert_string_equal(fake.asked, "run 1  0");
}

static void decides_by_name_of_who_asks(void **state)
{
	struct server *s = *state;

	need_root();
	assert_string_equal(ask(s, "{\"op\":\"approve\",\"id\":7}\n"), "{\"ok\":true}\n");
	assert_string_equal(fake.asked, "approve 7 by uid 0 (root)");
	assert_string_equal(ask(s, "{\"op\":\"approve\",\"id\":8}\n"),
			    "{\"ok\":false,\"error\":\"there is no hold 8\"}\n");
	assert_string_equal(ask(s, "{\"op\":\"deny\",\"id\":7}\n"), "{\"ok\":true}\n");
	assert_string_equal(fake.asked, "deny 7 by uid 0 (root): -");
	assert_string_equal(ask(s, "{\"op\":\"deny\",\"id\":9,\"reason\":\"no\"}\n"),
			    "{\"ok\":true}\n");
	assert_string_equal(fake.asked, "deny 9 by uid 0 (root): no");
}

static void refuses_a_labelled_peer_even_as_root(void **state)
{
	static const char *const never[] = {
		"approve\",\"id\":7",
		"deny\",\"id\":7",
		"watch\"",
		"attach\",\"pid\":7",
		"reload\"",
		"decide\",\"decision\":\"{}\",\"signature\":\"0a1b\"",
	};
	struct server *s = *state;
	char request[80];

	need_root();
	fake.labelled = 1;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		snprintf(request, sizeof(request), "{\"op\":\"%s}\n", never[i]);
		assert_non_null(strstr(ask(s, request),
				       "\"error\":\"this process belongs to session "
				       "17: what an agent starts cannot "));
	}
	assert_string_equal(fake.asked, "");
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
	assert_non_null(strstr(ask(s, "{\"op\":\"pending\"}\n"), "\"ok\":true"));
	assert_string_equal(ask(s, "{\"op\":\"run\"}\n"),
			    "{\"ok\":true,\"session\":\"17\",\"inherited\":true}\n");
	assert_string_equal(fake.asked, "");
}

static void refuses_whose_label_cannot_be_told(void **state)
{
	struct server *s = *state;

	fake.labelled = -ESRCH;
	assert_non_null(strstr(ask(s, "{\"op\":\"approve\",\"id\":7}\n"), "cannot tell whether"));
	assert_non_null(strstr(ask(s, "{\"op\":\"run\"}\n"), "cannot be followed"));
	assert_string_equal(fake.asked, "");
}

static void a_label_counts_from_the_next_request_on(void **state)
{
	struct server *s = *state;
	int fd = join(s);

	say(fd, "{\"op\":\"status\"}\n");
	serve(s);
	assert_non_null(strstr(hear(fd), "\"ok\":true"));
	fake.labelled = 1;
	say(fd, "{\"op\":\"approve\",\"id\":7}\n");
	serve(s);
	assert_non_null(strstr(hear(fd), "belongs to session"));
	close(fd);
}

static void other_users_may_only_run(void **state)
{
	static const char *const refused[] = { "status\"",	  "pending\"",
					       "watch\"",	  "approve\",\"id\":7",
					       "deny\",\"id\":7", "attach\",\"pid\":7",
					       "reload\"" };
	struct server *s = *state;
	char request[64];

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		snprintf(request, sizeof(request), "{\"op\":\"%s}\n", refused[i]);
		assert_non_null(strstr(ask_as_nobody(s, request), "may not ask for"));
	}
	assert_string_equal(fake.asked, "");
	assert_non_null(strstr(ask_as_nobody(s, "{\"op\":\"run\"}\n"), "\"ok\":true"));
}

/* Its signature counts, not who brings it. */
static void anybody_brings_what_is_signed(void **state)
{
	static const char right[] =
		"{\"op\":\"decide\",\"decision\":\"{\\\"v\\\":1}\",\"signature\":\"0a1b\"}\n";
	struct server *s = *state;

	need_root();
	assert_string_equal(ask_as_nobody(s, right), "{\"ok\":true}\n");
	assert_string_equal(fake.asked, "decide {\"v\":1} 0a1b");
	assert_non_null(strstr(ask_as_nobody(s, "{\"op\":\"decide\",\"decision\":\"\","
						"\"signature\":\"0a1c\"}\n"),
			       "not that of alice"));
	fake.asked[0] = '\0';
	assert_non_null(strstr(ask_as_nobody(s, "{\"op\":\"decide\",\"decision\":\"\"}\n"),
			       "signature is missing"));
	assert_string_equal(fake.asked, "");
}

/* What serves reads the journal, for which it is of the approvers' group. */
static void who_serves_decides_nothing(void **state)
{
	static const char *const refused[] = { "approve\",\"id\":7", "deny\",\"id\":7",
					       "attach\",\"pid\":7", "reload\"" };
	struct control_rights rights = { .service = "nobody", .embedded = true, .owner = NOBODY };
	struct control_peer peer = { .fd = -1, .pid = getpid(), .uid = NOBODY, .gid = NOBODY };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	char request[80];

	(void)state;
	peer.pidfd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		snprintf(request, sizeof(request), "{\"op\":\"%s}", refused[i]);
		strbuf_reset(&out);
		(void)control_answer(NULL, &rights, &peer, request, strlen(request), &out);
		assert_non_null(strstr(strbuf_str(&out), "decides nothing itself"));
	}
	assert_string_equal(fake.asked, "");
	strbuf_reset(&out);
	(void)control_answer(NULL, &rights, &peer, "{\"op\":\"pending\"}", 16, &out);
	assert_non_null(strstr(strbuf_str(&out), "\"ok\":true"));
	rights.service = NULL;
	strbuf_reset(&out);
	(void)control_answer(NULL, &rights, &peer, "{\"op\":\"approve\",\"id\":7}", 23, &out);
	assert_non_null(strstr(strbuf_str(&out), "\"ok\":true"));
	close(peer.pidfd);
}

static void the_owner_of_an_embedded_guard_may_approve(void **state)
{
	struct server *s = *state;

	need_root();
	control_close(s->control);
	assert_int_equal(control_open(NULL, s->loop, s->path, true, NOBODY, &s->control), 0);
	assert_string_equal(ask_as_nobody(s, "{\"op\":\"approve\",\"id\":7}\n"), "{\"ok\":true}\n");
	assert_non_null(strstr(fake.asked, "by uid 65534"));
	fake.labelled = 1;
	assert_non_null(strstr(ask_as_nobody(s, "{\"op\":\"approve\",\"id\":7}\n"), "belongs to"));
}

/* Some group that every system has, and that root's processes here are not in. */
#define GROUP	 "news"
#define GROUP_ID 9

static void members_of_the_group_have_rights(void **state)
{
	gid_t groups[] = { 4241, GROUP_ID };
	struct server *s = *state;

	need_root();
	if (!getgrnam(GROUP) || getgrnam(GROUP)->gr_gid != GROUP_ID) {
		print_message("skipped: the group " GROUP " is not %d here\n", GROUP_ID);
		skip();
	}
	fake.approvers = GROUP;
	for (int n = 1; n <= 2; n++) {
		assert_int_equal(setgroups(n, groups), 0);
		assert_non_null(strstr(ask_as_nobody(s, "{\"op\":\"approve\",\"id\":7}\n"),
				       n == 2 ? "\"ok\":true"
					      : "have root add you to the group " GROUP
						" (usermod -aG " GROUP));
	}
	assert_int_equal(setgroups(0, NULL), 0);
}

/* A connection outlives what is changed in the settings. */
static void the_group_is_looked_up_at_each_request(void **state)
{
	gid_t groups[] = { GROUP_ID };
	struct server *s = *state;
	int fd;

	need_root();
	fake.approvers = "no-such-group-here";
	assert_int_equal(setgroups(1, groups), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	fd = join(s);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setgroups(0, NULL), 0);
	say(fd, "{\"op\":\"status\"}\n");
	serve(s);
	assert_non_null(strstr(hear(fd), "may not ask for"));
	fake.approvers = GROUP;
	say(fd, "{\"op\":\"status\"}\n");
	serve(s);
	assert_non_null(strstr(hear(fd), "\"ok\":true"));
	close(fd);
}

static void attaches_a_process_or_a_cgroup(void **state)
{
	struct server *s = *state;

	need_root();
	assert_string_equal(ask(s, "{\"op\":\"attach\",\"pid\":42,\"agent\":\"x\"}\n"),
			    "{\"ok\":true,\"session\":\"19ac\"}\n");
	assert_string_equal(fake.asked, "attach 42 x");
	assert_string_equal(ask(s, "{\"op\":\"attach\",\"cgroup\":\"/a/b\"}\n"),
			    "{\"ok\":true,\"session\":\"19ad\"}\n");
	assert_string_equal(fake.asked, "attach /a/b ");
	assert_string_equal(ask(s, "{\"op\":\"attach\",\"pid\":1}\n"),
			    "{\"ok\":false,\"error\":\"process 1 cannot be followed\"}\n");
	fake.asked[0] = '\0';
	assert_non_null(strstr(ask(s, "{\"op\":\"attach\"}\n"), "either a pid"));
	assert_non_null(
		strstr(ask(s, "{\"op\":\"attach\",\"pid\":7,\"cgroup\":\"/\"}\n"), "either a pid"));
	assert_non_null(strstr(ask(s, "{\"op\":\"attach\",\"pid\":4294967297}\n"), "either a pid"));
	assert_string_equal(fake.asked, "");
}

static void a_reload_tells_its_fault(void **state)
{
	struct server *s = *state;

	need_root();
	assert_string_equal(ask(s, "{\"op\":\"reload\"}\n"), "{\"ok\":true}\n");
	assert_string_equal(fake.asked, "reload");
	fake.reload = -EINVAL;
	assert_non_null(
		strstr(ask(s, "{\"op\":\"reload\"}\n"), "backstop.yaml:3:1: there is no key"));
}

static void hostile_requests_are_refused_in_words(void **state)
{
	static const struct {
		const char *request, *error;
	} cases[] = {
		{ "hello\n", "no JSON (at byte " },
		{ "\n", "no JSON" },
		{ "[1]\n", "no JSON object" },
		{ "7\n", "no JSON" },
		{ "{}\n",
		  "the request has no \\\"op\\\": there are run, status, pending, approve" },
		{ "{\"op\":7}\n", "the request has no \\\"op\\\"" },
		{ "{\"op\":\"explode\"}\n", "explode is no op: there are run" },
		{ "{\"op\":\"status\",\"op\":\"watch\"}\n", "duplicate" },
		{ "{\"op\":\"status\"} x\n", "no JSON" },
		{ "{\"op\":\"status\",\"x\":1}\n", "status: member x is not known: as in " },
		{ "{\"op\":\"approve\"}\n", "approve: member id is missing: as in " },
		{ "{\"op\":\"approve\",\"id\":\"7\"}\n",
		  "approve: member id has no fitting value" },
		{ "{\"op\":\"approve\",\"id\":7.0}\n", "approve: member id has no fitting value" },
		{ "{\"op\":\"approve\",\"id\":-7}\n", "approve: member id has no fitting value" },
		{ "{\"op\":\"approve\",\"id\":0}\n", "approve: member id has no fitting value" },
		{ "{\"op\":\"approve\",\"id\":99999999999999999999}\n", "no JSON" },
		{ "{\"op\":\"deny\",\"id\":7,\"reason\":[]}\n",
		  "deny: member reason has no fitting" },
		{ "{\"op\":\"run\",\"unattended\":1}\n", "run: member unattended has no fitting" },
		{ "{\"op\":\"run\",\"agent\":\"12345678901234567890123456789012345678901234567890"
		  "123456789012345\"}\n",
		  "run: member agent has no fitting" },
		{ "{\"op\":\"run\",\"agent\":\"\\u0000\"}\n", "no JSON" },
		{ "{\"op\":\"run\",\"agent\":\"\xff\"}\n", "no JSON" },
	};
	struct server *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *reply = ask(s, cases[i].request);
		json_t *j = json_loads(reply, 0, NULL);

		if (!j || !strstr(reply, cases[i].error))
			fail_msg("%s -> %s", cases[i].request, reply);
		assert_true(json_is_false(json_object_get(j, "ok")));
		json_decref(j);
	}
	assert_string_equal(fake.asked, "");
}

static void a_request_without_end_is_refused(void **state)
{
	struct server *s = *state;
	char huge[REQUEST_MAX + 1];
	int fd = join(s);

	memset(huge, '[', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	say(fd, huge);
	serve(s);
	assert_non_null(strstr(hear(fd), "at most 4096 bytes"));
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
	fd = join(s);
	huge[REQUEST_MAX - 1] = '\n';
	say(fd, huge);
	serve(s);
	assert_non_null(strstr(hear(fd), "no JSON"));
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void a_cut_off_request_is_refused(void **state)
{
	struct server *s = *state;
	int fd = join(s);

	say(fd, "{\"op\":\"approve\",\"id\":7}");
	serve(s);
	assert_string_equal(hear(fd), "");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_non_null(strstr(hear(fd), "cut off"));
	assert_string_equal(hear(fd), "(closed)");
	assert_string_equal(fake.asked, "");
	close(fd);
}

static void requests_come_in_any_pieces(void **state)
{
	struct server *s = *state;
	const char *two = "{\"op\":\"pending\"}\n{\"op\":\"status\"}\n";
	int fd = join(s);

	for (const char *p = two; *p; p++) {
		assert_int_equal(send(fd, p, 1, 0), 1);
		if (p == two || p[1] == '\0')
			serve(s);
	}
	assert_string_equal(hear(fd),
			    "{\"ok\":true,\"holds\":[]}\n{\"ok\":true,\"mode\":\"enforce\"}\n");
	shutdown(fd, SHUT_WR);
	serve(s);
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
}

/* It reads nothing, so the replies fill its socket, and it is not read from any more. */
static void who_does_not_read_is_not_answered_for_ever(void **state)
{
	struct server *s = *state;
	const char *request = "{\"op\":\"nothing of this name is known\"}\n";
	size_t sent = 0;
	ssize_t n = 0;
	int fd = join(s);

	for (int i = 0; i < 100000 && n >= 0; i++) {
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
		sent += MAX(n, 0);
		if (n < 0) {
			serve(s);
			n = send(fd, request, 1, MSG_NOSIGNAL);
		}
	}
	assert_int_equal(n, -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(sent < (1 << 20));
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
	close(fd);
}

static void watchers_get_what_is_published(void **state)
{
	struct server *s = *state;
	int watcher = join(s), other = join(s);

	say(watcher, "{\"op\":\"watch\"}\n");
	serve(s);
	assert_string_equal(hear(watcher), "{\"ok\":true}\n");
	control_publish(s->control, "{\"a\":1}", 7);
	control_publish(s->control, "{\"a\":2}xx", 7);
	serve(s);
	assert_string_equal(hear(watcher), "{\"a\":1}\n{\"a\":2}\n");
	assert_string_equal(hear(other), "");
	control_publish(NULL, "", 0);
	close(other);
	close(watcher);
	control_publish(s->control, "{\"a\":3}", 7);
	serve(s);
}

/* Every line that arrives is whole, and the last one says why there are no more. */
static void a_watcher_that_does_not_read_is_dropped(void **state)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;
	struct server *s = *state;
	char line[1001];
	int watcher = join(s), lines = 0;
	char *end;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(watcher, "{\"op\":\"watch\"}\n");
	serve(s);
	for (int i = 0; i < 2000; i++) {
		control_publish(s->control, line, sizeof(line) - 1);
		if (i % 100 == 0)
			serve(s);
	}
	for (const char *part = hear(watcher); strcmp(part, "(closed)") != 0;
	     part = hear(watcher)) {
		strbuf_adds(&all, part);
		serve(s);
	}
	assert_in_range(all.len, 10 * sizeof(line), CONTROL_QUEUE + (1 << 20));
	for (char *at = all.data; (end = strchr(at, '\n')); at = end + 1, lines++) {
		*end = '\0';
		if (lines == 0)
			assert_string_equal(at, "{\"ok\":true}");
		else if (end + 1 < all.data + all.len)
			assert_string_equal(at, line);
		else
			assert_non_null(
				strstr(at, "\"ok\":false,\"error\":\"this watcher did not read"));
	}
	assert_in_range(lines, 12, 1999);
	close(watcher);
}

static void clients_are_limited(void **state)
{
	struct server *s = *state;
	int fds[CONTROL_CLIENTS], fd;

	need_root();
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = join(s);
		serve(s);
	}
	fd = join(s);
	serve(s);
	assert_non_null(strstr(hear(fd), "64 clients are connected"));
	assert_string_equal(hear(fd), "(closed)");
	close(fd);
	close(fds[0]);
	serve(s);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
	for (int i = 1; i < CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void what_an_agent_starts_cannot_lock_humans_out(void **state)
{
	struct server *s = *state;
	int fds[CONTROL_CLIENTS];

	need_root();
	fake.labelled = 1;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = join(s);
		serve(s);
	}
	assert_non_null(strstr(hear(fds[CONTROL_CLIENTS - 1]), "may not approve are connected"));
	fake.labelled = 0;
	assert_non_null(strstr(ask(s, "{\"op\":\"approve\",\"id\":7}\n"), "\"ok\":true"));
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		close(fds[i]);
}

static void a_second_guard_is_refused(void **state)
{
	struct server *s = *state;
	struct control *second = NULL;

	assert_int_equal(control_open(NULL, s->loop, s->path, false, 0, &second), -EADDRINUSE);
	assert_null(second);
	serve(s);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

static void a_stale_socket_is_replaced(void **state)
{
	struct server *s = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	control_close(s->control);
	strcpy(addr.sun_path, s->path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_server(s), 0);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

/* The next guard's socket takes the place of the old one in one step. */
static void a_kept_socket_waits_for_the_next_guard(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct server *s = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	control_keep_socket(s->control);
	control_close(s->control);
	strcpy(addr.sun_path, s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	assert_int_equal(open_server(s), 0);
	assert_non_null(strstr(ask(s, "{\"op\":\"status\"}\n"), "\"ok\":true"));
}

static void the_socket_of_another_guard_stays(void **state)
{
	struct server *s = *state;
	struct control *other = NULL;

	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(control_open(NULL, s->loop, s->path, false, 0, &other), 0);
	control_close(s->control);
	assert_int_equal(access(s->path, F_OK), 0);
	s->control = other;
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct server *s = *state;
	struct control *c = NULL;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", s->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(control_open(NULL, s->loop, path, false, 0, &c), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_open(NULL, s->loop, "/proc/none/guard.sock", false, 0, &c),
			 -ENOENT);
	assert_int_equal(
		control_open(NULL, s->loop,
			     "/tmp/a-path-that-is-longer-than-what-fits-into-the-address-of-a"
			     "-socket-which-is-one-hundred-and-seven/guard.sock",
			     false, 0, &c),
		-ENAMETOOLONG);
	assert_null(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_each_op),
		TEST(decides_by_name_of_who_asks),
		TEST(refuses_a_labelled_peer_even_as_root),
		TEST(refuses_whose_label_cannot_be_told),
		TEST(a_label_counts_from_the_next_request_on),
		TEST(other_users_may_only_run),
		TEST(anybody_brings_what_is_signed),
		TEST(who_serves_decides_nothing),
		TEST(the_owner_of_an_embedded_guard_may_approve),
		TEST(members_of_the_group_have_rights),
		TEST(the_group_is_looked_up_at_each_request),
		TEST(attaches_a_process_or_a_cgroup),
		TEST(a_reload_tells_its_fault),
		TEST(hostile_requests_are_refused_in_words),
		TEST(a_request_without_end_is_refused),
		TEST(a_cut_off_request_is_refused),
		TEST(requests_come_in_any_pieces),
		TEST(who_does_not_read_is_not_answered_for_ever),
		TEST(watchers_get_what_is_published),
		TEST(a_watcher_that_does_not_read_is_dropped),
		TEST(clients_are_limited),
		TEST(what_an_agent_starts_cannot_lock_humans_out),
		TEST(a_second_guard_is_refused),
		TEST(a_stale_socket_is_replaced),
		TEST(a_kept_socket_waits_for_the_next_guard),
		TEST(the_socket_of_another_guard_stays),
		TEST(what_is_no_socket_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
