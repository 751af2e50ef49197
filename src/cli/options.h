/* Options as GNU programs take them: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -ab, `--`. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdint.h>

#include "base/strbuf.h"
#include "cli/command.h"

/* Fills `options` (zeroed, of c->options_size) and moves the operands, ended by NULL, to the start
 * of `argv`. 0; 1 where --help was asked for; -EINVAL with a sentence in `err` that names the value
 * and what would be right. */
int options_parse(const struct command *c, int argc, char **argv, void *options, int *ret_operands,
		  struct strbuf *err);

/* The whole of `s` as a decimal number of at most `max`. 0 or -EINVAL. */
int parse_number(const char *s, uint64_t max, uint64_t *ret);

/* The name most like `word` among names(data, 0), names(data, 1) … until NULL; NULL where none is
 * near enough to be what was meant. */
typedef const char *(*name_at_fn)(const void *data, size_t i);
const char *nearest_name(const char *word, name_at_fn names, const void *data);

#endif
