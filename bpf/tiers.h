/* A security hook: one body, and an adapter for each tier in which it may be attached. */
#ifndef BPF_TIERS_H
#define BPF_TIERS_H

#include "shared.h"
#include "held.h"

/* 1: the body is run; 0: it is not; negative: the guard tries whether this tier refuses, or a held
 * task runs. */
static __always_inline int begin_hook(enum bs_tier tier)
{
	if (shared.state.self_test && shared.state.self_tested == BS_TESTED(generation, tier) &&
	    shared.state.self_test == (u32)bpf_get_current_pid_tgid())
		return -EPERM;
	if (!is_acting())
		return 0;
	return fence() ?: 1;
}

/* Without the fence: where the kernel comes often, and the body most often has nothing to do. */
static __always_inline int begin_often(enum bs_tier tier)
{
	return is_acting();
}

/* The verifier of 6.12 wants to see that a hook returns an errno, in the very register whose bounds
 * were looked at. */
static __always_inline int as_errno(int r)
{
	asm volatile("" : "+r"(r));
	if (r > 0 || r < -4095)
		return -EPERM;
	asm volatile("" : "+r"(r));
	return r;
}

/* Defines lsm_NAME and fmod_NAME, at lsm/NAME and fmod_ret/security_NAME. What follows in braces is
 * the body: 0, or a negative errno that refuses. No argument for the result of programs before it
 * is needed: after one that refuses, no other runs. src/kernel/tier.c has a line for each hook. */
#define SECURITY_HOOK_BEGUN(begin, name, args...)                                                  \
	static __always_inline int on_##name(unsigned long long *ctx, ##args);                     \
	_Pragma("GCC diagnostic push");                                                            \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"");                                    \
	SEC("lsm/" #name) int lsm_##name(unsigned long long *ctx)                                  \
	{                                                                                          \
		int r = begin(BS_TIER_LSM);                                                        \
                                                                                                   \
		return r > 0 ? as_errno(on_##name(___bpf_ctx_cast(args))) : r;                     \
	}                                                                                          \
	SEC("fmod_ret/security_" #name) int fmod_##name(unsigned long long *ctx)                   \
	{                                                                                          \
		int r = begin(BS_TIER_FMOD_RET);                                                   \
                                                                                                   \
		return r > 0 ? as_errno(on_##name(___bpf_ctx_cast(args))) : r;                     \
	}                                                                                          \
	_Pragma("GCC diagnostic pop");                                                             \
	static __always_inline int on_##name(unsigned long long *ctx, ##args)

#define SECURITY_HOOK(name, args...)	   SECURITY_HOOK_BEGUN(begin_hook, name, ##args)
#define SECURITY_HOOK_OFTEN(name, args...) SECURITY_HOOK_BEGUN(begin_often, name, ##args)

#endif
