/* Lifetimes, arrays and other small things that every file needs. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	    (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	    ((a) < (b) ? (a) : (b))
#define MAX(a, b)	    ((a) > (b) ? (a) : (b))

#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(fn)	    __attribute__((cleanup(fn)))
#define _unused_	    __attribute__((unused))

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_	_cleanup_(free_ptr)
#define _cleanup_close_ _cleanup_(close_fd)

/* DEFINE_CLEANUP(type, destroy): declares destroy##_ptr for _cleanup_(); `destroy` takes NULL. */
#define DEFINE_CLEANUP(type, destroy)                                                              \
	static inline void destroy##_ptr(type **p)                                                 \
	{                                                                                          \
		destroy(*p);                                                                       \
	}                                                                                          \
	struct allow_semicolon

/* TAKE_*: hand a value over to another owner; the variable is left empty. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		typeof(p) take_ = (p);                                                             \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_ = (fd);                                                                  \
		(fd) = -1;                                                                         \
		take_;                                                                             \
	})

#endif
