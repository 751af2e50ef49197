/* Fields and allowed values: https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html, and
 * for event.kind, category, type and outcome .../ecs-category-field-values-reference.html. */
#include "cli/ecs.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "cli/feed.h"

#define VERSION	  "8.11.0"
#define STEPS_MAX 8

/* What a field is read from: the event, or a part of it, which in a finding lies in its evidence.
 */
enum part { EVENT, DETAILS, PROCESS, USER, FILE_, DESTINATION, CONNECTION, PARTS };

/* How its value is written. LIST: an array, of one where it is none. DATE: of milliseconds. */
enum type { KEYWORD, LONG, LIST, DATE, IP };

static const struct mapping {
	const char *ecs;
	enum part part;
	const char *path;
	enum type type;
} mappings[] = {
	{ "@timestamp", EVENT, "time", DATE },
	{ "message", EVENT, "message", KEYWORD },
	{ "event.id", EVENT, "metadata.uid", KEYWORD },
	{ "event.sequence", EVENT, "metadata.sequence", LONG },
	{ "event.severity", EVENT, "severity_id", LONG },
	{ "event.reason", DETAILS, "reason", KEYWORD },
	{ "observer.product", EVENT, "metadata.product.name", KEYWORD },
	{ "observer.vendor", EVENT, "metadata.product.vendor_name", KEYWORD },
	{ "observer.version", EVENT, "metadata.product.version", KEYWORD },
	{ "host.hostname", EVENT, "device.hostname", KEYWORD },
	{ "host.name", EVENT, "device.hostname", KEYWORD },
	{ "host.id", EVENT, "device.uid", KEYWORD },
	{ "host.boot.id", EVENT, "device.boot_uid", KEYWORD },
	{ "host.os.kernel", EVENT, "device.os.kernel_release", KEYWORD },
	{ "process.pid", PROCESS, "pid", LONG },
	{ "process.entity_id", PROCESS, "uid", KEYWORD },
	{ "process.name", PROCESS, "name", KEYWORD },
	{ "process.executable", PROCESS, "file.path", KEYWORD },
	{ "process.command_line", PROCESS, "cmd_line", KEYWORD },
	{ "process.working_directory", PROCESS, "working_directory", KEYWORD },
	{ "process.start", PROCESS, "created_time", DATE },
	{ "process.args", DETAILS, "argv", LIST },
	{ "container.id", PROCESS, "container.uid", KEYWORD },
	{ "process.exit_code", EVENT, "exit_code", LONG },
	{ "process.parent.pid", PROCESS, "parent_process.pid", LONG },
	{ "process.parent.entity_id", PROCESS, "parent_process.uid", KEYWORD },
	{ "process.parent.name", PROCESS, "parent_process.name", KEYWORD },
	{ "process.parent.command_line", PROCESS, "parent_process.cmd_line", KEYWORD },
	{ "user.id", USER, "uid", KEYWORD },
	{ "user.name", USER, "name", KEYWORD },
	{ "file.path", FILE_, "path", KEYWORD },
	{ "file.name", FILE_, "name", KEYWORD },
	{ "destination.ip", DESTINATION, "ip", IP },
	{ "destination.port", DESTINATION, "port", LONG },
	{ "destination.domain", DESTINATION, "hostname", KEYWORD },
	{ "network.transport", CONNECTION, "protocol_name", KEYWORD },
	{ "rule.id", DETAILS, "signature", KEYWORD },
	{ "rule.name", DETAILS, "signature", KEYWORD },
	{ "rule.description", DETAILS, "why", KEYWORD },
	{ "rule.version", EVENT, "policy.version", KEYWORD },
	{ "threat.technique.id", EVENT, "finding_info.attacks.0.technique.uid", LIST },
	{ "threat.technique.subtechnique.id", EVENT, "finding_info.attacks.0.sub_technique.uid",
	  LIST },
};

/* The words of event.*, by what the event is of. */
static const struct category {
	const char *kind, *category, *type;
} categories[] = {
	{ "exec", "process", "start" },	     { "exit", "process", "end" },
	{ "delete", "file", "deletion" },    { "connect", "network", "connection" },
	{ "send", "network", "connection" }, { "guard", "configuration", "info" },
};

static const json_t *step_into(const json_t *at, const char *name, size_t len)
{
	return json_is_array(at) ? json_array_get(at, (size_t)(name[0] - '0'))
				 : json_object_getn(at, name, len);
}

static const json_t *find(const json_t *at, const char *path)
{
	for (const char *end; at; path = end + 1) {
		end = strchrnul(path, '.');
		at = step_into(at, path, (size_t)(end - path));
		if (!*end)
			break;
	}
	return at;
}

static const json_t *first_of(const json_t *a, const json_t *b)
{
	return a ? a : b;
}

