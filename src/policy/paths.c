#include "policy/paths.h"

#include <ctype.h>
#include <string.h>

#include "policy/glob.h"
#include "policy/output.h"
#include "policy/policy.h"

#define MAX_LINKS 40

/* Contents of these are nobody's loss. */
static const char *const scratch_dirs[] = {
	"/tmp", "/var/tmp", "/dev/shm", "/var/cache", "/var/lib/apt/lists", "/run/user",
};

static const char *const harmless_devices[] = {
	"/dev/null",  "/dev/zero",   "/dev/full",   "/dev/random",  "/dev/urandom",
	"/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd",	    "/dev/ptmx",
	"/dev/pts",   "/dev/shm",    "/dev/mqueue", "/dev/console", "/dev/hugepages",
	"/dev/net",   "/dev/kvm",    "/dev/fuse",
};

/* Below a home: what tools fetched and can fetch again. */
static const char *const home_caches[] = {
	".npm/_cacache", ".npm/_npx",	".cargo/registry", ".m2/repository",  ".gradle/caches",
	"go/pkg/mod",	 ".pnpm-store", ".yarn/cache",	   ".nuget/packages",
};

/* Names that are precious even inside the workspace. */
const char *const path_data_names[] = {
	".git",	    "*.tfstate*", "*.tfvars",	 "*.sqlite*",  "*.db",	  "*.db.*", "*.db-*",
	".env*",    "backups",	  "backup",	 "*.sql",      "*.sql.*", "*.dump", "*.dump.*",
	"*.pgdump", "*.rdb",	  "*.aof",	 "*.mdb",      "*.ibd",	  "*.pem",  "*.key",
	"*.p12",    "*.pfx",	  "*.jks",	 "*.keystore", "*.kdbx",  "*.gpg",  "*.age",
	"id_rsa*",  "id_ecdsa*",  "id_ed25519*", ".htpasswd",
};
const u32 path_data_names_count = ARRAY_SIZE(path_data_names);

static const char *const system_dirs[] = {
	"/etc",	 "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/boot", "/opt", "/srv", "/proc", "/sys", "/nix",   "/var",   "/run",
};

static const char *const root_dirs[] = {
	"/bin",	   "/boot",  "/dev", "/etc", "/home", "/lib",  "/lib32", "/lib64",
	"/libx32", "/media", "/mnt", "/nix", "/opt",  "/proc", "/root",	 "/run",
	"/sbin",   "/srv",   "/sys", "/usr", "/var",  "/*",
};

/* Operands that are no paths: find's and the shell's punctuation, standard input. */
static const char *const punctuation[] = { "{}", ";", "+", "!", "(", ")", ",", "-" };

/* Is `path` the directory `dir`, or inside it? */
static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len > 0 && dir[len - 1] == '/')
		len--;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_within_any(const char *path, const char *const *dirs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_within(path, dirs[i]))
			return true;
	return false;
}

static bool is_same(const char *path, const char *dir)
{
	return is_within(path, dir) && is_within(dir, path);
}

/* --- resolving */

/* Appends one component to the absolute path in `out`, with . and .. taken out. */
static bool add_component(char *out, const char *name, size_t len)
{
	size_t have = strlen(out);

	if (len == 0 || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		char *slash = strrchr(out, '/');

		if (slash)
			*slash = '\0';
		return true;
	}
	if (have + 1 + len >= PATHS_MAX)
		return false;
	out[have] = '/';
	memcpy(out + have + 1, name, len);
	out[have + 1 + len] = '\0';
	return true;
}

/* Where `out` is a link, takes it away and puts its target in front of what is left of the path:
 * 1; 0 where it is none, negative where the path is too long or nobody answers. */
static int follow(const struct paths *p, char *out, char rest[PATHS_MAX], const char *after)
{
	char target[PATHS_MAX];
	size_t left = strlen(after), n;
	enum looked look = looks_find(p->looks, p->root_fd, out + 1, target);

	if (look == LOOK_SILENT)
		return -1;
	if (look != LOOK_LINK)
		return 0;
	n = strlen(target);
	if (n + 1 + left >= PATHS_MAX)
		return -1;
	memmove(rest + n + 1, after, left + 1);
	memcpy(rest, target, n);
	rest[n] = '/';
	if (target[0] == '/')
		out[0] = '\0';
	else
		*strrchr(out, '/') = '\0';
	return 1;
}

static bool names_entry(const char *name, size_t len)
{
	return len && !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

/* Does the kernel have all of it in its caches, without a link? So it is most often, and this is
 * one call. */
static bool is_plain(const struct paths *p, const char *path, char out[PATHS_MAX])
{
	out[0] = '\0';
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");

		if ((len == 2 && at[0] == '.' && at[1] == '.') || !add_component(out, at, len))
			return false;
		at += len + (at[len] == '/');
	}
	return looks_recall(p->root_fd, out[0] ? out + 1 : ".") == LOOK_FILE;
}

