/* Questions to responders on the kernel's loopback, and what may go wrong. */
#include "ocsp/fetch.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD "HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n"

/* Answers every connection in the same way, until it is closed. */
struct responder {
	pthread_t thread;
	int fd;
	char url[64];
	const char *head; /* NULL: says nothing until the other side ends */
	const char *piece;
	size_t len;
	bool endless; /* the piece again and again */
	unsigned asked;
	char request[1024]; /* the last one */
};

static void say(const struct responder *r, int c)
{
	(void)!send(c, r->head, strlen(r->head), MSG_NOSIGNAL);
	do {
		if (send(c, r->piece, r->len, MSG_NOSIGNAL) < 0)
			return;
	} while (r->endless);
}

static void *serve(void *arg)
{
	struct responder *r = arg;
	char buf[256];
	int c;

	while ((c = accept(r->fd, NULL, NULL)) >= 0) {
		size_t n = 0;
		ssize_t got;

		/* the questions of this file end in "ask" */
		do {
			got = recv(c, r->request + n, sizeof r->request - 1 - n,
				   0);
			n += (size_t)MAX(got, 0);
			r->request[n] = '\0';
		} while (got > 0 &&
			 (n < 3 || strcmp(r->request + n - 3, "ask") != 0));
		r->asked++;
		if (r->head)
			say(r, c);
		while (!r->head && recv(c, buf, sizeof buf, 0) > 0)
			;
		close(c);
	}
	return NULL;
}

static void start(struct responder *r)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/ca1",
		       ntohs(a.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void stop(struct responder *r)
{
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
}

static int setup(void **state)
{
	struct ocsp_fetch *f;

	assert_int_equal(ocsp_fetch_new("*", &f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	ocsp_fetch_free(*state);
	return 0;
}

/* What `r` says comes to `want`. */
static void ask(struct ocsp_fetch *f, struct responder *r, ssize_t want)
{
	char resp[64];

	start(r);
	assert_int_equal(ocsp_fetch(f, r->url, "ask", 3, resp, sizeof resp),
			 want);
	if (want > 0)
		assert_memory_equal(resp, r->piece, (size_t)want);
	stop(r);
	assert_int_equal(r->asked, 1);
}

static void an_answer(void **state)
{
	struct responder r = {.head = HEAD "Content-Length: 5\r\n\r\n",
			      .piece = "\x30\x03"
				       "abc",
			      .len = 5};

	ask(*state, &r, 5);
	assert_int_equal(strncmp(r.request, "POST /ca1 HTTP/1.0\r\n", 20), 0);
	assert_non_null(strstr(r.request, "\r\nHost: 127.0.0.1"));
	assert_non_null(strstr(
		r.request, "\r\nContent-Type: application/ocsp-request\r\n"));
	assert_non_null(strstr(r.request, "\r\nContent-Length: 3\r\n"));
}

static void another_type(void **state)
{
	struct responder r = {.head = "HTTP/1.0 200 OK\r\nContent-Type: "
				      "text/html\r\n\r\n",
			      .piece = "\x30\x03"
				       "abc",
			      .len = 5};

	ask(*state, &r, -EBADMSG);
}

static void another_status(void **state)
{
	struct responder r = {
		.head = "HTTP/1.0 503 Busy\r\n\r\n", .piece = "", .len = 0};

	ask(*state, &r, -EBADMSG);
}

/* It is not gone to: only the responder that was named is asked. */
static void a_redirection(void **state)
{
	struct responder to = {.head = HEAD "\r\n", .piece = "", .len = 0};
	char head[160];
	struct responder r = {.head = head, .piece = "", .len = 0};

	start(&to);
	(void)snprintf(head, sizeof head,
		       "HTTP/1.0 301 Moved\r\nLocation: %s\r\n\r\n", to.url);
	ask(*state, &r, -EBADMSG);
	stop(&to);
	assert_int_equal(to.asked, 0);
}

static void an_answer_cut_short(void **state)
{
	struct responder r = {.head = HEAD "\r\n",
			      .piece = "\x30\x7f"
				       "abc",
			      .len = 5};

	ask(*state, &r, -EBADMSG);
}

static void no_der(void **state)
{
	struct responder r = {.head = HEAD "\r\n", .piece = "hello", .len = 5};

	ask(*state, &r, -EBADMSG);
}

static void an_answer_too_large(void **state)
{
	struct responder r = {.head = HEAD "\r\n\x30\x82\xff\xff",
			      .piece =
				      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
			      .len = 32,
			      .endless = true};

	ask(*state, &r, -EBADMSG);
}

static void headers_without_an_end(void **state)
{
	struct responder r = {.head = HEAD,
			      .piece = "X-More: of the same, again\r\n",
			      .len = 28,
			      .endless = true};

	ask(*state, &r, -EBADMSG);
}

/* Once, and then not again for a while. */
static void a_silent_one(void **state)
{
	struct responder r = {.head = NULL};
	char resp[8];

	start(&r);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			ocsp_fetch(*state, r.url, "ask", 3, resp, sizeof resp),
			-ETIMEDOUT);
	stop(&r);
	assert_int_equal(r.asked, 1);
}

static void nobody_there(void **state)
{
	struct responder r = {.head = NULL};
	char resp[8];

	start(&r);
	stop(&r);
	assert_int_equal(ocsp_fetch(*state, r.url, "ask", 3, resp, sizeof resp),
			 -ECONNREFUSED);
}

static void urls(void **state)
{
	static const char *const good[] = {
		"http://ocsp.test", "http://ocsp.test:8080/a/b",
		"HTTP://192.0.2.1/", "http://[2001:db8::1]:81/x"};
	static const char *const bad[] = {"",
					  "ocsp.test",
					  "https://ocsp.test/",
					  "ldap://ocsp.test/",
					  "http://",
					  "http://user@ocsp.test/",
					  "http://ocsp.test/a b",
					  "http://ocsp.test/a\r\nX-Injected: 1",
					  "http://ocsp.test:99999/"};
	char lng[OCSP_FETCH_URL_MAX + 1] = "http://ocsp.test/";

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(ocsp_fetch_url_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(ocsp_fetch_url_ok(bad[i]));
		assert_int_equal(ocsp_fetch(*state, bad[i], "ask", 3, NULL, 0),
				 -EINVAL);
	}
	memset(lng + strlen(lng), 'a', OCSP_FETCH_URL_MAX - strlen(lng));
	assert_false(ocsp_fetch_url_ok(lng));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(an_answer, setup, teardown),
	cmocka_unit_test_setup_teardown(another_type, setup, teardown),
	cmocka_unit_test_setup_teardown(another_status, setup, teardown),
	cmocka_unit_test_setup_teardown(a_redirection, setup, teardown),
	cmocka_unit_test_setup_teardown(an_answer_cut_short, setup, teardown),
	cmocka_unit_test_setup_teardown(no_der, setup, teardown),
	cmocka_unit_test_setup_teardown(an_answer_too_large, setup, teardown),
	cmocka_unit_test_setup_teardown(headers_without_an_end, setup,
					teardown),
	cmocka_unit_test_setup_teardown(a_silent_one, setup, teardown),
	cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
	cmocka_unit_test_setup_teardown(urls, setup, teardown),
};

UNIT_MAIN(tests)
