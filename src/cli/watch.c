/* The live feed. On a terminal the oldest hold stands at the bottom and a key decides it; elsewhere
 * there are only lines. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/prompt.h"
#include "cli/table.h"

#define LINES_AT_ONCE 200
#define SETTLE_MS     300 /* a key that was meant for the hold before must not decide this one */
#define CTRL_D	      4
#define CLASS_FINDING 2004 /* of OCSF */

struct options {
	bool json;
	const char *socket;
};

struct watch {
	const struct options *options;
	struct client client;
	struct loop *loop;
	struct loop_source *feed;
	json_t *pending;    /* the guard's last answer; NULL: none */
	struct map skipped; /* by the number of the hold */
	uint64_t shown;	    /* number of the hold at the bottom, 0: none */
	uint64_t settled;   /* epoch in ms from which on keys count */
	struct prompt prompt;
	struct termios terminal; /* as it was */
	struct strbuf out;
};

/* --- the terminal */

static void set_raw(struct watch *w)
{
	struct termios raw = w->terminal;

	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void restore_terminal(struct watch *w)
{
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &w->terminal);
}

/* 0, or a negative errno that has been told. */
static int print_text(const struct strbuf *text)
{
	int r = strbuf_error(text) ?: io_write_all(STDOUT_FILENO, strbuf_str(text), text->len);

	if (r && r != -EPIPE)
		log_errno(r, "cannot write the output");
	return r;
}

static void write_out(struct watch *w)
{
	if (print_text(&w->out))
		loop_quit(w->loop, EXIT_FAILURE);
	strbuf_reset(&w->out);
}

static void erase_prompt(struct watch *w)
{
	prompt_erase(&w->out, w->prompt.rows);
	w->prompt = (struct prompt) { 0 };
}

static struct prompt_size terminal_size(void)
{
	struct winsize size = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return (struct prompt_size) { .columns = size.ws_col ? size.ws_col : 80,
				      .rows = size.ws_row ? size.ws_row : 24 };
}

/* --- the hold at the bottom */

/* The oldest that was not skipped; how many wait behind it. */
static const json_t *oldest_hold(const struct watch *w, size_t *ret_others)
{
	const json_t *hold, *oldest = NULL;
	size_t i, count = 0;

	json_array_foreach(json_object_get(w->pending, "holds"), i, hold)
	{
		if (map_get(&w->skipped, member_uint(hold, "id")))
			continue;
		count++;
		if (!oldest || member_uint(hold, "id") < member_uint(oldest, "id"))
			oldest = hold;
	}
	*ret_others = count > 0 ? count - 1 : 0;
	return oldest;
}

static void draw_prompt(struct watch *w)
{
	size_t others;
	const json_t *hold = oldest_hold(w, &others);
	uint64_t id = hold ? member_uint(hold, "id") : 0;

	if (id != w->shown && w->shown && id)
		w->settled = epoch_ms() + SETTLE_MS;
	w->shown = id;
	w->prompt = prompt_add(&w->out, hold, others, terminal_size());
	write_out(w);
}

/* Every finding may have opened or ended a hold, whoever decided it: asking is simple and right. */
static void fetch_pending(struct watch *w)
{
	json_t *reply = NULL;

	if (client_request(w->options->socket, json_pack("{ss}", "op", "pending"), &reply)) {
		loop_quit(w->loop, EXIT_FAILURE);
		return;
	}
	json_decref(w->pending);
	w->pending = reply;
}

static void say(struct watch *w, const char *text)
{
	erase_prompt(w);
	strbuf_addf(&w->out, "%s\n", text);
	draw_prompt(w);
}

/* --- keys */

static void decide(struct watch *w, const char *op)
{
	json_t *reply = NULL;

	erase_prompt(w);
	write_out(w);
	if (client_request(w->options->socket,
			   json_pack("{sssI}", "op", op, "id", (json_int_t)w->shown), &reply) == 0)
		json_decref(reply);
	fetch_pending(w);
	draw_prompt(w);
}

