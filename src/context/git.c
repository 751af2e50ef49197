/* What git would lose. Read with libgit2, which runs no hook, no filter and no program that a
 * configuration names. */
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "context/git.h"
#include "policy/paths.h"

/* ---- the repository */

static void search_in(int level, const char *fmt, const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), fmt, dir);
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

/* The user's own settings say what is ignored, and those of the system where they count. */
static void start(const struct ask *ask)
{
	const char *home = ask_last(ask, 'h'), *xdg = ask_last(ask, 'x');

	git_libgit2_init();
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0); /* nothing of it is trusted, or run */
	if (ask_last(ask, 'n'))
		search_in(GIT_CONFIG_LEVEL_SYSTEM, "%s", "/nowhere");
	search_in(GIT_CONFIG_LEVEL_GLOBAL, "%s", home ?: "/nowhere");
	if (xdg && *xdg)
		search_in(GIT_CONFIG_LEVEL_XDG, "%s/git", xdg);
	else
		search_in(GIT_CONFIG_LEVEL_XDG, "%s/.config/git", home ?: "/nowhere");
}

static int enter(const struct ask *ask)
{
	const char *dir;
	size_t at = 0;

	if (fchdir(ask->dir))
		return -errno;
	while ((dir = ask_next(ask, 'C', &at)))
		if (*dir && chdir(dir))
			return -errno;
	return 0;
}

/* As git finds it from the working directory, which is the one that its -C options lead to. */
static int open_repository(const struct ask *ask, git_repository **ret)
{
	const char *dir = ask_last(ask, 'g'), *tree = ask_last(ask, 'w');
	unsigned int flags = dir ? GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_NO_DOTGIT
				 : GIT_REPOSITORY_OPEN_CROSS_FS;
	git_repository *repo = NULL;
	int r = git_repository_open_ext(&repo, dir ?: ".", flags, NULL);

	if (!r && (dir || tree))
		r = git_repository_set_workdir(repo, tree ?: ".", 0);
	if (!r && git_repository_is_bare(repo))
		r = -EINVAL;
	if (r)
		git_repository_free(repo);
	else
		*ret = repo;
	return r;
}

/* ---- files */

static bool is_there(const struct view *v, const char *path)
{
	char full[PATH_MAX];
	struct stat st;

	if (snprintf(full, sizeof(full), "%s%s", git_repository_workdir(v->repo), path) >=
	    (int)sizeof(full))
		return true; /* who knows */
	return lstat(full, &st) == 0 || errno != ENOENT;
}

/* What is not looked at cannot be told. */
static int check_index(const struct view *v)
{
	git_index *index = NULL;
	int r = git_repository_index(&index, v->repo);
	size_t count = r ? 0 : git_index_entrycount(index);

	for (size_t i = 0; i < count && !r; i++) {
		const git_index_entry *e = git_index_get_byindex(index, i);

		if (e->flags & GIT_INDEX_ENTRY_VALID ||
		    (e->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE && is_there(v, e->path)))
			r = -EINVAL;
	}
	git_index_free(index);
	return r;
}

static bool is_output(const struct view *v, const char *path)
{
	const char *top = git_repository_workdir(v->repo);
	char full[PATH_MAX];
	struct paths p;

	snprintf(full, sizeof(full), "%s%s", top, path);
	paths_init(&p, top, v->home, top, -1);
	return paths_has_class(&p, full, PATH_OUTPUT);
}

/* Is this lost? What is only missing is not: it comes back. */
static bool is_lost(const struct view *v, unsigned int s, const char *path)
{
	const unsigned int index = GIT_STATUS_INDEX_NEW | GIT_STATUS_INDEX_MODIFIED |
				   GIT_STATUS_INDEX_RENAMED | GIT_STATUS_INDEX_TYPECHANGE;
	const unsigned int tree = GIT_STATUS_WT_MODIFIED | GIT_STATUS_WT_TYPECHANGE |
				  GIT_STATUS_WT_RENAMED | GIT_STATUS_CONFLICTED;

	switch (v->fact) {
	case FACT_GIT_UNSTAGED:
		return s & tree;
	case FACT_GIT_UNTRACKED:
		return s & GIT_STATUS_WT_NEW;
	case FACT_GIT_IGNORED:
		return s & GIT_STATUS_IGNORED && !is_output(v, path);
	default:
		return s & (index | tree) || (s & GIT_STATUS_INDEX_DELETED && is_there(v, path));
	}
}

static int count_status(git_status_list *list, struct view *v)
{
	size_t count = git_status_list_entrycount(list);

	for (size_t i = 0; i < count; i++) {
		const git_status_entry *e = git_status_byindex(list, i);
		const git_diff_delta *d = e->index_to_workdir ?: e->head_to_index;
		const char *path = d->new_file.path ?: d->old_file.path;

		if (e->status & GIT_STATUS_WT_UNREADABLE)
			return -EACCES;
		if (is_lost(v, e->status, path))
			answer_add(v->answer, path);
	}
	return 0;
}

