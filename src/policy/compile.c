#include "policy/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "policy/build.h"
#include "policy/examples.h"
#include "policy/settings.h"

#define SOURCE_MAX (1U << 20) /* bytes of one file */
#define PACKS_DIR  "/etc/backstop/packs"

struct compiler {
	struct arena arena;
	struct faults faults;
	char **files;
	size_t files_count;
	struct library library;
	struct settings_file *settings; /* NULL: none */
};

/* Notes how a path looks before it is read. */
static void add_stamp(struct compiler *c, const char *path)
{
	struct stamp stamp = { 0 };
	struct stat st;
	char *cwd;

	if (!c->settings)
		return;
	cwd = path[0] == '/' ? NULL : get_current_dir_name();
	stamp.path = arena_printf(&c->arena, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);
	free(cwd);
	if (stat(path, &st) == 0) {
		stamp.mtime = io_mtime(&st);
		stamp.size = (u64)st.st_size;
	}
	ARENA_PUSH(&c->arena, c->library.stamps, stamp);
}

static int is_pack_file(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

static void tell(struct compiler *c, const char *path, const char *what)
{
	strbuf_addf(c->faults.out, "%s: %s\n", path, what);
	c->faults.count++;
}

static void add_directory(struct compiler *c, const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_pack_file, alphasort);

	if (n < 0) {
		tell(c, path, strerror(errno));
		return;
	}
	if (n == 0 && strcmp(path, PACKS_DIR) != 0) /* the owner's may be made before its packs */
		tell(c, path, "there is no pack (NAME.yaml) in this directory");
	for (int i = 0; i < n; i++) {
		char *file = arena_printf(&c->arena, "%s/%s", path, entries[i]->d_name);

		add_stamp(c, file);
		ARENA_PUSH(&c->arena, c->files, file);
		free(entries[i]);
	}
	free(entries);
}

static void add_path(struct compiler *c, const char *path)
{
	size_t len = strlen(path);
	struct stat st;
	char *name;

	while (len > 1 && path[len - 1] == '/')
		len--;
	name = arena_strndup(&c->arena, path, len);
	add_stamp(c, name);
	if (stat(name, &st))
		tell(c, name, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		add_directory(c, name);
	else
		ARENA_PUSH(&c->arena, c->files, name);
}

/* --- reading */

static struct source make_source(struct compiler *c, const char *name, const char *text, size_t len)
{
	return (struct source) { .name = name,
				 .text = arena_strndup(&c->arena, text, len),
				 .len = len,
				 .faults = &c->faults };
}

static void read_text(struct compiler *c, const char *name, const char *text, size_t len)
{
	struct source src = make_source(c, name, text, len);

	if (profile_is(src.text)) {
		struct profile *profile = arena_alloc(&c->arena, sizeof(*profile));

		profile_read(&c->arena, src, profile);
		ARENA_PUSH(&c->arena, c->library.profiles, profile);
	} else {
		struct pack *pack = arena_alloc(&c->arena, sizeof(*pack));

		pack_read(&c->arena, src, pack);
		ARENA_PUSH(&c->arena, c->library.packs, pack);
	}
}

static int read_data(struct compiler *c, const char *path, struct strbuf *data)
{
	int r = io_read_file(AT_FDCWD, path, SOURCE_MAX, data);

	if (r)
		tell(c, path, r == -EFBIG ? "a file is at most 1 MiB" : strerror(-r));
	return r;
}

static void read_file(struct compiler *c, const char *path)
{
	_cleanup_strbuf_ struct strbuf data = STRBUF_INIT;

	if (read_data(c, path, &data) == 0)
		read_text(c, path, strbuf_str(&data), data.len);
}

static void read_settings(struct compiler *c, const char *path)
{
	_cleanup_strbuf_ struct strbuf data = STRBUF_INIT;
	bool absent = strcmp(path, SETTINGS_PATH) == 0 && access(path, F_OK) != 0;

	c->settings = arena_alloc(&c->arena, sizeof(*c->settings));
	add_stamp(c, path);
	if (!absent)
		read_data(c, path, &data);
	settings_read(&c->arena, make_source(c, path, strbuf_str(&data), data.len), c->settings);
}

/* --- where packs and profiles are */

/* What came with this program: installed, or in a build tree. */
static void add_own(struct compiler *c, const char *name)
{
	static const char *const places[] = { "../share/backstop", ".." };
	_cleanup_free_ char *dir = io_exe_dir();
	const char *path = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		path = arena_printf(&c->arena, "%s/%s/%s", dir ? dir : ".", places[i], name);
		if (access(path, F_OK) == 0)
			break;
	}
	add_path(c, path);
}

