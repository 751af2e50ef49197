/* Rules about what leaves on connections, as send: states them, and how they come into an image. */
#ifndef POLICY_SEND_RULE_H
#define POLICY_SEND_RULE_H

#include "policy/image.h"
#include "policy/yaml.h"

struct needles;
struct writer;

struct send_rule {
	struct text text; /* all of it on one line */
	enum send_kind kind;
	const char
		*what; /* the words of a command, an HTTP method, a field, a glob; NULL: of SQL */
	const char *path; /* of http: a glob; NULL: else */
	const char *to;	  /* a glob on names; NULL: anywhere */
	bool everything;  /* of mongo: only where it is of all documents */
};

struct send_rules {
	struct send_rule *all;
	size_t all_count;
};

/* Appends what a value of send: states. Faults are told. */
void send_rules_read(struct yaml_reader *r, struct yaml v, struct send_rules *ret);

/* A rule that goes into the image. */
struct send_entry {
	const struct send_rule *rule;
	const struct source *src;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	enum verdict verdict;
};

/* The rules, and the needles of what the kernel freezes. What has none is a fault. */
void sends_write(struct writer *w, struct needles *n, const struct send_entry *entries,
		 size_t count);

/* --- examples: "sql DROP TABLE users", "redis FLUSHALL", "mongo shop.users drop",
 * "mongo shop.users delete everything", "http DELETE https://api.example.com/v1/x BODY", "text …";
 * behind the first word may stand @NAME, of the connection. */

struct send_example {
	struct strbuf bytes; /* as a client would write them */
	char *name;	     /* NULL: none; owned */
};

/* False where it is none. */
bool send_example_parse(const char *text, struct send_example *ret);
void send_example_free(struct send_example *e);
/* Does the signature match what the example writes? */
bool send_example_try(const struct policy *p, const struct send_example *e, u32 signature);

#endif