/* Resolves `path`, absolute, into `out` ("" is the root). Links in it are followed where that is
 * possible, all of them: it names a directory on the way to something. */
static bool walk(const struct paths *p, const char *path, char out[PATHS_MAX])
{
	char rest[PATHS_MAX];
	const char *at = rest;
	int links = 0;

	if (strlen(path) >= sizeof(rest))
		return false;
	if (p->looks && p->root_fd >= 0 && is_plain(p, path, out))
		return true;
	strcpy(rest, path);
	out[0] = '\0';
	while (*at) {
		size_t len = strcspn(at, "/");

		if (!add_component(out, at, len))
			return false;
		if (p->root_fd >= 0 && names_entry(at, len) && links <= MAX_LINKS) {
			int linked = follow(p, out, rest, at + len);

			if (linked < 0)
				return false;
			if (linked) {
				links++;
				at = rest;
				continue;
			}
		}
		at += len + (at[len] == '/');
	}
	return links <= MAX_LINKS;
}

static bool walk_dir(struct paths *p, const char *dir, char out[PATHS_MAX])
{
	if (strcmp(dir, p->dir) != 0) {
		if (!walk(p, dir, p->dir_resolved)) {
			p->dir[0] = '\0';
			return false;
		}
		strcpy(p->dir, dir);
	}
	strcpy(out, p->dir_resolved);
	return true;
}

/* The absolute form of `path`, nothing resolved yet. */
static bool make_absolute(const struct paths *p, const char *path, char out[PATHS_MAX])
{
	const char *base = "";

	if (p->remote && path[0] == '~') {
		base = path[1] == '/' || !path[1] ? "/root" : "/home";
		path++;
	} else if (path[0] != '/') {
		base = p->cwd;
	}
	if (!base || strlen(base) + 1 + strlen(path) >= PATHS_MAX)
		return false;
	stpcpy(stpcpy(stpcpy(out, base), *base ? "/" : ""), path);
	return true;
}

/* The absolute path that `path` stands for, as an action by that name would reach it. False where
 * nobody can know. */
static bool resolve(struct paths *p, const char *path, char out[PATHS_MAX])
{
	char full[PATHS_MAX];
	char *last;

	if (p->remote && strpbrk(path, "$`"))
		return false;
	if (!make_absolute(p, path, full))
		return false;
	last = strrchr(full, '/');
	if (!last[1] || strcmp(last + 1, ".") == 0 || strcmp(last + 1, "..") == 0) {
		if (!walk(p, full, out))
			return false;
	} else {
		*last = '\0';
		if (!walk_dir(p, full, out) || !add_component(out, last + 1, strlen(last + 1)))
			return false;
	}
	if (!*out)
		strcpy(out, "/");
	return true;
}

/* --- what a path means */

enum meaning { MEANS_NOTHING, MEANS_OUTPUT, MEANS_PRECIOUS };

static bool matches_any(const char *name, const char *const *globs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (glob_match(globs[i], name, false))
			return true;
	return false;
}

static enum meaning name_meaning(const char *name, const char *whole, bool workspace)
{
	if (matches_any(name, output_names, output_names_count) ||
	    (workspace && matches_any(name, workspace_output_names, workspace_output_names_count)))
		return MEANS_OUTPUT;
	if (!matches_any(name, path_data_names, path_data_names_count))
		return MEANS_NOTHING;
	if (strcmp(name, ".git") == 0 && glob_match("*.lock", whole, false))
		return MEANS_OUTPUT;
	return MEANS_PRECIOUS;
}

/* The first component of `path` that means something decides for all below it. */
static enum meaning path_meaning(const char *path, bool workspace)
{
	char name[256];

	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		enum meaning m = MEANS_NOTHING;

		if (len && len < sizeof(name)) {
			memcpy(name, at, len);
			name[len] = '\0';
			m = name_meaning(name, path, workspace);
		}
		if (m != MEANS_NOTHING)
			return m;
		at += len + (at[len] == '/');
	}
	return MEANS_NOTHING;
}

/* The length of the home that `path` is, or is in; 0 where it is in none. */
static size_t home_prefix(const struct paths *p, const char *path)
{
	if (p->home && p->home[0] == '/' && p->home[1] && is_within(path, p->home))
		return strlen(p->home);
	if (is_within(path, "/root"))
		return strlen("/root");
	if (strncmp(path, "/home/", 6) == 0 && path[6])
		return 6 + strcspn(path + 6, "/");
	return 0;
}

/* What lies behind the first `len` bytes. */
static const char *below(const char *path, size_t len)
{
	return path + MIN(len + strspn(path + MIN(len, strlen(path)), "/"), strlen(path));
}

