/* HPACK: the headers of HTTP/2. One that began before we listened can be read as well, but for what
 * refers to headers of then. */
#ifndef POLICY_WIRE_HPACK_H
#define POLICY_WIRE_HPACK_H

#include "policy/wire.h"

#define HPACK_ENTRIES 256 /* the newest; an older one is not known */

struct hpack_entry {
	char *name, *value; /* NULL: not known; owned */
	size_t name_len, value_len;
};

struct hpack {
	struct hpack_entry entries[HPACK_ENTRIES];
	u32 next; /* where the next one goes */
};

/* A header; its name or value may not be known. */
typedef void (*hpack_fn)(struct wire_slice name, struct wire_slice value, void *arg);

/* A whole block. False where it is damaged, or there is no memory: what follows is not to be
 * trusted. */
bool hpack_decode(struct hpack *h, const u8 *data, size_t len, hpack_fn fn, void *arg);
void hpack_free(struct hpack *h);
/* 0 or -ENOMEM; `to` can be freed in any case. */
int hpack_clone(struct hpack *to, const struct hpack *from);

#endif
