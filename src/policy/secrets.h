/* What must not be shown or recorded: values of passwords and tokens, the user information of URLs.
 */
#ifndef POLICY_SECRETS_H
#define POLICY_SECRETS_H

#include "base/util.h"

struct secrets;

/* 0 or -ENOMEM. */
int secrets_new(struct secrets **ret);
void secrets_free(struct secrets *s); /* NULL is fine */
DEFINE_CLEANUP(struct secrets, secrets_free);

/* The words of `argv` with *** in place of each secret: one block, freed by free(). `*ret` is NULL
 * where there is none. 0 or -ENOMEM. */
int secrets_mask(const struct secrets *s, char *const *argv, char ***ret);

#endif
