#include "base/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

#define FILE_MAX 65536 /* of a text file of /proc that is parsed here */

static int read_proc_file(pid_t pid, const char *name, size_t max, struct strbuf *ret)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	err = io_read_file(AT_FDCWD, path, max, ret);
	return err == -ENOENT ? -ESRCH : err;
}

int proc_read_cmdline(pid_t pid, size_t max, struct strbuf *ret)
{
	return read_proc_file(pid, "cmdline", max, ret);
}

int proc_read_environ(pid_t pid, size_t max, struct strbuf *ret)
{
	return read_proc_file(pid, "environ", max, ret);
}

char *proc_readlink(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return io_readlink(AT_FDCWD, path);
}

/* The name may hold anything, parentheses and newlines too: it ends at the last one. */
static int parse_stat(const char *text, struct proc_stat *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct proc_stat st = { 0 };

	if (!open || !close || close < open)
		return -EINVAL;
	if (sscanf(close + 1,
		   " %c %d %d %d %d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &st.state, &st.ppid, &st.pgrp, &st.session, &st.tty_nr, &st.start_time) != 6)
		return -EINVAL;
	memcpy(st.comm, open + 1, MIN((size_t)(close - open - 1), sizeof(st.comm) - 1));
	*ret = st;
	return 0;
}

int proc_read_stat(pid_t pid, struct proc_stat *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int err = read_proc_file(pid, "stat", FILE_MAX, &text);

	return err ? err : parse_stat(strbuf_str(&text), ret);
}

/* What follows "\nKEY:" in the text of a status file, or NULL. The name in its first line is
 * escaped by the kernel, so no process can forge a line. */
static const char *status_field(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, key, len) && p[len] == ':')
			return p + len + 1;
	}
	return NULL;
}

int proc_read_ids(pid_t pid, struct proc_ids *ret)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;
	int r = read_proc_file(pid, "status", 65536, &sb);
	const char *value = r ? NULL : status_field(strbuf_str(&sb), "Uid");
	struct proc_ids ids;

	if (r)
		return r;
	if (!value || sscanf(value, "%u %u", &ids.uid, &ids.euid) != 2)
		return -EBADMSG;
	*ret = ids;
	return 0;
}

static bool status_mask(const char *text, const char *key, uint64_t *ret)
{
	const char *field = status_field(text, key);

	return field && sscanf(field, "%" SCNx64, ret) == 1;
}

/* NSpid lists the process's number in each namespace, the innermost last. */
static bool status_is_init(const char *text)
{
	const char *field = status_field(text, "NSpid"), *end;

	if (!field)
		return false;
	end = strchrnul(field, '\n');
	while (end > field && isspace(end[-1]))
		end--;
	return end - field >= 2 && end[-1] == '1' && isspace(end[-2]);
}

int proc_read_signals(pid_t pid, struct proc_signals *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct proc_signals s = { 0 };
	uint64_t shared = 0;
	int err = read_proc_file(pid, "status", FILE_MAX, &text);
	const char *t = strbuf_str(&text);

	if (err)
		return err;
	if (!status_mask(t, "SigPnd", &s.pending) || !status_mask(t, "ShdPnd", &shared) ||
	    !status_mask(t, "SigBlk", &s.blocked) || !status_mask(t, "SigIgn", &s.ignored))
		return -EINVAL;
	s.pending |= shared;
	s.init = status_is_init(t);
	*ret = s;
	return 0;
}

static size_t count_words(const char *data, size_t len)
{
	size_t count = len && data[len - 1] ? 1 : 0;

	for (size_t i = 0; i < len; i++)
		count += !data[i];
	return count;
}

char **proc_split_words(const char *data, size_t len, size_t *ret_count)
{
	size_t count = count_words(data, len);
	char **words = malloc((count + 1) * sizeof(*words) + len + 1);
	char *p;

	if (!words)
		return NULL;
	p = (char *)(words + count + 1);
	if (len)
		memcpy(p, data, len);
	p[len] = '\0';
	for (size_t i = 0; i < count; i++) {
		words[i] = p;
		p += strlen(p) + 1;
	}
	words[count] = NULL;
	if (ret_count)
		*ret_count = count;
	return words;
}

char **proc_copy_words(char *const *words)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	for (; words && *words; words++)
		strbuf_add(&all, *words, strlen(*words) + 1);
	if (!all.len || strbuf_error(&all))
		return NULL;
	return proc_split_words(strbuf_str(&all), all.len, NULL);
}

int proc_drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capset, &head, none) ? -errno : 0;
}
