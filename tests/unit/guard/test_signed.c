/* Decisions that approvers signed, and all the ways in which one is not what it should be. */
#include "fixture.h"
#include "fake_kernel.h"

#include <sys/socket.h>

#include "guard/approval.h"
#include "guard/hold.h"
#include "guard/link.h"
#include "guard/reaper.h"

#define HOST "4f2c8d1e"

static int keeper = -1;
static uint8_t alice[crypto_sign_SECRETKEYBYTES], mallory[crypto_sign_SECRETKEYBYTES];

static void write_text(const char *name, const char *text)
{
	char path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* The settings list this key, if not NULL. */
static void set_policy(const uint8_t *secret)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	char hex[HEX(crypto_sign_PUBLICKEYBYTES)], text[512], path[192];
	struct compile_stats stats;
	struct policy *p = NULL;

	sodium_bin2hex(hex, sizeof(hex), secret ? secret + 32 : (const uint8_t *)state_dir, 32);
	snprintf(text, sizeof(text),
		 "packs: {from: %s/pack.yaml}\nagents: {from: []}\napprover_keys:\n  %s: %s\n",
		 state_dir, secret ? "alice" : "nobody", hex);
	write_text("pack.yaml", sample_pack);
	write_text("settings.yaml", text);
	snprintf(path, sizeof(path), "%s/settings.yaml", state_dir);
	if (policy_compile(NULL, 0, path, &image, &stats, &err) ||
	    policy_from_memory(image.data, image.len, &p, &err))
		fail_msg("%s", strbuf_str(&err));
	policy_free(guard.policy);
	guard.policy = p;
}

static int set_up(void **state)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	int ends[2];

	memset(&fake, 0, sizeof(fake));
	if (guard_set_up(state) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ||
	    sodium_init() < 0)
		return -1;
	crypto_sign_keypair(public, alice);
	crypto_sign_keypair(public, mallory);
	set_policy(alice);
	keeper = ends[0];
	guard.options.hold_timeout = 60;
	guard.host.machine_id = HOST;
	guard.loop = loop_new();
	return guard.loop ? link_open(&guard, ends[1]) : -1;
}

static int tear_down(void **state)
{
	hold_free_all(&guard);
	link_close(&guard);
	close(keeper);
	pass_forget_all(&guard);
	explain_forget_all();
	reaper_forget_all();
	loop_free(guard.loop);
	return guard_tear_down(state);
}

static void says(enum keeper_op op)
{
	struct keeper_message m = { .op = op, .slot = 9, .ticket = 77 };

	assert_int_equal(send(keeper, &m, sizeof(m), 0), sizeof(m));
}

/* Hold 1, of "zap held" as a connect, whose answer no keeper has to give. */
static struct hold *open_hold(void)
{
	struct exec *x = NEW_EXEC("zap\0held");
	struct decision d = { .verdict = VERDICT_HOLD };

	x->kind = BS_SLOT_CONNECT;
	x->tid = x->tgid;
	x->slot = 9;
	x->ticket = 77;
	fake_asks(x->kind, x->tid, x->slot, x->ticket);
	policy_signature(guard.policy, 0, &d.finding);
	says(KEEPER_KEPT);
	hold_seize(&guard, x, &d);
	says(KEEPER_TRAPPED);
	link_pump(&guard, 0);
	assert_int_equal(guard.open_holds, 1);
	return LIST_FIRST(&guard.holds);
}

struct paper {
	struct approval a;
	struct strbuf text;
	char signature[HEX(crypto_sign_BYTES)];
};

static struct paper papers[1];

static void fill(const struct hold *h, struct approval *a)
{
	*a = (struct approval) { .host = HOST, .hold = h->id, .approve = true };
	assert_int_equal(signed_digest(&guard, h->exec, a->action), 0);
}

static void sign(const uint8_t *secret, int64_t now)
{
	strbuf_reset(&papers->text);
	assert_int_equal(approval_sign(&papers->a, secret, now, &papers->text, papers->signature),
			 0);
}

/* What the guard says to it; "" where it is carried out. */
static const char *say(void)
{
	static char said[256];
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	int r = guard_decide_signed(&guard, strbuf_str(&papers->text), papers->signature, &err);

	snprintf(said, sizeof(said), "%s", r ? strbuf_str(&err) : "");
	assert_true(!r || said[0]);
	return said;
}

static void assert_refused(const char *why)
{
	const char *said = say();

	if (!*said || !strstr(said, why))
		fail_msg("'%s' for '%s'", said, why);
	assert_int_equal(guard.open_holds, 1);
}

static void test_approve(void **state _unused_)
{
	_cleanup_(json_decrefp) json_t *line = NULL;
	char key[24];

	fill(open_hold(), &papers->a);
	sign(alice, now_ms());
	assert_string_equal(say(), "");
	assert_int_equal(guard.open_holds, 0);
	assert_int_equal(fake.waiting.answer, BS_ANSWER_PASS);
	line = journal_line(3);
	assert_int_equal(number_at(line, "disposition_id"), OCSF_APPROVED);
	snprintf(key, sizeof(key), "(key %.16s)", papers->a.key);
	assert_non_null(strstr(text_at(line, "unmapped.backstop.by"), "alice (key "));
	assert_non_null(strstr(text_at(line, "unmapped.backstop.by"), key));
}

