/* Listening and buffers. No client is ever waited for: sockets do not block, what a client does not
 * read waits in its own queue, and a queue has a limit. */
#include "guard/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/log.h"
#include "guard/control_request.h"

#define SOCKET_REMEDY                                                                              \
	"run the guard as root, or give --socket a path in a directory you may write to"
#define PAUSE_USEC 1000000ULL /* without accepting, when descriptors have run out */

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	int fd;
	struct control_peer peer;
	bool guest;    /* may not approve */
	bool watching; /* gets what is published */
	bool closing;  /* asks no more; goes when its queue is empty */
	uint32_t events;
	struct loop_source *source, *timer;
	size_t in_len;
	char in[REQUEST_MAX];
	struct strbuf out;
	size_t sent; /* bytes of `out` that were sent */
};

TAILQ_HEAD(client_list, client);

struct control {
	struct guard *guard;
	struct loop *loop;
	bool embedded;
	uid_t owner;
	char *path;
	bool keep_socket;
	int fd;
	dev_t dev; /* of the socket that was made, so that no other's is removed */
	ino_t ino;
	struct loop_source *source, *pause;
	struct client_list clients;
	unsigned int count, guests;
};

/* --- a client's queue */

static void free_client(struct client *c)
{
	TAILQ_REMOVE(&c->control->clients, c, link);
	c->control->count--;
	c->control->guests -= c->guest;
	loop_remove(c->source);
	loop_remove(c->timer);
	close_fd(&c->fd);
	close_fd(&c->peer.pidfd);
	strbuf_free(&c->out);
	free(c);
}

static size_t waiting(const struct client *c)
{
	return c->out.len - c->sent;
}

/* Sends what the socket takes. 0 or a negative errno. */
static int flush(struct client *c)
{
	ssize_t n;

	while (waiting(c) > 0) {
		n = send(c->fd, c->out.data + c->sent, waiting(c), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->sent += n;
	}
	strbuf_reset(&c->out);
	c->sent = 0;
	return 0;
}

/* Moves what waits to the front, once that is worth it. */
static void drop_sent(struct client *c)
{
	if (c->sent < CONTROL_QUEUE)
		return;
	memmove(c->out.data, c->out.data + c->sent, waiting(c));
	strbuf_truncate(&c->out, waiting(c));
	c->sent = 0;
}

/* A client with a queue is not read from: it cannot make the queue longer by asking more. */
static void update_events(struct client *c)
{
	uint32_t events = waiting(c) > 0 ? EPOLLOUT : EPOLLIN;

	if (events != c->events && loop_mod_fd(c->source, events) == 0)
		c->events = events;
}

static void on_idle(void *data)
{
	struct client *c = data;

	c->timer = NULL;
	free_client(c);
}

static int set_idle_timer(struct client *c)
{
	loop_remove(TAKE_PTR(c->timer));
	if (c->watching)
		return 0;
	return loop_add_timer(c->control->loop, CONTROL_IDLE_USEC, on_idle, c, &c->timer);
}

/* --- requests */

/* The settings may have changed since the request before. */
static struct control_rights rights_now(const struct control *control)
{
	return (struct control_rights) { .embedded = control->embedded,
					 .owner = control->owner,
					 .service = GUARD_USER,
					 .approvers = guard_approvers(control->guard) };
}

static void answer_line(struct client *c, size_t len)
{
	struct control_rights rights = rights_now(c->control);

	if (control_answer(c->control->guard, &rights, &c->peer, c->in, len, &c->out))
		c->watching = true;
	if (set_idle_timer(c))
		c->closing = true;
}

static void refuse_and_close(struct client *c, const char *error)
{
	control_refuse(&c->out, error);
	c->closing = true;
}

/* Answers the lines that are whole, as long as the client reads the replies. */
static int answer_lines(struct client *c)
{
	char *end;
	int err = 0;

	while (!err && waiting(c) == 0 && !c->closing) {
		end = memchr(c->in, '\n', c->in_len);
		if (!end)
			break;
		answer_line(c, end - c->in);
		c->in_len -= end + 1 - c->in;
		memmove(c->in, end + 1, c->in_len);
		err = flush(c);
	}
	if (err || waiting(c) > 0 || c->closing || c->in_len < sizeof(c->in))
		return err;
	refuse_and_close(c, "a request is one line of at most 4096 bytes");
	return flush(c);
}

static int receive(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 && c->in_len > 0)
		refuse_and_close(c, "the request is cut off: it must end with a newline");
	if (n == 0)
		c->closing = true;
	c->in_len += n;
	return 0;
}

