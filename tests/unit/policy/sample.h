/* A small policy for the tests of this part, and questions to it. */
#ifndef TESTS_POLICY_SAMPLE_H
#define TESTS_POLICY_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/policy.h"
#include "policy/shellwords.h"

/* The policy of one pack; the pack must have no fault. */
static inline struct policy *sample_policy(const char *pack)
{
	_cleanup_strbuf_ struct strbuf image = STRBUF_INIT, err = STRBUF_INIT;
	struct compile_stats stats;
	struct policy *p = NULL;

	if (policy_compile_text("sample.yaml", pack, strlen(pack), &image, &stats, &err) ||
	    policy_from_memory(image.data, image.len, &p, &err))
		print_error("%s\n", strbuf_str(&err));
	assert_non_null(p);
	return p;
}

/* What the policy says of a command line: "pack.id", "pack.id via carrier", or "". */
static inline const char *sample_ask(const struct policy *p, const char *line)
{
	static char answer[128];
	struct action a = { .cwd = "/home/dev/app", .home = "/home/dev", .root_fd = -1 };
	struct finding f;
	char **words;

	assert_int_equal(shellwords_split(line, &words, NULL), 0);
	a.argv = words;
	policy_match(p, &a, &f);
	snprintf(answer, sizeof(answer), "%s%s%s%s%s", f.id ? f.pack : "", f.id ? "." : "",
		 f.id ? f.id : "", f.carrier ? " via " : "", f.carrier ? f.carrier : "");
	if (f.id && !policy_is_candidate(p, &a))
		fail_msg("no candidate: %s", line);
	shellwords_free(words);
	return answer;
}

#endif
