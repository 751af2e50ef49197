/* The libraries that encrypt, which are probed where they are given plain text. */
#include <errno.h>
#include <stdio.h>
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

struct library {
	LIST_ENTRY(library) entry;
	u64 dev, inode;
	int fd;
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
	snprintf(buf, size, "g%u_tls_%llx_%llx_%zu", generation, (unsigned long long)l->dev,
		 (unsigned long long)l->inode, probe);
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

/* 1: it is attached; 0: there is no such symbol; or a negative errno. */
static int attach_one(const struct kernel *k, const struct backstop_bpf *s, u32 generation,
		      struct library *l, size_t probe)
{
	const char *symbol = probes[probe].symbol;
	bool go = probes[probe].go;
	const struct bpf_uprobe_opts opts = { .sz = sizeof(opts), .bpf_cookie = go };
	u64 at = go ? kernel_find_go(l->fd, symbol) : kernel_find_function(l->fd, symbol);
	struct bpf_program *p = probes[probe].frees ? s->progs.tls_free : s->progs.tls_write;
	char path[32];
	int r;

	if (!at)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
	l->links[probe] = bpf_program__attach_uprobe_opts(p, -1, path, at, &opts);
	if (!l->links[probe])
		return -errno;
	r = pin(k, generation, l, probe);
	return r ?: 1;
}

static int attach(const struct kernel *k, const struct backstop_bpf *s, u32 generation,
		  struct library *l)
{
	int r = 0, count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes) && r >= 0; i++) {
		r = attach_one(k, s, generation, l, i);
		count += r;
	}
	return r < 0 ? r : count > 0;
}

/* The links of the former generation go with their pins. */
int kernel_attach_libraries(struct kernel *k, struct backstop_bpf *s, u32 generation)
{
	struct library *l;
	int r = 0;

	if (!s->rodata->send_tables)
		return 0;
	for (l = LIST_FIRST(&k->libraries); l && r >= 0; l = LIST_NEXT(l, entry)) {
		free_links(l);
		r = attach(k, s, generation, l);
	}
	return MIN(r, 0);
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

int kernel_watch_library(struct kernel *k, u32 tgid, u64 start, u64 end, u64 dev, u64 inode)
{
	struct library *l;
	int r;

	LIST_FOREACH (l, &k->libraries, entry)
		if (l->dev == dev && l->inode == inode)
			return 1;
	if (!k->skel->rodata->send_tables)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->dev = dev;
	l->inode = inode;
	l->fd = kernel_open_mapped(k, tgid, start, end);
	r = l->fd < 0 ? l->fd : attach(k, k->skel, k->generation, l);
	if (r > 0)
		LIST_INSERT_HEAD(&k->libraries, l, entry);
	else
		library_free(l);
	return r;
}