static void on_client(void *data, uint32_t events)
{
	struct client *c = data;
	int err = 0;

	if (waiting(c) > 0)
		err = flush(c);
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		err = receive(c);
	if (!err)
		err = answer_lines(c);
	if (!err && c->closing)
		err = flush(c);
	if (err || (c->closing && waiting(c) == 0))
		free_client(c);
	else
		update_events(c);
}

/* --- watchers */

/* The line in hand is sent to its end, then why there are no more. */
static void drop_watcher(struct client *c)
{
	char *rest = c->out.data + c->sent, *end;
	bool inside = c->sent > 0 && rest[-1] != '\n';

	end = inside ? memchr(rest, '\n', waiting(c)) : NULL;
	strbuf_truncate(&c->out, end ? (size_t)(end + 1 - c->out.data) : c->sent);
	c->watching = false;
	refuse_and_close(c, "this watcher did not read: 256 KiB wait for it, so it is dropped; "
			    "watch again, and read faster");
	(void)set_idle_timer(c);
}

static void queue_line(struct client *c, const char *line, size_t len)
{
	if (waiting(c) > CONTROL_QUEUE || strbuf_error(&c->out)) {
		drop_watcher(c);
	} else {
		drop_sent(c);
		strbuf_add(&c->out, line, len);
		strbuf_addc(&c->out, '\n');
	}
	update_events(c);
}

void control_publish(struct control *control, const char *line, size_t len)
{
	struct client *c = control ? TAILQ_FIRST(&control->clients) : NULL;

	for (; c; c = TAILQ_NEXT(c, link))
		if (c->watching)
			queue_line(c, line, len);
}

/* --- new clients */

static bool is_guest(const struct control *control, const struct control_peer *p)
{
	struct control_rights rights = rights_now(control);
	uint64_t session;

	if (!control_peer_has_rights(p, &rights) || p->pidfd < 0)
		return true;
	return guard_is_labelled(control->guard, p->pidfd, &session) != 0;
}

static void turn_away(int fd, bool guest)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	control_refuse(&out, guest ? "48 clients that may not approve are connected, which is the "
				     "limit: try again"
				   : "64 clients are connected, which is the limit: try again");
	(void)!send(fd, strbuf_str(&out), out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int watch_client(struct client *c)
{
	int err;

	c->events = EPOLLIN;
	err = loop_add_fd(c->control->loop, c->fd, c->events, on_client, c, &c->source);
	return err ? err : set_idle_timer(c);
}

/* Takes the fd. */
static void add_client(struct control *control, int accepted)
{
	_cleanup_close_ int fd = accepted;
	struct client *c = calloc(1, sizeof(*c));

	if (!c || control_peer_read(fd, &c->peer) < 0) {
		free(c);
		return;
	}
	c->control = control;
	c->guest = is_guest(control, &c->peer);
	if (control->count >= CONTROL_CLIENTS || (c->guest && control->guests >= CONTROL_GUESTS)) {
		turn_away(fd, c->guest && control->count < CONTROL_CLIENTS);
		close_fd(&c->peer.pidfd);
		free(c);
		return;
	}
	c->fd = TAKE_FD(fd);
	TAILQ_INSERT_TAIL(&control->clients, c, link);
	control->count++;
	control->guests += c->guest;
	if (watch_client(c))
		free_client(c);
}

static void on_pause_over(void *data)
{
	struct control *control = data;

	control->pause = NULL;
	(void)loop_mod_fd(control->source, EPOLLIN);
}

/* Without descriptors the connection cannot be taken, nor turned away, and would wake us for ever.
 */
static void pause_listening(struct control *control)
{
	if (loop_mod_fd(control->source, 0))
		return;
	if (loop_add_timer(control->loop, PAUSE_USEC, on_pause_over, control, &control->pause))
		(void)loop_mod_fd(control->source, EPOLLIN);
}

static void on_connection(void *data, uint32_t events _unused_)
{
	struct control *control = data;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		add_client(control, fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		pause_listening(control);
}

/* --- open and close */

/* "WHAT PATH: ERROR", with what to do in `remedy` (NULL: plain). */
static int log_path_errno(int err, const char *path, const char *what, const char *remedy)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;

	escape_word(&word, path);
	log_error("%s %s: %s%s%s", what, strbuf_str(&word), strerror(-err), remedy ? ": " : "",
		  remedy ? remedy : "");
	return err;
}

static int log_answering(int fd, const char *path)
{
	_cleanup_strbuf_ struct strbuf word = STRBUF_INIT;
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	escape_word(&word, path);
	log_error("a guard runs already (pid %d answers on %s): 'backstop status' shows it",
		  (int)cred.pid, strbuf_str(&word));
	return -EADDRINUSE;
}

#define ENDING_WAITS 20
#define ENDING_WAIT  (100 * 1000) /* microseconds */

/* An fd that is connected to a guard. One whose keeper was killed may answer for a moment more.
 * -ECONNREFUSED: there is none. */
static int find_guard(const struct sockaddr_un *addr)
{
	for (int i = 0;; i++) {
		_cleanup_close_ int fd =
			socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) && errno != EAGAIN)
			return -errno;
		if (i == ENDING_WAITS)
			return TAKE_FD(fd);
		usleep(ENDING_WAIT);
	}
}

