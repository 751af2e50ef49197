/* Connections: what a policy says of a destination. */
#include <netinet/in.h>

#include <string.h>

#include "policy/destination.h"
#include "policy/glob.h"
#include "policy/scan.h"
#include "policy/search.h"

static bool has_port(const struct image *im, const struct image_dest *d, u16 port)
{
	for (u32 i = d->ports; i < d->ports + d->ports_count; i++)
		if (port >= im->port_ranges[i].low && port <= im->port_ranges[i].high)
			return true;
	return d->ports_count == 0;
}

static bool has_protocol(const struct image_dest *d, u8 protocol)
{
	if (d->protocol == IPPROTO_UDP)
		return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
	return !d->protocol || protocol == d->protocol;
}

static bool name_matches(const char *glob, const struct connection *c, bool allow)
{
	if (*c->name && glob_match(glob, c->name, true))
		return true;
	for (u32 i = 0; c->names && c->names[i] && (!allow || i < c->sure); i++)
		if (glob_match(glob, c->names[i], true))
			return true;
	return false;
}

static bool dest_matches(const struct image *im, const struct image_dest *d,
			 const struct connection *c)
{
	if (*c->path || d->path != IMAGE_NONE)
		return *c->path && d->path != IMAGE_NONE &&
		       glob_match_path(im->strings + d->path, c->path);
	if (d->name != IMAGE_NONE)
		return name_matches(im->strings + d->name, c, d->signature == IMAGE_NONE) &&
		       has_protocol(d, c->dest.protocol) && has_port(im, d, c->dest.port);
	return destination_covers(d->addr, d->bits, c->dest.addr) && !(d->remote && c->own) &&
	       has_protocol(d, c->dest.protocol) && has_port(im, d, c->dest.port);
}

static bool is_graver(const struct image *im, u32 signature, u32 than)
{
	const struct image_signature *s = &im->signatures[signature], *t;

	if (than == IMAGE_NONE)
		return true;
	t = &im->signatures[than];
	return s->verdict != t->verdict ? s->verdict > t->verdict : s->severity > t->severity;
}

bool search_connection(const struct policy *p, const struct connection *c, u32 signature)
{
	const struct image *im = &p->image;

	for (u32 i = 0; i < im->dests_count; i++)
		if (im->dests[i].signature == signature && dest_matches(im, &im->dests[i], c))
			return true;
	return false;
}

void policy_match_connect(const struct policy *p, const struct connection *c, struct finding *ret)
{
	const struct image *im = &p->image;
	u32 found = IMAGE_NONE;

	*ret = (struct finding) { .verdict = VERDICT_ALLOW, .signature = IMAGE_NONE };
	for (u32 i = 0; i < im->dests_count; i++) {
		const struct image_dest *d = &im->dests[i];

		if (!dest_matches(im, d, c))
			continue;
		if (d->signature == IMAGE_NONE) { /* these come first */
			ret->pack = im->strings + im->packs[d->pack].name;
			return;
		}
		if (is_graver(im, d->signature, found))
			found = d->signature;
	}
	if (found != IMAGE_NONE)
		policy_signature(p, found, ret);
}

const struct net_tables *policy_net_tables(const struct policy *p)
{
	return &p->image.net;
}

bool policy_asks_for_name(const struct policy *p, const struct connection *c)
{
	const struct image *im = &p->image;

	if (*c->path || *c->name || c->names)
		return false;
	for (u32 i = 0; i < im->dests_count; i++) {
		const struct image_dest *d = &im->dests[i];

		if (d->name != IMAGE_NONE && d->signature != IMAGE_NONE &&
		    has_protocol(d, c->dest.protocol) && has_port(im, d, c->dest.port))
			return true;
	}
	return false;
}

const struct scan_tables *policy_socket_tables(const struct policy *p)
{
	return &p->image.socket_scan;
}

bool policy_is_connect_candidate(const struct policy *p, const struct connection *c)
{
	const struct net_tables *t = &p->image.net;
	const struct net_entry *longest = NULL;
	u16 port = c->dest.port;

	if (*c->path)
		return scan_path(policy_socket_tables(p), c->path);
	for (u32 i = 0; i < t->nets_count; i++)
		if ((!longest || t->nets[i].bits > longest->bits) &&
		    destination_covers(t->nets[i].addr, t->nets[i].bits, c->dest.addr))
			longest = &t->nets[i];
	return longest && t->ports[longest->ports][port / 8] >> port % 8 & 1;
}

const char *policy_destination(const struct policy *p, u32 signature, u32 n)
{
	for (u32 i = 0; i < p->image.dests_count; i++)
		if (p->image.dests[i].signature == signature && n-- == 0)
			return p->image.strings + p->image.dests[i].text;
	return NULL;
}
