/* Where is it? A path by its components, from the last to the first, each with NUL.
 *
 * The side that includes this header defines, before it:
 *	PATH_OWNER		a struct in a map, with data[] for PATH_ROOM + BS_FILE_MAX bytes
 *	PATH_ROOM		a component begins nowhere behind
 *	PATH_NOTE(w, at, n)	what it does with a component: its n bytes, NUL included, are
 *				at w->data + at
 */
#ifndef BPF_PATH_H
#define BPF_PATH_H

#include "shared.h"

#define PATH_PARTS 32 /* components, and as many mounts */
#define PATH_NEAR  8  /* components that are walked by plain loads, five times as fast */

struct path_walk {
	PATH_OWNER *w;
	u16 *len; /* in the map's memory, so that the verifier does not follow it through all rounds
		   */
	u32 start; /* where the path begins in data[] */
	u32 most;  /* where no component begins any more */
	struct dentry *dentry, *root;
	struct vfsmount *mnt, *root_mnt;
};

/* Appends a component; false where there is no room. */
static __always_inline bool path_add(const struct path_walk *c, const unsigned char *name)
{
	u32 to = c->start + *c->len;
	long n;

	asm volatile("" : "+r"(to)); /* one register, whose bounds the verifier knows */
	if (to > c->most || to > PATH_ROOM)
		return false;
	n = bpf_probe_read_kernel_str(c->w->data + to, BS_FILE_MAX, name);
	if (n <= 0)
		return false;
	PATH_NOTE(c->w, to, n);
	*c->len += n;
	return true;
}

/* From a mount's root up to where it is mounted; false at the very top. */
static __always_inline bool path_cross(struct path_walk *c)
{
	struct mount *m = (void *)c->mnt - bpf_core_field_offset(struct mount, mnt);
	struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if (up == m)
		return false;
	c->dentry = BPF_CORE_READ(m, mnt_mountpoint);
	c->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
	return true;
}

enum { PATH_ON, PATH_WHOLE, PATH_CUT };

/* Writes one component, or crosses a mount. */
static __always_inline int path_step(struct path_walk *c)
{
	struct dentry *dentry = c->dentry, *up;
	struct vfsmount *mnt = c->mnt;

	if (dentry == c->root && mnt == c->root_mnt)
		return PATH_WHOLE;
	if (dentry == BPF_CORE_READ(mnt, mnt_root))
		return path_cross(c) ? PATH_ON : PATH_WHOLE;
	up = BPF_CORE_READ(dentry, d_parent);
	if (up == dentry)
		return PATH_WHOLE;
	if (!path_add(c, BPF_CORE_READ(dentry, d_name.name)))
		return PATH_CUT;
	c->dentry = up;
	return PATH_ON;
}

struct path_far {
	struct path_walk walk;
	int end;
};

static long path_far_step(u32 i, void *data)
{
	struct path_far *f = data;

	f->end = path_step(&f->walk);
	return f->end != PATH_ON;
}

/* Over mounts, and many components. */
static __always_inline bool path_walk_far(const struct path_walk *c, struct dentry *from)
{
	struct path_far f = { .walk = *c };

	f.walk.dentry = from;
	bpf_loop(2 * PATH_PARTS, path_far_step, &f, 0);
	return f.end == PATH_WHOLE;
}

/* Walks from `dentry` up to the root; false where its upper part is missing. */
static __always_inline bool path_walk(const struct path_walk *c)
{
	struct dentry *d = c->dentry, *top = c->mnt->mnt_root;
	bool at_root = c->mnt == c->root_mnt;

#pragma clang loop unroll(full)
	for (int i = 0; i < PATH_NEAR; i++) {
		if (at_root && d == c->root)
			return true;
		if (d == top)
			break;
		if (!path_add(c, d->d_name.name))
			return false;
		d = d->d_parent;
	}
	return path_walk_far(c, d);
}

#endif
