#include "policy/examples.h"

#include <string.h>

#include "policy/carrier.h"
#include "policy/context.h"
#include "policy/search.h"
#include "policy/shellwords.h"

static struct action make_action(char *const *words, const char *cwd)
{
	static const char *const none[] = { NULL };

	return (struct action) {
		.argv = words,
		.cwd = cwd ? cwd : EXAMPLE_CWD,
		.home = EXAMPLE_HOME,
		.workspace = EXAMPLE_CWD,
		.files = none,
		.root_fd = -1,
	};
}

/* What the example says of the world around the command; NULL where that is nothing. */
static struct context *make_context(const struct example *e)
{
	struct context *c = e->facts || e->vars ? context_new(0) : NULL;

	if (c && e->vars)
		context_set_vars(c, (char *const *)e->vars);
	for (size_t i = 0; c && i < e->facts_count; i++)
		context_state(c, e->facts[i].fact, e->facts[i].count, NULL);
	return c;
}

static const char *name_of(const struct pack *pack)
{
	return pack->name.s ? pack->name.s : "?";
}

/* The words of a text; NULL after a fault. */
static char **split(const struct source *src, struct text t)
{
	char **words;

	if (shellwords_split(t.s, &words, NULL)) {
		source_fault(src, t.spot, "a quote is left open in this command");
		return NULL;
	}
	if (!words[0]) {
		source_fault(src, t.spot, "there is no command here");
		shellwords_free(words);
		return NULL;
	}
	return words;
}

static bool matches(const struct policy *p, const struct signature *s, const struct action *a)
{
	struct search_result found;

	search_action(p, a, s->number, &found);
	return found.line != IMAGE_NONE;
}

static void try_command(const struct policy *p, const struct pack *pack, const struct signature *s,
			const struct example *e, bool hit)
{
	char **words = split(&pack->src, e->run);
	_cleanup_(context_free_ptr) struct context *context = NULL;
	struct action a;
	bool found;

	if (!words)
		return;
	a = make_action(words, e->cwd);
	if (e->files)
		a.files = e->files;
	a.context = context = make_context(e);
	found = matches(p, s, &a);
	if (found != hit)
		source_fault(&pack->src, e->run.spot, "%s: '%s' does %smatch %s.%s",
			     hit ? "hits" : "misses", e->run.s, found ? "" : "not ", name_of(pack),
			     s->id.s);
	else if (hit && !policy_is_candidate(p, &a))
		source_fault(&pack->src, e->run.spot,
			     "hits: '%s' matches %s.%s, but the scan does not find it", e->run.s,
			     name_of(pack), s->id.s);
	shellwords_free(words);
}

/* An example of a signature about destinations. */
static void try_connection(const struct policy *p, const struct pack *pack,
			   const struct signature *s, const struct example *e, bool hit)
{
	_cleanup_strbuf_ struct strbuf err = STRBUF_INIT;
	struct connection c;
	bool found;

	if (!connection_parse("", e->run.s, &c, &err)) {
		source_fault(&pack->src, e->run.spot,
			     "'%s' is no destination: write one address or name with one port, "
			     "such as 10.0.0.5:5432, [fd00::1]:22, udp:8.8.8.8:53 or "
			     "db.example.com:5432, or unix:/run/x.sock",
			     e->run.s);
		return;
	}
	c.own |= e->own;
	found = search_connection(p, &c, s->number);
	if (found != hit)
		source_fault(&pack->src, e->run.spot, "%s: '%s' does %smatch %s.%s",
			     hit ? "hits" : "misses", e->run.s, found ? "" : "not ", name_of(pack),
			     s->id.s);
	else if (hit && s->verdict >= VERDICT_HOLD && !policy_is_connect_candidate(p, &c))
		source_fault(&pack->src, e->run.spot,
			     "hits: '%s' matches %s.%s, but the kernel does not freeze it",
			     e->run.s, name_of(pack), s->id.s);
}

