/* The table of probes: what each is for, what it costs where it is missing, and what to do then. */
#include "kernel/probe.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "kernel/probe_internal.h"

const char *probe_state_name(enum probe_state s)
{
	static const char *const names[] = { "ok", "missing", "unknown" };

	_Static_assert(ARRAY_SIZE(names) == PROBE_STATE_COUNT, "a name for each state");
	return names[s];
}

const struct probe probes[] = {
	{ "privileges", "capabilities of this process", NEED_REQUIRED, false,
	  "it can neither start a guard nor try what only root may",
	  "run it as root: sudo backstop doctor", try_privileges, NULL },
	{ "btf", "type information of the kernel", NEED_REQUIRED, false, "nothing can be loaded",
	  "use a kernel built with CONFIG_DEBUG_INFO_BTF=y; those of Debian 12, Ubuntu 22.04 and "
	  "Fedora 36 or later are",
	  try_btf, NULL },
	{ "tracepoints", "programs on exec, new task, exit and system call", NEED_REQUIRED, true,
	  "actions are not seen", NULL, try_tracepoints, advise_tracepoints },
	{ "helpers", "what those programs call", NEED_REQUIRED, true, "actions are not decided",
	  NULL, try_helpers, advise_helpers },
	{ "ring-buffer", "maps that carry events", NEED_REQUIRED, true, "the guard learns nothing",
	  "use Linux 6.1 or later", try_ring_buffer, NULL },
	{ "task-storage", "maps that carry labels", NEED_REQUIRED, true,
	  "sessions cannot be followed", "use Linux 6.1 or later", try_task_storage, NULL },
	{ "ptrace", "seizing a held task", NEED_REQUIRED, true,
	  "any SIGCONT would let a held task run",
	  "set kernel.yama.ptrace_scope to 2 or less (3 stays until the next boot: look for it in "
	  "/etc/sysctl.d), and allow ptrace in the container's seccomp profile",
	  try_ptrace, NULL },
	{ "pidfd-getfd", "reaching the stderr of a held task", NEED_BETTER, true,
	  "an agent is not told why it was held, and what to do instead",
	  "as for ptrace; a seccomp profile may have to allow pidfd_getfd", try_pidfd_getfd, NULL },
	{ "realtime", "scheduling the guard as SCHED_FIFO", NEED_BETTER, true,
	  "on a busy machine decisions take longer, and a storm of SIGCONT may win",
	  "start the guard where real-time scheduling is allowed: in the root cgroup or with "
	  "cpu.rt_runtime_us set, without LimitRTPRIO=0",
	  try_realtime, NULL },
	{ "cgroup2", "a mounted cgroup2 hierarchy", NEED_BETTER, false,
	  "connections are neither seen nor held",
	  "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or /sys/fs/cgroup/unified where cgroup v1 is "
	  "in use, or boot with systemd.unified_cgroup_hierarchy=1",
	  try_cgroup2, NULL },
	{ "uprobes", "programs on functions of libraries", NEED_LATER, true,
	  "what is written through TLS cannot be seen", "use a kernel with CONFIG_UPROBE_EVENTS=y",
	  try_uprobe, NULL },
	{ .name = "lsm",
	  .what = "programs on security hooks, as a security module that refuses",
	  .need = NEED_BETTER,
	  .privileged = true,
	  .cost = "nothing where fmod-ret is ok; else the tier is trace, which the lines below "
		  "explain",
	  .run = try_lsm,
	  .advise = advise_lsm },
	{ .name = "fmod-ret",
	  .what = "programs on security hooks, by trampolines that refuse",
	  .need = NEED_BETTER,
	  .privileged = true,
	  .cost = "nothing where lsm is ok; else the tier is trace, which the lines below explain",
	  .run = try_fmod_ret,
	  .advise = advise_fmod_ret },
};
const size_t probes_count = ARRAY_SIZE(probes);

enum probe_state probe_run(const struct probe *p, struct strbuf *detail)
{
	libbpf_print_fn_t print;
	int err;

	if (p->privileged && geteuid() != 0)
		return PROBE_UNKNOWN;
	print = libbpf_set_print(NULL);
	err = p->run(detail);
	libbpf_set_print(print);
	if (err < 0 && detail->len == 0)
		strbuf_adds(detail, strerror(-err));
	return err < 0 ? PROBE_MISSING : PROBE_OK;
}

void probe_advise(const struct probe *p, struct strbuf *text)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);

	if (p->advise)
		p->advise(text);
	else
		strbuf_adds(text, p->remedy);
	libbpf_set_print(print);
}

/* All that is required and missing, in one line. */
static void add_missing(struct strbuf *text)
{
	for (size_t i = 0; i < probes_count; i++) {
		_cleanup_strbuf_ struct strbuf detail = STRBUF_INIT;

		if (probes[i].need != NEED_REQUIRED ||
		    probe_run(&probes[i], &detail) != PROBE_MISSING)
			continue;
		strbuf_addf(text, "%s%s (%s): ", text->len ? "; " : "", strbuf_str(&detail),
			    probes[i].name);
		probe_advise(&probes[i], text);
	}
}

void probe_explain(int err, const char *messages, struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf missing = STRBUF_INIT;

	add_missing(&missing);
	if (missing.len)
		strbuf_addf(text, "no guard can run here: %s", strbuf_str(&missing));
	else
		strbuf_addf(text,
			    "the kernel refused the BPF programs (%s): 'backstop doctor' says "
			    "what is missing\n%s",
			    strerror(-err), messages);
}
