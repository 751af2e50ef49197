/* TLS to a server whose certificate is checked, with OpenSSL, which is loaded when it is needed. It
 * writes to sockets as to files: SIGPIPE has to be ignored. */
#ifndef EXPORT_TLS_H
#define EXPORT_TLS_H

#include "base/strbuf.h"

struct tls;

/* Over `fd`, a connected socket that does not block and stays the caller's. The certificate has to
 * be of `host`, a name or an address, and of an authority in the file `ca`; NULL: one of the
 * system's. 0, or a negative errno, and `why`, which is appended to, has what there is to say. */
int tls_connect(int fd, const char *host, const char *ca, struct tls **ret, struct strbuf *why);
void tls_free(struct tls *t); /* says goodbye; NULL is fine */

/* 0 or a negative errno. */
int tls_send_all(struct tls *t, const char *data, size_t len);

/* Takes what the server said, which is no more than TLS itself needs: unread, it would make our
 * close a reset, which takes from the server what it did not read yet. 0, or -EPIPE: it went. */
int tls_take(struct tls *t);

#endif
