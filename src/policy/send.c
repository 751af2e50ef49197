/* What leaves on a connection: what a policy says of a message. */
#include "policy/send.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "backstop/class.h"
#include "policy/glob.h"
#include "policy/graphql.h"
#include "policy/request.h"
#include "policy/scan.h"
#include "policy/search.h"
#include "policy/sql.h"

#define WORD_MAX 256

/* One message under one rule. */
struct looking {
	const struct image *im;
	const struct image_send *rule;
	const struct sending *s;
	const struct wire_message *m;
	bool allow;
};

static const char *what(const struct looking *l)
{
	return l->im->strings + l->rule->what;
}

/* What is doubtful counts for a signature, and against an allow rule. */
static bool doubt(const struct looking *l)
{
	return !l->allow;
}

/* --- the other end */

/* For an allow rule: its address is there, and what the client says of it does not differ. */
static bool is_surely_there(const struct looking *l, const char *to)
{
	const char *const *places = l->s->places, *const *names = l->s->names;
	bool hosted = l->m->kind == WIRE_REQUEST && l->m->host.len;
	bool there = false, agrees = !hosted || request_slice_matches(to, l->m->host, true);

	for (; places && *places; places++) {
		there |= glob_match(to, *places, true);
		agrees |= wire_is(l->m->host, *places);
	}
	for (u32 i = 0; names && names[i] && i < l->s->sure; i++)
		there |= glob_match(to, names[i], true);
	return there && agrees;
}

/* For a signature: that, or what the client says, or nobody knows. */
static bool may_be_there(const struct looking *l, const char *to)
{
	const char *const *names = l->s->names, *const *places = l->s->places;
	bool hosted = l->m->kind == WIRE_REQUEST && l->m->host.len, known = hosted;

	if (hosted && request_slice_matches(to, l->m->host, true))
		return true;
	for (; !hosted && places && *places; places++)
		if (glob_match(to, *places, true))
			return true;
	for (; names && *names; names++) {
		known = true;
		if (glob_match(to, *names, true))
			return true;
	}
	return !known;
}

static bool is_there(const struct looking *l)
{
	const char *to = l->im->strings + l->rule->to;

	if (l->rule->to == IMAGE_NONE)
		return true;
	return l->allow ? is_surely_there(l, to) : may_be_there(l, to);
}

/* --- SQL */

static bool has_word(struct wire_slice s, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= s.len; i++)
		if (strncasecmp(s.s + i, word, len) == 0)
			return true;
	return false;
}

static bool may_destroy(struct wire_slice s)
{
	static const char *const words[] = { "drop",  "truncate", "delete",
					     "alter", "update",	  "replace" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (has_word(s, words[i]))
			return true;
	return false;
}

/* Raw bytes that may be of that protocol, or of one that nobody knows. */
static bool may_be(const struct wire_message *m, enum wire_protocol p)
{
	return m->kind == WIRE_RAW && m->uncertain &&
	       (m->protocol == p || m->protocol == WIRE_UNKNOWN);
}

static bool destroys(const struct wire_message *m)
{
	/* a server may be told to take no backslash for an escape */
	return sql_is_destructive(m->text.s, m->text.len, SQL_ANY) ||
	       (m->protocol == WIRE_MYSQL && sql_is_destructive(m->text.s, m->text.len, SQL_MYSQL));
}

static bool sql_matches(const struct looking *l)
{
	const struct wire_message *m = l->m;

	if (m->kind == WIRE_SQL && m->text.s && destroys(m))
		return true;
	/* of one that is longer than what is kept, or was prepared before we listened */
	if (m->kind == WIRE_SQL && m->uncertain)
		return doubt(l);
	return (may_be(m, WIRE_POSTGRES) || may_be(m, WIRE_MYSQL)) && doubt(l) &&
	       may_destroy(m->text);
}

/* --- commands */

/* The next word of a rule; false: there is none. */
static bool next_word(const char **text, char *ret)
{
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	if (!len || len >= WORD_MAX)
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text += len;
	return true;
}

/* By itself, and where `quoted` behind a quote. */
static bool has_name(struct wire_slice s, const char *word, bool quoted)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= s.len; i++) {
		char before = i ? s.s[i - 1] : ' ', after = i + len < s.len ? s.s[i + len] : ' ';

		if (strncasecmp(s.s + i, word, len) != 0 || bs_class[(u8)before] ||
		    bs_class[(u8)after])
			continue;
		if (!quoted || before == '\'' || before == '"' || before == '[')
			return true;
	}
	return false;
}

