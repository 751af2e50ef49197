#include "export/threads.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "export/exporter.h"
#include "export/sink.h"
#include "record/store.h"

#define WAIT_MS 1000 /* for a journal whose changes are not told */

struct worker {
	pthread_t thread;
	bool runs;
	int stop_fd, inotify_fd;
	struct exporter *exporter;
	pthread_mutex_t lock; /* of the figures */
	struct export_figures figures;
};

struct export_threads {
	int stop_fd; /* eventfd: readable once they are to end */
	struct worker workers[EXPORT_SINKS_MAX];
	size_t count;
};

/* True: it is time to end. */
static bool pause_for(const struct worker *w, bool for_more, unsigned int ms)
{
	struct pollfd fds[] = { { .fd = w->stop_fd, .events = POLLIN },
				{ .fd = for_more ? w->inotify_fd : -1, .events = POLLIN } };
	char events[4096];

	(void)poll(fds, ARRAY_SIZE(fds), (int)ms);
	while (for_more && read(w->inotify_fd, events, sizeof(events)) > 0)
		;
	return fds[0].revents & POLLIN;
}

static void tell_failure(const struct exporter *e, int err)
{
	const char *why = exporter_why(e);

	log_error("export: %s takes nothing, events wait in the journal: %s", exporter_name(e),
		  why ? why : strerror(-err));
}

static void count(struct worker *w, int n)
{
	struct cursor c = exporter_cursor(w->exporter);
	struct exporter_counts counts = exporter_counts(w->exporter);

	pthread_mutex_lock(&w->lock);
	w->figures.segment = c.segment;
	w->figures.offset = c.offset;
	w->figures.lines = counts.given;
	w->figures.refused = counts.refused;
	w->figures.failures += n < 0;
	w->figures.failing = n < 0;
	pthread_mutex_unlock(&w->lock);
}

/* A sink that says when it is to be asked again is not asked earlier. */
static unsigned int delay(const struct worker *w, unsigned int failures)
{
	return exporter_retry_ms(w->exporter) + exporter_delay_ms(failures - 1);
}

/* A failure is told when it begins, and when it is over. */
static void *run(void *data)
{
	struct worker *w = data;
	unsigned int failures = 0;
	bool ends = false;

	while (!ends) {
		int n = exporter_step(w->exporter);

		count(w, n);
		if (n < 0 && n != -ECANCELED && !failures)
			tell_failure(w->exporter, n);
		if (n >= 0 && failures)
			log_warning("export: %s takes events again", exporter_name(w->exporter));
		failures = n < 0 ? failures + 1 : 0;
		ends = n < 0 ? pause_for(w, false, delay(w, failures))
			     : pause_for(w, !n, n ? 0 : WAIT_MS);
	}
	return NULL;
}

static int watch(const char *dir)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), r;

	if (fd < 0)
		return -errno;
	r = inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE) < 0 ? -errno : fd;
	if (r < 0)
		close(fd);
	return r;
}

static int start(struct export_threads *t, const char *dir, const char *state_dir, const char *spec)
{
	struct worker *w = &t->workers[t->count++];
	char cursor[PATH_MAX];
	int r;

	pthread_mutex_init(&w->lock, NULL);
	w->inotify_fd = -1;
	snprintf(cursor, sizeof(cursor), "%s/export-%016" PRIx64 ".cursor", state_dir,
		 (uint64_t)store_process_id(spec, strlen(spec)));
	w->stop_fd = t->stop_fd;
	w->inotify_fd = watch(dir);
	if (w->inotify_fd < 0)
		return w->inotify_fd;
	r = exporter_new(dir, spec, cursor, &w->exporter);
	if (!r)
		r = -pthread_create(&w->thread, NULL, run, w);
	w->runs = !r;
	return r;
}

/* A comma that no sink follows is of the one before it. */
static char *next_spec(char **rest)
{
	char *spec = *rest, *comma = spec;

	while (comma && (comma = strchr(comma, ',')) && !sink_begins(comma + 1))
		comma++;
	if (comma)
		*comma++ = '\0';
	*rest = comma;
	return spec;
}

