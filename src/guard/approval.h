/* A signed decision: what an approver says of one hold of one host, wherever it travels. Its text
 * is one JSON object in one spelling alone (members in this order, no space); the signature is
 * Ed25519 over "backstop decision v1\0" and the text. */
#ifndef GUARD_APPROVAL_H
#define GUARD_APPROVAL_H

#include <sodium.h>
#include <stdint.h>

#include "base/strbuf.h"

#define APPROVAL_LIFE_MS    (10 * 60 * 1000) /* at most, from `issued` to `expires` */
#define APPROVAL_SKEW_MS    (60 * 1000) /* that the approver's clock may be ahead of the host's */
#define APPROVAL_DIGEST	    32		/* bytes */
#define APPROVAL_REASON_MAX 256		/* bytes */
#define APPROVAL_TEXT_MAX   2400	/* bytes */
#define HEX(bytes)	    (2 * (bytes) + 1)

struct approval {
	char host[256]; /* approval_host() of the host */
	uint64_t hold;
	char action[HEX(APPROVAL_DIGEST)]; /* approval_digest() */
	bool approve;			   /* else it is denied */
	char key[HEX(crypto_sign_PUBLICKEYBYTES)];
	int64_t issued_ms, expires_ms; /* epoch; from, and before */
	char nonce[HEX(16)];
	char reason[APPROVAL_REASON_MAX + 1]; /* of a denial; "": none */
};

/* How a host is known among others: by its machine id, or its name where it has none (NULL, ""). */
const char *approval_host(const char *machine_id, const char *hostname);

/* What a human sees of a held action, and so decides on. Secrets are masked. */
struct approved_action {
	const char *session, *cwd, *text; /* text: as ocsf_action() has it; cwd may be NULL */
	uint64_t uid;
	char *const *argv; /* NULL: not known */
};
/* 0 or -ENOMEM. */
int approval_digest(const struct approved_action *a, char ret[HEX(APPROVAL_DIGEST)]);

void approval_encode(const struct approval *a, struct strbuf *out);
/* 0, or -EINVAL with words in `err`. */
int approval_decode(const char *text, size_t len, struct approval *ret, struct strbuf *err);

/* Fills in key, nonce and times of `a`, which holds from now on for APPROVAL_LIFE_MS. */
int approval_sign(struct approval *a, const uint8_t *secret, int64_t now_ms,
		  struct strbuf *ret_text, char ret_signature[HEX(crypto_sign_BYTES)]);
bool approval_is_signed(const char *text, size_t len, const char *signature, const uint8_t *key);
/* 0, or -ETIME with words in `err`. */
int approval_check_time(const struct approval *a, int64_t now_ms, struct strbuf *err);

/* An approver's secret key in a file of its own, 0600. */
int approval_make_key(const char *path, uint8_t ret[crypto_sign_SECRETKEYBYTES]);
/* -EPERM: others may read it; -EBADMSG: it is no key. */
int approval_read_key(const char *path, uint8_t ret[crypto_sign_SECRETKEYBYTES]);

#endif