/* A relative one is beside the settings. */
static void add_listed(struct compiler *c, const struct name_list *list)
{
	const char *settings = c->settings->allow.src.name, *slash = strrchr(settings, '/');
	int len = slash ? (int)(slash - settings + 1) : 0;

	for (size_t i = 0; i < list->names_count; i++) {
		const char *name = list->names[i].s;

		add_path(c, name[0] == '/'
				    ? name
				    : arena_printf(&c->arena, "%.*s%s", len, settings, name));
	}
}

static void add_usual_paths(struct compiler *c)
{
	if (c->settings && c->settings->packs_given) {
		add_listed(c, &c->settings->packs_from);
	} else {
		add_own(c, "signatures");
		if (access(PACKS_DIR, F_OK) == 0)
			add_path(c, PACKS_DIR);
		else
			add_stamp(c, PACKS_DIR);
	}
	if (c->settings && c->settings->agents_given)
		add_listed(c, &c->settings->agents_from);
	else
		add_own(c, "agents");
}

/* --- making the image */

static int try_examples(struct compiler *c, const struct strbuf *image, unsigned int *ret_count)
{
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	unsigned int count = 0;
	int r = policy_from_memory(image->data, image->len, &p, c->faults.out);

	if (r)
		return r;
	for (size_t i = 0; i < c->library.packs_count; i++)
		count += examples_try(p, c->library.packs[i]);
	for (size_t i = 0; i < c->library.profiles_count; i++)
		count += examples_try_profile(p, c->library.profiles[i]);
	*ret_count = count;
	return 0;
}

static int finish(struct compiler *c, struct strbuf *ret_image, struct compile_stats *ret_stats)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT;
	struct build_stats built;
	unsigned int examples = 0, packs = (unsigned int)c->library.packs_count;
	int r = build_image(&c->arena, &c->library, &image, &built);

	if (r == -E2BIG)
		strbuf_adds(c->faults.out,
			    "the packs are too many for one policy: more than 131071 "
			    "needles or 64 MiB\n");
	if (!r)
		r = try_examples(c, &image, &examples);
	/* the examples are right by what the packs say, whatever the owner changes */
	if (!r && !c->faults.count && c->settings) {
		settings_apply(&c->arena, c->settings, &c->library);
		strbuf_reset(&image);
		r = build_image(&c->arena, &c->library, &image, &built);
	}
	if (!r && c->faults.count > SOURCE_MAX_FAULTS)
		strbuf_addf(c->faults.out, "and %u faults more\n",
			    c->faults.count - SOURCE_MAX_FAULTS);
	if (r || c->faults.count)
		return r ? r : -EINVAL;
	*ret_stats = (struct compile_stats) {
		.packs = packs,
		.signatures = built.signatures,
		.programs = built.programs,
		.agents = built.agents,
		.examples = examples,
		.needles = built.needles,
		.keys = built.keys,
		.rules = built.rules,
	};
	strbuf_free(ret_image);
	*ret_image = image;
	image = STRBUF_INIT;
	return 0;
}

int policy_compile(char *const *paths, size_t count, const char *settings, struct strbuf *ret_image,
		   struct compile_stats *ret_stats, struct strbuf *err)
{
	struct compiler c = { .faults.out = err };
	int r;

	if (settings)
		read_settings(&c, settings);
	if (!count)
		add_usual_paths(&c);
	for (size_t i = 0; i < count; i++)
		add_path(&c, paths[i]);
	for (size_t i = 0; i < c.files_count; i++)
		read_file(&c, c.files[i]);
	r = finish(&c, ret_image, ret_stats);
	arena_free(&c.arena);
	return r;
}

int policy_each_pack(char *const *paths, size_t count,
		     int (*fn)(const struct pack *pack, void *data), void *data, struct strbuf *err)
{
	struct compiler c = { .faults.out = err };
	int r = 0;

	if (!count)
		add_own(&c, "signatures");
	for (size_t i = 0; i < count; i++)
		add_path(&c, paths[i]);
	for (size_t i = 0; i < c.files_count; i++)
		read_file(&c, c.files[i]);
	if (c.faults.count)
		r = -EINVAL;
	for (size_t i = 0; !r && i < c.library.packs_count; i++)
		r = fn(c.library.packs[i], data);
	arena_free(&c.arena);
	return r;
}

int policy_compile_text(const char *name, const char *text, size_t len, struct strbuf *ret_image,
			struct compile_stats *ret_stats, struct strbuf *err)
{
	struct compiler c = { .faults.out = err };
	int r;

	read_text(&c, name, text, len);
	r = finish(&c, ret_image, ret_stats);
	arena_free(&c.arena);
	return r;
}
