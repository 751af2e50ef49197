/* What a service manager is told, by the protocol of sd_notify(3): a datagram to the socket that
 * NOTIFY_SOCKET names. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

#include "base/util.h"

/* Lines "NAME=VALUE". Without NOTIFY_SOCKET nothing is done. 0 or a negative errno. */
int notify(const char *fmt, ...) _printf_(1, 2);
/* RELOADING=1, which asks for the time. */
int notify_reloading(void);

/* Microseconds within which the manager wants to hear WATCHDOG=1; 0: it does not. */
uint64_t notify_watchdog_usec(void);

#endif
