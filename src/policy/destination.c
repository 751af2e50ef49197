#include "policy/destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define MAX_PORTS 64
#define UNIX	  "unix:"
#define V4_BITS	  96 /* of ::ffff:0:0, below which IPv4 addresses are */

static const u8 v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

struct parser {
	struct arena *arena;
	const struct source *src;
	struct text text;
	const char *p;
	struct destination *dest;
};

#define FAULT(ps, at, ...)                                                                         \
	(source_fault((ps)->src,                                                                   \
		      source_spot((ps)->src, (ps)->text, (size_t)((at) - (ps)->text.s)),           \
		      __VA_ARGS__),                                                                \
	 false)

static bool take(struct parser *ps, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(ps->p, word, len) != 0)
		return false;
	ps->p += len;
	return true;
}

/* A decimal number of digits alone; -1 where there is none or it is beyond `max`. */
static long take_number(struct parser *ps, long max)
{
	long n = 0;

	if (*ps->p < '0' || *ps->p > '9')
		return -1;
	for (; *ps->p >= '0' && *ps->p <= '9'; ps->p++)
		n = MIN(n * 10 + (*ps->p - '0'), max + 1);
	return n > max ? -1 : n;
}

/* --- the host */

static bool is_v4(const struct destination *d)
{
	return memcmp(d->addr, v4_prefix, sizeof(v4_prefix)) == 0;
}

static bool parse_address(const char *host, struct destination *d)
{
	memcpy(d->addr, v4_prefix, sizeof(v4_prefix));
	return inet_pton(AF_INET, host, d->addr + sizeof(v4_prefix)) == 1 ||
	       inet_pton(AF_INET6, host, d->addr) == 1;
}

/* Takes away what a prefix of `bits` bits does not say; true where there was something. */
static bool clear_tail(u8 *addr, u32 bits)
{
	u8 lost = 0;

	for (u32 i = bits; i < 128; i++) {
		lost |= addr[i / 8] & (0x80 >> i % 8);
		addr[i / 8] &= (u8) ~(0x80 >> i % 8);
	}
	return lost;
}

static const char *print_address(struct arena *a, const struct destination *d)
{
	char text[INET6_ADDRSTRLEN];

	if (is_v4(d))
		inet_ntop(AF_INET, d->addr + sizeof(v4_prefix), text, sizeof(text));
	else
		inet_ntop(AF_INET6, d->addr, text, sizeof(text));
	return arena_strdup(a, text);
}

/* /BITS at ps->p, behind the address `at`. */
static bool parse_bits(struct parser *ps, const char *at, bool v6)
{
	struct destination *d = ps->dest;
	const char *slash = ps->p++;
	u32 offset = v6 ? 0 : V4_BITS;
	long bits = take_number(ps, 128 - offset);

	if (bits < 0)
		return FAULT(ps, slash + 1, "a prefix has 0 to %u bits", 128 - offset);
	d->bits = offset + (u32)bits;
	if (clear_tail(d->addr, d->bits))
		return FAULT(ps, at, "the address says more than %ld bits: write %s/%ld", bits,
			     print_address(ps->arena, d), bits);
	return true;
}

static bool is_unspecified(const struct destination *d)
{
	static const u8 zero[16];

	return d->bits == 128 && (memcmp(d->addr, zero, sizeof(zero)) == 0 ||
				  (is_v4(d) && memcmp(d->addr + sizeof(v4_prefix), zero, 4) == 0));
}

/* A glob on names has a dot and a letter, or it would be a slip. */
static bool is_name(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

	return strchr(host, '.') && strpbrk(host, letters) &&
	       !host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.*?")];
}

static bool parse_path(struct parser *ps)
{
	const char *path = ps->p;

	if (*path != '@' && *path != '/' && strncmp(path, "**/", 3) != 0)
		return FAULT(ps, path,
			     "behind unix: stands a path that begins with / or **/, or @ and an "
			     "abstract name");
	if (!path[strspn(path, "@*/")])
		return FAULT(ps, path, "a name is needed in it");
	ps->dest->path = path;
	ps->p += strlen(path);
	return true;
}

/* An address or a CIDR of `len` bytes at ps->p, or a name. */
static bool parse_host(struct parser *ps, size_t len)
{
	const char *start = ps->p;
	size_t n = MIN(strcspn(start, "/"), len);
	const char *host = arena_strndup(ps->arena, start, n);

	if (!parse_address(host, ps->dest) && n == len && is_name(host)) {
		memset(ps->dest->addr, 0, sizeof(ps->dest->addr));
		ps->dest->name = host;
		ps->p += len;
		return true;
	}
	if (!parse_address(host, ps->dest))
		return FAULT(ps, start,
			     "'%s' is no address and no name: write 10.0.0.5, 10.0.0.0/8, fd00::1, "
			     "*.example.com (in small letters, others as xn--…), "
			     "unix:/run/x.sock, * or remote",
			     host);
	ps->dest->bits = 128;
	ps->p += n;
	if (n < len && !parse_bits(ps, start, strchr(host, ':')))
		return false;
	if (ps->p != start + len)
		return FAULT(ps, ps->p, "unexpected '%c': a : and ports may follow the host",
			     *ps->p);
	if (is_unspecified(ps->dest))
		return FAULT(ps, start,
			     "the unspecified address is loopback: write 127.0.0.0/8 or ::1, or * "
			     "for all addresses");
	return true;
}

static bool parse_bracketed(struct parser *ps)
{
	const char *open = ps->p++, *close = strchr(open, ']');

	if (!close)
		return FAULT(ps, open, "this [ is never closed: write [fd00::1]:22");
	if (!parse_host(ps, (size_t)(close - ps->p)))
		return false;
	ps->p++;
	return true;
}

