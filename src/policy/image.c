#include "policy/image.h"

#include <errno.h>
#include <string.h>

#include "backstop/ends.h"

#define SCAN_SIZES(first)                                                                          \
	[(first) + SCAN_FILTER] = sizeof(u64),                                                     \
		   [(first) + SCAN_BUCKETS] = sizeof(struct bs_bucket),                            \
		   [(first) + SCAN_LISTS] = sizeof(u32),                                           \
		   [(first) + SCAN_ANCHORS] = sizeof(struct bs_anchor),                            \
		   [(first) + SCAN_RULES] = sizeof(struct bs_rule)

const u32 image_element_size[SECTION_COUNT] = {
	[SECTION_STRINGS] = 1,
	[SECTION_PACKS] = sizeof(struct image_pack),
	[SECTION_PROGRAMS] = sizeof(struct image_program),
	[SECTION_NAMES] = sizeof(struct image_name),
	[SECTION_GLOBS] = sizeof(struct image_name),
	[SECTION_OPTIONS] = sizeof(struct image_option),
	[SECTION_LINES] = sizeof(struct image_line),
	[SECTION_ITEMS] = sizeof(struct image_item),
	[SECTION_ALTS] = sizeof(struct image_alt),
	[SECTION_SIGNATURES] = sizeof(struct image_signature),
	[SECTION_DESTS] = sizeof(struct image_dest),
	[SECTION_PORT_RANGES] = sizeof(struct image_port_range),
	[SECTION_NETS] = sizeof(struct net_entry),
	[SECTION_NET_PORTS] = BS_PORT_BYTES,
	[SECTION_DELETES] = sizeof(struct image_delete),
	[SECTION_PATH_GLOBS] = sizeof(struct image_path_glob),
	[SECTION_PARTS] = sizeof(struct image_part),
	[SECTION_DELETE_NAMES] = sizeof(u32),
	[SECTION_SENDS] = sizeof(struct image_send),
	[SECTION_AGENTS] = sizeof(struct image_agent),
	[SECTION_AGENT_MARKS] = sizeof(struct image_agent_mark),
	[SECTION_AGENT_KEYS] = sizeof(struct agent_key),
	[SECTION_SETTINGS] = sizeof(struct image_settings),
	[SECTION_PRECIOUS] = sizeof(u32),
	[SECTION_PRODUCTION] = sizeof(u32),
	[SECTION_APPROVERS] = sizeof(struct image_approver),
	[SECTION_SOURCES] = sizeof(struct image_source),
	SCAN_SIZES(SECTION_SCAN),
	SCAN_SIZES(SECTION_DELETE_SCAN),
	SCAN_SIZES(SECTION_SEND_SCAN),
	SCAN_SIZES(SECTION_SOCKET_SCAN),
	[SECTION_SEND_ENDS] = sizeof(u32),
};

/* Side by side, since each waits for its own last multiplication alone. */
#define HASH_LANES 4

