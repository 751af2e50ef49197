#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/guard.h"

#define LINE_MAX_BYTES (16 << 20) /* no reply of a sane guard is longer */
#define RETRY_USEC     20000

void client_close(struct client *c)
{
	close_fd(&c->fd);
	c->fd = -1;
	strbuf_free(&c->input);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* What a client meets while a guard is being replaced: its socket is there, and nobody listens. */
static bool may_be_restarting(int err)
{
	return err == -ECONNREFUSED || err == -EAGAIN;
}

static bool has_broken_off(int err)
{
	return err == -EPIPE || err == -ECONNRESET;
}

static int connect_until(const char *socket_path, int64_t deadline, struct client *ret)
{
	const char *path = socket_path ? socket_path : GUARD_SOCKET;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	for (;;) {
		err = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
		if (!may_be_restarting(err) || now_ms() >= deadline)
			break;
		usleep(RETRY_USEC);
	}
	if (err)
		return err;
	*ret = (struct client) { .fd = TAKE_FD(fd) };
	return 0;
}

int client_connect(const char *socket_path, struct client *ret)
{
	return connect_until(socket_path, now_ms() + CLIENT_RESTART, ret);
}

static const char *connect_remedy(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "start one with 'sudo systemctl start backstop' or 'sudo backstop guard', "
		       "or "
		       "start a session with 'sudo backstop run -- COMMAND'";
	case -EACCES:
		return "a directory above it is closed to you: try 'sudo backstop …'";
	case -EAGAIN:
		return "the guard is busy with other clients: try again";
	case -ENAMETOOLONG:
		return "give a path of at most 107 bytes";
	default:
		return "is that the socket of a guard?";
	}
}

int client_log_connect(int err, const char *socket_path)
{
	_cleanup_strbuf_ struct strbuf path = STRBUF_INIT;
	bool absent = err == -ENOENT || err == -ECONNREFUSED;

	escape_word(&path, socket_path ? socket_path : GUARD_SOCKET);
	log_error("%s (%s: %s): %s", absent ? "no guard runs here" : "cannot reach the guard",
		  strbuf_str(&path), strerror(-err), connect_remedy(err));
	return err;
}

/* 1: the fd is ready for `events`; 0: not before `deadline`. */
static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int r;

	do {
		left = deadline - now_ms();
		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int send_all(int fd, const char *data, size_t len, int64_t deadline)
{
	ssize_t n;
	int r;

	while (len > 0) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		data += MAX(n, 0);
		len -= MAX(n, 0);
		r = len > 0 ? wait_for(fd, POLLOUT, deadline) : 1;
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}
	return 0;
}

/* 1: more bytes came; 0: none are there now. */
static int fill(struct client *c)
{
	char block[16384];
	ssize_t n = recv(c->fd, block, sizeof(block), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	if (c->input.len > LINE_MAX_BYTES)
		return -EMSGSIZE;
	strbuf_add(&c->input, block, n);
	return strbuf_error(&c->input) ? -ENOMEM : 1;
}

static void drop_taken(struct client *c)
{
	if (c->taken == 0)
		return;
	memmove(c->input.data, c->input.data + c->taken, c->input.len - c->taken);
	strbuf_truncate(&c->input, c->input.len - c->taken);
	c->taken = 0;
}

/* Takes a whole line out of what was read. */
static bool take_line(struct client *c, size_t from, const char **ret, size_t *ret_len)
{
	char *start = c->input.data + c->taken, *end;

	if (c->input.len <= from)
		return false;
	end = memchr(c->input.data + from, '\n', c->input.len - from);
	if (!end)
		return false;
	*end = '\0';
	*ret = start;
	*ret_len = end - start;
	c->taken = end + 1 - c->input.data;
	return true;
}

int client_read_line(struct client *c, int timeout, const char **ret, size_t *ret_len)
{
	int64_t deadline = now_ms() + timeout;
	size_t from = c->taken;
	int r;

	if (take_line(c, from, ret, ret_len))
		return 1;
	drop_taken(c);
	for (;;) {
		from = c->input.len;
		r = wait_for(c->fd, POLLIN, deadline);
		if (r > 0)
			r = fill(c);
		if (r < 0)
			return r;
		if (take_line(c, from, ret, ret_len))
			return 1;
		if (now_ms() >= deadline)
			return 0;
	}
}

const char *client_reply_error(const json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	return json_is_false(json_object_get(reply, "ok")) ? error ? error : "refused" : NULL;
}

/* Of several lines (the faults of a file) each stays one. */
static void add_lines(struct strbuf *out, const char *text)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (out->len > 0)
			strbuf_addc(out, '\n');
		escape_bytes(out, text, len);
	}
}

static int check_reply(const char *line, size_t len, json_t **ret_reply)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_json_ json_t *reply = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *error = client_reply_error(reply);

	if (error) {
		add_lines(&text, error);
		log_error("%s", strbuf_str(&text));
		return -EREMOTEIO;
	}
	if (!json_is_true(json_object_get(reply, "ok")))
		return log_errno(-EPROTO, "the guard's reply is no JSON with \"ok\": a guard of "
					  "another release may still run, so start it again");
	*ret_reply = TAKE_PTR(reply);
	return 0;
}

