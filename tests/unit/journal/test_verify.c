#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "chained.h"

/* Three segments or more, and the second in `ret`. */
static void make(struct strbuf *ret)
{
	struct journal *j = open_journal(4096);
	struct verify_report r;

	fill(j, 100);
	journal_close(j);
	assert_string_equal(verified(&r), "");
	assert_true(r.segments >= 3);
	read_segment(2, ret);
}

static int count_lines(const struct strbuf *text)
{
	int n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

static void assert_one_bad(const char *want)
{
	struct verify_report r;
	const char *said = verified(&r);

	if (!strstr(said, want) || strchr(said, '\n') != said + strlen(said) - 1)
		print_error("said: %s", said);
	assert_non_null(strstr(said, want));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_int_equal(r.bad, 1);
}

/* Each byte of a line, its own link included. */
static void test_edited(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	size_t from, to;

	make(&text);
	from = line_at(&text, 3);
	to = line_at(&text, 4) - 1;
	for (size_t i = from; i < to; i++) {
		struct verify_report r;

		text.data[i] ^= 1;
		write_segment(2, text.data, text.len);
		text.data[i] ^= 1;
		if (!strstr(verified(&r), "bad 2.jsonl:3: "))
			print_error("byte %zu: %s", i - from, verified(&r));
		assert_non_null(strstr(verified(&r), "bad 2.jsonl:3: "));
		assert_int_equal(r.bad, 1);
	}
}

static void test_changed_is_named(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	text.data[line_at(&text, 3) + 5] = '9';
	write_segment(2, text.data, text.len);
	assert_one_bad(" was changed\n");
}

static void remove_lines(struct strbuf *text, int from, int to)
{
	size_t start = line_at(text, from), end = line_at(text, to + 1);

	memmove(text->data + start, text->data + end, text->len - end);
	strbuf_truncate(text, text->len - (end - start));
}

static void test_removed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	remove_lines(&text, 4, 6);
	write_segment(2, text.data, text.len);
	assert_one_bad("bad 2.jsonl:4: lines ");
	assert_one_bad(" are missing before it\n");
}

static void test_reordered(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, changed = STRBUF_INIT;
	size_t a, b, c;

	make(&text);
	a = line_at(&text, 3);
	b = line_at(&text, 4);
	c = line_at(&text, 5);
	strbuf_add(&changed, text.data, a);
	strbuf_add(&changed, text.data + b, c - b);
	strbuf_add(&changed, text.data + a, b - a);
	strbuf_add(&changed, text.data + c, text.len - c);
	write_segment(2, changed.data, changed.len);
	assert_one_bad("bad 2.jsonl:3: lines ");
}

static void test_twice(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, changed = STRBUF_INIT;
	size_t a, b;

	make(&text);
	a = line_at(&text, 3);
	b = line_at(&text, 4);
	strbuf_add(&changed, text.data, b);
	strbuf_add(&changed, text.data + a, text.len - a);
	write_segment(2, changed.data, changed.len);
	assert_one_bad("bad 2.jsonl:4: line ");
	assert_one_bad("lines were put in another order, or twice\n");
}

static void test_foreign(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, changed = STRBUF_INIT;
	size_t a;

	make(&text);
	a = line_at(&text, 3);
	strbuf_add(&changed, text.data, a);
	strbuf_adds(&changed, "{\"class_uid\":1007}\n");
	strbuf_add(&changed, text.data + a, text.len - a);
	write_segment(2, changed.data, changed.len);
	assert_one_bad("bad 2.jsonl:3: is no line of this journal");
}

static void test_cut_in_the_middle(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	write_segment(2, text.data, line_at(&text, count_lines(&text)));
	assert_one_bad("bad 3.jsonl:1: goes on from line ");
}

static void test_rest_of_a_line(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct verify_report r;

	make(&text);
	strbuf_free(&text);
	read_segment(1, &text);
	for (uint64_t i = 2; !access(path_of(i), F_OK); i++)
		unlink(path_of(i));
	strbuf_adds(&text, "{\"class");
	write_segment(1, text.data, text.len);
	assert_non_null(
		strstr(verified(&r), "note 1.jsonl:0: 7 bytes behind its last line are none"));
}

static void cut_end(uint64_t segment, int lines)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	read_segment(segment, &text);
	write_segment(segment, text.data, line_at(&text, count_lines(&text) + 1 - lines));
}

static uint64_t newest(void)
{
	uint64_t index = 1;

	while (!access(path_of(index + 1), F_OK))
		index++;
	return index;
}