static u64 hash_word(u64 h, u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

u64 image_hash(const void *image, size_t len)
{
	const char *data = (const char *)image + offsetof(struct image_header, sections);
	size_t left = len - offsetof(struct image_header, sections);
	u64 h[HASH_LANES] = { 0xcbf29ce484222325ULL ^ len, 1, 2, 3 }, word;

	for (; left >= sizeof(h); data += sizeof(h), left -= sizeof(h))
		for (size_t i = 0; i < HASH_LANES; i++) {
			memcpy(&word, data + i * sizeof(word), sizeof(word));
			h[i] = hash_word(h[i], word);
		}
	for (size_t n; left; data += n, left -= n) {
		word = 0;
		n = MIN(left, sizeof(word));
		memcpy(&word, data, n);
		h[0] = hash_word(h[0], word);
	}
	for (size_t i = 1; i < HASH_LANES; i++)
		h[0] = hash_word(h[0], h[i]);
	return h[0];
}

static int check_header(const struct image_header *h, size_t len, struct strbuf *err)
{
	if (len < sizeof(h->magic) || memcmp(h->magic, IMAGE_MAGIC, sizeof(h->magic)) != 0) {
		strbuf_adds(err, "this is no policy image");
		return -EINVAL;
	}
	if (len < offsetof(struct image_header, size)) {
		strbuf_adds(err, "the image is cut short");
		return -EINVAL;
	}
	if (h->version != IMAGE_VERSION) {
		strbuf_addf(err, "the image has version %u, this program reads version %u",
			    h->version, IMAGE_VERSION);
		return -ESTALE;
	}
	if (len < sizeof(*h) || len < h->size) {
		strbuf_addf(err, "the image is cut short: %zu bytes", len);
		return -EINVAL;
	}
	if (len != h->size || len > IMAGE_MAX || image_hash(h, len) != h->hash) {
		strbuf_adds(err, "the image is damaged: its checksum is not that of its content");
		return -EINVAL;
	}
	return 0;
}

static bool sections_fit(const struct image_header *h)
{
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		u64 end = h->sections[i].offset + (u64)h->sections[i].count * image_element_size[i];

		if (h->sections[i].offset % 8 || end > h->size)
			return false;
	}
	return true;
}

static const void *section(const struct image_header *h, u32 s)
{
	return (const char *)h + h->sections[s].offset;
}

static struct scan_tables find_scan(const struct image_header *h, u32 first)
{
	return (struct scan_tables) {
		.filter = section(h, first + SCAN_FILTER),
		.buckets = section(h, first + SCAN_BUCKETS),
		.lists = section(h, first + SCAN_LISTS),
		.anchors = section(h, first + SCAN_ANCHORS),
		.rules = section(h, first + SCAN_RULES),
		.filter_count = h->sections[first + SCAN_FILTER].count,
		.buckets_count = h->sections[first + SCAN_BUCKETS].count,
		.lists_count = h->sections[first + SCAN_LISTS].count,
		.anchors_count = h->sections[first + SCAN_ANCHORS].count,
		.rules_count = h->sections[first + SCAN_RULES].count,
	};
}

#define LIST(field, number) .field = section(h, number), .field##_count = h->sections[number].count

static void find_sections(const struct image_header *h, struct image *ret)
{
	*ret = (struct image) {
		.header = h,
		.strings = section(h, SECTION_STRINGS),
		LIST(packs, SECTION_PACKS),
		LIST(programs, SECTION_PROGRAMS),
		LIST(names, SECTION_NAMES),
		LIST(globs, SECTION_GLOBS),
		LIST(options, SECTION_OPTIONS),
		LIST(lines, SECTION_LINES),
		LIST(items, SECTION_ITEMS),
		LIST(alts, SECTION_ALTS),
		LIST(signatures, SECTION_SIGNATURES),
		LIST(dests, SECTION_DESTS),
		LIST(port_ranges, SECTION_PORT_RANGES),
		LIST(agents, SECTION_AGENTS),
		LIST(agent_marks, SECTION_AGENT_MARKS),
		LIST(agent_keys, SECTION_AGENT_KEYS),
		.settings = section(h, SECTION_SETTINGS),
		LIST(precious, SECTION_PRECIOUS),
		LIST(production, SECTION_PRODUCTION),
		LIST(approvers, SECTION_APPROVERS),
		LIST(sources, SECTION_SOURCES),
		LIST(deletes, SECTION_DELETES),
		LIST(path_globs, SECTION_PATH_GLOBS),
		LIST(parts, SECTION_PARTS),
		LIST(delete_names, SECTION_DELETE_NAMES),
		LIST(sends, SECTION_SENDS),
		.scan = find_scan(h, SECTION_SCAN),
		.delete_scan = find_scan(h, SECTION_DELETE_SCAN),
		.send_scan = find_scan(h, SECTION_SEND_SCAN),
		.socket_scan = find_scan(h, SECTION_SOCKET_SCAN),
		.net = {
			LIST(nets, SECTION_NETS),
			LIST(ports, SECTION_NET_PORTS),
		},
	};
	ret->send_scan.ends = section(h, SECTION_SEND_ENDS);
	ret->send_scan.ends_count = h->sections[SECTION_SEND_ENDS].count;
}