int git_count_files(struct view *v)
{
	git_status_options o;
	git_status_list *list = NULL;
	int r = git_status_options_init(&o, GIT_STATUS_OPTIONS_VERSION);

	o.show = v->fact == FACT_GIT_MODIFIED ? GIT_STATUS_SHOW_INDEX_AND_WORKDIR
					      : GIT_STATUS_SHOW_WORKDIR_ONLY;
	o.flags = GIT_STATUS_OPT_INCLUDE_UNREADABLE;
	if (v->fact == FACT_GIT_UNTRACKED)
		o.flags |= GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS;
	else if (v->fact == FACT_GIT_IGNORED)
		o.flags |= GIT_STATUS_OPT_INCLUDE_IGNORED;
	else
		r = r ?: check_index(v);
	o.pathspec = (git_strarray) { v->specs, v->specs_count };
	if (!r)
		r = git_status_list_new(&list, v->repo, &o);
	if (!r)
		r = count_status(list, v);
	git_status_list_free(list);
	return r;
}

/* ---- a commit that the files of the worktree give way to */

/* Files that it has and the index has not, but that are there: git overwrites them. */
static int count_overwritten(struct view *v, const char *spec)
{
	git_diff_options o;
	git_object *object = NULL, *tree = NULL;
	git_diff *diff = NULL;
	int r = git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);

	r = r ?: git_revparse_single(&object, v->repo, spec);
	o.pathspec = (git_strarray) { v->specs, v->specs_count };
	if (!r)
		r = git_object_peel(&tree, object, GIT_OBJECT_TREE);
	if (!r)
		r = git_diff_tree_to_index(&diff, v->repo, (git_tree *)tree, NULL, &o);
	for (size_t i = 0; !r && i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *d = git_diff_get_delta(diff, i);

		if (d->status == GIT_DELTA_DELETED && is_there(v, d->old_file.path))
			answer_add(v->answer, d->old_file.path);
	}
	git_diff_free(diff);
	git_object_free(tree);
	git_object_free(object);
	return r;
}

static int count_modified(struct view *v)
{
	int r = git_read_operands(v);

	/* files come from the index then, which stays as it is */
	if (v->files && !v->revs_count && ask_has_word(v->ask, "checkout"))
		v->fact = FACT_GIT_UNSTAGED;
	for (size_t i = 0; !r && i < v->revs_count; i++)
		r = count_overwritten(v, v->revs[i]);
	return r ?: git_count_files(v);
}

/* ---- a worktree that is removed with all that is in it */

static int open_worktree(git_repository *repo, const char *name, git_repository **ret)
{
	git_worktree *tree = NULL;
	int r = git_repository_open_ext(ret, name, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);

	if (!r)
		return 0;
	r = git_worktree_lookup(&tree, repo, name);
	if (!r)
		r = git_repository_open_from_worktree(ret, tree);
	git_worktree_free(tree);
	return r;
}

static int count_worktree(struct view *v, const char *name)
{
	static const enum fact facts[] = { FACT_GIT_MODIFIED, FACT_GIT_UNTRACKED,
					   FACT_GIT_IGNORED };
	struct view tree = { .answer = v->answer, .home = v->home };
	int r = open_worktree(v->repo, name, &tree.repo);

	for (size_t i = 0; !r && i < ARRAY_SIZE(facts); i++) {
		tree.fact = facts[i];
		r = git_count_files(&tree);
	}
	git_repository_free(tree.repo);
	return r;
}

static int count_worktrees(struct view *v)
{
	const char *name;
	size_t at = 0, count = 0;
	int r = 0;

	while (!r && (name = ask_next(v->ask, 'p', &at)) && ++count)
		r = count_worktree(v, name);
	return r ?: count ? 0 : -EINVAL;
}

/* ---- all */

static int count(struct view *v)
{
	switch (v->fact) {
	case FACT_GIT_STASHED:
		return git_count_stashes(v);
	case FACT_GIT_UNMERGED:
		return git_count_commits(v);
	case FACT_GIT_WORKTREE:
		return count_worktrees(v);
	default:
		return count_modified(v);
	}
}

int git_answer(const struct ask *ask, struct answer *ret)
{
	struct view v = {
		.ask = ask, .fact = ask->fact, .answer = ret, .home = ask_last(ask, 'h')
	};
	int r = enter(ask);

	if (r)
		return r;
	start(ask);
	r = open_repository(ask, &v.repo);
	if (!r)
		r = count(&v);
	git_free_operands(&v);
	git_repository_free(v.repo);
	return r;
}
