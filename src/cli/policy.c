/* policy: packs are checked and compiled, and what a compiled policy knows is shown. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/policy_docs.h"
#include "cli/reload.h"
#include "cli/table.h"
#include "policy/compile.h"
#include "policy/policy.h"
#include "policy/send.h"
#include "policy/project.h"

struct options {
	bool json;
	const char *output, *policy, *settings, *socket;
};

/* --- check, compile */

/* Tells the faults, or what the packs came to. */
static int compile(const struct options *o, char **paths, size_t count, const char *done,
		   struct strbuf *ret_image)
{
	_cleanup_strbuf_ struct strbuf faults = STRBUF_INIT;
	struct compile_stats s;
	int err = policy_compile(paths, count, o->settings, ret_image, &s, &faults);

	fputs(strbuf_str(&faults), stderr);
	if (err)
		return err == -EINVAL ? err : log_errno(err, "cannot compile the packs");
	if (o->json)
		printf("{\"packs\":%u,\"signatures\":%u,\"programs\":%u,\"examples\":%u,"
		       "\"agents\":%u,\"needles\":%u,\"keys\":%u,\"rules\":%u,\"bytes\":%zu}\n",
		       s.packs, s.signatures, s.programs, s.examples, s.agents, s.needles, s.keys,
		       s.rules, ret_image->len);
	else
		printf("%s: %u signature%s in %u pack%s, %u agent%s, %u example%s right, %zu "
		       "bytes\n",
		       done, s.signatures, s.signatures == 1 ? "" : "s", s.packs,
		       s.packs == 1 ? "" : "s", s.agents, s.agents == 1 ? "" : "s", s.examples,
		       s.examples == 1 ? "" : "s", ret_image->len);
	return 0;
}

static int run_check(const struct options *o, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT;

	return compile(o, argv, (size_t)argc, "ok", &image) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_compile(const struct options *o, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT;
	int err;

	if (!o->output) {
		log_error("policy compile: give --output FILE: 'backstop policy compile --output "
			  "policy.image signatures agents'");
		return EXIT_USAGE;
	}
	if (compile(o, argv, (size_t)argc, o->output, &image)) {
		if (!access(o->output, F_OK))
			log_error("%s is left as it was", o->output);
		return EXIT_FAILURE;
	}
	err = io_write_output(o->output, image.data, image.len, 0644);
	if (err)
		log_errno(err, "cannot write %s, it is left as it was", o->output);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- list, show */

int command_open_policy(const char *option, struct policy **ret)
{
	_cleanup_strbuf_ struct strbuf detail = STRBUF_INIT;
	_cleanup_free_ char *path = NULL;
	int err = policy_find(option, &path);

	if (err)
		return log_errno(err,
				 "cannot tell where the policy is: give it with --policy FILE");
	err = policy_open(path, ret, &detail);
	if (err)
		log_error("%s", strbuf_str(&detail));
	return err;
}

/* What a signature may match, and its texts. */
static const struct {
	const char *list, *label;
	const char *(*get)(const struct policy *p, u32 signature, u32 n);
} rules[] = {
	{ "commands", "command:   ", policy_command },
	{ "connects", "connect:   ", policy_destination },
	{ "deletes", "delete:    ", policy_deletion },
	{ "sends", "send:      ", policy_sending },
};

static void put_signature(struct json *j, const struct policy *p, u32 i)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	const char *text;
	struct finding f;

	policy_signature(p, i, &f);
	strbuf_addf(&name, "%s.%s", f.pack, f.id);
	json_open_object(j, NULL);
	json_put_string(j, "signature", strbuf_str(&name));
	json_put_string(j, "title", policy_title(p, i));
	json_put_string(j, "verdict", verdict_name(f.verdict));
	json_put_string(j, "severity", severity_name(f.severity));
	for (size_t k = 0; k < ARRAY_SIZE(rules); k++) {
		json_open_array(j, rules[k].list);
		for (u32 n = 0; (text = rules[k].get(p, i, n)); n++)
			json_put_string(j, NULL, text);
		json_close_array(j);
	}
	json_put_string(j, "why", f.why);
	json_put_string(j, "instead", f.instead);
	json_put_string(j, "attack", f.technique);
	json_close_object(j);
}

enum { SIGNATURE, VERDICT, SEVERITY, WHY, COLUMNS };

static const struct table_column columns[COLUMNS] = {
	[SIGNATURE] = { "SIGNATURE", 0 },
	[VERDICT] = { "VERDICT", 0 },
	[SEVERITY] = { "SEVERITY", 0 },
	[WHY] = { "WHY", SCOLS_FL_TRUNC },
};

static int add_signature(struct libscols_table *t, const struct policy *p, u32 i)
{
	struct strbuf cells[COLUMNS] = { 0 };
	struct finding f;
	int err;

	policy_signature(p, i, &f);
	strbuf_addf(&cells[SIGNATURE], "%s.%s", f.pack, f.id);
	strbuf_adds(&cells[VERDICT], verdict_name(f.verdict));
	strbuf_adds(&cells[SEVERITY], severity_name(f.severity));
	strbuf_adds(&cells[WHY], f.why);
	err = table_add(t, cells);
	for (int c = 0; c < COLUMNS; c++)
		strbuf_free(&cells[c]);
	return err;
}

static int print_table(const struct policy *p)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = table_new(columns, COLUMNS);
	int err = t ? 0 : -ENOMEM;

	for (u32 i = 0; !err && i < policy_signature_count(p); i++)
		err = add_signature(t, p, i);
	return err ? err : table_print(t);
}

