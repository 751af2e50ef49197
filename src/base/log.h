/* Messages to people, on stderr, one line each, prefixed with the program's name. Library code is
 * silent above debug: callers log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* What is less urgent than `level` is not printed. The default is LOG_INFO. */
void log_set_level(enum log_level level);

/* For daemons whose log is a file: what is said from now on goes to `fd`, which is taken, each line
 * with the local time. Nothing happens where `fd` is 0 or less. */
void log_to(int fd);

void log_at(enum log_level level, const char *fmt, ...) _printf_(2, 3);

/* Logs "<message>: <strerror(-err)>" as an error and returns `err` (a negative errno), so that
 * log-and-return is one statement. */
int log_errno(int err, const char *fmt, ...) _printf_(2, 3);

#define log_error(...)	 log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_DEBUG, __VA_ARGS__)

#endif
