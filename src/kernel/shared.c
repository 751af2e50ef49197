/* What guard, keeper and kernel have in common: slots and state, in memory of each. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/internal.h"

int shared_map_slots(int fd, struct bs_slot **ret)
{
	void *p = mmap(NULL, SHARED_SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

int shared_map(int fd, struct bs_shared **ret)
{
	void *p = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

static int open_pin(const char *dir, const char *name)
{
	_cleanup_strbuf_ struct strbuf ignored = STRBUF_INIT;
	struct pins p = { 0 };
	int fd = pins_open(&p, dir, &ignored);

	if (!fd)
		fd = pins_get(&p, name);
	pins_free(&p);
	return fd;
}

int kernel_map_slots(const char *pins, struct bs_slot **ret)
{
	_cleanup_close_ int fd = open_pin(pins, SHARED_SLOTS_PIN);

	return fd < 0 ? fd : shared_map_slots(fd, ret);
}

int kernel_map_shared(const char *pins, struct bs_shared **ret)
{
	_cleanup_close_ int fd = open_pin(pins, SHARED_PIN);

	return fd < 0 ? fd : shared_map(fd, ret);
}

void kernel_drop_pins(const char *dir)
{
	_cleanup_strbuf_ struct strbuf ignored = STRBUF_INIT;
	struct pins p = { 0 };

	if (!pins_open(&p, dir, &ignored))
		pins_remove(&p);
	pins_free(&p);
}
