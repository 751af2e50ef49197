#include "kernel/tier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "backstop.skel.h"
#include "base/strbuf.h"
#include "kernel/modules.h"
#include "kernel/tier_internal.h"

/* The first is the one that the self-test goes through. */
const struct tier_hook tier_hooks[] = {
	{ .name = "task_kill", .use = TIER_HOLD },
	{ .name = "inode_permission", .use = TIER_FENCE, .on_demand = TIER_BY_FENCE },
	{ .name = "file_permission",
	  .use = TIER_FENCE,
	  .ops = 1 << BS_DELETE_PUNCH,
	  .on_demand = TIER_BY_FENCE | TIER_BY_DELETES },
	{ .name = "mmap_file", .use = TIER_FENCE, .on_demand = TIER_BY_FENCE },
	{ .name = "socket_create", .use = TIER_FENCE, .on_demand = TIER_BY_FENCE },
	{ .name = "socket_connect", .use = TIER_FENCE, .on_demand = TIER_BY_FENCE },
	{ .name = "socket_sendmsg",
	  .use = TIER_SEND,
	  .on_demand = TIER_BY_FENCE | TIER_BY_DELETES },
	{ .name = "unix_stream_connect", .use = TIER_SEND, .on_demand = TIER_BY_DELETES },
	{ .name = "unix_may_send", .use = TIER_SEND, .on_demand = TIER_BY_DELETES },
	{ .name = "path_unlink", .use = TIER_DELETE, .ops = 1 << BS_DELETE_UNLINK },
	{ .name = "path_rmdir", .use = TIER_DELETE, .ops = 1 << BS_DELETE_RMDIR },
	{ .name = "path_rename",
	  .use = TIER_DELETE,
	  .ops = 1 << BS_DELETE_RENAME | 1 << BS_DELETE_EXCHANGE | 1 << BS_DELETE_MOVE },
	{ .name = "path_truncate", .use = TIER_DELETE, .ops = 1 << BS_DELETE_TRUNCATE },
	{ .name = "file_truncate", .use = TIER_DELETE, .optional = true }, /* from 6.2 on */
	{ .name = "path_link", .use = TIER_DELETE },
	{ .name = "file_open", .use = TIER_PROTECT },
	{ .name = "ptrace_access_check", .use = TIER_PROTECT },
	{ .name = "task_setscheduler", .use = TIER_PROTECT },
	{ .name = "task_setnice", .use = TIER_PROTECT },
	{ .name = "task_setioprio", .use = TIER_PROTECT },
	{ .name = "task_setrlimit", .use = TIER_PROTECT },
	{ .name = "file_send_sigiotask", .use = TIER_PROTECT },
	{ .name = "bpf", .use = TIER_PROTECT },
	{ .name = "capable", .use = TIER_PROTECT },
	{ .name = "path_mknod", .use = TIER_PROTECT },
	{ .name = "path_mkdir", .use = TIER_PROTECT },
	{ .name = "path_symlink", .use = TIER_PROTECT },
	{ .name = "path_chmod", .use = TIER_PROTECT },
	{ .name = "path_chown", .use = TIER_PROTECT },
	{ .name = "inode_setxattr", .use = TIER_PROTECT },
	{ .name = "inode_removexattr", .use = TIER_PROTECT },
	{ .name = "inode_set_acl", .use = TIER_PROTECT, .optional = true },	 /* from 6.2 on */
	{ .name = "inode_remove_acl", .use = TIER_PROTECT, .optional = true },	 /* likewise */
	{ .name = "inode_file_setattr", .use = TIER_PROTECT, .optional = true }, /* from 6.17 on */
	{ .name = "file_ioctl", .use = TIER_PROTECT },
	{ .name = "file_ioctl_compat", .use = TIER_PROTECT, .optional = true }, /* from 6.8 on */
	{ .name = "file_lock", .use = TIER_PROTECT },
	{ .name = "path_notify", .use = TIER_PROTECT },
	{ .name = "sb_mount", .use = TIER_PROTECT },
	{ .name = "move_mount", .use = TIER_PROTECT },
	{ .name = "sb_pivotroot", .use = TIER_PROTECT },
	{ .name = "sb_remount", .use = TIER_PROTECT },
	{ .name = "sb_umount", .use = TIER_PROTECT },
	{ .name = "bprm_committed_creds", .use = TIER_ARGV, .lsm_only = true },
};
const size_t tier_hooks_count = ARRAY_SIZE(tier_hooks);
_Static_assert(ARRAY_SIZE(tier_hooks) <= TIER_HOOKS_MAX, "room for each hook");

