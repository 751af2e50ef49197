/* What shared.h declares, and what is declared elsewhere and used before its own file. */
#include "shared.h"
#include "send.h"

char LICENSE[] SEC("license") = "GPL";

struct labels_map labels SEC(".maps");
struct strays_map strays SEC(".maps");
struct sessions_map sessions SEC(".maps");
struct slots_map slots SEC(".maps");
struct events_map events SEC(".maps");
struct decisions_map decisions SEC(".maps");
struct processes_map processes SEC(".maps");
struct waiting_map waiting SEC(".maps");
struct streams_map streams SEC(".maps");
struct send_works_map send_works SEC(".maps");
struct socket_streams_map socket_streams SEC(".maps");
struct bs_shared shared;
const volatile u32 generation = 0;

/* The guard's own notes, for the guard after it. No program reads them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BS_SESSIONS);
	__type(key, u64);
	__type(value, struct bs_record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BS_SLOTS);
	__type(key, u64); /* hold */
	__type(value, u64);
} approvals SEC(".maps");
