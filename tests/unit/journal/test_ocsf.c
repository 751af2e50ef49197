#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include <netinet/in.h>

#include "journal/ocsf.h"

static const struct ocsf_host host = {
	.hostname = "build-7",
	.machine_id = "4c1d",
	.kernel = "6.1.0-18-amd64",
	.version = "0.1.0",
	.tier = "trace",
	.boot_id = "b007",
};
static const struct ocsf_host unknown_host = { 0 };

static char program[] = "terraform", verb[] = "destroy", spaced[] = "a b\n",
	    broken[] = "\xff\033[2J";
static char *argv[] = { program, verb, spaced, broken, NULL }, *no_words[] = { NULL };

static const struct ocsf_process ancestors[] = {
	{ .pid = 4210, .start_ns = 11, .path = "/usr/bin/bash", .argv = argv, .created_ms = 1 },
	{ .pid = 4001 },
};

static const char *const environment[] = { "LD_PRELOAD", NULL };

static struct ocsf_event full_event(void)
{
	return (struct ocsf_event) {
		.time_ms = 1790000000123,
		.sequence = 81231,
		.session = "19ab3f2c1d0",
		.agent = "claude",
		.process = { .pid = 4213,
			     .start_ns = 177321000000,
			     .created_ms = 1790000000120,
			     .path = "/usr/bin/terraform",
			     .argv = argv,
			     .cwd = "/srv/infra",
			     .tty = "pts/3",
			     .cgroup = "/user.slice",
			     .uid = 1000,
			     .euid = 0,
			     .user = "dev",
			     .environment = environment,
			     .fresh = true,
			     .truncated = true },
		.ancestors = ancestors,
		.ancestor_count = ARRAY_SIZE(ancestors),
		.disposition = OCSF_DELAYED,
		.verdict = "hold",
		.severity = "critical",
		.signature = "terraform.destroy",
		.why = "Destroys every resource.",
		.instead = "terraform plan -destroy",
		.technique = "T1485",
		.carrier = "ssh",
		.policy_version = "0123456789abcdef",
		.mode = "enforce",
		.hold = 7,
		.by = "uid 1000 (dev)",
		.reason = "checked",
		.latency_ns = 12345,
	};
}

/* As little as an event can say. */
static const struct ocsf_event bare_event = { .time_ms = 1790000000123, .process = { .pid = 1 } };

typedef void (*writer)(struct strbuf *, const struct ocsf_host *, const struct ocsf_event *);

static void write_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	ocsf_guard(out, h, e, "session began", "session 19ab3f2c1d0 of claude began");
}

static const struct bs_dest database = { .addr = { [10] = 0xff, 0xff, 10, 0, 0, 5 },
					 .port = 5432,
					 .protocol = IPPROTO_TCP };

static void write_connect(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	struct ocsf_event connect = *e;

	connect.dest = &database;
	ocsf_connect(out, h, &connect);
}

static void write_connect_finding(struct strbuf *out, const struct ocsf_host *h,
				  const struct ocsf_event *e)
{
	struct ocsf_event connect = *e;

	connect.dest = &database;
	ocsf_finding(out, h, &connect);
}

static const struct ocsf_deletion state_file = { .op = BS_DELETE_UNLINK,
						 .path = "/home/dev/app/terraform.tfstate",
						 .inner = "/dev/app/terraform.tfstate",
						 .inode = 131,
						 .dev = 8 << 20 | 1,
						 .bytes = 4096,
						 .links = 2,
						 .burst = 200,
						 .done = true,
						 .program_pid = 4001,
						 .program_start_ns = 9 };

static void write_delete(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	struct ocsf_event deletion = *e;

	deletion.deletion = &state_file;
	ocsf_delete(out, h, &deletion);
}

static void write_delete_finding(struct strbuf *out, const struct ocsf_host *h,
				 const struct ocsf_event *e)
{
	struct ocsf_event deletion = *e;

	deletion.deletion = &state_file;
	ocsf_finding(out, h, &deletion);
}

static const writer writers[] = { ocsf_exec,	ocsf_exit,	     ocsf_finding,
				  write_guard,	write_connect,	     write_connect_finding,
				  write_delete, write_delete_finding };

static json_t *event_of(writer write, const struct ocsf_host *h, const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	json_error_t error;
	json_t *event;

	write(&line, h, e);
	assert_null(strchr(strbuf_str(&line), '\n'));
	event = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &error);
	if (!event)
		print_error("%s: %s\n", error.text, line.data);
	assert_non_null(event);
	return event;
}

/* The value at a path such as "process.file.name" or "evidences.0.process". */
static json_t *at(json_t *event, const char *path)
{
	char key[64];

	for (int n; *path && event; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", n, path);
		event = json_is_array(event) ? json_array_get(event, atoi(key))
					     : json_object_get(event, key);
	}
	return event;
}