static int run_list(const struct options *o, int argc _unused_, char **argv _unused_)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);

	if (command_open_policy(o->policy, &p))
		return EXIT_FAILURE;
	if (!o->json) {
		int err = print_table(p);

		return err ? log_errno(err, "cannot print the signatures"), EXIT_FAILURE : 0;
	}
	json_open_array(&j, NULL);
	for (u32 i = 0; i < policy_signature_count(p); i++)
		put_signature(&j, p, i);
	json_close_array(&j);
	puts(strbuf_str(&out));
	return EXIT_SUCCESS;
}

static void print_signature(const struct policy *p, u32 i)
{
	const char *text;
	struct finding f;

	policy_signature(p, i, &f);
	printf("signature: %s.%s (%s)\n", f.pack, f.id, policy_title(p, i));
	printf("verdict:   %s\nseverity:  %s\n", verdict_name(f.verdict),
	       severity_name(f.severity));
	for (size_t k = 0; k < ARRAY_SIZE(rules); k++)
		for (u32 n = 0; (text = rules[k].get(p, i, n)); n++)
			printf("%s%s\n", rules[k].label, text);
	printf("why:       %s\n", f.why);
	if (f.instead)
		printf("instead:   %s\n", f.instead);
	printf("attack:    %s\n", f.technique);
}

/* Is `id` the signature's, with its pack or without? */
static bool is_called(const struct finding *f, const char *id)
{
	size_t len = strlen(f->pack);

	return strcmp(f->id, id) == 0 || (strncmp(f->pack, id, len) == 0 && id[len] == '.' &&
					  strcmp(f->id, id + len + 1) == 0);
}

static int run_show(const struct options *o, int argc _unused_, char **argv)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);
	unsigned int found = 0;
	struct finding f;

	if (command_open_policy(o->policy, &p))
		return EXIT_FAILURE;
	for (u32 i = 0; i < policy_signature_count(p); i++) {
		policy_signature(p, i, &f);
		if (!is_called(&f, argv[0]))
			continue;
		if (o->json) {
			put_signature(&j, p, i);
			strbuf_addc(&out, '\n');
		} else {
			fputs(found ? "\n" : "", stdout);
			print_signature(p, i);
		}
		found++;
	}
	fputs(strbuf_str(&out), stdout);
	if (!found)
		log_error("policy show: no signature is called %s: 'backstop policy list' has all",
			  argv[0]);
	return found ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- new */

static const char template[] =
	"# Signatures of one tool. Check this file with: backstop policy check %s.yaml\n"
	"pack: %s\n"
	"title: %s\n"
	"programs:\n"
	"  %s:\n"
	"    # also: [other-name]          other names of the same program\n"
	"    options: gnu                  # getopt, gnu or go: how it spells options\n"
	"    values: [--file]              # options that take a separate value\n"
	"    flags: [--force, --dry-run]   # options that take none\n"
	"signatures:\n"
	"  - id: delete\n"
	"    # words are operands in their order, !(…) is what must not be there\n"
	"    command: %s delete (-f|--force) !--dry-run\n"
	"    severity: high                # low, medium, high or critical\n"
	"    verdict: hold                 # alert, hold, deny or kill\n"
	"    why: Deletes what cannot be brought back.\n"
	"    instead: %s delete --dry-run NAME\n"
	"    hits:\n"
	"      - %s delete --force production\n"
	"      - %s --file settings.yaml delete -f production\n"
	"    misses:\n"
	"      - %s delete production\n"
	"      - %s list --force\n";

