/* What the files of the kernel side share. */
#ifndef KERNEL_INTERNAL_H
#define KERNEL_INTERNAL_H

#include "backstop/event.h"

#include "backstop.skel.h"
#include "kernel/kernel.h"
#include "kernel/pins.h"
#include "kernel/ring.h"
#include "kernel/tier.h"

struct consumer {
	struct ring *ring;
	kernel_event_fn fn;
	void *data;
};

struct kernel {
	struct backstop_bpf *skel;
	struct pins pins;
	u32 generation;
	bool adopted;
	char *blind; /* why connects are not seen; NULL: they are */
	struct consumer consumers[KERNEL_RINGS];
	struct bs_slot *slots;
	struct tiers tiers;
};

#endif
