/* Answers GET /metrics over HTTP, in a thread of its own. */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <jansson.h>

#include "export/threads.h"
#include "record/recorder.h"

struct server;

struct server_options {
	const char *listen; /* "[ADDRESS:]PORT", without a name; by default 127.0.0.1 */
	const char *journal_dir, *database;
	/* Asks the guard for its status: 0, or a negative errno where it does not answer. In the
	 * server's thread. */
	int (*ask)(void *data, json_t **ret);
	void *data;
	struct export_threads *exports; /* NULL: none; they end after the server */
};

/* 0, or -EINVAL where `listen` is none. */
int server_check(const char *listen);

/* 0, or a negative errno. The strings are copied. */
int server_start(const struct server_options *o, struct server **ret);
void server_stop(struct server *s); /* NULL is fine */
DEFINE_CLEANUP(struct server, server_stop);

/* How far the recorder is; NULL is fine. */
void server_set_recorder(struct server *s, const struct recorder_counts *counts);

#endif
