/* What a guard in the foreground shows: the sessions that it finds, and the feed of `watch`. */
#ifndef CLI_GUARD_FEED_H
#define CLI_GUARD_FEED_H

/* Starts a process that writes to stdout, asks over the guard's socket as anybody would, and ends
 * after this process: no terminal that is not read can make the guard wait. A failure is logged. */
void guard_feed_start(const char *socket);

#endif
