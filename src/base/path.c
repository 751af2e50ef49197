#include "base/path.h"

#include <string.h>

#include "base/strbuf.h"

static void drop_last(struct strbuf *out)
{
	while (out->len && out->data[out->len - 1] != '/')
		strbuf_truncate(out, out->len - 1);
	strbuf_truncate(out, out->len ? out->len - 1 : 0);
}

static void add(struct strbuf *out, const char *path)
{
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && !strncmp(p, "..", 2)) {
			drop_last(out);
		} else if (len && !(len == 1 && *p == '.')) {
			strbuf_addc(out, '/');
			strbuf_add(out, p, len);
		}
		p += len + (p[len] == '/');
	}
}

char *path_join(const char *dir, const char *path)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	if (path[0] != '/')
		add(&out, dir);
	add(&out, path);
	if (!out.len)
		strbuf_addc(&out, '/');
	return strbuf_take(&out);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
