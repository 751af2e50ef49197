#ifndef GUARD_AWAY_H
#define GUARD_AWAY_H

#include "guard/internal.h"

/* The first path, `question->path` or one below, whose removal would be held, refused or killed,
 * whoever did it; "": not all could be looked at, or not soon enough; NULL: there is none. The
 * caller owns it. */
char *away_find(const struct guard *g, u32 tid, const struct deletion *question);

#endif
