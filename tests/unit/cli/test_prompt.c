#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <string.h>

#include "cli/client.h"
#include "cli/prompt.h"

#define WIDE ((struct prompt_size) { .columns = 200, .rows = 24 })

static json_t *hold_of(const char *word)
{
	return json_pack("{sI ss ss ss ss ss ss ss s[sss] sI}", "id", (json_int_t)7, "agent",
			 "claude", "user", "dev", "signature", "terraform.destroy", "severity",
			 "critical", "why", "Destroys every resource.", "instead", "terraform plan",
			 "cwd", "/srv/site", "argv", "terraform", "destroy", word, "expires_ms",
			 (json_int_t)1000);
}

static unsigned int newlines(const struct strbuf *s)
{
	unsigned int n = 0;

	for (size_t i = 0; i < s->len; i++)
		n += s->data[i] == '\n';
	return n;
}

static void shows_what_is_decided_and_how(void **state)
{
	_cleanup_json_ json_t *hold = hold_of("-auto-approve");
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct prompt p = prompt_add(&out, hold, 2, WIDE);

	(void)state;
	assert_true(p.whole);
	assert_int_equal(p.rows, newlines(&out) + 1);
	assert_non_null(strstr(out.data, "hold 7 of agent claude, user dev, denied at "));
	assert_non_null(strstr(out.data, ", 2 more wait\n  terraform destroy -auto-approve\n"));
	assert_non_null(strstr(out.data, "\n  in /srv/site\n"));
	assert_non_null(strstr(out.data, "\n  why: Destroys every resource. (terraform.destroy, "
					 "critical)\n  instead: terraform plan\n"));
	assert_non_null(strstr(out.data, "\n[a] approve  [d] deny  [s] skip  [q] quit"));
}

static void a_connection_is_shown_with_its_destination(void **state)
{
	_cleanup_json_ json_t *hold = hold_of("now");
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	(void)state;
	json_object_set_new(hold, "action", json_string("connect"));
	json_object_set_new(hold, "dest", json_string("[fd00::1]:22\033"));
	prompt_add(&out, hold, 0, WIDE);
	assert_non_null(strstr(out.data, "\n  connect [fd00::1]:22\\e by terraform destroy now\n"));
}

static void what_is_at_stake_is_shown(void **state)
{
	_cleanup_json_ json_t *hold = hold_of("now");
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct prompt p;

	(void)state;
	json_object_set_new(hold, "context", json_string("points at production: AWS_PROFILE=p"));
	p = prompt_add(&out, hold, 0, WIDE);
	assert_true(p.whole);
	assert_int_equal(p.rows, newlines(&out) + 1);
	assert_non_null(strstr(out.data, "critical)\n  context: points at production: "
					 "AWS_PROFILE=p\n  instead: "));
}

static void nothing_held_is_one_row(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct prompt p = prompt_add(&out, NULL, 0, WIDE);

	(void)state;
	assert_int_equal(p.rows, 1);
	assert_false(p.whole);
	assert_string_equal(out.data, "no action is held  [q] quit");
}

static void rows_are_counted_at_any_width(void **state)
{
	_cleanup_json_ json_t *hold = hold_of(
		"\xe6\xbc\xa2\xe5\xad\x97-a-word-that-is-longer-than-a-narrow-terminal-is-wide");

	(void)state;
	for (unsigned int columns = 20; columns < 120; columns++) {
		_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
		struct prompt_size size = { .columns = columns, .rows = 40 };
		struct prompt p = prompt_add(&out, hold, 0, size);
		char *save, *line;

		assert_int_equal(p.rows, newlines(&out) + 1);
		assert_true(p.whole);
		for (line = strtok_r(out.data, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			assert_in_range(strlen(line), 1, columns + 4);
	}
}

static void what_does_not_fit_is_said_and_not_approvable(void **state)
{
	char word[4001];
	_cleanup_json_ json_t *hold = NULL;
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	struct prompt p;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	hold = hold_of(word);
	p = prompt_add(&out, hold, 0, (struct prompt_size) { .columns = 80, .rows = 24 });
	assert_false(p.whole);
	assert_in_range(p.rows, 10, 24);
	assert_null(strstr(out.data, "[a]"));
	assert_non_null(strstr(out.data, "'backstop approve 7'"));
}

static void strings_of_others_are_escaped(void **state)
{
	_cleanup_json_ json_t *hold = hold_of("\033[2J\xe2\x80\xae");
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	(void)state;
	json_object_set_new(hold, "agent", json_string("a\nb\033c"));
	prompt_add(&out, hold, 0, WIDE);
	assert_null(strchr(out.data, '\033'));
	assert_null(strstr(out.data, "\xe2\x80\xae"));
	assert_int_equal(newlines(&out), 5);
}

static void erasing_moves_up_as_far_as_it_was_drawn(void **state)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;

	(void)state;
	prompt_erase(&out, 0);
	assert_int_equal(out.len, 0);
	prompt_erase(&out, 1);
	assert_string_equal(out.data, "\r\033[J");
	strbuf_reset(&out);
	prompt_erase(&out, 4);
	assert_string_equal(out.data, "\r\033[3A\033[J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_is_decided_and_how),
		cmocka_unit_test(a_connection_is_shown_with_its_destination),
		cmocka_unit_test(what_is_at_stake_is_shown),
		cmocka_unit_test(nothing_held_is_one_row),
		cmocka_unit_test(rows_are_counted_at_any_width),
		cmocka_unit_test(what_does_not_fit_is_said_and_not_approvable),
		cmocka_unit_test(strings_of_others_are_escaped),
		cmocka_unit_test(erasing_moves_up_as_far_as_it_was_drawn),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
