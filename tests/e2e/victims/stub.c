/* The victim: stands in for a destructive program and leaves a trace when it runs.
 *
 *	marker=PATH	a line is added to this file, before anything else
 *	exit=N		the exit status (default 0)
 *	sleep=MS	runs for so long
 *
 * All other words mean nothing to it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void leave_marker(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (fd < 0 || dprintf(fd, "ran as uid %d\n", (int)geteuid()) < 0) {
		perror(path);
		exit(99);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int status = 0, ms = 0;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "marker=", 7))
			leave_marker(argv[i] + 7);
		else if (!strncmp(argv[i], "exit=", 5))
			status = atoi(argv[i] + 5);
		else if (!strncmp(argv[i], "sleep=", 6))
			ms = atoi(argv[i] + 6);
	}
	puts("the victim ran");
	fflush(stdout);
	usleep(ms * 1000);
	return status;
}
