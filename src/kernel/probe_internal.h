/* What the table of probes runs: 0, or a negative errno and perhaps more words in `detail`. */
#ifndef KERNEL_PROBE_INTERNAL_H
#define KERNEL_PROBE_INTERNAL_H

#include "base/strbuf.h"

/* probe_bpf.c */
int try_tracepoints(struct strbuf *detail);
int try_helpers(struct strbuf *detail);
int try_ring_buffer(struct strbuf *detail);
int try_task_storage(struct strbuf *detail);
int try_uprobe(struct strbuf *detail);

/* tier_probe.c */
int try_lsm(struct strbuf *detail);
int try_fmod_ret(struct strbuf *detail);
const char *tracepoints_remedy(bool btf);
void advise_tracepoints(struct strbuf *text);
void advise_helpers(struct strbuf *text);
void advise_lsm(struct strbuf *text);
void advise_fmod_ret(struct strbuf *text);

/* probe_task.c */
int try_privileges(struct strbuf *detail);
int try_btf(struct strbuf *detail);
int try_ptrace(struct strbuf *detail);
int try_pidfd_getfd(struct strbuf *detail);
int try_realtime(struct strbuf *detail);
int try_cgroup2(struct strbuf *detail);

#endif
