#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>

#include "base/io.h"

#include "unit/journal/events.h"

static void test_exec(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event;

	e.disposition = OCSF_ALLOWED;
	event = event_of(ocsf_exec, &host, &e);
	assert_number(event, "class_uid", 1007);
	assert_number(event, "type_uid", 100701);
	assert_number(event, "time", 1790000000123);
	assert_number(event, "launch_type_id", 3);
	assert_number(event, "disposition_id", 1);
	assert_number(event, "action_id", 1);
	assert_text(event, "message", "exec: terraform destroy $'a b\\n' $'\\xff\\e[2J'");
	assert_text(event, "process.uid", "b007:4213:177321000000");
	assert_text(event, "process.cmd_line", "terraform destroy $'a b\\n' $'\\xff\\e[2J'");
	assert_text(event, "process.file.name", "terraform");
	assert_text(event, "process.file.path", "/usr/bin/terraform");
	assert_text(event, "process.working_directory", "/srv/infra");
	assert_text(event, "process.user.uid", "1000");
	assert_text(event, "process.session.terminal", "pts/3");
	assert_text(event, "process.parent_process.name", "bash");
	assert_number(event, "process.ancestry.1.pid", 4001);
	assert_text(event, "actor.app_name", "claude");
	assert_number(event, "actor.process.pid", 4210);
	assert_text(event, "metadata.uid", "b007:1790000000123:81231");
	assert_text(event, "unmapped.backstop.argv.2", "a b\n");
	assert_text(event, "unmapped.backstop.argv.3", "\xef\xbf\xbd\033[2J");
	assert_number(event, "unmapped.backstop.euid", 0);
	assert_true(json_is_true(at(event, "unmapped.backstop.argv_truncated")));
	assert_true(json_is_true(at(event, "unmapped.backstop.fresh")));
	assert_string_equal(
		json_string_value(json_array_get(at(event, "unmapped.backstop.environment"), 0)),
		"LD_PRELOAD");
	json_decref(event);
}

static void assert_exit(int status, int code, int signo)
{
	struct ocsf_event e = bare_event;
	json_t *event;

	e.process.exit_code = status;
	event = event_of(ocsf_exit, &host, &e);
	assert_number(event, "type_uid", 100702);
	assert_number(event, "exit_code", code);
	if (signo)
		assert_number(event, "unmapped.backstop.signal", signo);
	else
		assert_null(at(event, "unmapped.backstop.signal"));
	json_decref(event);
}

static void test_exit(void **state _unused_)
{
	assert_exit(0, 0, 0);
	assert_exit(126 << 8, 126, 0);
	assert_exit(9, 137, 9);
	assert_exit(11 | 128, 139, 11);
}

static void test_process_known_by_its_command_alone(void **state _unused_)
{
	struct ocsf_event e = bare_event;
	json_t *event;

	e.process.command = "sh -c 'a b'";
	event = event_of(ocsf_exit, &host, &e);
	assert_text(event, "process.cmd_line", "sh -c 'a b'");
	assert_text(event, "message", "exit: sh -c 'a b'");
	json_decref(event);
}

static void test_finding(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event = event_of(ocsf_finding, &host, &e);

	assert_number(event, "type_uid", 200401);
	assert_number(event, "severity_id", 5);
	assert_number(event, "disposition_id", 14);
	assert_number(event, "action_id", 3);
	assert_number(event, "status_id", 1);
	assert_true(json_is_true(at(event, "is_alert")));
	assert_text(event, "finding_info.title", "terraform.destroy by claude");
	assert_text(event, "finding_info.analytic.uid", "terraform.destroy");
	assert_text(event, "finding_info.attacks.0.technique.uid", "T1485");
	assert_null(at(event, "finding_info.attacks.0.sub_technique"));
	assert_number(event, "evidences.0.process.pid", 4213);
	assert_text(event, "evidences.0.actor.app_uid", "19ab3f2c1d0");
	assert_text(event, "remediation.desc", "terraform plan -destroy");
	assert_number(event, "unmapped.backstop.hold", 7);
	assert_text(event, "unmapped.backstop.verdict", "hold");
	assert_text(event, "unmapped.backstop.signature", "terraform.destroy");
	assert_text(event, "unmapped.backstop.instead", "terraform plan -destroy");
	assert_text(event, "unmapped.backstop.carrier", "ssh");
	assert_text(event, "unmapped.backstop.mode", "enforce");
	assert_text(event, "unmapped.backstop.tier", "trace");
	assert_text(event, "unmapped.backstop.by", "uid 1000 (dev)");
	assert_text(event, "unmapped.backstop.reason", "checked");
	assert_number(event, "unmapped.backstop.latency_ns", 12345);
	json_decref(event);
}

