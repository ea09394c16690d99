/*
 * storm.c: a static program that makes life hard for whoever stops its system
 * calls: threads that wait on one listener, a signal every millisecond, and
 * vfork() children that inherit connections.
 *
 *    storm serve PORT    each connection is served by "storm echo", exec'd
 *                        after vfork(); SIGALRM restarts calls
 *    storm echo          stdin to stdout
 *    storm eintr PORT    waiting calls that a signal interrupts
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 6

static atomic_int signals;

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static void alarms(int flags, long first_us, long every_us)
{
	struct sigaction sa;
	struct itimerval it = {{0, every_us}, {0, first_us}};

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;
	sa.sa_flags = flags;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static int listener(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	a.sin_port = htons((unsigned short)strtol(port, NULL, 10));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 64) < 0)
		die("listen");
	return s;
}

static void *serve(void *arg)
{
	int s = *(int *)arg;

	for (;;) {
		/* children of other threads must not hold it */
		int status, c = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid;

		if (c < 0)
			die("accept"); /* SA_RESTART: never EINTR */
		pid = vfork();
		if (pid == 0) {
			dup2(c, 0);
			dup2(c, 1);
			execl("/proc/self/exe", "storm", "echo", (char *)NULL);
			_exit(127);
		}
		close(c);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	return NULL;
}

static int echo(void)
{
	char b[4096];
	ssize_t n;

	while ((n = read(0, b, sizeof(b))) > 0) {
		if (write(1, b, (size_t)n) != n)
			return 1;
	}
	return n < 0;
}

static void told(const char *what, long r)
{
	printf("%s %s\n", what,
	       r >= 0           ? "done"
	       : errno == EINTR ? "EINTR"
				: strerror(errno));
}

/* One alarm for each call, and calls that nothing else ends. */
static int interrupted(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t l = sizeof(a);
	int s = listener(port), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval tv = {3600, 0};
	char b[16];

	alarms(0, 200000, 0);
	told("accept", accept(s, NULL, NULL));
	alarms(0, 200000, 0);
	told("recvfrom",
	     recvfrom(u, b, sizeof(b), 0, (struct sockaddr *)&a, &l));
	alarms(0, 200000, 0);
	told("recv", recv(u, b, sizeof(b), 0));
	/* with a time-out of its own a call is not restarted either */
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	alarms(SA_RESTART, 200000, 0);
	told("accept_timeout", accept(s, NULL, NULL));
	tv = (struct timeval){0, 100000};
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	told("accept_short", accept(s, NULL, NULL));
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int s;

	if (argc > 1 && !strcmp(argv[1], "echo"))
		return echo();
	if (argc > 2 && !strcmp(argv[1], "eintr"))
		return interrupted(argv[2]);
	if (argc < 3)
		return 2;
	s = listener(argv[2]);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t, NULL, serve, &s);
	alarms(SA_RESTART, 1000, 1000);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		sleep(1);
		if (signals < 0)
			break;
	}
	return 0;
}
