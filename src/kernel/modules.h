/* The security modules that this kernel was booted with, and how to boot with one more. */
#ifndef KERNEL_MODULES_H
#define KERNEL_MODULES_H

#include "base/util.h"

struct strbuf;

/* Their names in order, with commas: "lockdown,capability,yama". 0 or a negative errno. */
int modules_list(struct strbuf *ret);
/* Is bpf among them? 1, 0, or a negative errno: who knows. */
int modules_have_bpf(void);

/* What a machine says of how it boots. */
struct boot {
	const char *os_release;			     /* its text; "": nothing known */
	const char *modules;			     /* as modules_list() has them */
	const char *cmdline;			     /* of this boot */
	bool grub, grub_d, grubby, loader, extlinux; /* files that are there */
};
/* What its owner does to boot with bpf as well. */
void modules_advise(const struct boot *b, struct strbuf *text);
/* The same for this machine. */
void modules_advise_here(struct strbuf *text);

#endif
