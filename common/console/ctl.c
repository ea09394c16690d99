/*
 * ctl.c: reads commands from its arguments, a terminal or a pipe, sends them,
 * and copies what comes back. It knows three things about a command from the
 * table: that it exists, which word names a file to be opened here (with the
 * caller's rights, not the daemon's), and which word is a host name.
 */
#include "console/ctl.h"

#include "ipc/ipc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_DIR "/run/couplet"
#define CTL_ID_MAX 8

struct ctl {
	const struct ctl_spec *spec;
	const char *run_dir, *id;
	char id_found[CTL_ID_MAX + 1];
	bool json;
	int fd;
	struct ipc_msg msg;
};

/* A signal handler can only leave a mark. */
static volatile sig_atomic_t interrupts;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupts++;
}

/* ---- help
 * -------------------------------------------------------------------- */

static void print_commands(const struct ctl_spec *spec, FILE *f)
{
	char name[64];

	fprintf(f, "commands (* = changes something: root or the daemon's "
		   "user only):\n");
	for (size_t i = 0; i < spec->n_table; i++) {
		const struct command *c = &spec->table[i];

		command_name(c, name, sizeof name);
		fprintf(f, "  %s%s%s%s\n        %s\n", name,
			c->args[0] ? " " : "", c->args,
			c->right == COMMAND_CHANGE ? "  *" : "", c->what);
	}
}

static void print_usage(const struct ctl_spec *spec, FILE *f)
{
	fprintf(f, "usage: %s [-i ID] [--json] [--run dir] [command ...]\n",
		spec->name);
}

static void print_help(const struct ctl_spec *spec)
{
	printf("%s: the operator console of %s\n\n", spec->name, spec->daemon);
	print_usage(spec, stdout);
	printf("\n"
	       "  -i, --id ID     which %s (default: $COUPLET_ID, or the only "
	       "one that runs)\n"
	       "  -j, --json      answers as JSON\n"
	       "      --run dir   run directory (default $COUPLET_RUN or %s)\n"
	       "      --help      this text\n"
	       "      --version   print the version\n\n"
	       "Without a command, commands are read from the terminal or "
	       "standard input.\n\n",
	       spec->daemon, RUN_DIR);
	print_commands(spec, stdout);
}

/* ---- finding and reaching the daemon
 * ------------------------------------------- */

static void socket_path(const struct ctl *c, const char *id, char *buf,
			size_t len)
{
	const char *mark = strstr(c->spec->socket, "%s");

	snprintf(buf, len, "%s/%.*s%s%s", c->run_dir,
		 (int)(mark - c->spec->socket), c->spec->socket, id, mark + 2);
}

/* The ID in the name of an entry of the run directory, which is the part of
 * the pattern up to its first slash; false: it is no such name. */
static bool id_in(const char *pattern, const char *name, char *ret, size_t cap)
{
	size_t head = (size_t)(strstr(pattern, "%s") - pattern);
	const char *tail = pattern + head + 2;
	size_t tail_len = strcspn(tail, "/"), len = strlen(name);

	if (len <= head + tail_len || len - head - tail_len >= cap ||
	    strncmp(name, pattern, head) != 0 ||
	    strncmp(name + len - tail_len, tail, tail_len) != 0 ||
	    name[head] == '.')
		return false;
	snprintf(ret, cap, "%.*s", (int)(len - head - tail_len), name + head);
	return !strchr(ret, '-'); /* "proxyd-44" is no ID of a stack */
}

/* The only ID that has a console here; complains when there is none or a
 * choice. */
static int find_id(struct ctl *c)
{
	char path[PATH_MAX], all[256] = "", id[sizeof c->id_found];
	DIR *d = opendir(c->run_dir);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;
		size_t used = strlen(all);

		if (!id_in(c->spec->socket, e->d_name, id, sizeof id))
			continue;
		socket_path(c, id, path, sizeof path);
		if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		memcpy(c->id_found, id, sizeof id);
		snprintf(all + used, sizeof all - used, " %s", id);
		n++;
	}
	if (d)
		closedir(d);
	if (n == 1) {
		c->id = c->id_found;
		return 0;
	}
	if (n == 0)
		fprintf(stderr, "%s: no %s has a console in %s\n",
			c->spec->name, c->spec->daemon, c->run_dir);
	else
		fprintf(stderr, "%s: several are running, choose by -i:%s\n",
			c->spec->name, all);
	return -ENOENT;
}

