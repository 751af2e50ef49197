/* Threads that connect, beside threads that wait in system calls which a stop of the whole process
 * would disturb: threads HOST PORT COUNT [OPTION…]. COUNT threads connect at once, to PORT,
 * PORT + 1 … (step=1) or all to PORT. A line for each: "connect 0: OK", "epoll: OK" …; a line
 *"tick" every 20 ms shows that others run.
 *
 *	step=N		thread i connects to PORT + N * i
 *	exit=MS		the process ends then with status 3
 *	exec=MS		the first thread becomes /bin/true then */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BULK = 4 << 20, PIPE_BULK = 2 << 20, PIECE = 150, EARLY = 20, MOST = 32 };

static int event_fd, semaphores, timed[2], bulk[2], whole[2], tube[2];
static atomic_int over;
static struct sockaddr_in goal;
static int step;

static void say(const char *name, ssize_t got, ssize_t want)
{
	if (got == want)
		printf("%s: OK\n", name);
	else if (got < 0)
		printf("%s: %s\n", name, strerrorname_np(errno) ?: "errno ?");
	else
		printf("%s: %zd of %zd\n", name, got, want);
	fflush(stdout);
}

/* --- the bystanders */

static void *wait_epoll(void *unused)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, event_fd, &e);
	say("epoll", epoll_wait(fd, &e, 1, 60000), 1);
	return unused;
}

static void *wait_recv(void *unused)
{
	struct timeval patience = { .tv_sec = 60 };
	char byte;

	setsockopt(timed[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	say("recv", recv(timed[0], &byte, 1, 0), 1);
	return unused;
}

static void *wait_semaphore(void *unused)
{
	struct sembuf down = { .sem_op = -1 };
	struct timespec patience = { .tv_sec = 60 };

	say("semtimedop", semtimedop(semaphores, &down, 1, &patience), 0);
	return unused;
}

static void *send_bulk(void *unused)
{
	char *data = calloc(1, BULK);

	say("send", send(bulk[0], data, BULK, 0), BULK);
	shutdown(bulk[0], SHUT_WR);
	free(data);
	return unused;
}

static void *write_pipe(void *unused)
{
	char *data = calloc(1, PIPE_BULK);

	say("write", write(tube[1], data, PIPE_BULK), PIPE_BULK);
	close(tube[1]);
	free(data);
	return unused;
}

static void *receive_whole(void *unused)
{
	char data[PIECE];

	say("waitall", recv(whole[0], data, PIECE, MSG_WAITALL), PIECE);
	return unused;
}

static void *tick(void *unused)
{
	while (!over) {
		puts("tick");
		fflush(stdout);
		usleep(20000);
	}
	return unused;
}

static void drain(int fd, size_t size)
{
	char data[65536];

	for (ssize_t n; size && (n = read(fd, data, sizeof(data))) > 0;)
		size -= n;
}

static void *drain_bulk(void *unused)
{
	drain(bulk[1], BULK);
	return unused;
}

/* What all of them wait for. */
static void end_the_wait(pthread_t *drainer)
{
	struct sembuf up = { .sem_op = 1 };
	char data[PIECE] = { 0 };

	over = 1;
	eventfd_write(event_fd, 1);
	semop(semaphores, &up, 1);
	if (send(timed[1], data, 1, 0) != 1 || send(whole[1], data, PIECE - EARLY, 0) < 0)
		perror("send");
	pthread_create(drainer, NULL, drain_bulk, NULL);
	drain(tube[0], PIPE_BULK);
}

static void *(*const bystanders[])(void *) = { wait_epoll, wait_recv,  wait_semaphore,
					       send_bulk,  write_pipe, receive_whole,
					       tick };
enum { BYSTANDERS = sizeof(bystanders) / sizeof(bystanders[0]) };

/* A TCP connection over loopback: Unix sockets have no MSG_WAITALL worth the name. */
static void tcp_pair(int ends[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);

	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&a, &len) ||
	    connect(ends[1], (struct sockaddr *)&a, sizeof(a))) {
		perror("loopback");
		exit(98);
	}
	ends[0] = accept(listener, NULL, NULL);
	close(listener);
}

static void prepare(void)
{
	char data[EARLY] = { 0 };

	event_fd = eventfd(0, 0);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	tcp_pair(timed);
	tcp_pair(bulk);
	tcp_pair(whole);
	if (pipe(tube) || send(whole[1], data, EARLY, 0) != EARLY) {
		perror("prepare");
		exit(98);
	}
}

/* --- who connects */

static void *connect_one(void *number)
{
	struct sockaddr_in to = goal;
	int fd = socket(AF_INET, SOCK_STREAM, 0), i = (int)(long)number;
	char name[32];

	to.sin_port = htons(ntohs(goal.sin_port) + step * i);
	snprintf(name, sizeof(name), "connect %d", i);
	say(name, connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	close(fd);
	return NULL;
}

struct end {
	int ms;
	int exec;
};

static void *end_later(void *end)
{
	usleep(((struct end *)end)->ms * 1000);
	semctl(semaphores, 0, IPC_RMID);
	if (((struct end *)end)->exec)
		execl("/bin/true", "true", (char *)NULL);
	exit(3);
}

static void read_option(const char *word, struct end *ret)
{
	if (sscanf(word, "step=%d", &step) == 1 || sscanf(word, "exit=%d", &ret->ms) == 1)
		return;
	ret->exec = sscanf(word, "exec=%d", &ret->ms) == 1;
}

static void run(int count)
{
	pthread_t others[BYSTANDERS], connecting[MOST], drainer;

	for (int i = 0; i < BYSTANDERS; i++)
		pthread_create(&others[i], NULL, bystanders[i], NULL);
	usleep(100000); /* all of them wait */
	for (long i = 0; i < count; i++)
		pthread_create(&connecting[i], NULL, connect_one, (void *)i);
	for (int i = 0; i < count; i++)
		pthread_join(connecting[i], NULL);
	usleep(20000);
	end_the_wait(&drainer);
	for (int i = 0; i < BYSTANDERS; i++)
		pthread_join(others[i], NULL);
	pthread_join(drainer, NULL);
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[3]) : 0;
	struct end end = { 0 };
	pthread_t t;

	if (count < 1 || count > MOST || inet_pton(AF_INET, argv[1], &goal.sin_addr) != 1) {
		fputs("usage: threads HOST PORT COUNT [OPTION…]\n", stderr);
		return 2;
	}
	goal.sin_family = AF_INET;
	goal.sin_port = htons(atoi(argv[2]));
	for (int i = 4; i < argc; i++)
		read_option(argv[i], &end);
	prepare();
	if (end.ms)
		pthread_create(&t, NULL, end_later, &end);
	run(count);
	semctl(semaphores, 0, IPC_RMID);
	puts("all done");
	return 0;
}
