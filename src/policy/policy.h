/* A compiled policy: the image mapped, the scan on user space's side, and the exact match. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <sys/types.h>

#include "backstop/event.h"
#include "backstop/hint.h"
#include "base/strbuf.h"

/* In the order of strictness: a stricter verdict has the greater number. */
enum verdict {
	VERDICT_ALLOW,
	VERDICT_ALERT,
	VERDICT_HOLD,
	VERDICT_DENY,
	VERDICT_KILL,
	VERDICT_COUNT
};
const char *verdict_name(enum verdict v); /* "allow" … */
int verdict_parse(const char *name);	  /* the verdict, or -EINVAL */

enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL, SEVERITY_COUNT };
const char *severity_name(enum severity s);
int severity_parse(const char *name); /* the severity, or -EINVAL */

/* What the guard does with verdicts. */
enum mode { MODE_ENFORCE, MODE_SHADOW, MODE_RECORD, MODE_COUNT };
const char *mode_name(enum mode m); /* "enforce" … */
int mode_parse(const char *name);   /* the mode, or -EINVAL */

/* What happens to a candidate while no guard runs. */
enum when_down { WHEN_DOWN_HOLD, WHEN_DOWN_ALLOW, WHEN_DOWN_KILL, WHEN_DOWN_COUNT };

/* The owner's settings, compiled into the image; verdict changes, packs that are off, allow rules
 * and precious globs are in the rules already. Without a settings file: the defaults. */
/* When lines of the journal are brought to the disk: before a decision takes effect, always, or
 * when the system does it. */
enum fsync_policy { FSYNC_DECISIONS, FSYNC_ALWAYS, FSYNC_NEVER, FSYNC_COUNT };

struct journal_settings {
	u64 segment_size, keep;	  /* bytes; keep 0: all */
	unsigned int segment_age; /* seconds */
	enum fsync_policy fsync;
};

struct settings {
	enum mode mode;
	enum when_down when_down;
	unsigned int hold_timeout; /* seconds */
	bool follow_agents;	   /* profiles start sessions by themselves */
	bool notify;		   /* a hold is shown on the desktop of the session's user */
	const char *approvers;	   /* the group whose members may approve */
	const char *pins;	   /* directory in a bpffs for what outlives a guard */
	struct journal_settings journal;
};

/* Whose signature decides on holds, wherever it comes from. */
#define APPROVER_KEY  32 /* bytes of an Ed25519 public key */
#define APPROVER_NAME 64 /* and of a name, at most */
struct approver {
	const char *name;
	const u8 *key; /* APPROVER_KEY bytes */
};

struct project;
struct context;

/* An exec about to happen. Strings are not owned. */
struct action {
	char *const *argv; /* NULL-terminated, at least one word */
	const char *path;  /* of the file that was loaded; NULL: not known, argv[0] alone counts */
	const char *file;  /* its own base name, which a mount or a rename may hide; NULL: path's */
	const char *name;  /* as given to execve (of a script: the script); NULL: as argv[0] */
	const char *cwd;   /* absolute; NULL: relative paths are precious, as nobody knows better */
	const char *home;  /* of the acting user; NULL: not known */
	const char *workspace; /* the session's; NULL: derived from cwd, see policy_workspace() */
	const struct project *project; /* what its workspace tightens; NULL: nothing */
	const char *const *files;      /* of an example: the files that exist; NULL: see root_fd */
	struct context *context;       /* what is around it, and asked of that; NULL: nothing */
	/* not NULL: what it starts (sudo, sh -c …) is judged as well, and the command that was
	 * found, else the first one, comes here as it would be typed. For who asks what would
	 * happen, never for who decides: a start is an exec of its own, and would be held twice. */
	struct strbuf *started;
	int root_fd; /* O_PATH of the task's root: links are resolved there; -1: paths are taken as
			written */
};

/* The workspace that a session in `cwd` has: cwd itself, but none (NULL) where that is "/", the
 * home, or a directory above the home, or in scratch (/tmp …). The string is `cwd` or NULL. */
const char *policy_workspace(const char *cwd, const char *home);

struct policy;

/* What a workspace's own file (.backstop.yaml) asks for, as 'backstop policy project' prints it;
 * that runs without privileges, for the file is anybody's. It only tightens: what would lower a
 * verdict, or names no signature, is passed over. 0, or -EINVAL with the reason in `err`. */
int project_parse(const struct policy *p, const char *json, size_t len, struct project **ret,
		  struct strbuf *err);
/* What the kernel looks for in paths, so that nothing is lost that it calls precious; NULL:
 * nothing.
 */
void project_hints(const struct project *p, struct bs_hints *ret);
void project_free(struct project *project);
DEFINE_CLEANUP(struct project, project_free);

