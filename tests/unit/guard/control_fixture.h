/* A control socket over a guard that is played, and its clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "guard/control.h"
#include "guard/control_request.h"

#define NOBODY 65534

static struct {
	int labelled; /* what guard_is_labelled() gives */
	int reload;   /* what guard_reload() gives */
	const char *approvers;
	char asked[256];
} fake;

int guard_start_session(struct guard *g _unused_, pid_t pid, int pidfd,
			const struct session_options *o, uint64_t *ret_session,
			struct strbuf *err _unused_)
{
	assert_true(pidfd >= 0);
	snprintf(fake.asked, sizeof(fake.asked), "run %d %s %d", pid == getpid(), o->agent,
		 o->unattended);
	*ret_session = 0x19ab;
	return 0;
}

int guard_is_labelled(struct guard *g _unused_, int pidfd, uint64_t *ret_session)
{
	assert_true(pidfd >= 0);
	if (fake.labelled > 0)
		*ret_session = 0x17;
	return fake.labelled;
}

int guard_approve(struct guard *g _unused_, uint64_t id, const char *by, struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "approve %" PRIu64 " by %s", id, by);
	if (id == 7)
		return 0;
	strbuf_addf(err, "there is no hold %" PRIu64, id);
	return -ENOENT;
}

int guard_deny(struct guard *g _unused_, uint64_t id, const char *by, const char *reason,
	       struct strbuf *err _unused_)
{
	snprintf(fake.asked, sizeof(fake.asked), "deny %" PRIu64 " by %s: %s", id, by,
		 reason ? reason : "-");
	return 0;
}

int guard_decide_signed(struct guard *g _unused_, const char *text, const char *signature,
			struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "decide %s %s", text, signature);
	if (!strcmp(signature, "0a1b"))
		return 0;
	strbuf_adds(err, "the signature is not that of alice");
	return -EBADMSG;
}

void guard_describe_status(struct guard *g _unused_, struct json *j)
{
	json_put_string(j, "mode", "enforce");
}

void guard_describe_pending(struct guard *g _unused_, struct json *j)
{
	json_open_array(j, "holds");
	json_close_array(j);
}

int guard_attach(struct guard *g _unused_, pid_t pid, const struct session_options *o,
		 uint64_t *ret_session, struct strbuf *err)
{
	snprintf(fake.asked, sizeof(fake.asked), "attach %d %s", (int)pid, o->agent);
	if (pid == 1) {
		strbuf_adds(err, "process 1 cannot be followed");
		return -EPERM;
	}
	*ret_session = 0x19ac;
	return 0;
}

int guard_attach_cgroup(struct guard *g _unused_, const char *path, const struct session_options *o,
			uint64_t *ret_session, struct strbuf *err _unused_)
{
	snprintf(fake.asked, sizeof(fake.asked), "attach %s %s", path, o->agent);
	*ret_session = 0x19ad;
	return 0;
}

int guard_reload(struct guard *g _unused_, struct strbuf *err)
{
	strcpy(fake.asked, "reload");
	if (fake.reload)
		strbuf_adds(err, "backstop.yaml:3:1: there is no key 'mod'");
	return fake.reload;
}

const char *guard_approvers(const struct guard *g _unused_)
{
	return fake.approvers;
}

/* --- a server and its clients, in one thread */

struct server {
	struct loop *loop;
	struct control *control;
	char dir[32], path[64];
};

static void quit(void *data)
{
	loop_quit(data, 0);
}

/* Lets the server work until it has nothing more to do. */
static void serve(struct server *s)
{
	assert_int_equal(loop_add_timer(s->loop, 5000, quit, s->loop, NULL), 0);
	assert_int_equal(loop_run(s->loop), 0);
}

static int open_server(struct server *s)
{
	return control_open(NULL, s->loop, s->path, false, 0, &s->control);
}

static int setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	memset(&fake, 0, sizeof(fake));
	strcpy(s->dir, "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(chmod(s->dir, 0755), 0);
	snprintf(s->path, sizeof(s->path), "%s/made/guard.sock", s->dir);
	s->loop = loop_new();
	assert_int_equal(open_server(s), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	control_close(s->control);
	loop_free(s->loop);
	assert_int_equal(access(s->path, F_OK), -1);
	*strrchr(s->path, '/') = '\0';
	assert_int_equal(rmdir(s->path), 0);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

static int join(struct server *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come; "" where nothing has, "(closed)" at the end. */
static const char *hear(int fd)
{
	static char buf[1 << 20];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[MAX(n, 0)] = '\0';
	return n == 0 ? "(closed)" : buf;
}

/* What is answered: a busy machine may need more than one turn for it. */
static const char *answer(struct server *s, int fd)
{
	const char *reply = "";

	for (int turns = 0; !*reply && turns < 200; turns++) {
		serve(s);
		reply = hear(fd);
	}
	return reply;
}

static const char *ask(struct server *s, const char *request)
{
	int fd = join(s);
	const char *reply;

	say(fd, request);
	reply = answer(s, fd);
	close(fd);
	serve(s);
	return reply;
}

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root to ask as another user\n");
	skip();
}
