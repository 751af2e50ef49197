/* The pins: maps and links in a directory of a bpffs, which outlive the guard. A directory in it is
 * named for the ABI, so that no guard takes over what it does not understand. */
#ifndef KERNEL_PINS_H
#define KERNEL_PINS_H

#include <bpf/libbpf.h>

#include "base/util.h"

struct strbuf;

struct pins {
	char *dir; /* with the ABI's directory */
};

/* Makes the directory. -ESTALE, with words in `err`, where another ABI's pins are there. */
int pins_open(struct pins *p, const char *dir, struct strbuf *err);
void pins_free(struct pins *p);

/* An fd of what is pinned under `name`, or a negative errno. */
int pins_get(const struct pins *p, const char *name);
int pins_put(const struct pins *p, const char *name, int fd);
int pins_drop(const struct pins *p, const char *name);
/* Links are pinned as gGENERATION_PROGRAM. The greatest generation that is pinned, 0: none. */
unsigned int pins_generation(const struct pins *p);
/* The same as pins_drop() for a link, but for the name only: pins_sweep() has a thread do the rest.
 * A security hook is detached after a grace period: many kernels take some 100 ms for each within
 * unlink(), in which a guard would decide nothing. */
int pins_let_go(const struct pins *p, const char *name);
/* Undoes pins_let_go(). -ENOENT: it is too late, and the link is on its way out. */
int pins_take_back(const struct pins *p, const char *name);
void pins_sweep(const struct pins *p);
/* Lets go of the links of all generations but `keep` (0: of all), and sweeps. */
void pins_drop_links(const struct pins *p, unsigned int keep);
/* Removes everything, and the directory. */
void pins_remove(const struct pins *p);

#endif
