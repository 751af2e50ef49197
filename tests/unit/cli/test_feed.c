#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/feed.h"
#include "journal/ocsf.h"

static const struct ocsf_host host = { .hostname = "build-7", .boot_id = "b007" };
static char program[] = "terraform", verb[] = "destroy", hostile[] = "\033[2J\xe2\x80\xae";
static char *argv[] = { program, verb, NULL }, *hostile_argv[] = { hostile, NULL };

static struct ocsf_event held_event(void)
{
	return (struct ocsf_event) {
		.time_ms = 1790000000123,
		.session = "19ab3f2c1d0",
		.agent = "claude",
		.process = { .pid = 4213, .argv = argv },
		.disposition = OCSF_DELAYED,
		.verdict = "hold",
		.severity = "critical",
		.signature = "terraform.destroy",
		.why = "Destroys every resource.",
		.hold = 7,
	};
}

static void assert_shown(const struct strbuf *line, bool colour, const char *want)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_int_equal(feed_format(&got, strbuf_str(line), line->len, colour), 0);
	assert_string_equal(strbuf_str(&got), want);
}

static void assert_finding(const struct ocsf_event *e, const char *want)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	ocsf_finding(&line, &host, e);
	assert_shown(&line, false, want);
}

#define WHO "2026-09-21 14:13:20.123 19ab3f2c1d0 claude[4213]       "
#define WHY "                        why: Destroys every resource.\n"

static void test_findings(void **state _unused_)
{
	struct ocsf_event e = held_event();

	assert_finding(&e, WHO "held     terraform destroy  "
			       "(terraform.destroy, critical, hold 7, by the policy)\n" WHY);
	e.disposition = OCSF_APPROVED;
	e.by = "uid 1000 (dev)";
	assert_finding(&e, WHO "approved terraform destroy  "
			       "(terraform.destroy, critical, hold 7, by uid 1000 (dev))\n");
	e.disposition = OCSF_BLOCKED;
	e.by = "timeout";
	e.reason = "nobody answered within 600 s";
	assert_finding(&e, WHO "denied   terraform destroy  (terraform.destroy, critical, hold 7, "
			       "by timeout: nobody answered within 600 s)\n" WHY);
	e = held_event();
	e.disposition = OCSF_BLOCKED;
	e.verdict = "kill";
	e.carrier = "ssh";
	e.hold = 0;
	assert_finding(&e, WHO "killed   terraform destroy  "
			       "(terraform.destroy, critical, through ssh, by the policy)\n" WHY);
	e.signature = e.severity = e.carrier = e.why = NULL;
	assert_finding(&e, WHO "killed   terraform destroy  (no signature, by the policy)\n");
}

static void test_connects(void **state _unused_)
{
	static const struct bs_dest database = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
						 .port = 5432,
						 .protocol = 6 };
	static const struct bs_dest names = {
		.addr = { 0xfd, [15] = 1 }, .port = 53, .protocol = 17, .datagram = 1
	};
	_cleanup_strbuf_ struct strbuf opened = STRBUF_INIT, sent = STRBUF_INIT, by = STRBUF_INIT;
	struct ocsf_event e = held_event();

	e.dest = &database;
	ocsf_connect(&opened, &host, &e);
	assert_shown(&opened, false, WHO "held     connect 10.0.0.5:5432 by terraform destroy\n");
	assert_finding(&e, WHO "held     connect 10.0.0.5:5432 by terraform destroy  "
			       "(terraform.destroy, critical, hold 7, by the policy)\n" WHY);
	e.dest = &names;
	assert_finding(&e, WHO "held     send [fd00::1]:53 by terraform destroy  "
			       "(terraform.destroy, critical, hold 7, by the policy)\n" WHY);
	e.process.argv = NULL;
	ocsf_connect(&sent, &host, &e);
	assert_shown(&sent, false, WHO "held     send [fd00::1]:53 by -\n");
	e.process.path = "/usr/bin/dig";
	e.disposition = OCSF_ALLOWED;
	ocsf_connect(&by, &host, &e);
	assert_shown(&by, false, WHO "allowed  send [fd00::1]:53 by dig\n");
}

static void assert_sending(const struct ocsf_event *e, const char *kind, const char *shown)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	_cleanup_json_ json_t *event = NULL;

	ocsf_connect(&line, &host, e);
	assert_shown(&line, false, shown);
	event = feed_parse(strbuf_str(&line), line.len);
	assert_string_equal(feed_kind(event), kind);
}

