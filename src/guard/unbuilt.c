/* Stands in for what is not there yet, so that the tree links. */
#include <errno.h>

#include "guard/keeper.h"

__attribute__((weak)) int guard_attach(struct guard *g _unused_, pid_t pid _unused_,
				       const struct session_options *o _unused_,
				       uint64_t *ret_session _unused_, struct strbuf *err _unused_)
{
	return -EOPNOTSUPP;
}

__attribute__((weak)) int guard_attach_cgroup(struct guard *g _unused_, const char *path _unused_,
					      const struct session_options *o _unused_,
					      uint64_t *ret_session _unused_,
					      struct strbuf *err _unused_)
{
	return -EOPNOTSUPP;
}

__attribute__((weak)) int guard_reload(struct guard *g _unused_, struct strbuf *err _unused_)
{
	return -EOPNOTSUPP;
}

__attribute__((weak)) int keeper_run(const struct guard_options *o, int ready_fd)
{
	return guard_run(o, ready_fd);
}