static void assert_text(json_t *event, const char *path, const char *want)
{
	const char *got = json_string_value(at(event, path));

	if (!got)
		print_error("nothing at %s\n", path);
	assert_non_null(got);
	assert_string_equal(got, want);
}

static void assert_number(json_t *event, const char *path, json_int_t want)
{
	if (!json_is_integer(at(event, path)))
		print_error("no number at %s\n", path);
	assert_true(json_is_integer(at(event, path)));
	assert_int_equal(json_integer_value(at(event, path)), want);
}

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

static void test_connect(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event;

	e.disposition = OCSF_ALLOWED;
	event = event_of(write_connect, &host, &e);
	assert_number(event, "class_uid", 4001);
	assert_number(event, "type_uid", 400101);
	assert_number(event, "disposition_id", OCSF_ALLOWED);
	assert_text(event, "dst_endpoint.ip", "10.0.0.5");
	assert_number(event, "dst_endpoint.port", 5432);
	assert_number(event, "connection_info.direction_id", 2);
	assert_text(event, "connection_info.protocol_name", "tcp");
	assert_number(event, "connection_info.protocol_num", 6);
	assert_number(event, "connection_info.protocol_ver_id", 4);
	assert_number(event, "connection_info.boundary_id", 2);
	assert_text(event, "actor.process.uid", json_string_value(at(event, "actor.process.uid")));
	assert_number(event, "actor.process.pid", e.process.pid);
	assert_text(event, "actor.process.working_directory", e.process.cwd);
	assert_text(event, "message", "connect 10.0.0.5:5432 by terraform");
	json_decref(event);
}

static void test_connect_of_little_known(void **state _unused_)
{
	json_t *event = event_of(write_connect, &unknown_host, &bare_event);

	assert_text(event, "message", "connect 10.0.0.5:5432 by -");
	assert_null(at(event, "actor.process.cmd_line"));
	json_decref(event);
}

static void test_delete(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event;

	e.disposition = OCSF_ALLOWED;
	e.process.command = "python3 clean.py";
	event = event_of(write_delete, &host, &e);
	assert_number(event, "class_uid", 1001);
	assert_number(event, "type_uid", 100104);
	assert_number(event, "disposition_id", OCSF_ALLOWED);
	assert_number(event, "action_id", 1);
	assert_text(event, "file.name", "terraform.tfstate");
	assert_text(event, "file.path", "/home/dev/app/terraform.tfstate");
	assert_text(event, "file.uid", "8:1:131");
	assert_number(event, "file.size", 4096);
	assert_text(event, "actor.app_name", "claude");
	assert_text(event, "actor.process.uid", "b007:4213:177321000000");
	assert_text(event, "actor.process.cmd_line", "python3 clean.py");
	assert_number(event, "actor.process.parent_process.pid", 4210);
	assert_text(event, "unmapped.backstop.session", "19ab3f2c1d0");
	assert_text(event, "unmapped.backstop.deletion", "unlink");
	assert_text(event, "unmapped.backstop.inner", "/dev/app/terraform.tfstate");
	assert_text(event, "unmapped.backstop.program", "b007:4001:9");
	assert_number(event, "unmapped.backstop.links", 2);
	assert_number(event, "unmapped.backstop.burst", 200);
	assert_true(json_is_true(at(event, "unmapped.backstop.done")));
	json_decref(event);
}

static void test_delete_finding(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event = event_of(write_delete_finding, &host, &e);

	assert_text(event, "message", "held: unlink /home/dev/app/terraform.tfstate by terraform");
	assert_text(event, "evidences.0.file.path", "/home/dev/app/terraform.tfstate");
	assert_text(event, "unmapped.backstop.deletion", "unlink");
	json_decref(event);
}

static void test_deletion_words(void **state _unused_)
{
	static const struct {
		const char *word;
		int type;
	} cases[] = {
		[BS_DELETE_UNLINK] = { "unlink", 100104 },
		[BS_DELETE_RMDIR] = { "rmdir", 100104 },
		[BS_DELETE_TRUNCATE] = { "truncate", 100103 },
		[BS_DELETE_RENAME] = { "rename-over", 100105 },
		[BS_DELETE_PUNCH] = { "punch", 100103 },
		[BS_DELETE_EXCHANGE] = { "exchange", 100105 },
		[BS_DELETE_MOVE] = { "move", 100105 },
	};

	for (int op = 1; op < BS_DELETE_OPS; op++) {
		struct ocsf_deletion d = { .op = op, .path = "" };
		struct ocsf_event e = bare_event;
		json_t *event;

		e.deletion = &d;
		event = event_of(ocsf_delete, &unknown_host, &e);
		assert_number(event, "type_uid", cases[op].type);
		assert_text(event, "unmapped.backstop.deletion", cases[op].word);
		assert_int_equal(ocsf_deletion_op(cases[op].word), op);
		json_decref(event);
	}
	assert_string_equal(ocsf_deletion_word(BS_DELETE_OPS), "delete");
	assert_int_equal(ocsf_deletion_op("delete"), 0);
	assert_int_equal(ocsf_deletion_op(NULL), 0);
}

