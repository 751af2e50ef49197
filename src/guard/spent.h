/* Nonces of signed decisions that were carried out: none is taken twice, whatever restarts and
 * however the clock is set. */
#ifndef GUARD_SPENT_H
#define GUARD_SPENT_H

#include <stdint.h>

#include "base/strbuf.h"

#define SPENT_MAX 1024 /* nonces that have not expired */

/* Notes the nonce in the file on the disk, and forgets those that have expired. 0; -EEXIST where it
 * was there, or may have been: it expires no later than one that is forgotten; -ENOSPC; -EUCLEAN
 * where the file is damaged; or another negative errno. Where it fails, nothing was noted. */
int spent_add(const char *path, const char *nonce, int64_t expires_ms, int64_t now_ms);

#endif