static int run_new(const struct options *o _unused_, int argc _unused_, char **argv)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	const char *n = argv[0];
	int len, err;

	if (!strchr("abcdefghijklmnopqrstuvwxyz", *n) || !*n ||
	    n[strspn(n, "abcdefghijklmnopqrstuvwxyz0123456789-")]) {
		log_error("policy new: '%s' is no name of a pack: small letters, digits and -, a "
			  "letter first",
			  n);
		return EXIT_USAGE;
	}
	len = asprintf(&text, template, n, n, n, n, n, n, n, n, n, n);
	if (len < 0 || asprintf(&path, "%s.yaml", n) < 0)
		return EXIT_FAILURE;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	err = fd < 0 ? -errno : io_write_all(fd, text, (size_t)len);
	if (err) {
		log_errno(err, "cannot make %s", path);
		return EXIT_FAILURE;
	}
	printf("%s: edit it, then run: backstop policy check %s\n", path, path);
	return EXIT_SUCCESS;
}

/* --- project */

/* For the guard, which runs it without privileges: what a workspace's file asks for, as JSON. */
static int run_project(const struct options *o, int argc _unused_, char **argv)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, json = STRBUF_INIT, faults = STRBUF_INIT;
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	int err = io_read_file(AT_FDCWD, argv[0], PROJECT_MAX, &text);
	unsigned int count;

	if (err) {
		log_errno(err, "cannot read %s, of at most %u KiB", argv[0], PROJECT_MAX >> 10);
		return EXIT_FAILURE;
	}
	if (command_open_policy(o->policy, &p))
		return EXIT_FAILURE;
	count = project_read(p, argv[0], strbuf_str(&text), text.len, &json, &faults);
	fputs(strbuf_str(&faults), stderr);
	puts(strbuf_str(&json));
	return count ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_docs(const struct options *o, int argc, char **argv)
{
	if (!o->output) {
		log_error("policy docs: give --output DIR: 'backstop policy docs --output docs "
			  "signatures'");
		return EXIT_USAGE;
	}
	return policy_write_docs(o->output, o->json, argv, (size_t)argc) ? EXIT_FAILURE
									 : EXIT_SUCCESS;
}

static int run_reload(const struct options *o, int argc _unused_, char **argv _unused_)
{
	return reload_guard(o->socket, o->json);
}

/* --- sub-commands */

static const struct subcommand {
	const char *name;
	int (*run)(const struct options *o, int argc, char **argv);
	int min, max;
	const char *usage;
} subcommands[] = {
	{ "check", run_check, 0, INT_MAX, "check [--settings FILE] [PATH…]" },
	{ "compile", run_compile, 0, INT_MAX, "compile --output FILE [--settings FILE] [PATH…]" },
	{ "list", run_list, 0, 0, "list" },
	{ "show", run_show, 1, 1, "show SIGNATURE" },
	{ "new", run_new, 1, 1, "new NAME" },
	{ "docs", run_docs, 0, INT_MAX, "docs --output DIR [PATH…]" },
	{ "project", run_project, 1, 1, "project [--policy FILE] FILE" },
	{ "reload", run_reload, 0, 0, "reload" },
};

static int run_policy(const void *options, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
		const struct subcommand *s = &subcommands[i];

		if (strcmp(s->name, argv[0]) != 0)
			continue;
		if (argc - 1 < s->min || argc - 1 > s->max) {
			log_error("policy %s: usage is 'backstop policy %s'", s->name, s->usage);
			return EXIT_USAGE;
		}
		return s->run(options, argc - 1, argv + 1);
	}
	log_error("policy: '%s' is none of its commands: check, compile, list, show, new, docs, "
		  "project, reload",
		  argv[0]);
	return EXIT_USAGE;
}

static const struct option_def policy_options[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print JSON", offsetof(struct options, json) },
	{ "output", 'o', OPTION_STRING, "FILE", "where compile writes the image, docs the pages",
	  offsetof(struct options, output) },
	{ "settings", 0, OPTION_STRING, "FILE", "settings that check and compile apply",
	  offsetof(struct options, settings) },
	{ "policy", 0, OPTION_STRING, "FILE",
	  "the compiled policy that list, show and project read",
	  offsetof(struct options, policy) },
	{ "socket", 0, OPTION_STRING, "PATH", "the socket of the guard that reload asks",
	  offsetof(struct options, socket) },
	{ 0 },
};

const struct command command_policy = {
	.name = "policy",
	.arguments = "check [PATH…] | compile [PATH…] | list | show SIGNATURE | new NAME | "
		     "docs [PATH…] | project FILE | reload",
	.help = "check and compile packs of signatures, and show what a policy knows",
	.example = "backstop policy compile --output policy.image signatures agents",
	.options = policy_options,
	.options_size = sizeof(struct options),
	.run = run_policy,
	.min_operands = 1,
	.max_operands = UINT_MAX,
};
