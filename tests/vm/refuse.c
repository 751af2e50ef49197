/* refuse PATH [HOOK]: has all programs on security hooks refused, or those of a guard on this one
 * alone, as long as the pin at PATH is there. */
#include <stdio.h>

#include "backstop/types.h"

#include "refuse.skel.h"

static void name_programs(struct refuse_bpf *s, const char *hook)
{
	snprintf((char *)s->rodata->names[0], sizeof(s->rodata->names[0]), "lsm_%s", hook);
	snprintf((char *)s->rodata->names[1], sizeof(s->rodata->names[1]), "fmod_%s", hook);
}

int main(int argc, char **argv)
{
	struct refuse_bpf *s = argc == 2 || argc == 3 ? refuse_bpf__open() : NULL;

	if (s && argc == 3)
		name_programs(s, argv[2]);
	if (!s || refuse_bpf__load(s) || refuse_bpf__attach(s) ||
	    bpf_link__pin(s->links.refuse, argv[1])) {
		perror("refuse");
		return 1;
	}
	return 0;
}
