#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "export/exporter.h"
#include "journal/journal.h"
#include "unit/scratch.h"

#define LINE "{\"class_uid\":1007,\"activity_id\":1,\"time\":1}"

static char dir[80], moved[80], cursor[80], path[80];

static int set_up(void **state _unused_)
{
	if (make_root())
		return -1;
	snprintf(dir, sizeof(dir), "%s/journal", root);
	snprintf(moved, sizeof(moved), "%s/moved", root);
	snprintf(cursor, sizeof(cursor), "%s/cursor", root);
	snprintf(path, sizeof(path), "%s/socket", root);
	return 0;
}

static void write_line(void)
{
	const struct journal_options o = { .dir = dir, .segment_max = 1 << 20 };
	struct journal *j = NULL;

	assert_int_equal(journal_open(&o, &j), 0);
	assert_int_equal(journal_append(j, LINE, strlen(LINE)), 0);
	assert_int_equal(journal_flush(j), 0);
	journal_close(j);
}

/* What plays systemd-journald. */
static int listen_there(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static char got[4096];

static void *read_one(void *fd)
{
	(void)recv(*(int *)fd, got, sizeof(got) - 1, 0);
	return NULL;
}

/* A journal that cannot be read for a while, too, when all is to come again. */
static void test_journal_away(void **state _unused_)
{
	_cleanup_(exporter_free_ptr) struct exporter *e = NULL;
	_cleanup_close_ int fd = -1;
	char spec[100];
	pthread_t reader;

	write_line();
	snprintf(spec, sizeof(spec), "journald:%s", path);
	assert_int_equal(exporter_new(dir, spec, cursor, &e), 0);
	assert_int_equal(exporter_step(e), -ENOENT); /* there is no socket */
	assert_int_equal(rename(dir, moved), 0);
	assert_int_equal(exporter_step(e), -ENOENT);
	assert_int_equal(exporter_step(e), -ENOENT);
	assert_int_equal(rename(moved, dir), 0);
	fd = listen_there();
	assert_int_equal(pthread_create(&reader, NULL, read_one, &fd), 0);
	assert_int_equal(exporter_step(e), 1);
	pthread_join(reader, NULL);
	assert_non_null(strstr(got, "BACKSTOP_EVENT=" LINE));
}

static void test_delays(void **state _unused_)
{
	unsigned int longest = 0;

	for (int i = 0; i < 200; i++) {
		unsigned int delay = exporter_delay_ms(1000);

		assert_in_range(exporter_delay_ms(0), 1, 1000);
		assert_in_range(exporter_delay_ms(3), 1, 8000);
		assert_in_range(delay, 1, 60000);
		longest = MAX(longest, delay);
	}
	assert_true(longest > 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_journal_away, set_up, remove_root),
		cmocka_unit_test(test_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
