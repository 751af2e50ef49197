#include "policy/context.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/proc.h"

#define ENVIRON_MAX    (8UL << 20) /* bytes; the kernel's own limit is 6 MiB */
#define NAME_MAX_SHOWN 80	   /* bytes of a name that is told */

static const char *const fact_names[FACT_COUNT] = {
	[FACT_GIT_MODIFIED] = "git.modified",	[FACT_GIT_UNSTAGED] = "git.unstaged",
	[FACT_GIT_UNTRACKED] = "git.untracked", [FACT_GIT_IGNORED] = "git.ignored",
	[FACT_GIT_STASHED] = "git.stashed",	[FACT_GIT_UNMERGED] = "git.unmerged",
	[FACT_GIT_WORKTREE] = "git.worktree",	[FACT_PLAN_DELETES] = "plan.deletes",
	[FACT_KUBE_CONTEXT] = "kube.context",	[FACT_TERRAFORM_WORKSPACE] = "terraform.workspace",
};

const char *fact_name(enum fact f)
{
	return fact_names[f];
}

int fact_parse(const char *name)
{
	for (int i = 0; i < FACT_COUNT; i++)
		if (strcmp(name, fact_names[i]) == 0)
			return i;
	return -EINVAL;
}

int fact_parse_predicate(const char *predicate, const char *arg)
{
	size_t len = strlen(predicate);

	for (int i = 0; i < FACT_KUBE_CONTEXT; i++)
		if (strncmp(fact_names[i], predicate, len) == 0 && fact_names[i][len] == '.' &&
		    strcmp(fact_names[i] + len + 1, arg) == 0)
			return i;
	return -EINVAL;
}

/* ---- life */

struct context *context_new(pid_t pid)
{
	struct context *c = calloc(1, sizeof(*c));

	if (c)
		c->pid = pid;
	return c;
}

static void answer_reset(struct answer *a)
{
	for (int i = 0; i < CONTEXT_NAMES; i++)
		free(a->names[i]);
	*a = (struct answer) { 0 };
}

void context_free(struct context *c)
{
	if (!c)
		return;
	for (u32 i = 0; i < c->questions_count; i++) {
		strbuf_free(&c->questions[i].text);
		answer_reset(&c->questions[i].answer);
	}
	for (int i = 0; i < FACT_COUNT; i++) {
		if (c->stated[i])
			answer_reset(c->stated[i]);
		free(c->stated[i]);
	}
	strbuf_free(&c->words);
	looks_free(&c->looks);
	free(c->vars);
	free(c);
}

/* ---- what is known without a question */

static int set_vars(struct context *c, const struct strbuf *all)
{
	size_t count;
	char **vars = proc_split_words(strbuf_str(all), all->len, &count);

	if (!vars)
		return -ENOMEM;
	free(c->vars);
	c->vars = vars;
	c->vars_read = true;
	return 0;
}

int context_set_vars(struct context *c, char *const *vars)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	for (; *vars; vars++)
		strbuf_add(&all, *vars, strlen(*vars) + 1);
	return strbuf_error(&all) ?: set_vars(c, &all);
}

int context_state(struct context *c, enum fact f, u64 count, const char *name)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct answer) { .known = true, .count = count };
	a->names[0] = name ? strdup(name) : NULL;
	if (c->stated[f])
		answer_reset(c->stated[f]);
	free(c->stated[f]);
	c->stated[f] = a;
	return 0;
}

char *const *context_vars(struct context *c)
{
	_cleanup_strbuf_ struct strbuf all = STRBUF_INIT;

	if (c->vars_read || !c->pid)
		return c->vars;
	c->vars_read = true;
	if (!proc_read_environ(c->pid, ENVIRON_MAX, &all))
		set_vars(c, &all);
	return c->vars;
}

const char *context_var(struct context *c, const char *name)
{
	char *const *vars = context_vars(c);
	size_t len = strlen(name);

	for (; vars && *vars; vars++)
		if (strncmp(*vars, name, len) == 0 && (*vars)[len] == '=')
			return *vars + len + 1;
	return NULL;
}

/* ---- the match */

static struct question *find_question(struct context *c, const struct strbuf *text)
{
	for (u32 i = 0; i < c->questions_count; i++) {
		const struct strbuf *t = &c->questions[i].text;

		if (t->len == text->len && memcmp(t->data, text->data, t->len) == 0)
			return &c->questions[i];
	}
	return NULL;
}

static size_t bytes_asked(const struct context *c)
{
	size_t sum = 0;

	for (u32 i = 0; i < c->questions_count; i++)
		sum += c->questions[i].text.len + 1;
	return sum;
}

const struct answer *context_ask(struct context *c, enum fact f, struct strbuf *text,
				 enum verdict verdict)
{
	static const struct answer nobody_knows;
	struct question *q;

	if (c->stated[f])
		return c->stated[f];
	if (!text || strbuf_error(text))
		return &nobody_knows;
	q = find_question(c, text);
	if (q && q->answered)
		return &q->answer;
	if (!q && (c->questions_count == CONTEXT_QUESTIONS ||
		   bytes_asked(c) + text->len >= CONTEXT_BYTES))
		return &nobody_knows;
	if (!q) {
		c->questions[c->questions_count++].text = *text;
		*text = STRBUF_INIT;
	}
	c->pending = MAX(c->pending, verdict);
	return NULL;
}

