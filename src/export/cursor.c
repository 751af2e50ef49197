#include "export/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"

#define FORMAT_READ "segment %" SCNu64 " offset %" SCNu64 "%n"
#define FILE_MODE   0640
#define TEXT_MAX    100

int cursor_read(const char *path, struct cursor *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct cursor c = { 0 };
	int end = 0, r = io_read_file(AT_FDCWD, path, TEXT_MAX, &text);

	if (r && r != -ENOENT)
		return r == -EFBIG ? -EBADMSG : r;
	if (!r && (sscanf(strbuf_str(&text), FORMAT_READ, &c.segment, &c.offset, &end) != 2 ||
		   strcmp(strbuf_str(&text) + end, "\n") != 0))
		return -EBADMSG;
	*ret = c;
	return 0;
}

int cursor_write(const char *path, const struct cursor *c)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "segment %" PRIu64 " offset %" PRIu64 "\n", c->segment,
			 c->offset);

	return io_replace_file(path, text, (size_t)n, FILE_MODE);
}
