#include "policy/nets.h"

#include <string.h>

#include "policy/needles.h"

struct builder {
	struct writer *w;
	struct arena *arena;
	const struct net_rule *rules;
	size_t rules_count;
	struct net_entry *entries;
	size_t entries_count;
	bool loopback; /* some rule is about other hosts only */
};

static void write_rule(struct writer *w, const struct net_rule *r)
{
	const struct destination *d = r->dest;
	struct image_dest image = {
		.bits = d->bits,
		.ports = writer_count(w, SECTION_PORT_RANGES),
		.ports_count = (u32)d->ports_count,
		.signature = r->signature,
		.pack = r->pack,
		.text = writer_string(w, d->text.s),
		.protocol = d->protocol,
		.remote = d->remote,
		.name = writer_string_or_none(w, d->name),
		.path = writer_string_or_none(w, d->path),
	};

	memcpy(image.addr, d->addr, sizeof(image.addr));
	for (size_t i = 0; i < d->ports_count; i++)
		writer_add(w, SECTION_PORT_RANGES, &d->ports[i]);
	writer_add(w, SECTION_DESTS, &image);
}

/* --- what freezes */

static bool freezes(const struct net_rule *r)
{
	return r->signature != IMAGE_NONE && r->verdict >= VERDICT_HOLD && !r->dest->path;
}

/* Of loopback the kernel knows that it is the host's own, and names stand for other hosts. */
static bool is_remote(const struct destination *d)
{
	return d->remote || d->name;
}

static void add_entry(struct builder *b, const u8 *addr, u32 bits)
{
	struct net_entry e = { .bits = bits };

	for (size_t i = 0; i < b->entries_count; i++)
		if (b->entries[i].bits == bits &&
		    memcmp(b->entries[i].addr, addr, sizeof(e.addr)) == 0)
			return;
	memcpy(e.addr, addr, sizeof(e.addr));
	ARENA_PUSH(b->arena, b->entries, e);
}

static void collect_entries(struct builder *b)
{
	static const u8 v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127 }, v6[16] = { [15] = 1 };

	for (size_t i = 0; i < b->rules_count; i++) {
		if (!freezes(&b->rules[i]))
			continue;
		add_entry(b, b->rules[i].dest->addr, b->rules[i].dest->bits);
		b->loopback |= is_remote(b->rules[i].dest);
	}
	/* what is about other hosts does not count here */
	if (b->loopback) {
		add_entry(b, v4, 104);
		add_entry(b, v6, 128);
	}
}

static bool applies(const struct net_rule *r, const struct net_entry *e)
{
	const struct destination *d = r->dest;

	return freezes(r) && d->bits <= e->bits && destination_covers(d->addr, d->bits, e->addr) &&
	       !(is_remote(d) && e->bits >= 104 && destination_is_loopback(e->addr));
}

static void add_ports(u8 *set, const struct destination *d)
{
	if (!d->ports_count)
		memset(set, 0xff, BS_PORT_BYTES);
	for (size_t i = 0; i < d->ports_count; i++)
		for (u32 port = d->ports[i].low; port <= d->ports[i].high; port++)
			set[port / 8] |= (u8)(1 << port % 8);
}

/* The number of a set of ports, which is kept once. */
static u32 write_ports(struct writer *w, const u8 *set)
{
	u32 count = writer_count(w, SECTION_NET_PORTS);
	const char *known = w->sections[SECTION_NET_PORTS].data;

	for (u32 i = 0; i < count; i++)
		if (memcmp(known + (size_t)i * BS_PORT_BYTES, set, BS_PORT_BYTES) == 0)
			return i;
	writer_add(w, SECTION_NET_PORTS, set);
	return count;
}

static void write_entry(struct builder *b, struct net_entry *e)
{
	u8 set[BS_PORT_BYTES] = { 0 };

	for (size_t i = 0; i < b->rules_count; i++)
		if (applies(&b->rules[i], e))
			add_ports(set, b->rules[i].dest);
	e->ports = write_ports(b->w, set);
	writer_add(b->w, SECTION_NETS, e);
}

static void freeze_socket(struct needles *n, const struct net_rule *r)
{
	const struct destination *d = r->dest;

	if (d->path && r->verdict >= VERDICT_HOLD && !needles_add_path(n, d->path) && !n->full)
		source_fault(
			r->src, d->text.spot,
			"'%s' has nothing that the kernel can search for: letters or digits are "
			"needed in a name",
			d->text.s);
}

void nets_write(struct writer *w, struct needles *n, const struct net_rule *rules, size_t count)
{
	struct builder b = { .w = w, .arena = n->arena, .rules = rules, .rules_count = count };

	/* allow rules first: where one matches nothing else counts */
	for (int allow = 1; allow >= 0; allow--)
		for (size_t i = 0; i < count; i++)
			if ((rules[i].signature == IMAGE_NONE) == allow)
				write_rule(w, &rules[i]);
	for (size_t i = 0; i < count; i++)
		freeze_socket(n, &rules[i]);
	collect_entries(&b);
	for (size_t i = 0; i < b.entries_count; i++)
		write_entry(&b, &b.entries[i]);
}