static void find_parts(const json_t *event, const json_t *ret[PARTS])
{
	const json_t *in = first_of(find(event, "evidences.0"), event);

	ret[EVENT] = event;
	ret[DETAILS] = feed_details(event);
	ret[PROCESS] = first_of(find(in, "process"), find(in, "actor.process"));
	ret[USER] = first_of(find(ret[PROCESS], "user"), find(in, "actor.user"));
	ret[FILE_] = find(in, "file");
	ret[DESTINATION] = find(in, "dst_endpoint");
	ret[CONNECTION] = find(in, "connection_info");
}

/* ---- values */

static void put_date(struct json *j, const char *name, json_int_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[40], whole[48];
	struct tm tm;

	if (ms < 0 || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(ms % 1000));
	json_put_string(j, name, whole);
}

static bool is_address(const char *text)
{
	struct in6_addr addr;

	return text &&
	       (inet_pton(AF_INET, text, &addr) == 1 || inet_pton(AF_INET6, text, &addr) == 1);
}

static void put_list(struct json *j, const char *name, const json_t *value)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;

	json_open_array(j, name);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

		if (json_is_string(item))
			json_put_string(j, NULL, json_string_value(item));
	}
	json_close_array(j);
}

/* What is of another type than it should be is left out: an index refuses the whole event. */
static void put_field(struct json *j, const struct mapping *m, const json_t *value)
{
	const char *text = json_string_value(value);

	if (m->type == KEYWORD && text)
		json_put_string(j, m->ecs, text);
	else if (m->type == IP && is_address(text))
		json_put_string(j, m->ecs, text);
	else if (m->type == LIST && (text || json_is_array(value)))
		put_list(j, m->ecs, value);
	else if (m->type == LONG && json_is_integer(value))
		json_put_int(j, m->ecs, json_integer_value(value));
	else if (m->type == DATE && json_is_integer(value))
		put_date(j, m->ecs, json_integer_value(value));
}

/* ---- event.* */

/* What became of it, in two of the schema's words. */
static const struct decision {
	json_int_t disposition;
	const char *type, *outcome;
} decisions[] = {
	{ 1, "allowed", "success" }, { 8, "allowed", "success" }, { 19, "allowed", "success" },
	{ 2, "denied", "failure" },  { 25, "denied", "failure" }, { 14, "info", "unknown" },
	{ 0, "info", "unknown" },
};

static const struct decision *decision_of(const json_t *event)
{
	json_int_t disposition = json_integer_value(find(event, "disposition_id"));
	const struct decision *d = decisions;

	while (d->disposition && d->disposition != disposition)
		d++;
	return d;
}

static void put_one(struct json *j, const char *name, const char *first, const char *second)
{
	json_open_array(j, name);
	json_put_string(j, NULL, first);
	if (second)
		json_put_string(j, NULL, second);
	json_close_array(j);
}

static void put_category(struct json *j, const json_t *event)
{
	const char *kind = feed_kind(event);
	const struct decision *decision = decision_of(event);
	const struct category *c = categories;
	bool finding = find(event, "finding_info"),
	     failed = json_integer_value(find(event, "exit_code"));

	while (strcmp(c->kind, kind) && c < categories + ARRAY_SIZE(categories) - 1)
		c++;
	json_put_string(j, "event.kind", finding ? "alert" : "event");
	put_one(j, "event.category", finding ? "intrusion_detection" : c->category,
		finding ? c->category : NULL);
	put_one(j, "event.type", finding ? decision->type : c->type,
		finding || strcmp(c->category, "network") ? NULL : decision->type);
	json_put_string(j, "event.action", kind);
	json_put_string(j, "event.outcome", failed ? "failure" : decision->outcome);
}

/* ---- */

/* As the journal says it, but in ASCII: the output may be read on a terminal. */
static void put_details(struct strbuf *out, const json_t *details)
{
	char *text =
		details ? json_dumps(details, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII)
			: NULL;

	if (text)
		strbuf_addf(out, ",\"backstop\":%s", text);
	free(text);
}

void ecs_put(struct strbuf *out, const json_t *event)
{
	struct json j = JSON_INIT(out);
	const json_t *parts[PARTS];

	find_parts(event, parts);
	json_open_object(&j, NULL);
	json_put_string(&j, "ecs.version", VERSION);
	json_put_string(&j, "event.module", "backstop");
	json_put_string(&j, "event.dataset", "backstop.journal");
	json_put_string(&j, "host.os.type", "linux");
	put_category(&j, event);
	for (size_t i = 0; i < ARRAY_SIZE(mappings); i++)
		put_field(&j, &mappings[i], find(parts[mappings[i].part], mappings[i].path));
	if (parts[DESTINATION])
		json_put_string(&j, "network.direction", "egress");
	if (find(event, "finding_info.attacks.0"))
		json_put_string(&j, "threat.framework", "MITRE ATT&CK");
	put_details(out, parts[DETAILS]);
	json_close_object(&j);
}
