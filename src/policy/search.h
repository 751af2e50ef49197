/* The search for what a policy says of an action: its names, its carriers, all usage lines. */
#ifndef POLICY_SEARCH_H
#define POLICY_SEARCH_H

#include "policy/image.h"
#include "policy/regex.h"
#include "policy/send.h"

/* What an open policy is made of. */
struct policy {
	struct image image;
	struct regexes *regexes;
	struct settings settings;
	const char **precious;	 /* the owner's globs; the strings are the image's */
	const char **production; /* the same, NULL behind the last */
	void *data;		 /* the image's bytes; owned */
	bool mapped;		 /* from its file, not on the heap */
	size_t data_len;
	char version[17];
};

/* What a workspace tightens, for one policy. */
struct project {
	u8 *verdicts; /* of each signature, at least that one; VERDICT_ALLOW: as it is */
	u32 verdicts_count;
	char **precious;
	u32 precious_count;
};

/* What was found: a line, or none. `allowed`: an allow rule's line. */
struct search_result {
	u32 line;    /* IMAGE_NONE: nothing matches */
	u32 allowed; /* IMAGE_NONE: no allow rule matches */
	const char *carrier;
	bool production; /* it points there */
	bool started;	 /* it is in what the action starts */
	bool too_long;	 /* to be judged whole */
};

/* `only`: look for this signature and nothing else; IMAGE_NONE: for all. */
void search_action(const struct policy *p, const struct action *a, u32 only,
		   struct search_result *ret);
/* The verdict of a signature, in the workspace of a project (NULL: none). */
enum verdict search_verdict(const struct policy *p, const struct project *project, u32 signature);

/* Does this signature match the connection? */
bool search_connection(const struct policy *p, const struct connection *c, u32 signature);

/* Does this signature match the deletion, by its own path? */
bool search_deletion(const struct policy *p, const struct deletion *d, u32 signature);

/* Does this signature match the message? */
bool search_sending(const struct policy *p, const struct sending *s, u32 signature);

/* The mark in the image by which this exec starts an agent, or IMAGE_NONE. */
u32 agent_find(const struct policy *p, const struct action *a);

#endif
