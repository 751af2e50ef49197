/* The splitter of shell text. Whatever it tells of literal text, a scan of the text can find: each
 * run of letters of a word as a word of its own, each of what is fed as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backstop/class.h"
#include "base/strbuf.h"
#include "policy/shell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_class(char c)
{
	return bs_class[(unsigned char)c];
}

static bool is_alone(const char *text, const char *at, size_t len)
{
	return (at == text || !has_class(at[-1])) && !has_class(at[len]);
}

static bool stands_in(const char *text, const char *run, size_t len, bool alone)
{
	for (const char *at = text; (at = memmem(at, strlen(at), run, len)); at++)
		if (!alone || is_alone(text, at, len))
			return true;
	return false;
}

static void check(const char *text, const char *told, bool alone)
{
	for (const char *p = told; p && *p;) {
		size_t len = 0;

		while (has_class(p[len]))
			len++;
		if (len && !stands_in(text, p, len, alone))
			abort();
		p += len + (p[len] != '\0');
	}
}

static void check_command(void *data, const struct shell_command *c)
{
	const char *text = data;

	if (c->count == 0 || c->words[c->count])
		abort();
	for (u32 i = 0; i < c->count && !c->body; i++)
		check(text, c->words[i], true);
	check(text, c->feed.text, false);
	check(text, c->feed.file, true);
	check(text, c->feed.from, false);
}

static void count_command(void *data, const struct shell_command *c)
{
	*(u32 *)data += c->count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	u32 words = 0;

	if (size > 4096 || memchr(data, '\0', size))
		return 0;
	strbuf_add(&text, data, size);
	strbuf_addc(&text, '\n');
	if (shell_each_command(text.data, 8, true, check_command, text.data) ||
	    shell_each_command(text.data, 8, false, count_command, &words))
		abort();
	return 0;
}
