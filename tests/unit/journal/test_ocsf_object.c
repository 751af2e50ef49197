#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "unit/journal/events.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_of_little_known),
		cmocka_unit_test(test_sending),
		cmocka_unit_test(test_datagram),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_delete_finding),
		cmocka_unit_test(test_deletion_words),
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_finding_on_a_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
