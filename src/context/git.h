/* What the files about git share. */
#ifndef CONTEXT_GIT_H
#define CONTEXT_GIT_H

#include <git2.h>

#include "context/reader.h"

struct view {
	const struct ask *ask;
	enum fact fact;
	git_repository *repo;
	const char *home;
	struct answer *answer;
	char **specs; /* of files; none: all */
	size_t specs_count;
	bool files; /* operands name files: all, where there are no specs */
	const char *
		*revs; /* commits and trees whose files take the place of those that are there */
	size_t revs_count;
};

/* Operands: into specs and revs. 0 or a negative number. */
int git_read_operands(struct view *v);
void git_free_operands(struct view *v);

int git_count_files(struct view *v); /* of `fact`, among specs */
int git_count_stashes(struct view *v);
int git_count_commits(struct view *v); /* that only the branches named by the operands have */

#endif
