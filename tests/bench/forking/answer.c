// answer - says one byte and ends: the least that a service can be. It is without the C library, whose start asks the processor
// for its features; in a virtual machine that alone takes longer than fork and exec.
static const char byte = '!';

void _start(void) {
#if defined(__x86_64__)
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(1), "D"(1), "S"(&byte), "d"(1) : "rcx", "r11", "memory"); // write
	__asm__ volatile("syscall" : : "a"(231), "D"(0));                                                       // exit_group
#elif defined(__aarch64__)
	register long number __asm__("x8") = 64; // write
	register long first __asm__("x0") = 1;
	register const char *second __asm__("x1") = &byte;
	register long third __asm__("x2") = 1;
	__asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second), "r"(third) : "memory");
	number = 94; // exit_group
	first = 0;
	__asm__ volatile("svc 0" : : "r"(number), "r"(first));
#else
#error "write and exit are written for x86-64 and arm64 alone"
#endif
	for (;;)
		;
}
