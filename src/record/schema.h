/* The recorder's database: made, brought up to date, or found to be of no use. */
#ifndef RECORD_SCHEMA_H
#define RECORD_SCHEMA_H

#include <sqlite3.h>

#include "base/util.h"

/* Opens the database to write it; its tables are made, or migrated from any older version. 0,
 * -EUCLEAN where it is no database or damaged, -EPROTO where it is of a newer version, or another
 * negative errno. */
int schema_open(const char *path, sqlite3 **ret);
/* To read it, while another writes; -ESTALE: it is of another version. */
int schema_open_read(const char *path, sqlite3 **ret);
static inline void schema_close_ptr(sqlite3 **db)
{
	sqlite3_close(*db);
}

int schema_version(void); /* that this program writes */
/* Brings it up to date in one transaction, but no further than `version`. */
int schema_migrate(sqlite3 *db, int version);

/* A negative errno for one of SQLite's results. */
int schema_errno(int result);
int schema_run(sqlite3 *db, const char *sql); /* 0 or a negative errno */
/* The first column of the first row; 0 where there is none. */
int schema_get(sqlite3 *db, const char *sql, int64_t *ret);

#endif