static void skip(struct watch *w)
{
	if (map_set(&w->skipped, w->shown, w))
		return;
	erase_prompt(w);
	draw_prompt(w);
}

static void on_hold_key(struct watch *w, char key)
{
	if (!w->shown || epoch_ms() < w->settled)
		return;
	if (key == 'a' && !w->prompt.whole)
		say(w, "backstop: that action is not shown whole, so no key approves it");
	else if (key == 'a')
		decide(w, "approve");
	else if (key == 'd')
		decide(w, "deny");
	else if (key == 's')
		skip(w);
}

/* Several bytes at once are no key that was meant: an arrow, or something pasted. */
static void on_key(void *data, uint32_t events _unused_)
{
	struct watch *w = data;
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (n == 1 && (keys[0] == 'q' || keys[0] == CTRL_D)))
		loop_quit(w->loop, EXIT_SUCCESS);
	else if (n == 1)
		on_hold_key(w, keys[0]);
}

/* --- the feed */

/* What is no event says why the guard sends no more. */
static int log_last_line(const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_json_ json_t *reply = json_loadb(line, len, 0, NULL);
	const char *error = client_reply_error(reply);

	if (!error)
		error = "the guard has sent a line that is no event";
	escape_bytes(&text, error, strlen(error));
	log_error("%s", strbuf_str(&text));
	return -EPROTO;
}

static int log_gone(int err)
{
	if (err == -EPIPE || err == -ECONNRESET)
		log_error("the guard has gone: 'backstop status' tells whether another one runs");
	else
		log_errno(err, "cannot read from the guard");
	return err;
}

/* A guard that restarts is back within a moment; one that was stopped has taken its socket away. */
static int rejoin(struct watch *w, int err)
{
	client_close(&w->client);
	w->client = CLIENT_INIT;
	if ((err != -EPIPE && err != -ECONNRESET) ||
	    client_watch(w->options->socket, &w->client) < 0)
		return log_gone(err);
	log_info("the guard has restarted: what it wrote meanwhile, 'backstop log' shows");
	return 0;
}

static int add_event(struct watch *w, const char *line, size_t len, bool *ret_finding)
{
	_cleanup_json_ json_t *event = feed_parse(line, len);

	if (!event) {
		write_out(w);
		return log_last_line(line, len);
	}
	feed_format_event(&w->out, event, true);
	if (member_uint(event, "class_uid") == CLASS_FINDING)
		*ret_finding = true;
	return 0;
}

/* The feed's lines that are there, above the prompt. 1: there may be more of them already. */
static int read_feed(struct watch *w, bool *ret_finding)
{
	const char *line;
	size_t len;
	int r;

	for (int i = 0; i < LINES_AT_ONCE; i++) {
		r = client_read_line(&w->client, 0, &line, &len);
		if (r <= 0)
			return r;
		r = add_event(w, line, len, ret_finding);
		if (r < 0)
			return r;
	}
	return 1;
}

static void on_more(void *data);
static void on_feed(void *data, uint32_t events);

static int rejoin_loop(struct watch *w, int err)
{
	loop_remove(TAKE_PTR(w->feed));
	err = rejoin(w, err);
	return err ? err : loop_add_fd(w->loop, w->client.fd, EPOLLIN, on_feed, w, &w->feed);
}

static void on_feed(void *data, uint32_t events _unused_)
{
	struct watch *w = data;
	bool finding = false;
	int r;

	erase_prompt(w);
	r = read_feed(w, &finding);
	write_out(w); /* before anything is logged */
	if (r < 0 && r != -EPROTO) {
		r = rejoin_loop(w, r);
		finding = true;
	}
	if (r < 0) {
		loop_quit(w->loop, EXIT_FAILURE);
		return;
	}
	if (r > 0 && loop_add_timer(w->loop, 0, on_more, w, NULL))
		loop_quit(w->loop, EXIT_FAILURE);
	if (finding)
		fetch_pending(w);
	draw_prompt(w);
}

static void on_more(void *data)
{
	on_feed(data, 0);
}

