#include "guard/upgrade.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/proc.h"

#define ARGV_MAX (1 << 20)

/* Of the executable, also where another file has its name now; owned by the caller. */
static char *own_path(void)
{
	static const char deleted[] = " (deleted)";
	char *path = proc_readlink(getpid(), "exe");
	size_t len = path ? strlen(path) : 0, tail = sizeof(deleted) - 1;

	if (len > tail && !strcmp(path + len - tail, deleted))
		path[len - tail] = '\0';
	return path;
}

bool upgrade_is_due(void)
{
	_cleanup_free_ char *path = own_path();
	struct stat mine, now;

	return path && !stat("/proc/self/exe", &mine) && !stat(path, &now) &&
	       (mine.st_dev != now.st_dev || mine.st_ino != now.st_ino);
}

void upgrade_exec(void)
{
	_cleanup_strbuf_ struct strbuf words = STRBUF_INIT;
	_cleanup_free_ char *path = own_path();
	_cleanup_free_ char **argv = NULL;
	size_t argc;
	int r = proc_read_cmdline(getpid(), ARGV_MAX, &words);

	if (!r)
		argv = proc_split_words(strbuf_str(&words), words.len, &argc);
	if (path && argv)
		execv(path, argv);
	log_errno(r ?: -errno, "cannot execute %s: the old one goes on", path ?: "the new binary");
}
