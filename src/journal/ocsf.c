#include "journal/ocsf.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "base/escape.h"
#include "base/json.h"
#include "journal/dest.h"
#include "journal/file.h"
#include "journal/parts.h"

#define MESSAGE_MAX	 400 /* bytes of a command line in a message */
#define CONTAINER_ID_LEN 64
#define CMD_LINE_MAX	 32768 /* and in cmd_line; argv stands whole in unmapped */

enum ocsf_class {
	CLASS_PROCESS = 1007,
	CLASS_FINDING = 2004,
	CLASS_NETWORK = 4001,
	CLASS_APPLICATION = 6002,
};
enum ocsf_action { ACTION_UNKNOWN, ACTION_ALLOWED = 1, ACTION_DENIED = 2, ACTION_OBSERVED = 3 };

void part_put_known(struct json *j, const char *key, const char *s)
{
	if (s)
		json_put_string(j, key, s);
}

void part_put_formatted(struct json *j, const char *key, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	va_list args;

	va_start(args, fmt);
	strbuf_vaddf(&text, fmt, args);
	va_end(args);
	json_put_string(j, key, strbuf_str(&text));
}

static void put_command(struct json *j, const char *key, char *const *argv, size_t max)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	escape_argv(&text, argv, max);
	json_put_string(j, key, strbuf_str(&text));
}

const char *part_known(const char *s)
{
	return s ? s : "-";
}

const char *part_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *part_process_name(const struct ocsf_process *p)
{
	if (p->path)
		return part_base_name(p->path);
	return p->argv && p->argv[0] ? part_base_name(p->argv[0]) : NULL;
}

/* Runtimes name a container's cgroup after its id: 64 hexadecimal digits. NULL: it is none's. */
static const char *find_container(const char *cgroup)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = NULL;
	size_t len;

	for (const char *at = cgroup; at && *at; at += MAX(len, (size_t)1)) {
		len = strspn(at, digits);
		if (len == CONTAINER_ID_LEN)
			found = at;
	}
	return found;
}

void part_put_metadata(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	json_open_object(j, "metadata");
	json_put_string(j, "version", "1.8.0");
	part_put_formatted(j, "uid", "%s:%" PRId64 ":%" PRIu64, part_known(h->boot_id), e->time_ms,
			   e->sequence);
	part_put_known(j, "correlation_uid", e->session);
	json_put_uint(j, "sequence", e->sequence);
	json_open_array(j, "profiles");
	json_put_string(j, NULL, "host");
	json_put_string(j, NULL, "security_control");
	if (find_container(e->process.cgroup))
		json_put_string(j, NULL, "container");
	json_close_array(j);
	json_open_object(j, "product");
	json_put_string(j, "name", "Backstop");
	json_put_string(j, "vendor_name", "Backstop");
	part_put_known(j, "version", h->version);
	json_close_object(j);
	json_close_object(j);
}

static void put_device(struct json *j, const struct ocsf_host *h)
{
	json_open_object(j, "device");
	json_put_int(j, "type_id", 0);
	json_put_string(j, "hostname", part_known(h->hostname));
	part_put_known(j, "uid", h->machine_id);
	part_put_known(j, "boot_uid", h->boot_id);
	json_open_object(j, "os");
	json_put_string(j, "name", "Linux");
	json_put_int(j, "type_id", 200);
	part_put_known(j, "kernel_release", h->kernel);
	json_close_object(j);
	json_close_object(j);
}

void part_put_user(struct json *j, const struct ocsf_process *p)
{
	json_open_object(j, "user");
	part_put_formatted(j, "uid", "%u", p->uid);
	part_put_known(j, "name", p->user);
	json_close_object(j);
}

/* What a process has in common with an entry of an ancestry. */
static void put_process_head(struct json *j, const struct ocsf_host *h,
			     const struct ocsf_process *p)
{
	json_put_int(j, "pid", p->pid);
	part_put_formatted(j, "uid", "%s:%d:%" PRIu64, part_known(h->boot_id), p->pid, p->start_ns);
	part_put_known(j, "name", part_process_name(p));
	if (p->argv)
		put_command(j, "cmd_line", p->argv, CMD_LINE_MAX);
	else if (p->command)
		json_put_string(j, "cmd_line", p->command);
	if (p->created_ms)
		json_put_int(j, "created_time", p->created_ms);
}

static void put_file(struct json *j, const char *path)
{
	json_open_object(j, "file");
	json_put_string(j, "name", part_base_name(path));
	json_put_string(j, "path", path);
	json_put_int(j, "type_id", 1);
	json_close_object(j);
}

