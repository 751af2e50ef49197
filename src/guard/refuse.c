#include "guard/refuse.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define EXIT_REFUSED 126

#if defined(__x86_64__)

#define CS_32BIT     0x23    /* __USER32_CS: the program is an i386 one */
#define SYSCALL_INSN 0x050fL /* syscall */
#define INT80_INSN   0x80cdL /* int $0x80 */
#define EXIT_GROUP   231
#define EXIT_GROUP32 252

/* Writes a system call instruction where the program would begin, and the registers of
 * exit_group(126). The page is private to the task: its file is not touched. */
int refuse_task(pid_t pid)
{
	struct user_regs_struct r;
	bool compat;
	long text;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r))
		return -errno;
	compat = r.cs == CS_32BIT;
	errno = 0;
	text = ptrace(PTRACE_PEEKTEXT, pid, r.rip, NULL);
	if (errno)
		return -errno;
	text = (text & ~0xffffL) | (compat ? INT80_INSN : SYSCALL_INSN);
	if (ptrace(PTRACE_POKETEXT, pid, r.rip, text))
		return -errno;
	r.rax = compat ? EXIT_GROUP32 : EXIT_GROUP;
	r.rdi = r.rbx = EXIT_REFUSED;
	r.orig_rax = -1;
	return ptrace(PTRACE_SETREGS, pid, NULL, &r) ? -errno : 0;
}

#else
#error "refuse_task() is written for x86-64 only"
#endif
