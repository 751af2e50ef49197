/* The predicates on paths: what a path means to the one who might lose it. */
#ifndef POLICY_PATHS_H
#define POLICY_PATHS_H

#include "backstop/types.h"
#include "base/util.h"
#include "policy/looks.h"

enum path_class {
	PATH_PRECIOUS,
	PATH_SOURCE,
	PATH_SCRATCH,
	PATH_OUTPUT,
	PATH_HOME,
	PATH_ROOT,
	PATH_DEVICE,
	PATH_SYSTEM,
	PATH_DATA,
	PATH_CLASS_COUNT
};
const char *path_class_name(enum path_class c);
int path_class_parse(const char *name); /* the class, or -EINVAL */

/* Globs of names that data and keys have. */
extern const char *const path_data_names[];
extern const u32 path_data_names_count;

/* Globs on what somebody calls precious, with all below it. */
struct precious {
	const char *const *globs;
	u32 count;
};

/* Where paths are resolved. */
struct paths {
	const char *cwd;       /* absolute; NULL: not known */
	const char *home;      /* NULL: not known */
	const char *workspace; /* NULL: none */
	int root_fd;	       /* -1: links are not followed */
	struct looks *looks;   /* by which they are followed; NULL: file systems are waited for */
	bool otherwise;	       /* what counts of a path on which nobody has answered */
	bool remote;	       /* on another machine: nothing is known but names */
	bool fresh;	       /* in a new container of its own: nothing in it can be lost */
	bool text;	       /* of shell text: $NAME is a path that counts for no loss */
	struct precious owner, project;
	const char *const *files; /* of an example: what exists, NULL behind the last; NULL: ask */
	/* the directory resolved last, since most operands lie side by side */
	char dir[PATHS_MAX], dir_resolved[PATHS_MAX];
};

/* `p` may be as it comes from the stack; only this sets up its cache. No globs are precious yet. */
void paths_init(struct paths *p, const char *cwd, const char *home, const char *workspace,
		int root_fd);

bool paths_has_class(struct paths *p, const char *path, enum path_class c);
/* Is this absolute path, which is resolved, or anything above it, what the owner or the project
 * calls precious? */
bool paths_is_kept(const struct paths *p, const char *path);
/* `glob` begins with / or ~/, else it may match from any component on. */
bool paths_match_glob(struct paths *p, const char *path, const char *glob);
/* The file that `path` leads to, all links followed; false where nobody can know. */
bool paths_follow(const struct paths *p, const char *path, char out[PATHS_MAX]);

/* Is there (`there`: false: is there no) file `name`, from the directory `dir` on, or from ~/ or /?
 * `otherwise` where that cannot be found out; false of other machines. */
bool paths_has_file(const struct paths *p, const char *dir, const char *name, bool there,
		    bool otherwise);

#endif
