/* Any text as SQL. A statement after all that is closed is seen, whatever stands before it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	strbuf_add(&text, data, size);
	sql_only_reads(strbuf_str(&text), text.len);
	/* what is with these literals may be with others */
	if ((sql_is_destructive(strbuf_str(&text), text.len, SQL_ANY) ||
	     sql_is_destructive(strbuf_str(&text), text.len, SQL_MYSQL)) &&
	    !sql_may_be_destructive(strbuf_str(&text), text.len))
		abort();
	sql_is_destructive(strbuf_str(&text), text.len, SQL_SQLITE);
	if (strpbrk(strbuf_str(&text), "'\"`$/\\#-[") || strlen(strbuf_str(&text)) != size)
		return 0;
	/* nothing can be open in it */
	strbuf_adds(&text, ";drop table x");
	if (!sql_is_destructive(text.data, text.len, SQL_ANY) ||
	    sql_only_reads(text.data, text.len))
		abort();
	strbuf_adds(&text, ";select 1");
	if (!sql_is_destructive(text.data, text.len, SQL_ANY) ||
	    !sql_is_destructive(text.data, text.len, SQL_MSSQL))
		abort();
	return 0;
}
