/* The parts of a wire, and what the parsers of its protocols share. */
#ifndef POLICY_WIRE_PARSER_H
#define POLICY_WIRE_PARSER_H

#include "base/strbuf.h"
#include "policy/wire.h"
#include "policy/wire_hpack.h"
#include "policy/wire_read.h"

#define WIRE_MESSAGE_MAX (1U << 20)  /* bytes of one message that are kept; more is uncertain */
#define WIRE_HEAD_MAX	 (64U << 10) /* of the headers of a request */
#define WIRE_BODY_MAX	 (64U << 10) /* of the body of a request */
#define WIRE_WORD_MAX	 (64U << 10) /* of all words of a command */
#define WIRE_NAMED_MAX	 32	     /* statements and portals that are remembered */
#define WIRE_STREAMS_MAX 16	     /* requests of HTTP/2 that are incomplete */
#define WIRE_IDENTIFIER	 64	     /* of a statement, with the NUL; servers cut them there */
#define WIRE_TAIL	 256	     /* bytes of former writes that are raw text too */

/* A statement or a portal by its name. */
struct wire_named {
	char name[WIRE_IDENTIFIER];
	bool portal, cut;
	bool stale; /* of a statement: a newer one or a close came, which the server may not have
		       taken */
	u32 cycle;  /* in which it came */
	char *text; /* NULL: it is known to be harmless; owned */
	size_t len;
};

struct wire_postgres {
	bool started;
	bool calm; /* nothing came yet since the last Sync of which the server may skip what follows
		    */
	u32 cycle; /* Syncs */
	u32 named_count;
	struct wire_named named[WIRE_NAMED_MAX];
};

struct wire_mysql {
	bool started;
	bool attributes, attributes_known; /* of queries */
	bool packed;			   /* compressed, if the server does that */
};

struct wire_redis {
	u64 left; /* words of the command in hand */
	bool cut;
	struct strbuf text; /* the words, one behind the other */
	u32 ends[WIRE_WORDS], count;
};

enum http_field {
	HTTP_METHOD,
	HTTP_OVERRIDE,
	HTTP_HOST,
	HTTP_PATH, /* and the query */
	HTTP_TYPE,
	HTTP_FIELDS
};

/* A request as far as it has come. */
struct wire_request {
	struct strbuf fields[HTTP_FIELDS];
	struct strbuf body;
	bool known[HTTP_FIELDS];
	bool open;   /* there is one */
	bool told;   /* without all of its body */
	bool cut;    /* parts of the body are not kept */
	bool packed; /* the body is compressed */
	u32 id;	     /* of HTTP/2 */
};

enum http_state { HTTP_HEAD, HTTP_LENGTH, HTTP_CHUNK, HTTP_DATA, HTTP_DATA_END, HTTP_TRAILER };

struct wire_http {
	enum http_state state;
	u64 left;	      /* of the body or the chunk */
	bool stated, encoded; /* Content-Length, Transfer-Encoding */
	bool doubtful;	      /* … both, or two that differ */
	struct wire_request request;
};

struct wire_http2 {
	bool prefaced;
	bool lasts; /* the headers in hand end their request */
	u32 id;	    /* of the headers in hand; 0: none */
	struct strbuf block;
	struct wire_request requests[WIRE_STREAMS_MAX];
	struct hpack hpack;
};

struct wire_socks {
	u32 stage;
};

struct wire {
	enum wire_protocol protocol, former; /* former: before it was lost, or as its port says */
	u16 port;
	bool begun;  /* the next byte is a connection's first, perhaps one inside of another */
	bool unsure; /* see wire_doubt_begin() */
	bool torn;   /* what comes next need not begin a message */
	bool adrift; /* … from now on */
	bool doubt;  /* see wire_doubt() */
	bool blind;  /* nothing more can be seen */
	bool cut;    /* no more of this message is kept: take what is there */
	bool fresh;  /* these bytes begin a write */
	u64 skip;    /* bytes of the message in hand that say nothing */
	size_t need; /* bytes without which a parser cannot go on */
	struct strbuf pending;
	wire_fn fn;
	void *arg;
	char user[WIRE_IDENTIFIER], database[WIRE_IDENTIFIER];
	u8 tail[WIRE_TAIL];
	size_t tail_len;
	struct wire_postgres postgres;
	struct wire_mysql mysql;
	struct wire_redis redis;
	struct wire_http http;
	struct wire_http2 *http2; /* NULL until it is spoken; owned */
	struct wire_socks socks;
};

enum wire_guess { WIRE_NO, WIRE_MAYBE /* more bytes would tell */, WIRE_YES };

struct wire_parser {
	/* Are these bytes of the protocol? `begun`: a connection's first, else those of a write. */
	enum wire_guess (*probe)(const u8 *p, size_t len, bool begun);
	/* Takes a message, or a part of it: how many bytes; 0: see wire_more(), wire_lose(). */
	size_t (*step)(struct wire *w, const u8 *p, size_t len);
	/* All of a write has been taken; may be NULL. */
	void (*flush)(struct wire *w);
	const u16 *ports; /* where it is looked for first; 0 behind the last */
};

extern const struct wire_parser wire_postgres_parser, wire_mysql_parser, wire_redis_parser,
	wire_mongo_parser, wire_http_parser, wire_http2_parser, wire_tls_parser, wire_socks_parser;

/* The parser needs `total` bytes; returns 0. */
size_t wire_more(struct wire *w, size_t total);
/* These bytes are none of the protocol: they are raw from now on, until a write can be understood
 * again; returns 0. */
size_t wire_lose(struct wire *w);
/* Passes `total` bytes, of which `len` are here; returns how many of these. */
size_t wire_pass(struct wire *w, size_t len, u64 total);
/* What follows is a connection of its own: the protocol is decided anew. */
void wire_begin_again(struct wire *w);
/* Nothing more can be seen: `why`. */
void wire_end(struct wire *w, const char *why);
bool wire_tell(struct wire *w, struct wire_message *m);
bool wire_tell_sql(struct wire *w, const char *text, size_t len, bool prepared, bool uncertain);
void wire_tell_name(struct wire *w, struct wire_slice name);
void wire_set_fact(char *fact, struct wire_slice s);
int wire_strbuf_clone(struct strbuf *to, const struct strbuf *from);

/* --- requests, of HTTP/1 and HTTP/2 */

void wire_request_set(struct wire_request *r, enum http_field f, const char *s, size_t len);
/* One header, by its name in small letters or not. */
void wire_request_header(struct wire_request *r, struct wire_slice name, struct wire_slice value);
/* False: enough is known of the body, and has been told. */
void wire_request_body(struct wire_request *r, const void *data, size_t len);
void wire_request_tell(struct wire *w, struct wire_request *r, bool whole);
void wire_request_reset(struct wire_request *r);
void wire_request_free(struct wire_request *r);
int wire_request_clone(struct wire_request *to, const struct wire_request *from);

/* The handshake message of a ClientHello, which QUIC sends without records. */
bool wire_tls_hello(struct wire *w, const u8 *hello, size_t len);

void wire_postgres_free(struct wire_postgres *p);
int wire_postgres_clone(struct wire_postgres *to, const struct wire_postgres *from);
void wire_http2_free(struct wire_http2 *h);
struct wire_http2 *wire_http2_clone(const struct wire_http2 *from);

#endif