static int send_request(struct client *c, const json_t *request, int64_t deadline)
{
	_cleanup_free_ char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int r;

	if (!text)
		return -ENOMEM;
	r = send_all(c->fd, text, strlen(text), deadline);
	return r ? r : send_all(c->fd, "\n", 1, deadline);
}

/* The reply's line. 0 or a negative errno, silently. */
static int exchange(struct client *c, const json_t *request, int timeout, const char **ret,
		    size_t *ret_len)
{
	int64_t deadline = now_ms() + timeout;
	int r = send_request(c, request, deadline);

	if (r < 0 && !has_broken_off(r)) /* a guard that refuses the client has still sent why */
		return r;
	r = client_read_line(c, timeout, ret, ret_len);
	return r == 0 ? -ETIMEDOUT : MIN(r, 0);
}

static int log_exchange(int err)
{
	if (err == -ETIMEDOUT)
		return log_errno(err, "the guard has not answered within %d s",
				 CLIENT_TIMEOUT / 1000);
	if (has_broken_off(err))
		return log_errno(err, "the guard has closed the connection");
	return log_errno(err, "cannot ask the guard");
}

int client_ask(struct client *c, json_t *request, json_t **ret_reply)
{
	_cleanup_json_ json_t *owned = request;
	const char *line;
	size_t len;
	int r = exchange(c, owned, CLIENT_TIMEOUT, &line, &len);

	return r ? log_exchange(r) : check_reply(line, len, ret_reply);
}

static int check_silently(const char *line, size_t len, json_t **ret_reply)
{
	_cleanup_json_ json_t *reply = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_true(json_object_get(reply, "ok")))
		return -EREMOTEIO;
	*ret_reply = TAKE_PTR(reply);
	return 0;
}

int client_ask_silently(struct client *c, const json_t *request, int timeout, json_t **ret_reply)
{
	const char *line;
	size_t len;
	int r = exchange(c, request, timeout, &line, &len);

	return r ? r : check_silently(line, len, ret_reply);
}

int client_exchange(struct client *c, const json_t *request, int timeout, json_t **ret_reply)
{
	const char *line;
	size_t len;
	int r = exchange(c, request, timeout, &line, &len);
	json_t *reply = r ? NULL : json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	if (!r && !reply)
		return -EREMOTEIO;
	if (!r)
		*ret_reply = reply;
	return r;
}

/* Asks, and where the guard goes away without an answer, the next one. A guard that is being killed
 * may still take a connection. Silent. */
static int exchange_again(struct client *c, const char *socket_path, const json_t *request,
			  const char **ret, size_t *ret_len)
{
	int64_t deadline = now_ms() + CLIENT_RESTART;
	int r = c->fd < 0 ? -EPIPE : exchange(c, request, CLIENT_TIMEOUT, ret, ret_len);

	while (has_broken_off(r) && now_ms() < deadline) {
		if (c->fd >= 0)
			usleep(RETRY_USEC);
		client_close(c);
		*c = CLIENT_INIT;
		r = connect_until(socket_path, deadline, c);
		if (!r)
			r = exchange(c, request, CLIENT_TIMEOUT, ret, ret_len);
	}
	return r;
}

int client_ask_again(struct client *c, const char *socket_path, json_t *request, json_t **ret_reply)
{
	_cleanup_json_ json_t *owned = request;
	const char *line;
	size_t len;
	int r = exchange_again(c, socket_path, owned, &line, &len);

	if (r && c->fd < 0)
		return client_log_connect(r, socket_path);
	return r ? log_exchange(r) : check_reply(line, len, ret_reply);
}

/* A decision that was carried out is not there to be made once more. */
static bool is_decision(const json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));

	return op && (!strcmp(op, "approve") || !strcmp(op, "deny"));
}

int client_request(const char *socket_path, json_t *request, json_t **ret_reply)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	int r = client_connect(socket_path, &c);

	if (r) {
		json_decref(request);
		return client_log_connect(r, socket_path);
	}
	if (is_decision(request))
		return client_ask(&c, request, ret_reply);
	return client_ask_again(&c, socket_path, request, ret_reply);
}

int client_watch(const char *socket_path, struct client *ret)
{
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *request = json_pack("{ss}", "op", "watch"), *reply = NULL;
	const char *line;
	size_t len;
	int r = exchange_again(&c, socket_path, request, &line, &len);

	if (!r)
		r = check_silently(line, len, &reply);
	if (r)
		return r;
	*ret = c;
	c = CLIENT_INIT;
	return 0;
}

void client_print_json(json_t *reply)
{
	_cleanup_free_ char *text = NULL;

	json_object_del(reply, "ok");
	text = json_dumps(reply, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	if (text)
		puts(text);
}
