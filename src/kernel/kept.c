/* The maps that outlive a guard, by their pins. */
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "kernel/internal.h"
#include "kernel/send_maps.h"

struct kept {
	const char *name; /* of its pin */
	struct bpf_map *map;
};
#define KEPT_MAPS 19

static void kept_maps(const struct backstop_bpf *s, struct kept ret[KEPT_MAPS])
{
	const struct kept all[KEPT_MAPS] = {
		{ "labels", s->maps.labels },
		{ "strays", s->maps.strays },
		{ SESSIONS_PIN, s->maps.sessions },
		{ SHARED_SLOTS_PIN, s->maps.slots },
		{ "events", s->maps.events },
		{ "decisions", s->maps.decisions },
		{ "processes", s->maps.processes },
		{ "waiting", s->maps.waiting },
		{ "records", s->maps.records },
		{ "approvals", s->maps.approvals },
		{ SHARED_PIN, s->maps.bss },
		{ "sent", s->maps.connect_sent },
		{ "protected", s->maps.protected_inodes },
		{ "hints", s->maps.hints },
		{ "guarded", s->maps.protected },
		{ "sockets", s->maps.socket_streams },
		{ "streams", s->maps.streams },
		{ "says", s->maps.stream_says },
		{ "let_go", s->maps.egress_grants },
	};

	memcpy(ret, all, sizeof(all));
}

int kept_reuse(struct kernel *k, struct backstop_bpf *s)
{
	struct kept maps[KEPT_MAPS], old[KEPT_MAPS];
	int r = 0;

	kept_maps(s, maps);
	if (k->skel)
		kept_maps(k->skel, old);
	for (int i = 0; i < KEPT_MAPS && !r; i++) {
		_cleanup_close_ int pinned = k->skel ? -1 : pins_get(&k->pins, maps[i].name);

		if (k->skel)
			r = bpf_map__reuse_fd(maps[i].map, bpf_map__fd(old[i].map));
		else
			r = pinned < 0 ? pinned : bpf_map__reuse_fd(maps[i].map, pinned);
	}
	if (!r && k->skel)
		send_maps_keep(s, k->skel);
	return r;
}

int kept_pin(struct kernel *k)
{
	struct kept maps[KEPT_MAPS];
	int r = 0;

	kept_maps(k->skel, maps);
	for (int i = 0; i < KEPT_MAPS && !r; i++)
		r = pins_put(&k->pins, maps[i].name, bpf_map__fd(maps[i].map));
	return r;
}

void kept_drop(struct kernel *k)
{
	struct kept maps[KEPT_MAPS];
	struct backstop_bpf none = { 0 };

	kept_maps(&none, maps);
	for (int i = 0; i < KEPT_MAPS; i++)
		pins_drop(&k->pins, maps[i].name);
}
