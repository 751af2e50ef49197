/* Where the settings say that events are brought. */
#ifndef POLICY_EXPORTS_H
#define POLICY_EXPORTS_H

#include "base/strbuf.h"

/* Reads the settings file and calls `each` for every export, as a spec ("https://a/b#key=/x"),
 * which is valid until it returns: NULL, or words of what it has to be. 0; -EINVAL where
 * something is wrong, which `err` tells with its place; or another negative errno, told as well. */
int settings_each_export(const char *path, const char *(*each)(void *data, const char *spec),
			 void *data, struct strbuf *err);

#endif
