#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "policy/exports.h"
#include "policy/settings_record.h"

static struct strbuf err;

static struct settings_file read_text(struct arena *a, const char *text)
{
	struct faults faults = { .out = &err };
	struct source src = { .name = "s", .text = text, .len = strlen(text), .faults = &faults };
	struct settings_file s;

	strbuf_reset(&err);
	settings_read(a, src, &s);
	return s;
}

static void test_durations(void **state _unused_)
{
	assert_int_equal(settings_duration("90s"), 90);
	assert_int_equal(settings_duration("2m"), 120);
	assert_int_equal(settings_duration("24h"), 86400);
	assert_int_equal(settings_duration("25h"), 0);
	assert_int_equal(settings_duration("10"), 0);
	assert_int_equal(settings_duration("h"), 0);
	assert_int_equal(settings_duration("1hh"), 0);
}

static void test_journal(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct journal_settings j = read_text(&a, "mode: shadow\n").values.journal;

	assert_int_equal(j.segment_size, 64 << 20);
	assert_int_equal(j.keep, 16ULL << 30);
	assert_int_equal(j.segment_age, 86400);
	assert_int_equal(j.fsync, FSYNC_DECISIONS);
	j = read_text(&a, "journal:\n  segment_size: 1M\n  keep: 2048K\n  segment_age: 1m\n"
			  "  fsync: always\n")
		    .values.journal;
	assert_int_equal(err.len, 0);
	assert_int_equal(j.segment_size, 1 << 20);
	assert_int_equal(j.keep, 2 << 20);
	assert_int_equal(j.segment_age, 60);
	assert_int_equal(j.fsync, FSYNC_ALWAYS);
	j = read_text(&a, "journal: {keep: all, fsync: never, segment_size: 1G}\n").values.journal;
	assert_int_equal(err.len, 0);
	assert_int_equal(j.keep, 0);
	assert_int_equal(j.segment_size, 1 << 30);
	assert_int_equal(j.fsync, FSYNC_NEVER);
}

static void test_exports(void **state _unused_)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct settings_file s =
		read_text(&a, "exports:\n"
			      "  - journald\n"
			      "  - to: https://a/b?c&d\n"
			      "    severity: high\n"
			      "    class: [finding, network]\n"
			      "    key: /k\n"
			      "  - {to: \"tls://a:1,b:2/S\", creds: /c, ca: /d}\n"
			      "  - {to: \"https://a/\", template: slack, class: finding}\n");
	static const char *const specs[] = {
		"journald:", "https://a/b?c&d#severity=high&class=finding,network&key=/k",
		"tls://a:1,b:2/S#creds=/c&ca=/d", "https://a/#template=slack&class=finding"
	};

	assert_string_equal(strbuf_str(&err), "");
	assert_int_equal(s.exports_count, ARRAY_SIZE(specs));
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		assert_string_equal(s.exports[i].s, specs[i]);
}

static const struct {
	const char *text, *fault;
} faults[] = {
	{ "journal: {segment_size: 64}\n",
	  "s:1:25: segment_size: cannot be '64': write a size from 1M to 1G\n" },
	{ "journal: {segment_size: 512K}\n", "1:25: segment_size: cannot be '512K'" },
	{ "journal: {segment_size: 2G}\n", "1:25: segment_size: cannot be '2G'" },
	{ "journal: {segment_age: 30s}\n",
	  "1:24: segment_age: cannot be '30s': write a time from 1m to 24h\n" },
	{ "journal: {keep: 16 G}\n", "1:17: keep: cannot be '16 G': write a size, such as 500M" },
	{ "journal: {keep: 100M}\n", "1:17: keep: has to be twice segment_size at least" },
	{ "journal: {segment_size: 1G, keep: 1G}\n", "1:35: keep: has to be twice" },
	{ "journal: {fsync: alway}\n", "1:18: fsync: cannot be 'alway': did you mean 'always'?\n" },
	{ "journal: {retention: 1G}\n", "1:11: unknown key 'retention'" },
	{ "exports:\n  - key: /x\n", "2:5: " },
	{ "exports:\n  - to: https://a/#key=/x\n",
	  "2:9: to: cannot have a '#': options are keys beside to:\n" },
	{ "exports:\n  - {to: \"nats://a:1\", creds: /a&b}\n", "2:31: creds: cannot have a '&'" },
	{ "exports:\n  - {to: \"stdout:\", class: findings}\n",
	  "2:28: class: cannot be 'findings': did you mean 'finding'?\n" },
	{ "exports:\n  - {to: \"stdout:\", severity: urgent}\n", "2:31: severity: cannot be" },
	{ "exports:\n  - {to: \"https://a\", template: teams}\n", "2:33: template: cannot be" },
	{ "exports:\n  - {to: \"stdout:\", filter: x}\n", "2:21: unknown key 'filter'" },
};

static void test_faults(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT;

		(void)read_text(&a, faults[i].text);
		if (!strstr(strbuf_str(&err), faults[i].fault))
			fail_msg("%s\n%s", faults[i].text, strbuf_str(&err));
	}
}

static const char *accept_files(void *data, const char *spec)
{
	strbuf_addf(data, "%s;", spec);
	return strncmp(spec, "file:", 5) == 0 ? NULL : "a file";
}

static int each_of(const char *text, struct strbuf *got)
{
	char path[] = "/tmp/backstop-settings-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	close(fd);
	strbuf_reset(got);
	strbuf_reset(&err);
	r = settings_each_export(path, accept_files, got, &err);
	unlink(path);
	return r;
}

static void test_each(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf got = STRBUF_INIT;

	assert_int_equal(each_of("", &got), 0);
	assert_int_equal(each_of("exports: [\"file:/a\", {to: \"file:/b\", class: file}]\n", &got),
			 0);
	assert_string_equal(got.data, "file:/a;file:/b#class=file;");
	assert_int_equal(each_of("exports:\n- file:/a\n- to: udp://b\n", &got), -EINVAL);
	assert_non_null(strstr(err.data, ":3:7: to: has to be a file\n    - to: udp://b\n"));
	assert_int_equal(each_of("exports: [\"file:/a\"]\nmod: x\n", &got), -EINVAL);
	assert_int_equal(got.len, 0);
	assert_int_equal(settings_each_export("/no/such", accept_files, &got, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations), cmocka_unit_test(test_journal),
		cmocka_unit_test(test_exports),	  cmocka_unit_test(test_faults),
		cmocka_unit_test(test_each),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	strbuf_free(&err);
	return failed;
}
