/* backstop-serve, which `backstop serve` becomes: keeps the database that questions are answered
 * from, brings events to other systems and answers for metrics. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/notify.h"
#include "cli/client.h"
#include "cli/dispatch.h"
#include "cli/filter.h"
#include "cli/guard_options.h"
#include "export/sink.h"
#include "export/threads.h"
#include "fleet/approvals.h"
#include "fleet/decide.h"
#include "fleet/fleet.h"
#include "guard/guard.h"
#include "policy/exports.h"
#include "record/recorder.h"
#include "serve/server.h"

#define USER	"backstop"
#define WAIT_MS 1000 /* for a journal whose changes are not told */

struct options {
	bool once;
	const char *dir, *database, *export, *fleet, *approvals, *listen, *settings, *socket;
};

/* ---- privileges */

static void dir_of(const char *path, char *ret, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(ret, size, ".");
	else
		snprintf(ret, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* The user gets what was made for it, and the usual directory: another one, such as /tmp, is not
 * ours to give. */
static int make_dir(const char *dir, bool usual, const struct passwd *user)
{
	bool ours = access(dir, F_OK) < 0 || usual;
	int r = io_mkdir_p(dir, 0750);

	if (!r && ours && user && lchown(dir, user->pw_uid, user->pw_gid) < 0)
		r = -errno;
	return r;
}

static int become(const struct passwd *user)
{
	if (initgroups(USER, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0)
		return -errno;
	return 0;
}

/* Root gives up all that it needs no more. Where the user is not there, it is said, as the database
 * would then be root's. 0 or a negative errno, logged. */
static int drop_privileges(const char *database, bool usual)
{
	const struct passwd *user = geteuid() ? NULL : getpwnam(USER);
	char dir[PATH_MAX];
	int r;

	dir_of(database, dir, sizeof(dir));
	r = make_dir(dir, usual, user);
	if (!r && user)
		r = become(user);
	if (r)
		return log_errno(r, "serve: %s cannot be used for the database", dir);
	if (!geteuid())
		log_warning("there is no user " USER ": the recorder runs as root");
	if (!user || access(dir, W_OK | X_OK) == 0)
		return 0;
	log_error("--database: the user " USER " cannot write in %s: chown it, or name another "
		  "directory",
		  dir);
	return -EACCES;
}

/* ---- following */

/* Whoever reads what is exported may go away, on any thread that writes: libraries do so as to
 * files. */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int watch(const char *dir)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* 1: go on, 0: we are asked to end. */
static int wait_for_more(int signal_fd, int inotify_fd, unsigned int ms)
{
	struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
				{ .fd = inotify_fd, .events = POLLIN } };
	char events[4096];

	if (poll(fds, ARRAY_SIZE(fds), (int)ms) < 0 && errno != EINTR)
		return -errno;
	while (read(inotify_fd, events, sizeof(events)) > 0)
		;
	return !(fds[0].revents & POLLIN);
}

static bool is_asked_to_end(int signal_fd)
{
	struct pollfd fd = { .fd = signal_fd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static int catch_up(struct recorder *r, struct server *server, int signal_fd)
{
	int n;

	do {
		struct recorder_counts counts;

		n = recorder_step(r);
		counts = recorder_counts(r);
		server_set_recorder(server, &counts);
	} while (n > 0 && !is_asked_to_end(signal_fd));
	return MIN(n, 0);
}

/* ---- metrics */

#define ASK_MS 3000

/* That the guard gives no answer is told when it begins. */
static int ask_guard(void *data, json_t **ret)
{
	static bool told;
	_cleanup_client_ struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *request = json_pack("{ss}", "op", "status");
	int r = client_connect(data, &c);

	if (!r)
		r = client_ask_silently(&c, request, ASK_MS, ret);
	if (r && !told)
		log_errno(r, "the guard does not tell its status: metrics go without it");
	told = r;
	return r;
}

static int start_server(const struct options *o, const char *dir, const char *database,
			struct export_threads *exports, struct server **ret)
{
	const struct server_options options = {
		.listen = o->listen,
		.journal_dir = dir,
		.database = database,
		.ask = ask_guard,
		.data = (void *)o->socket,
		.exports = exports,
	};
	int r = server_start(&options, ret);

	if (r)
		log_errno(r, "cannot listen on %s", o->listen);
	return r;
}

static const char *add_export(void *specs, const char *spec)
{
	int r = export_specs_add(specs, spec);

	if (r == -EINVAL)
		return sink_words();
	return r == -E2BIG ? "one of 16 at most" : r ? strerror(-r) : NULL;
}
_Static_assert(EXPORT_SINKS_MAX == 16, "what is told");

/* Of the settings, which may be root's to read, and of the command line. What hosts export to a
 * fleet is not exported again unless that is asked for. */
static int read_exports(const struct options *o, struct export_specs *ret)
{
	const char *path = o->settings ? o->settings : GUARD_SETTINGS_FILE;
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = 0;

	if (o->settings || (!o->fleet && access(path, F_OK) == 0))
		r = settings_each_export(path, add_export, ret, &err);
	if (r)
		log_error("%s", strbuf_str(&err));
	return !r && o->export ? export_specs_parse(ret, o->export) : r;
}

static int start_exports(const char *dir, const char *database, const struct export_specs *specs,
			 struct export_threads **ret)
{
	char state_dir[PATH_MAX];

	dir_of(database, state_dir, sizeof(state_dir));
	return export_start(dir, state_dir, specs, ret);
}

/* ---- the fleet */

static int open_fleet(const char *spec, const char *dir, struct fleet **ret)
{
	int r = fleet_open(spec, dir, ret);

	if (r == -EBUSY)
		log_error("--fleet: another serve writes the spool in %s", dir);
	else if (r)
		log_errno(r, "--fleet: cannot write the spool in %s", dir);
	return r;
}

static int start_approvals(const struct options *o, struct approvals **ret)
{
	int r = approvals_start(o->approvals, o->socket, ret);

	return r ? log_errno(r, "--approvals: cannot take decisions") : 0;
}

struct sources {
	struct fleet *fleet; /* NULL: the guard writes the journal */
	int signal_fd, inotify_fd;
	bool once;
};

/* 1: there may be more, 0: it is time to end. */
static int wait_for_lines(const struct sources *s, struct recorder *r)
{
	int n = s->fleet ? fleet_step(s->fleet, recorder_hosts(r)) : 0;

	if (!n && s->once && s->fleet && fleet_pause(s->fleet))
		return -ENOTCONN;
	if (n < 0 || s->once)
		return n;
	return wait_for_more(s->signal_fd, s->inotify_fd,
			     s->fleet ? fleet_pause(s->fleet) : WAIT_MS);
}

static int go_on(const struct sources *s, struct recorder *r, struct server *server)
{
	int err = catch_up(r, server, s->signal_fd);

	if (!err)
		(void)notify("READY=1\n");
	while (!err && (err = wait_for_lines(s, r)) > 0)
		err = catch_up(r, server, s->signal_fd);
	if (!err && s->once)
		printf("%" PRIu64 " events, %" PRIu64 " lines that are none\n",
		       recorder_counts(r).lines, recorder_counts(r).skipped);
	return err;
}

static int cannot_keep(int err, const char *dir, const char *database)
{
	return log_errno(err, "serve: cannot keep %s from the journal in %s", database, dir);
}

/* All that fails is logged. */
static int follow(const struct options *o, const char *dir, const char *database,
		  const struct export_specs *specs)
{
	_cleanup_(recorder_close_ptr) struct recorder *r = NULL;
	_cleanup_(fleet_close_ptr) struct fleet *fleet = NULL;
	_cleanup_(export_stop_ptr) struct export_threads *exports = NULL;
	_cleanup_(server_stop_ptr) struct server *server = NULL;
	_cleanup_(approvals_stop_ptr) struct approvals *approvals = NULL;
	_cleanup_close_ int signal_fd = open_signals(), inotify_fd = -1;
	int err = o->fleet ? open_fleet(o->fleet, dir, &fleet) : 0;

	if (err)
		return err;
	inotify_fd = watch(dir);
	err = signal_fd < 0 ? signal_fd : MIN(inotify_fd, 0);
	if (!err)
		err = recorder_open(dir, database, &r);
	if (err)
		return cannot_keep(err, dir, database);
	if (specs->count)
		err = start_exports(dir, database, specs, &exports);
	if (!err && o->listen)
		err = start_server(o, dir, database, exports, &server);
	if (!err && o->approvals)
		err = start_approvals(o, &approvals);
	if (err)
		return err;
	err = go_on(&(struct sources) { fleet, signal_fd, inotify_fd, o->once }, r, server);
	return err ? cannot_keep(err, dir, database) : 0;
}

/* What is wrong is told, and not what it says: a password may stand there. */
static bool is_usable(const char *option, const char *nats)
{
	if (!nats || !fleet_check(nats))
		return true;
	log_error("%s: that is no nats://HOST:PORT[,HOST:PORT][/STREAM][#creds=FILE]", option);
	return false;
}

/* What a file that is none has is somebody else's: only a database is built anew. */
static bool may_be_database(const char *path)
{
	static const char magic[] = "SQLite format 3";
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char head[sizeof(magic)];
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));

	return n <= 0 || (n == sizeof(head) && !memcmp(head, magic, sizeof(magic)));
}

/* The same. */
static bool are_usable(const struct options *o)
{
	if (o->listen && server_check(o->listen)) {
		log_error("--listen: '%s' is no [ADDRESS:]PORT, such as 9794 or [::1]:9794",
			  o->listen);
		return false;
	}
	if (o->database && !may_be_database(o->database)) {
		log_error("--database: %s is there and is no database: name another file",
			  o->database);
		return false;
	}
	return is_usable("--fleet", o->fleet) && is_usable("--approvals", o->approvals);
}

static int run(const void *options, int argc _unused_, char **argv _unused_)
{
	const struct options *o = options;
	const char *dir = o->fleet ? FLEET_DIR : JOURNAL_DIR;
	const char *database = o->fleet ? FLEET_DATABASE : DATABASE;
	_cleanup_(export_specs_free) struct export_specs specs = { 0 };

	if (!are_usable(o) || read_exports(o, &specs))
		return EXIT_USAGE;
	dir = o->dir ? o->dir : dir;
	database = o->database ? o->database : database;
	if (drop_privileges(database, !o->database))
		return EXIT_FAILURE;
	return follow(o, dir, database, &specs) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct option_def option_defs[] = {
	{ "once", 0, OPTION_FLAG, NULL, "end when the database has all that the journal has",
	  offsetof(struct options, once) },
	{ "export", 0, OPTION_STRING, "SINKS",
	  "bring events there, too: file:/PATH, stdout:, journald:, syslog+udp://HOST:PORT, or "
	  "syslog+tcp, "
	  "syslog+tls://HOST:PORT#ca=FILE, https://HOST/PATH#key=FILE, nats://HOST:PORT, with "
	  "commas between them",
	  offsetof(struct options, export) },
	{ "fleet", 0, OPTION_STRING, "NATS",
	  "keep what all hosts export there: nats://HOST:PORT; in " FLEET_DIR ", where no other "
	  "directory is given",
	  offsetof(struct options, fleet) },
	{ "approvals", 0, OPTION_STRING, "NATS",
	  "take decisions from there that approvers signed: nats://HOST:PORT",
	  offsetof(struct options, approvals) },
	{ "listen", 0, OPTION_STRING, "[ADDRESS:]PORT",
	  "answer GET /metrics there, on the loopback where no address is given",
	  offsetof(struct options, listen) },
	{ "settings", 0, OPTION_STRING, "FILE",
	  "settings, whose exports: are brought, too (default " GUARD_SETTINGS_FILE
	  ", where it is there)",
	  offsetof(struct options, settings) },
	{ "socket", 0, OPTION_STRING, "PATH",
	  "the guard's socket: it is asked for its figures, and brought decisions",
	  offsetof(struct options, socket) },
	{ "dir", 0, OPTION_STRING, "DIR", "the journal's directory (" JOURNAL_DIR ")",
	  offsetof(struct options, dir) },
	{ "database", 0, OPTION_STRING, "FILE", "the database (" DATABASE ")",
	  offsetof(struct options, database) },
	{ 0 },
};

static const struct command serve = {
	.name = "serve",
	.help = SERVE_HELP,
	.example = "backstop serve --once",
	.options = option_defs,
	.options_size = sizeof(struct options),
	.run = run,
};

int main(int argc, char **argv)
{
	static const struct command *const commands[] = { &serve, &command_fleet_approve,
							  &command_fleet_deny, NULL };

	setlocale(LC_CTYPE, "");
	return dispatch(commands, argc, argv);
}
