/* TLS and QUIC of sessions into which nobody can look, as no library of the program is probed. */
#ifndef GUARD_UNSEEN_H
#define GUARD_UNSEEN_H

#include "base/json.h"
#include "guard/internal.h"
#include "policy/quic.h"

/* "tls" or "quic" where `e` begins such a connection, of which `tls` and what QUIC told are known;
 * NULL: neither, or more of it will tell for which name it is. */
const char *unseen_what_begins(const struct bs_send_event *e, bool tls, enum quic_told quic);
/* `x`, decoded of `e`, begins one: where nothing that its process has mapped is probed an event
 * says so, once for each session, program file and destination. `probed`: something is, as was
 * found when the first of its bytes came. */
void unseen_note(struct guard *g, const struct bs_send_event *e, const struct exec *x, bool probed);
/* The session ends: what waits to be told is told. */
void unseen_forget(struct guard *g, u64 session);
void unseen_forget_all(struct guard *g);
/* A member "unseen": an array of the program files. */
void unseen_describe(const struct guard *g, struct json *j);

#endif
