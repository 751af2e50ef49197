/* SOCKS 4, 4a and 5: for which host the proxy is asked; what follows is that host's protocol. */
#include <arpa/inet.h>

#include "policy/wire_parser.h"

enum stage { STAGE_METHODS, STAGE_REQUEST };

static enum wire_guess probe(const u8 *p, size_t len, bool begun)
{
	if (!begun || (p[0] != 4 && p[0] != 5))
		return WIRE_NO;
	if (len < 3)
		return WIRE_MAYBE;
	if (p[0] == 5 && (p[1] < 1 || p[1] > 8 || p[2] > 9))
		return WIRE_NO;
	if (p[0] == 5)
		return len < 2U + p[1] ? WIRE_MAYBE : WIRE_YES;
	return len < 9 ? WIRE_MAYBE : p[1] == 1 || p[1] == 2 ? WIRE_YES : WIRE_NO;
}

static void tell_address(struct wire *w, int family, const u8 *addr)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, text, sizeof(text));
	wire_tell_name(w, (struct wire_slice) { text, strlen(text) });
}

static size_t step_four(struct wire *w, const u8 *p, size_t len)
{
	struct wire_slice host = { 0 };
	struct reader r;

	if (len < 9)
		return wire_more(w, 9);
	r = reader_of(p + 8, len - 8);
	reader_string(&r);
	if (!p[4] && !p[5] && !p[6] && p[7]) /* 4a: the name follows */
		host = reader_string(&r);
	if (r.bad)
		return len < 1024 ? wire_more(w, len + 1) : wire_lose(w);
	if (!p[4] && !p[5] && !p[6] && p[7])
		wire_tell_name(w, host);
	else
		tell_address(w, AF_INET, p + 4);
	wire_begin_again(w);
	return (size_t)(r.p - p);
}

static size_t step_request(struct wire *w, const u8 *p, size_t len)
{
	size_t total;

	if (len < 5)
		return wire_more(w, 5);
	if (p[3] != 1 && p[3] != 3 && p[3] != 4) {
		w->socks.stage = STAGE_METHODS;
		return wire_lose(w);
	}
	total = p[3] == 1 ? 10 : p[3] == 4 ? 22 : 7 + (size_t)p[4];
	if (len < total)
		return wire_more(w, total);
	if (p[3] == 3)
		wire_tell_name(w, (struct wire_slice) { (const char *)p + 5, p[4] });
	else
		tell_address(w, p[3] == 1 ? AF_INET : AF_INET6, p + 4);
	w->socks.stage = STAGE_METHODS;
	wire_begin_again(w);
	return total;
}

static size_t step(struct wire *w, const u8 *p, size_t len)
{
	size_t name;

	if (p[0] == 4 && w->socks.stage == STAGE_METHODS)
		return step_four(w, p, len);
	if (w->socks.stage == STAGE_METHODS) {
		w->socks.stage = STAGE_REQUEST;
		return wire_pass(w, len, 2 + (u64)p[1]);
	}
	if (p[0] == 5)
		return step_request(w, p, len);
	if (p[0] != 1) {
		w->socks.stage = STAGE_METHODS;
		return wire_lose(w);
	}
	if (len < 2) /* a user and a password, which are passed */
		return wire_more(w, 2);
	name = 2 + (size_t)p[1];
	return len <= name ? wire_more(w, name + 1) : wire_pass(w, len, name + 1 + p[name]);
}

static const u16 ports[] = { 1080, 9050, 0 };

const struct wire_parser wire_socks_parser = { probe, step, NULL, ports };
