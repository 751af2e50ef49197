/* What of the security hooks a kernel takes, and whether a refusal refuses there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
	const char *target;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
} forms[] = {
	[BS_TIER_FMOD_RET] = { "security_%s", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN },
	[BS_TIER_LSM] = { "bpf_lsm_%s", BPF_PROG_TYPE_LSM, BPF_LSM_MAC },
};

/* Allows everything but what thread `tid` asks for; 0: no thread is. */
static int load(const struct btf *kernel, enum bs_tier tier, const char *hook, u32 tid)
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
	struct bpf_prog_load_opts opts = { .sz = sizeof(opts), .expected_attach_type = f->attach };
	char target[64];
	int id, fd;

	snprintf(target, sizeof(target), f->target, hook);
	id = kernel ? btf__find_by_name_kind(kernel, target, BTF_KIND_FUNC) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(f->type, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);
	return fd < 0 ? -errno : fd;
}

int tier_try_load(const struct btf *kernel, enum bs_tier tier, const char *hook)
{
	int fd = load(kernel, tier, hook, 0);

	if (fd >= 0)
		close(fd);
	return MIN(fd, 0);
}

/* Nothing is sent: the hook is asked, and the signal is none. */
bool tier_is_refused(void)
{
	return kill(getpid(), 0) && errno == EPERM;
}

int tier_try(const struct btf *kernel, enum bs_tier tier)
{
	_cleanup_close_ int program = load(kernel, tier, tier_hooks[0].name, gettid()), link = -1;

	if (program < 0)
		return program;
	if (tier_is_refused())
		return -EBUSY;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return -errno;
	return tier_is_refused() ? 0 : -ENODATA;
}

static int try_tier(enum bs_tier tier, struct strbuf *detail)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int err = tier_try(kernel, tier);

	btf__free(kernel);
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
	_cleanup_strbuf_ struct strbuf value = STRBUF_INIT;

	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/ftrace_enabled", 16, &value) ||
	    strbuf_str(&value)[0] != '0')
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

static bool has_function(const char *name)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	bool has = kernel && btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;

	btf__free(kernel);
	return has;
}

void advise_lsm(struct strbuf *text)
{
	if (advise_ftrace(text) || advise_confidential(text))
		return;
	if (!has_function("bpf_lsm_task_kill"))
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
	if (!has_function("security_task_kill"))
		strbuf_adds(text,
			    "use a kernel with CONFIG_DEBUG_INFO_BTF=y and CONFIG_SECURITY=y");
	else
		strbuf_adds(text, "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y; "
				  "where it has that, ask who runs this machine (a container's "
				  "seccomp profile, or the host of a virtual machine)");
}