/* The example as a deletion; false where it is none. */
static bool make_deletion(const struct example *e, char *const *by, struct deletion *ret)
{
	const char *path;
	int op = delete_example_parse(e->run.s, &path);

	if (op < 0)
		return false;
	*ret = (struct deletion) {
		.op = (enum bs_delete_op)op,
		.path = path,
		.program = by ? carrier_base_name(by[0]) : NULL,
		.argv = by,
		.behind = e->behind,
		.home = EXAMPLE_HOME,
		.workspace = EXAMPLE_CWD,
		.links = e->links,
	};
	return true;
}

static void tell_example(const struct pack *pack, const struct signature *s,
			 const struct example *e, bool hit)
{
	source_fault(&pack->src, e->run.spot, "%s: '%s' does %smatch %s.%s",
		     hit ? "hits" : "misses", e->run.s, hit ? "not " : "", name_of(pack), s->id.s);
}

/* An example of a burst: so many in so many seconds. */
static void try_burst(const struct pack *pack, const struct signature *s, const struct example *e,
		      bool hit)
{
	const struct burst *limit = &s->deletes.all[0].burst;
	struct burst b;

	if (!delete_burst_parse(e->run.s, &b))
		source_fault(
			&pack->src, e->run.spot,
			"'%s' is no burst: write how many in how many seconds, such as 200/10s",
			e->run.s);
	else if ((b.count >= limit->count && b.seconds <= limit->seconds) != hit)
		tell_example(pack, s, e, hit);
}

static void check_path(const struct policy *p, const struct pack *pack, const struct signature *s,
		       const struct example *e, const struct deletion *d, bool hit)
{
	if (search_deletion(p, d, s->number) != hit)
		tell_example(pack, s, e, hit);
	else if (hit && s->verdict >= VERDICT_HOLD && !policy_is_delete_candidate(p, d))
		source_fault(&pack->src, e->run.spot,
			     "hits: '%s' matches %s.%s, but the kernel does not ask", e->run.s,
			     name_of(pack), s->id.s);
}

static void try_path(const struct policy *p, const struct pack *pack, const struct signature *s,
		     const struct example *e, bool hit)
{
	struct text by_text = { e->by, e->run.spot };
	char **by = e->by ? split(&pack->src, by_text) : NULL;
	struct project project = { .precious = (char **)e->precious,
				   .precious_count = (u32)e->precious_count };
	struct deletion d;

	if (!make_deletion(e, by, &d)) {
		source_fault(&pack->src, e->run.spot,
			     "'%s' is no deletion: write what is done to an absolute path, such as "
			     "unlink /srv/app.db, or of a burst how many, such as 200/10s",
			     e->run.s);
	} else {
		d.project = &project;
		d.protected_inode = s->deletes.all[0].kind == DELETE_OTHER_NAME;
		check_path(p, pack, s, e, &d, hit);
	}
	if (by)
		shellwords_free(by);
}

static void try_deletion(const struct policy *p, const struct pack *pack, const struct signature *s,
			 const struct example *e, bool hit)
{
	if (s->deletes.all[0].kind == DELETE_BURST)
		try_burst(pack, s, e, hit);
	else
		try_path(p, pack, s, e, hit);
}

static void try_sending(const struct policy *p, const struct pack *pack, const struct signature *s,
			const struct example *e, bool hit)
{
	struct send_example sent;

	if (!send_example_parse(e->run.s, &sent)) {
		source_fault(&pack->src, e->run.spot,
			     "'%s' is nothing that is sent: write sql DROP TABLE users, redis "
			     "FLUSHALL, mongo shop.users drop, http DELETE https://a.test/x, or "
			     "text and anything",
			     e->run.s);
		return;
	}
	if (send_example_try(p, &sent, s->number) != hit)
		tell_example(pack, s, e, hit);
	else if (hit && s->verdict >= VERDICT_HOLD &&
		 !policy_is_send_candidate(p, sent.bytes.data, sent.bytes.len))
		source_fault(&pack->src, e->run.spot,
			     "hits: '%s' matches %s.%s, but the scan does not find it", e->run.s,
			     name_of(pack), s->id.s);
	send_example_free(&sent);
}

