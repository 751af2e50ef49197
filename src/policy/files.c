/* The predicates on files that exist or are missing, see paths.h. */
#include <string.h>

#include "policy/paths.h"

/* The file that `name` in `dir` leads to. */
static bool follow(const struct paths *p, const char *dir, const char *name, char out[PATHS_MAX])
{
	char path[PATHS_MAX];

	if (name[0] == '~' && !p->home)
		return false;
	if (name[0] == '~')
		dir = p->home;
	else if (name[0] == '/')
		dir = "";
	name += name[0] == '~';
	if (strlen(dir) + 1 + strlen(name) >= sizeof(path))
		return false;
	stpcpy(stpcpy(stpcpy(path, dir), "/"), name);
	return paths_follow(p, path, out);
}

static bool is_listed(const struct paths *p, const char *path)
{
	char file[PATHS_MAX];
	size_t len = strlen(path);

	for (const char *const *f = p->files; *f; f++)
		if (paths_follow(p, *f, file) && strncmp(file, path, len) == 0 &&
		    (!file[len] || file[len] == '/'))
			return true;
	return false;
}

bool paths_has_file(const struct paths *p, const char *dir, const char *name, bool there,
		    bool otherwise)
{
	char full[PATHS_MAX], target[PATHS_MAX];
	enum looked look;

	if (p->remote)
		return false;
	if (!follow(p, dir, name, full))
		return otherwise;
	if (p->files)
		return is_listed(p, full) == there;
	if (p->root_fd < 0)
		return otherwise;
	look = looks_find(p->looks, p->root_fd, full[0] ? full + 1 : ".", target);
	if (look == LOOK_BARRED || look == LOOK_SILENT)
		return otherwise;
	return (look != LOOK_NOTHING) == there;
}
