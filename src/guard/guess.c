#include "guard/guess.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guard/aside.h"
#include "kernel/kernel.h"

#define GUESSES_MAX 8 /* children, of which some may hang */

struct guess {
	const char *library; /* the child's is at the same address */
	struct aside *aside;
	guess_fn fn;
	void *data;
};

static unsigned int running;

static void run(void *data)
{
	struct guess *g = data;
	int fd = open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		g->library = kernel_guess_library(fd);
}

static void on_done(void *data)
{
	struct guess *g = data;
	const char *library = g->library;
	guess_fn fn = g->fn;
	void *arg = g->data;

	guess_end(g);
	fn(arg, library);
}

int guess_start(struct loop *loop, int file, guess_fn fn, void *data, struct guess **ret)
{
	_cleanup_close_ int mine = file;
	struct guess *g;
	int r;

	if (running >= GUESSES_MAX || !aside_has_room())
		return -EAGAIN;
	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g == MAP_FAILED)
		return -errno;
	*g = (struct guess) { .fn = fn, .data = data };
	running++;
	r = aside_start(loop, mine, run, on_done, g, &g->aside);
	if (r)
		guess_end(g);
	else
		*ret = g;
	return r;
}

void guess_end(struct guess *g)
{
	if (!g)
		return;
	aside_end(g->aside);
	munmap(g, sizeof(*g));
	running--;
}
