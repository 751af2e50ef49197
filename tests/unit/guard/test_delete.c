/* Deletions: what events say, what counts, what is remembered, and what the journal gives back. */
#include "fixture.h"
#include "fake_kernel.h"
#include "guard/burst.h"
#include "guard/candidate.h"

#define SLOT   9
#define TICKET 77

static const char pack[] = "pack: del\n"
			   "title: Files\n"
			   "signatures:\n"
			   "  - id: hold\n"
			   "    delete: \"*.precious\"\n"
			   "    severity: critical\n"
			   "    verdict: hold\n"
			   "    why: Is the only copy.\n"
			   "    hits: [unlink /srv/a.precious, truncate /srv/a.precious]\n"
			   "    misses: [unlink /srv/a, unlink /srv/b]\n"
			   "  - id: deny\n"
			   "    delete: \"*.never\"\n"
			   "    severity: critical\n"
			   "    verdict: deny\n"
			   "    why: Must stay.\n"
			   "    hits: [unlink /srv/a.never, truncate /srv/a.never]\n"
			   "    misses: [unlink /srv/a, unlink /srv/b]\n"
			   "  - id: burst\n"
			   "    delete: {burst: 3/10s}\n"
			   "    severity: high\n"
			   "    verdict: hold\n"
			   "    why: Are many.\n"
			   "    hits: [3/10s, 4/1s]\n"
			   "    misses: [2/10s, 3/11s]\n";

static int set_up(void **state)
{
	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state))
		return -1;
	policy_free(guard.policy);
	guard.policy = sample_policy(pack);
	guard.loop = loop_new();
	new_session(0x19ab);
	delete_start(&guard);
	return guard.loop ? 0 : -1;
}

static int tear_down(void **state)
{
	delete_forget_all(&guard);
	pass_forget_all(&guard);
	loop_free(guard.loop);
	return guard_tear_down(state);
}

/* ---- events */

static union {
	struct bs_delete_event e;
	char bytes[sizeof(struct bs_delete_event) + 2 * BS_DELETE_PATH];
} event;

static u64 number;

/* Components come from the last to the first. */
static void build(u32 flags, const char *path, size_t path_len, const char *inner, size_t inner_len)
{
	memset(&event, 0, sizeof(event));
	event.e.head = (struct bs_event) { .type = BS_EVENT_DELETE,
					   .number = ++number,
					   .tgid = (u32)getpid(),
					   .tid = (u32)getpid(),
					   .session = 0x19ab,
					   .time = boot_ns() };
	event.e.op = BS_DELETE_UNLINK;
	event.e.flags = flags;
	event.e.inode = 131;
	event.e.dev = 8 << 20 | 1;
	event.e.links = 1;
	event.e.slot = BS_NO_SLOT;
	event.e.burst = 1;
	event.e.dirfd = AT_FDCWD;
	event.e.path_len = path_len;
	event.e.inner_len = inner_len;
	memcpy(event.e.data, path, path_len);
	memcpy(event.e.data + path_len, inner, inner_len);
}

#define BUILD(flags, path, inner) build(flags, path, sizeof(path), inner, sizeof(inner))
#define BUILD_ALONE(flags, path)  build(flags, path, sizeof(path), "", 0)

static void assert_decoded(const char *path, const char *inner)
{
	_cleanup_(exec_free_ptr) struct exec *x = delete_decode(&guard, &event.e);

	assert_non_null(x);
	assert_string_equal(x->object.path, path);
	if (inner)
		assert_string_equal(x->object.inner, inner);
	else
		assert_null(x->object.inner);
}

static void test_paths(void **state _unused_)
{
	char cwd[1024], want[1100];

	BUILD_ALONE(0, "x.c\0src\0srv");
	assert_decoded("/srv/src/x.c", NULL);
	BUILD(0, "x.c\0mnt", "x.c\0data");
	assert_decoded("/mnt/x.c", "/data/x.c");
	BUILD_ALONE(BS_DELETE_CUT, "x\0deep");
	assert_decoded("/…/deep/x", NULL);
	BUILD_ALONE(BS_DELETE_DONE, "/srv/./app/../x.c");
	assert_decoded("/srv/x.c", NULL);
	BUILD(BS_DELETE_DONE, "src/x.c", "app\0srv");
	assert_decoded("/srv/app/src/x.c", NULL);
	BUILD_ALONE(BS_DELETE_DONE, "x.c"); /* its directory is not told */
	snprintf(want, sizeof(want), "%s/x.c", getcwd(cwd, sizeof(cwd)));
	assert_decoded(want, NULL);
}

