/* The keeper's tracees: real processes, slots played by the test. */
#include "fixture.h"

#include <pthread.h>
#include <sys/ptrace.h>

#include "guard/slot.h"
#include "guard/trace.h"

#define SLOT   9
#define TICKET 77

static struct bs_slot slots[BS_SLOTS];
static struct tracer tracer;
static int trapped, gone;

static void tell(void *data _unused_, enum keeper_op op, const struct tracee *t)
{
	assert_int_equal(t->slot, SLOT);
	assert_int_equal(t->ticket, TICKET);
	trapped += op == KEEPER_TRAPPED;
	gone += op == KEEPER_GONE;
}

static int set_up(void **state _unused_)
{
	memset(slots, 0, sizeof(slots));
	tracer = (struct tracer) { .slots = slots, .tell = tell };
	trapped = gone = 0;
	return 0;
}

/* A child that ends with 7 as soon as it runs on after its stop. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		_exit(7);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	slots[SLOT].tgid = slots[SLOT].tid = pid;
	slots[SLOT].word = BS_SLOT_WORD(TICKET, BS_SLOT_STOPPED);
	return pid;
}

/* Until the child has said something; what it was. */
static int hear(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	trace_report(&tracer, pid, status);
	return status;
}

static pid_t seize(void)
{
	pid_t pid = start_child();

	assert_int_equal(trace_seize(&tracer, pid, SLOT, TICKET), 1); /* its stop was seen */
	hear(pid);
	assert_int_equal(trapped, 1);
	return pid;
}

/* A slot that the kernel waits with is taken; one where it stopped the task is kept. */
static void test_seize(void **state _unused_)
{
	pid_t pid = start_child();

	slots[SLOT].word = BS_SLOT_WORD(TICKET, BS_SLOT_ASKED);
	assert_int_equal(trace_seize(&tracer, pid, SLOT, TICKET), 0);
	assert_int_equal(slot_state(&slots[SLOT], TICKET), BS_SLOT_SEIZED);
	hear(pid);
	assert_int_equal(trapped, 1);
	kill(pid, SIGKILL);
	hear(pid);
	assert_int_equal(gone, 1);
	assert_int_equal(slot_state(&slots[SLOT], TICKET), BS_SLOT_FREE);
	assert_true(LIST_EMPTY(&tracer.tracees));
}

static void test_sigcont_wakes_nothing(void **state _unused_)
{
	pid_t pid = seize();
	struct proc_stat st;

	assert_int_equal(slot_state(&slots[SLOT], TICKET), BS_SLOT_SEIZED);
	kill(pid, SIGCONT);
	usleep(20000);
	assert_int_equal(proc_read_stat(pid, &st), 0);
	assert_int_equal(st.state, 't');
	trace_kill_all(&tracer);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_let_go(void **state _unused_)
{
	pid_t pid = seize();
	int status;

	trace_let_go(&tracer, SLOT, TICKET + 1); /* another one's */
	assert_false(LIST_EMPTY(&tracer.tracees));
	trace_let_go(&tracer, SLOT, TICKET);
	assert_true(LIST_EMPTY(&tracer.tracees));
	assert_int_equal(slot_state(&slots[SLOT], TICKET), BS_SLOT_FREE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_refuse(void **state _unused_)
{
	pid_t pid = seize();
	int status;

	trace_refuse(&tracer, SLOT, TICKET);
	assert_true(LIST_EMPTY(&tracer.tracees));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 126);
}

static void test_the_dead(void **state _unused_)
{
	assert_int_equal(trace_seize(&tracer, gone_child(), SLOT, TICKET), -ESRCH);
	assert_true(LIST_EMPTY(&tracer.tracees));
}

static void test_traced_by_another(void **state _unused_)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(trace_seize(&tracer, pid, SLOT, TICKET), -EPERM);
	end_child(pid);
}

/* As after an exec of the keeper: nothing but the slots says what is held. */
static void test_adopt(void **state _unused_)
{
	pid_t pid = seize();
	struct tracee *t = LIST_FIRST(&tracer.tracees);

	LIST_REMOVE(t, entry);
	free(t);
	trace_adopt(&tracer);
	t = LIST_FIRST(&tracer.tracees);
	assert_non_null(t);
	assert_int_equal(t->tid, pid);
	assert_int_equal(t->ticket, TICKET);
	assert_true(t->trapped);
	trace_adopt(&tracer); /* once is enough */
	assert_null(LIST_NEXT(t, entry));
	trace_kill_all(&tracer);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void set_start(pid_t pid)
{
	struct proc_stat st;

	assert_int_equal(proc_read_stat(pid, &st), 0);
	slots[SLOT].start = st.start_time * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

static int end_stopped(enum bs_slot_kind kind)
{
	pid_t pid = start_child();
	int status;

	set_start(pid);
	slots[SLOT].kind = kind;
	trace_end_stopped(&tracer);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_what_stopped_too_late(void **state _unused_)
{
	assert_int_equal(WTERMSIG(end_stopped(BS_SLOT_EXEC)), SIGKILL);
	assert_int_equal(WEXITSTATUS(end_stopped(BS_SLOT_CONNECT)), 7);
}

static void *stop_later(void *data _unused_)
{
	usleep(200000);
	slots[SLOT].word = BS_SLOT_WORD(TICKET, BS_SLOT_STOPPED);
	return NULL;
}

/* Where many run, a candidate may be without a CPU for long, in the kernel or behind its SIGSTOP.
 */
static void test_what_is_yet_to_stop(void **state _unused_)
{
	pid_t pid = fork();
	pthread_t later;
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep(20);
		_exit(7);
	}
	slots[SLOT] = (struct bs_slot) { .tgid = pid,
					 .tid = pid,
					 .kind = BS_SLOT_EXEC,
					 .word = BS_SLOT_WORD(TICKET, BS_SLOT_ASKED) };
	set_start(pid);
	assert_int_equal(pthread_create(&later, NULL, stop_later, NULL), 0);
	trace_end_stopped(&tracer);
	assert_int_equal(pthread_join(later, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* The number may be another process's by now. */
static void test_strangers_are_left_alone(void **state _unused_)
{
	pid_t pid = start_child();
	struct proc_stat st;

	trace_end_stopped(&tracer);
	assert_int_equal(proc_read_stat(pid, &st), 0);
	assert_int_equal(st.state, 'T');
	end_child(pid);
}

int main(void)
{
#define TRACE_TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		TRACE_TEST(test_seize),
		TRACE_TEST(test_sigcont_wakes_nothing),
		TRACE_TEST(test_let_go),
		TRACE_TEST(test_refuse),
		TRACE_TEST(test_the_dead),
		TRACE_TEST(test_traced_by_another),
		TRACE_TEST(test_adopt),
		TRACE_TEST(test_what_stopped_too_late),
		TRACE_TEST(test_what_is_yet_to_stop),
		TRACE_TEST(test_strangers_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
