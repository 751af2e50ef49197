#include "journal/dest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "journal/ocsf.h"
#include "journal/parts.h"

static bool is_v4(const struct bs_dest *d)
{
	static const u8 mapped[12] = { [10] = 0xff, 0xff };

	return !memcmp(d->addr, mapped, sizeof(mapped));
}

static void put_address(const struct bs_dest *d, char *buf, size_t size)
{
	if (is_v4(d))
		inet_ntop(AF_INET, d->addr + 12, buf, size);
	else
		inet_ntop(AF_INET6, d->addr, buf, size);
}

void ocsf_dest(const struct bs_dest *d, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	put_address(d, addr, sizeof(addr));
	snprintf(buf, size, is_v4(d) ? "%s %s:%u" : "%s [%s]:%u", d->datagram ? "send" : "connect",
		 addr, d->port);
}

enum ocsf_boundary { BOUNDARY_LOCALHOST = 1, BOUNDARY_INTERNAL = 2, BOUNDARY_EXTERNAL = 3 };

static enum ocsf_boundary boundary_of_v4(const u8 *a)
{
	if (a[0] == 127)
		return BOUNDARY_LOCALHOST;
	if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
	    (a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64))
		return BOUNDARY_INTERNAL;
	return BOUNDARY_EXTERNAL;
}

/* Private, shared and link-local ranges count as internal. */
static enum ocsf_boundary boundary_of(const struct bs_dest *d)
{
	static const u8 loopback[16] = { [15] = 1 };
	const u8 *a = d->addr;

	if (is_v4(d))
		return boundary_of_v4(a + 12);
	if (!memcmp(a, loopback, sizeof(loopback)))
		return BOUNDARY_LOCALHOST;
	if ((a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
		return BOUNDARY_INTERNAL;
	return BOUNDARY_EXTERNAL;
}

static const char *protocol_name(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_DCCP:
		return "dccp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	}
	return NULL;
}

/* Inside of TLS nobody may know. */
static bool is_known(const struct bs_dest *d)
{
	static const struct bs_dest none;

	return memcmp(d->addr, none.addr, sizeof(none.addr)) != 0;
}

void ocsf_sending(struct strbuf *out, const struct bs_dest *d, const struct ocsf_sending *s)
{
	char addr[OCSF_DEST_MAX];

	if (s->connects)
		strbuf_adds(out, "connect ");
	else
		strbuf_addf(out, "send %s to ", s->text ? s->text : "bytes");
	if (s->path) {
		escape_bytes(out, s->path, strlen(s->path));
		return;
	}
	if (is_known(d)) {
		ocsf_dest(d, addr, sizeof(addr));
		strbuf_adds(out, strchr(addr, ' ') + 1);
	}
	if (s->name) {
		strbuf_adds(out, is_known(d) ? " (" : "");
		escape_bytes(out, s->name, strlen(s->name));
		strbuf_adds(out, is_known(d) ? ")" : "");
	}
	if (!is_known(d) && !s->name)
		strbuf_adds(out, "an unknown address");
}

void dest_put_endpoint(struct json *j, const struct ocsf_event *e)
{
	const struct ocsf_sending *s = e->sending;
	char addr[INET6_ADDRSTRLEN];

	put_address(e->dest, addr, sizeof(addr));
	json_open_object(j, "dst_endpoint");
	if (s && s->path) {
		json_put_string(j, "name", s->path);
	} else if (is_known(e->dest) || !e->hostname) {
		json_put_string(j, "ip", addr);
		json_put_int(j, "port", e->dest->port);
	}
	part_put_known(j, "hostname", e->hostname);
	json_close_object(j);
}

void dest_put_sending(struct json *j, const struct ocsf_sending *s)
{
	json_open_object(j, "send");
	part_put_known(j, "text", s->text);
	part_put_known(j, "protocol", s->protocol);
	if (s->encrypted)
		json_put_bool(j, "encrypted", true);
	part_put_known(j, "unseen", s->unseen);
	if (s->names)
		json_put_argv(j, "names", s->names);
	json_close_object(j);
}

void dest_put_connection(struct json *j, const struct bs_dest *d)
{
	const char *name = protocol_name(d->protocol);

	json_open_object(j, "connection_info");
	json_put_int(j, "direction_id", 2);
	if (name)
		json_put_string(j, "protocol_name", name);
	json_put_int(j, "protocol_num", d->protocol);
	json_put_int(j, "protocol_ver_id", is_v4(d) ? 4 : 6);
	json_put_int(j, "boundary_id", boundary_of(d));
	json_close_object(j);
}
