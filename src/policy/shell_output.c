/* What commands that only print write, as far as their words tell it. */
#include "policy/shell.h"

#include <string.h>

#include "backstop/class.h"
#include "base/strbuf.h"

bool shell_is_redirection(const char *name)
{
	return strcmp(name, ">") == 0 || strcmp(name, ">>") == 0;
}

bool shell_is_definition(const char *name)
{
	return strcmp(name, "function") == 0;
}

char *shell_join(const char *before, char *const *words, u32 count)
{
	size_t len = before ? strlen(before) + 1 : 1;
	char *text, *end;

	for (u32 i = 0; i < count; i++)
		len += strlen(words[i]) + 1;
	end = text = malloc(len);
	if (!text)
		return NULL;
	end = stpcpy(end, before ? before : "");
	for (u32 i = 0; i < count; i++)
		end = stpcpy(stpcpy(end, i ? " " : ""), words[i]);
	return text;
}

/* The escape at `p`. False where a number could stand for a letter, which no scan would find. */
static bool add_escape(struct strbuf *out, const char **p)
{
	static const char known[] = "n\nt\tr\rv\vf\fa\a\\\\\"\"''";
	char c = (*p)[1];

	if (!c || strchr("01234567xuUceEb", c))
		return false;
	for (const char *k = known; *k; k += 2)
		if (*k == c) {
			strbuf_addc(out, k[1]);
			(*p)++;
			return true;
		}
	strbuf_addc(out, '\\');
	return true;
}

/* Two runs of letters that only the output has side by side are found in no scan. */
static bool joins(const struct strbuf *out, char c)
{
	return out->len && bs_class[(unsigned char)out->data[out->len - 1]] &&
	       bs_class[(unsigned char)c];
}

/* False where what `text` stands for is not known. */
static bool add_unescaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text != '\\')
			strbuf_addc(out, *text);
		else if (!add_escape(out, &text))
			return false;
	}
	return true;
}

static bool is_echo_option(const char *word)
{
	return word[0] == '-' && word[1] && !word[1 + strspn(word + 1, "neE")];
}

static bool add_echo(struct strbuf *out, char *const *words, u32 count)
{
	u32 i = 1;

	while (i < count && is_echo_option(words[i]))
		i++;
	for (; i < count; i++) {
		if (!add_unescaped(out, words[i]))
			return false;
		strbuf_adds(out, i + 1 < count ? " " : "");
	}
	strbuf_adds(out, "\n");
	return true;
}

/* One conversion, %s or %d, at `*p`. */
static bool add_converted(struct strbuf *out, const char **p, const char *arg)
{
	(*p)++;
	if (**p == '%') {
		strbuf_adds(out, "%");
		return true;
	}
	if (!**p || !strchr("sdiubq", **p) || joins(out, *arg))
		return false;
	if (**p == 'b')
		return add_unescaped(out, arg);
	strbuf_adds(out, arg);
	return true;
}

/* One pass over the format; `*at`: the argument that is due. */
static bool add_format(struct strbuf *out, const char *format, char *const *words, u32 count,
		       u32 *at)
{
	bool converted = out->len > 0;

	for (const char *p = format; *p; p++) {
		if (converted && *p != '%' && joins(out, *p))
			return false;
		converted = *p == '%' && p[1] != '%';
		if (*p == '%') {
			if (!add_converted(out, &p, *at < count ? words[*at] : ""))
				return false;
			*at += converted;
		} else if (*p != '\\') {
			strbuf_addc(out, *p);
		} else if (!add_escape(out, &p)) {
			return false;
		}
	}
	return true;
}

static bool add_printf(struct strbuf *out, char *const *words, u32 count)
{
	u32 format = 1, at, before;

	if (format < count && strcmp(words[format], "--") == 0)
		format++;
	if (format >= count)
		return false;
	at = format + 1;
	do {
		before = at;
		if (!add_format(out, words[format], words, count, &at))
			return false;
	} while (at < count && at > before);
	return true;
}

static bool add_cat(struct strbuf *out, char *const *words, u32 count, const struct shell_feed *in)
{
	if (count == 2 && strcmp(words[1], "/dev/null") == 0)
		return true;
	if (!in->text || count > 2 || (count == 2 && strcmp(words[1], "-") != 0))
		return false;
	strbuf_adds(out, in->text);
	return true;
}

char *shell_output(char *const *words, u32 count, const struct shell_feed *in)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	bool known = false;

	if (count == 0 || strcmp(words[0], ":") == 0 || strcmp(words[0], "true") == 0)
		known = true;
	else if (strcmp(words[0], "echo") == 0)
		known = add_echo(&out, words, count);
	else if (strcmp(words[0], "printf") == 0)
		known = add_printf(&out, words, count);
	else if (strcmp(words[0], "cat") == 0)
		known = add_cat(&out, words, count, in);
	else if (strcmp(words[0], "tee") == 0)
		known = add_cat(&out, words, 1, in);
	return known ? strdup(strbuf_str(&out)) : NULL;
}
