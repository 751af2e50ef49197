/* Ends children without waiting for them: one that reads a file system which does not answer (FUSE,
 * NFS) dies only when that does, SIGKILL or not. */
#ifndef GUARD_REAPER_H
#define GUARD_REAPER_H

#include <sys/types.h>

struct loop;

/* Kills it where it still runs, and collects it when it is gone. Its status as wait(2) gives it
 * where it had ended already, else that of one that was killed. */
int reaper_end(struct loop *loop, pid_t pid);
/* How many were killed and are not gone yet. */
unsigned int reaper_count(void);
/* Forgets them: the process ends. Before the loop is freed. */
void reaper_forget_all(void);

#endif
