/* tamper WAY [ARG…] [WAY [ARG…]]…: tries to harm a guard, one way after the other, and says of
 * each what became of it: "WAY ARG…: OK", or the name of the error. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int number(const char *text)
{
	return (int)strtol(text, NULL, 0);
}

/* Closes what was opened: that it could be is harm enough. */
static int opened(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

/* ---- processes: PID first */

static int do_kill(char **a)
{
	return kill(number(a[0]), number(a[1]));
}

static int do_queue(char **a)
{
	return sigqueue(number(a[0]), number(a[1]), (union sigval) { 0 });
}

static int do_tgkill(char **a)
{
	return (int)syscall(SYS_tgkill, number(a[0]), number(a[0]), number(a[1]));
}

static int do_pidfd(char **a)
{
	int fd = pidfd_open(number(a[0]), 0);

	return fd < 0 ? -1 : pidfd_send_signal(fd, number(a[1]), NULL, 0);
}

/* A signal of our choice to another process when a pipe becomes readable. */
static int do_sigio(char **a)
{
	int p[2];

	if (pipe(p) || fcntl(p[0], F_SETOWN, number(a[0])) || fcntl(p[0], F_SETSIG, number(a[1])) ||
	    fcntl(p[0], F_SETFL, O_ASYNC))
		return -1;
	return write(p[1], "", 1) == 1 ? 0 : -1;
}

static int do_seize(char **a)
{
	return (int)ptrace(PTRACE_SEIZE, number(a[0]), NULL, NULL);
}

static int do_attach(char **a)
{
	return (int)ptrace(PTRACE_ATTACH, number(a[0]), NULL, NULL);
}

static int do_vmwrite(char **a)
{
	char data[8] = "";
	struct iovec here = { data, sizeof(data) }, there = { (void *)(uintptr_t)0x400000, 8 };

	/* EFAULT: we were let in */
	return process_vm_writev(number(a[0]), &here, 1, &there, 1, 0) < 0 && errno != EFAULT ? -1
											      : 0;
}

static int open_proc(const char *pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

static int do_mem(char **a)
{
	return opened(open_proc(a[0], "mem", O_RDWR));
}

static int do_getfd(char **a)
{
	int fd = pidfd_open(number(a[0]), 0);

	return fd < 0 ? -1 : opened(pidfd_getfd(fd, number(a[1]), 0));
}

static int do_nice(char **a)
{
	return setpriority(PRIO_PROCESS, (id_t)number(a[0]), 19);
}

static int do_sched(char **a)
{
	struct sched_param p = { 0 };

	return sched_setscheduler(number(a[0]), SCHED_IDLE, &p);
}

static int do_affinity(char **a)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(number(a[0]), sizeof(set), &set);
}

static int do_ioprio(char **a)
{
	return (int)syscall(SYS_ioprio_set, 1, number(a[0]), 3 << 13); /* idle */
}

static int do_prlimit(char **a)
{
	struct rlimit r = { 0, 0 };

	return prlimit(number(a[0]), RLIMIT_NOFILE, &r, NULL);
}

static int do_proc(char **a)
{
	return opened(open_proc(a[0], a[1], O_WRONLY));
}

/* ---- bpf */

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int do_bpf_get(char **a)
{
	union bpf_attr attr = { .pathname = (uintptr_t)a[0] };

	return opened(bpf(BPF_OBJ_GET, &attr));
}

static int do_bpf_next(__attribute__((unused)) char **a)
{
	union bpf_attr attr = { .start_id = 0 };

	return bpf(BPF_PROG_GET_NEXT_ID, &attr);
}

static int do_bpf_map(__attribute__((unused)) char **a)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};

	return opened(bpf(BPF_MAP_CREATE, &attr));
}

/* A map of the guard's, by its number. */
static int do_bpf_map_id(__attribute__((unused)) char **a)
{
	union bpf_attr attr = { .map_id = 1 };

	return opened(bpf(BPF_MAP_GET_FD_BY_ID, &attr));
}

