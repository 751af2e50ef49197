#include "guard/approval.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/json.h"

#define SIGNED "backstop decision v1" /* with its NUL */

static inline void unref(json_t **j)
{
	json_decref(*j);
}

const char *approval_host(const char *machine_id, const char *hostname)
{
	return machine_id && *machine_id ? machine_id : hostname;
}

int approval_digest(const struct approved_action *a, char ret[HEX(APPROVAL_DIGEST)])
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	struct json j = JSON_INIT(&text);
	uint8_t hash[APPROVAL_DIGEST];

	json_open_object(&j, NULL);
	json_put_string(&j, "session", a->session);
	json_put_uint(&j, "uid", a->uid);
	json_put_string(&j, "cwd", a->cwd);
	json_put_string(&j, "action", a->text);
	if (a->argv)
		json_put_argv(&j, "argv", a->argv);
	json_close_object(&j);
	if (strbuf_error(&text))
		return -ENOMEM;
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)text.data, text.len, NULL, 0);
	sodium_bin2hex(ret, HEX(APPROVAL_DIGEST), hash, sizeof(hash));
	return 0;
}

void approval_encode(const struct approval *a, struct strbuf *out)
{
	struct json j = JSON_INIT(out);

	json_open_object(&j, NULL);
	json_put_int(&j, "v", 1);
	json_put_string(&j, "host", a->host);
	json_put_uint(&j, "hold", a->hold);
	json_put_string(&j, "action", a->action);
	json_put_string(&j, "decision", a->approve ? "approve" : "deny");
	json_put_string(&j, "key", a->key);
	json_put_int(&j, "issued", a->issued_ms);
	json_put_int(&j, "expires", a->expires_ms);
	json_put_string(&j, "nonce", a->nonce);
	if (a->reason[0])
		json_put_string(&j, "reason", a->reason);
	json_close_object(&j);
}

static bool take_string(const json_t *object, const char *name, char *ret, size_t size)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) && json_string_length(value) < size &&
	       snprintf(ret, size, "%s", json_string_value(value)) >= 0;
}

static bool take_hex(const json_t *object, const char *name, char *ret, size_t size)
{
	return take_string(object, name, ret, size) && strlen(ret) == size - 1 &&
	       !ret[strspn(ret, "0123456789abcdef")];
}

static bool take(const json_t *o, struct approval *a)
{
	const char *decision = json_string_value(json_object_get(o, "decision"));

	a->hold = (uint64_t)json_integer_value(json_object_get(o, "hold"));
	a->issued_ms = json_integer_value(json_object_get(o, "issued"));
	a->expires_ms = json_integer_value(json_object_get(o, "expires"));
	a->approve = decision && !strcmp(decision, "approve");
	if (!take_string(o, "reason", a->reason, sizeof(a->reason)))
		a->reason[0] = '\0';
	return take_string(o, "host", a->host, sizeof(a->host)) &&
	       take_hex(o, "action", a->action, sizeof(a->action)) &&
	       take_hex(o, "key", a->key, sizeof(a->key)) &&
	       take_hex(o, "nonce", a->nonce, sizeof(a->nonce));
}

