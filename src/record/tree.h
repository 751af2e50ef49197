/* The processes of a session, as the database has them. */
#ifndef RECORD_TREE_H
#define RECORD_TREE_H

#include "record/query.h"

struct tree_session {
	int64_t id;
	char *name, *host, *agent, *user; /* NULL but for name: not known */
	int64_t began_ms, last_ms, events, findings, held, refused;
};
void tree_session_free(struct tree_session *s);
#define _cleanup_tree_session_ _cleanup_(tree_session_free)

/* The session of that name, or of which it is the only beginning, "NAME@HOST" for one of that host;
 * NULL: the newest. 0, -ENOENT,
 * -ENOTUNIQ, or another negative errno. */
int tree_find_session(struct query *q, const char *name, struct tree_session *ret);

struct tree_node {
	int64_t id, parent, pid;
	char *command;		    /* NULL: not known */
	int64_t began_ms, ended_ms; /* 0: not known */
	int64_t status, signal;	    /* once it ended */
	int64_t outcome;	    /* disposition of its exec; of a finding, where there was one */
	char *signature, *severity, *by; /* of the last finding on it; NULL: none */
	char *verdict;
	int64_t connects, deletes;		    /* how many it made */
	struct tree_node *up, *first, *last, *next; /* parent, children, sibling */
};

/* Nodes in the order they began; those without `up` are roots. */
struct tree {
	struct tree_node *nodes;
	size_t count;
};
int tree_read(struct query *q, int64_t session, struct tree *ret);
void tree_free(struct tree *t);
#define _cleanup_tree_ _cleanup_(tree_free)

/* Each node before its children. `depth` is 0 for roots. */
typedef void (*tree_fn)(void *data, const struct tree_node *n, int depth);
void tree_walk(const struct tree *t, tree_fn fn, void *data);

#endif
