/* The reader: a process of its own that looks at what anybody may have written (repositories, saved
 * plans, settings of tools) and answers questions about it, see policy/context.h. It runs nothing,
 * writes nothing, reaches no network, and has no rights but those of who asks. */
#ifndef CONTEXT_READER_H
#define CONTEXT_READER_H

#include "policy/context.h"

/* A question, its strings split: fact, then TAG=VALUE each. */
struct ask {
	enum fact fact;
	const char *const *args; /* NULL behind the last */
	int dir;		 /* fd of the working directory */
};

/* The next value with this tag, from `*at` on, which moves behind it; NULL behind the last. */
const char *ask_next(const struct ask *a, char tag, size_t *at);
/* The last one; NULL where there is none. */
const char *ask_last(const struct ask *a, char tag);
bool ask_has_word(const struct ask *a, const char *word); /* of the usage line */

/* Adds one to what would be lost; the first few are named. */
void answer_add(struct answer *a, const char *name);

/* Each returns 0 where it is known what there is, else a negative number. */
int git_answer(const struct ask *ask, struct answer *ret);
int plan_answer(const struct ask *ask, struct answer *ret);
int kube_answer(const struct ask *ask, struct answer *ret);
int workspace_answer(const struct ask *ask, struct answer *ret);

/* The member `name` of a zip file, at most `max` bytes. 0 or a negative errno; -EINVAL where it is
 * no zip file, has no such member, or one that is not stored or deflated. */
int zip_read(int fd, const char *name, size_t max, struct strbuf *ret);
/* The addresses of what a plan (protobuf) deletes or replaces. -EINVAL where it is no plan of a
 * version that is known. */
int plan_read(const void *data, size_t len, struct answer *ret);

/* Becomes as that process: its root, directory, user and groups. 0 or a negative errno. */
int confine_as(pid_t pid);
/* From here on: read files, and nothing else, for a short time. 0 or a negative errno. */
int confine(void);

#endif
