/*
 * trace.c: TRACE. The file is opened by stackctl, with the rights of who
 * typed the command, and its descriptor passed: the daemon itself may write
 * nowhere. Only regular files: a pipe that nobody reads would stop the stack.
 */
#include "daemon/log.h"
#include "ev/ev.h"
#include "stackd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_INTERVAL DUR_MS(200)

static void refuse(struct console_cmd *cmd, int status, const char *why)
{
	console_error(cmd, "%s", why);
	console_done(cmd, status);
}

static void forget(struct stackd *sd)
{
	ev_timer_free(sd->trace_timer);
	sd->trace_timer = NULL;
	sd->trace = NULL;
	sd->trace_file[0] = '\0';
}

/* Writes the last packets and closes; what there is to say in `text`. */
static int finish(struct stackd *sd, char *text, size_t len)
{
	uint64_t packets, dropped;
	int error;

	osa_trace_stop(sd->trace, &packets, &dropped, &error);
	snprintf(text, len, "%llu packets, %llu dropped",
		 (unsigned long long)packets, (unsigned long long)dropped);
	return error;
}

static const char *end_reason(int error)
{
	return error == -EFBIG || error == EFBIG ? "LIMIT reached"
						 : strerror(abs(error));
}

static void on_timer(void *arg)
{
	struct stackd *sd = arg;
	int error = osa_trace_error(sd->trace);
	char text[96], why[160];

	if (!error) {
		/* readers see the newest packets soon */
		osa_trace_flush(sd->trace);
		ev_timer_set(sd->trace_timer, WATCH_INTERVAL);
		return;
	}
	finish(sd, text, sizeof text);
	snprintf(why, sizeof why, "%s, after %s", end_reason(error), text);
	log_msg(MSG_CPLT401E, sd->trace_file, why);
	forget(sd);
}

static uint8_t proto_number(struct operands *o)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {{"TCP", IP_PROTO_TCP},
		     {"UDP", IP_PROTO_UDP},
		     {"ICMP", IP_PROTO_ICMP},
		     {"ICMPV6", IP_PROTO_ICMPV6}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (operands_is(o, names[i].name))
			return names[i].number;
	return (uint8_t)operands_number(o, "TCP, UDP, ICMP, ICMPV6 or a number",
					1, 255);
}

static bool parse(struct operands *o, struct osa_trace_filter *f)
{
	operands_word(o, "a file name");
	while (operands_more(o)) {
		if (operands_is(o, "PROTO"))
			f->proto = proto_number(o);
		else if (operands_is(o, "HOST"))
			operands_prefix(o, "an address or address/length",
					&f->host);
		else if (operands_is(o, "PORT"))
			f->port = (uint16_t)operands_number(o, "a port", 1,
							    65535);
		else if (operands_is(o, "SNAPLEN"))
			f->snaplen = (uint32_t)operands_number(o, "bytes", 64,
							       65535);
		else if (operands_is(o, "LIMIT"))
			f->max_bytes = operands_size(o, "a size such as 10M",
						     1ull << 42);
		else
			break;
	}
	return operands_ok(o, "PROTO, HOST, PORT, SNAPLEN or LIMIT");
}

static const char *check_file(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (fd < 0)
		return "no file came with the command: use stackctl";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "the trace can be written to a regular file only";
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return "the file is not open for writing";
	return NULL;
}

void trace_start(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct osa_trace_filter f = {.proto = 0};
	const char *why;
	int r, fd;

	if (!parse(&o, &f)) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	if (sd->trace) {
		refuse(cmd, CONSOLE_FAILED,
		       "a trace is running: TRACE STOP ends it");
		return;
	}
	fd = console_take_fd(cmd);
	why = check_file(fd);
	if (why) {
		if (fd >= 0)
			close(fd);
		refuse(cmd, CONSOLE_FAILED, why);
		return;
	}
	snprintf(sd->trace_file, sizeof sd->trace_file, "%s",
		 console_words(cmd)->w[n]);
	r = ev_timer_new(daemon_loop(sd->daemon), on_timer, sd,
			 &sd->trace_timer);
	if (r == 0 && ftruncate(fd, 0) < 0)
		r = -errno;
	if (r == 0)
		r = osa_trace_start(fd, sd->ports, sd->n_ports, &f, &sd->trace);
	if (r < 0) {
		forget(sd);
		close(fd);
		refuse(cmd, CONSOLE_FAILED, strerror(-r));
		return;
	}
	ev_timer_set(sd->trace_timer, WATCH_INTERVAL);
	log_msg(MSG_CPLT400I, sd->trace_file, "started");
	console_printf(cmd, "trace to %s started\n", sd->trace_file);
	console_done(cmd, CONSOLE_OK);
}

void trace_stop(struct stackd *sd, struct console_cmd *cmd)
{
	char text[96];
	int error;

	if (!sd->trace) {
		refuse(cmd, CONSOLE_FAILED, "no trace is running");
		return;
	}
	error = finish(sd, text, sizeof text);
	if (error) {
		log_msg(MSG_CPLT401E, sd->trace_file, end_reason(error));
		console_error(cmd, "trace to %s: %s; %s", sd->trace_file,
			      end_reason(error), text);
	} else {
		log_msg(MSG_CPLT400I, sd->trace_file, text);
		console_printf(cmd, "trace to %s ended: %s\n", sd->trace_file,
			       text);
	}
	forget(sd);
	console_done(cmd, error ? CONSOLE_FAILED : CONSOLE_OK);
}

void trace_status(struct stackd *sd, struct console_cmd *cmd)
{
	uint64_t packets = 0, bytes = 0, dropped = 0;

	if (sd->trace)
		osa_trace_stats(sd->trace, &packets, &bytes, &dropped);
	if (console_json(cmd))
		console_printf(
			cmd,
			"{\"running\":%s,\"packets\":%llu,\"bytes\":%llu,"
			"\"dropped\":%llu}\n",
			sd->trace ? "true" : "false",
			(unsigned long long)packets, (unsigned long long)bytes,
			(unsigned long long)dropped);
	else if (sd->trace)
		console_printf(cmd,
			       "trace to %s: %llu packets, %llu bytes, %llu "
			       "dropped\n",
			       sd->trace_file, (unsigned long long)packets,
			       (unsigned long long)bytes,
			       (unsigned long long)dropped);
	else
		console_printf(cmd, "no trace is running\n");
	console_done(cmd, CONSOLE_OK);
}

void trace_end(struct stackd *sd, const char *why)
{
	char text[96];

	if (!sd->trace)
		return;
	finish(sd, text, sizeof text);
	log_msg(MSG_CPLT400I, sd->trace_file, why);
	forget(sd);
}
