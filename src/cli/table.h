/* What commands print for people: tables, durations, values out of the guard's JSON. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <jansson.h>
#include <libsmartcols.h>
#include <stdint.h>

#include "base/strbuf.h"

struct table_column {
	const char *name;
	int flags; /* SCOLS_FL_… */
};

/* NULL with errno. */
struct libscols_table *table_new(const struct table_column *columns, size_t count);
DEFINE_CLEANUP(struct libscols_table, scols_unref_table);
/* `cells` are as many as there are columns; nothing of them is escaped here. 0 or a negative errno.
 */
int table_add(struct libscols_table *t, const struct strbuf *cells);
/* To stdout. 0 or a negative errno. */
int table_print(struct libscols_table *t);

/* "12 s", "5 min 3 s", "3 h 12 min", "2 d 4 h". */
void add_duration(struct strbuf *out, uint64_t ms);
/* "2026-01-31 12:00:00.123", in local time; "-" where it is no time. */
void add_time(struct strbuf *out, uint64_t ms);
/* The member's value, escaped; "-" where it is absent, null or empty. */
void add_member(struct strbuf *out, const json_t *object, const char *key);
/* The words of a JSON array as a shell would need them typed. */
void add_words(struct strbuf *out, const json_t *array);
/* What a hold is about: its words; of a connection "connect 10.0.0.5:5432 by psql", of a
 * deletion "unlink /srv/app/x by rm -r /srv/app". */
void add_action(struct strbuf *out, const json_t *hold);
/* 0 where the member is no integer or less than 0. */
uint64_t member_uint(const json_t *object, const char *key);
uint64_t epoch_ms(void);

#endif