static void test_kinds(void **state _unused_)
{
	struct exec *x;

	BUILD_ALONE(0, "x");
	x = delete_decode(&guard, &event.e);
	assert_int_equal(x->kind, BS_SLOT_DELETE);
	exec_free(x);
	BUILD_ALONE(BS_DELETE_DONE, "/x");
	x = delete_decode(&guard, &event.e);
	assert_int_equal(x->kind, BS_SLOT_DELETED);
	exec_free(x);
}

/* Of a fork it is the parent's; of one that nobody has seen exec, what /proc says. */
static void test_program(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *made = NEW_EXEC("python3\0clean.py");
	_cleanup_(exec_free_ptr) struct exec *x = NULL, *y = NULL;

	made->tgid = 4000000;
	made->start = 7;
	process_exec(&guard, made);
	BUILD_ALONE(0, "x");
	event.e.head.tgid = event.e.head.tid = 4000001;
	event.e.parent = 4000000;
	x = delete_decode(&guard, &event.e);
	assert_string_equal(x->command, "python3 clean.py");
	assert_int_equal(x->program, 4000000);
	assert_int_equal(x->program_start, 7);
	BUILD_ALONE(0, "x");
	y = delete_decode(&guard, &event.e);
	assert_non_null(y->argv);
	assert_non_null(process_of(&guard, getpid(), 0));
}

/* ---- the record */

static void assert_line(int n, const char *what, const char *path, int disposition)
{
	json_t *line = journal_line(n);

	assert_non_null(line);
	assert_string_equal(text_at(line, "unmapped.backstop.deletion"), what);
	assert_string_equal(text_at(line, "file.path"), path);
	assert_int_equal(number_at(line, "disposition_id"), disposition);
	json_decref(line);
}

static void assert_no_line(int n)
{
	json_t *line = journal_line(n);

	assert_null(line);
}

static void test_passed(void **state _unused_)
{
	BUILD_ALONE(0, "x\0srv");
	delete_event(&guard, &event.e);
	assert_line(1, "unlink", "/srv/x", OCSF_ALLOWED);
	delete_event(&guard, &event.e); /* it comes again: it is recorded */
	assert_no_line(2);
}

static void test_refused_by_the_kernel(void **state _unused_)
{
	BUILD_ALONE(BS_DELETE_REFUSED | BS_DELETE_BURST, "x\0srv");
	delete_event(&guard, &event.e);
	assert_line(1, "unlink", "/srv/x", OCSF_BLOCKED);
	assert_no_line(2);
	assert_int_equal(fake.bursts_count, 1); /* and will be lifted */
	assert_int_equal(fake.bursts[0], BS_BURST_DENIED);
	assert_non_null(guard.lift);
}

/* ---- decisions */

static struct exec *decoded(u32 flags, const char *path, size_t len)
{
	struct exec *x;

	build(flags | BS_DELETE_CANDIDATE, path, len, "", 0);
	x = delete_decode(&guard, &event.e);
	assert_non_null(x);
	return x;
}

#define DECODED(flags, path) decoded(flags, path, sizeof(path))

static struct decision decided(const struct exec *x)
{
	struct decision d;

	decide(&guard, x, &d);
	return d;
}

static void test_refused_again(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = DECODED(0, "a.precious\0srv");
	_cleanup_(exec_free_ptr) struct exec *y = DECODED(0, "b.precious\0srv");
	_cleanup_(exec_free_ptr) struct exec *z = DECODED(0, "c.never\0srv");
	struct decision d = decided(x);

	assert_int_equal(d.verdict, VERDICT_HOLD);
	assert_false(d.again);
	delete_remember(&guard, x, &d, true);
	d = decided(y);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_true(d.again);
	d = decided(z); /* another signature */
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_false(d.again);
	y->start++; /* another process */
	assert_int_equal(decided(y).verdict, VERDICT_HOLD);
	y->start--;
	delete_remember(&guard, x, &(struct decision) { .finding = decided(x).finding }, false);
	assert_int_equal(decided(y).verdict, VERDICT_HOLD); /* approved once: asked again */
}

static void test_an_approved_program(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = DECODED(0, "a.precious\0srv");
	struct exec program = *x;
	struct decision d;

	program.kind = BS_SLOT_EXEC;
	pass_remember(&guard, &program, 7);
	d = decided(x);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.approval, 7);
}

