/* names: what name servers answer to tracked processes, so that the guard knows for which names an
 * address stands when it is connected to.
 *
 * cgroup_skb/ingress	what comes from port 53 to sockets of tracked processes that asked there
 */
#include "shared.h"
#include "send.h"

#define ETH_P_IP   0x0800
#define NAMES_PORT 53

/* Sockets that asked a name server, by their cookies. Full: the oldest's answers are not seen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u64); /* session */
} name_sockets SEC(".maps");

__noinline int names_ask(u64 cookie, u64 session)
{
	bpf_map_update_elem(&name_sockets, &cookie, &session, BPF_ANY);
	return 0;
}

/* Where the answer begins in the packet; 0: it is none. */
static __always_inline u32 find_answer(struct __sk_buff *skb, u32 *ret_stream)
{
	bool v4 = skb->protocol == bpf_htons(ETH_P_IP);
	u8 ip[20] = {}, ports[14] = {};
	u32 at, protocol;

	if (bpf_skb_load_bytes(skb, 0, ip, sizeof(ip)))
		return 0;
	at = v4 ? (ip[0] & 15) * 4U : 40;
	protocol = v4 ? ip[9] : ip[6];
	if ((protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) ||
	    bpf_skb_load_bytes(skb, at, ports, 2) || ports[0] || ports[1] != NAMES_PORT)
		return 0;
	*ret_stream = protocol == IPPROTO_TCP;
	if (protocol == IPPROTO_UDP)
		return at + 8;
	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return 0;
	return at + (ports[12] >> 4) * 4U;
}

/* A port costs less to see than bytes: of each packet of the host. A socket that is not connected
 * has none. */
static __always_inline bool may_be_answer(struct __sk_buff *skb)
{
	u32 port = bpf_ntohl(skb->remote_port);

	return !port || port == NAMES_PORT;
}

static __always_inline void tell(struct __sk_buff *skb, struct send_work *w, u64 session, u32 at,
				 u32 stream)
{
	struct bs_names_event *e = (struct bs_names_event *)w->data;
	u32 n = skb->len > at ? skb->len - at : 0;

	if (n > BS_NAMES_MAX)
		n = BS_NAMES_MAX;
	if (!send_load(skb, at, e->data, n, BS_NAMES_MAX))
		return;
	event_head_of(&e->head, BS_EVENT_NAMES, sizeof(*e) + n, session, 0, 0);
	e->len = n;
	e->stream = stream;
	if (bpf_ringbuf_output(&events, e, sizeof(*e) + n, wake_flag(1)))
		COUNT(losses[BS_LOSS_EVENT]);
}

SEC("cgroup_skb/ingress")
int names_ingress(struct __sk_buff *skb)
{
	u32 at, stream = 0;
	struct send_work *w;
	u64 cookie, *session;

	if (!is_acting() || !skb->sk || !may_be_answer(skb))
		return 1;
	at = find_answer(skb, &stream);
	if (!at)
		return 1;
	cookie = bpf_get_socket_cookie(skb);
	session = bpf_map_lookup_elem(&name_sockets, &cookie);
	w = session ? send_claim() : NULL;
	if (!w)
		return 1;
	tell(skb, w, *session, at, stream);
	send_release(w);
	return 1;
}
