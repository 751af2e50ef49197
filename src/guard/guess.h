/* With what a program encrypts: its file is read by a child, for a disk, or whoever serves the
 * file, may take long. */
#ifndef GUARD_GUESS_H
#define GUARD_GUESS_H

#include "base/loop.h"

struct guess;

/* `library` as of kernel_guess_library(); NULL: nobody knows. */
typedef void (*guess_fn)(void *data, const char *library);

/* Takes `file`, which may be open with O_PATH, however it ends. Calls `fn` from the loop, once,
 * and is gone then. 0; -EAGAIN where too many are under way; or another negative errno. */
int guess_start(struct loop *loop, int file, guess_fn fn, void *data, struct guess **ret);
/* `fn` is not called any more. NULL is fine. */
void guess_end(struct guess *g);

#endif
