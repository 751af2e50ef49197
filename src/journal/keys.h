/* The keys of a chain, in memory. */
#ifndef JOURNAL_KEYS_H
#define JOURNAL_KEYS_H

#include <sodium.h>

#include "journal/chain.h"

struct chain_keys {
	crypto_generichash_state begun; /* with the key */
	uint8_t public[CHAIN_PUBLIC], secret[crypto_sign_SECRETKEYBYTES];
	bool can_sign;
};
_Static_assert(CHAIN_PUBLIC == crypto_sign_PUBLICKEYBYTES, "a public key");
_Static_assert(CHAIN_SIGNED == crypto_sign_BYTES, "a signature");

#endif
