#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/strbuf.h"

static enum log_level max_level = LOG_INFO;
static bool timestamps;

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_to(int fd)
{
	if (fd <= 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
	timestamps = true;
}

static void begin_line(struct strbuf *line)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	if (timestamps && localtime_r(&now, &tm) &&
	    strftime(stamp, sizeof(stamp), "%F %T ", &tm) > 0)
		strbuf_adds(line, stamp);
	strbuf_addf(line, "%s: ", program_invocation_short_name);
}

/* One write, so that lines of several processes on one stderr do not mix. */
static void end_line(struct strbuf *line)
{
	if (line->len && line->data[line->len - 1] != '\n')
		strbuf_addc(line, '\n');
	if (!strbuf_error(line))
		(void)io_write_all(STDERR_FILENO, line->data, line->len);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	va_list args;

	if (level > max_level)
		return;
	begin_line(&line);
	va_start(args, fmt);
	strbuf_vaddf(&line, fmt, args);
	va_end(args);
	end_line(&line);
}

int log_errno(int err, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf line = STRBUF_INIT;
	va_list args;

	begin_line(&line);
	va_start(args, fmt);
	strbuf_vaddf(&line, fmt, args);
	va_end(args);
	strbuf_addf(&line, ": %s", strerror(-err));
	end_line(&line);
	return err;
}
