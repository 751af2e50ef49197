/* A line of the journal, as whoever could write to the disk would have it: its link, its first
 * words as a segment's, and what the recorder reads of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal/chain.h"
#include "journal/follow.h"
#include "record/event.h"

static void check_slice(struct slice s, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	if (!s.at)
		return;
	if (s.at < line || s.len > len || s.at + s.len > line + len)
		abort();
	event_add_text(&text, s);
	if (text.len > s.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size ? size : 1);
	struct follow_opening o;
	struct chain_link l;
	struct event e;

	if (size)
		memcpy(line, data, size);
	if (chain_parse(line, size, &l) && l.covered >= size)
		abort();
	(void)follow_parse_opening(line, size, &o);
	if (event_read(line, size, &e)) {
		check_slice(e.uid, line, size);
		check_slice(e.process.uid, line, size);
		check_slice(e.process.command, line, size);
		check_slice(e.path, line, size);
		check_slice(e.reason, line, size);
		check_slice(e.session, line, size);
	}
	free(line);
	return 0;
}
