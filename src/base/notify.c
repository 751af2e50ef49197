#include "base/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* '@' stands for the NUL of an abstract address. The address's length, or a negative errno. */
static int parse_address(const char *name, struct sockaddr_un *ret)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2)
		return -EINVAL;
	if (len >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, len);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/');
}

static int send_text(const char *name, const char *text)
{
	struct sockaddr_un address;
	_cleanup_close_ int fd = -1;
	int len = parse_address(name, &address);

	if (len < 0)
		return len;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a manager that does not read must not hold us up */
	if (sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&address, len) < 0)
		return -errno;
	return 0;
}

int notify(const char *fmt, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	if (!name)
		return 0;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return send_text(name, text);
}

int notify_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return notify("RELOADING=1\nMONOTONIC_USEC=%llu", t.tv_sec * 1000000ULL + t.tv_nsec / 1000);
}

uint64_t notify_watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10);
}
