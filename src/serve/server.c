#include "serve/server.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "serve/exposition.h"
#include "serve/metrics.h"

#define CLIENTS	   32	/* at once */
#define IDLE_S	   10	/* until one that says nothing is dropped */
#define FRESH_MS   1000 /* the guard is asked no more often, however many ask us */
#define LOOPBACK   "127.0.0.1"
#define LISTEN_MAX 80
#define PAGE	   "/metrics"
#define NOT_FOUND  "Metrics are at " PAGE ".\n"
#define NO_METHOD  "Only GET and HEAD are answered.\n"

struct server {
	struct MHD_Daemon *daemon;
	struct server_options options;
	char *journal_dir, *database;
	pthread_mutex_t lock; /* of what follows */
	struct recorder_counts recorder;
	/* of the daemon's thread alone: */
	json_t *status; /* NULL: the guard gave none */
	int64_t asked_ms;
};

/* ---- the page */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void ask(struct server *s)
{
	if (s->asked_ms && now_ms() - s->asked_ms < FRESH_MS)
		return;
	json_decref(s->status);
	s->status = NULL;
	(void)s->options.ask(s->options.data, &s->status);
	s->asked_ms = now_ms();
}

static void write_page(struct server *s, bool openmetrics, struct strbuf *out)
{
	struct facts f = { 0 };

	ask(s);
	pthread_mutex_lock(&s->lock);
	f.recorder = s->recorder;
	pthread_mutex_unlock(&s->lock);
	f.exporter_count = export_figures(s->options.exports, f.exporters);
	facts_read(&f, s->journal_dir, s->database);
	metrics_write(out, openmetrics, s->status, &f);
}

/* ---- HTTP */

/* Takes `text`. */
static enum MHD_Result respond(struct MHD_Connection *c, unsigned int status, const char *type,
			       char *text)
{
	struct MHD_Response *r =
		text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE)
		     : NULL;
	enum MHD_Result done;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result answer_page(struct server *s, struct MHD_Connection *c)
{
	_cleanup_strbuf_ struct strbuf page = STRBUF_INIT;
	bool openmetrics = exposition_is_openmetrics(
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));

	write_page(s, openmetrics, &page);
	if (strbuf_error(&page))
		return MHD_NO;
	return respond(c, MHD_HTTP_OK, exposition_content_type(openmetrics), strbuf_take(&page));
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version _unused_,
				  const char *body _unused_, size_t *body_size, void **request)
{
	static char seen;

	if (!*request) { /* its headers; it may have a body, which we do not want */
		*request = &seen;
		return MHD_YES;
	}
	if (*body_size) {
		*body_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return respond(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", strdup(NO_METHOD));
	if (strcmp(url, PAGE) != 0)
		return respond(c, MHD_HTTP_NOT_FOUND, "text/plain", strdup(NOT_FOUND));
	return answer_page(data, c);
}

/* ---- where it listens */

/* "9794", "127.0.0.1:9794", "[::1]:9794": no names, as those would be looked up. */
static int parse(const char *listen, struct addrinfo **ret)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	char copy[LISTEN_MAX], *colon;
	const char *address, *port;

	if (snprintf(copy, sizeof(copy), "%s", listen) >= (int)sizeof(copy))
		return -EINVAL;
	colon = strrchr(copy, ':');
	address = colon ? copy : LOOPBACK;
	port = colon ? colon + 1 : copy;
	if (colon)
		*colon = '\0';
	if (colon && *copy == '[' && colon > copy + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		address = copy + 1;
	} else if (strchr(address, ':')) {
		return -EINVAL;
	}
	if (!*address || !*port || strspn(port, "0123456789") != strlen(port) || atol(port) > 65535)
		return -EINVAL;
	return getaddrinfo(address, port, &hints, ret) ? -EINVAL : 0;
}

static bool is_loopback(const struct sockaddr *a)
{
	const struct sockaddr_in *four = (const void *)a;
	const struct sockaddr_in6 *six = (const void *)a;

	return a->sa_family == AF_INET ? ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
				       : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void log_http(void *data _unused_, const char *fmt, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

static int listen_on(struct server *s, const struct sockaddr *a)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG |
			     (a->sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);

	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s,
				     MHD_OPTION_EXTERNAL_LOGGER, log_http, NULL,
				     MHD_OPTION_SOCK_ADDR, a, MHD_OPTION_CONNECTION_LIMIT, CLIENTS,
				     MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_END);
	if (!s->daemon)
		return errno ? -errno : -EIO;
	if (!is_loopback(a))
		log_warning("metrics are for everybody who reaches %s", s->options.listen);
	return 0;
}

static int start(struct server *s)
{
	struct addrinfo *found = NULL;
	int r = parse(s->options.listen, &found);

	if (r)
		return r;
	r = listen_on(s, found->ai_addr);
	freeaddrinfo(found);
	return r;
}

int server_check(const char *listen)
{
	struct addrinfo *found = NULL;
	int r = parse(listen, &found);

	if (!r)
		freeaddrinfo(found);
	return r;
}

int server_start(const struct server_options *o, struct server **ret)
{
	_cleanup_(server_stop_ptr) struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->options = *o;
	s->journal_dir = strdup(o->journal_dir);
	s->database = strdup(o->database);
	r = s->journal_dir && s->database ? start(s) : -ENOMEM;
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	pthread_mutex_destroy(&s->lock);
	json_decref(s->status);
	free(s->journal_dir);
	free(s->database);
	free(s);
}

void server_set_recorder(struct server *s, const struct recorder_counts *counts)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->recorder = *counts;
	pthread_mutex_unlock(&s->lock);
}