static int connect_to(struct ctl *c)
{
	char path[PATH_MAX];

	if (!c->id && find_id(c) < 0)
		return -ENOENT;
	socket_path(c, c->id, path, sizeof path);
	c->fd = ipc_connect(path);
	if (c->fd >= 0)
		return 0;
	if (c->fd == -ENOENT || c->fd == -ECONNREFUSED)
		fprintf(stderr, "%s: %s %s is not running (%s: %s)\n",
			c->spec->name, c->spec->daemon, c->id, path,
			strerror(-c->fd));
	else
		fprintf(stderr, "%s: %s: %s\n", c->spec->name, path,
			strerror(-c->fd));
	return c->fd;
}

/* ---- one command
 * ----------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/* Next message into c->msg; an interrupt is passed on. 1, 0 end, negative. */
static int next_message(struct ctl *c)
{
	static sig_atomic_t told;
	bool reset = false;
	int r;

	for (;;) {
		struct pollfd p = {c->fd, POLLIN, 0};

		if (interrupts > told) {
			told = interrupts;
			if (told > 1)
				return -EINTR;
			r = ipc_send(c->fd, CONSOLE_CANCEL, 0, 0, NULL, 0, NULL,
				     0);
			if (r < 0)
				return r;
		}
		/* woken each second in case the signal came before poll() */
		if (poll(&p, 1, 1000) <= 0)
			continue;
		r = ipc_recv(c->fd, &c->msg);
		/* A daemon that refuses us closes with our command unread:
		 * the reset comes first, its sentence behind it. */
		if (r != -ECONNRESET || reset)
			return r;
		reset = true;
	}
}

static int read_answer(struct ctl *c)
{
	for (;;) {
		int r = next_message(c);

		if (r <= 0) {
			if (r != -EINTR)
				fprintf(stderr, "%s: %s %s went away\n",
					c->spec->name, c->spec->daemon, c->id);
			return r == -EINTR ? CONSOLE_FAILED : CONSOLE_NO_DAEMON;
		}
		ipc_msg_close(&c->msg);
		switch (c->msg.type) {
		case CONSOLE_OUT:
			if (write_all(STDOUT_FILENO, c->msg.body, c->msg.len) <
			    0)
				return CONSOLE_FAILED;
			break;
		case CONSOLE_ERR:
			(void)!write_all(STDERR_FILENO, c->msg.body,
					 c->msg.len);
			break;
		case CONSOLE_END:
			return c->msg.value;
		default:
			break;
		}
	}
}

/* The file that the command writes, opened with the caller's rights. What is
 * in it stays until the daemon has accepted the command. */
static int open_file(const struct ctl *c, const char *path, int *ret)
{
	int fd;

	if (strcmp(path, "-") == 0)
		fd = dup(STDOUT_FILENO);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", c->spec->name, path,
			strerror(errno));
		return -errno;
	}
	*ret = fd;
	return 0;
}

/* False: there is no room. */
static bool append_word(char *line, size_t len, const char *word)
{
	size_t used = strlen(line);
	char q = strpbrk(word, " \t'") || !*word ? '"' : '\0';
	int n;

	if (strchr(word, '"'))
		q = '\'';
	n = snprintf(line + used, len - used, "%s%.*s%s%.*s", used ? " " : "",
		     q != '\0', &q, word, q != '\0', &q);
	return n >= 0 && (size_t)n < len - used;
}

/* A command that was cut would be another one. */
static bool join_words(const struct ctl *c, const struct words *w, char *line,
		       size_t len)
{
	for (int i = 0; i < w->n; i++) {
		if (append_word(line, len, w->w[i]))
			continue;
		fprintf(stderr,
			"%s: the line is too long: expected at most %d bytes\n",
			c->spec->name, CONSOLE_LINE_MAX);
		return false;
	}
	return true;
}

/* Replaces a host name by its address where the table asks for it. */
static void resolve_word(const struct ctl *c, struct words *w, int i,
			 char *space)
{
	if (i && i < w->n && c->spec->resolve &&
	    c->spec->resolve(c->run_dir, c->id, w->w[i], space) == 0)
		w->w[i] = space;
}

