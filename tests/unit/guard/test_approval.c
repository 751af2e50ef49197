/* Signed decisions as documents, and keys in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guard/approval.h"

#define NOW 1700000000000LL

static uint8_t public[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
static const char digest[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static struct approval sample(void)
{
	struct approval a = { .host = "4f2c", .hold = 7, .reason = "not on \"production\"\n" };

	memcpy(a.action, digest, sizeof(digest));
	return a;
}

static void test_round_trip(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, err = STRBUF_INIT;
	char signature[HEX(crypto_sign_BYTES)];
	struct approval a = sample(), got;

	assert_int_equal(approval_sign(&a, secret, NOW, &text, signature), 0);
	assert_int_equal(approval_decode(text.data, text.len, &got, &err), 0);
	assert_memory_equal(&got, &a, sizeof(a));
	assert_int_equal(a.expires_ms - a.issued_ms, APPROVAL_LIFE_MS);
	assert_true(approval_is_signed(text.data, text.len, signature, public));
}

/* Each bit of text and signature counts. */
static void test_altered(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char signature[HEX(crypto_sign_BYTES)];
	struct approval a = sample();
	uint8_t other[sizeof(public)];

	assert_int_equal(approval_sign(&a, secret, NOW, &text, signature), 0);
	for (size_t i = 0; i < text.len; i++) {
		text.data[i] ^= 1;
		assert_false(approval_is_signed(text.data, text.len, signature, public));
		text.data[i] ^= 1;
	}
	for (size_t i = 0; i + 1 < sizeof(signature); i++) {
		char was = signature[i];

		signature[i] = was == '0' ? '1' : '0';
		assert_false(approval_is_signed(text.data, text.len, signature, public));
		signature[i] = 'x';
		assert_false(approval_is_signed(text.data, text.len, signature, public));
		signature[i] = was;
	}
	memcpy(other, public, sizeof(other));
	other[3] ^= 4;
	assert_false(approval_is_signed(text.data, text.len, signature, other));
	assert_false(approval_is_signed(text.data, text.len - 1, signature, public));
	assert_false(approval_is_signed(text.data, text.len, "", public));
	assert_true(approval_is_signed(text.data, text.len, signature, public));
}

