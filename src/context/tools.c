/* What kubectl and terraform remember of where they work. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "context/reader.h"

#define FILE_MAX (1 << 20) /* bytes */

/* "current-context: NAME", in YAML or in JSON, at the beginning of a line. */
static char *find_context(const char *text)
{
	static const char key[] = "current-context";

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p = line + strspn(line, "\n {\"'");
		size_t len;

		if (strncmp(p, key, sizeof(key) - 1) == 0) {
			p += sizeof(key) - 1;
			p += strspn(p, "\"': \t");
			len = strcspn(p, "\"',}\r\n");
			while (len && p[len - 1] == ' ')
				len--;
			return strndup(p, len);
		}
		line = p;
	}
	return NULL;
}

/* The first of a list of files that names one. */
static char *look_in_files(const struct ask *ask, const char *files)
{
	while (*files) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		size_t len = strcspn(files, ":");
		char path[PATH_MAX];
		char *found = NULL;

		if (len && len < sizeof(path)) {
			snprintf(path, sizeof(path), "%.*s", (int)len, files);
			if (!io_read_file(ask->dir, path, FILE_MAX, &text))
				found = find_context(strbuf_str(&text));
		}
		if (found && *found)
			return found;
		free(found);
		files += len + (files[len] == ':');
	}
	return NULL;
}

int kube_answer(const struct ask *ask, struct answer *ret)
{
	const char *files = ask_last(ask, 'f'), *home = ask_last(ask, 'h');
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/.kube/config", home ?: "");
	ret->names[0] = look_in_files(ask, files ?: path);
	ret->count = ret->names[0] != NULL;
	return 0;
}

int workspace_answer(const struct ask *ask, struct answer *ret)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *dir = ask_last(ask, 'C'), *data = ask_last(ask, 'd');
	_cleanup_close_ int at = openat(ask->dir, dir ?: ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX];

	if (at < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/environment", data ?: ".terraform");
	if (io_read_file(at, path, FILE_MAX, &text))
		return 0; /* the default one */
	ret->names[0] = strndup(strbuf_str(&text), strcspn(strbuf_str(&text), "\r\n"));
	ret->count = 1;
	return 0;
}
