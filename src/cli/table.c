#include "cli/table.h"

#include <errno.h>
#include <time.h>

#include "base/escape.h"

struct libscols_table *table_new(const struct table_column *columns, size_t count)
{
	_cleanup_(scols_unref_table_ptr) struct libscols_table *t = NULL;

	scols_init_debug(0);
	t = scols_new_table();
	if (!t)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!scols_table_new_column(t, columns[i].name, 0, columns[i].flags))
			return NULL;
	return TAKE_PTR(t);
}

int table_add(struct libscols_table *t, const struct strbuf *cells)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	int err = line ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < scols_table_get_ncols(t); i++)
		err = scols_line_set_data(line, i, strbuf_str(&cells[i]));
	return err;
}

int table_print(struct libscols_table *t)
{
	return scols_print_table(t);
}

void add_duration(struct strbuf *out, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 60)
		strbuf_addf(out, "%u s", (unsigned int)s);
	else if (s < 3600)
		strbuf_addf(out, "%u min %u s", (unsigned int)(s / 60), (unsigned int)(s % 60));
	else if (s < 86400)
		strbuf_addf(out, "%u h %u min", (unsigned int)(s / 3600),
			    (unsigned int)(s % 3600 / 60));
	else
		strbuf_addf(out, "%ju d %u h", (uintmax_t)(s / 86400),
			    (unsigned int)(s % 86400 / 3600));
}

void add_time(struct strbuf *out, uint64_t ms)
{
	time_t seconds = ms / 1000;
	char stamp[64];
	struct tm tm;

	if (localtime_r(&seconds, &tm) && strftime(stamp, sizeof(stamp), "%F %T", &tm))
		strbuf_addf(out, "%s.%03u", stamp, (unsigned int)(ms % 1000));
	else
		strbuf_addc(out, '-');
}

void add_member(struct strbuf *out, const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (json_is_integer(v))
		strbuf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		strbuf_adds(out, json_is_true(v) ? "yes" : "no");
	else if (json_string_length(v) > 0)
		escape_bytes(out, json_string_value(v), json_string_length(v));
	else
		strbuf_addc(out, '-');
}

void add_words(struct strbuf *out, const json_t *array)
{
	const json_t *word;
	size_t i;

	json_array_foreach(array, i, word)
	{
		if (i > 0)
			strbuf_addc(out, ' ');
		escape_word(out, json_is_string(word) ? json_string_value(word) : "");
	}
}

void add_action(struct strbuf *out, const json_t *hold)
{
	if (json_is_string(json_object_get(hold, "dest"))) {
		add_member(out, hold, "action");
		strbuf_addc(out, ' ');
		add_member(out, hold, "dest");
		strbuf_adds(out, " by ");
	}
	if (json_is_string(json_object_get(hold, "path"))) {
		add_member(out, hold, "deletion");
		strbuf_addc(out, ' ');
		add_member(out, hold, "path");
		strbuf_adds(out, " by ");
	}
	add_words(out, json_object_get(hold, "argv"));
}

uint64_t member_uint(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? n : 0;
}

uint64_t epoch_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}
