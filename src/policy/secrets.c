#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/secrets.h"

#include <errno.h>
#include <fnmatch.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define MASK "***"

#define NAMES                                                                                      \
	"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key"       \
	"|private[_-]?key|client[_-]?secret|credentials?|auth)"

/* Each alternative's only group is what is hidden. */
static const char inside[] =
	"(?|"
	/* user information of a URL: with a password, which may have any character in it where
	 * nobody has escaped them (a port has only digits, and a / behind it); or without */
	"://([^\\s/?#@'\":]{0,128}:(?!\\d+(?:[/,]|$))[^\\s'\"]{0,512})@"
	"|"
	"://([^\\s/?#@'\"]+)@"
	/* SQL */
	"|identified\\s+(?:with\\s+\\S+\\s+)?(?:by|as)\\s*'((?:[^']|'')*+)"
	"|identified\\s+(?:with\\s+\\S+\\s+)?(?:by|as)\\s*\"((?:[^\"]|\"\")*+)"
	"|password\\s*[=(]?\\s*(?:password\\s*\\(\\s*)?e?'((?:[^']|'')*+)"
	/* NAME=VALUE, NAME: VALUE, \"NAME\":\"VALUE\", wherever it stands */
	"|" NAMES "[\"']?\\s*[=:]\\s*\"([^\"]+)\""
	"|" NAMES "[\"']?\\s*[=:]\\s*'([^']+)'"
	"|" NAMES "[\"']?\\s*[=:]\\s*[\"']?(?!\\s|//)([^\\s\"'&;,]+)"
	"|[;&?]pwd=([^\\s\"'&;]+)"
	"|authorization[\"']?\\s*[:=]\\s*[\"']?(?:(?:bearer|basic|token|digest)\\s+)?([^\\s\"']+)"
	"|(?:api|access|auth|session|csrf)[_-](?:key|token)[\"']?\\s*[:=]\\s*[\"']?([^\\s\"']+)"
	/* tokens that are known by how they look */
	"|\\b((?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|sk-|sk_live_|rk_live_|npm_|hf_|dop_v1_"
	"|hvs\\.|pypi-|shpat_|dapi|lin_api_)[\\w-]{16,})"
	"|\\b(AIza[\\w-]{30,}|ya29\\.[\\w-]{16,}|eyJ[\\w-]{8,}\\.[\\w-]{8,}\\.[\\w-]*"
	"|SG\\.[\\w-]{16,}\\.[\\w-]{16,}|A[KS]IA[0-9A-Z]{16})"
	"|-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)"
	")";

/* An option whose next word is hidden as a whole. */
static const char option[] =
	"^--?(?!no-)[a-z0-9_-]*(?:passw(?:or)?d|passphrase|pass|secret|token|api-?key|access-?key"
	"|secret-?key|private-?key|credentials?)$";

/* What matches either of these contains one of those: most words are not worth the search, which is
 * slow where PCRE2 may not compile. */
static const char *const marks[] = {
	"://",	"pass",	      "pwd=",	  "secret",   "token",	  "key",	 "cred",
	"auth", "identified", "ghp_",	  "gho_",     "ghu_",	  "ghs_",	 "ghr_",
	"xox",	"sk-",	      "sk_live_", "rk_live_", "npm_",	  "hf_",	 "dop_v1_",
	"hvs.", "pypi-",      "dapi",	  "aiza",     "ya29.",	  "eyj",	 "sg.",
	"akia", "asia",	      "glpat-",	  "shpat_",   "lin_api_", "github_pat_", "-----begin",
};

/* Short options with a secret, by program: the next word, or the rest of the same one. */
static const struct short_option {
	const char *programs; /* an extended glob */
	const char *name;
	bool attached;	  /* only in the same word: alone it asks */
	const char *with; /* only where this word is there too; NULL: always */
} short_options[] = {
	{ "@(mysql|mariadb|mycli)*", "-p", true, NULL },
	{ "@(redis-cli|valkey-cli|keydb-cli)", "-a", false, NULL },
	{ "@(curl|curlie)", "-u", false, NULL },
	{ "@(curl|curlie)", "--user", false, NULL },
	{ "@(curl|curlie)", "--proxy-user", false, NULL },
	{ "@(http|https|xh|xhs)", "-a", false, NULL },
	{ "@(http|https|xh|xhs)", "--auth", false, NULL },
	{ "sshpass", "-p", false, NULL },
	{ "@(mongo|mongosh|mongodump|mongorestore)", "-p", false, NULL },
	{ "@(sqlcmd|bcp|zip|unzip)", "-P", false, NULL },
	{ "@(docker|podman|nerdctl|buildah|skopeo|helm)", "-p", false, "login" },
	{ "7z*", "-p", true, NULL },
	{ "@(smbclient|rpcclient|net)", "-U", false, NULL },
	{ "@(ldap*)", "-w", false, NULL },
	{ "@(snowsql|influx)", "-p", false, NULL },
};

struct secrets {
	pcre2_code *inside, *option;
	pcre2_match_data *data;
	uint32_t pairs[256]; /* how marks begin: a byte, and bits of the next one */
};

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static void note_marks(struct secrets *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		s->pairs[(unsigned char)marks[i][0]] |= 1U << (marks[i][1] & 31);
}