/* Text of Lua, or raw: all words of the rule are in it. */
static bool has_all(const struct looking *l, struct wire_slice s, bool quoted)
{
	const char *words = what(l);
	char word[WORD_MAX];

	while (next_word(&words, word))
		if (!glob_has_wildcard(word) && !has_name(s, word, quoted))
			return false;
	return true;
}

static bool is_one_of(struct wire_slice s, const char *const *words)
{
	while (*words && (s.len != strlen(*words) || strncasecmp(s.s, *words, s.len) != 0))
		words++;
	return *words != NULL;
}

static bool carries_script(const struct wire_message *m)
{
	static const char *const carriers[] = { "eval", "eval_ro", "script", "function", NULL };

	return m->words_count && is_one_of(m->words[0], carriers);
}

static bool runs_script(const struct wire_message *m)
{
	static const char *const runners[] = { "eval", "evalsha", "fcall", NULL };

	return m->words_count && is_one_of(m->words[0], runners);
}

/* The words of the rule, as those of the message from this one on. */
static bool fits_at(const struct looking *l, u32 at)
{
	const char *words = what(l);
	char word[WORD_MAX];
	bool fits = true;

	while (fits && next_word(&words, word)) {
		fits = at < l->m->words_count && request_slice_matches(word, l->m->words[at], true);
		at++;
	}
	return fits;
}

#define SCRIPT_ARGUMENTS 3 /* words before them: the command, the script, a number */

static bool command_matches(const struct looking *l)
{
	const struct wire_message *m = l->m;
	bool fits;

	if (m->kind == WIRE_RAW)
		return may_be(m, WIRE_REDIS) && doubt(l) && has_all(l, m->text, false);
	if (m->kind != WIRE_COMMAND)
		return false;
	fits = fits_at(l, 0);
	for (u32 i = 1; !fits && carries_script(m) && i < m->words_count; i++)
		fits = !l->allow && has_all(l, m->words[i], true);
	/* a script may run what it is given */
	for (u32 i = SCRIPT_ARGUMENTS; !fits && runs_script(m) && i < m->words_count; i++)
		fits = !l->allow && fits_at(l, i);
	return fits;
}

static bool document_matches(const struct looking *l)
{
	const struct wire_message *m = l->m;

	if (m->kind == WIRE_RAW)
		return may_be(m, WIRE_MONGO) && doubt(l) && has_name(m->text, what(l), false);
	if (m->kind != WIRE_DOCUMENT)
		return false;
	if (m->uncertain && !m->method.s)
		return doubt(l);
	return request_slice_matches(what(l), m->method, false) &&
	       (!l->rule->everything || m->everything || (m->uncertain && doubt(l)));
}

/* --- requests */

/* Does it state this method for that of its first line? Of a request that was told before its body
 * alone is new. */
static bool overrides(const struct wire_message *m, const char *method)
{
	bool posts = wire_is(m->method, "POST");

	return (!m->again && request_override_matches(method, m->override)) ||
	       (!m->again && posts && request_form_overrides(method, m->query)) ||
	       (posts && request_form_overrides(method, m->text));
}

static bool request_matches(const struct looking *l)
{
	const struct wire_message *m = l->m;
	const char *path = l->im->strings + l->rule->path;
	bool method, there;

	if (m->kind == WIRE_RAW)
		return may_be(m, WIRE_HTTP) && doubt(l) &&
		       request_line_matches(what(l), path, m->text);
	if (m->kind != WIRE_REQUEST)
		return false;
	method = m->method.s ? request_slice_matches(what(l), m->method, true) : doubt(l);
	method &= !m->again;
	method = doubt(l) ? method || overrides(m, what(l)) : method && !overrides(m, "*");
	there = m->path.s ? request_path_matches(path, m->path) : doubt(l);
	return method && there;
}