/* What was found. Strings live as long as the policy. */
struct finding {
	enum verdict verdict;
	enum severity severity;
	const char *pack,
		*id; /* NULL where nothing matched; an allow rule has id NULL and its pack */
	const char *why, *instead; /* instead may be NULL */
	const char *technique;	   /* MITRE ATT&CK technique id such as "T1485"; may be NULL */
	u32 signature;		   /* index in the policy, (u32)-1 where none */
	const char *context; /* what would be lost, what points at production; NULL: nothing is
				known. It lives as long as the action's context */
	bool production;     /* it does, and `severity` is one step higher */
	const char *carrier; /* what carried it ("ssh", "docker exec" …), NULL: run directly */
	bool started;	     /* it is in what the action starts, see there */
};

/* Where the image is: `option` if not NULL, else policy.image beside the running executable, else
 * ../share/backstop/policy.image from there. The last place is returned where there is none. 0 or a
 * negative errno; `ret` is owned by the caller. */
int policy_find(const char *option, char **ret);

/* Maps and validates the image. On failure `err` says what is wrong with which file, and what would
 * be right. 0, or -EINVAL (not an image, damaged), -ESTALE (another version), or another negative
 * errno. */
int policy_open(const char *path, struct policy **ret, struct strbuf *err);
/* The same from memory, which is copied. Any bytes are safe to give. */
int policy_from_memory(const void *image, size_t len, struct policy **ret, struct strbuf *err);
void policy_free(struct policy *p);
/* The scan's tables are in the kernel now: they leave memory, until they are used again. */
void policy_spare_scan(const struct policy *p);
DEFINE_CLEANUP(struct policy, policy_free);

/* The allow rules of the owner, then the strictest signature. */
void policy_match(const struct policy *p, const struct action *a, struct finding *ret);
/* What is found where not all could be looked at. */
void policy_too_long(struct finding *ret);

#define CONNECTION_NAME 256 /* bytes of a name, and of a Unix socket's path, with the NUL */

/* A connection about to be made, or a datagram about to be sent. */
struct connection {
	struct bs_dest dest;
	bool own; /* dest is an address of the task's own host (its network namespace), loopback
		     included */
	char name[CONNECTION_NAME]; /* for which it stands, in small letters; "": not known */
	const char *const *names;   /* more of them, NULL behind the last; NULL: none */
	u32 sure;		    /* of these, the first ones, that name servers told: what the
				       client says by itself earns no allow rule */
	char path[CONNECTION_NAME]; /* of a Unix socket, then nothing else counts; behind @ an
				       abstract name; "": it is none */
};
/* The allow rules of the owner, then the strictest signature. What a rule says of names matches
 * where one of them is known. */
void policy_match_connect(const struct policy *p, const struct connection *c, struct finding *ret);

/* The destinations that the kernel freezes: those that some signature with verdict hold, deny or
 * kill could match. The entry with the longest prefix that covers an address says which ports; an
 * address without an entry has none. Pointers live as long as the policy. */
struct net_entry {
	u8 addr[16]; /* as in struct bs_dest */
	u32 bits;    /* of the prefix, 0 … 128 */
	u32 ports;   /* index in `ports` */
};
struct net_tables {
	const struct net_entry *nets;
	const u8 (*ports)[BS_PORT_BYTES]; /* port p: byte p / 8, bit p % 8 */
	u32 nets_count, ports_count;
};
const struct net_tables *policy_net_tables(const struct policy *p);
/* What the kernel would say by these tables: is it frozen? */
bool policy_is_connect_candidate(const struct policy *p, const struct connection *c);
/* Might a rule about names match it, were its name known? Then what it sends first, which tells the
 * name, is to be looked at. */
bool policy_asks_for_name(const struct policy *p, const struct connection *c);
/* The tables that the kernel scans the path of a Unix socket with, as policy_delete_tables(). */
const struct scan_tables *policy_socket_tables(const struct policy *p);

/* A file or directory about to lose its content or its name. Strings are not owned. */
struct deletion {
	enum bs_delete_op op;
	const char *path;  /* absolute and resolved, as the task's root has it */
	const char *inner; /* its path inside its file system where that is another; may be NULL */
	const char *program; /* base name of the file that the task runs; NULL: not known */
	char *const *argv;   /* of its process, NULL-terminated; NULL: not known */
	/* base names of the programs, and of their scripts, that its ancestors in the session run,
	 * the parent's first, NULL behind the last; NULL: not known */
	const char *const *behind;
	const char *home, *workspace;  /* as in struct action */
	const struct project *project; /* as in struct action */
	bool protected_inode;	       /* another name of a file that is protected */
	bool burst;		       /* the session's limit is reached */
	u32 links;		       /* names that the file has before; 0: not known */
};
/* The allow rules of the owner, then the strictest signature. In both of its paths, the stricter
 * answer counts. What is not known counts for a signature, and against an allow rule. */
