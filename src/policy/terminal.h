/* tmux and screen: what they type into a terminal, or start in one, whose server is outside of the
 * session. */
#ifndef POLICY_TERMINAL_H
#define POLICY_TERMINAL_H

#include "backstop/types.h"
#include "base/strbuf.h"

/* The programs, for the scan. */
extern const char *const terminal_programs[];
extern const u32 terminal_programs_count;

/* Appends the shell text that `name` with these words hands to a terminal. False where it is no
 * such program, or hands over nothing. */
bool terminal_text(const char *name, char *const *words, u32 count, struct strbuf *ret);

#endif
