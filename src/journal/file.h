/* What a deletion takes away, in words and as OCSF objects. */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include "base/json.h"
#include "journal/ocsf.h"

/* "unlink /srv/app/x" */
void file_put_action(struct strbuf *out, const struct ocsf_deletion *d);
void file_put_object(struct json *j, const struct ocsf_deletion *d);   /* "file" */
void file_put_unmapped(struct json *j, const struct ocsf_deletion *d); /* members of "backstop" */

#endif