/* Its body may say anything. */
static bool is_unreadable(const struct wire_message *m)
{
	return m->packed || has_word(m->type, "utf-16") || has_word(m->type, "utf-32");
}

static bool field_matches(const struct looking *l)
{
	const struct wire_message *m = l->m;

	if (m->kind != WIRE_REQUEST || m->partial)
		return false;
	return graphql_form_selects(m->query.s ?: "", m->query.len, what(l)) ||
	       graphql_body_selects(m->text.s, m->text.len, what(l)) ||
	       (has_word(m->type, "x-www-form-urlencoded") &&
		graphql_form_selects(m->text.s, m->text.len, what(l))) ||
	       (has_word(m->type, "application/graphql") &&
		graphql_selects(m->text.s, m->text.len, what(l))) ||
	       ((m->uncertain || is_unreadable(m)) && doubt(l) && has_word(m->path, "graphql"));
}

static bool text_matches(const struct looking *l)
{
	_cleanup_free_ char *text = NULL;
	size_t len = l->m->text.len;

	if (l->m->kind != WIRE_RAW)
		return false;
	text = malloc(len + 1);
	if (!text)
		return doubt(l);
	return request_text(l->m->text, text, len + 1) && glob_match(what(l), text, true);
}

/* --- rules */

static bool what_matches(const struct looking *l)
{
	switch ((enum send_kind)l->rule->kind) {
	case SEND_SQL:
		return sql_matches(l);
	case SEND_REDIS:
		return command_matches(l);
	case SEND_MONGO:
		return document_matches(l);
	case SEND_HTTP:
		return request_matches(l);
	case SEND_GRAPHQL:
		return field_matches(l);
	case SEND_TEXT:
		return text_matches(l);
	case SEND_KIND_COUNT:
		break;
	}
	return false;
}

static bool rule_matches(const struct policy *p, const struct sending *s,
			 const struct image_send *rule)
{
	struct looking l = { &p->image, rule, s, s->message, rule->signature == IMAGE_NONE };

	return is_there(&l) && what_matches(&l);
}

static bool is_graver(const struct policy *p, const struct project *project, u32 a, u32 b)
{
	enum verdict va, vb;

	if (b == IMAGE_NONE)
		return true;
	va = search_verdict(p, project, a);
	vb = search_verdict(p, project, b);
	return va != vb ? va > vb
			: p->image.signatures[a].severity > p->image.signatures[b].severity;
}

void policy_match_send(const struct policy *p, const struct sending *s, struct finding *ret)
{
	const struct image *im = &p->image;
	u32 found = IMAGE_NONE;

	*ret = (struct finding) { .verdict = VERDICT_ALLOW, .signature = IMAGE_NONE };
	for (u32 i = 0; i < im->sends_count; i++) {
		const struct image_send *rule = &im->sends[i];

		if (rule->signature != IMAGE_NONE &&
		    !is_graver(p, s->project, rule->signature, found))
			continue;
		if (!rule_matches(p, s, rule))
			continue;
		if (rule->signature == IMAGE_NONE) { /* these come first */
			ret->pack = im->strings + im->packs[rule->pack].name;
			return;
		}
		found = rule->signature;
	}
	if (found == IMAGE_NONE)
		return;
	policy_signature(p, found, ret);
	ret->verdict = search_verdict(p, s->project, found);
}

bool search_sending(const struct policy *p, const struct sending *s, u32 signature)
{
	for (u32 i = 0; i < p->image.sends_count; i++)
		if (p->image.sends[i].signature == signature &&
		    rule_matches(p, s, &p->image.sends[i]))
			return true;
	return false;
}

const struct scan_tables *policy_send_tables(const struct policy *p)
{
	return &p->image.send_scan;
}

bool policy_is_send_candidate(const struct policy *p, const void *data, size_t len)
{
	return scan_bytes(policy_send_tables(p), data, len);
}

const char *policy_sending(const struct policy *p, u32 signature, u32 n)
{
	for (u32 i = 0; i < p->image.sends_count; i++)
		if (p->image.sends[i].signature == signature && n-- == 0)
			return p->image.strings + p->image.sends[i].text;
	return NULL;
}