static void test_decision_closes_the_finding_of_its_hold(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *held = event_of(ocsf_finding, &host, &e), *decided;

	e.disposition = OCSF_REJECTED;
	e.sequence++;
	decided = event_of(ocsf_finding, &host, &e);
	assert_number(held, "activity_id", 1);
	assert_number(decided, "activity_id", 3);
	assert_number(decided, "action_id", 2);
	assert_number(decided, "status_id", 4);
	assert_text(decided, "finding_info.uid", json_string_value(at(held, "finding_info.uid")));
	json_decref(held);
	json_decref(decided);
}

static void test_sub_technique(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event;

	e.technique = "T1561.001";
	event = event_of(ocsf_finding, &host, &e);
	assert_text(event, "finding_info.attacks.0.technique.uid", "T1561");
	assert_text(event, "finding_info.attacks.0.sub_technique.uid", "T1561.001");
	json_decref(event);
}

static void test_severities(void **state _unused_)
{
	static const char *const names[] = { NULL, "low", "medium", "high", "critical" };
	struct ocsf_event e = bare_event;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *event;

		e.severity = names[i];
		event = event_of(ocsf_finding, &host, &e);
		assert_number(event, "severity_id", i + 1);
		json_decref(event);
	}
}

static void test_guard(void **state _unused_)
{
	static const struct {
		const char *name;
		int activity;
	} cases[] = { { "guard started", 3 }, { "guard stopped", 4 }, { "session ended", 99 } };
	struct ocsf_event e = full_event();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
		json_t *event;

		ocsf_guard(&line, &host, &e, cases[i].name, "in words");
		event = json_loads(line.data, 0, NULL);
		assert_number(event, "class_uid", 6002);
		assert_number(event, "activity_id", cases[i].activity);
		assert_text(event, "activity_name", cases[i].name);
		assert_text(event, "message", "in words");
		assert_text(event, "unmapped.backstop.session", "19ab3f2c1d0");
		assert_null(at(event, "unmapped.backstop.argv"));
		json_decref(event);
	}
}

static void test_words(void **state _unused_)
{
	assert_string_equal(ocsf_word(OCSF_DELAYED, "hold"), "held");
	assert_string_equal(ocsf_word(OCSF_BLOCKED, "kill"), "killed");
	assert_string_equal(ocsf_word(OCSF_BLOCKED, "hold"), "denied");
	assert_string_equal(ocsf_word(OCSF_BLOCKED, NULL), "denied");
	assert_string_equal(ocsf_word(OCSF_APPROVED, "hold"), "approved");
	assert_string_equal(ocsf_word(OCSF_REJECTED, "hold"), "rejected");
	assert_string_equal(ocsf_word(OCSF_ALERT, "alert"), "alert");
	assert_string_equal(ocsf_word(OCSF_ALLOWED, "allow"), "allowed");
	assert_string_equal(ocsf_word(OCSF_UNSTATED, NULL), "seen");
}

static void test_unknown_disposition(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event;

	e.disposition = OCSF_UNKNOWN;
	event = event_of(ocsf_exec, &host, &e);
	assert_number(event, "disposition_id", 0);
	assert_number(event, "action_id", 0);
	json_decref(event);
	e.disposition = OCSF_UNSTATED;
	event = event_of(ocsf_exec, &host, &e);
	assert_null(at(event, "disposition_id"));
	json_decref(event);
}

