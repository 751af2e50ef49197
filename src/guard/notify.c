/* Tells the user of a session on the desktop that an action is held: notify-send, started
 * as that user on that user's bus. The guard waits for nothing: it forks once and hears of the end
 * over a pidfd. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "guard/internal.h"
#include "guard/reaper.h"

#define NOTIFY_SECONDS 10    /* that it may take */
#define PERIOD_MS      10000 /* in which at most so many are shown */
#define PERIOD_MAX     5
#define COMMAND_MAX    300 /* bytes of the action */

struct notification {
	struct loop_source *source;
	pid_t pid;
	int pidfd;
};

struct message {
	uid_t uid;
	char bus[32]; /* path of the socket */
	struct strbuf summary, body;
};

static void notification_free(struct notification *n)
{
	loop_remove(n->source);
	close_fd(&n->pidfd);
	free(n);
}

static void on_end(void *data, _unused_ uint32_t events)
{
	struct notification *n = data;

	waitpid(n->pid, NULL, WNOHANG);
	notification_free(n);
}

/* ---- the text */

/* Servers take the body for markup, and notify-send undoes backslashes in it. */
static void add_marked_up(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		strbuf_adds(out, *text == '\\' ? "\\" : "");
		escape_markup(out, text, 1);
	}
}

static void add_action(struct strbuf *out, const struct exec *x)
{
	char text[96];

	if (x->kind == BS_SLOT_CONNECT) {
		ocsf_dest(&x->dest, text, sizeof(text));
		strbuf_addf(out, "%s: ", text);
	}
	if (exec_is_sending(x)) {
		struct ocsf_sending s = send_shown(x);

		ocsf_sending(out, &x->dest, &s);
		strbuf_adds(out, ": ");
	}
	if (exec_is_deletion(x)) {
		strbuf_addf(out, "%s ", ocsf_deletion_word(x->object.id.op));
		escape_bytes(out, x->object.path, strlen(x->object.path));
		strbuf_adds(out, ": ");
	}
	escape_argv(out, exec_shown(x), COMMAND_MAX);
}

static void write_message(struct message *m, const struct hold *h, bool last)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT, agent = STRBUF_INIT;
	const struct finding *f = &h->decision.finding;

	if (h->exec->session->agent && *h->exec->session->agent)
		escape_bytes(&agent, h->exec->session->agent, strlen(h->exec->session->agent));
	strbuf_addf(&m->summary, "Backstop holds an action of %s",
		    agent.len ? strbuf_str(&agent) : "a session");
	add_action(&text, h->exec);
	strbuf_addf(&text, "\n%s (%s.%s)\n", f->why ?: "", f->pack ?: "", f->id ?: "");
	strbuf_addf(&text, "backstop approve %llu, or backstop deny %llu",
		    (unsigned long long)h->id, (unsigned long long)h->id);
	if (last)
		strbuf_adds(&text, "\nMore may be held: backstop pending");
	add_marked_up(&m->body, strbuf_str(&text));
}

/* ---- the process */

static int become_user(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);
	gid_t gid = pw ? pw->pw_gid : (gid_t)uid;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

/* Only what this function says gets into the user's program. */
static _Noreturn void be_notify_send(struct message *m)
{
	char *argv[] = { (char *)GUARD_NOTIFY_SEND,
			 (char *)"--app-name=Backstop",
			 (char *)"--urgency=critical",
			 (char *)"--icon=security-high",
			 (char *)"--",
			 (char *)strbuf_str(&m->summary),
			 (char *)strbuf_str(&m->body),
			 NULL };
	char bus[96], runtime[64], *env[] = { bus, runtime, (char *)"LC_ALL=C.UTF-8", NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	snprintf(bus, sizeof(bus), "DBUS_SESSION_BUS_ADDRESS=unix:path=%s", m->bus);
	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=/run/user/%u", m->uid);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (null < 0 || chdir("/") || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	close_range(3, ~0U, 0);
	alarm(NOTIFY_SECONDS); /* execve keeps it */
	if (become_user(m->uid) == 0)
		execve(argv[0], argv, env);
	_exit(1);
}

static int start(struct guard *g, struct message *m)
{
	struct notification *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->pid = fork();
	if (n->pid == 0)
		be_notify_send(m);
	n->pidfd = n->pid > 0 ? pidfd_open(n->pid, 0) : -1;
	r = n->pidfd < 0 ? -errno : loop_add_fd(g->loop, n->pidfd, EPOLLIN, on_end, n, &n->source);
	if (!r)
		return 0;
	if (n->pid > 0)
		reaper_end(g->loop, n->pid);
	notification_free(n);
	return r;
}

/* ---- who, and how often */

/* The user must be logged in on a desktop: its bus is there, and is the user's own. */
static bool find_bus(struct message *m)
{
	struct stat st;

	snprintf(m->bus, sizeof(m->bus), "/run/user/%u/bus", m->uid);
	return lstat(m->bus, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == m->uid;
}

/* How many were shown in this period, this one included. An agent can make any number of holds. */
static unsigned int count_in(struct guard *g)
{
	int64_t now = now_ms();

	if (now - g->notified_since_ms >= PERIOD_MS || now < g->notified_since_ms) {
		g->notified_since_ms = now;
		g->notified = 0;
	}
	return g->notified < PERIOD_MAX + 1 ? ++g->notified : g->notified;
}

void notify_hold(struct guard *g, const struct hold *h)
{
	struct message m = { .summary = STRBUF_INIT, .body = STRBUF_INIT };
	unsigned int number;
	int r;

	if (!policy_settings(g->policy)->notify || !h->exec || !h->exec->session)
		return;
	m.uid = h->exec->session->uid;
	if (m.uid == 0 || !find_bus(&m)) /* root's rights are not for drawing on a desktop */
		return;
	number = count_in(g);
	if (number > PERIOD_MAX)
		return;
	write_message(&m, h, number == PERIOD_MAX);
	r = strbuf_error(&m.body) ? -ENOMEM : start(g, &m);
	if (r)
		log_errno(r, "hold %llu is not shown on the desktop", (unsigned long long)h->id);
	strbuf_free(&m.summary);
	strbuf_free(&m.body);
}