/* The host of what is no bracket: to the colon before the ports; several colons are of IPv6. */
static bool parse_plain(struct parser *ps)
{
	const char *colon = strchr(ps->p, ':'), *last = strrchr(ps->p, ':');
	size_t len = colon && colon == last ? (size_t)(colon - ps->p) : strlen(ps->p);

	if (colon != last && strchr(ps->p, '('))
		return FAULT(ps, ps->p,
			     "brackets tell an IPv6 address from its ports: write "
			     "[fd00::1]:(22|80)");
	return parse_host(ps, len);
}

static bool is_end(char c)
{
	return !c || c == ':';
}

static bool parse_any_host(struct parser *ps)
{
	if (ps->p[0] == '*' && is_end(ps->p[1])) {
		ps->p++;
		return true;
	}
	if (strncmp(ps->p, "remote", 6) == 0 && is_end(ps->p[6])) {
		ps->p += 6;
		ps->dest->remote = true;
		return true;
	}
	return *ps->p == '[' ? parse_bracketed(ps) : parse_plain(ps);
}

/* --- the ports */

static bool parse_range(struct parser *ps)
{
	const char *start = ps->p;
	long low = take_number(ps, 65535), high = low;

	if (*ps->p == '-') {
		ps->p++;
		high = take_number(ps, 65535);
	}
	if (low < 1 || high < low)
		return FAULT(ps, start,
			     "a port is a number from 1 to 65535, or a range such as "
			     "6000-6010");
	if (ps->dest->ports_count >= MAX_PORTS)
		return FAULT(ps, start, "more than %d ports", MAX_PORTS);
	struct port_range range = { (u16)low, (u16)high };
	ARENA_PUSH(ps->arena, ps->dest->ports, range);
	return true;
}

static bool parse_ports(struct parser *ps)
{
	const char *open = ps->p;

	if (*ps->p != '(')
		return parse_range(ps);
	do {
		ps->p++;
		if (!parse_range(ps))
			return false;
	} while (*ps->p == '|');
	if (*ps->p != ')')
		return *ps->p ? FAULT(ps, ps->p, "| or ) is missing between ports")
			      : FAULT(ps, open, "this ( is never closed");
	ps->p++;
	return true;
}

bool destination_parse(struct arena *a, const struct source *src, struct text t,
		       struct destination *ret)
{
	struct destination d = { .text = t };
	struct parser ps = { a, src, t, t.s, &d };

	if (take(&ps, "udp:"))
		d.protocol = IPPROTO_UDP;
	else if (take(&ps, "tcp:"))
		d.protocol = IPPROTO_TCP;
	if (strncmp(t.s, UNIX, strlen(UNIX)) == 0) {
		ps.p += strlen(UNIX);
		if (!parse_path(&ps))
			return false;
		*ret = d;
		return true;
	}
	if (!parse_any_host(&ps))
		return false;
	if (*ps.p && *ps.p != ':')
		return FAULT(&ps, ps.p, "unexpected '%c': a : and ports may follow the host",
			     *ps.p);
	if (*ps.p++ == ':') {
		if (!parse_ports(&ps))
			return false;
		if (*ps.p)
			return FAULT(&ps, ps.p, "unexpected '%c' behind the ports", *ps.p);
	}
	*ret = d;
	return true;
}

/* --- one address */

bool destination_covers(const u8 *prefix, u32 bits, const u8 *addr)
{
	u32 bytes = bits / 8, rest = bits % 8;

	return memcmp(prefix, addr, bytes) == 0 &&
	       (!rest || !((prefix[bytes] ^ addr[bytes]) >> (8 - rest)));
}

bool destination_is_loopback(const u8 *addr)
{
	static const u8 v6[16] = { [15] = 1 }, v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	return destination_covers(v6, 128, addr) || destination_covers(v4, V4_BITS + 8, addr);
}

static bool is_one(const char *text)
{
	return !strpbrk(text, "*?[\\");
}

static bool is_single(const struct destination *d)
{
	bool host = d->name ? is_one(d->name) && strlen(d->name) < CONNECTION_NAME : d->bits == 128;

	return host && d->ports_count == 1 && d->ports[0].low == d->ports[0].high;
}

bool connection_parse(const char *name, const char *text, struct connection *ret,
		      struct strbuf *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT;
	struct faults faults = { .out = err };
	struct source src = { name, text, strlen(text), &faults };
	/* an address that nobody has, for documentation */
	static const u8 somewhere[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1
	};
	struct destination d;

	if (!destination_parse(&a, &src, (struct text) { .s = text }, &d))
		return false;
	if (d.path ? !is_one(d.path) || strlen(d.path) >= sizeof(ret->path) : !is_single(&d)) {
		source_fault(&src, 0,
			     "one address or name with one port is needed here: 10.0.0.5:5432, "
			     "[fd00::1]:22, udp:8.8.8.8:53, db.example.com:5432, or "
			     "unix:/run/x.sock");
		return false;
	}
	if (d.path) {
		*ret = (struct connection) { .own = true };
		strcpy(ret->path, d.path);
		return true;
	}
	*ret = (struct connection) {
		.dest = { .port = d.ports[0].low, .protocol = d.protocol ?: IPPROTO_TCP },
		.own = destination_is_loopback(d.addr),
	};
	memcpy(ret->dest.addr, d.name ? somewhere : d.addr, sizeof(d.addr));
	if (d.name)
		strcpy(ret->name, d.name);
	return true;
}
