/* Commits and stashes that nothing would lead to any more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "context/git.h"

/* ---- stashes */

struct stashes {
	struct answer *answer;
	long only; /* the number of the one that is dropped; -1: all are */
};

static int on_stash(size_t index, const char *message, const git_oid *id _unused_, void *data)
{
	struct stashes *s = data;

	if (s->only < 0 || s->only == (long)index)
		answer_add(s->answer, message);
	return 0;
}

/* "stash@{2}" or "2"; the newest where none is named. Of another spelling, such as of a time, it
 * is not known which: it may be any. */
static long stash_number(const char *name)
{
	int n = -1, end = 0;

	if (!name)
		return 0;
	if (sscanf(name, "stash@{%d}%n", &n, &end) != 1)
		sscanf(name, "%d%n", &n, &end);
	return end && !name[end] ? n : -1;
}

int git_count_stashes(struct view *v)
{
	struct stashes s = { .answer = v->answer,
			     .only = ask_has_word(v->ask, "drop")
					     ? stash_number(ask_last(v->ask, 'p'))
					     : -1 };

	return git_stash_foreach(v->repo, on_stash, &s);
}

/* ---- branches */

static int find_branch(struct view *v, const char *name, git_reference **ret)
{
	static const char *const forms[] = { "refs/heads/%s", "refs/remotes/%s" };
	char full[1024];

	if (strncmp(name, "refs/", 5) == 0)
		return git_reference_lookup(ret, v->repo, name);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		snprintf(full, sizeof(full), forms[i], name);
		if (git_reference_lookup(ret, v->repo, full) == 0)
			return 0;
	}
	return -ENOENT;
}

/* The commits of a branch that goes, and its name behind the others. */
static int push_branch(struct view *v, const char *name, git_revwalk *walk, git_strarray *gone)
{
	git_reference *ref = NULL;
	int r = find_branch(v, name, &ref);

	if (!r)
		r = git_revwalk_push_ref(walk, git_reference_name(ref));
	if (!r)
		gone->strings[gone->count++] = strdup(git_reference_name(ref));
	git_reference_free(ref);
	return r;
}

static int push_branches(struct view *v, git_revwalk *walk, git_strarray *gone)
{
	static const char tags[] = { 'p', 'P' };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		const char *name;
		size_t at = 0;

		while (!r && (name = ask_next(v->ask, tags[i], &at)))
			r = push_branch(v, name, walk, gone);
	}
	return r ?: gone->count ? 0 : -EINVAL;
}

static bool is_listed(const git_strarray *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->strings[i] && strcmp(names->strings[i], name) == 0)
			return true;
	return false;
}

/* What another branch or tag has stays. */
static int hide_others(struct view *v, git_revwalk *walk, const git_strarray *gone)
{
	git_strarray all = { 0 };
	int r = git_reference_list(&all, v->repo);

	for (size_t i = 0; !r && i < all.count; i++)
		if (!is_listed(gone, all.strings[i]))
			git_revwalk_hide_ref(walk, all.strings[i]); /* of a tree: no commit */
	if (git_repository_head_detached(v->repo) == 1)
		git_revwalk_hide_head(walk);
	git_strarray_dispose(&all);
	return r;
}

static int count_walk(struct view *v, git_revwalk *walk)
{
	git_oid id;
	int r;

	while ((r = git_revwalk_next(&id, walk)) == 0) {
		git_commit *commit = NULL;
		char name[128];

		r = git_commit_lookup(&commit, v->repo, &id);
		if (r)
			return r;
		snprintf(name, sizeof(name), "%.8s %s", git_oid_tostr_s(&id),
			 git_commit_summary(commit) ?: "");
		answer_add(v->answer, name);
		git_commit_free(commit);
	}
	return r == GIT_ITEROVER ? 0 : r;
}

int git_count_commits(struct view *v)
{
	git_strarray gone = { 0 };
	git_revwalk *walk = NULL;
	size_t most = 1;
	int r = git_revwalk_new(&walk, v->repo);

	while (v->ask->args[most - 1])
		most++;
	gone.strings = calloc(most, sizeof(*gone.strings));
	if (!r)
		r = gone.strings ? push_branches(v, walk, &gone) : -ENOMEM;
	if (!r)
		r = hide_others(v, walk, &gone);
	if (!r)
		r = count_walk(v, walk);
	git_revwalk_free(walk);
	for (size_t i = 0; i < gone.count; i++)
		free(gone.strings[i]);
	free(gone.strings);
	return r;
}
