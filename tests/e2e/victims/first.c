/* Removes the file that its last argument names by its very first instructions: first … FILE. It
 * has no library that would make harmless system calls before. */
__attribute__((naked)) void _start(void);

void _start(void)
{
#ifdef __x86_64__
	__asm__("mov (%rsp), %rcx\n"
		"mov (%rsp, %rcx, 8), %rdi\n" /* argv[argc - 1] */
		"mov $87, %eax\n"	      /* unlink */
		"syscall\n"
		"xor %edi, %edi\n"
		"mov $60, %eax\n" /* exit */
		"syscall\n");
#else
	__asm__("ldr x8, [sp]\n"
		"ldr x1, [sp, x8, lsl #3]\n"
		"mov x0, #-100\n"
		"mov x2, #0\n"
		"mov x8, #35\n" /* unlinkat */
		"svc #0\n"
		"mov x0, #0\n"
		"mov x8, #93\n" /* exit */
		"svc #0\n");
#endif
}
