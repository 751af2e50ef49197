/* Event loop: epoll with file descriptors, one-shot timers and signals. Single-threaded. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

#include "base/util.h"

struct loop;
struct loop_source;

struct loop *loop_new(void);	   /* NULL with errno */
void loop_free(struct loop *loop); /* frees its sources too; closes none of the callers' fds */
DEFINE_CLEANUP(struct loop, loop_free);

typedef void (*loop_fd_fn)(void *data, uint32_t events); /* EPOLL… bits */
typedef void (*loop_fn)(void *data);
typedef void (*loop_signal_fn)(void *data, int signo);

/* Watches `fd` (not owned) for `events` (EPOLLIN, EPOLLOUT …). 0 or a negative errno. A callback
 * may remove any source, its own included. `ret` may be NULL where the source lives as long as the
 * loop. Remove a source before its fd is closed. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *data,
		struct loop_source **ret);
int loop_mod_fd(struct loop_source *s, uint32_t events);

/* Calls `fn` once, `usec` microseconds from now (CLOCK_BOOTTIME: a suspended machine counts). */
int loop_add_timer(struct loop *loop, uint64_t usec, loop_fn fn, void *data,
		   struct loop_source **ret);

/* Blocks `signo` in this thread and calls `fn` from the loop when it comes. */
int loop_add_signal(struct loop *loop, int signo, loop_signal_fn fn, void *data);

void loop_remove(
	struct loop_source *s); /* NULL is fine; a fired timer's source is removed by itself */

int loop_run(struct loop *loop); /* until loop_quit(); returns what that was given, or -errno */
void loop_quit(struct loop *loop, int result);

#endif
