#include "journal/dest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "journal/ocsf.h"

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

void dest_put_endpoint(struct json *j, const struct bs_dest *d)
{
	char addr[INET6_ADDRSTRLEN];

	put_address(d, addr, sizeof(addr));
	json_open_object(j, "dst_endpoint");
	json_put_string(j, "ip", addr);
	json_put_int(j, "port", d->port);
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
