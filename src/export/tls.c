#include "export/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "export/dial.h"

#define REASON_MAX 256

struct tls {
	SSL_CTX *context;
	SSL *ssl;
	int fd; /* not owned */
};

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->ssl) {
		(void)tls_take(t);
		ERR_clear_error();
		(void)SSL_shutdown(t->ssl);
	}
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	free(t);
}

DEFINE_CLEANUP(struct tls, tls_free);

static int say_error(struct strbuf *why, int err)
{
	char text[REASON_MAX] = "";
	unsigned long error = ERR_peek_last_error();

	if (error)
		ERR_error_string_n(error, text, sizeof(text));
	strbuf_adds(why, text);
	return err;
}

/* ---- connecting */

static int make_context(struct tls *t, const char *ca, struct strbuf *why)
{
	int ok;

	t->context = SSL_CTX_new(TLS_client_method());
	if (!t->context)
		return -ENOMEM;
	(void)SSL_CTX_ctrl(t->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	(void)SSL_CTX_ctrl(t->context, SSL_CTRL_MODE,
			   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
			   NULL);
	SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER, NULL);
	ok = ca ? SSL_CTX_load_verify_locations(t->context, ca, NULL)
		: SSL_CTX_set_default_verify_paths(t->context);
	if (ok == 1)
		return 0;
	strbuf_addf(why, "certificates of authorities in %s: ", ca ? ca : "the system's store");
	return say_error(why, -EKEYREJECTED);
}

static int set_host(struct tls *t, const char *host)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) == 1 ? 0
											: -EINVAL;
	(void)SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
		       (void *)host);
	return SSL_set1_host(t->ssl, host) == 1 ? 0 : -EINVAL;
}

/* What a call that returned `n` waits for: 0 once it can be done again, or a negative errno. */
static int wait_for(struct tls *t, int n)
{
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return dial_wait(t->fd, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return dial_wait(t->fd, POLLOUT);
	case SSL_ERROR_SYSCALL:
		return errno ? -errno : -EPIPE;
	default:
		return -EPROTO;
	}
}

static int shake_hands(struct tls *t, struct strbuf *why)
{
	int r = 0, n;
	long verified;

	do {
		errno = 0;
		ERR_clear_error();
		n = SSL_connect(t->ssl);
		if (n <= 0)
			r = wait_for(t, n);
	} while (n <= 0 && !r);
	if (!r)
		return 0;
	verified = SSL_get_verify_result(t->ssl);
	if (verified == X509_V_OK)
		return say_error(why, r);
	strbuf_addf(why, "the server's certificate is not good: %s",
		    X509_verify_cert_error_string(verified));
	return -EKEYREJECTED;
}

int tls_connect(int fd, const char *host, const char *ca, struct tls **ret, struct strbuf *why)
{
	_cleanup_(tls_free_ptr) struct tls *t = NULL;
	int r;

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->fd = fd;
	r = make_context(t, ca, why);
	if (r)
		return r;
	t->ssl = SSL_new(t->context);
	if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1)
		return -ENOMEM;
	r = set_host(t, host) ?: shake_hands(t, why);
	if (r)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

/* ---- sending */

int tls_send_all(struct tls *t, const char *data, size_t len)
{
	while (len) {
		int n, r;

		errno = 0;
		ERR_clear_error();
		n = SSL_write(t->ssl, data, (int)MIN(len, (size_t)INT32_MAX));
		if (n <= 0) {
			r = wait_for(t, n);
			if (r)
				return r;
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int tls_take(struct tls *t)
{
	char buf[4096];
	int n;

	do {
		ERR_clear_error();
		n = SSL_read(t->ssl, buf, sizeof(buf));
	} while (n > 0);
	return SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -EPIPE;
}
