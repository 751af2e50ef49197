/* Connects by UDP to one address after another, and jumps out of most of the system calls from the
 * handler of a signal: "jump ADDRESS PORT COUNT". Says how often it did. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static sigjmp_buf out;

static void jump(int signo)
{
	(void)signo;
	siglongjmp(out, 1);
}

static void set_timer(int usec)
{
	struct itimerval t = { .it_value.tv_usec = usec };

	setitimer(ITIMER_REAL, &t, NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	volatile int jumped = 0, i;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(atoi(argv[2]));
	signal(SIGALRM, jump);
	for (i = 0; i < atoi(argv[3]); i++) {
		volatile int s = socket(AF_INET, SOCK_DGRAM, 0);

		to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + 1);
		if (sigsetjmp(out, 1)) {
			jumped++;
		} else {
			set_timer(1 + rand() % 150);
			connect(s, (void *)&to, sizeof(to));
		}
		set_timer(0);
		close(s);
	}
	printf("%d\n", jumped);
	return 0;
}
