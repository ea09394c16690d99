/*
 * Each case runs in a child, as there is no way back out of a filter. The
 * child leaves by _exit(), so that no leak check runs behind the filter.
 */
#include "unit.h"

#include "daemon/privs.h"
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define CHECK(x) \
	do { \
		if (!(x)) \
			return __LINE__ % 200 + 1; \
	} while (0)

static const char *const extra_names[] = {"splice", "sync_file_range2"};
static const struct sandbox_calls extra = {"extra", extra_names,
					   ARRAY_SIZE(extra_names)};

static int child_daily_work(void)
{
	const struct sandbox_calls *lists[] = {&extra};
	int p[2], s;
	char c = 'x';

	CHECK(sandbox_enter(lists, 1, false) == 0);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK(write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1);
	s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(s >= 0);
	CHECK(open("/dev/null", O_RDONLY) >= 0);
	/* a room's list counts: splice of nothing is an error of its own */
	CHECK(splice(-1, NULL, -1, NULL, 1, 0) < 0 && errno == EBADF);
	return 0;
}

static void what_daemons_do_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_daily_work), 0);
}

static int child_unlisted(void)
{
	CHECK(sandbox_enter(NULL, 0, false) == 0);
	CHECK(syscall(SYS_sethostname, "x", 1) < 0 && errno == ENOSYS);
	CHECK(syscall(SYS_splice, -1, NULL, -1, NULL, 1, 0) < 0 &&
	      errno == ENOSYS);
	return 0;
}

static void other_calls_fail_with_enosys(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_unlisted), 0);
}

static int child_told(void)
{
	int p[2];
	char text[128];
	ssize_t n;

	CHECK(pipe(p) == 0);
	CHECK(dup2(p[1], STDERR_FILENO) >= 0);
	CHECK(sandbox_enter(NULL, 0, true) == 0);
	CHECK(syscall(SYS_sethostname, "x", 1) < 0 && errno == ENOSYS);
	n = read(p[0], text, sizeof text - 1);
	CHECK(n > 0);
	text[n] = '\0';
	snprintf(text + 64, 32, "number %d\n", SYS_sethostname);
	text[64 - 1] = '\0';
	CHECK(strstr(text, text + 64) != NULL);
	return 0;
}

static void debug_names_the_stopped_call(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_told), 0);
}

static int child_execve(void)
{
	char path[] = "/bin/true", *argv[] = {path, NULL}, *env[] = {NULL};

	CHECK(sandbox_enter(NULL, 0, false) == 0);
	execve(path, argv, env);
	return 99;
}

static void execve_kills(void **state)
{
	int status = in_child(child_execve);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int child_misspelt(void)
{
	static const char *const names[] = {"raed"};
	static const struct sandbox_calls bad = {"bad", names, 1};
	const struct sandbox_calls *lists[] = {&bad};

	CHECK(sandbox_enter(lists, 1, false) == -EINVAL);
	/* and nothing was entered */
	CHECK(!(syscall(SYS_splice, -1, NULL, -1, NULL, 1, 0) < 0 &&
		errno == ENOSYS));
	return 0;
}

static void misspelt_calls_are_found(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_misspelt), 0);
}

/* ---- privileges -------------------------------------------------------------
 */

static int child_drop(void)
{
	const struct privs_user u = {.uid = 65534, .gid = 65534};
	const char *step;

	CHECK(privs_have(CAP_NET_ADMIN));
	CHECK(privs_drop(&u, NULL, 0, false, &step) == 0);
	CHECK(getuid() == 65534 && geteuid() == 65534 && getegid() == 65534);
	CHECK(getgroups(0, NULL) == 0);
	CHECK(!privs_have(CAP_NET_ADMIN) && !privs_have(CAP_SETUID));
	CHECK(setuid(0) < 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0);
	return 0;
}

static int child_keep(void)
{
	const struct privs_user u = {.uid = 65534, .gid = 65534};
	const int caps[] = {CAP_NET_ADMIN};
	const char *step;

	CHECK(privs_drop(&u, caps, 1, true, &step) == 0);
	CHECK(getuid() == 65534);
	CHECK(privs_have(CAP_NET_ADMIN) && !privs_have(CAP_SYS_ADMIN));
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0,
		    0) == 0);
	return 0;
}

static bool need_root(void)
{
	if (getuid() == 0)
		return true;
	print_message("needs root to give privileges up\n");
	return false;
}

static void root_becomes_nobody_special(void **state)
{
	(void)state;
	if (!need_root())
		skip();
	assert_int_equal(in_child(child_drop), 0);
}

static void wanted_capabilities_survive(void **state)
{
	(void)state;
	if (!need_root())
		skip();
	assert_int_equal(in_child(child_keep), 0);
}

static int child_plain_user(void)
{
	struct privs_user u;
	const char *step;

	CHECK(getuid() != 0 || setuid(12345) == 0);
	CHECK(privs_find_user("couplet", &u) == 0);
	CHECK(u.uid == getuid() && !u.fallback);
	CHECK(privs_drop(&u, NULL, 0, false, &step) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static void ordinary_user_stays_himself(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_plain_user), 0);
}

static void missing_user_falls_back(void **state)
{
	struct privs_user u;

	(void)state;
	if (!need_root())
		skip();
	assert_int_equal(privs_find_user("no-such-user", &u), 0);
	assert_true(u.fallback);
	assert_string_equal(u.name, "nobody");
	assert_int_not_equal(u.uid, 0);
}

static void files_are_raised_to_the_hard_limit(void **state)
{
	struct rlimit rl;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(privs_raise_files(), rl.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(rl.rlim_cur, rl.rlim_max);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_daemons_do_is_allowed),
	cmocka_unit_test(other_calls_fail_with_enosys),
	cmocka_unit_test(debug_names_the_stopped_call),
	cmocka_unit_test(execve_kills),
	cmocka_unit_test(misspelt_calls_are_found),
	cmocka_unit_test(root_becomes_nobody_special),
	cmocka_unit_test(wanted_capabilities_survive),
	cmocka_unit_test(ordinary_user_stays_himself),
	cmocka_unit_test(missing_user_falls_back),
	cmocka_unit_test(files_are_raised_to_the_hard_limit),
};

UNIT_MAIN(tests)
