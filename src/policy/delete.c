/* Deletions: what a policy says of a path that is about to go. */
#include <ctype.h>
#include <string.h>

#include "policy/carrier.h"
#include "policy/glob.h"
#include "policy/output.h"
#include "policy/paths.h"
#include "policy/scan.h"
#include "policy/search.h"

#define MAX_PARTS 256 /* a deeper path is taken from its leaf */
#define MAX_HOMES 3

/* One of the paths of a deletion. */
struct view {
	const char *path;
	char copy[PATHS_MAX];
	const char *parts[MAX_PARTS];
	u32 count;
	u32 homes[MAX_HOMES]; /* how many components a home that it is in has; the user's first */
	u32 homes_count;
	bool own_home; /* the first of them is the user's */
};

enum answer { UNKNOWN, NO, YES };

struct looking {
	const struct policy *p;
	const struct deletion *d;
	struct view view;
	bool allow; /* in hand is an allow rule */
	bool any;   /* the view's last component stands for every name */
	bool first; /* the view is the path itself */
	enum answer idle, precious;
	const char *names[CARRIER_NAMES + 2]; /* of the program */
	u32 names_count;
	struct command_view carried;
};

/* --- paths */

static void split(struct view *v)
{
	char *at = v->copy, *end;

	v->count = 0;
	for (; *at; at = end) {
		end = strchrnul(at, '/');
		if (*end)
			*end++ = '\0';
		if (!*at)
			continue;
		if (v->count == MAX_PARTS)
			memmove(v->parts, v->parts + 1, --v->count * sizeof(*v->parts));
		v->parts[v->count++] = at;
	}
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]);
}

static u32 count_parts(const char *path)
{
	u32 n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1] && path[1] != '/';
	return n;
}

static void find_homes(struct view *v, const char *home)
{
	v->own_home = home && home[0] == '/' && home[1] && is_below(v->path, home);
	v->homes_count = 0;
	if (v->own_home)
		v->homes[v->homes_count++] = MIN(count_parts(home), v->count);
	if (v->count && strcmp(v->parts[0], "root") == 0)
		v->homes[v->homes_count++] = 1;
	if (v->count > 1 && strcmp(v->parts[0], "home") == 0)
		v->homes[v->homes_count++] = 2;
}

static bool look_at(struct looking *l, const char *path)
{
	if (strlen(path) >= sizeof(l->view.copy))
		return false;
	l->view.path = path;
	strcpy(l->view.copy, path);
	split(&l->view);
	find_homes(&l->view, l->d->home);
	l->idle = l->precious = UNKNOWN;
	return true;
}

/* Most globs differ from most names at one of their ends. */
static bool ends_differ(const char *glob, const char *name)
{
	char last = glob[strlen(glob) - 1];

	return (isalnum((unsigned char)glob[0]) && glob[0] != name[0]) ||
	       (isalnum((unsigned char)last) && last != name[strlen(name) - 1]);
}

static const char any_name[] = "*"; /* by its address */

static bool part_matches(const struct image *im, const struct image_part *part, const char *name)
{
	const char *text = im->strings + part->text;

	if (name == any_name)
		return part->kind != PART_DEEP;
	if (part->kind == PART_NAME)
		return text[0] == name[0] && strcmp(text, name) == 0;
	return part->kind == PART_GLOB && text[0] && !ends_differ(text, name) &&
	       glob_match(text, name, false);
}

