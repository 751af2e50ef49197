/* refuse PATH: has all programs on security hooks refused, as long as the pin at PATH is there. */
#include <stdio.h>

#include "refuse.skel.h"

int main(int argc, char **argv)
{
	struct refuse_bpf *s = argc == 2 ? refuse_bpf__open_and_load() : NULL;

	if (!s || refuse_bpf__attach(s) || bpf_link__pin(s->links.refuse, argv[1])) {
		perror("refuse");
		return 1;
	}
	return 0;
}