/* How much of it is surely not secret. */
static int shown(const char *spec)
{
	const char *place = strstr(spec, "://");

	return place ? (int)(place + 3 - spec) : (int)strcspn(spec, "#");
}

/* ---- specs */

void export_specs_free(struct export_specs *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->specs[i]);
	s->count = 0;
}

int export_specs_add(struct export_specs *s, const char *spec)
{
	_cleanup_(sink_free_ptr) struct sink *sink = NULL;
	int r;
	char *copy;

	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->specs[i], spec) == 0)
			return 0; /* both would keep one cursor, and each event come twice */
	r = s->count < EXPORT_SINKS_MAX ? sink_new(spec, &sink) : -E2BIG;
	copy = r ? NULL : strdup(spec);
	if (copy)
		s->specs[s->count++] = copy;
	return r ? r : copy ? 0 : -ENOMEM;
}

int export_specs_parse(struct export_specs *s, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *spec;
	int r = copy ? 0 : log_errno(-ENOMEM, "export");

	while (!r && (spec = next_spec(&rest))) {
		r = export_specs_add(s, spec);
		if (r == -EINVAL)
			log_error("export: '%.*s…' is none of %s", shown(spec), spec, sink_words());
		else if (r == -E2BIG)
			log_error("export: %d sinks at most", EXPORT_SINKS_MAX);
		else if (r)
			log_errno(r, "export");
	}
	return r;
}

static int start_all(struct export_threads *t, const char *dir, const char *state_dir,
		     const struct export_specs *specs)
{
	int r = 0;

	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->stop_fd < 0)
		return log_errno(-errno, "export");
	for (size_t i = 0; !r && i < specs->count; i++) {
		r = start(t, dir, state_dir, specs->specs[i]);
		if (r)
			log_errno(r, "export: cannot start %.*s…", shown(specs->specs[i]),
				  specs->specs[i]);
	}
	return r;
}

int export_start(const char *journal_dir, const char *state_dir, const struct export_specs *specs,
		 struct export_threads **ret)
{
	_cleanup_(export_stop_ptr) struct export_threads *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = start_all(t, journal_dir, state_dir, specs);
	if (r)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

void export_stop(struct export_threads *t)
{
	if (!t)
		return;
	eventfd_write(t->stop_fd, 1);
	for (size_t i = 0; i < t->count; i++)
		if (t->workers[i].exporter)
			exporter_cancel(t->workers[i].exporter);
	for (size_t i = 0; i < t->count; i++) {
		struct worker *w = &t->workers[i];

		if (w->runs)
			pthread_join(w->thread, NULL);
		exporter_free(w->exporter);
		pthread_mutex_destroy(&w->lock);
		close_fd(&w->inotify_fd);
	}
	close_fd(&t->stop_fd);
	free(t);
}

/* What is hidden of two sinks may be all that they differ in: then the later one has its number. */
static void put_name(const struct export_threads *t, size_t i, char *ret, size_t size)
{
	const char *name = exporter_name(t->workers[i].exporter);
	unsigned int same = 1;

	for (size_t k = 0; k < i; k++)
		same += strcmp(name, exporter_name(t->workers[k].exporter)) == 0;
	if (same > 1)
		snprintf(ret, size, "%.*s (%u)", (int)size - 16, name, same);
	else
		snprintf(ret, size, "%s", name);
}

size_t export_figures(struct export_threads *t, struct export_figures ret[EXPORT_SINKS_MAX])
{
	for (size_t i = 0; t && i < t->count; i++) {
		struct worker *w = &t->workers[i];

		pthread_mutex_lock(&w->lock);
		ret[i] = w->figures;
		pthread_mutex_unlock(&w->lock);
		put_name(t, i, ret[i].name, sizeof(ret[i].name));
	}
	return t ? t->count : 0;
}
