/* What of the security hooks a kernel takes, and whether a refusal refuses there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "kernel/modules.h"
#include "kernel/tier_internal.h"

static const struct form {
	const char *prefix; /* of the function */
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
} forms[] = {
	[BS_TIER_FMOD_RET] = { "security_", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN },
	[BS_TIER_LSM] = { "bpf_lsm_", BPF_PROG_TYPE_LSM, BPF_LSM_MAC },
};

/* ---- where the hooks are */

static void note_function(struct tier_targets *t, const char *name, u32 id)
{
	if (!strcmp(name, "bpf_task_from_pid"))
		t->task_from_pid = id;
	else if (!strcmp(name, "bpf_task_release"))
		t->task_release = id;
	else if (!strcmp(name, "inet_sendpage"))
		t->sendpage = id;
	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++) {
		size_t prefix = strlen(forms[tier].prefix);

		if (strncmp(name, forms[tier].prefix, prefix))
			continue;
		for (size_t i = 0; i < tier_hooks_count; i++)
			if (!strcmp(name + prefix, tier_hooks[i].name))
				t->id[tier][i] = id;
	}
}

/* A search for each by libbpf would go through all types each time, and there are 150,000. */
void tier_find_targets(struct tier_targets *ret)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	u32 count = kernel ? btf__type_cnt(kernel) : 0;

	memset(ret, 0, sizeof(*ret));
	for (u32 id = 1; id < count; id++) {
		const struct btf_type *t = btf__type_by_id(kernel, id);

		if (btf_is_func(t))
			note_function(ret, btf__name_by_offset(kernel, t->name_off), id);
	}
	btf__free(kernel);
}

/* ---- trying */

/* Allows everything but what thread `tid` asks for; 0: no thread is. */
static int load(const struct tier_targets *targets, enum bs_tier tier, size_t hook, u32 tid)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid },
		{ .code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 0 },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 0, .off = 2, .imm = (s32)tid },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = tid ? -EPERM : 0 },
		{ .code = BPF_JMP | BPF_EXIT },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const struct form *f = &forms[tier];
	struct bpf_prog_load_opts opts = {
		.sz = sizeof(opts),
		.expected_attach_type = f->attach,
		.attach_btf_id = targets->id[tier][hook],
	};
	int fd;

	if (!opts.attach_btf_id)
		return -ENOENT;
	fd = bpf_prog_load(f->type, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);
	return fd < 0 ? -errno : fd;
}

int tier_try_load(const struct tier_targets *targets, enum bs_tier tier, size_t hook)
{
	int fd = load(targets, tier, hook, 0);

	if (fd >= 0)
		close(fd);
	return MIN(fd, 0);
}

bool tier_finds_tasks(const struct tier_targets *targets)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1 },
		{ .code = BPF_JMP | BPF_CALL,
		  .src_reg = BPF_PSEUDO_KFUNC_CALL,
		  .imm = (s32)targets->task_from_pid },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 0 },
		{ .code = BPF_JMP | BPF_CALL,
		  .src_reg = BPF_PSEUDO_KFUNC_CALL,
		  .imm = (s32)targets->task_release },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	if (!targets->task_from_pid || !targets->task_release)
		return false;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "probe", "GPL", insns, ARRAY_SIZE(insns),
			   NULL);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Nothing is sent: the hook is asked, and the signal is none. */
bool tier_is_refused(void)
{
	return kill(getpid(), 0) && errno == EPERM;
}

int tier_try(const struct tier_targets *targets, enum bs_tier tier)
{
	_cleanup_close_ int program = load(targets, tier, 0, gettid()), link = -1;

	if (program < 0)
		return program;
	if (tier_is_refused())
		return -EBUSY;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return -errno;
	return tier_is_refused() ? 0 : -ENODATA;
}

bool tier_trampolines_are_off(void)
{
	_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

	return !io_read_file(AT_FDCWD, "/proc/sys/kernel/ftrace_enabled", 16, &value) &&
	       strbuf_str(&value)[0] == '0';
}

static int try_tier(enum bs_tier tier, struct strbuf *detail)
{
	struct tier_targets targets;
	int err;

	tier_find_targets(&targets);
	err = tier_try(&targets, tier);
	if (err)
		strbuf_adds(detail, tier_reason(err));
	return err;
}

int try_lsm(struct strbuf *detail)
{
	return try_tier(BS_TIER_LSM, detail);
}

int try_fmod_ret(struct strbuf *detail)
{
	return try_tier(BS_TIER_FMOD_RET, detail);
}

/* ---- what to do */

static bool advise_ftrace(struct strbuf *text)
{
	if (!tier_trampolines_are_off())
		return false;
	strbuf_adds(text, "sudo sysctl kernel.ftrace_enabled=1, and take out what sets it to 0: "
			  "grep -r ftrace_enabled /etc/sysctl.conf /etc/sysctl.d");
	return true;
}

static bool advise_confidential(struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

	if (io_read_file(AT_FDCWD, "/sys/kernel/security/lockdown", 256, &value) ||
	    !strstr(strbuf_str(&value), "[confidentiality]"))
		return false;
	strbuf_adds(text, "boot without lockdown=confidentiality: 'integrity' will do");
	return true;
}

void advise_helpers(struct strbuf *text)
{
	if (!advise_confidential(text))
		strbuf_adds(text, "use Linux 6.1 or later");
}

static bool has_hooks(enum bs_tier tier)
{
	struct tier_targets targets;

	tier_find_targets(&targets);
	return targets.id[tier][0];
}

void advise_lsm(struct strbuf *text)
{
	if (advise_ftrace(text) || advise_confidential(text))
		return;
	if (!has_hooks(BS_TIER_LSM))
		strbuf_adds(text, "use a kernel with CONFIG_BPF_LSM=y: those of Debian, Ubuntu, "
				  "Fedora and Arch have it");
	else if (!modules_have_bpf())
		modules_advise_here(text);
	else
		strbuf_adds(text, "bpf is among the security modules, and its programs are refused "
				  "all the same: ask who runs this machine (a container's seccomp "
				  "profile, or the host of a virtual machine)");
}

void advise_fmod_ret(struct strbuf *text)
{
	if (advise_ftrace(text) || advise_confidential(text))
		return;
	if (!has_hooks(BS_TIER_FMOD_RET))
		strbuf_adds(text,
			    "use a kernel with CONFIG_DEBUG_INFO_BTF=y and CONFIG_SECURITY=y");
	else
		strbuf_adds(text, "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y; "
				  "where it has that, ask who runs this machine (a container's "
				  "seccomp profile, or the host of a virtual machine)");
}
