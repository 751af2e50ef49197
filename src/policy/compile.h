/* Packs and profiles -> image. Runs unprivileged; the guard never does this. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "base/strbuf.h"

struct compile_stats {
	unsigned int packs, signatures, programs, agents, examples;
	unsigned int needles, keys, rules;
};

#define SETTINGS_PATH "/etc/backstop/backstop.yaml"

/* Compiles every *.yaml of the given directories (or the given files), in name order, into
 * `ret_image`, after all checks: hits match, misses do not, every `instead` is allowed. A file with
 * `agent:` is a profile, others are packs. Without paths: the packs and profiles that the settings
 * name, or else those that came with this program, and of /etc/backstop/packs.
 *
 * `settings` is the path of a settings file (at SETTINGS_PATH there need not be one), NULL: none.
 * With it the image remembers what it is made of, for policy_fresh(); without, the same packs make
 * the same image.
 *
 * All faults are collected in `err`, each as file:line:column, the line, a caret and what would be
 * right. 0, or -EINVAL where there is a fault, or another negative errno. */
int policy_compile(char *const *paths, size_t count, const char *settings, struct strbuf *ret_image,
		   struct compile_stats *ret_stats, struct strbuf *err);
/* Calls `fn` for each pack of these directories and files (none: those that came with this
 * program), in name order, as long as it returns 0; examples are not tried. 0, -EINVAL where there
 * is a fault, which `err` tells, or what `fn` returned. */
struct pack;
int policy_each_pack(char *const *paths, size_t count,
		     int (*fn)(const struct pack *pack, void *data), void *data,
		     struct strbuf *err);
/* The same as policy_compile() for one pack or profile in memory. */
int policy_compile_text(const char *name, const char *text, size_t len, struct strbuf *ret_image,
			struct compile_stats *ret_stats, struct strbuf *err);

#endif
