/* One request over an io_uring of its own, by bare system calls. */
#ifndef VICTIMS_URING_H
#define VICTIMS_URING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IORING_TIMEOUT_ETIME_SUCCESS
#define IORING_TIMEOUT_ETIME_SUCCESS (1U << 5)
#endif

struct uring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline unsigned int *uring_word(char *ring, unsigned int offset)
{
	return (unsigned int *)(ring + offset);
}

static inline void *uring_map(struct uring *u, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, what);
}

static inline int uring_open(struct uring *u, unsigned int setup)
{
	u->p = (struct io_uring_params) { .flags = setup, .sq_thread_idle = 1000 };
	u->fd = syscall(SYS_io_uring_setup, 4, &u->p);
	if (u->fd < 0)
		return -errno;
	u->sq = uring_map(u, u->p.sq_off.array + 4 * u->p.sq_entries, IORING_OFF_SQ_RING);
	u->cq = uring_map(u, u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe),
			  IORING_OFF_CQ_RING);
	u->sqes = uring_map(u, u->p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	return 0;
}

static inline void uring_put(struct uring *u, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = uring_word(u->sq, u->p.sq_off.tail);
	unsigned int i = *tail & (u->p.sq_entries - 1);

	u->sqes[i] = *sqe;
	uring_word(u->sq, u->p.sq_off.array)[i] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

/* Its thread in the kernel submits; it may have to be woken. */
static inline int uring_submit(struct uring *u, unsigned int count)
{
	unsigned int *flags = uring_word(u->sq, u->p.sq_off.flags);

	if (!(u->p.flags & IORING_SETUP_SQPOLL))
		return syscall(SYS_io_uring_enter, u->fd, count, 0, 0, NULL, 0) < 0 ? -errno : 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
		syscall(SYS_io_uring_enter, u->fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
	return 0;
}

/* Looks for it between sleeps, so that the request is issued while another system call runs. */
static inline int uring_result(struct uring *u, uint64_t which)
{
	unsigned int *head = uring_word(u->cq, u->p.cq_off.head);
	unsigned int *tail = uring_word(u->cq, u->p.cq_off.tail);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(u->cq + u->p.cq_off.cqes), *found;

	for (int i = 0; i < 4000; i++) {
		while (*head != __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
			found = &cqes[*head & (u->p.cq_entries - 1)];
			*head += 1;
			if (found->user_data == which)
				return found->res;
		}
		usleep(5000);
	}
	return -ETIMEDOUT;
}

/* What `sqe` ended with, after `before` where there is one. */
static inline int uring_do(unsigned int setup, struct io_uring_sqe *before,
			   struct io_uring_sqe *sqe)
{
	struct uring u;
	int err = uring_open(&u, setup);

	if (err)
		return err;
	if (before)
		uring_put(&u, before);
	sqe->user_data = 7;
	uring_put(&u, sqe);
	err = uring_submit(&u, before ? 2 : 1);
	if (!err)
		err = uring_result(&u, 7);
	close(u.fd);
	return err;
}

#endif