static void test_long_command_lines_are_cut_but_argv_is_whole(void **state _unused_)
{
	static char huge[131073];
	char *words[] = { program, huge, NULL };
	struct ocsf_event e = full_event();
	json_t *event;

	memset(huge, 'x', sizeof(huge) - 1);
	e.process.argv = words;
	event = event_of(ocsf_exec, &host, &e);
	assert_int_equal(json_string_length(at(event, "unmapped.backstop.argv.1")), 131072);
	assert_true(json_string_length(at(event, "process.cmd_line")) < 33000);
	assert_true(json_string_length(at(event, "message")) < 500);
	json_decref(event);
}

static void write_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	ocsf_guard(out, h, e, "session began", "session 19ab3f2c1d0 of claude began");
}

static const writer writers[] = { ocsf_exec,	ocsf_exit,	     ocsf_finding,
				  write_guard,	write_connect,	     write_connect_finding,
				  write_delete, write_delete_finding };

/* Every kind of event, every disposition, with all and with next to nothing known. */
static void add_all_kinds(struct strbuf *out)
{
	static const enum ocsf_disposition dispositions[] = {
		OCSF_UNSTATED, OCSF_UNKNOWN, OCSF_ALLOWED, OCSF_BLOCKED,
		OCSF_APPROVED, OCSF_DELAYED, OCSF_ALERT,   OCSF_REJECTED,
	};
	struct ocsf_event events[3] = { full_event(), bare_event, bare_event };
	char *no_words[] = { NULL };

	events[2].process.argv = no_words;
	for (size_t i = 0; i < ARRAY_SIZE(dispositions) * ARRAY_SIZE(events); i++) {
		struct ocsf_event *e = &events[i % ARRAY_SIZE(events)];

		e->disposition = dispositions[i / ARRAY_SIZE(events)];
		for (size_t w = 0; w < ARRAY_SIZE(writers); w++) {
			writers[w](out, i & 1 ? &host : &unknown_host, e);
			strbuf_addc(out, '\n');
		}
	}
}

#define VALIDATOR "../shared/ocsf/validate.py"

static void test_schema(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf lines = STRBUF_INIT;
	char path[] = "/tmp/backstop-ocsf-XXXXXX", command[128];
	int fd;

	if (access(VALIDATOR, R_OK) < 0) {
		print_message("skipped: no " VALIDATOR " to check the events with\n");
		skip();
	}
	add_all_kinds(&lines);
	assert_int_equal(strbuf_error(&lines), 0);
	fd = mkstemp(path);
	assert_int_equal(io_write_all(fd, lines.data, lines.len), 0);
	close(fd);
	snprintf(command, sizeof(command), "python3 " VALIDATOR " %s >&2", path);
	assert_int_equal(system(command), 0);
	unlink(path);
}

#define CONTAINER_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void assert_container(const char *cgroup, bool is)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ocsf_event e = full_event();

	e.process.cgroup = cgroup;
	ocsf_exec(&out, &host, &e);
	assert_int_equal(strstr(strbuf_str(&out), "\"container\":{\"uid\":\"" CONTAINER_ID "\"}") !=
				 NULL,
			 is);
	assert_int_equal(strstr(strbuf_str(&out), "\"security_control\",\"container\"]") != NULL,
			 is);
}

static void test_containers(void **state _unused_)
{
	assert_container("/docker/" CONTAINER_ID, true);
	assert_container("/system.slice/docker-" CONTAINER_ID ".scope", true);
	assert_container("/machine.slice/libpod-" CONTAINER_ID ".scope/container", true);
	assert_container("/kubepods.slice/cri-containerd-" CONTAINER_ID ".scope", true);
	assert_container("/user.slice/" CONTAINER_ID "0", false);
	assert_container("/user.slice/deadbeef", false);
	assert_container(NULL, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_process_known_by_its_command_alone),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_decision_closes_the_finding_of_its_hold),
		cmocka_unit_test(test_sub_technique),
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_command_lines_are_cut_but_argv_is_whole),
		cmocka_unit_test(test_unknown_disposition),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
