/* What the recorder keeps of a line of the journal, read in one pass and without a tree. */
#ifndef RECORD_EVENT_H
#define RECORD_EVENT_H

#include <stdint.h>

#include "base/strbuf.h"

enum event_kind {
	EVENT_NONE,
	EVENT_EXEC,
	EVENT_EXIT,
	EVENT_CONNECT,
	EVENT_DELETE,
	EVENT_FINDING,
	EVENT_GUARD,
	EVENT_KINDS,
};

/* A string as it stands in the line, escapes and all; at is NULL where there is none. */
struct slice {
	const char *at;
	size_t len;
};

struct event_process {
	int64_t pid, parent_pid;
	struct slice uid, parent_uid, name, path, command, cwd, user, user_id;
};

struct event {
	enum event_kind kind;
	int64_t class_uid, activity, time_ms;
	int64_t disposition; /* 0 where it is not stated */
	struct slice host, machine, uid, message;
	/* of the process that acts; of a finding, that it was found in */
	struct event_process process;
	struct slice path, address; /* what was deleted, where it connected */
	struct slice inner;	    /* path inside its file system, where that is another */
	struct slice argv;    /* of a finding on a command: an array of strings, brackets and all */
	struct slice program; /* uid of the process whose exec the program is of; none: its own */
	int64_t port;
	int64_t exit_code, signal;
	/* what the guard says */
	struct slice session, agent, verdict, signature, severity, by, reason, run;
	int64_t hold, number, latency_ns;
	int64_t line;	  /* its number in its journal; 0: it has none */
	struct slice key; /* of a line that begins a segment: that signs the journal */
};

/* False: it is no event of ours. Slices point into the line. */
bool event_read(const char *line, size_t len, struct event *ret);

/* Appends the string itself. */
void event_add_text(struct strbuf *out, struct slice s);

/* Takes the next string off an array of strings: false where there is none. */
bool event_next_word(struct slice *array, struct slice *ret);

#endif