/* One spelling alone. */
static void test_spelling(void **state _unused_)
{
#define TAIL                                                                                       \
	"\"action\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","         \
	"\"decision\":\"deny\",\"key\":"                                                           \
	"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\",\"issued\":1,"       \
	"\"expires\":2,\"nonce\":\"00112233445566778899aabbccddeeff\""
	static const char *const right = "{\"v\":1,\"host\":\"h\",\"hold\":7," TAIL "}";
	static const char *const wrong[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"v\":1,\"host\":\"h\",\"hold\":7," TAIL "} ",
		" {\"v\":1,\"host\":\"h\",\"hold\":7," TAIL "}",
		"{\"v\":1, \"host\":\"h\",\"hold\":7," TAIL "}",
		"{\"v\":2,\"host\":\"h\",\"hold\":7," TAIL "}",
		"{\"v\":1,\"hold\":7,\"host\":\"h\"," TAIL "}",
		"{\"v\":1,\"host\":\"\\u0068\",\"hold\":7," TAIL "}",
		"{\"v\":1,\"host\":\"h\",\"hold\":7.0," TAIL "}",
		"{\"v\":1,\"host\":\"h\",\"hold\":\"7\"," TAIL "}",
		"{\"v\":1,\"host\":\"h\",\"hold\":7,\"hold\":8," TAIL "}",
		"{\"v\":1,\"host\":\"h\",\"hold\":7," TAIL ",\"reason\":\"\"}",
		"{\"v\":1,\"host\":\"h\",\"hold\":7," TAIL ",\"more\":1}",
		"{\"v\":1,\"host\":null,\"hold\":7," TAIL "}",
		"{\"v\":1,\"hold\":7," TAIL "}",
	};
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct approval a;

	assert_int_equal(approval_decode(right, strlen(right), &a, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (approval_decode(wrong[i], strlen(wrong[i]), &a, &err) != -EINVAL)
			fail_msg("%s", wrong[i]);
	assert_non_null(strstr(strbuf_str(&err), "no decision"));
}

static void test_times(void **state _unused_)
{
	static const struct {
		int64_t issued, expires;
		const char *fault;
	} all[] = {
		{ NOW, NOW + 1, NULL },
		{ NOW - APPROVAL_LIFE_MS + 1, NOW + 1, NULL },
		{ NOW + APPROVAL_SKEW_MS, NOW + APPROVAL_SKEW_MS + 1, NULL },
		{ NOW - 1, NOW, "expired" },
		{ NOW - APPROVAL_LIFE_MS, NOW, "expired" },
		{ NOW - APPROVAL_LIFE_MS, NOW + 1, "longer than 10 minutes" },
		{ INT64_MIN, INT64_MAX, "longer" },
		{ -2, INT64_MAX, "longer" },
		{ 0, INT64_MAX, "longer" },
		{ INT64_MAX - 1, INT64_MAX, "in the future" },
		{ NOW, NOW, "longer" },
		{ NOW + 1, NOW, "longer" },
		{ NOW + APPROVAL_SKEW_MS + 1, NOW + APPROVAL_SKEW_MS + 2, "in the future" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
		struct approval a = { .issued_ms = all[i].issued, .expires_ms = all[i].expires };

		assert_int_equal(approval_check_time(&a, NOW, &err), all[i].fault ? -ETIME : 0);
		if (all[i].fault)
			assert_non_null(strstr(strbuf_str(&err), all[i].fault));
	}
}

static void test_digest(void **state _unused_)
{
	char *const argv[] = { (char *)"zap", (char *)"held", NULL };
	char *const other[] = { (char *)"zap held", NULL };
	const struct approved_action all[] = {
		{ "19ab", "/srv", "zap held", 1000, argv },
		{ "19ac", "/srv", "zap held", 1000, argv },
		{ "19ab", "/srv/", "zap held", 1000, argv },
		{ "19ab", NULL, "zap held", 1000, argv },
		{ "19ab", "/srv", "zap held by", 1000, argv },
		{ "19ab", "/srv", "zap held", 0, argv },
		{ "19ab", "/srv", "zap held", 1000, other },
		{ "19ab", "/srv", "zap held", 1000, NULL },
	};
	char hex[ARRAY_SIZE(all)][HEX(APPROVAL_DIGEST)], again[HEX(APPROVAL_DIGEST)];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(approval_digest(&all[i], hex[i]), 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(hex[i], hex[k]);
	}
	assert_int_equal(approval_digest(&all[0], again), 0);
	assert_string_equal(again, hex[0]);
}

static void test_host(void **state _unused_)
{
	assert_string_equal(approval_host("4f2c", "web"), "4f2c");
	assert_string_equal(approval_host("", "web"), "web");
	assert_string_equal(approval_host(NULL, "web"), "web");
}

static void test_key_files(void **state _unused_)
{
	uint8_t made[crypto_sign_SECRETKEYBYTES], got[sizeof(made)];
	char path[160];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/backstop-key-%d", getenv("TMPDIR") ?: "/tmp", getpid());
	assert_int_equal(approval_read_key(path, got), -ENOENT);
	assert_int_equal(approval_make_key(path, made), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(approval_make_key(path, got), -EEXIST);
	assert_int_equal(approval_read_key(path, got), 0);
	assert_memory_equal(got, made, sizeof(made));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(approval_read_key(path, got), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	f = fopen(path, "r+");
	fputc('g', f);
	fclose(f);
	assert_int_equal(approval_read_key(path, got), -EBADMSG);
	f = fopen(path, "r+");
	fseek(f, 120, SEEK_SET); /* in the public half */
	fputs("00000000", f);
	fclose(f);
	assert_int_equal(approval_read_key(path, got), -EBADMSG);
	assert_int_equal(truncate(path, 64), 0);
	assert_int_equal(approval_read_key(path, got), -EBADMSG);
	unlink(path);
}

/* What is at the name of a key: nobody is made to wait for it, or to take another's file for it. */
static void test_no_key_files(void **state _unused_)
{
	uint8_t made[crypto_sign_SECRETKEYBYTES];
	char path[160], link[170];

	snprintf(path, sizeof(path), "%s/backstop-key-%d", getenv("TMPDIR") ?: "/tmp", getpid());
	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(approval_make_key(path, made), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(approval_read_key(link, made), -ELOOP);
	assert_int_equal(approval_make_key(link, made), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(approval_make_key(link, made), -EEXIST);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(approval_read_key(path, made), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(approval_read_key("/", made), -EBADMSG);
}

/* Whatever it is, it is refused, and soon. */
static void test_garbage(void **state _unused_)
{
	static char deep[APPROVAL_TEXT_MAX], random[APPROVAL_TEXT_MAX], huge[1 << 20];
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, err = STRBUF_INIT;
	struct approval a = sample(), got;
	char signature[HEX(crypto_sign_BYTES)];

	memset(deep, '[', sizeof(deep));
	memset(huge, ' ', sizeof(huge));
	assert_int_equal(approval_decode(deep, sizeof(deep), &got, &err), -EINVAL);
	assert_int_equal(approval_decode(huge, sizeof(huge), &got, &err), -EINVAL);
	for (int i = 0; i < 1000; i++) {
		randombytes_buf(random, sizeof(random));
		assert_int_equal(approval_decode(random, sizeof(random), &got, &err), -EINVAL);
	}
	assert_int_equal(approval_sign(&a, secret, NOW, &text, signature), 0);
	for (size_t i = 0; i < text.len; i++)
		assert_int_equal(approval_decode(text.data, i, &got, &err), -EINVAL);
	for (size_t i = 0; i < text.len; i++) {
		text.data[i] ^= 0x80;
		assert_int_equal(approval_decode(text.data, text.len, &got, &err), -EINVAL);
		text.data[i] ^= 0x80;
	}
	assert_int_equal(approval_decode(text.data, text.len, &got, &err), 0);
}

static int make_keys(void **state _unused_)
{
	return sodium_init() < 0 || crypto_sign_keypair(public, secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_altered),
		cmocka_unit_test(test_spelling),   cmocka_unit_test(test_times),
		cmocka_unit_test(test_digest),	   cmocka_unit_test(test_host),
		cmocka_unit_test(test_key_files),  cmocka_unit_test(test_no_key_files),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