/* A deep part that was passed never has to give way to an earlier one. */
static bool parts_match(const struct image *im, const struct image_part *glob, u32 n,
			const char *const *parts, u32 count)
{
	u32 g = 0, i = 0, deep = IMAGE_NONE, from = 0;

	if (n && glob[n - 1].kind != PART_DEEP &&
	    (!count || !part_matches(im, &glob[n - 1], parts[count - 1])))
		return false;
	while (i < count) {
		if (g < n && glob[g].kind == PART_DEEP) {
			deep = g++;
			from = i;
			if (g == n)
				return true;
		} else if (g < n && part_matches(im, &glob[g], parts[i])) {
			g++;
			i++;
		} else if (deep != IMAGE_NONE) {
			g = deep + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (g < n && glob[g].kind == PART_DEEP)
		g++;
	return g == n;
}

static void init_paths(const struct looking *l, struct paths *ret)
{
	paths_init(ret, "/", l->d->home, l->d->workspace, -1);
	ret->owner = (struct precious) { l->p->precious, l->p->image.precious_count };
	if (l->d->project)
		ret->project = (struct precious) { (const char *const *)l->d->project->precious,
						   l->d->project->precious_count };
}

/* Of the settings' globs some have nothing that the kernel can search for. */
static bool is_precious(struct looking *l)
{
	struct paths paths;

	if (l->any) {
		init_paths(l, &paths);
		return paths.owner.count || paths.project.count;
	}
	if (l->precious == UNKNOWN) {
		init_paths(l, &paths);
		l->precious = paths_is_kept(&paths, l->view.path) &&
					      policy_is_delete_candidate(l->p, l->d)
				      ? YES
				      : NO;
	}
	return l->precious == YES;
}

/* These hold nothing but what was fetched or made, wherever they are. */
static bool is_fetched(const struct view *v)
{
	static const char *const names[] = { "node_modules", "site-packages", "__pycache__",
					     ".venv",	     ".terraform",    "bower_components" };

	for (u32 i = 0; i < v->count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (strcmp(v->parts[i], names[k]) == 0)
				return true;
	return false;
}

/* Is it scratch or output, where what may be anywhere is no loss? */
static bool is_idle(struct looking *l)
{
	struct paths paths;

	if (l->any) {
		init_paths(l, &paths);
		return !is_precious(l) && paths_has_class(&paths, l->view.path, PATH_SCRATCH);
	}
	if (l->idle == UNKNOWN) {
		init_paths(l, &paths);
		l->idle = paths_has_class(&paths, l->view.path, PATH_SCRATCH) ||
					  paths_has_class(&paths, l->view.path, PATH_OUTPUT) ||
					  (is_fetched(&l->view) &&
					   !paths_is_kept(&paths, l->view.path))
				  ? YES
				  : NO;
	}
	return l->idle == YES;
}

static bool home_matches(const struct looking *l, const struct image_part *glob, u32 n)
{
	const struct view *v = &l->view;
	u32 homes = l->allow ? v->own_home : v->homes_count;

	for (u32 i = 0; i < homes; i++)
		if (parts_match(&l->p->image, glob, n, v->parts + v->homes[i],
				v->count - v->homes[i]))
			return true;
	return false;
}

static bool glob_holds(struct looking *l, const struct image_path_glob *g)
{
	const struct image_part *parts = &l->p->image.parts[g->parts];

	if (parts->kind == PART_PRECIOUS)
		return is_precious(l);
	if (parts->kind == PART_HOME)
		return home_matches(l, parts + 1, g->parts_count - 1);
	return parts_match(&l->p->image, parts, g->parts_count, l->view.parts, l->view.count);
}

static bool paths_hold(struct looking *l, const struct image_delete *r)
{
	const struct image_path_glob *globs = &l->p->image.path_globs[r->globs];
	bool found = false;

	for (u32 i = 0; i < r->paths_count && !found; i++)
		found = glob_holds(l, &globs[i]) && !(globs[i].anywhere && !l->allow && is_idle(l));
	for (u32 i = r->paths_count; i < r->paths_count + r->excepts_count && found && !l->any; i++)
		found = !glob_holds(l, &globs[i]);
	return found;
}

/* --- programs */

/* The names of what the task runs: its file's, its applet's, its script's. */
static void find_names(struct looking *l)
{
	char *const *argv = l->d->argv;
	u32 words = 0;

	if (!l->d->program)
		return;
	l->names[l->names_count++] = l->d->program;
	if (!argv || !argv[0])
		return;
	if (carrier_is_multicall(l->d->program))
		l->names[l->names_count++] = carrier_base_name(argv[0]);
	while (argv[1 + words])
		words++;
	if (carrier_local(l->d->program, argv + 1, words, &l->carried))
		for (u32 i = 0; i < l->carried.names_count; i++)
			l->names[l->names_count++] = l->carried.names[i];
}

static bool has_word(char *const *argv, const char *word)
{
	for (u32 i = 0; argv[0] && argv[i + 1]; i++)
		if (strcmp(argv[i + 1], word) == 0)
			return true;
	return false;
}

/* `name` is a glob, perhaps with a blank and a word of the arguments. */
static enum answer program_is(const struct looking *l, const char *name, const char *program)
{
	const char *blank = strchr(name, ' ');
	char glob[256];

	if (!blank)
		return glob_match(name, program, false) ? YES : NO;
	if ((size_t)(blank - name) >= sizeof(glob))
		return NO;
	memcpy(glob, name, (size_t)(blank - name));
	glob[blank - name] = '\0';
	if (!glob_match(glob, program, false))
		return NO;
	if (!l->d->argv)
		return UNKNOWN;
	return has_word(l->d->argv, blank + 1) ? YES : NO;
}

static enum answer is_among(const struct looking *l, const u32 *globs, u32 count, bool behind)
{
	const char *const *ancestors = behind ? l->d->behind : NULL;
	enum answer found = l->names_count && !(behind && !ancestors) ? NO : UNKNOWN;

	for (u32 i = 0; i < count; i++) {
		const char *glob = l->p->image.strings + globs[i];

		for (u32 k = 0; k < l->names_count && found != YES; k++) {
			enum answer a = program_is(l, glob, l->names[k]);

			found = a == NO ? found : a;
		}
		for (u32 k = 0; ancestors && ancestors[k] && found != YES; k++)
			found = glob_match(glob, ancestors[k], false) ? YES : found;
	}
	return found;
}

static bool set_holds(const struct looking *l, const u32 *globs, u32 count, bool negated,
		      bool behind)
{
	enum answer a = count ? is_among(l, globs, count, behind) : YES;

	if (a == UNKNOWN)
		return !l->allow;
	return (a == YES) != negated;
}

static bool programs_hold(const struct looking *l, const struct image_delete *r)
{
	const u32 *names = &l->p->image.delete_names[r->names];

	return set_holds(l, names, r->by_count, r->by_negated, false) &&
	       set_holds(l, names + r->by_count, r->under_count, r->under_negated, true);
}

/* --- bursts */

struct burst policy_burst(const struct policy *p)
{
	struct burst lowest = { 0 };

	for (u32 i = 0; i < p->image.deletes_count; i++) {
		const struct image_delete *r = &p->image.deletes[i];

		if (r->kind != DELETE_BURST || !r->burst.count || r->signature == IMAGE_NONE)
			continue;
		if (!lowest.count || r->burst.count < lowest.count ||
		    (r->burst.count == lowest.count && r->burst.seconds > lowest.seconds))
			lowest = r->burst;
	}
	return lowest;
}

const char *policy_build_output(const struct policy *p _unused_, u32 i)
{
	return output_directory(i);
}

static bool is_in_output(const struct view *v)
{
	for (u32 i = 0; i + 1 < v->count; i++)
		if (output_is_directory(v->parts[i]))
			return true;
	return false;
}

static bool burst_counts(struct looking *l, const struct image_delete *r)
{
	struct burst lowest = policy_burst(l->p);

	return r->kind == DELETE_BURST && r->burst.count == lowest.count &&
	       r->burst.seconds == lowest.seconds && r->how & 1U << l->d->op &&
	       programs_hold(l, r) && !is_in_output(&l->view) && !is_idle(l);
}

/* --- rules */

/* Another name of a protected file is no loss while it has a further one. */
static bool is_last_name(const struct deletion *d)
{
	return d->links <= 1 || (d->op != BS_DELETE_UNLINK && d->op != BS_DELETE_RENAME);
}

/* What has its last name in scratch or output was given up before. What is emptied there is emptied
 * under its other names too. */
static bool loses_another_name(struct looking *l)
{
	const struct deletion *d = l->d;

	return l->first && d->protected_inode && is_last_name(d) && (d->links != 1 || !is_idle(l));
}

static bool rule_matches(struct looking *l, const struct image_delete *r)
{
	if (!(r->how & 1U << l->d->op))
		return false;
	l->allow = r->signature == IMAGE_NONE;
	switch ((enum delete_kind)r->kind) {
	case DELETE_PATH:
		return paths_hold(l, r) && programs_hold(l, r);
	case DELETE_BURST:
		return l->first && l->d->burst && burst_counts(l, r);
	case DELETE_OTHER_NAME:
		return loses_another_name(l) && programs_hold(l, r);
	case DELETE_KIND_COUNT:
		break;
	}
	return false;
}

static bool is_graver(const struct looking *l, u32 signature, u32 than)
{
	const struct project *project = l->d->project;
	enum verdict a, b;

	if (than == IMAGE_NONE)
		return true;
	a = search_verdict(l->p, project, signature);
	b = search_verdict(l->p, project, than);
	return a != b ? a > b
		      : l->p->image.signatures[signature].severity >
				l->p->image.signatures[than].severity;
}

/* What the rules say of the view in hand: the rule's signature, or IMAGE_NONE with the allow rule's
 * pack in `ret_pack`. */
static u32 judge(struct looking *l, const char **ret_pack)
{
	const struct image *im = &l->p->image;
	u32 found = IMAGE_NONE;

	for (u32 i = 0; i < im->deletes_count; i++) {
		const struct image_delete *r = &im->deletes[i];

		if (r->signature != IMAGE_NONE && !is_graver(l, r->signature, found))
			continue;
		if (!rule_matches(l, r))
			continue;
		if (r->signature == IMAGE_NONE) { /* these come first */
			*ret_pack = im->strings + im->packs[r->pack].name;
			return IMAGE_NONE;
		}
		found = r->signature;
	}
	return found;
}

static void begin(struct looking *l, const struct policy *p, const struct deletion *d)
{
	l->p = p;
	l->d = d;
	l->names_count = 0;
	l->first = true;
	l->allow = l->any = false;
	find_names(l);
}

static bool has_inner(const struct deletion *d)
{
	return d->inner && strcmp(d->inner, d->path) != 0;
}

void policy_match_delete(const struct policy *p, const struct deletion *d, struct finding *ret)
{
	u32 found = IMAGE_NONE, inner;
	const char *pack = NULL;
	struct looking l;

	begin(&l, p, d);
	if (look_at(&l, d->path))
		found = judge(&l, &pack);
	l.first = false;
	if (has_inner(d) && look_at(&l, d->inner)) {
		inner = judge(&l, &pack);
		if (inner != IMAGE_NONE && is_graver(&l, inner, found))
			found = inner;
	}
	*ret = (struct finding) { .verdict = VERDICT_ALLOW, .signature = IMAGE_NONE };
	if (found != IMAGE_NONE) {
		policy_signature(p, found, ret);
		ret->verdict = search_verdict(p, d->project, found);
	} else {
		ret->pack = pack;
	}
}

/* Whatever stands behind its program may have changed by the next deletion: `under` counts as held.
 */
static bool may_match_any(struct looking *l, const struct image_delete *r)
{
	const u32 *names = &l->p->image.delete_names[r->names];

	return r->kind == DELETE_PATH && r->signature != IMAGE_NONE && paths_hold(l, r) &&
	       set_holds(l, names, r->by_count, r->by_negated, false);
}

bool policy_spares_directory(const struct policy *p, const struct deletion *d)
{
	struct looking l;

	begin(&l, p, d);
	l.any = true;
	if (has_inner(d) || !look_at(&l, d->path) || l.view.count < 2 || l.view.count == MAX_PARTS)
		return false;
	if (d->home && !strncmp(d->home, d->path, (size_t)(strrchr(d->path, '/') - d->path)))
		return false;
	l.view.parts[l.view.count - 1] = any_name;
	for (u32 i = 0; i < p->image.deletes_count; i++)
		if (may_match_any(&l, &p->image.deletes[i]))
			return false;
	return true;
}

bool search_deletion(const struct policy *p, const struct deletion *d, u32 signature)
{
	struct looking l;

	begin(&l, p, d);
	if (!look_at(&l, d->path))
		return false;
	for (u32 i = 0; i < p->image.deletes_count; i++)
		if (p->image.deletes[i].signature == signature &&
		    rule_matches(&l, &p->image.deletes[i]))
			return true;
	return false;
}

/* What is there is no file of anybody's, but a view on the kernel: a cgroup, a pin. */
static bool is_kernels(const char *path)
{
	return !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5);
}

bool policy_counts(const struct policy *p, const struct deletion *d)
{
	struct looking l;

	if (is_kernels(d->path))
		return false;
	begin(&l, p, d);
	if (!look_at(&l, d->path))
		return true;
	for (u32 i = 0; i < p->image.deletes_count; i++)
		if (burst_counts(&l, &p->image.deletes[i]))
			return true;
	return false;
}

const char *policy_deletion(const struct policy *p, u32 signature, u32 n)
{
	for (u32 i = 0; i < p->image.deletes_count; i++)
		if (p->image.deletes[i].signature == signature && n-- == 0)
			return p->image.strings + p->image.deletes[i].text;
	return NULL;
}
