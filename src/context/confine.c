#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/proc.h"
#include "context/reader.h"

#define MEMORY	   (1UL << 30) /* bytes */
#define CPU_TIME   2	       /* seconds; who asks waits less */
#define GROUPS_MAX 1024

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no audit architecture"
#endif

/* ---- who it is */

struct ids {
	uid_t uid;
	gid_t gid, groups[GROUPS_MAX];
	size_t groups_count;
};

/* The effective ones: the second number of "Uid:\t0\t0\t0\t0". */
static int read_id(const char *status, const char *name, unsigned int *ret)
{
	const char *line = strstr(status, name);

	return line && sscanf(line + strlen(name), "%*u %u", ret) == 1 ? 0 : -EINVAL;
}

static int read_ids(pid_t pid, struct ids *ret)
{
	_cleanup_strbuf_ struct strbuf status = STRBUF_INIT;
	char path[32];
	const char *p;
	int r, n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = io_read_file(AT_FDCWD, path, 64 << 10, &status);
	if (r || read_id(strbuf_str(&status), "\nUid:", &ret->uid) ||
	    read_id(strbuf_str(&status), "\nGid:", &ret->gid))
		return r ?: -EINVAL;
	p = strstr(strbuf_str(&status), "\nGroups:");
	if (!p)
		return -EINVAL;
	for (p += strlen("\nGroups:"); ret->groups_count < GROUPS_MAX; p += n)
		if (sscanf(p, "%*[\t ]%u%n", &ret->groups[ret->groups_count++], &n) != 1) {
			ret->groups_count--;
			break;
		}
	return 0;
}

static int open_dir(pid_t pid, const char *name)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int become(const struct ids *ids)
{
	if (setgroups(ids->groups_count, ids->groups) || setresgid(ids->gid, ids->gid, ids->gid) ||
	    (ids->uid ? setresuid(ids->uid, ids->uid, ids->uid) : proc_drop_capabilities()))
		return -errno;
	return 0;
}

int confine_as(pid_t pid)
{
	_cleanup_close_ int root = open_dir(pid, "root"), cwd = open_dir(pid, "cwd");
	static struct ids ids;
	int r = root < 0 ? root : cwd < 0 ? cwd : read_ids(pid, &ids);

	if (r)
		return r;
	if (fchdir(root) || chroot(".") || fchdir(cwd))
		return -errno;
	return become(&ids);
}

/* ---- what it may do */

#define LOAD(field)	   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)

#define WRITING		   (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

static const int calls[] = {
	SYS_read,
	SYS_pread64,
	SYS_write,
	SYS_close,
	SYS_lseek,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_readlinkat,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_getdents64,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_futex,
	SYS_getrandom,
	SYS_clock_gettime,
	SYS_gettimeofday,
	SYS_getpid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getppid,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_uname,
	SYS_sysinfo,
	SYS_fstatfs,
	SYS_sched_getaffinity,
	SYS_sched_yield,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
	SYS_getrusage,
	SYS_times,
#ifdef __x86_64__
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_time,
#endif
};

/* Allowed where the argument has none of these bits: it opens to read, makes nothing executable,
 * and asks of descriptors no signals, locks or leases (their numbers are beyond F_GETFL). */
static const struct {
	int nr, arg;
	u32 bits;
} careful[] = {
	{ SYS_openat, 2, WRITING },	{ SYS_mmap, 2, PROT_EXEC },
	{ SYS_mprotect, 2, PROT_EXEC }, { SYS_fcntl, 1, ~3U },
#ifdef __x86_64__
	{ SYS_open, 1, WRITING },
#endif
};

/* What is in neither list is refused. */
static int set_filter(void)
{
	struct sock_filter f[ARRAY_SIZE(calls) * 2 + ARRAY_SIZE(careful) * 5 + 5];
	struct sock_fprog program = { .filter = f };
	unsigned short n = 0;

	f[n++] = (struct sock_filter)LOAD(arch);
	f[n++] = (struct sock_filter)IS(ARCH, 1, 0);
	f[n++] = (struct sock_filter)REFUSE;
	f[n++] = (struct sock_filter)LOAD(nr);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		f[n++] = (struct sock_filter)IS((unsigned int)calls[i], 0, 1);
		f[n++] = (struct sock_filter)ALLOW;
	}
	for (size_t i = 0; i < ARRAY_SIZE(careful); i++) {
		f[n++] = (struct sock_filter)IS((unsigned int)careful[i].nr, 0, 4);
		f[n++] = (struct sock_filter)LOAD(args[careful[i].arg]);
		f[n++] = (struct sock_filter)HAS(careful[i].bits, 1, 0);
		f[n++] = (struct sock_filter)ALLOW;
		f[n++] = (struct sock_filter)REFUSE;
	}
	f[n++] = (struct sock_filter)REFUSE;
	program.len = n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static int limit(int what, rlim_t max)
{
	struct rlimit l = { .rlim_cur = max, .rlim_max = max };

	return setrlimit(what, &l);
}

int confine(void)
{
	if (limit(RLIMIT_AS, MEMORY) || limit(RLIMIT_CPU, CPU_TIME) || limit(RLIMIT_FSIZE, 0) ||
	    limit(RLIMIT_CORE, 0) || limit(RLIMIT_NOFILE, 256) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return set_filter();
}