static void put_ancestors(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	if (!e->ancestor_count)
		return;
	json_open_object(j, "parent_process");
	put_process_head(j, h, &e->ancestors[0]);
	json_close_object(j);
	json_open_array(j, "ancestry");
	for (size_t i = 0; i < e->ancestor_count; i++) {
		json_open_object(j, NULL);
		put_process_head(j, h, &e->ancestors[i]);
		json_close_object(j);
	}
	json_close_array(j);
}

static void put_container(struct json *j, const char *cgroup)
{
	const char *id = find_container(cgroup);

	if (!id)
		return;
	json_open_object(j, "container");
	json_put_string_n(j, "uid", id, CONTAINER_ID_LEN);
	json_close_object(j);
}

static void put_process(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	const struct ocsf_process *p = &e->process;

	json_open_object(j, "process");
	put_process_head(j, h, p);
	part_put_known(j, "working_directory", p->cwd);
	if (p->path)
		put_file(j, p->path);
	part_put_user(j, p);
	if (p->tty) {
		json_open_object(j, "session");
		json_put_string(j, "terminal", p->tty);
		json_close_object(j);
	}
	put_container(j, p->cgroup);
	put_ancestors(j, h, e);
	json_close_object(j);
}

/* Who acts: the agent's session, and the process that started the one concerned. */
static void put_actor(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	json_open_object(j, "actor");
	part_put_known(j, "app_name", e->agent);
	part_put_known(j, "app_uid", e->session);
	part_put_user(j, &e->process);
	if (e->ancestor_count) {
		json_open_object(j, "process");
		put_process_head(j, h, &e->ancestors[0]);
		json_close_object(j);
	}
	json_close_object(j);
}

static enum ocsf_action action_of(enum ocsf_disposition d)
{
	switch (d) {
	case OCSF_ALLOWED:
	case OCSF_APPROVED:
	case OCSF_ALERT:
		return ACTION_ALLOWED;
	case OCSF_BLOCKED:
	case OCSF_REJECTED:
		return ACTION_DENIED;
	case OCSF_UNKNOWN:
		return ACTION_UNKNOWN;
	default:
		return ACTION_OBSERVED;
	}
}

const char *ocsf_word(enum ocsf_disposition d, const char *verdict)
{
	switch (d) {
	case OCSF_ALLOWED:
		return "allowed";
	case OCSF_APPROVED:
		return "approved";
	case OCSF_ALERT:
		return "alert";
	case OCSF_DELAYED:
		return "held";
	case OCSF_REJECTED:
		return "rejected";
	case OCSF_BLOCKED:
		return verdict && !strcmp(verdict, "kill") ? "killed" : "denied";
	case OCSF_UNSTATED:
	case OCSF_UNKNOWN:
		break;
	}
	return "seen";
}

void part_put_disposition(struct json *j, enum ocsf_disposition d)
{
	if (d == OCSF_UNSTATED)
		return;
	json_put_int(j, "action_id", action_of(d));
	json_put_int(j, "disposition_id", d);
}

static int severity_id(const char *severity)
{
	static const char *const names[] = { "low", "medium", "high", "critical" };

	for (size_t i = 0; severity && i < ARRAY_SIZE(names); i++)
		if (!strcmp(severity, names[i]))
			return i + 2;
	return 1;
}

static void put_decision(struct json *j, const struct ocsf_event *e)
{
	if (e->hold)
		json_put_uint(j, "hold", e->hold);
	part_put_known(j, "verdict", e->verdict);
	part_put_known(j, "signature", e->signature);
	part_put_known(j, "severity", e->severity);
	part_put_known(j, "why", e->why);
	part_put_known(j, "instead", e->instead);
	part_put_known(j, "carrier", e->carrier);
	part_put_known(j, "context", e->context);
	part_put_known(j, "policy_version", e->policy_version);
	part_put_known(j, "by", e->by);
	part_put_known(j, "reason", e->reason);
	if (e->latency_ns)
		json_put_uint(j, "latency_ns", e->latency_ns);
}

static void put_unmapped_process(struct json *j, const struct ocsf_process *p)
{
	if (p->argv)
		json_put_argv(j, "argv", p->argv);
	if (p->truncated)
		json_put_bool(j, "argv_truncated", true);
	if (p->environment && p->environment[0])
		json_put_argv(j, "environment", (char *const *)p->environment);
	if (p->fresh)
		json_put_bool(j, "fresh", true);
	if (p->euid != p->uid)
		json_put_uint(j, "euid", p->euid);
	part_put_known(j, "cgroup", p->cgroup);
}