static bool is_range(u32 first, u32 count, u32 total)
{
	return first <= total && count <= total - first;
}

static bool is_string(const struct image *im, u32 offset)
{
	return offset < im->header->sections[SECTION_STRINGS].count;
}

static bool is_string_or_none(const struct image *im, u32 offset)
{
	return offset == IMAGE_NONE || is_string(im, offset);
}

static bool names_fit(const struct image *im)
{
	u32 strings = im->header->sections[SECTION_STRINGS].count;

	if (strings == 0 || im->strings[strings - 1])
		return false;
	for (u32 i = 0; i < im->packs_count; i++)
		if (!is_string(im, im->packs[i].name) || !is_string(im, im->packs[i].title))
			return false;
	for (u32 i = 0; i < im->names_count; i++)
		if (!is_string(im, im->names[i].text) || im->names[i].program >= im->programs_count)
			return false;
	for (u32 i = 0; i < im->globs_count; i++)
		if (!is_string(im, im->globs[i].text) || im->globs[i].program >= im->programs_count)
			return false;
	return true;
}

static bool programs_fit(const struct image *im)
{
	for (u32 i = 0; i < im->programs_count; i++) {
		const struct image_program *p = &im->programs[i];

		if (!is_string(im, p->name) || p->pack >= im->packs_count ||
		    p->style >= STYLE_COUNT ||
		    !is_range(p->options, p->options_count, im->options_count) ||
		    !is_range(p->lines, p->lines_count, im->lines_count) ||
		    !is_range(p->reads, p->reads_count, im->lines_count))
			return false;
	}
	for (u32 i = 0; i < im->options_count; i++) {
		const struct image_option *o = &im->options[i];

		if (!is_string(im, o->name) || !is_string_or_none(im, o->sub) ||
		    o->kind >= OPTION_KIND_COUNT)
			return false;
	}
	return true;
}

static bool signatures_fit(const struct image *im)
{
	for (u32 i = 0; i < im->signatures_count; i++) {
		const struct image_signature *s = &im->signatures[i];

		if (s->pack >= im->packs_count || !is_string(im, s->id) || !is_string(im, s->why) ||
		    !is_string_or_none(im, s->instead) || !is_string(im, s->attack) ||
		    s->verdict >= VERDICT_COUNT || s->severity >= SEVERITY_COUNT)
			return false;
	}
	return true;
}

static bool dests_fit(const struct image *im)
{
	for (u32 i = 0; i < im->dests_count; i++) {
		const struct image_dest *d = &im->dests[i];

		if (d->bits > 128 || !is_range(d->ports, d->ports_count, im->port_ranges_count) ||
		    (d->signature != IMAGE_NONE && d->signature >= im->signatures_count) ||
		    d->pack >= im->packs_count || !is_string(im, d->text) ||
		    !is_string_or_none(im, d->name) || !is_string_or_none(im, d->path))
			return false;
	}
	for (u32 i = 0; i < im->net.nets_count; i++)
		if (im->net.nets[i].bits > 128 || im->net.nets[i].ports >= im->net.ports_count)
			return false;
	return true;
}

static bool globs_fit(const struct image *im)
{
	for (u32 i = 0; i < im->path_globs_count; i++)
		if (!im->path_globs[i].parts_count ||
		    !is_range(im->path_globs[i].parts, im->path_globs[i].parts_count,
			      im->parts_count))
			return false;
	for (u32 i = 0; i < im->parts_count; i++)
		if (!is_string(im, im->parts[i].text) || im->parts[i].kind >= PART_KIND_COUNT)
			return false;
	for (u32 i = 0; i < im->delete_names_count; i++)
		if (!is_string(im, im->delete_names[i]))
			return false;
	return true;
}

