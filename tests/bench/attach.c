/* attach OBJECT [LIBRARY SYMBOL...]: loads and attaches all programs of a BPF object, says "ready",
 * and keeps them until its input ends. What is to probe stands at each symbol that the library has,
 * where the guard's own probe would. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/internal.h"

/* 0, or -1. */
static int probe(struct bpf_program *p, const char *library, char **symbols)
{
	int fd = library ? open(library, O_RDONLY | O_CLOEXEC) : -1, r = fd < 0 ? -1 : 0;

	for (; r == 0 && *symbols; symbols++) {
		u64 at = kernel_find_function(fd, *symbols);

		if (at && !bpf_program__attach_uprobe(p, false, -1, library, at))
			r = -1;
	}
	close_fd(&fd);
	return r;
}

static int attach(struct bpf_program *p, int argc, char **argv)
{
	if (!strcmp(bpf_program__section_name(p), "uprobe"))
		return probe(p, argc > 2 ? argv[2] : NULL, argv + 3);
	return bpf_program__attach(p) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct bpf_object *o = argc >= 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *p;

	if (!o || bpf_object__load(o))
		return 1;
	bpf_object__for_each_program(p, o)
	{
		if (attach(p, argc, argv))
			return 1;
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