/* --- signals */

static void on_end(void *data, int signo)
{
	struct watch *w = data;

	loop_quit(w->loop, 128 + signo);
}

static void on_resize(void *data, int signo _unused_)
{
	struct watch *w = data;

	erase_prompt(w);
	draw_prompt(w);
}

/* Ctrl-Z: the shell gets its terminal back as it was. */
static void on_stop(void *data, int signo _unused_)
{
	struct watch *w = data;

	erase_prompt(w);
	write_out(w);
	restore_terminal(w);
	raise(SIGSTOP);
}

static void on_continue(void *data, int signo)
{
	set_raw(data);
	on_resize(data, signo);
}

static int add_sources(struct watch *w)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	int err = loop_add_fd(w->loop, w->client.fd, EPOLLIN, on_feed, w, &w->feed);

	if (!err)
		err = loop_add_fd(w->loop, STDIN_FILENO, EPOLLIN, on_key, w, NULL);
	if (!err)
		err = loop_add_signal(w->loop, SIGWINCH, on_resize, w);
	if (!err)
		err = loop_add_signal(w->loop, SIGTSTP, on_stop, w);
	if (!err)
		err = loop_add_signal(w->loop, SIGCONT, on_continue, w);
	for (size_t i = 0; !err && i < ARRAY_SIZE(ends); i++)
		err = loop_add_signal(w->loop, ends[i], on_end, w);
	return err;
}

static int run_terminal(struct watch *w)
{
	int err;

	w->loop = loop_new();
	err = w->loop ? add_sources(w) : -errno;
	if (err)
		return log_errno(err, "cannot watch"), EXIT_FAILURE;
	set_raw(w);
	fetch_pending(w);
	on_feed(w, 0);
	err = loop_run(w->loop);
	erase_prompt(w);
	write_out(w);
	restore_terminal(w);
	return err < 0 ? log_errno(err, "cannot watch"), EXIT_FAILURE : err;
}

/* --- without a terminal */

static int print_line(const struct watch *w, const char *line, size_t len)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_json_ json_t *event = feed_parse(line, len);

	if (!event)
		return log_last_line(line, len);
	if (w->options->json)
		feed_put_json(&text, line, len, event, isatty(STDOUT_FILENO));
	else
		feed_format_event(&text, event, isatty(STDOUT_FILENO));
	return print_text(&text);
}

static int run_plain(struct watch *w)
{
	const char *line;
	size_t len;
	int r;

	do {
		r = client_read_line(&w->client, INT_MAX, &line, &len);
		if (r < 0)
			r = rejoin(w, r);
		else if (r > 0)
			r = print_line(w, line, len);
	} while (r >= 0);
	return EXIT_FAILURE;
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	struct watch w = { .options = options, .client = CLIENT_INIT };
	json_t *reply = NULL;
	int err = client_connect(w.options->socket, &w.client), status;

	if (err)
		return client_log_connect(err, w.options->socket), EXIT_FAILURE;
	err = client_ask(&w.client, json_pack("{ss}", "op", "watch"), &reply);
	json_decref(reply);
	if (err)
		status = EXIT_FAILURE;
	else if (!w.options->json && isatty(STDOUT_FILENO) &&
		 tcgetattr(STDIN_FILENO, &w.terminal) == 0)
		status = run_terminal(&w);
	else
		status = run_plain(&w);
	loop_free(w.loop);
	client_close(&w.client);
	json_decref(w.pending);
	map_free(&w.skipped);
	strbuf_free(&w.out);
	return status;
}

static const struct option_def option_defs[] = {
	{ "json", 0, OPTION_FLAG, NULL, "print the events as they are, and take no keys",
	  offsetof(struct options, json) },
	{ "socket", 0, OPTION_STRING, "PATH", "the guard's socket",
	  offsetof(struct options, socket) },
	{ 0 },
};

const struct command command_watch = {
	.name = "watch",
	.help = "show what happens as it happens; on a terminal a key approves or denies a hold",
	.example = "backstop watch",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};