static bool deletes_fit(const struct image *im)
{
	for (u32 i = 0; i < im->deletes_count; i++) {
		const struct image_delete *d = &im->deletes[i];
		u64 globs = (u64)d->paths_count + d->excepts_count;
		u64 names = (u64)d->by_count + d->under_count;

		if (!is_string(im, d->text) || d->pack >= im->packs_count ||
		    (d->signature != IMAGE_NONE && d->signature >= im->signatures_count) ||
		    d->globs + globs > im->path_globs_count ||
		    d->names + names > im->delete_names_count || d->kind >= DELETE_KIND_COUNT)
			return false;
	}
	return globs_fit(im);
}

static bool agents_fit(const struct image *im)
{
	for (u32 i = 0; i < im->agents_count; i++)
		if (!is_string(im, im->agents[i].id) || !is_string(im, im->agents[i].title))
			return false;
	for (u32 i = 0; i < im->agent_marks_count; i++) {
		const struct image_agent_mark *m = &im->agent_marks[i];

		if (m->kind >= MARK_COUNT || !is_string(im, m->text) ||
		    !is_string_or_none(im, m->path) || m->agent >= im->agents_count)
			return false;
	}
	for (u32 i = 0; i < im->agent_keys_count; i++)
		if (im->agent_keys[i].how != BS_AGENT_ASK && im->agent_keys[i].how != BS_AGENT_SCAN)
			return false;
	return im->agent_keys_count <= BS_AGENT_KEYS;
}

static bool settings_fit(const struct image *im)
{
	const struct image_settings *s = im->settings;

	if (im->header->sections[SECTION_SETTINGS].count != 1 || s->mode >= MODE_COUNT ||
	    s->when_down >= WHEN_DOWN_COUNT || !s->hold_timeout || !is_string(im, s->approvers) ||
	    !is_string(im, s->pins) || s->fsync >= FSYNC_COUNT || !s->segment_size ||
	    !s->segment_age)
		return false;
	for (u32 i = 0; i < im->precious_count; i++)
		if (!is_string(im, im->precious[i]))
			return false;
	for (u32 i = 0; i < im->production_count; i++)
		if (!is_string(im, im->production[i]))
			return false;
	for (u32 i = 0; i < im->approvers_count; i++)
		if (!is_string(im, im->approvers[i].name))
			return false;
	for (u32 i = 0; i < im->sources_count; i++)
		if (!is_string(im, im->sources[i].path))
			return false;
	return true;
}

static bool sends_fit(const struct image *im)
{
	for (u32 i = 0; i < im->sends_count; i++) {
		const struct image_send *s = &im->sends[i];

		if (!is_string(im, s->text) || !is_string(im, s->what) || !is_string(im, s->path) ||
		    !is_string_or_none(im, s->to) || s->pack >= im->packs_count ||
		    (s->signature != IMAGE_NONE && s->signature >= im->signatures_count) ||
		    s->kind >= SEND_KIND_COUNT)
			return false;
	}
	return true;
}

static u32 count_words(const struct image *im, const struct image_line *l)
{
	u32 n = 0;

	for (u32 i = 0; i < l->items_count; i++) {
		const struct image_item *item = &im->items[l->items + i];

		n += item->kind == ITEM_WORD && !item->negated;
	}
	return n;
}

