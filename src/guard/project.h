/* Project files: what the workspace of a session tightens. */
#ifndef GUARD_PROJECT_H
#define GUARD_PROJECT_H

#include "guard/internal.h"

/* Has WORKSPACE/.backstop.yaml read, as the session's user; until that is done the session has
 * none. */
void project_read(struct guard *g, struct session *s);
/* After a change of policy. */
void project_reload_all(struct guard *g);
/* The session ends. */
void project_drop(struct session *s);

#endif
