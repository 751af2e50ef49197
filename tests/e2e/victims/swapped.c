/* Becomes a program whose argv lies in the swap space while the exec is under way:
 * swapped GROUP BYTES PROGRAM [ARG…]. BYTES of padding stand before the last ARG… of argv. The
 * kernel copies argv from its end: it has all but the first word when it comes to that one, which
 * is in a page that is missing (userfaultfd). Then the memory of the cgroup GROUP, where nothing
 * else can go, is reclaimed, the number of bytes that went to the swap space is told on stderr,
 * and the page is given. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, WORD = PAGE - 1, MOST = 64, TRIES = 20 };

static const char *group, *program;
static char *missing; /* the page of argv[0] */
static int faults;

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(98);
}

static void write_to(const char *directory, const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	(void)!write(fd, text, strlen(text)); /* EAGAIN: less than that was found */
	close(fd);
}

/* What the group has in the swap space would not do: the kernel uncounts what is freed there by the
 * 64 pages. */
static unsigned long swapped(void)
{
	static const char key[] = "pswpout ";
	FILE *f = fopen("/proc/vmstat", "re");
	unsigned long pages = 0;
	char line[128];

	if (!f)
		die("/proc/vmstat");
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			pages = strtoul(line + sizeof(key) - 1, NULL, 10);
	fclose(f);
	return pages * PAGE;
}

/* What was used a moment ago is not reclaimed at first, nor what a processor has in hand: such
 * pages are asked back where caches are dropped. */
static void *swap_argv(void *unused)
{
	char page[PAGE] __attribute__((aligned(PAGE))) = "";
	struct uffdio_copy copy = { .dst = (uintptr_t)missing,
				    .src = (uintptr_t)page,
				    .len = PAGE };
	unsigned long before = swapped();
	struct uffd_msg message;

	snprintf(page, sizeof(page), "%s", program);
	if (read(faults, &message, sizeof(message)) != sizeof(message))
		die("read");
	for (int i = 0; i < TRIES; i++) {
		write_to("/proc/sys/vm", "drop_caches", "1");
		write_to(group, "memory.reclaim", "64M");
	}
	fprintf(stderr, "swapped: %lu\n", swapped() - before);
	if (ioctl(faults, UFFDIO_COPY, &copy))
		die("UFFDIO_COPY");
	return unused;
}

static void make_missing(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	missing = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (missing == MAP_FAILED || faults < 0 || ioctl(faults, UFFDIO_API, &api))
		die("userfaultfd");
	reg.range.start = (uintptr_t)missing;
	reg.range.len = PAGE;
	if (ioctl(faults, UFFDIO_REGISTER, &reg))
		die("UFFDIO_REGISTER");
}

/* The padding is one word, many times: it takes no memory but that of the new image. */
static char **make_argv(size_t padding, char **more)
{
	static char word[WORD + 1];
	static char *argv[2 * MOST];
	size_t n = 0;

	argv[n++] = missing;
	memset(word, 'x', WORD);
	memcpy(word, "-var=", 5);
	for (; n <= padding / PAGE && n < MOST; n++)
		argv[n] = word;
	while (*more && n < 2 * MOST - 1)
		argv[n++] = *more++;
	return argv;
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc < 4)
		return 99;
	group = argv[1];
	program = argv[3];
	write_to(group, "cgroup.procs", "0");
	/* what is counted is of the new image */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		die("mlockall");
	make_missing();
	argv = make_argv(strtoul(argv[2], NULL, 10), argv + 4);
	if (pthread_create(&t, NULL, swap_argv, NULL))
		die("pthread_create");
	execv(program, argv);
	die(program);
}
