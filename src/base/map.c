#include "base/map.h"

#include <errno.h>

#define FIRST_CAP 16

void map_free(struct map *m)
{
	free(m->slots);
	*m = MAP_INIT;
}

static size_t home_of(const struct map *m, uint64_t key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15ULL;
	return (key ^ key >> 32) & (m->cap - 1);
}

/* The slot of `key`, or the free one where it would go. cap is not 0, and one slot is free. */
static struct map_slot *find_slot(const struct map *m, uint64_t key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].value && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static int grow(struct map *m)
{
	struct map bigger = { .count = m->count, .cap = m->cap ? m->cap * 2 : FIRST_CAP };

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].value)
			*find_slot(&bigger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

int map_set(struct map *m, uint64_t key, void *value)
{
	struct map_slot *slot;
	int err;

	if (m->count + 1 > m->cap / 4 * 3) {
		err = grow(m);
		if (err)
			return err;
	}
	slot = find_slot(m, key);
	m->count += !slot->value;
	*slot = (struct map_slot) { key, value };
	return 0;
}

void *map_get(const struct map *m, uint64_t key)
{
	return m->cap ? find_slot(m, key)->value : NULL;
}

/* Closes the gap at `hole`: an entry behind it moves up unless its home lies between. */
static void close_gap(struct map *m, size_t hole)
{
	size_t mask = m->cap - 1, i = hole;

	for (;;) {
		i = (i + 1) & mask;
		if (!m->slots[i].value)
			break;
		if (((i - home_of(m, m->slots[i].key)) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot) { 0 };
}

void *map_remove(struct map *m, uint64_t key)
{
	struct map_slot *slot;
	void *value;

	if (!m->cap)
		return NULL;
	slot = find_slot(m, key);
	value = slot->value;
	if (!value)
		return NULL;
	m->count--;
	close_gap(m, slot - m->slots);
	return value;
}
