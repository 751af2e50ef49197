/* Rules about deletions, as delete: states them, and how they come into an image. */
#ifndef POLICY_DELETE_RULE_H
#define POLICY_DELETE_RULE_H

#include "policy/image.h"
#include "policy/yaml.h"

struct needles;
struct writer;

/* Programs: globs on base names, each perhaps with a word that must be among its arguments. */
struct program_set {
	const char **globs;
	size_t globs_count; /* 0: any program */
	bool negated;
};

struct delete_rule {
	struct text text; /* all of it on one line */
	enum delete_kind kind;
	struct text *paths, *excepts; /* globs */
	size_t paths_count, excepts_count;
	u32 how; /* bits: 1 << enum bs_delete_op */
	struct program_set by, under;
	struct burst burst;
};

struct delete_rules {
	struct delete_rule *all;
	size_t all_count;
};

/* Appends what a value of delete: states. Faults are told. `allow`: it is an allow rule's, which
 * names paths only. */
void delete_rules_read(struct yaml_reader *r, struct yaml v, bool allow, struct delete_rules *ret);

/* An example of a path: "unlink /srv/x.tfstate". The operation, and where the path begins; or
 * -EINVAL. */
int delete_example_parse(const char *text, const char **ret_path);
/* 200/10s; false where it is none. */
bool delete_burst_parse(const char *text, struct burst *ret);

/* A rule that goes into the image. */
struct delete_entry {
	const struct delete_rule *rule;
	const struct source *src;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	enum verdict verdict;
};

/* The rules; and the needles of what the kernel freezes, the owner's precious globs included. What
 * has none is a fault. */
void deletes_write(struct writer *w, struct needles *n, const struct delete_entry *entries,
		   size_t count, const struct text *precious, size_t precious_count);

#endif
