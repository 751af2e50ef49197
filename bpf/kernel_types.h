/* The kernel's types, with only the fields that are read. libbpf relocates the offsets at load; the
 * widths are ours, and tests/unit/kernel/test_types.c compares each with the running kernel's. */
#ifndef BPF_KERNEL_TYPES_H
#define BPF_KERNEL_TYPES_H

#include "backstop/types.h"

#include <stdbool.h>
typedef s32 pid_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

typedef struct {
	s32 counter;
} atomic_t;

typedef struct {
	u64 val; /* before 6.3 two words of 32 bits */
} kernel_cap_t;

struct user_namespace {
	int level;
};

struct cred {
	kuid_t uid, euid;
	kgid_t gid, egid;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid {
	struct hlist_head tasks[4]; /* by kind; the first is that of threads */
};

struct qstr {
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct dentry;
struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct dentry *s_root;
	struct file_system_type *s_type;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
	unsigned int i_nlink;
	u32 i_generation;
	s64 i_size;
};

/* When it was changed: up to 6.5, up to 6.10, and since. */
struct timespec64 {
	s64 tv_sec;
};
struct inode___ctime {
	struct timespec64 i_ctime;
};
struct inode___hidden_ctime {
	struct timespec64 __i_ctime;
};
struct inode___ctime_sec {
	s64 i_ctime_sec;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	int mnt_id, mnt_group_id;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct file {
	unsigned int f_mode, f_flags;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	unsigned long exec_vm; /* pages of code */
	struct file *exe_file;
};

struct tty_driver {
	int major, minor_start;
};

struct tty_struct {
	struct tty_driver *driver;
	int index;
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	struct tty_struct *tty;
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
	void *sa_restorer;
	u64 sa_mask; /* a struct of one word: here for the size */
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct thread_info {
	u32 status;
};

struct pt_regs {
	unsigned long orig_ax, ax, bx, cx, dx, si, di, r8, r10;
};

struct fown_struct;

struct cgroup;

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	unsigned int ptrace;
	pid_t pid, tgid;
	int exit_state, exit_code;
	u64 start_boottime, self_exec_id;
	struct task_struct *real_parent, *group_leader;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	const struct cred *cred;
	struct nsproxy *nsproxy;
	struct hlist_node pid_links[4];
	char comm[16];
};

struct kernel_siginfo;

/* ---- sockets, and what is written to them */

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	volatile unsigned char skc_state;
	u32 skc_daddr;
	u16 skc_dport;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol, sk_type;
};

struct tcp_sock {
	u32 write_seq, data_segs_out;
};

struct tcp_ulp_ops;
struct inet_connection_sock {
	const struct tcp_ulp_ops *icsk_ulp_ops;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct iovec {
	void *iov_base;
	unsigned long iov_len;
};

struct iov_iter {
	u8 iter_type;
	unsigned long iov_offset, count, nr_segs;
	void *ubuf;
	const struct iovec *__iov;
};
/* Up to 6.3. */
struct iov_iter___old {
	const struct iovec *iov;
};

enum iter_type {
	ITER_UBUF,
	ITER_IOVEC,
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
};

struct bpf_iter__task {
	struct task_struct *task;
};

struct vm_area_struct {
	unsigned long vm_start;
	struct file *vm_file;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct vm_area_struct *vma;
};

struct linux_binprm {
	unsigned long p, exec; /* where argv, and where the file's name begins in the new stack */
	struct file *file;
	const char *filename;
};

/* What the tracepoints of perf hand over. */
struct trace_event_raw_sched_process_exec {
	u32 __data_loc_filename; /* in its low half, where the name begins */
};

struct trace_event_raw_task_newtask {
	pid_t pid;
};

#pragma clang attribute pop

#endif
