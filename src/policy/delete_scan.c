/* Deletions: what the kernel would say of a path. */
#include <string.h>

#include "policy/output.h"
#include "policy/paths.h"
#include "policy/scan.h"
#include "policy/search.h"

const struct scan_tables *policy_delete_tables(const struct policy *p)
{
	return &p->image.delete_scan;
}

static bool is_hinted(const struct bs_hints *h, const char *path)
{
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");
		char name[BS_FILE_MAX] = { 0 };
		struct bs_ends e;

		memcpy(name, path, MIN(len, sizeof(name) - 1));
		e = bs_ends_of(name, (u32)MIN(len, sizeof(name) - 1) + 1);
		if (bs_is_hinted(h, &e))
			return true;
		path += len;
	}
	return false;
}

static bool is_asked_in_project(const struct deletion *d)
{
	struct bs_hints h;

	if (!d->project)
		return false;
	project_hints(d->project, &h);
	return is_hinted(&h, d->path) || (d->inner && is_hinted(&h, d->inner));
}

bool policy_is_delete_candidate(const struct policy *p, const struct deletion *d)
{
	return d->protected_inode || d->burst || scan_path(policy_delete_tables(p), d->path) ||
	       (d->inner && scan_path(policy_delete_tables(p), d->inner)) || is_asked_in_project(d);
}