/* These keys are read back by ocsf_read_mark(). */
void part_put_mark(struct json *j, const struct ocsf_event *e)
{
	if (e->number)
		json_put_uint(j, "event", e->number);
	part_put_known(j, "run", e->run);
	if (e->recorded)
		json_put_uint(j, "recorded", e->recorded);
	if (e->unwritten)
		json_put_uint(j, "unwritten", e->unwritten);
	if (e->found)
		json_put_uint(j, "found", e->found);
}

static void put_unmapped(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e,
			 int term_signal)
{
	json_open_object(j, "unmapped");
	json_open_object(j, "backstop");
	part_put_known(j, "session", e->session);
	part_put_known(j, "agent", e->agent);
	part_put_known(j, "tier", h->tier);
	part_put_known(j, "mode", e->mode);
	part_put_mark(j, e);
	put_decision(j, e);
	put_unmapped_process(j, &e->process);
	if (e->deletion)
		file_put_unmapped(j, e->deletion);
	if (e->sending)
		dest_put_sending(j, e->sending);
	if (term_signal)
		json_put_int(j, "signal", term_signal);
	json_close_object(j);
	json_close_object(j);
}

static void put_head(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e,
		     enum ocsf_class class, int activity)
{
	json_open_object(j, NULL);
	json_put_int(j, "class_uid", class);
	json_put_int(j, "category_uid", class / 1000);
	json_put_int(j, "activity_id", activity);
	json_put_int(j, "type_uid", class * 100 + activity);
	json_put_int(j, "time", e->time_ms);
	part_put_metadata(j, h, e);
	put_device(j, h);
}

void ocsf_action(struct strbuf *out, const struct ocsf_event *e)
{
	const struct ocsf_process *p = &e->process;
	char dest[OCSF_DEST_MAX];

	if (e->deletion) {
		file_put_action(out, e->deletion);
		strbuf_addf(out, " by %s", part_known(part_process_name(p)));
	} else if (e->sending) {
		ocsf_sending(out, e->dest, e->sending);
		strbuf_addf(out, " by %s", part_known(part_process_name(p)));
	} else if (e->dest) {
		ocsf_dest(e->dest, dest, sizeof(dest));
		strbuf_addf(out, "%s by %s", dest, part_known(part_process_name(p)));
	} else if (p->argv && p->argv[0]) {
		escape_argv(out, p->argv, MESSAGE_MAX);
	} else {
		strbuf_addf(out, "%.*s", MESSAGE_MAX,
			    part_known(p->command ? p->command : p->path));
	}
}

static void put_process_message(struct json *j, const char *what, const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, what);
	ocsf_action(&text, e);
	json_put_string(j, "message", strbuf_str(&text));
}

void ocsf_exec(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	struct json j = JSON_INIT(out);

	put_head(&j, h, e, CLASS_PROCESS, 1);
	json_put_int(&j, "severity_id", 1);
	put_process_message(&j, "exec: ", e);
	part_put_disposition(&j, e->disposition);
	json_put_int(&j, "launch_type_id", 3);
	put_actor(&j, h, e);
	put_process(&j, h, e);
	put_unmapped(&j, h, e, 0);
	json_close_object(&j);
}

void ocsf_exit(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	int status = e->process.exit_code, signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	struct json j = JSON_INIT(out);

	put_head(&j, h, e, CLASS_PROCESS, 2);
	json_put_int(&j, "severity_id", 1);
	put_process_message(&j, "exit: ", e);
	part_put_disposition(&j, e->disposition);
	json_put_int(&j, "exit_code", signo ? 128 + signo : WEXITSTATUS(status));
	put_actor(&j, h, e);
	put_process(&j, h, e);
	put_unmapped(&j, h, e, signo);
	json_close_object(&j);
}

/* The class has no place for a process of its own: the actor's is the one that connects. */
static void put_connecting_actor(struct json *j, const struct ocsf_host *h,
				 const struct ocsf_event *e)
{
	json_open_object(j, "actor");
	part_put_known(j, "app_name", e->agent);
	part_put_known(j, "app_uid", e->session);
	part_put_user(j, &e->process);
	put_process(j, h, e);
	json_close_object(j);
}

void ocsf_connect(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	struct json j = JSON_INIT(out);

	put_head(&j, h, e, CLASS_NETWORK,
		 (e->sending && !e->sending->connects) || e->dest->datagram ? 6 : 1);
	json_put_int(&j, "severity_id", 1);
	put_process_message(&j, "", e);
	part_put_disposition(&j, e->disposition);
	put_connecting_actor(&j, h, e);
	dest_put_endpoint(&j, e);
	dest_put_connection(&j, e->dest);
	put_unmapped(&j, h, e, 0);
	json_close_object(&j);
}

