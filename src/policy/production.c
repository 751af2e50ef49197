#include "policy/production.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"
#include "policy/glob.h"
#include "policy/question.h"

#define VALUE_MAX 200 /* bytes of a value that are looked at and shown */

/* ---- words */

static bool is_one_of(const char *word, size_t len, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == len && strncasecmp(*list, word, len) == 0)
			return true;
	return false;
}

/* The words of a name, with what counts their copies left off: prod2 is prod. */
static bool has_word(const char *value)
{
	static const char *const yes[] = { "prod", "production", "prd", "live", NULL };
	static const char *const not [] = { "non", "not", "no", "pre", NULL };
	bool negated = false;

	while (*value) {
		size_t len = 0, letters;

		while (isalnum((unsigned char)value[len]))
			len++;
		letters = len;
		while (letters && isdigit((unsigned char)value[letters - 1]))
			letters--;
		if (is_one_of(value, letters, yes) && !negated)
			return true;
		if (len)
			negated = is_one_of(value, letters, not );
		value += len ? len : 1;
	}
	return false;
}

bool production_is_named(const char *value, const char *const *globs)
{
	if (has_word(value))
		return true;
	for (; globs && *globs; globs++)
		if (glob_match(*globs, value, true))
			return true;
	return false;
}

/* ---- values */

/* Where the host of a URL begins. A password may have a / in it, and ? and # where nobody has
 * escaped them; a port has only digits, and a / behind it. */
static const char *find_host(const char *authority)
{
	const char *colon = authority + strcspn(authority, ":/?#@");
	const char *behind = colon + 1 + (*colon == ':' ? strspn(colon + 1, "0123456789") : 0);
	bool password = *colon == ':' && *behind && *behind != '/' && *behind != ',';
	const char *at =
		memrchr(authority, '@', password ? strlen(authority) : strcspn(authority, "?#"));

	return at ? at + 1 : authority;
}

/* Of a URL the host and the database; no user, password or query, and none of what stands behind
 * it in a connection string. */
static void strip_url(const char *url, char *out, size_t size)
{
	const char *host = find_host(strstr(url, "://") + 3);
	/* the path of a web address may be a secret, that of others is a database */
	size_t len = strcspn(host, strncasecmp(url, "http", 4) ? "?#; \t" : "/?#; \t");
	const char *equals = memchr(host, '=', len), *comma;

	if (equals) { /* of a member: HOST,password=… */
		comma = memrchr(host, ',', (size_t)(equals - host));
		len = comma ? (size_t)(comma - host) : 0;
	}
	len = MIN(len, size - 1);
	memcpy(out, host, len);
	out[len] = '\0';
}

/* Of "host=db port=5432 password=x", and of connection strings of that kind, host and database. */
static void strip_dsn(const char *dsn, char *out, size_t size)
{
	static const char *const names[] = { "host",	 "server",	"dbname", "database",
					     "hostname", "accountname", NULL };
	size_t at = 0;

	for (const char *p = dsn; *p && at < size - 1;) {
		size_t len = strcspn(p, " ;,\t");
		const char *value = memchr(p, '=', len);

		if (value && is_one_of(p, (size_t)(value - p), names)) {
			size_t n = MIN(len - (size_t)(value + 1 - p), size - 1 - at);

			memcpy(out + at, value + 1, n);
			at += n;
			if (at < size - 1)
				out[at++] = ' ';
		}
		p += len + (p[len] != '\0');
	}
	out[at ? at - 1 : 0] = '\0';
}

/* What may be looked at and shown of a value. */
static void strip(const char *value, bool address, char *out, size_t size)
{
	if (strstr(value, "://"))
		strip_url(value, out, size);
	else if (strchr(value, '='))
		strip_dsn(value, out, size);
	else if (address && strchr(value, '@'))
		*out = '\0'; /* user:password@host, or something of that kind */
	else {
		strncpy(out, value, size - 1);
		out[size - 1] = '\0';
	}
}

struct look {
	const char *const *globs;
	bool stages; /* what applications run as counts too */
	struct strbuf *found;
};

/* `sep`: between name and value. */
static void look(const struct look *l, const char *name, size_t name_len, const char *sep,
		 const char *value, bool address)
{
	char shown[VALUE_MAX];

	strip(value, address, shown, sizeof(shown));
	if (!production_is_named(shown, l->globs))
		return;
	if (l->found->len)
		strbuf_adds(l->found, ", ");
	escape_bytes(l->found, name, name_len);
	strbuf_adds(l->found, sep);
	escape_bytes(l->found, shown, strlen(shown));
}

/* ---- the environment */

/* Accounts, clusters and projects. */
static const char *const places[] = {
	"AWS_PROFILE",
	"AWS_DEFAULT_PROFILE",
	"AWS_VAULT",
	"KUBECONFIG",
	"KUBE_CONTEXT",
	"KUBECTX",
	"HELM_KUBECONTEXT",
	"HELM_NAMESPACE",
	"TF_WORKSPACE",
	"PULUMI_STACK",
	"CLOUDSDK_*",
	"GOOGLE_CLOUD_PROJECT",
	"GCLOUD_PROJECT",
	"GCP_PROJECT",
	"AZURE_*",
	"ARM_SUBSCRIPTION_NAME",
	"DOCKER_CONTEXT",
	"CONSUL_HTTP_ADDR",
	"NOMAD_ADDR",
	"VAULT_ADDR",
	NULL,
};