const char *tier_name(enum bs_tier t)
{
	static const char *const names[] = {
		[BS_TIER_TRACE] = "trace",
		[BS_TIER_FMOD_RET] = "fmod_ret",
		[BS_TIER_LSM] = "lsm",
	};

	_Static_assert(ARRAY_SIZE(names) == BS_TIERS, "a name for each tier");
	return names[t];
}

const struct tier_use_text tier_uses[] = {
	[TIER_HOLD] = { "hold", "nobody but the guard continues a held task",
			"a SIGCONT from elsewhere may let a held task go on: the keeper's trace "
			"stands in its way, and a tripwire kills it at its first system call" },
	[TIER_FENCE] = { "fence", "a held task that runs all the same is refused what it asks for",
			 "its first system call takes effect before it is killed" },
	[TIER_DELETE] = { "delete", "deletions are refused, and held",
			  "a deletion is seen when it has happened: its session is stopped after "
			  "the first" },
	[TIER_SEND] = { "send", "what is sent is refused, and held, and so are Unix sockets",
			"a packet of TCP that may be destructive waits, and its process ends when "
			"it is denied; what goes elsewhere in the clear is not looked at" },
	[TIER_PROTECT] = { "protect", "no session harms the guard",
			   "an agent that is root can stop the guard, and detach its programs" },
	[TIER_ARGV] = { "argv",
			"argv that was swapped out is read before the program is decided on",
			"the guard reads it, so that such a program waits for the guard" },
};
_Static_assert(ARRAY_SIZE(tier_uses) == TIER_USES, "a text for each use");

/* ---- choosing */

static void exclude(struct tiers *t, size_t hook, enum bs_tier tier, int err)
{
	if (t->without[hook] & 1 << tier)
		return;
	t->without[hook] |= 1 << tier;
	if (!t->err[hook] || err == -ENOENT)
		t->err[hook] = err;
}

void tier_fail(struct tiers *t, size_t hook, enum bs_tier tier, int err)
{
	if (hook) {
		exclude(t, hook, tier, err);
		return;
	}
	for (size_t i = 0; i < tier_hooks_count; i++)
		exclude(t, i, tier, err);
}

/* The hook and tier of the program that libbpf's messages say was refused; false: of none. */
static bool find_refused(const char *messages, size_t *ret_hook, enum bs_tier *ret_tier)
{
	for (size_t i = 0; i < tier_hooks_count; i++)
		for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++) {
			char words[96];

			snprintf(words, sizeof(words), "prog '%s_%s': BPF program load failed",
				 tier == BS_TIER_LSM ? "lsm" : "fmod", tier_hooks[i].name);
			if (!strstr(messages, words))
				continue;
			*ret_hook = i;
			*ret_tier = tier;
			return true;
		}
	return false;
}

