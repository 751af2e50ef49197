#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static int fail(char **ret_why)
{
	const char *why = dlerror();

	*ret_why = strdup(why ? why : "unknown");
	return -ELIBACC;
}

int library_load(const char *file, const struct library_call *calls, size_t count, char **ret_why)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	for (size_t i = 0; library && i < count; i++)
		if (!dlsym(library, calls[i].name))
			return fail(ret_why);
	if (!library)
		return fail(ret_why);
	for (size_t i = 0; i < count; i++)
		*calls[i].where = dlsym(library, calls[i].name);
	return 0;
}
