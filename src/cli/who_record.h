/* who, of a process or an address. */
#ifndef CLI_WHO_RECORD_H
#define CLI_WHO_RECORD_H

#include "record/query.h"

/* The newest `limit`. The number of those that were printed, or a negative errno. */
int who_process(struct query *q, const char *pid, unsigned int limit, bool json);
int who_address(struct query *q, const char *address, unsigned int limit, bool json);

/* "10.1.2.3", "10.1.2.3:5432", "fd00::1" or "[fd00::1]:53": as the record writes it, in a string of
 * the caller's; NULL: it is none. */
char *who_parse_address(const char *word);

#endif
