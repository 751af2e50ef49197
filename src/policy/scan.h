/* The scan over bytes in memory. */
#ifndef POLICY_SCAN_H
#define POLICY_SCAN_H

#include "policy/policy.h"

/* Are these bytes, scanned as one stream, a candidate? The last word is ended by NUL, as in argv.
 */
bool scan_bytes(const struct scan_tables *tables, const void *data, size_t len);
/* Is this path one, as the kernel scans it: its components, the last first, each ended by NUL? */
bool scan_path(const struct scan_tables *tables, const char *path);
/* The same of the head of an exec, and of argv where that calls for it, as the kernel does it. */
bool scan_action(const struct scan_tables *tables, const struct action *a);

#endif
