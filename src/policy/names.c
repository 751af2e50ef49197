/* The words for verdicts, severities, modes and classes, each table complete by construction. */
#include <errno.h>
#include <string.h>

#include "policy/paths.h"
#include "policy/policy.h"

#define COMPLETE(table, count) _Static_assert(ARRAY_SIZE(table) == (count), "a name is missing")

static const char *const verdict_names[] = {
	[VERDICT_ALLOW] = "allow", [VERDICT_ALERT] = "alert", [VERDICT_HOLD] = "hold",
	[VERDICT_DENY] = "deny",   [VERDICT_KILL] = "kill",
};
COMPLETE(verdict_names, VERDICT_COUNT);

static const char *const severity_names[] = {
	[SEVERITY_LOW] = "low",
	[SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high",
	[SEVERITY_CRITICAL] = "critical",
};
COMPLETE(severity_names, SEVERITY_COUNT);

static const char *const mode_names[] = {
	[MODE_ENFORCE] = "enforce",
	[MODE_SHADOW] = "shadow",
	[MODE_RECORD] = "record",
};
COMPLETE(mode_names, MODE_COUNT);

static const char *const path_class_names[] = {
	[PATH_PRECIOUS] = "precious", [PATH_SOURCE] = "source", [PATH_SCRATCH] = "scratch",
	[PATH_OUTPUT] = "output",     [PATH_HOME] = "home",	[PATH_ROOT] = "root",
	[PATH_DEVICE] = "device",     [PATH_SYSTEM] = "system", [PATH_DATA] = "data",
};
COMPLETE(path_class_names, PATH_CLASS_COUNT);

static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *verdict_name(enum verdict v)
{
	return verdict_names[v];
}

int verdict_parse(const char *name)
{
	return find_name(verdict_names, ARRAY_SIZE(verdict_names), name);
}

const char *severity_name(enum severity s)
{
	return severity_names[s];
}

int severity_parse(const char *name)
{
	return find_name(severity_names, ARRAY_SIZE(severity_names), name);
}

const char *mode_name(enum mode m)
{
	return mode_names[m];
}

int mode_parse(const char *name)
{
	return find_name(mode_names, ARRAY_SIZE(mode_names), name);
}

const char *path_class_name(enum path_class c)
{
	return path_class_names[c];
}

int path_class_parse(const char *name)
{
	return find_name(path_class_names, ARRAY_SIZE(path_class_names), name);
}
