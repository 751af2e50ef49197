/* key: an approver's pair of keys. */
#include <errno.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/log.h"
#include "cli/command.h"
#include "guard/approval.h"

static void print_public(const char *path, const uint8_t *secret)
{
	uint8_t key[crypto_sign_PUBLICKEYBYTES];
	char text[HEX(crypto_sign_PUBLICKEYBYTES)];

	crypto_sign_ed25519_sk_to_pk(key, secret);
	puts(sodium_bin2hex(text, sizeof(text), key, sizeof(key)));
	fprintf(stderr,
		"%s holds the secret key, which stays with its approver. The settings of each "
		"host\n"
		"that the approver decides for name the public one:\n"
		"approver_keys:\n  NAME: %s\n",
		path, text);
}

static int run(const void *options _unused_, int argc _unused_, char **argv)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	int r = approval_make_key(argv[0], secret);

	escape_word(&path, argv[0]);
	if (r == -EEXIST)
		r = approval_read_key(argv[0], secret);
	if (r == -EBADMSG)
		log_error("%s is there and holds no key: name another file", strbuf_str(&path));
	else if (r)
		log_errno(r, "cannot make or read the key in %s", strbuf_str(&path));
	if (r)
		return EXIT_FAILURE;
	print_public(strbuf_str(&path), secret);
	sodium_memzero(secret, sizeof(secret));
	return EXIT_SUCCESS;
}

const struct command command_key = {
	.name = "key",
	.arguments = "FILE",
	.help = "make an approver's pair of keys, or print the public one of a pair that is there",
	.example = "backstop key ~/.backstop-approver",
	.run = run,
	.min_operands = 1,
	.max_operands = 1,
};
