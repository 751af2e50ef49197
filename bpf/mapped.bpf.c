/* mapped: who serves the files that a process has mapped.
 *
 * iter/task_vma		lists them, when the guard is about to open one
 */
#include "shared.h"

#define FUSE_MAGIC    0x65735546 /* include/uapi/linux/magic.h */
#define FMODE_BACKING 0x3000000	 /* a stacked file system's: bit 25, since 6.14 bit 24 */
#define MAX_ERRNO     4095

/* virtiofs has the same magic: the host serves it, as it does the disks. */
static __always_inline bool is_fuse(struct super_block *sb)
{
	char name[4] = {};

	if (BPF_CORE_READ(sb, s_magic) != FUSE_MAGIC)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(sb, s_type, name));
	return name[0] == 'f' && name[1] == 'u' && name[2] == 's' && name[3] == 'e';
}

/* In no name space: the kernel's own, as those of an overlay's layers. */
static __always_inline bool is_inner(struct vfsmount *mnt)
{
	struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	u64 ns = (u64)BPF_CORE_READ(mount, mnt_ns);

	return !ns || ns >= (u64)-MAX_ERRNO;
}

/* By which it was opened: since 6.8 a stacked file system has that behind the file. */
static __always_inline struct path path_of(struct file *file)
{
	struct path p = BPF_CORE_READ(file, f_path);

	if (BPF_CORE_READ(file, f_mode) & FMODE_BACKING && is_inner(p.mnt))
		bpf_probe_read_kernel(&p, sizeof(p),
				      (void *)file + bpf_core_type_size(struct file));
	return p;
}

SEC("iter/task_vma")
int mapped_list(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct file *file = vma ? BPF_CORE_READ(vma, vm_file) : NULL;
	struct bs_mapped row = {};
	struct inode *real;
	struct mount *mount;
	struct path path;

	if (!file)
		return 0;
	real = BPF_CORE_READ(file, f_inode);
	path = path_of(file);
	mount = (void *)path.mnt - bpf_core_field_offset(struct mount, mnt);
	row.start = BPF_CORE_READ(vma, vm_start);
	row.real = (u64)real;
	row.mount = BPF_CORE_READ(mount, mnt_id);
	row.fuse = is_fuse(BPF_CORE_READ(real, i_sb)) || is_fuse(BPF_CORE_READ(path.mnt, mnt_sb));
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}
