#include "cli/prompt.h"

#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/escape.h"
#include "base/utf8.h"
#include "cli/table.h"

#define INDENT	    2
#define MIN_COLUMNS 20
#define LINE_ROWS   2  /* for each line but the action */
#define OTHER_ROWS  12 /* for all of those, and one to spare */

/* The prompt while it is made. */
struct page {
	struct strbuf *out;
	unsigned int columns, rows;
};

/* Where the locale does not know a character it is taken as wide: breaking early does no harm. */
static unsigned int width_at(const char *s, size_t len, size_t *ret_bytes)
{
	uint32_t code = 0;
	size_t n = utf8_decode(s, len, &code);
	int width = n > 1 ? wcwidth((wchar_t)code) : 1;

	*ret_bytes = MAX(n, (size_t)1);
	return width < 0 ? 2 : (unsigned int)width;
}

/* Appends a line, broken at the width, all but its first row indented; stops after `max` rows. Did
 * all of it fit? */
static bool add_line(struct page *p, const struct strbuf *text, unsigned int max)
{
	unsigned int column = 0, rows = 1, width;
	bool whole = true;
	size_t bytes;

	for (size_t i = 0; i < text->len && whole; i += bytes) {
		width = width_at(text->data + i, text->len - i, &bytes);
		if (column + width >= p->columns) {
			whole = rows < max;
			if (!whole)
				break;
			strbuf_addf(p->out, "\n%*s", INDENT, "");
			column = INDENT;
			rows++;
		}
		strbuf_add(p->out, text->data + i, bytes);
		column += width;
	}
	strbuf_addc(p->out, '\n');
	p->rows += rows;
	return whole;
}

static void add_title(struct strbuf *out, const json_t *hold, size_t others)
{
	time_t expires = member_uint(hold, "expires_ms") / 1000;
	struct tm tm;
	char until[32];

	strbuf_adds(out, "hold ");
	add_member(out, hold, "id");
	strbuf_adds(out, " of agent ");
	add_member(out, hold, "agent");
	strbuf_adds(out, ", user ");
	add_member(out, hold, "user");
	if (localtime_r(&expires, &tm) && strftime(until, sizeof(until), "%T", &tm))
		strbuf_addf(out, ", denied at %s", until);
	if (others > 0)
		strbuf_addf(out, ", %zu more wait", others);
}

static void add_reason(struct strbuf *out, const json_t *hold)
{
	strbuf_adds(out, "  why: ");
	add_member(out, hold, "why");
	strbuf_adds(out, " (");
	add_member(out, hold, "signature");
	strbuf_adds(out, ", ");
	add_member(out, hold, "severity");
	strbuf_addc(out, ')');
}

static void add_keys(struct strbuf *out, const json_t *hold, bool whole)
{
	if (whole) {
		strbuf_adds(out, "[a] approve  [d] deny  [s] skip  [q] quit");
		return;
	}
	strbuf_adds(out, "too long to show: 'backstop pending', 'backstop approve ");
	add_member(out, hold, "id");
	strbuf_adds(out, "'  [d] deny  [s] skip  [q] quit");
}

enum { TITLE, ACTION, DIRECTORY, REASON, CONTEXT, INSTEAD, LINES };

static bool add_hold(struct page *p, const json_t *hold, size_t others, unsigned int action_rows)
{
	struct strbuf lines[LINES] = { 0 };
	bool whole = true;

	add_title(&lines[TITLE], hold, others);
	strbuf_adds(&lines[ACTION], "  ");
	add_action(&lines[ACTION], hold);
	strbuf_adds(&lines[DIRECTORY], "  in ");
	add_member(&lines[DIRECTORY], hold, "cwd");
	add_reason(&lines[REASON], hold);
	if (json_object_get(hold, "context")) {
		strbuf_adds(&lines[CONTEXT], "  context: ");
		add_member(&lines[CONTEXT], hold, "context");
	}
	strbuf_adds(&lines[INSTEAD], "  instead: ");
	add_member(&lines[INSTEAD], hold, "instead");
	for (int i = 0; i < LINES; i++) {
		bool fits = lines[i].len == 0 ||
			    add_line(p, &lines[i], i == ACTION ? action_rows : LINE_ROWS);

		whole = whole && (fits || i == TITLE || i == REASON || i == INSTEAD);
		strbuf_free(&lines[i]);
	}
	return whole;
}

struct prompt prompt_add(struct strbuf *out, const json_t *hold, size_t others,
			 struct prompt_size size)
{
	struct page page = { .out = out, .columns = MAX(size.columns, MIN_COLUMNS) };
	_cleanup_strbuf_ struct strbuf keys = STRBUF_INIT;
	bool whole;

	if (!hold) {
		strbuf_adds(out, "no action is held  [q] quit");
		return (struct prompt) { .rows = 1 };
	}
	whole = add_hold(&page, hold, others, size.rows > OTHER_ROWS ? size.rows - OTHER_ROWS : 1);
	add_keys(&keys, hold, whole);
	(void)add_line(&page, &keys, LINE_ROWS);
	strbuf_truncate(out, out->len - 1);
	return (struct prompt) { .rows = page.rows, .whole = whole };
}

void prompt_erase(struct strbuf *out, unsigned int rows)
{
	if (rows == 0)
		return;
	strbuf_addc(out, '\r');
	if (rows > 1)
		strbuf_addf(out, "\033[%uA", rows - 1);
	strbuf_adds(out, "\033[J");
}
