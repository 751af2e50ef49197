/* A hold on a desktop: a real bus, a real notify-send, and a notification service that the test
 * plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "guard/internal.h"

#define USER	 65534 /* nobody, whom every system has */
#define RUNTIME	 "/run/user/65534"
#define PATIENCE 10000 /* milliseconds */

/* What owns org.freedesktop.Notifications: writes each one to the file, a line a field. */
static const char service[] =
	"import sys, dbus, dbus.service, dbus.mainloop.glib\n"
	"from gi.repository import GLib\n"
	"dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)\n"
	"class Desktop(dbus.service.Object):\n"
	"    @dbus.service.method('org.freedesktop.Notifications', in_signature='susssasa{sv}i',\n"
	"                         out_signature='u')\n"
	"    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):\n"
	"        with open(sys.argv[1], 'a') as f:\n"
	"            f.write(f'{app}|{summary}|{body}|{int(hints[\"urgency\"])}#')\n"
	"        return 1\n"
	"    @dbus.service.method('org.freedesktop.Notifications', out_signature='ssss')\n"
	"    def GetServerInformation(self):\n"
	"        return 'test', 'test', '1', '1.2'\n"
	"    @dbus.service.method('org.freedesktop.Notifications', out_signature='as')\n"
	"    def GetCapabilities(self):\n"
	"        return ['body', 'body-markup']\n"
	"bus = dbus.SessionBus()\n"
	"name = dbus.service.BusName('org.freedesktop.Notifications', bus)\n"
	"Desktop(bus, '/org/freedesktop/Notifications')\n"
	"open(sys.argv[1], 'w').close()\n"
	"GLib.MainLoop().run()\n";

static struct guard guard;
static struct settings settings = { .notify = true };
static pid_t bus_pid, service_pid;
static bool have_desktop;
static char shown_path[64];

const struct settings *policy_settings(const struct policy *p _unused_)
{
	return &settings;
}

const char *ocsf_deletion_word(enum bs_delete_op op _unused_)
{
	return "unlink";
}

void ocsf_dest(const struct bs_dest *d, char *buf, size_t size)
{
	snprintf(buf, size, "connect 10.0.0.5:%u", d->port);
}

void ocsf_sending(struct strbuf *out, const struct bs_dest *d, const struct ocsf_sending *s)
{
	strbuf_addf(out, "send %s to 10.0.0.5:%u", s->text, d->port);
}