void policy_match_delete(const struct policy *p, const struct deletion *d, struct finding *ret);
/* Whatever else this program deletes in the same directory, by whatever name, no rule on paths
 * finds it. */
bool policy_spares_directory(const struct policy *p, const struct deletion *d);
/* The tables that the kernel scans a path with: components, leaf first, each ended by NUL. */
const struct scan_tables *policy_delete_tables(const struct policy *p);
/* What the kernel would say of path and inner, by these tables and by the project's hints. */
bool policy_is_delete_candidate(const struct policy *p, const struct deletion *d);
/* Names of directories whose inside is build output, which no burst counts: `i` = 0 …; NULL behind
 * the last. */
const char *policy_build_output(const struct policy *p, u32 i);
/* Does this deletion count for a burst? The kernel knows directories' names alone, so it counts
 * more than that: object files, what git brings back, and what /proc and /sys show of itself. */
bool policy_counts(const struct policy *p, const struct deletion *d);
/* The lowest limit of the burst signatures; those with another match nothing. */
struct burst {
	u32 count;   /* deletions, 0: there is none */
	u32 seconds; /* in which */
};
struct burst policy_burst(const struct policy *p);

/* Is this exec the start of an agent? The id of its profile, which lives as long as the policy, or
 * NULL. */
const char *policy_match_agent(const struct policy *p, const struct action *a);
/* For the kernel's cheap first look at untracked execs: the first 8 bytes of the base name of what
 * was given to execve (shorter names: with zeros behind), as they stand in memory. An exec
 * whose name has no key is no agent's. For keys with BS_AGENT_SCAN (interpreters) the scan of argv
 * decides. */
struct agent_key {
	u64 name;
	u64 how; /* enum bs_agent_how */
};
const struct agent_key *policy_agent_keys(const struct policy *p, u32 *ret_count);
/* What the kernel's first look would say of an untracked exec: is the guard asked? */
bool policy_may_be_agent(const struct policy *p, const struct action *a);
/* For lists: profile `i`; NULL behind the last. */
const char *policy_agent(const struct policy *p, u32 i, const char **ret_title);

const struct settings *policy_settings(const struct policy *p);
/* The approver with this key, APPROVER_KEY bytes: 0, or -ENOENT. Strings live as long as the
 * policy.
 */
int policy_approver(const struct policy *p, const u8 *key, struct approver *ret);

/* Is the image what 'policy compile --settings' would make now: by this program, of these settings
 * (an absolute path), of packs and profiles that have not changed? 1, 0, or a negative errno where
 * the image cannot be read. */
int policy_fresh(const char *image, const char *settings);
/* Of what the image was made, files and directories: `i` = 0 …; NULL behind the last. */
const char *policy_source(const struct policy *p, u32 i);

/* What the kernel would say: is this a candidate? Runs match.h over the same bytes in the same
 * order. */
bool policy_is_candidate(const struct policy *p, const struct action *a);

/* The tables of the scan, for BPF maps. Pointers live as long as the policy. */
struct scan_tables {
	const u64 *filter;
	const struct bs_bucket *buckets;
	const u32 *lists;		 /* [0] unused */
	const struct bs_anchor *anchors; /* [0] unused */
	const struct bs_rule *rules;
	u32 filter_count, buckets_count; /* powers of two */
	u32 lists_count, anchors_count, rules_count;
	const u32 *ends; /* see backstop/ends.h; of what is sent alone */
	u32 ends_count;
};
const struct scan_tables *policy_scan_tables(const struct policy *p);

/* For lists: signature `i`, 0 .. count-1, as its pack states it. */
u32 policy_signature_count(const struct policy *p);
void policy_signature(const struct policy *p, u32 i, struct finding *ret);
/* Its usage line `n`, 0 …, or NULL behind the last; and the same of its destinations, and of its
 * deletions: a signature has one of the three. */
const char *policy_command(const struct policy *p, u32 signature, u32 n);
const char *policy_destination(const struct policy *p, u32 signature, u32 n);
const char *policy_deletion(const struct policy *p, u32 signature, u32 n);
const char *delete_op_name(enum bs_delete_op op); /* "unlink" … */
int delete_op_parse(const char *name); /* the operation, or -EINVAL; rename-over is rename */
/* The title of its pack. */
const char *policy_title(const struct policy *p, u32 signature);
/* First 16 hex digits of the image's hash, for messages and events: which policy decided. */
const char *policy_version(const struct policy *p);

#endif
