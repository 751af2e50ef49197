/* `policy reload`: the guard takes new settings and packs. */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include <stdbool.h>

/* The exit status; what is wrong with the settings is told as the guard tells it. */
int reload_guard(const char *socket, bool json);

#endif
