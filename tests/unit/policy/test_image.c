#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/io.h"
#include "policy/image.h"
#include "unit/policy/sample.h"

static const char pack[] =
	"pack: t\ntitle: T\nprograms:\n  git: {options: gnu, values: [-C, commit -m], flags: "
	"[-p]}\n"
	"  'py*': {}\nsignatures:\n"
	"- id: a\n  command: ['git push --force={re:^x+$}', 'git x {path:/a/**} "
	"y={sql:destructive}']\n"
	"  severity: high\n  verdict: hold\n  why: It is.\n  instead: git push\n"
	"  hits: [git push --force=x, git push --force=xx]\n  misses: [git push, git]\n"
	"- id: b\n  command: py* {glob:*x}\n  severity: low\n  verdict: deny\n  why: It is.\n"
	"  hits: [python x, pypy ax]\n  misses: [python a, git]\n"
	"allow: [git push --force=y]\n";

static struct strbuf image;

static int set_up(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct compile_stats stats;

	return policy_compile_text("p.yaml", pack, strlen(pack), &image, &stats, &err);
}

static int tear_down(void **state _unused_)
{
	strbuf_free(&image);
	return 0;
}

/* Opens a copy of `len` bytes in a block of that very size, so that reading beyond it shows. */
static int try(const void *data, size_t len, const char *message)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	_cleanup_(policy_free_ptr) struct policy *p = NULL;
	int r = policy_from_memory(data, len, &p, &err);

	if (message)
		assert_string_equal(strbuf_str(&err), message);
	return r;
}

static void test_truncated(void **state _unused_)
{
	for (size_t len = 0; len < image.len; len += len < 400 ? 1 : 997) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		_cleanup_free_ char *copy = malloc(len + 1);
		struct policy *p = NULL;

		memcpy(copy, image.data, len);
		assert_int_equal(policy_from_memory(copy, len, &p, &err), -EINVAL);
		assert_null(p);
		assert_true(err.len > 0);
	}
	try(image.data, 7, "this is no policy image");
	try(image.data, 11, "the image is cut short");
	try(image.data, 100, "the image is cut short: 100 bytes");
}

static void test_damaged(void **state _unused_)
{
	for (size_t at = 16; at < image.len; at += at < 400 ? 1 : 331) {
		image.data[at] ^= 1 << at % 8;
		assert_int_equal(try(image.data, image.len, NULL), -EINVAL);
		image.data[at] ^= 1 << at % 8;
	}
	image.data[image.len / 2] ^= 4;
	try(image.data, image.len, "the image is damaged: its checksum is not that of its content");
	image.data[image.len / 2] ^= 4;
	assert_int_equal(try(image.data, image.len, ""), 0);
}

static void test_other_version(void **state _unused_)
{
	struct image_header *h = (struct image_header *)image.data;
	char message[80];

	h->version = IMAGE_VERSION + 1;
	snprintf(message, sizeof(message),
		 "the image has version %d, this program reads version %d", IMAGE_VERSION + 1,
		 IMAGE_VERSION);
	assert_int_equal(try(image.data, image.len, message), -ESTALE);
	h->version = IMAGE_VERSION;
}

static void use(const struct policy *p)
{
	static const char *const lines[] = { "git push --force=xx", "git x /a/b y='drop table a'",
					     "python3 -m x", "git -C x commit -m y push",
					     "ssh h git" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct action a = { .cwd = "/x", .root_fd = -1 };
		struct finding f;
		char **words;

		assert_int_equal(shellwords_split(lines[i], &words, NULL), 0);
		a.argv = words;
		policy_match(p, &a, &f);
		policy_is_candidate(p, &a);
		shellwords_free(words);
	}
	for (u32 i = 0; i < policy_signature_count(p); i++) {
		struct finding f;

		policy_signature(p, i, &f);
		policy_title(p, i);
		for (u32 n = 0; policy_command(p, i, n); n++)
			;
	}
}

/* Whatever its numbers are, with a checksum that fits: it is refused, or it is safe to use. */
static void test_hostile(void **state _unused_)
{
	struct image_header *h = (struct image_header *)image.data;
	_cleanup_free_ char *good = malloc(image.len);
	unsigned int opened = 0, refused = 0;
	u64 seed = 1;

	memcpy(good, image.data, image.len);
	for (int i = 0; i < 4000; i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		_cleanup_(policy_free_ptr) struct policy *p = NULL;
		size_t at, limit = i % 2 ? MIN(image.len, (size_t)3000) : image.len;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		at = 24 + (seed >> 33) % (limit - 28);
		if (i % 3)
			image.data[at] ^= (char)(1 + (seed >> 20) % 255);
		else
			memset(image.data + at, 0xff, 4);
		h->hash = image_hash(h, image.len);
		if (policy_from_memory(image.data, image.len, &p, &err) == 0) {
			use(p);
			opened++;
		} else {
			refused++;
		}
		memcpy(image.data, good, image.len);
	}
	assert_true(opened > 100 && refused > 100);
}

static void test_file(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	char path[] = "/tmp/backstop-image-XXXXXX";
	struct policy *p = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(policy_open(path, &p, &err), -EINVAL);
	assert_non_null(strstr(strbuf_str(&err), path));
	assert_non_null(strstr(strbuf_str(&err),
			       ": this is no policy image; make one with 'backstop "
			       "policy compile --output FILE DIRECTORY'"));
	assert_int_equal(io_replace_file(path, image.data, image.len, 0600), 0);
	strbuf_reset(&err);
	assert_int_equal(policy_open(path, &p, &err), 0);
	assert_int_equal(strlen(policy_version(p)), 16);
	assert_int_equal(policy_signature_count(p), 2);
	policy_free(p);
	unlink(path);
	assert_int_equal(policy_open(path, &p, &err), -ENOENT);
	assert_non_null(strstr(strbuf_str(&err), ": there is no such file; make one with "));
}

static void test_content(void **state _unused_)
{
	struct policy *p = sample_policy(pack);
	struct finding f;

	policy_signature(p, 0, &f);
	assert_string_equal(f.pack, "t");
	assert_string_equal(f.id, "a");
	assert_string_equal(f.why, "It is.");
	assert_string_equal(f.instead, "git push");
	assert_string_equal(f.technique, "T1485");
	assert_int_equal(f.verdict, VERDICT_HOLD);
	assert_int_equal(f.severity, SEVERITY_HIGH);
	assert_string_equal(policy_title(p, 0), "T");
	assert_string_equal(policy_command(p, 0, 0), "git push --force={re:^x+$}");
	assert_non_null(policy_command(p, 0, 1));
	assert_null(policy_command(p, 0, 2));
	assert_string_equal(sample_ask(p, "git push --force=xx"), "t.a");
	assert_string_equal(sample_ask(p, "git push --force=y"), "");
	assert_string_equal(sample_ask(p, "python ax"), "t.b");
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_version), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_file),	      cmocka_unit_test(test_content),
	};

	return cmocka_run_group_tests_name("image", tests, set_up, tear_down);
}
