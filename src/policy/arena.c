#include "policy/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_SIZE 65536
#define ALIGNMENT  16

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	char data[] __attribute__((aligned(ALIGNMENT)));
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
	struct arena_block *b = calloc(1, sizeof(*b) + size);

	if (!b) {
		fputs("backstop: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	size_t need = (MAX(size, 1) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	void *p;

	if (!b || b->size - b->used < need)
		b = add_block(a, MAX(need, BLOCK_SIZE));
	p = b->data + b->used;
	b->used += need;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	if (len)
		memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	text = arena_alloc(a, (size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

void arena_free(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	a->blocks = NULL;
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t size)
{
	void *larger;

	/* the capacity is the next power of two, so it need not be kept */
	if (count && (count & (count - 1)))
		return items;
	larger = arena_alloc(a, MAX(count * 2, 1) * size);
	if (count)
		memcpy(larger, items, count * size);
	return larger;
}