static void try_instead(const struct policy *p, const struct pack *pack, const struct signature *s)
{
	char **words;
	struct finding f;
	struct action a;

	/* it may be a sentence that no shell could split */
	if (!s->instead.s || shellwords_split(s->instead.s, &words, NULL))
		return;
	if (words[0]) {
		a = make_action(words, NULL);
		policy_match(p, &a, &f);
		if (f.verdict >= VERDICT_HOLD)
			source_fault(&pack->src, s->instead.spot,
				     "instead: '%s' is not allowed itself: %s.%s says %s",
				     s->instead.s, f.pack, f.id, verdict_name(f.verdict));
	}
	shellwords_free(words);
}

static void try_example(const struct policy *p, const struct pack *pack, const struct signature *s,
			const struct example *e, bool hit)
{
	if (s->connects_count)
		try_connection(p, pack, s, e, hit);
	else if (s->deletes.all_count)
		try_deletion(p, pack, s, e, hit);
	else if (s->sends.all_count)
		try_sending(p, pack, s, e, hit);
	else
		try_command(p, pack, s, e, hit);
}

unsigned int examples_try(const struct policy *p, const struct pack *pack)
{
	unsigned int count = 0;

	for (size_t i = 0; i < pack->signatures_count; i++) {
		const struct signature *s = &pack->signatures[i];

		if (s->faulty)
			continue;
		for (size_t k = 0; k < s->hits_count; k++)
			try_example(p, pack, s, &s->hits[k], true);
		for (size_t k = 0; k < s->misses_count; k++)
			try_example(p, pack, s, &s->misses[k], false);
		try_instead(p, pack, s);
		count += s->hits_count + s->misses_count;
	}
	return count;
}

/* What is wrong with an example whose agent is `agent` (NULL: none); NULL: nothing is. */
static const char *find_fault(const struct policy *p, const struct profile *profile,
			      const struct action *a, const char *agent, bool hit)
{
	u32 mark = agent_find(p, a);
	bool found = agent && profile->id.s && strcmp(agent, profile->id.s) == 0;

	if (found != hit)
		return found ? "starts it" : "does not start it";
	/* the kernel's first look knows names only, and so does the scan */
	if (!hit || p->image.agent_marks[mark].kind == MARK_FILE)
		return NULL;
	if (!policy_may_be_agent(p, a))
		return "starts it, but the kernel's first look does not find it";
	return policy_is_candidate(p, a) ? NULL : "starts it, but the scan does not find it";
}

static void try_start(const struct policy *p, const struct profile *profile,
		      const struct example *e, bool hit)
{
	char **words = split(&profile->src, e->run);
	const char *agent, *fault, *other;
	struct action a;

	if (!words)
		return;
	a = make_action(words, NULL);
	a.path = e->file;
	a.name = e->name;
	agent = policy_match_agent(p, &a);
	fault = find_fault(p, profile, &a, agent, hit);
	other = agent && strcmp(agent, profile->id.s ? profile->id.s : "") != 0 && hit ? agent
										       : NULL;
	if (fault)
		source_fault(&profile->src, e->run.spot, "%s: '%s' %s%s%s", hit ? "hits" : "misses",
			     e->run.s, fault, other ? ": the agent is " : "", other ? other : "");
	shellwords_free(words);
}

unsigned int examples_try_profile(const struct policy *p, const struct profile *profile)
{
	for (size_t i = 0; i < profile->hits_count; i++)
		try_start(p, profile, &profile->hits[i], true);
	for (size_t i = 0; i < profile->misses_count; i++)
		try_start(p, profile, &profile->misses[i], false);
	return (unsigned int)(profile->hits_count + profile->misses_count);
}