static void test_same_deletion(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = DECODED(0, "a.precious\0srv");
	_cleanup_(exec_free_ptr) struct exec *y = DECODED(0, "a.precious\0srv");

	assert_true(exec_same(x, y));
	y->object.id.op = BS_DELETE_TRUNCATE;
	assert_false(exec_same(x, y));
	y->object.id.op = BS_DELETE_UNLINK;
	y->object.id.inode++;
	assert_false(exec_same(x, y));
	y->object.id.inode--;
	strcpy(y->object.path, "/srv/b.precious");
	assert_false(exec_same(x, y));
}

/* ---- bursts */

static void pass(const char *path, size_t len)
{
	build(0, path, len, "", 0);
	delete_event(&guard, &event.e);
}

#define PASS(path) pass(path, sizeof(path))

static void test_burst(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	_cleanup_strbuf_ struct strbuf gone = STRBUF_INIT;
	struct decision d;

	PASS("a\0srv");
	x = DECODED(BS_DELETE_BURST, "c\0srv"); /* the kernel counts more than there are */
	assert_int_equal(decided(x).verdict, VERDICT_ALLOW);
	PASS("b\0srv");
	d = decided(x);
	assert_int_equal(d.verdict, VERDICT_HOLD);
	assert_true(d.burst);
	delete_list_gone(&guard, x, &gone);
	assert_string_equal(strbuf_str(&gone), "/srv/a, b");
	delete_remember(&guard, x, &d, false);
	assert_int_equal(fake.bursts[0], BS_BURST_ALLOWED);
	assert_int_equal(delete_count_gone(&guard, x), 0);
}

static void test_burst_of_what_does_not_count(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	PASS("a\0node_modules\0srv");
	PASS("b\0node_modules\0srv");
	x = DECODED(BS_DELETE_BURST, "c\0node_modules\0srv");
	assert_int_equal(decided(x).verdict, VERDICT_ALLOW);
	assert_int_equal(delete_count_gone(&guard, x), 0);
}

/* Where events were lost, or came before this guard, the kernel knows better. */
static void test_burst_that_only_the_kernel_saw(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	fake.shared.counters.losses[BS_LOSS_EVENT]++;
	x = DECODED(BS_DELETE_BURST, "c\0srv");
	assert_int_equal(decided(x).verdict, VERDICT_HOLD);
}

static void test_burst_that_was_denied(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	struct decision d;

	PASS("a\0srv");
	PASS("b\0srv");
	x = DECODED(BS_DELETE_BURST, "c\0srv");
	d = decided(x);
	delete_remember(&guard, x, &d, true);
	assert_int_equal(fake.bursts[0], BS_BURST_DENIED);
}

/* ---- what leaves for scratch */

static void test_away(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = DECODED(0, "d\0srv");
	struct decision d;

	x->object.id.op = BS_DELETE_MOVE;
	assert_int_equal(decided(x).verdict, VERDICT_ALLOW);
	x->object.below = strdup("/srv/d/a.precious");
	x->object.lies = strdup("words");
	d = decided(x);
	assert_int_equal(d.verdict, VERDICT_HOLD);
	assert_string_equal(d.finding.id, "hold");
	assert_string_equal(d.finding.context, "words");
	x->object.below[0] = '\0'; /* not all could be looked at */
	d = decided(x);
	assert_int_equal(d.verdict, VERDICT_HOLD);
	assert_string_equal(d.finding.id, "unknown");
}

/* It is looked for only where the task waits. */
static void test_away_is_looked_for(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = DECODED(BS_DELETE_AWAY, "gone\0srv");
	_cleanup_(exec_free_ptr) struct exec *y = NULL;

	assert_string_equal(x->object.below, "");
	BUILD_ALONE(BS_DELETE_AWAY, "gone\0srv");
	y = delete_decode(&guard, &event.e);
	assert_null(y->object.below);
}

/* ---- directories that are asked about once */

#define PLACE 0x5ca1ab1e

static u64 spared_for(u64 place, u32 flags, const char *path, size_t len)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	struct decision d;

	build(flags, path, len, "", 0);
	event.e.place = place;
	x = delete_decode(&guard, &event.e);
	fake.spared_count = 0;
	fake.spared[0] = 0;
	d = decided(x);
	delete_spare(&guard, x, &d);
	assert_in_range(fake.spared_count, 0, 1);
	return fake.spared[0];
}

#define SPARED_FOR(place, flags, path) spared_for(place, flags, path, sizeof(path))