static void test_deny(void **state _unused_)
{
	_cleanup_(json_decrefp) json_t *line = NULL;

	fill(open_hold(), &papers->a);
	papers->a.approve = false;
	strcpy(papers->a.reason, "not today");
	sign(alice, now_ms());
	assert_string_equal(say(), "");
	assert_int_equal(fake.waiting.answer, BS_ANSWER_REFUSE);
	line = journal_line(3);
	assert_int_equal(number_at(line, "disposition_id"), OCSF_REJECTED);
	assert_string_equal(text_at(line, "unmapped.backstop.reason"), "not today");
}

static void test_replayed(void **state _unused_)
{
	const struct hold *h = open_hold();
	struct strbuf first = STRBUF_INIT;

	fill(h, &papers->a);
	papers->a.approve = false;
	sign(alice, now_ms());
	strbuf_add(&first, papers->text.data, papers->text.len);
	assert_string_equal(say(), "");
	guard.last_hold = 0; /* as after a start of the machine: the same number, the same action */
	h = open_hold();
	assert_int_equal(h->id, 1);
	assert_refused("used already");
	/* another guard has only what is on the disk */
	guard.started_ms = now_ms();
	assert_refused("used already");
	assert_string_equal(first.data, papers->text.data);
	strbuf_free(&first);
	sign(alice, now_ms());
	assert_string_equal(say(), "");
}

static void test_not_noted(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	sign(alice, now_ms());
	write_text("decisions", "nonsense");
	assert_refused("cannot be noted");
}

static void test_other_host(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	strcpy(papers->a.host, "4f2c8d1f");
	sign(alice, now_ms());
	assert_refused("another host");
}

static void test_other_hold(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	papers->a.hold = 2;
	sign(alice, now_ms());
	assert_refused("no hold 2");
}

static void test_other_action(void **state _unused_)
{
	struct hold *h = open_hold();

	fill(h, &papers->a);
	sign(alice, now_ms());
	h->exec->argv[1][0] = 'H';
	assert_refused("of another action");
	h->exec->argv[1][0] = 'h';
	h->exec->dest.port = 5432;
	assert_refused("of another action");
	h->exec->dest.port = 0;
	h->exec->session_id++;
	assert_refused("of another action");
	h->exec->session_id--;
	assert_string_equal(say(), "");
}

static void test_times(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	sign(alice, now_ms() - APPROVAL_LIFE_MS);
	assert_refused("expired");
	sign(alice, now_ms() + 2 * APPROVAL_SKEW_MS);
	assert_refused("in the future");
}

static void test_unknown_key(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	sign(mallory, now_ms());
	assert_refused("no approver's here");
}

/* The text names an approver's key, and another one signed it. */
static void test_borrowed_name(void **state _unused_)
{
	char signature[sizeof(papers->signature)];
	struct approval a;

	fill(open_hold(), &papers->a);
	sign(mallory, now_ms());
	memcpy(signature, papers->signature, sizeof(signature));
	a = papers->a;
	sign(alice, now_ms());
	memcpy(papers->signature, signature, sizeof(signature));
	assert_refused("not that of alice");
	memcpy(a.key, papers->a.key, sizeof(a.key));
	strbuf_reset(&papers->text);
	approval_encode(&a, &papers->text);
	assert_refused("not that of alice");
}

static void test_altered(void **state _unused_)
{
	fill(open_hold(), &papers->a);
	sign(alice, now_ms());
	for (size_t i = 0; i < papers->text.len; i++) {
		papers->text.data[i] ^= 1;
		assert_true(*say());
		papers->text.data[i] ^= 1;
	}
	for (size_t i = 0; papers->signature[i]; i++) {
		char was = papers->signature[i];

		papers->signature[i] = was == '7' ? '8' : '7';
		assert_refused("not that of alice");
		papers->signature[i] = was;
	}
	assert_string_equal(say(), "");
}

static void test_removed_approver(void **state _unused_)
{
	struct hold *h = open_hold();

	fill(h, &papers->a);
	sign(alice, now_ms());
	h->policy = NULL;
	set_policy(NULL);
	h->policy = guard.policy;
	assert_refused("no approver's here");
}

/* A decision that comes after the time-out holds for the next attempt, as any. */
static void test_after_its_end(void **state _unused_)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	fill(open_hold(), &papers->a);
	assert_int_equal(guard_deny(&guard, 1, "uid 0", NULL, &err), 0);
	sign(alice, now_ms());
	assert_string_equal(say(), "");
	assert_int_equal(guard.grant_count, 1);
	assert_true(LIST_FIRST(&guard.grants)->expires_ms > now_ms());
	sign(alice, now_ms());
	assert_non_null(strstr(say(), "approved already"));
}

static int free_papers(void **state _unused_)
{
	strbuf_free(&papers->text);
	return 0;
}

int main(void)
{
#define SIGNED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SIGNED_TEST(test_approve),	 SIGNED_TEST(test_deny),
		SIGNED_TEST(test_replayed),	 SIGNED_TEST(test_not_noted),
		SIGNED_TEST(test_other_host),	 SIGNED_TEST(test_other_hold),
		SIGNED_TEST(test_other_action),	 SIGNED_TEST(test_times),
		SIGNED_TEST(test_unknown_key),	 SIGNED_TEST(test_borrowed_name),
		SIGNED_TEST(test_altered),	 SIGNED_TEST(test_removed_approver),
		SIGNED_TEST(test_after_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, free_papers);
}