static void test_sendings(void **state _unused_)
{
	static const struct bs_dest database = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
						 .port = 5432,
						 .protocol = 6 };
	static const struct bs_dest none = { 0 };
	struct ocsf_sending s = { .text = "DROP TABLE \\e[2Jusers" }; /* as the guard escaped it */
	struct ocsf_event e = held_event();

	e.dest = &database;
	e.sending = &s;
	assert_sending(&e, "send",
		       WHO "held     send DROP TABLE \\e[2Jusers to 10.0.0.5:5432 by terraform "
			   "destroy\n");
	s.text = "DROP TABLE \033[2Jusers"; /* as nobody wrote it */
	assert_sending(&e, "send",
		       WHO "held     send DROP TABLE \\e[2Jusers to 10.0.0.5:5432 by terraform "
			   "destroy\n");
	e.dest = &none;
	s = (struct ocsf_sending) { .path = "/run/db.sock" };
	assert_sending(&e, "send",
		       WHO "held     send bytes to /run/db.sock by terraform destroy\n");
	s.connects = true;
	assert_sending(&e, "connect", WHO "held     connect /run/db.sock by terraform destroy\n");
}

static void test_deletions(void **state _unused_)
{
	static const struct ocsf_deletion state_file = { .op = BS_DELETE_RENAME,
							 .path = "/srv/app/a\033b" };
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT, by = STRBUF_INIT;
	struct ocsf_event e = held_event();

	e.deletion = &state_file;
	e.process.command = "python3 clean.py";
	ocsf_delete(&line, &host, &e);
	assert_shown(&line, false, WHO "held     rename-over /srv/app/a\\eb by python3 clean.py\n");
	assert_finding(&e, WHO "held     rename-over /srv/app/a\\eb by terraform destroy  "
			       "(terraform.destroy, critical, hold 7, by the policy)\n" WHY);
	e.process.argv = NULL;
	e.process.command = NULL;
	e.process.path = "/usr/bin/perl";
	e.disposition = OCSF_ALLOWED;
	ocsf_delete(&by, &host, &e);
	assert_shown(&by, false, WHO "allowed  rename-over /srv/app/a\\eb by perl\n");
}

static void test_exit_of_a_fork(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf ended = STRBUF_INIT;
	struct ocsf_event e = held_event();

	e.process.argv = NULL;
	e.process.exit_code = 3 << 8;
	ocsf_exit(&ended, &host, &e);
	assert_shown(&ended, false, WHO "exit     -  (status 3)\n");
}

static const char *kind_of(void (*write)(struct strbuf *, const struct ocsf_host *,
					 const struct ocsf_event *),
			   const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	const char *kind;
	json_t *event;

	write(&line, &host, e);
	event = feed_parse(strbuf_str(&line), line.len);
	assert_non_null(event);
	kind = feed_kind(event);
	json_decref(event);
	return kind;
}

static void write_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	ocsf_guard(out, h, e, "guard started", "the guard started");
}

static void test_kinds(void **state _unused_)
{
	static const struct bs_dest dest = { .port = 1 };
	struct ocsf_event e = held_event();

	assert_string_equal(kind_of(ocsf_exec, &e), "exec");
	assert_string_equal(kind_of(ocsf_finding, &e), "exec");
	assert_string_equal(kind_of(ocsf_exit, &e), "exit");
	assert_string_equal(kind_of(write_guard, &e), "guard");
	e.dest = &dest;
	assert_string_equal(kind_of(ocsf_connect, &e), "connect");
	assert_string_equal(kind_of(ocsf_finding, &e), "connect");
	e.dest = NULL;
	e.deletion = &(const struct ocsf_deletion) { .path = "/x" };
	assert_string_equal(kind_of(ocsf_delete, &e), "delete");
	assert_string_equal(kind_of(ocsf_finding, &e), "delete");
}

static void test_processes(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf exec = STRBUF_INIT, ended = STRBUF_INIT,
				       killed = STRBUF_INIT;
	struct ocsf_event e = held_event();

	ocsf_exec(&exec, &host, &e);
	assert_shown(&exec, false, WHO "exec     terraform destroy\n");
	e.process.exit_code = 126 << 8;
	ocsf_exit(&ended, &host, &e);
	assert_shown(&ended, false, WHO "exit     terraform destroy  (status 126)\n");
	e.process.argv = NULL;
	e.process.command = "terraform destroy";
	e.process.exit_code = 9;
	ocsf_exit(&killed, &host, &e);
	assert_shown(&killed, false, WHO "exit     terraform destroy  (SIGKILL)\n");
}

