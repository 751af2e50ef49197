/* Text that an action must have in it -> needles: names, words, globs, options. */
#ifndef POLICY_NEEDLE_TEXT_H
#define POLICY_NEEDLE_TEXT_H

#include "policy/needles.h"

#define MAX_OF_CHOICE 4

/* One way to satisfy an item: all of these needles. */
struct choice {
	u32 needles[MAX_OF_CHOICE];
	size_t count;
};

/* Never 0. */
uint64_t needle_hash(const void *data, size_t len, uint64_t h);
/* The number of that needle; 0 where there is no number left, or no pattern. */
u32 needle_add(struct needles *n, const struct needle *needle);
void needle_add_pattern(struct needles *n, struct needle *needle, const char *text, bool left,
			bool right);
/* One more needle, where it is none of number 0 and there is room for it. */
void needle_choose(struct choice *c, u32 needle);
/* The needles of a run: of a part of a word two, where it is long enough. */
void needle_choose_run(struct needles *n, struct choice *c, const struct pattern *p);

/* Of a program's name, of what matches a glob, of options as their program spells them. 0, or none:
 * nothing is certain to be there. `left`: before the glob there is a boundary. */
u32 needle_of_name(struct needles *n, const char *name);
struct choice needle_of_glob(struct needles *n, const char *glob, bool left);
/* Of a name of two letters in code, whole: beside it stands nothing that names have. */
struct choice needle_of_short_name(struct needles *n, const char *name);
/* Of a text in code that is put together of pieces: the first of them is a beginning of it. */
u32 needle_of_pieces(struct needles *n, const char *text);
u32 needle_of_long_option(struct needles *n, const char *name, enum option_style style);
u32 needle_of_go_option(struct needles *n, const char *option);

#endif
