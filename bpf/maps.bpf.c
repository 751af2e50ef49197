/* What shared.h declares. */
#include "shared.h"

char LICENSE[] SEC("license") = "GPL";

struct labels_map labels SEC(".maps");
struct strays_map strays SEC(".maps");
struct sessions_map sessions SEC(".maps");
struct slots_map slots SEC(".maps");
struct events_map events SEC(".maps");
struct bs_counters counters;
u32 guard_cpu = ~0U;
u32 guard_polls;