static void test_guard(void **state _unused_)
{
	const struct ocsf_event e = { .time_ms = 1790000000123 };
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;

	ocsf_guard(&line, &host, &e, "started", "the guard started");
	assert_shown(&line, false,
		     "2026-09-21 14:13:20.123 -           -                  guard    "
		     "the guard started\n");
}

static void test_colour(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	struct ocsf_event e = held_event();

	ocsf_finding(&line, &host, &e);
	assert_shown(&line, true,
		     WHO "\033[33mheld    \033[0m terraform destroy  "
			 "(terraform.destroy, critical, hold 7, by the policy)\n" WHY);
}

/* Nothing that an agent may choose can steer the terminal of the human who reads. */
static void test_hostile_strings_are_escaped(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT, got = STRBUF_INIT;
	struct ocsf_event e = held_event();

	e.session = e.agent = e.signature = e.severity = e.why = e.by = e.reason = e.carrier =
		hostile;
	e.process.argv = hostile_argv;
	ocsf_finding(&line, &host, &e);
	assert_int_equal(feed_format(&got, line.data, line.len, false), 0);
	assert_null(strchr(got.data, '\033'));
	assert_null(strstr(got.data, "\xe2\x80\xae"));
	assert_non_null(strstr(got.data, " $'\\e[2J\\xe2\\x80\\xae'"));
	assert_non_null(strstr(got.data, "why: \\e[2J\\u{202e}\n"));
}

static void test_long_commands_are_cut(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT, got = STRBUF_INIT;
	static char huge[100000];
	char *words[] = { program, huge, NULL };
	struct ocsf_event e = held_event();

	memset(huge, 'x', sizeof(huge) - 1);
	e.process.argv = words;
	ocsf_exec(&line, &host, &e);
	assert_int_equal(feed_format(&got, line.data, line.len, false), 0);
	assert_true(got.len < 2200);
	assert_non_null(strstr(got.data, "x…\n"));
}

static void test_lines_that_are_no_events(void **state _unused_)
{
	static const char *const lines[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"class_uid\":1007}",
		"{\"class_uid\":\"1007\",\"time\":1}",
		"{\"class_uid\":1007,\"time\":1} x",
		"{\"class_uid\":1007,\"class_uid\":1007,\"time\":1}",
		"{\"class_uid\":1007,\"time\":1,\"message\":\"\xff\"}",
		"{\"class_uid\":1007,\"time\":1,\"message\":\"a\\u0000b\"}",
	};
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(feed_format(&got, lines[i], strlen(lines[i]), false), -EINVAL);
	assert_int_equal(got.len, 0);
}

/* Events of any shape are shown without harm, whatever is missing or of another type. */
static void test_events_of_odd_shapes(void **state _unused_)
{
	static const char *const lines[] = {
		"{\"class_uid\":1007,\"time\":1}",
		"{\"class_uid\":2004,\"time\":1,\"evidences\":{},\"unmapped\":[]}",
		"{\"class_uid\":2004,\"time\":-1,\"disposition_id\":\"x\",\"evidences\":[1]}",
		"{\"class_uid\":1007,\"time\":9223372036854775807,\"process\":{\"pid\":\"x\"},"
		"\"unmapped\":{\"backstop\":{\"argv\":[1,null,\"x\"],\"agent\":{}}}}",
		"{\"class_uid\":1007,\"activity_id\":2,\"time\":1,"
		"\"unmapped\":{\"backstop\":{\"signal\":999999999999}}}",
		"{\"class_uid\":99,\"time\":1,\"message\":7}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

		assert_int_equal(feed_format(&got, lines[i], strlen(lines[i]), false), 0);
		assert_int_equal(got.data[got.len - 1], '\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_sendings),
		cmocka_unit_test(test_deletions),
		cmocka_unit_test(test_exit_of_a_fork),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_hostile_strings_are_escaped),
		cmocka_unit_test(test_long_commands_are_cut),
		cmocka_unit_test(test_lines_that_are_no_events),
		cmocka_unit_test(test_events_of_odd_shapes),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
