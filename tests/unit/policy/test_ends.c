/* The quick look and the scan behind it against the scan of all bytes, with the shipped policy. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "policy/send.h"

#define TABLES(t)	((const struct scan_tables *)(t))
#define BS_FILTER(t, i) ((const u8 *)TABLES(t)->filter + (i))
#define BS_MASK(t, m)	(m)
#define BS_BUCKET(t, i) (&TABLES(t)->buckets[(i) & (TABLES(t)->buckets_count - 1)])
#define BS_LIST(t, i)	(&TABLES(t)->lists[i])
#define BS_ANCHOR(t, i) (&TABLES(t)->anchors[i])
#define BS_RULE(t, i)	(&TABLES(t)->rules[i])
#define BS_LOOP(n, f, c)                                                                           \
	do {                                                                                       \
		for (u32 loop_i = 0; loop_i < (n); loop_i++)                                       \
			if (f(loop_i, c))                                                          \
				break;                                                             \
	} while (0)
#define MOST		     4096
#define INPUTS		     20000
#define BS_QUICK_MOST	     MOST
#define BS_QUICK_SCAN(q, at) scan((q)->of, at)
static void scan(void *of, u32 at);
#include "backstop/quick.h"

struct look {
	const struct scan_tables *tables;
	struct bs_scan scan;
	u32 scans;
	u8 ends[BS_ENDS_SIZE];
	u8 room[BS_QUICK_BLOCKS * BS_BLOCK];
	u8 bytes[BS_QUICK_BEFORE + MOST + BS_CHUNK + BS_PADDING];
};

static struct policy *policy;
static struct look look;

static void scan(void *of, u32 at)
{
	struct look *l = of;

	l->scans++;
	bs_quick_scan(&l->scan, l->tables, l->bytes + BS_QUICK_BEFORE, at);
}

static bool is_candidate_from(const char *data, size_t len, u32 first)
{
	u64 symbols;
	struct bs_quick q = { &look, look.ends, look.bytes + BS_QUICK_BEFORE, &symbols, first };

	memset(look.bytes, 0, sizeof(look.bytes));
	memcpy(look.bytes + BS_QUICK_BEFORE, data, len);
	look.scans = 0;
	bs_scan_begin(&look.scan, look.tables);
	look.scan.names = BS_NAMES_NONE;
	bs_quick_end(&look.scan);
	bs_quick_begin(&q);
	BS_LOOP((len - first + BS_QUICK) / BS_QUICK, bs_quick_step, &q);
	return bs_scan_end(&look.scan, look.tables);
}

static bool is_candidate(const char *data, size_t len)
{
	return is_candidate_from(data, len, 0);
}

static u32 random_below(u32 n)
{
	static u64 seed = 20261123;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

/* No digits: behind a boundary some of them are letters of a path, and what the scan of all bytes
 * takes for them, the quick look passes where no % is before. */
static size_t make_input(char *ret)
{
	static const char *const words[] = { "drop",	     "truncate", "delete", "DELETE",
					     "FLUSHALL",     "volumes",	 "set",	   "dropDatabase",
					     "update",	     "CONFIG",	 "dir",	   "xdropy",
					     "projectDelete" };
	size_t len = 0, count = random_below(5);

	for (size_t i = 0; i < count; i++) {
		const char *word = words[random_below(ARRAY_SIZE(words))];
		u32 padding = random_below(90);

		while (padding--)
			ret[len++] = "abcdefghijklmnopqrstuvwxyz    /'\"%"[random_below(34)];
		len += (size_t)sprintf(ret + len, "%s%s", word, random_below(3) ? " " : "");
	}
	return len;
}

static void nothing_is_missed(void **state)
{
	u32 candidates = 0, scans = 0;
	char data[1024];

	(void)state;
	for (int i = 0; i < INPUTS; i++) {
		size_t len = make_input(data);
		bool found = is_candidate(data, len);

		assert_int_equal(found, policy_is_send_candidate(policy, data, len));
		candidates += found;
		scans += look.scans != 0;
	}
	assert_in_range(candidates, INPUTS / 20, INPUTS - INPUTS / 20);
	assert_in_range(scans, candidates, INPUTS - INPUTS / 20);
}

/* What ends behind there is found wherever it begins; what ends before is not looked for again. */
static void a_look_begins_behind_what_was_looked_at(void **state)
{
	static const char word[] = "flushall";
	enum { FIRST = 64 };
	char data[FIRST + 32];

	(void)state;
	for (size_t ahead = 1; ahead <= strlen(word) + 1; ahead++) {
		memset(data, ' ', sizeof(data));
		memcpy(data + FIRST - ahead, word, strlen(word));
		if (is_candidate_from(data, sizeof(data), FIRST) != (ahead <= strlen(word)))
			fail_msg("%zu bytes ahead", ahead);
	}
}

static void what_is_sent_most_costs_no_scan(void **state)
{
	static const char *const all[] = {
		"*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$3\r\nVXK\r\n",
		"*2\r\n$3\r\nGET\r\n$5\r\nkey:1\r\n",
		"GET /index.html HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"SELECT abalance FROM pgbench_accounts WHERE aid = 1;",
		"INSERT INTO pgbench_history VALUES (1, 2, 3);",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_false(is_candidate(all[i], strlen(all[i])));
		assert_int_equal(look.scans, 0);
	}
}

static void letters_of_a_path_begin_with_percent(void **state)
{
	static const char escaped[] = "DELETE /v1/%76olumes/1 HTTP/1.1\r\n\r\n";

	(void)state;
	assert_true(is_candidate(escaped, sizeof(escaped) - 1));
	assert_true(look.scans);
}

static int load(void **state)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;

	(void)state;
	if (policy_open(POLICY_IMAGE, &policy, &err)) {
		printf("%s\n", strbuf_str(&err));
		return -1;
	}
	look.tables = policy_send_tables(policy);
	for (u32 i = 0; i < look.tables->ends_count; i++)
		look.ends[look.tables->ends[i] & BS_ENDS_MASK] |=
			(u8)(look.tables->ends[i] >> BS_END_BEFORE);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	policy_free(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_missed),
		cmocka_unit_test(a_look_begins_behind_what_was_looked_at),
		cmocka_unit_test(what_is_sent_most_costs_no_scan),
		cmocka_unit_test(letters_of_a_path_begin_with_percent),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
