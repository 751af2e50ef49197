/* Paths as text: nothing is looked up. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/util.h"

/* `path`, from `dir` where it is relative, without "//", "." and ".."; owned by the caller, NULL
 * with errno. */
char *path_join(const char *dir, const char *path);
/* What stands behind the last slash. */
const char *path_base(const char *path);

#endif
