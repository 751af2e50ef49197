/* A real ring of the kernel's, filled by programs that the test runs by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "kernel/ring.h"
#include "ring.skel.h"
#include "unit/kernel/ring_input.h"

#define ROOM	  ((sizeof(struct ring_input) + 8 + 7) / 8 * 8) /* of a record, with its head */
#define CAPACITY  (RING_BYTES / ROOM)
#define SEEN_MAX  200
#define PATIENCE  10000 /* milliseconds */
#define MANY_RUNS 5	/* times around the ring */

static struct ring_bpf *skel;
static struct ring *ring;
static u32 seen[SEEN_MAX];
static int seen_count;

static void take(void *data, const void *record, size_t size)
{
	const struct ring_input *in = record;

	assert_ptr_equal(data, seen);
	assert_int_equal(size, sizeof(*in));
	assert_int_equal((uintptr_t)record % 8, 0);
	for (size_t i = 0; i < sizeof(in->text); i++)
		assert_int_equal((u8)in->text[i], (u8)(in->number + i));
	assert_true(seen_count < SEEN_MAX);
	seen[seen_count++] = in->number;
}

static int run(const struct bpf_program *prog, u32 number)
{
	struct ring_input in = { .number = number };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &in, .ctx_size_in = sizeof(in));

	for (size_t i = 0; i < sizeof(in.text); i++)
		in.text[i] = number + i;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return opts.retval;
}

static void put(u32 number)
{
	assert_int_equal(run(skel->progs.put_record, number), 0);
}

static int consume(int max)
{
	seen_count = 0;
	return ring_consume(ring, take, seen, max);
}

static int open_all(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	skel = ring_bpf__open_and_load();
	if (!skel)
		return -1;
	return ring_open(bpf_map__fd(skel->maps.ring), &ring);
}

static int close_all(void **state)
{
	(void)state;
	ring_close(ring);
	ring_bpf__destroy(skel);
	ring = NULL;
	skel = NULL;
	return 0;
}

static void need_root(void)
{
	if (!skel) {
		print_message("skipped: needs root to load programs\n");
		skip();
	}
}

static void reopen(void)
{
	ring_close(ring);
	ring = NULL;
	assert_int_equal(ring_open(bpf_map__fd(skel->maps.ring), &ring), 0);
}

static void test_hands_over_in_order(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(consume(10), 0);
	for (u32 i = 1; i <= 5; i++)
		put(i);
	assert_int_equal(consume(3), 3);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[2], 3);
	assert_int_equal(consume(10), 2);
	assert_int_equal(seen[0], 4);
	assert_int_equal(seen[1], 5);
	assert_int_equal(consume(10), 0);
}

static void test_what_is_not_released_comes_again(void **state)
{
	(void)state;
	need_root();
	for (u32 i = 1; i <= 4; i++)
		put(i);
	assert_int_equal(consume(2), 2);
	ring_release(ring);
	assert_int_equal(consume(2), 2);
	assert_int_equal(seen[0], 3);
	reopen();
	assert_int_equal(consume(10), 2);
	assert_int_equal(seen[0], 3);
	assert_int_equal(seen[1], 4);
	ring_release(ring);
	reopen();
	assert_int_equal(consume(10), 0);
}

static void test_what_is_not_released_takes_room(void **state)
{
	u32 number = 0;

	(void)state;
	need_root();
	while (number < SEEN_MAX && !run(skel->progs.put_record, number + 1))
		number++;
	assert_in_range(number, CAPACITY - 1, CAPACITY);
	assert_int_equal(consume(SEEN_MAX), number);
	assert_int_not_equal(run(skel->progs.put_record, 1000), 0);
	ring_release(ring);
	put(1001);
	assert_int_equal(consume(SEEN_MAX), 1);
	assert_int_equal(seen[0], 1001);
}

static void test_use(void **state)
{
	struct ring_use before, now;

	(void)state;
	need_root();
	before = ring_use(ring);
	assert_int_equal(before.size, RING_BYTES);
	for (u32 i = 1; i <= 4; i++)
		put(i);
	assert_int_equal(ring_use(ring).used, 4 * ROOM);
	assert_int_equal(consume(10), 4);
	assert_int_equal(ring_use(ring).used, 4 * ROOM);
	ring_release(ring);
	now = ring_use(ring);
	assert_int_equal(now.used, 0);
	assert_int_equal(now.peak, MAX(before.peak, 4 * ROOM));
}

/* A record may begin at the ring's end and go on at its start. */
static void test_goes_round(void **state)
{
	u32 number = 0;

	(void)state;
	need_root();
	for (size_t i = 0; i < MANY_RUNS * CAPACITY; i++) {
		put(++number);
		put(++number);
		assert_int_equal(consume(10), 2);
		assert_int_equal(seen[0], number - 1);
		assert_int_equal(seen[1], number);
		ring_release(ring);
	}
}

static void test_passes_over_discarded(void **state)
{
	(void)state;
	need_root();
	put(1);
	assert_int_equal(run(skel->progs.put_discarded, 2), 0);
	put(3);
	assert_int_equal(run(skel->progs.put_discarded, 4), 0);
	assert_int_equal(consume(2), 2);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 3);
	assert_int_equal(consume(2), 0);
	ring_release(ring);
	put(5);
	assert_int_equal(consume(2), 1);
	assert_int_equal(seen[0], 5);
}

static bool is_readable(int timeout)
{
	struct pollfd p = { .fd = ring_fd(ring), .events = POLLIN };

	return poll(&p, 1, timeout) == 1 && p.revents & POLLIN;
}

static void *put_slowly(void *data)
{
	(void)data;
	run(skel->progs.put_slowly, 1);
	return NULL;
}

static void test_waits_for_what_is_being_written(void **state)
{
	pthread_t thread;

	(void)state;
	need_root();
	assert_int_equal(pthread_create(&thread, NULL, put_slowly, NULL), 0);
	for (int i = 0; i < PATIENCE && !is_readable(0); i++)
		usleep(1000);
	put(2); /* behind it */
	assert_int_equal(consume(10), 0);
	skel->bss->go = 1;
	pthread_join(thread, NULL);
	assert_int_equal(consume(10), 2);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 2);
}

static void test_can_be_polled(void **state)
{
	(void)state;
	need_root();
	assert_false(is_readable(0));
	put(1);
	assert_true(is_readable(PATIENCE));
	assert_int_equal(consume(10), 1);
	assert_true(is_readable(0));
	ring_release(ring);
	assert_false(is_readable(0));
}

static void test_refuses_what_is_no_ring(void **state)
{
	struct ring *none = NULL;

	(void)state;
	need_root();
	assert_int_equal(ring_open(bpf_map__fd(skel->maps.bss), &none), -EINVAL);
	assert_true(ring_open(-1, &none) < 0);
	assert_null(none);
	ring_close(NULL);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_hands_over_in_order),
		test(test_what_is_not_released_comes_again),
		test(test_what_is_not_released_takes_room),
		test(test_use),
		test(test_goes_round),
		test(test_passes_over_discarded),
		test(test_waits_for_what_is_being_written),
		test(test_can_be_polled),
		test(test_refuses_what_is_no_ring),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