/* What an application runs as. */
static const char *const stages[] = {
	"PGSERVICE",
	"PGDATABASE",
	"MYSQL_DATABASE",
	"HEROKU_APP",
	"FLY_APP",
	"DOPPLER_CONFIG",
	"DOPPLER_ENVIRONMENT",
	"VERCEL_ENV",
	"RAILS_ENV",
	"RACK_ENV",
	"NODE_ENV",
	"APP_ENV",
	"FLASK_ENV",
	"DJANGO_ENV",
	"DJANGO_SETTINGS_MODULE",
	"MIX_ENV",
	"DEPLOY_ENV",
	"ASPNETCORE_ENVIRONMENT",
	"DOTNET_ENVIRONMENT",
	"SPRING_PROFILES_ACTIVE",
	"ENVIRONMENT",
	"DEPLOYMENT_ENVIRONMENT",
	"STAGE",
	NULL,
};

/* Where a host or a database is named, maybe with a user and a password. */
static const char *const addresses[] = {
	"*_URL", "*_URI", "*_DSN", "*_HOST", "*_HOSTNAME", "PGHOST", "*_ENDPOINT", "*_SERVER", NULL,
};

static const char *const secrets[] = { "*SECRET*", "*PASSWORD*",   "*TOKEN*",
				       "*KEY*",	   "*CREDENTIAL*", NULL };

static bool matches_any(const char *name, const char *const *globs)
{
	for (; *globs; globs++)
		if (glob_match(*globs, name, false))
			return true;
	return false;
}

static void look_at_variable(const struct look *l, const char *variable)
{
	const char *value = strchr(variable, '=');
	char name[64];
	size_t len;

	if (!value || (len = (size_t)(value - variable)) >= sizeof(name))
		return;
	memcpy(name, variable, len);
	name[len] = '\0';
	if (matches_any(name, secrets))
		return;
	if (matches_any(name, places))
		look(l, name, len, "=", value + 1, false);
	else if (l->stages && matches_any(name, addresses))
		look(l, name, len, "=", value + 1, true);
	else if (l->stages && matches_any(name, stages))
		look(l, name, len, "=", value + 1, false);
}

/* ---- options */

static const char *const options[] = {
	"context",     "kube-context", "profile", "project", "workspace", "namespace",
	"n",	       "cluster",      "app",	  "env",     "stage",	  "stack",
	"environment", "subscription", "host",	  "server",  "database",  "dbname",
	"db",	       "config",       NULL,
};

/* --NAME=VALUE, --NAME VALUE, -n VALUE, scheme://host/… */
static void look_at_words(const struct look *l, const struct args *args)
{
	for (u32 i = 0; i < args->count; i++) {
		const char *word = args->words[i], *name = word + strspn(word, "-");
		size_t len = strcspn(name, "=");
		const char *value = name[len]		  ? name + len + 1
				    : i + 1 < args->count ? args->words[i + 1]
							  : NULL;

		if (name == word && strstr(word, "://"))
			look(l, "", 0, "", word, true);
		else if (name != word && value && is_one_of(name, len, options))
			look(l, word, len + (size_t)(name - word), name[len] ? "=" : " ", value,
			     true);
	}
}

/* ---- what programs remember */

static const char *const kube_programs[] = {
	"kubectl", "oc",       "helm",	  "helmfile", "kustomize", "flux", "argocd",
	"velero",  "istioctl", "linkerd", "cilium",   "skaffold",  "werf", NULL,
};

static const char *const terraform_programs[] = { "terraform", "terragrunt", NULL };

static void look_at_answer(const struct look *l, const struct production *of, enum fact f,
			   struct strbuf *question, const char *name)
{
	const struct answer *a = context_ask(of->context, f, question, of->verdict);

	if (a && a->known && a->count && a->names[0])
		look(l, name, strlen(name), " ", a->names[0], false);
}

/* An option is stronger than what the file says. */
static void look_at_kube(const struct look *l, const struct production *of)
{
	_cleanup_strbuf_ struct strbuf question = STRBUF_INIT;

	if (!question_option(of->args, "--context") &&
	    !question_option(of->args, "--kube-context") &&
	    question_kube(of->context, of->args, of->home, &question))
		look_at_answer(l, of, FACT_KUBE_CONTEXT, &question, "the current context");
}

static void look_at_workspace(const struct look *l, const struct production *of)
{
	_cleanup_strbuf_ struct strbuf question = STRBUF_INIT;

	if (context_var(of->context, "TF_WORKSPACE"))
		return;
	question_workspace(of->context, of->args, &question);
	look_at_answer(l, of, FACT_TERRAFORM_WORKSPACE, &question, "the workspace");
}

bool production_points(const struct production *of, bool words, struct strbuf *ret)
{
	const char *program = of->args->image->strings + of->args->program->name;
	bool kube = is_one_of(program, strlen(program), kube_programs);
	struct look l = { .globs = of->globs, .stages = !kube, .found = ret };
	char *const *vars = context_vars(of->context);

	for (; vars && *vars; vars++)
		look_at_variable(&l, *vars);
	if (words)
		look_at_words(&l, of->args);
	if (kube)
		look_at_kube(&l, of);
	else if (is_one_of(program, strlen(program), terraform_programs))
		look_at_workspace(&l, of);
	return ret->len > 0;
}
