/* Where a connection goes, in words and as OCSF objects. */
#ifndef JOURNAL_DEST_H
#define JOURNAL_DEST_H

#include "backstop/event.h"
#include "base/json.h"

struct ocsf_event;
struct ocsf_sending;

void dest_put_endpoint(struct json *j, const struct ocsf_event *e);  /* "dst_endpoint" */
void dest_put_connection(struct json *j, const struct bs_dest *d);   /* "connection_info" */
void dest_put_sending(struct json *j, const struct ocsf_sending *s); /* "send" */

#endif