void context_begin(struct context *c)
{
	c->told_count = 0;
	c->looks.guessed = false;
}

void context_tell(struct context *c, enum fact f, const struct answer *a)
{
	for (u32 i = 0; i < c->told_count; i++)
		if (c->told[i].fact == f && c->told[i].answer == a)
			return;
	if (c->told_count < ARRAY_SIZE(c->told))
		c->told[c->told_count++] = (struct context_told) { f, a };
}

static void add_names(struct strbuf *sb, const struct answer *a)
{
	size_t n = 0;

	for (; n < CONTEXT_NAMES && a->names[n]; n++) {
		strbuf_adds(sb, n ? ", " : ": ");
		strbuf_adds(sb, a->names[n]);
	}
	if (n && n < a->count)
		strbuf_addf(sb, " and %llu more", (unsigned long long)(a->count - n));
}

/* "3 untracked files would be lost: a, b, c" */
static void add_told(struct strbuf *sb, const struct context_told *t)
{
	static const char *const things[FACT_COUNT][2] = {
		[FACT_GIT_MODIFIED] = { "file with uncommitted changes",
					"files with uncommitted changes" },
		[FACT_GIT_UNSTAGED] = { "file with unstaged changes",
					"files with unstaged changes" },
		[FACT_GIT_UNTRACKED] = { "untracked file", "untracked files" },
		[FACT_GIT_IGNORED] = { "ignored file", "ignored files" },
		[FACT_GIT_STASHED] = { "stash", "stashes" },
		[FACT_GIT_UNMERGED] = { "commit that no other branch or tag has",
					"commits that no other branch or tag has" },
		[FACT_GIT_WORKTREE] = { "file that is not committed",
					"files that are not committed" },
		[FACT_PLAN_DELETES] = { "resource", "resources" },
	};
	const struct answer *a = t->answer;
	bool plan = t->fact == FACT_PLAN_DELETES;

	if (!a || !things[t->fact][0])
		return;
	if (sb->len)
		strbuf_adds(sb, "; ");
	if (!a->known) {
		strbuf_adds(sb, plan ? "the plan could not be read"
				     : "what would be lost could not be found out");
		return;
	}
	strbuf_addf(sb, "%llu %s would be %s", (unsigned long long)a->count,
		    things[t->fact][a->count != 1], plan ? "deleted or replaced" : "lost");
	add_names(sb, a);
}

void context_settle(struct context *c, const char *points)
{
	strbuf_reset(&c->words);
	for (u32 i = 0; i < c->told_count; i++)
		add_told(&c->words, &c->told[i]);
	if (*points)
		strbuf_addf(&c->words, "%spoints at production: %s", c->words.len ? "; " : "",
			    points);
	if (c->looks.guessed)
		strbuf_addf(&c->words,
			    "%swho serves a path in it does not answer: it may be anything",
			    c->words.len ? "; " : "");
}

/* ---- who asks */

bool context_is_pending(const struct context *c)
{
	return c->pending > VERDICT_ALERT;
}

int context_request(const struct context *c, struct strbuf *ret)
{
	for (u32 i = 0; i < c->questions_count; i++)
		if (!c->questions[i].answered) {
			strbuf_add(ret, strbuf_str(&c->questions[i].text),
				   c->questions[i].text.len);
			strbuf_addc(ret, '\0');
		}
	return strbuf_error(ret);
}

/* The next string; NULL where there is no whole one left. */
static const char *next_string(const char **p, const char *end)
{
	const char *s = *p, *nul = memchr(s, '\0', (size_t)(end - s));

	if (!nul)
		return NULL;
	*p = nul + 1;
	return s;
}

static char *shown_name(const char *s)
{
	_cleanup_strbuf_ struct strbuf sb = STRBUF_INIT;

	escape_bytes(&sb, s, strnlen(s, NAME_MAX_SHOWN));
	if (strlen(s) > NAME_MAX_SHOWN)
		strbuf_adds(&sb, "…");
	return strbuf_take(&sb);
}

/* One answer: a count, or nothing where it is not known; names; an empty string. */
static bool read_answer(const char **p, const char *end, struct answer *ret)
{
	const char *s = next_string(p, end);
	struct answer a = { 0 };
	char *rest = NULL;
	int n = 0;

	if (!s)
		return false;
	a.known = isdigit((unsigned char)*s);
	a.count = a.known ? strtoull(s, &rest, 10) : 0;
	a.known = a.known && !*rest;
	while ((s = next_string(p, end)) && *s)
		if (n < CONTEXT_NAMES)
			a.names[n++] = shown_name(s);
	if (!s) {
		answer_reset(&a);
		return false;
	}
	*ret = a;
	return true;
}

void context_answer(struct context *c, const char *data, size_t len)
{
	const char *p = data, *end = data + len;
	bool more = data != NULL;

	for (u32 i = 0; i < c->questions_count; i++) {
		struct question *q = &c->questions[i];

		if (q->answered)
			continue;
		q->answered = true;
		more = more && read_answer(&p, end, &q->answer);
	}
	c->pending = VERDICT_ALLOW;
}