struct ocsf_sending send_shown(const struct exec *x)
{
	return (struct ocsf_sending) { .text = x->sent.text };
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* ---- the desktop */

static pid_t start_as_user(char *const *argv)
{
	char address[] = "DBUS_SESSION_BUS_ADDRESS=unix:path=" RUNTIME "/bus";
	char *env[] = { address, NULL };
	pid_t pid = fork();

	if (pid)
		return pid;
	if (setgid(USER) || setuid(USER))
		_exit(1);
	execve(argv[0], argv, env);
	_exit(1);
}

static void wait_for_file(const char *path)
{
	for (int i = 0; access(path, F_OK) && i < PATIENCE; i++)
		usleep(1000);
	assert_int_equal(access(path, F_OK), 0);
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static int open_desktop(void **state _unused_)
{
	char *bus[] = { (char *)"/usr/bin/dbus-daemon",
			(char *)"--session",
			(char *)"--nofork",
			(char *)"--nopidfile",
			(char *)"--address=unix:path=" RUNTIME "/bus",
			NULL };
	char *python[] = { (char *)"/usr/bin/python3", (char *)"-c", (char *)service, shown_path,
			   NULL };

	if (!have_desktop)
		return 0;
	memset(&guard, 0, sizeof(guard));
	snprintf(shown_path, sizeof(shown_path), RUNTIME "/shown");
	guard.loop = loop_new();
	if (!guard.loop || io_mkdir_p(RUNTIME, 0755) || chown(RUNTIME, USER, USER))
		return -1;
	bus_pid = start_as_user(bus);
	wait_for_file(RUNTIME "/bus");
	service_pid = start_as_user(python);
	wait_for_file(shown_path);
	return 0;
}

static void quit(void *data)
{
	loop_quit(data, 0);
}

static void run_loop(void)
{
	loop_add_timer(guard.loop, 20000, quit, guard.loop, NULL);
	loop_run(guard.loop);
}

/* The guard frees what it knows of a child at its end. */
static void wait_for_children(void)
{
	siginfo_t info;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		run_loop();
}

static int close_desktop(void **state _unused_)
{
	if (!have_desktop)
		return 0;
	end(&service_pid);
	end(&bus_pid);
	wait_for_children();
	loop_free(guard.loop);
	unlink(RUNTIME "/bus");
	unlink(shown_path);
	rmdir(RUNTIME "/dbus-1/services");
	rmdir(RUNTIME "/dbus-1");
	return rmdir(RUNTIME);
}

/* What was shown, once it is `count`. */
static char *shown(size_t count)
{
	struct strbuf sb = STRBUF_INIT;
	size_t found = 0;

	for (int i = 0; found < count && i < PATIENCE / 20; i++) {
		run_loop();
		strbuf_reset(&sb);
		assert_int_equal(io_read_file(AT_FDCWD, shown_path, 1 << 20, &sb), 0);
		found = 0;
		for (const char *s = strbuf_str(&sb); *s; s++)
			found += *s == '#';
	}
	assert_int_equal(found, count);
	return sb.data;
}

static void hold(uid_t uid, char *const *argv, bool connects)
{
	struct session session = { .agent = (char *)"claude", .uid = uid };
	struct exec x = { .session = &session, .argv = (char **)argv };
	struct hold h = { .id = 7,
			  .exec = &x,
			  .decision.finding = { .pack = "tool", .id = "x", .why = "Zaps <all>." } };

	if (connects) {
		x.kind = BS_SLOT_CONNECT;
		x.dest.port = 5432;
	}
	notify_hold(&guard, &h);
}

static bool find_desktop(void)
{
	return geteuid() == 0 && !access("/usr/bin/notify-send", X_OK) &&
	       !access("/usr/bin/dbus-daemon", X_OK) &&
	       system("/usr/bin/python3 -c 'import dbus, gi.repository' 2>/dev/null") == 0;
}

static void need_desktop(void)
{
	if (have_desktop)
		return;
	print_message(
		"skipped: needs root, notify-send, dbus-daemon, python3-dbus and python3-gi\n");
	skip();
}

/* ---- tests */

static void a_hold_is_shown_as_it_is(void **state _unused_)
{
	_cleanup_free_ char *text = NULL;
	char *argv[] = { (char *)"zap", (char *)"<b>&\\033[2J\\n", (char *)"\033[2J", NULL };
	char *psql[] = { (char *)"psql", NULL };

	need_desktop();
	hold(USER, argv, false);
	free(shown(1));
	hold(USER, psql, true);
	text = shown(2);
	assert_string_equal(
		text, "Backstop|Backstop holds an action of claude|"
		      "zap '&lt;b&gt;&amp;\\033[2J\\n' $'\\e[2J'\nZaps &lt;all&gt;. (tool.x)\n"
		      "backstop approve 7, or backstop deny 7|2#"
		      "Backstop|Backstop holds an action of claude|"
		      "connect 10.0.0.5:5432: psql\nZaps &lt;all&gt;. (tool.x)\n"
		      "backstop approve 7, or backstop deny 7|2#");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* no zombie but what runs here */
}

static void a_flood_is_cut_short(void **state _unused_)
{
	_cleanup_free_ char *text = NULL;
	char *argv[] = { (char *)"zap", NULL };

	need_desktop();
	for (int i = 0; i < 50; i++)
		hold(USER, argv, false);
	free(shown(5));
	usleep(200000);
	text = shown(5);
	assert_non_null(strstr(text, "More may be held: backstop pending"));
	guard.notified_since_ms -= 10000;
	hold(USER, argv, false);
	free(shown(6));
}

static void who_has_no_desktop_is_not_told(void **state _unused_)
{
	char *argv[] = { (char *)"zap", NULL };

	need_desktop();
	hold(USER + 1, argv, false);
	hold(0, argv, false);
	assert_int_equal(chown(RUNTIME "/bus", 0, 0), 0); /* somebody else's */
	hold(USER, argv, false);
	assert_int_equal(guard.notified, 0);
	assert_int_equal(chown(RUNTIME "/bus", USER, USER), 0);
	settings.notify = false;
	hold(USER, argv, false);
	settings.notify = true;
	assert_int_equal(guard.notified, 0);
	hold(USER, argv, false);
	assert_int_equal(guard.notified, 1);
	free(shown(1));
}

/* A desktop that does not answer costs the guard nothing, and the process its time. */
static void a_dead_desktop_is_not_waited_for(void **state _unused_)
{
	char *argv[] = { (char *)"zap", NULL };
	int64_t before = now_ms();

	need_desktop();
	kill(bus_pid, SIGSTOP);
	hold(USER, argv, false);
	assert_in_range(now_ms() - before, 0, 1000);
	kill(bus_pid, SIGCONT);
	free(shown(1));
}

int main(void)
{
#define DESKTOP_TEST(f) cmocka_unit_test_setup_teardown(f, open_desktop, close_desktop)
	const struct CMUnitTest tests[] = {
		DESKTOP_TEST(a_hold_is_shown_as_it_is),
		DESKTOP_TEST(a_flood_is_cut_short),
		DESKTOP_TEST(who_has_no_desktop_is_not_told),
		DESKTOP_TEST(a_dead_desktop_is_not_waited_for),
	};
	int lock;

	have_desktop = find_desktop();
	lock = open("/run/lock/test-notify", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (have_desktop && (lock < 0 || flock(lock, LOCK_EX))) /* runs beside each other have one
								    user */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
