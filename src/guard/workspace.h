/* Project files: what the workspace of a session tightens. */
#ifndef GUARD_WORKSPACE_H
#define GUARD_WORKSPACE_H

#include "guard/internal.h"

/* Has WORKSPACE/.backstop.yaml read, as the session's user. Mostly that is done on return; where it
 * takes longer, or where events are being drained, the session has none until then. */
void workspace_read(struct guard *g, u64 session);
/* After a restart: of all sessions. */
void workspace_restore_all(struct guard *g);
/* The policy has changed: the files' texts are applied to the new one. */
void workspace_reload_all(struct guard *g);
void workspace_end_all(struct guard *g);

#endif