bool tier_refused(struct tiers *t, int err, const char *messages)
{
	bool any = tier_of(t) != BS_TIER_TRACE;
	enum bs_tier tier;
	size_t hook;

	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
		return false;
	if (find_refused(messages, &hook, &tier))
		tier_fail(t, hook, tier, err);
	else
		for (tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
			tier_fail(t, 0, tier, err);
	return any;
}

static void try_one(const struct tier_targets *targets, struct tiers *t, size_t hook,
		    enum bs_tier tier)
{
	int err;

	if (t->without[hook] & 1 << tier)
		return;
	if (tier_hooks[hook].lsm_only && tier != BS_TIER_LSM) {
		tier_fail(t, hook, tier, -EOPNOTSUPP);
		return;
	}
	err = tier_try_load(targets, tier, hook);
	if (err)
		tier_fail(t, hook, tier, err);
}

static void choose_one(const struct tier_targets *targets, struct tiers *t, size_t hook)
{
	int tier = BS_TIER_LSM;

	for (; tier > BS_TIER_TRACE; tier--) {
		try_one(targets, t, hook, tier);
		if (!(t->without[hook] & 1 << tier))
			break;
	}
	t->of[hook] = tier;
}

static void prove_one(const struct tier_targets *targets, struct tiers *t, enum bs_tier tier)
{
	int err = tier_try(targets, tier);

	if (err)
		tier_fail(t, 0, tier, err);
}

/* Else it would take loading all once more for each to find out. */
static void skip_silent(const struct tier_targets *targets, struct tiers *t)
{
	if (!modules_have_bpf())
		tier_fail(t, 0, BS_TIER_LSM, -ENODATA);
	if (!tier_trampolines_are_off())
		return;
	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
		prove_one(targets, t, tier);
}

static void choose_all(const struct tier_targets *targets, struct tiers *t)
{
	skip_silent(targets, t);
	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
		try_one(targets, t, 0, tier);
	for (size_t i = 0; i < tier_hooks_count; i++)
		choose_one(targets, t, i);
}

static bool is_used(const struct tiers *t, enum bs_tier tier)
{
	for (size_t i = 0; i < tier_hooks_count; i++)
		if (t->of[i] == tier)
			return true;
	return false;
}

bool tier_is_wanted(const struct tiers *t, size_t hook, enum bs_tier tier)
{
	return t->of[hook] == tier || (!hook && is_used(t, tier));
}

struct bpf_program *tier_program(const struct backstop_bpf *s, size_t hook, enum bs_tier t)
{
	char name[64];

	snprintf(name, sizeof(name), t == BS_TIER_LSM ? "lsm_%s" : "fmod_%s",
		 tier_hooks[hook].name);
	return bpf_object__find_program_by_name(s->obj, name);
}

static void set_autoload(struct bpf_program *p, bool wanted)
{
	if (p)
		bpf_program__set_autoload(p, wanted);
}

void tier_choose(struct backstop_bpf *s, struct tiers *t)
{
	struct tier_targets targets;

	tier_find_targets(&targets);
	choose_all(&targets, t);
	t->finds_tasks = tier_finds_tasks(&targets);
	t->has_sendpage = targets.sendpage;
	for (size_t i = 0; i < tier_hooks_count; i++)
		for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
			set_autoload(tier_program(s, i, tier), tier_is_wanted(t, i, tier));
}

/* ---- proving */

static bool refuses(struct bs_shared *shared, u32 generation, enum bs_tier tier)
{
	struct bs_state *s = &shared->state;
	bool before = tier_is_refused(), refused;

	s->self_tested = BS_TESTED(generation, tier);
	__atomic_store_n(&s->self_test, (u32)gettid(), __ATOMIC_SEQ_CST);
	refused = tier_is_refused();
	__atomic_store_n(&s->self_test, 0, __ATOMIC_SEQ_CST);
	return refused && !before;
}

bool tier_prove(struct bs_shared *shared, u32 generation, struct tiers *t)
{
	bool all = true;

	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
		if (is_used(t, tier) && !refuses(shared, generation, tier)) {
			tier_fail(t, 0, tier, -ENODATA);
			all = false;
		}
	return all;
}

void tier_find(struct tiers *t)
{
	struct tier_targets targets;

	tier_find_targets(&targets);
	for (int tier = BS_TIER_FMOD_RET; tier < BS_TIERS; tier++)
		prove_one(&targets, t, tier);
	choose_all(&targets, t);
}

/* ---- telling */

enum bs_tier tier_of(const struct tiers *t)
{
	enum bs_tier best = BS_TIER_TRACE;

	for (size_t i = 0; i < tier_hooks_count; i++)
		best = MAX(best, (enum bs_tier)t->of[i]);
	return best;
}

/* A hook that this kernel has in no form, and that it does well without. */
static bool is_spared(const struct tiers *t, size_t hook)
{
	return !t->of[hook] && tier_hooks[hook].optional && t->err[hook] == -ENOENT;
}

enum bs_tier tier_of_use(const struct tiers *t, enum tier_use u)
{
	enum bs_tier weakest = BS_TIERS;

	for (size_t i = 0; i < tier_hooks_count; i++)
		if (tier_hooks[i].use == u && !is_spared(t, i))
			weakest = MIN(weakest, (enum bs_tier)t->of[i]);
	return weakest == BS_TIERS ? BS_TIER_TRACE : weakest;
}

const char *tier_reason(int err)
{
	if (err == -ENOENT)
		return "this kernel has no such hook";
	if (err == -ENODATA)
		return "a program can be attached, but refuses nothing";
	return strerror(-err);
}

void tier_describe(const struct tiers *t, struct strbuf *text)
{
	strbuf_adds(text, tier_name(tier_of(t)));
	for (int u = 0; u < TIER_USES; u++)
		if (tier_of_use(t, u) != tier_of(t))
			strbuf_addf(text, ", %s %s", tier_uses[u].name,
				    tier_name(tier_of_use(t, u)));
}

void tier_explain(const struct tiers *t, enum tier_use u, struct strbuf *text)
{
	enum bs_tier best = tier_of(t);

	for (size_t i = 0; i < tier_hooks_count; i++)
		if (tier_hooks[i].use == u && t->of[i] < best && !is_spared(t, i))
			strbuf_addf(text, "%s%s: %s (%s)", text->len ? ", " : "",
				    tier_hooks[i].name, tier_name(t->of[i]),
				    tier_reason(t->err[i]));
}
