/* What git's operands name: files or commits. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "context/git.h"

void git_free_operands(struct view *v)
{
	for (size_t i = 0; i < v->specs_count; i++)
		free(v->specs[i]);
	free(v->specs);
	free(v->revs);
}

static bool is_rev(const struct view *v, const char *operand)
{
	git_object *object = NULL;
	int r = git_revparse_single(&object, v->repo, operand);

	git_object_free(object);
	return r == 0;
}

/* "/a/./b/../c" -> "/a/c" */
static void tidy(char *path)
{
	char *out = path;

	for (const char *p = path; *p;) {
		size_t len = strcspn(++p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0) {
			while (out > path && *--out != '/')
				;
		} else if (len && !(len == 1 && *p == '.')) {
			*out++ = '/';
			memmove(out, p, len);
			out += len;
		}
		p += len;
	}
	*out = '\0';
}

/* From the top of the worktree on; NULL where it is all of it, or may be. */
static char *spec_of(const struct view *v, const char *operand)
{
	const char *top = git_repository_workdir(v->repo);
	size_t len = top ? strlen(top) : 0;
	char cwd[PATH_MAX], path[2 * PATH_MAX + 2];

	if (!len || *operand == ':' || strlen(operand) >= PATH_MAX || !getcwd(cwd, sizeof(cwd)))
		return NULL;
	if (*operand == '/')
		strcpy(path, operand);
	else
		snprintf(path, sizeof(path), "%s/%s", cwd, operand);
	tidy(path);
	if (strncmp(path, top, len) || !path[len])
		return NULL;
	return strdup(path + len);
}

/* A file that the index does not know, or a commit that could not be read: who knows. */
static int check_specs(const struct view *v)
{
	git_strarray specs = { v->specs, v->specs_count };
	git_pathspec_match_list *list = NULL;
	git_pathspec *ps = NULL;
	git_index *index = NULL;
	int r = git_pathspec_new(&ps, &specs);

	if (!r)
		r = git_repository_index(&index, v->repo);
	if (!r)
		r = git_pathspec_match_index(&list, index, GIT_PATHSPEC_FIND_FAILURES, ps);
	if (!r && git_pathspec_match_list_failed_entrycount(list))
		r = -ENOENT;
	git_pathspec_match_list_free(list);
	git_index_free(index);
	git_pathspec_free(ps);
	return r;
}

static void add_rev(struct view *v, const char *rev)
{
	v->revs[v->revs_count++] = rev;
}

/* False where all files are meant. */
static bool add_spec(struct view *v, const char *operand)
{
	char *spec = spec_of(v, operand);

	v->files = true;
	if (spec)
		v->specs[v->specs_count++] = spec;
	return spec;
}

/* Where an operand could be a commit or a file it is a commit: then more files count. */
static bool takes_commits(const struct view *v)
{
	return (v->fact == FACT_GIT_MODIFIED || v->fact == FACT_GIT_UNSTAGED) &&
	       !ask_has_word(v->ask, "restore") && !ask_has_word(v->ask, "rm");
}

static bool add_operands(struct view *v, bool commits)
{
	bool dashes = ask_last(v->ask, '-'), some = true;
	const char *operand;
	size_t at = 0;

	while ((operand = ask_next(v->ask, 'p', &at)))
		if (commits && (dashes || is_rev(v, operand)))
			add_rev(v, operand);
		else
			some &= add_spec(v, operand);
	at = 0;
	while ((operand = ask_next(v->ask, 'P', &at)))
		some &= add_spec(v, operand);
	at = 0;
	while ((operand = ask_next(v->ask, 's', &at)))
		add_rev(v, operand);
	return some;
}

int git_read_operands(struct view *v)
{
	bool commits = takes_commits(v);
	size_t most = 1;

	while (v->ask->args[most - 1])
		most++;
	v->specs = calloc(most, sizeof(*v->specs));
	v->revs = calloc(most, sizeof(*v->revs));
	if (!v->specs || !v->revs)
		return -ENOMEM;
	if (!add_operands(v, commits)) {
		while (v->specs_count)
			free(v->specs[--v->specs_count]);
	}
	return commits && v->specs_count ? check_specs(v) : 0;
}
