/* observe: where nothing is asked, as in the modes shadow and record, a candidate is told and goes.
 */
#include "shared.h"
#include "send.h"

/* When the guard reads, its process may have the bytes no more: all are told. Of a packet those
 * behind the first were. */
__noinline int send_observe(struct send_work *w)
{
	if (!w)
		return PASS;
	COUNT(candidates);
	w->stream.asked = w->stream.position;
	if (!(w->stream.flags & STREAM_LATE))
		w->stream.since = w->stream.position;
	w->event.buffer = 0;
	if (w->event.source != BS_SEND_EGRESS) {
		send_more(w);
		send_again(w);
	}
	memo_note(w);
	send_told(w);
	send_answered(w, STREAM_WATCH | STREAM_LATE);
	return PASS;
}
