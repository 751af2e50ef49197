#include "export/nats_api.h"

#include <pthread.h>

#include "base/util.h"

#define LIBRARY "libnats.so.3.4"

struct nats_api nats;

#define CALL(name) { #name, (void **)&nats.name },
static const struct library_call calls[] = { NATS_CALLS(CALL) };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int result;
static char *why;

static void load(void)
{
	result = library_load(LIBRARY, calls, ARRAY_SIZE(calls), &why);
}

int nats_load(const char **ret_why)
{
	pthread_once(&once, load);
	if (result)
		*ret_why = why ? why : "out of memory";
	return result;
}
