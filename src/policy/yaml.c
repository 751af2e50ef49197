#include "policy/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_KEYS 32

static void drop_output(struct fy_diag *diag _unused_, void *user _unused_,
			const char *buf _unused_, size_t len _unused_)
{
}

static struct fy_diag *make_diag(void)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *diag;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = drop_output;
	diag = fy_diag_create(&cfg);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

static size_t offset_of_line(const struct source *src, int line, int column)
{
	size_t at = 0;

	for (int i = 1; i < line && at < src->len; i++) {
		const char *end = memchr(src->text + at, '\n', src->len - at);

		at = end ? (size_t)(end - src->text) + 1 : src->len;
	}
	/* a column counts characters */
	for (int i = 1; i < column && at < src->len && src->text[at] != '\n'; i++)
		for (at++; at < src->len && ((unsigned char)src->text[at] & 0xc0) == 0x80;)
			at++;
	return at;
}

static void tell_errors(const struct source *src, struct fy_diag *diag)
{
	struct fy_diag_error *e;
	unsigned int before = src->faults->count;
	void *it = NULL;

	while ((e = fy_diag_errors_iterate(diag, &it)))
		if (e->msg && e->line > 0)
			source_fault(src, offset_of_line(src, e->line, e->column), "no YAML: %s",
				     e->msg);
	if (src->faults->count == before)
		source_fault(src, 0, "this is no YAML");
}

bool yaml_is_empty(const struct source *src)
{
	for (size_t i = 0; i < src->len; i++) {
		if (src->text[i] == '#')
			while (i + 1 < src->len && src->text[i + 1] != '\n')
				i++;
		else if (!strchr(" \t\r\n", src->text[i]))
			return false;
	}
	return true;
}

/* Where a node's first token stands; `otherwise` where it has none of its own. */
static size_t spot_of(struct fy_node *node, size_t otherwise)
{
	void *it = NULL;
	size_t len;

	for (int depth = 0; node && depth < 8; depth++, it = NULL) {
		if (fy_node_is_scalar(node)) {
			const struct fy_mark *mark;

			if (fy_node_is_alias(node) || !fy_node_get_scalar(node, &len))
				return otherwise;
			mark = fy_token_start_mark(fy_node_get_scalar_token(node));
			return mark && mark->input_pos ? mark->input_pos : otherwise;
		}
		if (fy_node_is_mapping(node))
			node = fy_node_pair_key(fy_node_mapping_iterate(node, &it));
		else
			node = fy_node_sequence_iterate(node, &it);
	}
	return otherwise;
}

/* The first byte that is no part of a character; NULL where all are. */
static const char *find_broken(const struct source *src)
{
	const char *p = src->text, *end = p + src->len;
	uint32_t code;
	size_t n = 1;

	for (; p < end && n; p += n)
		n = *p & 0x80 ? utf8_decode(p, (size_t)(end - p), &code) : 1;
	return n ? NULL : p;
}

/* What the parser had better not see: libfyaml 0.7 can loop on a broken directive, and takes text
 * that is no UTF-8 for nothing. */
static bool is_readable(const struct source *src)
{
	const char *nul = memchr(src->text, '\0', src->len);
	const char *directive = src->text[0] == '%' ? src->text : strstr(src->text, "\n%");
	const char *broken = find_broken(src);

	if (nul)
		source_fault(src, (size_t)(nul - src->text), "a NUL byte: this is no text");
	else if (broken)
		source_fault(src, (size_t)(broken - src->text),
			     "this byte (0x%02x) is no UTF-8: save the file as UTF-8",
			     (unsigned char)*broken);
	else if (yaml_is_empty(src))
		source_fault(src, 0, "the file is empty: a pack begins with pack: NAME");
	else if (directive)
		source_fault(src, (size_t)(directive - src->text) + (*directive == '\n'),
			     "a line that begins with %% is a directive, which is not used here");
	else
		return true;
	return false;
}

bool yaml_open(struct yaml_reader *r, struct yaml *ret_root)
{
	struct fy_diag *diag = make_diag();
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2,
		.diag = diag,
	};
	struct fy_node *root = NULL;

	r->doc = NULL;
	if (is_readable(r->src)) {
		r->doc = fy_document_build_from_string(&cfg, r->src->text, r->src->len);
		root = r->doc ? fy_document_root(r->doc) : NULL;
		if (!root)
			tell_errors(r->src, diag);
	}
	*ret_root = (struct yaml) { .node = root, .spot = spot_of(root, 0) };
	fy_diag_destroy(diag);
	return root != NULL;
}

void yaml_close(struct yaml_reader *r)
{
	fy_document_destroy(r->doc);
	r->doc = NULL;
}

static struct yaml make(struct fy_node *node, size_t otherwise, const char *key)
{
	bool null = !node || fy_node_is_null(node);

	return (struct yaml) { .node = null ? NULL : node,
			       .spot = null ? otherwise : spot_of(node, otherwise),
			       .key = key,
			       .key_spot = otherwise };
}

static const char *scalar_text(struct yaml_reader *r, struct fy_node *node)
{
	size_t len = 0;
	const char *s;

	if (!node || !fy_node_is_scalar(node) || fy_node_is_alias(node))
		return NULL;
	s = fy_node_get_scalar(node, &len);
	if (!s || memchr(s, '\0', len))
		return NULL;
	return arena_strndup(r->arena, s, len);
}

static const char *describe(struct yaml v)
{
	if (!v.node)
		return "nothing";
	if (fy_node_is_alias(v.node))
		return "an alias, which is not used here";
	if (fy_node_is_scalar(v.node))
		return "a single value";
	return fy_node_is_mapping(v.node) ? "a mapping" : "a list";
}

