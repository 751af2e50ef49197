/* What leaves on a connection: bytes as they are written -> messages of the protocol that is
 * spoken. Nothing that comes in is needed. A message counts at the write that completes it, for
 * what is incomplete no server acts on. */
#ifndef POLICY_WIRE_H
#define POLICY_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "backstop/types.h"
#include "base/util.h"

#define WIRE_WORDS 64 /* of a command, that are kept */

enum wire_protocol {
	WIRE_UNDECIDED, /* the first bytes have not come yet */
	WIRE_UNKNOWN,
	WIRE_POSTGRES,
	WIRE_MYSQL,
	WIRE_REDIS,
	WIRE_MONGO,
	WIRE_HTTP,
	WIRE_HTTP2,
	WIRE_TLS,
	WIRE_SOCKS,
	WIRE_PROTOCOLS
};
const char *wire_protocol_name(enum wire_protocol p); /* "postgres" … */

enum wire_kind {
	WIRE_SQL,      /* text: statements */
	WIRE_COMMAND,  /* words: of redis */
	WIRE_DOCUMENT, /* of mongo: method, database, target, everything */
	WIRE_REQUEST,  /* of HTTP: method … text is its body */
	WIRE_NAME,     /* text: the host that is asked for; type: the protocols inside of TLS */
	WIRE_RAW,      /* text: bytes of no known protocol, with some of those before them;
			* protocol: that which they may be of, where they are uncertain */
	WIRE_BLIND,    /* text: why nothing can be seen from now on */
};

/* Bytes, not ended by NUL. s is NULL where nothing is known. */
struct wire_slice {
	const char *s;
	size_t len;
};

bool wire_is(struct wire_slice s, const char *word); /* in either case */

struct wire_message {
	enum wire_protocol protocol;
	enum wire_kind kind;
	bool uncertain;	 /* parts of it are missing: lost, too long, or from before we listened */
	bool prepared;	 /* a statement that later messages run; see wire_fn */
	bool partial;	 /* a request whose body is still to come */
	bool again;	 /* the same request, now with its body */
	bool packed;	 /* the body is compressed: nobody sees what it says */
	bool everything; /* a delete of all documents */
	struct wire_slice text;
	struct wire_slice method, override; /* of a request the latter by its headers: words */
	struct wire_slice host, path, query, type;
	struct wire_slice database, target;
	struct wire_slice words[WIRE_WORDS];
	u32 words_count;
};

/* Takes a message, which lives as long as the call. Of a statement that is only prepared the answer
 * says whether it matters: then each later message that runs it is told as well, with its text. */
typedef bool (*wire_fn)(const struct wire_message *m, void *data);

/* One direction of one connection. */
struct wire;

/* `port` is a hint, 0: not known. `begun`: the first byte that is fed is the connection's first. */
struct wire *wire_new(u16 port, bool begun); /* NULL: out of memory */
struct wire *wire_clone(const struct wire *w);
void wire_free(struct wire *w);
DEFINE_CLEANUP(struct wire, wire_free);

/* One write. 0, or -ENOMEM: then the state is that of bytes that were lost. */
int wire_feed(struct wire *w, const void *data, size_t len, wire_fn fn, void *arg);
/* `count` bytes left unseen; ~0: nobody knows how many. True where they may have been more than
 * what no message tells of, as the rest of a value is. */
bool wire_lost(struct wire *w, u64 count);
/* Statements may have been prepared that nobody knows of: that one is run is uncertain. */
void wire_doubt(struct wire *w);
/* What is fed first may be of the middle of a connection, where no known one begins so. */
void wire_doubt_begin(struct wire *w);

/* Must all that is written next be looked at, whatever is in it? A message is incomplete, or a
 * statement that matters waits for being run. */
bool wire_waits(const struct wire *w);
enum wire_protocol wire_protocol(const struct wire *w);
/* Nothing more will be told. */
bool wire_ends(const struct wire *w);
/* Where it is unknown: what it was before bytes were lost, or what its port is for. */
enum wire_protocol wire_likely(const struct wire *w);
/* Of the user that logged in, and the database, as the first messages said; "": not known. */
const char *wire_user(const struct wire *w);
const char *wire_database(const struct wire *w);

/* A wire and where it is: a write that was refused or was cut short comes again, and is taken
 * back. */
struct wire_stream;

struct wire_stream *wire_stream_new(u16 port, bool begun, u64 position);
void wire_stream_free(struct wire_stream *s);
DEFINE_CLEANUP(struct wire_stream, wire_stream_free);
/* The very bytes that the connection began with come once more, and nothing else came yet. */
bool wire_stream_begins_again(const struct wire_stream *s, u64 position, const void *data,
			      size_t len);
/* A write that begins at `position` of the connection. As wire_feed(). */
int wire_stream_write(struct wire_stream *s, u64 position, const void *data, size_t len, wire_fn fn,
		      void *arg);
/* The last write had `count` bytes more. As wire_lost(). */
bool wire_stream_lost(struct wire_stream *s, u64 count);
struct wire *wire_stream_wire(struct wire_stream *s);
/* Where the next write begins, unless one is taken back or was lost. */
u64 wire_stream_position(const struct wire_stream *s);

/* --- answers of name servers, which come in */

struct wire_answer {
	const char *name; /* small letters, without the last dot */
	u8 addr[16];	  /* as in struct bs_dest */
	u32 ttl;	  /* seconds */
};
typedef void (*wire_answer_fn)(const struct wire_answer *a, void *data);

/* One datagram. For each address, each name of the chain that led to it is told. False where it is
 * no answer. */
bool wire_dns(const void *data, size_t len, wire_answer_fn fn, void *arg);
/* The same of a connection: `pending` holds what is incomplete. 0 or -ENOMEM. */
struct strbuf;
int wire_dns_stream(struct strbuf *pending, const void *data, size_t len, wire_answer_fn fn,
		    void *arg);

#endif
