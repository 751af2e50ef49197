/* Events with all that can be known, and with next to nothing; what a line has at a path. */
#ifndef UNIT_JOURNAL_EVENTS_H
#define UNIT_JOURNAL_EVENTS_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

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
static char *argv[] = { program, verb, spaced, broken, NULL };

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
#endif
