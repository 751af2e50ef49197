/* The image: all of a policy in one flat block, offsets and numbers only. Host byte order; it is
 * compiled on the machine that uses it. */
#ifndef POLICY_IMAGE_H
#define POLICY_IMAGE_H

#include "backstop/scan_tables.h"
#include "policy/policy.h"
#include "policy/usage.h"

#define IMAGE_MAGIC   "BSPOLICY"
#define IMAGE_VERSION 10
#define IMAGE_MAX     (64U << 20) /* bytes */
#define IMAGE_NONE    0xffffffffU

/* The tables of one scan. */
enum scan_section {
	SCAN_FILTER,
	SCAN_BUCKETS,
	SCAN_LISTS,
	SCAN_ANCHORS,
	SCAN_RULES,
	SCAN_SECTIONS
};

enum image_section {
	SECTION_STRINGS, /* each ended by NUL; the first is "" */
	SECTION_PACKS,
	SECTION_PROGRAMS,
	SECTION_NAMES,	 /* of programs, sorted */
	SECTION_GLOBS,	 /* of programs */
	SECTION_OPTIONS, /* of programs, sorted by name within each */
	SECTION_LINES,	 /* grouped by program */
	SECTION_ITEMS,
	SECTION_ALTS,
	SECTION_SIGNATURES,
	SECTION_DESTS, /* allow rules first */
	SECTION_PORT_RANGES,
	SECTION_NETS,
	SECTION_NET_PORTS,
	SECTION_DELETES, /* allow rules first */
	SECTION_PATH_GLOBS,
	SECTION_PARTS,
	SECTION_DELETE_NAMES, /* strings: of programs */
	SECTION_SENDS,	      /* allow rules first */
	SECTION_AGENTS,
	SECTION_AGENT_MARKS, /* in the order in which they are tried */
	SECTION_AGENT_KEYS,  /* ascending */
	SECTION_SETTINGS,    /* one */
	SECTION_PRECIOUS,    /* strings: globs */
	SECTION_PRODUCTION,  /* the same */
	SECTION_APPROVERS,
	SECTION_SOURCES, /* of what the image is made; the settings first */
	SECTION_SCAN,	 /* SCAN_SECTIONS of it */
	SECTION_DELETE_SCAN = SECTION_SCAN + SCAN_SECTIONS,
	SECTION_SEND_SCAN = SECTION_DELETE_SCAN + SCAN_SECTIONS,
	SECTION_SOCKET_SCAN = SECTION_SEND_SCAN + SCAN_SECTIONS,
	SECTION_SEND_ENDS = SECTION_SOCKET_SCAN + SCAN_SECTIONS, /* see backstop/ends.h */
	SECTION_COUNT
};

struct image_header {
	char magic[8];
	u32 version;
	u32 size; /* bytes of the whole image */
	u64 hash; /* of what follows */
	struct {
		u32 offset; /* bytes, a multiple of 8 */
		u32 count;  /* elements */
	} sections[SECTION_COUNT];
};

/* Strings are offsets in SECTION_STRINGS. */
struct image_pack {
	u32 name, title;
	u8 local; /* its commands reach no production */
	u8 reserved[3];
};

struct image_program {
	u32 name, pack;
	u32 options, options_count;
	u32 lines, lines_count;
	u32 reads, reads_count; /* lines too: of what only reads */
	u8 style;		/* enum option_style */
	u8 nocase;
	u16 reserved;
};

struct image_name {
	u32 text, program;
};

enum option_kind {
	OPTION_VALUE,	 /* takes a separate value */
	OPTION_ATTACHED, /* takes a value only in the same word */
	OPTION_PLAIN,	 /* takes none, or only after = */
	OPTION_NAMED,	 /* named by a usage line, no more is known */
	OPTION_KIND_COUNT
};

struct image_option {
	u32 name; /* with its dashes; go style: without */
	u32 sub;  /* only where this is the first operand; IMAGE_NONE: always */
	u32 kind; /* enum option_kind */
};

struct image_line {
	u32 text;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	u32 items, items_count;
	u32 words; /* how many items are words that must stand there */
	u8 open;
	u8 read_only; /* matches nothing that one of the program's reads does */
	u16 reserved;
};

struct image_item {
	u8 kind; /* enum item_kind */
	u8 negated;
	u16 alts_count;
	u32 alts;
};

struct image_alt {
	u32 text;
	u32 arg;
	u8 cond;       /* enum cond_kind */
	u8 path_class; /* enum path_class */
	u16 reserved;
};

struct image_signature {
	u32 pack, id, why, instead, attack; /* instead: IMAGE_NONE where there is none */
	u8 verdict, severity;
	u16 reserved;
};

/* A rule about destinations. */
struct image_dest {
	u8 addr[16];		/* as in struct bs_dest */
	u32 bits;		/* of the prefix */
	u32 ports, ports_count; /* none: all ports */
	u32 signature;		/* IMAGE_NONE: an allow rule */
	u32 pack;
	u32 text;
	u32 name;    /* a glob on names, instead of the address; IMAGE_NONE: none */
	u32 path;    /* a glob on paths of Unix sockets; IMAGE_NONE: none */
	u8 protocol; /* 0: any */
	u8 remote;   /* none of the task's own host */
	u16 reserved;
};

