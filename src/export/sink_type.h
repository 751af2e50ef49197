/* What the kinds of sinks are made of. */
#ifndef EXPORT_SINK_TYPE_H
#define EXPORT_SINK_TYPE_H

#include <stdint.h>

#include "export/selection.h"
#include "export/sink.h"
#include "record/event.h"

#define SINK_TIMEOUT_MS	 10000
#define SINK_OPTIONS_MAX 8

struct sink_option {
	char *key, *value; /* in sink.options_text */
};

/* The first member of each kind's own. */
struct sink {
	const struct sink_type *type;
	bool begun; /* set_up() was called */
	char *name;
	char *options_text; /* owned */
	struct sink_option options[SINK_OPTIONS_MAX];
	size_t option_count;
	struct selection selection; /* what it gets */
	struct strbuf why;
	size_t taken;		  /* as sink_taken() */
	unsigned int retry_ms;	  /* as sink_retry_ms() */
	_Atomic uint64_t refused; /* lines */
	_Atomic bool cancelled;
};

struct sink_type {
	const char *scheme; /* "file:" */
	const char *usage;  /* "file:/PATH" */
	size_t size;
	const char *const *options; /* keys, NULL ends; NULL: none */
	/* Reads what stands between scheme and options. 0, -EINVAL or -ENOMEM. */
	int (*set_up)(struct sink *s, const char *rest);
	/* Where it fails, `taken` and `retry_ms` may say more; both are 0 before. */
	int (*send)(struct sink *s, const char *lines, size_t len);
	/* Of a sink that tells nothing of what it took: lines that it has for that long without
	 * going away are its own; all later ones it gets again. 0: it tells. */
	unsigned int settle_ms;
	int (*check)(struct sink *s);	   /* with settle_ms: 0, or it went away */
	void (*tear_down)(struct sink *s); /* of what set_up() and send() made */
};

extern const struct sink_type sink_file, sink_stdout, sink_udp, sink_tcp, sink_tls, sink_nats,
	sink_tls_nats, sink_https, sink_http, sink_journald;

/* NULL: it was not given. */
const char *sink_option(const struct sink *s, const char *key);

/* Notes what sink_why() says, and returns `err`. */
int sink_fail(struct sink *s, int err, const char *fmt, ...) _printf_(3, 4);

/* A line that this sink will never take is left out, which is said and counted. */
void sink_refuse(struct sink *s, size_t len, const char *why);

/* Calls `each` for every line, without its newline, until it does not return 0, which is returned.
 */
int sink_for_each(const char *lines, size_t len,
		  int (*each)(void *data, const char *line, size_t len), void *data);

#endif