static bool is_harmless_device(const char *path)
{
	return is_within_any(path, harmless_devices, ARRAY_SIZE(harmless_devices)) ||
	       strncmp(path, "/dev/tty", 8) == 0;
}

/* Whatever is in /dev may be somebody's disk, but for what is known to be none. */
static bool is_device(const char *path)
{
	return is_within(path, "/dev") && !is_same(path, "/dev") && !is_harmless_device(path);
}

static bool in_scratch(const struct paths *p, const char *path)
{
	size_t home = home_prefix(p, path);

	if (is_within_any(path, scratch_dirs, ARRAY_SIZE(scratch_dirs)) || is_harmless_device(path))
		return true;
	return home && is_within(below(path, home), ".cache");
}

/* Is it in a vendor/ beside the file by which a package manager fills it again? */
static bool is_vendored(const struct paths *p, const char *path)
{
	static const char *const locks[] = { "composer.lock", "go.sum", "Gemfile.lock",
					     "Cargo.lock" };
	char dir[PATHS_MAX];

	for (const char *at = path + strlen(p->workspace); (at = strstr(at, "/vendor")); at++) {
		if (at[7] && at[7] != '/')
			continue;
		memcpy(dir, path, (size_t)(at - path));
		dir[at - path] = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(locks); i++)
			if (paths_has_file(p, dir, locks[i], true, false))
				return true;
	}
	return false;
}

static enum meaning workspace_meaning(const struct paths *p, const char *path)
{
	enum meaning m = path_meaning(below(path, strlen(p->workspace)), true);

	return m == MEANS_NOTHING && is_vendored(p, path) ? MEANS_OUTPUT : m;
}

static bool is_output(const struct paths *p, const char *path)
{
	size_t home = home_prefix(p, path);

	if (p->workspace && is_within(path, p->workspace))
		return workspace_meaning(p, path) == MEANS_OUTPUT;
	if (!home)
		return false;
	path = below(path, home);
	return is_within_any(path, home_caches, ARRAY_SIZE(home_caches)) ||
	       path_meaning(path, false) == MEANS_OUTPUT;
}

static bool is_precious(const struct paths *p, const char *path)
{
	if (p->workspace && is_within(p->workspace, path))
		return true;
	if (p->workspace && is_within(path, p->workspace))
		return workspace_meaning(p, path) == MEANS_PRECIOUS;
	return !in_scratch(p, path) && !is_output(p, path);
}

static bool is_source(const struct paths *p, const char *path)
{
	return p->workspace && is_within(path, p->workspace) && !is_same(path, p->workspace) &&
	       workspace_meaning(p, path) == MEANS_NOTHING;
}

/* A directory's whole content counts as the directory. */
static void drop_star(char *path)
{
	char *last = strrchr(path, '/');

	if (last && (strcmp(last, "/*") == 0 || strcmp(last, "/.*") == 0))
		last[last == path ? 1 : 0] = '\0';
}

static bool is_home(const struct paths *p, char *path)
{
	size_t home;

	drop_star(path);
	if (strcmp(path, "/") == 0 || strcmp(path, "/home") == 0)
		return true;
	home = home_prefix(p, path);
	return (home && !*below(path, home)) || (p->home && is_within(p->home, path));
}

static bool is_root(char *path)
{
	drop_star(path);
	if (strcmp(path, "/") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(root_dirs); i++)
		if (is_same(path, root_dirs[i]))
			return true;
	return false;
}

/* By its own name, not by that of a directory it is in. */
static bool is_data(const struct paths *p, const char *path)
{
	return matches_any(strrchr(path, '/') + 1, path_data_names, path_data_names_count) &&
	       !in_scratch(p, path) && !is_output(p, path);
}

static bool has_class(const struct paths *p, char *path, enum path_class c)
{
	switch (c) {
	case PATH_PRECIOUS:
		return is_precious(p, path);
	case PATH_SOURCE:
		return is_source(p, path);
	case PATH_SCRATCH:
		return in_scratch(p, path);
	case PATH_OUTPUT:
		return is_output(p, path);
	case PATH_HOME:
		return is_home(p, path);
	case PATH_ROOT:
		return is_root(path);
	case PATH_DEVICE:
		return is_device(path);
	case PATH_SYSTEM:
		return is_within_any(path, system_dirs, ARRAY_SIZE(system_dirs)) &&
		       !in_scratch(p, path);
	case PATH_DATA:
	case PATH_CLASS_COUNT:
		break;
	}
	return false;
}

void paths_init(struct paths *p, const char *cwd, const char *home, const char *workspace,
		int root_fd)
{
	p->cwd = cwd && *cwd == '/' ? cwd : NULL;
	p->home = home;
	p->workspace = workspace;
	p->root_fd = root_fd;
	p->looks = NULL;
	p->otherwise = true;
	p->remote = p->fresh = p->text = false;
	p->owner = p->project = (struct precious) { 0 };
	p->files = NULL;
	p->dir[0] = '\0';
	p->dir_resolved[0] = '\0';
}

