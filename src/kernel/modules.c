#include "kernel/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strbuf.h"

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif

#define LIST_FILE "/sys/kernel/security/lsm"
#define TEXT_MAX  16384

/* ---- which there are */

static const char *name_of(uint64_t id)
{
	static const char *const names[] = {
		"capability", "selinux",  "smack", "tomoyo",   "apparmor", "yama", "loadpin",
		"safesetid",  "lockdown", "bpf",   "landlock", "ima",	   "evm",  "ipe",
	};

	return id >= 100 && id < 100 + ARRAY_SIZE(names) ? names[id - 100] : NULL;
}

/* Needs Linux 6.8, and no securityfs. */
static int ask(struct strbuf *ret)
{
	uint64_t ids[64];
	uint32_t size = sizeof(ids);
	long n = syscall(SYS_lsm_list_modules, ids, &size, 0);

	if (n < 0)
		return -errno;
	for (long i = 0; i < n; i++)
		if (name_of(ids[i]))
			strbuf_addf(ret, "%s%s", ret->len ? "," : "", name_of(ids[i]));
	return 0;
}

int modules_list(struct strbuf *ret)
{
	int r = io_read_file(AT_FDCWD, LIST_FILE, TEXT_MAX, ret);

	if (r)
		return ask(ret);
	ret->len = strcspn(strbuf_str(ret), "\n");
	ret->data[ret->len] = '\0';
	return 0;
}

/* Is `word` one of the words in `list`, which any of `separators` ends? */
static bool has_word(const char *list, const char *separators, const char *word)
{
	size_t len = strlen(word);

	for (; *list; list += strcspn(list, separators), list += strspn(list, separators))
		if (strcspn(list, separators) == len && !strncmp(list, word, len))
			return true;
	return false;
}

int modules_have_bpf(void)
{
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;
	int r = modules_list(&list);

	return r ?: has_word(strbuf_str(&list), ",", "bpf");
}

/* ---- how to boot */

/* Those that are there whatever lsm= says are not named in it. */
static void add_parameter(const char *modules, struct strbuf *text)
{
	strbuf_adds(text, "lsm=");
	while (*modules) {
		size_t len = strcspn(modules, ",");
		_cleanup_free_ char *name = strndup(modules, len);

		if (name && !has_word("capability,ima,evm,bpf", ",", name))
			strbuf_addf(text, "%s,", name);
		modules += len + (modules[len] == ',');
	}
	strbuf_adds(text, "bpf");
}

/* The words of ID= and ID_LIKE=. */
static bool is_like(const char *os_release, const char *id)
{
	const char *line = os_release;

	for (; *line; line += strcspn(line, "\n"), line += strspn(line, "\n")) {
		_cleanup_free_ char *copy = strndup(line, strcspn(line, "\n"));

		if (copy && (!strncmp(copy, "ID=", 3) || !strncmp(copy, "ID_LIKE=", 8)) &&
		    has_word(strchr(copy, '=') + 1 + strspn(strchr(copy, '=') + 1, "\"'"), " \"'",
			     id))
			return true;
	}
	return false;
}

static void advise_grub(const struct boot *b, const char *parameter, struct strbuf *text)
{
	if (b->grub_d && is_like(b->os_release, "debian"))
		strbuf_addf(text,
			    "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s\"' | sudo tee "
			    "/etc/default/grub.d/backstop.cfg && sudo update-grub && sudo reboot",
			    parameter);
	else
		strbuf_addf(text,
			    "add %s to GRUB_CMDLINE_LINUX in /etc/default/grub, then sudo %s && "
			    "sudo reboot",
			    parameter,
			    is_like(b->os_release, "debian") ? "update-grub"
			    : is_like(b->os_release, "suse")
				    ? "grub2-mkconfig -o /boot/grub2/grub.cfg"
				    : "grub-mkconfig -o /boot/grub/grub.cfg");
}

void modules_advise(const struct boot *b, struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf parameter = STRBUF_INIT;
	const char *p;

	if (!*b->modules) { /* lsm=bpf alone would end what is there */
		strbuf_adds(text, "mount -t securityfs securityfs /sys/kernel/security, and ask "
				  "again");
		return;
	}
	add_parameter(b->modules, &parameter);
	p = strbuf_str(&parameter);
	if (strstr(b->cmdline, "lsm="))
		strbuf_adds(text, "in place of the lsm= that this machine was booted with: ");
	if (b->grubby)
		strbuf_addf(text, "sudo grubby --update-kernel=ALL --args=%s && sudo reboot", p);
	else if (b->extlinux)
		strbuf_addf(text,
			    "add %s to default_kernel_opts in /etc/update-extlinux.conf, then "
			    "update-extlinux && reboot",
			    p);
	else if (b->grub)
		advise_grub(b, p, text);
	else if (b->loader)
		strbuf_addf(text,
			    "add %s to the line 'options' in /boot/loader/entries/*.conf, then "
			    "sudo reboot",
			    p);
	else
		strbuf_addf(text, "boot with %s on the kernel's command line", p);
}

static const char *read_text(const char *path, struct strbuf *text)
{
	return io_read_file(AT_FDCWD, path, TEXT_MAX, text) ? "" : strbuf_str(text);
}

void modules_advise_here(struct strbuf *text)
{
	_cleanup_strbuf_ struct strbuf os = STRBUF_INIT, cmdline = STRBUF_INIT,
				       modules = STRBUF_INIT;
	struct boot b = {
		.os_release = read_text("/etc/os-release", &os),
		.cmdline = read_text("/proc/cmdline", &cmdline),
		.grub = !access("/etc/default/grub", F_OK),
		.grub_d = !access("/etc/default/grub.d", F_OK),
		.grubby = !access("/usr/sbin/grubby", X_OK),
		.loader = !access("/boot/loader/entries", F_OK),
		.extlinux = !access("/etc/update-extlinux.conf", F_OK),
	};

	modules_list(&modules);
	b.modules = strbuf_str(&modules);
	modules_advise(&b, text);
}
