/* The libraries that encrypt, which are probed where they are given plain text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/internal.h"

struct probe {
	const char *symbol;
	bool frees;
	bool go; /* it is Go's, and takes its arguments in other registers */
};

/* Each is called by programs, and calls none of the others. */
static const struct probe probes[] = {
	{ "SSL_write", false, false },
	{ "SSL_write_ex", false, false },
	{ "gnutls_record_send", false, false },
	{ "SSL_free", true, false },
	{ "gnutls_deinit", true, false },
	{ "crypto/tls.(*Conn).Write", false, true },
	{ "crypto/tls.(*Conn).clientHandshake", true, true }, /* the first of a connection */
};

/* One for each inode: what two mounts have in common, as those of two containers, is probed once.
 */
struct library {
	LIST_ENTRY(library) entry;
	u64 real;
	int fd;
	u32 number;
	u64 at[ARRAY_SIZE(probes)]; /* in the file; 0: there is no such symbol */
	struct bpf_link *links[ARRAY_SIZE(probes)];
};

static void free_links(struct library *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		bpf_link__destroy(l->links[i]);
		l->links[i] = NULL;
	}
}

static void library_free(struct library *l)
{
	free_links(l);
	close_fd(&l->fd);
	free(l);
}

/* bpffs takes no dot in a name. */
static void pin_name(u32 generation, const struct library *l, size_t probe, char *buf, size_t size)
{
	snprintf(buf, size, "g%u_tls_%u_%zu", generation, l->number, probe);
}

static int pin(const struct kernel *k, u32 generation, const struct library *l, size_t probe)
{
	char name[96];

	pin_name(generation, l, probe, name, sizeof(name));
	return pins_put(&k->pins, name, bpf_link__fd(l->links[probe]));
}

static void unpin(const struct kernel *k, const struct library *l)
{
	char name[96];

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		if (l->links[i]) {
			pin_name(k->generation, l, i, name, sizeof(name));
			pins_drop(&k->pins, name);
		}
}

static bool find_symbols(struct library *l)
{
	u64 found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		l->at[i] = probes[i].go ? kernel_find_go(l->fd, probes[i].symbol)
					: kernel_find_function(l->fd, probes[i].symbol);
		found |= l->at[i];
	}
	return found;
}

static int attach_one(const struct kernel *k, const struct backstop_bpf *s, u32 generation,
		      struct library *l, size_t probe)
{
	const struct bpf_uprobe_opts opts = { .sz = sizeof(opts), .bpf_cookie = probes[probe].go };
	struct bpf_program *p = probes[probe].frees ? s->progs.tls_free : s->progs.tls_write;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
	l->links[probe] = bpf_program__attach_uprobe_opts(p, -1, path, l->at[probe], &opts);
	if (!l->links[probe])
		return -errno;
	return pin(k, generation, l, probe);
}

static int attach(const struct kernel *k, const struct backstop_bpf *s, u32 generation,
		  struct library *l)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes) && !r; i++)
		if (l->at[i])
			r = attach_one(k, s, generation, l, i);
	return r;
}

/* The links of the former generation go with their pins. */
int kernel_attach_libraries(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	struct library *l;
	int r = 0;

	if (!s->rodata->send_tables)
		return 0;
	for (l = LIST_FIRST(&k->libraries); l && !r; l = LIST_NEXT(l, entry)) {
		free_links(l);
		r = attach(k, s, generation, l);
	}
	return r;
}

void kernel_free_libraries(struct kernel *k)
{
	struct library *l;

	while ((l = LIST_FIRST(&k->libraries))) {
		LIST_REMOVE(l, entry);
		library_free(l);
	}
}

void kernel_drop_libraries(struct kernel *k)
{
	struct library *l;

	for (l = LIST_FIRST(&k->libraries); l; l = LIST_NEXT(l, entry))
		unpin(k, l);
	kernel_free_libraries(k);
}

static struct library *open_library(struct kernel *k, u32 tgid, u64 start, u64 end, int *error)
{
	struct library *l = calloc(1, sizeof(*l));

	*error = -ENOMEM;
	if (!l)
		return NULL;
	l->fd = kernel_open_mapped(k, tgid, start, end, &l->real);
	if (l->fd >= 0)
		return l;
	*error = l->fd;
	library_free(l);
	return NULL;
}

static void drop(struct kernel *k, struct library *l)
{
	LIST_REMOVE(l, entry);
	unpin(k, l);
	library_free(l);
}

/* What is written into a library that is probed moves its functions: it is probed anew. */
int kernel_watch_library(struct kernel *k, u32 tgid, u64 start, u64 end)
{
	struct library *l, *known;
	bool any, same;
	int r;

	if (!k->skel->rodata->send_tables)
		return 0;
	l = open_library(k, tgid, start, end, &r);
	if (!l)
		return r;
	any = find_symbols(l);
	LIST_FOREACH (known, &k->libraries, entry)
		if (known->real == l->real)
			break;
	same = known && !memcmp(known->at, l->at, sizeof(l->at));
	if (known && !same)
		drop(k, known);
	if (same || !any) {
		library_free(l);
		return any;
	}
	l->number = k->library_count++;
	LIST_INSERT_HEAD(&k->libraries, l, entry);
	r = attach(k, k->skel, k->generation, l);
	if (r)
		drop(k, l);
	return r ?: 1;
}
