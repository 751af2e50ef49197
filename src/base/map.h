/* Hash map from a 64-bit key to a pointer, open addressing. Pointers are not owned. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdint.h>

#include "base/util.h"

struct map_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

struct map {
	struct map_slot *slots; /* NULL while empty */
	size_t count, cap;	/* cap is 0 or a power of two */
};

#define MAP_INIT ((struct map) { 0 })

void map_free(struct map *m);
int map_set(struct map *m, uint64_t key, void *value); /* value not NULL; replaces; 0 or -ENOMEM */
void *map_get(const struct map *m, uint64_t key);      /* NULL where absent */
void *map_remove(struct map *m, uint64_t key);	       /* the value that was there, or NULL */

/* Iterates in no order; the map must not be changed meanwhile. `v` is a void pointer variable. */
#define map_for_each(m, v)                                                                         \
	for (size_t map_i_ = 0; map_i_ < (m)->cap; map_i_++)                                       \
		if (((v) = (m)->slots[map_i_].value))

#endif