static bool is_punctuation(const char *operand)
{
	for (size_t i = 0; i < ARRAY_SIZE(punctuation); i++)
		if (strcmp(operand, punctuation[i]) == 0)
			return true;
	return false;
}

/* Does the glob match an absolute path, where one that begins with neither / nor ~ may begin at any
 * component? */
static bool matches_glob(const struct paths *p, const char *full, const char *glob)
{
	const char *home = p->home ? p->home : "/root", *base = glob[0] == '~' ? home : "**";
	char wanted[PATHS_MAX], *end;

	if (glob[0] == '/')
		base = "";
	if (strlen(base) + 1 + strlen(glob) >= sizeof(wanted))
		return false;
	if (glob[0] == '~')
		glob++;
	end = stpcpy(stpcpy(stpcpy(wanted, base), *glob == '/' || !*glob ? "" : "/"), glob);
	if (end > wanted + 1 && end[-1] == '/')
		end[-1] = '\0';
	return glob_match_path(wanted, full);
}

static bool has_precious(const struct paths *p, const struct precious *list, const char *full)
{
	for (u32 i = 0; i < list->count; i++)
		if (matches_glob(p, full, list->globs[i]))
			return true;
	return false;
}

bool paths_is_kept(const struct paths *p, const char *path)
{
	char part[PATHS_MAX];

	if (!p->owner.count && !p->project.count)
		return false;
	for (const char *end = path; (end = strchrnul(end + 1, '/'));) {
		memcpy(part, path, (size_t)(end - path));
		part[end - path] = '\0';
		if (has_precious(p, &p->owner, part) || has_precious(p, &p->project, part))
			return true;
		if (!*end)
			break;
	}
	return false;
}

static bool is_loss_class(enum path_class c)
{
	return c == PATH_SCRATCH || c == PATH_OUTPUT || c == PATH_SOURCE;
}

/* The absolute form of a path; where nobody knows it, its own words. */
static bool resolve_or_guess(struct paths *p, const char *path, char out[PATHS_MAX])
{
	if (resolve(p, path, out))
		return true;
	if (strlen(path) + 2 >= PATHS_MAX)
		return false;
	stpcpy(stpcpy(out, "/"), path);
	return true;
}

static bool is_of_class(struct paths *p, const char *path, enum path_class c)
{
	char full[PATHS_MAX];

	if (!*path || is_punctuation(path))
		return false;
	if (p->fresh)
		return c == PATH_SCRATCH;
	if (p->text && path[0] == '$')
		return c == PATH_SCRATCH;
	if (c == PATH_DATA)
		return !strpbrk(path, "$`") && resolve_or_guess(p, path, full) && is_data(p, full);
	if (resolve_or_guess(p, path, full) && paths_is_kept(p, full) &&
	    (c == PATH_PRECIOUS || is_loss_class(c)))
		return c == PATH_PRECIOUS;
	if (resolve(p, path, full))
		return has_class(p, full, c);
	/* nobody knows where it is: only its own name can tell that it is no loss */
	if (c == PATH_PRECIOUS || c == PATH_OUTPUT)
		return (path_meaning(path, false) == MEANS_OUTPUT) == (c == PATH_OUTPUT);
	return false;
}

static void begin(const struct paths *p)
{
	if (p->looks)
		p->looks->silent = false;
}

/* What was found, unless somebody who was asked for it has not answered. */
static bool unless_silent(const struct paths *p, bool found)
{
	if (!p->looks || !p->looks->silent)
		return found;
	p->looks->guessed |= p->otherwise;
	return p->otherwise;
}

bool paths_has_class(struct paths *p, const char *path, enum path_class c)
{
	begin(p);
	return unless_silent(p, is_of_class(p, path, c));
}

bool paths_match_glob(struct paths *p, const char *path, const char *glob)
{
	char full[PATHS_MAX];

	begin(p);
	return unless_silent(p, !p->fresh && resolve_or_guess(p, path, full) &&
					matches_glob(p, full, glob));
}

bool paths_follow(const struct paths *p, const char *path, char out[PATHS_MAX])
{
	char full[PATHS_MAX];

	return make_absolute(p, path, full) && walk(p, full, out);
}

const char *policy_workspace(const char *cwd, const char *home)
{
	if (!cwd || cwd[0] != '/' || is_same(cwd, "/"))
		return NULL;
	if (home && home[0] == '/' && is_within(home, cwd))
		return NULL;
	return is_within_any(cwd, scratch_dirs, ARRAY_SIZE(scratch_dirs)) ? NULL : cwd;
}
