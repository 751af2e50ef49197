#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/client.h"
#include "cli/ecs.h"
#include "cli/feed.h"

#define DETAILS "\"unmapped\":{\"backstop\":{\"session\":\"s\",\"argv\":[\"rm\",\"-r\"]"

/* The object that the line becomes; owned by the caller. */
static json_t *convert(const char *line)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	_cleanup_json_ json_t *event = feed_parse(line, strlen(line));
	json_t *ecs;

	assert_non_null(event);
	ecs_put(&out, event);
	assert_int_equal(strbuf_error(&out), 0);
	ecs = json_loads(strbuf_str(&out), JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_is_object(ecs));
	return ecs;
}

static void assert_field(const json_t *ecs, const char *name, const char *want)
{
	_cleanup_free_ char *got =
		json_dumps(json_object_get(ecs, name), JSON_ENCODE_ANY | JSON_COMPACT);

	if (!want)
		assert_null(json_object_get(ecs, name));
	else
		assert_string_equal(got ? got : "nothing", want);
}

static void test_exec(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert(
		"{\"class_uid\":1007,\"activity_id\":1,\"time\":1795442023042,\"severity_id\":1,"
		"\"metadata\":{\"uid\":\"b:1\",\"sequence\":9},\"disposition_id\":1,"
		"\"device\":{\"hostname\":\"h\",\"uid\":\"m\"},\"process\":{\"pid\":7,\"uid\":\"b:"
		"7\","
		"\"cmd_line\":\"rm "
		"-r\",\"file\":{\"path\":\"/bin/rm\"},\"created_time\":1795442023000,"
		"\"user\":{\"uid\":\"0\",\"name\":\"root\"},\"parent_process\":{\"pid\":6}}"
		"," DETAILS "}}}");

	assert_field(e, "@timestamp", "\"2026-11-23T13:53:43.042Z\"");
	assert_field(e, "event.kind", "\"event\"");
	assert_field(e, "event.category", "[\"process\"]");
	assert_field(e, "event.type", "[\"start\"]");
	assert_field(e, "event.outcome", "\"success\"");
	assert_field(e, "event.id", "\"b:1\"");
	assert_field(e, "event.sequence", "9");
	assert_field(e, "host.id", "\"m\"");
	assert_field(e, "process.pid", "7");
	assert_field(e, "process.executable", "\"/bin/rm\"");
	assert_field(e, "process.args", "[\"rm\",\"-r\"]");
	assert_field(e, "process.start", "\"2026-11-23T13:53:43.000Z\"");
	assert_field(e, "process.parent.pid", "6");
	assert_field(e, "user.id", "\"0\"");
	assert_field(e, "rule.id", NULL);
	assert_field(e, "backstop", "{\"session\":\"s\",\"argv\":[\"rm\",\"-r\"]}");
}

static void test_exit(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert("{\"class_uid\":1007,\"activity_id\":2,\"time\":1,"
					   "\"disposition_id\":1,\"exit_code\":3}");

	assert_field(e, "@timestamp", "\"1970-01-01T00:00:00.001Z\"");
	assert_field(e, "event.type", "[\"end\"]");
	assert_field(e, "event.outcome", "\"failure\"");
	assert_field(e, "process.exit_code", "3");
	assert_field(e, "backstop", NULL);
}

static void test_deletion(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert(
		"{\"class_uid\":1001,\"time\":1,\"disposition_id\":25,\"actor\":{\"process\":"
		"{\"pid\":7},\"user\":{\"uid\":\"5\"}},\"file\":{\"path\":\"/a/"
		"b\",\"name\":\"b\"}}");

	assert_field(e, "event.category", "[\"file\"]");
	assert_field(e, "event.type", "[\"deletion\"]");
	assert_field(e, "event.outcome", "\"failure\"");
	assert_field(e, "process.pid", "7");
	assert_field(e, "user.id", "\"5\"");
	assert_field(e, "file.path", "\"/a/b\"");
}

static void test_connection(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert(
		"{\"class_uid\":4001,\"time\":1,\"disposition_id\":19,\"dst_endpoint\":{\"ip\":"
		"\"2001:db8::1\",\"port\":443},\"connection_info\":{\"protocol_name\":\"udp\"}}");

	assert_field(e, "event.category", "[\"network\"]");
	assert_field(e, "event.type", "[\"connection\",\"allowed\"]");
	assert_field(e, "destination.ip", "\"2001:db8::1\"");
	assert_field(e, "destination.port", "443");
	assert_field(e, "network.transport", "\"udp\"");
	assert_field(e, "network.direction", "\"egress\"");
}

static void test_sending(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert(
		"{\"class_uid\":4001,\"time\":1,\"disposition_id\":2,\"message\":\"send x to "
		"h\",\"dst_endpoint\":{\"hostname\":\"h\"},"
		"\"unmapped\":{\"backstop\":{\"send\":{\"text\":\"x\"}}}}");

	assert_field(e, "event.action", "\"send\"");
	assert_field(e, "event.category", "[\"network\"]");
	assert_field(e, "event.type", "[\"connection\",\"denied\"]");
	assert_field(e, "destination.domain", "\"h\"");
}

static void test_finding(void **state _unused_)
{
	_cleanup_json_ json_t *e = convert(
		"{\"class_uid\":2004,\"time\":1,\"severity_id\":5,\"disposition_id\":14,\"finding_"
		"info\":"
		"{\"attacks\":[{\"technique\":{\"uid\":\"T1485\"},\"sub_technique\":{\"uid\":"
		"\"T1485.001\"}}]},"
		"\"evidences\":[{\"process\":{\"pid\":8},\"actor\":{\"process\":{\"pid\":7}}}],"
		"\"policy\":{\"version\":\"p\"}," DETAILS
		",\"signature\":\"files.x\",\"why\":\"w\"}}}");

	assert_field(e, "event.kind", "\"alert\"");
	assert_field(e, "event.category", "[\"intrusion_detection\",\"process\"]");
	assert_field(e, "event.type", "[\"info\"]");
	assert_field(e, "event.outcome", "\"unknown\"");
	assert_field(e, "event.severity", "5");
	assert_field(e, "process.pid", "8");
	assert_field(e, "rule.id", "\"files.x\"");
	assert_field(e, "rule.description", "\"w\"");
	assert_field(e, "rule.version", "\"p\"");
	assert_field(e, "threat.framework", "\"MITRE ATT&CK\"");
	assert_field(e, "threat.technique.id", "[\"T1485\"]");
	assert_field(e, "threat.technique.subtechnique.id", "[\"T1485.001\"]");
}

/* An index that expects another type would refuse the event. */
static void test_other_types(void **state _unused_)
{
	_cleanup_json_ json_t *e =
		convert("{\"class_uid\":4001,\"time\":1,\"message\":7,\"process\":{\"pid\":\"7\"},"
			"\"dst_endpoint\":{\"ip\":\"a.example\",\"port\":true},"
			"\"unmapped\":{\"backstop\":{\"argv\":[1,\"a\",null]}}}");

	assert_field(e, "message", NULL);
	assert_field(e, "process.pid", NULL);
	assert_field(e, "destination.ip", NULL);
	assert_field(e, "destination.port", NULL);
	assert_field(e, "process.args", "[\"a\"]");
	assert_field(e, "event.outcome", "\"unknown\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),	    cmocka_unit_test(test_exit),
		cmocka_unit_test(test_deletion),    cmocka_unit_test(test_connection),
		cmocka_unit_test(test_sending),	    cmocka_unit_test(test_finding),
		cmocka_unit_test(test_other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