static void test_sending(void **state _unused_)
{
	struct ocsf_sending sending = { .text = "DROP TABLE a", .protocol = "postgres" };
	struct ocsf_event e = full_event();
	json_t *event;

	e.dest = &database;
	e.hostname = "db.example";
	e.sending = &sending;
	event = event_of(ocsf_connect, &host, &e);
	assert_number(event, "type_uid", 400106);
	assert_text(event, "message", "send DROP TABLE a to 10.0.0.5:5432 by terraform");
	assert_text(event, "dst_endpoint.hostname", "db.example");
	assert_text(event, "unmapped.backstop.send.text", "DROP TABLE a");
	assert_text(event, "unmapped.backstop.send.protocol", "postgres");
	json_decref(event);
	sending = (struct ocsf_sending) { .path = "/run/docker.sock", .connects = true };
	e.hostname = NULL;
	event = event_of(ocsf_connect, &host, &e);
	assert_number(event, "type_uid", 400101);
	assert_text(event, "message", "connect /run/docker.sock by terraform");
	assert_text(event, "dst_endpoint.name", "/run/docker.sock");
	json_decref(event);
}

static void test_datagram(void **state _unused_)
{
	const struct bs_dest to = {
		.addr = { 0xfd, [15] = 1 }, .port = 53, .protocol = IPPROTO_UDP, .datagram = 1
	};
	struct ocsf_event e = full_event();
	json_t *event;

	e.dest = &to;
	event = event_of(ocsf_connect, &host, &e);
	assert_number(event, "type_uid", 400106);
	assert_text(event, "dst_endpoint.ip", "fd00::1");
	assert_text(event, "connection_info.protocol_name", "udp");
	assert_number(event, "connection_info.protocol_ver_id", 6);
	assert_text(event, "message", "send [fd00::1]:53 by terraform");
	json_decref(event);
}

static void test_boundaries(void **state _unused_)
{
	static const struct {
		const char *addr;
		int boundary;
	} cases[] = {
		{ "::ffff:127.0.0.1", 1 },
		{ "::1", 1 },
		{ "::ffff:10.1.2.3", 2 },
		{ "::ffff:172.16.0.1", 2 },
		{ "::ffff:172.32.0.1", 3 },
		{ "::ffff:192.168.1.1", 2 },
		{ "::ffff:192.169.1.1", 3 },
		{ "::ffff:169.254.169.254", 2 },
		{ "::ffff:100.64.0.1", 2 },
		{ "::ffff:100.128.0.1", 3 },
		{ "::ffff:8.8.8.8", 3 },
		{ "fe80::1", 2 },
		{ "fd12::1", 2 },
		{ "2001:db8::1", 3 },
	};
	struct ocsf_event e = full_event();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bs_dest to = { .port = 1, .protocol = 250 };
		json_t *event;

		assert_int_equal(inet_pton(AF_INET6, cases[i].addr, to.addr), 1);
		e.dest = &to;
		event = event_of(ocsf_connect, &host, &e);
		assert_number(event, "connection_info.boundary_id", cases[i].boundary);
		assert_number(event, "connection_info.protocol_num", 250);
		assert_null(at(event, "connection_info.protocol_name"));
		json_decref(event);
	}
}

static void test_finding_on_a_connect(void **state _unused_)
{
	struct ocsf_event e = full_event();
	json_t *event = event_of(write_connect_finding, &host, &e);

	assert_number(event, "class_uid", 2004);
	assert_text(event, "evidences.0.dst_endpoint.ip", "10.0.0.5");
	assert_number(event, "evidences.0.dst_endpoint.port", 5432);
	assert_number(event, "evidences.0.connection_info.protocol_num", 6);
	assert_number(event, "evidences.0.process.pid", e.process.pid);
	assert_text(event, "message", "held: connect 10.0.0.5:5432 by terraform");
	json_decref(event);
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

/* Every kind of event, every disposition, with all and with next to nothing known. */
static void add_all_kinds(struct strbuf *out)
{
	static const enum ocsf_disposition dispositions[] = {
		OCSF_UNSTATED, OCSF_UNKNOWN, OCSF_ALLOWED, OCSF_BLOCKED,
		OCSF_APPROVED, OCSF_DELAYED, OCSF_ALERT,   OCSF_REJECTED,
	};
	struct ocsf_event events[3] = { full_event(), bare_event, bare_event };

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
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_of_little_known),
		cmocka_unit_test(test_sending),
		cmocka_unit_test(test_datagram),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_delete_finding),
		cmocka_unit_test(test_deletion_words),
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_finding_on_a_connect),
		cmocka_unit_test(test_unknown_disposition),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
