/* Rules about deletions -> the sections of an image. */
#include <string.h>

#include "policy/delete_rule.h"
#include "policy/needles.h"
#include "policy/writer.h"

/* A component without its backslashes. */
static u32 write_literal(struct writer *w, const char *text)
{
	_cleanup_strbuf_ struct strbuf plain = STRBUF_INIT;

	for (; *text; text++) {
		text += text[0] == '\\' && text[1];
		strbuf_addc(&plain, *text);
	}
	return writer_string(w, strbuf_str(&plain));
}

static void write_part(struct writer *w, const char *text, size_t len)
{
	_cleanup_strbuf_ struct strbuf name = STRBUF_INIT;
	struct image_part part = { .kind = PART_NAME };

	strbuf_add(&name, text, len);
	if (strcmp(name.data, "**") == 0)
		part.kind = PART_DEEP;
	else if (strpbrk(name.data, "*?["))
		part.kind = PART_GLOB;
	part.text =
		part.kind == PART_GLOB ? writer_string(w, name.data) : write_literal(w, name.data);
	writer_add(w, SECTION_PARTS, &part);
}

static void write_glob(struct writer *w, const char *glob)
{
	struct image_path_glob image = { .parts = writer_count(w, SECTION_PARTS) };

	if (glob[0] == '{') {
		writer_add(w, SECTION_PARTS, &(struct image_part) { .kind = PART_PRECIOUS });
	} else {
		image.anywhere = glob[0] != '/' && glob[0] != '~';
		if (image.anywhere)
			write_part(w, "**", 2);
		if (glob[0] == '~')
			writer_add(w, SECTION_PARTS, &(struct image_part) { .kind = PART_HOME });
		glob += glob[0] == '~';
	}
	for (size_t len; glob[0] != '{' && *(glob += strspn(glob, "/")); glob += len) {
		len = strcspn(glob, "/");
		write_part(w, glob, len);
	}
	image.parts_count = writer_count(w, SECTION_PARTS) - image.parts;
	writer_add(w, SECTION_PATH_GLOBS, &image);
}

static u32 write_names(struct writer *w, const struct program_set *set)
{
	for (size_t i = 0; i < set->globs_count; i++) {
		u32 name = writer_string(w, set->globs[i]);

		writer_add(w, SECTION_DELETE_NAMES, &name);
	}
	return (u32)set->globs_count;
}

static void write_entry(struct writer *w, const struct delete_entry *e)
{
	const struct delete_rule *rule = e->rule;
	struct image_delete image = {
		.text = writer_string(w, rule->text.s),
		.signature = e->signature,
		.pack = e->pack,
		.globs = writer_count(w, SECTION_PATH_GLOBS),
		.paths_count = (u32)rule->paths_count,
		.excepts_count = (u32)rule->excepts_count,
		.names = writer_count(w, SECTION_DELETE_NAMES),
		.burst = rule->burst,
		.how = (u16)rule->how,
		.kind = (u8)rule->kind,
		.by_negated = rule->by.negated,
		.under_negated = rule->under.negated,
	};

	for (size_t i = 0; i < rule->paths_count; i++)
		write_glob(w, rule->paths[i].s);
	for (size_t i = 0; i < rule->excepts_count; i++)
		write_glob(w, rule->excepts[i].s);
	image.by_count = write_names(w, &rule->by);
	image.under_count = write_names(w, &rule->under);
	writer_add(w, SECTION_DELETES, &image);
}

/* --- what freezes */

/* False where nothing in the glob can be searched for. */
static bool add_needles(struct needles *n, const char *glob)
{
	char *trimmed = arena_strdup(n->arena, glob + (glob[0] == '~'));
	size_t len = strlen(trimmed);

	while (len && trimmed[len - 1] == '/')
		trimmed[--len] = '\0';
	return needles_add_path(n, trimmed) || n->full;
}

static void freeze_precious(struct needles *n, const struct text *precious, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_needles(n, precious[i].s);
}

static void freeze(struct needles *n, const struct delete_entry *e, const struct text *precious,
		   size_t precious_count)
{
	for (size_t i = 0; i < e->rule->paths_count; i++) {
		const struct text *t = &e->rule->paths[i];

		if (t->s[0] == '{')
			freeze_precious(n, precious, precious_count);
		else if (!add_needles(n, t->s))
			source_fault(e->src, t->spot,
				     "'%s' has nothing that the kernel can search for: letters or "
				     "digits are needed in a name",
				     t->s);
	}
}

void deletes_write(struct writer *w, struct needles *n, const struct delete_entry *entries,
		   size_t count, const struct text *precious, size_t precious_count)
{
	/* allow rules first: where one matches nothing else counts */
	for (int allow = 1; allow >= 0; allow--)
		for (size_t i = 0; i < count; i++)
			if ((entries[i].signature == IMAGE_NONE) == allow)
				write_entry(w, &entries[i]);
	for (size_t i = 0; i < count; i++)
		if (entries[i].verdict >= VERDICT_HOLD)
			freeze(n, &entries[i], precious, precious_count);
}
