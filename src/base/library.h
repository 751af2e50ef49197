/* Shared libraries that one command needs and the guard does not: they are loaded when they are
 * needed, so that all else starts without them and has none of their memory.
 *
 *	#define CALLS(call) call(natsMsg_Destroy) call(natsMsg_GetData)
 *	struct { CALLS(LIBRARY_MEMBER) } nats;
 *
 * and once library_load() filled it, nats.natsMsg_Destroy(m) is a call of the library. */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

#define LIBRARY_MEMBER(name) typeof(name) *name;

struct library_call {
	const char *name;
	void **where; /* of the member */
};

/* The library stays loaded. 0, or -ELIBACC where it, or one of the calls, is not there: then
 * *ret_why, the caller's, says so (it may be NULL where memory is out). */
int library_load(const char *file, const struct library_call *calls, size_t count, char **ret_why);

#endif