/* ---- modules: without the right to, the answer comes before the image is looked at */

static int do_init_module(__attribute__((unused)) char **a)
{
	return syscall(SYS_init_module, "", 0, "") && errno == EPERM ? -1 : 0;
}

static int do_finit_module(__attribute__((unused)) char **a)
{
	int fd = open("/dev/null", O_RDONLY);

	return syscall(SYS_finit_module, fd, "", 0) && errno == EPERM ? -1 : 0;
}

static int do_delete_module(char **a)
{
	return syscall(SYS_delete_module, a[0], O_NONBLOCK) && errno == EPERM ? -1 : 0;
}

/* ---- files: PATH first */

static int do_write(char **a)
{
	return opened(open(a[0], O_WRONLY));
}

static int do_append(char **a)
{
	return opened(open(a[0], O_WRONLY | O_APPEND));
}

static int do_rdonly_trunc(char **a)
{
	return opened(open(a[0], O_RDONLY | O_TRUNC));
}

static int do_create(char **a)
{
	return opened(open(a[0], O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static int do_echo(char **a)
{
	int fd = open(a[0], O_WRONLY);

	if (fd < 0 || write(fd, a[1], strlen(a[1])) < 0)
		return -1;
	return close(fd);
}

static int do_truncate(char **a)
{
	return truncate(a[0], 0);
}

static int do_unlink(char **a)
{
	return unlink(a[0]);
}

static int do_rmdir(char **a)
{
	return rmdir(a[0]);
}

static int do_mkdir(char **a)
{
	return mkdir(a[0], 0700);
}

static int do_mknod(char **a)
{
	return mknod(a[0], S_IFREG | 0600, 0);
}

static int do_symlink(char **a)
{
	return symlink(a[0], a[1]);
}

static int do_link(char **a)
{
	return link(a[0], a[1]);
}

static int do_rename(char **a)
{
	return rename(a[0], a[1]);
}

static int do_exchange(char **a)
{
	return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE);
}

static int do_chmod(char **a)
{
	return chmod(a[0], 0777);
}

static int do_fchmod(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return fd < 0 ? -1 : fchmod(fd, 0777);
}

static int do_chown(char **a)
{
	return chown(a[0], 1000, 1000);
}

static int do_setxattr(char **a)
{
	return setxattr(a[0], "trusted.tamper", "1", 1, 0);
}

static int do_removexattr(char **a)
{
	return removexattr(a[0], "trusted.tamper");
}

static int do_acl(char **a)
{
	static const unsigned char acl[] = { 2,	  0,   0, 0, 1,	  0,   7,   0,	 255, 255,
					     255, 255, 4, 0, 7,	  0,   255, 255, 255, 255,
					     32,  0,   7, 0, 255, 255, 255, 255 };

	return setxattr(a[0], "system.posix_acl_access", acl, sizeof(acl), 0);
}

static int do_chattr(char **a)
{
	int fd = open(a[0], O_RDONLY), flags = FS_IMMUTABLE_FL;

	return fd < 0 ? -1 : ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int do_flock(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return fd < 0 ? -1 : flock(fd, LOCK_SH | LOCK_NB) && errno == EPERM ? -1 : 0;
}

static int do_fanotify(char **a)
{
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);

	return fd < 0 ? -1 : fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, a[0]);
}

/* ---- mounts */

static int do_mount(char **a)
{
	return mount("none", a[0], "tmpfs", 0, NULL);
}

static int do_bind(char **a)
{
	return mount(a[0], a[1], NULL, MS_BIND, NULL);
}

static int do_move(char **a)
{
	return mount(a[0], a[1], NULL, MS_MOVE, NULL);
}

static int do_remount(char **a)
{
	return mount(NULL, a[0], NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* By the calls that came later: a copy of a mount is attached there. */
static int do_move_mount(char **a)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, a[0], 1 /* OPEN_TREE_CLONE */);

	return fd < 0 ? -1 : (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, a[1], 4);
}

static int do_umount(char **a)
{
	return umount(a[0]);
}

static int do_umount_lazily(char **a)
{
	return umount2(a[0], MNT_DETACH);
}

static int do_pivot(char **a)
{
	return (int)syscall(SYS_pivot_root, a[0], a[1]);
}

/* What is mounted from here on is nobody else's. */
static int do_unshare(__attribute__((unused)) char **a)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) ? -1 : 0;
}

