/* Parts of events that the files which write them share. */
#ifndef JOURNAL_PARTS_H
#define JOURNAL_PARTS_H

#include "base/json.h"
#include "journal/ocsf.h"

void part_put_known(struct json *j, const char *key, const char *s); /* nothing where s is NULL */
void part_put_formatted(struct json *j, const char *key, const char *fmt, ...) _printf_(3, 4);
void part_put_metadata(struct json *j, const struct ocsf_host *h, const struct ocsf_event *e);
void part_put_user(struct json *j, const struct ocsf_process *p);
void part_put_disposition(struct json *j, enum ocsf_disposition d);
void part_put_mark(struct json *j, const struct ocsf_event *e);

const char *part_known(const char *s); /* "-" for NULL */
const char *part_base_name(const char *path);
const char *part_process_name(const struct ocsf_process *p); /* NULL: not known */

#endif
