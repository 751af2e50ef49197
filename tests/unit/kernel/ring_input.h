/* What ring.bpf.c puts into its ring. */
#ifndef RING_INPUT_H
#define RING_INPUT_H

#include "backstop/types.h"

#define RING_BYTES 4096

/* Its size is no multiple of 8, to which the ring rounds up. */
struct ring_input {
	u32 number;
	char text[104];
};

#endif
