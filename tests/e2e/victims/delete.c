/* delete WAY FILE [OTHER]: loses FILE by one system call, and says what came of it. OTHER is a file
 * beside it. With "each" or "clobber" it loses all files that the directory FILE has: removed, or
 * replaced by those that have the same names in OTHER. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *file, *other;

static int in_dir(int (*act)(int dir, const char *name))
{
	char *path = strdup(file), *base = strdup(file);
	int dir = open(dirname(path), O_RDONLY | O_DIRECTORY);
	int r = act(dir, basename(base));

	close(dir);
	free(path);
	free(base);
	return r;
}

static int act_unlinkat(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

static int act_removedir(int dir, const char *name)
{
	return unlinkat(dir, name, AT_REMOVEDIR);
}

static int act_chdir(int dir, const char *name)
{
	return fchdir(dir) ?: unlink(name);
}

static int by_unlink(void)
{
	return unlink(file);
}

static int by_unlinkat(void)
{
	return in_dir(act_unlinkat);
}

static int by_chdir(void)
{
	return in_dir(act_chdir);
}

static int by_rmdir(void)
{
	return rmdir(file);
}

static int by_removedir(void)
{
	return in_dir(act_removedir);
}

static int by_rename(void)
{
	return rename(other, file);
}

static int by_exchange(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, other, AT_FDCWD, file, 2 /* RENAME_EXCHANGE */);
}

static int by_truncate(void)
{
	return truncate(file, 0);
}

static int by_ftruncate(void)
{
	int fd = open(file, O_WRONLY), r = ftruncate(fd, 0);

	close(fd);
	return r;
}

static int opened(int fd)
{
	if (fd < 0)
		return fd;
	return close(fd);
}

static int by_open(void)
{
	return opened(open(file, O_WRONLY | O_TRUNC));
}

static int by_creat(void)
{
	return opened(creat(file, 0644));
}

static int by_openat2(void)
{
	struct open_how how = { .flags = O_WRONLY | O_TRUNC };

	return opened(syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how)));
}

static int by_shrink(void)
{
	return truncate(file, 1);
}

static int act_fallocate(int mode)
{
	int fd = open(file, O_WRONLY);
	int r = fallocate(fd, mode, 0, 4096);

	close(fd);
	return r;
}

static int by_punch(void)
{
	return act_fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int by_zero(void)
{
	return act_fallocate(FALLOC_FL_ZERO_RANGE);
}

static int by_collapse(void)
{
	return act_fallocate(FALLOC_FL_COLLAPSE_RANGE);
}

static void *run_thread(void *result)
{
	*(int *)result = unlink(file) ? errno : 0;
	return NULL;
}

static int by_thread(void)
{
	pthread_t thread;
	int result;

	pthread_create(&thread, NULL, run_thread, &result);
	pthread_join(thread, NULL);
	errno = result;
	return result ? -1 : 0;
}

static int by_fork(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(unlink(file) ? errno : 0);
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EOWNERDEAD;
	return errno ? -1 : 0;
}

/* ---- all files of a directory */

static int on_each(int (*act)(int dir, const char *name))
{
	DIR *d = opendir(file);
	struct dirent *e;
	int r = d ? 0 : -1;

	while (!r && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = act(dirfd(d), e->d_name);
	if (d)
		closedir(d);
	return r;
}

static int by_each(void)
{
	return on_each(act_unlinkat);
}

static int act_clobber(int dir, const char *name)
{
	int from = open(other, O_RDONLY | O_DIRECTORY);
	int r = renameat(from, name, dir, name);

	close(from);
	return r;
}

static int by_clobber(void)
{
	return on_each(act_clobber);
}

/* ---- many threads at once */

#define THREADS 8

struct tries {
	pthread_t thread;
	const char *file;
	int count, ok, refused, odd;
};

static void *try_all(void *data)
{
	struct tries *t = data;

	for (int i = 0; i < t->count; i++) {
		if (!unlink(t->file))
			t->ok++;
		else if (errno == EPERM)
			t->refused++;
		else
			t->odd++;
	}
	return NULL;
}

/* Each thread has a file, and tries it so often. */
static int by_threads(char **files, int count)
{
	struct tries all[THREADS] = { 0 };
	int ok = 0, refused = 0, odd = 0;

	for (int i = 0; i < THREADS; i++) {
		all[i].file = files[i];
		all[i].count = count;
		pthread_create(&all[i].thread, NULL, try_all, &all[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i].thread, NULL);
		ok += all[i].ok;
		refused += all[i].refused;
		odd += all[i].odd;
	}
	printf("ok %d refused %d odd %d\n", ok, refused, odd);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} ways[] = {
	{ "unlink", by_unlink },     { "unlinkat", by_unlinkat },   { "chdir", by_chdir },
	{ "rmdir", by_rmdir },	     { "removedir", by_removedir }, { "rename", by_rename },
	{ "exchange", by_exchange }, { "truncate", by_truncate },   { "ftruncate", by_ftruncate },
	{ "open", by_open },	     { "creat", by_creat },	    { "openat2", by_openat2 },
	{ "punch", by_punch },	     { "zero", by_zero },	    { "collapse", by_collapse },
	{ "shrink", by_shrink },     { "thread", by_thread },	    { "fork", by_fork },
	{ "each", by_each },	     { "clobber", by_clobber },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "threads") && argc == 3 + THREADS)
		return by_threads(argv + 3, atoi(argv[2]));
	file = argv[2];
	other = argv[3];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, argv[1]))
			continue;
		if (!ways[i].run()) {
			puts("OK");
			return 0;
		}
		puts(errno == EPERM ? "EPERM" : strerror(errno));
		return 1;
	}
	return 2;
}
