#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/carrier.h"
#include "policy/shellwords.h"

/* The first word that `line` carries elsewhere; "" where none is left, NULL where it is none. */
static const char *remote(const char *line, enum remote_kind kind)
{
	static char word[64];
	const char *carrier, *entrypoint;
	enum remote_kind found;
	char **words;
	size_t count;
	u32 first;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	found = carrier_remote(words[0], words + 1, (u32)count - 1, &first, &carrier, &entrypoint);
	strcpy(word, found && first < count - 1 ? words[1 + first] : "");
	assert_true(!found || (first <= count - 1 && carrier && found == kind));
	shellwords_free(words);
	return found ? word : NULL;
}

static void test_first_word(void **state _unused_)
{
	assert_string_equal(remote("ssh -p 22 -vvA host -- x y", REMOTE_SHELL), "x");
	assert_string_equal(remote("ssh host", REMOTE_SHELL), "");
	assert_string_equal(remote("docker run --name a -dit --rm -p 1:2 image x", REMOTE_WORDS),
			    "x");
	assert_string_equal(remote("docker --context c exec -w /x -e A=b c x", REMOTE_WORDS), "x");
	assert_string_equal(remote("kubectl exec -it a -n b -- x", REMOTE_WORDS), "x");
	assert_string_equal(remote("oc rsh -n a pod x", REMOTE_WORDS), "x");
	assert_null(remote("docker build .", REMOTE_NONE));
	assert_null(remote("docker", REMOTE_NONE));
	assert_null(remote("kubectl get pods", REMOTE_NONE));
	assert_null(remote("sshx host x", REMOTE_NONE));
}

static bool is_fresh(const char *line)
{
	char **words;
	size_t count;
	bool fresh;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	fresh = carrier_is_fresh(words[0], words + 1, (u32)count - 1);
	shellwords_free(words);
	return fresh;
}

static void test_fresh(void **state _unused_)
{
	assert_true(is_fresh("docker run image x -v /:/h"));
	assert_true(is_fresh("docker container run --rm -it -e A=b -p1:2 --name n image x"));
	assert_true(is_fresh("podman --log-level debug run -ditu 1000 --env=A=b image"));
	assert_false(is_fresh("docker run -v /:/h image x"));
	assert_false(is_fresh("docker run -itv/:/h image x"));
	assert_false(is_fresh("docker run --mount=type=bind,src=/,dst=/h image x"));
	assert_false(is_fresh("docker run --privileged image x"));
	assert_false(is_fresh("docker run --unheard-of image x"));
	assert_false(is_fresh("docker exec c x"));
	assert_false(is_fresh("docker compose run service x"));
	assert_false(is_fresh("kubectl run -it p -- x"));
	assert_false(is_fresh("docker"));
}

/* The word that a wrapper leads to; NULL where it is none. */
static const char *wrapped(const char *line, enum wrapper_kind kind)
{
	static char word[64];
	enum wrapper_kind found;
	char **words;
	size_t count;
	u32 first;

	assert_int_equal(shellwords_split(line, &words, &count), 0);
	found = carrier_wrapper(words, (u32)count, &first);
	assert_int_equal(found, kind);
	strcpy(word, found ? words[first] : "");
	shellwords_free(words);
	return word;
}

static void test_wrappers(void **state _unused_)
{
	assert_string_equal(wrapped("/usr/bin/sudo -u x -n A=b rm y", WRAPPER_RUNS), "rm");
	assert_string_equal(wrapped("env -i -u A B=c rm", WRAPPER_RUNS), "rm");
	assert_string_equal(wrapped("timeout -s KILL 5 rm", WRAPPER_RUNS), "rm");
	assert_string_equal(wrapped("nice -n 5 rm", WRAPPER_RUNS), "rm");
	assert_string_equal(wrapped("xargs -0 -n 1 -P4 rm", WRAPPER_RUNS), "rm");
	assert_string_equal(wrapped("bash -lc 'rm x'", WRAPPER_SHELL), "rm x");
	assert_string_equal(wrapped("eval rm x", WRAPPER_EVAL), "rm");
	wrapped("sudo -l", WRAPPER_NONE);
	wrapped("env", WRAPPER_NONE);
	wrapped("timeout 5", WRAPPER_NONE);
	wrapped("bash x.sh", WRAPPER_NONE);
	wrapped("rm x", WRAPPER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_word),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_wrappers),
	};

	return cmocka_run_group_tests_name("remote", tests, NULL, NULL);
}
