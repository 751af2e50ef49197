/* An example of what leaves: the bytes that a client would write, and what a policy says of them.
 */
#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "policy/search.h"
#include "policy/send_rule.h"
#include "policy/shellwords.h"

/* --- the bytes */

static void add_be32(struct strbuf *out, size_t n)
{
	u8 bytes[4] = { (u8)(n >> 24), (u8)(n >> 16), (u8)(n >> 8), (u8)n };

	strbuf_add(out, bytes, sizeof(bytes));
}

static void add_le32(struct strbuf *out, size_t n)
{
	u8 bytes[4] = { (u8)n, (u8)(n >> 8), (u8)(n >> 16), (u8)(n >> 24) };

	strbuf_add(out, bytes, sizeof(bytes));
}

/* As PostgreSQL has it. */
static bool write_sql(const char *text, struct strbuf *out)
{
	static const char startup[] = "\0\3\0\0user\0app\0";

	add_be32(out, 4 + sizeof(startup));
	strbuf_add(out, startup, sizeof(startup));
	strbuf_addc(out, 'Q');
	add_be32(out, 4 + strlen(text) + 1);
	strbuf_add(out, text, strlen(text) + 1);
	return true;
}

static bool write_redis(const char *text, struct strbuf *out)
{
	size_t count = 0;
	char **words;

	if (shellwords_split(text, &words, NULL))
		return false;
	while (words[count])
		count++;
	strbuf_addf(out, "*%zu\r\n", count);
	for (size_t i = 0; i < count; i++)
		strbuf_addf(out, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
	shellwords_free(words);
	return count;
}

static void add_string(struct strbuf *out, const char *name, size_t name_len, const char *value,
		       size_t len)
{
	strbuf_addc(out, 2);
	strbuf_add(out, name, name_len);
	strbuf_addc(out, '\0');
	add_le32(out, len + 1);
	strbuf_add(out, value, len);
	strbuf_addc(out, '\0');
}

/* deletes: [{q: {} or {_id: ""}, limit: 0}] */
static void add_deletes(struct strbuf *out, bool everything)
{
	_cleanup_strbuf_ struct strbuf q = STRBUF_INIT;
	size_t len;

	if (!everything)
		add_string(&q, "_id", 3, "", 0);
	len = 4 + q.len + 1;
	strbuf_add(out, "\4deletes", 9);
	add_le32(out, 4 + 3 + 4 + 3 + len + 11 + 1 + 1);
	strbuf_add(out,
		   "\3"
		   "0",
		   3);
	add_le32(out, 4 + 3 + len + 11 + 1);
	strbuf_add(out, "\3q", 3);
	add_le32(out, len);
	strbuf_add(out, strbuf_str(&q), q.len + 1);
	strbuf_add(out, "\x10limit\0\0\0\0", 11);
	strbuf_add(out, "\0", 2); /* the ends of both */
}

/* DATABASE.COLLECTION COMMAND [everything] */
static bool write_mongo(const char *text, struct strbuf *out)
{
	_cleanup_strbuf_ struct strbuf body = STRBUF_INIT;
	size_t db = strcspn(text, "."), target = strcspn(text, " ");
	const char *command = text + target + strspn(text + target, " ");
	size_t len = strcspn(command, " ");
	bool everything = strcmp(command + len, " everything") == 0;

	if (db >= target || !len || (command[len] && !everything))
		return false;
	add_string(&body, command, len, text + db + 1, target - db - 1);
	if (len == 6 && memcmp(command, "delete", 6) == 0)
		add_deletes(&body, everything);
	add_string(&body, "$db", 3, text, db);
	add_le32(out, 16 + 5 + 4 + body.len + 1);
	add_le32(out, 1);
	add_le32(out, 0);
	add_le32(out, 2013);
	strbuf_add(out, "\0\0\0\0", 5);
	add_le32(out, 4 + body.len + 1);
	strbuf_add(out, strbuf_str(&body), body.len + 1);
	return true;
}

/* METHOD URL [BODY] */
static bool write_http(const char *text, struct strbuf *out)
{
	size_t method = strcspn(text, " ");
	const char *url = text + method + strspn(text + method, " "), *host = strstr(url, "://");
	size_t host_len, path_len;
	const char *path, *body;

	if (!host || host > url + strcspn(url, " /") + 1)
		return false;
	host += 3;
	host_len = strcspn(host, " /");
	path = host + host_len;
	path_len = strcspn(path, " ");
	body = path + path_len + strspn(path + path_len, " ");
	strbuf_add(out, text, method);
	strbuf_addc(out, ' ');
	strbuf_add(out, path_len ? path : "/", path_len + !path_len);
	strbuf_adds(out, " HTTP/1.1\r\nHost: ");
	strbuf_add(out, host, host_len);
	if (*body)
		strbuf_addf(out, "\r\nContent-Type: application/json\r\nContent-Length: %zu",
			    strlen(body));
	strbuf_addf(out, "\r\n\r\n%s", body);
	return method;
}

static bool write_text(const char *text, struct strbuf *out)
{
	strbuf_addf(out, "%s\n", text);
	return true;
}

bool send_example_parse(const char *text, struct send_example *ret)
{
	static const struct {
		const char *name;
		bool (*write)(const char *text, struct strbuf *out);
	} kinds[] = {
		{ "sql", write_sql },	{ "redis", write_redis }, { "mongo", write_mongo },
		{ "http", write_http }, { "text", write_text },
	};
	struct send_example e = { 0 };
	size_t first = strcspn(text, " "), len = MIN(first, strcspn(text, "@"));
	const char *rest = text + first + strspn(text + first, " ");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].name) != len || memcmp(kinds[i].name, text, len) != 0 || !*rest)
			continue;
		if (!kinds[i].write(rest, &e.bytes))
			break;
		if (len < first)
			e.name = strndup(text + len + 1, first - len - 1);
		if (strbuf_error(&e.bytes) || (len < first && !e.name))
			break;
		*ret = e;
		return true;
	}
	send_example_free(&e);
	return false;
}

void send_example_free(struct send_example *e)
{
	strbuf_free(&e->bytes);
	free(e->name);
}

/* --- what is said of them */

struct trying {
	const struct policy *policy;
	const char *names[2];
	u32 signature;
	bool found;
};

static bool try_message(const struct wire_message *m, void *data)
{
	struct trying *t = data;
	struct sending s = { .message = m, .names = t->names };

	t->found |= search_sending(t->policy, &s, t->signature);
	return true;
}

bool send_example_try(const struct policy *p, const struct send_example *e, u32 signature)
{
	struct trying t = { .policy = p, .names = { e->name }, .signature = signature };
	_cleanup_(wire_free_ptr) struct wire *w = wire_new(0, true);

	if (w)
		wire_feed(w, e->bytes.data, e->bytes.len, try_message, &t);
	return t.found;
}
