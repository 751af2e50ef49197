/* Memory of the compiler: taken piece by piece, given back all at once. The compiler is a command
 * of its own and short-lived, so running out of memory ends it, with a message. */
#ifndef POLICY_ARENA_H
#define POLICY_ARENA_H

#include <stddef.h>

#include "base/util.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

#define ARENA_INIT	((struct arena) { 0 })
#define _cleanup_arena_ _cleanup_(arena_free)

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type; never NULL */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
void arena_free(struct arena *a);

/* The array `items` of `count` elements with room for one more: the same, or a larger copy. */
void *arena_grow(struct arena *a, void *items, size_t count, size_t size);

/* Appends to a pair of members NAME and NAME_count. */
#define ARENA_PUSH(arena, name, value)                                                             \
	({                                                                                         \
		(name) = arena_grow((arena), (name), name##_count, sizeof(*(name)));               \
		(name)[name##_count++] = (value);                                                  \
	})

#endif