/* What does not read as it would be written has members or a spelling that are not ours. */
int approval_decode(const char *text, size_t len, struct approval *ret, struct strbuf *err)
{
	_cleanup_(unref) json_t *o = len <= APPROVAL_TEXT_MAX
					     ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
					     : NULL;
	_cleanup_strbuf_ struct strbuf again = STRBUF_INIT;
	struct approval a = { 0 };

	bool known = o && take(o, &a);

	if (known)
		approval_encode(&a, &again);
	if (!known || strbuf_error(&again) || again.len != len ||
	    memcmp(again.data, text, len) != 0) {
		strbuf_adds(err, "this is no decision as 'backstop approve --key' signs it");
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

static void add_signed(struct strbuf *out, const char *text, size_t len)
{
	strbuf_add(out, SIGNED, sizeof(SIGNED));
	strbuf_add(out, text, len);
}

int approval_sign(struct approval *a, const uint8_t *secret, int64_t now_ms,
		  struct strbuf *ret_text, char ret_signature[HEX(crypto_sign_BYTES)])
{
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	uint8_t key[crypto_sign_PUBLICKEYBYTES], nonce[16], signature[crypto_sign_BYTES];

	crypto_sign_ed25519_sk_to_pk(key, secret);
	sodium_bin2hex(a->key, sizeof(a->key), key, sizeof(key));
	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2hex(a->nonce, sizeof(a->nonce), nonce, sizeof(nonce));
	a->issued_ms = now_ms;
	a->expires_ms = now_ms + APPROVAL_LIFE_MS;
	approval_encode(a, ret_text);
	add_signed(&message, strbuf_str(ret_text), ret_text->len);
	if (strbuf_error(&message) || strbuf_error(ret_text))
		return -ENOMEM;
	crypto_sign_detached(signature, NULL, (const uint8_t *)message.data, message.len, secret);
	sodium_bin2hex(ret_signature, HEX(crypto_sign_BYTES), signature, sizeof(signature));
	return 0;
}

static bool from_hex(const char *hex, uint8_t *ret, size_t len)
{
	size_t got = 0;

	return strlen(hex) == 2 * len &&
	       !sodium_hex2bin(ret, len, hex, 2 * len, NULL, &got, NULL) && got == len;
}

bool approval_is_signed(const char *text, size_t len, const char *signature, const uint8_t *key)
{
	_cleanup_strbuf_ struct strbuf message = STRBUF_INIT;
	uint8_t bytes[crypto_sign_BYTES];

	add_signed(&message, text, len);
	return !strbuf_error(&message) && from_hex(signature, bytes, sizeof(bytes)) &&
	       !crypto_sign_verify_detached(bytes, (const uint8_t *)message.data, message.len, key);
}

int approval_check_time(const struct approval *a, int64_t now_ms, struct strbuf *err)
{
	/* none that is negative: the difference of two such may be no int64_t */
	if (a->issued_ms < 0 || a->expires_ms <= a->issued_ms ||
	    a->expires_ms - a->issued_ms > APPROVAL_LIFE_MS)
		strbuf_addf(err, "the decision is to hold for longer than %d minutes",
			    APPROVAL_LIFE_MS / 60000);
	else if (a->issued_ms > now_ms + APPROVAL_SKEW_MS)
		strbuf_adds(err, "the decision was signed in the future: compare the clocks of "
				 "the approver and of this host");
	else if (a->expires_ms <= now_ms)
		strbuf_adds(err, "the decision has expired: decide again");
	else
		return 0;
	return -ETIME;
}

/* ---- key files */

int approval_make_key(const char *path, uint8_t ret[crypto_sign_SECRETKEYBYTES])
{
	_cleanup_close_ int fd = -1;
	char text[HEX(crypto_sign_SECRETKEYBYTES)];
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	int r;

	if (sodium_init() < 0)
		return -ENOSYS;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	crypto_sign_keypair(public, ret);
	sodium_bin2hex(text, sizeof(text), ret, crypto_sign_SECRETKEYBYTES);
	text[sizeof(text) - 1] = '\n';
	r = io_write_all(fd, text, sizeof(text));
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (r)
		unlink(path);
	sodium_memzero(text, sizeof(text));
	return r;
}

static int read_text(int fd, char text[HEX(crypto_sign_SECRETKEYBYTES)])
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size != HEX(crypto_sign_SECRETKEYBYTES))
		return -EBADMSG;
	if (st.st_mode & 077)
		return -EPERM;
	n = read(fd, text, HEX(crypto_sign_SECRETKEYBYTES));
	if (n < 0)
		return -errno;
	if (n != HEX(crypto_sign_SECRETKEYBYTES) || text[n - 1] != '\n')
		return -EBADMSG;
	text[n - 1] = '\0';
	return 0;
}

/* The file holds the public key, too, which must be that of the secret one. */
static bool is_pair(const uint8_t *secret)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES], again[crypto_sign_SECRETKEYBYTES];
	bool same;

	crypto_sign_seed_keypair(public, again, secret);
	same = !sodium_memcmp(again, secret, sizeof(again));
	sodium_memzero(again, sizeof(again));
	return same;
}

int approval_read_key(const char *path, uint8_t ret[crypto_sign_SECRETKEYBYTES])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t key[crypto_sign_SECRETKEYBYTES];
	char text[HEX(crypto_sign_SECRETKEYBYTES)];
	int r = fd < 0 ? -errno : sodium_init() < 0 ? -ENOSYS : read_text(fd, text);

	if (!r && (!from_hex(text, key, sizeof(key)) || !is_pair(key)))
		r = -EBADMSG;
	if (!r)
		memcpy(ret, key, sizeof(key));
	sodium_memzero(text, sizeof(text));
	sodium_memzero(key, sizeof(key));
	return r;
}
