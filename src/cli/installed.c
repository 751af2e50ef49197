#include "cli/installed.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define AGENTS_MAX 256 /* of which each is named once */

struct search {
	const struct policy *policy;
	struct strbuf *out;
	const char *found[AGENTS_MAX];
	size_t count;
};

static bool is_new(const struct search *s, const char *agent)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->found[i], agent) == 0)
			return false;
	return s->count < AGENTS_MAX;
}

static bool is_program(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static void look_at(struct search *s, const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL, *file = NULL;
	char *argv[2] = { NULL };
	const char *agent;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return;
	}
	file = realpath(path, NULL);
	argv[0] = path;
	agent = policy_match_agent(
		s->policy,
		&(struct action) { .argv = argv, .path = file, .name = path, .root_fd = -1 });
	if (!agent || !is_new(s, agent))
		return;
	s->found[s->count++] = agent;
	strbuf_addf(s->out, "%s%s (", s->count > 1 ? ", " : "", agent);
	strbuf_adds(s->out, path);
	strbuf_addc(s->out, ')');
}

static void look_in(struct search *s, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && is_program(dirfd(dir), e->d_name))
			look_at(s, path, e->d_name);
	if (dir)
		closedir(dir);
}

static void look_in_path(struct search *s)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = path ? strdup(path) : NULL;
	char *save = NULL;

	for (char *dir = copy ? strtok_r(copy, ":", &save) : NULL; dir;
	     dir = strtok_r(NULL, ":", &save))
		look_in(s, dir);
}

static const char *home_of_user(void)
{
	const char *caller = getenv("SUDO_USER");
	const struct passwd *pw = geteuid() == 0 && caller ? getpwnam(caller) : NULL;

	return pw ? pw->pw_dir : getenv("HOME");
}

static void look_in_home(struct search *s)
{
	static const char *const places[] = {
		".local/bin", "bin",	       ".npm-global/bin",
		".bun/bin",   ".cargo/bin",    ".volta/bin",
		"go/bin",     ".opencode/bin", ".nvm/versions/node/*/bin"
	};
	const char *home = home_of_user();

	for (size_t i = 0; home && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *pattern = NULL;
		glob_t found = { 0 };

		if (asprintf(&pattern, "%s/%s", home, places[i]) < 0) {
			pattern = NULL;
			return;
		}
		if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
			for (size_t n = 0; n < found.gl_pathc; n++)
				look_in(s, found.gl_pathv[n]);
		globfree(&found);
	}
}

void installed_agents(const struct policy *p, struct strbuf *out)
{
	struct search s = { .policy = p, .out = out };

	look_in_path(&s);
	look_in_home(&s);
}