static bool lines_fit(const struct image *im)
{
	for (u32 i = 0; i < im->items_count; i++) {
		const struct image_item *item = &im->items[i];

		if (item->kind >= ITEM_COUNT ||
		    !is_range(item->alts, item->alts_count, im->alts_count))
			return false;
	}
	for (u32 i = 0; i < im->alts_count; i++) {
		const struct image_alt *a = &im->alts[i];

		if (!is_string(im, a->text) || !is_string(im, a->arg) || a->cond >= COND_COUNT ||
		    a->path_class >= PATH_CLASS_COUNT)
			return false;
	}
	for (u32 i = 0; i < im->lines_count; i++) {
		const struct image_line *l = &im->lines[i];

		if (!is_string(im, l->text) || l->pack >= im->packs_count ||
		    (l->signature != IMAGE_NONE && l->signature >= im->signatures_count) ||
		    !is_range(l->items, l->items_count, im->items_count) ||
		    l->items_count > USAGE_MAX_ITEMS || l->words != count_words(im, l))
			return false;
	}
	return true;
}

static bool lists_fit(const struct scan_tables *t)
{
	for (u32 i = 0; i < t->buckets_count; i++)
		for (u32 k = 0; k < BS_BUCKET_KEYS; k++)
			if (t->buckets[i].list[k] >= t->lists_count)
				return false;
	for (u32 i = 1; i < t->lists_count; i++)
		if ((t->lists[i] & BS_LIST_MASK) >= t->anchors_count)
			return false;
	return t->lists_count == 1 || t->lists[t->lists_count - 1] & BS_LIST_LAST;
}

static bool filters_fit(const struct scan_tables *t)
{
	u32 bytes = t->filter_count * sizeof(u64), both;

	for (u32 i = 0; i < t->anchors_count; i++) {
		both = t->anchors[i].filter | t->anchors[i].mask;
		if (both % sizeof(u64) || t->anchors[i].filter >= bytes ||
		    t->anchors[i].mask >= bytes - t->anchors[i].filter)
			return false;
	}
	return true;
}

static bool rules_fit(const struct scan_tables *t)
{
	for (u32 i = 0; i < t->anchors_count; i++)
		if (!is_range(t->anchors[i].first, t->anchors[i].count, t->rules_count))
			return false;
	for (u32 i = 0; i < t->rules_count; i++)
		for (u32 k = 0; k < BS_RULE_NEEDLES; k++)
			if (t->rules[i].need[k] >= t->anchors_count)
				return false;
	return true;
}

static bool ends_fit(const struct scan_tables *t)
{
	for (u32 i = 0; i < t->ends_count; i++)
		if ((t->ends[i] & ((1U << BS_END_BEFORE) - 1)) >= BS_ENDS_SIZE)
			return false;
	return true;
}

static bool is_power(u32 n, u32 max)
{
	return n && n <= max && (n & (n - 1)) == 0;
}

static bool scan_fits(const struct scan_tables *t)
{
	return t->filter_count <= BS_MAX_FILTER && is_power(t->buckets_count, BS_MAX_BUCKETS) &&
	       t->lists_count > 0 && t->lists_count <= BS_MAX_LISTS &&
	       t->anchors_count > BS_FILTER_ALL && t->anchors_count <= BS_MAX_ANCHORS &&
	       filters_fit(t) && lists_fit(t) && rules_fit(t) && ends_fit(t);
}

int image_check(const void *data, size_t len, struct image *ret, struct strbuf *err)
{
	struct image im;
	int r = check_header(data, len, err);

	if (r)
		return r;
	if (sections_fit(data)) {
		find_sections(data, &im);
		if (names_fit(&im) && programs_fit(&im) && signatures_fit(&im) && lines_fit(&im) &&
		    dests_fit(&im) && agents_fit(&im) && settings_fit(&im) && deletes_fit(&im) &&
		    sends_fit(&im) && scan_fits(&im.scan) && scan_fits(&im.delete_scan) &&
		    scan_fits(&im.send_scan) && scan_fits(&im.socket_scan)) {
			*ret = im;
			return 0;
		}
	}
	strbuf_adds(err, "the image is damaged: a number in it is out of range");
	return -EINVAL;
}