static void test_cut_at_the_end(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	cut_end(newest(), 1);
	assert_one_bad("its end is cut off\n");
	assert_int_equal(unlink(path_of(newest())), 0);
	assert_one_bad("its end is cut off\n");
}

/* A writer that comes later makes it no better: it says that lines are gone, and not why. */
static void test_cut_and_gone_on_with(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct journal *j;

	make(&text);
	cut_end(newest(), 2);
	j = open_journal(4096);
	fill(j, 2);
	journal_close(j);
	assert_one_bad("are gone before it, as this line says: unexplained\n");
}

static void test_edited_and_gone_on_with(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct journal *j;

	make(&text);
	read_segment(newest(), &text);
	text.data[line_at(&text, 2) + 5] ^= 1;
	write_segment(newest(), text.data, text.len);
	j = open_journal(4096);
	fill(j, 2);
	journal_close(j);
	assert_one_bad(" was changed\n");
}

static void test_segment_removed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	assert_int_equal(unlink(path_of(2)), 0);
	assert_one_bad("bad 3.jsonl:1: goes on from line ");
}

static void test_first_segment_removed(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	assert_int_equal(unlink(path_of(1)), 0);
	assert_one_bad("the oldest segment should be that of number 1, and is that of 2: segments "
		       "were removed\n");
}

static void test_segment_replaced(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	make(&text);
	read_segment(3, &text);
	write_segment(2, text.data, text.len);
	assert_one_bad("bad 2.jsonl:1: a segment of this journal begins with a signed line");
}

/* Of a journal that was made in the same way with other keys. */
static void test_segment_of_another_journal(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char command[256];

	make(&text);
	snprintf(command, sizeof(command), "cd '%s' && mv journal old && mv keys oldkeys", root);
	assert_int_equal(system(command), 0);
	make(&text);
	snprintf(command, sizeof(command), "cd '%s' && cp old/*2.jsonl journal/", root);
	assert_int_equal(system(command), 0);
	assert_one_bad("bad 2.jsonl:1: a segment of this journal begins with a signed line");
}

/* Who has chain.key alone makes lines that fit, and cannot sign them. */
static void test_forged_with_half_of_the_keys(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char command[256];

	make(&text);
	snprintf(command, sizeof(command),
		 "cd '%s' && cp -a keys good && rm -r journal keys/sign.* keys/head", root);
	assert_int_equal(system(command), 0);
	make(&text);
	snprintf(command, sizeof(command), "cd '%s' && cp good/sign.pub keys/", root);
	assert_int_equal(system(command), 0);
	assert_non_null(strstr(verified(&(struct verify_report) { 0 }), "bad 1.jsonl:1: "));
}

static void test_head_is_missing(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct verify_report r;
	char path[128];

	make(&text);
	snprintf(path, sizeof(path), "%s/head", keys);
	assert_int_equal(truncate(path, 40), 0);
	assert_non_null(strstr(verified(&r), "its head was changed"));
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(verified(&r), "note -:0: its head is not beside the keys"));
	assert_int_equal(r.bad, 0);
}

static void test_no_keys(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct verify_report r;

	make(&text);
	assert_int_equal(journal_verify(dir, root, keep_said, &text, &r), -EKEYREJECTED);
	assert_int_equal(journal_verify(keys, keys, keep_said, &text, &r), 0);
	assert_int_equal(r.bad, 1); /* there is a head, and no line */
	assert_int_equal(journal_verify("/nonexistent", keys, keep_said, &text, &r), -ENOENT);
}

int main(void)
{
#define VERIFY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		VERIFY_TEST(test_edited),
		VERIFY_TEST(test_changed_is_named),
		VERIFY_TEST(test_removed),
		VERIFY_TEST(test_reordered),
		VERIFY_TEST(test_twice),
		VERIFY_TEST(test_foreign),
		VERIFY_TEST(test_cut_in_the_middle),
		VERIFY_TEST(test_rest_of_a_line),
		VERIFY_TEST(test_cut_at_the_end),
		VERIFY_TEST(test_cut_and_gone_on_with),
		VERIFY_TEST(test_edited_and_gone_on_with),
		VERIFY_TEST(test_segment_removed),
		VERIFY_TEST(test_first_segment_removed),
		VERIFY_TEST(test_segment_replaced),
		VERIFY_TEST(test_segment_of_another_journal),
		VERIFY_TEST(test_forged_with_half_of_the_keys),
		VERIFY_TEST(test_head_is_missing),
		VERIFY_TEST(test_no_keys),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