static void wrong_type(struct yaml_reader *r, struct yaml v, const char *wanted)
{
	source_fault(r->src, v.spot, "%s%sneeds %s, but this is %s", v.key ? v.key : "",
		     v.key ? ": " : "the file ", wanted, describe(v));
}

void yaml_entries(struct yaml_reader *r, struct yaml v,
		  void (*fn)(struct yaml_reader *r, struct yaml value, void *data), void *data)
{
	struct fy_node_pair *pair;
	void *it = NULL;

	if (!yaml_is_mapping(v)) {
		wrong_type(r, v, "a mapping (key: value)");
		return;
	}
	while ((pair = fy_node_mapping_iterate(v.node, &it))) {
		struct fy_node *node = fy_node_pair_key(pair);
		size_t spot = spot_of(node, v.spot);
		const char *key = scalar_text(r, node);

		if (key)
			fn(r, make(fy_node_pair_value(pair), spot, key), data);
		else
			source_fault(r->src, spot, "a key is a plain word");
	}
}

struct mapping {
	const struct yaml_key *keys;
	void *data;
	u64 seen;
};

static void unknown_key(struct yaml_reader *r, struct yaml v, const struct yaml_key *keys)
{
	const char *names[MAX_KEYS], *nearest;
	size_t n = 0, spot = v.spot, len = strlen(v.key);

	for (; keys[n].name; n++)
		names[n] = keys[n].name;
	/* the value's spot is known; its key stands before it */
	while (spot > 0 &&
	       !(spot + len <= r->src->len && memcmp(r->src->text + spot, v.key, len) == 0))
		spot--;
	nearest = source_nearest(v.key, names, n);
	if (nearest)
		source_fault(r->src, spot, "unknown key '%s': did you mean '%s'?", v.key, nearest);
	else
		source_fault(r->src, spot, "unknown key '%s': known here are %s", v.key,
			     yaml_join(r->arena, names, n));
}

static void read_key(struct yaml_reader *r, struct yaml v, void *data)
{
	struct mapping *m = data;

	for (size_t i = 0; m->keys[i].name; i++)
		if (strcmp(m->keys[i].name, v.key) == 0) {
			m->seen |= (u64)1 << i;
			m->keys[i].read(r, v, m->data);
			return;
		}
	unknown_key(r, v, m->keys);
}

void yaml_mapping(struct yaml_reader *r, struct yaml v, const struct yaml_key *keys, void *data)
{
	struct mapping m = { .keys = keys, .data = data };

	yaml_entries(r, v, read_key, &m);
	if (!yaml_is_mapping(v))
		return;
	for (size_t i = 0; keys[i].name; i++)
		if (keys[i].required && !(m.seen >> i & 1))
			source_fault(r->src, spot_of(v.node, v.spot), "'%s:' is missing here",
				     keys[i].name);
}

void yaml_list(struct yaml_reader *r, struct yaml v, bool or_one,
	       void (*fn)(struct yaml_reader *r, struct yaml value, void *data), void *data)
{
	struct fy_node *node;
	void *it = NULL;

	if (v.node && !fy_node_is_alias(v.node) && fy_node_is_sequence(v.node)) {
		while ((node = fy_node_sequence_iterate(v.node, &it)))
			fn(r, make(node, v.spot, v.key), data);
	} else if (or_one && v.node) {
		fn(r, v, data);
	} else {
		wrong_type(r, v, "a list ([a, b], or lines that begin with -)");
	}
}

struct text yaml_text(struct yaml_reader *r, struct yaml v)
{
	const char *s = scalar_text(r, v.node);

	if (s && *s)
		return (struct text) { .s = s, .spot = v.spot };
	if (s)
		source_fault(r->src, v.spot, "%s: is empty", v.key ? v.key : "this");
	else
		wrong_type(r, v, "text");
	return (struct text) { 0 };
}

static bool is_name(const char *s)
{
	return islower((unsigned char)*s) && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

struct text yaml_name(struct yaml_reader *r, struct yaml v)
{
	struct text t = yaml_text(r, v);

	if (t.s && !is_name(t.s)) {
		source_fault(r->src, t.spot,
			     "%s: '%s' is no name: write small letters, digits and -, a letter "
			     "first",
			     v.key, t.s);
		t.s = NULL;
	}
	return t;
}

int yaml_choice(struct yaml_reader *r, struct yaml v, const char *const *names, size_t count)
{
	struct text t = yaml_text(r, v);
	const char *nearest;

	if (!t.s)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], t.s) == 0)
			return (int)i;
	nearest = source_nearest(t.s, names, count);
	source_fault(r->src, t.spot, "%s: cannot be '%s': %s%s%s", v.key, t.s,
		     nearest ? "did you mean '" : "write ",
		     nearest ? nearest : yaml_join(r->arena, names, count), nearest ? "'?" : "");
	return -1;
}

bool yaml_bool(struct yaml_reader *r, struct yaml v)
{
	static const char *const names[] = { "false", "true" };

	return yaml_choice(r, v, names, ARRAY_SIZE(names)) == 1;
}

bool yaml_is_mapping(struct yaml v)
{
	return v.node && !fy_node_is_alias(v.node) && fy_node_is_mapping(v.node);
}

const char *yaml_join(struct arena *a, const char *const *names, size_t count)
{
	const char *text = names[0];

	for (size_t i = 1; i < count; i++)
		text = arena_printf(a, "%s%s%s", text, i + 1 == count ? " or " : ", ", names[i]);
	return text;
}