/* T1561.001 is a technique and its part. */
static void put_attacks(struct json *j, const char *technique)
{
	size_t len = technique ? strcspn(technique, ".") : 0;

	if (!len)
		return;
	json_open_array(j, "attacks");
	json_open_object(j, NULL);
	json_open_object(j, "technique");
	json_put_string_n(j, "uid", technique, len);
	json_close_object(j);
	if (technique[len]) {
		json_open_object(j, "sub_technique");
		json_put_string(j, "uid", technique);
		json_close_object(j);
	}
	json_close_object(j);
	json_close_array(j);
}

static void put_analytic(struct json *j, const struct ocsf_event *e)
{
	json_open_object(j, "analytic");
	json_put_int(j, "type_id", 1);
	json_put_string(j, "uid", e->signature);
	json_put_string(j, "name", e->signature);
	part_put_known(j, "version", e->policy_version);
	json_close_object(j);
}

static void put_finding_info(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	const struct ocsf_process *p = &e->process;

	json_open_object(j, "finding_info");
	part_put_formatted(j, "uid", "%s:%d:%" PRIu64 ":%s%" PRIu64, part_known(h->boot_id), p->pid,
			   p->start_ns, e->hold ? "hold-" : "event-",
			   e->hold ? e->hold : e->sequence);
	part_put_formatted(j, "title", "%s by %s", e->signature ? e->signature : "no signature",
			   e->agent ? e->agent : "an agent");
	part_put_known(j, "desc", e->why);
	json_put_int(j, "created_time", e->time_ms);
	if (e->signature)
		put_analytic(j, e);
	put_attacks(j, e->technique);
	json_close_object(j);
}

static void put_evidences(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e)
{
	json_open_array(j, "evidences");
	json_open_object(j, NULL);
	put_actor(j, h, e);
	put_process(j, h, e);
	if (e->dest) {
		dest_put_endpoint(j, e);
		dest_put_connection(j, e->dest);
	}
	if (e->deletion)
		file_put_object(j, e->deletion);
	json_close_object(j);
	json_close_array(j);
}

static void put_policy(struct json *j, const struct ocsf_event *e)
{
	json_open_object(j, "policy");
	json_put_string(j, "name", "backstop");
	part_put_known(j, "version", e->policy_version);
	json_close_object(j);
}

static void put_remediation(struct json *j, const char *instead)
{
	if (!instead)
		return;
	json_open_object(j, "remediation");
	json_put_string(j, "desc", instead);
	json_close_object(j);
}

static void put_finding_message(struct json *j, const struct ocsf_event *e)
{
	_cleanup_strbuf_ struct strbuf what = STRBUF_INIT;

	strbuf_addf(&what, "%s: ", ocsf_word(e->disposition, e->verdict));
	put_process_message(j, strbuf_str(&what), e);
}

void ocsf_finding(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e)
{
	bool open = e->disposition == OCSF_DELAYED;
	struct json j = JSON_INIT(out);

	put_head(&j, h, e, CLASS_FINDING, e->hold && !open ? 3 : 1);
	json_put_int(&j, "severity_id", severity_id(e->severity));
	json_put_int(&j, "status_id", open || e->disposition == OCSF_ALERT ? 1 : 4);
	json_put_int(&j, "confidence_id", 3);
	json_put_bool(&j, "is_alert", e->disposition != OCSF_ALLOWED);
	put_finding_message(&j, e);
	part_put_disposition(&j, e->disposition);
	put_finding_info(&j, h, e);
	put_evidences(&j, h, e);
	put_policy(&j, e);
	put_remediation(&j, e->instead);
	put_unmapped(&j, h, e, 0);
	json_close_object(&j);
}

static int guard_activity(const char *name)
{
	if (!strcmp(name, "guard started"))
		return 3;
	return strcmp(name, "guard stopped") ? 99 : 4;
}

void ocsf_guard(struct strbuf *out, const struct ocsf_host *h, const struct ocsf_event *e,
		const char *name, const char *message)
{
	const struct ocsf_event said = { .session = e->session,
					 .agent = e->agent,
					 .mode = e->mode,
					 .severity = e->severity,
					 .number = e->number,
					 .run = e->run,
					 .recorded = e->recorded,
					 .unwritten = e->unwritten,
					 .found = e->found };
	struct json j = JSON_INIT(out);

	put_head(&j, h, e, CLASS_APPLICATION, guard_activity(name));
	json_put_string(&j, "activity_name", name);
	json_put_int(&j, "severity_id", severity_id(e->severity));
	json_put_string(&j, "message", message);
	json_open_object(&j, "app");
	json_put_string(&j, "name", "backstop guard");
	json_put_string(&j, "vendor_name", "Backstop");
	part_put_known(&j, "version", h->version);
	json_close_object(&j);
	put_unmapped(&j, h, &said, 0);
	json_close_object(&j);
}
