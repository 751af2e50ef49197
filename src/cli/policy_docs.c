#include "cli/policy_docs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "policy/compile.h"
#include "policy/pack.h"

struct docs {
	const char *directory;
	struct strbuf index;
	size_t packs, signatures;
};

/* --- Markdown */

/* Text that means itself: nothing of it is markup. */
static void add_text(struct strbuf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (strchr("\\`*_{}[]<>#|~&!$", *p))
			strbuf_addc(out, '\\');
		strbuf_addc(out, (unsigned char)*p < ' ' ? ' ' : *p);
	}
}

/* Bytes of a block of code, where nothing is markup. */
static void add_code(struct strbuf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			strbuf_adds(out, "\n    ");
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			escape_bytes(out, p, 1);
		else
			strbuf_addc(out, *p);
	}
}

static void add_note(struct strbuf *out, const char *what, const char *text)
{
	if (!text)
		return;
	strbuf_addf(out, "    (%s ", what);
	add_code(out, text);
	strbuf_addc(out, ')');
}

static void add_code_line(struct strbuf *out, const char *text)
{
	strbuf_adds(out, "    ");
	add_code(out, text);
	strbuf_addc(out, '\n');
}

static void add_examples(struct strbuf *out, const char *title, const struct example *all,
			 size_t count)
{
	strbuf_addf(out, "%s:\n\n", title);
	for (size_t i = 0; i < count; i++) {
		strbuf_adds(out, "    ");
		add_code(out, all[i].run.s);
		add_note(out, "in", all[i].cwd);
		add_note(out, "by", all[i].by);
		strbuf_addc(out, '\n');
	}
	strbuf_addc(out, '\n');
}

static void add_signature(struct strbuf *out, const struct pack *p, const struct signature *s)
{
	strbuf_addf(out, "## %s.%s\n\n", p->name.s, s->id.s);
	add_text(out, s->why.s);
	strbuf_addf(out, "\n\n%s, %s, %s.\n\n", verdict_name(s->verdict),
		    severity_name(s->severity), s->attack);
	if (s->instead.s) {
		strbuf_adds(out, "Instead:\n\n");
		add_code_line(out, s->instead.s);
		strbuf_addc(out, '\n');
	}
	strbuf_adds(out, "What it looks for:\n\n");
	for (size_t i = 0; i < s->commands_count; i++)
		add_code_line(out, s->commands[i].line.s);
	for (size_t i = 0; i < s->connects_count; i++)
		add_code_line(out, s->connects[i].text.s);
	for (size_t i = 0; i < s->deletes.all_count; i++)
		add_code_line(out, s->deletes.all[i].text.s);
	for (size_t i = 0; i < s->sends.all_count; i++)
		add_code_line(out, s->sends.all[i].text.s);
	strbuf_addc(out, '\n');
	add_examples(out, "Found", s->hits, s->hits_count);
	add_examples(out, "Not found", s->misses, s->misses_count);
}

static void add_names(struct strbuf *out, const struct program *p)
{
	add_text(out, p->key.s);
	for (size_t i = 0; i < p->also_count; i++) {
		strbuf_adds(out, ", ");
		add_text(out, p->also[i].s);
	}
}

static void add_page(struct strbuf *out, const struct pack *p)
{
	strbuf_adds(out, "# ");
	add_text(out, p->title);
	strbuf_addf(out, "\n\nPack %s", p->name.s);
	for (size_t i = 0; i < p->programs_count; i++) {
		strbuf_adds(out, i ? "; " : ": ");
		add_names(out, &p->programs[i]);
	}
	strbuf_adds(out, ".\n\n");
	for (size_t i = 0; i < p->signatures_count; i++)
		add_signature(out, p, &p->signatures[i]);
	if (!p->allow_count && !p->allow_connects_count && !p->allow_deletes.all_count &&
	    !p->allow_sends.all_count)
		return;
	strbuf_adds(out, "## Always allowed\n\n");
	for (size_t i = 0; i < p->allow_count; i++)
		add_code_line(out, p->allow[i].line.s);
	for (size_t i = 0; i < p->allow_connects_count; i++)
		add_code_line(out, p->allow_connects[i].text.s);
	for (size_t i = 0; i < p->allow_deletes.all_count; i++)
		add_code_line(out, p->allow_deletes.all[i].text.s);
	for (size_t i = 0; i < p->allow_sends.all_count; i++)
		add_code_line(out, p->allow_sends.all[i].text.s);
}

static void add_entry(struct strbuf *index, const struct pack *p)
{
	strbuf_addf(index, "| [%s](%s.md) | ", p->name.s, p->name.s);
	add_text(index, p->title);
	strbuf_addf(index, " | %zu |\n", p->signatures_count);
}

/* --- files */

static int write_page(const char *directory, const char *name, const struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r = strbuf_error(text);

	strbuf_addf(&path, "%s/%s.md", directory, name);
	if (!r)
		fd = open(strbuf_str(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (!r)
		r = fd < 0 ? -errno : io_write_all(fd, text->data, text->len);
	return r ? log_errno(r, "cannot write %s", strbuf_str(&path)) : 0;
}

static int write_pack(const struct pack *p, void *data)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;
	struct docs *d = data;

	add_page(&page, p);
	add_entry(&d->index, p);
	d->packs++;
	d->signatures += p->signatures_count;
	return write_page(d->directory, p->name.s, &page);
}

static int write_all(struct docs *d, char *const *paths, size_t count)
{
	_cleanup_strbuf_ struct strbuf faults = STRBUF_INIT;
	int r = io_mkdir_p(d->directory, 0755);

	if (r)
		return log_errno(r, "cannot make %s", d->directory);
	strbuf_adds(&d->index, "# What is held, and why\n\n| pack | about | signatures |\n"
			       "|---|---|---|\n");
	r = policy_each_pack(paths, count, write_pack, d, &faults);
	fputs(strbuf_str(&faults), stderr);
	return r ? r : write_page(d->directory, "index", &d->index);
}

int policy_write_docs(const char *directory, bool json, char *const *paths, size_t count)
{
	struct docs d = { .directory = directory };
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct json j = JSON_INIT(&out);
	int r = write_all(&d, paths, count);

	strbuf_free(&d.index);
	if (r)
		return r;
	json_open_object(&j, NULL);
	json_put_string(&j, "directory", directory);
	json_put_uint(&j, "packs", d.packs);
	json_put_uint(&j, "signatures", d.signatures);
	json_close_object(&j);
	if (json)
		puts(strbuf_str(&out));
	else
		printf("%s: pages of %zu packs with %zu signatures\n", directory, d.packs,
		       d.signatures);
	return 0;
}