struct image_port_range {
	u16 low, high;
};

enum delete_kind { DELETE_PATH, DELETE_BURST, DELETE_OTHER_NAME, DELETE_KIND_COUNT };

/* A rule about deletions. */
struct image_delete {
	u32 text;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	u32 globs, paths_count, excepts_count; /* one behind the other */
	u32 names, by_count, under_count;      /* likewise */
	struct burst burst;
	u16 how; /* bits: 1 << enum bs_delete_op */
	u8 kind; /* enum delete_kind */
	u8 by_negated, under_negated;
	u8 reserved[3];
};

struct image_path_glob {
	u32 parts, parts_count;
	u32 anywhere; /* it may begin at any depth */
};

enum part_kind {
	PART_NAME,     /* a component with this name */
	PART_GLOB,     /* one that its glob matches */
	PART_DEEP,     /* any number of components, none too */
	PART_HOME,     /* those of a home; the first part only */
	PART_PRECIOUS, /* all of a path that is precious; the only part */
	PART_KIND_COUNT
};

struct image_part {
	u32 text;
	u32 kind; /* enum part_kind */
};

enum send_kind {
	SEND_SQL,
	SEND_REDIS,
	SEND_MONGO,
	SEND_HTTP,
	SEND_GRAPHQL,
	SEND_TEXT,
	SEND_KIND_COUNT
};

/* A rule about what leaves on connections. */
struct image_send {
	u32 text;
	u32 signature; /* IMAGE_NONE: an allow rule */
	u32 pack;
	u32 what; /* the words of a command, a method, a field, a glob */
	u32 path; /* of http: a glob */
	u32 to;	  /* a glob on names; IMAGE_NONE: anywhere */
	u8 kind;  /* enum send_kind */
	u8 everything;
	u16 reserved;
};

struct image_agent {
	u32 id, title;
};

enum agent_mark_kind {
	MARK_NAME,   /* a glob on a base name */
	MARK_FILE,   /* a glob on the path of the file that is loaded */
	MARK_SCRIPT, /* a glob on the path of what an interpreter runs */
	MARK_MODULE, /* a glob on the name of a module of python */
	MARK_COUNT
};

struct image_agent_mark {
	u32 kind; /* enum agent_mark_kind */
	u32 text;
	u32 path; /* of a name: a glob that one of its paths must match as well, or IMAGE_NONE */
	u32 agent;
};

struct image_settings {
	u32 mode, when_down; /* enums */
	u32 hold_timeout;    /* seconds */
	u32 approvers, pins;
	u8 follow_agents, notify;
	u8 fsync; /* enum fsync_policy */
	u8 reserved;
	u64 segment_size, keep; /* bytes */
	u32 segment_age;	/* seconds */
	u32 reserved2;
};

struct image_approver {
	u32 name;
	u8 key[APPROVER_KEY];
};

struct image_source {
	u32 path;
	u32 reserved;
	u64 mtime; /* nanoseconds; 0: it was not there */
	u64 size;
};

_Static_assert(sizeof(struct image_header) == 24 + 8 * SECTION_COUNT, "layout");

/* An image in memory, checked: every offset, index and number is in range. */
struct image {
	const struct image_header *header;
	const char *strings;
	const struct image_pack *packs;
	const struct image_program *programs;
	const struct image_name *names, *globs;
	const struct image_option *options;
	const struct image_line *lines;
	const struct image_item *items;
	const struct image_alt *alts;
	const struct image_signature *signatures;
	const struct image_dest *dests;
	const struct image_port_range *port_ranges;
	const struct image_delete *deletes;
	const struct image_path_glob *path_globs;
	const struct image_part *parts;
	const u32 *delete_names;
	const struct image_send *sends;
	const struct image_agent *agents;
	const struct image_agent_mark *agent_marks;
	const struct agent_key *agent_keys;
	const struct image_settings *settings;
	const u32 *precious, *production;
	const struct image_approver *approvers;
	const struct image_source *sources;
	u32 packs_count, programs_count, names_count, globs_count, options_count, lines_count,
		items_count, alts_count, signatures_count, agents_count, agent_marks_count,
		dests_count, port_ranges_count, agent_keys_count, precious_count, production_count,
		approvers_count, sources_count, deletes_count, path_globs_count, parts_count,
		delete_names_count, sends_count;
	struct scan_tables scan, delete_scan, send_scan, socket_scan;
	struct net_tables net;
};

extern const u32 image_element_size[SECTION_COUNT];

u64 image_hash(const void *image, size_t len);

/* Checks all of `data` (aligned to 8) and fills in `ret`, which points into it. On failure `err`
 * says what is wrong, without the file's name. 0, -EINVAL or -ESTALE. */
int image_check(const void *data, size_t len, struct image *ret, struct strbuf *err);

#endif
