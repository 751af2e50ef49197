/* Programs and maps. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "kernel/probe_internal.h"

#define LIST_MAX 4096 /* bytes of a line in sysfs */

/* --- programs */

/* return 0: a tracepoint does nothing, a security hook allows, a changed return value goes on. */
static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target,
		const struct bpf_insn *insns, size_t count, char *log, size_t log_size)
{
	struct bpf_prog_load_opts opts = {
		.sz = sizeof(opts),
		.expected_attach_type = attach,
		.log_buf = log,
		.log_size = log_size,
		.log_level = log ? 1 : 0,
	};
	int id = libbpf_find_vmlinux_btf_id(target, attach), fd;

	if (id < 0)
		return id;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(type, "probe", "GPL", insns, count, &opts);
	return fd < 0 ? -errno : fd;
}

static int try_attach(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target,
		      struct strbuf *detail)
{
	_cleanup_close_ int program =
		load(type, attach, target, return_zero, ARRAY_SIZE(return_zero), NULL, 0);
	_cleanup_close_ int link = -1;

	if (program < 0) {
		strbuf_addf(detail, "loading a program for %s: %s", target, strerror(-program));
		return program;
	}
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0) {
		strbuf_addf(detail, "attaching to %s: %s", target, strerror(errno));
		return -errno;
	}
	return 0;
}

int try_tracepoints(struct strbuf *detail)
{
	static const char *const targets[] = { "sched_process_exec", "task_newtask",
					       "sched_process_exit", "sys_enter" };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(targets); i++)
		err = try_attach(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, targets[i], detail);
	return err;
}

const char *tracepoints_remedy(bool btf)
{
	if (!btf)
		return "see btf above: these programs need it";
	return "use a kernel with CONFIG_BPF_SYSCALL=y, CONFIG_BPF_EVENTS=y and "
	       "CONFIG_FTRACE_SYSCALLS=y, and do not lock it down to 'confidentiality'";
}

void advise_tracepoints(struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf detail = STRBUF_INIT;

	strbuf_adds(text, tracepoints_remedy(!try_btf(&detail)));
}

/* Does the verifier know the helper in a program of ours? It is called without arguments: a helper
 * that is known is refused for its arguments, and an unknown one by name. */
static bool knows_helper(int helper)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		return_zero[0],
		return_zero[1],
	};
	char log[4096] = "";
	_cleanup_close_ int fd = load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_process_exec",
				      insns, ARRAY_SIZE(insns), log, sizeof(log));

	return fd >= 0 || (log[0] && !strstr(log, "unknown func") && !strstr(log, "invalid func") &&
			   !strstr(log, "cannot use helper"));
}

int try_helpers(struct strbuf *detail)
{
	static const struct {
		int id;
		const char *name;
	} helpers[] = {
		{ BPF_FUNC_loop, "bpf_loop" },
		{ BPF_FUNC_send_signal, "bpf_send_signal" },
		{ BPF_FUNC_send_signal_thread, "bpf_send_signal_thread" },
		{ BPF_FUNC_task_storage_get, "bpf_task_storage_get" },
		{ BPF_FUNC_get_current_task_btf, "bpf_get_current_task_btf" },
		{ BPF_FUNC_probe_read_user, "bpf_probe_read_user" },
		{ BPF_FUNC_probe_read_kernel_str, "bpf_probe_read_kernel_str" },
		{ BPF_FUNC_ringbuf_output, "bpf_ringbuf_output" },
		{ BPF_FUNC_ktime_get_boot_ns, "bpf_ktime_get_boot_ns" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (!knows_helper(helpers[i].id))
			strbuf_addf(detail, "%s%s", detail->len ? ", " : "no ", helpers[i].name);
	return detail->len ? -EOPNOTSUPP : 0;
}

/* --- maps */

static int try_map(enum bpf_map_type type)
{
	int r = libbpf_probe_bpf_map_type(type, NULL);

	return r > 0 ? 0 : r < 0 ? r : -EOPNOTSUPP;
}

int try_ring_buffer(struct strbuf *detail _unused_)
{
	return try_map(BPF_MAP_TYPE_RINGBUF);
}

int try_task_storage(struct strbuf *detail _unused_)
{
	return try_map(BPF_MAP_TYPE_TASK_STORAGE);
}

/* --- uprobes */

struct place {
	uintptr_t address;
	uint64_t offset; /* in the file */
};

static int find_offset(struct dl_phdr_info *info, size_t size _unused_, void *data)
{
	struct place *place = data;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + h->p_vaddr;

		if (h->p_type == PT_LOAD && place->address >= start &&
		    place->address < start + h->p_filesz) {
			place->offset = place->address - start + h->p_offset;
			return 1;
		}
	}
	return 0;
}

/* Only this process calls it, and never while the probe is on. */
__attribute__((noinline)) static void probed(void)
{
	__asm__ volatile("");
}

static int open_uprobe(struct strbuf *detail)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .disabled = 1 };
	struct place place = { .address = (uintptr_t)probed };
	_cleanup_strbuf_ struct strbuf type = STRBUF_INIT;
	const char *file = "/sys/bus/event_source/devices/uprobe/type";
	int err = io_read_file(AT_FDCWD, file, LIST_MAX, &type), fd;

	if (err) {
		strbuf_addf(detail, "%s: %s", file, strerror(-err));
		return err;
	}
	dl_iterate_phdr(find_offset, &place);
	attr.type = atoi(strbuf_str(&type));
	attr.uprobe_path = (uintptr_t) "/proc/self/exe";
	attr.probe_offset = place.offset;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		strbuf_addf(detail, "making the probe: %s", strerror(errno));
	return fd < 0 ? -errno : fd;
}

int try_uprobe(struct strbuf *detail)
{
	_cleanup_close_ int probe = open_uprobe(detail), program = -1;

	if (probe < 0)
		return probe;
	program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", return_zero,
				ARRAY_SIZE(return_zero), NULL);
	if (program < 0 || ioctl(probe, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(probe, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		strbuf_addf(detail, "attaching a program: %s", strerror(errno));
		return -errno;
	}
	return 0;
}
