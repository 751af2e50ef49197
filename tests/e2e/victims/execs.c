/* execs TASKS ROUNDS BYTES: TASKS processes at once, each of which ROUNDS times starts a child that
 * executes this program, waits for it, and executes this program itself; with BYTES more in argv.
 * Says how many execs there were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed(const char *what)
{
	perror(what);
	return 1;
}

static int execute(const char *rounds, char *padding)
{
	char *argv[] = { (char *)"execs", (char *)"-", (char *)rounds, padding, NULL };

	execv("/proc/self/exe", argv);
	return failed("execv");
}

static int wait_for(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int go_on(int rounds, char *padding)
{
	char left[16];
	pid_t child;

	if (!rounds)
		return 0;
	child = fork();
	if (!child)
		_exit(execute("0", padding));
	if (wait_for(child))
		return 1;
	snprintf(left, sizeof(left), "%d", rounds - 1);
	return execute(left, padding);
}

int main(int argc, char **argv)
{
	int tasks, rounds, result = 0;
	char *padding;

	if (argc == 4 && !strcmp(argv[1], "-"))
		return go_on(atoi(argv[2]), argv[3]);
	if (argc != 4 || !(padding = calloc(1, (size_t)atoi(argv[3]) + 1)))
		return 2;
	memset(padding, 'x', (size_t)atoi(argv[3]));
	tasks = atoi(argv[1]);
	rounds = atoi(argv[2]);
	for (int i = 0; i < tasks; i++)
		if (!fork())
			_exit(go_on(rounds, padding));
	for (int i = 0; i < tasks; i++)
		result |= wait_for(-1) != 0;
	printf("execs: %d\n", 2 * tasks * rounds);
	return result;
}
