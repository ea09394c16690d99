/*
 * The order of stages, with a daemon that only notes them. Each life runs in
 * a child, because it drops privileges and enters the filter.
 */
#include "unit.h"

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "ev/ev.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct life { /* in shared memory: the child writes, the test reads */
	char stages[32];
	char fails; /* the stage that is to fail */
	int signo;  /* raised by start() */
};

static struct life *life;

static int stage(char c)
{
	size_t n = strlen(life->stages);

	life->stages[n] = c;
	return life->fails == c ? -EIO : 0;
}

static int read_deck(void *arg, const struct daemon_options *o)
{
	(void)arg;
	(void)o;
	return stage('d');
}

static void print_deck(void *arg, FILE *out)
{
	(void)arg;
	(void)out;
	stage('p');
}

static int do_open(void *arg, struct daemon *d)
{
	(void)arg;
	(void)d;
	return stage('o');
}

static int do_start(void *arg, struct daemon *d)
{
	(void)arg;
	daemon_status(d, "going");
	if (life->signo)
		raise(life->signo);
	return stage('s');
}

static int reload(void *arg, struct daemon *d)
{
	int r = stage('r');

	(void)arg;
	daemon_end(d, 7, "test");
	return r;
}

static void stop(void *arg, struct daemon *d)
{
	(void)arg;
	(void)d;
	stage('x');
}

static void fini(void *arg)
{
	(void)arg;
	stage('f');
}

static const struct daemon_spec spec = {
	.name = "testd",
	.what = "a test",
	.version = "1",
	.deck_default = "none",
	.read_deck = read_deck,
	.print_deck = print_deck,
	.open = do_open,
	.start = do_start,
	.reload = reload,
	.stop = stop,
	.fini = fini,
};

static void quiet(void *arg, const char *line, const char *const *fields, int n)
{
	(void)arg;
	(void)line;
	(void)fields;
	(void)n;
}

static int run(const char *option)
{
	char name[] = "testd", opt[32], *argv[] = {name, opt, NULL};
	int status;
	pid_t pid;

	snprintf(opt, sizeof opt, "%s", option);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		log_set_sink(quiet, NULL);
		_exit(daemon_main(&spec, NULL, option[0] ? 2 : 1, argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int setup(void **state)
{
	(void)state;
	if (!life)
		life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(life, 0, sizeof *life);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static void check_ends_after_the_deck(void **state)
{
	(void)state;
	assert_int_equal(run("-n"), 0);
	assert_string_equal(life->stages, "df");
}

static void check_prints_when_asked(void **state)
{
	(void)state;
	assert_int_equal(run("-nv"), 0);
	assert_string_equal(life->stages, "dpf");
}

static void bad_deck_ends_with_1(void **state)
{
	(void)state;
	life->fails = 'd';
	assert_int_equal(run("-n"), 1);
	assert_string_equal(life->stages, "df");
	memset(life->stages, 0, sizeof life->stages);
	assert_int_equal(run(""), 1);
	assert_string_equal(life->stages, "df");
}

static void bad_option_ends_with_2(void **state)
{
	(void)state;
	assert_int_equal(run("--bogus"), 2);
	assert_string_equal(life->stages, "");
}

static void failed_stages_are_undone(void **state)
{
	(void)state;
	life->fails = 'o';
	assert_int_equal(run(""), 1);
	assert_string_equal(life->stages, "doxf");
	memset(life->stages, 0, sizeof life->stages);
	life->fails = 's';
	assert_int_equal(run(""), 1);
	assert_string_equal(life->stages, "dosxf");
}

static void sigterm_is_a_good_end(void **state)
{
	(void)state;
	life->signo = SIGTERM;
	assert_int_equal(run(""), 0);
	assert_string_equal(life->stages, "dosxf");
	memset(life->stages, 0, sizeof life->stages);
	life->signo = SIGINT;
	assert_int_equal(run(""), 0);
}

static void sighup_reloads(void **state)
{
	(void)state;
	life->signo = SIGHUP;
	assert_int_equal(run(""), 7);
	assert_string_equal(life->stages, "dosrxf");
}

static void systemd_is_told(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char all[1024] = "", path[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)state;
	/* an abstract name: nothing to clean up, and nobody must reach it */
	snprintf(path, sizeof path, "@couplet-test-%d", getpid());
	memcpy(sa.sun_path + 1, path + 1, strlen(path) - 1);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&sa,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				 strlen(path))),
		0);
	setenv("NOTIFY_SOCKET", path, 1);
	life->signo = SIGHUP;
	assert_int_equal(run(""), 7);
	for (;;) {
		char one[256];
		ssize_t n = recv(fd, one, sizeof one - 1, 0);

		if (n < 0)
			break;
		one[n] = '\0';
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s|",
			 one);
	}
	assert_string_equal(all, "STATUS=going|READY=1|RELOADING=1|READY=1|"
				 "STOPPING=1|");
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(check_ends_after_the_deck, setup),
	cmocka_unit_test_setup(check_prints_when_asked, setup),
	cmocka_unit_test_setup(bad_deck_ends_with_1, setup),
	cmocka_unit_test_setup(bad_option_ends_with_2, setup),
	cmocka_unit_test_setup(failed_stages_are_undone, setup),
	cmocka_unit_test_setup(sigterm_is_a_good_end, setup),
	cmocka_unit_test_setup(sighup_reloads, setup),
	cmocka_unit_test_setup(systemd_is_told, setup),
};

UNIT_MAIN(tests)
