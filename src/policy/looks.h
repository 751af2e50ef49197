/* What names in a file system are. Who serves one (FUSE, NFS, an automount) may never answer, so
 * that who must not wait takes what the kernel has in its caches, and what another process, which
 * waits, has found out. */
#ifndef POLICY_LOOKS_H
#define POLICY_LOOKS_H

#include "backstop/types.h"
#include "base/util.h"

#define PATHS_MAX 4096

enum looked {
	LOOK_NOTHING, /* there is no such file */
	LOOK_FILE,    /* of any kind, a directory too */
	LOOK_LINK,
	LOOK_BARRED, /* nobody may look at it */
	LOOK_SILENT, /* nobody has answered */
};

struct found;

/* All zeros: nobody waits. */
struct looks {
	struct found *found; /* by who waits, in memory that both share; NULL: nothing */
	bool waits;	     /* this process does */
	bool over;	     /* nobody will any more */
	bool silent;	     /* some name was LOOK_SILENT; its caller clears it */
	bool pending;	     /* the same, and it is worth while to wait for it */
	bool guessed;	     /* a match rests on such a name */
};

/* Makes room for what a child will find out. 0 or a negative errno. */
int looks_share(struct looks *l);
void looks_free(struct looks *l);

/* `name` below the directory `root`, without links on its way; `target` is a link's. `l` NULL: it
 * is waited for. */
enum looked looks_find(struct looks *l, int root, const char *name, char target[PATHS_MAX]);
/* What the kernel has in its caches: LOOK_FILE (there is no link on the way, either), LOOK_NOTHING,
 * else LOOK_SILENT. It asks nobody. */
enum looked looks_recall(int root, const char *name);

#endif