/* There may be nothing, or the socket of a guard that is gone. */
static int check_path(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = -1;
	const char *path = addr->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : log_path_errno(-errno, path, "cannot look at", NULL);
	if (!S_ISSOCK(st.st_mode))
		return log_path_errno(
			-EEXIST, path, "cannot make the control socket",
			"what is there is no socket: remove it, or give --socket PATH");
	fd = find_guard(addr);
	if (fd >= 0)
		return log_answering(fd, path);
	if (fd != -ECONNREFUSED && fd != -ENOENT)
		return log_path_errno(fd, path, "cannot tell whether a guard listens on", NULL);
	return 0;
}

/* Makes and locks the directory, so that of two guards that start at once one sees the other. */
static int lock_directory(const char *path, int *ret_fd)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;
	const char *dir;
	mode_t mask;
	int err;

	if (!copy)
		return log_errno(-ENOMEM, "cannot make the control socket");
	dir = dirname(copy);
	mask = umask(022);
	err = io_mkdir_p(dir, 0755);
	umask(mask);
	if (err)
		return log_path_errno(err, dir, "cannot make the directory", SOCKET_REMEDY);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return log_path_errno(-errno, dir, "cannot lock the directory", SOCKET_REMEDY);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The address of the socket until somebody listens on it: beside `path`, so that a rename replaces
 * the old one and a client always finds one or the other. */
static int temporary_address(const char *path, struct sockaddr_un *ret)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? slash + 1 - path : 0;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%.*s.new", dir, path) >=
	    (int)sizeof(addr.sun_path))
		return log_path_errno(-ENAMETOOLONG, path, "cannot make the control socket",
				      "give a shorter path");
	*ret = addr;
	return 0;
}

static int bind_socket(struct control *control, const struct sockaddr_un *addr)
{
	struct stat st;

	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return log_errno(-errno, "cannot make a socket");
	unlink(addr->sun_path);
	if (bind(control->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return log_path_errno(-errno, control->path, "cannot make the control socket",
				      SOCKET_REMEDY);
	if (lstat(addr->sun_path, &st) < 0)
		return log_path_errno(-errno, addr->sun_path, "cannot look at", NULL);
	control->dev = st.st_dev;
	control->ino = st.st_ino;
	if (chmod(addr->sun_path, 0666) < 0 || listen(control->fd, CONTROL_CLIENTS) < 0 ||
	    rename(addr->sun_path, control->path) < 0)
		return log_path_errno(-errno, addr->sun_path, "cannot listen on", NULL);
	return loop_add_fd(control->loop, control->fd, EPOLLIN, on_connection, control,
			   &control->source);
}

static int start_listening(struct control *control)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX }, temporary;
	_cleanup_close_ int lock = -1;
	int err;

	if (strlen(control->path) >= sizeof(addr.sun_path))
		return log_path_errno(-ENAMETOOLONG, control->path,
				      "cannot make the control socket",
				      "give a path of at most 107 bytes");
	strcpy(addr.sun_path, control->path);
	err = lock_directory(control->path, &lock);
	if (!err)
		err = check_path(&addr);
	if (!err)
		err = temporary_address(control->path, &temporary);
	return err ? err : bind_socket(control, &temporary);
}

int control_open(struct guard *g, struct loop *loop, const char *path, bool embedded, uid_t owner,
		 struct control **ret)
{
	_cleanup_(control_close_ptr) struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return log_errno(-ENOMEM, "cannot make the control socket");
	control->guard = g;
	control->loop = loop;
	control->embedded = embedded;
	control->owner = owner;
	control->fd = -1;
	TAILQ_INIT(&control->clients);
	control->path = strdup(path);
	err = control->path ? start_listening(control) : -ENOMEM;
	if (err)
		return err;
	*ret = TAKE_PTR(control);
	return 0;
}

void control_keep_socket(struct control *control)
{
	control->keep_socket = true;
}

void control_close(struct control *control)
{
	struct client *c;
	struct stat st;

	if (!control)
		return;
	while ((c = TAILQ_FIRST(&control->clients))) {
		(void)flush(c);
		free_client(c);
	}
	if (!control->keep_socket && control->ino && lstat(control->path, &st) == 0 &&
	    st.st_dev == control->dev && st.st_ino == control->ino)
		unlink(control->path);
	loop_remove(control->pause);
	loop_remove(control->source);
	close_fd(&control->fd);
	free(control->path);
	free(control);
}
