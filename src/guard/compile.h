/* Settings and packs -> image, by an unprivileged child. */
#ifndef GUARD_COMPILE_H
#define GUARD_COMPILE_H

#include "guard/internal.h"

/* Compiles the guard's settings and puts the image into its place; meanwhile candidates are decided
 * where the guard is up. 0, or a negative errno with the compiler's words in `err`. */
int compile_policy(struct guard *g, struct strbuf *err);

#endif