static void test_spared(void **state _unused_)
{
	policy_free(guard.policy);
	guard.policy = sample_policy(
		"pack: d\ntitle: D\nsignatures:\n"
		"- {id: git, delete: /srv/.git/**, severity: high, verdict: hold, why: It is.,\n"
		"   hits: [unlink /srv/.git/a, unlink /srv/.git/b], misses: [unlink /x/c, unlink "
		"/d]}\n");
	assert_int_equal(SPARED_FOR(PLACE, BS_DELETE_CANDIDATE, "x\0src\0srv"), PLACE);
	assert_int_equal(SPARED_FOR(PLACE, 0, "x\0src\0srv"), 0); /* it was not asked about */
	assert_int_equal(SPARED_FOR(0, BS_DELETE_CANDIDATE, "x\0src\0srv"), 0);
	assert_int_equal(SPARED_FOR(PLACE, BS_DELETE_CANDIDATE, "x\0.git\0srv"), 0);
	guard.options.mode = MODE_RECORD; /* it goes on, and is found all the same */
	assert_int_equal(SPARED_FOR(PLACE, BS_DELETE_CANDIDATE, "x\0.git\0srv"), 0);
	guard.options.mode = MODE_ENFORCE;
}

/* ---- after a restart */

static void hold_slot(u64 of)
{
	fake.slots[SLOT] = (struct bs_slot) { .word = BS_SLOT_WORD(TICKET, BS_SLOT_SEIZED),
					      .tgid = (u32)getpid(),
					      .tid = (u32)getpid(),
					      .kind = BS_SLOT_DELETE,
					      .session = 0x19ab,
					      .number = of };
	fake.waiting_tid = getpid();
	fake.waiting = (struct bs_waiting) { .kind = BS_SLOT_DELETE,
					     .object = { .op = BS_DELETE_UNLINK, .inode = 131 },
					     .flags = BS_DELETE_CANDIDATE };
}

static void test_held_before_this_guard(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;
	char path[sizeof(state_dir) + 16];

	snprintf(path, sizeof(path), "%s/journal", state_dir);
	assert_int_equal(symlink(".", path), 0);
	fake.shared.state.run = 0xcafe;
	snprintf(guard.recorded.run, sizeof(guard.recorded.run), "%08x", 0xcafe);
	BUILD(0, "a.precious\0srv", "a.precious\0data");
	delete_event(&guard, &event.e);
	hold_slot(number);
	recorded_free(&guard);
	guard.recorded = (struct recorded) { 0 };
	assert_int_equal(recorded_start(&guard), 0);
	x = delete_from_slot(&guard, SLOT, TICKET);
	assert_non_null(x);
	assert_string_equal(x->object.path, "/srv/a.precious");
	assert_string_equal(x->object.inner, "/data/a.precious");
	assert_int_equal(x->object.id.inode, 131);
	assert_int_equal(decided(x).verdict, VERDICT_HOLD);
}

static void test_held_and_never_recorded(void **state _unused_)
{
	struct exec *x;

	hold_slot(999);
	assert_null(delete_from_slot(&guard, SLOT, TICKET)); /* it asks again */
	fake.slots[SLOT].kind = BS_SLOT_DELETED;
	x = delete_from_slot(&guard, SLOT, TICKET);
	assert_non_null(x);
	assert_string_equal(x->object.path, "");
	assert_int_equal(decided(x).verdict, VERDICT_HOLD);
	assert_string_equal(decided(x).finding.id, "unknown");
	assert_false(exec_same(x, x)); /* a grant is for one deletion, and nobody knows which */
	exec_free(x);
}

/* The kernel had no memory to say more. */
static void test_unknown(void **state _unused_)
{
	_cleanup_(exec_free_ptr) struct exec *x = NULL;

	build(BS_DELETE_DONE | BS_DELETE_CANDIDATE, "", 0, "", 0);
	x = delete_decode(&guard, &event.e);
	assert_non_null(x);
	assert_string_equal(x->object.path, "");
	assert_false(x->object.counts);
	assert_int_equal(decided(x).verdict, VERDICT_HOLD);
	guard.options.mode = MODE_RECORD;
	assert_int_equal(decided(x).verdict, VERDICT_ALERT);
	guard.options.mode = MODE_ENFORCE;
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_paths),
		CASE(test_kinds),
		CASE(test_program),
		CASE(test_passed),
		CASE(test_refused_by_the_kernel),
		CASE(test_refused_again),
		CASE(test_an_approved_program),
		CASE(test_same_deletion),
		CASE(test_burst),
		CASE(test_burst_of_what_does_not_count),
		CASE(test_burst_that_only_the_kernel_saw),
		CASE(test_burst_that_was_denied),
		CASE(test_away),
		CASE(test_away_is_looked_for),
		CASE(test_spared),
		CASE(test_held_before_this_guard),
		CASE(test_held_and_never_recorded),
		CASE(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