static int run_words(struct ctl *c, struct words *w)
{
	char line[CONSOLE_LINE_MAX + 1] = "", err[1024], host[128];
	const struct command *cmd;
	int n, r, file = -1;

	words_from_msg(w);
	if (!w->n)
		return CONSOLE_OK;
	cmd = command_find(c->spec->table, c->spec->n_table, w, &n, err,
			   sizeof err);
	if (!cmd) {
		fprintf(stderr, "%s\n", err);
		return CONSOLE_USAGE;
	}
	resolve_word(c, w, cmd->host_word, host);
	if (!join_words(c, w, line, sizeof line))
		return CONSOLE_USAGE;
	if (cmd->file_word && cmd->file_word < w->n &&
	    open_file(c, w->w[cmd->file_word], &file) < 0)
		return CONSOLE_FAILED;
	r = ipc_send(c->fd, CONSOLE_COMMAND, c->json ? CONSOLE_FLAG_JSON : 0, 0,
		     line, strlen(line), &file, file >= 0);
	if (file >= 0)
		close(file);
	/* a daemon that refuses us may have closed already, with a sentence */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
		fprintf(stderr, "%s: %s\n", c->spec->name, strerror(-r));
		return CONSOLE_NO_DAEMON;
	}
	return read_answer(c);
}

static int run_line(struct ctl *c, const char *line)
{
	struct words w;
	int r = words_split(&w, line);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", c->spec->name,
			r == -EINVAL ? "a quote is not closed"
				     : "the line is too long");
		return CONSOLE_USAGE;
	}
	return w.n ? run_words(c, &w) : CONSOLE_OK;
}

/* Commands from stdin; the status of the last that failed. */
static int run_stdin(struct ctl *c)
{
	bool tty = isatty(STDIN_FILENO);
	char *line = NULL;
	size_t cap = 0;
	int status = CONSOLE_OK;

	for (;;) {
		int r;

		if (tty) {
			printf("%s %s> ", c->spec->daemon, c->id);
			fflush(stdout);
		}
		if (getline(&line, &cap, stdin) < 0)
			break;
		r = run_line(c, line);
		interrupts = 0;
		if (r != CONSOLE_OK)
			status = r;
		if (r == CONSOLE_NO_DAEMON)
			break;
	}
	free(line);
	return status;
}

static int run_args(struct ctl *c, int argc, char **argv)
{
	struct words w = {.n = 0};

	for (int i = 0; i < argc; i++) {
		if (i == CONSOLE_WORDS_MAX) {
			fprintf(stderr, "%s: too many words\n", c->spec->name);
			return CONSOLE_USAGE;
		}
		w.w[w.n++] = argv[i];
	}
	return run_words(c, &w);
}

/* ---- main
 * ---------------------------------------------------------------------------
 */

enum { OPT_RUN = 256, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{"id", required_argument, NULL, 'i'},
	{"json", no_argument, NULL, 'j'},
	{"run", required_argument, NULL, OPT_RUN},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

/* -1: go on; else the exit status. */
static int parse_options(struct ctl *c, int argc, char **argv)
{
	int o;

	/* "+": words of the command may look like options */
	while ((o = getopt_long(argc, argv, "+i:j", long_options, NULL)) !=
	       -1) {
		switch (o) {
		case 'i':
			c->id = optarg;
			break;
		case 'j':
			c->json = true;
			break;
		case OPT_RUN:
			c->run_dir = optarg;
			break;
		case OPT_HELP:
			print_help(c->spec);
			return CONSOLE_OK;
		case OPT_VERSION:
			printf("%s %s\n", c->spec->name, c->spec->version);
			return CONSOLE_OK;
		default:
			print_usage(c->spec, stderr);
			return CONSOLE_USAGE;
		}
	}
	if (c->id && (strlen(c->id) > CTL_ID_MAX || strchr(c->id, '/'))) {
		fprintf(stderr, "%s: -i: expected an ID of two digits\n",
			c->spec->name);
		return CONSOLE_USAGE;
	}
	return -1;
}

int ctl_main(const struct ctl_spec *spec, int argc, char **argv)
{
	struct ctl *c = calloc(1, sizeof *c);
	struct sigaction sa = {.sa_handler = on_interrupt};
	int status;

	if (!c)
		return CONSOLE_FAILED;
	c->spec = spec;
	c->fd = -1;
	c->run_dir = env_or("COUPLET_RUN", RUN_DIR);
	c->id = env_or("COUPLET_ID", NULL);
	status = parse_options(c, argc, argv);
	if (status < 0 && optind < argc &&
	    strcasecmp(argv[optind], "help") == 0) {
		print_commands(spec, stdout);
		status = CONSOLE_OK;
	}
	if (status < 0 && connect_to(c) < 0)
		status = CONSOLE_NO_DAEMON;
	if (status < 0) {
		sigaction(SIGINT, &sa, NULL);
		status = optind < argc
				 ? run_args(c, argc - optind, argv + optind)
				 : run_stdin(c);
	}
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	return status;
}
