/* Requests of the control socket: what is asked, and who may. */
#include "control_fixture.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