/* ---- */

static const struct way {
	const char *name;
	int args;
	int (*fn)(char **a);
} ways[] = {
	{ "kill", 2, do_kill },
	{ "queue", 2, do_queue },
	{ "tgkill", 2, do_tgkill },
	{ "pidfd", 2, do_pidfd },
	{ "sigio", 2, do_sigio },
	{ "seize", 1, do_seize },
	{ "attach", 1, do_attach },
	{ "vmwrite", 1, do_vmwrite },
	{ "mem", 1, do_mem },
	{ "getfd", 2, do_getfd },
	{ "nice", 1, do_nice },
	{ "sched", 1, do_sched },
	{ "affinity", 1, do_affinity },
	{ "ioprio", 1, do_ioprio },
	{ "prlimit", 1, do_prlimit },
	{ "proc", 2, do_proc },
	{ "bpf-get", 1, do_bpf_get },
	{ "bpf-next", 0, do_bpf_next },
	{ "bpf-map", 0, do_bpf_map },
	{ "bpf-map-id", 0, do_bpf_map_id },
	{ "init-module", 0, do_init_module },
	{ "finit-module", 0, do_finit_module },
	{ "delete-module", 1, do_delete_module },
	{ "write", 1, do_write },
	{ "append", 1, do_append },
	{ "rdonly-trunc", 1, do_rdonly_trunc },
	{ "create", 1, do_create },
	{ "echo", 2, do_echo },
	{ "truncate", 1, do_truncate },
	{ "unlink", 1, do_unlink },
	{ "rmdir", 1, do_rmdir },
	{ "mkdir", 1, do_mkdir },
	{ "mknod", 1, do_mknod },
	{ "symlink", 2, do_symlink },
	{ "link", 2, do_link },
	{ "rename", 2, do_rename },
	{ "exchange", 2, do_exchange },
	{ "chmod", 1, do_chmod },
	{ "fchmod", 1, do_fchmod },
	{ "chown", 1, do_chown },
	{ "setxattr", 1, do_setxattr },
	{ "removexattr", 1, do_removexattr },
	{ "acl", 1, do_acl },
	{ "chattr", 1, do_chattr },
	{ "flock", 1, do_flock },
	{ "fanotify", 1, do_fanotify },
	{ "mount", 1, do_mount },
	{ "bind", 2, do_bind },
	{ "move", 2, do_move },
	{ "remount", 1, do_remount },
	{ "move-mount", 2, do_move_mount },
	{ "umount", 1, do_umount },
	{ "umount-lazily", 1, do_umount_lazily },
	{ "pivot", 2, do_pivot },
	{ "unshare", 0, do_unshare },
};

static const struct way *find(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}

static void try(const struct way *w, char **args)
{
	int r, err;

	errno = 0;
	r = w->fn(args);
	err = errno;
	printf("%s", w->name);
	for (int i = 0; i < w->args; i++)
		printf(" %s", args[i]);
	printf(": %s\n", r >= 0 ? "OK" : strerrorname_np(err) ?: "?");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc;) {
		const struct way *w = find(argv[i]);

		if (!w || i + w->args >= argc) {
			fprintf(stderr, "tamper: '%s'?\n", argv[i]);
			return 2;
		}
		try(w, argv + i + 1);
		i += 1 + w->args;
	}
	return 0;
}