static bool begins_with_mark(const char *at)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (!strncasecmp(at, marks[i], strlen(marks[i])))
			return true;
	return false;
}

static bool has_mark(const struct secrets *s, const char *word)
{
	for (const char *c = word; *c; c++)
		if (s->pairs[lower(c[0])] >> (lower(c[1]) & 31) & 1 && begins_with_mark(c))
			return true;
	return false;
}

static pcre2_code *compile(const char *pattern)
{
	size_t offset;
	int code;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				       PCRE2_CASELESS | PCRE2_NEVER_UTF, &code, &offset, NULL);

	if (re)
		pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* where it can */
	return re;
}

static bool build(struct secrets *s)
{
	s->inside = compile(inside);
	s->option = compile(option);
	s->data = pcre2_match_data_create(2, NULL);
	note_marks(s);
	return s->inside && s->option && s->data;
}

int secrets_new(struct secrets **ret)
{
	_cleanup_(secrets_free_ptr) struct secrets *s = calloc(1, sizeof(*s));

	if (!s || !build(s))
		return -ENOMEM;
	*ret = TAKE_PTR(s);
	return 0;
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	pcre2_code_free(s->inside);
	pcre2_code_free(s->option);
	pcre2_match_data_free(s->data);
	free(s);
}

/* Appends the word masked; true where something was hidden. What cannot be searched within the
 * library's limits is hidden. */
static bool mask_inside(const struct secrets *s, const char *word, struct strbuf *out)
{
	const size_t *group = pcre2_get_ovector_pointer(s->data);
	size_t len = strlen(word), at = 0;
	bool hidden = false;
	int r;

	while ((r = pcre2_match(s->inside, (PCRE2_SPTR)word, len, at, 0, s->data, NULL)) > 1 &&
	       group[3] > at) {
		strbuf_add(out, word + at, group[2] - at);
		strbuf_adds(out, MASK);
		at = group[3];
		hidden = true;
	}
	if (r < 0 && r != PCRE2_ERROR_NOMATCH) {
		strbuf_adds(out, MASK);
		return true;
	}
	strbuf_add(out, word + at, len - at);
	return hidden;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_word(char *const *argv, const char *word)
{
	while (*argv && strcmp(*argv, word))
		argv++;
	return *argv;
}

static const struct short_option *find_short(char *const *argv, const char *word)
{
	const char *program = base_of(argv[0]);

	for (size_t i = 0; i < ARRAY_SIZE(short_options); i++) {
		const struct short_option *o = &short_options[i];

		if (!strncmp(word, o->name, strlen(o->name)) &&
		    !fnmatch(o->programs, program, FNM_EXTMATCH) &&
		    (!o->with || has_word(argv, o->with)))
			return o;
	}
	return NULL;
}

enum next { NEXT_SHOWN, NEXT_HIDDEN };

/* Appends a word; says whether the next one is a secret as a whole. */
static enum next mask_word(const struct secrets *s, char *const *argv, const char *word,
			   struct strbuf *out, bool *hidden)
{
	const struct short_option *o = word[0] == '-' ? find_short(argv, word) : NULL;
	size_t name = o ? strlen(o->name) : 0;
	bool marked = has_mark(s, word);

	if (o && word[name] && (o->name[1] != '-' || word[name] == '=')) {
		strbuf_add(out, word, name + (word[name] == '='));
		strbuf_adds(out, MASK);
		*hidden = true;
		return NEXT_SHOWN;
	}
	if (marked)
		*hidden |= mask_inside(s, word, out);
	else
		strbuf_adds(out, word);
	if (o && !word[name] && !o->attached)
		return NEXT_HIDDEN;
	return marked && word[0] == '-' &&
			       pcre2_match(s->option, (PCRE2_SPTR)word, strlen(word), 0, 0, s->data,
					   NULL) > 0
		       ? NEXT_HIDDEN
		       : NEXT_SHOWN;
}

/* The words that stand in `sb`, each ended by NUL, behind pointers to them. */
static char **to_vector(const struct strbuf *sb, size_t count)
{
	char **v = malloc((count + 1) * sizeof(*v) + sb->len), *at;

	if (!v)
		return NULL;
	at = (char *)(v + count + 1);
	memcpy(at, sb->data, sb->len);
	for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
		v[i] = at;
	v[count] = NULL;
	return v;
}

int secrets_mask(const struct secrets *s, char *const *argv, char ***ret)
{
	_cleanup_strbuf_ struct strbuf out = STRBUF_INIT;
	enum next next = NEXT_SHOWN;
	bool hidden = false;
	size_t n = 0;
	char **v;

	for (; argv[n]; n++) {
		if (next == NEXT_HIDDEN && argv[n][0] != '-') {
			strbuf_adds(&out, MASK);
			hidden = true;
			next = NEXT_SHOWN;
		} else {
			next = mask_word(s, argv, argv[n], &out, &hidden);
		}
		strbuf_addc(&out, '\0');
	}
	v = hidden && !strbuf_error(&out) ? to_vector(&out, n) : NULL;
	if (hidden && !v)
		return -ENOMEM;
	*ret = v;
	return 0;
}
