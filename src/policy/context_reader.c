#include <errno.h>
#include <stdio.h>

#include "base/io.h"
#include "policy/context.h"

int context_find_reader(char **ret)
{
	static const char *const places[] = { "backstop-context",
					      "../libexec/backstop/backstop-context" };
	_cleanup_free_ char *dir = io_exe_dir();

	for (size_t i = 0; dir && i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, places[i]) < 0)
			return -ENOMEM;
		if (access(path, X_OK) == 0) {
			*ret = TAKE_PTR(path);
			return 0;
		}
	}
	return -errno;
}
