/* Questions about the world around a held task, put to the reader while it is held. */
#ifndef GUARD_INQUIRY_H
#define GUARD_INQUIRY_H

#include "guard/internal.h"

struct inquiry;

/* What is asked for `x` (its context's questions) is answered, or never will be. */
typedef void (*inquiry_fn)(void *data);

/* Never waits. `fn` is called once, from the loop; by then the inquiry is gone. 0 or a negative
 * errno: then `fn` is not called. */
int inquiry_start(struct guard *g, const struct exec *x, inquiry_fn fn, void *data,
		  struct inquiry **ret);
/* Ends it without an answer; NULL is fine. */
void inquiry_free(struct inquiry *q);

#endif
