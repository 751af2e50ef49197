/* chain.key (0640): who reads it can check lines, and so could the journal's readers; alone it
 * makes no signature. sign.key (0600) signs, sign.pub (0644) checks signatures. */
#include "journal/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

#define DIR_MODE 0750

static int path_of(char *ret, const char *dir, const char *name)
{
	return snprintf(ret, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_key(const char *dir, const char *name, uint8_t *ret, size_t len)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	char path[PATH_MAX];
	int r = path_of(path, dir, name);

	if (!r)
		r = io_read_file(AT_FDCWD, path, len, &text);
	if (r)
		return r == -EFBIG ? -EBADMSG : r;
	if (text.len == len)
		memcpy(ret, text.data, len);
	r = text.len == len ? 0 : -EBADMSG;
	if (text.data)
		sodium_memzero(text.data, text.len);
	return r;
}

static int write_key(const char *dir, const char *name, const uint8_t *key, size_t len, mode_t mode)
{
	char path[PATH_MAX];
	int r = path_of(path, dir, name);

	return r ? r : io_replace_file(path, key, len, mode);
}

static int make_chain_key(const char *dir, uint8_t *ret)
{
	int r = read_key(dir, "chain.key", ret, CHAIN_KEY);

	if (r != -ENOENT)
		return r;
	randombytes_buf(ret, CHAIN_KEY);
	return write_key(dir, "chain.key", ret, CHAIN_KEY, 0640);
}

/* The public key is made anew from the other wherever it is missing. */
static int make_sign_keys(const char *dir, struct chain_keys *k)
{
	int r = read_key(dir, "sign.key", k->secret, sizeof(k->secret));

	if (r == -ENOENT) {
		crypto_sign_keypair(k->public, k->secret);
		r = write_key(dir, "sign.key", k->secret, sizeof(k->secret), 0600);
	}
	if (r)
		return r;
	crypto_sign_ed25519_sk_to_pk(k->public, k->secret);
	k->can_sign = true;
	return write_key(dir, "sign.pub", k->public, sizeof(k->public), 0644);
}

static int fill(const char *dir, bool make, struct chain_keys *k)
{
	uint8_t key[CHAIN_KEY];
	int r = make ? io_mkdir_p(dir, DIR_MODE) : 0;

	if (!r)
		r = make ? make_chain_key(dir, key) : read_key(dir, "chain.key", key, CHAIN_KEY);
	if (r)
		return r;
	crypto_generichash_init(&k->begun, key, sizeof(key), CHAIN_HASH);
	sodium_memzero(key, sizeof(key));
	return make ? make_sign_keys(dir, k) : read_key(dir, "sign.pub", k->public, CHAIN_PUBLIC);
}

int chain_keys_open(const char *dir, bool make, struct chain_keys **ret)
{
	_cleanup_(chain_keys_free_ptr) struct chain_keys *k = NULL;
	int r;

	if (sodium_init() < 0)
		return -ENOSYS;
	k = aligned_alloc(_Alignof(struct chain_keys), sizeof(*k));
	if (!k)
		return -ENOMEM;
	memset(k, 0, sizeof(*k));
	r = fill(dir, make, k);
	if (r)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

void chain_keys_free(struct chain_keys *k)
{
	if (k)
		sodium_memzero(k, sizeof(*k));
	free(k);
}

const uint8_t *chain_public(const struct chain_keys *k)
{
	return k->public;
}
