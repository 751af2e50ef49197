/* What may take for ever, as whoever serves a file (FUSE) may never answer, is done by a child: not
 * even SIGKILL ends who waits there, and a thread would keep the guard from its end. */
#ifndef GUARD_ASIDE_H
#define GUARD_ASIDE_H

#include <stdbool.h>

struct aside;
struct loop;

/* May one more be started? */
bool aside_has_room(void);
/* Calls `run` in a child that is a copy of the guard, but has no file open except, as number 0,
 * `file` (-1: none); then `done` from the loop, once. `data`, not owned, should be of a mapping
 * that they share. 0 or a negative errno. */
int aside_start(struct loop *loop, int file, void (*run)(void *data), void (*done)(void *data),
		void *data, struct aside **ret);
/* Waits for its end, but no longer than that. True: `done` is called soon. */
bool aside_wait(const struct aside *a, int ms);
/* `done` is not called any more. Needed behind that, too. NULL is fine. */
void aside_end(struct aside *a);

#endif
