/* What the owner of each kind of machine is told to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/strbuf.h"
#include "kernel/modules.h"

#define DEBIAN "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"
#define UBUNTU "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n"
#define FEDORA "ID=fedora\n"
#define SUSE   "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n"
#define ARCH   "ID=arch\n"
#define ALPINE "ID=alpine\n"

static const struct {
	struct boot boot;
	const char *advice;
} cases[] = {
	{ { .os_release = DEBIAN, .grub = true, .grub_d = true },
	  "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX lsm=lockdown,yama,apparmor,bpf\"' | "
	  "sudo tee /etc/default/grub.d/backstop.cfg && sudo update-grub && sudo reboot" },
	{ { .os_release = UBUNTU, .grub = true, .cmdline = "ro quiet" },
	  "add lsm=lockdown,yama,apparmor,bpf to GRUB_CMDLINE_LINUX in /etc/default/grub, then "
	  "sudo update-grub && sudo reboot" },
	{ { .os_release = FEDORA, .grub = true, .grubby = true, .cmdline = "ro lsm=yama" },
	  "in place of the lsm= that this machine was booted with: sudo grubby "
	  "--update-kernel=ALL --args=lsm=lockdown,yama,apparmor,bpf && sudo reboot" },
	{ { .os_release = SUSE, .grub = true },
	  "add lsm=lockdown,yama,apparmor,bpf to GRUB_CMDLINE_LINUX in /etc/default/grub, then "
	  "sudo grub2-mkconfig -o /boot/grub2/grub.cfg && sudo reboot" },
	{ { .os_release = ARCH, .grub = true },
	  "add lsm=lockdown,yama,apparmor,bpf to GRUB_CMDLINE_LINUX in /etc/default/grub, then "
	  "sudo grub-mkconfig -o /boot/grub/grub.cfg && sudo reboot" },
	{ { .os_release = ARCH, .loader = true },
	  "add lsm=lockdown,yama,apparmor,bpf to the line 'options' in "
	  "/boot/loader/entries/*.conf, then sudo reboot" },
	{ { .os_release = ALPINE, .extlinux = true },
	  "add lsm=lockdown,yama,apparmor,bpf to default_kernel_opts in "
	  "/etc/update-extlinux.conf, then update-extlinux && reboot" },
	{ { .os_release = "" },
	  "boot with lsm=lockdown,yama,apparmor,bpf on the kernel's command line" },
};

static void the_owner_is_told_what_to_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
		struct boot b = cases[i].boot;

		b.modules = "lockdown,capability,yama,apparmor,ima,evm";
		b.cmdline = b.cmdline ?: "";
		modules_advise(&b, &text);
		assert_string_equal(strbuf_str(&text), cases[i].advice);
	}
}

/* lsm=bpf would end all those that nobody could list. */
static void without_a_list_nothing_is_to_be_booted(void **state)
{
	const struct boot b = { .os_release = DEBIAN, .grub = true, .modules = "", .cmdline = "" };
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;

	(void)state;
	modules_advise(&b, &text);
	assert_non_null(strstr(strbuf_str(&text), "mount -t securityfs"));
	assert_null(strstr(strbuf_str(&text), "lsm="));
}

static void this_kernel_has_some(void **state)
{
	_cleanup_strbuf_ struct strbuf list = STRBUF_INIT;

	(void)state;
	if (modules_list(&list)) {
		print_message("skipped: no securityfs is mounted, and this kernel is older than "
			      "6.8\n");
		skip();
	}
	assert_non_null(strstr(strbuf_str(&list), "capability"));
	assert_null(strchr(strbuf_str(&list), '\n'));
	assert_int_equal(modules_have_bpf(), !!strstr(strbuf_str(&list), "bpf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_is_told_what_to_type),
		cmocka_unit_test(without_a_list_nothing_is_to_be_booted),
		cmocka_unit_test(this_kernel_has_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
