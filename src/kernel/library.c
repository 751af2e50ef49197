/* The libraries that encrypt, which are probed where they are given plain text. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/internal.h"

struct probe {
	const char *symbol;
	const char *other; /* what both call is probed */
	u8 instead;	   /* so many of the next, which call it */
	bool frees;
	enum bs_tls_given given;
};

/* Of those that are probed none calls another. What stands behind SSL_write is called by OpenSSL's
 * BIO_f_ssl as well; gnutls_record_send2 is there since 3.6.3. */
static const struct probe probes[] = {
	{ .symbol = "SSL_write_ex", .other = "SSL_write", .instead = 2 },
	{ .symbol = "SSL_write_ex" },
	{ .symbol = "SSL_write", .given = BS_TLS_INT },
	{ .symbol = "gnutls_record_send2", .instead = 1 },
	{ .symbol = "gnutls_record_send" },
	{ .symbol = "SSL_free", .frees = true },
	{ .symbol = "gnutls_deinit", .frees = true },
	{ .symbol = "crypto/tls.(*Conn).Write", .given = BS_TLS_GO },
	/* the first of a connection */
	{ .symbol = "crypto/tls.(*Conn).clientHandshake", .frees = true, .given = BS_TLS_GO },
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

static u64 find(int fd, const struct probe *p)
{
	if (p->other)
		return kernel_find_behind(fd, p->symbol, p->other);
	return p->given == BS_TLS_GO ? kernel_find_go(fd, p->symbol)
				     : kernel_find_function(fd, p->symbol);
}

static bool find_all(struct library *l)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		l->at[i] = find(l->fd, &probes[i]);
		if (!l->at[i])
			continue;
		any = true;
		i += probes[i].instead;
	}
	return any;
}

static int attach_one(const struct kernel *k, const struct backstop_bpf *s, u32 generation,
		      struct library *l, size_t probe)
{
	const struct bpf_uprobe_opts opts = { .sz = sizeof(opts),
					      .bpf_cookie = probes[probe].given };
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
	any = find_all(l);
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
