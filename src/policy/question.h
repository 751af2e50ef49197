/* The questions about the world around a command: see context.h. */
#ifndef POLICY_QUESTION_H
#define POLICY_QUESTION_H

#include "policy/args.h"
#include "policy/context.h"

/* What git is asked: where, and of which operands. `taken`: those that are words of the usage line.
 * False where a question cannot be put: something bends git that the reader does not follow. */
bool question_git(struct context *c, enum fact f, const struct args *args, const u32 *taken,
		  u32 taken_count, const char *home, struct strbuf *ret);
/* About a plan file, in the directory of terraform's -chdir. */
void question_plan(const struct args *args, const char *file, struct strbuf *ret);
/* The context of a kubeconfig; the workspace of terraform, in the directory of its -chdir. */
bool question_kube(struct context *c, const struct args *args, const char *home,
		   struct strbuf *ret);
void question_workspace(struct context *c, const struct args *args, struct strbuf *ret);

/* The last value of an option of the command, NULL where it has none. */
const char *question_option(const struct args *args, const char *name);

#endif
