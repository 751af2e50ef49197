#include "journal/head.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

#define HEAD_NAME "head"
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"

struct stored {
	char magic[8];
	struct head head;
	uint8_t hash[CHAIN_HASH], padding[4];
};

static const char magic[8] = "bs-head";

static int path_of(char *ret, const char *keys_dir)
{
	return snprintf(ret, PATH_MAX, "%s/" HEAD_NAME, keys_dir) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int head_open(const char *keys_dir)
{
	char path[PATH_MAX];
	int r = path_of(path, keys_dir);

	if (r)
		return r;
	r = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	return r < 0 ? -errno : r;
}

int head_write(int fd, const struct chain_keys *k, const struct head *h)
{
	struct stored s;

	memset(&s, 0, sizeof(s));
	memcpy(s.magic, magic, sizeof(magic));
	s.head = *h;
	chain_seal(k, &s, offsetof(struct stored, hash), s.hash);
	return pwrite(fd, &s, sizeof(s), 0) == sizeof(s) ? 0 : -EIO;
}

int head_read(const char *keys_dir, const struct chain_keys *k, struct head *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	uint8_t hash[CHAIN_HASH];
	char path[PATH_MAX];
	struct stored s;
	int r = path_of(path, keys_dir);

	if (!r)
		r = io_read_file(AT_FDCWD, path, sizeof(s), &text);
	if (r)
		return r == -EFBIG ? -EBADMSG : r;
	if (text.len != sizeof(s))
		return -EBADMSG;
	memcpy(&s, text.data, sizeof(s));
	chain_seal(k, &s, offsetof(struct stored, hash), hash);
	if (memcmp(s.magic, magic, sizeof(magic)) || memcmp(hash, s.hash, sizeof(hash)))
		return -EBADMSG;
	*ret = s.head;
	return 0;
}

int head_read_boot(char *ret, size_t size)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	int r = io_read_file(AT_FDCWD, BOOT_FILE, 64, &text);

	if (r)
		return r;
	memset(ret, 0, size);
	memcpy(ret, strbuf_str(&text), MIN(strcspn(strbuf_str(&text), "\n"), size - 1));
	return 0;
}
