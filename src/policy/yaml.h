/* YAML, as far as packs need it: nodes with where they stand, and checks that tell what would be
 * right. */
#ifndef POLICY_YAML_H
#define POLICY_YAML_H

#include <libfyaml.h>

#include "backstop/types.h"
#include "policy/arena.h"
#include "policy/source.h"

/* A value in its mapping or list. */
struct yaml {
	struct fy_node *node; /* NULL: null */
	size_t spot;
	const char *key; /* of which it is the value, for messages */
	size_t key_spot; /* of an entry's */
};

struct yaml_reader {
	struct arena *arena;
	const struct source *src;
	struct fy_document *doc;
};

/* false, with the fault told, where the source is no YAML. Ends with yaml_close() in any case. */
bool yaml_open(struct yaml_reader *r, struct yaml *ret_root);
void yaml_close(struct yaml_reader *r);

/* Is there nothing but blanks and comments? */
bool yaml_is_empty(const struct source *src);

/* What may stand in a mapping: `read` is called with `data` for the key's value. */
struct yaml_key {
	const char *name;
	void (*read)(struct yaml_reader *r, struct yaml value, void *data);
	bool required;
};

/* Reads a mapping by its table of keys, ended by name NULL. Unknown keys and missing ones are
 * faults. */
void yaml_mapping(struct yaml_reader *r, struct yaml v, const struct yaml_key *keys, void *data);
/* Calls `fn` for each entry, its key in the value's `key`. */
void yaml_entries(struct yaml_reader *r, struct yaml v,
		  void (*fn)(struct yaml_reader *r, struct yaml value, void *data), void *data);
/* Calls `fn` for each element of a list; where `or_one`, a single value is a list of one. */
void yaml_list(struct yaml_reader *r, struct yaml v, bool or_one,
	       void (*fn)(struct yaml_reader *r, struct yaml value, void *data), void *data);

/* Text that is not empty; s is NULL after a fault. */
struct text yaml_text(struct yaml_reader *r, struct yaml v);
/* The same for a name: small letters, digits and -, a letter first. */
struct text yaml_name(struct yaml_reader *r, struct yaml v);
bool yaml_bool(struct yaml_reader *r, struct yaml v);
bool yaml_is_mapping(struct yaml v);
/* The number of one of `names`, `count` of them; -1 after a fault. */
int yaml_choice(struct yaml_reader *r, struct yaml v, const char *const *names, size_t count);

/* "a, b or c" */
const char *yaml_join(struct arena *a, const char *const *names, size_t count);

#endif
